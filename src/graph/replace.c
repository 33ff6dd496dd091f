/* replace.c - other insides for objects that are there: editing, and taking it back.
 *
 *	before   DICT 17 ---> pool [k v k v]                undo  17: node, extra as they were
 *	after    DICT 17 ---> pool [k v]  elsewhere               (their words still lie in the pool)
 *
 * Every object keeps its oref, so whoever refers to it sees the change. While undo is recorded no
 * word of the pool is written over and none is given to somebody else (node_hole()), so a note of
 * the node and of its extra is enough to have all of it back. Without recording, insides that fit
 * take the old place.
 *
 * The four objects that are always there (None, False, True, the empty tuple) belong to everybody
 * and are never changed. Nothing is changed when memory runs out.
 *
 * Not done: notes for obj_append() and the other growers of grow.c, which are for objects that are
 * being made; extras that are no longer used after graph_undo() stay until the graph is released.
 */
#include <pthfs/obj.h>

#include "node.h"

struct run {
	uint32_t off, n, cap; /* in pool words */
};

/* The node of an object that can be changed and is of the kind that `fits`; NULL: it is none. */
static struct obj *changeable(struct graph *g, oref r, bool (*fits)(unsigned kind))
{
	struct obj *o = r > OBJ_EMPTY_TUPLE ? node_mut(g, r) : NULL;

	return o && fits(o->kind) ? o : NULL;
}

static bool takes_pairs(unsigned kind)
{
	return kind == OBJ_KIND_DICT || kind_is_call(kind);
}

static bool takes_items(unsigned kind)
{
	return kind_is_seq(kind) || kind_is_call(kind);
}

/* Notes what r is. To be taken back by forget_last() when the change then fails. */
static int note(struct graph *g, oref r)
{
	const struct obj_extra *x = node_extra(g, r);
	struct obj_was was = {.r = r, .obj = g->nodes.at[r], .extra = UINT32_MAX};

	if (!g->recording)
		return 0;
	if (x) {
		was.extra = (uint32_t)(x - g->extra.at);
		was.was = *x;
	}
	return vec_push(&g->undo, was);
}

static void forget_last(struct graph *g)
{
	if (g->recording)
		g->undo.n--;
}

/* The n words as all that is in the run; they may lie in the pool, also in this run. */
static int run_replace(struct graph *g, struct run *run, const oref *words, uint32_t n)
{
	uint32_t off;

	if (!g->recording && n <= run->cap) {
		if (n)
			memmove(g->pool.at + run->off, words, n * sizeof *words);
		run->n = n;
		return 0;
	}
	if (node_words(g, words, n, &off) < 0)
		return ERR_NOMEM;
	node_hole(g, run->off, run->cap);
	*run = (struct run){off, n, n};
	return 0;
}

static int replace_pairs(struct graph *g, uint32_t *off, uint32_t *n, uint32_t *cap,
		const oref *pairs, uint32_t n_pairs)
{
	struct run run = {*off, *n * 2, *cap * 2};

	if (run_replace(g, &run, pairs, n_pairs * 2) < 0)
		return ERR_NOMEM;
	*off = run.off;
	*n = run.n / 2;
	*cap = run.cap / 2;
	return 0;
}

int obj_replace_pairs(struct graph *g, oref r, const oref *pairs, uint32_t n_pairs)
{
	struct obj *o = changeable(g, r, takes_pairs);
	struct obj_extra *x;
	int rc = ERR_NOMEM;

	if (!o)
		return ERR_INVALID;
	if (n_pairs > UINT32_MAX / 2)
		return ERR_LIMIT;
	if (n_pairs == 0 && !node_extra(g, r) && kind_is_call(o->kind))
		return 0;
	if (note(g, r) < 0)
		return ERR_NOMEM;
	if (o->kind == OBJ_KIND_DICT && !o->aux)
		rc = replace_pairs(g, &o->a, &o->b, &o->c, pairs, n_pairs);
	else if ((x = node_make_extra(g, r)) != NULL)
		rc = replace_pairs(g, &x->pairs, &x->n_pairs, &x->cap_pairs, pairs, n_pairs);
	if (rc < 0)
		forget_last(g);
	return rc;
}

/* A TUPLE of up to three items holds them itself; the items may be those of this very node. */
static int replace_seq(struct graph *g, struct obj *o, const oref *items, uint32_t n)
{
	struct run run = {o->a, o->b, o->c};

	if (o->kind == OBJ_KIND_TUPLE && o->aux)
		run = (struct run){0};
	if (o->kind == OBJ_KIND_TUPLE && n <= 3) {
		node_hole(g, run.off, run.cap);
		if (n)
			memmove(o->abc, items, n * sizeof *items);
		for (uint32_t i = n; i < 3; i++)
			o->abc[i] = 0;
		o->aux = (uint16_t)n;
		return 0;
	}
	if (run_replace(g, &run, items, n) < 0)
		return ERR_NOMEM;
	o->aux = 0;
	o->a = run.off, o->b = run.n, o->c = run.cap;
	return 0;
}

static int replace_added(struct graph *g, oref r, const oref *items, uint32_t n)
{
	struct obj_extra *x = node_make_extra(g, r);
	struct run run;

	if (!x)
		return ERR_NOMEM;
	run = (struct run){x->items, x->n_items, x->cap_items};
	if (run_replace(g, &run, items, n) < 0)
		return ERR_NOMEM;
	x->items = run.off, x->n_items = run.n, x->cap_items = run.cap;
	return 0;
}

int obj_replace_items(struct graph *g, oref r, const oref *items, uint32_t n)
{
	struct obj *o = changeable(g, r, takes_items);
	int rc;

	if (!o)
		return ERR_INVALID;
	if (n == 0 && kind_is_call(o->kind) && !node_extra(g, r))
		return 0;
	if (note(g, r) < 0)
		return ERR_NOMEM;
	rc = kind_is_call(o->kind) ? replace_added(g, r, items, n) : replace_seq(g, o, items, n);
	if (rc < 0)
		forget_last(g);
	return rc;
}

int obj_replace_args(struct graph *g, oref r, oref args)
{
	struct obj *o = changeable(g, r, kind_is_call);

	if (!o)
		return ERR_INVALID;
	if (note(g, r) < 0)
		return ERR_NOMEM;
	o->b = args;
	return 0;
}

int obj_replace_state(struct graph *g, oref r, oref state)
{
	struct obj_extra *x;

	if (!changeable(g, r, takes_pairs))
		return ERR_INVALID;
	if (state == OREF_NIL && !node_extra(g, r))
		return 0;
	if (note(g, r) < 0)
		return ERR_NOMEM;
	x = node_make_extra(g, r);
	if (!x) {
		forget_last(g);
		return ERR_NOMEM;
	}
	x->state = state;
	return 0;
}

void graph_record_undo(struct graph *g)
{
	g->undo.n = 0;
	g->recording = true;
}

void graph_undo(struct graph *g)
{
	while (g->undo.n) {
		const struct obj_was *w = &g->undo.at[--g->undo.n];

		g->nodes.at[w->r] = w->obj;
		if (w->extra != UINT32_MAX)
			g->extra.at[w->extra] = w->was;
	}
}

void graph_forget_undo(struct graph *g)
{
	g->undo.n = 0;
}
