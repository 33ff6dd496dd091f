/* modulus.h - the modulus of a complex number: one definition for the reference, and for the card,
 * which has to agree with it to the last bit. Only operations that IEEE 754 rounds correctly, and
 * none contracted (-ffp-contract=off, -fmad=false). Private to the engine room.
 */
#ifndef PTHFS_ENGINE_MODULUS_H
#define PTHFS_ENGINE_MODULUS_H

#include <float.h>
#include <math.h>

#ifdef __CUDACC__
#define ENGINE_FN static __host__ __device__ __forceinline__
#else
#define ENGINE_FN static inline __attribute__((always_inline))
#endif

/* Parts of 32 bits and fewer: squares neither overflow nor vanish in a double. */
ENGINE_FN double modulus_narrow(double re, double im)
{
	return sqrt(re * re + im * im);
}

/* Finite parts whose modulus is over the range are still finite. Not hypot(), whose last bit is
 * another in each library: multiplied by a power of two where squares would not fit, to an ulp. */
ENGINE_FN double modulus(double re, double im)
{
	double a = fabs(re), b = fabs(im), big = a > b ? a : b, up = 1, down = 1, v;

	if (re != re || im != im)
		return NAN;
	if (big > DBL_MAX)
		return INFINITY;
	if (big > 0x1p500) {
		up = 0x1p600;
		down = 0x1p-600;
	} else if (big < 0x1p-500) {
		up = 0x1p-600;
		down = 0x1p600;
	}
	a *= down;
	b *= down;
	v = sqrt(a * a + b * b) * up;
	return v > DBL_MAX ? DBL_MAX : v;
}

#endif
