/* cmd_umount.c - `pthfs umount MNT...`: take mounts away, and return when they are really gone.
 *
 * umount(8) returns while the daemon still lives: it may hold the checkpoint, and it removes the
 * mount point a moment later. So the daemon is asked for its process number first (FS_IOC_PID on
 * the root), a pidfd is opened, and after the unmount its end is waited for. A child asks, under
 * the user of the mount (FUSE answers nobody else, not even root), so that a daemon that is stuck
 * cannot hold this command up.
 */
#include "cli.h"
#include "holders.h"
#include "mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthfs/cleanup.h>
#include <pthfs/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char umount_help[] =
		"usage: pthfs umount [-lq] MOUNTPOINT|CHECKPOINT ...\n"
		"\n"
		"Takes mounts away and waits until the process that served each has ended. A\n"
		"checkpoint stands for its mount when it has just one. A busy mount stays, and "
		"who\n"
		"holds it is said.\n"
		"\n"
		"  -l, --lazy    detach a busy mount: it ends when nobody uses it any more\n"
		"  -q, --quiet   do not say who holds a busy mount\n"
		"\n"
		"Exit code: 0 gone, 1 busy, 2 error.\n";

enum { ASK_MS = 10 * 1000, WAIT_MS = 60 * 1000, MOST_HOLDERS = 10 };

struct umounting {
	bool lazy, quiet;
};

/* In the child: become who mounted it, ask, tell the parent. */
static void ask(const struct mount *m, int out)
{
	long uid = mount_number(m, "user_id="), gid = mount_number(m, "group_id=");
	uint32_t pid = 0;
	int fd;

	if (geteuid() == 0 && uid > 0 && gid >= 0 &&
			(setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 ||
					setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0))
		return;
	fd = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_PID, &pid) < 0)
		return;
	if (write(out, &pid, sizeof pid) < 0)
		return; /* the parent has gone */
}

static uint32_t daemon_pid(const struct mount *m)
{
	struct pollfd p = {.events = POLLIN};
	uint32_t pid = 0;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	child = fork();
	if (child == 0) {
		ask(m, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	p.fd = ends[0];
	if (child < 0 || poll(&p, 1, ASK_MS) != 1 || read(ends[0], &pid, sizeof pid) != sizeof pid)
		pid = 0;
	close(ends[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return pid;
}

/* A pidfd of the process that serves m, or -1. Its number is its own, in a container maybe
 * another's here: the name has to fit. */
static int daemon_open(const struct mount *m, uint32_t *pid)
{
	char path[64], comm[16] = "";
	int fd;

	*pid = daemon_pid(m);
	if (!*pid)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)*pid, 0);
	snprintf(path, sizeof path, "/proc/%u/comm", *pid);
	_cleanup_(closep) int in = open(path, O_RDONLY | O_CLOEXEC);
	if (in >= 0 && read(in, comm, sizeof comm) > 0 && strncmp(comm, "pthfs\n", 6) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int wait_end(int fd, uint32_t pid, const char *point)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, WAIT_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		return CLI_SAME;
	cli_error("%s is unmounted, but its process %u has not ended after %d s", point, pid,
			WAIT_MS / 1000);
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

/* A process that has just ended may hold its files a moment longer. */
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
	if (!u->lazy)
		fd = daemon_open(m, &pid);
	r = detach(m->point, u->lazy, &e);
	if (r < 0 && err_errno(r, &e) == EBUSY)
		return say_busy(u, m, t);
	if (r < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	return fd < 0 ? CLI_SAME : wait_end(fd, pid, m->point);
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
		if (c != 'l' && c != 'q')
			return cli_bad_option(CLI_ERROR, "umount", argv);
		*(c == 'l' ? &u.lazy : &u.quiet) = true;
	}
	if (optind == argc) {
		cli_error("umount: which mount point? (pthfs umount --help)");
		return CLI_ERROR;
	}
	return umount_all(&u, argv + optind, argc - optind);
}
