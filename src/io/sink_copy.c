/* sink_copy.c - the bytes of a plan into the temporary file, by the cheapest way that works.
 *
 *	already there (after a clone)     nothing
 *	a run of a local file             copy_file_range; the kernel shares blocks where it can
 *	other offsets within a block      read into one buffer, written when that is full
 *	refused, small, or no file        the same
 *
 * Small pieces are gathered in the buffer: [at, at + n) of the file waits there, and a piece that
 * does not continue it sends it off first. Order does not matter otherwise, since nobody sees the
 * file yet.
 *
 * Holes of a sparse file stay holes where nothing is below them, which is so unless a clone is.
 */
#include "sink_in.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include <pthfs/cleanup.h>
#include <pthfs/str.h>
#include <pthfs/sys.h>

#include "plan_in.h"

#define BUFFER (1u << 20)
#define SMALL (64u << 10)   /* runs below this are cheaper through the buffer */
#define STRIDE (64u << 20)  /* at most so much in one call, for progress */
#define ALIGNED 4096u       /* where block sharing can begin */
#define TICK_NS 100000000   /* between two reports of progress */

struct out {
	struct sink *sink;
	const struct sink_opts *opts;
	char *buf; /* BUFFER bytes, owned; NULL until it is needed */
	size_t n;
	uint64_t at;
	uint64_t size;        /* of the whole file */
	uint64_t done, total; /* for progress, holes included */
	int64_t told;         /* ns, monotonic */
	bool ranges;          /* copy_file_range has moved something */
};

static void wrote(struct out *o, uint64_t n)
{
	sys_write_ahead(o->sink->fd, o->sink->written, o->sink->written + n);
	o->sink->written += n;
}

static void advance(struct out *o, uint64_t n)
{
	struct timespec t;
	int64_t now;

	o->done += n;
	if (!o->opts->progress || n == 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (now - o->told < TICK_NS)
		return;
	o->told = now;
	o->opts->progress(o->opts->ctx, o->done, o->total);
}

static int cannot_write(const struct out *o, int sys, uint64_t at, struct err *e)
{
	const char *todo = sys == ENOSPC || sys == EDQUOT ? "; free some space and try again" : "";

	return err_sys(e, sys,
		"cannot write the new file (%s) in %s at offset %" PRIu64
		"; the old one is as it was%s",
		STR_SIZE(o->size), o->sink->dir_name, at, todo);
}

static int flush(struct out *o, struct err *e)
{
	const char *p = o->buf;
	ssize_t n;

	while (o->n) {
		n = sys_pwrite(o->sink->fd, p, o->n, (off_t)o->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_write(o, n < 0 ? errno : ENOSPC, o->at, e);
		p += n;
		o->n -= (size_t)n;
		o->at += (uint64_t)n;
		wrote(o, (uint64_t)n);
		advance(o, (uint64_t)n);
	}
	return 0;
}

/* How much the buffer takes: up to the end of a block. Half a block that is written before the
 * other half is one that has to be read first. */
static size_t room(const struct out *o)
{
	return BUFFER - (size_t)(o->at % ALIGNED) - o->n;
}

/* Through the buffer. */
static int put_read(struct out *o, struct extent x, uint64_t at, struct err *e)
{
	size_t n;
	int r = 0;

	if (!o->buf)
		o->buf = sys_malloc(BUFFER);
	if (!o->buf)
		return err_nomem(e);
	while (r == 0 && x.len) {
		if (room(o) == 0 || o->at + o->n != at) {
			r = flush(o, e);
			if (r < 0)
				break;
			o->at = at;
		}
		n = x.len < room(o) ? (size_t)x.len : room(o);
		r = source_read(x.src, o->buf + o->n, n, x.off, e);
		if (r < 0)
			break;
		o->n += n;
		at += n;
		x.off += n;
		x.len -= n;
	}
	return r;
}

/* Another file system, an old kernel, a sandbox: the call will not do, the bytes are fine. With EIO
 * it does not say which file is bad: reading and writing will. */
static bool falls_back(int sys)
{
	return sys == EXDEV || sys == EOPNOTSUPP || sys == EINVAL || sys == ENOSYS ||
		sys == EPERM || sys == ETXTBSY || sys == EIO;
}

/* The first call of a run goes only as far as the next block, if that makes the rest shareable. */
static size_t stride(off_t from, uint64_t at, uint64_t len)
{
	uint64_t past = at % ALIGNED;

	if (past && (uint64_t)from % ALIGNED == past && len > ALIGNED)
		return (size_t)(ALIGNED - past);
	return len < STRIDE ? (size_t)len : STRIDE;
}

/* x lies at `from` of the file `in`. What copy_file_range will not take goes through the buffer. */
static int put_range(struct out *o, struct extent x, int in, off_t from, uint64_t at, struct err *e)
{
	off_t to = (off_t)at;
	ssize_t n;

	/* No blocks to share: the kernel would copy page by page, at a fifth of the speed. */
	if ((uint64_t)from % ALIGNED != at % ALIGNED)
		return put_read(o, x, at, e);
	while (x.len) {
		n = sys_copy_range(in, &from, o->sink->fd, &to,
			stride(from, (uint64_t)to, x.len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !falls_back(errno))
			return cannot_write(o, errno, (uint64_t)to, e);
		if (n <= 0) /* 0: it ends here, or the file system is a made-up one */
			return put_read(o, x, (uint64_t)to, e);
		o->ranges = true;
		wrote(o, (uint64_t)n);
		x.off += (uint64_t)n;
		x.len -= (uint64_t)n;
		advance(o, (uint64_t)n);
	}
	return 0;
}

/* The first stretch with data in [off, end) of a file: *data to *hole. Without an answer, all. */
static void next_data(int fd, off_t off, off_t end, off_t *data, off_t *hole)
{
	off_t d = lseek(fd, off, SEEK_DATA), h;

	*data = off;
	*hole = end;
	if (d < 0 && errno == ENXIO) {
		*data = end; /* nothing but a hole */
	} else if (d >= off) {
		*data = d < end ? d : end;
		h = d < end ? lseek(fd, d, SEEK_HOLE) : -1;
		if (h > d && h < end)
			*hole = h;
	}
}

static bool is_sparse(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_blocks < st.st_size / 512;
}

/* A run of a file, stretch by stretch between its holes when they can stay. */
static int put_run(struct out *o, struct extent x, int in, off_t from, uint64_t at, struct err *e)
{
	bool holes = o->sink->way != SINK_CLONE && is_sparse(in);
	off_t end = from + (off_t)x.len, pos = from, data = from, hole = end;
	struct extent part = x;
	int r = 0;

	for (; r == 0 && pos < end; pos = hole) {
		if (holes)
			next_data(in, pos, end, &data, &hole);
		advance(o, (uint64_t)(data - pos));
		part.off = x.off + (uint64_t)(data - from);
		part.len = (uint64_t)(hole - data);
		r = put_range(o, part, in, data, at + (uint64_t)(data - from), e);
	}
	return r;
}

static int put(struct out *o, const struct extent *x, uint64_t at, struct err *e)
{
	uint64_t from = 0;
	int in = x->len < SMALL ? -1 : source_raw(x->src, x->off, x->len, &from);

	if (in < 0)
		return put_read(o, *x, at, e);
	return put_run(o, *x, in, (off_t)from, at, e);
}

static int put_all(struct out *o, const struct plan *p, struct in_place *test, struct err *e)
{
	uint64_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->at.n; at += p->at.at[i++].len)
		if (!in_place_test(test, &p->at.at[i], at))
			r = put(o, &p->at.at[i], at, e);
	return r < 0 ? r : flush(o, e);
}

static int set_size(const struct out *o, struct err *e)
{
	struct stat st;
	int n;

	if (fstat(o->sink->fd, &st) < 0)
		return err_sys(e, errno, "cannot look at the new file");
	if ((uint64_t)st.st_size == o->size)
		return 0;
	do
		n = sys_truncate(o->sink->fd, (off_t)o->size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? cannot_write(o, errno, o->size, e) : 0;
}

int sink_fill(struct sink *s, const struct plan *p, const struct sink_opts *o, struct err *e)
{
	struct in_place test = {.fd = -1, .old = s->way == SINK_CLONE ? &s->old_st : NULL};
	struct out out = {.sink = s, .opts = o, .size = p->size, .total = p->size};
	uint64_t at = 0;
	int r;

	for (size_t i = 0; i < p->at.n; at += p->at.at[i++].len)
		if (in_place_test(&test, &p->at.at[i], at))
			out.total -= p->at.at[i].len;
	r = put_all(&out, p, &test, e);
	if (r == 0)
		r = set_size(&out, e);
	free(out.buf);
	if (r == 0 && s->way != SINK_CLONE)
		s->way = out.ranges ? SINK_COPY_RANGE : SINK_COPY;
	return r;
}
