/* jsonify.c - objects as JSON, and as the text of a value file.
 *
 *	array    tuples, lists, sets, torch.Size, deques, objects with appended items
 *	object   dicts, OrderedDict and other calls with pairs, Counter; attributes of an object
 *	string   text, symbols, and what is neither: dates and the like as text, else the repr
 *
 * Keys that are not text are their repr. One frame per open container, as in repr.c; a cycle is
 * the string "[...]" or "{...}".
 */
#include "node.h"
#include "print.h"
#include "pybuiltin.h"

enum shape { SH_NONE, SH_ARRAY, SH_OBJECT };

/* Where the pairs of an object come from, one after the other. */
enum { PAIRS_ARG, PAIRS_OWN, PAIRS_STATE, PAIRS_SLOTS, PAIRS_END };

struct printer {
	struct path path;
	struct json *j;
	obj_json_hook *hook;
	void *ctx;
	struct err *e;
};

static bool is_collection(const struct graph *g, oref r, const char *name)
{
	return obj_is_global(g, py_class(g, r), "collections", name);
}

bool json_items(const struct graph *g, oref r, const oref **items, uint32_t *n)
{
	enum obj_kind kind = obj_kind(g, r);
	const oref *args;
	uint32_t n_args;

	if (kind == OBJ_KIND_TUPLE || kind == OBJ_KIND_LIST) {
		*items = obj_items(g, r, n);
		return true;
	}
	if (py_set_items(g, r, items, n) != PY_NO_SET)
		return true;
	*items = kind_is_call(kind) ? obj_items(g, r, n) : NULL;
	if (*items)
		return true;
	if (!py_plain_args(g, r, &args, &n_args))
		return false;
	if (!is_collection(g, r, "deque") &&
		!(obj_is_global(g, py_class(g, r), "torch", "Size") && n_args == 1))
		return false;
	*n = 0;
	*items = NULL;
	if (n_args && !kind_is_seq(obj_kind(g, args[0])))
		return false;
	if (n_args)
		*items = obj_items(g, args[0], n);
	return true;
}

oref json_state(const struct graph *g, oref r, bool slots)
{
	oref state = obj_state(g, r);
	const oref *half;
	uint32_t n;

	if (obj_kind(g, state) == OBJ_KIND_DICT && state != OREF_NIL)
		return slots ? OREF_NIL : state;
	half = obj_kind(g, state) == OBJ_KIND_TUPLE ? obj_items(g, state, &n) : NULL;
	if (!half || n != 2 || obj_kind(g, half[1]) != OBJ_KIND_DICT ||
		(half[0] != OBJ_NONE && obj_kind(g, half[0]) != OBJ_KIND_DICT))
		return OREF_NIL;
	return half[slots];
}

bool json_mapping(const struct graph *g, oref r)
{
	uint32_t n;

	return obj_kind(g, r) == OBJ_KIND_DICT || obj_pairs(g, r, &n) ||
	       is_collection(g, r, "OrderedDict") || is_collection(g, r, "defaultdict") ||
	       is_collection(g, r, "Counter");
}

static enum shape shape_of(const struct graph *g, oref r)
{
	const oref *items;
	uint32_t n;
	oref callable, args;

	if (json_items(g, r, &items, &n))
		return SH_ARRAY;
	if (json_mapping(g, r) || json_state(g, r, false) != OREF_NIL)
		return SH_OBJECT;
	/* An object without attributes; one with arguments only is better told by its repr. */
	if (obj_kind(g, r) == OBJ_KIND_NEW && obj_call(g, r, &callable, &args) &&
		args == OBJ_EMPTY_TUPLE && obj_state(g, r) == OREF_NIL)
		return SH_OBJECT;
	return SH_NONE;
}

/* A (key, value), or NULL. */
static const oref *pair_of(const struct graph *g, oref r)
{
	uint32_t n;
	const oref *at = kind_is_seq(obj_kind(g, r)) ? obj_items(g, r, &n) : NULL;

	return at && n == 2 ? at : NULL;
}

oref json_argument(const struct graph *g, oref r)
{
	oref callable, tuple;
	const oref *args;
	uint32_t n;

	if (!obj_call(g, r, &callable, &tuple) || callable != py_class(g, r) ||
			!(is_collection(g, r, "OrderedDict") || is_collection(g, r, "defaultdict") ||
					is_collection(g, r, "Counter")))
		return OREF_NIL;
	args = obj_items(g, tuple, &n);
	return n && json_pair(g, args[0], 0, &n) ? args[0] : OREF_NIL;
}

const oref *json_pair(const struct graph *g, oref from, uint32_t i, uint32_t *n)
{
	const oref *at;

	*n = 0;
	if (!kind_is_seq(obj_kind(g, from))) {
		at = obj_pairs(g, from, n);
		return i < *n ? at + 2 * (size_t)i : NULL;
	}
	at = obj_items(g, from, n);
	return i < *n ? pair_of(g, at[i]) : NULL;
}

/* Whose pairs are shown in this phase. */
static oref pairs_from(const struct graph *g, oref r, unsigned phase)
{
	if (phase == PAIRS_ARG)
		return json_argument(g, r);
	if (phase == PAIRS_OWN)
		return r;
	return json_mapping(g, r) ? OREF_NIL : json_state(g, r, phase == PAIRS_SLOTS);
}

/* How much may still be appended to the document. */
static void tmp_init(struct buf *tmp, const struct json *j)
{
	buf_init(tmp, j->out->max - j->out->n);
}

/* The text of a string or symbol, else the text of a scalar call, else the repr. */
static int string_for(struct printer *p, oref r, struct buf *tmp, struct str *ret)
{
	const struct graph *g = p->path.g;
	int rc = 0;

	if (node_is_string(g, r))
		return text_of(g, r, tmp, ret, p->e);
	if (!py_scalar_text(g, r, tmp))
		rc = obj_repr(g, r, tmp, p->e);
	if (rc == 0)
		rc = out_error(tmp, p->e);
	*ret = buf_view(tmp);
	return rc;
}

static int put_string(struct printer *p, oref r, bool key)
{
	struct buf tmp;
	struct str s;
	int rc;

	tmp_init(&tmp, p->j);
	rc = string_for(p, r, &tmp, &s);
	if (rc == 0 && key)
		json_key_str(p->j, s);
	else if (rc == 0)
		json_str(p->j, s);
	buf_release(&tmp);
	return rc;
}

/* Decimal as a number; the hexadecimal of very long ones is a string. */
static int put_long(struct printer *p, oref r)
{
	struct buf tmp;
	struct str s;
	int rc;

	tmp_init(&tmp, p->j);
	rc = string_for(p, r, &tmp, &s);
	if (rc == 0 && (str_starts(s, STR("0x")) || str_starts(s, STR("-0x"))))
		json_str(p->j, s);
	else if (rc == 0)
		json_raw(p->j, s);
	buf_release(&tmp);
	return rc;
}

static int put_value(struct printer *p, oref r)
{
	const struct graph *g = p->path.g;
	int64_t i;
	double d;

	switch (obj_kind(g, r)) {
	case OBJ_KIND_NONE:
		json_null(p->j);
		return 0;
	case OBJ_KIND_BOOL:
		json_bool(p->j, r == OBJ_TRUE);
		return 0;
	case OBJ_KIND_INT:
		if (obj_int(g, r, &i))
			json_i64(p->j, i);
		return 0;
	case OBJ_KIND_FLOAT:
		if (obj_float(g, r, &d))
			json_f64(p->j, d);
		return 0;
	case OBJ_KIND_LONG:
		return put_long(p, r);
	default:
		return put_string(p, r, false);
	}
}

static int open_object(struct printer *p, oref r)
{
	enum shape shape;
	int rc = p->hook ? p->hook(p->ctx, r, p->j, p->e) : 0;

	if (rc != 0)
		return rc < 0 ? rc : 0;
	shape = is_leaf(p->path.g, r) ? SH_NONE : shape_of(p->path.g, r);
	if (shape == SH_NONE)
		return put_value(p, r);
	if (path_has(&p->path, r)) {
		json_cstr(p->j, shape == SH_ARRAY ? "[...]" : "{...}");
		return 0;
	}
	json_open(p->j, shape == SH_ARRAY ? '[' : '{');
	return path_push(&p->path, r, (uint8_t)shape) < 0 ? err_nomem(p->e) : 0;
}

static int step_array(struct printer *p, struct frame *f)
{
	const oref *items;
	uint32_t n = 0;

	if (!json_items(p->path.g, f->r, &items, &n) || f->i >= n) {
		json_close(p->j, ']');
		path_pop(&p->path);
		return 0;
	}
	return open_object(p, items[f->i++]);
}

static int step_object(struct printer *p, struct frame *f)
{
	uint32_t n;
	oref from = pairs_from(p->path.g, f->r, f->phase);
	const oref *pair = json_pair(p->path.g, from, f->i, &n);
	int rc;

	if (!pair) {
		f->i = 0;
		f->phase++;
		if (f->phase == PAIRS_END) {
			json_close(p->j, '}');
			path_pop(&p->path);
		}
		return 0;
	}
	f->i++;
	rc = put_string(p, pair[0], true);
	return rc < 0 ? rc : open_object(p, pair[1]);
}

int obj_json(const struct graph *g, oref r, obj_json_hook *hook, void *ctx, struct json *j,
	struct err *e)
{
	struct printer p = {.path = {.g = g}, .j = j, .hook = hook, .ctx = ctx, .e = e};
	int rc = open_object(&p, r);

	/* Frames may move when a child is pushed; a step does that last. */
	while (rc == 0 && p.path.at.n && !j->out->failed) {
		struct frame *f = &p.path.at.at[p.path.at.n - 1];

		rc = f->shape == SH_ARRAY ? step_array(&p, f) : step_object(&p, f);
	}
	path_release(&p.path);
	return rc < 0 ? rc : out_error(j->out, e);
}

int obj_value_text(const struct graph *g, oref r, struct buf *out, struct err *e)
{
	struct buf tmp;
	struct json j;
	struct str s;
	int rc = 0;

	if (node_is_string(g, r)) {
		buf_init(&tmp, out->max - out->n);
		rc = text_of(g, r, &tmp, &s, e);
		if (rc == 0)
			buf_str(out, s);
		buf_release(&tmp);
	} else if (is_leaf(g, r)) {
		rc = put_leaf(g, r, out, e);
	} else if (!py_scalar_text(g, r, out)) {
		json_init(&j, out);
		rc = shape_of(g, r) == SH_ARRAY || obj_kind(g, r) == OBJ_KIND_DICT
			     ? obj_json(g, r, NULL, NULL, &j, e)
			     : obj_repr(g, r, out, e);
	}
	return rc < 0 ? rc : out_error(out, e);
}
