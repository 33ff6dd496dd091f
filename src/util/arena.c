/* arena.c - a bump allocator.
 *
 *	head -> [next | size | used | ..... bytes .....] -> [ ... ] -> ...
 *
 * Small requests are cut from the head block; blocks grow from 4 KiB to 1 MiB as the arena does.
 * A request of more than a quarter of a block gets a block of its own behind the head, so that
 * what is left of the head is not lost. Fresh blocks come from calloc, so a large array that is
 * never touched costs no memory, and nothing that was handed out is handed out again.
 */
#include <pthfs/arena.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)1 << 20)

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* of data */
	_Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit};
}

void arena_release(struct arena *a)
{
	struct arena_block *b = a->head, *next;

	for (; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){.limit = a->limit};
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *b;

	if (size > SIZE_MAX / 2)
		return NULL;
	b = calloc(1, sizeof *b + size);
	if (b)
		b->size = size;
	return b;
}

/* How large the next shared block is: as much as there is already, within bounds. */
static size_t block_size(const struct arena *a)
{
	size_t size = BLOCK_MIN;

	while (size < BLOCK_MAX && size < a->used)
		size *= 2;
	return size - sizeof(struct arena_block);
}

/* A block with room for n bytes whose data is not the head's rest. */
static struct arena_block *add_block(struct arena *a, size_t n)
{
	size_t shared = block_size(a);
	struct arena_block *b;

	if (n > shared / 4) {
		b = block_new(n);
		if (b && a->head) {
			b->next = a->head->next;
			a->head->next = b;
		} else if (b) {
			a->head = b;
		}
		return b;
	}
	b = block_new(shared);
	if (!b)
		return NULL;
	b->next = a->head;
	a->head = b;
	return b;
}

/* n bytes, zero, aligned to align (a power of two <= 16). */
static void *cut(struct arena *a, size_t n, size_t align)
{
	struct arena_block *b = a->head;
	size_t at = 0;
	void *p;

	if (a->limit && n > a->limit - a->used)
		return NULL;
	if (b)
		at = (b->used + align - 1) & ~(align - 1);
	if (!b || at > b->size || n > b->size - at) {
		b = add_block(a, n);
		at = 0;
	}
	if (!b)
		return NULL;
	p = b->data + at;
	b->used = at + n;
	a->used += n;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return cut(a, n, 8);
}

void *arena_bytes(struct arena *a, size_t n)
{
	return cut(a, n, 1);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = s.n < SIZE_MAX ? arena_bytes(a, s.n + 1) : NULL;

	if (!p)
		return (struct str){NULL, 0};
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return (struct str){p, s.n};
}
