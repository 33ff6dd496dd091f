/* pairs.c - how far two elements are apart.
 *
 *	one of them is NaN       different by Inf
 *	both are NaN             no number; different unless nan_equal
 *	equal, also infinities   0
 *	one or both infinite     different by Inf, whatever the tolerance
 *	otherwise                |a - b|, different when it is more than atol + rtol * |b|
 *
 * max_rel is Inf where the difference is for one of these reasons. Blocks in which all is finite,
 * as nearly all are, go through a loop that compilers make vector code of, compiled for each kind
 * of processor; it tells by the sums of squares that it did not see all.
 *
 * 64-bit integers are kept as sign, 64 bits, and a fraction that only a double beside them has:
 * their difference is exact before it is rounded to a double, and 0 only when they are equal.
 */
#include "pairs.h"

#include <math.h>
#include <string.h>

#include "modulus.h"

#define LANES 8

struct apart {
	double abs, rel;
	bool differ;
};

static void add_apart(struct pairs *p, uint64_t at, const struct apart *d)
{
	p->max_abs = fmax(p->max_abs, d->abs);
	p->max_rel = fmax(p->max_rel, d->rel);
	if (!d->differ)
		return;
	p->differ++;
	if (p->first == NO_FIRST)
		p->first = at;
}

void pairs_join(struct pairs *p, uint64_t at, const struct pairs *more)
{
	if (p->first == NO_FIRST && more->first != NO_FIRST)
		p->first = at + more->first;
	p->differ += more->differ;
	p->max_abs = fmax(p->max_abs, more->max_abs);
	p->max_rel = fmax(p->max_rel, more->max_rel);
	p->aa += more->aa;
	p->bb += more->bb;
	p->ab += more->ab;
	p->other_bytes |= more->other_bytes;
}

static bool within(double apart, double size_of_b, const struct compare_opts *o)
{
	return apart <= o->atol + o->rtol * size_of_b;
}

/* One of them, or both, is no finite number. */
static struct apart odd_apart(bool nan_a, bool nan_b, bool equal, const struct compare_opts *o)
{
	if (nan_a && nan_b)
		return (struct apart){0, 0, !o->nan_equal};
	if (equal)
		return (struct apart){0, 0, false};
	return (struct apart){INFINITY, INFINITY, true};
}

static struct apart real_apart(double a, double b, const struct compare_opts *o)
{
	double larger = fmax(fabs(a), fabs(b)), d = fabs(a - b);

	if (!isfinite(a) || !isfinite(b))
		return odd_apart(isnan(a), isnan(b), a == b, o);
	if (d == 0)
		return (struct apart){0, 0, false};
	if (isinf(d)) /* a and b are large, and of different sign */
		return (struct apart){d, fabs(a / larger - b / larger), !within(d, fabs(b), o)};
	return (struct apart){d, d / larger, !within(d, fabs(b), o)};
}

static void add_dots(struct pairs *p, double a, double b)
{
	if (isfinite(a) && isfinite(b)) {
		p->aa += a * a;
		p->bb += b * b;
		p->ab += a * b;
	}
}

/* --- finite doubles, fast ----------------------------------------------------------------- */

struct fast {
	double max_abs, max_rel, aa, bb, ab;
	uint64_t differ;
};

/* n is a multiple of LANES. x > most ? x : most leaves most alone where x is NaN: 0 / 0. */
static inline __attribute__((always_inline)) void fast_loop(const double *restrict a,
		const double *restrict b, size_t n, double atol, double rtol,
		struct fast *restrict ret)
{
	double most[LANES] = {0}, rel[LANES] = {0}, aa[LANES] = {0}, bb[LANES] = {0};
	double ab[LANES] = {0};
	uint64_t differ[LANES] = {0};

	for (size_t i = 0; i < n; i += LANES) {
		for (unsigned k = 0; k < LANES; k++) {
			double x = a[i + k], y = b[i + k], d = fabs(x - y);
			double larger = fabs(x) > fabs(y) ? fabs(x) : fabs(y), r = d / larger;

			most[k] = d > most[k] ? d : most[k];
			rel[k] = r > rel[k] ? r : rel[k];
			aa[k] += x * x;
			bb[k] += y * y;
			ab[k] += x * y;
			differ[k] += d > atol + rtol * fabs(y);
		}
	}
	*ret = (struct fast){0};
	for (unsigned k = 0; k < LANES; k++) {
		ret->max_abs = fmax(ret->max_abs, most[k]);
		ret->max_rel = fmax(ret->max_rel, rel[k]);
		ret->aa += aa[k];
		ret->bb += bb[k];
		ret->ab += ab[k];
		ret->differ += differ[k];
	}
}

typedef void fast_fn(const double *restrict a, const double *restrict b, size_t n, double atol,
		double rtol, struct fast *restrict ret);

#define FAST(name, attribute)                                                                      \
	attribute static void name(const double *restrict a, const double *restrict b, size_t n,   \
			double atol, double rtol, struct fast *restrict ret)                       \
	{                                                                                          \
		fast_loop(a, b, n, atol, rtol, ret);                                               \
	}

FAST(fast_plain, )
#ifdef __x86_64__
FAST(fast_avx2, __attribute__((target("avx2"))))
FAST(fast_avx512, __attribute__((target("avx512f,avx512dq,avx512vl"))))
#endif

static fast_fn *fast_best(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
			__builtin_cpu_supports("avx512vl"))
		return fast_avx512;
	if (__builtin_cpu_supports("avx2"))
		return fast_avx2;
#endif
	return fast_plain;
}

static uint64_t first_apart(const double *a, const double *b, size_t n,
		const struct compare_opts *o)
{
	for (size_t i = 0; i < n; i++)
		if (real_apart(a[i], b[i], o).differ)
			return i;
	return NO_FIRST;
}

/* False: not all is finite, or squares overflow; nothing was added. */
static bool add_fast(struct pairs *p, uint64_t at, const double *a, const double *b, size_t n,
		const struct compare_opts *o)
{
	struct pairs more = {.first = NO_FIRST};
	struct fast f;

	fast_best()(a, b, n, o->atol, o->rtol, &f);
	if (!isfinite(f.aa + f.bb) || isinf(f.max_abs))
		return false;
	if (f.differ && p->first == NO_FIRST)
		more.first = first_apart(a, b, n, o);
	more.differ = f.differ;
	more.max_abs = f.max_abs;
	more.max_rel = f.max_rel;
	more.aa = f.aa;
	more.bb = f.bb;
	more.ab = f.ab;
	pairs_join(p, at, &more);
	return true;
}

void pairs_real(struct pairs *p, uint64_t at, const double *a, const double *b, size_t n,
		const struct compare_opts *o)
{
	size_t i = n / LANES * LANES;

	if (!add_fast(p, at, a, b, i, o))
		i = 0;
	for (; i < n; i++) {
		struct apart d = real_apart(a[i], b[i], o);

		add_apart(p, at + i, &d);
		add_dots(p, a[i], b[i]);
	}
}

/* --- complex ------------------------------------------------------------------------------ */

static struct apart complex_apart(const double *a, const double *b, const struct compare_opts *o)
{
	bool equal = a[0] == b[0] && a[1] == b[1];
	double size_a = modulus(a[0], a[1]), size_b = modulus(b[0], b[1]);
	double larger = fmax(size_a, size_b), d = modulus(a[0] - b[0], a[1] - b[1]);

	if (!isfinite(size_a) || !isfinite(size_b))
		return odd_apart(isnan(size_a), isnan(size_b), equal, o);
	if (equal)
		return (struct apart){0, 0, false};
	if (!isfinite(d))
		return (struct apart){d, modulus(a[0] / larger - b[0] / larger,
			a[1] / larger - b[1] / larger), !within(d, size_b, o)};
	return (struct apart){d, d / larger, !within(d, size_b, o)};
}

void pairs_complex(struct pairs *p, uint64_t at, const double *a, const double *b, size_t n,
		const struct compare_opts *o)
{
	for (size_t i = 0; i < n; i++, a += 2, b += 2) {
		struct apart d = complex_apart(a, b, o);

		add_apart(p, at + i, &d);
		if (isfinite(a[0]) && isfinite(a[1]) && isfinite(b[0]) && isfinite(b[1])) {
			add_dots(p, a[0], b[0]);
			add_dots(p, a[1], b[1]);
		}
	}
}

/* --- 64-bit integers ---------------------------------------------------------------------- */

/* -1 to the power of negative, times (magnitude + rest); rest alone from 2^64 on. */
struct exact {
	bool negative, beyond;
	uint64_t magnitude;
	double rest;
};

static struct exact exact_double(double v)
{
	double size = fabs(v);
	struct exact x = {.negative = v < 0, .beyond = size >= 0x1p64};

	if (!x.beyond)
		x.magnitude = (uint64_t)size;
	x.rest = x.beyond ? size - 0x1p64 : size - (double)x.magnitude;
	return x;
}

static struct exact exact_at(const double *v, struct whole w, size_t i)
{
	uint64_t bits;

	if (!w.at)
		return exact_double(v[i]);
	memcpy(&bits, (const char *)w.at + i * sizeof bits, sizeof bits);
	if (w.is_signed && bits >> 63)
		return (struct exact){.negative = true, .magnitude = 0 - bits};
	return (struct exact){.magnitude = bits};
}

/* | |x| - |y| |; beyond stands for 2^64 more, of which 0 - magnitude is what a small one lacks. */
static double between(const struct exact *x, const struct exact *y)
{
	const struct exact *larger = x, *less = y;

	if (x->beyond != y->beyond) {
		larger = x->beyond ? x : y;
		less = x->beyond ? y : x;
		return larger->rest - less->rest +
			(less->magnitude ? (double)(0 - less->magnitude) : 0x1p64);
	}
	if (less->magnitude > larger->magnitude) {
		larger = y;
		less = x;
	}
	return fabs((double)(larger->magnitude - less->magnitude) + (larger->rest - less->rest));
}

static double size_of(const struct exact *x)
{
	return (x->beyond ? 0x1p64 : (double)x->magnitude) + x->rest;
}

static struct apart whole_apart(const struct exact *a, const struct exact *b,
		const struct compare_opts *o)
{
	double size_a = size_of(a), size_b = size_of(b);
	double d = a->negative == b->negative ? between(a, b) : size_a + size_b;

	return (struct apart){d, d > 0 ? d / fmax(size_a, size_b) : 0, !within(d, size_b, o)};
}

void pairs_whole(struct pairs *p, uint64_t at, const double *a, struct whole ia, const double *b,
		struct whole ib, size_t n, const struct compare_opts *o)
{
	for (size_t i = 0; i < n; i++) {
		struct apart d;

		if (isfinite(a[i]) && isfinite(b[i])) {
			struct exact x = exact_at(a, ia, i), y = exact_at(b, ib, i);

			d = whole_apart(&x, &y, o);
		} else {
			d = odd_apart(isnan(a[i]), isnan(b[i]), false, o);
		}
		add_apart(p, at + i, &d);
		add_dots(p, a[i], b[i]);
	}
}

/* --- raw bits ----------------------------------------------------------------------------- */

void pairs_raw(struct pairs *p, uint64_t at, const char *a, const char *b, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		struct apart d = {0, 0, memcmp(a + i * size, b + i * size, size) != 0};

		add_apart(p, at + i, &d);
	}
}
