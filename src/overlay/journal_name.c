/* journal_name.c - where a journal is, and who may have it.
 *
 *	DIR/NAME  ->  DIR/NAME.pthfs-journal      NAME once links are followed
 *
 * Whoever writes holds an exclusive flock until it is closed; the kernel lets go of it when the
 * process dies. Between opening and locking somebody can remove the file, or put another one in
 * its place: so after locking the name must still be the file, or it is opened again.
 *
 * The name is predictable and the folder may be everybody's: a link is not followed, what is no
 * regular file is not read, and what another user put there is not taken for edits of ours (root
 * takes everybody's).
 */
#include "journal_in.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

#include <pthfs/cleanup.h>
#include <pthfs/sys.h>

#define TRIES 100

char *journal_path(const char *path)
{
	_cleanup_(freep) char *real = realpath(path, NULL);
	char *ret;

	if (!real && errno == ENOMEM)
		return NULL;
	return asprintf(&ret, "%s" JOURNAL_SUFFIX, real ? real : path) < 0 ? NULL : ret;
}

int journal_find(struct journal *j, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	_cleanup_(freep) char *dir = NULL;

	if (strlen(base) >= sizeof j->base)
		return err_sys(e, ENAMETOOLONG, "the name of the checkpoint leaves no room for \"%s\"",
			JOURNAL_SUFFIX);
	strncpy(j->base, base, sizeof j->base - 1);
	dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!dir)
		return err_nomem(e);
	do
		j->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (j->dir < 0 && errno == EINTR);
	if (j->dir < 0 && errno == ENOENT)
		return err_set(e, ERR_ABSENT, "there is no directory %s", dir);
	return j->dir < 0 ? err_sys(e, errno, "cannot open the directory %s", dir) : 0;
}

static int cannot_open(int sys, struct err *e)
{
	if (sys == ENOENT)
		return err_set(e, ERR_ABSENT, "there is no journal");
	if (sys == ELOOP)
		return err_set(e, ERR_REFUSED,
			"the journal's name is a symbolic link, which is not followed; remove it");
	return err_sys(e, sys, "cannot open the journal");
}

static int check_file(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at the journal");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_REFUSED, "the journal is no regular file; remove it");
	if (geteuid() != 0 && st.st_uid != geteuid())
		return err_set(e, ERR_REFUSED,
			"the journal belongs to another user (%u), whose edits are not taken for "
			"yours",
			(unsigned)st.st_uid);
	/* It was for the opening only: the descriptor may be spliced from. */
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return 0;
}

bool journal_is_named(const struct journal *j, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
		fstatat(j->dir, j->base, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int lock(int fd, struct err *e)
{
	int r;

	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_REFUSED,
			"another pthfs is editing this checkpoint and holds its journal; unmount "
			"it there first");
	return r < 0 ? err_sys(e, errno, "cannot lock the journal") : 0;
}

int journal_open_file(const struct journal *j, int *ret, struct err *e)
{
	int flags = (j->readonly ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd, r;

	for (int i = 0; i < TRIES; i++) {
		do
			fd = openat(j->dir, j->base, flags | O_CLOEXEC);
		while (fd < 0 && errno == EINTR);
		if (fd < 0)
			return cannot_open(errno, e);
		r = check_file(fd, e);
		if (r == 0 && !j->readonly)
			r = lock(fd, e);
		if (r == 0 && (j->readonly || journal_is_named(j, fd))) {
			*ret = fd;
			return 0;
		}
		close(fd);
		if (r < 0)
			return r;
	}
	return err_set(e, ERR_REFUSED, "the journal is made and removed all the time by others");
}

static int cannot_make(int sys, struct err *e)
{
	if (sys == EACCES || sys == EPERM || sys == EROFS)
		return err_sys(e, sys,
			"edits are kept in a journal beside the checkpoint, but nothing can be "
			"created in its directory; make that writable, or mount read-only");
	return err_sys(e, sys, "cannot create the journal");
}

int journal_make_file(const struct journal *j, int *ret, bool *made, struct err *e)
{
	int fd, r;

	do
		fd = sys_create(j->dir, j->base, O_RDWR | O_EXCL | O_NOFOLLOW, 0600);
	while (fd < 0 && errno == EINTR);
	*made = fd >= 0;
	if (fd < 0)
		return errno == EEXIST ? journal_open_file(j, ret, e) : cannot_make(errno, e);
	r = lock(fd, e);
	/* Whoever was faster to open and lock it saw that it holds nothing, and has it now. */
	if (r == 0 && !journal_is_named(j, fd))
		r = err_set(e, ERR_REFUSED, "the journal was removed by another pthfs; try again");
	if (r < 0)
		sys_close(fd);
	else
		*ret = fd;
	return r;
}

int journal_sync_dir(const struct journal *j, struct err *e)
{
	if (sys_fsync(j->dir) == 0)
		return 0;
	/* File systems whose folders cannot be synced write names in order or not at all. */
	if (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	return err_sys(e, errno, "the directory of the journal could not be synced");
}
