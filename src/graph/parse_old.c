/* parse_old.c - the side of what was there, when a JSON document is held against it: which items and
 * pairs JSON shows of an object, and which of them a key or a number stands for.
 *
 * Keys are compared as JSON shows them (a key that is not text as its repr), in order; only when one
 * is out of order a table is made. A list of pairs, or a dict, in the place of a call's argument
 * (OrderedDict([[k, v], ..]), Counter({..})) counts as the pairs of the call.
 */
#include <pthfs/json.h>
#include <stdlib.h>

#include "node.h"
#include "parse_level.h"
#include "print.h"
#include "pybuiltin.h"

/* --- texts ------------------------------------------------------------------------------------ */

/* As JSON shows it, quotes and all: the one form that texts with strange bytes have in common. */
static bool spelled(struct str s, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_str(&j, s);
	return !out->failed;
}

bool json_shown(const struct graph *g, oref r, struct buf *out)
{
	struct buf tmp;
	struct str s = STR("");
	int rc = 0;

	buf_init(&tmp, out->max);
	if (node_is_string(g, r)) {
		rc = text_of(g, r, &tmp, &s, NULL);
	} else {
		if (!py_scalar_text(g, r, &tmp))
			rc = obj_repr(g, r, &tmp, NULL);
		s = buf_view(&tmp);
	}
	if (rc == 0)
		spelled(s, out);
	buf_release(&tmp);
	return rc == 0 && !out->failed;
}

bool text_is(const struct graph *g, oref r, struct str s)
{
	struct buf a, b;
	struct str old;
	bool same;

	if (obj_kind(g, r) == OBJ_KIND_STR && obj_text(g, r, &old) && str_eq(old, s))
		return true;
	if (obj_kind(g, r) == OBJ_KIND_STR && !(obj_flags(g, r) & (OBJ_SPAN | OBJ_BAD_UTF8)))
		return false;
	buf_init(&a, 6 * s.n + 2);
	buf_init(&b, 6 * s.n + 2);
	same = spelled(s, &a) && json_shown(g, r, &b) && str_eq(buf_view(&a), buf_view(&b));
	buf_release(&a);
	buf_release(&b);
	return same;
}

/* --- what was there --------------------------------------------------------------------------- */

/* Of an OrderedDict, Counter, ...: where its pairs are. False: in two places, or they are none. */
static bool find_pairs(const struct graph *g, struct level *l)
{
	uint32_t own, n_args;
	const oref *args;
	oref callable, tuple, arg = json_argument(g, l->was);

	l->from = arg == OREF_NIL ? l->was : arg;
	l->arg = arg != OREF_NIL;
	json_pair(g, l->from, 0, &l->n_was);
	for (uint32_t i = 0; l->arg && i < l->n_was; i++)
		if (!json_pair(g, l->from, i, &own))
			return false;
	obj_pairs(g, l->was, &own);
	if (!obj_call(g, l->was, &callable, &tuple) || py_class(g, l->was) == callable)
		return !(l->arg && own);
	/* copyreg's helpers: what they are given counts, too */
	args = obj_items(g, tuple, &n_args);
	return n_args < 3 || args[2] == OBJ_NONE;
}

/* A value that is a call: JSON shows it as a number or text, and a container there is new. */
static bool is_scalar(const struct graph *g, oref r)
{
	struct buf tmp;
	bool yes;

	if (is_leaf(g, r))
		return obj_kind(g, r) != OBJ_KIND_TENSOR && obj_kind(g, r) != OBJ_KIND_EXT;
	if (is_numpy_scalar(g, r))
		return true;
	buf_init(&tmp, 4096);
	yes = py_scalar_text(g, r, &tmp) || tmp.failed;
	buf_release(&tmp);
	return yes;
}

bool is_opaque_kind(enum obj_kind kind)
{
	return kind_is_call(kind) || kind == OBJ_KIND_PERSID || kind == OBJ_KIND_TENSOR ||
	       kind == OBJ_KIND_EXT;
}

/* Of the last of the items that were there: what a further one takes its kind from. */
static oref model_of(const struct graph *g, oref r)
{
	enum obj_kind kind = obj_kind(g, r);

	return kind == OBJ_KIND_FLOAT || kind == OBJ_KIND_LIST || kind == OBJ_KIND_TUPLE ||
				       is_numpy_scalar(g, r)
		       ? r
		       : OREF_NIL;
}

oref counterpart(const struct parser *p, oref root, bool *stays)
{
	const struct level *l;
	const oref *items, *pair;
	uint32_t n;

	*stays = true;
	if (!p->levels.n)
		return root;
	l = &p->levels.at[p->levels.n - 1];
	*stays = l->stays;
	if (l->shape != LEVEL_ITEMS) {
		if (l->pair == NO_PAIR)
			return OREF_NIL;
		pair = json_pair(p->g, l->from, l->pair, &n);
		return *stays ? pair[1] : model_of(p->g, pair[1]);
	}
	if (l->was == OREF_NIL || !json_items(p->g, l->was, &items, &n) || !n)
		return OREF_NIL;
	*stays &= l->n < n;
	return *stays ? items[l->n] : model_of(p->g, items[l->n < n ? l->n : n - 1]);
}

bool object_shape(const struct graph *g, struct level *l)
{
	const oref *items;
	uint32_t n;
	oref was = l->was;

	l->shape = LEVEL_PAIRS;
	l->was = OREF_NIL;
	if (was == OREF_NIL)
		return true;
	if (json_mapping(g, was)) {
		l->was = was;
		return find_pairs(g, l);
	}
	if (kind_is_call(obj_kind(g, was)) && obj_kind(g, obj_state(g, was)) == OBJ_KIND_DICT) {
		l->was = was;
		l->shape = LEVEL_STATE;
		l->from = obj_state(g, was);
		obj_pairs(g, l->from, &l->n_was);
		return true;
	}
	return !is_opaque_kind(obj_kind(g, was)) || is_scalar(g, was) ||
	       json_items(g, was, &items, &n);
}

bool list_shape(const struct graph *g, struct level *l)
{
	const oref *items;
	oref was = l->was;

	l->shape = LEVEL_ITEMS;
	if (was != OREF_NIL && json_items(g, was, &items, &l->n_was))
		return true;
	l->was = OREF_NIL;
	return was == OREF_NIL || !is_opaque_kind(obj_kind(g, was)) ||
	       json_mapping(g, was) || is_scalar(g, was);
}

oref old_key(const struct parser *p, const struct level *l, uint32_t i)
{
	return json_pair(p->g, l->from, i, &(uint32_t){0})[0];
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Bytes that one key and all keys of a dict are shown with to look them up; what is beyond is found
 * where it was and nowhere else. Hostile keys are tuples of tuples without end. */
#define KEY_SHOWN_MAX (1u << 16)
#define KEYS_SHOWN_MAX (256u << 20)

struct key_look {
	const struct parser *p;
	const struct level *l;
};

static bool key_is(const void *ctx, const void *key, uint32_t id)
{
	const struct key_look *look = ctx;

	return text_is(look->p->g, old_key(look->p, look->l, id), *(const struct str *)key);
}

/* The hash of what JSON shows. */
static uint64_t hash_spelled(struct buf *b)
{
	uint64_t hash = str_hash(buf_view(b));

	buf_release(b);
	return hash;
}

static int map_keys(struct parser *p, struct level *l)
{
	size_t left = KEYS_SHOWN_MAX, cap;
	struct buf b;
	bool fits;

	l->mapped = true;
	for (uint32_t i = 0; i < l->n_was; i++) {
		cap = left < KEY_SHOWN_MAX ? left : KEY_SHOWN_MAX;
		buf_init(&b, cap);
		fits = json_shown(p->g, old_key(p, l, i), &b);
		left -= fits ? b.n : cap;
		if (!fits)
			buf_release(&b);
		else if (idmap_add(&l->keys, hash_spelled(&b), i) < 0)
			return err_nomem(p->e);
	}
	return 0;
}

/* The old pair that has this key: the one that is next, or any other. */
int find_pair(struct parser *p, struct level *l, struct str key, uint32_t *ret)
{
	struct key_look look = {p, l};
	struct buf b;
	int rc;

	*ret = l->n;
	if (l->n < l->n_was && key_is(&look, &key, l->n))
		return 0;
	*ret = NO_PAIR;
	if (!l->n_was)
		return 0;
	rc = l->mapped ? 0 : map_keys(p, l);
	if (rc < 0)
		return rc;
	buf_init(&b, 6 * key.n + 2);
	spelled(key, &b);
	*ret = idmap_find(&l->keys, hash_spelled(&b), key_is, &look, &key);
	return 0;
}

int new_key(struct parser *p, struct level *l, struct str key, oref *ret)
{
	if (!l->scanned)
		l->numbers = l->n_was > 0;
	for (uint32_t i = 0; i < l->n_was && l->numbers && !l->scanned; i++)
		l->numbers = obj_kind(p->g, old_key(p, l, i)) == OBJ_KIND_INT;
	l->scanned = true;
	if (l->numbers && text_is_int(key))
		return parse_int(p->g, OREF_NIL, key, ret, p->e);
	return parse_made(obj_new_text(p->g, OBJ_KIND_STR, key, MADE), ret, p->e);
}
