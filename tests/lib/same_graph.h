/* same_graph.h - are two object graphs the same up to the numbering of their nodes?
 *
 * Kinds, values, order, and identity: two objects that are one in a are one in b, and the other way
 * round. Numbers have no identity, nor do persistent and extension objects, which pickles cannot
 * refer to a second time.
 *
 * b is what was loaded from what pickle_save() made of a, so some of a may be spelled otherwise in
 * b: bytes and sets are calls there, INST without arguments is NEW, and symbols of protocol 3 and
 * later may have the names of Python 2. Bytes are compared, the insides of sets are not.
 */
#ifndef SAME_GRAPH_H
#define SAME_GRAPH_H

#include <pthfs/pickle.h>
#include <stdlib.h>

struct same_graph {
	const struct graph *a, *b;
	uint32_t *to_b, *to_a; /* OREF_NIL: not met */
	VEC(oref) todo;        /* pairs */
	const oref *skip;      /* a place in a that is not compared; NULL: none */
	bool differ;
};

static inline bool same_numbers(struct same_graph *s, oref a, oref b)
{
	double da = 0, db = 0;
	int64_t ia = 0, ib = 0;

	if (obj_int(s->a, a, &ia))
		return obj_int(s->b, b, &ib) && ia == ib;
	return obj_float(s->a, a, &da) && obj_float(s->b, b, &db) &&
	       memcmp(&da, &db, sizeof da) == 0;
}

static inline void same_push(struct same_graph *s, oref a, oref b)
{
	if (vec_push(&s->todo, a) < 0 || vec_push(&s->todo, b) < 0)
		abort();
}

static inline void same_all(struct same_graph *s, const oref *a, uint32_t na, const oref *b,
		uint32_t nb, unsigned width)
{
	s->differ |= na != nb;
	for (uint32_t i = 0; i < na * width && !s->differ; i++)
		if (&a[i] != s->skip)
			same_push(s, a[i], b[i]);
}

static inline bool same_bytes_as(struct same_graph *s, oref a, oref b, bool raw)
{
	struct source *sa = NULL, *sb = NULL;
	struct err e;
	bool ok = (raw ? obj_text_source(s->a, a, &sa, &e) : obj_bytes_source(s->a, a, &sa, &e)) ==
				  0 &&
		  (raw ? obj_text_source(s->b, b, &sb, &e) : obj_bytes_source(s->b, b, &sb, &e)) ==
				  0 &&
		  sa->size == sb->size;
	char pa[512], pb[512];

	for (uint64_t at = 0, n; ok && at < sa->size; at += n) {
		n = sa->size - at < sizeof pa ? sa->size - at : sizeof pa;
		ok = source_read(sa, pa, n, at, &e) == 0 && source_read(sb, pb, n, at, &e) == 0 &&
		     memcmp(pa, pb, n) == 0;
	}
	source_unref(sa);
	source_unref(sb);
	return ok;
}

/* True: nothing more to compare. */
static inline bool same_met(struct same_graph *s, oref a, oref b)
{
	bool met = s->to_b[a] != OREF_NIL || s->to_a[b] != OREF_NIL;

	if (met)
		s->differ |= s->to_b[a] != b || s->to_a[b] != a;
	s->to_b[a] = b;
	s->to_a[b] = a;
	return met;
}

static inline void same_parts(struct same_graph *s, oref a, oref b)
{
	oref pa[2] = {OREF_NIL, OREF_NIL}, pb[2] = {OREF_NIL, OREF_NIL};
	const oref *xa, *xb;
	uint32_t na, nb;

	xa = obj_items(s->a, a, &na);
	xb = obj_items(s->b, b, &nb);
	same_all(s, xa, na, xb, nb, 1);
	xa = obj_pairs(s->a, a, &na);
	xb = obj_pairs(s->b, b, &nb);
	same_all(s, xa, na, xb, nb, 2);
	if (obj_call(s->a, a, &pa[0], &pa[1]) && obj_call(s->b, b, &pb[0], &pb[1]))
		same_all(s, pa, 2, pb, 2, 1);
	if (obj_persid(s->a, a, pa) && obj_persid(s->b, b, pb))
		same_all(s, pa, 1, pb, 1, 1);
	pa[0] = obj_state(s->a, a);
	pb[0] = obj_state(s->b, b);
	s->differ |= (pa[0] == OREF_NIL) != (pb[0] == OREF_NIL);
	if (pa[0] != OREF_NIL)
		same_all(s, pa, 1, pb, 1, 1);
}

static inline void same_one(struct same_graph *s, oref a, oref b, int protocol)
{
	enum obj_kind ka = obj_kind(s->a, a), kb = obj_kind(s->b, b);
	struct str ma, na, mb, nb;
	bool group = ka == OBJ_KIND_SET || ka == OBJ_KIND_FROZENSET;
	bool bytes = ka == OBJ_KIND_BYTEARRAY ||
		     (ka == OBJ_KIND_BYTES && !(obj_flags(s->a, a) & OBJ_PY2STR));

	if (ka == OBJ_KIND_CALL && kb == OBJ_KIND_NEW && obj_flags(s->a, a) & OBJ_LOOSE)
		ka = kb;
	if ((bytes || group) && kb == OBJ_KIND_CALL) {
		if (!same_met(s, a, b))
			s->differ |= bytes && !same_bytes_as(s, a, b, false);
		return;
	}
	s->differ |= ka != kb;
	if (s->differ || ka == OBJ_KIND_NONE)
		return;
	if (ka == OBJ_KIND_BOOL || ka == OBJ_KIND_INT || ka == OBJ_KIND_FLOAT ||
			ka == OBJ_KIND_EXT) {
		s->differ |= !same_numbers(s, a, b);
		return;
	}
	if (a == OBJ_EMPTY_TUPLE || b == OBJ_EMPTY_TUPLE) {
		s->differ |= a != b;
		return;
	}
	if (ka != OBJ_KIND_PERSID && ka != OBJ_KIND_LONG && same_met(s, a, b))
		return;
	if (ka == OBJ_KIND_GLOBAL && protocol < 3)
		s->differ |= !obj_global(s->a, a, &ma, &na) || !obj_global(s->b, b, &mb, &nb) ||
			     !str_eq(ma, mb) || !str_eq(na, nb);
	else if (ka == OBJ_KIND_STR || ka == OBJ_KIND_LONG || ka == OBJ_KIND_BYTES ||
			ka == OBJ_KIND_BYTEARRAY)
		s->differ |= !same_bytes_as(s, a, b, true);
	else if (ka != OBJ_KIND_GLOBAL)
		same_parts(s, a, b);
}

/* protocol: of the pickle that a came from. */
static inline bool same_graph_but(const struct graph *a, oref ra, const struct graph *b, oref rb,
		int protocol, const oref *skip)
{
	struct same_graph s = {.a = a, .b = b, .skip = skip};

	s.to_b = malloc(a->nodes.n * sizeof *s.to_b);
	s.to_a = malloc(b->nodes.n * sizeof *s.to_a);
	if (!s.to_b || !s.to_a)
		abort();
	for (size_t i = 0; i < a->nodes.n; i++)
		s.to_b[i] = OREF_NIL;
	for (size_t i = 0; i < b->nodes.n; i++)
		s.to_a[i] = OREF_NIL;
	same_push(&s, ra, rb);
	while (s.todo.n && !s.differ) {
		s.todo.n -= 2;
		same_one(&s, s.todo.at[s.todo.n], s.todo.at[s.todo.n + 1], protocol);
	}
	free(s.to_b);
	free(s.to_a);
	vec_release(&s.todo);
	return !s.differ;
}

static inline bool same_graph(
		const struct graph *a, oref ra, const struct graph *b, oref rb, int protocol)
{
	return same_graph_but(a, ra, b, rb, protocol, NULL);
}

#endif
