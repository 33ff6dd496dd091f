/* file.c - a regular local file, read with pread.
 *
 * Never mapped: a file that is cut while it is mapped kills the process with SIGBUS, and this one
 * serves other people's reads. The size is that of the moment of opening. A file that grew is read
 * as it was; one that shrank gives ERR_TRUNCATED.
 *
 * What is not a regular file is refused by name. O_NONBLOCK is for the opening only, so that a FIFO
 * nobody writes to does not hang the caller before it can be looked at.
 */
#include <pthfs/source.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_source {
	struct source head;
	int fd; /* owned */
};

static int file_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct file_source *f = (struct file_source *)s;
	char *to = buf;
	ssize_t n;

	while (len) {
		n = pread(f->fd, to, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "cannot read at offset %" PRIu64, off);
		if (n == 0)
			return err_set(e, ERR_TRUNCATED,
				"nothing at offset %" PRIu64 " of %" PRIu64
				": the file has become shorter since it was opened",
				off, s->size);
		to += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	*ret_off = off;
	return ((struct file_source *)s)->fd;
}

static void file_close(struct source *s)
{
	struct file_source *f = (struct file_source *)s;

	close(f->fd);
	free(f);
}

static const struct source_ops file_ops = {
	.name = "file",
	.read_at = file_read,
	.raw = file_raw,
	.close = file_close,
};

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
		return "a block device";
	case S_IFCHR:
		return "a character device";
	default:
		return "of an unknown kind";
	}
}

static int refuse_kind(mode_t mode, struct err *e)
{
	if (S_ISDIR(mode))
		return err_set(e, ERR_NOT_CKPT, "is a directory");
	return err_set(e, ERR_NOT_CKPT, "is %s, not a regular file", kind_of(mode));
}

int source_file_fd(int fd, struct source **ret, struct err *e)
{
	struct file_source *f;
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		r = err_sys(e, errno, "cannot look at the open file");
	else if (!S_ISREG(st.st_mode))
		r = refuse_kind(st.st_mode, e);
	f = r < 0 ? NULL : malloc(sizeof *f);
	if (!f) {
		close(fd);
		return r < 0 ? r : err_nomem(e);
	}
	source_init(&f->head, &file_ops, (uint64_t)st.st_size);
	f->fd = fd;
	*ret = &f->head;
	return 0;
}

/* Why open() failed, once errno is known. A socket cannot be opened at all. */
static int open_failed(const char *path, int sys, struct err *e)
{
	struct stat st;

	if (sys == ENOENT)
		return err_set(e, ERR_ABSENT, "no such file or directory");
	if (sys == ENXIO && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse_kind(st.st_mode, e);
	return err_sys(e, sys, "cannot open");
}

int source_file_open(const char *path, struct source **ret, struct err *e)
{
	int fd, flags;

	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return open_failed(path, errno, e);
	/* Off again: the descriptor may be spliced from, where it would mean something. */
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return source_file_fd(fd, ret, e);
}
