/* kernels.h - the loops over elements, once for each kind of processor. Private to the engine room.
 *
 * A kernel sums a block of elements in 16 lanes of doubles. Which element goes to which lane, and
 * how the lanes are joined, is the same for all of them, and none contracts a product and a sum
 * into one rounding: so mean and std do not depend on the processor, and each can be tested against
 * kernels_plain, which is plain C.
 */
#ifndef PTHFS_ENGINE_KERNELS_H
#define PTHFS_ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthfs/dtype.h>

#define LANES 16         /* of doubles */
#define KERNEL_STEP 32   /* elements: kernels are given multiples of it */
#define KERNEL_MOST 4096 /* elements a call: 256 a lane, and counters of 32 bits are enough */

/* Elements by how they are loaded; all but F64 are exact in a float. */
enum load {
	LOAD_F32,
	LOAD_BF16,
	LOAD_F16,
	LOAD_I8,
	LOAD_U8,
	LOAD_I16,
	LOAD_U16,
	LOAD_BOOL, /* any bit set is 1 */
	LOAD_F64,
	LOAD_COUNT
};

/* What is known of a block: its finite elements x, around a number k close to their mean. */
struct block {
	uint64_t finite, nan, pos_inf, neg_inf, zeros;
	double min, max;  /* +Inf and -Inf when there is none */
	double sum;       /* of x - k */
	double squares;   /* of (x - k)^2 */
};

/* n elements, a multiple of KERNEL_STEP. `odd` false: taken to be finite all; sum or squares are
 * NaN or Inf when they are not (or when doubles overflow), and the rest is then worth nothing. */
typedef void kernel_fn(const void *p, size_t n, double k, bool odd, struct block *ret);

struct kernels {
	const char *name;
	kernel_fn *block[LOAD_COUNT];
	/* sum_piece() of n whole words. */
	uint64_t (*sum)(const void *p, size_t words, uint64_t first);
};

extern const struct kernels kernels_plain;
#ifdef __x86_64__
extern const struct kernels kernels_avx2;   /* with F16C */
extern const struct kernels kernels_avx512; /* F, BW, DQ, VL */
#endif

/* The best that this processor has. */
const struct kernels *kernels_best(void);

/* Of elements of dt as they are; NULL: they have to be decoded, for LOAD_F64. */
kernel_fn *kernel_for(const struct kernels *k, enum dtype dt);

/* The CPU engine with these, for tests. (cpu.c) */
struct content;
struct stats;
struct err;
int cpu_stats_with(const struct kernels *k, const struct content *c, enum dtype dt,
		struct stats *ret, struct err *e);

/* Of the lanes, in an order that all kernels share. */
static inline double lanes_sum(const double *x)
{
	double half[LANES / 2];

	for (unsigned k = 0; k < LANES / 2; k++)
		half[k] = x[k] + x[k + LANES / 2];
	return ((half[0] + half[4]) + (half[2] + half[6])) +
		((half[1] + half[5]) + (half[3] + half[7]));
}

#endif
