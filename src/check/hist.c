/* hist.c - how many finite elements lie in which part of [min, max].
 *
 * Integers get bins that each hold the same number of integers, and their own bin each where there
 * are no more than 64 different ones: otherwise bars would come and go as an artefact. Where all
 * elements are equal, the range is one wider on both sides, as torch.histc does it.
 */
#include <pthfs/check.h>
#include <pthfs/decode.h>

#include <float.h>
#include <math.h>

struct hist {
	uint64_t *bin;
	unsigned bins;
	double min, range;
	double half; /* 0.5 where max - min is over what a double holds, otherwise 1 */
};

static void choose_range(struct stats *s)
{
	double span = s->max - s->min;

	s->bins = HIST_BINS;
	s->hist_min = s->min;
	s->hist_max = s->max;
	if (s->whole && fabs(s->min) < 0x1p52 && fabs(s->max) < 0x1p52) {
		double width = ceil((span + 1) / HIST_BINS);

		s->bins = (unsigned)ceil((span + 1) / width);
		s->hist_min = s->min - 0.5;
		s->hist_max = s->hist_min + s->bins * width;
	} else if (span == 0) {
		s->hist_min = s->min - 1;
		s->hist_max = s->max + 1;
	}
	if (s->hist_min == s->hist_max) { /* 1 is nothing to a number this large */
		s->hist_min = fmax(s->min - fabs(s->min) / 2, -DBL_MAX);
		s->hist_max = fmin(s->max + fabs(s->max) / 2, DBL_MAX);
	}
}

static void hist_block(void *ctx, double *x, size_t n)
{
	struct hist *h = ctx;

	n = keep_finite(x, n);
	for (size_t i = 0; i < n; i++) {
		double at = (x[i] * h->half - h->min) / h->range * h->bins;
		unsigned k = at > 0 ? (unsigned)at : 0; /* at <= bins, as x <= max */

		h->bin[k < h->bins ? k : h->bins - 1]++;
	}
}

int hist_fill(const struct content *c, enum dtype dt, struct stats *s, struct err *e)
{
	struct hist h;

	if (!s->finite)
		return 0;
	choose_range(s);
	h = (struct hist){.bin = s->hist, .bins = s->bins, .half = 1};
	if (isinf(s->hist_max - s->hist_min))
		h.half = 0.5;
	h.min = s->hist_min * h.half;
	h.range = s->hist_max * h.half - h.min;
	return blocks_each(c, dt, hist_block, &h, e);
}
