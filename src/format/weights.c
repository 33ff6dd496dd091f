/* weights.c - the names that torch.load(weights_only=True) knows, and what each is there.
 *
 * torch compares "module.name" as one text, after giving modules of Python 2 their new names; where
 * the module ends does not matter ("torch.nn" "parameter.Parameter" is as good). The list is that
 * of torch 2.13: tests/oracle/weights_only.py holds this file against the torch that is installed,
 * name by name. (formats/pickle.md section 5, formats/torch-objects.md section 5)
 *
 * What it is decides what else may happen to it: functions and classes are called, storage
 * classes and dtypes are only named; an OrderedDict takes items, a set does not.
 */
#include <pthfs/format.h>

#include <string.h>

#include <pthfs/cleanup.h>

#define LONGEST 96 /* no name on the list is as long */

static const struct {
	const char *name;
	enum weights_name is;
} names[] = {
		{"_codecs.encode", WEIGHTS_FUNCTION},
		{"builtins.bytearray", WEIGHTS_BYTEARRAY},
		{"builtins.complex", WEIGHTS_CLASS},
		{"builtins.set", WEIGHTS_SET},
		{"collections.Counter", WEIGHTS_COUNTER},
		{"collections.OrderedDict", WEIGHTS_ODICT},
		{"torch.Size", WEIGHTS_CLASS},
		{"torch.Tensor", WEIGHTS_TENSOR},
		{"torch.device", WEIGHTS_CLASS},
		{"torch.nn.parameter.Parameter", WEIGHTS_PARAMETER},
		{"torch.serialization._get_layout", WEIGHTS_FUNCTION},
		{"torch.storage.TypedStorage", WEIGHTS_CLASS},
		{"torch.storage.UntypedStorage", WEIGHTS_UNTYPED},
		{"torch._tensor._rebuild_from_type_v2", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_device_tensor_from_cpu_tensor", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_device_tensor_from_numpy", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_meta_tensor_no_storage", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_nested_tensor", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_parameter", WEIGHTS_MAKE_PARAMETER},
		{"torch._utils._rebuild_parameter_with_state", WEIGHTS_MAKE_PARAMETER},
		{"torch._utils._rebuild_qtensor", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_sparse_tensor", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_tensor", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_tensor_v2", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_tensor_v3", WEIGHTS_MAKE_TENSOR},
		{"torch._utils._rebuild_wrapper_subclass", WEIGHTS_MAKE_TENSOR},
};

static const char *const values[] = {
		"bfloat16", "bits16", "bits1x8", "bits2x4", "bits4x2", "bits8", "bool", "complex128",
		"complex32", "complex64", "float16", "float32", "float4_e2m1fn_x2", "float64",
		"float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
		"float8_e8m0fnu", "int1", "int16", "int2", "int3", "int32", "int4", "int5", "int6",
		"int64", "int7", "int8", "per_channel_affine", "per_channel_affine_float_qparams",
		"per_channel_symmetric", "per_tensor_affine", "per_tensor_symmetric", "qint32",
		"qint8", "quint2x4", "quint4x2", "quint8", "uint1", "uint16", "uint2", "uint3",
		"uint32", "uint4", "uint5", "uint6", "uint64", "uint7", "uint8",
};

/* Of classes "torch.FloatStorage", "torch.cuda.sparse.FloatTensor". */
static const char *const types[] = {"BFloat16", "Bool", "Byte", "Char", "Double", "Float", "Half",
		"Int", "Long", "Short"};
static const char *const more_storages[] = {"ComplexDouble", "ComplexFloat"};
static const char *const quantized[] = {"QInt32", "QInt8", "QUInt2x4", "QUInt4x2", "QUInt8"};

static bool among(const char *const *list, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(s, list[i]))
			return true;
	return false;
}

static bool take_prefix(struct str *s, const char *prefix)
{
	if (!str_starts(*s, str_of(prefix)))
		return false;
	*s = str_skip(*s, strlen(prefix));
	return true;
}

/* s: what follows "torch." */
static enum weights_name class_name(struct str s)
{
	bool cuda = take_prefix(&s, "cuda."), sparse = take_prefix(&s, "sparse.");
	struct str type;

	if (str_ends(s, STR("Tensor"))) {
		type = str_cut(s, s.n - 6);
		if (sparse && str_is(type, "Bool"))
			return WEIGHTS_NOT;
		return among(types, ARRAY_SIZE(types), type) ? WEIGHTS_TENSOR : WEIGHTS_NOT;
	}
	if (sparse || !str_ends(s, STR("Storage")))
		return WEIGHTS_NOT;
	type = str_cut(s, s.n - 7);
	if (among(types, ARRAY_SIZE(types), type) ||
			among(more_storages, ARRAY_SIZE(more_storages), type) ||
			(!cuda && among(quantized, ARRAY_SIZE(quantized), type)))
		return WEIGHTS_STORAGE;
	return WEIGHTS_NOT;
}

/* Python 2's modules that Python 3 has under another name, as far as the list reaches. */
static struct str new_module(struct str m)
{
	if (str_is(m, "__builtin__"))
		return STR("builtins");
	if (str_is(m, "UserDict") || str_is(m, "UserList") || str_is(m, "UserString"))
		return STR("collections");
	return m;
}

enum weights_name weights_name(struct str module, struct str name)
{
	char full[LONGEST];
	struct str s = {full, 0}, m = new_module(module);

	if (m.n + 1 + name.n > sizeof full)
		return WEIGHTS_NOT;
	memcpy(full, m.p, m.n);
	full[m.n] = '.';
	if (name.n)
		memcpy(full + m.n + 1, name.p, name.n);
	s.n = m.n + 1 + name.n;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_is(s, names[i].name))
			return names[i].is;
	if (!take_prefix(&s, "torch."))
		return WEIGHTS_NOT;
	return among(values, ARRAY_SIZE(values), s) ? WEIGHTS_VALUE : class_name(s);
}
