/* mountpoint.c - the directory that is mounted on: named, made, checked, removed again.
 *
 * Directories are compared by device and inode on the way up to the root, not by their spelling,
 * so that links and bind mounts do not lead around the checks.
 */
#include "mountpoint.h"

#include "mountinfo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthfs/cleanup.h>
#include <pthfs/str.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

char *mountpoint_name(const char *checkpoint)
{
	static const char *const doubled[] = {".pth.tar", ".pt.tar", ".ckpt.tar"};
	size_t n = strlen(checkpoint);
	struct str s;
	const char *dot;
	char *name;

	while (n > 1 && checkpoint[n - 1] == '/')
		n--;
	s = (struct str){checkpoint, n};
	for (size_t i = n; i-- > 0;) {
		if (s.p[i] == '/') {
			s = str_skip(s, i + 1);
			break;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(doubled); i++) {
		struct str end = str_of(doubled[i]);

		if (str_ends(s, end) && s.n > end.n)
			return strndup(s.p, s.n - end.n);
	}
	dot = s.n ? memrchr(s.p, '.', s.n) : NULL;
	if (dot && dot != s.p)
		return strndup(s.p, (size_t)(dot - s.p));
	return asprintf(&name, "%.*s.mnt", STR_FMT(s)) < 0 ? NULL : name;
}

/* Is the directory `what` path itself or one of the directories above it? */
static bool is_above(const struct stat *what, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st, last = {0};
	bool found = false;

	while (fd >= 0 && fstat(fd, &st) == 0) {
		int up;

		found = st.st_dev == what->st_dev && st.st_ino == what->st_ino;
		if (found || (st.st_dev == last.st_dev && st.st_ino == last.st_ino))
			break;
		last = st;
		up = openat(fd, "..", O_PATH | O_CLOEXEC);
		close(fd);
		fd = up;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Neither may hold the other, and no mount of the same checkpoint may hold the mount point. */
static int check_place(const char *path, const char *checkpoint, struct err *e)
{
	_cleanup_(freep) char *dir = parent_of(checkpoint);
	struct stat at, ckpt;

	if (!dir)
		return err_nomem(e);
	if (stat(path, &at) < 0)
		return err_sys(e, errno, "%s", path);
	if (stat(checkpoint, &ckpt) < 0)
		return err_sys(e, errno, "%s", checkpoint);
	if (is_above(&at, S_ISDIR(ckpt.st_mode) ? checkpoint : dir))
		return err_set(e, ERR_REFUSED,
				"%s lies below the mount point %s, which would hide it: choose "
				"another "
				"mount point",
				checkpoint, path);
	if (S_ISDIR(ckpt.st_mode) && is_above(&ckpt, path))
		return err_set(e, ERR_REFUSED,
				"the mount point %s lies in the checkpoint %s: choose one outside",
				path, checkpoint);
	return 0;
}

static int check_mounts(const char *path, const char *checkpoint, struct err *e)
{
	struct mount_table t;
	const struct mount *m;
	int r;

	r = mount_table_load(&t, e);
	if (r < 0)
		return r;
	m = mount_holding(&t, path);
	if (m && mount_is_ours(m) && strcmp(m->point, path) == 0)
		r = err_set(e, ERR_REFUSED, "%s already shows %s (pthfs umount %s)", path,
				m->source, path);
	else if (m && mount_is_ours(m) && strcmp(m->source, checkpoint) == 0)
		r = err_set(e, ERR_REFUSED, "%s lies in a mount of the same checkpoint, at %s",
				path, m->point);
	mount_table_release(&t);
	return r;
}

static int check_empty(const char *path, struct err *e)
{
	const struct dirent *d;
	int r = 0;
	DIR *dir = opendir(path);

	if (!dir)
		return err_sys(e, errno, "mount point %s", path);
	while (r == 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = err_set(e, ERR_REFUSED,
					"mount point %s is not empty: mounting hides what is in it "
					"(-o "
					"nonempty does it all the same)",
					path);
	closedir(dir);
	return r;
}

/* What answers "transport endpoint is not connected" and is ours has lost its daemon. */
static int clear_stale(const char *path, char **cleared, struct err *e)
{
	struct mount_table t;
	const struct mount *m;
	int r;

	r = mount_table_load(&t, e);
	if (r < 0)
		return r;
	m = mount_at(&t, path);
	if (m && mount_is_ours(m)) {
		*cleared = strdup(m->source);
		r = mount_detach(path, true, e);
	} else {
		r = err_set(e, ERR_SYS, "%s is a dead %s mount: fusermount3 -u -z %s", path,
				m ? m->type : "fuse", path);
	}
	mount_table_release(&t);
	return r;
}

static int make_dir(const char *path, struct mountpoint *m, struct err *e)
{
	if (mkdir(path, 0777) < 0)
		return err_sys(e, errno, "cannot make the mount point %s", path);
	m->path = realpath(path, NULL);
	m->made = true;
	return m->path ? 0 : err_sys(e, errno, "%s", path);
}

static int find_dir(const char *path, struct mountpoint *m, struct err *e)
{
	struct statvfs asked;
	struct stat st;

	m->path = path_resolve(path);
	if (!m->path && errno == ENOENT)
		return make_dir(path, m, e);
	if (!m->path)
		return err_sys(e, errno, "mount point %s", path);
	/* Of a dead mount the kernel still knows the attributes; only a real question tells. */
	for (int tries = 0; statvfs(m->path, &asked) < 0; tries++) {
		if (errno != ENOTCONN || tries == 8)
			return err_sys(e, errno, "mount point %s", path);
		int r = clear_stale(m->path, &m->cleared, e);
		if (r < 0)
			return r;
	}
	if (stat(m->path, &st) < 0)
		return err_sys(e, errno, "mount point %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_REFUSED, "mount point %s is not a directory", path);
	return 0;
}

int mountpoint_prepare(const char *path, const char *checkpoint, bool nonempty,
		struct mountpoint *ret, struct err *e)
{
	struct mountpoint m = {0};
	int r;

	r = find_dir(path, &m, e);
	if (r == 0)
		r = check_mounts(m.path, checkpoint, e);
	if (r == 0)
		r = check_place(m.path, checkpoint, e);
	if (r == 0 && !nonempty && !m.made)
		r = check_empty(m.path, e);
	if (r < 0) {
		mountpoint_remove(&m);
		mountpoint_release(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void mountpoint_remove(const struct mountpoint *m)
{
	if (m->made && m->path && rmdir(m->path) < 0) {
		/* somebody uses it by now, or has removed it: theirs */
	}
}

void mountpoint_release(struct mountpoint *m)
{
	free(m->path);
	free(m->cleared);
	*m = (struct mountpoint){0};
}
