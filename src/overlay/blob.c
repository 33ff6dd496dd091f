/* blob.c - bytes that are edited: what lies where. (What changes it: blob_edit.c)
 *
 *	base     ..................                 [0, base.len) of an extent, never changed
 *	runs        [====]      [=][=====]          from the sources in slots, or from zeros
 *	size     |                         |
 *
 * A byte in no run is the base's, and 0 behind the base. Whatever differs from the base is in a
 * run: a blob that is cut short and made longer has a run of zeros over what was cut off, as far as
 * the base went. No run goes beyond size.
 */
#include "blob_in.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int blob_new(uint32_t id, struct extent base, uint64_t size, struct blob **ret, struct err *e)
{
	struct blob *b;

	if (size > INT64_MAX || (base.src && base.len > UINT64_MAX - base.off))
		return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes are more than a file can have",
				size > INT64_MAX ? size : base.len);
	b = calloc(1, sizeof *b);
	if (!b)
		return err_nomem(e);
	atomic_init(&b->refs, 1);
	b->id = id;
	b->size = size;
	if (base.src) {
		b->base = base;
		source_ref(base.src);
	}
	pthread_mutex_init(&b->lock, NULL);
	*ret = b;
	return 0;
}

struct blob *blob_ref(struct blob *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void blob_unref(struct blob *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < b->slots.n; i++)
		source_unref(b->slots.at[i].src);
	vec_release(&b->slots);
	table_release(&b->table);
	source_unref(b->base.src);
	pthread_mutex_destroy(&b->lock);
	free(b->flat);
	free(b);
}

uint32_t blob_id(const struct blob *b)
{
	return b->id;
}

uint64_t blob_size(const struct blob *b)
{
	return b->size;
}

uint64_t blob_dirty(const struct blob *b)
{
	return b->dirty;
}

struct extent blob_look(const struct blob *b, struct place *p, uint64_t off, uint64_t end)
{
	const struct run *r = table_run(&b->table, *p);
	struct extent x = {NULL, 0, 0};

	if (r && r->off <= off) {
		uint64_t skip = off - r->off;

		x = (struct extent){b->slots.at[r->src].src, r->from + skip, r->len - skip};
		*p = table_next(&b->table, *p);
	} else {
		if (r && r->off < end)
			end = r->off;
		x.len = end - off;
		if (b->base.src && off < b->base.len) {
			x.src = b->base.src;
			x.off = b->base.off + off;
			if (x.len > b->base.len - off)
				x.len = b->base.len - off;
		}
	}
	if (x.len > end - off)
		x.len = end - off;
	return x;
}

int blob_inside(const struct blob *b, uint64_t off, uint64_t len, struct err *e)
{
	if (len <= b->size && off <= b->size - len)
		return 0;
	return err_set(e, ERR_TRUNCATED, "%" PRIu64 " bytes wanted at offset %" PRIu64
			", but there are only %" PRIu64 " bytes", len, off, b->size);
}

int blob_read(const struct blob *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct place p = table_find(&b->table, off);
	char *to = buf;
	int rc = blob_inside(b, off, len, e);

	while (rc == 0 && len > 0) {
		struct extent x = blob_look(b, &p, off, off + len);

		if (x.src)
			rc = source_read(x.src, to, (size_t)x.len, x.off, e);
		else
			memset(to, 0, (size_t)x.len);
		to += x.len;
		off += x.len;
		len -= (size_t)x.len;
	}
	return rc;
}

bool blob_where(const struct blob *b, uint64_t off, uint64_t len, struct extent *ret)
{
	struct place p = table_find(&b->table, off);

	if (len == 0 || blob_inside(b, off, len, NULL) < 0)
		return false;
	*ret = blob_look(b, &p, off, off + len);
	return ret->src && ret->len == len;
}

/* --- the runs, flat --------------------------------------------------------------------------- */

static struct blob_run *flatten(const struct blob *b)
{
	struct blob_run *flat = malloc(b->table.runs * sizeof *flat), *to = flat;

	if (!flat)
		return NULL;
	for (size_t i = 0; i < b->table.n; i++)
		for (uint32_t k = 0; k < b->table.at[i].n; k++) {
			const struct run *r = &b->table.at[i].at[k];

			*to++ = (struct blob_run){r->off, r->len,
					{b->slots.at[r->src].src, r->from, r->len}};
		}
	return flat;
}

const struct blob_run *blob_runs(const struct blob *b, size_t *n)
{
	struct blob *w = (struct blob *)b; /* a cache: what b says does not change */
	const struct blob_run *flat;

	*n = b->table.runs;
	if (*n == 0)
		return NULL;
	pthread_mutex_lock(&w->lock);
	if (!w->flat)
		w->flat = flatten(b);
	flat = w->flat;
	pthread_mutex_unlock(&w->lock);
	return flat;
}

void blob_renumber(struct blob *b, uint32_t id)
{
	b->id = id;
	b->cut = b->cut && b->size;
}
