/* check.h - looking inside: the numbers of a run of elements, and a picture of them.
 *
 * One pass over a content in pieces of 1 MiB, constant memory. Counts, min and max are exact; sums
 * are doubles. min, max, mean and std are over the finite elements (NaN and Inf aside); std is
 * torch's default (unbiased, n - 1). Nothing is computed before somebody reads the file.
 *
 * Thread rule: pure; any number of threads.
 */
#ifndef PTHFS_CHECK_H
#define PTHFS_CHECK_H

#include <pthfs/content.h>
#include <pthfs/json.h>

#define HIST_BINS 64

struct stats {
	uint64_t count, nan, pos_inf, neg_inf, zeros;
	uint64_t finite;          /* elements that min .. abs_max speak of */
	double min, max, mean, std, abs_max;
	bool has_numbers;         /* false: a dtype without order (complex, raw bytes), or none finite */
	bool whole;               /* integers and bool: min and max are written without ".0" */
	unsigned bins;            /* of hist that are used; 0: no histogram */
	uint64_t hist[HIST_BINS]; /* finite elements by value between hist_min and hist_max */
	double hist_min, hist_max;
};

/* Elements of dtype dt in c. Complex types count each element once (NaN when a part is, otherwise
 * pos_inf when a part is infinite) and have min, max, mean, std null; abs_max is the largest
 * modulus, and hist is of the moduli. Types that pack several elements in a byte, and raw bits,
 * are counted by their bytes. hist needs a second pass: want_hist. */
int stats_of(const struct content *c, enum dtype dt, bool want_hist, struct stats *ret,
		struct err *e);

/* {"count": ..., "nan": ..., "pos_inf": ..., "neg_inf": ..., "zeros": ..., "min": ..., "max": ...,
 * "mean": ..., "std": ..., "abs_max": ...}; null where there is none. The members only. */
void stats_members(const struct stats *s, struct json *j);

/* One self-contained SVG of bounded size (< 256 KiB): the histogram, and from 2-D on a heat map
 * (at most 128 x 128 cells, each the mean of what falls into it; 4-D convolution filters as a grid
 * of kernels). No scripts, no references; text escaped. title is shown above. */
int svg_of(const struct content *c, enum dtype dt, const int64_t *shape, unsigned ndim,
		struct str title, struct buf *out, struct err *e);

#endif
