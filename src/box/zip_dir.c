/* zip_dir.c - the central directory, entry by entry through a 64 KiB window.
 *
 *	off  size          off  size                     off  size
 *	 0   4  PK 1 2     16   4  CRC-32                34   2  disk
 *	 8   2  flags      20   4  stored size           38   4  attributes
 *	10   2  method     24   4  size                  42   4  offset of the local header
 *	                   28   2+2+2 name, extra, comment lengths; then these three
 *
 * The directory decides what a record is; the local header must agree (zip_local.c). Its entries
 * must fill it exactly, so that readers that go by the count and readers that go by the size see
 * the same (formats/torch-zip.md sections 10 and 13).
 */
#include "zip_in.h"

#include <string.h>

#include <pthfs/reader.h>

/* Deflate makes at most 258 bytes from 2 bits. */
#define DEFLATE_RATIO 1032

int zip_kind_check(uint16_t flags, uint16_t method, struct err *e)
{
	uint16_t fine = ZIP_FLAG_DESCRIPTOR | ZIP_FLAG_UTF8 | (method == 8 ? ZIP_FLAG_LEVEL : 0);

	if (flags & 0x2041)
		return err_set(e, ERR_REFUSED, "it is marked as encrypted (flags 0x%04x)", flags);
	if (method != 0 && method != 8)
		return err_set(e, ERR_UNSUPPORTED,
			"compression method %u; pthfs reads 0 (stored) and 8 (deflate)", method);
	if (flags & ~fine)
		return err_set(e, ERR_REFUSED, "flags 0x%04x, of which only 0x%04x are understood",
			flags, fine);
	return 0;
}

int zip_size_check(const struct member *m, struct err *e)
{
	unsigned long long size = m->size, stored = m->stored;

	if (m->method == 0 && m->size != m->stored)
		return err_set(
			e, ERR_DAMAGED, "stored bytes %llu, but a size of %llu", stored, size);
	if (m->method == 8 && m->size / DEFLATE_RATIO > m->stored)
		return err_set(e, ERR_REFUSED,
			"%llu bytes cannot inflate to %llu: deflate reaches 1 to %d at most",
			stored, size, DEFLATE_RATIO);
	if (m->method == 8 && m->size > 0 && m->stored == 0)
		return err_set(e, ERR_DAMAGED, "a size of %llu, but no stored bytes", size);
	return 0;
}

/* The numbers of an entry, zip64 ones included. */
static int entry_numbers(const char *p, struct str extra, struct member *m, struct err *e)
{
	struct zip_extra x;
	int err = zip_extra_parse(extra, &x, e);

	if (err == 0)
		err = zip_extra_name(&x, m->name, e);
	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 24), &m->size, e);
	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 20), &m->stored, e);
	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 42), &m->header_off, e);
	if (err < 0)
		return err;
	if (le16(p + 34) != 0)
		return err_set(e, ERR_UNSUPPORTED, "it lies on disk %u", le16(p + 34));
	if (x.zip64.p)
		m->flags |= ZIP_HAS_ZIP64;
	return 0;
}

/* The record must fit before the directory even with the shortest local header. */
static int entry_place(const struct member *m, size_t name, uint64_t dir_off, struct err *e)
{
	uint64_t head = ZIP_LOCAL_SIZE + name;

	if (m->header_off > dir_off || head > dir_off - m->header_off)
		return err_set(e, ERR_DAMAGED,
			"its local header at offset %llu does not lie before the directory at "
			"offset %llu",
			(unsigned long long)m->header_off, (unsigned long long)dir_off);
	if (m->stored > dir_off - m->header_off - head)
		return err_set(e, ERR_DAMAGED,
			"its %llu bytes at offset %llu reach into the directory at offset %llu",
			(unsigned long long)m->stored, (unsigned long long)m->header_off,
			(unsigned long long)dir_off);
	return 0;
}

static int entry_check(
	const struct box_build *w, const struct member *m, uint64_t dir_off, struct err *e)
{
	int err = zip_kind_check(m->flags & (uint16_t)~ZIP_HAS_ZIP64, m->method, e);
	uint32_t twin;

	if (err == 0)
		err = zip_size_check(m, e);
	if (err == 0)
		err = entry_place(m, m->name.n, dir_off, e);
	if (err < 0)
		return err;
	twin = box_lookup(w, m->name);
	if (twin != IDMAP_NONE)
		return err_set(e, ERR_REFUSED,
			"two records have this name (upper and lower case count as one); the "
			"other is at offset %llu",
			(unsigned long long)w->list.at[twin].header_off);
	return 0;
}

/* The fixed part of an entry, copied: what follows needs the window of the reader. */
static int entry_head(struct reader *r, char *p, struct err *e)
{
	uint64_t off = r->pos;
	const char *borrowed;
	int err = reader_bytes(r, ZIP_CENTRAL_SIZE, &borrowed, e);

	if (err < 0)
		return err;
	memcpy(p, borrowed, ZIP_CENTRAL_SIZE);
	if (le32(p) != ZIP_CENTRAL)
		return err_set(e, ERR_DAMAGED, "no directory entry at offset %llu",
			(unsigned long long)off);
	if (le16(p + 8) & ZIP_HAS_ZIP64) /* bit 15 is ours in a member, and nobody's in a file */
		return err_set(e, ERR_REFUSED, "flags 0x%04x in the directory entry at offset %llu",
			le16(p + 8), (unsigned long long)off);
	return 0;
}

static int entry_name(
	struct box_build *w, struct reader *r, size_t n, struct str *ret, struct err *e)
{
	struct str name = {.n = n};
	uint64_t off = r->pos - ZIP_CENTRAL_SIZE;
	int err = reader_bytes(r, n, &name.p, e);

	if (err < 0)
		return err;
	err = box_keep_name(w, name, ret, e);
	return err == ERR_REFUSED ? box_at(e, err, name, "directory entry", off) : err;
}

static int read_entry(struct box_build *w, struct reader *r, uint64_t dir_off, struct err *e)
{
	char p[ZIP_CENTRAL_SIZE] = {0};
	struct member m = {0};
	struct str extra;
	uint64_t off = r->pos;
	int err = entry_head(r, p, e);

	if (err == 0)
		err = entry_name(w, r, le16(p + 28), &m.name, e);
	if (err < 0)
		return err;
	m.flags = le16(p + 8);
	m.method = le16(p + 10);
	m.crc = le32(p + 16);
	extra.n = le16(p + 30);
	err = reader_bytes(r, extra.n, &extra.p, e);
	if (err < 0)
		return err;
	err = entry_numbers(p, extra, &m, e);
	if (err == 0)
		err = entry_check(w, &m, dir_off, e);
	if (err < 0)
		return box_at(e, err, m.name, "directory entry", off);
	err = box_push(w, &m, e);
	return err < 0 ? err : reader_skip(r, le16(p + 32), e);
}

int zip_dir_load(struct box_build *w, const struct zip_tail *t, struct err *e)
{
	struct reader r;
	int err = reader_init(&r, w->box->file, t->dir_off, t->dir_size, e);

	if (err < 0)
		return err;
	for (uint64_t i = 0; i < t->n && err == 0; i++) {
		err = read_entry(w, &r, t->dir_off, e);
		if (err == ERR_EOF)
			err = err_set(e, ERR_DAMAGED,
				"the directory ends in entry %llu of the %llu that the end "
				"record counts",
				(unsigned long long)i + 1, (unsigned long long)t->n);
	}
	if (err == 0 && reader_left(&r) > 0)
		err = err_set(e, ERR_DAMAGED,
			"the directory goes on for %llu bytes after the %llu records that the end "
			"record counts",
			(unsigned long long)reader_left(&r), (unsigned long long)t->n);
	reader_release(&r);
	return err;
}
