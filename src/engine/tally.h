/* tally.h - counting, a block of doubles at a time. Private to the engine room. */
#ifndef PTHFS_ENGINE_TALLY_H
#define PTHFS_ENGINE_TALLY_H

#include <pthfs/decode.h>
#include <pthfs/engine.h>

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

#endif
