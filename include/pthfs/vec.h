/* vec.h - a typed growing array with a maximum, as a macro.
 *
 *	VEC(uint32_t) v = {0};
 *	if (vec_push(&v, 7) < 0) ...        // ERR_NOMEM or ERR_LIMIT
 *	v.at[0]; v.n; vec_release(&v);
 *
 * Growth is by half, through realloc (mremap for large ones), so a vector of n elements never
 * takes more than 1.5 n plus a page.
 */
#ifndef PTHFS_VEC_H
#define PTHFS_VEC_H

#include <pthfs/err.h>
#include <stddef.h>
#include <stdlib.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t n, cap;                                                                     \
	}

/* Makes room for `more` further elements of `size` bytes; at most 2^32 - 2 elements in all. */
int vec_grow(void **at, size_t *cap, size_t n, size_t more, size_t size);

#define vec_room(v, more)                                                                          \
	((v)->cap - (v)->n >= (size_t)(more)                                                       \
			? 0                                                                        \
			: vec_grow((void **)&(v)->at, &(v)->cap, (v)->n, (more), sizeof *(v)->at))
#define vec_push(v, x) (vec_room((v), 1) < 0 ? ERR_NOMEM : ((v)->at[(v)->n++] = (x), 0))
#define vec_release(v) (free((v)->at), (v)->at = NULL, (v)->n = (v)->cap = 0)

#endif
