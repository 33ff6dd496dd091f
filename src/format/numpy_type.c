/* numpy_type.c - numpy dtypes, text items, and scalars.
 *
 *	numpy.dtype('f4', False, True)
 *	    + BUILD (3, '<', sub, names, fields, itemsize, align, flags)
 *	numpy.core.multiarray.scalar(dtype, bytes)
 *
 * A scalar becomes the plain number or text it is, as a node of its own: a file shows 0.5, not a
 * call. (formats/torch-objects.md section 10)
 */
#include "numpy_type.h"

#include <math.h>
#include <string.h>

#include <pthfs/cleanup.h>

/* "f4", "U12", "V300" */
static bool parse_text(struct str text, struct npy_type *ret)
{
	uint64_t size = 0;

	if (text.n < 2 || text.n > 10 || !strchr("biufcSUVOMm", text.p[0]))
		return false;
	for (size_t i = 1; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		size = size * 10 + (uint64_t)(text.p[i] - '0');
	}
	ret->kind = text.p[0];
	ret->size = (uint32_t)(ret->kind == 'U' ? size * 4 : size);
	if (ret->kind == 'M' || ret->kind == 'm')
		ret->dtype = size == 8 ? DTYPE_INT64 : DTYPE_NONE;
	else if (strchr("biufc", ret->kind))
		ret->dtype = dtype_by_npy(text);
	return size < UINT32_MAX / 4;
}

/* numpy.dtype(numpy.record, ...): the size of an item stands in the state only. */
static bool record_type(struct loader *l, oref state, struct npy_type *ret)
{
	uint32_t n;
	const oref *at = args_of(l, state, 6, &n);
	int64_t size;

	if (!at || !obj_int(l->g, at[5], &size) || size < 0 || size > INT32_MAX)
		return false;
	*ret = (struct npy_type){.kind = 'V', .fields = true, .size = (uint32_t)size};
	return true;
}

bool npy_type_of(struct loader *l, oref r, struct npy_type *ret)
{
	struct npy_type t = {0};
	struct str text;
	oref fn, args;
	uint32_t n;
	const oref *at;
	int64_t size;

	if (!obj_call(l->g, r, &fn, &args) || !obj_is_global(l->g, fn, "numpy", "dtype"))
		return false;
	at = args_of(l, args, 1, &n);
	if (!at)
		return false;
	if (obj_is_global(l->g, at[0], "numpy", "record"))
		return record_type(l, obj_state(l->g, r), ret);
	if (!obj_text(l->g, at[0], &text) || !parse_text(text, &t))
		return false;
	at = args_of(l, obj_state(l->g, r), 4, &n);
	if (at) {
		t.big = obj_text(l->g, at[1], &text) && str_is(text, ">");
		t.fields = at[3] != OBJ_NONE;
		if (t.kind == 'V' && n > 5 && obj_int(l->g, at[5], &size) && size >= 0 &&
				size != t.size)
			return false;
	}
	*ret = t;
	return true;
}

static void put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
	} else if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(b, (char)(0xe0 | c >> 12));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | (c >> 18 & 7)));
		buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	}
}

oref npy_text(struct graph *g, const char *item, const struct npy_type *t)
{
	struct buf b;
	uint32_t n = t->size, c;
	oref r;

	if (t->kind == 'S') {
		while (n && item[n - 1] == 0)
			n--;
		return obj_new_text(g, OBJ_KIND_STR, (struct str){item, n}, UINT32_MAX);
	}
	buf_init(&b, (size_t)n + 1);
	while (n >= 4 && le32(item + n - 4) == 0)
		n -= 4;
	for (uint32_t i = 0; i + 4 <= n; i += 4) {
		c = le32(item + i);
		put_utf8(&b, t->big ? __builtin_bswap32(c) : c);
	}
	r = b.failed ? OREF_NIL : obj_new_text(g, OBJ_KIND_STR, buf_view(&b), UINT32_MAX);
	buf_release(&b);
	return r;
}

static double half_value(uint16_t h)
{
	int exp = h >> 10 & 31, frac = h & 1023;
	double v = exp == 31 ? (frac ? NAN : INFINITY)
		   : exp     ? ldexp(1024 + frac, exp - 25)
			     : ldexp(frac, -24);

	return h & 0x8000 ? -v : v;
}

/* One little-endian float of 2, 4 or 8 bytes. */
static double float_value(const unsigned char *p, unsigned size)
{
	uint32_t bits32 = le32(p);
	uint64_t bits;
	float f;
	double d;

	if (size == 2)
		return half_value(le16(p));
	if (size == 4) {
		memcpy(&f, &bits32, sizeof f);
		return f;
	}
	bits = le64(p);
	memcpy(&d, &bits, sizeof d);
	return d;
}

static oref integer_node(struct graph *g, const unsigned char *p, const struct npy_type *t)
{
	char raw[9] = {0};
	uint64_t v = 0;

	memcpy(&v, p, t->size);
	v = le64(&v);
	if (t->kind == 'i')
		return obj_new_int(g, (int64_t)(v << (64 - 8 * t->size)) >> (64 - 8 * t->size),
				UINT32_MAX);
	if (v <= INT64_MAX)
		return obj_new_int(g, (int64_t)v, UINT32_MAX);
	memcpy(raw, p, 8);
	return obj_new_text(g, OBJ_KIND_LONG, (struct str){raw, 9}, UINT32_MAX);
}

static oref complex_node(struct graph *g, const unsigned char *p, unsigned half)
{
	oref module = obj_new_text(g, OBJ_KIND_STR, STR("builtins"), UINT32_MAX);
	oref name = obj_new_text(g, OBJ_KIND_STR, STR("complex"), UINT32_MAX);
	oref part[2], fn, args;

	part[0] = obj_new_float(g, float_value(p, half), UINT32_MAX);
	part[1] = obj_new_float(g, float_value(p + half, half), UINT32_MAX);
	if (module == OREF_NIL || name == OREF_NIL || part[0] == OREF_NIL || part[1] == OREF_NIL)
		return OREF_NIL;
	fn = obj_new_global(g, module, name, UINT32_MAX);
	args = obj_new_seq(g, OBJ_KIND_TUPLE, part, 2, UINT32_MAX);
	if (fn == OREF_NIL || args == OREF_NIL)
		return OREF_NIL;
	return obj_new_call(g, OBJ_KIND_CALL, fn, args, UINT32_MAX);
}

static void reverse(unsigned char *p, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		unsigned char c = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = c;
	}
}

/* `raw` has room for 16 bytes behind the item. OREF_NIL: out of memory. */
static oref scalar_node(struct graph *g, unsigned char *raw, const struct npy_type *t, oref r)
{
	unsigned unit = t->kind == 'c' ? t->size / 2 : t->size;

	if (t->kind == 'S' || t->kind == 'U')
		return npy_text(g, (const char *)raw, t);
	if (!t->dtype || t->kind == 'M' || t->kind == 'm')
		return r;
	for (unsigned i = 0; t->big && i < t->size; i += unit)
		reverse(raw + i, unit);
	switch (t->kind) {
	case 'b':
		return raw[0] ? OBJ_TRUE : OBJ_FALSE;
	case 'i':
	case 'u':
		return integer_node(g, raw, t);
	case 'f':
		return obj_new_float(g, float_value(raw, t->size), UINT32_MAX);
	default:
		return complex_node(g, raw, unit);
	}
}

int numpy_scalar(struct loader *l, const struct call *k, oref r, oref *ret)
{
	_cleanup_(freep) unsigned char *raw = NULL;
	struct source *src = NULL;
	struct npy_type t;
	uint32_t n;
	const oref *at = args_of(l, k->args, 2, &n);
	oref made;
	int rc;

	*ret = r;
	if (!at || !npy_type_of(l, at[0], &t) || t.fields || t.size == 0 || t.size > 65536)
		return 0;
	at = args_of(l, k->args, 2, &n);
	if (obj_bytes_source(l->g, at[1], &src, NULL) < 0)
		return 0;
	raw = calloc(1, t.size + 16);
	if (!raw || src->size != t.size) {
		source_unref(src);
		return raw ? 0 : err_nomem(l->e);
	}
	rc = source_read(src, raw, t.size, 0, l->e);
	source_unref(src);
	if (rc < 0)
		return rc;
	made = scalar_node(l->g, raw, &t, r);
	if (made == OREF_NIL)
		return err_nomem(l->e);
	*ret = made;
	return 0;
}
