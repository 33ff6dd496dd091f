/* stats.c - count, NaN, Inf, zeros, min, max, mean and std of a run of elements.
 *
 * This is the reference that any faster engine has to agree with. Counts, min and max are exact.
 * Sums are made a block of 1024 at a time (four lanes of 256 additions each), and the sums of the
 * blocks are added with compensation, so with u = 2^-53
 *
 *	|mean - exact| <= 260 u * (mean of |x|)		however many elements there are.
 *
 * Squares are taken around the mean of their block, and blocks are joined by Chan's rule, which
 * adds the square of how far the block's mean is from the mean so far:
 *
 *	M2 = M2a + M2b + (mean_b - mean_a)^2 * na * nb / (na + nb)
 *
 * so nothing cancels: std is off by some 300 u + (300 u * mean of |x| / std)^2, relatively.
 *
 * Elements that are not finite are counted and left out of everything else. A block whose sum is
 * finite has none, so only the others are looked at one by one. Finite doubles beyond 1e154 may
 * overflow a sum or a square: mean is then Inf or NaN, as in torch, and std is Inf.
 */
#include "tally.h"

#include <math.h>
#include <string.h>

#include <pthfs/sum.h>

#define LANES 4

struct scan {
	double sum, min, max;
	uint64_t zeros;
};

static void scan(const double *x, size_t n, struct scan *ret)
{
	double sum[LANES] = {0}, lo[LANES], hi[LANES];
	uint64_t zeros[LANES] = {0};
	size_t i;

	for (unsigned k = 0; k < LANES; k++)
		lo[k] = INFINITY, hi[k] = -INFINITY;
	for (i = 0; i + LANES <= n; i += LANES) {
		for (unsigned k = 0; k < LANES; k++) {
			double v = x[i + k];

			sum[k] += v;
			lo[k] = v < lo[k] ? v : lo[k];
			hi[k] = v > hi[k] ? v : hi[k];
			zeros[k] += v == 0;
		}
	}
	for (; i < n; i++) {
		sum[0] += x[i];
		lo[0] = x[i] < lo[0] ? x[i] : lo[0];
		hi[0] = x[i] > hi[0] ? x[i] : hi[0];
		zeros[0] += x[i] == 0;
	}
	*ret = (struct scan){
		.sum = (sum[0] + sum[1]) + (sum[2] + sum[3]),
		.min = fmin(fmin(lo[0], lo[1]), fmin(lo[2], lo[3])),
		.max = fmax(fmax(hi[0], hi[1]), fmax(hi[2], hi[3])),
		.zeros = zeros[0] + zeros[1] + zeros[2] + zeros[3],
	};
}

/* Sum of squares around m. */
static double squares(const double *x, size_t n, double m)
{
	double sum[LANES] = {0};
	size_t i;

	for (i = 0; i + LANES <= n; i += LANES) {
		for (unsigned k = 0; k < LANES; k++) {
			double v = x[i + k] - m;

			sum[k] += v * v;
		}
	}
	for (; i < n; i++)
		sum[0] += (x[i] - m) * (x[i] - m);
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Neumaier's: what an addition loses is kept beside. */
static void add(struct sum *s, double v)
{
	double t = s->high + v;

	s->low += fabs(s->high) >= fabs(v) ? (s->high - t) + v : (v - t) + s->high;
	s->high = t;
}

static double value(const struct sum *s)
{
	return isfinite(s->high) ? s->high + s->low : s->high;
}

size_t keep_finite(double *x, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(x[i]))
			x[kept++] = x[i];
	return kept;
}

static void count_odd(struct tally *t, const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		t->nan += isnan(x[i]) != 0;
		t->pos_inf += isinf(x[i]) && x[i] > 0;
		t->neg_inf += isinf(x[i]) && x[i] < 0;
	}
}

static void add_sum(struct sum *s, const struct sum *more)
{
	add(s, more->high);
	if (isfinite(more->high))
		add(s, more->low);
}

/* How far n more elements of this mean pull M2 apart. */
static void add_apart(struct tally *t, double mean, double n)
{
	double had = (double)t->finite, apart;

	if (t->finite == 0)
		return;
	apart = mean - value(&t->sum) / had;
	add(&t->m2, apart * apart * (had / (had + n)) * n);
}

static void join_range(struct tally *t, uint64_t n, uint64_t zeros, double min, double max)
{
	t->finite += n;
	t->zeros += zeros;
	t->min = fmin(t->min, min);
	t->max = fmax(t->max, max);
}

void tally_part(struct tally *t, const struct part *p)
{
	add_apart(t, p->mean, (double)p->n);
	add(&t->sum, p->sum);
	add(&t->m2, p->m2);
	join_range(t, p->n, p->zeros, p->min, p->max);
}

void tally_join(struct tally *t, const struct tally *more)
{
	t->count += more->count;
	t->nan += more->nan;
	t->pos_inf += more->pos_inf;
	t->neg_inf += more->neg_inf;
	if (more->finite == 0)
		return;
	add_apart(t, value(&more->sum) / (double)more->finite, (double)more->finite);
	add_sum(&t->sum, &more->sum);
	add_sum(&t->m2, &more->m2);
	join_range(t, more->finite, more->zeros, more->min, more->max);
}

void tally_init(struct tally *t)
{
	*t = (struct tally){.min = INFINITY, .max = -INFINITY};
}

void tally_block(void *tally, double *x, size_t n)
{
	struct tally *t = tally;
	struct scan s;

	t->count += n;
	scan(x, n, &s);
	if (!isfinite(s.sum)) {
		count_odd(t, x, n);
		n = keep_finite(x, n);
		scan(x, n, &s);
	}
	if (n) {
		double mean = s.sum / (double)n;

		tally_part(t, &(struct part){.n = n, .zeros = s.zeros, .min = s.min, .max = s.max,
			.sum = s.sum, .mean = mean, .m2 = squares(x, n, mean)});
	}
}

void tally_finish(const struct tally *t, enum decoded kind, struct stats *ret)
{
	struct stats s = {.count = t->count, .nan = t->nan, .pos_inf = t->pos_inf,
		.neg_inf = t->neg_inf, .zeros = t->zeros};

	if (kind != DECODED_RAW && t->finite) {
		double m2 = value(&t->m2);

		s.finite = t->finite;
		s.has_numbers = kind != DECODED_MODULUS;
		s.whole = kind == DECODED_WHOLE;
		s.min = t->min + 0.0; /* not -0.0 */
		s.max = t->max + 0.0;
		s.mean = value(&t->sum) / (double)t->finite + 0.0;
		s.std = t->finite > 1 ? sqrt(m2 / (double)(t->finite - 1)) : NAN;
		if (isnan(m2))
			s.std = INFINITY;
		s.abs_max = fmax(fabs(t->min), fabs(t->max));
	}
	*ret = s;
}

int stats_of(const struct content *c, enum dtype dt, struct stats *ret, struct err *e)
{
	struct tally t;
	uint64_t sum;
	int rc;

	tally_init(&t);
	rc = blocks_and_sum(c, dt, tally_block, &t, &sum, e);
	if (rc < 0)
		return rc;
	tally_finish(&t, decoded_kind(dt), ret);
	ret->sum = sum_finish(sum, c->size);
	return 0;
}

/* --- as JSON ------------------------------------------------------------------------------ */

static void count_member(struct json *j, const char *name, uint64_t n)
{
	json_key(j, name);
	json_u64(j, n);
}

static void number_member(struct json *j, const char *name, bool there, bool whole, double v)
{
	json_key(j, name);
	if (!there)
		json_null(j);
	else if (whole && fabs(v) <= 0x1p53)
		json_i64(j, (int64_t)v);
	else
		json_f64(j, v);
}

void stats_members(const struct stats *s, struct json *j)
{
	bool n = s->has_numbers;

	count_member(j, "count", s->count);
	count_member(j, "nan", s->nan);
	count_member(j, "pos_inf", s->pos_inf);
	count_member(j, "neg_inf", s->neg_inf);
	count_member(j, "zeros", s->zeros);
	number_member(j, "min", n, s->whole, s->min);
	number_member(j, "max", n, s->whole, s->max);
	number_member(j, "mean", n, false, s->mean);
	number_member(j, "std", n && s->finite > 1, false, s->std);
	number_member(j, "abs_max", s->finite > 0, s->whole, s->abs_max);
}
