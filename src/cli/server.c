/* server.c - asking a mount, as the one user whom FUSE lets in.
 *
 * The daemon tells its process number by an ioctl on the root. A child asks, so that a daemon that
 * is stuck cannot hold the command up, and so that the command itself keeps its user.
 */
#include "server.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthfs/cleanup.h>
#include <pthfs/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK_MS = 10 * 1000 };

/* In a child only. false: it could not be done. */
static bool become_user(const struct mount *m)
{
	long uid = mount_number(m, "user_id="), gid = mount_number(m, "group_id=");
	if (geteuid() != 0 || uid <= 0 || gid < 0)
		return true;
	return setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) == 0 &&
	       setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) == 0;
}

/* In the child: ask, tell the parent. */
static void ask(const struct mount *m, int out)
{
	uint32_t pid = 0;
	if (!become_user(m))
		return;
	int fd = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_PID, &pid) < 0)
		return;
	if (write(out, &pid, sizeof pid) < 0)
		return; /* the parent has gone */
}

uint32_t server_pid(const struct mount *m)
{
	struct pollfd p = {.events = POLLIN};
	uint32_t pid = 0;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	pid_t child = fork();
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

/* The number is the daemon's own, in a container maybe another's here: the name has to fit. */
int server_open(const struct mount *m, uint32_t *pid)
{
	char path[64], comm[16] = "";
	*pid = server_pid(m);
	if (!*pid)
		return -1;
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)*pid, 0);
	snprintf(path, sizeof path, "/proc/%u/comm", *pid);
	_cleanup_(closep) int in = open(path, O_RDONLY | O_CLOEXEC);
	if (in >= 0 && read(in, comm, sizeof comm) > 0 && strncmp(comm, "pthfs\n", 6) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int server_run(const struct mount *m, int (*fn)(const struct mount *m, void *ctx), void *ctx)
{
	int status;
	fflush(NULL); /* nothing is printed twice */
	pid_t child = fork();
	if (child == 0) {
		int code = CLI_ERROR;
		if (become_user(m))
			code = fn(m, ctx);
		else
			cli_error("%s: cannot become user %ld, who mounted it", m->point,
					mount_number(m, "user_id="));
		if (fflush(NULL) < 0 && code == CLI_SAME)
			code = CLI_ERROR;
		_exit(code);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		cli_error("cannot start a process: %s", strerror(errno));
		return CLI_ERROR;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_ERROR;
}

int server_read(const struct mount *m, const char *name, struct buf *out, struct err *e)
{
	_cleanup_(freep) char *path = NULL;
	char part[4096];
	ssize_t n;
	if (asprintf(&path, "%s/%s", m->point, name) < 0)
		return err_nomem(e);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	while ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_put(out, part, (size_t)n);
	if (n < 0)
		return err_sys(e, errno, "%s", path);
	return out->failed ? err_nomem(e) : 0;
}
