/* fuzz_pickle_save.c - any bytes as a pickle: load, write, load again, write again.
 *
 * What has to hold beyond the sanitizers: what was written can be loaded and is the same graph,
 * identity included (same_graph.h); and what that writes is the same bytes.
 */
#include "same_graph.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int cond)
{
	if (!cond)
		abort();
}

struct loaded {
	struct source *src;
	struct reader r;
	struct graph g;
	struct pickle_info info;
	oref top;
	int rc;
};

static void load(struct loaded *l, const void *data, size_t size)
{
	struct err e;

	*l = (struct loaded){.src = source_mem_borrow(data, size), .top = OREF_NIL};
	require(l->src && reader_init(&l->r, l->src, 0, size, &e) == 0);
	require(graph_init(&l->g, &e) == 0);
	l->rc = pickle_load(&l->r, &l->g, &l->top, &l->info, &e);
}

static void release(struct loaded *l)
{
	graph_release(&l->g);
	reader_release(&l->r);
	source_unref(l->src);
}

/* A shared persistent object inside a persistent id is written once more for each that names it,
 * so a chain of them would take same_graph() exponentially long. */
static int chains(const struct graph *g)
{
	uint32_t n = 0;

	for (oref r = 0; r < g->nodes.n; r++)
		n += obj_kind(g, r) == OBJ_KIND_PERSID;
	return n > 12;
}

static void check(const struct loaded *one)
{
	struct pickle_save_opts o = {.protocol = one->info.protocol};
	struct loaded two;
	struct buf out;
	struct err e = {0};
	uint64_t diff = 0;
	bool same = false;

	buf_init(&out, 64 << 20);
	if (pickle_save_buf(&one->g, one->top, &o, &out, &e) < 0) {
		require(e.text[0]);
		buf_release(&out);
		return;
	}
	load(&two, out.p, out.n);
	require(two.rc == 0 && two.info.length == out.n && two.info.protocol == 2);
	if (!chains(&one->g))
		require(same_graph(&one->g, one->top, &two.g, two.top, o.protocol));
	require(pickle_same(&two.g, two.top, NULL, two.src, 0, out.n, &same, &diff, &e) == 0);
	require(same);
	release(&two);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loaded one;

	load(&one, data, size);
	if (one.rc == 0 && graph_dedupe(&one.g) == 0)
		check(&one);
	release(&one);
	return 0;
}
