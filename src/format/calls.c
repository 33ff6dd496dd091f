/* calls.c - what the callables of a pickle mean: one table, looked at and never called.
 *
 * A callable is a GLOBAL node; its row is found once per node and kept (loader.roles). Names stand
 * here in today's Python 3 spelling: Python 2's __builtin__ and copy_reg, numpy 2's numpy._core
 * and the torch.tensor of 1.7 are translated first. What is not in the table is ROLE_UNKNOWN: an
 * object that is shown by its attributes. (formats/torch-objects.md sections 3 and 10)
 *
 * peel() takes off what stands around a tensor (Parameter, subclass, device) in a loop; outer
 * wrappers win. More than MAX_WRAPPERS of them are no honest tensor.
 */
#include "interpret.h"

#include <stdio.h>
#include <string.h>

#include <pthfs/cleanup.h>

enum wrapper { WRAP_PARAMETER, WRAP_FROM_TYPE, WRAP_DEVICE };

#define UTILS "torch._utils"
#define MULTIARRAY "numpy.core.multiarray"

/* clang-format off */
static const struct call_row rows[] = {
	{UTILS, "_rebuild_tensor_v2", ROLE_TENSOR, 0, rebuild_v2},
	{UTILS, "_rebuild_tensor_v3", ROLE_TENSOR, 0, rebuild_v3},
	{UTILS, "_rebuild_tensor", ROLE_TENSOR, 0, rebuild_v2},
	{UTILS, "_rebuild_meta_tensor_no_storage", ROLE_TENSOR, 0, rebuild_meta},
	{UTILS, "_rebuild_device_tensor_from_numpy", ROLE_TENSOR, 0, rebuild_from_numpy},
	{UTILS, "_rebuild_xla_tensor", ROLE_TENSOR, 0, rebuild_from_numpy},
	{"torch.storage", "_load_from_bytes", ROLE_TENSOR, 0, rebuild_storage},
	{UTILS, "_rebuild_parameter", ROLE_WRAPPER, WRAP_PARAMETER, NULL},
	{UTILS, "_rebuild_parameter_with_state", ROLE_WRAPPER, WRAP_PARAMETER, NULL},
	{UTILS, "_rebuild_device_tensor_from_cpu_tensor", ROLE_WRAPPER, WRAP_DEVICE, NULL},
	{"torch._tensor", "_rebuild_from_type_v2", ROLE_WRAPPER, WRAP_FROM_TYPE, NULL},
	{"torch._tensor", "_rebuild_from_type", ROLE_WRAPPER, WRAP_FROM_TYPE, NULL},
	{UTILS, "_rebuild_wrapper_subclass", ROLE_SUBCLASS, 0, NULL},
	{UTILS, "_rebuild_qtensor", ROLE_QUANTIZED, 0, NULL},
	{UTILS, "_rebuild_sparse_tensor", ROLE_SPARSE, 0, NULL},
	{UTILS, "_rebuild_sparse_csr_tensor", ROLE_SPARSE_CSR, 0, NULL},
	{UTILS, "_rebuild_nested_tensor", ROLE_NESTED, 0, NULL},
	{"torch.nn.parameter", "Parameter", ROLE_CLASS, 1, NULL},
	{"torch.nn.parameter", "Buffer", ROLE_CLASS, 0, NULL},
	{"torch.autograd.variable", "Variable", ROLE_CLASS, 0, NULL},
	{"torch", "Tensor", ROLE_CLASS, 0, NULL},
	{MULTIARRAY, "_reconstruct", ROLE_ARRAY, 0, NULL},
	{MULTIARRAY, "scalar", ROLE_SCALAR, 0, NULL},
	{"numpy.core.numeric", "_frombuffer", ROLE_BUFFER_ARRAY, 0, NULL},
	{"numpy.ma.core", "_mareconstruct", ROLE_MASKED, 0, NULL},
	{"numpy", "dtype", ROLE_LEAF, 0, NULL},
	{"torch.jit._pickle", "build_intlist", ROLE_ALIAS, 0, NULL},
	{"torch.jit._pickle", "build_doublelist", ROLE_ALIAS, 0, NULL},
	{"torch.jit._pickle", "build_boollist", ROLE_ALIAS, 0, NULL},
	{"torch.jit._pickle", "build_tensorlist", ROLE_ALIAS, 0, NULL},
	{"torch.jit._pickle", "restore_type_tag", ROLE_ALIAS, 0, NULL},
	{"collections", "OrderedDict", ROLE_DICT, 0, NULL},
	{"collections", "defaultdict", ROLE_DICT, 0, NULL},
	{"collections", "Counter", ROLE_DICT, 0, NULL},
	{"builtins", "dict", ROLE_DICT, 0, NULL},
	{"copyreg", "_reconstructor", ROLE_RECONSTRUCT, 0, NULL},
	{"_codecs", "encode", ROLE_BYTES, 0, NULL},
	{"builtins", "bytes", ROLE_BYTES, 0, NULL},
	{"builtins", "bytearray", ROLE_BYTES, 0, NULL},
	{"builtins", "set", ROLE_LEAF, 0, NULL},
	{"builtins", "frozenset", ROLE_LEAF, 0, NULL},
	{"builtins", "complex", ROLE_LEAF, 0, NULL},
	{"builtins", "slice", ROLE_LEAF, 0, NULL},
	{"builtins", "range", ROLE_LEAF, 0, NULL},
	{"builtins", "getattr", ROLE_LEAF, 0, NULL}, /* Enum members in Python 3.11 */
	{"torch", "Size", ROLE_LEAF, 0, NULL},
	{"torch", "device", ROLE_LEAF, 0, NULL},
	{"torch.serialization", "_get_layout", ROLE_LAYOUT, 0, NULL},
	{"datetime", NULL, ROLE_LEAF, 0, NULL},
	{"pathlib", NULL, ROLE_LEAF, 0, NULL},
	{"pathlib._local", NULL, ROLE_LEAF, 0, NULL},
	{"decimal", "Decimal", ROLE_LEAF, 0, NULL},
	{"fractions", "Fraction", ROLE_LEAF, 0, NULL},
	{"re", "_compile", ROLE_LEAF, 0, NULL},
};

/* clang-format on */

static const struct call_row unknown_row = {"", "", ROLE_UNKNOWN, 0, NULL};
static const struct call_row tensor_class_row = {"torch", "FloatTensor", ROLE_CLASS, 0, NULL};
static const struct call_row storage_row = {"torch", "Storage", ROLE_TENSOR, 0, rebuild_storage};
static const struct call_row state_row = {UTILS, "_rebuild_tensor", ROLE_TENSOR, 0, rebuild_v2};

static struct str replace_head(struct str s, struct str old, const char *new, char tmp[128])
{
	int n = snprintf(tmp, 128, "%s%.*s", new, (int)(s.n - old.n), s.p + old.n);

	return n < 0 || n >= 128 ? s : (struct str){tmp, (size_t)n};
}

struct str modern_module(struct str m, char tmp[128])
{
	static const char *const head[][2] = {
			{"__builtin__", "builtins"},
			{"copy_reg", "copyreg"},
			{"torch.tensor", "torch._tensor"},
			{"torch.nn.Parameter", "torch.nn.parameter"},
			{"commands", "subprocess"},
	};

	if (str_starts(m, STR("numpy._core")) && m.n < 100)
		return replace_head(m, STR("numpy._core"), "numpy.core", tmp);
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		if (str_is(m, head[i][0]))
			return str_of(head[i][1]);
	return m;
}

/* torch.FloatTensor, torch.cuda.HalfTensor, torch.sparse.FloatTensor */
static bool is_tensor_class(struct str module, struct str name)
{
	return str_ends(name, STR("Tensor")) && name.n > 6 &&
	       (str_is(module, "torch") || str_is(module, "torch.cuda") ||
			       str_is(module, "torch.sparse"));
}

static const struct call_row *find_row(struct str module, struct str name)
{
	char tmp[128];

	module = modern_module(module, tmp);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_is(module, rows[i].module) && (!rows[i].name || str_is(name, rows[i].name)))
			return &rows[i];
	return is_tensor_class(module, name) ? &tensor_class_row : &unknown_row;
}

/* Rows are kept by number; these three stand for numbers beyond the table. */
static const struct call_row *row_at(uint32_t i)
{
	if (i == 0)
		return &unknown_row;
	return i == 1 ? &tensor_class_row : &rows[i - 2];
}

static uint32_t row_number(const struct call_row *row)
{
	if (row == &unknown_row)
		return 0;
	return row == &tensor_class_row ? 1 : (uint32_t)(row - rows) + 2;
}

const struct call_row *role_of(struct loader *l, oref callable)
{
	struct str module, name;
	const struct call_row *row;
	oref cls = persid_class(l, callable);
	uint32_t at;

	if (cls != OREF_NIL)
		callable = cls;
	if (u32map_get(&l->roles, callable, &at))
		return row_at(at);
	if (!obj_global(l->g, callable, &module, &name))
		return &unknown_row;
	row = find_row(module, name);
	u32map_set(&l->roles, callable, row_number(row)); /* a cache: failing costs time only */
	return row;
}

struct str dotted_name(struct loader *l, oref global)
{
	struct str module, name, out = STR("");
	size_t n;
	char *p;

	if (!obj_global(l->g, global, &module, &name) ||
			__builtin_add_overflow(module.n, name.n + 2, &n))
		return out;
	p = arena_bytes(&l->m->arena, n);
	if (!p)
		return out;
	if (module.n)
		memcpy(p, module.p, module.n);
	p[module.n] = '.';
	if (name.n)
		memcpy(p + module.n + 1, name.p, name.n);
	p[n - 1] = 0;
	return (struct str){p, n - 1};
}

static void set_grad(const struct loader *l, struct call *k, oref r)
{
	int64_t v;

	if (k->grad < 0 && obj_int(l->g, r, &v))
		k->grad = v != 0;
}

/* Makes the call look at object r. */
static void look_at(struct loader *l, struct call *k, oref r)
{
	k->obj = r;
	k->fn = k->args = OREF_NIL;
	k->row = &unknown_row;
	if (obj_kind(l->g, r) == OBJ_KIND_PERSID && !l->tensors_by_id &&
			persid_class(l, r) == OREF_NIL)
		k->row = &storage_row;
	if (obj_call(l->g, r, &k->fn, &k->args))
		k->row = role_of(l, k->fn);
	if (k->state == OREF_NIL || !k->wrapped)
		k->state = obj_state(l->g, r);
}

static void wrong_args(struct call *k, const char *why)
{
	k->broken = why;
	k->wrapped = true;
	k->row = &unknown_row;
}

static void peel_parameter(struct loader *l, struct call *k)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 2, &n);

	if (!at)
		return wrong_args(k, "_rebuild_parameter has too few arguments");
	k->wrapped = true;
	k->flags |= TENSOR_PARAMETER;
	set_grad(l, k, at[1]);
	look_at(l, k, at[0]);
}

static void peel_device(struct loader *l, struct call *k)
{
	struct str device;
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);

	if (!at)
		return wrong_args(
				k, "_rebuild_device_tensor_from_cpu_tensor has too few arguments");
	k->wrapped = true;
	if (!k->device.n && obj_text(l->g, at[2], &device))
		k->device = device;
	set_grad(l, k, at[3]);
	look_at(l, k, at[0]);
}

/* Plain classes are no subclasses: Parameter and Buffer are flags. */
static void set_class(struct loader *l, struct call *k, oref type)
{
	struct str module, name;

	if (k->cls.n || !obj_global(l->g, type, &module, &name))
		return;
	if (str_is(module, "torch") && str_is(name, "Tensor"))
		return;
	if (str_is(module, "torch.nn.parameter") && str_is(name, "Parameter"))
		k->flags |= TENSOR_PARAMETER;
	else if (str_is(module, "torch.nn.parameter") && str_is(name, "Buffer"))
		k->flags |= TENSOR_BUFFER;
	else {
		k->cls = dotted_name(l, type);
		k->flags |= TENSOR_SUBCLASS;
	}
}

static void peel_from_type(struct loader *l, struct call *k)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);
	oref fn, args, state;

	if (!at)
		return wrong_args(k, "_rebuild_from_type has too few arguments");
	fn = at[0], args = at[2], state = at[3];
	set_class(l, k, at[1]);
	k->wrapped = true;
	k->state = state;
	k->obj = OREF_NIL;
	k->fn = fn;
	k->args = args;
	k->row = role_of(l, fn);
}

/* Parameter(tensor, requires_grad), or a class whose state is (storage, offset, size, stride), or
 * the five of an old Variable: (data, _, hooks, requires_grad, _). */
static void peel_class(struct loader *l, struct call *k)
{
	uint32_t n = 0, n_args = 0;
	oref state = k->obj == OREF_NIL ? OREF_NIL : obj_state(l->g, k->obj);
	const oref *at = args_of(l, state, 4, &n), *args = args_of(l, k->args, 1, &n_args);

	if (k->row->variant == 1)
		k->flags |= TENSOR_PARAMETER;
	k->wrapped = true;
	if (at && n == 4) {
		k->row = &state_row;
		k->args = state;
	} else if (at && n == 5) {
		set_grad(l, k, at[3]);
		look_at(l, k, at[0]);
	} else if (args) {
		if (n_args > 1)
			set_grad(l, k, args[1]);
		look_at(l, k, args[0]);
	} else {
		wrong_args(k, "the state of this tensor class is not known");
	}
}

static void peel_once(struct loader *l, struct call *k)
{
	uint32_t n;
	const oref *at;

	if (k->row->role == ROLE_CLASS)
		return peel_class(l, k);
	if (k->row->role == ROLE_ALIAS) {
		at = args_of(l, k->args, 1, &n);
		if (at)
			return look_at(l, k, at[0]);
		k->row = &unknown_row;
		return;
	}
	if (k->row->variant == WRAP_PARAMETER)
		return peel_parameter(l, k);
	if (k->row->variant == WRAP_DEVICE)
		return peel_device(l, k);
	peel_from_type(l, k);
}

void peel(struct loader *l, oref r, struct call *ret)
{
	struct call k = {.grad = -1, .state = OREF_NIL, .cls = STR(""), .device = STR("")};
	unsigned wrappers = 0;
	oref cls;

	look_at(l, &k, r);
	while (k.row->role == ROLE_WRAPPER || k.row->role == ROLE_CLASS ||
			k.row->role == ROLE_ALIAS) {
		if (++wrappers > MAX_WRAPPERS) {
			wrong_args(&k, "more than 64 wrappers stand around it");
			break;
		}
		peel_once(l, &k);
	}
	cls = persid_class(l, k.obj);
	if (cls != OREF_NIL)
		k.obj = cls;
	*ret = k;
}
