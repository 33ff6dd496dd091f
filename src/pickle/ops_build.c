/* ops_build.c - opcodes that put values together: containers, calls, what is added later.
 *
 * A call is a node with its callable and arguments; it is never made. INST and OBJ carry their
 * arguments loose and get a tuple. What may take items, pairs and state is decided in target.c.
 * Follows formats/pickle.md sections 2 and 7.
 */
#include "machine.h"

/* The values above the mark, which is taken away; they stay in place until the next push. */
static int take_marked(struct machine *m, const oref **items, uint32_t *n)
{
	if (!m->marks.n)
		return op_err(m, ERR_DAMAGED, "there is no mark");
	*n = (uint32_t)m->stack.n - m->floor;
	*items = m->stack.at + m->floor;
	m->stack.n = m->floor;
	m->marks.n--;
	m->floor = m->marks.n ? m->marks.at[m->marks.n - 1] : 0;
	return 0;
}

/* The same for opcodes that add to the object below the mark. */
static int take_marked_for(struct machine *m, const oref **items, uint32_t *n, oref *target)
{
	if (take_marked(m, items, n) < 0 || need(m, 1) < 0)
		return ERR_DAMAGED;
	*target = top(m, 0);
	return 0;
}

static int push_seq(struct machine *m, enum obj_kind kind)
{
	const oref *items;
	uint32_t n;

	if (take_marked(m, &items, &n) < 0)
		return ERR_DAMAGED;
	return push(m, obj_new_seq(m->g, kind, items, n, op_off(m)));
}

int op_tuple(struct machine *m)
{
	return push_seq(m, OBJ_KIND_TUPLE);
}

int op_list(struct machine *m)
{
	return push_seq(m, OBJ_KIND_LIST);
}

int op_frozenset(struct machine *m)
{
	return push_seq(m, OBJ_KIND_FROZENSET);
}

int op_empty_tuple(struct machine *m)
{
	return push(m, OBJ_EMPTY_TUPLE);
}

int op_empty_list(struct machine *m)
{
	return push(m, obj_new(m->g, OBJ_KIND_LIST, op_off(m)));
}

int op_empty_dict(struct machine *m)
{
	return push(m, obj_new(m->g, OBJ_KIND_DICT, op_off(m)));
}

int op_empty_set(struct machine *m)
{
	return push(m, obj_new(m->g, OBJ_KIND_SET, op_off(m)));
}

int op_short_tuple(struct machine *m)
{
	uint32_t n = m->op - OP_TUPLE1 + 1u;

	if (need(m, n) < 0)
		return ERR_DAMAGED;
	m->stack.n -= n;
	return push(m, obj_new_seq(m->g, OBJ_KIND_TUPLE, m->stack.at + m->stack.n, n, op_off(m)));
}

static int add_pairs(struct machine *m, oref target, const oref *pairs, uint32_t n)
{
	int rc = check_takes_pairs(m, target);

	if (rc < 0)
		return rc;
	return obj_set_pairs(m->g, target, pairs, n) < 0 ? op_make_err(m) : 0;
}

static int odd(struct machine *m, uint32_t n)
{
	return op_err(m, ERR_DAMAGED, "%u items are no pairs of key and value", n);
}

int op_dict(struct machine *m)
{
	const oref *items;
	uint32_t n;
	oref dict;

	if (take_marked(m, &items, &n) < 0)
		return ERR_DAMAGED;
	if (n % 2)
		return odd(m, n);
	dict = obj_new(m->g, OBJ_KIND_DICT, op_off(m));
	if (dict == OREF_NIL || obj_set_pairs(m->g, dict, items, n / 2) < 0)
		return op_make_err(m);
	return push(m, dict);
}

int op_setitem(struct machine *m)
{
	if (need(m, 3) < 0)
		return ERR_DAMAGED;
	m->stack.n -= 2;
	return add_pairs(m, top(m, 0), m->stack.at + m->stack.n, 1);
}

/* What OrderedDict or Counter made, which weights_only lets take pairs. */
static bool is_dict_call(const struct machine *m, oref r)
{
	oref callable, args;
	struct str module, name;

	return obj_call(m->g, r, &callable, &args) && obj_global(m->g, callable, &module, &name) &&
	       (str_is(name, "OrderedDict") || str_is(name, "Counter"));
}

int op_setitems(struct machine *m)
{
	const oref *items;
	uint32_t n;
	oref target;

	if (take_marked_for(m, &items, &n, &target) < 0)
		return ERR_DAMAGED;
	/* Of no pairs at all the graph keeps nothing. */
	if (n == 0 && obj_kind(m->g, target) != OBJ_KIND_DICT && !is_dict_call(m, target))
		op_not_weights_only(m);
	return n % 2 ? odd(m, n) : add_pairs(m, target, items, n / 2);
}

static int add_items(
	struct machine *m, enum obj_kind seq, oref target, const oref *items, uint32_t n)
{
	int rc = check_takes_items(m, target, seq);

	if (rc < 0)
		return rc;
	if (seq == OBJ_KIND_LIST && obj_kind(m->g, target) != OBJ_KIND_LIST)
		op_not_weights_only(m);
	return n && obj_append(m->g, target, items, n) < 0 ? op_make_err(m) : 0;
}

int op_append(struct machine *m)
{
	if (need(m, 2) < 0)
		return ERR_DAMAGED;
	m->stack.n--;
	return add_items(m, OBJ_KIND_LIST, top(m, 0), m->stack.at + m->stack.n, 1);
}

static int add_marked(struct machine *m, enum obj_kind seq)
{
	const oref *items;
	uint32_t n;
	oref target;

	if (take_marked_for(m, &items, &n, &target) < 0)
		return ERR_DAMAGED;
	return add_items(m, seq, target, items, n);
}

int op_appends(struct machine *m)
{
	return add_marked(m, OBJ_KIND_LIST);
}

int op_additems(struct machine *m)
{
	return add_marked(m, OBJ_KIND_SET);
}

/* Something that could be a class or function: a symbol, or what a call or a stranger gave. */
static int check_callable(struct machine *m, oref r)
{
	switch (obj_kind(m->g, r)) {
	case OBJ_KIND_GLOBAL:
	case OBJ_KIND_CALL:
	case OBJ_KIND_NEW:
	case OBJ_KIND_PERSID:
	case OBJ_KIND_EXT:
		return 0;
	default:
		return op_err(m, ERR_DAMAGED, "what is called is neither a class nor a function");
	}
}

/* REDUCE and NEWOBJ: callable, args. */
int op_call(struct machine *m)
{
	enum obj_kind kind = m->op == OP_REDUCE ? OBJ_KIND_CALL : OBJ_KIND_NEW;
	oref callable, args;

	if (need(m, 2) < 0)
		return ERR_DAMAGED;
	callable = top(m, 1);
	args = top(m, 0);
	if (check_callable(m, callable) < 0)
		return ERR_DAMAGED;
	if (obj_kind(m->g, args) != OBJ_KIND_TUPLE)
		return op_err(m, ERR_DAMAGED, "the arguments are not a tuple");
	m->stack.n -= 2;
	return push(m, obj_new_call(m->g, kind, callable, args, op_off(m)));
}

int op_newobj_ex(struct machine *m)
{
	oref cls, args, kwargs, r;

	if (need(m, 3) < 0)
		return ERR_DAMAGED;
	cls = top(m, 2);
	args = top(m, 1);
	kwargs = top(m, 0);
	if (check_callable(m, cls) < 0)
		return ERR_DAMAGED;
	if (obj_kind(m->g, args) != OBJ_KIND_TUPLE || obj_kind(m->g, kwargs) != OBJ_KIND_DICT)
		return op_err(m, ERR_DAMAGED, "the arguments are not a tuple and a dict");
	m->stack.n -= 3;
	r = obj_new_call(m->g, OBJ_KIND_NEW, cls, args, op_off(m));
	if (r != OREF_NIL && obj_set_kwargs(m->g, r, kwargs) < 0)
		return op_make_err(m);
	return push(m, r);
}

/* A class with loose arguments. */
static int push_loose_call(struct machine *m, oref cls, const oref *args, uint32_t n)
{
	oref tuple = obj_new_seq(m->g, OBJ_KIND_TUPLE, args, n, op_off(m)), r;

	if (tuple == OREF_NIL)
		return op_make_err(m);
	r = obj_new_call(m->g, OBJ_KIND_CALL, cls, tuple, op_off(m));
	obj_add_flags(m->g, r, OBJ_LOOSE);
	return push(m, r);
}

int op_inst(struct machine *m)
{
	const oref *args;
	uint32_t n;
	oref cls;
	int rc = op_global(m);

	if (rc < 0)
		return rc;
	cls = m->stack.at[--m->stack.n];
	if (take_marked(m, &args, &n) < 0)
		return ERR_DAMAGED;
	return push_loose_call(m, cls, args, n);
}

int op_obj(struct machine *m)
{
	const oref *items;
	uint32_t n;

	if (take_marked(m, &items, &n) < 0)
		return ERR_DAMAGED;
	if (n == 0)
		return op_err(m, ERR_DAMAGED, "there is no class above the mark");
	if (check_callable(m, items[0]) < 0)
		return ERR_DAMAGED;
	return push_loose_call(m, items[0], items + 1, n - 1);
}

int op_build(struct machine *m)
{
	if (need(m, 2) < 0)
		return ERR_DAMAGED;
	m->stack.n--;
	return set_state(m, top(m, 0), m->stack.at[m->stack.n]);
}
