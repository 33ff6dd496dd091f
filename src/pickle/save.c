/* save.c - object graph to protocol 2, as CPython's C pickler writes it.
 *
 * A walk with a stack of frames: visit() writes what can be written at once and opens a frame for
 * what holds others; step() moves the innermost frame on. Memo numbers go by first visit; lists,
 * dicts and results of calls are put before what is in them, tuples behind.
 *
 *	items of     0    1        n
 *	LIST         -    x a      ( 1000 x e, a last batch of one as well
 *	DICT         -    k v s    ( 1000 k v u; n a multiple of 1000: ( u at the end
 *	CALL, NEW    -    x a      ( 1000 x e; a last batch of one: x a     (pairs alike: s, u)
 *
 * A tuple or call may be met again while it is open, through a list that holds it. Then it is
 * written a second time in there, and put; the outer one, once complete, finds the number, pops
 * what it has built and gets the inner one. MEMO_OPEN marks such objects. Python cannot nest that
 * beyond its recursion limit of 1000, and here it ends there, too.
 *
 * Not done: NEWOBJ_EX with keyword arguments (what Python makes of it depends on the class).
 * Follows formats/pickle.md sections 3 and 4.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "machine.h"
#include "saver.h"

#define BATCH 1000
#define NESTED_MAX 1000

static void open_frame(struct saver *s, enum frame_kind kind, oref r)
{
	struct frame f = {.r = r, .kind = (uint8_t)kind};

	if (vec_push(&s->frames, f) < 0 && s->rc == 0)
		s->rc = err_nomem(s->e);
}

/* For what is put only when it is complete. */
static void open_unput(struct saver *s, enum frame_kind kind, oref r)
{
	bool again = s->memo[r] == MEMO_OPEN;

	if (again && ++s->nested > NESTED_MAX)
		save_fail(s, ERR_LIMIT, r,
				"objects that contain themselves through tuples or calls, nested "
				"over "
				"%d deep",
				NESTED_MAX);
	s->memo[r] = MEMO_OPEN;
	open_frame(s, kind, r);
	if (s->rc == 0)
		s->frames.at[s->frames.n - 1].again = again;
}

static void close_frame(struct saver *s)
{
	s->nested -= s->frames.at[--s->frames.n].again;
}

static void open_list(struct saver *s, oref r)
{
	save_byte(s, OP_EMPTY_LIST);
	save_put(s, r);
	open_frame(s, FRAME_LIST, r);
}

static void open_dict(struct saver *s, oref r)
{
	save_byte(s, OP_EMPTY_DICT);
	save_put(s, r);
	if (obj_state(s->g, r) != OREF_NIL)
		open_frame(s, FRAME_STATE, r);
	open_frame(s, FRAME_DICT, r);
}

static void open_tuple(struct saver *s, oref r)
{
	uint32_t n;

	obj_items(s->g, r, &n);
	if (n == 0) {
		save_byte(s, OP_EMPTY_TUPLE);
		return;
	}
	if (n > 3)
		save_byte(s, OP_MARK);
	open_unput(s, FRAME_TUPLE, r);
}

static void open_call(struct saver *s, oref r)
{
	oref kwargs = obj_kwargs(s->g, r), list;
	uint32_t n;

	obj_pairs(s->g, kwargs, &n);
	if (n)
		save_fail(s, ERR_UNSUPPORTED, r,
				"protocol 2 cannot make objects with keyword arguments "
				"(NEWOBJ_EX)");
	if (s->memo[r] == MEMO_OPEN && save_is_group(s, r, &list))
		open_unput(s, FRAME_GROUP, r);
	else
		open_unput(s, FRAME_CALL, r);
}

static void visit(struct saver *s, oref r)
{
	enum obj_kind kind = obj_kind(s->g, r);

	if (kind == OBJ_KIND_NONE && r != OBJ_NONE) {
		save_fail(s, ERR_USAGE, r, "an object is missing");
		return;
	}
	if (save_has(s, r)) {
		save_get(s, s->memo[r]);
		return;
	}
	switch (kind) {
	case OBJ_KIND_LIST:
		open_list(s, r);
		break;
	case OBJ_KIND_DICT:
		open_dict(s, r);
		break;
	case OBJ_KIND_TUPLE:
		open_tuple(s, r);
		break;
	case OBJ_KIND_CALL:
	case OBJ_KIND_NEW:
		open_call(s, r);
		break;
	case OBJ_KIND_SET:
	case OBJ_KIND_FROZENSET:
		open_unput(s, FRAME_GROUP, r);
		break;
	case OBJ_KIND_PERSID:
		open_frame(s, FRAME_PERSID, r);
		break;
	default:
		save_leaf(s, r, kind);
	}
}

/* --- items and pairs, in batches ------------------------------------------------------------- */

static const struct batch {
	uint8_t width; /* objects an item */
	bool exact;    /* a list or dict itself, not something that behaves like one */
	uint8_t one, many;
} batches[] = {
		[FRAME_LIST] = {1, true, OP_APPEND, OP_APPENDS},
		[FRAME_ITEMS] = {1, false, OP_APPEND, OP_APPENDS},
		[FRAME_DICT] = {2, true, OP_SETITEM, OP_SETITEMS},
		[FRAME_PAIRS] = {2, false, OP_SETITEM, OP_SETITEMS},
};

/* Is the batch that begins with item `first` of n one item without a mark? */
static bool alone(const struct batch *b, uint32_t first, uint32_t n)
{
	return b->exact ? n == 1 : n - first == 1;
}

/* Between batches: before item i of n, or behind the last. */
static void border(struct saver *s, const struct batch *b, uint32_t i, uint32_t n)
{
	if (i)
		save_byte(s, alone(b, (i - 1) / BATCH * BATCH, n) ? b->one : b->many);
	if (i < n && !alone(b, i, n))
		save_byte(s, OP_MARK);
	if (i && i == n && n % BATCH == 0 && b->exact && b->width == 2) {
		save_byte(s, OP_MARK);
		save_byte(s, b->many);
	}
}

static void step_batch(struct saver *s, struct frame *f)
{
	const struct batch *b = &batches[f->kind];
	uint32_t n, i = f->i / b->width;
	const oref *at = b->width == 1 ? obj_items(s->g, f->r, &n) : obj_pairs(s->g, f->r, &n);

	if (f->i % b->width == 0 && (i % BATCH == 0 || i == n))
		border(s, b, i, n);
	if (i == n)
		close_frame(s);
	else
		visit(s, at[f->i++]);
}

/* --- tuples, calls, and the rest ------------------------------------------------------------- */

static bool is_done_args(const struct saver *s)
{
	const struct frame *f = s->frames.n ? &s->frames.at[s->frames.n - 1] : NULL;

	return f && f->kind == FRAME_CALL && f->i == 2 && save_has(s, f->r);
}

/* The tuple r of n items has turned up among its own items. */
static void drop_tuple(struct saver *s, oref r, uint32_t n)
{
	if (n > 3)
		save_byte(s, OP_POP_MARK);
	for (uint32_t i = 0; n <= 3 && i < n; i++)
		save_byte(s, OP_POP);
	save_get(s, s->memo[r]);
}

static void step_tuple(struct saver *s, struct frame *f)
{
	uint32_t n;
	oref r = f->r;
	const oref *items = obj_items(s->g, r, &n);
	bool done;

	if (f->i < n) {
		visit(s, items[f->i++]);
		return;
	}
	close_frame(s);
	done = save_has(s, r);
	/* The arguments of a call that will be dropped anyway: Python made a new tuple of them. */
	if (done && !is_done_args(s)) {
		drop_tuple(s, r, n);
		return;
	}
	save_byte(s, n > 3 ? OP_TUPLE : (uint8_t)(OP_TUPLE1 + n - 1));
	if (done)
		save_put_new(s);
	else
		save_put(s, r);
}

/* The callable and its arguments are written. False: this was the outer one of an object that
 * contains itself. */
static bool made(struct saver *s, oref r, uint8_t op)
{
	close_frame(s);
	save_byte(s, op);
	if (!save_has(s, r)) {
		save_put(s, r);
		return true;
	}
	save_byte(s, OP_POP);
	save_get(s, s->memo[r]);
	return false;
}

static void step_call(struct saver *s, struct frame *f)
{
	oref r = f->r, callable = OREF_NIL, args = OREF_NIL;
	uint32_t n;
	bool is_new;

	obj_call(s->g, r, &callable, &args);
	if (f->i < 2) {
		visit(s, f->i++ ? args : callable);
		return;
	}
	obj_items(s->g, args, &n);
	/* INST and OBJ without arguments do not call __init__: that is NEWOBJ. */
	is_new = obj_kind(s->g, r) == OBJ_KIND_NEW || (n == 0 && obj_flags(s->g, r) & OBJ_LOOSE);
	if (!made(s, r, is_new ? OP_NEWOBJ : OP_REDUCE))
		return;
	if (obj_state(s->g, r) != OREF_NIL)
		open_frame(s, FRAME_STATE, r);
	open_frame(s, FRAME_PAIRS, r);
	open_frame(s, FRAME_ITEMS, r);
}

/* A SET or FROZENSET, or a call of one that is open already. */
static void step_group(struct saver *s, struct frame *f)
{
	oref r = f->r, callable, args, items = r;

	if (f->i++) {
		save_byte(s, OP_TUPLE1);
		save_put_new(s);
		made(s, r, OP_REDUCE);
		return;
	}
	if (obj_call(s->g, r, &callable, &args)) {
		save_is_group(s, r, &items);
		visit(s, callable);
	} else {
		save_helper(s, obj_kind(s->g, r) == OBJ_KIND_SET ? HELP_SET : HELP_FROZENSET);
	}
	save_byte(s, OP_EMPTY_LIST);
	save_put_new(s);
	open_frame(s, FRAME_LIST, items);
}

static void step_state(struct saver *s, struct frame *f)
{
	if (f->i++ == 0) {
		visit(s, obj_state(s->g, f->r));
		return;
	}
	save_byte(s, OP_BUILD);
	close_frame(s);
}

/* What persistent_load() gives is never put; its id is an object like others. */
static void step_persid(struct saver *s, struct frame *f)
{
	oref id = OREF_NIL;

	if (f->i++ == 0) {
		obj_persid(s->g, f->r, &id);
		visit(s, id);
		return;
	}
	save_byte(s, OP_BINPERSID);
	close_frame(s);
}

/* f moves when a frame is opened: the steps touch it before they visit anything. */
static void step(struct saver *s)
{
	struct frame *f = &s->frames.at[s->frames.n - 1];

	switch (f->kind) {
	case FRAME_TUPLE:
		step_tuple(s, f);
		break;
	case FRAME_CALL:
		step_call(s, f);
		break;
	case FRAME_GROUP:
		step_group(s, f);
		break;
	case FRAME_STATE:
		step_state(s, f);
		break;
	case FRAME_PERSID:
		step_persid(s, f);
		break;
	default:
		step_batch(s, f);
	}
}

static void save_all(struct saver *s, oref root)
{
	save_op(s, OP_PROTO, 2, 1);
	visit(s, root);
	while (s->rc == 0 && s->frames.n)
		step(s);
	save_byte(s, OP_STOP);
	save_flush(s);
}

int pickle_save(const struct graph *g, oref root, const struct pickle_save_opts *o,
		const struct pickle_out *out, struct err *e)
{
	struct saver *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return err_nomem(e);
	s->g = g;
	s->out = out;
	s->e = e;
	s->root = root;
	s->protocol = o ? o->protocol : 0;
	s->rc = save_init(s);
	if (s->rc == 0)
		save_all(s, root);
	rc = s->rc;
	save_release(s);
	free(s);
	return rc;
}
