/* target.c - who may get items, pairs and state.
 *
 *	            APPEND(S)   ADDITEMS   SETITEM(S)   BUILD
 *	LIST        yes
 *	SET                     yes
 *	DICT                               yes          yes
 *	CALL, NEW   yes         yes        yes          yes
 *
 * Calls stand for subclasses of list, dict and so on, and for OrderedDict. But a tensor is a call,
 * too, and setting items on one means overwriting its elements: torch before 2.10 did that while
 * it loaded "safely" (CVE-2026-24747). What is shown would not be what is loaded, so everything
 * that is called out of a module of tensors or arrays takes state only.
 *
 * A second BUILD: a dict adds to a dict (as Python updates __dict__), anything else replaces. What
 * is copied for that is charged against the bytes read so far, so that it cannot be a bomb.
 */
#include "machine.h"

static const char *const sealed_modules[] = {
	"torch",
	"torch._utils",
	"torch._tensor",
	"torch.tensor",
	"torch.storage",
	"torch.nn.parameter",
	"numpy",
	"numpy.core.multiarray",
	"numpy._core.multiarray",
};

static const char *const kind_words[] = {
	[OBJ_KIND_NONE] = "None",
	[OBJ_KIND_BOOL] = "a bool",
	[OBJ_KIND_INT] = "an int",
	[OBJ_KIND_LONG] = "an int",
	[OBJ_KIND_FLOAT] = "a float",
	[OBJ_KIND_STR] = "a str",
	[OBJ_KIND_BYTES] = "bytes",
	[OBJ_KIND_BYTEARRAY] = "a bytearray",
	[OBJ_KIND_TUPLE] = "a tuple",
	[OBJ_KIND_LIST] = "a list",
	[OBJ_KIND_SET] = "a set",
	[OBJ_KIND_FROZENSET] = "a frozenset",
	[OBJ_KIND_DICT] = "a dict",
	[OBJ_KIND_GLOBAL] = "a class or function",
	[OBJ_KIND_CALL] = "the result of a call",
	[OBJ_KIND_NEW] = "an object",
	[OBJ_KIND_PERSID] = "a persistent object",
	[OBJ_KIND_EXT] = "an extension object",
	[OBJ_KIND_TENSOR] = "a tensor",
};

static int refuse(struct machine *m, oref r)
{
	return op_err(m, ERR_DAMAGED, "%s cannot take that", kind_words[obj_kind(m->g, r)]);
}

/* A CALL or NEW, but not of something with elements of its own. */
static int check_open_call(struct machine *m, oref r)
{
	struct str module, name;
	oref callable, args;

	if (!obj_call(m->g, r, &callable, &args))
		return refuse(m, r);
	if (!obj_global(m->g, callable, &module, &name))
		return 0;
	for (size_t i = 0; i < sizeof sealed_modules / sizeof *sealed_modules; i++)
		if (str_is(module, sealed_modules[i]))
			return op_err(m, ERR_DAMAGED,
				"what %s.%s makes cannot take items (it would overwrite "
				"elements)",
				sealed_modules[i], STR_SHOW(name));
	return 0;
}

int check_takes_items(struct machine *m, oref r, enum obj_kind seq)
{
	return obj_kind(m->g, r) == seq ? 0 : check_open_call(m, r);
}

int check_takes_pairs(struct machine *m, oref r)
{
	return obj_kind(m->g, r) == OBJ_KIND_DICT ? 0 : check_open_call(m, r);
}

/* A new dict with the pairs of both. */
static int merge(struct machine *m, oref first, oref second, oref *ret)
{
	const oref *pairs;
	uint32_t n[2];
	oref dict;

	obj_pairs(m->g, first, &n[0]);
	obj_pairs(m->g, second, &n[1]);
	m->merged += (uint64_t)n[0] + n[1];
	if (m->merged > m->at)
		return op_err(m, ERR_LIMIT, "the same state is built over and over");
	dict = obj_new(m->g, OBJ_KIND_DICT, op_off(m));
	if (dict == OREF_NIL)
		return op_make_err(m);
	for (int i = 0; i < 2; i++) {
		pairs = obj_pairs(m->g, i ? second : first, &n[i]);
		if (n[i] && obj_set_pairs(m->g, dict, pairs, n[i]) < 0)
			return op_make_err(m);
	}
	*ret = dict;
	return 0;
}

int set_state(struct machine *m, oref r, oref state)
{
	enum obj_kind kind = obj_kind(m->g, r);
	oref old = obj_state(m->g, r);
	int rc;

	if (kind != OBJ_KIND_DICT && kind != OBJ_KIND_CALL && kind != OBJ_KIND_NEW)
		return refuse(m, r);
	if (old != OREF_NIL && obj_kind(m->g, old) == OBJ_KIND_DICT &&
		obj_kind(m->g, state) == OBJ_KIND_DICT) {
		rc = merge(m, old, state, &state);
		if (rc < 0)
			return rc;
	}
	return obj_set_state(m->g, r, state) < 0 ? op_make_err(m) : 0;
}
