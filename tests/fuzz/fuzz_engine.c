/* Any bytes as two runs of elements: every engine of this processor has the numbers of the
 * reference, and what comes out of a comparison does not contradict itself.
 *
 * Bytes 0 and 1 are the dtypes, byte 2 the options, byte 3 how often the rest is repeated (so that
 * a short input fills many blocks); then the elements: the first half is one run, the second the
 * other.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/engine.h>

#include "../../src/engine/kernels.h"
#include "../../src/engine/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
	if (!fine)
		abort();
}

static bool same(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void agrees(const struct kernels *k, const struct content *c, enum dtype dt,
		const struct stats *want)
{
	struct stats s;

	check(cpu_stats_with(k, c, dt, &s, NULL) == 0);
	check(s.count == want->count && s.nan == want->nan && s.pos_inf == want->pos_inf);
	check(s.neg_inf == want->neg_inf && s.zeros == want->zeros && s.finite == want->finite);
	check(s.sum == want->sum && s.has_numbers == want->has_numbers);
	check(same(s.min, want->min) && same(s.max, want->max) && same(s.abs_max, want->abs_max));
	if (s.finite && s.abs_max < 1e150)
		check(fabs(s.mean - want->mean) <= 1e-12 * s.abs_max);
}

static void numbers_agree(const struct content *c, enum dtype dt)
{
	struct stats want;

	check(stats_of(c, dt, &want, NULL) == 0);
	agrees(&kernels_plain, c, dt, &want);
	agrees(kernels_best(), c, dt, &want);
}

static void no_contradiction(const struct compared *r)
{
	check(r->differ <= r->count && (r->differ == 0) == (r->first == UINT64_MAX));
	check(r->differ == 0 || r->first <= r->count - r->differ);
	check(r->max_abs >= 0 && r->max_rel >= 0 && (r->max_rel <= 2.01 || isinf(r->max_rel)));
	check(isnan(r->cosine) || fabs(r->cosine) <= 1);
	if (r->same_bytes && r->has_numbers)
		check(r->max_abs == 0 && (isnan(r->cosine) || r->cosine > 1 - 1e-9));
}

static void comparison_is_sound(const struct content *a, enum dtype da, const struct content *b,
		enum dtype db, const struct compare_opts *o)
{
	const struct compare_opts any_nan = {.nan_equal = true};
	struct compared r, back;
	bool equal;

	check(numbers_compare(a, da, a, da, &any_nan, &r, NULL) == 0);
	check(r.differ == 0 && r.same_bytes);
	no_contradiction(&r);
	if (numbers_compare(a, da, b, db, o, &r, NULL) < 0)
		return;
	no_contradiction(&r);
	check(numbers_compare(b, db, a, da, o, &back, NULL) == 0);
	no_contradiction(&back);
	check(same(r.max_abs, back.max_abs) && same(r.max_rel, back.max_rel));
	check(o->rtol != 0 || r.differ == back.differ);
	check(bytes_equal(a, b, &equal, NULL) == 0);
	check(!equal || da != db || r.same_bytes);
}

static struct content repeated(const uint8_t *p, size_t n, unsigned times)
{
	struct content c = {0};
	char *all = malloc(n * times + 1);

	check(all != NULL);
	for (unsigned k = 0; k < times; k++)
		memcpy(all + k * n, p, n);
	check(content_source(source_mem_take(all, n * times), &c) == 0);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct compare_opts o = {0};
	struct content a, b;
	unsigned times;
	size_t half;

	if (size < 6)
		return 0;
	half = (size - 4) / 2;
	times = 1 + data[3];
	o.nan_equal = data[2] & 1;
	o.atol = data[2] & 2 ? 0.5 : 0;
	o.rtol = data[2] & 4 ? 0.01 : 0;
	a = repeated(data + 4, half, times);
	b = repeated(data + 4 + half, half, times);
	numbers_agree(&a, (enum dtype)(data[0] % DTYPE_COUNT));
	comparison_is_sound(&a, (enum dtype)(data[0] % DTYPE_COUNT), &b,
			(enum dtype)(data[1] % DTYPE_COUNT), &o);
	content_release(&a);
	content_release(&b);
	return 0;
}
