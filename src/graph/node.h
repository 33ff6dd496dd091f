/* node.h - what the fields of struct obj mean; for the graph room only.
 *
 *	kind                       a               b               c
 *	INT, FLOAT, TENSOR, EXT    -               the 64 bits of the value
 *	STR, BYTES, BYTEARRAY,
 *	LONG                       length          pointer into graph.text
 *	  with OBJ_SPAN            graph.spans     -               -
 *	TUPLE, aux 1..3            item            item            item
 *	TUPLE, FROZENSET, LIST,
 *	SET                        pool index      items           capacity
 *	DICT                       pool index      pairs           capacity in pairs
 *	DICT, aux 1 (has state)    graph.extra     -               -
 *	GLOBAL                     module          name            -
 *	CALL, NEW                  callable        args            1 + index in graph.extra, or 0
 *	PERSID                     id              -               -
 *
 * Shapes and strides are mostly short tuples, so up to three items are kept in the node itself.
 * obj_items() may therefore point into the nodes.
 *
 * As loaded, what a TUPLE, FROZENSET, CALL's args or PERSID holds was made before it, so that its
 * index is smaller and cycles run through LIST, SET, DICT and extras only. Editing (replace.c) may
 * put anything anywhere: every walk has its own test for cycles.
 */
#ifndef GRAPH_NODE_H
#define GRAPH_NODE_H

#include <pthfs/obj.h>

#include <string.h>

#define SMALL_BIT 0x80000000u
#define NODES_MAX (1u << 30)

static inline bool oref_small(oref r)
{
	return r & SMALL_BIT;
}

static inline int32_t small_value(oref r)
{
	return (int32_t)(r << 1) >> 1;
}

/* The node of r; NULL for small integers and for what is no reference. */
static inline const struct obj *node_of(const struct graph *g, oref r)
{
	return r < g->nodes.n ? &g->nodes.at[r] : NULL;
}

static inline struct obj *node_mut(struct graph *g, oref r)
{
	return r < g->nodes.n ? &g->nodes.at[r] : NULL;
}

static inline uint64_t node_u64(const struct obj *o)
{
	return (uint64_t)o->c << 32 | o->b;
}

static inline void node_set_u64(struct obj *o, uint64_t v)
{
	o->b = (uint32_t)v;
	o->c = (uint32_t)(v >> 32);
}

static inline bool kind_is_text(unsigned kind)
{
	return kind == OBJ_KIND_STR || kind == OBJ_KIND_BYTES || kind == OBJ_KIND_BYTEARRAY ||
	       kind == OBJ_KIND_LONG;
}

static inline bool kind_is_seq(unsigned kind)
{
	return kind == OBJ_KIND_TUPLE || kind == OBJ_KIND_LIST || kind == OBJ_KIND_SET ||
	       kind == OBJ_KIND_FROZENSET;
}

static inline bool kind_is_call(unsigned kind)
{
	return kind == OBJ_KIND_CALL || kind == OBJ_KIND_NEW;
}

/* STR, or a Python 2 string. */
static inline bool node_is_string(const struct graph *g, oref r)
{
	return obj_kind(g, r) == OBJ_KIND_STR || (obj_flags(g, r) & OBJ_PY2STR);
}

/* The extras of r, or NULL. */
const struct obj_extra *node_extra(const struct graph *g, oref r);
/* The extras of a DICT, CALL or NEW, made when there are none yet. NULL: out of memory. */
struct obj_extra *node_make_extra(struct graph *g, oref r);

/* n words, which may themselves lie in the pool, copied to a place of their own: into the hole, or
 * to the end. 0 or ERR_NOMEM. */
int node_words(struct graph *g, const oref *words, uint32_t n, uint32_t *ret);
/* [off, off + n) of the pool is used by nobody any more. While undo is recorded it may be needed
 * again, and stays. */
void node_hole(struct graph *g, uint32_t off, uint32_t n);

/* Where the pairs of a DICT, CALL or NEW are kept; *n counts pairs. NULL: none. */
oref *node_pairs(struct graph *g, oref r, uint32_t **n);

#endif
