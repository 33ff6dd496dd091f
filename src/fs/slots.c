/* slots.c - buffers for answers, reused.
 *
 * A read of the kernel is at most FS_REQUEST bytes. Copying through one warm buffer is three
 * times faster than splicing page by page (measured against tests/bench/bare.c, both ways), as
 * long as the buffer is not malloc'ed and unmapped for every request, as libfuse's own fallback
 * does.
 *
 * The lowest free slot is taken, so memory grows with the number of requests in flight at one
 * moment and not with the number of threads, and the slot in use is the one in the cache. No
 * lock: a slot is taken by an exchange. When all are taken, malloc serves.
 */
#include "in.h"

#include <pthfs/cleanup.h>
#include <stdlib.h>
#include <sys/mman.h>

static struct {
	atomic_bool taken;
	void *p; /* touched only by the taker */
} slots[12];

static void *slot_memory(void)
{
	void *p;

	p = mmap(NULL, FS_REQUEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void *fs_slot_take(size_t size)
{
	if (size > FS_REQUEST)
		return malloc(size);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		if (atomic_exchange_explicit(&slots[i].taken, true, memory_order_acquire))
			continue;
		if (!slots[i].p)
			slots[i].p = slot_memory();
		if (slots[i].p)
			return slots[i].p;
		atomic_store_explicit(&slots[i].taken, false, memory_order_release);
		return NULL;
	}
	return malloc(size);
}

void fs_slot_give(void *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		if (p && slots[i].p == p) {
			atomic_store_explicit(&slots[i].taken, false, memory_order_release);
			return;
		}
	}
	free(p);
}
