/* arena.h - a bump allocator: what is decoded from one file is freed with the file.
 *
 * Nothing inside is freed alone. arena_alloc() returns zeroed memory aligned to 8 bytes, or NULL.
 * Thread rule: one writer; what has been returned may be read by anybody.
 */
#ifndef PTHFS_ARENA_H
#define PTHFS_ARENA_H

#include <pthfs/str.h>
#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used;  /* bytes handed out */
	size_t limit; /* 0: none */
};

void arena_init(struct arena *a, size_t limit);
void arena_release(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);
void *arena_bytes(struct arena *a, size_t n); /* alignment 1, not zeroed */
/* A copy with a terminating NUL that n does not count. .p is NULL when out of memory. */
struct str arena_str(struct arena *a, struct str s);

#endif
