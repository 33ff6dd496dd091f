/* cosine.c - the cosine of two runs of doubles whose squares are beyond the range of a double.
 *
 * Each piece is scaled by a power of two, so that its largest element is about 1, and keeps the
 * exponents beside its dot products; joining brings the smaller of two to the exponent of the
 * larger. That reads everything a second time; numbers over 1e150, or all under 1e-150, are rare.
 */
#include "compare.h"

#include <float.h>
#include <math.h>

#define LEAST 0x1p-960 /* squares under 2^-1022 lose bits: this is far enough from them */

struct dots {
	int a, b; /* exponents */
	double aa, bb, ab;
};

struct scaled {
	const struct compare *c;
	struct dots all;
};

double cosine_of(double aa, double bb, double ab)
{
	if (!(aa > 0 && bb > 0))
		return NAN;
	return fmax(-1, fmin(1, ab / sqrt(aa) / sqrt(bb)));
}

static bool lost(double squares)
{
	return !(squares >= LEAST && squares <= DBL_MAX);
}

bool cosine_is_lost(const struct compare *c)
{
	if (c->how == AS_RAW || (c->a.part != DTYPE_FLOAT64 && c->b.part != DTYPE_FLOAT64))
		return false;
	return lost(c->all.aa) || lost(c->all.bb);
}

/* Pairs that are not finite become 0; what is told is the largest of each side. */
static void only_finite(double *x, double *y, size_t n, double *most_x, double *most_y)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(x[i]) || !isfinite(y[i]))
			x[i] = y[i] = 0;
		*most_x = fmax(*most_x, fabs(x[i]));
		*most_y = fmax(*most_y, fabs(y[i]));
	}
}

/* A complex pair counts when all its parts are finite. */
static void only_finite_pairs(double *x, double *y, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		if (!isfinite(x[i]) || !isfinite(x[i + 1]) || !isfinite(y[i]) || !isfinite(y[i + 1]))
			x[i] = x[i + 1] = y[i] = y[i + 1] = 0;
}

static int exponent_of(double most)
{
	return most > 0 ? ilogb(most) : 0;
}

static void join(struct dots *d, const struct dots *more)
{
	int a = d->aa > 0 ? d->a : more->a, b = d->bb > 0 ? d->b : more->b, da, db, ma, mb;

	a = more->aa > 0 && more->a > a ? more->a : a;
	b = more->bb > 0 && more->b > b ? more->b : b;
	da = d->a - a;
	db = d->b - b;
	ma = more->a - a;
	mb = more->b - b;
	*d = (struct dots){
		.a = a,
		.b = b,
		.aa = ldexp(d->aa, 2 * da) + ldexp(more->aa, 2 * ma),
		.bb = ldexp(d->bb, 2 * db) + ldexp(more->bb, 2 * mb),
		.ab = ldexp(ldexp(d->ab, da), db) + ldexp(ldexp(more->ab, ma), mb),
	};
}

static struct dots dots_of(double *x, double *y, size_t n)
{
	double most_x = 0, most_y = 0;
	struct dots d = {0};

	only_finite(x, y, n, &most_x, &most_y);
	d.a = exponent_of(most_x);
	d.b = exponent_of(most_y);
	for (size_t i = 0; i < n; i++) {
		double a = ldexp(x[i], -d.a), b = ldexp(y[i], -d.b);

		d.aa += a * a;
		d.bb += b * b;
		d.ab += a * b;
	}
	return d;
}

static void scale_piece(void *ctx, uint64_t piece, void *room, void *result)
{
	const struct compare *c = ((struct scaled *)ctx)->c;
	unsigned parts = c->how == AS_COMPLEX ? 2 : 1;
	double x[2 * BLOCK], y[2 * BLOCK];
	struct dots *all = result, d;
	const char *a = room, *b = a + c->room_b;
	size_t n = compare_elements(c, piece), some;

	*all = (struct dots){0};
	for (size_t i = 0; i < n; i += some, a += some * c->a.size, b += some * c->b.size) {
		some = n - i < BLOCK ? n - i : BLOCK;
		side_decode(&c->a, a, some, parts, x);
		side_decode(&c->b, b, some, parts, y);
		if (parts == 2)
			only_finite_pairs(x, y, 2 * some);
		d = dots_of(x, y, parts * some);
		join(all, &d);
	}
}

static bool join_piece(void *ctx, uint64_t piece, const void *result)
{
	join(&((struct scaled *)ctx)->all, result);
	return true;
}

static int read_again(void *ctx, uint64_t piece, void *room, struct err *e)
{
	return compare_read((void *)((struct scaled *)ctx)->c, piece, room, e);
}

int cosine_scaled(const struct compare *c, const struct job *j, double *ret, struct err *e)
{
	struct scaled s = {.c = c};
	struct job again = *j;
	int rc;

	again.ctx = &s;
	again.result = sizeof(struct dots);
	again.read = read_again;
	again.work = scale_piece;
	again.join = join_piece;
	rc = pool_run(&again, e);
	if (rc == 0)
		*ret = cosine_of(s.all.aa, s.all.bb, s.all.ab);
	return rc;
}
