/* judge.c - what makes an edit suspicious, by the numbers before and after it.
 *
 *	NaN, Inf   there are more of them than before
 *	zeros      every element is 0, and not every one was
 *	range      the largest modulus is more than SUSPECT_FACTOR times what it was, or more than the
 *	           former dtype can hold
 *	count      another number of elements
 *
 * One number by itself is a counter or a step, and integers count or point: those may be zero, and
 * grow a thousandfold.
 *
 * Numbers are compared, not elements: a NaN that has moved is none that was not there. A tensor that
 * has no former content is judged by its NaN and Inf alone: zeros are how many a tensor begins.
 */
#include <pthfs/check.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>

/* The largest modulus of a dtype; Inf where none is too large for it. */
static double float_holds(enum dtype dt)
{
	switch (dt) {
	case DTYPE_FLOAT16:
		return 65504;
	case DTYPE_BFLOAT16:
		return 0x1.fep127;
	case DTYPE_FLOAT32:
		return FLT_MAX;
	case DTYPE_COMPLEX32:
		return 65504 * M_SQRT2;
	case DTYPE_COMPLEX64:
		return (double)FLT_MAX * M_SQRT2;
	case DTYPE_FLOAT8_E5M2:
	case DTYPE_FLOAT8_E5M2FNUZ:
		return 57344;
	case DTYPE_FLOAT8_E4M3FN:
		return 448;
	case DTYPE_FLOAT8_E4M3FNUZ:
		return 240;
	case DTYPE_FLOAT8_E8M0FNU:
		return 0x1p127;
	default:
		return INFINITY;
	}
}

static double holds(enum dtype dt)
{
	const struct dtype_info *d = dtype_info(dt);

	if (d->flags & DT_SUBBYTE)
		return INFINITY;
	if (d->flags & DT_BOOL)
		return 1;
	if (d->flags & DT_INT)
		return d->flags & DT_SIGNED ? ldexp(1, d->size * 8 - 1) : ldexp(1, d->size * 8) - 1;
	return float_holds(dt);
}

static bool all_zeros(const struct stats *s)
{
	return s->zeros == s->count;
}

static bool range_grew(const struct stats *was, enum dtype dtype_was, const struct stats *now,
		enum dtype dtype_now)
{
	if (!was->finite || !now->finite)
		return false;
	if (dtype_now != dtype_was && now->abs_max > holds(dtype_was))
		return true;
	return was->abs_max > 0 && now->abs_max / was->abs_max > SUSPECT_FACTOR && now->count > 1 &&
	       !(dtype_info(dtype_now)->flags & (DT_INT | DT_BOOL));
}

unsigned judge_edit(const struct stats *was, enum dtype dtype_was, const struct stats *now,
		enum dtype dtype_now)
{
	static const struct stats none;
	const struct stats *before = was ? was : &none;
	unsigned found = 0;

	if (now->nan > before->nan)
		found |= SUSPECT_NAN;
	if (now->pos_inf > before->pos_inf || now->neg_inf > before->neg_inf)
		found |= SUSPECT_INF;
	if (!was)
		return found;
	if (now->count > 1 && was->count && all_zeros(now) && !all_zeros(was))
		found |= SUSPECT_ZEROS;
	if (range_grew(was, dtype_was, now, dtype_now))
		found |= SUSPECT_RANGE;
	if (now->count != was->count)
		found |= SUSPECT_COUNT;
	return found;
}

/* ", " between the parts. */
static void part(struct buf *out, size_t start)
{
	if (out->n > start)
		buf_puts(out, ", ");
}

static void count_text(uint64_t now, const char *what, bool had, uint64_t was, struct buf *out)
{
	buf_printf(out, "%" PRIu64 " %s", now, what);
	if (had)
		buf_printf(out, " (was %" PRIu64 ")", was);
}

void judge_text(unsigned suspicion, const struct stats *was, const struct stats *now,
		struct buf *out)
{
	static const struct stats none;
	const struct stats *before = was ? was : &none;
	size_t start = out->n;

	if (suspicion & SUSPECT_NAN)
		count_text(now->nan, "NaN", was, before->nan, out);
	if (suspicion & SUSPECT_INF) {
		part(out, start);
		count_text(now->pos_inf + now->neg_inf, "Inf", was, before->pos_inf + before->neg_inf, out);
	}
	if (suspicion & SUSPECT_ZEROS) {
		part(out, start);
		buf_printf(out, "all zeros (%" PRIu64 " of %" PRIu64 " were)", before->zeros, before->count);
	}
	if (suspicion & SUSPECT_RANGE) {
		part(out, start);
		buf_printf(out, "largest modulus %.6g (was %.6g)", now->abs_max, before->abs_max);
	}
	if (suspicion & SUSPECT_COUNT) {
		part(out, start);
		count_text(now->count, now->count == 1 ? "element" : "elements", was, before->count, out);
	}
}
