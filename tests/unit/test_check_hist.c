/* Histograms: which element falls into which bin. */
#include "check_kit.h"

#include <float.h>

static uint64_t all_of(const struct stats *s)
{
	uint64_t sum = 0;

	for (unsigned k = 0; k < HIST_BINS; k++)
		sum += s->hist[k];
	return sum;
}

static void reals_are_spread_over_64_bins_between_min_and_max(void)
{
	const double v[] = {0, 0.99, 1, 1.5, 63, 63.5, 64, NAN, INFINITY};
	struct stats s = HIST(DTYPE_FLOAT64, v);

	EQ_I64(s.bins, 64);
	EQ_F64(s.hist_min, 0);
	EQ_F64(s.hist_max, 64);
	EQ_I64(s.hist[0], 2);
	EQ_I64(s.hist[1], 2);
	EQ_I64(s.hist[63], 3); /* the last bin holds its upper end, too */
	EQ_I64(all_of(&s), 7);
}

static void few_integers_have_a_bin_each(void)
{
	const int8_t v[] = {-2, -2, 0, 1};
	const uint8_t b[] = {0, 1, 1, 1};
	struct stats s = HIST(DTYPE_INT8, v);

	EQ_I64(s.bins, 4);
	EQ_F64(s.hist_min, -2.5);
	EQ_F64(s.hist_max, 1.5);
	EQ_I64(s.hist[0], 2);
	EQ_I64(s.hist[1], 0);
	EQ_I64(s.hist[3], 1);
	s = HIST(DTYPE_BOOL, b);
	EQ_I64(s.bins, 2);
	EQ_I64(s.hist[1], 3);
}

/* 100 integers in 64 bins would make every other bar twice as high: they get 50 bins of 2. */
static void more_integers_share_bins_evenly(void)
{
	int32_t v[100];
	struct stats s;

	for (int i = 0; i < 100; i++)
		v[i] = i;
	s = HIST(DTYPE_INT32, v);
	EQ_I64(s.bins, 50);
	EQ_F64(s.hist_max, 99.5);
	for (unsigned k = 0; k < s.bins; k++)
		EQ_I64(s.hist[k], 2);
}

static void bytes_from_0_to_255_fill_64_bins_of_four(void)
{
	uint8_t v[256];
	struct stats s;

	for (unsigned i = 0; i < 256; i++)
		v[i] = (uint8_t)i;
	s = HIST(DTYPE_UINT8, v);
	EQ_I64(s.bins, 64);
	EQ_I64(s.hist[0], 4);
	EQ_I64(s.hist[63], 4);
}

static void equal_elements_are_in_the_middle(void)
{
	const float v[] = {3, 3, 3};
	const double large[] = {1e300, 1e300}, largest[] = {DBL_MAX}, lowest[] = {-DBL_MAX};
	struct stats s = HIST(DTYPE_FLOAT32, v);

	EQ_F64(s.hist_min, 2);
	EQ_F64(s.hist_max, 4);
	EQ_I64(s.hist[32], 3);
	s = HIST(DTYPE_FLOAT64, large); /* where 1 more is the same number */
	OK(s.hist_min < 1e300 && s.hist_max > 1e300);
	EQ_I64(all_of(&s), 2);
	s = HIST(DTYPE_FLOAT64, largest);
	OK(isfinite(s.hist_min) && isfinite(s.hist_max) && s.hist_min < s.hist_max);
	EQ_I64(all_of(&s), 1);
	s = HIST(DTYPE_FLOAT64, lowest);
	OK(isfinite(s.hist_min) && isfinite(s.hist_max) && s.hist_min < s.hist_max);
	EQ_I64(all_of(&s), 1);
}

/* max - min is Inf here, and the quotient of two denormals is not a number to multiply with. */
static void the_widest_and_the_narrowest_range(void)
{
	const double wide[] = {-DBL_MAX, 0, DBL_MAX}, narrow[] = {0, 0x1p-1074, 0x1p-1073};
	struct stats s = HIST(DTYPE_FLOAT64, wide);

	EQ_I64(s.hist[0], 1);
	EQ_I64(s.hist[32], 1);
	EQ_I64(s.hist[63], 1);
	s = HIST(DTYPE_FLOAT64, narrow);
	EQ_I64(s.hist[0], 1);
	EQ_I64(s.hist[32], 1);
	EQ_I64(s.hist[63], 1);
}

static void integers_beyond_2_to_the_53_are_taken_as_reals(void)
{
	const uint64_t v[] = {0, UINT64_MAX};
	const int64_t same[] = {INT64_C(1) << 60};
	struct stats s = HIST(DTYPE_UINT64, v);

	EQ_I64(s.bins, 64);
	EQ_I64(s.hist[0], 1);
	EQ_I64(s.hist[63], 1);
	s = HIST(DTYPE_INT64, same);
	EQ_I64(all_of(&s), 1);
}

static void complex_numbers_have_a_histogram_of_moduli(void)
{
	const double v[] = {3, 4, 0, 0, 0, -10};
	struct stats s = HIST(DTYPE_COMPLEX128, v);

	EQ_F64(s.hist_min, 0);
	EQ_F64(s.hist_max, 10);
	EQ_I64(s.hist[32], 1);
}

int main(void)
{
	TEST(reals_are_spread_over_64_bins_between_min_and_max);
	TEST(few_integers_have_a_bin_each);
	TEST(more_integers_share_bins_evenly);
	TEST(bytes_from_0_to_255_fill_64_bins_of_four);
	TEST(equal_elements_are_in_the_middle);
	TEST(the_widest_and_the_narrowest_range);
	TEST(integers_beyond_2_to_the_53_are_taken_as_reals);
	TEST(complex_numbers_have_a_histogram_of_moduli);
	return tap_done();
}
