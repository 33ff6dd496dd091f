/* end.c - how a mount with rw ends: nothing that was written may be lost on the way.
 *
 *	unmount   the kernel writes what mappings hold, then the loop ends by itself
 *	signal    a thread of ours makes the kernel write it, then ends the loop:
 *
 *	signal ──> sigwait ──> syncfs, inval ──> fuse_session_exit, SIGUSR1 ──> loop ends
 *	                           │ WRITE                                         │
 *	                           └──────> served by the loop <───────────────────┘ still
 *
 *	then      the mount is taken away, files are closed, the volume is committed (mount.c)
 *
 * The signals are blocked in every thread and taken by sigwait, so that a second one does nothing:
 * not in between, and not in the commit. SIGUSR1 with an empty handler is what makes libfuse look
 * whether it is to end: it interrupts the semaphore, or with one thread the read, that it waits in.
 *
 * This thread may touch the mount, which is served by others. syncfs writes much at once, but waits
 * for nothing in some kernels, and needs the mount point; the invalidation of a file returns when
 * its pages were written, wherever the mount is by now.
 */
#include "in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void nothing(int sig)
{
}

/* Only of our own mount: another one may lie over it. */
static void sync_mount(const char *mnt)
{
	uint32_t pid = 0;
	int fd = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (ioctl(fd, FS_IOC_PID, &pid) == 0 && pid == (uint32_t)getpid())
		syncfs(fd);
	close(fd);
}

static void write_mappings(const struct ending *end)
{
	uint64_t *inos;
	size_t n;

	sync_mount(end->fs->mnt);
	inos = fs_written(end->fs, &n);
	for (size_t i = 0; i < n; i++)
		fuse_lowlevel_notify_inval_inode(end->se, inos[i], 0, 0);
	free(inos);
}

static void *listen_to_signals(void *ctx)
{
	struct ending *end = ctx;
	int sig;

	do
		sigwait(&end->signals, &sig);
	while (sig == SIGUSR1 && !end->over);
	if (end->over)
		return NULL;
	write_mappings(end);
	fuse_session_exit(end->se);
	while (!end->over) { /* it may come just before they begin to wait */
		pthread_kill(end->loop, SIGUSR1);
		nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
	}
	return NULL;
}

/* Ignored ones stay so: nohup, a shell's &. */
static void wanted_signals(sigset_t *set)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction now;

	sigemptyset(set);
	for (size_t i = 0; i < 3; i++)
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(set, ends[i]);
}

int fs_end_listen(struct ending *end, struct fs *fs, struct fuse_session *se, struct err *e)
{
	struct sigaction wake = {.sa_handler = nothing}; /* without SA_RESTART */
	sigset_t all, before;
	int r;

	*end = (struct ending){.fs = fs, .se = se, .loop = pthread_self()};
	wanted_signals(&end->signals);
	pthread_sigmask(SIG_BLOCK, &end->signals, NULL);
	sigaddset(&end->signals, SIGUSR1);
	sigaction(SIGUSR1, &wake, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&end->thread, NULL, listen_to_signals, end);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r ? err_sys(e, r, "cannot start a thread for signals") : 0;
}

void fs_end_over(struct ending *end)
{
	end->over = true;
	pthread_kill(end->thread, SIGUSR1);
	pthread_join(end->thread, NULL);
}

struct progress {
	const struct fs_opts *o;
	time_t last;
};

static void progress(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;

	if ((p->o->foreground || p->o->debug) && !p->o->quiet)
		fs_say_progress(&p->last, done, total);
}

static void log_result(struct volume *v, const struct commit_result *res)
{
	if (res->edits)
		log_add(volume_log(v), "committed %llu edit%s to %s: %s written (%s)",
				(unsigned long long)res->edits, res->edits == 1 ? "" : "s",
				STR_SHOW(str_of(volume_path(v))), STR_SIZE(res->written), res->way);
}

/* In the foreground who called fs_serve() says the error, in the background nobody else does. */
int fs_end_commit(struct fs *fs, struct err *e)
{
	struct progress p = {.o = fs->o};
	struct commit_opts o = {.unmounting = true, .progress = progress, .ctx = &p};
	struct commit_result res = {0};
	int r;

	if (!volume_editing(fs->v))
		return 0;
	r = volume_commit(fs->v, &o, &res, e);
	fs_say_progress_over(&p.last);
	if (r == 0) {
		log_result(fs->v, &res);
		return 0;
	}
	err_prefix(e, "cannot commit %s, the edits stay in its journal",
			STR_SHOW(str_of(volume_path(fs->v))));
	if (!fs->o->foreground && !fs->o->debug)
		log_add(volume_log(fs->v), "%s", e->text);
	return r;
}
