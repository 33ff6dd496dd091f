/* sum.h - the checksum of a run of bytes, struct stats.sum: exact, the same from every engine, and
 * made of pieces in any order.
 *
 * The bytes are little-endian words of 32 bits, w_0, w_1, ..., the last one filled up with zeros.
 * Each is multiplied by a weight that belongs to its place, which is odd:
 *
 *	k_i = (2 i + 1) * SUM_WEIGHT mod 2^32
 *	S   = sum of w_i * k_i (32 bits by 32 bits: 64)  mod 2^64
 *	sum = S + length in bytes * SUM_LENGTH           mod 2^64
 *
 * S of the whole is the sum of the S of its pieces, each begun at the index of its first word; so
 * pieces begin at multiples of 4 bytes. With SIMD, and on a card, a word costs one multiplication
 * that widens and two additions: the weight of the next word is 2 * SUM_WEIGHT more.
 *
 * What is always seen: one word that has changed, in whatever bits (k_i is odd, and |dw| * k_i is
 * less than 2^64); two different words that changed places, unless they are a multiple of 2^31
 * words (8 GiB) apart, after which weights repeat; zeros, or nothing else, added to the end or
 * taken away. What may not be: several changes at once whose products cancel. That is one in 2^32
 * or less for accidents (blocks lost, doubled, in another order, stale), and easy to do on purpose:
 * this is no hash, and no proof that two runs are equal.
 */
#ifndef PTHFS_SUM_H
#define PTHFS_SUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SUM_WEIGHT 0x9e3779b1u           /* 2^32 over the golden ratio, a prime */
#define SUM_LENGTH 0x9e3779b97f4a7c15ull /* 2^64 over the golden ratio, odd */

#ifdef __CUDACC__
#define SUM_FN static inline __host__ __device__
#else
#define SUM_FN static inline
#endif

/* The weight of word i, counted from the begin of the whole run. */
SUM_FN uint32_t sum_weight(uint64_t i)
{
	return (2 * (uint32_t)i + 1) * SUM_WEIGHT;
}

SUM_FN uint64_t sum_word(uint32_t w, uint32_t weight)
{
	return (uint64_t)w * weight;
}

/* Of S, and the length of the whole run. */
SUM_FN uint64_t sum_finish(uint64_t s, uint64_t nbytes)
{
	return s + nbytes * SUM_LENGTH;
}

/* S of n bytes that begin at word `first` of the run; only the last piece may end within a word.
 * Words are read as the machine has them: on a big-endian one, of elements in native order, the
 * checksum is another. The reference, in plain C: engines have their own loops. */
static inline uint64_t sum_piece(const void *p, size_t n, uint64_t first)
{
	const char *at = (const char *)p;
	uint64_t s = 0;
	uint32_t w;

	for (; n >= sizeof w; n -= sizeof w, at += sizeof w) {
		memcpy(&w, at, sizeof w);
		s += sum_word(w, sum_weight(first++));
	}
	if (n) {
		w = 0;
		memcpy(&w, at, n);
		s += sum_word(w, sum_weight(first));
	}
	return s;
}

/* The checksum of n bytes. */
static inline uint64_t sum_of(const void *p, size_t n)
{
	return sum_finish(sum_piece(p, n, 0), n);
}

#endif
