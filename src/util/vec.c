/* vec.c - the growing of a vector (vec.h).
 *
 * The typed pointer is read and written with memcpy: the macro hands over the address of a `T *`
 * as a `void **`, and going through that type would be aliasing two types.
 */
#include <pthfs/vec.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VEC_MAX ((size_t)UINT32_MAX - 1) /* 2^32 - 2: indices are 32 bits, one value means none */

int vec_grow(void **at, size_t *cap, size_t n, size_t more, size_t size)
{
	size_t want = *cap + *cap / 2, bytes;
	void *p;

	if (n > VEC_MAX || more > VEC_MAX - n)
		return ERR_LIMIT;
	if (want < n + more)
		want = n + more;
	if (want < 8 && size <= 64)
		want = 8;
	if (want > VEC_MAX)
		want = VEC_MAX;
	if (__builtin_mul_overflow(want, size, &bytes))
		return ERR_NOMEM;
	memcpy(&p, at, sizeof p);
	p = realloc(p, bytes);
	if (!p)
		return ERR_NOMEM;
	memcpy(at, &p, sizeof p);
	*cap = want;
	return 0;
}
