/* cuda_open.c - from the number of a card to one that kernels can be launched on, or a sentence.
 *
 * Each step has an answer of its own: no driver, one too old, no card, no such card, one too old,
 * too little memory there, kernels that the driver does not take. What was made until a step fails
 * is given back. All that a run needs is allocated here, so that a run allocates nothing.
 *
 * The card's primary context is retained, not one of our own: the driver keeps one a process, so
 * libraries of the same process share it. It does not survive fork(): open after that.
 */
#include "cuda.h"

#include <stdio.h>
#include <stdlib.h>

#include "fatbin.h"

#define OLDEST_DRIVER 11000               /* cuDevicePrimaryCtxRelease_v2 came with it */
#define MEMORY_SPARE ((size_t)(32 << 20)) /* for the kernels, and what the driver rounds up */
#define CPU_INSTEAD "or use the processor (device=cpu)"

uint32_t cuda_chunk = FEED_CHUNK;

/* A call of cuda_open(): memory that is not there is a limit, everything else the driver's error. */
static int check(const struct cuda *g, const char *call, int result, struct err *e)
{
	int rc = cuda_check(&g->driver, call, result, e);

	if (rc < 0) {
		err_prefix(e, "%s", g->where);
		rc = result == CUDA_OUT_OF_MEMORY ? err_as(e, ERR_LIMIT) : rc;
	}
	return rc;
}

static int start_driver(struct cuda *g, struct err *e)
{
	const struct cuda_driver *d = &g->driver;
	int result = d->version(&g->knows), rc = check(g, "cuDriverGetVersion", result, e);

	if (rc < 0)
		return rc;
	if (g->knows < OLDEST_DRIVER)
		return err_set(e, ERR_UNSUPPORTED, "the NVIDIA driver is too old: it knows CUDA %d.%d, "
				"and at least %d.%d is needed; update it, " CPU_INSTEAD,
				g->knows / 1000, g->knows % 1000 / 10, OLDEST_DRIVER / 1000,
				OLDEST_DRIVER % 1000 / 10);
	result = d->init(0);
	if (result == CUDA_NO_DEVICE)
		return err_set(e, ERR_ABSENT, "the NVIDIA driver sees no card (CUDA_ERROR_NO_DEVICE): "
				"look at nvidia-smi and CUDA_VISIBLE_DEVICES, " CPU_INSTEAD);
	if (cuda_check(d, "cuInit", result, e) == 0)
		return 0;
	err_prefix(e, "the NVIDIA driver does not start (look at nvidia-smi)");
	return err_as(e, ERR_ABSENT);
}

static int find_card(struct cuda *g, unsigned ordinal, struct err *e)
{
	const struct cuda_driver *d = &g->driver;
	char name[64] = "";
	size_t memory = 0;
	int count = 0, major = 0, minor = 0, rc;

	rc = check(g, "cuDeviceGetCount", d->device_count(&count), e);
	if (rc == 0 && (count < 1 || ordinal >= (unsigned)count))
		return err_set(e, ERR_ABSENT, "there is no %s: the driver sees %d card%s%s", g->where,
				count, count == 1 ? "" : "s", count > 0 ? ", cuda:0 first" : "");
	if (rc == 0)
		rc = check(g, "cuDeviceGet", d->device(&g->device, (int)ordinal), e);
	if (rc == 0)
		rc = check(g, "cuDeviceGetName",
				d->device_name(name, (int)sizeof name, g->device), e);
	if (rc == 0)
		rc = check(g, "cuDeviceTotalMem", d->device_memory(&memory, g->device), e);
	if (rc == 0)
		rc = check(g, "cuDeviceGetAttribute",
				d->device_attribute(&major, CUDA_CAPABILITY_MAJOR, g->device), e);
	if (rc == 0)
		rc = check(g, "cuDeviceGetAttribute",
				d->device_attribute(&minor, CUDA_CAPABILITY_MINOR, g->device), e);
	if (rc < 0)
		return rc;
	if (major < 0 || minor < 0 || (unsigned)(major * 10 + minor) < fatbin.oldest)
		return err_set(e, ERR_UNSUPPORTED, "%s (%s) is too old: its compute capability is "
				"%d.%d, and this pthfs, built with CUDA %s, has code for %u.%u and "
				"later; build it with an older CUDA, " CPU_INSTEAD, g->where, name,
				major, minor, fatbin.toolkit, fatbin.oldest / 10, fatbin.oldest % 10);
	snprintf(g->base.name, sizeof g->base.name, "%s (%s, %zu GiB)", g->where, name,
			memory >> 30);
	return 0;
}

static int enough_memory(struct cuda *g, struct err *e)
{
	size_t need = FEED_SLOTS * cuda_slot_bytes(g) + MEMORY_SPARE, left = 0, all = 0;
	int rc = check(g, "cuMemGetInfo", g->driver.memory_info(&left, &all), e);

	if (rc == 0 && left < need)
		rc = err_set(e, ERR_LIMIT, "%s has %s of memory free, and %s are needed: end what "
				"uses it (nvidia-smi lists that), " CPU_INSTEAD, g->base.name,
				STR_SIZE(left), STR_SIZE(need));
	return rc;
}

static int load_kernels(struct cuda *g, struct err *e)
{
	static const char *const name[CARD_KIND_COUNT] = {
#define X(kind, size) "pthfs_" #kind,
		CARD_KINDS(X)
#undef X
	};
	const struct cuda_driver *d = &g->driver;
	int result = d->module_load(&g->module, fatbin.image);
	int rc = check(g, "cuModuleLoadData", result, e);

	if (result == CUDA_BAD_IMAGE || result == CUDA_NO_CODE_FOR_CARD || result == CUDA_BAD_PTX ||
			result == CUDA_PTX_TOO_NEW) {
		err_prefix(e, "the NVIDIA driver, which knows CUDA %d.%d, does not take kernels of "
				"CUDA %s; update it, " CPU_INSTEAD, g->knows / 1000,
				g->knows % 1000 / 10, fatbin.toolkit);
		return err_as(e, ERR_UNSUPPORTED);
	}
	for (unsigned k = 0; k < CARD_KIND_COUNT && rc == 0; k++)
		rc = check(g, "cuModuleGetFunction",
				d->module_function(&g->kernel[k], g->module, name[k]), e);
	return rc;
}

static int make_slot(struct cuda *g, struct cuda_slot *s, struct err *e)
{
	const struct cuda_driver *d = &g->driver;
	void *host = NULL;
	int rc = check(g, "cuMemAlloc", d->alloc(&s->card, cuda_slot_bytes(g)), e);

	if (rc == 0)
		rc = check(g, "cuMemHostAlloc", d->host_alloc(&host, cuda_slot_bytes(g), 0), e);
	s->host = host;
	if (rc == 0)
		rc = check(g, "cuEventCreate",
				d->event_create(&s->event, CUDA_EVENT_BLOCKING | CUDA_EVENT_NO_TIMING),
				e);
	return rc;
}

static int set_up(struct cuda *g, unsigned ordinal, struct err *e)
{
	const struct cuda_driver *d = &g->driver;
	int rc = start_driver(g, e);

	if (rc == 0)
		rc = find_card(g, ordinal, e);
	if (rc == 0)
		rc = check(g, "cuDevicePrimaryCtxRetain",
				d->context_retain(&g->context, g->device), e);
	if (rc == 0)
		rc = check(g, "cuCtxSetCurrent", d->context_use(g->context), e);
	if (rc == 0)
		rc = enough_memory(g, e);
	if (rc == 0)
		rc = load_kernels(g, e);
	for (unsigned k = 0; k < CUDA_STREAMS && rc == 0; k++)
		rc = check(g, "cuStreamCreate",
				d->stream_create(&g->stream[k], CUDA_STREAM_NON_BLOCKING), e);
	for (unsigned k = 0; k < FEED_SLOTS && rc == 0; k++)
		rc = make_slot(g, &g->slot[k], e);
	return rc;
}

int cuda_open(unsigned ordinal, struct engine **ret, struct err *e)
{
	struct cuda *g;
	int rc;

	if (!fatbin.image)
		return err_set(e, ERR_ABSENT, "this pthfs was built without nvcc, so it uses no card: "
				"build it where CUDA's toolkit is, " CPU_INSTEAD);
	g = calloc(1, sizeof *g);
	if (!g)
		return err_nomem(e);
	g->base.ops = &engine_cuda_ops;
	g->chunk = cuda_chunk;
	snprintf(g->where, sizeof g->where, "cuda:%u", ordinal);
	rc = cuda_driver_open(&g->driver, e);
	if (rc == 0)
		rc = set_up(g, ordinal, e);
	if (rc < 0)
		cuda_close(&g->base);
	else
		*ret = &g->base;
	return rc;
}

/* What fails here fails because the card is lost, with all that it held: there is nobody to tell. */
void cuda_close(struct engine *base)
{
	struct cuda *g = (struct cuda *)base;
	const struct cuda_driver *d = &g->driver;

	if (g->context) {
		d->context_use(g->context);
		for (unsigned k = 0; k < CUDA_STREAMS; k++)
			if (g->stream[k])
				d->stream_wait(g->stream[k]);
		for (unsigned k = 0; k < FEED_SLOTS; k++) {
			if (g->slot[k].event)
				d->event_destroy(g->slot[k].event);
			if (g->slot[k].host)
				d->host_free(g->slot[k].host);
			if (g->slot[k].card)
				d->free(g->slot[k].card);
		}
		for (unsigned k = 0; k < CUDA_STREAMS; k++)
			if (g->stream[k])
				d->stream_destroy(g->stream[k]);
		if (g->module)
			d->module_unload(g->module);
		d->context_use(NULL);
		d->context_release(g->device);
	}
	cuda_driver_close(&g->driver);
	free(g);
}
