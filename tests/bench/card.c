/* card.c - how fast a card judges a file, and how fast the bus brings the same bytes there.
 *
 *	card FILE ROUNDS
 *
 * Prints "on NAME" and then, a line for each measurement, "copy GB/S" or "DTYPE GB/S"; GB are 10^9
 * bytes. `copy` is page-locked memory to the card and nothing else, with the engine's own buffers,
 * chunks and streams. Exit status 77 and a sentence where there is no card.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pthfs/engine.h>

#include "../../src/engine/cuda.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int copy(struct cuda *g, uint64_t n, struct err *e)
{
	const struct cuda_driver *d = &g->driver;
	int rc = cuda_check(d, "cuCtxSetCurrent", d->context_use(g->context), e);

	for (uint64_t k = 0; k * g->chunk < n && rc == 0; k++) {
		const struct cuda_slot *s = &g->slot[k % FEED_SLOTS];
		uint64_t left = n - k * g->chunk;

		rc = cuda_check(d, "cuMemcpyHtoDAsync", d->to_card(s->card, s->host,
				left < g->chunk ? left : g->chunk, g->stream[k % CUDA_STREAMS]), e);
	}
	for (unsigned k = 0; k < CUDA_STREAMS && rc == 0; k++)
		rc = cuda_check(d, "cuStreamSynchronize", d->stream_wait(g->stream[k]), e);
	return rc;
}

static int measure(struct engine *g, const struct content *c, struct err *e)
{
	static const enum dtype dts[] = {DTYPE_FLOAT32, DTYPE_BFLOAT16, DTYPE_FLOAT64, DTYPE_INT8,
		DTYPE_COMPLEX64};
	double from = now(), gb = (double)c->size * 1e-9;
	struct stats s;
	int rc = copy((struct cuda *)g, c->size, e);

	if (rc == 0)
		printf("copy %.3f\n", gb / (now() - from));
	for (unsigned k = 0; k < sizeof dts / sizeof *dts && rc == 0; k++) {
		from = now();
		rc = engine_stats(g, c, dts[k], &s, e);
		if (rc == 0)
			printf("%s %.3f\n", dtype_info(dts[k])->name, gb / (now() - from));
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct engine *g = NULL;
	struct source *file = NULL;
	struct content c = {0};
	struct stats s;
	struct err e = {0};
	int rc;

	if (argc != 3 || source_file_open(argv[1], &file, &e) < 0) {
		fprintf(stderr, "card FILE ROUNDS: %s\n", e.text);
		return 2;
	}
	if (engine_open("cuda", &g, NULL, &e) < 0) {
		printf("%s\n", e.text);
		source_unref(file);
		return 77;
	}
	printf("on %s\n", engine_name(g));
	content_source(file, &c);
	rc = engine_stats(g, &c, DTYPE_UINT8, &s, &e); /* the file is in the page cache from here on */
	for (int k = 0; k < atoi(argv[2]) && rc == 0; k++)
		rc = measure(g, &c, &e);
	engine_close(g);
	content_release(&c);
	if (rc < 0)
		fprintf(stderr, "card: %s\n", e.text);
	return rc < 0;
}
