/* zip_save_out.c - bytes into the plan; what the old file has at that place already is a run of it.
 *
 *	fresh bytes   |====same====|xx|=====same=====|
 *	plan          run of file   xx  run of file
 *
 * So an edit that leaves a directory of 100 000 entries as it is but for one CRC costs 4 bytes,
 * and saving what did not change costs nothing, without anybody having to know what changed.
 * Stretches of equal bytes shorter than NEAR are not worth a piece of their own, unless they touch
 * an end, where they join the run beside them.
 */
#include "zip_save.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW OBJ_INLINE_MAX /* bytes: 64 KiB */
#define NEAR 32 /* bytes */

int zip_out_init(struct zip_out *o, struct plan *p, struct source *file, struct err *e)
{
	*o = (struct zip_out){.p = p, .file = file, .old = malloc(WINDOW)};
	buf_init(&o->pend, 1u << 30);
	return o->old ? 0 : err_nomem(e);
}

void zip_out_release(struct zip_out *o)
{
	buf_release(&o->pend);
	free(o->old);
}

uint64_t zip_out_pos(const struct zip_out *o)
{
	return o->p->size + o->pend.n;
}

/* How many of the n bytes at b are those at a. */
static size_t same_ahead(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* The first offset from which on the bytes are equal for long enough, or to the end. */
static size_t next_same(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t same = same_ahead(a + i, b + i, n - i);

		if (same >= NEAR || (same && i + same == n))
			return i;
		i += same;
	}
	return n;
}

/* At most WINDOW bytes, of which the old file has the first `have` in this place. */
static int put_window(struct zip_out *o, const char *b, size_t n, size_t have, struct err *e)
{
	uint64_t at = o->p->size;
	size_t done = 0, part;
	int rc = have ? source_read(o->file, o->old, have, at, e) : 0;

	while (done < have && rc == 0) {
		part = same_ahead(o->old + done, b + done, have - done);
		if (part)
			rc = plan_run(o->p, o->file, at + done, part, e);
		done += part;
		if (rc < 0 || done == have)
			break;
		part = next_same(o->old + done, b + done, have - done);
		rc = plan_bytes(o->p, b + done, part, e);
		done += part;
	}
	return rc < 0 ? rc : plan_bytes(o->p, b + done, n - done, e);
}

static int put_bytes(struct zip_out *o, const char *b, size_t n, struct err *e)
{
	int rc = 0;

	while (n && rc == 0) {
		uint64_t at = o->p->size, left = at < o->file->size ? o->file->size - at : 0;
		size_t part = n < WINDOW ? n : WINDOW;

		rc = put_window(o, b, part, left < part ? (size_t)left : part, e);
		b += part;
		n -= part;
	}
	return rc;
}

int zip_out_flush(struct zip_out *o, struct err *e)
{
	int rc = o->pend.failed ? err_nomem(e) : put_bytes(o, o->pend.p, o->pend.n, e);

	o->pend.n = 0;
	return rc;
}

int zip_out_some(struct zip_out *o, struct err *e)
{
	return o->pend.failed || o->pend.n >= WINDOW ? zip_out_flush(o, e) : 0;
}

int zip_out_run(struct zip_out *o, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	int rc = zip_out_flush(o, e);

	return rc < 0 ? rc : plan_run(o->p, src, off, len, e);
}

/* Fresh bytes of the pickle are compared; long texts are runs of their own. */
static int put_pickle(struct zip_save *z, struct zip_out *o)
{
	int rc = 0;

	for (size_t i = 0; i < z->pickle.at.n && rc == 0; i++) {
		const struct extent *x = &z->pickle.at.at[i];

		if (x->len > OBJ_INLINE_MAX) {
			rc = zip_out_run(o, x->src, x->off, x->len, z->e);
			continue;
		}
		rc = source_read(x->src, o->old, (size_t)x->len, x->off, z->e);
		if (rc < 0)
			break;
		buf_put(&o->pend, o->old, (size_t)x->len);
		rc = zip_out_some(o, z->e);
	}
	return rc;
}

static int put_inflated(struct zip_save *z, struct zip_out *o, const struct zip_rec *r)
{
	struct source *src;
	int rc = box_source(z->box, &z->box->at[r->old], &src, z->e);

	if (rc < 0)
		return rc;
	rc = zip_out_run(o, src, 0, r->size, z->e);
	source_unref(src);
	return rc;
}

static int put_patched(struct zip_save *z, struct zip_out *o, const struct zip_rec *r)
{
	const struct member *m = &z->box->at[r->old];
	const struct save_run *runs;
	size_t n;

	if (r->storage == MODEL_NONE)
		return save_stretch(z->s, m->data_off, m->data_off + m->stored, o->p, z->e);
	runs = save_runs(z->s, r->storage, &n);
	return save_patched(z->s, m->data_off, m->stored, runs, n, o->p, z->e);
}

static int put_payload(struct zip_save *z, struct zip_out *o, const struct zip_rec *r)
{
	const struct member *m = r->old == ZIP_NONE ? NULL : &z->box->at[r->old];
	int rc = 0;

	switch ((enum zip_from)r->from) {
	case FROM_BYTES:
		buf_str(&o->pend, r->bytes);
		return zip_out_some(o, z->e);
	case FROM_PICKLE:
		return put_pickle(z, o);
	case FROM_INFLATED:
		return put_inflated(z, o, r);
	case FROM_OLD:
		return zip_out_run(o, z->ck->file, m->data_off, m->stored, z->e);
	case FROM_PATCHED:
		rc = zip_out_flush(o, z->e);
		return rc < 0 ? rc : put_patched(z, o, r);
	case FROM_STORAGE:
		rc = zip_out_flush(o, z->e);
		return rc < 0 ? rc : save_storage(z->s, r->storage, o->p, z->e);
	}
	return rc;
}

int zip_out_record(struct zip_save *z, struct zip_out *o, const struct zip_rec *r)
{
	int rc;

	zip_put_local(&o->pend, r);
	rc = zip_out_some(o, z->e);
	if (rc == 0)
		rc = put_payload(z, o, r);
	if (rc == 0)
		zip_put_descriptor(&o->pend, r);
	return rc < 0 ? rc : zip_out_some(o, z->e);
}
