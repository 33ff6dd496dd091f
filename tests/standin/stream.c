/* stream.c - the stand-in's streams and events: queues that nobody works on until somebody waits. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST 64

struct work {
	enum { COPY_TO, COPY_FROM, LAUNCH } what;
	uint64_t to, from;
	size_t n;
	enum card_kind kind;
	struct card_job job;
	unsigned blocks, number; /* number: of the copy, or launch */
};

struct stream {
	struct stream *next;
	struct work work[LONGEST];
	uint64_t put, done; /* counts of works */
};

struct event {
	struct stream *on; /* NULL: never recorded */
	uint64_t put;
};

static struct stream *streams;

static bool is_stream(const void *p)
{
	for (const struct stream *s = streams; s; s = s->next)
		if (s == p)
			return true;
	standin_misuse("a stream that is none");
	return false;
}

static void *host(uint64_t at)
{
	return (void *)(uintptr_t)at;
}

static void copy(const struct work *w)
{
	memcpy(host(w->to), host(w->from), w->n);
	if (w->what == COPY_TO && w->number == standin_state.corrupt)
		*((unsigned char *)host(w->to) + w->n / 2) ^= 4;
}

static void work_until(struct stream *s, uint64_t put)
{
	for (; s->done < put; s->done++, standin_state.pending--) {
		const struct work *w = &s->work[s->done % LONGEST];

		if (w->what != LAUNCH)
			copy(w);
		else if (w->number != standin_state.short_run)
			standin_launch(w->kind, host(w->from), host(w->to), w->job, w->blocks);
	}
}

static bool meets(uint64_t a, size_t an, uint64_t b, size_t bn)
{
	return a < b + bn && b < a + an;
}

bool stream_pending(uint64_t at, size_t n)
{
	for (const struct stream *s = streams; s; s = s->next) {
		for (uint64_t k = s->done; k < s->put; k++) {
			const struct work *w = &s->work[k % LONGEST];

			if (meets(at, n, w->to, 1) || meets(at, n, w->from, 1))
				return true;
		}
	}
	return false;
}

static int put(struct stream *s, const struct work *w)
{
	int busy = 0;

	if (s->put - s->done == LONGEST) {
		standin_misuse("a stream is given more and more");
		return UNKNOWN;
	}
	s->work[s->put++ % LONGEST] = *w;
	standin_state.pending++;
	for (const struct stream *o = streams; o; o = o->next)
		busy += o->done < o->put;
	if (busy > standin_state.busiest)
		standin_state.busiest = busy;
	return 0;
}

/* --- the calls -------------------------------------------------------------------------------- */

int cuStreamCreate(void **ret, unsigned flags)
{
	int result = standin_call_in_context("cuStreamCreate");
	struct stream *s = result ? NULL : calloc(1, sizeof *s);

	if (!s)
		return result ? result : CUDA_OUT_OF_MEMORY;
	s->next = streams;
	streams = s;
	standin_state.live++;
	*ret = s;
	return 0;
}

int cuStreamSynchronize(void *stream)
{
	int result = standin_call_in_context("cuStreamSynchronize");

	if (!is_stream(stream))
		return INVALID_HANDLE;
	work_until(stream, ((struct stream *)stream)->put);
	return result;
}

int cuStreamDestroy_v2(void *stream)
{
	int result = standin_call_in_context("cuStreamDestroy");
	struct stream **at = &streams;

	if (!is_stream(stream))
		return INVALID_HANDLE;
	while (*at != stream)
		at = &(*at)->next;
	if ((*at)->done < (*at)->put)
		standin_misuse("a stream is destroyed while it works");
	*at = (*at)->next;
	free(stream);
	standin_state.live--;
	return result;
}

int cuEventCreate(void **ret, unsigned flags)
{
	int result = standin_call_in_context("cuEventCreate");
	struct event *v = result ? NULL : calloc(1, sizeof *v);

	if (!v)
		return result ? result : CUDA_OUT_OF_MEMORY;
	standin_state.live++;
	*ret = v;
	return 0;
}

int cuEventRecord(void *event, void *stream)
{
	int result = standin_call_in_context("cuEventRecord");

	if (result || !is_stream(stream))
		return result ? result : INVALID_HANDLE;
	*(struct event *)event = (struct event){stream, ((struct stream *)stream)->put};
	return 0;
}

int cuEventSynchronize(void *event)
{
	int result = standin_call_in_context("cuEventSynchronize");
	struct event *v = event;

	if (result == 0 && v->on && is_stream(v->on))
		work_until(v->on, v->put);
	return result;
}

int cuEventDestroy_v2(void *event)
{
	free(event);
	standin_state.live--;
	return standin_call_in_context("cuEventDestroy");
}

static int put_copy(const char *name, void *stream, const struct work *w)
{
	int result = standin_call_in_context(name);
	bool to = w->what == COPY_TO;

	if (result)
		return result;
	if (!memory_has(to, w->to, w->n) || !memory_has(!to, w->from, w->n) || w->n == 0) {
		standin_misuse("a copy from or to memory that is not there, or not page-locked");
		return INVALID_VALUE;
	}
	return is_stream(stream) ? put(stream, w) : INVALID_HANDLE;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t n, void *stream)
{
	struct work w = {.what = COPY_TO, .to = to, .from = (uint64_t)(uintptr_t)from, .n = n,
		.number = standin_state.copies + 1};

	standin_state.copies++;
	return put_copy("cuMemcpyHtoDAsync", stream, &w);
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t n, void *stream)
{
	struct work w = {.what = COPY_FROM, .to = (uint64_t)(uintptr_t)to, .from = from, .n = n};

	return put_copy("cuMemcpyDtoHAsync", stream, &w);
}

int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
		unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
		void *stream, void **args, void **extra)
{
	int result = standin_call_in_context("cuLaunchKernel");
	struct work w = {.what = LAUNCH, .blocks = grid_x, .number = ++standin_state.launches};

	if (result)
		return result;
	memcpy(&w.from, args[0], sizeof w.from);
	memcpy(&w.to, args[1], sizeof w.to);
	memcpy(&w.job, args[2], sizeof w.job);
	if (!standin_kernel(function, &w.kind) || !is_stream(stream))
		return INVALID_HANDLE;
	if (grid_x == 0 || grid_y != 1 || grid_z != 1 || block_x != CARD_THREADS || block_y != 1 ||
			block_z != 1 || shared_bytes || extra ||
			grid_x != card_blocks(w.job.bytes) ||
			!memory_has(true, w.from, (w.job.bytes + 15) / 16 * 16) ||
			!memory_has(true, w.to, grid_x * sizeof(struct card_part))) {
		standin_misuse("a launch that would read or write outside its memory");
		return INVALID_VALUE;
	}
	return put(stream, &w);
}
