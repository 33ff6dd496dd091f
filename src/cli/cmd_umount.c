/* cmd_umount.c - `pthfs umount MNT...`: take mounts away, and return when they are really gone.
 *
 * umount(8) returns while the daemon still lives: it may hold the checkpoint, and it removes the
 * mount point a moment later. So the daemon is asked for its process number first, a pidfd is
 * opened, and after the unmount its end is waited for.
 *
 *	read-write:  clean? held? -> commit (or revert) -> unmount -> wait -> is a journal left?
 *
 * The commit comes before the unmount, since a mount that is there can say why it failed, and be
 * given room. What is edited between the two is committed by the daemon at its end.
 */
#include "cli.h"
#include "control.h"
#include "holders.h"
#include "mountinfo.h"
#include "server.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthfs/cleanup.h>
#include <pthfs/volume.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char umount_help[] =
		"usage: pthfs umount [-lq] [--discard] MOUNTPOINT|CHECKPOINT ...\n"
		"\n"
		"Takes mounts away and waits until the process that served each has ended. A\n"
		"checkpoint stands for its mount when it has just one. A busy mount stays, and who\n"
		"holds it is said. The edits of a mount with -o rw are committed first; when that\n"
		"fails, the mount stays, and nothing is lost.\n"
		"\n"
		"      --discard drop the edits instead\n"
		"  -l, --lazy    detach a busy mount: it ends, and commits, when nobody uses it any\n"
		"                more\n"
		"  -q, --quiet   do not say who holds a busy mount\n"
		"\n"
		"Exit code: 0 gone, 1 busy, 2 error.\n";

enum { WAIT_MS = 60 * 1000, MOST_HOLDERS = 10 };

struct umounting {
	bool lazy, quiet, discard;
};

/* One that was read-write may still write gigabytes, of edits that came late. */
static int wait_end(int fd, uint32_t pid, const struct mount *m)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, WAIT_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		return CLI_SAME;
	cli_error("%s is unmounted, but its process %u has not ended after %d s%s", m->point, pid,
			WAIT_MS / 1000, mount_is_rw(m) ? ": waiting for its commit" : "");
	while (mount_is_rw(m) && (r = poll(&p, 1, -1)) < 0 && errno == EINTR)
		;
	return r > 0 ? CLI_SAME : CLI_ERROR;
}

/* Edits that neither we nor the daemon could commit are in the journal. Where the checkpoint is not
 * to be found (-o fsname=) nothing can be said. */
static int check_journal(const struct mount *m)
{
	struct err e = {0};
	struct buf said;
	bool clean = true;

	buf_init(&said, 64 << 20);
	if (volume_status_of(m->source, false, &said, &clean, &e) < 0)
		clean = true;
	buf_release(&said);
	if (clean)
		return CLI_SAME;
	cli_error("%s: edits were not committed and are left in its journal: pthfs commit %s tries "
		  "again, pthfs revert %s drops them",
			m->source, m->source, m->source);
	return CLI_ERROR;
}

static int say_busy(const struct umounting *u, const struct mount *m, const struct mount_table *t)
{
	cli_error("%s is busy and stays mounted", m->point);
	if (u->quiet)
		return CLI_DIFFERENT;
	for (size_t i = 0; i < t->n; i++)
		if (t->at[i].parent == m->id)
			fprintf(stderr, "  %s is mounted in it\n", t->at[i].point);
	holders_print(m, stderr, MOST_HOLDERS);
	fprintf(stderr, "  pthfs umount --lazy %s detaches it all the same\n", m->point);
	return CLI_DIFFERENT;
}

/* Before anything is written: a busy mount stays, with its edits. A process that has just ended may
 * hold its files a moment longer. */
static bool is_held(const struct mount *m, const struct mount_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->at[i].parent == m->id)
			return true;
	for (int tries = 0; tries < 10; tries++) {
		if (holders_print(m, stderr, 0) == 0)
			return false;
		usleep(20 * 1000);
	}
	return true;
}

/* The edits of a mount that is to go. CLI_SAME: unmount it. */
static int settle(const struct umounting *u, const struct mount *m, const struct mount_table *t)
{
	struct control c = {
			.file = ".pthfs/commit",
			.word = "commit\n",
			.doing = "committing",
			.advice = "the mount is still there, with its edits: put that right and try "
				  "again, or drop them with --discard",
			.if_dirty = true,
	};
	int code;

	if (!mount_is_rw(m) || (u->lazy && !u->discard))
		return CLI_SAME;
	if (!u->lazy && control_is_clean(m))
		return CLI_SAME; /* without a look at every file of every process */
	if (!u->lazy && is_held(m, t))
		return say_busy(u, m, t);
	if (u->discard) {
		c.file = ".pthfs/revert";
		c.word = "revert\n";
		c.doing = "reverting";
		c.advice = "the mount is still there";
	}
	code = control_mount(m, &c);
	return code == CLI_DIFFERENT ? CLI_SAME : code; /* its process has ended: the journal tells */
}

/* As above. */
static int detach(const char *point, bool lazy, struct err *e)
{
	int r = 0;

	for (int tries = 0; tries < 10; tries++) {
		r = mount_detach(point, lazy, e);
		if (r == 0 || err_errno(r, e) != EBUSY)
			return r;
		usleep(20 * 1000);
	}
	return r;
}

static int umount_one(const struct umounting *u, const struct mount *m, const struct mount_table *t)
{
	_cleanup_(closep) int fd = -1;
	struct err e = {0};
	uint32_t pid = 0;
	int r;

	if (geteuid() != 0 && mount_number(m, "user_id=") != (long)geteuid()) {
		cli_error("%s was mounted by user %ld: only they and root can unmount it", m->point,
				mount_number(m, "user_id="));
		return CLI_ERROR;
	}
	r = settle(u, m, t);
	if (r != CLI_SAME)
		return r;
	if (!u->lazy)
		fd = server_open(m, &pid);
	r = detach(m->point, u->lazy, &e);
	if (r < 0 && err_errno(r, &e) == EBUSY)
		return say_busy(u, m, t);
	if (r < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	r = fd < 0 ? CLI_SAME : wait_end(fd, pid, m);
	return r == CLI_SAME && mount_is_rw(m) && !u->lazy ? check_journal(m) : r;
}

/* The path is no mount point: it may be a checkpoint with a mount. */
static const struct mount *by_checkpoint(
		const struct mount_table *t, const char *path, unsigned int *count)
{
	const struct mount *found = NULL;

	*count = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (mount_is_ours(&t->at[i]) && strcmp(t->at[i].source, path) == 0) {
			found = &t->at[i];
			++*count;
		}
	}
	return found;
}

static int say_not_ours(const struct mount_table *t, const char *arg, const char *path)
{
	const struct mount *m = mount_at(t, path);
	struct stat st;

	if (m)
		cli_error("%s is a mount of type %s (%s), not ours: use umount", arg, m->type,
				m->source);
	else if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		cli_error("%s is not mounted anywhere", arg);
	else if ((m = mount_holding(t, path)) != NULL && mount_is_ours(m))
		cli_error("%s is not a mount point; it lies in the mount at %s", arg, m->point);
	else
		cli_error("%s is not a mount point", arg);
	return CLI_ERROR;
}

static int umount_path(const struct umounting *u, const struct mount_table *t, const char *arg,
		const char *path)
{
	const struct mount *m = mount_at(t, path);
	unsigned int count;

	if (m && mount_is_ours(m))
		return umount_one(u, m, t);
	m = m ? NULL : by_checkpoint(t, path, &count);
	if (!m)
		return say_not_ours(t, arg, path);
	if (count == 1)
		return umount_one(u, m, t);
	cli_error("%s is mounted %u times; say which mount point:", arg, count);
	for (size_t i = 0; i < t->n; i++)
		if (mount_is_ours(&t->at[i]) && strcmp(t->at[i].source, path) == 0)
			fprintf(stderr, "  %s\n", t->at[i].point);
	return CLI_ERROR;
}

static int umount_arg(const struct umounting *u, const char *arg, const char *path)
{
	struct mount_table t;
	struct err e = {0};
	int r;

	if (mount_table_load(&t, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	r = umount_path(u, &t, arg, path);
	mount_table_release(&t);
	return r;
}

/* All paths are found first: then the working directory is left, which may be what keeps the mount
 * busy. */
static int umount_all(const struct umounting *u, char **args, int n)
{
	char **paths = calloc((size_t)n, sizeof *paths);
	int code = CLI_SAME, r;

	if (!paths) {
		cli_error("out of memory");
		return CLI_ERROR;
	}
	for (int i = 0; i < n; i++) {
		paths[i] = path_resolve(args[i]);
		if (!paths[i]) {
			cli_error("%s: %s", args[i], strerror(errno));
			code = CLI_ERROR;
		}
	}
	if (chdir("/") < 0) {
		/* then it is busy, and that is said */
	}
	for (int i = 0; i < n; i++) {
		if (paths[i] && (r = umount_arg(u, args[i], paths[i])) > code)
			code = r;
		free(paths[i]);
	}
	free(paths);
	return code;
}

int cmd_umount(int argc, char **argv)
{
	static const struct option longs[] = {
			{"lazy", no_argument, NULL, 'l'},
			{"quiet", no_argument, NULL, 'q'},
			{"discard", no_argument, NULL, 'D'},
			{"help", no_argument, NULL, 'h'},
			{NULL, 0, NULL, 0},
	};
	struct umounting u = {0};
	int c;

	while ((c = getopt_long(argc, argv, "lqh", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(umount_help, stdout);
			return cli_finish(CLI_SAME);
		}
		if (c == '?')
			return cli_bad_option(CLI_ERROR, "umount", argv);
		*(c == 'l' ? &u.lazy : c == 'q' ? &u.quiet : &u.discard) = true;
	}
	if (optind == argc) {
		cli_error("umount: which mount point? (pthfs umount --help)");
		return CLI_ERROR;
	}
	return umount_all(&u, argv + optind, argc - optind);
}
