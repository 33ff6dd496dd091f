/* card_kit.h - bytes of every kind, and what a card's numbers have to be: for the tests of the
 * engine that runs on one. */
#ifndef CARD_KIT_H
#define CARD_KIT_H

#include "check_kit.h"

#include <float.h>

#include <pthfs/cleanup.h>
#include <pthfs/decode.h>
#include <pthfs/engine.h>
#include <pthfs/sum.h>

#define UNIT_ROUNDING 0x1p-53

static inline uint64_t kit_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

enum kit_flavour {
	KIT_RANDOM,   /* any bits */
	KIT_WEIGHTS,  /* about 1, as in a network; integers: small */
	KIT_ODD,      /* the same with many NaN and infinities in it */
	KIT_TINY,     /* denormals, zeros and minus zeros */
	KIT_ZERO,
	KIT_SAME,     /* one value */
	KIT_FLAVOURS
};

static inline const char *kit_flavour_name(enum kit_flavour f)
{
	static const char *const name[] = {"random", "weights", "odd", "tiny", "zero", "same"};

	return name[f];
}

/* Bits of a real part of `size` bytes with `exp` bits of exponent (0: an integer). */
static inline uint64_t kit_bits(enum kit_flavour f, unsigned size, unsigned exp, uint64_t *state)
{
	uint64_t r = kit_random(state), all = size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
	unsigned man = 8 * size - 1 - exp;
	uint64_t sign = r >> 63 << (8 * size - 1), bias = (1ull << (exp ? exp - 1 : 0)) - 1;
	uint64_t low = r & ((1ull << man) - 1), top = ((1ull << exp) - 1) << man;

	if (f == KIT_RANDOM)
		return r & all;
	if (f == KIT_ZERO)
		return 0;
	if (exp == 0)
		return f == KIT_TINY ? r & 1 : f == KIT_SAME ? 3 : r % 100;
	if (f == KIT_TINY)
		return sign | (r % 3 ? low & r >> 20 : 0);
	if (f == KIT_SAME)
		return bias << man | (0x1999999999999ull & ((1ull << man) - 1));
	if (f == KIT_ODD && r % 5 == 0)
		return sign | top | (r % 2 ? low : 0);
	return sign | (bias - r % 4) << man | low;
}

/* n bytes for elements of dt. */
static inline void kit_fill(enum dtype dt, enum kit_flavour f, uint8_t *p, size_t n)
{
	const struct dtype_info *d = dtype_info(dt);
	unsigned part = d->flags & DT_COMPLEX ? d->size / 2 : d->size ? d->size : 1;
	unsigned exp = part == 8 ? 11 : part == 4 ? 8 : part == 2 ? 5 : 4;
	uint64_t state = 1000 * dt + f;

	exp = dt == DTYPE_BFLOAT16 ? 8 : dt == DTYPE_FLOAT8_E5M2 ? 5 : exp;
	exp = d->flags & (DT_FLOAT | DT_COMPLEX) && !(d->flags & DT_SUBBYTE) ? exp : 0;
	for (size_t i = 0; i < n; i += part) {
		uint64_t bits = kit_bits(f, part, exp, &state);

		memcpy(p + i, &bits, n - i < part ? n - i : part);
	}
}

static inline void kit_add_abs(void *sum, double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isfinite(x[i]))
			*(long double *)sum += fabs(x[i]);
}

static inline double kit_mean_abs(const struct content *c, enum dtype dt, uint64_t finite)
{
	long double sum = 0;

	OK(blocks_each(c, dt, kit_add_abs, &sum, NULL) == 0);
	return finite ? (double)(sum / finite) : 0;
}

static inline bool kit_same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* One line for each number of `got` that is not as it has to be; false when there is one. What is
 * exact is the same to the bit; mean and std are as close as src/engine/README.md says. */
static inline bool kit_agree(const char *what, const struct content *c, enum dtype dt,
		const struct stats *got, const struct stats *want)
{
	double size = kit_mean_abs(c, dt, want->finite), u = UNIT_ROUNDING;
	int bad = tap_bad;

	EQ_I64(got->count, want->count);
	EQ_I64(got->nan, want->nan);
	EQ_I64(got->pos_inf, want->pos_inf);
	EQ_I64(got->neg_inf, want->neg_inf);
	EQ_I64(got->zeros, want->zeros);
	EQ_I64(got->finite, want->finite);
	EQ_I64(got->sum, want->sum);
	OK(kit_same_bits(got->min, want->min));
	OK(kit_same_bits(got->max, want->max));
	OK(kit_same_bits(got->abs_max, want->abs_max));
	EQ_I64(got->has_numbers, want->has_numbers);
	EQ_I64(got->whole, want->whole);
	/* Sums of doubles that are over the range are Inf or NaN, whichever comes first. */
	if (want->abs_max < 1e140 && want->finite) {
		NEAR(got->mean, want->mean, (300 + 48) * u * size);
		if (want->finite > 1)
			NEAR(got->std, want->std, (300 + 300) * u * want->std + 210 * u * size);
	}
	if (tap_bad != bad)
		printf("# %s of %s, %" PRIu64 " bytes\n", what, dtype_info(dt)->name, c->size);
	return tap_bad == bad;
}

#endif
