/* driver.c - the stand-in's cards, contexts, modules and memory, and what it is told. (standin.h) */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64 /* pieces of memory */

struct memory {
	bool on_card;
	uint64_t at;
	size_t n;
};

static struct memory memory[MOST];
static int context, retained, module; /* places: their addresses are handles */
static char kernel[CARD_KIND_COUNT];
static _Thread_local void *current;
struct standin standin_state;

/* --- what it is told, and what it tells -------------------------------------------------------- */

static long told(const char *name, long otherwise)
{
	const char *v = getenv(name);

	return v ? strtol(v, NULL, 10) : otherwise;
}

void standin_reset(void)
{
	int live = standin_state.live, pending = standin_state.pending;

	standin_state = (struct standin){
		.devices = (int)told("STANDIN_DEVICES", 1),
		.version = (int)told("STANDIN_VERSION", 13000),
		.capability = 90,
		.memory = (size_t)told("STANDIN_MEMORY", 8l << 30),
		.fail_at = (unsigned)told("STANDIN_FAIL_AT", 0),
		.corrupt = (unsigned)told("STANDIN_CORRUPT", 0),
		.fail_with = UNKNOWN,
		.live = live,
		.pending = pending,
	};
}

__attribute__((constructor)) static void begin(void)
{
	standin_reset();
}

struct standin *standin(void)
{
	return &standin_state;
}

void standin_misuse(const char *what)
{
	if (!standin_state.misuse)
		standin_state.misuse = what;
	fprintf(stderr, "standin: %s\n", what);
}

int standin_call(const char *name)
{
	struct standin *s = &standin_state;

	s->calls++;
	if (s->fail_at == 0 || s->calls < s->fail_at || (s->calls > s->fail_at && !s->lost))
		return 0;
	if (s->calls == s->fail_at)
		s->failed = name;
	return s->fail_with;
}

int standin_call_in_context(const char *name)
{
	int result = standin_call(name);

	if (current != &context) {
		standin_misuse("a call without a context in this thread");
		return INVALID_CONTEXT;
	}
	return result;
}

int cuGetErrorName(int result, const char **ret)
{
	*ret = result == CUDA_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
		: result == CUDA_NO_DEVICE ? "CUDA_ERROR_NO_DEVICE"
		: result == CUDA_PTX_TOO_NEW ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
		: "CUDA_ERROR_UNKNOWN";
	return 0;
}

int cuGetErrorString(int result, const char **ret)
{
	*ret = result == CUDA_OUT_OF_MEMORY ? "out of memory" : "unknown error";
	return 0;
}

/* --- cards and contexts ----------------------------------------------------------------------- */

int cuInit(unsigned flags)
{
	int result = standin_call("cuInit");

	if (result == 0)
		result = standin_state.init_result;
	return result == 0 && standin_state.devices == 0 ? CUDA_NO_DEVICE : result;
}

int cuDriverGetVersion(int *ret)
{
	*ret = standin_state.version;
	return standin_call("cuDriverGetVersion");
}

int cuDeviceGetCount(int *ret)
{
	*ret = standin_state.devices;
	return standin_call("cuDeviceGetCount");
}

int cuDeviceGet(int *ret, int ordinal)
{
	*ret = ordinal;
	if (ordinal < 0 || ordinal >= standin_state.devices)
		return INVALID_DEVICE;
	return standin_call("cuDeviceGet");
}

int cuDeviceGetName(char *ret, int len, int device)
{
	snprintf(ret, (size_t)len, "Stand-in %d", device);
	return standin_call("cuDeviceGetName");
}

int cuDeviceGetAttribute(int *ret, int which, int device)
{
	*ret = which == CUDA_CAPABILITY_MAJOR ? standin_state.capability / 10
		: which == CUDA_CAPABILITY_MINOR ? standin_state.capability % 10 : -1;
	return standin_call("cuDeviceGetAttribute");
}

int cuDeviceTotalMem_v2(size_t *ret, int device)
{
	*ret = (size_t)8 << 30;
	return standin_call("cuDeviceTotalMem");
}

int cuDevicePrimaryCtxRetain(void **ret, int device)
{
	int result = standin_call("cuDevicePrimaryCtxRetain");

	if (result)
		return result;
	*ret = &context;
	retained++;
	standin_state.live++;
	return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
	if (retained == 0) {
		standin_misuse("a context is released that is not retained");
		return INVALID_CONTEXT;
	}
	retained--;
	standin_state.live--;
	return standin_call("cuDevicePrimaryCtxRelease");
}

int cuCtxSetCurrent(void *ctx)
{
	int result = standin_call("cuCtxSetCurrent");

	if (ctx && (ctx != &context || retained == 0)) {
		standin_misuse("a context that is none becomes current");
		return INVALID_CONTEXT;
	}
	if (result == 0)
		current = ctx;
	return result;
}

/* --- modules ---------------------------------------------------------------------------------- */

int cuModuleLoadData(void **ret, const void *image)
{
	int result = standin_call_in_context("cuModuleLoadData");

	result = result ? result : standin_state.load_result;
	if (result)
		return result;
	if (!image)
		return INVALID_VALUE;
	*ret = &module;
	standin_state.live++;
	return 0;
}

int cuModuleUnload(void *m)
{
	standin_state.live -= m == &module;
	return standin_call_in_context("cuModuleUnload");
}

int cuModuleGetFunction(void **ret, void *m, const char *name)
{
	static const char *const names[] = {
#define X(kind, size) "pthfs_" #kind,
		CARD_KINDS(X)
#undef X
	};
	int result = standin_call_in_context("cuModuleGetFunction");

	if (result)
		return result;
	for (unsigned k = 0; m == &module && k < CARD_KIND_COUNT; k++) {
		if (strcmp(name, names[k]) == 0) {
			*ret = &kernel[k];
			return 0;
		}
	}
	return NOT_FOUND;
}

bool standin_kernel(const void *function, enum card_kind *ret)
{
	const char *k = function;

	if (k < kernel || k >= kernel + CARD_KIND_COUNT)
		return false;
	*ret = (enum card_kind)(k - kernel);
	return true;
}

/* --- memory ----------------------------------------------------------------------------------- */

static struct memory *find(bool on_card, uint64_t at, size_t n)
{
	for (unsigned k = 0; k < MOST; k++) {
		struct memory *m = &memory[k];

		if (m->n && m->on_card == on_card && at >= m->at && at - m->at <= m->n &&
				n <= m->n - (at - m->at))
			return m;
	}
	return NULL;
}

bool memory_has(bool on_card, uint64_t at, size_t n)
{
	return find(on_card, at, n) != NULL;
}

static int allocate(bool on_card, size_t n, uint64_t *ret)
{
	for (unsigned k = 0; k < MOST; k++) {
		if (memory[k].n)
			continue;
		memory[k] = (struct memory){on_card,
			(uint64_t)(uintptr_t)aligned_alloc(256, (n + 255) / 256 * 256), n};
		memset((void *)(uintptr_t)memory[k].at, 0xa5, n);
		standin_state.live++;
		*ret = memory[k].at;
		return 0;
	}
	return CUDA_OUT_OF_MEMORY;
}

static int give_back(bool on_card, uint64_t at, const char *name)
{
	struct memory *m = find(on_card, at, 0);
	int result = standin_call_in_context(name);

	if (!m || m->at != at) {
		standin_misuse("memory is given back that is none");
		return INVALID_VALUE;
	}
	if (stream_pending(at, m->n))
		standin_misuse("memory is given back while a stream works on it");
	free((void *)(uintptr_t)at);
	m->n = 0;
	standin_state.live--;
	return result;
}

int cuMemGetInfo_v2(size_t *ret_free, size_t *ret_total)
{
	*ret_free = standin_state.memory;
	*ret_total = (size_t)8 << 30;
	return standin_call_in_context("cuMemGetInfo");
}

int cuMemAlloc_v2(uint64_t *ret, size_t n)
{
	int result = standin_call_in_context("cuMemAlloc");

	return result ? result : allocate(true, n, ret);
}

int cuMemFree_v2(uint64_t at)
{
	return give_back(true, at, "cuMemFree");
}

int cuMemHostAlloc(void **ret, size_t n, unsigned flags)
{
	int result = standin_call_in_context("cuMemHostAlloc");
	uint64_t at = 0;

	result = result ? result : allocate(false, n, &at);
	if (result == 0)
		*ret = (void *)(uintptr_t)at;
	return result;
}

int cuMemFreeHost(void *p)
{
	return give_back(false, (uint64_t)(uintptr_t)p, "cuMemFreeHost");
}
