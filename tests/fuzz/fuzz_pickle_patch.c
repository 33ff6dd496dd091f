/* fuzz_pickle_patch.c - two bytes that choose a place, then any bytes as a pickle: another value is
 * put into that place.
 *
 * What has to hold beyond the sanitizers: what comes out can be loaded, has the new value there,
 * and is the same graph everywhere else, identity included.
 */
#include "same_graph.h"

#include <stdlib.h>

#define LONG_NUMBER 987654321987

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

static uint64_t count_pairs(const struct graph *g)
{
	uint64_t all = 0;
	uint32_t n;

	for (oref r = 0; r < g->nodes.n; r++) {
		obj_pairs(g, r, &n);
		all += n;
	}
	return all;
}

/* A place that has a value and can be asked for; false: this object has none. */
static bool choose(const struct graph *g, oref r, unsigned how, struct pickle_edit *edit,
		const oref **place)
{
	const oref *items, *pairs;
	uint32_t n, n_pairs;

	items = obj_items(g, r, &n);
	pairs = obj_pairs(g, r, &n_pairs);
	*edit = (struct pickle_edit){.holder = r, .part = PICKLE_ITEM, .kind = OBJ_KIND_INT};
	edit->v = how % 2 ? LONG_NUMBER : 7;
	if (how % 3 == 0) {
		edit->kind = OBJ_KIND_STR;
		edit->s = STR("\x01 a new text");
	}
	if (n) {
		edit->i = how % n;
		*place = &items[edit->i];
	} else if (n_pairs) {
		edit->i = how % n_pairs;
		edit->part = PICKLE_VALUE;
		*place = &pairs[2 * edit->i + 1];
	}
	return n || n_pairs;
}

static oref value_at(const struct graph *g, const struct pickle_edit *edit, oref holder)
{
	uint32_t n;
	const oref *at = edit->part == PICKLE_ITEM ? obj_items(g, holder, &n)
						   : obj_pairs(g, holder, &n);

	require(edit->i < n);
	return edit->part == PICKLE_ITEM ? at[edit->i] : at[2 * edit->i + 1];
}

static bool is_new(const struct graph *g, oref r, const struct pickle_edit *edit)
{
	int64_t v;

	if (edit->kind == OBJ_KIND_STR)
		return obj_is_text(g, r, edit->s.p);
	return obj_int(g, r, &v) && v == edit->v;
}

static int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	buf_put(ctx, p, n);
	return 0;
}

/* The holder in the new graph: objects are made in the same order, but for those before it that
 * were defined again. So it is looked for by what was made last. */
static bool has_new(const struct graph *g, const struct pickle_edit *edit, enum obj_kind kind)
{
	uint32_t n;

	for (oref r = 0; r < g->nodes.n; r++) {
		if (obj_kind(g, r) != kind)
			continue;
		edit->part == PICKLE_ITEM ? obj_items(g, r, &n) : obj_pairs(g, r, &n);
		if (edit->i < n && is_new(g, value_at(g, edit, r), edit))
			return true;
	}
	return false;
}

static void check(const struct loaded *one, const struct pickle_edit *edit, const oref *place)
{
	struct pickle_patch patch = {0};
	struct pickle_out to = {.bytes = to_buf};
	struct loaded two;
	struct buf out;
	struct err e = {0};

	if (pickle_patch(one->src, 0, one->src->size, &one->g, edit, 1, &patch, &e) < 0) {
		require(e.text[0] && !patch.at.n);
		return;
	}
	buf_init(&out, SIZE_MAX);
	to.ctx = &out;
	require(pickle_patch_write(&patch, one->src, 0, one->src->size, &to, &e) == 0);
	load(&two, out.p, out.n);
	require(two.rc == 0);
	require(graph_dedupe(&two.g) == 0);
	require(has_new(&two.g, edit, obj_kind(&one->g, edit->holder)));
	require(same_graph_but(&one->g, one->top, &two.g, two.top, -1, place));
	release(&two);
	buf_release(&out);
	pickle_patch_release(&patch);
}

/* Keys that were one in the old graph may be two in the new one, when they are what is edited. */
static bool has_duplicates(struct graph *g)
{
	uint64_t n = count_pairs(g);

	return graph_dedupe(g) < 0 || count_pairs(g) != n;
}

/* States that BUILD merged have copies of values of other dicts. */
static bool has_copies(const struct graph *g, const uint8_t *pickle)
{
	for (oref r = 4; r < g->nodes.n; r++)
		if (obj_kind(g, r) == OBJ_KIND_DICT && pickle[obj_off(g, r)] == 'b')
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const oref *place = NULL;
	struct pickle_edit edit;
	struct loaded one;
	unsigned how;

	if (size < 2)
		return 0;
	how = data[0] | (unsigned)data[1] << 8;
	load(&one, data + 2, size - 2);
	if (one.rc == 0 && !has_duplicates(&one.g) && !has_copies(&one.g, data + 2))
		for (size_t k = 0; k < one.g.nodes.n; k++)
			if (choose(&one.g, (oref)((how + k) % one.g.nodes.n), how / 7, &edit,
					    &place)) {
				check(&one, &edit, place);
				break;
			}
	release(&one);
	return 0;
}
