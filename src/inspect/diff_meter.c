/* diff_meter.c - how far a comparison is, seen from where bytes are read.
 *
 * The engine that compares knows nothing of progress, so what it reads from is a source that counts,
 * put around the content only when somebody wants to be told. Whoever reads on whatever thread tells:
 * one at a time, the others go on.
 */
#include "diff.h"

#define EVERY_NS 100000000 /* tell at most this often */

static bool is_time(struct diff_meter *m)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < m->next.tv_sec ||
			(now.tv_sec == m->next.tv_sec && now.tv_nsec < m->next.tv_nsec))
		return false;
	now.tv_nsec += EVERY_NS;
	m->next = (struct timespec){now.tv_sec + now.tv_nsec / 1000000000, now.tv_nsec % 1000000000};
	return true;
}

/* Reading twice (for the bytes, then for the numbers) counts once. */
static void tell(struct diff_meter *m)
{
	uint64_t read = atomic_load_explicit(&m->read, memory_order_relaxed);
	if (pthread_mutex_trylock(&m->lock) != 0)
		return;
	if (is_time(m))
		m->to.fn(m->to.ctx, m->base + (read < m->most ? read : m->most), m->total);
	pthread_mutex_unlock(&m->lock);
}

struct counting {
	struct source s;
	struct content c;
	struct diff_meter *m;
};

static int counting_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct counting *k = (struct counting *)s;
	int rc = extents_read(k->c.at, k->c.n, buf, len, off, e);
	atomic_fetch_add_explicit(&k->m->read, len, memory_order_relaxed);
	tell(k->m);
	return rc;
}

/* Who has one is known to be read by many at once. */
static int counting_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	const struct counting *k = (struct counting *)s;
	return extents_raw(k->c.at, k->c.n, off, len, ret_off);
}

static void counting_close(struct source *s)
{
	content_release(&((struct counting *)s)->c);
	free(s);
}

static const struct source_ops counting_ops = {
	.name = "counting",
	.read_at = counting_read_at,
	.raw = counting_raw,
	.close = counting_close,
};

int meter_wrap(struct diff_meter *m, struct content *c, struct err *e)
{
	if (!m->to.fn)
		return 0;
	struct counting *k = malloc(sizeof *k);
	if (!k) {
		content_release(c);
		return err_nomem(e);
	}
	source_init(&k->s, &counting_ops, c->size);
	k->c = *c;
	k->m = m;
	return content_source(&k->s, c);
}

void meter_init(struct diff_meter *m, const struct inspect_progress *to)
{
	*m = (struct diff_meter){.to = *to};
	pthread_mutex_init(&m->lock, NULL);
}

void meter_release(struct diff_meter *m)
{
	pthread_mutex_destroy(&m->lock);
}

void meter_begin(struct diff_meter *m, uint64_t most)
{
	m->most = most;
	atomic_store(&m->read, 0);
}

void meter_end(struct diff_meter *m, bool done)
{
	m->base += done ? m->most : 0;
	m->most = 0;
	if (m->to.fn)
		tell(m);
}
