/* swap.c - a source with the bytes of every element reversed: big-endian tensors, read here.
 *
 * A request need not begin or end at an element: the cut elements at its two ends go through a
 * small buffer, what lies between is read into the caller's buffer and turned there.
 */
#include <pthfs/source.h>

#include <stdlib.h>
#include <string.h>

struct swap_source {
	struct source head;
	struct source *base; /* holds a reference */
	unsigned width;      /* 2, 4 or 8 */
};

static void turn2(char *p, size_t n)
{
	uint16_t v;

	for (size_t i = 0; i < n; i += 2) {
		memcpy(&v, p + i, 2);
		v = __builtin_bswap16(v);
		memcpy(p + i, &v, 2);
	}
}

static void turn4(char *p, size_t n)
{
	uint32_t v;

	for (size_t i = 0; i < n; i += 4) {
		memcpy(&v, p + i, 4);
		v = __builtin_bswap32(v);
		memcpy(p + i, &v, 4);
	}
}

static void turn8(char *p, size_t n)
{
	uint64_t v;

	for (size_t i = 0; i < n; i += 8) {
		memcpy(&v, p + i, 8);
		v = __builtin_bswap64(v);
		memcpy(p + i, &v, 8);
	}
}

/* Whole elements: off and n are multiples of the width. */
static int read_whole(struct swap_source *s, char *to, size_t n, uint64_t off, struct err *e)
{
	int r = source_read(s->base, to, n, off, e);

	if (r < 0)
		return r;
	if (s->width == 2)
		turn2(to, n);
	else if (s->width == 4)
		turn4(to, n);
	else
		turn8(to, n);
	return 0;
}

/* The bytes [from, from + n) of the element at off. */
static int read_cut(
	struct swap_source *s, char *to, size_t n, uint64_t off, size_t from, struct err *e)
{
	char unit[8];
	int r = read_whole(s, unit, s->width, off, e);

	if (r < 0)
		return r;
	memcpy(to, unit + from, n);
	return 0;
}

static int swap_read(struct source *src, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct swap_source *s = (struct swap_source *)src;
	size_t from = (size_t)(off % s->width), n;
	char *to = buf;
	int r;

	if (from) {
		n = s->width - from < len ? s->width - from : len;
		r = read_cut(s, to, n, off - from, from, e);
		if (r < 0)
			return r;
		to += n, off += n, len -= n;
	}
	n = len - len % s->width;
	r = n ? read_whole(s, to, n, off, e) : 0;
	if (r < 0 || n == len)
		return r;
	return read_cut(s, to + n, len - n, off + n, 0, e);
}

static void swap_close(struct source *src)
{
	source_unref(((struct swap_source *)src)->base);
	free(src);
}

static const struct source_ops swap_ops = {
	.name = "swap",
	.read_at = swap_read,
	.close = swap_close,
};

struct source *source_swap(struct source *base, unsigned width)
{
	struct swap_source *s;

	if ((width != 2 && width != 4 && width != 8) || base->size % width)
		return NULL;
	s = malloc(sizeof *s);
	if (!s)
		return NULL;
	source_init(&s->head, &swap_ops, base->size);
	s->base = source_ref(base);
	s->width = width;
	return &s->head;
}
