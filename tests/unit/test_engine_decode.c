/* Every dtype as numbers: what stats_of() sees is what element_float() and C say. */
#include "check_kit.h"

/* One element at a time through the whole engine, for every code of 8 or 16 bits. */
static void codes_agree(enum dtype dt, unsigned codes)
{
	for (unsigned code = 0; code < codes; code++) {
		uint16_t bits[1] = {(uint16_t)code};
		struct stats s = kit_stats(dt, bits, dtype_info(dt)->size, false);
		double want = 0;

		OK(element_float(dt, bits, &want));
		EQ_I64(s.count, 1);
		EQ_I64(s.nan, isnan(want));
		EQ_I64(s.pos_inf, isinf(want) && want > 0);
		EQ_I64(s.neg_inf, isinf(want) && want < 0);
		EQ_I64(s.finite, isfinite(want) != 0);
		EQ_I64(s.zeros, want == 0);
		if (isfinite(want))
			EQ_F64(s.min, want);
		if (tap_bad) {
			printf("# code 0x%04x\n", code);
			return;
		}
	}
}

static void every_half_is_what_it_is_one_by_one(void)
{
	codes_agree(DTYPE_FLOAT16, 65536);
}

static void every_bfloat16_is_what_it_is_one_by_one(void)
{
	codes_agree(DTYPE_BFLOAT16, 65536);
}

static void every_one_byte_float_is_what_it_is_one_by_one(void)
{
	codes_agree(DTYPE_FLOAT8_E5M2, 256);
	codes_agree(DTYPE_FLOAT8_E4M3FN, 256);
	codes_agree(DTYPE_FLOAT8_E5M2FNUZ, 256);
	codes_agree(DTYPE_FLOAT8_E4M3FNUZ, 256);
	codes_agree(DTYPE_FLOAT8_E8M0FNU, 256);
}

/* Values by hand, so that element_float() is not the only witness. */
static void halves_by_hand(void)
{
	const uint16_t half[] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000}; /* 1 -2 65504 2^-24 -0 */
	const uint16_t odd[] = {0x7c00, 0xfc00, 0x7c01, 0xfe00, 0x3c00};
	struct stats s = STATS(DTYPE_FLOAT16, half);

	EQ_F64(s.min, -2);
	EQ_F64(s.max, 65504);
	EQ_I64(s.zeros, 1);
	EQ_F64(s.mean, (1 - 2 + 65504 + 0x1p-24) / 5);
	s = STATS(DTYPE_FLOAT16, odd);
	EQ_I64(s.pos_inf, 1);
	EQ_I64(s.neg_inf, 1);
	EQ_I64(s.nan, 2);
	EQ_F64(s.mean, 1);
}

static void bfloat16_by_hand(void)
{
	const uint16_t v[] = {0x3f80, 0xc000, 0x0001, 0x7f80, 0xff80, 0x7fc0, 0x7f7f};
	struct stats s = STATS(DTYPE_BFLOAT16, v);

	EQ_I64(s.finite, 4);
	EQ_F64(s.min, -2);
	EQ_F64(s.max, 0x1.fep127);
	EQ_I64(s.zeros, 0); /* 0x0001 is 2^-133, not 0 */
}

#define WHOLE(dt, type, low, high)                                                                 \
	do {                                                                                       \
		const type v_[] = {(low), 0, 7, (high)};                                           \
		struct stats s_ = STATS(dt, v_);                                                   \
		EQ_F64(s_.min, (double)(low));                                                     \
		EQ_F64(s_.max, (double)(high));                                                    \
		EQ_I64(s_.count, 4);                                                               \
		EQ_I64(s_.zeros, 1 + ((low) == 0));                                                \
		OK(s_.whole && s_.has_numbers);                                                    \
	} while (0)

static void integers_of_every_width_and_sign(void)
{
	WHOLE(DTYPE_UINT8, uint8_t, 0, UINT8_MAX);
	WHOLE(DTYPE_INT8, int8_t, INT8_MIN, INT8_MAX);
	WHOLE(DTYPE_UINT16, uint16_t, 0, UINT16_MAX);
	WHOLE(DTYPE_INT16, int16_t, INT16_MIN, INT16_MAX);
	WHOLE(DTYPE_UINT32, uint32_t, 0, UINT32_MAX);
	WHOLE(DTYPE_INT32, int32_t, INT32_MIN, INT32_MAX);
	WHOLE(DTYPE_UINT64, uint64_t, 0, UINT64_MAX);
	WHOLE(DTYPE_INT64, int64_t, INT64_MIN, INT64_MAX);
	WHOLE(DTYPE_QINT8, int8_t, INT8_MIN, INT8_MAX);
	WHOLE(DTYPE_QUINT8, uint8_t, 0, UINT8_MAX);
	WHOLE(DTYPE_QINT32, int32_t, INT32_MIN, INT32_MAX);
}

/* torch only ever writes 0 and 1; another byte is still one True. */
static void a_bool_is_0_or_1_whatever_its_byte(void)
{
	const uint8_t v[] = {0, 1, 255, 0, 0};
	struct stats s = STATS(DTYPE_BOOL, v);

	EQ_I64(s.zeros, 3);
	EQ_F64(s.min, 0);
	EQ_F64(s.max, 1);
	EQ_F64(s.mean, 0.4);
}

static void complex_numbers_are_counted_once_and_have_a_modulus(void)
{
	const float v[] = {3, 4, 0, -0.0f, NAN, INFINITY, 1, -INFINITY, -INFINITY, NAN};
	const double wide[] = {0x1p1023, 0x1p1023, 3, -4};
	/* The parts of this one are finite, so it is, though its modulus is not. */
	const double huge[] = {0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023};
	const uint16_t half[] = {0x4200, 0xc400, 0x7c00, 0, 0x7e00, 0x7c00}; /* 3-4j inf nan */
	struct stats s = STATS(DTYPE_COMPLEX64, v);

	EQ_I64(s.count, 5);
	EQ_I64(s.nan, 2);
	EQ_I64(s.pos_inf, 1);
	EQ_I64(s.neg_inf, 0);
	EQ_I64(s.zeros, 1);
	EQ_F64(s.abs_max, 5);
	OK(!s.has_numbers);
	s = STATS(DTYPE_COMPLEX128, wide);
	EQ_F64(s.abs_max, hypot(0x1p1023, 0x1p1023));
	s = STATS(DTYPE_COMPLEX128, huge);
	EQ_I64(s.finite, 1);
	EQ_I64(s.pos_inf, 0);
	s = STATS(DTYPE_COMPLEX32, half);
	EQ_I64(s.count, 3);
	EQ_I64(s.nan, 1);
	EQ_I64(s.pos_inf, 1);
	EQ_F64(s.abs_max, 5);
}

static void raw_bits_are_counted_and_nothing_more(void)
{
	const uint8_t v[] = {0, 0, 1, 0, 0x80, 0};
	const enum dtype raw[] = {DTYPE_BITS8, DTYPE_QUINT4X2, DTYPE_QUINT2X4, DTYPE_BITS1X8,
		DTYPE_FLOAT4_E2M1FN_X2};
	struct stats s;

	for (unsigned k = 0; k < sizeof raw / sizeof *raw; k++) {
		s = STATS(raw[k], v);
		EQ_I64(s.count, 6);
		EQ_I64(s.zeros, 4);
		EQ_I64(s.finite, 0);
		OK(!s.has_numbers);
	}
	s = STATS(DTYPE_BITS16, v);
	EQ_I64(s.count, 3);
	EQ_I64(s.zeros, 1);
}

/* A dtype that is added to the list has to get a decoder here, or be known to be raw. */
static void every_dtype_has_numbers_or_is_known_to_have_none(void)
{
	const uint8_t zeros[16] = {0};

	for (unsigned dt = DTYPE_NONE + 1; dt < DTYPE_COUNT; dt++) {
		const struct dtype_info *d = dtype_info((enum dtype)dt);
		bool raw = d->flags & DT_SUBBYTE || !(d->flags & (DT_FLOAT | DT_INT | DT_BOOL |
				DT_COMPLEX));
		struct stats s = kit_stats((enum dtype)dt, zeros, d->size, false);

		EQ_I64(s.count, 1);
		EQ_I64(s.finite, !raw);
		EQ_I64(s.has_numbers, !raw && !(d->flags & DT_COMPLEX));
		EQ_I64(s.zeros, dt != DTYPE_FLOAT8_E8M0FNU); /* which has no zero: 0x00 is 2^-127 */
	}
}

int main(void)
{
	TEST(every_half_is_what_it_is_one_by_one);
	TEST(every_bfloat16_is_what_it_is_one_by_one);
	TEST(every_one_byte_float_is_what_it_is_one_by_one);
	TEST(halves_by_hand);
	TEST(bfloat16_by_hand);
	TEST(integers_of_every_width_and_sign);
	TEST(a_bool_is_0_or_1_whatever_its_byte);
	TEST(complex_numbers_are_counted_once_and_have_a_modulus);
	TEST(raw_bits_are_counted_and_nothing_more);
	TEST(every_dtype_has_numbers_or_is_known_to_have_none);
	return tap_done();
}
