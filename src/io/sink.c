/* sink.c - the protocol: a new file beside the old one, complete and synced, takes its name.
 *
 *	check   the path is what the caller saw      -> nothing happened yet
 *	create  .NAME.pthfs-XXXXXX, locked
 *	clone   where blocks can be shared and something stays where it is
 *	room    is there enough                      -> up to here nothing was written
 *	fill    bytes, then attributes
 *	fsync   the file                             -> never twice; any failure throws it away
 *	ready   the caller notes what is coming (its journal)
 *	check   again
 *	rename  ------------------------------------ from here on it is the new file
 *	fsync   the folder                           -> from here on also after a power loss
 *
 * Between the second check and the rename is a gap of microseconds in which somebody else's
 * writing is lost; there is no call that compares and renames. Nothing is preallocated: a copy
 * would no longer be sparse, and what lacks room says so at the first write.
 */
#include <pthfs/sink.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

#include <pthfs/cleanup.h>
#include <pthfs/str.h>
#include <pthfs/sys.h>

#include "plan_in.h"
#include "sink_in.h"

#define AGAIN "nothing was written; open it again and repeat the change, or write to another file"

/* How the file differs from the one expected, in words; NULL when it does not. */
static const char *difference(const struct stat *now, const struct stat *was)
{
	if (now->st_dev != was->st_dev || now->st_ino != was->st_ino)
		return "another file has taken its place";
	if (now->st_size != was->st_size)
		return "its size has changed";
	if (now->st_mtim.tv_sec != was->st_mtim.tv_sec ||
			now->st_mtim.tv_nsec != was->st_mtim.tv_nsec)
		return "it has been written to";
	return NULL;
}

static int check_same(const struct stat *now, const struct stat *was, struct err *e)
{
	const char *how = difference(now, was);

	if (how)
		return err_set(e, ERR_REFUSED, "was changed by somebody else, %s: " AGAIN, how);
	return 0;
}

static int check(const struct sink *s, const struct stat *expect, struct err *e)
{
	struct stat now;
	int there = fstatat(s->dir, s->base, &now, AT_SYMLINK_NOFOLLOW);

	if (there < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot look at the file that is to be replaced");
	if (!expect)
		return there < 0 ? 0
				 : err_set(e, ERR_REFUSED,
					 "is there already; remove it first, or choose another name");
	if (there < 0)
		return err_set(e, ERR_REFUSED, "is gone since it was opened: " AGAIN);
	if (!S_ISREG(now.st_mode))
		return err_set(e, ERR_REFUSED, "is no regular file (any more): " AGAIN);
	return check_same(&now, expect, e);
}

/* The file that attributes come from, and blocks when it has any to share. */
static int open_old(struct sink *s, const struct sink_opts *o, struct err *e)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	if (o->expect)
		s->old = openat(s->dir, s->base, flags | O_NOFOLLOW);
	else if (o->like)
		s->old = open(o->like, flags);
	else
		return 0;
	if (s->old < 0)
		return err_sys(e, errno, "cannot open %s to keep its owner and mode",
			o->expect ? "the old file" : o->like);
	if (fstat(s->old, &s->old_st) < 0)
		return err_sys(e, errno, "cannot look at the old file");
	return o->expect ? check_same(&s->old_st, o->expect, e) : 0;
}

/* What does not lie at its place in `old` yet and surely takes room: a sparse file may take less
 * than its runs say. */
static uint64_t need(const struct plan *p, const struct stat *old)
{
	struct in_place test = {.old = old, .fd = -1};
	uint64_t at = 0, sum = 0, off;
	const struct extent *x;
	struct stat st;
	int fd;

	for (size_t i = 0; i < p->at.n; at += p->at.at[i++].len) {
		x = &p->at.at[i];
		if (in_place_test(&test, x, at))
			continue;
		fd = source_raw(x->src, x->off, x->len, &off);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_blocks >= st.st_size / 512)
			sum += x->len;
	}
	return sum;
}

/* Shares all blocks of the old file when some of them can stay. Where that does not work it is
 * copied; XFS says ENOSPC long before a copy would have to, and leaves what it had shared. */
static int try_clone(struct sink *s, const struct plan *p, struct err *e)
{
	struct in_place test = {.old = &s->old_st, .fd = -1};
	uint64_t at = 0;
	size_t i = 0;
	int r;

	if (s->old < 0 || !S_ISREG(s->old_st.st_mode))
		return 0;
	while (i < p->at.n && !in_place_test(&test, &p->at.at[i], at))
		at += p->at.at[i++].len;
	if (i == p->at.n)
		return 0;
	do
		r = sys_clone(s->fd, s->old);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		s->way = SINK_CLONE;
	else if (errno == EIO || ((errno == ENOSPC || errno == EDQUOT) && sys_truncate(s->fd, 0)))
		return err_sys(e, errno, "cannot share the blocks of the old file in %s",
			s->dir_name);
	return 0;
}

static int check_room(const struct sink *s, const struct plan *p, struct err *e)
{
	uint64_t wanted = need(p, s->way == SINK_CLONE ? &s->old_st : NULL), left;
	struct statvfs v;

	/* f_blocks is 0 where the file system does not know. */
	if (fstatvfs(s->dir, &v) < 0 || v.f_blocks == 0)
		return 0;
	left = (geteuid() == 0 ? v.f_bfree : v.f_bavail) * (uint64_t)v.f_frsize;
	if (wanted <= left)
		return 0;
	return err_sys(e, ENOSPC,
		"%s are needed beside the old file in %s and %s are free; nothing was written, "
		"free some space and try again",
		STR_SIZE(wanted), s->dir_name, STR_SIZE(left));
}

static int take_name(struct sink *s, bool replace, struct err *e)
{
	int r;

	do
		r = sys_rename(s->dir, s->temp, s->base, replace ? 0 : RENAME_NOREPLACE);
	while (r < 0 && errno == EINTR);
	/* Some file systems cannot do it in one step; that it is not there was checked just now. */
	if (r < 0 && !replace && (errno == EINVAL || errno == ENOSYS))
		r = sys_rename(s->dir, s->temp, s->base, 0);
	if (r < 0 && errno == EEXIST)
		return check(s, NULL, e);
	if (r < 0)
		return err_sys(e, errno, "cannot give the new file its name in %s", s->dir_name);
	s->temp[0] = 0;
	return 0;
}

static int sync_folder(const struct sink *s, struct err *e)
{
	if (sys_fsync(s->dir) == 0)
		return 0;
	/* File systems whose folders cannot be synced write names in order or not at all. */
	if (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	return err_sys(e, errno,
		"the new file is in place, but %s could not be synced: after a power loss it may "
		"be the old one again",
		s->dir_name);
}

/* The temporary is complete: sync it, and give it the name. */
static int finish(struct sink *s, const struct sink_opts *o, struct sink_result *now, struct err *e)
{
	int r;

	if (sys_fsync(s->fd) < 0)
		return err_sys(e, errno,
			"the new file could not be synced to the disk in %s and was thrown away; "
			"the old one is as it was",
			s->dir_name);
	if (fstat(s->fd, &now->now) < 0)
		return err_sys(e, errno, "cannot look at the new file");
	r = o->ready ? o->ready(o->ctx, &now->now, e) : 0;
	if (r == 0)
		r = check(s, o->expect, e);
	if (r == 0)
		r = take_name(s, o->expect, e);
	return r < 0 ? r : sync_folder(s, e);
}

static int replace(struct sink *s, const char *path, const struct plan *p,
		const struct sink_opts *o, struct sink_result *now, struct err *e)
{
	int r = sink_find(s, path, e);

	if (r == 0)
		r = check(s, o->expect, e);
	if (r == 0)
		r = open_old(s, o, e);
	if (r == 0)
		r = sink_create_temp(s, e);
	if (r == 0)
		r = try_clone(s, p, e);
	if (r == 0)
		r = check_room(s, p, e);
	if (r == 0)
		r = sink_fill(s, p, o, e);
	if (r == 0)
		r = sink_copy_attrs(s, e);
	return r < 0 ? r : finish(s, o, now, e);
}

int sink_replace(const char *path, const struct plan *p, const struct sink_opts *o,
		struct sink_result *ret, struct err *e)
{
	struct sink s = {.dir = -1, .fd = -1, .old = -1, .way = SINK_COPY};
	struct sink_result now = {0};
	int r = replace(&s, path, p, o, &now, e);

	if (s.temp[0])
		sys_unlink(s.dir, s.temp);
	if (s.fd >= 0)
		sys_close(s.fd); /* gives the lock back; what it says no longer matters */
	closep(&s.old);
	closep(&s.dir);
	if (r < 0)
		return r;
	now.way = s.way;
	now.written = s.written;
	*ret = now;
	return 0;
}
