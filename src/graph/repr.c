/* repr.c - Python's repr of any object, and of what Python would have made of calls.
 *
 *	(0, 1)  [1]  {1, 2}  set()  frozenset({1})  {'a': 1}  b'x'  (1+2j)
 *	module.Class(arg, kw=1, [items], {pairs}, attribute=2)
 *	OrderedDict({'a': 1})        what lies in collections goes without module and attributes
 *	persistent_load(id)
 *
 * One frame per open container (path.c). Each step prints one separator and opens one child, so
 * every visit costs output and the buffer's maximum bounds the whole, shared children included.
 */
#include "node.h"
#include "print.h"
#include "pybuiltin.h"

enum shape {
	SH_TUPLE,
	SH_LIST,
	SH_SET,
	SH_FROZENSET,
	SH_DICT,
	SH_CALL,
	SH_ITEMS,
	SH_PAIRS,
	SH_PERSID
};

static const char *const opening[] = {
	[SH_TUPLE] = "(",
	[SH_LIST] = "[",
	[SH_SET] = "{",
	[SH_FROZENSET] = "frozenset({",
	[SH_DICT] = "{",
	[SH_CALL] = "",
	[SH_ITEMS] = "[",
	[SH_PAIRS] = "{",
	[SH_PERSID] = "persistent_load(",
};
static const char *const closing[] = {
	[SH_TUPLE] = ")",
	[SH_LIST] = "]",
	[SH_SET] = "}",
	[SH_FROZENSET] = "})",
	[SH_DICT] = "}",
	[SH_CALL] = ")",
	[SH_ITEMS] = "]",
	[SH_PAIRS] = "}",
	[SH_PERSID] = ")",
};
static const char *const cycle[] = {
	[SH_TUPLE] = "(...)",
	[SH_LIST] = "[...]",
	[SH_SET] = "{...}",
	[SH_FROZENSET] = "frozenset({...})",
	[SH_DICT] = "{...}",
	[SH_CALL] = "...",
	[SH_PERSID] = "persistent_load(...)",
};

/* The phases of SH_CALL, in the order they are printed. */
enum {
	CALL_CALLABLE,
	CALL_OPEN,
	CALL_ARGS,
	CALL_KWARGS,
	CALL_ITEMS,
	CALL_PAIRS,
	CALL_STATE,
	CALL_CLOSE
};

struct printer {
	struct path path;
	struct buf *out;
	struct err *e;
};

static enum shape shape_of(const struct graph *g, oref r)
{
	const oref *items;
	uint32_t n;

	switch (py_set_items(g, r, &items, &n)) {
	case PY_SET:
		return SH_SET;
	case PY_FROZENSET:
		return SH_FROZENSET;
	default:
		break;
	}
	switch (obj_kind(g, r)) {
	case OBJ_KIND_TUPLE:
		return SH_TUPLE;
	case OBJ_KIND_LIST:
		return SH_LIST;
	case OBJ_KIND_DICT:
		return SH_DICT;
	case OBJ_KIND_PERSID:
		return SH_PERSID;
	default:
		return SH_CALL;
	}
}

/* The words of a frame: items, or keys and values. */
static const oref *words_of(const struct graph *g, const struct frame *f, uint32_t *n)
{
	const oref *words = NULL;
	const struct obj *o;

	*n = 0;
	switch (f->shape) {
	case SH_SET:
	case SH_FROZENSET:
		py_set_items(g, f->r, &words, n);
		return words;
	case SH_DICT:
	case SH_PAIRS:
		words = obj_pairs(g, f->r, n);
		*n *= 2;
		return words;
	case SH_PERSID:
		o = node_of(g, f->r);
		*n = 1;
		return &o->a;
	default:
		return obj_items(g, f->r, n);
	}
}

static bool is_complex(const struct graph *g, oref r)
{
	return py_is_builtin(g, py_class(g, r), "complex");
}

static int open_shape(struct printer *p, oref r, enum shape shape)
{
	const struct graph *g = p->path.g;
	oref callable;
	uint32_t n = 1;

	if (shape == SH_SET || shape == SH_FROZENSET)
		words_of(g, &(struct frame){.r = r, .shape = (uint8_t)shape}, &n);
	if (n == 0) {
		buf_puts(p->out, shape == SH_SET ? "set()" : "frozenset()");
		return 0;
	}
	buf_puts(p->out, opening[shape]);
	if (path_push(&p->path, r, (uint8_t)shape) < 0)
		return err_nomem(p->e);
	if (shape == SH_CALL && obj_call(g, r, &callable, &(oref){0}) &&
		obj_kind(g, callable) == OBJ_KIND_GLOBAL) {
		put_global(g, callable, true, p->out);
		p->path.at.at[p->path.at.n - 1].phase = CALL_OPEN;
	}
	return 0;
}

/* Prints a leaf, or begins a container. */
static int open_object(struct printer *p, oref r)
{
	const struct graph *g = p->path.g;
	enum shape shape;

	if (is_leaf(g, r))
		return put_leaf(g, r, p->out, p->e);
	if (is_complex(g, r) && py_scalar_text(g, r, p->out))
		return 0;
	shape = shape_of(g, r);
	if (path_has(&p->path, r)) {
		buf_puts(p->out, cycle[shape]);
		return 0;
	}
	return open_shape(p, r, shape);
}

static void separate(struct printer *p, struct frame *f)
{
	buf_puts(p->out, f->comma ? ", " : "");
	f->comma = true;
}

static void close_frame(struct printer *p, const struct frame *f, uint32_t n)
{
	if (f->shape == SH_TUPLE && n == 1)
		buf_putc(p->out, ',');
	buf_puts(p->out, closing[f->shape]);
	path_pop(&p->path);
}

static int step_words(struct printer *p, struct frame *f)
{
	bool pairs = f->shape == SH_DICT || f->shape == SH_PAIRS;
	uint32_t n;
	const oref *words = words_of(p->path.g, f, &n);

	if (f->i == n) {
		close_frame(p, f, n);
		return 0;
	}
	if (pairs && f->i % 2)
		buf_puts(p->out, ": ");
	else
		separate(p, f);
	return open_object(p, words[f->i++]);
}

static void next_phase(struct frame *f)
{
	f->phase++;
	f->i = 0;
}

/* The next name=value of a dict of attributes; the next phase behind the last. */
static int step_attributes(struct printer *p, struct frame *f, oref dict)
{
	const struct graph *g = p->path.g;
	uint32_t n;
	const oref *pairs = obj_pairs(g, dict, &n);
	struct str name;
	oref key;
	int rc = 0;

	if (f->i >= n) {
		next_phase(f);
		return 0;
	}
	separate(p, f);
	key = pairs[2 * (size_t)f->i++];
	if (obj_kind(g, key) == OBJ_KIND_STR && obj_text(g, key, &name))
		put_escaped(name, 0, p->out);
	else if (is_leaf(g, key))
		rc = put_leaf(g, key, p->out, p->e);
	buf_putc(p->out, '=');
	return rc < 0 ? rc : open_object(p, pairs[2 * (size_t)f->i - 1]);
}

static int step_args(struct printer *p, struct frame *f, oref args)
{
	uint32_t n;
	const oref *items = obj_items(p->path.g, args, &n);

	if (f->i >= n) {
		next_phase(f);
		return 0;
	}
	separate(p, f);
	return open_object(p, items[f->i++]);
}

/* What was appended or set later, as one list or dict behind the arguments. */
static int step_later(struct printer *p, struct frame *f, enum shape shape)
{
	uint32_t n;

	words_of(p->path.g, &(struct frame){.r = f->r, .shape = (uint8_t)shape}, &n);
	next_phase(f);
	if (n == 0)
		return 0;
	separate(p, f);
	return open_shape(p, f->r, shape);
}

static int step_state(struct printer *p, struct frame *f)
{
	const struct graph *g = p->path.g;
	oref state = obj_state(g, f->r);
	struct str module, name;
	bool library = py_class_name(g, f->r, &module, &name) && str_is(module, "collections");

	if (state == OREF_NIL || library) {
		next_phase(f);
		return 0;
	}
	if (obj_kind(g, state) == OBJ_KIND_DICT)
		return step_attributes(p, f, state);
	separate(p, f);
	buf_puts(p->out, "state=");
	next_phase(f);
	return open_object(p, state);
}

static int step_call(struct printer *p, struct frame *f)
{
	const struct graph *g = p->path.g;
	oref callable = OREF_NIL, args = OREF_NIL;

	obj_call(g, f->r, &callable, &args);
	switch (f->phase) {
	case CALL_CALLABLE:
		next_phase(f);
		return open_object(p, callable);
	case CALL_OPEN:
		buf_putc(p->out, '(');
		next_phase(f);
		return 0;
	case CALL_ARGS:
		return step_args(p, f, args);
	case CALL_KWARGS:
		return step_attributes(p, f, obj_kwargs(g, f->r));
	case CALL_ITEMS:
		return step_later(p, f, SH_ITEMS);
	case CALL_PAIRS:
		return step_later(p, f, SH_PAIRS);
	case CALL_STATE:
		return step_state(p, f);
	default:
		close_frame(p, f, 0);
		return 0;
	}
}

int obj_repr(const struct graph *g, oref r, struct buf *out, struct err *e)
{
	struct printer p = {.path = {.g = g}, .out = out, .e = e};
	int rc = open_object(&p, r);

	/* Frames may move when a child is pushed; a step does that last. */
	while (rc == 0 && p.path.at.n && !out->failed) {
		struct frame *f = &p.path.at.at[p.path.at.n - 1];

		rc = f->shape == SH_CALL ? step_call(&p, f) : step_words(&p, f);
	}
	path_release(&p.path);
	return rc < 0 && rc != ERR_LIMIT ? rc : out->failed ? out_error(out, e) : rc;
}
