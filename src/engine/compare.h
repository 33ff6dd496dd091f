/* compare.h - what a comparison works on. Private to the engine room. (compare.c, cosine.c) */
#ifndef PTHFS_ENGINE_COMPARE_H
#define PTHFS_ENGINE_COMPARE_H

#include "kernels.h"
#include "pairs.h"
#include "pool.h"

#define SLACK (DECODE_GROUP * (size_t)16) /* decoders work on whole groups */

enum how { AS_REAL, AS_COMPLEX, AS_WHOLE, AS_RAW };

struct side {
	const struct content *c;
	enum dtype dt;
	enum dtype part;     /* of complex numbers: of their parts; else dt */
	unsigned parts;      /* 2: complex */
	struct decoder d;    /* of part */
	size_t size;         /* bytes an element */
	bool wide;           /* 64-bit integers */
};

struct compare {
	struct side a, b;
	enum how how;
	bool one_dtype;
	const struct compare_opts *o;
	kernel_fn *squares; /* of equal blocks; NULL: they are decoded first */
	const struct kernels *k;
	uint64_t count, each; /* elements; in a piece */
	size_t room_b;        /* where the bytes of b begin */
	struct pairs all;
};

/* Of the pool: reads both sides of a piece, b at room_b. ctx is the struct compare. */
int compare_read(void *ctx, uint64_t piece, void *room, struct err *e);
size_t compare_elements(const struct compare *c, uint64_t piece);
/* The n <= BLOCK elements at p, of one side, as n * parts doubles; a real number beside complex
 * ones gets an imaginary part. x has room for 2 BLOCK. */
void side_decode(const struct side *s, const char *p, size_t n, unsigned parts, double *x);

/* Of dot products; NaN when one of the two has no length. */
double cosine_of(double aa, double bb, double ab);
/* Did squares overflow, or vanish? Only those of doubles can. */
bool cosine_is_lost(const struct compare *c);
/* Then once more, with every piece scaled by powers of two. j: the job that read the numbers. */
int cosine_scaled(const struct compare *c, const struct job *j, double *ret, struct err *e);

#endif
