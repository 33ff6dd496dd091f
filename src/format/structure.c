/* structure.c - which lists and tuples are directories, and which are one JSON file.
 *
 * A list is a directory when a dict, tensor, object or module lies somewhere in it, through any
 * number of further lists. The answer for a list is worked out with those for all lists that can
 * be reached from it: gathered breadth first, then carried from the ones that hold something to
 * those that hold them. So each list is looked at once, and cycles (a list in itself) need no
 * special case. (design.md "The tree", rule 1)
 *
 * An object that has arguments but no state is structure only when its arguments hold some;
 * otherwise it is a value (an Enum member, a date).
 */
#include "interpret.h"

#include <string.h>

#define KNOWN 0x80u /* in loader.holds, beside enum holds */

struct hold {
	uint32_t holder, next; /* next: edge + 1 of the same held list */
};

/* Lists whose answer is not known yet, and who holds whom among them. */
struct group {
	VEC(oref) nodes;
	VEC(uint8_t) holds;
	VEC(uint32_t) head; /* by place: first edge + 1 */
	VEC(struct hold) edges;
	struct u32map place;
};

static void group_release(struct group *q)
{
	vec_release(&q->nodes);
	vec_release(&q->holds);
	vec_release(&q->head);
	vec_release(&q->edges);
	u32map_release(&q->place);
}

static int group_add(struct group *q, oref r)
{
	if (u32map_set(&q->place, r, (uint32_t)q->nodes.n) < 0 || vec_push(&q->holds, 0) < 0 ||
			vec_push(&q->head, 0) < 0)
		return ERR_NOMEM;
	return vec_push(&q->nodes, r);
}

enum nature { NATURE_VALUE, NATURE_STRUCTURE, NATURE_CALL, NATURE_THROUGH };

static bool has_extras(const struct graph *g, oref r)
{
	uint32_t items, pairs;

	obj_items(g, r, &items);
	obj_pairs(g, r, &pairs);
	return items || pairs || obj_state(g, r) != OREF_NIL || obj_kwargs(g, r) != OREF_NIL;
}

/* What a call is for the list it lies in. *through: what it stands for or holds. */
static enum nature call_nature(struct loader *l, oref r, oref *through)
{
	oref fn, args;
	uint32_t n;
	const oref *at;

	obj_call(l->g, r, &fn, &args);
	switch (role_of(l, fn)->role) {
	case ROLE_LEAF:
	case ROLE_BYTES:
		return NATURE_VALUE;
	case ROLE_SCALAR:
	case ROLE_LAYOUT:
		return NATURE_CALL;
	case ROLE_ALIAS:
		at = args_of(l, args, 1, &n);
		*through = at ? at[0] : OBJ_NONE;
		return NATURE_THROUGH;
	case ROLE_UNKNOWN:
		obj_items(l->g, args, &n);
		if (n == 0 || has_extras(l->g, r))
			return NATURE_STRUCTURE;
		*through = args;
		return NATURE_THROUGH;
	default:
		return NATURE_STRUCTURE;
	}
}

static enum nature nature_of(struct loader *l, oref r, oref *through)
{
	switch (obj_kind(l->g, r)) {
	case OBJ_KIND_DICT:
	case OBJ_KIND_TENSOR:
		return NATURE_STRUCTURE;
	case OBJ_KIND_PERSID:
		return persid_class(l, r) == OREF_NIL ? NATURE_STRUCTURE : NATURE_VALUE;
	case OBJ_KIND_LIST:
	case OBJ_KIND_TUPLE:
		*through = r;
		return NATURE_THROUGH;
	case OBJ_KIND_CALL:
	case OBJ_KIND_NEW:
		return call_nature(l, r, through);
	default:
		return NATURE_VALUE;
	}
}

/* `r` lies in the list at place `holder`. */
static int group_edge(struct loader *l, struct group *q, uint32_t holder, oref r)
{
	uint32_t at;

	if (r < l->holds.n && l->holds.at[r] & KNOWN) {
		q->holds.at[holder] |= l->holds.at[r] & ~KNOWN;
		return 0;
	}
	if (!u32map_get(&q->place, r, &at)) {
		at = (uint32_t)q->nodes.n;
		if (group_add(q, r) < 0)
			return ERR_NOMEM;
	}
	if (vec_room(&q->edges, 1) < 0)
		return ERR_NOMEM;
	q->edges.at[q->edges.n].holder = holder;
	q->edges.at[q->edges.n].next = q->head.at[at];
	q->head.at[at] = (uint32_t)++q->edges.n;
	return 0;
}

static int look_into(struct loader *l, struct group *q, uint32_t place, oref item)
{
	oref through = OREF_NIL;

	switch (nature_of(l, item, &through)) {
	case NATURE_STRUCTURE:
		q->holds.at[place] |= HOLDS_STRUCTURE;
		return 0;
	case NATURE_CALL:
		q->holds.at[place] |= HOLDS_CALLS;
		return 0;
	case NATURE_THROUGH:
		/* Calls are places of their own: they may stand for one another without end. */
		return group_edge(l, q, place, item);
	default:
		return 0;
	}
}

static int look_at_place(struct loader *l, struct group *q, uint32_t place)
{
	oref r = q->nodes.at[place], through = OREF_NIL;
	uint32_t n;
	const oref *at;
	int rc = 0;

	if (nature_of(l, r, &through) == NATURE_THROUGH && through != r)
		return look_into(l, q, place, through);
	at = obj_items(l->g, r, &n);
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = look_into(l, q, place, at[i]);
	return rc;
}

/* Carries what is held to the holders. Each place changes at most twice. */
static int carry(struct group *q)
{
	VEC(uint32_t) todo = {0};
	int rc = 0;

	for (uint32_t i = 0; i < q->nodes.n && rc == 0; i++)
		if (q->holds.at[i])
			rc = vec_push(&todo, i);
	while (todo.n && rc == 0) {
		uint32_t at = todo.at[--todo.n];

		for (uint32_t x = q->head.at[at]; x && rc == 0; x = q->edges.at[x - 1].next) {
			uint8_t *up = &q->holds.at[q->edges.at[x - 1].holder];

			if ((*up | q->holds.at[at]) == *up)
				continue;
			*up |= q->holds.at[at];
			rc = vec_push(&todo, q->edges.at[x - 1].holder);
		}
	}
	vec_release(&todo);
	return rc;
}

static int work_out(struct loader *l, oref r)
{
	struct group q = {0};
	int rc = group_add(&q, r);

	for (uint32_t i = 0; i < q.nodes.n && rc == 0; i++)
		rc = look_at_place(l, &q, i);
	if (rc == 0)
		rc = carry(&q);
	for (uint32_t i = 0; i < q.nodes.n && rc == 0; i++)
		if (q.nodes.at[i] < l->holds.n)
			l->holds.at[q.nodes.at[i]] = q.holds.at[i] | KNOWN;
	group_release(&q);
	return rc < 0 ? err_nomem(l->e) : 0;
}

int structure_in(struct loader *l, oref r, unsigned *ret)
{
	int rc = 0;

	*ret = 0;
	if (!l->holds.at) {
		if (vec_room(&l->holds, l->g->nodes.n) < 0)
			return err_nomem(l->e);
		l->holds.n = l->g->nodes.n;
		memset(l->holds.at, 0, l->holds.n);
	}
	if (r >= l->holds.n)
		return 0; /* a small integer, or made meanwhile: a text or a number */
	if (!(l->holds.at[r] & KNOWN))
		rc = work_out(l, r);
	*ret = l->holds.at[r] & ~KNOWN;
	return rc;
}

/* --- leaves as they are shown ---------------------------------------------------------------- */

#define PLAIN_MAX 2000000u /* items copied in one load; then lists are shown as they are */

struct plain_frame {
	oref list;
	uint32_t next, base;
};

struct plain {
	VEC(struct plain_frame) frames;
	VEC(oref) made;
};

static int plain_enter(struct plain *p, oref list)
{
	struct plain_frame f = {.list = list, .base = (uint32_t)p->made.n};

	return vec_push(&p->frames, f);
}

static int plain_leave(struct loader *l, struct plain *p)
{
	struct plain_frame f = p->frames.at[--p->frames.n];
	oref r = obj_new_seq(l->g, obj_kind(l->g, f.list), p->made.at + f.base,
			(uint32_t)p->made.n - f.base, obj_off(l->g, f.list));

	if (r == OREF_NIL)
		return ERR_NOMEM;
	p->made.n = f.base;
	return vec_push(&p->made, r);
}

/* torch.serialization._get_layout('torch.strided'): the symbol. */
static int plain_layout(struct loader *l, const struct call *k, oref *ret)
{
	struct str text, part[2];
	uint32_t n;
	const oref *at = args_of(l, k->args, 1, &n);
	const char *dot;
	oref module, name, made;

	if (!at || !obj_text(l->g, at[0], &text) || !text.n)
		return 0;
	dot = memchr(text.p, '.', text.n);
	if (!dot)
		return 0;
	part[0] = str_cut(text, (size_t)(dot - text.p));
	part[1] = str_skip(text, part[0].n + 1);
	module = obj_new_text(l->g, OBJ_KIND_STR, part[0], UINT32_MAX);
	name = obj_new_text(l->g, OBJ_KIND_STR, part[1], UINT32_MAX);
	if (module == OREF_NIL || name == OREF_NIL)
		return ERR_NOMEM;
	made = obj_new_global(l->g, module, name, UINT32_MAX);
	if (made == OREF_NIL)
		return ERR_NOMEM;
	*ret = made;
	return 0;
}

/* What a call stands for; *ret stays where it is no such call. */
static int plain_call(struct loader *l, oref r, oref *ret)
{
	struct call k;

	if (obj_kind(l->g, r) != OBJ_KIND_CALL)
		return 0;
	peel(l, r, &k);
	if (k.row->role == ROLE_SCALAR)
		return numpy_scalar(l, &k, r, ret);
	return k.row->role == ROLE_LAYOUT ? plain_layout(l, &k, ret) : 0;
}

/* One item of a list that holds such calls: a copy of it, or itself. */
static int plain_item(struct loader *l, struct plain *p, oref item)
{
	enum obj_kind kind = obj_kind(l->g, item);
	bool list = kind == OBJ_KIND_LIST || kind == OBJ_KIND_TUPLE;
	unsigned holds = 0;
	int rc;

	if (list) {
		rc = structure_in(l, item, &holds);
		if (rc < 0)
			return rc;
		if (holds & HOLDS_CALLS)
			return plain_enter(p, item);
	} else {
		rc = plain_call(l, item, &item);
		if (rc < 0)
			return rc;
	}
	return vec_push(&p->made, item);
}

static int plain_list(struct loader *l, struct plain *p, oref r)
{
	const oref *at;
	uint32_t n;
	int rc = plain_enter(p, r);

	while (p->frames.n && rc == 0 && l->copied++ < PLAIN_MAX) {
		struct plain_frame *f = &p->frames.at[p->frames.n - 1];

		at = obj_items(l->g, f->list, &n);
		rc = f->next < n ? plain_item(l, p, at[f->next++]) : plain_leave(l, p);
	}
	return rc;
}

int plain_leaf(struct loader *l, oref r, oref *ret)
{
	struct plain p = {0};
	unsigned holds;
	int rc;

	*ret = r;
	if (obj_kind(l->g, r) == OBJ_KIND_CALL) {
		rc = plain_call(l, r, ret);
		return rc == ERR_NOMEM ? err_nomem(l->e) : rc;
	}
	if (obj_kind(l->g, r) != OBJ_KIND_LIST && obj_kind(l->g, r) != OBJ_KIND_TUPLE)
		return 0;
	rc = structure_in(l, r, &holds);
	if (rc < 0 || !(holds & HOLDS_CALLS))
		return rc;
	if (l->copied >= PLAIN_MAX)
		return 0;
	rc = plain_list(l, &p, r);
	/* Cut off (a cycle, or shared lists without end): shown as it is. */
	if (rc == 0 && p.frames.n == 0)
		*ret = p.made.at[0];
	vec_release(&p.frames);
	vec_release(&p.made);
	return rc < 0 ? err_nomem(l->e) : 0;
}
