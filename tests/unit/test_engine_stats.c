/* Counts, min, max, mean and std, and how they are written. */
#include "check_kit.h"

#include <float.h>

static void four_numbers_by_hand(void)
{
	const float v[] = {-1, 0, 2, 7};
	struct stats s = STATS(DTYPE_FLOAT32, v);

	EQ_I64(s.count, 4);
	EQ_I64(s.finite, 4);
	EQ_I64(s.zeros, 1);
	EQ_F64(s.min, -1);
	EQ_F64(s.max, 7);
	EQ_F64(s.mean, 2);
	NEAR(s.std, sqrt((9 + 4 + 0 + 25) / 3.0), 1e-15); /* n - 1, as torch's default */
	EQ_F64(s.abs_max, 7);
	OK(s.has_numbers && !s.whole);
	EQ_I64(s.bins, 0); /* nobody asked for a histogram */
}

static void no_elements_have_no_numbers(void)
{
	struct stats s = kit_stats(DTYPE_FLOAT32, "", 0, true);

	EQ_I64(s.count, 0);
	OK(!s.has_numbers);
	EQ_I64(s.bins, 0);
}

static void one_element_has_no_std(void)
{
	const double v[] = {-3.5};
	struct stats s = STATS(DTYPE_FLOAT64, v);

	EQ_F64(s.mean, -3.5);
	EQ_F64(s.abs_max, 3.5);
	EQ_F64(s.std, NAN);
}

static void nan_and_inf_are_counted_and_left_out(void)
{
	const float v[] = {NAN, 1, INFINITY, -NAN, 3, -INFINITY, -INFINITY, 0, -0.0f};
	struct stats s = STATS(DTYPE_FLOAT32, v);

	EQ_I64(s.count, 9);
	EQ_I64(s.nan, 2);
	EQ_I64(s.pos_inf, 1);
	EQ_I64(s.neg_inf, 2);
	EQ_I64(s.finite, 4);
	EQ_I64(s.zeros, 2);
	EQ_F64(s.min, 0);
	EQ_F64(s.max, 3);
	EQ_F64(s.mean, 1);
}

static void nothing_but_nan_has_no_numbers(void)
{
	static float v[5000];
	struct stats s;

	for (unsigned i = 0; i < 5000; i++)
		v[i] = NAN;
	s = HIST(DTYPE_FLOAT32, v);
	EQ_I64(s.nan, 5000);
	EQ_I64(s.finite, 0);
	OK(!s.has_numbers);
	EQ_I64(s.bins, 0);
}

static void denormals_are_not_zeros(void)
{
	const float f[] = {0x1p-149f, -0x1p-149f, 0};
	const double d[] = {0x1p-1074, 0x1p-1074};
	struct stats s = STATS(DTYPE_FLOAT32, f);

	EQ_I64(s.zeros, 1);
	EQ_F64(s.min, -0x1p-149);
	EQ_F64(s.mean, 0);
	s = STATS(DTYPE_FLOAT64, d);
	EQ_F64(s.mean, 0x1p-1074);
	EQ_F64(s.std, 0);
}

/* Doubles whose sum is over the range: mean as torch has it, and none of them called infinite. */
static void sums_may_overflow_without_an_element_being_infinite(void)
{
	const double v[] = {DBL_MAX, DBL_MAX, 1, DBL_MAX, DBL_MAX};
	const double both[] = {DBL_MAX, -DBL_MAX};
	struct stats s = STATS(DTYPE_FLOAT64, v);

	EQ_I64(s.pos_inf, 0);
	EQ_I64(s.finite, 5);
	EQ_F64(s.max, DBL_MAX);
	EQ_F64(s.mean, INFINITY);
	EQ_F64(s.std, INFINITY);
	s = STATS(DTYPE_FLOAT64, both);
	EQ_F64(s.mean, 0);
	EQ_F64(s.std, INFINITY);
}

/* A marker at every place where a lane, block or piece of 1 MiB begins or ends. */
static void no_element_is_lost_or_seen_twice_at_any_border(void)
{
	static const uint32_t sizes[] = {2, 3, 4, 5, 7, 8, 9, 1023, 1024, 1025, 2047, 2048, 2049,
		262143, 262144, 262145, 524289};
	float *v = calloc(524289, sizeof *v);

	for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		uint32_t n = sizes[k];
		struct stats s;

		for (uint32_t i = 0; i < n; i++)
			v[i] = 1 + i % 3;
		v[n - 1] = -5;
		s = kit_stats(DTYPE_FLOAT32, v, n * sizeof *v, true);
		EQ_I64(s.count, n);
		EQ_I64(s.finite, n);
		EQ_F64(s.min, -5);
		EQ_I64(s.hist[0], 1);
		uint64_t sum = 0, binned = 0; /* whole numbers: the sum of doubles is exact */

		for (uint32_t i = 0; i + 1 < n; i++)
			sum += 1 + i % 3;
		EQ_F64(s.mean, ((double)sum - 5) / n);
		for (unsigned b = 0; b < s.bins; b++)
			binned += s.hist[b];
		EQ_I64(binned, n);
		v[n - 1] = NAN;
		s = kit_stats(DTYPE_FLOAT32, v, n * sizeof *v, false);
		EQ_I64(s.nan, 1);
		EQ_I64(s.finite, n - 1);
	}
	free(v);
}

static void bytes_at_the_end_that_are_no_element_are_not_looked_at(void)
{
	const uint8_t v[] = {0, 0, 128, 63, 0, 0, 128, 63, 99, 99};
	struct stats s = STATS(DTYPE_FLOAT32, v);

	EQ_I64(s.count, 2);
	EQ_F64(s.max, 1);
}

/* A small spread around a large mean, where sum of squares minus square of the sum gives noise:
 * std must be good to its documented bound, 300 u * |mean| / std squared. */
static void std_does_not_cancel(void)
{
	static double v[100000];
	struct stats s;

	for (unsigned i = 0; i < 100000; i++)
		v[i] = 1e9 + (i % 2 ? 0.5 : -0.5);
	s = STATS(DTYPE_FLOAT64, v);
	EQ_F64(s.mean, 1e9);
	NEAR(s.std, 0.5 * sqrt(100000 / 99999.0), 1e-9);
}

/* Two blocks with different means: the part of the spread that is between them is Chan's term. */
static void blocks_with_different_means_are_joined(void)
{
	static float v[4096];
	struct stats s;

	for (unsigned i = 0; i < 4096; i++)
		v[i] = i < 1024 ? 0 : 4;
	s = STATS(DTYPE_FLOAT32, v);
	EQ_F64(s.mean, 3);
	NEAR(s.std, sqrt((1024 * 9.0 + 3072 * 1.0) / 4095), 1e-14);
}

static void a_read_error_is_passed_on_and_the_result_left_alone(void)
{
	struct content c = kit_torn_content(3 << 20, 1 << 20);
	struct stats s = {.count = 77};
	struct err e = {0};

	EQ_I64(stats_of(&c, DTYPE_FLOAT32, &s, &e), ERR_TRUNCATED);
	HAS(e.text, "1048576");
	EQ_I64(s.count, 77);
	content_release(&c);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static const char *json_of(const struct stats *s)
{
	static char text[600];
	struct buf b;
	struct json j;

	buf_init(&b, sizeof text - 1);
	json_init(&j, &b);
	json_open(&j, '{');
	stats_members(s, &j);
	json_close(&j, '}');
	snprintf(text, sizeof text, "%.*s", STR_FMT(buf_view(&b)));
	buf_release(&b);
	return text;
}

static void members_are_written_in_their_order(void)
{
	const float v[] = {-1, 0, 2, 7, NAN};
	struct stats s = STATS(DTYPE_FLOAT32, v);

	EQ_STR(json_of(&s), "{\"count\": 5, \"nan\": 1, \"pos_inf\": 0, \"neg_inf\": 0, "
			"\"zeros\": 1, \"min\": -1.0, "
			"\"max\": 7.0, \"mean\": 2.0, \"std\": 3.559026084010437, "
			"\"abs_max\": 7.0}");
}

static void what_is_not_there_is_null(void)
{
	struct stats s = kit_stats(DTYPE_FLOAT32, "", 0, false);

	EQ_STR(json_of(&s), "{\"count\": 0, \"nan\": 0, \"pos_inf\": 0, \"neg_inf\": 0, "
			"\"zeros\": 0, \"min\": null, "
			"\"max\": null, \"mean\": null, \"std\": null, "
			"\"abs_max\": null}");
}

static void one_element_has_a_null_std(void)
{
	const int8_t v[] = {-3};
	struct stats s = STATS(DTYPE_INT8, v);

	EQ_STR(json_of(&s), "{\"count\": 1, \"nan\": 0, \"pos_inf\": 0, \"neg_inf\": 0, "
			"\"zeros\": 0, \"min\": -3, "
			"\"max\": -3, \"mean\": -3.0, \"std\": null, \"abs_max\": 3}");
}

/* Beyond 2^53 a double no longer is the integer, and must not look like one. */
static void large_integers_are_written_as_the_doubles_they_are(void)
{
	const int64_t v[] = {INT64_MIN, 9007199254740992};
	struct stats s = STATS(DTYPE_INT64, v);

	HAS(json_of(&s), "\"min\": -9.223372036854776e+18, \"max\": 9007199254740992, ");
}

static void complex_numbers_have_a_modulus_only(void)
{
	const float v[] = {3, 4, 1, 0};
	struct stats s = STATS(DTYPE_COMPLEX64, v);

	HAS(json_of(&s), "\"count\": 2, ");
	HAS(json_of(&s), "\"min\": null, \"max\": null, \"mean\": null, \"std\": null, "
			"\"abs_max\": 5.0}");
}

static void minus_zero_is_zero(void)
{
	const float v[] = {-0.0f, -0.0f};
	struct stats s = STATS(DTYPE_FLOAT32, v);

	HAS(json_of(&s), "\"min\": 0.0, \"max\": 0.0, \"mean\": 0.0, \"std\": 0.0, "
			"\"abs_max\": 0.0");
}

int main(void)
{
	TEST(four_numbers_by_hand);
	TEST(no_elements_have_no_numbers);
	TEST(one_element_has_no_std);
	TEST(nan_and_inf_are_counted_and_left_out);
	TEST(nothing_but_nan_has_no_numbers);
	TEST(denormals_are_not_zeros);
	TEST(sums_may_overflow_without_an_element_being_infinite);
	TEST(no_element_is_lost_or_seen_twice_at_any_border);
	TEST(bytes_at_the_end_that_are_no_element_are_not_looked_at);
	TEST(std_does_not_cancel);
	TEST(blocks_with_different_means_are_joined);
	TEST(a_read_error_is_passed_on_and_the_result_left_alone);
	TEST(members_are_written_in_their_order);
	TEST(what_is_not_there_is_null);
	TEST(one_element_has_a_null_std);
	TEST(large_integers_are_written_as_the_doubles_they_are);
	TEST(complex_numbers_have_a_modulus_only);
	TEST(minus_zero_is_zero);
	return tap_done();
}
