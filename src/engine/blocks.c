/* blocks.c - walks over a content in pieces of 1 MiB and hands out blocks of doubles.
 *
 * A piece is a whole number of blocks of any dtype. Behind the bytes of the last one there is room
 * for a group of zeros, which decoders may turn into numbers that nobody is shown.
 */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

#include <pthfs/sum.h>

#define PIECE (1u << 20)                /* bytes read at a time */
#define SLACK (DECODE_GROUP * (size_t)16) /* one group of the largest elements */

_Static_assert(PIECE % (BLOCK * 16) == 0, "a block must not cross from one piece to the next");
_Static_assert(BLOCK % DECODE_GROUP == 0, "a block is whole groups");

static void one_piece(const struct decoder *d, const char *raw, size_t elements, block_fn *fn,
		void *ctx)
{
	double x[BLOCK];

	for (size_t i = 0; i < elements; i += BLOCK) {
		size_t n = elements - i < BLOCK ? elements - i : BLOCK;

		decode(d, raw + i * d->size, whole_groups(n), x);
		fn(ctx, x, n);
	}
}

int blocks_each(const struct content *c, enum dtype dt, block_fn *fn, void *ctx, struct err *e)
{
	uint64_t sum;

	return blocks_and_sum(c, dt, fn, ctx, &sum, e);
}

int blocks_and_sum(const struct content *c, enum dtype dt, block_fn *fn, void *ctx, uint64_t *sum,
		struct err *e)
{
	struct decoder d;
	size_t room = c->size < PIECE ? (size_t)c->size : PIECE, got = 0;
	char *raw = aligned_alloc(64, (room + SLACK + 63) / 64 * 64);
	int rc = 0;

	if (!raw)
		return err_nomem(e);
	decoder_init(&d, dt);
	*sum = 0;
	for (uint64_t off = 0; off < c->size && rc == 0; off += got) {
		rc = content_read(c, raw, PIECE, off, &got, e);
		if (rc < 0 || got == 0)
			break;
		*sum += sum_piece(raw, got, off / 4);
		memset(raw + got, 0, SLACK);
		one_piece(&d, raw, got / d.size, fn, ctx);
	}
	free(raw);
	return rc;
}
