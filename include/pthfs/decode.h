/* decode.h - elements as doubles, a block at a time. For the rooms that look at
 * every element: engine and check.
 *
 * Whatever the dtype is, the engines see doubles: exact for every type but 64-bit integers beyond
 * 2^53, which are rounded to the nearest. Complex elements are their modulus (NaN when a part is
 * NaN, else Inf when a part is infinite); types without numbers are 1, or 0 where all bits are.
 */
#ifndef PTHFS_DECODE_H
#define PTHFS_DECODE_H

#include <pthfs/content.h>

#define BLOCK 1024      /* elements decoded at a time: with their bytes they stay in the L1 cache */
#define DECODE_GROUP 8  /* decoders work on whole groups, so that compilers vectorise them */

struct decoder;
typedef void decode_fn(const struct decoder *d, const void *restrict raw, size_t n,
		double *restrict out);

struct decoder {
	decode_fn *fn;
	unsigned size;     /* bytes an element */
	double table[256]; /* of the one-byte floats */
};

void decoder_init(struct decoder *d, enum dtype dt);
/* n is a multiple of DECODE_GROUP; raw is aligned to the element. */
static inline void decode(const struct decoder *d, const void *raw, size_t n, double *out)
{
	d->fn(d, raw, n, out);
}

static inline size_t whole_groups(size_t n)
{
	return (n + DECODE_GROUP - 1) / DECODE_GROUP * DECODE_GROUP;
}

/* What kind of numbers the doubles are. */
enum decoded {
	DECODED_REAL,
	DECODED_WHOLE,  /* integers and bool */
	DECODED_MODULUS, /* of complex numbers */
	DECODED_RAW,    /* only zero or not */
};
enum decoded decoded_kind(enum dtype dt);

/* Calls fn for all elements of c in order, at most BLOCK at a time; fn may change x. What is left
 * at the end that is no whole element is not looked at. Reads 1 MiB at a time. */
typedef void block_fn(void *ctx, double *x, size_t n);
int blocks_each(const struct content *c, enum dtype dt, block_fn *fn, void *ctx, struct err *e);

/* Moves the finite ones to the front; returns how many. */
size_t keep_finite(double *x, size_t n);

#endif
