/* cuda.h - a card that has been opened. Private to the engine room.
 *
 * On the card there are FEED_SLOTS buffers of a chunk and of what its blocks found, whatever the
 * content's size; of each its likeness in page-locked memory, which the bus reads without a copy.
 */
#ifndef PTHFS_ENGINE_CUDA_H
#define PTHFS_ENGINE_CUDA_H

#include "card.h"
#include "cuda_driver.h"
#include "feed.h"
#include "ops.h"

#define CUDA_STREAMS 2

/* FEED_CHUNK: for engines that are opened from now on. Tests take less, a multiple of CARD_SPAN. */
extern uint32_t cuda_chunk;

_Static_assert(FEED_CHUNK % CARD_SPAN == 0, "spans must not depend on the chunks");
_Static_assert(FEED_SLOTS % CUDA_STREAMS == 0, "a slot has its stream");

struct cuda_slot {
	char *host;    /* page-locked: a chunk, and behind it the parts that came back */
	uint64_t card; /* the same, there */
	void *event;   /* the parts have come back */
};

struct cuda {
	struct engine base; /* first */
	struct cuda_driver driver;
	char where[16]; /* "cuda:0" */
	int knows; /* the CUDA of the driver: 13000 is 13.0 */
	int device;
	uint32_t chunk; /* bytes */
	void *context; /* the primary one, that a process shares; NULL: not retained */
	void *module;
	void *kernel[CARD_KIND_COUNT];
	void *stream[CUDA_STREAMS];
	struct cuda_slot slot[FEED_SLOTS];
	struct err broken; /* code 0: the card can be used */
};

/* Bytes of a slot: a chunk, and a part of each block that judges it. */
static inline size_t cuda_slot_bytes(const struct cuda *g)
{
	return g->chunk + g->chunk / CARD_SPAN * sizeof(struct card_part);
}

/* cuda_open.c. close: what was opened of it, which may be little. */
int cuda_open(unsigned ordinal, struct engine **ret, struct err *e);
void cuda_close(struct engine *g);

#endif
