/* zip_end.c - finding the one end record (formats/torch-zip.md sections 5 and 10).
 *
 *	... records ... | directory | [zip64 record (56) | locator (20)] | end (22) | comment
 *
 * The end record must close the file: its comment length reaches exactly to the last byte. Readers
 * search backwards about 64 KiB, and differ in which match they take; so every other match in that
 * stretch is looked at too. A signature alone is chance (tensor data hold any bytes). One whose
 * numbers lead to a directory is another archive, and the file is refused.
 *
 * A zip64 record counts when its locator stands right before the end record, as for torch; it must
 * itself stand right before the locator, where Python's zipfile takes it from.
 *
 * Not done: archives with bytes before them, archives over several disks.
 */
#include "zip_in.h"

#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>
#include <pthfs/reader.h>

#define SEARCH ((uint64_t)UINT16_MAX + ZIP_END_SIZE)
#define BEFORE (ZIP_END64_SIZE + ZIP_LOCATOR_SIZE) /* what may stand before an end record */

struct search {
	struct source *file;
	char *buf;    /* the last len bytes of the file */
	uint64_t off; /* where they begin */
	size_t len;
};

/* The bytes at an offset of the file, which the caller knows to be in the buffer; or NULL. */
static const char *search_at(const struct search *s, uint64_t off, size_t len)
{
	if (off < s->off || off - s->off > s->len || len > s->len - (size_t)(off - s->off))
		return NULL;
	return s->buf + (off - s->off);
}

static int check_disks(uint32_t disk, uint32_t dir_disk, uint64_t here, uint64_t all, struct err *e)
{
	if (disk == 0 && dir_disk == 0 && here == all)
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		"the end record is one of an archive over several disks (disk %u, directory on "
		"disk %u, %llu of %llu records)",
		disk, dir_disk, (unsigned long long)here, (unsigned long long)all);
}

/* A 32-bit (16-bit) number of the end record beside its zip64 one: equal, or all ones. */
static bool agrees(uint64_t small, uint64_t ones, uint64_t big)
{
	return small == ones || small == big;
}

/* p: the zip64 record; end: the end record behind it. */
static int read_end64(const char *p, const char *end, struct zip_tail *t, struct err *e)
{
	int err;

	if (le64(p + 4) != ZIP_END64_SIZE - 12)
		return err_set(e, ERR_UNSUPPORTED,
			"the zip64 end record at offset %llu has %llu bytes instead of 44",
			(unsigned long long)t->tail_off, (unsigned long long)le64(p + 4));
	err = check_disks(le32(p + 16), le32(p + 20), le64(p + 24), le64(p + 32), e);
	if (err < 0)
		return err;
	t->n = le64(p + 32);
	t->dir_size = le64(p + 40);
	t->dir_off = le64(p + 48);
	if (!agrees(le16(end + 10), UINT16_MAX, t->n) ||
		!agrees(le32(end + 12), UINT32_MAX, t->dir_size) ||
		!agrees(le32(end + 16), UINT32_MAX, t->dir_off))
		return err_set(e, ERR_REFUSED,
			"the end record at offset %llu and its zip64 record at offset %llu "
			"describe different directories",
			(unsigned long long)t->end_off, (unsigned long long)t->tail_off);
	return 0;
}

/* The locator before the end record, if there is one. moved: take the zip64 record before it, as
 * Python does, wherever the locator points. */
static int read_locator(
	const struct search *s, const char *end, bool moved, struct zip_tail *t, struct err *e)
{
	const char *loc = NULL, *rec = NULL;
	uint64_t at;

	if (t->end_off >= ZIP_LOCATOR_SIZE)
		loc = search_at(s, t->end_off - ZIP_LOCATOR_SIZE, ZIP_LOCATOR_SIZE);
	if (!loc || le32(loc) != ZIP_LOCATOR)
		return check_disks(le16(end + 4), le16(end + 6), le16(end + 8), le16(end + 10), e);
	if (le32(loc + 4) != 0 || le32(loc + 16) > 1)
		return err_set(
			e, ERR_UNSUPPORTED, "the zip64 locator names %u disks", le32(loc + 16));
	at = moved && t->end_off >= BEFORE ? t->end_off - BEFORE : le64(loc + 8);
	if (t->end_off >= BEFORE && at == t->end_off - BEFORE)
		rec = search_at(s, at, ZIP_END64_SIZE);
	if (!rec || le32(rec) != ZIP_END64)
		return err_set(e, ERR_DAMAGED,
			"the zip64 locator at offset %llu points to offset %llu, where no "
			"zip64 end record stands right before it",
			(unsigned long long)(t->end_off - ZIP_LOCATOR_SIZE),
			(unsigned long long)at);
	t->tail_off = at;
	return read_end64(rec, end, t, e);
}

/* The end record at off as its writer meant it. */
static int read_end(
	const struct search *s, uint64_t off, bool moved, struct zip_tail *ret, struct err *e)
{
	const char *p = search_at(s, off, ZIP_END_SIZE);
	struct zip_tail t = {.end_off = off, .tail_off = off};
	int err;

	t.n = le16(p + 10);
	t.dir_size = le32(p + 12);
	t.dir_off = le32(p + 16);
	t.comment = le16(p + 20);
	err = read_locator(s, p, moved, &t, e);
	if (err < 0)
		return err;
	*ret = t;
	return 0;
}

/* Do the numbers lead to a directory? Its first entry is looked at, no more. */
static int probe_dir(struct source *file, const struct zip_tail *t, struct err *e)
{
	char p[ZIP_CENTRAL_SIZE];
	uint64_t need;
	int err;

	if (t->dir_off > t->tail_off || t->dir_size > t->tail_off - t->dir_off)
		return err_set(e, ERR_DAMAGED,
			"the end record at offset %llu places a directory of %llu bytes at "
			"offset %llu, which does not lie before it",
			(unsigned long long)t->end_off, (unsigned long long)t->dir_size,
			(unsigned long long)t->dir_off);
	if (t->n == 0 || t->n > t->dir_size / ZIP_CENTRAL_SIZE)
		return err_set(e, ERR_DAMAGED,
			"the end record at offset %llu counts %llu records in a directory of "
			"%llu bytes",
			(unsigned long long)t->end_off, (unsigned long long)t->n,
			(unsigned long long)t->dir_size);
	err = source_read(file, p, sizeof p, t->dir_off, e);
	if (err < 0)
		return err;
	need = (uint64_t)ZIP_CENTRAL_SIZE + le16(p + 28) + le16(p + 30) + le16(p + 32);
	if (le32(p) != ZIP_CENTRAL || need > t->dir_size)
		return err_set(e, ERR_DAMAGED,
			"no directory at offset %llu, where the end record says",
			(unsigned long long)t->dir_off);
	return 0;
}

/* Readers that allow bytes before an archive look for the directory right before the end records.
 * Is there one that is not ours? */
static bool shifted_dir(struct source *file, const struct zip_tail *t)
{
	struct zip_tail other = *t;

	if (t->dir_size > t->tail_off)
		return false;
	other.dir_off = t->tail_off - t->dir_size;
	return probe_dir(file, &other, NULL) == 0;
}

/* Steps *off down to the next end signature before it, not below low. */
static bool next_signature(const struct search *s, uint64_t low, uint64_t *off)
{
	for (uint64_t at = *off; at > low; at--) {
		if (le32(s->buf + (at - 1 - s->off)) != ZIP_END)
			continue;
		*off = at - 1;
		return true;
	}
	return false;
}

static uint64_t search_low(const struct search *s)
{
	return s->file->size > SEARCH ? s->file->size - SEARCH : 0;
}

/* One past the last offset at which an end record fits. */
static uint64_t search_top(const struct search *s)
{
	return s->file->size - ZIP_END_SIZE + 1;
}

/* Does the comment of the end record at `at` reach exactly to the end of the file? */
static bool closes(const struct search *s, uint64_t at)
{
	return le16(s->buf + (at - s->off) + 20) == s->file->size - at - ZIP_END_SIZE;
}

/* The last end record that closes the file and leads to a directory; failing that, the sentence
 * about the last one that closes the file. 0, ERR_ABSENT (no record closes it), or an error. */
static int find_closing(const struct search *s, struct zip_tail *ret, struct err *e)
{
	uint64_t at = search_top(s);
	struct err first = {0}, *say = &first;
	struct zip_tail t;
	int err, answer = ERR_ABSENT;

	while (next_signature(s, search_low(s), &at)) {
		if (!closes(s, at))
			continue;
		err = read_end(s, at, false, &t, say);
		if (err == 0)
			err = probe_dir(s->file, &t, say);
		if (err == 0) {
			*ret = t;
			return 0;
		}
		if (answer == ERR_ABSENT)
			answer = err;
		say = NULL;
	}
	if (answer != ERR_ABSENT && e)
		*e = first;
	return answer;
}

/* No record closes the file. Is there one with too much or too little behind it? */
static int explain_absence(const struct search *s, struct err *e)
{
	uint64_t at = search_top(s), size = s->file->size, after, comment;
	struct zip_tail t;

	while (next_signature(s, search_low(s), &at)) {
		if (read_end(s, at, false, &t, NULL) < 0 || probe_dir(s->file, &t, NULL) < 0)
			continue;
		after = size - at - ZIP_END_SIZE;
		comment = t.comment;
		if (comment > after)
			return err_set(e, ERR_TRUNCATED,
				"the file ends after %llu bytes inside its archive comment: "
				"%llu bytes are missing",
				(unsigned long long)size, (unsigned long long)(comment - after));
		return err_set(e, ERR_REFUSED,
			"%llu bytes follow the end record at offset %llu, and not every reader "
			"looks past them; cut the file to %llu bytes",
			(unsigned long long)(after - comment), (unsigned long long)at,
			(unsigned long long)(size - (after - comment)));
	}
	return err_set(e, ERR_TRUNCATED,
		"the file ends after %llu bytes before its directory: the end of the file is "
		"missing, or it is still being written",
		(unsigned long long)size);
}

/* Can the end record at `at` be read as the end of an archive? One inside our comment also by those
 * who take the last that closes the file, or all offsets as moved. */
static bool is_archive_end(const struct search *s, uint64_t at, bool behind)
{
	struct zip_tail t;

	if (behind && closes(s, at))
		return true;
	if (read_end(s, at, false, &t, NULL) == 0 && probe_dir(s->file, &t, NULL) == 0)
		return true;
	return behind && read_end(s, at, true, &t, NULL) == 0 && shifted_dir(s->file, &t);
}

/* Every other signature of the stretch that leads to a directory of its own. */
static int refuse_second(const struct search *s, const struct zip_tail *ours, struct err *e)
{
	uint64_t at = search_top(s);

	while (next_signature(s, search_low(s), &at)) {
		if (at == ours->end_off || !is_archive_end(s, at, at > ours->end_off))
			continue;
		return err_set(e, ERR_REFUSED,
			"two end records, at offsets %llu and %llu: some programs would read one "
			"archive, some the other",
			(unsigned long long)(at < ours->end_off ? at : ours->end_off),
			(unsigned long long)(at < ours->end_off ? ours->end_off : at));
	}
	if (ours->dir_off + ours->dir_size < ours->tail_off && shifted_dir(s->file, ours))
		return err_set(e, ERR_REFUSED,
			"two directories, at offsets %llu and %llu: some programs would read one, "
			"some the other",
			(unsigned long long)ours->dir_off,
			(unsigned long long)(ours->tail_off - ours->dir_size));
	return 0;
}

int zip_tail_find(struct source *file, struct zip_tail *ret, struct err *e)
{
	struct search s = {.file = file};
	_cleanup_(freep) char *buf = NULL;
	struct zip_tail t;
	int err;

	if (file->size < ZIP_END_SIZE)
		return err_set(e, ERR_TRUNCATED,
			"the file ends after %llu bytes before its directory: the end of the "
			"file is missing",
			(unsigned long long)file->size);
	s.len = file->size < SEARCH + BEFORE ? (size_t)file->size : SEARCH + BEFORE;
	s.off = file->size - s.len;
	s.buf = buf = malloc(s.len);
	if (!buf)
		return err_nomem(e);
	err = source_read(file, buf, s.len, s.off, e);
	if (err < 0)
		return err;
	err = find_closing(&s, &t, e);
	if (err == ERR_ABSENT)
		return explain_absence(&s, e);
	if (err == 0)
		err = refuse_second(&s, &t, e);
	if (err < 0)
		return err;
	*ret = t;
	return 0;
}
