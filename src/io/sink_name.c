/* sink_name.c - where the file is, the temporary beside it, and sweeping old temporaries.
 *
 *	DIR/NAME  ->  DIR/.NAME.pthfs-XXXXXX      NAME cut so that this is a legal name
 *
 * Whoever makes a temporary holds an exclusive flock on it until it is renamed or removed; the
 * kernel lets go of it when the process dies. So what can be locked is stale. Between creating and
 * locking a sweeper can be faster: then the lock fails or the name is gone, and another one is
 * tried. Where a file system has no locks nothing is ever swept.
 *
 * A symbolic link at the path is resolved once; after that everything is a name in one open
 * folder, so no link that is planted later is followed.
 */
#include "sink_in.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#include <pthfs/cleanup.h>
#include <pthfs/str.h>
#include <pthfs/sys.h>

#define TAG ".pthfs-"
#define LETTERS 6
#define TRIES 100

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static int no_folder(const char *dir, int sys, struct err *e)
{
	if (sys == ENOENT)
		return err_set(e, ERR_ABSENT, "there is no directory %s", dir);
	return err_sys(e, sys, "cannot open the directory %s", dir);
}

/* The absolute path of something that is not there in a folder that is. malloc. */
static int resolve_new(const char *path, char **ret, struct err *e)
{
	_cleanup_(freep) char *dir = NULL, *real = NULL;
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	struct stat st;

	if (lstat(path, &st) == 0)
		return err_set(e, ERR_REFUSED,
			"is a symbolic link to something that is not there; remove it first, or "
			"name what it should point to");
	if (!*base || !strcmp(base, ".") || !strcmp(base, ".."))
		return err_set(e, ERR_USAGE, "is not the name of a file");
	dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!dir)
		return err_nomem(e);
	real = realpath(dir, NULL);
	if (!real)
		return no_folder(dir, errno, e);
	if (asprintf(ret, "%s/%s", strcmp(real, "/") ? real : "", base) < 0)
		return err_nomem(e);
	return 0;
}

int sink_find(struct sink *s, const char *path, struct err *e)
{
	_cleanup_(freep) char *real = realpath(path, NULL);
	char *slash;
	int r = 0;

	if (!real && errno == ENOENT)
		r = resolve_new(path, &real, e);
	else if (!real)
		r = err_sys(e, errno, "cannot find out where it is");
	if (r < 0)
		return r;
	slash = strrchr(real, '/');
	if (strlen(slash + 1) >= sizeof s->base || (size_t)(slash - real) >= sizeof s->dir_name)
		return err_sys(e, ENAMETOOLONG, "cannot be replaced");
	strncpy(s->base, slash + 1, sizeof s->base - 1);
	*slash = 0;
	strncpy(s->dir_name, *real ? real : "/", sizeof s->dir_name - 1);
	s->dir = open(s->dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->dir < 0 ? no_folder(s->dir_name, errno, e) : 0;
}

/* What the names of all temporaries for base begin with. Not cut within a UTF-8 character. */
static void prefix_of(const char *base, char out[NAME_MAX + 1])
{
	size_t n = strlen(base), room = NAME_MAX - 1 - strlen(TAG) - LETTERS;

	if (n > room)
		for (n = room; n && ((unsigned char)base[n] & 0xc0) == 0x80; n--)
			;
	snprintf(out, NAME_MAX + 1, ".%.*s" TAG, (int)n, base);
}

static int pick_name(struct sink *s, struct err *e)
{
	unsigned char random[LETTERS];
	size_t n;

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return err_sys(e, errno, "cannot get random letters for a temporary file");
	prefix_of(s->base, s->temp);
	n = strlen(s->temp);
	for (size_t i = 0; i < LETTERS; i++)
		s->temp[n + i] = letters[random[i] % (sizeof letters - 1)];
	s->temp[n + LETTERS] = 0;
	return 0;
}

static int cannot_create(const struct sink *s, int sys, struct err *e)
{
	if (sys == EACCES || sys == EPERM || sys == EROFS)
		return err_sys(e, sys,
			"the new file has to be written beside the old one, but in %s nothing can "
			"be created; make the directory writable, or write to another one",
			s->dir_name);
	return err_sys(e, sys, "cannot create a temporary file in %s", s->dir_name);
}

/* Whether a sweeper was faster: it holds the lock, or has taken the name away. When that cannot be
 * told, it was not: another try would leave this one behind. */
static bool is_lost(int fd)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return true;
	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

int sink_create_temp(struct sink *s, struct err *e)
{
	int r, fd;

	for (int i = 0; i < TRIES; i++) {
		r = pick_name(s, e);
		if (r < 0)
			break;
		fd = sys_create(s->dir, s->temp, O_WRONLY | O_EXCL | O_NOFOLLOW, 0600);
		if (fd >= 0 && !is_lost(fd)) {
			s->fd = fd;
			return 0;
		}
		if (fd >= 0) {
			sys_close(fd);
		} else if (errno != EEXIST && errno != EINTR) {
			r = cannot_create(s, errno, e);
			break;
		}
	}
	s->temp[0] = 0;
	return r < 0 ? r : err_sys(e, EEXIST, "cannot create a temporary file in %s", s->dir_name);
}

static bool is_temp(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(name, prefix, n) && strlen(name + n) == LETTERS &&
		strspn(name + n, letters) == LETTERS;
}

/* Removes it when nobody holds it and the name is still the file that was locked. */
static bool sweep_one(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat held, named;
	bool gone = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &held) == 0 && S_ISREG(held.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
			fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
			held.st_dev == named.st_dev && held.st_ino == named.st_ino)
		gone = sys_unlink(dir, name) == 0;
	close(fd);
	return gone;
}

int sink_sweep(const char *path)
{
	char prefix[NAME_MAX + 1];
	struct sink s = {.dir = -1};
	const struct dirent *d;
	int removed = 0;
	DIR *list;

	if (sink_find(&s, path, NULL) < 0)
		return 0;
	prefix_of(s.base, prefix);
	list = fdopendir(s.dir);
	if (!list) {
		close(s.dir);
		return 0;
	}
	while ((d = readdir(list)))
		if (is_temp(d->d_name, prefix))
			removed += sweep_one(s.dir, d->d_name);
	closedir(list);
	return removed;
}
