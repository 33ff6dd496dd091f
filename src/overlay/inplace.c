/* inplace.c - a commit that changes the file itself: first a list of what is to be written where.
 *
 *	refuse   not the file that the journal is for, changed meanwhile, no room
 *	list     patches in file order, in the journal      -> the file is as it was
 *	end      how many, and the final size; fdatasync    -> from here on it will be the new one
 *	apply    to the file, its size, fsync               (inplace_redo.c)
 *
 * What is the journal's own already (edited bytes) is named by its place, one byte many times by
 * its length, everything else is copied, 1 MiB at most in one patch: also runs of the old file
 * that move, since by the time they are written their place may hold something else. Of what stays
 * where it is a few samples are noted, so that a list is never applied to another file which got
 * this one's inode.
 *
 * Nothing is allocated in the file beforehand: that would change its time, and a crash before the
 * end of the list would leave a journal whose file looks changed. Room for what it grows by is
 * asked for instead.
 */
#include "inplace_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>

#include <pthfs/crc.h>
#include <pthfs/sys.h>

#define SAMPLES 16          /* at most, over the whole file */
#define TICK_NS 100000000   /* between two reports of progress */

struct listing {
	struct inplace *w;
	uint64_t places;   /* where the list begins: what is before it can be named */
	uint64_t copies;   /* bytes of it */
	uint64_t sample;   /* from where on the next one is taken */
	uint64_t distance; /* to the one after that */
	struct err *e;
};

int inplace_init(struct inplace *w, struct journal *j, int fd, struct err *e)
{
	*w = (struct inplace){.j = j, .fd = fd, .buf = sys_malloc(PIECE)};
	return w->buf ? 0 : err_nomem(e);
}

void inplace_moved(struct inplace *w, uint64_t n)
{
	struct timespec t;
	int64_t now;

	w->written += n;
	w->done += n;
	if (!w->progress)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (now - w->told < TICK_NS)
		return;
	w->told = now;
	w->progress(w->ctx, w->done, w->total);
}

static int check_file(const struct journal *j, const struct stat *st, struct err *e)
{
	const struct journal_bind *b = &j->bind;
	const char *how = NULL;

	if (!S_ISREG(st->st_mode) || st->st_ino != b->ino)
		how = "another file has taken its place";
	else if ((uint64_t)st->st_size != b->size)
		how = "its size has changed";
	else if (st->st_mtim.tv_sec != b->mtime_sec || st->st_mtim.tv_nsec != b->mtime_nsec)
		how = "it has been written to";
	if (how)
		return err_set(e, ERR_REFUSED,
			"was changed by somebody else, %s: nothing was written; open it again and "
			"repeat the change, or write to another file",
			how);
	return 0;
}

/* Bytes of the journal, as they are? */
static bool is_place(const struct listing *l, const struct extent *x, uint64_t *where)
{
	return source_raw(x->src, x->off, x->len, where) == l->w->j->file->fd &&
		*where >= HEADER && *where <= l->places && x->len <= l->places - *where;
}

static int count(void *ctx, const struct extent *x, uint64_t at, bool in_place)
{
	struct listing *l = ctx;
	unsigned char byte;
	uint64_t where;

	if (in_place)
		return 0;
	l->w->total += x->len;
	if (!is_place(l, x, &where) && !plan_is_fill(x, &byte))
		l->copies += x->len;
	return 0;
}

static int check_room(const struct listing *l, const struct plan *p, const struct stat *st,
		struct err *e)
{
	uint64_t grows = p->size > (uint64_t)st->st_size ? p->size - (uint64_t)st->st_size : 0;
	uint64_t wanted, left;
	struct statvfs v;

	/* f_blocks is 0 where the file system does not know. */
	if (fstatvfs(l->w->j->dir, &v) < 0 || v.f_blocks == 0)
		return 0;
	left = (geteuid() == 0 ? v.f_bfree : v.f_bavail) * (uint64_t)v.f_frsize;
	if (!__builtin_add_overflow(l->copies, grows, &wanted) && wanted <= left)
		return 0;
	return err_sys(e, ENOSPC,
		"%s are needed to change the file in place and %s are free; nothing was written, "
		"free some space and try again",
		STR_SIZE(wanted), STR_SIZE(left));
}

static int add(struct listing *l, enum patch_how how, uint64_t off, uint64_t len, uint64_t arg)
{
	struct frame_head h = {.kind = FRAME_PATCH, .blob = how, .off = off, .n = 16};
	unsigned char payload[16];

	put64(payload, len);
	put64(payload + 8, arg);
	return journal_append(l->w->j, &h, payload, l->e);
}

static int add_bytes(struct listing *l, struct extent x, uint64_t at)
{
	struct frame_head h = {.kind = FRAME_PATCH, .blob = PATCH_BYTES};
	int r = 0;

	for (; r == 0 && x.len; x.off += h.n, x.len -= h.n, at += h.n) {
		h.n = x.len < PIECE ? x.len : PIECE;
		h.off = at;
		r = source_read(x.src, l->w->buf, (size_t)h.n, x.off, l->e);
		if (r == 0)
			r = journal_append(l->w->j, &h, l->w->buf, l->e);
		if (r == 0)
			inplace_moved(l->w, h.n);
	}
	return r;
}

/* [at, at + len) stays: a sample of it, when it is time for one. */
static int add_sample(struct listing *l, const struct extent *x, uint64_t at)
{
	uint64_t skip = at < l->sample ? l->sample - at : 0, n;
	int r;

	if (skip >= x->len)
		return 0;
	n = x->len - skip < KEEP_MAX ? x->len - skip : KEEP_MAX;
	l->sample = at + skip + l->distance;
	r = source_read(x->src, l->w->buf, (size_t)n, x->off + skip, l->e);
	return r < 0 ? r
		     : add(l, PATCH_KEEP, at + skip, n, crc32_bytes(0, l->w->buf, (size_t)n));
}

static int list(void *ctx, const struct extent *x, uint64_t at, bool in_place)
{
	struct listing *l = ctx;
	unsigned char byte;
	uint64_t where;

	if (in_place)
		return add_sample(l, x, at);
	if (is_place(l, x, &where))
		return add(l, PATCH_PLACE, at, x->len, where);
	if (plan_is_fill(x, &byte))
		return add(l, PATCH_FILL, at, x->len, byte);
	return add_bytes(l, *x, at);
}

static int list_end(struct listing *l, uint64_t size)
{
	struct frame_head h = {.kind = FRAME_PATCH_END, .off = size, .n = 8};
	unsigned char n[8];
	int r;

	put64(n, l->w->j->at.list.n);
	r = journal_append(l->w->j, &h, n, l->e);
	return r < 0 ? r : journal_sync(l->w->j, l->e);
}

static int make_list(struct inplace *w, const struct plan *p, const struct stat *st, struct err *e)
{
	struct listing l = {.w = w, .places = w->j->at.end, .distance = p->size / SAMPLES + 1, .e = e};
	int r = check_file(w->j, st, e);

	if (r < 0)
		return r;
	plan_each(p, st, count, &l);
	w->total += l.copies;
	r = check_room(&l, p, st, e);
	if (r == 0)
		r = plan_each(p, st, list, &l);
	return r < 0 ? r : list_end(&l, p->size);
}

/* The journal's own bytes must be in its file to be known by their place. */
static int begin(struct journal *j, int fd, struct stat *st, struct err *e)
{
	struct err why = {0};
	int r = journal_may_write(j, e);

	if (r < 0)
		return r;
	if (j->at.state == JOURNAL_PATCHING)
		return err_set(e, ERR_REFUSED, "a commit in place is not finished yet");
	if (fstat(fd, st) < 0)
		return err_sys(e, errno, "cannot look at the checkpoint");
	if (!j->longer && journal_file_flush(j->file, &why) < 0)
		return journal_break(j, &why, e);
	return 0;
}

int inplace_commit(struct journal *j, int fd, const struct plan *p,
		void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		uint64_t *written, struct err *e)
{
	struct journal_end mark = j->at;
	struct inplace w;
	struct stat st;
	int r = begin(j, fd, &st, e);

	if (r < 0)
		return r;
	r = inplace_init(&w, j, fd, e);
	if (r < 0)
		return r;
	w.progress = progress;
	w.ctx = ctx;
	r = make_list(&w, p, &st, e);
	if (r < 0) {
		journal_rewind(j, &mark);
		if (e && e->code != ERR_REFUSED)
			err_prefix(e, "the checkpoint is as it was");
	} else {
		r = inplace_apply(&w, e);
	}
	free(w.buf);
	if (r == 0)
		*written = w.written;
	return r;
}
