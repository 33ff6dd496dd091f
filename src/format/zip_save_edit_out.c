/* zip_save_edit_out.c - an edited zip into the plan.
 *
 *	[0, tail_off) of the old file, patched | new records | directory | end records
 *
 * Directory entries are copied, with the CRC that changed; those of records written anew are as
 * torch makes them. Where neither size nor place of the directory changes, the end records stay as
 * they are, whoever wrote them; otherwise they are torch's own three, and the comment.
 * (formats/torch-zip.md sections 5, 6 and 12)
 */
#include "zip_save_edit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/reader.h>

uint64_t zip_member_end(const struct member *m)
{
	uint64_t end = m->data_off + m->stored;

	if (m->flags & MEMBER_DESCRIPTOR)
		end += m->flags & MEMBER_ZIP64 ? 24 : 16;
	return end;
}

static int by_offset(const void *a, const void *b)
{
	const struct patch *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static int put_patch(struct edit *d, struct zip_out *o, const struct patch *p)
{
	struct err *e = d->z->e;

	if (p->bytes) {
		buf_put(&o->pend, p->bytes, (size_t)p->len);
		return zip_out_flush(o, e);
	}
	if (p->from.src)
		return zip_out_run(o, p->from.src, p->from.off, p->len, e);
	return zip_out_record(d->z, o, &d->z->rec.at[p->rec]);
}

/* [0, tail_off) of the old file with the patches in it. */
static int put_body(struct edit *d, struct zip_out *o)
{
	struct zip_save *z = d->z;
	uint64_t at = 0;
	int rc = 0;

	if (d->patches.n)
		qsort(d->patches.at, d->patches.n, sizeof *d->patches.at, by_offset);
	for (size_t i = 0; i < d->patches.n && rc == 0; i++) {
		const struct patch *p = &d->patches.at[i];

		if (p->off < at || p->off > d->tail_off || p->len > d->tail_off - p->off)
			return err_set(z->e, ERR_USAGE,
					"two changes of the bytes at offset %" PRIu64
					", or one outside of the records",
					p->off);
		rc = zip_out_run(o, z->ck->file, at, p->off - at, z->e);
		if (rc == 0)
			rc = put_patch(d, o, p);
		at = p->off + p->len;
	}
	return rc < 0 ? rc : zip_out_run(o, z->ck->file, at, d->tail_off - at, z->e);
}

/* Records behind the old ones, in the order in which they were placed. */
static int put_appended(struct edit *d, struct zip_out *o)
{
	struct zip_save *z = d->z;
	const struct zip_rec *r = &z->rec.at[z->data_pkl];
	int rc = 0;

	if (r->fresh && r->header_off >= d->tail_off)
		rc = zip_out_record(z, o, r);
	for (size_t i = 0; i < z->rec.n && rc == 0; i++)
		if (z->rec.at[i].fresh && z->rec.at[i].from == FROM_STORAGE)
			rc = zip_out_record(z, o, &z->rec.at[i]);
	return rc;
}

struct entries {
	uint64_t n, old_end; /* of the old directory */
};

/* The entry of an old record from the reader, with the CRC as it is now. */
static int put_entry(struct zip_save *z, struct zip_out *o, struct reader *in, size_t i)
{
	const struct zip_rec *r = &z->rec.at[i];
	bool keep = !r->gone && !r->fresh;
	size_t at = o->pend.n, n, part;
	const char *p;
	int rc = reader_bytes(in, ZIP_CENTRAL_SIZE, &p, z->e);

	if (rc < 0)
		return rc;
	n = (size_t)le16(p + 28) + le16(p + 30) + le16(p + 32);
	if (keep)
		buf_put(&o->pend, p, ZIP_CENTRAL_SIZE);
	for (; n && rc == 0; n -= part) {
		part = n < READER_WINDOW ? n : READER_WINDOW;
		rc = reader_bytes(in, part, &p, z->e);
		if (rc == 0 && keep)
			buf_put(&o->pend, p, part);
	}
	if (rc < 0 || o->pend.failed)
		return rc < 0 ? rc : err_nomem(z->e);
	for (int k = 0; keep && k < 4; k++)
		o->pend.p[at + 16 + (size_t)k] = (char)(r->crc >> 8 * k);
	if (r->fresh && !r->gone)
		zip_put_central(&o->pend, r);
	return zip_out_some(o, z->e);
}

static int put_entries(struct edit *d, struct zip_out *o, struct entries *ret)
{
	struct zip_save *z = d->z;
	struct source *file = z->ck->file;
	struct reader in;
	int rc = reader_init(
			&in, file, z->box->dir_off, file->size - z->box->dir_off, z->e);

	if (rc < 0)
		return rc;
	ret->n = 0;
	for (size_t i = 0; i < z->rec.n && rc == 0; i++) {
		ret->n += !z->rec.at[i].gone;
		if (i < z->box->n) {
			rc = put_entry(z, o, &in, i);
		} else {
			zip_put_central(&o->pend, &z->rec.at[i]);
			rc = zip_out_some(o, z->e);
		}
	}
	ret->old_end = in.pos;
	reader_release(&in);
	return rc;
}

/* Bytes of the file that belong to no record of the directory. */
static uint64_t dead_bytes(const struct zip_save *z, uint64_t dir_off)
{
	uint64_t used = 0;

	for (size_t i = 0; i < z->rec.n; i++) {
		const struct zip_rec *r = &z->rec.at[i];

		if (r->fresh && !r->gone)
			used += zip_rec_end(r) - r->header_off;
		else if (!r->gone)
			used += zip_member_end(&z->box->at[r->old]) - r->header_off;
	}
	return dir_off - used;
}

static uint64_t old_gap(const struct zip_save *z)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < z->box->n; i++)
		used += zip_member_end(&z->box->at[i]) - z->box->at[i].header_off;
	return z->box->dead - (z->box->dir_off - used);
}

static int put_directory(struct edit *d, struct zip_out *o)
{
	struct zip_save *z = d->z;
	uint64_t at = zip_out_pos(o), end;
	struct entries n;
	int rc = put_entries(d, o, &n);

	if (rc < 0)
		return rc;
	end = zip_out_pos(o);
	z->rep->dead = dead_bytes(z, at);
	if (at == z->box->dir_off && end == n.old_end && n.n == z->box->n) {
		z->rep->dead += old_gap(z);
		return zip_out_run(o, z->ck->file, end, z->ck->file->size - end, z->e);
	}
	zip_put_tail(&o->pend, n.n, at, end - at, z->box->comment);
	return zip_out_flush(o, z->e);
}

int zip_edit_realize(struct edit *d, struct plan *p)
{
	struct zip_out o;
	int rc = zip_out_init(&o, p, d->z->ck->file, d->z->e);

	if (rc == 0)
		rc = put_body(d, &o);
	if (rc == 0)
		rc = put_appended(d, &o);
	if (rc == 0)
		rc = zip_out_flush(&o, d->z->e);
	if (rc == 0)
		rc = put_directory(d, &o);
	zip_out_release(&o);
	return rc;
}
