/* kernels_avx2.c - vectors of 256 bits for kernels_x86.h: Intel since 2013, AMD since 2015.
 *
 * Masks are vectors whose lanes are all ones where something is true; so counting is subtracting.
 */
#ifdef __x86_64__
#include "kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include <pthfs/sum.h>

#define TARGET __attribute__((target("avx2,f16c")))
#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#define FLOATS 8

typedef __m256 vf;
typedef __m256d vd;
typedef __m256i vi;
typedef __m256 vm;
typedef __m256d vdm;

#define vf_all(x) _mm256_set1_ps(x)
#define vf_min(a, b) _mm256_min_ps(a, b)
#define vf_max(a, b) _mm256_max_ps(a, b)
#define vf_less(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define vf_equal(a, b) _mm256_cmp_ps(a, b, _CMP_EQ_OQ)
#define vf_unordered(a) _mm256_cmp_ps(a, a, _CMP_UNORD_Q)
#define vf_abs(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define vf_pick(mask, a, b) _mm256_blendv_ps(b, a, mask)
#define vi_count(n, mask) _mm256_sub_epi32(n, _mm256_castps_si256(mask))

#define vd_all(x) _mm256_set1_pd(x)
#define vd_load(p) _mm256_loadu_pd((const void *)(p))
#define vd_add(a, b) _mm256_add_pd(a, b)
#define vd_sub(a, b) _mm256_sub_pd(a, b)
#define vd_mul(a, b) _mm256_mul_pd(a, b)
#define vd_min(a, b) _mm256_min_pd(a, b)
#define vd_max(a, b) _mm256_max_pd(a, b)
#define vd_less(a, b) _mm256_cmp_pd(a, b, _CMP_LT_OQ)
#define vd_equal(a, b) _mm256_cmp_pd(a, b, _CMP_EQ_OQ)
#define vd_unordered(a) _mm256_cmp_pd(a, a, _CMP_UNORD_Q)
#define vd_abs(a) _mm256_andnot_pd(_mm256_set1_pd(-0.0), a)
#define vd_pick(mask, a, b) _mm256_blendv_pd(b, a, mask)
#define vd_finite_or_0(a) _mm256_and_pd(a, vd_less(vd_abs(a), vd_all(INFINITY)))
#define vd_of_low(x) _mm256_cvtps_pd(_mm256_castps256_ps128(x))
#define vd_of_high(x) _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))
/* A mask of 64 bits is -1 in both halves: only the lower one counts. */
#define vd_count(n, mask)                                                                          \
	_mm256_add_epi32(n, _mm256_srli_epi64(_mm256_castpd_si256(mask), 63))

#define vi_zero() _mm256_setzero_si256()
#define vi_all(x) _mm256_set1_epi32((int)(x))
#define vi_load(p) _mm256_loadu_si256((const void *)(p))
#define vi_add32(a, b) _mm256_add_epi32(a, b)
#define vi_add64(a, b) _mm256_add_epi64(a, b)
#define vi_mul32(a, b) _mm256_mul_epu32(a, b)
#define vi_upper(a) _mm256_srli_epi64(a, 32)

#define eight16(p) _mm_loadu_si128((const void *)(p))
#define eight8(p) _mm_loadl_epi64((const void *)(p))
#define load_f32(p) _mm256_loadu_ps((const void *)(p))
#define load_f16(p) _mm256_cvtph_ps(eight16(p))
#define load_i16(p) _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(eight16(p)))
#define load_u16(p) _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(eight16(p)))
#define load_i8(p) _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight8(p)))
#define load_u8(p) _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eight8(p)))
#define load_bool(p)                                                                               \
	_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_min_epu8(eight8(p), _mm_set1_epi8(1))))
#define vf_low_halves(x) _mm256_castsi256_ps(_mm256_slli_epi32(x, 16))
#define vf_high_halves(x)                                                                          \
	_mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32((int)0xffff0000)))

#include "kernels_x86.h"
#endif
