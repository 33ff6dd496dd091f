/* check_weights.c - would torch.load(weights_only=True) take it, and if not, what stands in the way?
 *
 * torch's restricted unpickler knows a subset of opcodes and a list of names, and looks at what each
 * opcode is done to (formats/pickle.md section 5; behaviour of torch 2.13):
 *
 *	GLOBAL        on the list (src/format/weights.c), or the end
 *	REDUCE        of functions and classes of the list
 *	NEWOBJ        of classes of the list
 *	BUILD         on tensors, Parameters, OrderedDicts, and other objects of listed classes
 *	APPEND(S)     on real lists;  SETITEM(S) on dict, OrderedDict, Counter
 *	BINPERSID     of ('storage', class, key, location, count) only
 *	dict keys     must be hashable, text must be UTF-8, as everywhere in Python
 *
 * Here the object graph is judged: its nodes stand in the order in which opcodes made them, and each
 * knows its offset. Then the storages and tensors, which torch builds at once: one that does not fit
 * is an exception there. The first obstacle by offset is told. What is no torch file (a plain
 * pickle), or one that torch keeps weights_only from (tar, TorchScript), is told as that.
 *
 * Not done: the values of arguments (a device that is not there, scale of a quantized tensor);
 * tensors that are built and thrown away.
 */
#include "check_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>

/* Of a key: tuples in tuples that are looked into, and items. Nobody's keys are larger. */
#define KEY_DEPTH 32
#define KEY_ITEMS 256

struct weights {
	struct check *k;
	const struct graph *g;
	uint8_t *is;  /* [nodes]: enum weights_name of globals; of calls, of what is called */
	uint64_t at;  /* offset of the obstacle in its pickle */
	bool found;
	char why[400];
	/* What no Python takes: the first, and how many there are. */
	uint64_t text_at, texts, key_at, keys;
};

/* Something stands in the way at offset `at`; the first one is kept. */
static void obstacle(struct weights *w, uint64_t at, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
static void obstacle(struct weights *w, uint64_t at, const char *fmt, ...)
{
	va_list ap;

	if (w->found && w->at <= at)
		return;
	w->found = true;
	w->at = at;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof w->why, fmt, ap);
	va_end(ap);
}

static uint8_t is_of(const struct weights *w, oref r)
{
	return r < w->g->nodes.n ? w->is[r] : WEIGHTS_NOT;
}

/* --- names and calls ---------------------------------------------------------------------------- */

static void global(struct weights *w, oref r)
{
	struct str module, name;
	char a[128], b[128];

	obj_global(w->g, r, &module, &name);
	w->is[r] = (uint8_t)weights_name(module, name);
	if (w->is[r] == WEIGHTS_NOT)
		obstacle(w, obj_off(w->g, r),
				"GLOBAL %s.%s is not on torch's list (who trusts it can allow it with "
				"torch.serialization.add_safe_globals)",
				str_show(module, a, sizeof a), str_show(name, b, sizeof b));
}

static void call(struct weights *w, oref r)
{
	bool made = obj_kind(w->g, r) == OBJ_KIND_NEW;
	oref callable, args;

	obj_call(w->g, r, &callable, &args);
	/* What is called is a name; is[] of the result of another call is not looked at. */
	w->is[r] = obj_kind(w->g, callable) == OBJ_KIND_GLOBAL ? is_of(w, callable) : WEIGHTS_NOT;
	if (w->is[r] == WEIGHTS_NOT && obj_kind(w->g, callable) == OBJ_KIND_GLOBAL)
		return; /* the name itself is the obstacle */
	if (w->is[r] == WEIGHTS_NOT || w->is[r] == WEIGHTS_STORAGE || w->is[r] == WEIGHTS_VALUE)
		obstacle(w, obj_off(w->g, r), "%s of what is neither a function nor a class",
				made ? "NEWOBJ" : "REDUCE");
	else if (made && w->is[r] < WEIGHTS_TENSOR && w->is[r] != WEIGHTS_UNTYPED)
		obstacle(w, obj_off(w->g, r), "NEWOBJ of a function");
}

/* --- what is done to results -------------------------------------------------------------------- */

static bool takes_pairs(uint8_t is)
{
	return is == WEIGHTS_ODICT || is == WEIGHTS_COUNTER;
}

static bool is_mapping(const struct weights *w, oref r)
{
	return obj_kind(w->g, r) == OBJ_KIND_DICT || takes_pairs(is_of(w, r));
}

/* Of an empty or missing state Python's own rule takes no notice. */
static bool is_empty(const struct weights *w, oref r)
{
	uint32_t items = 0, pairs = 0;
	int64_t n;

	switch (obj_kind(w->g, r)) {
	case OBJ_KIND_NONE:
		return true;
	case OBJ_KIND_BOOL:
	case OBJ_KIND_INT:
		return obj_int(w->g, r, &n) && n == 0;
	case OBJ_KIND_STR:
	case OBJ_KIND_BYTES:
		return obj_text_len(w->g, r) == 0;
	case OBJ_KIND_TUPLE:
	case OBJ_KIND_LIST:
	case OBJ_KIND_SET:
	case OBJ_KIND_DICT:
		obj_items(w->g, r, &items);
		obj_pairs(w->g, r, &pairs);
		return items == 0 && pairs == 0;
	default:
		return false;
	}
}

/* None, a bool or a number: nothing that can be iterated. */
static bool is_scalar(const struct weights *w, oref r)
{
	return obj_kind(w->g, r) <= OBJ_KIND_FLOAT;
}

static bool takes_state(const struct weights *w, uint8_t is, oref state)
{
	switch (is) {
	case WEIGHTS_MAKE_TENSOR:
	case WEIGHTS_TENSOR:
	case WEIGHTS_ODICT:
		return !is_scalar(w, state);
	case WEIGHTS_MAKE_PARAMETER:
	case WEIGHTS_PARAMETER:
		return true;
	case WEIGHTS_COUNTER:
		return is_mapping(w, state) || is_empty(w, state);
	default:
		return (is >= WEIGHTS_SET || is == WEIGHTS_UNTYPED) && is_empty(w, state);
	}
}

static void later(struct weights *w, oref r)
{
	uint32_t items = 0, pairs = 0;
	const oref *at = obj_pairs(w->g, r, &pairs);
	oref state = obj_state(w->g, r);

	obj_items(w->g, r, &items);
	if (items)
		obstacle(w, obj_off(w->g, r), "APPEND to what is no list");
	if (pairs && !is_mapping(w, r))
		obstacle(w, obj_off(w->g, at[0]) ? obj_off(w->g, at[0]) : obj_off(w->g, r),
				"SETITEM on what is no dict, OrderedDict or Counter");
	if (state != OREF_NIL && !takes_state(w, w->is[r], state))
		obstacle(w, obj_off(w->g, state) > obj_off(w->g, r) ? obj_off(w->g, state)
								    : obj_off(w->g, r),
				"BUILD on an object that takes no such state there");
}

/* --- keys, texts, persistent ids ---------------------------------------------------------------- */

static bool hashable_leaf(const struct weights *w, oref r)
{
	switch (obj_kind(w->g, r)) {
	case OBJ_KIND_LIST:
	case OBJ_KIND_DICT:
	case OBJ_KIND_SET:
	case OBJ_KIND_BYTEARRAY:
		return false;
	case OBJ_KIND_CALL:
	case OBJ_KIND_NEW:
		return !takes_pairs(is_of(w, r)) && is_of(w, r) != WEIGHTS_SET &&
				is_of(w, r) != WEIGHTS_BYTEARRAY;
	default:
		return true;
	}
}

/* Tuples are as hashable as what is in them. */
static bool hashable(const struct weights *w, oref r)
{
	struct {
		const oref *at;
		uint32_t n;
	} stack[KEY_DEPTH] = {{&r, 1}};
	unsigned depth = 1, budget = KEY_ITEMS;

	while (depth > 0 && budget-- > 0) {
		oref x;

		if (stack[depth - 1].n == 0) {
			depth--;
			continue;
		}
		x = *stack[depth - 1].at++;
		stack[depth - 1].n--;
		if (!hashable_leaf(w, x))
			return false;
		if (obj_kind(w->g, x) != OBJ_KIND_TUPLE || depth == KEY_DEPTH)
			continue;
		stack[depth].at = obj_items(w->g, x, &stack[depth].n);
		depth++;
	}
	return true;
}

static void keys(struct weights *w, oref r)
{
	uint32_t n;
	const oref *at = obj_pairs(w->g, r, &n);

	for (uint32_t i = 0; i < n; i++)
		if (obj_kind(w->g, at[2 * i]) > OBJ_KIND_BYTES && !hashable(w, at[2 * i])) {
			if (w->keys++ == 0)
				w->key_at = obj_off(w->g, at[2 * i]);
			obstacle(w, obj_off(w->g, at[2 * i]), "a key of a dict that cannot be hashed");
		}
}

/* UTF-8 that may hold surrogates (ED A0..BF xx), as Python's "surrogatepass". */
static bool utf8_or_surrogates(struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i + 2 < s.n; i++) {
		const unsigned char *p = (const unsigned char *)s.p + i;

		if (p[0] != 0xed || p[1] < 0xa0 || p[1] > 0xbf || p[2] < 0x80 || p[2] > 0xbf)
			continue;
		if (!str_utf8((struct str){s.p + from, i - from}))
			return false;
		from = i + 3;
		i += 2;
	}
	return str_utf8(str_skip(s, from));
}

static void text(struct weights *w, oref r)
{
	uint8_t flags = obj_flags(w->g, r);
	struct str s;

	if (!(flags & (OBJ_BAD_UTF8 | OBJ_PY2STR)) || !obj_text(w->g, r, &s))
		return;
	if (flags & OBJ_PY2STR ? str_utf8(s) : utf8_or_surrogates(s))
		return;
	obstacle(w, obj_off(w->g, r), "a text that is not UTF-8");
	if (flags & OBJ_PY2STR)
		return; /* encoding="latin1" is for these */
	if (w->texts++ == 0)
		w->text_at = obj_off(w->g, r);
}

static void persid(struct weights *w, oref r)
{
	bool legacy = strcmp(w->k->c->format, "torch legacy") == 0;
	uint64_t off = obj_off(w->g, r);
	const oref *at;
	uint32_t n;
	oref id;

	obj_persid(w->g, r, &id);
	at = obj_items(w->g, id, &n);
	if (obj_kind(w->g, id) != OBJ_KIND_TUPLE || n == 0 || !obj_is_text(w->g, at[0], "storage"))
		obstacle(w, off, "BINPERSID of something else than a storage");
	else if (n != (legacy ? 6 : 5))
		obstacle(w, off, "BINPERSID with %u items", n);
	else if (is_of(w, at[1]) == WEIGHTS_UNTYPED && legacy)
		obstacle(w, off,
				"a storage of the class UntypedStorage, which torch writes into the "
				"old format and cannot read from it");
	else if (is_of(w, at[1]) != WEIGHTS_STORAGE && is_of(w, at[1]) != WEIGHTS_UNTYPED)
		obstacle(w, off, "BINPERSID of what is no storage class");
	else if (obj_kind(w->g, at[4]) != OBJ_KIND_INT)
		obstacle(w, off, "BINPERSID whose element count is no number of 64 bits");
}

/* Loading adds nodes of its own (torch.strided, keys of parts), which no opcode made. */
static bool is_made(const struct weights *w, oref r)
{
	return obj_off(w->g, r) == UINT32_MAX && w->k->c->pickle.length < UINT32_MAX;
}

/* Globals and calls first: what the others are done to may come after them. */
static void judge_nodes(struct weights *w)
{
	const struct graph *g = w->g;

	for (oref r = 0; r < g->nodes.n; r++) {
		if (is_made(w, r))
			continue;
		if (obj_kind(g, r) == OBJ_KIND_GLOBAL)
			global(w, r);
		else if (obj_kind(g, r) == OBJ_KIND_CALL || obj_kind(g, r) == OBJ_KIND_NEW)
			call(w, r);
	}
	for (oref r = 0; r < g->nodes.n; r++) {
		switch (is_made(w, r) ? OBJ_KIND_NONE : obj_kind(g, r)) {
		case OBJ_KIND_CALL:
		case OBJ_KIND_NEW:
			later(w, r);
			keys(w, r);
			break;
		case OBJ_KIND_DICT:
			later(w, r);
			keys(w, r);
			break;
		case OBJ_KIND_STR:
		case OBJ_KIND_BYTES:
			text(w, r);
			break;
		case OBJ_KIND_PERSID:
			persid(w, r);
			break;
		default:
			break;
		}
	}
}

static void judge_opcodes(struct weights *w)
{
	const struct pickle_info *p = &w->k->c->pickle;

	if (!p->weights_only)
		obstacle(w, p->bad_off, "opcode %s (0x%02x), which it does not take%s",
				p->bad_name, p->bad_op,
				p->bad_op == 'e' || p->bad_op == 'a' || p->bad_op == 'u'
						? " there"
						: "");
}

/* --- storages and tensors ----------------------------------------------------------------------- */

static void judge_storages(struct weights *w)
{
	const struct model *m = &w->k->c->model;
	const struct member *at;

	for (uint32_t i = 0; i < m->storages.n && !w->found && w->k->member_of; i++) {
		const struct storage *s = &m->storages.at[i];

		if (w->k->member_of[i] == MODEL_NONE) {
			obstacle(w, 0, "storage \"%s\" has no record", STR_SHOW(s->key));
			continue;
		}
		at = &w->k->c->box->at[w->k->member_of[i]];
		if (at->size != s->nbytes)
			obstacle(w, 0,
					"record \"%s\" has %" PRIu64 " bytes where the pickle says "
					"%" PRIu64,
					STR_SHOW(at->name), at->size, s->nbytes);
	}
}

/* Tensors that are broken only here: torch has no limit of dimensions, calls classes of tensors
 * with whatever they take, and where a legacy stream leaves a storage out it shows memory as it
 * finds it. */
static bool broken_here_only(const struct weights *w, const struct tensor *t)
{
	const struct model *m = &w->k->c->model;
	oref fn, args;
	const oref *at;
	uint32_t n = 0, dims = 0;

	if (strcmp(w->k->c->format, "torch legacy") == 0 && !w->k->c->truncated &&
			t->storage < m->storages.n &&
			t->broken == m->storages.at[t->storage].broken)
		return true;
	if (!obj_call(w->g, t->obj, &fn, &args))
		return false;
	if (is_of(w, fn) == WEIGHTS_TENSOR || is_of(w, fn) == WEIGHTS_PARAMETER)
		return true;
	at = obj_items(w->g, args, &n);
	if (n < 4 || obj_kind(w->g, at[2]) != OBJ_KIND_TUPLE)
		return false;
	obj_items(w->g, at[2], &dims);
	return dims > MODEL_MAX_NDIM;
}

static void judge_tensors(struct weights *w)
{
	const struct model *m = &w->k->c->model;

	for (size_t i = 0; i < m->tensors.n && !w->found; i++) {
		const struct tensor *t = &m->tensors.at[i];

		if (t->broken && !broken_here_only(w, t))
			obstacle(w, obj_off(w->g, t->obj), "a tensor that cannot be made: %.250s",
					t->broken);
		else if (t->flags & TENSOR_REQUIRES_GRAD && !(dtype_info(t->dtype)->flags &
							(DT_FLOAT | DT_COMPLEX)))
			obstacle(w, obj_off(w->g, t->obj),
					"a tensor of %s that requires a gradient",
					dtype_info(t->dtype)->name);
	}
	for (size_t i = 0; i < m->parts.n && !w->found; i++)
		if (m->parts.at[i].broken)
			obstacle(w, NO_OFFSET, "a %s tensor that cannot be made: %.250s",
					m->parts.at[i].kind, m->parts.at[i].broken);
}

/* What no unpickler takes, restricted or not. */
static int say_pickle(const struct weights *w)
{
	int rc = 0;

	if (w->texts)
		rc = check_say(w->k, SEVERITY_DAMAGE, "pickle", STR(""),
				check_pickle_off(w->k, w->text_at),
				"%" PRIu64 " text%s in the pickle %s not UTF-8, the first at byte "
				"%" PRIu64 ": Python cannot load it",
				w->texts, w->texts == 1 ? "" : "s", w->texts == 1 ? "is" : "are",
				w->text_at);
	if (rc == 0 && w->keys)
		rc = check_say(w->k, SEVERITY_DAMAGE, "pickle", STR(""),
				check_pickle_off(w->k, w->key_at),
				"%" PRIu64 " key%s of dicts cannot be hashed, the first at byte "
				"%" PRIu64 ": Python cannot load it",
				w->keys, w->keys == 1 ? "" : "s", w->key_at);
	return rc;
}

/* --- the answer --------------------------------------------------------------------------------- */

/* Formats that it is not for. */
static const char *never(const struct checkpoint *c)
{
	if (strcmp(c->format, "torchscript") == 0)
		return "it is a TorchScript archive, which only torch.jit.load takes";
	if (strcmp(c->format, "torch tar") == 0)
		return "it is a tar of before torch 0.1.7, which is only loaded with "
		       "weights_only=False";
	return NULL;
}

static int answer(struct check *k, const struct weights *w, const char *never_why)
{
	struct buf *out = &k->ret->weights_only_why;
	bool plain = strcmp(k->c->format, "pickle") == 0;

	k->ret->weights_only = !w->found && !plain && !never_why;
	if (never_why)
		buf_puts(out, never_why);
	else if (w->found)
		buf_puts(out, w->why);
	else if (plain)
		buf_puts(out, "it is a plain pickle, not a file of torch.save");
	if (!never_why && w->found && w->at && w->at < UINT32_MAX)
		buf_printf(out, ", at byte %" PRIu64 " of the pickle", w->at);
	return out->failed ? err_nomem(k->e) : 0;
}

int check_weights(struct check *k)
{
	const struct graph *g = &k->c->model.graph;
	struct weights w = {.k = k, .g = g};
	int rc;

	w.is = calloc(g->nodes.n + 1, 1);
	if (!w.is)
		return err_nomem(k->e);
	judge_nodes(&w);
	judge_opcodes(&w);
	if (!w.found)
		judge_storages(&w);
	if (!w.found)
		judge_tensors(&w);
	rc = say_pickle(&w);
	if (rc == 0)
		rc = answer(k, &w, never(k->c));
	free(w.is);
	return rc;
}
