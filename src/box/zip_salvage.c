/* zip_salvage.c - the records of a zip whose directory is missing, from its start.
 *
 *	local header | name | extra | payload | PK 7 8, CRC, stored size, size | next header ...
 *
 * torch leaves the sizes in the local header 0 and writes them behind the payload (formats/
 * torch-zip.md section 4), so a record's end must be searched for: a `PK 7 8` whose stored size is
 * its own distance from the start of the payload, and behind which a zip goes on (a header, a
 * directory, an end record or the end of the file). Nothing smaller than a forged file fakes that:
 * it is 16 bytes that agree. One pass, windows of 1 MiB, time and memory O(file) and O(1).
 *
 * The CRC is not part of the proof: one flipped bit in a small record would hide all those behind
 * it. It is kept in the member, for whoever verifies.
 *
 * A record whose end is not found is the last; it gets what is left of the file and
 * MEMBER_MISSING. Of two records with one name the later whole one counts, for that is what an
 * editor that appends wrote last.
 */
#include "zip_in.h"

#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>
#include <pthfs/reader.h>

#define WINDOW (1u << 20)
#define SIGHT (ZIP_DESC64_SIZE + 4) /* a descriptor and the signature behind it */

struct salvage {
	struct box_build *w;
	struct source *file;
	char *win; /* cap bytes, at win_off; only ever moves on */
	uint64_t win_off;
	size_t win_len, cap; /* bytes; cap is WINDOW, or all of a smaller file */
	uint64_t pos;        /* of the next local header */
	uint64_t used;
};

/* At least `min` bytes at off, or all up to the end of the file; *ret_len says how many. Borrowed
 * until the next call. */
static int look(struct salvage *s, uint64_t off, size_t min, const char **ret, size_t *ret_len,
	struct err *e)
{
	uint64_t left = s->file->size - off, have = s->win_off + s->win_len;
	int err;

	if (min > left)
		min = (size_t)left;
	if (off < s->win_off || off > have || have - off < min) {
		size_t len = left < s->cap ? (size_t)left : s->cap;
		s->win_len = 0;
		err = source_read(s->file, s->win, len, off, e);
		if (err < 0)
			return err;
		s->win_off = off;
		s->win_len = len;
	}
	*ret = s->win + (off - s->win_off);
	*ret_len = s->win_len - (size_t)(off - s->win_off);
	return 0;
}

/* What a descriptor says. */
struct found {
	uint64_t stored, size, end;
	uint32_t crc;
	bool zip64;
};

/* Does a zip go on after n bytes of the descriptor at p? left: bytes of the file from p on. */
static bool goes_on(const char *p, size_t n, uint64_t left)
{
	uint32_t sig;

	if (left < n + 4)
		return left == n;
	sig = le32(p + n);
	return sig == ZIP_LOCAL || sig == ZIP_CENTRAL || sig == ZIP_END64 || sig == ZIP_END;
}

/* Is this the descriptor of a payload of `dist` bytes? p has SIGHT bytes, or `left` if less. */
static bool proves(const char *p, uint64_t left, uint64_t dist, uint16_t method, struct found *f)
{
	if (left >= ZIP_DESC32_SIZE && le32(p + 8) == dist && goes_on(p, ZIP_DESC32_SIZE, left)) {
		f->size = le32(p + 12);
		f->zip64 = false;
	} else if (left >= ZIP_DESC64_SIZE && le64(p + 8) == dist &&
		   goes_on(p, ZIP_DESC64_SIZE, left)) {
		f->size = le64(p + 16);
		f->zip64 = true;
	} else {
		return false;
	}
	f->stored = dist;
	f->crc = le32(p + 4);
	return method != 0 || f->size == dist;
}

/* Looks through len bytes at off, up to a signature with less than SIGHT bytes, which is the next
 * call's. *ret_seen: how many bytes are done with. */
static bool scan(const struct salvage *s, const char *p, size_t len, uint64_t off,
	const struct member *m, struct found *f, size_t *ret_seen)
{
	static const char sig[4] = {'P', 'K', 7, 8};
	const char *begin = p, *end = p + len;
	bool last = off + len == s->file->size;
	uint64_t at;

	while ((p = memmem(p, (size_t)(end - p), sig, sizeof sig))) {
		at = off + (uint64_t)(p - begin);
		if ((size_t)(end - p) < SIGHT && !last)
			break;
		if (proves(p, s->file->size - at, at - m->data_off, m->method, f)) {
			f->end = at + (f->zip64 ? ZIP_DESC64_SIZE : ZIP_DESC32_SIZE);
			return true;
		}
		p++;
	}
	*ret_seen = p ? (size_t)(p - begin) : last ? len : len - (sizeof sig - 1);
	return false;
}

/* 0, ERR_ABSENT (no descriptor up to the end of the file), or an error. */
static int find_descriptor(
	struct salvage *s, const struct member *m, struct found *f, struct err *e)
{
	uint64_t off = m->data_off;
	const char *p;
	size_t len, seen;
	int err;

	while (s->file->size - off >= ZIP_DESC32_SIZE) {
		err = look(s, off, SIGHT, &p, &len, e);
		if (err < 0)
			return err;
		if (scan(s, p, len, off, m, f, &seen))
			return 0;
		off += seen;
	}
	return ERR_ABSENT;
}

/* The sizes of a record that has them in its local header; p: header, copied. */
static int sizes_here(const char *p, struct str extra, struct found *f, struct err *e)
{
	struct zip_extra x;
	int err = zip_extra_parse(extra, &x, e);

	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 22), &f->size, e);
	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 18), &f->stored, e);
	f->crc = le32(p + 14);
	f->zip64 = x.zip64.p;
	return err;
}

/* The extent of the payload at m->data_off. p: local header, copied; the window may move. */
static int find_extent(struct salvage *s, const char *p, struct str extra, struct member *m,
	uint64_t *ret_end, struct err *e)
{
	uint64_t left = s->file->size - m->data_off;
	struct found f = {0};
	int err;

	if (le16(p + 6) & ZIP_FLAG_DESCRIPTOR) {
		err = find_descriptor(s, m, &f, e);
		m->flags = MEMBER_DESCRIPTOR;
	} else {
		m->flags = MEMBER_LOCAL_CRC;
		err = sizes_here(p, extra, &f, e);
		f.end = m->data_off + f.stored;
		if (err == 0 && f.stored > left)
			err = ERR_ABSENT;
	}
	if (err < 0 && err != ERR_ABSENT)
		return err;
	m->crc = f.crc;
	m->stored = f.stored;
	m->size = f.size;
	if (f.zip64)
		m->flags |= MEMBER_ZIP64;
	if (err == ERR_ABSENT) {
		m->flags = MEMBER_MISSING;
		m->stored = m->size = left;
		f.end = s->file->size;
	}
	*ret_end = f.end;
	return err == ERR_ABSENT ? 0 : zip_size_check(m, e);
}

/* Adds m, or puts it in the place of an older record of its name. */
static int keep(struct salvage *s, const struct member *m, struct err *e)
{
	uint32_t twin = box_lookup(s->w, m->name);

	if (twin == IDMAP_NONE)
		return box_push(s->w, m, e);
	if (!(m->flags & MEMBER_MISSING))
		s->w->list.at[twin] = *m;
	return 0;
}

/* The local header at s->pos. 0, ERR_ABSENT (no whole one there), or an error. */
static int read_head(struct salvage *s, char *p, struct str *name, struct str *extra, struct err *e)
{
	const char *at;
	size_t len;
	int err = look(s, s->pos, ZIP_LOCAL_SIZE + 2 * UINT16_MAX, &at, &len, e);

	if (err < 0)
		return err;
	if (len < ZIP_LOCAL_SIZE || le32(at) != ZIP_LOCAL)
		return ERR_ABSENT;
	memcpy(p, at, ZIP_LOCAL_SIZE);
	*name = (struct str){at + ZIP_LOCAL_SIZE, le16(p + 26)};
	*extra = (struct str){name->p + name->n, le16(p + 28)};
	return name->n + extra->n > len - ZIP_LOCAL_SIZE ? ERR_ABSENT : 0;
}

/* The record at s->pos. 0, ERR_ABSENT (no whole header there), or an error. */
static int take_record(struct salvage *s, struct err *e)
{
	struct member m = {.header_off = s->pos};
	char p[ZIP_LOCAL_SIZE];
	struct str name, extra;
	uint64_t end = 0;
	int err = read_head(s, p, &name, &extra, e);

	if (err < 0)
		return err;
	err = box_keep_name(s->w, name, &m.name, e);
	if (err < 0)
		return box_at(e, err, name, "local header", s->pos);
	m.method = le16(p + 8);
	m.data_off = s->pos + ZIP_LOCAL_SIZE + name.n + extra.n;
	err = zip_kind_check(le16(p + 6), m.method, e);
	if (err == 0)
		err = find_extent(s, p, extra, &m, &end, e);
	if (err == 0)
		err = keep(s, &m, e);
	if (err < 0)
		return box_at(e, err, m.name, "local header", s->pos);
	s->used += end - s->pos;
	s->pos = end;
	return 0;
}

int zip_salvage(struct box_build *w, struct err *e)
{
	size_t cap = w->box->file->size < WINDOW ? (size_t)w->box->file->size : WINDOW;
	_cleanup_(freep) char *win = malloc(cap);
	struct salvage s = {.w = w, .file = w->box->file, .win = win, .cap = cap};
	int err = 0;

	if (!win)
		return err_nomem(e);
	while (err == 0 && s.pos < s.file->size)
		err = take_record(&s, e);
	if (err < 0 && err != ERR_ABSENT)
		return err;
	if (w->list.n == 0)
		return err_set(e, ERR_TRUNCATED,
			"the file ends after %llu bytes, before its first record does",
			(unsigned long long)s.file->size);
	w->box->dir_off = s.pos;
	w->box->dead = s.file->size - s.used;
	return 0;
}
