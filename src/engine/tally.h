/* tally.h - counting, a block of doubles at a time. Private to the engine room. */
#ifndef PTHFS_ENGINE_TALLY_H
#define PTHFS_ENGINE_TALLY_H

#include <pthfs/decode.h>
#include <pthfs/engine.h>

/* A sum of doubles and what its additions have lost. */
struct sum {
	double high, low;
};

/* Some finite elements, n > 0. */
struct part {
	uint64_t n, zeros;
	double min, max, sum;
	double mean, m2; /* sum of squares around the mean */
};

struct tally {
	uint64_t count, nan, pos_inf, neg_inf, zeros, finite;
	double min, max;
	struct sum sum;
	struct sum m2; /* sum of squares around the mean */
};

void tally_init(struct tally *t);
void tally_block(void *tally, double *x, size_t n); /* a block_fn; may reorder x */
void tally_part(struct tally *t, const struct part *p); /* of finite elements: does not count */
/* What comes behind t in order. */
void tally_join(struct tally *t, const struct tally *more);
void tally_finish(const struct tally *t, enum decoded kind, struct stats *ret);

/* blocks_each(), and the S of all bytes (sum.h). */
int blocks_and_sum(const struct content *c, enum dtype dt, block_fn *fn, void *ctx, uint64_t *sum,
		struct err *e);

#endif
