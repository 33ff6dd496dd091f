/* plan_piece.c - the sources that a plan makes itself: fresh bytes, and one byte many times.
 *
 * Fresh bytes come in crumbs (a local header, 40 bytes of padding, the next header). A crumb is
 * appended to the piece before it as long as that is small and only the plan holds it; so bytes
 * never move under a reader.
 */
#include "plan_in.h"

#include <stdlib.h>
#include <string.h>

#define SMALL (64u << 10) /* bytes up to which neighbours are merged */

struct bytes_piece {
	struct source head;
	char *p; /* owned */
	size_t cap;
};

struct fill_piece {
	struct source head;
	unsigned char byte;
};

static int bytes_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	memcpy(buf, ((struct bytes_piece *)s)->p + off, len);
	return 0;
}

static void bytes_close(struct source *s)
{
	free(((struct bytes_piece *)s)->p);
	free(s);
}

static const struct source_ops bytes_ops = {
	.name = "bytes",
	.read_at = bytes_read,
	.close = bytes_close,
};

struct source *piece_bytes(const void *bytes, size_t n)
{
	struct bytes_piece *b = malloc(sizeof *b);
	char *p = malloc(n ? n : 1);

	if (!b || !p) {
		free(b);
		free(p);
		return NULL;
	}
	source_init(&b->head, &bytes_ops, n);
	b->p = memcpy(p, bytes, n);
	b->cap = n;
	return &b->head;
}

bool piece_append(struct source *s, const void *bytes, size_t n)
{
	struct bytes_piece *b = (struct bytes_piece *)s;
	size_t cap;
	char *p;

	if (s->ops != &bytes_ops || atomic_load(&s->refs) != 1 || s->size > SMALL ||
			n > SMALL - s->size)
		return false;
	if (n > b->cap - s->size) {
		cap = s->size + n < 256 ? 256 : 2 * (size_t)(s->size + n);
		p = realloc(b->p, cap);
		if (!p)
			return false;
		b->p = p;
		b->cap = cap;
	}
	memcpy(b->p + s->size, bytes, n);
	s->size += n;
	return true;
}

static int fill_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	memset(buf, ((struct fill_piece *)s)->byte, len);
	return 0;
}

static void fill_close(struct source *s)
{
	free(s);
}

static const struct source_ops fill_ops = {
	.name = "fill",
	.read_at = fill_read,
	.close = fill_close,
};

struct source *piece_fill(unsigned char byte, uint64_t n)
{
	struct fill_piece *f = malloc(sizeof *f);

	if (!f)
		return NULL;
	source_init(&f->head, &fill_ops, n);
	f->byte = byte;
	return &f->head;
}

bool plan_is_fill(const struct extent *piece, unsigned char *byte)
{
	if (piece->src->ops != &fill_ops)
		return false;
	*byte = ((struct fill_piece *)piece->src)->byte;
	return true;
}
