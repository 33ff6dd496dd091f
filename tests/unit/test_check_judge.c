/* What makes an edit suspicious, and how that is said. */
#include "check_kit.h"

static unsigned judged(const float *was, const float *now, size_t n)
{
	struct stats a = kit_stats(DTYPE_FLOAT32, was, n * sizeof *was, false);
	struct stats b = kit_stats(DTYPE_FLOAT32, now, n * sizeof *now, false);

	return judge_edit(&a, DTYPE_FLOAT32, &b, DTYPE_FLOAT32);
}

static void ordinary_changes_are_none(void)
{
	EQ_I64(judged((float[]){1, 2, -3}, (float[]){0, 20, -2999}, 3), 0);
	EQ_I64(judged((float[]){1, 2, -3}, (float[]){1, 2, -3}, 3), 0);
	EQ_I64(judged((float[]){1000, 0}, (float[]){1e-9f, 0}, 2), 0);
}

static void nan_and_inf_that_were_not_there_are(void)
{
	EQ_I64(judged((float[]){1, 2, 3}, (float[]){1, NAN, 3}, 3), SUSPECT_NAN);
	EQ_I64(judged((float[]){1, 2, 3}, (float[]){1, -INFINITY, 3}, 3), SUSPECT_INF);
	EQ_I64(judged((float[]){1, 2, 3}, (float[]){NAN, INFINITY, 3}, 3), SUSPECT_NAN | SUSPECT_INF);
	EQ_I64(judged((float[]){NAN, 2, 3}, (float[]){NAN, NAN, 3}, 3), SUSPECT_NAN);
}

static void those_that_were_there_are_not(void)
{
	EQ_I64(judged((float[]){NAN, 2, INFINITY}, (float[]){3, NAN, INFINITY}, 3), 0);
	EQ_I64(judged((float[]){NAN, NAN}, (float[]){1, NAN}, 2), 0);
}

/* As many infinities as before, but of the other sign. */
static void an_infinity_of_the_other_sign_was_not_there(void)
{
	EQ_I64(judged((float[]){-INFINITY, 2}, (float[]){INFINITY, 2}, 2), SUSPECT_INF);
}

static void all_zeros_are_unless_they_were(void)
{
	EQ_I64(judged((float[]){1, 0, 3}, (float[]){0, 0, 0}, 3), SUSPECT_ZEROS);
	EQ_I64(judged((float[]){0, 0}, (float[]){0, 0}, 2), 0);
	EQ_I64(judged((float[]){1, 0, 3}, (float[]){0, 0, 3}, 3), 0);
	EQ_I64(judged((float[]){NAN, NAN}, (float[]){0, 0}, 2), SUSPECT_ZEROS);
}

static void the_largest_modulus_may_grow_a_thousandfold(void)
{
	EQ_I64(judged((float[]){0.5f, -1}, (float[]){1000, 1}, 2), 0);
	EQ_I64(judged((float[]){0.5f, -1}, (float[]){-1001, 1}, 2), SUSPECT_RANGE);
	EQ_I64(judged((float[]){1e-30f, 0}, (float[]){1e30f, 0}, 2), SUSPECT_RANGE);
}

/* There is nothing to grow from. */
static void from_zeros_it_may_grow_to_anything(void)
{
	EQ_I64(judged((float[]){0, 0}, (float[]){1e30f, 0}, 2), 0);
}

/* Also where the quotient of the two is no number any more. */
static void a_range_from_denormals_to_the_largest_double_is_seen(void)
{
	double a[] = {5e-324, 0}, b[] = {1e308, 0};
	struct stats was = STATS(DTYPE_FLOAT64, a), now = STATS(DTYPE_FLOAT64, b);

	EQ_I64(judge_edit(&was, DTYPE_FLOAT64, &now, DTYPE_FLOAT64), SUSPECT_RANGE);
}

static void numbers_past_the_former_dtype_are(void)
{
	float half[] = {60000, 1}, wide[] = {70000, 1};
	uint16_t was_half[] = {0x7b53, 0x3c00};
	struct stats was = kit_stats(DTYPE_FLOAT16, was_half, 4, false);
	struct stats fits = STATS(DTYPE_FLOAT32, half), past = STATS(DTYPE_FLOAT32, wide);

	EQ_I64(judge_edit(&was, DTYPE_FLOAT16, &fits, DTYPE_FLOAT32), 0);
	EQ_I64(judge_edit(&was, DTYPE_FLOAT16, &past, DTYPE_FLOAT32), SUSPECT_RANGE);
	EQ_I64(judge_edit(&was, DTYPE_BFLOAT16, &past, DTYPE_FLOAT32), 0);
}

static void the_dtypes_hold_what_they_hold(void)
{
	static const struct {
		enum dtype dt;
		double most, more;
	} cases[] = {{DTYPE_INT8, 128, 129}, {DTYPE_UINT8, 255, 256}, {DTYPE_BOOL, 1, 2},
			{DTYPE_INT64, 0x1p63, 0x1p64}, {DTYPE_QINT8, 128, 129}, {DTYPE_FLOAT8_E4M3FN, 448, 449},
			{DTYPE_FLOAT8_E5M2, 57344, 57345}, {DTYPE_FLOAT8_E4M3FNUZ, 240, 241},
			{DTYPE_FLOAT32, 0x1.fffffep127, 0x1p128}, {DTYPE_COMPLEX32, 92636, 92637}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct stats was = {.count = 1, .finite = 1, .abs_max = cases[i].most};
		struct stats now = was;

		EQ_I64(judge_edit(&was, cases[i].dt, &now, DTYPE_FLOAT64), 0);
		now.abs_max = cases[i].more;
		EQ_I64(judge_edit(&was, cases[i].dt, &now, DTYPE_FLOAT64), SUSPECT_RANGE);
	}
}

/* The bytes of 2 float32 are 8 uint8. */
static void another_number_of_elements_is(void)
{
	float x[] = {1, 2};
	struct stats was = STATS(DTYPE_FLOAT32, x), now = kit_stats(DTYPE_UINT8, x, sizeof x, false);

	EQ_I64(judge_edit(&was, DTYPE_FLOAT32, &now, DTYPE_UINT8), SUSPECT_COUNT);
}

static void a_counter_may_grow_and_begin_again(void)
{
	int64_t step = 7, late = 7001, zero = 0;
	float one = 1, far = 5000, nan = NAN;
	struct stats was = kit_stats(DTYPE_INT64, &step, 8, false);
	struct stats now = kit_stats(DTYPE_INT64, &late, 8, false), none = kit_stats(DTYPE_INT64, &zero, 8, false);

	EQ_I64(judge_edit(&was, DTYPE_INT64, &now, DTYPE_INT64), 0);
	EQ_I64(judge_edit(&was, DTYPE_INT64, &none, DTYPE_INT64), 0);
	was = kit_stats(DTYPE_FLOAT32, &one, 4, false);
	now = kit_stats(DTYPE_FLOAT32, &far, 4, false);
	EQ_I64(judge_edit(&was, DTYPE_FLOAT32, &now, DTYPE_FLOAT32), 0);
	now = kit_stats(DTYPE_FLOAT32, &nan, 4, false);
	EQ_I64(judge_edit(&was, DTYPE_FLOAT32, &now, DTYPE_FLOAT32), SUSPECT_NAN);
}

/* Indices may point anywhere; weights of a quantized layer that are all zeros are lost. */
static void integers_may_grow_but_are_not_all_zeros(void)
{
	int64_t at[] = {1, 2}, far[] = {1, 5000}, none[] = {0, 0};
	struct stats was = STATS(DTYPE_INT64, at), now = STATS(DTYPE_INT64, far), zeros = STATS(DTYPE_INT64, none);

	EQ_I64(judge_edit(&was, DTYPE_INT64, &now, DTYPE_INT64), 0);
	EQ_I64(judge_edit(&was, DTYPE_INT64, &zeros, DTYPE_INT64), SUSPECT_ZEROS);
}

static void complex_numbers_are_judged_by_their_modulus(void)
{
	float a[] = {3, 4, 1, 0}, b[] = {3000, 4000.5f, 1, 0}, c[] = {NAN, 0, 1, INFINITY};
	struct stats was = STATS(DTYPE_COMPLEX64, a), far = STATS(DTYPE_COMPLEX64, b);
	struct stats bad = STATS(DTYPE_COMPLEX64, c);

	EQ_I64(judge_edit(&was, DTYPE_COMPLEX64, &far, DTYPE_COMPLEX64), SUSPECT_RANGE);
	EQ_I64(judge_edit(&was, DTYPE_COMPLEX64, &bad, DTYPE_COMPLEX64), SUSPECT_NAN | SUSPECT_INF);
}

static void empty_tensors_are_never_all_zeros(void)
{
	struct stats was = {.count = 2, .finite = 2, .abs_max = 1}, none = {0}, zeros = {.count = 1, .zeros = 1};

	EQ_I64(judge_edit(&was, DTYPE_FLOAT32, &none, DTYPE_FLOAT32), SUSPECT_COUNT);
	EQ_I64(judge_edit(&none, DTYPE_FLOAT32, &zeros, DTYPE_FLOAT32), SUSPECT_COUNT);
	EQ_I64(judge_edit(&none, DTYPE_FLOAT32, &none, DTYPE_FLOAT32), 0);
}

static void a_new_tensor_is_judged_by_itself(void)
{
	float zeros[] = {0, 0}, nan[] = {NAN, 1e30f};
	struct stats z = STATS(DTYPE_FLOAT32, zeros), n = STATS(DTYPE_FLOAT32, nan);

	EQ_I64(judge_edit(NULL, DTYPE_NONE, &z, DTYPE_FLOAT32), 0);
	EQ_I64(judge_edit(NULL, DTYPE_NONE, &n, DTYPE_FLOAT32), SUSPECT_NAN);
}

static void the_text_has_both_numbers(void)
{
	struct stats was = {.count = 8, .zeros = 2, .nan = 1, .finite = 7, .abs_max = 0.52};
	struct stats now = {.count = 9, .zeros = 9, .nan = 3, .pos_inf = 2, .neg_inf = 1, .finite = 1,
			.abs_max = 1e30};
	struct buf b;

	buf_init(&b, 1 << 16);
	judge_text(SUSPECT_NAN | SUSPECT_RANGE, &was, &now, &b);
	EQ_MEM(b.p, b.n, "3 NaN (was 1), largest modulus 1e+30 (was 0.52)", 47);
	b.n = 0;
	judge_text(31, &was, &now, &b);
	buf_putc(&b, 0);
	EQ_STR(b.p, "3 NaN (was 1), 3 Inf (was 0), all zeros (2 of 8 were), largest modulus 1e+30 (was "
		    "0.52), 9 elements (was 8)");
	b.n = 0;
	judge_text(SUSPECT_NAN | SUSPECT_INF, NULL, &now, &b);
	buf_putc(&b, 0);
	EQ_STR(b.p, "3 NaN, 3 Inf");
	buf_release(&b);
}

int main(void)
{
	TEST(ordinary_changes_are_none);
	TEST(nan_and_inf_that_were_not_there_are);
	TEST(those_that_were_there_are_not);
	TEST(an_infinity_of_the_other_sign_was_not_there);
	TEST(all_zeros_are_unless_they_were);
	TEST(the_largest_modulus_may_grow_a_thousandfold);
	TEST(from_zeros_it_may_grow_to_anything);
	TEST(a_range_from_denormals_to_the_largest_double_is_seen);
	TEST(numbers_past_the_former_dtype_are);
	TEST(the_dtypes_hold_what_they_hold);
	TEST(another_number_of_elements_is);
	TEST(a_counter_may_grow_and_begin_again);
	TEST(integers_may_grow_but_are_not_all_zeros);
	TEST(complex_numbers_are_judged_by_their_modulus);
	TEST(empty_tensors_are_never_all_zeros);
	TEST(a_new_tensor_is_judged_by_itself);
	TEST(the_text_has_both_numbers);
	return tap_done();
}
