/* window.c - a part of another source.
 *
 * A window of a window is one window on the source below, so that however often names are cut out
 * of names, a read takes one step. All of a source is the source itself.
 */
#include <pthfs/source.h>

#include <stdlib.h>

struct window_source {
	struct source head;
	struct source *base; /* holds a reference; never a window itself */
	uint64_t off;
};

static int window_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct window_source *w = (struct window_source *)s;

	return source_read(w->base, buf, len, w->off + off, e);
}

static int window_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	struct window_source *w = (struct window_source *)s;

	return source_raw(w->base, w->off + off, len, ret_off);
}

static void window_close(struct source *s)
{
	source_unref(((struct window_source *)s)->base);
	free(s);
}

static const struct source_ops window_ops = {
	.name = "window",
	.read_at = window_read,
	.raw = window_raw,
	.close = window_close,
};

struct source *source_window(struct source *s, uint64_t off, uint64_t len)
{
	struct window_source *w;

	if (len > s->size || off > s->size - len)
		return NULL;
	if (len == s->size)
		return source_ref(s);
	if (s->ops == &window_ops) {
		off += ((struct window_source *)s)->off;
		s = ((struct window_source *)s)->base;
	}
	w = malloc(sizeof *w);
	if (!w)
		return NULL;
	source_init(&w->head, &window_ops, len);
	w->base = source_ref(s);
	w->off = off;
	return &w->head;
}
