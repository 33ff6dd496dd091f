/* parse_like.c - new containers in the spelling of those that they replace.
 *
 *	was                              new
 *	[..]  (..)  {..}                 the same kind
 *	set([..]), torch.Size((..))      the same call, other items in its argument
 *	a call with items appended       the same call, other items appended
 *	OrderedDict() + pairs            the same call, other pairs; its state (_metadata) stays
 *	OrderedDict([[k, v], ..]), Counter({..})
 *	                                 the call without that argument, and pairs
 *	an object with a state           the same call, another dict of attributes
 *
 * What is in `was` is never changed: others may refer to it.
 */
#include "node.h"
#include "parse_in.h"
#include "print.h"
#include "pybuiltin.h"

static bool hashable(const struct graph *g, oref r)
{
	enum obj_kind kind = obj_kind(g, r);

	return kind != OBJ_KIND_LIST && kind != OBJ_KIND_DICT && kind != OBJ_KIND_SET &&
	       kind != OBJ_KIND_BYTEARRAY;
}

static int check_set(const struct graph *g, const oref *items, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (!hashable(g, items[i]))
			return err_set(e, ERR_INVALID,
					"item %u: expected what a set can hold, found a list or dict",
					i);
	return 0;
}

static int check_size(const struct graph *g, const oref *items, uint32_t n, struct err *e)
{
	int64_t v;

	for (uint32_t i = 0; i < n; i++)
		if (obj_kind(g, items[i]) != OBJ_KIND_INT || !obj_int(g, items[i], &v))
			return err_set(e, ERR_INVALID,
					"item %u: expected a whole number, as torch.Size holds them",
					i);
	return 0;
}

/* The same callable, state and keyword arguments, with these arguments; no items, no pairs. */
static int call_like(struct graph *g, oref was, oref args, oref *ret, struct err *e)
{
	oref callable = OREF_NIL, old, r, state = obj_state(g, was), kwargs = obj_kwargs(g, was);

	if (args == OREF_NIL)
		return err_nomem(e);
	obj_call(g, was, &callable, &old);
	r = obj_new_call(g, obj_kind(g, was), callable, args, MADE);
	obj_add_flags(g, r, obj_flags(g, was));
	if (r == OREF_NIL || (state != OREF_NIL && obj_set_state(g, r, state) < 0) ||
			(kwargs != OREF_NIL && obj_set_kwargs(g, r, kwargs) < 0))
		return err_nomem(e);
	*ret = r;
	return 0;
}

static oref args_of(const struct graph *g, oref r)
{
	oref callable, args = OREF_NIL;

	obj_call(g, r, &callable, &args);
	return args;
}

static int append_like(struct graph *g, oref was, const oref *items, uint32_t n, oref *ret,
		struct err *e)
{
	oref r;
	int rc = call_like(g, was, args_of(g, was), &r, e);

	if (rc < 0)
		return rc;
	if (n && obj_append(g, r, items, n) < 0)
		return err_nomem(e);
	*ret = r;
	return 0;
}

/* Another sequence in the place of the first argument; the others stay. */
static int argument_like(struct graph *g, oref was, const oref *items, uint32_t n, oref *ret,
		struct err *e)
{
	uint32_t n_args;
	const oref *old = obj_items(g, args_of(g, was), &n_args);
	enum obj_kind kind = n_args ? obj_kind(g, old[0]) : OBJ_KIND_LIST;
	oref seq = obj_new_seq(g, kind, items, n, MADE), *args, tuple = OREF_NIL;

	n_args = n_args ? n_args : 1;
	args = seq == OREF_NIL ? NULL : malloc(n_args * sizeof *args);
	if (!args)
		return err_nomem(e);
	old = obj_items(g, args_of(g, was), &(uint32_t){0}); /* it may have moved */
	if (old)
		memcpy(args, old, n_args * sizeof *args);
	args[0] = seq;
	tuple = obj_new_seq(g, OBJ_KIND_TUPLE, args, n_args, MADE);
	free(args);
	return call_like(g, was, tuple, ret, e);
}

int like_items(struct graph *g, oref was, const oref *items, uint32_t n, oref *ret, struct err *e)
{
	enum obj_kind kind = was == OREF_NIL ? OBJ_KIND_LIST : obj_kind(g, was);
	const oref *old;
	uint32_t n_old, appended;
	int rc = 0;

	if (was != OREF_NIL && py_set_items(g, was, &old, &n_old) != PY_NO_SET)
		rc = check_set(g, items, n, e);
	else if (obj_is_global(g, py_class(g, was), "torch", "Size"))
		rc = check_size(g, items, n, e);
	if (rc < 0)
		return rc;
	if (kind_is_seq(kind))
		return parse_made(obj_new_seq(g, kind, items, n, MADE), ret, e);
	obj_items(g, was, &appended);
	if (!appended && (py_set_items(g, was, &old, &n_old) != PY_NO_SET ||
					 obj_items(g, args_of(g, was), &n_old)))
		return argument_like(g, was, items, n, ret, e);
	return append_like(g, was, items, n, ret, e);
}

int like_pairs(struct graph *g, oref was, bool arg, const oref *pairs, uint32_t n, oref *ret,
		struct err *e)
{
	bool call = was != OREF_NIL && kind_is_call(obj_kind(g, was));
	oref r = OREF_NIL, state = obj_state(g, was);
	const oref *items;
	uint32_t n_items;
	int rc = 0;

	if (call) {
		rc = call_like(g, was, arg ? OBJ_EMPTY_TUPLE : args_of(g, was), &r, e);
	} else {
		r = obj_new(g, OBJ_KIND_DICT, MADE);
		if (r == OREF_NIL || (state != OREF_NIL && obj_set_state(g, r, state) < 0))
			return err_nomem(e);
	}
	if (rc < 0)
		return rc;
	items = call ? obj_items(g, was, &n_items) : NULL;
	if ((items && obj_append(g, r, items, n_items) < 0) || (n && obj_set_pairs(g, r, pairs, n) < 0))
		return err_nomem(e);
	*ret = r;
	return 0;
}

int like_object(struct graph *g, oref was, oref state, oref *ret, struct err *e)
{
	uint32_t n, n_pairs;
	const oref *items, *pairs;
	oref r;
	int rc = call_like(g, was, args_of(g, was), &r, e);

	if (rc < 0)
		return rc;
	items = obj_items(g, was, &n);
	if (items && obj_append(g, r, items, n) < 0)
		return err_nomem(e);
	pairs = obj_pairs(g, was, &n_pairs);
	if ((pairs && obj_set_pairs(g, r, pairs, n_pairs) < 0) || obj_set_state(g, r, state) < 0)
		return err_nomem(e);
	*ret = r;
	return 0;
}
