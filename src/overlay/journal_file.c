/* journal_file.c - the bytes of a journal: a file that grows, and what waits to be written to it.
 *
 *	0 ........................ flushed ........... flushed + n ............. INT64_MAX
 *	        in the file                 in buf              not written yet: an error
 *
 * One thread writes, any number read. The writer fills the buffer behind n and the file behind
 * flushed, where no reader looks, and then moves n and flushed under the lock; a reader copies out
 * of the buffer under the lock and reads the file without it. So nobody waits for a disk.
 *
 * Pieces of 1 MiB and more are not copied: the buffer goes first, then they do.
 */
#include "journal_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pthfs/sys.h>

#define BUFFER (4u << 20)
#define DIRECT (1u << 20)

/* What of [off, off + len) waits in the buffer goes to its place behind to. Returns how many bytes
 * in front of it are in the file, -1: not all of it was written yet. */
static int64_t take_waiting(struct journal_file *f, char *to, size_t len, uint64_t off)
{
	uint64_t end = off + len, from;
	int64_t left = (int64_t)len;

	pthread_rwlock_rdlock(&f->lock);
	if (end > f->flushed + f->n) {
		left = -1;
	} else if (end > f->flushed) {
		from = off > f->flushed ? off : f->flushed;
		memcpy(to + (from - off), f->buf + (from - f->flushed), (size_t)(end - from));
		left = (int64_t)(from - off);
	}
	pthread_rwlock_unlock(&f->lock);
	return left;
}

static int file_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct journal_file *f = (struct journal_file *)s;
	int64_t left = take_waiting(f, buf, len, off);
	char *to = buf;
	ssize_t n = 1;

	while (left > 0) {
		n = pread(f->fd, to, (size_t)left, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "cannot read the journal at offset %" PRIu64, off);
		if (n == 0)
			break;
		to += n;
		off += (uint64_t)n;
		left -= n;
	}
	if (left == 0)
		return 0;
	return err_set(e, ERR_TRUNCATED, "the journal has nothing at offset %" PRIu64 "%s", off,
		n == 0 ? ": it has become shorter" : " yet");
}

static int file_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	struct journal_file *f = (struct journal_file *)s;
	bool there;

	pthread_rwlock_rdlock(&f->lock);
	there = off + len <= f->flushed;
	pthread_rwlock_unlock(&f->lock);
	*ret_off = off;
	return there ? f->fd : -1;
}

static void file_close(struct source *s)
{
	struct journal_file *f = (struct journal_file *)s;

	sys_close(f->fd);
	pthread_rwlock_destroy(&f->lock);
	free(f->buf);
	free(f);
}

static const struct source_ops file_ops = {
	.name = "journal",
	.read_at = file_read,
	.raw = file_raw,
	.close = file_close,
};

int journal_file_new(int fd, uint64_t flushed, struct journal_file **ret, struct err *e)
{
	struct journal_file *f = calloc(1, sizeof *f);

	if (!f || pthread_rwlock_init(&f->lock, NULL) != 0) {
		free(f);
		sys_close(fd);
		return err_nomem(e);
	}
	source_init(&f->head, &file_ops, INT64_MAX);
	f->fd = fd;
	f->flushed = flushed;
	*ret = f;
	return 0;
}

int journal_pwrite(int fd, const void *bytes, size_t n, uint64_t off)
{
	const char *p = bytes;
	ssize_t done;

	while (n) {
		done = sys_pwrite(fd, p, n, (off_t)off);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? errno : ENOSPC;
		p += done;
		n -= (size_t)done;
		off += (uint64_t)done;
	}
	return 0;
}

static int cannot_write(const struct journal_file *f, int sys, struct err *e)
{
	if (journal_no_room(sys))
		return err_sys(e, sys,
			"the journal cannot be written at offset %" PRIu64
			": free some space and try again; the edits before this one are kept",
			f->flushed);
	return err_sys(e, sys,
		"the journal cannot be written at offset %" PRIu64
		"; what was synced before is safe, and no more edits are taken: unmount and mount "
		"again",
		f->flushed);
}

static void moved(struct journal_file *f, uint64_t flushed, size_t n)
{
	pthread_rwlock_wrlock(&f->lock);
	f->flushed = flushed;
	f->n = n;
	pthread_rwlock_unlock(&f->lock);
}

/* These n bytes are in the file now, and nothing waits. */
static void wrote(struct journal_file *f, size_t n)
{
	sys_write_ahead(f->fd, f->flushed, f->flushed + n);
	moved(f, f->flushed + n, 0);
}

int journal_file_flush(struct journal_file *f, struct err *e)
{
	int sys = f->n ? journal_pwrite(f->fd, f->buf, f->n, f->flushed) : 0;

	if (sys)
		return cannot_write(f, sys, e);
	if (f->n)
		wrote(f, f->n);
	return 0;
}

int journal_file_room(struct journal_file *f, struct err *e)
{
	char *buf = f->buf ? f->buf : sys_malloc(BUFFER);

	if (!buf)
		return err_nomem(e);
	pthread_rwlock_wrlock(&f->lock);
	f->buf = buf;
	pthread_rwlock_unlock(&f->lock);
	return 0;
}

int journal_file_put(struct journal_file *f, const void *bytes, size_t n, struct err *e)
{
	int sys, r = 0;

	if (n == 0)
		return 0;
	if (n >= DIRECT || n > BUFFER - f->n)
		r = journal_file_flush(f, e);
	if (r < 0)
		return r;
	if (n >= DIRECT) {
		sys = journal_pwrite(f->fd, bytes, n, f->flushed);
		if (sys)
			return cannot_write(f, sys, e);
		wrote(f, n);
	} else {
		memcpy(f->buf + f->n, bytes, n);
		moved(f, f->flushed, f->n + n);
	}
	return 0;
}

void journal_file_is(struct journal_file *f, uint64_t size)
{
	moved(f, size, 0);
}

void journal_file_cut(struct journal_file *f, uint64_t end)
{
	if (end < f->flushed)
		moved(f, end, 0);
	else if (end - f->flushed < f->n)
		moved(f, f->flushed, (size_t)(end - f->flushed));
}
