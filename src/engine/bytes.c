/* bytes.c - are the bytes of two contents the same? Read on all processors, to the first
 * difference.
 *
 * Pieces are joined in order, so an error behind the first difference is not told, and one in front
 * of it is, whatever was read first.
 */
#include "pool.h"

#include <string.h>

#include <pthfs/engine.h>

struct both {
	const struct content *a, *b;
	bool same;
};

static size_t bytes_of(const struct both *t, uint64_t piece)
{
	uint64_t left = t->a->size - piece * PIECE_BYTES;

	return left < PIECE_BYTES ? left : PIECE_BYTES;
}

static int read_both(void *ctx, uint64_t piece, void *room, struct err *e)
{
	const struct both *t = ctx;
	size_t n = bytes_of(t, piece), got;
	uint64_t off = piece * PIECE_BYTES;
	int rc = content_read(t->a, room, n, off, &got, e);

	return rc < 0 ? rc : content_read(t->b, (char *)room + PIECE_BYTES, n, off, &got, e);
}

static void compare_piece(void *ctx, uint64_t piece, void *room, void *result)
{
	const char *p = room;

	*(bool *)result = memcmp(p, p + PIECE_BYTES, bytes_of(ctx, piece)) == 0;
}

static bool join_piece(void *ctx, uint64_t piece, const void *result)
{
	struct both *t = ctx;

	t->same = *(const bool *)result;
	return t->same;
}

int bytes_equal(const struct content *a, const struct content *b, bool *ret, struct err *e)
{
	struct both t = {a, b, true};
	struct job job = {
		.pieces = a->size / PIECE_BYTES + (a->size % PIECE_BYTES != 0),
		.room = 2 * (size_t)PIECE_BYTES,
		.result = sizeof(bool),
		.serial = pool_serial(a) || pool_serial(b),
		.ctx = &t,
		.read = read_both,
		.work = compare_piece,
		.join = join_piece,
	};
	int rc;

	if (a->size != b->size) {
		*ret = false;
		return 0;
	}
	rc = pool_run(&job, e);
	if (rc == 0)
		*ret = t.same;
	return rc;
}
