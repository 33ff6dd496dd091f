/* decode.c - elements of every dtype to double, fast. (formats/torch-objects.md section 2)
 *
 * One loop a dtype, over groups of a fixed count: gcc -O2 and clang turn those into vector code
 * without an epilogue. Half precision is widened by moving its bits into a float and multiplying by
 * 2^112, which also gets its denormals right; bfloat16 is the upper half of a float. The one-byte
 * floats go through a table that element_float() fills, so that there is one definition of them. The
 * modulus of complex numbers is the card's (modulus.h), to the last bit.
 *
 * The input is native byte order, as content_tensor() delivers it.
 */
#include <pthfs/decode.h>

#include <string.h>

#include "modulus.h"

static inline float float_of_bits(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof f);
	return f;
}

static inline uint32_t bits_of_float(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof bits);
	return bits;
}

static inline double bfloat16_at(uint16_t h)
{
	return float_of_bits((uint32_t)h << 16);
}

static inline double half_at(uint16_t h)
{
	float small = float_of_bits((uint32_t)(h & 0x7fff) << 13); /* the value * 2^-112 */
	uint32_t bits = bits_of_float(small * 0x1p112f);

	bits |= (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0; /* Inf and NaN stay what they are */
	return float_of_bits(bits | (uint32_t)(h & 0x8000) << 16);
}

#define DECODER(name, type, value)                                                                 \
	static void name(const struct decoder *d, const void *restrict raw, size_t n,              \
			double *restrict out)                                                      \
	{                                                                                          \
		const type *restrict in = raw;                                                     \
                                                                                                   \
		for (size_t g = 0; g < n; g += DECODE_GROUP)                                       \
			for (size_t k = g; k < g + DECODE_GROUP; k++)                              \
				out[k] = (value);                                                  \
	}

DECODER(decode_u8, uint8_t, in[k])
DECODER(decode_i8, int8_t, in[k])
DECODER(decode_u16, uint16_t, in[k])
DECODER(decode_i16, int16_t, in[k])
DECODER(decode_u32, uint32_t, in[k])
DECODER(decode_i32, int32_t, in[k])
DECODER(decode_u64, uint64_t, (double)in[k])
DECODER(decode_i64, int64_t, (double)in[k])
DECODER(decode_half, uint16_t, half_at(in[k]))
DECODER(decode_bfloat16, uint16_t, bfloat16_at(in[k]))
DECODER(decode_f32, float, in[k])
DECODER(decode_f64, double, in[k])
DECODER(decode_table, uint8_t, d->table[in[k]])
DECODER(decode_chalf, uint16_t, modulus_narrow(half_at(in[2 * k]), half_at(in[2 * k + 1])))
DECODER(decode_cfloat, float, modulus_narrow(in[2 * k], in[2 * k + 1]))
DECODER(decode_cdouble, double, modulus(in[2 * k], in[2 * k + 1]))
DECODER(decode_raw8, uint8_t, in[k] != 0)
DECODER(decode_raw16, uint16_t, in[k] != 0)

static decode_fn *const by_dtype[DTYPE_COUNT] = {
	[DTYPE_UINT8] = decode_u8,
	[DTYPE_INT8] = decode_i8,
	[DTYPE_INT16] = decode_i16,
	[DTYPE_INT32] = decode_i32,
	[DTYPE_INT64] = decode_i64,
	[DTYPE_UINT16] = decode_u16,
	[DTYPE_UINT32] = decode_u32,
	[DTYPE_UINT64] = decode_u64,
	[DTYPE_QINT8] = decode_i8,
	[DTYPE_QUINT8] = decode_u8,
	[DTYPE_QINT32] = decode_i32,
	[DTYPE_BOOL] = decode_raw8, /* any bit set is True */
	[DTYPE_FLOAT16] = decode_half,
	[DTYPE_BFLOAT16] = decode_bfloat16,
	[DTYPE_FLOAT32] = decode_f32,
	[DTYPE_FLOAT64] = decode_f64,
	[DTYPE_FLOAT8_E5M2] = decode_table,
	[DTYPE_FLOAT8_E4M3FN] = decode_table,
	[DTYPE_FLOAT8_E5M2FNUZ] = decode_table,
	[DTYPE_FLOAT8_E4M3FNUZ] = decode_table,
	[DTYPE_FLOAT8_E8M0FNU] = decode_table,
	[DTYPE_COMPLEX32] = decode_chalf,
	[DTYPE_COMPLEX64] = decode_cfloat,
	[DTYPE_COMPLEX128] = decode_cdouble,
	[DTYPE_BITS16] = decode_raw16,
};

void decoder_init(struct decoder *d, enum dtype dt)
{
	d->fn = (unsigned)dt < DTYPE_COUNT ? by_dtype[dt] : NULL;
	d->size = dtype_info(dt)->size;
	if (!d->fn) {
		d->fn = decode_raw8;
		d->size = 1;
	}
	for (unsigned k = 0; k < 256 && d->fn == decode_table; k++) {
		uint8_t byte = (uint8_t)k;

		d->table[k] = 0;
		element_float(dt, &byte, &d->table[k]);
	}
}

enum decoded decoded_kind(enum dtype dt)
{
	unsigned flags = dtype_info(dt)->flags;

	if (flags & DT_COMPLEX)
		return DECODED_MODULUS;
	if (flags & DT_SUBBYTE || !(flags & (DT_FLOAT | DT_INT | DT_BOOL)))
		return DECODED_RAW;
	return flags & DT_FLOAT ? DECODED_REAL : DECODED_WHOLE;
}
