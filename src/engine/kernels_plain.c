/* kernels_plain.c - the loops over elements in plain C, for every processor; and the choice.
 *
 * Lane k of 16 gets the elements i with i mod 16 == k; of bfloat16, which vectors take apart by
 * words, those with i / 2 mod 16 == k. (kernels_x86.h draws it.)
 */
#include "kernels.h"

#include <math.h>
#include <stdatomic.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <pthfs/decode.h>
#include <pthfs/sum.h>

struct lanes {
	double sum[LANES], squares[LANES];
	struct block b;
};

static void lanes_init(struct lanes *l)
{
	*l = (struct lanes){.b = {.min = INFINITY, .max = -INFINITY}};
}

static inline void one(struct lanes *l, unsigned lane, double x, double k, bool odd)
{
	double d = x - k;

	if (odd && !isfinite(x)) {
		l->b.nan += isnan(x) != 0;
		l->b.pos_inf += isinf(x) && x > 0;
		l->b.neg_inf += isinf(x) && x < 0;
		return;
	}
	l->sum[lane] += d;
	l->squares[lane] += d * d;
	l->b.min = x < l->b.min ? x : l->b.min;
	l->b.max = x > l->b.max ? x : l->b.max;
	l->b.zeros += x == 0;
}

static void lanes_finish(struct lanes *l, size_t n, struct block *ret)
{
	l->b.finite = n - l->b.nan - l->b.pos_inf - l->b.neg_inf;
	l->b.sum = lanes_sum(l->sum);
	l->b.squares = lanes_sum(l->squares);
	*ret = l->b;
}

/* Through the decoder of dt, which is the definition of what the bits mean. */
static inline void block_of(enum dtype dt, unsigned per_lane, const char *p, size_t n, double k,
		bool odd, struct block *ret)
{
	struct decoder d;
	struct lanes l;
	double x[KERNEL_STEP];

	decoder_init(&d, dt);
	lanes_init(&l);
	for (size_t i = 0; i < n; i += KERNEL_STEP) {
		decode(&d, p + i * d.size, KERNEL_STEP, x);
		for (unsigned j = 0; j < KERNEL_STEP; j++)
			one(&l, j / per_lane % LANES, x[j], k, odd);
	}
	lanes_finish(&l, n, ret);
}

#define PLAIN(name, dt, per_lane)                                                                  \
	static void name(const void *p, size_t n, double k, bool odd, struct block *ret)           \
	{                                                                                          \
		block_of(dt, per_lane, p, n, k, odd, ret);                                         \
	}

PLAIN(plain_f32, DTYPE_FLOAT32, 1)
PLAIN(plain_bf16, DTYPE_BFLOAT16, 2)
PLAIN(plain_f16, DTYPE_FLOAT16, 1)
PLAIN(plain_i8, DTYPE_INT8, 1)
PLAIN(plain_u8, DTYPE_UINT8, 1)
PLAIN(plain_i16, DTYPE_INT16, 1)
PLAIN(plain_u16, DTYPE_UINT16, 1)
PLAIN(plain_bool, DTYPE_BOOL, 1)
PLAIN(plain_f64, DTYPE_FLOAT64, 1)

static uint64_t plain_sum(const void *p, size_t words, uint64_t first)
{
	return sum_piece(p, 4 * words, first);
}

const struct kernels kernels_plain = {
	"plain",
	{plain_f32, plain_bf16, plain_f16, plain_i8, plain_u8, plain_i16, plain_u16, plain_bool,
		plain_f64},
	plain_sum,
};

#ifdef __x86_64__
static bool has_f16c(void)
{
	unsigned a, b, c = 0, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
#endif

static const struct kernels *choose(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return &kernels_avx512;
	if (__builtin_cpu_supports("avx2") && has_f16c())
		return &kernels_avx2;
#endif
	return &kernels_plain;
}

const struct kernels *kernels_best(void)
{
	static _Atomic(const struct kernels *) best; /* cpuid is slow in a virtual machine */
	const struct kernels *k = atomic_load(&best);

	if (!k) {
		k = choose();
		atomic_store(&best, k);
	}
	return k;
}

static const enum load as_is[DTYPE_COUNT] = { /* and 1 */
	[DTYPE_FLOAT32] = LOAD_F32 + 1,
	[DTYPE_BFLOAT16] = LOAD_BF16 + 1,
	[DTYPE_FLOAT16] = LOAD_F16 + 1,
	[DTYPE_FLOAT64] = LOAD_F64 + 1,
	[DTYPE_INT8] = LOAD_I8 + 1,
	[DTYPE_QINT8] = LOAD_I8 + 1,
	[DTYPE_UINT8] = LOAD_U8 + 1,
	[DTYPE_QUINT8] = LOAD_U8 + 1,
	[DTYPE_INT16] = LOAD_I16 + 1,
	[DTYPE_UINT16] = LOAD_U16 + 1,
	[DTYPE_BOOL] = LOAD_BOOL + 1,
};

kernel_fn *kernel_for(const struct kernels *k, enum dtype dt)
{
	return (unsigned)dt < DTYPE_COUNT && as_is[dt] ? k->block[as_is[dt] - 1] : NULL;
}
