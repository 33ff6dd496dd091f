/* device.c - a card is tried before a mount is made, so that one who asks for it is told at once.
 *
 * A child tries: a driver that was started does not outlive fork(), and the process that mounts has
 * to fork. The one that serves the mount opens the card itself, when a commit needs it.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <pthfs/engine.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void try(const char *name, int out)
{
	struct err e = {0};
	struct engine *g;
	int rc = engine_open(name, &g, NULL, &e);
	if (rc == 0)
		engine_close(g);
	e.code = rc;
	if (write(out, &e, sizeof e) < 0)
		return; /* the parent has gone */
}

/* The child's answer, whole. */
static int answer(int in, const char *name, struct err *e)
{
	struct err said;
	ssize_t n;
	while ((n = read(in, &said, sizeof said)) < 0 && errno == EINTR)
		;
	if (n != sizeof said)
		return err_set(e, ERR_SYS, "-o device=%s: the process that tried it has died", name);
	if (said.code == 0)
		return 0;
	said.text[sizeof said.text - 1] = 0;
	if (e)
		*e = said;
	err_prefix(e, "-o device=%s", name);
	return said.code;
}

int device_check(const char *name, struct err *e)
{
	int ends[2], rc;
	if (!name || strncmp(name, "cuda", 4) != 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	fflush(NULL); /* nothing is printed twice */
	pid_t child = fork();
	if (child == 0) {
		try(name, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	rc = child < 0 ? err_sys(e, errno, "cannot fork") : answer(ends[0], name, e);
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return rc;
}
