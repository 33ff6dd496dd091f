/* check.h - pictures of the numbers, and the judgement of an edit by them.
 *
 * Thread rule: pure; any number of threads.
 */
#ifndef PTHFS_CHECK_H
#define PTHFS_CHECK_H

#include <pthfs/engine.h>

/* The second pass: bins, hist_min, hist_max and hist of s, whose numbers are there; nothing when it
 * has no finite elements. Complex types: of the moduli. */
int hist_fill(const struct content *c, enum dtype dt, struct stats *s, struct err *e);

/* One self-contained SVG of bounded size (< 256 KiB): the histogram, and from 2-D on a heat map
 * (at most 128 x 128 cells, each the mean of what falls into it; 4-D convolution filters as a grid
 * of kernels). No scripts, no references; text escaped. title is shown above. */
int svg_of(const struct content *c, enum dtype dt, const int64_t *shape, unsigned ndim,
		struct str title, struct buf *out, struct err *e);

/* --- the gate: what makes an edit suspicious ----------------------------------------------------- */

enum suspicion {
	SUSPECT_NAN = 1,    /* NaN that was not there */
	SUSPECT_INF = 2,    /* infinities that were not there */
	SUSPECT_ZEROS = 4,  /* all zeros, which it was not; not of a single number */
	SUSPECT_RANGE = 8,  /* the largest modulus grew by more than SUSPECT_FACTOR (never: a tensor that was
	                     * all zeros, integers, or a single number), or is past what the old dtype
	                     * holds */
	SUSPECT_COUNT = 16, /* another number of elements */
};
#define SUSPECT_FACTOR 1000.0
/* A set of enum suspicion; 0: nothing. was NULL: a new tensor, that is judged by itself. */
unsigned judge_edit(const struct stats *was, enum dtype dtype_was, const struct stats *now,
		enum dtype dtype_now);
/* "3 NaN (was 0), largest modulus 1e+30 (was 0.52)": appended. */
void judge_text(unsigned suspicion, const struct stats *was, const struct stats *now,
		struct buf *out);

#endif
