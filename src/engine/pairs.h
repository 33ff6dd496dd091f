/* pairs.h - two elements, or two blocks of them, beside each other. Private to the engine room. */
#ifndef PTHFS_ENGINE_PAIRS_H
#define PTHFS_ENGINE_PAIRS_H

#include <pthfs/decode.h>
#include <pthfs/engine.h>

#define NO_FIRST UINT64_MAX

/* What is known of some pairs; first counts from the first of them. */
struct pairs {
	uint64_t differ, first;
	double max_abs, max_rel;
	double aa, bb, ab; /* dot products, of finite pairs */
	bool other_bytes;
};

/* Adds n <= BLOCK pairs, the first of which is number `at`. Doubles, and whole groups of them. */
void pairs_real(struct pairs *p, uint64_t at, const double *a, const double *b, size_t n,
		const struct compare_opts *o);
/* Real and imaginary parts in turn: 2 n doubles. */
void pairs_complex(struct pairs *p, uint64_t at, const double *a, const double *b, size_t n,
		const struct compare_opts *o);
/* As pairs_real(), where at least one side is of 64-bit integers: those are at ia and ib (NULL: the
 * doubles say it all), with their sign when the dtype says so. */
struct whole {
	const void *at;
	bool is_signed;
};
void pairs_whole(struct pairs *p, uint64_t at, const double *a, struct whole ia, const double *b,
		struct whole ib, size_t n, const struct compare_opts *o);
/* Bytes of `size` each element. */
void pairs_raw(struct pairs *p, uint64_t at, const char *a, const char *b, size_t n, size_t size);

/* What lies behind p, from number `at` on. */
void pairs_join(struct pairs *p, uint64_t at, const struct pairs *more);

#endif
