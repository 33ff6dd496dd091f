/* grow.c - containers that get more: items, pairs, state, kwargs.
 *
 * A run is a piece of the pool: [off, off + n) used of [off, off + cap). The run at the end of the
 * pool grows where it is; any other moves to the end, half as large again, and leaves a hole. The
 * holes of one run add up to less than twice its capacity; the largest is used up by the tuples
 * that come after (node_words() in obj.c).
 */
#include <pthfs/obj.h>

#include "node.h"

struct run {
	uint32_t off, n, cap; /* in pool words */
};

/* The largest hole is kept; new small containers fill it. */
void node_hole(struct graph *g, uint32_t off, uint32_t n)
{
	if (g->recording || n <= g->hole_n)
		return;
	g->hole = off;
	g->hole_n = n;
}

/* Room for k further words. The pool may move. */
static int run_room(struct graph *g, struct run *run, uint32_t k)
{
	uint64_t need = (uint64_t)run->n + k, cap = run->n ? run->n + (uint64_t)run->n / 2 : 0;
	bool last = run->cap && (uint64_t)run->off + run->cap == g->pool.n;

	if (need <= run->cap)
		return 0;
	if (last) {
		if (vec_room(&g->pool, need - run->cap) < 0)
			return ERR_NOMEM;
		g->pool.n += need - run->cap;
		run->cap = (uint32_t)need;
		return 0;
	}
	cap = cap > need ? cap : need;
	cap += cap & 1; /* pairs stay pairs */
	if (vec_room(&g->pool, cap) < 0)
		return ERR_NOMEM;
	if (run->n)
		memcpy(g->pool.at + g->pool.n, g->pool.at + run->off, run->n * sizeof(oref));
	node_hole(g, run->off, run->cap);
	run->off = (uint32_t)g->pool.n;
	run->cap = (uint32_t)cap;
	g->pool.n += cap;
	return 0;
}

/* Appends k words, which may themselves lie in the pool. */
static int run_add(struct graph *g, struct run *run, const oref *words, uint32_t k)
{
	bool inside = g->pool.n && words >= g->pool.at && words < g->pool.at + g->pool.n;
	size_t at = inside ? (size_t)(words - g->pool.at) : 0;

	if (k == 0)
		return 0;
	if (run_room(g, run, k) < 0)
		return ERR_NOMEM;
	memcpy(g->pool.at + run->off + run->n, inside ? g->pool.at + at : words, k * sizeof *words);
	run->n += k;
	return 0;
}

const struct obj_extra *node_extra(const struct graph *g, oref r)
{
	const struct obj *o = node_of(g, r);
	uint32_t i = 0;

	if (o && kind_is_call(o->kind))
		i = o->c;
	else if (o && o->kind == OBJ_KIND_DICT && o->aux)
		i = o->a + 1;
	return i ? &g->extra.at[i - 1] : NULL;
}

struct obj_extra *node_make_extra(struct graph *g, oref r)
{
	struct obj *o = &g->nodes.at[r];
	struct obj_extra x = {.state = OREF_NIL, .kwargs = OREF_NIL};
	const struct obj_extra *have = node_extra(g, r);

	if (have)
		return &g->extra.at[have - g->extra.at];
	if (o->kind == OBJ_KIND_DICT) {
		x.pairs = o->a;
		x.n_pairs = o->b;
		x.cap_pairs = o->c;
	}
	if (vec_push(&g->extra, x) < 0)
		return NULL;
	if (o->kind == OBJ_KIND_DICT) {
		o->aux = 1;
		o->a = (uint32_t)(g->extra.n - 1);
	} else {
		o->c = (uint32_t)g->extra.n;
	}
	return &g->extra.at[g->extra.n - 1];
}

int obj_append(struct graph *g, oref r, const oref *items, uint32_t n)
{
	struct obj *o = node_mut(g, r);
	struct obj_extra *x;
	struct run run;

	if (!o)
		return ERR_LIMIT;
	if (!kind_is_call(o->kind)) {
		run = (struct run){o->a, o->b, o->c};
		if (run_add(g, &run, items, n) < 0)
			return ERR_NOMEM;
		o->a = run.off, o->b = run.n, o->c = run.cap;
		return 0;
	}
	x = node_make_extra(g, r);
	if (!x)
		return ERR_NOMEM;
	run = (struct run){x->items, x->n_items, x->cap_items};
	if (run_add(g, &run, items, n) < 0)
		return ERR_NOMEM;
	x->items = run.off, x->n_items = run.n, x->cap_items = run.cap;
	return 0;
}

/* Pairs as a run of words and back. */
static int add_pairs(struct graph *g, uint32_t *off, uint32_t *n, uint32_t *cap, const oref *pairs,
	uint32_t n_pairs)
{
	struct run run = {*off, *n * 2, *cap * 2};

	if (n_pairs > UINT32_MAX / 2 || run_add(g, &run, pairs, n_pairs * 2) < 0)
		return ERR_NOMEM;
	*off = run.off;
	*n = run.n / 2;
	*cap = run.cap / 2;
	return 0;
}

int obj_set_pairs(struct graph *g, oref r, const oref *pairs, uint32_t n_pairs)
{
	struct obj *o = node_mut(g, r);
	struct obj_extra *x;

	if (!o)
		return ERR_LIMIT;
	if (o->kind == OBJ_KIND_DICT && !o->aux)
		return add_pairs(g, &o->a, &o->b, &o->c, pairs, n_pairs);
	x = node_make_extra(g, r);
	return x ? add_pairs(g, &x->pairs, &x->n_pairs, &x->cap_pairs, pairs, n_pairs) : ERR_NOMEM;
}

int obj_set_state(struct graph *g, oref r, oref state)
{
	struct obj_extra *x = node_mut(g, r) ? node_make_extra(g, r) : NULL;

	if (!x)
		return ERR_NOMEM;
	x->state = state;
	return 0;
}

int obj_set_kwargs(struct graph *g, oref r, oref kwargs)
{
	struct obj_extra *x = node_mut(g, r) ? node_make_extra(g, r) : NULL;

	if (!x)
		return ERR_NOMEM;
	x->kwargs = kwargs;
	return 0;
}

oref *node_pairs(struct graph *g, oref r, uint32_t **n)
{
	struct obj *o = node_mut(g, r);
	const struct obj_extra *x = node_extra(g, r);
	struct obj_extra *mut;

	if (g->pool.n == 0)
		return NULL;
	if (!x && (!o || o->kind != OBJ_KIND_DICT))
		return NULL;
	if (!x) {
		*n = &o->b;
		return g->pool.at + o->a;
	}
	mut = &g->extra.at[x - g->extra.at];
	*n = &mut->n_pairs;
	return g->pool.at + mut->pairs;
}
