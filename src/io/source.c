/* source.c - the head that all sources share: references and bounds.
 *
 * The range is checked here, once, so that no implementation has to: read_at() and raw() are only
 * called with off + len <= size. Reading nothing is always fine and reaches no implementation.
 */
#include <pthfs/source.h>

#include <inttypes.h>

void source_init(struct source *s, const struct source_ops *ops, uint64_t size)
{
	s->ops = ops;
	s->size = size;
	atomic_init(&s->refs, 1);
}

struct source *source_ref(struct source *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void source_unref(struct source *s)
{
	/* acq_rel: what other threads did with s is done before it is closed. */
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->ops->close(s);
}

static bool inside(const struct source *s, uint64_t off, uint64_t len)
{
	return len <= s->size && off <= s->size - len;
}

int source_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	if (!inside(s, off, len))
		return err_set(e, ERR_TRUNCATED,
			"%zu bytes wanted at offset %" PRIu64 ", but there are only %" PRIu64
			" bytes",
			len, off, s->size);
	return len ? s->ops->read_at(s, buf, len, off, e) : 0;
}

int source_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	if (!s->ops->raw || !inside(s, off, len))
		return -1;
	return s->ops->raw(s, off, len, ret_off);
}
