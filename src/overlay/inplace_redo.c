/* inplace_redo.c - a complete patch list, carried out or looked through.
 *
 *	journal   fdatasync     a killed writer's list may be in the page cache only
 *	samples   compare       what was to stay is there: it is the file that the list was made for
 *	patches   write
 *	size      ftruncate
 *	file      fsync
 *
 * Everything that is written comes from the journal, never from the file, so that doing it twice,
 * or again from the start after being killed anywhere, gives the same file.
 *
 * inplace_source() shows that file without writing: the patches over the file as it is.
 */
#include "inplace_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <pthfs/crc.h>
#include <pthfs/sys.h>

/* Calls fn for each patch of the complete list. */
static int each_patch(struct journal *j,
		int (*fn)(void *ctx, const struct patch *p, struct err *e), void *ctx,
		struct err *e)
{
	char small[SMALL] = {0};
	struct frame_head h;
	struct patch p;
	struct walk w;
	uint64_t at, n = 0;
	int r = walk_init(&w, j->file, j->at.list.at, j->at.end, j->at.list.crc, e);

	if (r < 0)
		return r;
	for (; r == 0 && n < j->at.list.n; n++) {
		r = walk_head(&w, &h, e);
		at = w.r.pos;
		if (r == 1 && h.blob != PATCH_BYTES)
			r = walk_payload(&w, &h, small, e);
		else if (r == 1)
			r = walk_skip(&w, &h, e) < 0 ? ERR_EOF : 1;
		if (r == 0)
			r = journal_changed(at, e);
		if (r < 0)
			break;
		p = patch_decode(&h, at, small);
		r = fn(ctx, &p, e);
	}
	walk_release(&w);
	return r;
}

static int write_piece(struct inplace *w, const struct patch *p, uint64_t done, size_t n,
		struct err *e)
{
	int r = 0, sys;

	if (p->how != PATCH_FILL)
		r = source_read(&w->j->file->head, w->buf, n, p->arg + done, e);
	if (r < 0)
		return r;
	sys = journal_pwrite(w->fd, w->buf, n, p->off + done);
	if (sys)
		return err_sys(e, sys, "cannot write at offset %" PRIu64, p->off + done);
	sys_write_ahead(w->fd, w->written, w->written + n);
	inplace_moved(w, n);
	return 0;
}

static int write_patch(void *ctx, const struct patch *p, struct err *e)
{
	struct inplace *w = ctx;
	size_t n;
	int r = 0;

	if (p->how == PATCH_KEEP)
		return 0;
	if (p->how == PATCH_FILL)
		memset(w->buf, (int)p->arg, p->len < PIECE ? (size_t)p->len : PIECE);
	for (uint64_t done = 0; r == 0 && done < p->len; done += n) {
		n = p->len - done < PIECE ? (size_t)(p->len - done) : PIECE;
		r = write_piece(w, p, done, n, e);
	}
	return r;
}

static int finish(struct inplace *w, struct err *e)
{
	uint64_t size = w->j->at.list.size;
	struct stat st;
	int n = 0;

	if (fstat(w->fd, &st) < 0)
		return err_sys(e, errno, "cannot look at it");
	if ((uint64_t)st.st_size != size) {
		do
			n = sys_truncate(w->fd, (off_t)size);
		while (n < 0 && errno == EINTR);
	}
	if (n < 0)
		return err_sys(e, errno, "cannot make its size %" PRIu64, size);
	if (sys_fsync(w->fd) < 0)
		return err_sys(e, errno, "it could not be synced to the disk");
	return 0;
}

static int half_written(int r, struct err *e)
{
	if (r < 0)
		err_prefix(e, "the file is half written now, and the next pthfs that may write "
			      "finishes it from its journal, which must stay where it is");
	return r;
}

int inplace_apply(struct inplace *w, struct err *e)
{
	int r = each_patch(w->j, write_patch, w, e);

	if (r == 0)
		r = finish(w, e);
	return half_written(r, e);
}

static int wrong_file(uint64_t at, struct err *e)
{
	return err_set(e, ERR_REFUSED,
		"the journal holds a commit in place that was interrupted, but this is not the "
		"file that it was made for (it differs at offset %" PRIu64
		"); bring that one back, or move the journal away",
		at);
}

static int compare_sample(void *ctx, const struct patch *p, struct err *e)
{
	struct source *file = ctx;
	char buf[KEEP_MAX];
	int r;

	if (p->how != PATCH_KEEP)
		return 0;
	r = p->len <= file->size && p->off <= file->size - p->len
		? source_read(file, buf, (size_t)p->len, p->off, e)
		: wrong_file(file->size, e);
	if (r == 0 && crc32_bytes(0, buf, (size_t)p->len) != p->arg)
		r = wrong_file(p->off, e);
	return r;
}

/* Is it the file, as far as can be told? */
static int check_file(struct journal *j, struct source *file, struct err *e)
{
	struct stat st;
	uint64_t off;
	int fd = source_raw(file, 0, 0, &off);

	if (j->at.state != JOURNAL_PATCHING)
		return err_set(e, ERR_USAGE, "the journal holds no commit in place");
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino != j->bind.ino)
		return err_set(e, ERR_REFUSED,
			"the journal holds a commit in place that was interrupted, but it belongs "
			"to another file (inode %" PRIu64 ", this one is %" PRIu64
			"); bring that one back, or move the journal away",
			j->bind.ino, (uint64_t)st.st_ino);
	return each_patch(j, compare_sample, file, e);
}

int inplace_redo(struct journal *j, int fd, struct err *e)
{
	struct source *file = NULL;
	struct inplace w = {0};
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (copy < 0)
		return err_sys(e, errno, "cannot open the file once more");
	r = source_file_fd(copy, &file, e);
	if (r == 0)
		r = journal_may_write(j, e);
	if (r == 0)
		r = check_file(j, file, e);
	if (r == 0)
		r = half_written(journal_sync(j, e), e);
	if (r == 0)
		r = half_written(inplace_init(&w, j, fd, e), e);
	if (r == 0)
		r = inplace_apply(&w, e);
	free(w.buf);
	source_unref(file);
	return r;
}

/* --- the same, to be read -------------------------------------------------------------------- */

struct patched {
	struct source head;
	struct plan plan;
	struct source *view; /* of the plan */
	struct journal_file *j; /* both borrowed while the plan, which holds them, is made */
	struct source *file;
};

static int patched_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	return source_read(((struct patched *)s)->view, buf, len, off, e);
}

static int patched_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	return source_raw(((struct patched *)s)->view, off, len, ret_off);
}

static void patched_close(struct source *s)
{
	struct patched *p = (struct patched *)s;

	source_unref(p->view);
	plan_release(&p->plan);
	free(p);
}

static const struct source_ops patched_ops = {
	.name = "patched",
	.read_at = patched_read,
	.raw = patched_raw,
	.close = patched_close,
};

/* What is between patches, or behind the last one, is the file's. */
static int draw_gap(struct patched *p, uint64_t end, struct err *e)
{
	uint64_t at = p->plan.size;

	return end > at ? plan_run(&p->plan, p->file, at, end - at, e) : 0;
}

static int draw(void *ctx, const struct patch *x, struct err *e)
{
	struct patched *p = ctx;
	int r = x->how == PATCH_KEEP ? 0 : draw_gap(p, x->off, e);

	if (r < 0 || x->how == PATCH_KEEP)
		return r;
	if (x->how == PATCH_FILL)
		return plan_fill(&p->plan, (unsigned char)x->arg, x->len, e);
	return plan_run(&p->plan, &p->j->head, x->arg, x->len, e);
}

static int draw_all(struct patched *p, struct journal *j, struct err *e)
{
	int r = each_patch(j, draw, p, e);

	if (r == 0)
		r = draw_gap(p, j->at.list.size, e);
	return r < 0 ? r : source_plan(&p->plan, &p->view, e);
}

int inplace_source(struct journal *j, struct source *file, struct source **ret, struct err *e)
{
	struct patched *p;
	int r = check_file(j, file, e);

	if (r < 0)
		return r;
	p = calloc(1, sizeof *p);
	if (!p)
		return err_nomem(e);
	plan_init(&p->plan);
	p->j = j->file;
	p->file = file;
	r = draw_all(p, j, e);
	source_init(&p->head, &patched_ops, j->at.list.size);
	if (r < 0)
		patched_close(&p->head);
	else
		*ret = &p->head;
	return r;
}
