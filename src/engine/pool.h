/* pool.h - a run of pieces, worked on by several threads, joined in order. Private to the room.
 *
 * A thread claims the next piece, reads it into its own room, works on it into a result, and
 * whoever finishes the piece that is next in order joins it, and those behind it that are finished.
 * So what comes out does not depend on threads or timing, and memory is (room + 2 results) a
 * thread: nobody claims a piece that is further ahead than there are results.
 */
#ifndef PTHFS_ENGINE_POOL_H
#define PTHFS_ENGINE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthfs/content.h>
#include <pthfs/err.h>

#define PIECE_BYTES (512u * 1024) /* read at a time: room for it stays in the L2 cache */

struct job {
	uint64_t pieces;
	size_t room, result; /* bytes, of a thread and of a piece */
	bool serial;         /* read() in order and by one thread at a time: see pool_serial() */
	void *ctx;
	int (*read)(void *ctx, uint64_t piece, void *room, struct err *e);
	void (*work)(void *ctx, uint64_t piece, void *room, void *result);
	/* In order, one at a time. false: that is enough. */
	bool (*join)(void *ctx, uint64_t piece, const void *result);
};

/* The error is that of the first piece, in order, that could not be read. No thread is left. */
int pool_run(const struct job *j, struct err *e);
/* Is c read better in order (inflated, gathered), not from several places at a time? */
bool pool_serial(const struct content *c);

/* For tests, and names: 0 (the default) is as many as there are processors. */
void pool_set_threads(unsigned n);
unsigned pool_threads(void);

#endif
