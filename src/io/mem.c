/* mem.c - memory as a source: small headers in front of extents, decoded pieces, tests.
 *
 * Borrowed or owned; never raw, since no descriptor stands behind it. The bytes do not change
 * while the source lives, so reading needs no lock.
 */
#include <pthfs/source.h>

#include <stdlib.h>
#include <string.h>

struct mem_source {
	struct source head;
	const char *p;
	void *owned; /* p, or NULL when borrowed */
};

static int mem_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	memcpy(buf, ((struct mem_source *)s)->p + off, len);
	return 0;
}

static void mem_close(struct source *s)
{
	free(((struct mem_source *)s)->owned);
	free(s);
}

static const struct source_ops mem_ops = {
	.name = "mem",
	.read_at = mem_read,
	.close = mem_close,
};

struct source *source_mem_borrow(const void *buf, size_t n)
{
	struct mem_source *m = malloc(sizeof *m);

	if (!m)
		return NULL;
	source_init(&m->head, &mem_ops, n);
	m->p = buf;
	m->owned = NULL;
	return &m->head;
}

struct source *source_mem_take(void *buf, size_t n)
{
	struct source *s = source_mem_borrow(buf, n);

	if (s)
		((struct mem_source *)s)->owned = buf;
	else
		free(buf);
	return s;
}
