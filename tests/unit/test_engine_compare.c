/* Two runs of elements beside each other: by hand, and against a loop that anybody can read. */
#include "engine_kit.h"

#include <float.h>

#include <pthfs/decode.h>

static const struct compare_opts exactly = {0};
static const struct compare_opts nan_is_nan = {.nan_equal = true};

static struct compared compared(enum dtype da, const void *a, size_t an, enum dtype db,
		const void *b, size_t bn, const struct compare_opts *o)
{
	struct content ca = kit_content(a, an), cb = kit_content(b, bn);
	struct compared r = {0};

	EQ_I64(numbers_compare(&ca, da, &cb, db, o, &r, NULL), 0);
	content_release(&ca);
	content_release(&cb);
	return r;
}

#define COMPARED(da, a, db, b, o) compared((da), (a), sizeof(a), (db), (b), sizeof(b), (o))

static void four_numbers_by_hand(void)
{
	const float a[] = {1, 2, -3, 4}, b[] = {1, 2.5, -3, 2};
	struct compared r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, b, &exactly);

	EQ_I64(r.count, 4);
	EQ_I64(r.differ, 2);
	EQ_I64(r.first, 1);
	EQ_F64(r.max_abs, 2);
	EQ_F64(r.max_rel, 0.5);
	NEAR(r.cosine, 23 / sqrt(30 * 20.25), 1e-15);
	OK(r.has_numbers && !r.same_bytes);
}

static void the_same_bytes_are_the_same(void)
{
	const float a[] = {1, 2, -0.0f, INFINITY};
	struct compared r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, a, &exactly);

	OK(r.same_bytes);
	EQ_I64(r.differ, 0);
	EQ_I64(r.first, UINT64_MAX);
	EQ_F64(r.max_abs, 0);
	EQ_F64(r.max_rel, 0);
	NEAR(r.cosine, 1, 1e-15);
}

static void both_zeros_are_equal_and_have_no_direction(void)
{
	const float a[] = {0, -0.0f}, b[] = {-0.0f, 0}, c[] = {0, 3};
	struct compared r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, b, &exactly);

	EQ_I64(r.differ, 0);
	OK(!r.same_bytes && isnan(r.cosine));
	r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, c, &exactly);
	OK(isnan(r.cosine));
	EQ_F64(r.max_rel, 1);
}

static void nan_is_equal_to_nan_when_asked(void)
{
	const float a[] = {NAN, 1, 2}, b[] = {-NAN, 1, 2}, c[] = {5, 1, 2};
	struct compared r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, b, &exactly);

	EQ_I64(r.differ, 1);
	EQ_I64(r.first, 0);
	EQ_F64(r.max_abs, 0); /* no number stands for it */
	r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, b, &nan_is_nan);
	EQ_I64(r.differ, 0);
	OK(!r.same_bytes);
	r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, a, &exactly);
	EQ_I64(r.differ, 1);
	OK(r.same_bytes);
	r = COMPARED(DTYPE_FLOAT32, a, DTYPE_FLOAT32, c, &nan_is_nan);
	EQ_I64(r.differ, 1);
	EQ_F64(r.max_abs, INFINITY);
	EQ_F64(r.max_rel, INFINITY);
	NEAR(r.cosine, 1, 1e-15); /* of the two finite pairs */
}

/* inf <= rtol * inf would say that anything is near to infinity. */
static void infinities_are_equal_to_themselves_only(void)
{
	const struct compare_opts loose = {.atol = 1e9, .rtol = 1e9};
	const double a[] = {INFINITY, -INFINITY, 1, INFINITY};
	const double b[] = {INFINITY, INFINITY, INFINITY, 1};
	struct compared r = COMPARED(DTYPE_FLOAT64, a, DTYPE_FLOAT64, b, &loose);

	EQ_I64(r.differ, 3);
	EQ_I64(r.first, 1);
	EQ_F64(r.max_abs, INFINITY);
	OK(isnan(r.cosine));
}

static void tolerance_is_absolute_and_of_the_second(void)
{
	const double a[] = {100, 200, 0}, b[] = {101, 202, 0.5};
	struct compare_opts o = {.atol = 1};
	struct compared r = COMPARED(DTYPE_FLOAT64, a, DTYPE_FLOAT64, b, &o);

	EQ_I64(r.differ, 1);
	EQ_I64(r.first, 1);
	o = (struct compare_opts){.rtol = 0.0099};
	r = COMPARED(DTYPE_FLOAT64, a, DTYPE_FLOAT64, b, &o);
	EQ_I64(r.differ, 3);
	o = (struct compare_opts){.rtol = 0.00991, .atol = 0.5};
	r = COMPARED(DTYPE_FLOAT64, a, DTYPE_FLOAT64, b, &o);
	EQ_I64(r.differ, 0);
	EQ_F64(r.max_abs, 2);
	EQ_F64(r.max_rel, 1);
}

/* 2^53 + 1 and 2^53 are one double. */
static void whole_numbers_of_64_bits_are_compared_exactly(void)
{
	const int64_t a[] = {INT64_MIN, (1ll << 53) + 1, -1, INT64_MAX};
	const int64_t b[] = {INT64_MIN + 1, 1ll << 53, -1, INT64_MAX - 2};
	const uint64_t u[] = {UINT64_MAX, (1ull << 53) + 1, 0, INT64_MAX};
	const double d[] = {-0x1p63, 0x1p53, -1, 0x1p63}, far[] = {0x1p64, 0.5, -1.5, 0x1p70};
	struct compared r = COMPARED(DTYPE_INT64, a, DTYPE_INT64, b, &exactly);

	EQ_I64(r.differ, 3);
	EQ_F64(r.max_abs, 2);
	r = COMPARED(DTYPE_INT64, a, DTYPE_UINT64, u, &exactly);
	EQ_I64(r.differ, 2);
	EQ_I64(r.first, 0);
	EQ_F64(r.max_abs, 0x1.8p64);
	r = COMPARED(DTYPE_INT64, a, DTYPE_FLOAT64, d, &exactly);
	EQ_I64(r.differ, 2);
	EQ_I64(r.first, 1);
	EQ_F64(r.max_abs, 1);
	r = compared(DTYPE_UINT64, u, 8, DTYPE_FLOAT64, far, 8, &exactly);
	EQ_I64(r.differ, 1);
	EQ_F64(r.max_abs, 1);
	r = COMPARED(DTYPE_INT64, a, DTYPE_FLOAT64, far, &exactly);
	EQ_I64(r.differ, 4);
	EQ_F64(r.max_abs, 0x1p70 - 0x1p63);
}

static void complex_numbers_are_compared_by_their_parts(void)
{
	const float a[] = {1, 2, 3, 4, 0, 0, NAN, 1, INFINITY, 0};
	const float b[] = {1, 2, 3, 0, 0, -0.0f, NAN, 2, INFINITY, 0};
	const float c[] = {1, 2, 3, 4, 0, 0, NAN, 1, INFINITY, 1};
	const float real[] = {1, 3, 0, 1, INFINITY};
	struct compared r = COMPARED(DTYPE_COMPLEX64, a, DTYPE_COMPLEX64, b, &nan_is_nan);

	EQ_I64(r.count, 5);
	EQ_I64(r.differ, 1);
	EQ_I64(r.first, 1);
	EQ_F64(r.max_abs, 4);
	EQ_F64(r.max_rel, 0.8);
	r = COMPARED(DTYPE_COMPLEX64, a, DTYPE_COMPLEX64, c, &nan_is_nan);
	EQ_I64(r.differ, 1); /* two infinities, of other parts */
	EQ_F64(r.max_abs, INFINITY);
	r = COMPARED(DTYPE_COMPLEX64, a, DTYPE_FLOAT32, real, &exactly);
	EQ_I64(r.differ, 3);
	EQ_I64(r.first, 0);
}

static void raw_bits_differ_or_not(void)
{
	const uint8_t a[] = {1, 2, 3, 4}, b[] = {1, 2, 7, 4};
	struct compared r = COMPARED(DTYPE_BITS8, a, DTYPE_BITS8, b, &exactly);

	EQ_I64(r.differ, 1);
	EQ_I64(r.first, 2);
	OK(!r.has_numbers && isnan(r.cosine));
	r = COMPARED(DTYPE_QUINT4X2, a, DTYPE_UINT8, a, &exactly);
	EQ_I64(r.differ, 0);
	OK(!r.same_bytes && !r.has_numbers);
	r = compared(DTYPE_BITS16, a, 4, DTYPE_BITS8, a, 2, &exactly);
	EQ_I64(r.differ, 2);
	EQ_I64(r.first, 0);
}

static void another_number_of_elements_is_a_mistake(void)
{
	const float a[4] = {0};
	struct content ca = kit_content(a, 16), cb = kit_content(a, 12);
	struct compared r = {.count = 77};
	struct err e;

	EQ_I64(numbers_compare(&ca, DTYPE_FLOAT32, &cb, DTYPE_FLOAT32, &exactly, &r, &e),
			ERR_INVALID);
	EQ_STR(e.text, "4 elements cannot be compared with 3");
	EQ_I64(r.count, 77);
	EQ_I64(numbers_compare(&ca, DTYPE_FLOAT64, &cb, DTYPE_FLOAT32, &exactly, &r, &e),
			ERR_INVALID);
	content_release(&ca);
	content_release(&cb);
}

static void no_elements_are_equal(void)
{
	struct compared r = compared(DTYPE_FLOAT32, "", 0, DTYPE_INT8, "", 0, &exactly);

	EQ_I64(r.count, 0);
	EQ_I64(r.differ, 0);
	OK(isnan(r.cosine));
}

/* Squares that overflow, or vanish, are no reason to have no cosine. */
static void a_cosine_at_the_ends_of_the_range(void)
{
	static const double scale[] = {1e-320, 1e-200, 1e-160, 1, 1e160, 1e300};
	size_t n = 9000;
	double *a = calloc(n, sizeof *a), *b = calloc(n, sizeof *b);

	for (unsigned k = 0; k < COUNT_OF(scale); k++) {
		struct compared r;

		for (size_t i = 0; i < n; i++) {
			a[i] = 100 * scale[k] * (double)(i % 4); /* 0 1 2 3 */
			b[i] = i % 4 == 3 ? 0 : a[i];
		}
		r = compared(DTYPE_FLOAT64, a, n * 8, DTYPE_FLOAT64, b, n * 8, &exactly);
		NEAR(r.cosine, sqrt(5.0 / 14), 2e-3 * (scale[k] < 1e-300) + 1e-14);
		EQ_F64(r.max_rel, 1);
		EQ_I64(r.differ, n / 4);
	}
	a[0] = DBL_MAX;
	b[0] = -DBL_MAX; /* their difference is over the range: what it is of them is not */
	EQ_F64(compared(DTYPE_FLOAT64, a, 8, DTYPE_FLOAT64, b, 8, &exactly).max_rel, 2);
	EQ_F64(compared(DTYPE_FLOAT64, a, 8, DTYPE_FLOAT64, b, 8, &exactly).cosine, -1);
	free(a);
	free(b);
}

/* --- against a loop ----------------------------------------------------------------------- */

struct element {
	double re, im;
	bool wide;
	__int128 whole;
};

static struct element element_at(enum dtype dt, const char *p)
{
	enum dtype part = dt == DTYPE_COMPLEX32 ? DTYPE_FLOAT16 : dt == DTYPE_COMPLEX64 ?
		DTYPE_FLOAT32 : dt == DTYPE_COMPLEX128 ? DTYPE_FLOAT64 : dt;
	char raw[8 * 16] __attribute__((aligned(16))) = {0};
	struct element x = {.wide = dt == DTYPE_INT64 || dt == DTYPE_UINT64};
	struct decoder d;
	double v[8];
	int64_t i;
	uint64_t u;

	decoder_init(&d, part);
	memcpy(raw, p, kit_size(dt));
	decode(&d, raw, 8, v);
	x.re = v[0];
	x.im = part == dt ? 0 : v[1];
	memcpy(&i, raw, sizeof i);
	memcpy(&u, raw, sizeof u);
	x.whole = dt == DTYPE_INT64 ? (__int128)i : (__int128)u;
	return x;
}

/* Infinity where one of them is none, or both are and not the same. */
static double naive_apart(const struct element *a, const struct element *b, bool *both_nan)
{
	bool nan_a = isnan(a->re) || isnan(a->im), nan_b = isnan(b->re) || isnan(b->im);
	bool inf = isinf(a->re) || isinf(a->im) || isinf(b->re) || isinf(b->im);

	*both_nan = nan_a && nan_b;
	if (nan_a || nan_b)
		return *both_nan ? 0 : INFINITY;
	if (a->wide && b->wide)
		return (double)(a->whole > b->whole ? a->whole - b->whole : b->whole - a->whole);
	if (a->re == b->re && a->im == b->im)
		return 0;
	return inf ? INFINITY : (double)hypotl((long double)a->re - b->re,
				(long double)a->im - b->im);
}

static void naive_compare(enum dtype da, const char *a, enum dtype db, const char *b, size_t n,
		const struct compare_opts *o, struct compared *r)
{
	long double aa = 0, bb = 0, ab = 0;

	*r = (struct compared){.count = n, .first = UINT64_MAX};
	for (size_t i = 0; i < n; i++) {
		struct element x = element_at(da, a + i * kit_size(da));
		struct element y = element_at(db, b + i * kit_size(db));
		long double sx = hypotl(x.re, x.im), sy = hypotl(y.re, y.im);
		bool both_nan, differ;
		double d = naive_apart(&x, &y, &both_nan);

		differ = both_nan ? !o->nan_equal : isinf(d) ||
			!(d == 0 || d <= o->atol + o->rtol * (double)sy);
		if (differ && r->differ++ == 0)
			r->first = i;
		r->max_abs = fmax(r->max_abs, d);
		if (d > 0)
			r->max_rel = fmax(r->max_rel, isinf(d) ? INFINITY :
					(double)(d / fmaxl(sx, sy)));
		if (isfinite((double)sx) && isfinite((double)sy)) {
			aa += sx * sx;
			bb += sy * sy;
			ab += (long double)x.re * y.re + (long double)x.im * y.im;
		}
	}
	r->cosine = aa > 0 && bb > 0 ? (double)(ab / sqrtl(aa) / sqrtl(bb)) : NAN;
}

static bool nearly(double a, double b, double by)
{
	return kit_same(a, b) || fabs(a - b) <= by * fmax(fabs(a), fabs(b));
}

static void compares_like_the_loop(enum dtype da, const char *a, enum dtype db, const char *b,
		size_t n, const struct compare_opts *o)
{
	struct compared want, r;
	struct content ca = kit_content(a, n * kit_size(da)), cb = kit_content(b, n * kit_size(db));

	naive_compare(da, a, db, b, n, o, &want);
	EQ_I64(numbers_compare(&ca, da, &cb, db, o, &r, NULL), 0);
	EQ_I64(r.differ, want.differ);
	EQ_I64(r.first, want.first);
	OK(nearly(r.max_abs, want.max_abs, 1e-14));
	/* The modulus of a denormal number has few bits. */
	OK(nearly(r.max_rel, want.max_rel, r.max_abs < 1e-300 ? 0.01 : 1e-14));
	OK((isnan(r.cosine) && isnan(want.cosine)) || fabs(r.cosine - want.cosine) < 1e-12);
	EQ_I64(r.same_bytes, da == db && (n == 0 || memcmp(a, b, n * kit_size(da)) == 0));
	if (tap_bad)
		printf("# %s beside %s, %zu elements: %g %g, %g %g, %g %g\n", dtype_info(da)->name,
				dtype_info(db)->name, n, r.max_abs, want.max_abs, r.max_rel,
				want.max_rel, r.cosine, want.cosine);
	content_release(&ca);
	content_release(&cb);
}

static const size_t some_counts[] = {1, 7, 8, 33, 1024, 1025, 5003};

static void one_dtype_beside_itself(enum dtype dt, enum flavour flavour, size_t n)
{
	static const struct compare_opts some[] = {{0}, {.nan_equal = true},
		{.atol = 1e-3, .rtol = 1e-2}};
	size_t bytes = n * kit_size(dt);
	char *a = calloc(1, bytes + 16), *b = calloc(1, bytes + 16);

	kit_fill(dt, flavour, a, bytes);
	memcpy(b, a, bytes);
	for (unsigned k = 0; k < COUNT_OF(some) && !tap_bad; k++) {
		compares_like_the_loop(dt, a, dt, b, n, &some[k]); /* nothing, then a byte differs */
		b[bytes / 2] ^= 1;
	}
	kit_fill(dt, flavour, b, bytes);
	for (unsigned k = 0; k < COUNT_OF(some) && !tap_bad; k++)
		compares_like_the_loop(dt, a, dt, b, n, &some[k]);
	free(a);
	free(b);
}

static void every_dtype_beside_itself_as_the_loop_says(void)
{
	for (unsigned dt = DTYPE_NONE + 1; dt < DTYPE_COUNT; dt++)
		for (unsigned f = 0; f < FLAVOURS; f++)
			for (unsigned i = 0; i < COUNT_OF(some_counts) && !tap_bad; i++)
				if (decoded_kind((enum dtype)dt) != DECODED_RAW)
					one_dtype_beside_itself((enum dtype)dt, (enum flavour)f,
							some_counts[i]);
}

static void dtypes_beside_each_other_as_the_loop_says(void)
{
	static const enum dtype some[] = {DTYPE_FLOAT32, DTYPE_BFLOAT16, DTYPE_FLOAT16,
		DTYPE_FLOAT64, DTYPE_INT8, DTYPE_BOOL, DTYPE_COMPLEX64, DTYPE_FLOAT8_E5M2};
	size_t n = 3001;
	char *a = calloc(n, 16), *b = calloc(n, 16);

	for (unsigned i = 0; i < COUNT_OF(some); i++) {
		for (unsigned j = 0; j < COUNT_OF(some) && !tap_bad; j++) {
			kit_fill(some[i], FEW_NAN, a, n * kit_size(some[i]));
			kit_fill(some[j], WEIGHTS, b, n * kit_size(some[j]));
			compares_like_the_loop(some[i], a, some[j], b, n, &exactly);
		}
	}
	free(a);
	free(b);
}

static void any_number_of_threads_says_the_same(void)
{
	static const unsigned threads[] = {1, 2, 7};
	size_t bytes = 9 * PIECE_BYTES + 4;
	char *a = calloc(1, bytes), *b = calloc(1, bytes);
	struct content ca, cb;
	struct compared first = {0}, r;

	kit_fill(DTYPE_FLOAT32, WEIGHTS, a, bytes);
	memcpy(b, a, bytes);
	b[5 * PIECE_BYTES + 2] ^= 1;
	kit_fill(DTYPE_FLOAT32, FEW_NAN, b + 7 * PIECE_BYTES, 5000);
	ca = kit_file(a, bytes);
	cb = kit_file(b, bytes);
	for (unsigned k = 0; k < COUNT_OF(threads); k++) {
		pool_set_threads(threads[k]);
		EQ_I64(numbers_compare(&ca, DTYPE_FLOAT32, &cb, DTYPE_FLOAT32, &exactly, &r, NULL),
				0);
		first = k ? first : r;
		EQ_I64(r.first, 5 * PIECE_BYTES / 4);
		EQ_I64(r.differ, first.differ);
		EQ_F64(r.max_abs, first.max_abs);
		EQ_F64(r.cosine, first.cosine);
	}
	pool_set_threads(0);
	OK(kit_no_thread_left());
	content_release(&ca);
	content_release(&cb);
	free(a);
	free(b);
}

static void a_side_that_cannot_be_read_fails(void)
{
	struct content a = kit_torn_content(8 * PIECE_BYTES, 8 * PIECE_BYTES);
	struct content b = kit_torn_content(8 * PIECE_BYTES, 3 * PIECE_BYTES);
	struct compared r;
	bool same;

	pool_set_threads(3);
	EQ_I64(numbers_compare(&a, DTYPE_INT8, &b, DTYPE_INT8, &exactly, &r, NULL), ERR_TRUNCATED);
	EQ_I64(numbers_compare(&b, DTYPE_INT8, &a, DTYPE_INT8, &exactly, &r, NULL), ERR_TRUNCATED);
	EQ_I64(bytes_equal(&a, &b, &same, NULL), ERR_TRUNCATED);
	pool_set_threads(0);
	OK(kit_no_thread_left());
	content_release(&a);
	content_release(&b);
}

/* --- bytes -------------------------------------------------------------------------------- */

static bool same_bytes(const void *a, size_t an, const void *b, size_t bn)
{
	struct content ca = kit_content(a, an), cb = kit_content(b, bn);
	bool same = false;

	EQ_I64(bytes_equal(&ca, &cb, &same, NULL), 0);
	content_release(&ca);
	content_release(&cb);
	return same;
}

static void bytes_are_equal_or_one_is_not(void)
{
	size_t n = 5 * PIECE_BYTES + 3;
	char *a = calloc(1, n), *b = calloc(1, n);

	OK(same_bytes("", 0, "", 0));
	OK(!same_bytes("a", 1, "", 0));
	kit_fill(DTYPE_UINT8, ANY_BITS, a, n);
	memcpy(b, a, n);
	for (unsigned threads = 1; threads < 5; threads++) {
		static const size_t at[] = {0, PIECE_BYTES - 1, PIECE_BYTES, 5 * PIECE_BYTES + 2};

		pool_set_threads(threads);
		OK(same_bytes(a, n, b, n));
		OK(!same_bytes(a, n, b, n - 1));
		for (unsigned k = 0; k < COUNT_OF(at); k++) {
			b[at[k]] ^= 0x40;
			OK(!same_bytes(a, n, b, n));
			b[at[k]] ^= 0x40;
		}
	}
	pool_set_threads(0);
	free(a);
	free(b);
}

/* A difference in front of a hole is an answer, one behind it is not. */
static void the_first_difference_or_error_counts(void)
{
	struct content a = kit_torn_content(8 * PIECE_BYTES, 3 * PIECE_BYTES), b;
	char *p = calloc(8, PIECE_BYTES);
	bool same = true;

	memset(p, 1, 8 * PIECE_BYTES);
	b = kit_content(p, 8 * PIECE_BYTES);
	p[2 * PIECE_BYTES + 5] = 2;
	pool_set_threads(4);
	EQ_I64(bytes_equal(&a, &b, &same, NULL), 0);
	OK(!same);
	p[2 * PIECE_BYTES + 5] = 1;
	p[4 * PIECE_BYTES] = 2;
	EQ_I64(bytes_equal(&a, &b, &same, NULL), ERR_TRUNCATED);
	pool_set_threads(0);
	content_release(&a);
	content_release(&b);
	free(p);
}

int main(void)
{
	kit_begin();
	TEST(four_numbers_by_hand);
	TEST(the_same_bytes_are_the_same);
	TEST(both_zeros_are_equal_and_have_no_direction);
	TEST(nan_is_equal_to_nan_when_asked);
	TEST(infinities_are_equal_to_themselves_only);
	TEST(tolerance_is_absolute_and_of_the_second);
	TEST(whole_numbers_of_64_bits_are_compared_exactly);
	TEST(complex_numbers_are_compared_by_their_parts);
	TEST(raw_bits_differ_or_not);
	TEST(another_number_of_elements_is_a_mistake);
	TEST(no_elements_are_equal);
	TEST(a_cosine_at_the_ends_of_the_range);
	TEST(every_dtype_beside_itself_as_the_loop_says);
	TEST(dtypes_beside_each_other_as_the_loop_says);
	TEST(any_number_of_threads_says_the_same);
	TEST(a_side_that_cannot_be_read_fails);
	TEST(bytes_are_equal_or_one_is_not);
	TEST(the_first_difference_or_error_counts);
	return tap_done();
}
