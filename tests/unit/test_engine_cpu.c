/* The CPU engine against the reference, and against a loop that anybody can read. */
#include "engine_kit.h"

#include <pthfs/decode.h>
#include <pthfs/sum.h>

#define U 0x1p-53

/* Every size at which something begins: a step, a block, a piece, several. */
static const size_t counts[] = {0, 1, 2, 15, 31, 32, 33, 1000, 1023, 1056, 4095, 4096, 4097, 8192,
	12345, 70001};

/* What the header calls exact. */
static void exact_parts_agree(const struct stats *s, const struct stats *want)
{
	EQ_I64(s->count, want->count);
	EQ_I64(s->nan, want->nan);
	EQ_I64(s->pos_inf, want->pos_inf);
	EQ_I64(s->neg_inf, want->neg_inf);
	EQ_I64(s->zeros, want->zeros);
	EQ_I64(s->finite, want->finite);
	EQ_I64(s->sum, want->sum);
	OK(s->has_numbers == want->has_numbers && s->whole == want->whole);
	OK(kit_same(s->min, want->min));
	OK(kit_same(s->max, want->max));
	OK(kit_same(s->abs_max, want->abs_max));
}

struct naive {
	uint64_t n;
	long double sum, size, m2;
	long double mean;
	bool again;
};

static void naive_block(void *ctx, double *x, size_t n)
{
	struct naive *v = ctx;

	for (size_t i = 0; i < n; i++) {
		long double d;

		if (!isfinite(x[i]))
			continue;
		d = x[i] - v->mean;
		v->n += !v->again;
		v->sum += v->again ? 0 : x[i];
		v->size += v->again ? 0 : fabsl(x[i]);
		v->m2 += v->again ? d * d : 0;
	}
}

/* mean and std within the bounds of src/engine/README.md of what 64 bits of mantissa say. */
static void means_are_near(const struct content *c, enum dtype dt, const struct stats *s)
{
	struct naive v = {0};
	long double n, std;

	OK(blocks_each(c, dt, naive_block, &v, NULL) == 0);
	n = v.n;
	v.mean = v.n ? v.sum / n : 0;
	v.again = true;
	OK(blocks_each(c, dt, naive_block, &v, NULL) == 0);
	if (!s->finite || isinf((double)v.m2)) /* squares are over the range: test below */
		return;
	NEAR(s->mean, (double)v.mean, 600 * U * (double)(v.size / n));
	std = v.n > 1 ? sqrtl(v.m2 / (n - 1)) : NAN;
	if (v.n > 1)
		NEAR(s->std, (double)std, 3000 * U * (double)std + 10 * U * (double)(v.size / n) +
				1e-150);
	else
		OK(isnan(s->std));
}

static void say_where(enum dtype dt, unsigned flavour, size_t n, const char *kernels)
{
	if (tap_bad)
		printf("# %s, flavour %u, %zu elements, %s\n", dtype_info(dt)->name, flavour, n,
				kernels);
}

static void all_kernels_agree(enum dtype dt, enum flavour flavour, size_t n)
{
	const struct kernels *k[3];
	size_t bytes = n * kit_size(dt);
	void *p = malloc(bytes + 1);
	struct content c;
	struct stats want, s[3];

	kit_fill(dt, flavour, p, bytes);
	c = kit_content(p, bytes);
	OK(stats_of(&c, dt, &want, NULL) == 0);
	EQ_I64(want.sum, sum_of(p, bytes));
	for (unsigned i = 0, all = kit_kernels(k); i < all && !tap_bad; i++) {
		OK(cpu_stats_with(k[i], &c, dt, &s[i], NULL) == 0);
		exact_parts_agree(&s[i], &want);
		means_are_near(&c, dt, &s[i]);
		OK(kit_same(s[i].mean, s[0].mean) && kit_same(s[i].std, s[0].std));
		say_where(dt, flavour, n, k[i]->name);
	}
	content_release(&c);
	free(p);
}

static void every_dtype_kind_and_size_on_every_kind_of_processor(void)
{
	for (unsigned dt = DTYPE_NONE + 1; dt < DTYPE_COUNT; dt++)
		for (unsigned flavour = 0; flavour < FLAVOURS; flavour++)
			for (unsigned i = 0; i < COUNT_OF(counts) && !tap_bad; i++)
				all_kernels_agree((enum dtype)dt, (enum flavour)flavour, counts[i]);
}

/* All codes of 16 bits, at every place of a vector. */
static void every_code_of_16_bits_is_loaded_as_the_decoder_does_it(void)
{
	static const enum dtype two[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_INT16, DTYPE_UINT16};
	uint16_t v[32];

	for (unsigned k = 0; k < COUNT_OF(two); k++) {
		for (unsigned code = 0; code < 65536 && !tap_bad; code += 1 + code % 3) {
			struct content c;
			struct stats s, want;

			memset(v, 0, sizeof v);
			v[code % 32] = (uint16_t)code;
			c = kit_content(v, sizeof v);
			OK(stats_of(&c, two[k], &want, NULL) == 0);
			OK(engine_stats(engine_cpu(), &c, two[k], &s, NULL) == 0);
			exact_parts_agree(&s, &want);
			content_release(&c);
		}
	}
}

static void bytes_behind_the_last_element_are_in_the_checksum_only(void)
{
	uint8_t v[4099] = {0};
	struct content c = kit_content(v, sizeof v);
	struct stats s;

	kit_fill(DTYPE_FLOAT32, WEIGHTS, v, sizeof v);
	OK(engine_stats(engine_cpu(), &c, DTYPE_FLOAT32, &s, NULL) == 0);
	EQ_I64(s.count, 1024);
	EQ_I64(s.sum, sum_of(v, sizeof v));
	content_release(&c);
}

/* Blocks far apart, numbers before and behind NaN: the k of a block is not taken from a bad one. */
static void blocks_that_are_far_apart_and_full_of_nan(void)
{
	size_t n = 40 * KERNEL_MOST;
	double *v = calloc(n, sizeof *v);
	struct content c = kit_content(v, n * sizeof *v);
	struct stats s, want;

	for (size_t i = 0; i < n; i++) {
		size_t block = i / KERNEL_MOST;

		v[i] = block % 3 == 1 ? NAN : (block % 2 ? 1e6 : -3) + kit_normal() * 1e-3;
	}
	v[KERNEL_MOST] = 1e12;
	OK(stats_of(&c, DTYPE_FLOAT64, &want, NULL) == 0);
	OK(engine_stats(engine_cpu(), &c, DTYPE_FLOAT64, &s, NULL) == 0);
	exact_parts_agree(&s, &want);
	means_are_near(&c, DTYPE_FLOAT64, &s);
	content_release(&c);
	free(v);
}

static void doubles_whose_squares_overflow_go_the_way_of_the_reference(void)
{
	static const double scale[] = {1e150, 1e160, 1e300, 1.7e308};
	size_t n = 20000;
	double *v = calloc(n, sizeof *v);
	struct content c = kit_content(v, n * sizeof *v);
	struct stats s, want;

	for (unsigned k = 0; k < COUNT_OF(scale); k++) {
		for (size_t i = 0; i < n; i++)
			v[i] = scale[k] * (i % 7 ? 1 : -0.5);
		v[n / 2] = NAN;
		OK(stats_of(&c, DTYPE_FLOAT64, &want, NULL) == 0);
		OK(engine_stats(engine_cpu(), &c, DTYPE_FLOAT64, &s, NULL) == 0);
		exact_parts_agree(&s, &want);
		OK(kit_same(s.std, want.std) || fabs(s.std / want.std - 1) < 1e-13);
		OK(kit_same(s.mean, want.mean) || fabs(s.mean / want.mean - 1) < 1e-13);
	}
	content_release(&c);
	free(v);
}

static void a_million_times_one_value_has_no_deviation(void)
{
	size_t n = 1000003;
	float *v = calloc(n, sizeof *v);
	struct content c = kit_content(v, n * sizeof *v);
	struct stats s;

	for (size_t i = 0; i < n; i++)
		v[i] = 0.1f;
	OK(engine_stats(engine_cpu(), &c, DTYPE_FLOAT32, &s, NULL) == 0);
	EQ_F64(s.mean, (double)0.1f);
	EQ_F64(s.std, 0);
	content_release(&c);
	free(v);
}

/* --- threads ------------------------------------------------------------------------------ */

static void any_number_of_threads_gives_the_same_bits(void)
{
	static const unsigned threads[] = {1, 2, 3, 8, 64};
	static const enum dtype some[] = {DTYPE_FLOAT32, DTYPE_BFLOAT16, DTYPE_INT64};
	size_t bytes = 19 * PIECE_BYTES + 77;
	char *p = malloc(bytes);

	for (unsigned k = 0; k < COUNT_OF(some); k++) {
		struct stats first, s;
		struct content file, memory;

		kit_fill(some[k], FEW_NAN, p, bytes);
		file = kit_file(p, bytes);
		memory = kit_content(p, bytes);
		OK(!pool_serial(&file) && pool_serial(&memory));
		pool_set_threads(1);
		OK(engine_stats(engine_cpu(), &file, some[k], &first, NULL) == 0);
		EQ_I64(first.sum, sum_of(p, bytes));
		for (unsigned t = 0; t < COUNT_OF(threads); t++) {
			pool_set_threads(threads[t]);
			OK(engine_stats(engine_cpu(), &file, some[k], &s, NULL) == 0);
			exact_parts_agree(&s, &first);
			OK(kit_same(s.mean, first.mean) && kit_same(s.std, first.std));
			OK(engine_stats(engine_cpu(), &memory, some[k], &s, NULL) == 0);
			OK(kit_same(s.mean, first.mean) && kit_same(s.std, first.std));
		}
		content_release(&file);
		content_release(&memory);
	}
	pool_set_threads(0);
	OK(kit_no_thread_left());
	free(p);
}

static void a_source_that_fails_in_the_middle_fails_all_of_it(void)
{
	static const unsigned threads[] = {1, 2, 5};
	uint64_t size = 40 * PIECE_BYTES;

	for (unsigned t = 0; t < COUNT_OF(threads); t++) {
		struct content c = kit_torn_content(size, 17 * PIECE_BYTES + 3);
		struct stats s = {.count = 12345};
		struct err e = {0};
		char want[64];

		snprintf(want, sizeof want, "the file ends at %u", 17 * PIECE_BYTES + 3);
		pool_set_threads(threads[t]);
		EQ_I64(engine_stats(engine_cpu(), &c, DTYPE_FLOAT32, &s, &e), ERR_TRUNCATED);
		EQ_I64(engine_stats(engine_cpu(), &c, DTYPE_FLOAT32, &s, NULL), ERR_TRUNCATED);
		EQ_I64(e.code, ERR_TRUNCATED);
		EQ_STR(e.text, want);
		EQ_I64(s.count, 12345);
		OK(kit_no_thread_left());
		content_release(&c);
	}
	pool_set_threads(0);
}

/* A file that shrinks while it is read in several places: the first one that is missing is told. */
static void a_file_that_was_cut_says_where(void)
{
	size_t bytes = 12 * PIECE_BYTES;
	char *p = calloc(1, bytes);
	struct content c = kit_file(p, bytes);
	struct stats s;
	struct err e = {0};
	uint64_t off;

	OK(ftruncate(source_raw(c.at[0].src, 0, 1, &off), 5 * PIECE_BYTES + 100) == 0);
	pool_set_threads(4);
	EQ_I64(engine_stats(engine_cpu(), &c, DTYPE_UINT8, &s, &e), ERR_TRUNCATED);
	pool_set_threads(1);
	EQ_I64(engine_stats(engine_cpu(), &c, DTYPE_UINT8, &s, &e), ERR_TRUNCATED);
	pool_set_threads(0);
	OK(kit_no_thread_left());
	content_release(&c);
	free(p);
}

int main(void)
{
	kit_begin();
	TEST(every_dtype_kind_and_size_on_every_kind_of_processor);
	TEST(every_code_of_16_bits_is_loaded_as_the_decoder_does_it);
	TEST(bytes_behind_the_last_element_are_in_the_checksum_only);
	TEST(blocks_that_are_far_apart_and_full_of_nan);
	TEST(doubles_whose_squares_overflow_go_the_way_of_the_reference);
	TEST(a_million_times_one_value_has_no_deviation);
	TEST(any_number_of_threads_gives_the_same_bits);
	TEST(a_source_that_fails_in_the_middle_fails_all_of_it);
	TEST(a_file_that_was_cut_says_where);
	return tap_done();
}
