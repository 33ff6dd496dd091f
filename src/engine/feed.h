/* feed.h - reads a content ahead of a card: chunk by chunk into a ring of buffers, by several
 * threads, with the checksum of what was read. Private to the engine room.
 *
 *	          a chunk each; chunk k lies in buffer k % FEED_SLOTS
 *	   +-----------+-----------+-----------+-----------+
 *	   | on the    | being     | being     | read      |
 *	   | card      | copied    | read      | next      |
 *	   +-----------+-----------+-----------+-----------+
 *	    ^ feed_done() hands the oldest back to the readers
 *
 * Who starts a feed calls feed_wait() for chunks 0, 1, 2, ... and feed_done() once for each in the
 * same order, at most FEED_SLOTS later, and feed_stop() in any case. One thread does all of that.
 */
#ifndef PTHFS_ENGINE_FEED_H
#define PTHFS_ENGINE_FEED_H

#include <pthfs/content.h>
#include <pthread.h>

#define FEED_SLOTS 4
#define FEED_CHUNK (16u << 20) /* bytes that are large enough for the full speed of a bus */
#define FEED_PIECES 64         /* of a chunk; 256 KiB stay in the cache for the checksum */
#define FEED_THREADS 16

struct feed {
	const struct content *c;
	char *buffer[FEED_SLOTS]; /* borrowed; of a chunk each */
	uint32_t chunk, piece;    /* bytes */
	uint64_t pieces, chunks;  /* of the content */
	pthread_t thread[FEED_THREADS];
	unsigned threads; /* 0: feed_wait() reads */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t room;  /* there is a buffer to read into, or nothing more to do */
	pthread_cond_t come;  /* a chunk has been read, or never will be */
	uint64_t next;        /* piece that a reader takes next */
	uint64_t open;        /* chunks before this one have, or had, a buffer */
	unsigned missing[FEED_SLOTS]; /* pieces of the chunk in this buffer that are not read yet */
	uint64_t sum[FEED_SLOTS];     /* S (sum.h) of those that are */
	bool stop;
	struct err failed; /* code 0: nothing */
};

/* chunk: a multiple of 16 * FEED_PIECES bytes. */
int feed_start(struct feed *s, const struct content *c, uint32_t chunk,
		char *const buffer[FEED_SLOTS], struct err *e);
/* Chunk k is in its buffer, followed by zeros up to a multiple of 16 bytes; *sum is its S. An error
 * of any read is that of all chunks that were not waited for. */
int feed_wait(struct feed *s, uint64_t k, uint64_t *sum, struct err *e);
void feed_done(struct feed *s); /* the oldest chunk's buffer may be read into */
void feed_stop(struct feed *s);

/* Bytes of chunk k. */
static inline uint32_t feed_bytes(const struct feed *s, uint64_t k)
{
	uint64_t left = s->c->size - k * s->chunk;

	return left < s->chunk ? (uint32_t)left : s->chunk;
}

#endif
