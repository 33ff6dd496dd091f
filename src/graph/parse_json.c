/* parse_json.c - a JSON document as objects, held against what was there.
 *
 * One level per open bracket, on a stack of our own. Each knows the object that stood at its place
 * and where the next value's counterpart is: the item of the same number, the value of the same
 * key. Values collect in `made`; when the bracket closes they are
 *
 *	the object that was there      all of them, in their order, are what was there
 *	one in its spelling            LEVEL_ITEMS, LEVEL_PAIRS, LEVEL_STATE (parse_like.c)
 *	a plain list or dict           nothing, or something of another kind, was there
 *
 * So nothing is new but what differs and what holds it. What JSON only describes (a tensor's dtype
 * and shape, parts of a sparse one, a module's state_dict) is passed over, and that very object
 * stays. Items beyond the old ones take the kinds of the last old one: 1 becomes 1.0
 * behind floats, [0, 1] becomes (0, 1) behind tuples.
 *
 * Not done: adding and removing attributes of objects (values can change).
 */
#include <stdlib.h>

#include "node.h"
#include "parse_level.h"
#include "print.h"
#include "pybuiltin.h"

/* --- keys ---------------------------------------------------------------------------------------- */

/* Passes over a value. */
static int skip_value(struct parser *p)
{
	enum json_token t;
	int rc = json_next(&p->r, &t, p->e);

	return rc < 0 ? rc : json_skip(&p->r, t, p->e);
}

static int take_key(struct parser *p)
{
	struct level *l = &p->levels.at[p->levels.n - 1];
	oref key;
	int rc = find_pair(p, l, p->r.text, &l->pair);

	if (rc < 0)
		return rc;
	if (l->pair == NO_PAIR && l->shape == LEVEL_STATE) {
		l->unknown = true;
		return skip_value(p);
	}
	l->same &= l->pair == l->n;
	if (l->pair == NO_PAIR)
		rc = new_key(p, l, p->r.text, &key);
	else
		key = old_key(p, l, l->pair);
	if (rc < 0)
		return rc;
	return vec_push(&p->made, key) < 0 ? err_nomem(p->e) : 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static int place(struct parser *p, oref v, oref was, bool stays)
{
	struct level *l = p->levels.n ? &p->levels.at[p->levels.n - 1] : NULL;

	if (!l) {
		p->result = v;
		return 0;
	}
	l->same &= stays && v == was;
	l->n++;
	return vec_push(&p->made, v) < 0 ? err_nomem(p->e) : 0;
}

/* "[...]" is how an object shows that lies in itself. */
static bool closes_cycle(struct parser *p, oref was, struct str s)
{
	if (!str_is(s, "[...]") && !str_is(s, "{...}") && !str_is(s, "..."))
		return false;
	for (size_t i = p->levels.n; i > 0; i--) {
		struct level *l = &p->levels.at[i - 1];

		if (l->was == was && l->stays && was != OREF_NIL) {
			l->cyclic = true;
			return true;
		}
	}
	return false;
}

/* Is r shown as a string, and as this one? */
static bool is_shown(const struct graph *g, oref r, struct str s)
{
	enum obj_kind kind = obj_kind(g, r);

	return (node_is_string(g, r) || is_opaque_kind(kind) || kind == OBJ_KIND_GLOBAL ||
			       kind == OBJ_KIND_LONG || kind == OBJ_KIND_BYTES ||
			       kind == OBJ_KIND_BYTEARRAY) &&
	       text_is(g, r, s);
}

/* A Python 2 string stays one. */
static int new_string(struct parser *p, oref was, oref *ret)
{
	bool py2 = node_is_string(p->g, was) && obj_kind(p->g, was) == OBJ_KIND_BYTES;
	oref r = obj_new_text(p->g, py2 ? OBJ_KIND_BYTES : OBJ_KIND_STR, p->r.text, MADE);

	if (py2)
		obj_add_flags(p->g, r, OBJ_PY2STR);
	return parse_made(r, ret, p->e);
}

/* Where a symbol or a call was, and it does not show as that: another of its kind. */
static int take_string(struct parser *p, oref was, oref *ret)
{
	enum obj_kind kind = obj_kind(p->g, was);
	struct str s = p->r.text;
	bool latin1;
	oref bytes;

	if (was == OREF_NIL)
		return new_string(p, was, ret);
	if (closes_cycle(p, was, s) || is_shown(p->g, was, s)) {
		*ret = was;
		return 0;
	}
	if (!node_is_string(p->g, was) && py_bytes(p->g, was, &bytes, &latin1))
		return err_set(p->e, ERR_UNSUPPORTED,
				"byte %zu: bytes cannot be written as JSON, only as their own file",
				p->r.at);
	if (kind == OBJ_KIND_GLOBAL || (is_opaque_kind(kind) && !is_numpy_scalar(p->g, was)))
		return parse_call(p->g, was, s, ret, p->e);
	return new_string(p, was, ret);
}

static int take_scalar(struct parser *p, enum json_token t, oref was, oref *ret)
{
	bool numpy = t != JSON_STRING && t != JSON_NULL && is_numpy_scalar(p->g, was);

	if (numpy)
		return parse_numpy(p->g, was, p->r.text, ret, p->e);
	switch (t) {
	case JSON_STRING:
		return take_string(p, was, ret);
	case JSON_INT:
		if (obj_kind(p->g, was) != OBJ_KIND_FLOAT)
			return parse_int(p->g, was, p->r.text, ret, p->e);
		return parse_float(p->g, was, p->r.text, ret, p->e);
	case JSON_FLOAT:
		return parse_float(p->g, was, p->r.text, ret, p->e);
	case JSON_NULL:
		*ret = OBJ_NONE;
		return 0;
	default:
		*ret = t == JSON_TRUE ? OBJ_TRUE : OBJ_FALSE;
		return 0;
	}
}

static int open_level(struct parser *p, enum json_token t, oref was, bool stays)
{
	struct level l = {.was = was, .from = OREF_NIL, .stays = stays, .pair = NO_PAIR};
	int rc;

	if (p->list_only && t == JSON_OBJECT)
		return err_set(p->e, ERR_INVALID,
				"byte %zu: expected numbers, text or lists; found a dict", p->r.at);
	if (!(t == JSON_OBJECT ? object_shape(p->g, &l) : list_shape(p->g, &l))) {
		rc = json_skip(&p->r, t, p->e);
		return rc < 0 ? rc : place(p, was, was, stays);
	}
	l.base = p->made.n;
	l.same = stays && l.was != OREF_NIL;
	return vec_push(&p->levels, l) < 0 ? err_nomem(p->e) : 0;
}

/* --- the end of a bracket --------------------------------------------------------------------- */

static int twice(struct parser *p, oref key)
{
	struct buf b;

	buf_init(&b, 400);
	json_shown(p->g, key, &b);
	err_set(p->e, ERR_INVALID, "byte %zu: %s stands twice in what ends here", p->r.at,
			STR_SHOW(buf_view(&b)));
	buf_release(&b);
	return ERR_INVALID;
}

struct member_look {
	const struct graph *g;
	const oref *at;
	unsigned width;
};

static bool member_is(const void *ctx, const void *key, uint32_t id)
{
	const struct member_look *look = ctx;

	return obj_key_eq(look->g, look->at[(size_t)id * look->width], *(const oref *)key);
}

/* Keys of a dict and items of a set are there once. */
static int check_once(struct parser *p, const oref *at, uint32_t n, unsigned width)
{
	struct member_look look = {p->g, at, width};
	struct idmap table = {0};
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		const oref *key = &at[(size_t)i * width];
		uint64_t hash = obj_key_hash(p->g, *key);

		if (idmap_find(&table, hash, member_is, &look, key) != IDMAP_NONE)
			rc = twice(p, *key);
		else if (idmap_add(&table, hash, i) < 0)
			rc = err_nomem(p->e);
	}
	idmap_release(&table);
	return rc;
}

/* The attributes of an object, one of which is new, or what is no attribute was among them. All
 * that were there must be, and no others. */
static int close_state(struct parser *p, const struct level *l, const oref *at, oref *ret)
{
	uint32_t n_args, n_items, n_pairs;
	oref callable, args = OREF_NIL, state;
	int rc;

	if (l->n == 0) { /* a module, shown as its state_dict; something else that is only described */
		*ret = l->was;
		return 0;
	}
	obj_call(p->g, l->was, &callable, &args);
	obj_items(p->g, args, &n_args);
	obj_items(p->g, l->was, &n_items);
	obj_pairs(p->g, l->was, &n_pairs);
	if (l->n != l->n_was || (l->unknown && !n_args && !n_items && !n_pairs &&
			obj_kwargs(p->g, l->was) == OREF_NIL))
		return err_set(p->e, ERR_UNSUPPORTED,
				"byte %zu: an object's attributes can change, but none can come or "
				"go",
				p->r.at);
	if (l->same) {
		*ret = l->was;
		return 0;
	}
	rc = like_pairs(p->g, l->from, false, at, l->n, &state, p->e);
	return rc < 0 ? rc : like_object(p->g, l->was, state, ret, p->e);
}

static int close_value(struct parser *p, const struct level *l, const oref *at, oref *ret)
{
	const oref *items;
	uint32_t n;
	int rc = 0;

	if (l->same && l->n == l->n_was && !l->unknown) {
		*ret = l->was;
		return 0;
	}
	if (l->cyclic)
		return err_set(p->e, ERR_UNSUPPORTED,
				"byte %zu: what holds itself cannot be changed as JSON", p->r.at);
	if (l->shape != LEVEL_ITEMS)
		rc = check_once(p, at, l->n, 2);
	else if (l->was != OREF_NIL && py_set_items(p->g, l->was, &items, &n) != PY_NO_SET)
		rc = check_once(p, at, l->n, 1);
	if (rc < 0)
		return rc;
	if (l->shape == LEVEL_STATE)
		return close_state(p, l, at, ret);
	if (l->shape == LEVEL_ITEMS)
		return like_items(p->g, l->was, at, l->n, ret, p->e);
	return like_pairs(p->g, l->was, l->arg, at, l->n, ret, p->e);
}

static int close_level(struct parser *p, oref root)
{
	struct level l = p->levels.at[p->levels.n - 1];
	oref made, was;
	bool stays;
	const oref *at = p->made.n ? p->made.at + l.base : NULL;
	int rc = close_value(p, &l, at, &made);

	if (rc < 0)
		return rc; /* the level is released with the parser */
	idmap_release(&p->levels.at[--p->levels.n].keys);
	p->made.n = l.base;
	was = counterpart(p, root, &stays);
	return place(p, made, was, stays);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int step(struct parser *p, enum json_token t, oref root)
{
	bool stays;
	oref was, made;
	int rc;

	if (t == JSON_OBJECT_END || t == JSON_LIST_END)
		return close_level(p, root);
	if (t == JSON_KEY)
		return take_key(p);
	was = counterpart(p, root, &stays);
	if (t == JSON_OBJECT || t == JSON_LIST)
		return open_level(p, t, was, stays);
	rc = take_scalar(p, t, was, &made);
	return rc < 0 ? rc : place(p, made, was, stays);
}

int parse_document(struct graph *g, oref was, struct str text, bool list_only, oref *ret,
		struct err *e)
{
	struct parser p = {.g = g, .e = e, .list_only = list_only, .result = OREF_NIL};
	enum json_token t;
	int rc;

	json_reader_init(&p.r, text);
	while ((rc = json_next(&p.r, &t, e)) == 0 && t != JSON_END)
		if ((rc = step(&p, t, was)) < 0)
			break;
	if (rc == ERR_DAMAGED) { /* the reader's: what a user wrote is invalid, not damaged */
		rc = err_as(e, ERR_INVALID);
		err_prefix(e, "not JSON");
	}
	if (rc == 0)
		*ret = p.result;
	for (size_t i = 0; i < p.levels.n; i++)
		idmap_release(&p.levels.at[i].keys);
	vec_release(&p.levels);
	vec_release(&p.made);
	json_reader_release(&p.r);
	return rc;
}
