/* fuzz_pickle.c - any bytes as a pickle: load, dedupe, print in every way.
 *
 * What has to hold beyond the sanitizers: failing leaves the result alone, success stops exactly
 * behind STOP, and the graph stays within the memory that pickle.h promises.
 */
#include <pthfs/pickle.h>
#include <pthfs/print.h>

#include <stdlib.h>

#ifndef OUT_MAX /* smaller is faster: most of the time goes into printing bombs */
#define OUT_MAX (1u << 20)
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int cond)
{
	if (!cond)
		abort();
}

static void print_all(const struct graph *g, oref top)
{
	struct source *bytes;
	struct buf out;
	struct json j;
	struct err e;

	buf_init(&out, OUT_MAX);
	require(obj_repr(g, top, &out, &e) == 0 || out.n <= OUT_MAX);
	buf_release(&out);
	json_init(&j, &out);
	require(obj_json(g, top, NULL, NULL, &j, &e) == 0 || out.n <= OUT_MAX);
	buf_release(&out);
	obj_value_text(g, top, &out, &e);
	obj_type_name(g, top, &out);
	buf_release(&out);
	if (obj_bytes_source(g, top, &bytes, &e) == 0)
		source_unref(bytes);
}

static void check_size(const struct graph *g, size_t size)
{
	size_t bytes = g->nodes.cap * sizeof *g->nodes.at + g->pool.cap * sizeof *g->pool.at +
		       g->extra.cap * sizeof *g->extra.at + g->spans.cap * sizeof *g->spans.at +
		       g->text.used;

	require(bytes <= 64 * size + 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source *src = source_mem_borrow(data, size);
	struct pickle_info info;
	struct reader r;
	struct graph g;
	struct err e;
	oref top = OREF_NIL;

	if (!src || reader_init(&r, src, 0, size, &e) < 0)
		return 0;
	require(graph_init(&g, &e) == 0);
	if (pickle_load(&r, &g, &top, &info, &e) == 0) {
		require(info.length <= size && info.length == r.pos);
		check_size(&g, size);
		print_all(&g, top);
		if (graph_dedupe(&g) == 0) {
			graph_trim(&g);
			print_all(&g, top);
		}
	} else {
		require(top == OREF_NIL && e.text[0]);
	}
	graph_release(&g);
	reader_release(&r);
	source_unref(src);
	return 0;
}
