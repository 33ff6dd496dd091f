/* card.h - the arithmetic of the card's engine: C for the host, and CUDA under nvcc.
 *
 * A chunk of bytes is judged by blocks of CARD_THREADS threads. A block owns a span of 64 KiB, and
 * of that thread t owns the 16-byte words t, t + 256, t + 512, ...:
 *
 *	word      |0 |1 |2 | ... |255|256|257| ...            a span: 4096 words
 *	thread     0  1  2        255  0   1                  neighbours read neighbours
 *
 * Each word is made a struct card_part of its own (sum, squares around its own mean, counts), the
 * parts of a thread are joined in order, those of a block as a tree, and those of the blocks by the
 * host, in order. Nothing of that depends on the card or on what ran first: the same bytes give the
 * same bits, also when a processor plays the card (tests/standin), as long as neither contracts
 * a * b + c to one rounding (-fmad=false, -ffp-contract=off).
 *
 * What a number is: decode.c. All of it here once more, in a form without tables; the tests hold the
 * two against each other, code by code. Little-endian, as every machine with a card is.
 */
#ifndef PTHFS_ENGINE_CARD_H
#define PTHFS_ENGINE_CARD_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <pthfs/sum.h>

#include "modulus.h"

#define CARD_FN ENGINE_FN
#ifdef __CUDACC__
#define CARD_UNROLL _Pragma("unroll")
#else
#define CARD_UNROLL
#endif

#define CARD_THREADS 256
#define CARD_SPAN 65536 /* bytes a block judges */
#define CARD_WORD 16    /* bytes a thread reads at a time */
#define CARD_SPAN_WORDS (CARD_SPAN / CARD_WORD)

/* X(name, bytes an element): how elements are read. A kernel each. */
#define CARD_KINDS(X)                                                                              \
	X(raw8, 1) /* bool, and packs of several elements, by their bytes */                       \
	X(u8, 1)                                                                                   \
	X(i8, 1)                                                                                   \
	X(u16, 2)                                                                                  \
	X(i16, 2)                                                                                  \
	X(u32, 4)                                                                                  \
	X(i32, 4)                                                                                  \
	X(u64, 8)                                                                                  \
	X(i64, 8)                                                                                  \
	X(small, 1) /* floats of a byte: enum card_small says which */                             \
	X(half, 2)                                                                                 \
	X(bfloat16, 2)                                                                             \
	X(f32, 4)                                                                                  \
	X(f64, 8)                                                                                  \
	X(chalf, 4)                                                                                \
	X(cfloat, 8)                                                                               \
	X(cdouble, 16)                                                                             \
	X(raw16, 2)

enum card_kind {
#define X(name, size) CARD_##name,
	CARD_KINDS(X)
#undef X
	CARD_KIND_COUNT
};

enum card_small { SMALL_E5M2, SMALL_E4M3FN, SMALL_E5M2FNUZ, SMALL_E4M3FNUZ, SMALL_E8M0 };

struct card_word {
	uint32_t w[CARD_WORD / 4];
} __attribute__((aligned(CARD_WORD)));

/* What is known of some elements; sum .. max are of the finite ones. */
struct card_part {
	double sum, m2, min, max; /* m2: of the squares around their mean */
	uint64_t check;           /* S of sum.h */
	uint32_t finite, nan, pos_inf, neg_inf, zeros;
	uint32_t elements;
};
#ifdef __cplusplus
static_assert(sizeof(struct card_part) == 64, "the same on the card and here");
#else
_Static_assert(sizeof(struct card_part) == 64, "the same on the card and here");
#endif

/* What a launch is told, but for where the bytes and the parts are. */
struct card_job {
	uint32_t bytes;  /* of the chunk; up to the next word they are followed by zeros */
	uint32_t first;  /* index of its first 32-bit word in the whole run, modulo 2^32 */
	uint32_t format; /* enum card_small */
};

CARD_FN unsigned card_size(enum card_kind kind)
{
	switch (kind) {
#define X(name, size)                                                                              \
	case CARD_##name:                                                                          \
		return size;
		CARD_KINDS(X)
#undef X
	default:
		return 1;
	}
}

static inline unsigned card_blocks(uint32_t bytes)
{
	return (bytes + (CARD_SPAN - 1)) / CARD_SPAN;
}

/* --- bits to numbers -------------------------------------------------------------------------- */

CARD_FN float card_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof f);
	return f;
}

CARD_FN double card_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof d);
	return d;
}

CARD_FN uint32_t card_float_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof bits);
	return bits;
}

/* 2^k, for k of a normal double. */
CARD_FN double card_power(int k)
{
	return card_double((uint64_t)(k + 1023) << 52);
}

CARD_FN double card_half(uint32_t h)
{
	float tiny = card_float((h & 0x7fff) << 13); /* the value * 2^-112 */
	uint32_t bits = card_float_bits(tiny * card_float(0x77800000)); /* * 2^112 */

	bits |= (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
	return card_float(bits | (h & 0x8000) << 16);
}

CARD_FN double card_small_value(uint32_t code, uint32_t format)
{
	int wide = format == SMALL_E5M2 || format == SMALL_E5M2FNUZ; /* the exponent has 5 bits */
	int fnuz = format == SMALL_E5M2FNUZ || format == SMALL_E4M3FNUZ;
	int man_bits = wide ? 2 : 3, bias = (wide ? 15 : 7) + fnuz;
	uint32_t man = code & (wide ? 3 : 7), exp = code >> man_bits & (wide ? 31 : 15);
	double v;

	if (format == SMALL_E8M0)
		return code == 255 ? NAN : card_power((int)code - 127);
	if (fnuz ? code == 0x80 : (code & 0x7f) > (wide ? 0x7cu : 0x7eu))
		return NAN;
	if (format == SMALL_E5M2 && exp == 31)
		v = INFINITY;
	else if (exp == 0)
		v = (double)man * card_power(1 - bias - man_bits);
	else
		v = (double)(man | 1u << man_bits) * card_power((int)exp - bias - man_bits);
	return code & 0x80 ? -v : v;
}

/* --- elements of a word ----------------------------------------------------------------------- */

CARD_FN uint32_t card_byte(const struct card_word *w, unsigned k)
{
	return w->w[k / 4] >> 8 * (k % 4) & 0xff;
}

CARD_FN uint32_t card_short(const struct card_word *w, unsigned k)
{
	return w->w[k / 2] >> 16 * (k % 2) & 0xffff;
}

CARD_FN uint64_t card_long(const struct card_word *w, unsigned k)
{
	return w->w[2 * k] | (uint64_t)w->w[2 * k + 1] << 32;
}

CARD_FN double card_value(enum card_kind kind, uint32_t format, const struct card_word *w,
		unsigned k)
{
	switch (kind) {
	case CARD_u8:
		return card_byte(w, k);
	case CARD_i8:
		return (int8_t)card_byte(w, k);
	case CARD_u16:
		return card_short(w, k);
	case CARD_i16:
		return (int16_t)card_short(w, k);
	case CARD_u32:
		return w->w[k];
	case CARD_i32:
		return (int32_t)w->w[k];
	case CARD_u64:
		return (double)card_long(w, k);
	case CARD_i64:
		return (double)(int64_t)card_long(w, k);
	case CARD_small:
		return card_small_value(card_byte(w, k), format);
	case CARD_half:
		return card_half(card_short(w, k));
	case CARD_bfloat16:
		return card_float(card_short(w, k) << 16);
	case CARD_f32:
		return card_float(w->w[k]);
	case CARD_f64:
		return card_double(card_long(w, k));
	case CARD_chalf:
		return modulus_narrow(card_half(w->w[k] & 0xffff),
				card_half(w->w[k] >> 16));
	case CARD_cfloat:
		return modulus_narrow(card_float(w->w[2 * k]),
				card_float(w->w[2 * k + 1]));
	case CARD_cdouble:
		return modulus(card_double(card_long(w, 0)),
				card_double(card_long(w, 1)));
	case CARD_raw16:
		return card_short(w, k) != 0;
	default:
		return card_byte(w, k) != 0;
	}
}

/* --- parts ------------------------------------------------------------------------------------ */

CARD_FN void card_part_init(struct card_part *p)
{
	p->sum = p->m2 = 0;
	p->min = INFINITY;
	p->max = -INFINITY;
	p->check = 0;
	p->finite = p->nan = p->pos_inf = p->neg_inf = p->zeros = p->elements = 0;
}

/* b after a. Chan's rule, as in stats.c. */
CARD_FN void card_join(struct card_part *a, const struct card_part *b)
{
	if (a->finite && b->finite) {
		double na = a->finite, nb = b->finite, apart = b->sum / nb - a->sum / na;

		a->m2 += b->m2 + apart * apart * (na / (na + nb)) * nb;
	} else {
		a->m2 += b->m2;
	}
	a->sum += b->sum;
	a->min = b->min < a->min ? b->min : a->min;
	a->max = b->max > a->max ? b->max : a->max;
	a->check += b->check;
	a->finite += b->finite;
	a->nan += b->nan;
	a->pos_inf += b->pos_inf;
	a->neg_inf += b->neg_inf;
	a->zeros += b->zeros;
	a->elements += b->elements;
}

/* The first n elements of a word, and all bytes of it, the first four of which have that weight. */
CARD_FN void card_word_part(enum card_kind kind, uint32_t format, const struct card_word *w,
		uint32_t n, uint32_t weight, struct card_part *p)
{
	const unsigned per = CARD_WORD / card_size(kind);
	double x[CARD_WORD], mean;

	card_part_init(p);
	p->elements = n;
	CARD_UNROLL
	for (unsigned k = 0; k < 4; k++)
		p->check += sum_word(w->w[k], weight + 2 * k * SUM_WEIGHT);
	CARD_UNROLL
	for (unsigned k = 0; k < per; k++) {
		double v = card_value(kind, format, w, k);
		int in = k < n, ok = in && v >= -DBL_MAX && v <= DBL_MAX;

		p->zeros += in && v == 0;
		p->nan += in && v != v;
		p->pos_inf += in && v > DBL_MAX;
		p->neg_inf += in && v < -DBL_MAX;
		p->finite += ok;
		p->sum += ok ? v : 0;
		p->min = ok && v < p->min ? v : p->min;
		p->max = ok && v > p->max ? v : p->max;
		x[k] = ok ? v : NAN;
	}
	if (per == 1 || !p->finite)
		return;
	mean = p->sum / p->finite;
	CARD_UNROLL
	for (unsigned k = 0; k < per; k++) {
		double d = x[k] - mean;

		p->m2 += x[k] == x[k] ? d * d : 0;
	}
}

/* All that one thread of a block does before the parts of the block are joined. */
CARD_FN void card_thread(enum card_kind kind, const struct card_word *data,
		struct card_job job, uint32_t block, uint32_t thread, struct card_part *p)
{
	const uint32_t per = CARD_WORD / card_size(kind), all = job.bytes / card_size(kind);
	const uint32_t words = (job.bytes + (CARD_WORD - 1)) / CARD_WORD;
	uint32_t i = block * CARD_SPAN_WORDS + thread, end = (block + 1) * CARD_SPAN_WORDS;

	card_part_init(p);
	for (; i < end && i < words; i += CARD_THREADS) {
		struct card_word w = data[i];
		struct card_part one;
		uint32_t left = i * per < all ? all - i * per : 0;

		card_word_part(kind, job.format, &w, left < per ? left : per,
				sum_weight(job.first + 4 * i), &one);
		card_join(p, &one);
	}
}

#endif
