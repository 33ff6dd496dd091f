/* zip_local.c - every local header against its directory entry, in file order.
 *
 *	off  size            off  size                       [header | name | extra | payload |
 *descriptor] 0   4  PK 3 4       14   4  CRC-32                  next record: not before the end of
 *this one 6   2  flags        18   4  stored size 8   2  method       22   4  size 26   2+2 name,
 *extra lengths
 *
 * Where the payload lies is only known from the lengths in the local header, and a local header
 * that says something else than the directory makes two archives of one (formats/torch-zip.md
 * sections 4, 6, 13): name, method and flags must be equal; sizes and CRC too, unless flag bit 3
 * puts them behind the payload, where they may be zero here. torch's local zip64 field has a stored
 * size of 0, so that one is read only where a 32-bit size is all ones.
 *
 * Going by offset, one comparison with the end of the record before finds every overlap, the
 * quoted kind too, and the same pass sees where nothing is recorded. Neighbours share one 64 KiB
 * read; between large records the descriptor of one and the header of the next share a small one.
 *
 * Not done: the CRC in the descriptor is not compared. Programs that change tensors in place
 * forget it, torch never looks, and verifying is another command.
 */
#include "zip_in.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pthfs/cleanup.h>
#include <pthfs/reader.h>

#define WINDOW (68u * 1024) /* a header with the longest name fits */
#define NEAR 4096           /* bytes from header to header up to which neighbours share a read */
#define SLACK 160           /* extra bytes behind a name that a small read may cover */
#define BATCH 16            /* records between two looks at the clock */
#define SLOW_NS 500000      /* for a batch: it came from a disk, not from memory */
#define HINTS 128           /* headers that the kernel is asked for in advance */

struct walk {
	struct source *file;
	struct member *at;
	const uint32_t *order; /* by header_off; NULL: the array is in order */
	size_t n;
	uint64_t limit; /* the directory: records end before it */
	uint64_t end;   /* of the record before, descriptor included */
	uint64_t used;  /* bytes of records so far */
	char *win;
	uint64_t win_off;
	size_t win_len;
	uint64_t clock; /* ns, when the batch began */
	size_t hinted;  /* records the kernel has been asked for; 0: no need so far */
};

static struct member *nth(const struct walk *w, size_t i)
{
	return &w->at[w->order ? w->order[i] : i];
}

/* len bytes at off, borrowed until the next call; on a miss `ahead` bytes are read if they are
 * there. */
static int peek(
	struct walk *w, uint64_t off, size_t len, size_t ahead, const char **ret, struct err *e)
{
	int err;

	if (off > w->limit || len > w->limit - off)
		return err_set(e, ERR_DAMAGED, "it reaches into the directory at offset %llu",
			(unsigned long long)w->limit);
	if (off < w->win_off || off - w->win_off > w->win_len ||
		len > w->win_len - (size_t)(off - w->win_off)) {
		if (ahead < len)
			ahead = len;
		if (ahead > WINDOW)
			ahead = WINDOW;
		if (ahead > w->limit - off)
			ahead = (size_t)(w->limit - off);
		w->win_len = 0;
		err = source_read(w->file, w->win, ahead, off, e);
		if (err < 0)
			return err;
		w->win_off = off;
		w->win_len = ahead;
	}
	*ret = w->win + (off - w->win_off);
	return 0;
}

/* How much to read at off, from which record i is the next: as far as its header, or a window
 * full when the one after it is near. */
static size_t ahead_of(const struct walk *w, size_t i, uint64_t off)
{
	uint64_t next;

	if (i >= w->n)
		return 0;
	next = nth(w, i)->header_off;
	if (next < off || next - off > NEAR)
		return 0;
	if (i + 1 < w->n && nth(w, i + 1)->header_off - next <= NEAR)
		return WINDOW;
	return (size_t)(next - off) + ZIP_LOCAL_SIZE + nth(w, i)->name.n + SLACK;
}

/* A local size or CRC: that of the directory, or nothing yet. */
static int same_number(const char *what, uint64_t here, uint64_t there, bool later, struct err *e)
{
	if (here == there || (later && here == 0))
		return 0;
	return err_set(e, ERR_REFUSED, "%s is %llu here and %llu in the directory", what,
		(unsigned long long)here, (unsigned long long)there);
}

/* p: the local header, copied; it stands at m->header_off. */
static int check_sizes(struct walk *w, const struct member *m, const char *p, struct err *e)
{
	bool later = m->flags & ZIP_FLAG_DESCRIPTOR;
	struct zip_extra x = {0};
	struct str extra = {.n = le16(p + 28)};
	uint64_t size, stored;
	int err = 0;

	if (le32(p + 18) == UINT32_MAX || le32(p + 22) == UINT32_MAX) {
		err = peek(w, m->header_off + ZIP_LOCAL_SIZE + m->name.n, extra.n, 0, &extra.p, e);
		if (err == 0)
			err = zip_extra_parse(extra, &x, e);
	}
	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 22), &size, e);
	if (err == 0)
		err = zip64_take(&x.zip64, le32(p + 18), &stored, e);
	if (err == 0)
		err = same_number("the size", size, m->size, later, e);
	if (err == 0)
		err = same_number("the stored size", stored, m->stored, later, e);
	if (err == 0)
		err = same_number("the CRC", le32(p + 14), m->crc, later, e);
	return err;
}

static int check_head(struct walk *w, size_t i, char *p, struct err *e)
{
	const struct member *m = nth(w, i);
	size_t len = ZIP_LOCAL_SIZE + m->name.n;
	const char *at;
	int err = peek(w, m->header_off, len, ahead_of(w, i, m->header_off), &at, e);

	if (err < 0)
		return err;
	if (le32(at) != ZIP_LOCAL)
		return err_set(e, ERR_DAMAGED,
			"no local header there (its bytes are %02x %02x %02x %02x)", (uint8_t)at[0],
			(uint8_t)at[1], (uint8_t)at[2], (uint8_t)at[3]);
	memcpy(p, at, ZIP_LOCAL_SIZE);
	if (le16(p + 26) != m->name.n || memcmp(at + ZIP_LOCAL_SIZE, m->name.p, m->name.n) != 0)
		return err_set(e, ERR_REFUSED, "the local header gives it another name");
	if (le16(p + 6) != (m->flags & (uint16_t)~ZIP_HAS_ZIP64))
		return err_set(e, ERR_REFUSED, "flags are 0x%04x here and 0x%04x in the directory",
			le16(p + 6), m->flags & ~ZIP_HAS_ZIP64);
	if (le16(p + 8) != m->method)
		return err_set(e, ERR_REFUSED, "the method is %u here and %u in the directory",
			le16(p + 8), m->method);
	return 0;
}

/* Length of the descriptor at p, of which n bytes may be looked at; 0 when there is none. The
 * long form is known by its sizes, or, where both are zero, by the zip64 field. */
static int descriptor(const struct member *m, const char *p, size_t n, size_t *ret, struct err *e)
{
	bool is16, is24;

	*ret = 0;
	if (n < ZIP_DESC32_SIZE || le32(p) != ZIP_DESCRIPTOR)
		return 0;
	is16 = le32(p + 8) == m->stored && le32(p + 12) == m->size;
	is24 = n >= ZIP_DESC64_SIZE && le64(p + 8) == m->stored && le64(p + 16) == m->size;
	if (!is16 && !is24)
		return err_set(e, ERR_REFUSED,
			"the descriptor behind its data gives other sizes than the directory");
	*ret = is24 && (!is16 || m->flags & ZIP_HAS_ZIP64) ? ZIP_DESC64_SIZE : ZIP_DESC32_SIZE;
	return 0;
}

/* What stands behind the payload of record i, up to the next record. */
static int check_descriptor(struct walk *w, size_t i, struct err *e)
{
	struct member *m = nth(w, i);
	uint64_t end = m->data_off + m->stored, room;
	bool zip64 = m->flags & ZIP_HAS_ZIP64, later = m->flags & ZIP_FLAG_DESCRIPTOR;
	const char *p;
	size_t len = 0;
	int err;

	room = (i + 1 < w->n ? nth(w, i + 1)->header_off : w->limit);
	room = room > end ? room - end : 0;
	if (room > ZIP_DESC64_SIZE)
		room = ZIP_DESC64_SIZE;
	if (later) {
		err = peek(w, end, (size_t)room, ahead_of(w, i + 1, end), &p, e);
		if (err == 0)
			err = descriptor(m, p, (size_t)room, &len, e);
		if (err < 0)
			return err;
	}
	m->flags = 0;
	if (len)
		m->flags |= MEMBER_DESCRIPTOR;
	if (len == ZIP_DESC64_SIZE || (!len && zip64))
		m->flags |= MEMBER_ZIP64;
	w->end = end + len;
	w->used += w->end - m->header_off;
	return 0;
}

static int check_record(struct walk *w, size_t i, struct err *e)
{
	struct member *m = nth(w, i);
	char p[ZIP_LOCAL_SIZE] = {0};
	bool local_crc;
	int err;

	if (m->header_off < w->end)
		return err_set(e, ERR_REFUSED,
			"it overlaps the record before it, which ends at %llu",
			(unsigned long long)w->end);
	err = check_head(w, i, p, e);
	if (err == 0)
		err = check_sizes(w, m, p, e);
	if (err < 0)
		return err;
	/* No overflow: header and name lie before limit, extra is 16 bits. */
	m->data_off = m->header_off + ZIP_LOCAL_SIZE + m->name.n + le16(p + 28);
	if (m->data_off > w->limit || m->stored > w->limit - m->data_off)
		return err_set(e, ERR_DAMAGED,
			"its %llu bytes at offset %llu reach into the directory at offset %llu",
			(unsigned long long)m->stored, (unsigned long long)m->data_off,
			(unsigned long long)w->limit);
	local_crc = !(m->flags & ZIP_FLAG_DESCRIPTOR) || le32(p + 14) != 0;
	err = check_descriptor(w, i, e);
	if (err == 0 && local_crc)
		m->flags |= MEMBER_LOCAL_CRC;
	return err;
}

/* Headers between large records cost one disk access each. Where batches turn out to be slow, the
 * kernel is asked for those that follow, so that the accesses overlap. */
static void ask_ahead(struct walk *w, size_t i)
{
	uint64_t now, at;
	struct timespec ts;
	int fd;

	if (i % BATCH != 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (i > 0 && (now - w->clock > SLOW_NS || w->hinted > i)) {
		for (w->hinted = w->hinted > i ? w->hinted : i;
			w->hinted < w->n && w->hinted - i < HINTS; w->hinted++) {
			at = nth(w, w->hinted)->header_off;
			if (w->hinted > i && at - nth(w, w->hinted - 1)->header_off <= NEAR)
				continue; /* comes along with the one before */
			fd = source_raw(w->file, at, ZIP_LOCAL_SIZE, &at);
			if (fd >= 0)
				posix_fadvise(
					fd, (off_t)at, ZIP_LOCAL_SIZE + SLACK, POSIX_FADV_WILLNEED);
		}
	}
	w->clock = now;
}

static int by_offset(const void *a, const void *b, void *members)
{
	const struct member *at = members, *x = &at[*(const uint32_t *)a];
	const struct member *y = &at[*(const uint32_t *)b];

	return x->header_off < y->header_off ? -1 : x->header_off > y->header_off;
}

/* Indices in file order; *ret stays NULL where the directory is in that order, as torch's is. */
static int file_order(struct member *at, size_t n, uint32_t **ret, struct err *e)
{
	uint32_t *order;
	size_t i = 1;

	while (i < n && at[i - 1].header_off <= at[i].header_off)
		i++;
	if (i >= n)
		return 0;
	order = malloc(n * sizeof *order);
	if (!order)
		return err_nomem(e);
	for (i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, n, sizeof *order, by_offset, at);
	*ret = order;
	return 0;
}

int zip_local_check(struct box_build *b, const struct zip_tail *t, struct err *e)
{
	_cleanup_(freep) uint32_t *order = NULL;
	_cleanup_(freep) char *win = malloc(WINDOW);
	struct walk w = {.file = b->box->file, .at = b->list.at, .n = b->list.n, .win = win};
	struct member *m;
	int err;

	if (!win)
		return err_nomem(e);
	err = file_order(w.at, w.n, &order, e);
	if (err < 0)
		return err;
	w.order = order;
	w.limit = t->dir_off;
	for (size_t i = 0; i < w.n; i++) {
		ask_ahead(&w, i);
		err = check_record(&w, i, e);
		if (err < 0) {
			m = nth(&w, i);
			return box_at(e, err, m->name, "local header", m->header_off);
		}
	}
	b->box->dead = t->tail_off - t->dir_size - w.used;
	return 0;
}
