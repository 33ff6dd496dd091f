/* content.c - puts together the bytes of one file of the mount.
 *
 * A contiguous tensor stays an extent of its storage, so that whoever serves it can hand out the
 * checkpoint's own descriptor. Otherwise sources are stacked: storage -> strided -> signs. Where a
 * storage is shorter than the pickle says (a truncated checkpoint, salvaged), a source in between
 * answers for what is missing, so that the rest stays readable.
 */
#include "shown.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/content.h>

/* --- a storage of which the end is missing ---------------------------------------------------- */

struct torn {
	struct source s;
	struct extent have;
};

static int torn_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct torn *t = (struct torn *)s;

	if (off > t->have.len || len > t->have.len - off)
		return err_set(e, ERR_TRUNCATED, "bytes %" PRIu64 "..%" PRIu64
				" of a storage are missing: the checkpoint has the first %" PRIu64,
				off, off + len, t->have.len);
	return extents_read(&t->have, 1, buf, len, off, e);
}

static int torn_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	struct torn *t = (struct torn *)s;

	if (off > t->have.len || len > t->have.len - off)
		return -1;
	return extents_raw(&t->have, 1, off, len, ret_off);
}

static void torn_close(struct source *s)
{
	source_unref(((struct torn *)s)->have.src);
	free(s);
}

static const struct source_ops torn_ops = {
	.name = "torn",
	.read_at = torn_read_at,
	.raw = torn_raw,
	.close = torn_close,
};

static struct source *source_torn(struct extent have, uint64_t size)
{
	struct torn *t = malloc(sizeof *t);

	if (!t)
		return NULL;
	source_init(&t->s, &torn_ops, size);
	source_ref(have.src);
	t->have = have;
	return &t->s;
}

/* --- contents --------------------------------------------------------------------------------- */

void content_release(struct content *c)
{
	source_unref(c->own[0]);
	source_unref(c->own[1]);
	memset(c, 0, sizeof *c);
}

int content_read(const struct content *c, void *buf, size_t len, uint64_t off, size_t *got,
		struct err *e)
{
	int rc;

	if (off >= c->size || len == 0) {
		*got = 0;
		return 0;
	}
	if (len > c->size - off)
		len = (size_t)(c->size - off);
	rc = extents_read(c->at, c->n, buf, len, off, e);
	if (rc == 0)
		*got = len;
	return rc;
}

int content_source(struct source *s, struct content *ret)
{
	*ret = (struct content){.n = 1, .size = s->size, .own = {s}};
	ret->at[0] = (struct extent){s, 0, s->size};
	return 0;
}

int content_text(struct buf *b, struct content *ret, struct err *e)
{
	struct source *s;
	char *p;
	size_t n;

	if (b->failed) {
		buf_release(b);
		return err_set(e, ERR_NOMEM, "no memory, or no room in %zu bytes, for a text",
				b->max);
	}
	p = buf_steal(b, &n);
	if (!p) {
		memset(ret, 0, sizeof *ret);
		return 0;
	}
	s = source_mem_take(p, n);
	return s ? content_source(s, ret) : err_nomem(e);
}

/* The storage's bytes as an extent of at least what the pickle says; *own is a new reference when
 * something had to be put in between, or NULL. */
static int storage_extent(const struct storage *s, struct extent *ret, struct source **own,
		struct err *e)
{
	*own = NULL;
	if (s->broken || !s->data.src)
		return err_set(e, ERR_DAMAGED, "%s",
				s->broken ? s->broken : "the bytes of its storage cannot be read");
	*ret = s->data;
	if (s->data.len >= s->nbytes)
		return 0;
	*own = source_torn(s->data, s->nbytes);
	if (!*own)
		return err_nomem(e);
	*ret = (struct extent){*own, 0, s->nbytes};
	return 0;
}

/* Replaces *own, over which s was made, by s. */
static void stack(struct source **own, struct source *s)
{
	source_unref(*own);
	*own = s;
}

/* The shown elements before signs; *own as above. */
static int elements(const struct tensor *t, struct extent storage, struct extent *ret,
		struct source **own, struct err *e)
{
	struct source *s;
	struct shown v;
	int rc;

	tensor_shown(t, &v);
	if (v.contiguous) {
		uint64_t off = v.offset * dtype_info(t->dtype)->size;

		*ret = (struct extent){storage.src, storage.off + off, t->nbytes};
		return 0;
	}
	rc = source_strided(storage, t->dtype, v.offset, v.ndim, v.shape, v.stride, &s, e);
	if (rc < 0)
		return rc;
	stack(own, s);
	*ret = (struct extent){s, 0, s->size};
	return 0;
}

/* A source that has exactly the bytes of x. */
static struct source *source_of(struct extent x)
{
	if (x.off == 0 && x.len == x.src->size)
		return source_ref(x.src);
	return source_window(x.src, x.off, x.len);
}

static int signs(const struct tensor *t, struct extent *x, struct source **own, struct err *e)
{
	struct source *from, *s;
	int rc;

	if (!(t->flags & (TENSOR_CONJ | TENSOR_NEG)))
		return 0;
	from = source_of(*x);
	if (!from)
		return err_nomem(e);
	rc = source_signs(from, t->dtype, t->flags & TENSOR_CONJ, t->flags & TENSOR_NEG, &s, e);
	source_unref(from);
	if (rc < 0)
		return rc;
	stack(own, s);
	*x = (struct extent){s, 0, s->size};
	return 0;
}

int content_tensor(const struct model *m, uint32_t id, struct content *ret, struct err *e)
{
	const struct tensor *t;
	struct content c = {.n = 1};
	struct extent storage;
	int rc;

	if (id >= m->tensors.n)
		return err_set(e, ERR_ABSENT, "there is no tensor %u", (unsigned)id);
	t = &m->tensors.at[id];
	if (t->broken && !(t->flags & TENSOR_PARTIAL))
		return err_set(e, ERR_DAMAGED, "%s", t->broken);
	if (t->nbytes == 0) {
		memset(ret, 0, sizeof *ret);
		return 0;
	}
	rc = storage_extent(&m->storages.at[t->storage], &storage, &c.own[0], e);
	if (rc == 0)
		rc = elements(t, storage, &c.at[0], &c.own[0], e);
	if (rc == 0)
		rc = signs(t, &c.at[0], &c.own[0], e);
	if (rc < 0) {
		content_release(&c);
		return rc;
	}
	c.size = c.at[0].len;
	*ret = c;
	return 0;
}
