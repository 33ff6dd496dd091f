/* lock.c - one editor for each checkpoint, and who it is.
 *
 * An exclusive flock on the checkpoint itself: whatever path leads to the file, and gone when the
 * process dies. (The journal has one too: it is found by name, so it holds from one file to the
 * next that takes the name.) Read-only mounts take none. Where a file system has no locks the
 * journal's exclusive creation has to do.
 */
#include "lock.h"

#include <pthfs/volume.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF" */
pid_t lock_holder(const struct stat *st)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256];
	pid_t found = 0;
	while (f && fgets(line, sizeof line, f) && !found) {
		unsigned major, minor;
		uint64_t ino;
		int pid;
		if (sscanf(line, "%*d: FLOCK %*s WRITE %d %x:%x:%" SCNu64, &pid, &major, &minor, &ino) == 4 &&
				ino == st->st_ino && major == major(st->st_dev) && minor == minor(st->st_dev))
			found = pid;
	}
	if (f)
		fclose(f);
	return found;
}

/* The process that took the lock may be gone, and its child have it. */
bool volume_is_edited(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && lock_holder(&st) != 0;
}

bool lock_is_alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

int lock_take(const char *path, int *ret, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0)
		return err_sys(e, errno, "cannot open it");
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
		*ret = fd;
		return 0;
	}
	pid_t pid = fstat(fd, &st) == 0 ? lock_holder(&st) : 0;
	close(fd);
	if (lock_is_alive(pid))
		return err_set(e, ERR_REFUSED, "it is being edited already, by process %d: unmount it there "
					       "first (read-only mounts are free)", (int)pid);
	return err_set(e, ERR_REFUSED, "it is being edited already (pthfs status tells where): unmount it "
				       "there first, or wait until what was unmounted is committed "
				       "(read-only mounts are free)");
}
