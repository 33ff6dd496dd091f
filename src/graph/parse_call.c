/* parse_call.c - the text of values that are symbols or calls, back into their spelling.
 *
 *	torch.float16                     GLOBAL torch.float16
 *	cuda:1                            torch.device('cuda', 1)
 *	0.001 (a numpy scalar)            numpy.core.multiarray.scalar(dtype, bytes)
 *	/a/b                              pathlib.PosixPath('/a/b')
 *
 * The callable, and of a numpy scalar the dtype with its byte order, are those that were there.
 * A number has to fit its dtype; floats are rounded to the nearest one, as numpy does.
 * Follows formats/torch-objects.md sections 3 and 10.
 *
 * Not done: everything else (functions, classes, dates, complex numbers, text and dates of numpy),
 * which is kept as it is: ERR_UNSUPPORTED.
 */
#include <math.h>
#include <stdio.h>

#include <pthfs/print.h>

#include "node.h"
#include "parse_in.h"
#include "pybuiltin.h"

/* --- symbols ---------------------------------------------------------------------------------- */

static bool is_dtype_name(struct str s)
{
	static const char *const names[] = {"float32", "float64", "float16", "bfloat16", "int8",
			"int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
			"complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e4m3fnuz",
			"float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
			"qint8", "quint8", "qint32", "quint4x2", "quint2x4", "bits1x8", "bits2x4",
			"bits4x2", "bits8", "bits16", "uint1", "uint2", "uint3", "uint4", "uint5",
			"uint6", "uint7", "int1", "int2", "int3", "int4", "int5", "int6", "int7"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(s, names[i]))
			return true;
	return false;
}

static int parse_dtype(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	struct str module = STR("torch."), name = str_skip(s, module.n);
	oref part[2];

	if (!str_starts(s, module) || !is_dtype_name(name))
		return parse_wrong(s, "a dtype as torch.float32, as it was", e);
	part[0] = obj_new_text(g, OBJ_KIND_STR, STR("torch"), MADE);
	part[1] = obj_new_text(g, OBJ_KIND_STR, name, MADE);
	if (part[0] == OREF_NIL || part[1] == OREF_NIL)
		return err_nomem(e);
	return parse_made(obj_new_global(g, part[0], part[1], MADE), ret, e);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* The same callable with other arguments. */
static int call_again(struct graph *g, oref was, const oref *args, uint32_t n, oref *ret,
		struct err *e)
{
	oref callable = OREF_NIL, old, tuple = obj_new_seq(g, OBJ_KIND_TUPLE, args, n, MADE);

	if (tuple == OREF_NIL)
		return err_nomem(e);
	obj_call(g, was, &callable, &old);
	return parse_made(obj_new_call(g, obj_kind(g, was), callable, tuple, MADE), ret, e);
}

static bool is_device_type(struct str s)
{
	static const char *const types[] = {"cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl",
			"opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy", "vulkan",
			"mps", "meta", "hpu", "mtia", "privateuseone"};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (str_is(s, types[i]))
			return true;
	return false;
}

/* "type" or "type:index"; an index is at most 127 (torch's DeviceIndex). */
static int parse_device(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
	struct str type = colon ? str_cut(s, (size_t)(colon - s.p)) : s;
	struct str index = colon ? str_skip(s, type.n + 1) : STR("0");
	oref args[2] = {OREF_NIL, OREF_NIL};
	int64_t i = -1;
	int rc;

	if (!is_device_type(type) || !text_is_int(index) || index.n > 3 || index.p[0] < '0' ||
			(index.n > 1 && index.p[0] == '0'))
		return parse_wrong(s, "a device as cpu or cuda:1, as it was", e);
	rc = parse_int(g, OREF_NIL, index, &args[1], e);
	if (rc < 0)
		return rc;
	if (!obj_int(g, args[1], &i) || i > 127)
		return parse_wrong(s, "a device with an index of at most 127", e);
	args[0] = obj_new_text(g, OBJ_KIND_STR, type, MADE);
	if (args[0] == OREF_NIL)
		return err_nomem(e);
	return call_again(g, was, args, colon ? 2 : 1, ret, e);
}

static int parse_path(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	oref arg;

	if (!str_utf8(s) || (s.n && memchr(s.p, 0, s.n)))
		return parse_wrong(s, "a path in UTF-8", e);
	arg = obj_new_text(g, OBJ_KIND_STR, s, MADE);
	return arg == OREF_NIL ? err_nomem(e) : call_again(g, was, &arg, 1, ret, e);
}

static int unsupported(const struct graph *g, oref r, struct err *e)
{
	struct buf type;

	buf_init(&type, 200);
	obj_type_name(g, r, &type);
	err_set(e, ERR_UNSUPPORTED,
			"a value of type %s cannot be written as text: it stays as it was",
			STR_SHOW(buf_view(&type)));
	buf_release(&type);
	return ERR_UNSUPPORTED;
}

int parse_call(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	struct str module, name;

	if (py_is_dtype(g, was))
		return parse_dtype(g, was, s, ret, e);
	if (is_numpy_scalar(g, was))
		return parse_numpy(g, was, s, ret, e);
	if (!py_class_name(g, was, &module, &name))
		return unsupported(g, was, e);
	if (str_is(module, "torch") && str_is(name, "device"))
		return parse_device(g, was, s, ret, e);
	if ((str_is(module, "pathlib") || str_is(module, "pathlib._local")) &&
			str_ends(name, STR("Path")))
		return parse_path(g, was, s, ret, e);
	return unsupported(g, was, e);
}

/* --- numpy scalars ---------------------------------------------------------------------------- */

struct scalar {
	char kind; /* b, i, u or f */
	unsigned size;
	bool big;
	oref dtype, bytes;
};

static bool scalar_type(const struct graph *g, oref dtype, struct scalar *ret)
{
	struct str text, order;
	const oref *args, *state;
	uint32_t n, n_args;

	if (!obj_is_global(g, py_class(g, dtype), "numpy", "dtype") ||
			!py_plain_args(g, dtype, &args, &n_args) || !n_args ||
			!obj_text(g, args[0], &text) || text.n != 2 ||
			!memchr("biuf", text.p[0], 4) || !memchr("1248", text.p[1], 4))
		return false;
	ret->kind = text.p[0];
	ret->size = (unsigned)(text.p[1] - '0');
	state = obj_items(g, obj_state(g, dtype), &n);
	ret->big = n > 1 && obj_text(g, state[1], &order) && str_is(order, ">");
	return !(ret->kind == 'b' && ret->size != 1) && !(ret->kind == 'f' && ret->size == 1);
}

static bool scalar_of(const struct graph *g, oref r, struct scalar *ret)
{
	oref callable = py_class(g, r);
	const oref *args;
	uint32_t n;

	if (!obj_is_global(g, callable, "numpy.core.multiarray", "scalar") &&
			!obj_is_global(g, callable, "numpy._core.multiarray", "scalar"))
		return false;
	if (!py_plain_args(g, r, &args, &n) || n != 2)
		return false;
	ret->dtype = args[0];
	ret->bytes = args[1];
	return scalar_type(g, ret->dtype, ret);
}

bool is_numpy_scalar(const struct graph *g, oref r)
{
	struct scalar s;

	return scalar_of(g, r, &s);
}

/* The nearest float16, ties to even; inf for what is too large. */
static uint64_t half_bits(double v)
{
	uint64_t sign = signbit(v) ? 0x8000 : 0, bits;
	double f;
	int exp = 0;

	v = fabs(v);
	if (isnan(v))
		return sign | 0x7e00;
	if (v < 0x1p-14)
		return sign | (uint64_t)rint(ldexp(v, 24));
	f = isinf(v) ? 0.5 : frexp(v, &exp);
	if (isinf(v) || exp > 16)
		return sign | 0x7c00;
	/* What is rounded up to 2048 carries into the exponent. */
	bits = ((uint64_t)(exp - 1 + 15) << 10) + (uint64_t)rint(ldexp(f, 11)) - 1024;
	return sign | bits;
}

static bool is_inf(uint64_t bits, unsigned size)
{
	return size == 2 ? (bits & 0x7fff) == 0x7c00 : (bits & 0x7fffffff) == 0x7f800000;
}

/* The bits of a float of this size; false when it is too large. */
static bool float_bits(double v, unsigned size, uint64_t *ret)
{
	uint32_t word;
	float single;

	if (size == 8) {
		memcpy(ret, &v, sizeof v);
		return true;
	}
	single = (float)v;
	memcpy(&word, &single, sizeof word);
	*ret = size == 2 ? half_bits(v) : word;
	return isinf(v) || !is_inf(*ret, size);
}

/* A whole number within the bounds of its type. */
static bool int_bits(struct str s, const struct scalar *t, uint64_t *ret)
{
	bool minus = s.p[0] == '-';
	unsigned bits = 8 * t->size;
	uint64_t v = 0, most = UINT64_MAX >> (64 - bits);

	if (t->kind == 'i')
		most = (most >> 1) + minus;
	else if (minus)
		most = 0;
	for (size_t i = s.p[0] == '-' || s.p[0] == '+'; i < s.n; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
				__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v) || v > most)
			return false;
	*ret = minus ? -v : v;
	return true;
}

static int scalar_bits(struct str s, const struct scalar *t, uint64_t *ret, struct err *e)
{
	char what[80];
	const char *name = t->kind == 'b' ? "bool" : t->kind == 'i' ? "int" : "uint";
	bool fits = true;
	oref truth;
	double v;
	int rc;

	snprintf(what, sizeof what, "a numpy %s%u, as it was", t->kind == 'f' ? "float" : name,
			8 * t->size);
	if (t->kind == 'b' && parse_bool(s, &truth)) {
		*ret = truth == OBJ_TRUE;
	} else if (t->kind == 'f' && text_is_float(s)) {
		rc = text_float(s, &v, e);
		if (rc < 0)
			return rc;
		fits = float_bits(v, t->size, ret);
	} else if (t->kind != 'b' && t->kind != 'f' && text_is_int(s)) {
		fits = int_bits(s, t, ret);
	} else {
		return parse_wrong(s, what, e);
	}
	if (!fits)
		return err_set(e, ERR_INVALID, "%s does not fit %s", STR_SHOW(s), what);
	return 0;
}

static bool is_nan_of(uint64_t bits, const struct scalar *t)
{
	unsigned frac = t->size == 2 ? 10 : t->size == 4 ? 23 : 52;
	uint64_t all = UINT64_MAX >> (64 - 8 * t->size) >> 1;

	return t->kind == 'f' && (bits & all) > (all >> frac << frac);
}

static void put_bits(uint64_t bits, const struct scalar *t, unsigned char out[8])
{
	for (unsigned i = 0; i < t->size; i++)
		out[t->big ? t->size - 1 - i : i] = (unsigned char)(bits >> 8 * i);
}

static uint64_t get_bits(const unsigned char in[8], const struct scalar *t)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < t->size; i++)
		bits |= (uint64_t)in[t->big ? t->size - 1 - i : i] << 8 * i;
	return bits;
}

int parse_numpy(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	unsigned char made[8], old[8];
	struct scalar t;
	uint64_t bits = 0;
	oref args[2];
	size_t n;
	int rc;

	if (!scalar_of(g, was, &t))
		return unsupported(g, was, e);
	rc = scalar_bits(s, &t, &bits, e);
	if (rc < 0)
		return rc;
	put_bits(bits, &t, made);
	if (py_small_bytes(g, t.bytes, old, sizeof old, &n) && n == t.size &&
			(memcmp(made, old, n) == 0 ||
					(is_nan_of(bits, &t) && is_nan_of(get_bits(old, &t), &t)))) {
		*ret = was;
		return 0;
	}
	args[0] = t.dtype;
	args[1] = obj_new_text(g, OBJ_KIND_BYTES, (struct str){(char *)made, t.size}, MADE);
	return args[1] == OREF_NIL ? err_nomem(e) : call_again(g, was, args, 2, ret, e);
}
