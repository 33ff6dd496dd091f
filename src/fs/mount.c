/* mount.c - from a volume to a mount that answers, and to its end.
 *
 *	parent: session, mount ──fork──> wait for the child's byte, look at the mount, return
 *	child:                      └──> setsid, signals, loop (init writes the byte), unmount,
 *	                                 with rw commit
 *
 * The mount is made before the fork, so that its errors reach the terminal in the ordinary way.
 * When the child dies before its first answer, the parent takes the mount away again. The parent
 * touches the mount only after the child's byte; what serves requests never touches it.
 *
 * At the end the mount goes before the files are closed and committed, so that nobody edits what
 * would not be in the checkpoint any more.
 */
#include "in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* "a,b\c" as one value of -o: libfuse splits at commas that have no backslash before them. */
static void put_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == ',' || *s == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *s);
	}
}

static bool names_option(const char *opts, const char *name)
{
	const char *p = opts;

	while (p && (p = strstr(p, name)) != NULL) {
		if (p == opts || (p[-1] == ',' && (p - opts < 2 || p[-2] != '\\')))
			return true;
		p++;
	}
	return false;
}

static int session_new(struct fs *fs, struct fuse_session **ret, struct err *e)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	const char *extra = fs->o->fuse_opts;
	const struct fuse_lowlevel_ops ops = fs_ops(fs->o->rw);
	struct buf opts;
	struct fuse_session *se = NULL;

	buf_init(&opts, 1 << 16);
	buf_puts(&opts, fs->o->rw ? "rw,default_permissions" : "ro,default_permissions");
	if (!names_option(extra, "subtype="))
		buf_puts(&opts, ",subtype=pthfs");
	if (!names_option(extra, "fsname=")) {
		buf_puts(&opts, ",fsname=");
		put_escaped(&opts, volume_path(fs->v));
	}
	if (extra && *extra) {
		buf_putc(&opts, ',');
		buf_puts(&opts, extra);
	}
	if (fs->o->max_read)
		buf_printf(&opts, ",max_read=%u", fs->o->max_read);
	buf_putc(&opts, '\0');
	fs_log_catch();
	if (opts.failed) {
		buf_release(&opts);
		return err_nomem(e);
	}
	if (fuse_opt_add_arg(&args, "pthfs") == 0 &&
			fuse_opt_add_arg(&args, "-o") == 0 &&
			fuse_opt_add_arg(&args, opts.p) == 0 &&
			(!fs->o->debug || fuse_opt_add_arg(&args, "-d") == 0))
		se = fuse_session_new(&args, &ops, sizeof ops, fs);
	fuse_opt_free_args(&args);
	buf_release(&opts);
	if (!se)
		return err_set(e, ERR_USAGE, "%s",
				*fs_log_caught() ? fs_log_caught() : "libfuse refuses the options");
	*ret = se;
	return 0;
}

static int mount_it(struct fuse_session *se, const char *mnt, struct err *e)
{
	char line[300];
	const char *why = line;
	int saved, fd, r;

	fd = fs_stderr_aside(&saved);
	r = fuse_session_mount(se, mnt);
	fs_stderr_back(fd, saved, line, sizeof line);
	if (r == 0)
		return 0;
	if (!*why)
		why = *fs_log_caught() ? fs_log_caught() : "libfuse does not say why";
	err_set(e, ERR_SYS, "cannot mount at %s: %s%s", mnt, why,
			strstr(why, "not permitted") ? " (a container needs --device /dev/fuse "
						       "--cap-add SYS_ADMIN)"
						     : "");
	return ERR_SYS;
}

/* A daemon listens to all three even when its parent had them ignored (nohup, a shell's &). */
static void default_signals(void)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

static void *sleep_on(void *ctx)
{
	pause();
	return ctx;
}

/* libfuse ends its threads by pthread_cancel(), and the C library fetches a library for the first of
 * those, or aborts: in a sandbox, and where memory has run out. So it is done while all is well. */
static void cancel_once(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, sleep_on, NULL) == 0) {
		pthread_cancel(t);
		pthread_join(t, NULL);
	}
}

/* Writers wait for a commit, readers do not: some threads more than libfuse's 10. */
#define RW_THREADS 16

static int loop(const struct fs_opts *o, struct fuse_session *se)
{
	struct fuse_loop_config *cfg;
	int r;

	if (o->single)
		return fuse_session_loop(se);
	cancel_once();
	cfg = fuse_loop_cfg_create();
	if (!cfg)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(cfg, o->clone_fd);
	if (o->max_threads)
		fuse_loop_cfg_set_max_threads(cfg, o->max_threads);
	else if (o->rw)
		fuse_loop_cfg_set_max_threads(cfg, RW_THREADS);
	if (o->max_idle_threads)
		fuse_loop_cfg_set_idle_threads(cfg, o->max_idle_threads);
	r = fuse_session_loop_mt(se, cfg);
	fuse_loop_cfg_destroy(cfg);
	return r;
}

/* -1 is no errno: libfuse has said why by itself. */
static int ended_badly(int r, struct err *e)
{
	return r == -1 ? err_set(e, ERR_SYS, "the mount ended by an error of libfuse")
		       : err_sys(e, -r, "the mount ended by an error");
}

/* A positive end of the loop is the signal that ended it: as good an end as an unmount. */
static int serve_ro(struct fs *fs, struct fuse_session *se, struct err *e)
{
	int r;

	if (fuse_set_signal_handlers(se) != 0)
		return err_sys(e, errno, "cannot listen to signals");
	r = loop(fs->o, se);
	fuse_remove_signal_handlers(se);
	return r < 0 ? ended_badly(r, e) : 0;
}

static int serve_rw(struct fs *fs, struct fuse_session *se, struct err *e)
{
	struct ending end;
	int r;

	r = fs_end_listen(&end, fs, se, e);
	if (r < 0)
		return r;
	r = loop(fs->o, se);
	fs_end_over(&end);
	return r < 0 ? ended_badly(r, e) : 0;
}

/* libfuse leaves a mount alone whose connection was cut (abort): it would be there, dead. */
static void take_away(struct fuse_session *se, const char *mnt)
{
	struct stat st;

	fuse_session_unmount(se);
	if (stat(mnt, &st) < 0 && errno == ENOTCONN && umount2(mnt, MNT_DETACH) < 0)
		return; /* not root: the next mount there clears it */
}

/* r: how the loop ended. What it says is not the last word. */
static int end_commit(struct fs *fs, int r, struct err *e)
{
	struct err why = {0};
	int committed = fs_end_commit(fs, &why);

	if (committed < 0 && e)
		*e = why;
	else if (r < 0)
		err_prefix(e, "the edits are in the checkpoint, but");
	return committed;
}

static int serve(struct fs *fs, struct fuse_session *se, struct err *e)
{
	int r, committed = 0;

	prctl(PR_SET_NAME, "pthfs"); /* also when it was called as mount.fuse.pthfs */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fs_log_to(fs->v, fs->o);
	r = fs->o->rw ? serve_rw(fs, se, e) : serve_ro(fs, se, e);
	take_away(se, fs->mnt);
	fs_release_all(fs);
	if (fs->o->rw && fs->answered)
		committed = end_commit(fs, r, e);
	return committed < 0 ? committed : r;
}

/* The child's byte, then an answer of the mount itself. */
static int wait_ready(int fd, pid_t child, const char *mnt, struct err *e)
{
	struct statvfs st; /* always asked for, unlike what stat() tells */
	ssize_t n;
	char byte;

	while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
		;
	if (n == 1 && statvfs(mnt, &st) == 0)
		return 0;
	if (n == 1 && errno != ENOTCONN)
		return err_sys(e, errno, "%s is mounted and does not answer", mnt);
	waitpid(child, NULL, 0);
	return err_set(e, ERR_SYS, "the process that serves %s died before its first answer", mnt);
}

static void become_daemon(void)
{
	setsid();
	default_signals();
	if (chdir("/") < 0) {
		/* it would only keep some directory busy */
	}
}

static int serve_behind(struct fs *fs, struct fuse_session *se, const char *mnt, enum fs_side *side,
		struct err *e)
{
	int ends[2], r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	child = fork();
	if (child < 0)
		return err_sys(e, errno, "cannot fork");
	if (child == 0) {
		close(ends[0]);
		fs->ready_fd = ends[1];
		become_daemon();
		*side = FS_SERVED;
		return serve(fs, se, e);
	}
	close(ends[1]);
	r = wait_ready(ends[0], child, mnt, e);
	close(ends[0]);
	*side = FS_PARENT;
	if (r == 0 && fs->o->ready)
		fs->o->ready(fs->o->ready_ctx);
	return r;
}

/* libfuse has no way to forget a mount without taking it away: the parent, which is about to end,
 * keeps it. (volatile: nobody reads it but a leak checker.) */
static struct fuse_session *volatile parents_session;

static double timeout_of(double wish, bool rw)
{
	return wish >= 0 ? wish : rw ? 0 : FS_FOREVER;
}

int fs_serve(struct volume *v, const char *mnt, const struct fs_opts *o, enum fs_side *side,
		struct err *e)
{
	struct fs fs = {
			.v = v,
			.o = o,
			.mnt = mnt,
			.entry_timeout = timeout_of(o->entry_timeout, o->rw),
			.attr_timeout = timeout_of(o->attr_timeout, o->rw),
			.negative_timeout = timeout_of(o->negative_timeout, o->rw),
			.ready_fd = -1,
			.open_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	struct fuse_session *se = NULL;
	int r;

	*side = FS_PARENT;
	r = session_new(&fs, &se, e);
	if (r < 0)
		return r;
	r = mount_it(se, mnt, e);
	if (r == 0) {
		fs_raise_readahead(mnt);
		if (o->foreground || o->debug) {
			*side = FS_SERVED;
			r = serve(&fs, se, e);
		} else {
			r = serve_behind(&fs, se, mnt, side, e);
		}
		if (r < 0 || *side == FS_SERVED)
			fuse_session_unmount(se);
	}
	if (r == 0 && *side == FS_PARENT)
		parents_session = se;
	else
		fuse_session_destroy(se);
	return r;
}
