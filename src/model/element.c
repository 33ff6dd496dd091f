/* element.c - one element as a number, for people: the narrow float types decoded by hand.
 * (formats/torch-objects.md section 2 for the list of types)
 */
#include <pthfs/content.h>

#include <inttypes.h>
#include <math.h>
#include <pthfs/json.h>
#include <stdio.h>
#include <string.h>

/* A small binary float: exponent and mantissa bits, bias, and what the top exponent means. */
struct small_float {
	int exp_bits, man_bits, bias;
	bool has_inf; /* all-ones exponent is Inf and NaN; otherwise only the `nan` codes are */
	int nan;      /* code (sign cleared) that is NaN; -1: none; -2: 0x80 alone is */
};

static double small_to_double(uint32_t bits, const struct small_float *f)
{
	uint32_t man = bits & ((1u << f->man_bits) - 1);
	uint32_t exp = bits >> f->man_bits & ((1u << f->exp_bits) - 1);
	uint32_t sign = bits >> (f->man_bits + f->exp_bits) & 1;
	uint32_t code = bits & ((1u << (f->man_bits + f->exp_bits)) - 1);
	double v;
	if ((f->nan >= 0 && code == (uint32_t)f->nan) || (f->nan == -2 && sign && !code))
		return NAN;
	if (f->has_inf && exp == (1u << f->exp_bits) - 1)
		v = man ? NAN : INFINITY;
	else if (exp == 0)
		v = ldexp(man, 1 - f->bias - f->man_bits);
	else
		v = ldexp(man | 1u << f->man_bits, (int)exp - f->bias - f->man_bits);
	return sign ? -v : v;
}

static const struct small_float half = {5, 10, 15, true, -1};
static const struct small_float e5m2 = {5, 2, 15, true, -1};
static const struct small_float e4m3fn = {4, 3, 7, false, 0x7f};
static const struct small_float e5m2fnuz = {5, 2, 16, false, -2};
static const struct small_float e4m3fnuz = {4, 3, 8, false, -2};

static double bfloat16_to_double(uint16_t bits)
{
	uint32_t wide = (uint32_t)bits << 16;
	float f;
	memcpy(&f, &wide, sizeof f);
	return f;
}

static uint16_t u16_at(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static float f32_at(const void *p)
{
	float v;
	memcpy(&v, p, sizeof v);
	return v;
}

static double f64_at(const void *p)
{
	double v;
	memcpy(&v, p, sizeof v);
	return v;
}

bool element_float(enum dtype dt, const void *p, double *ret)
{
	uint8_t byte = *(const uint8_t *)p;
	switch (dt) {
	case DTYPE_FLOAT16:
		*ret = small_to_double(u16_at(p), &half);
		return true;
	case DTYPE_BFLOAT16:
		*ret = bfloat16_to_double(u16_at(p));
		return true;
	case DTYPE_FLOAT32:
		*ret = f32_at(p);
		return true;
	case DTYPE_FLOAT64:
		*ret = f64_at(p);
		return true;
	case DTYPE_FLOAT8_E5M2:
		*ret = small_to_double(byte, &e5m2);
		return true;
	case DTYPE_FLOAT8_E4M3FN:
		*ret = small_to_double(byte, &e4m3fn);
		return true;
	case DTYPE_FLOAT8_E5M2FNUZ:
		*ret = small_to_double(byte, &e5m2fnuz);
		return true;
	case DTYPE_FLOAT8_E4M3FNUZ:
		*ret = small_to_double(byte, &e4m3fnuz);
		return true;
	case DTYPE_FLOAT8_E8M0FNU:
		*ret = byte == 0xff ? NAN : ldexp(1, byte - 127);
		return true;
	default:
		return false;
	}
}

static bool element_int(enum dtype dt, const void *p, int64_t *ret)
{
	const struct dtype_info *d = dtype_info(dt);
	uint64_t bits = 0;
	if (!(d->flags & DT_INT) || d->size > 8)
		return false;
	memcpy(&bits, p, d->size); /* little-endian hosts; others shift it down */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bits >>= 64 - 8 * d->size;
#endif
	unsigned unused = 64 - 8 * d->size;
	*ret = d->flags & DT_SIGNED ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
	return true;
}

/* The shortest digits that read back as this float32: 0.1, not 0.10000000149011612. */
static void put_f32(float f, struct buf *out)
{
	char text[32];
	if (!isfinite(f) || f == 0) {
		buf_puts(out, float_repr(f, text));
		return;
	}
	for (int digits = 1; digits <= 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, (double)f);
		if (strtof(text, NULL) == f)
			break;
	}
	buf_puts(out, float_repr(strtod(text, NULL), text));
}

static void put_complex(double re, double im, bool single, struct buf *out)
{
	char text[32];
	if (single)
		put_f32((float)re, out);
	else
		buf_puts(out, float_repr(re, text));
	buf_puts(out, signbit(im) ? "" : "+");
	if (single)
		put_f32((float)im, out);
	else
		buf_puts(out, float_repr(im, text));
	buf_putc(out, 'j');
}

void element_text(enum dtype dt, const void *p, struct buf *out)
{
	const struct dtype_info *d = dtype_info(dt);
	const char *half_way = (const char *)p + d->size / 2;
	char text[32];
	int64_t i;
	double f;
	if (dt == DTYPE_FLOAT32)
		put_f32(f32_at(p), out);
	else if (element_float(dt, p, &f))
		buf_puts(out, float_repr(f, text));
	else if (dt == DTYPE_COMPLEX64)
		put_complex(f32_at(p), f32_at(half_way), true, out);
	else if (dt == DTYPE_COMPLEX128)
		put_complex(f64_at(p), f64_at(half_way), false, out);
	else if (dt == DTYPE_COMPLEX32)
		put_complex(small_to_double(u16_at(p), &half), small_to_double(u16_at(half_way), &half),
				true, out);
	else if (dt == DTYPE_BOOL)
		buf_puts(out, *(const uint8_t *)p ? "True" : "False");
	else if (dt == DTYPE_UINT64 && element_int(dt, p, &i))
		buf_printf(out, "%" PRIu64, (uint64_t)i);
	else if (element_int(dt, p, &i))
		buf_printf(out, "%" PRId64, i);
	else
		for (unsigned k = 0; k < d->size; k++)
			buf_printf(out, "%02x", ((const uint8_t *)p)[k]);
}
