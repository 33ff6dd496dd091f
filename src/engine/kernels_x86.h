/* kernels_x86.h - the loops over elements with vectors, written once for AVX2 and AVX-512.
 *
 * The file that includes this has defined, for vectors of FLOATS floats:
 *
 *	TARGET            the attribute of a function that may use them
 *	vf, vd, vi        vectors of floats, of half as many doubles, of 32-bit integers
 *	vf_load, vf_all, vf_min, vf_max, vf_count (adds 1 where a comparison is true), vf_pick, ...
 *
 *	16 floats of a step:   | x[0]                          | x[1]      (AVX2: 2 of 8)
 *	                       | x[0]                                      (AVX-512: 1 of 16)
 *	16 lanes of doubles:   | sum[0]        | sum[1]        | sum[2] ...
 *
 * min and max are of whatever lane: they are exact. min(x, lo) gives lo when x is NaN.
 */
#define VECTORS (LANES / FLOATS)    /* of floats, a step */
#define HALVES (2 * VECTORS)        /* of doubles */
#define INLINE TARGET static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

struct odd {
	vi nan, pos, neg;
};

struct acc {
	vf lo, hi;
	vi zeros;
	vd sum[HALVES], squares[HALVES];
	vd k;
	struct odd odd;
};

INLINE void acc_init(struct acc *a, double k)
{
	a->lo = vf_all(INFINITY);
	a->hi = vf_all(-INFINITY);
	a->zeros = a->odd.nan = a->odd.pos = a->odd.neg = vi_zero();
	a->k = vd_all(k);
	UNROLL for (unsigned h = 0; h < HALVES; h++)
		a->sum[h] = a->squares[h] = vd_all(0);
}

/* Doubles of lane vector h: d is x - k. */
INLINE void acc_add(struct acc *a, unsigned h, vd d)
{
	a->sum[h] = vd_add(a->sum[h], d);
	a->squares[h] = vd_add(a->squares[h], vd_mul(d, d));
}

/* Vector v of a step. */
INLINE void acc_floats(struct acc *a, unsigned v, vf x, bool odd)
{
	vd low = vd_sub(vd_of_low(x), a->k), high = vd_sub(vd_of_high(x), a->k);
	vf least = x, most = x;

	if (odd) {
		vm finite = vf_less(vf_abs(x), vf_all(INFINITY));

		a->odd.nan = vi_count(a->odd.nan, vf_unordered(x));
		a->odd.pos = vi_count(a->odd.pos, vf_equal(x, vf_all(INFINITY)));
		a->odd.neg = vi_count(a->odd.neg, vf_equal(x, vf_all(-INFINITY)));
		least = vf_pick(finite, x, vf_all(INFINITY));
		most = vf_pick(finite, x, vf_all(-INFINITY));
		low = vd_finite_or_0(low);
		high = vd_finite_or_0(high);
	}
	a->lo = vf_min(least, a->lo);
	a->hi = vf_max(most, a->hi);
	a->zeros = vi_count(a->zeros, vf_equal(x, vf_all(0)));
	acc_add(a, 2 * v, low);
	acc_add(a, 2 * v + 1, high);
}

INLINE uint64_t count_of(vi v)
{
	uint32_t x[FLOATS];
	uint64_t n = 0;

	memcpy(x, &v, sizeof x);
	for (unsigned k = 0; k < FLOATS; k++)
		n += x[k];
	return n;
}

INLINE void acc_finish(const struct acc *a, size_t n, struct block *ret)
{
	double sum[LANES], squares[LANES];
	float lo[FLOATS], hi[FLOATS];
	struct block b = {.nan = count_of(a->odd.nan), .pos_inf = count_of(a->odd.pos),
		.neg_inf = count_of(a->odd.neg), .zeros = count_of(a->zeros)};

	memcpy(sum, a->sum, sizeof sum);
	memcpy(squares, a->squares, sizeof squares);
	memcpy(lo, &a->lo, sizeof lo);
	memcpy(hi, &a->hi, sizeof hi);
	for (unsigned k = 1; k < FLOATS; k++) {
		lo[0] = lo[k] < lo[0] ? lo[k] : lo[0];
		hi[0] = hi[k] > hi[0] ? hi[k] : hi[0];
	}
	b.finite = n - b.nan - b.pos_inf - b.neg_inf;
	b.min = lo[0];
	b.max = hi[0];
	b.sum = lanes_sum(sum);
	b.squares = lanes_sum(squares);
	*ret = b;
}

/* 16 elements a step, in order. */
#define FLOAT_LOOP(name, size, load, odd)                                                          \
	TARGET static void name(const char *p, size_t n, double k, struct block *ret)              \
	{                                                                                          \
		struct acc a;                                                                      \
                                                                                                   \
		acc_init(&a, k);                                                                   \
		for (const char *end = p + n * (size); p < end; p += LANES * (size))               \
			UNROLL for (unsigned v = 0; v < VECTORS; v++)                              \
				acc_floats(&a, v, load(p + v * FLOATS * (size)), odd);             \
		acc_finish(&a, n, ret);                                                            \
	}

#define FLOAT_KERNEL(name, size, load)                                                             \
	FLOAT_LOOP(name##_even, size, load, false)                                                 \
	FLOAT_LOOP(name##_odd, size, load, true)                                                   \
	static void name(const void *p, size_t n, double k, bool odd, struct block *ret)           \
	{                                                                                          \
		(odd ? name##_odd : name##_even)(p, n, k, ret);                                    \
	}

FLOAT_KERNEL(block_f32, 4, load_f32)
FLOAT_KERNEL(block_f16, 2, load_f16)
FLOAT_KERNEL(block_i8, 1, load_i8)
FLOAT_KERNEL(block_u8, 1, load_u8)
FLOAT_KERNEL(block_i16, 2, load_i16)
FLOAT_KERNEL(block_u16, 2, load_u16)
FLOAT_KERNEL(block_bool, 1, load_bool)

/* bfloat16: 32 a step; a word is two, and both go to its lane. */
#define BF16_LOOP(name, odd)                                                                       \
	TARGET static void name(const char *p, size_t n, double k, struct block *ret)              \
	{                                                                                          \
		struct acc a;                                                                      \
                                                                                                   \
		acc_init(&a, k);                                                                   \
		for (const char *end = p + 2 * n; p < end; p += 4 * LANES)                         \
			UNROLL for (unsigned v = 0; v < VECTORS; v++) {                            \
				vi two = vi_load(p + 4 * v * FLOATS);                              \
                                                                                                   \
				acc_floats(&a, v, vf_low_halves(two), odd);                        \
				acc_floats(&a, v, vf_high_halves(two), odd);                       \
			}                                                                          \
		acc_finish(&a, n, ret);                                                            \
	}

BF16_LOOP(block_bf16_even, false)
BF16_LOOP(block_bf16_odd, true)
static void block_bf16(const void *p, size_t n, double k, bool odd, struct block *ret)
{
	(odd ? block_bf16_odd : block_bf16_even)(p, n, k, ret);
}

/* --- doubles ------------------------------------------------------------------------------ */

struct wide {
	vd lo, hi;
	vi zeros, nan, pos, neg; /* counted in pairs of lanes: 64 bits */
	vd sum[HALVES], squares[HALVES];
};

INLINE void wide_add(struct wide *a, unsigned h, vd x, vd k, bool odd)
{
	vd d = vd_sub(x, k), least = x, most = x;

	if (odd) {
		vdm finite = vd_less(vd_abs(x), vd_all(INFINITY));

		a->nan = vd_count(a->nan, vd_unordered(x));
		a->pos = vd_count(a->pos, vd_equal(x, vd_all(INFINITY)));
		a->neg = vd_count(a->neg, vd_equal(x, vd_all(-INFINITY)));
		least = vd_pick(finite, x, vd_all(INFINITY));
		most = vd_pick(finite, x, vd_all(-INFINITY));
		d = vd_pick(finite, d, vd_all(0));
	}
	a->lo = vd_min(least, a->lo);
	a->hi = vd_max(most, a->hi);
	a->zeros = vd_count(a->zeros, vd_equal(x, vd_all(0)));
	a->sum[h] = vd_add(a->sum[h], d);
	a->squares[h] = vd_add(a->squares[h], vd_mul(d, d));
}

INLINE void wide_finish(const struct wide *a, size_t n, struct block *ret)
{
	double sum[LANES], squares[LANES], lo[FLOATS / 2], hi[FLOATS / 2];
	struct block b = {.nan = count_of(a->nan), .pos_inf = count_of(a->pos),
		.neg_inf = count_of(a->neg), .zeros = count_of(a->zeros)};

	memcpy(sum, a->sum, sizeof sum);
	memcpy(squares, a->squares, sizeof squares);
	memcpy(lo, &a->lo, sizeof lo);
	memcpy(hi, &a->hi, sizeof hi);
	for (unsigned k = 1; k < FLOATS / 2; k++) {
		lo[0] = lo[k] < lo[0] ? lo[k] : lo[0];
		hi[0] = hi[k] > hi[0] ? hi[k] : hi[0];
	}
	b.finite = n - b.nan - b.pos_inf - b.neg_inf;
	b.min = lo[0];
	b.max = hi[0];
	b.sum = lanes_sum(sum);
	b.squares = lanes_sum(squares);
	*ret = b;
}

INLINE void wide_loop(const char *p, size_t n, double k, bool odd, struct block *ret)
{
	struct wide a = {.lo = vd_all(INFINITY), .hi = vd_all(-INFINITY)};

	a.zeros = a.nan = a.pos = a.neg = vi_zero();
	UNROLL for (unsigned h = 0; h < HALVES; h++)
		a.sum[h] = a.squares[h] = vd_all(0);
	for (const char *end = p + 8 * n; p < end; p += 8 * LANES)
		UNROLL for (unsigned h = 0; h < HALVES; h++)
			wide_add(&a, h, vd_load(p + 4 * h * FLOATS), vd_all(k), odd);
	wide_finish(&a, n, ret);
}

TARGET static void block_f64(const void *p, size_t n, double k, bool odd, struct block *ret)
{
	if (odd)
		wide_loop(p, n, k, true, ret);
	else
		wide_loop(p, n, k, false, ret);
}

/* --- the checksum ------------------------------------------------------------------------- */

/* vpmuludq multiplies the lower words of 64 bits; the upper ones are shifted down for it. */
TARGET static uint64_t sum_words(const void *from, size_t words, uint64_t first)
{
	const char *p = from;
	uint32_t weight[FLOATS];
	uint64_t part[FLOATS / 2], s = 0;
	vi k, even = vi_zero(), odd = vi_zero(), more = vi_all(2 * FLOATS * SUM_WEIGHT);
	size_t n = words / FLOATS * FLOATS;

	for (unsigned i = 0; i < FLOATS; i++)
		weight[i] = sum_weight(first + i);
	memcpy(&k, weight, sizeof k);
	for (const char *end = p + 4 * n; p < end; p += 4 * FLOATS) {
		vi w = vi_load(p);

		even = vi_add64(even, vi_mul32(w, k));
		odd = vi_add64(odd, vi_mul32(vi_upper(w), vi_upper(k)));
		k = vi_add32(k, more);
	}
	even = vi_add64(even, odd);
	memcpy(part, &even, sizeof part);
	for (unsigned i = 0; i < FLOATS / 2; i++)
		s += part[i];
	return s + sum_piece(p, 4 * (words - n), first + n);
}

const struct kernels KERNELS = {
	KERNELS_NAME,
	{block_f32, block_bf16, block_f16, block_i8, block_u8, block_i16, block_u16, block_bool,
		block_f64},
	sum_words,
};
