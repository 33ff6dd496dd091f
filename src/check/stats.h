/* stats.h - what the files of the check room share about counting. Private to it. */
#ifndef PTHFS_CHECK_STATS_H
#define PTHFS_CHECK_STATS_H

#include "decode.h"
#include <pthfs/check.h>

/* A sum of doubles and what its additions have lost. */
struct sum {
	double high, low;
};

struct tally {
	uint64_t count, nan, pos_inf, neg_inf, zeros, finite;
	double min, max;
	struct sum sum;
	struct sum m2; /* sum of squares around the mean */
};

void tally_init(struct tally *t);
void tally_block(void *tally, double *x, size_t n); /* a block_fn; may reorder x */
void tally_finish(const struct tally *t, enum decoded kind, struct stats *ret);

/* Moves the finite ones to the front; returns how many. */
size_t keep_finite(double *x, size_t n);

/* The second pass: bins, hist_min, hist_max and hist of s, whose numbers are there. */
int hist_fill(const struct content *c, enum dtype dt, struct stats *s, struct err *e);

#endif
