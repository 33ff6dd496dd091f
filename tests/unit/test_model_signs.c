/* Conjugate and negative views, element by element and in unaligned pieces. */
#include "model_kit.h"

#include <complex.h>

/* All of in, through the view, in pieces of `piece` bytes; out has n bytes. */
static void through(const void *in, size_t n, enum dtype dt, bool conj_bit, bool neg, size_t piece,
		void *out)
{
	struct source *mem = source_mem_borrow(in, n), *s = NULL;

	OK(source_signs(mem, dt, conj_bit, neg, &s, NULL) == 0);
	source_unref(mem);
	if (!s)
		return;
	EQ_I64(s->size, n);
	for (size_t off = 0; off < n; off += piece)
		OK(source_read(s, (char *)out + off, n - off < piece ? n - off : piece, off,
				NULL) == 0);
	source_unref(s);
}

static void floats_are_negated_in_pieces_of_any_length(void)
{
	const float in[] = {1.5f, -2.0f, 0.0f, 1e30f, -3.25f};
	float out[5];

	for (size_t piece = 1; piece <= sizeof in; piece++) {
		through(in, sizeof in, DTYPE_FLOAT32, false, true, piece, out);
		for (int i = 0; i < 5; i++)
			OK(out[i] == -in[i]);
		OK(1 / out[2] < 0); /* the sign of zero too, as torch has it */
	}
}

static void conj_flips_imaginary_parts_only(void)
{
	const float complex in[] = {1 + 2 * I, -3 - 4 * I, 5 * I};
	const double complex wide[] = {1 + 2 * I, -3 - 4 * I};
	float complex out[3];
	double complex wide_out[2];

	for (size_t piece = 1; piece <= sizeof in; piece++) {
		through(in, sizeof in, DTYPE_COMPLEX64, true, false, piece, out);
		for (int i = 0; i < 3; i++)
			OK(out[i] == conjf(in[i]));
	}
	through(wide, sizeof wide, DTYPE_COMPLEX128, true, false, 7, wide_out);
	for (int i = 0; i < 2; i++)
		OK(wide_out[i] == conj(wide[i]));
}

static void conj_and_neg_together_flip_real_parts(void)
{
	const float complex in[] = {1 + 2 * I, -3 - 4 * I};
	float complex out[2];

	through(in, sizeof in, DTYPE_COMPLEX64, true, true, 5, out);
	for (int i = 0; i < 2; i++)
		OK(out[i] == -conjf(in[i]));
	through(in, sizeof in, DTYPE_COMPLEX64, false, true, 5, out);
	for (int i = 0; i < 2; i++)
		OK(out[i] == -in[i]);
}

static void half_precision_pairs_are_pairs_of_two_bytes(void)
{
	const uint16_t in[] = {0x3c00, 0x4000, 0xbc00, 0xc000};
	uint16_t out[4];

	through(in, sizeof in, DTYPE_COMPLEX32, true, false, 3, out);
	OK(out[0] == 0x3c00 && out[1] == 0xc000 && out[2] == 0xbc00 && out[3] == 0x4000);
	through(in, sizeof in, DTYPE_BFLOAT16, false, true, 3, out);
	OK(out[0] == 0xbc00 && out[3] == 0x4000);
}

static void integers_are_negated_whole_also_when_cut(void)
{
	const int32_t in[] = {1, -1, 0, 256, -65536, INT32_MIN, INT32_MAX};
	const int64_t wide[] = {INT64_C(1) << 40, -5, 0};
	int32_t out[7];
	int64_t wide_out[3];

	for (size_t piece = 1; piece <= 9; piece++) {
		through(in, sizeof in, DTYPE_INT32, false, true, piece, out);
		for (int i = 0; i < 7; i++)
			EQ_I64((uint32_t)out[i], 0u - (uint32_t)in[i]);
	}
	through(wide, sizeof wide, DTYPE_INT64, false, true, 3, wide_out);
	for (int i = 0; i < 3; i++)
		EQ_I64(wide_out[i], -wide[i]);
}

static void conj_of_a_real_type_changes_nothing(void)
{
	const int16_t in[] = {1, -2, 3};
	const unsigned char flag = 1;
	int16_t out[3];
	unsigned char same = 9;

	through(in, sizeof in, DTYPE_INT16, true, false, 2, out);
	EQ_MEM((char *)out, sizeof out, (const char *)in, sizeof in);
	through(&flag, 1, DTYPE_BOOL, true, false, 1, &same);
	EQ_I64(same, 1);
}

/* 0x80 is NaN in the fnuz types and -0 in the others. */
static void small_floats_without_a_negative_zero_keep_zero_and_nan(void)
{
	const unsigned char in[] = {0x00, 0x80, 0x38, 0xb8};
	unsigned char out[4];

	through(in, 4, DTYPE_FLOAT8_E4M3FNUZ, false, true, 3, out);
	OK(out[0] == 0x00 && out[1] == 0x80 && out[2] == 0xb8 && out[3] == 0x38);
	through(in, 4, DTYPE_FLOAT8_E4M3FN, false, true, 3, out);
	OK(out[0] == 0x80 && out[1] == 0x00);
}

static void types_without_a_negative_are_refused(void)
{
	static const enum dtype types[] = {DTYPE_BOOL, DTYPE_FLOAT8_E8M0FNU, DTYPE_BITS8,
			DTYPE_QUINT4X2, DTYPE_FLOAT4_E2M1FN_X2};
	struct source *mem = source_mem_borrow("1234", 4), *s = NULL;

	for (int i = 0; i < 5; i++) {
		struct err e = {0};

		EQ_I64(source_signs(mem, types[i], false, true, &s, &e), ERR_UNSUPPORTED);
		HAS(e.text, dtype_info(types[i])->name);
	}
	OK(s == NULL);
	source_unref(mem);
}

int main(void)
{
	TEST(floats_are_negated_in_pieces_of_any_length);
	TEST(conj_flips_imaginary_parts_only);
	TEST(conj_and_neg_together_flip_real_parts);
	TEST(half_precision_pairs_are_pairs_of_two_bytes);
	TEST(integers_are_negated_whole_also_when_cut);
	TEST(conj_of_a_real_type_changes_nothing);
	TEST(small_floats_without_a_negative_zero_keep_zero_and_nan);
	TEST(types_without_a_negative_are_refused);
	return tap_done();
}
