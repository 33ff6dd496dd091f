/* kernels_avx512.c - vectors of 512 bits for kernels_x86.h. Masks are a bit for each lane. */
#ifdef __x86_64__
#include "kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include <pthfs/sum.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#define FLOATS 16

typedef __m512 vf;
typedef __m512d vd;
typedef __m512i vi;
typedef __mmask16 vm;
typedef __mmask8 vdm;

#define vf_all(x) _mm512_set1_ps(x)
#define vf_min(a, b) _mm512_min_ps(a, b)
#define vf_max(a, b) _mm512_max_ps(a, b)
#define vf_less(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define vf_equal(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#define vf_unordered(a) _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q)
#define vf_abs(a) _mm512_abs_ps(a)
#define vf_pick(mask, a, b) _mm512_mask_blend_ps(mask, b, a)
#define vi_count(n, mask) _mm512_mask_add_epi32(n, mask, n, _mm512_set1_epi32(1))

#define vd_all(x) _mm512_set1_pd(x)
#define vd_load(p) _mm512_loadu_pd((const void *)(p))
#define vd_add(a, b) _mm512_add_pd(a, b)
#define vd_sub(a, b) _mm512_sub_pd(a, b)
#define vd_mul(a, b) _mm512_mul_pd(a, b)
#define vd_min(a, b) _mm512_min_pd(a, b)
#define vd_max(a, b) _mm512_max_pd(a, b)
#define vd_less(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)
#define vd_equal(a, b) _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ)
#define vd_unordered(a) _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q)
#define vd_abs(a) _mm512_abs_pd(a)
#define vd_pick(mask, a, b) _mm512_mask_blend_pd(mask, b, a)
#define vd_finite_or_0(a) _mm512_maskz_mov_pd(vd_less(vd_abs(a), vd_all(INFINITY)), a)
#define vd_of_low(x) _mm512_cvtps_pd(_mm512_castps512_ps256(x))
#define vd_of_high(x) _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))
#define vd_count(n, mask) _mm512_mask_add_epi64(n, mask, n, _mm512_set1_epi64(1))

#define vi_zero() _mm512_setzero_si512()
#define vi_all(x) _mm512_set1_epi32((int)(x))
#define vi_load(p) _mm512_loadu_si512((const void *)(p))
#define vi_add32(a, b) _mm512_add_epi32(a, b)
#define vi_add64(a, b) _mm512_add_epi64(a, b)
#define vi_mul32(a, b) _mm512_mul_epu32(a, b)
#define vi_upper(a) _mm512_srli_epi64(a, 32)

#define sixteen16(p) _mm256_loadu_si256((const void *)(p))
#define sixteen8(p) _mm_loadu_si128((const void *)(p))
#define load_f32(p) _mm512_loadu_ps((const void *)(p))
#define load_f16(p) _mm512_cvtph_ps(sixteen16(p))
#define load_i16(p) _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(sixteen16(p)))
#define load_u16(p) _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(sixteen16(p)))
#define load_i8(p) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(sixteen8(p)))
#define load_u8(p) _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(sixteen8(p)))
#define load_bool(p)                                                                               \
	_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_min_epu8(sixteen8(p), _mm_set1_epi8(1))))
#define vf_low_halves(x) _mm512_castsi512_ps(_mm512_slli_epi32(x, 16))
#define vf_high_halves(x)                                                                          \
	_mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)))

#include "kernels_x86.h"
#endif
