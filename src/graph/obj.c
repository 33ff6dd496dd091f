/* obj.c - making nodes, and the life of a graph.
 *
 * Nodes 0..3 are None, False, True and the empty tuple. Every other node is pushed once and keeps
 * its index, so an oref is an identity. node.h says which field holds what.
 *
 * A graph never shrinks while it loads: containers that outgrow their place in the pool move to
 * its end by half as much again (grow.c), so what is left behind is bounded by what is there.
 */
#include <pthfs/obj.h>

#include "node.h"

static bool fixed_nodes(struct graph *g)
{
	return obj_new(g, OBJ_KIND_NONE, 0) == OBJ_NONE &&
	       obj_new(g, OBJ_KIND_BOOL, 0) == OBJ_FALSE &&
	       obj_new(g, OBJ_KIND_BOOL, 0) == OBJ_TRUE &&
	       obj_new(g, OBJ_KIND_TUPLE, 0) == OBJ_EMPTY_TUPLE;
}

int graph_init(struct graph *g, struct err *e)
{
	*g = (struct graph){0};
	arena_init(&g->text, 0);
	if (fixed_nodes(g))
		return 0;
	graph_release(g);
	return err_nomem(e);
}

void graph_release(struct graph *g)
{
	for (size_t i = 0; i < g->srcs.n; i++)
		source_unref(g->srcs.at[i]);
	vec_release(&g->nodes);
	vec_release(&g->pool);
	vec_release(&g->extra);
	vec_release(&g->spans);
	vec_release(&g->srcs);
	vec_release(&g->undo);
	arena_release(&g->text);
}

/* Growing left up to half of each vector over. That realloc refuses to shrink changes nothing. */
#define TRIM(v)                                                                                    \
	do {                                                                                       \
		void *p = (v)->n ? realloc((v)->at, (v)->n * sizeof *(v)->at) : NULL;              \
		if (p) {                                                                           \
			(v)->at = p;                                                               \
			(v)->cap = (v)->n;                                                         \
		}                                                                                  \
	} while (0)

void graph_trim(struct graph *g)
{
	TRIM(&g->nodes);
	TRIM(&g->pool);
	TRIM(&g->extra);
	TRIM(&g->spans);
	TRIM(&g->srcs);
}

oref obj_new(struct graph *g, enum obj_kind kind, uint32_t off)
{
	if (g->nodes.n >= NODES_MAX || vec_room(&g->nodes, 1) < 0)
		return OREF_NIL;
	g->nodes.at[g->nodes.n] = (struct obj){.kind = (uint8_t)kind, .off = off};
	return (oref)g->nodes.n++;
}

static oref new_u64(struct graph *g, enum obj_kind kind, uint64_t v, uint32_t off)
{
	oref r = obj_new(g, kind, off);

	if (r != OREF_NIL)
		node_set_u64(&g->nodes.at[r], v);
	return r;
}

oref obj_new_int(struct graph *g, int64_t v, uint32_t off)
{
	if (v >= -(1 << 30) && v < 1 << 30)
		return SMALL_BIT | (uint32_t)v;
	return new_u64(g, OBJ_KIND_INT, (uint64_t)v, off);
}

oref obj_new_float(struct graph *g, double v, uint32_t off)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return new_u64(g, OBJ_KIND_FLOAT, bits, off);
}

oref obj_new_index(struct graph *g, enum obj_kind kind, int64_t v, uint32_t off)
{
	return new_u64(g, kind, (uint64_t)v, off);
}

oref obj_new_text(struct graph *g, enum obj_kind kind, struct str s, uint32_t off)
{
	char *copy = NULL;
	oref r;

	if (s.n > UINT32_MAX || (s.n && !(copy = arena_bytes(&g->text, s.n))))
		return OREF_NIL;
	if (s.n)
		memcpy(copy, s.p, s.n);
	r = new_u64(g, kind, (uint64_t)(uintptr_t)copy, off);
	if (r == OREF_NIL)
		return r;
	g->nodes.at[r].a = (uint32_t)s.n;
	if (kind == OBJ_KIND_STR && !str_utf8(s))
		g->nodes.at[r].flags |= OBJ_BAD_UTF8;
	return r;
}

/* The index of src in graph.srcs, where it gets one reference. */
static int keep_source(struct graph *g, struct source *src, uint32_t *ret)
{
	for (size_t i = g->srcs.n; i > 0; i--) {
		if (g->srcs.at[i - 1] != src)
			continue;
		*ret = (uint32_t)(i - 1);
		return 0;
	}
	if (vec_push(&g->srcs, src) < 0)
		return ERR_NOMEM;
	source_ref(src);
	*ret = (uint32_t)(g->srcs.n - 1);
	return 0;
}

oref obj_new_span(struct graph *g, enum obj_kind kind, struct source *src, uint64_t off_in_src,
	uint64_t len, uint32_t off)
{
	struct obj_span span = {.off = off_in_src, .len = len};
	oref r;

	if (keep_source(g, src, &span.src) < 0 || vec_push(&g->spans, span) < 0)
		return OREF_NIL;
	r = obj_new(g, kind, off);
	if (r == OREF_NIL)
		return r;
	g->nodes.at[r].flags = OBJ_SPAN;
	g->nodes.at[r].a = (uint32_t)(g->spans.n - 1);
	return r;
}

int node_words(struct graph *g, const oref *words, uint32_t n, uint32_t *ret)
{
	bool inside = g->pool.n && words >= g->pool.at && words < g->pool.at + g->pool.n;
	size_t at = inside ? (size_t)(words - g->pool.at) : 0, to = g->pool.n;

	if (n && n <= g->hole_n) {
		memcpy(g->pool.at + g->hole, words, n * sizeof *words);
		*ret = g->hole;
		g->hole += n;
		g->hole_n -= n;
		return 0;
	}
	if (vec_room(&g->pool, n) < 0)
		return ERR_NOMEM;
	if (n)
		memcpy(g->pool.at + to, inside ? g->pool.at + at : words, n * sizeof *words);
	*ret = (uint32_t)to;
	g->pool.n += n;
	return 0;
}

oref obj_new_seq(struct graph *g, enum obj_kind kind, const oref *items, uint32_t n, uint32_t off)
{
	struct obj o = {.kind = (uint8_t)kind, .off = off, .b = n, .c = n};

	if (kind == OBJ_KIND_TUPLE && n == 0)
		return OBJ_EMPTY_TUPLE;
	if (g->nodes.n >= NODES_MAX || vec_room(&g->nodes, 1) < 0)
		return OREF_NIL;
	if (kind == OBJ_KIND_TUPLE && n <= 3) {
		o.aux = (uint16_t)n;
		memcpy(o.abc, items, n * sizeof *items);
	} else if (node_words(g, items, n, &o.a) < 0) {
		return OREF_NIL;
	}
	g->nodes.at[g->nodes.n] = o;
	return (oref)g->nodes.n++;
}

static oref new_ab(struct graph *g, enum obj_kind kind, oref a, oref b, uint32_t off)
{
	oref r = obj_new(g, kind, off);

	if (r != OREF_NIL) {
		g->nodes.at[r].a = a;
		g->nodes.at[r].b = b;
	}
	return r;
}

oref obj_new_call(struct graph *g, enum obj_kind kind, oref callable, oref args, uint32_t off)
{
	return new_ab(g, kind, callable, args, off);
}

oref obj_new_global(struct graph *g, oref module, oref name, uint32_t off)
{
	return new_ab(g, OBJ_KIND_GLOBAL, module, name, off);
}

oref obj_new_persid(struct graph *g, oref id, uint32_t off)
{
	return new_ab(g, OBJ_KIND_PERSID, id, 0, off);
}

void obj_add_flags(struct graph *g, oref r, uint8_t flags)
{
	struct obj *o = node_mut(g, r);

	if (o)
		o->flags |= flags;
}
