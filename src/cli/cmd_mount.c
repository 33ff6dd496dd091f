/* cmd_mount.c - `pthfs [mount] [-o ...] CHECKPOINT [MOUNTPOINT]`, and the helper of mount(8).
 *
 * The order matters: what costs nothing and fails most is looked at first (/dev/fuse, a card that
 * was asked for), then the
 * checkpoint is read, and only for one that can be shown is a directory made. Everything up to
 * the first answer of the mount happens with the terminal still there.
 */
#include "cli.h"
#include "oneshot.h"
#include "device.h"
#include "mountpoint.h"
#include "opts.h"
#include "wait_editor.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthfs/cleanup.h>
#include <pthfs/fs.h>
#include <pthfs/volume.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct mounting {
	struct mount_opts o;
	struct volume *v;
	struct mountpoint at;
	const char *shown; /* the mount point as the user calls it */
	bool silent;       /* mount(8) speaks for itself */
};

static bool have_fusermount(void)
{
	const char *path = getenv("PATH");
	_cleanup_(freep) char *dirs = strdup(path ? path : "");
	char *rest = dirs, *dir;
	char name[PATH_MAX];

	if (access("/usr/bin/fusermount3", X_OK) == 0 || access("/bin/fusermount3", X_OK) == 0)
		return true;
	while (dirs && (dir = strsep(&rest, ":")) != NULL) {
		snprintf(name, sizeof name, "%s/fusermount3", dir);
		if (access(name, X_OK) == 0)
			return true;
	}
	return false;
}

/* Can this machine mount at all? */
static int check_fuse(struct err *e)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_SYS,
				"there is no /dev/fuse: load the module (modprobe fuse), or give "
				"the "
				"container --device /dev/fuse --cap-add SYS_ADMIN; pthfs ls and "
				"pthfs "
				"cat work without a mount");
	if (fd < 0 && (errno == ENODEV || errno == ENXIO))
		return err_set(e, ERR_SYS,
				"/dev/fuse has no driver: load the module (modprobe fuse); pthfs "
				"ls and "
				"pthfs cat work without a mount");
	if (fd < 0)
		return err_sys(e, errno,
				"cannot open /dev/fuse (a container needs --device /dev/fuse "
				"--cap-add "
				"SYS_ADMIN; pthfs ls and pthfs cat work without a mount)");
	close(fd);
	if (geteuid() == 0 || have_fusermount())
		return 0;
	return err_set(e, ERR_SYS,
			"only root can mount without fusermount3: install the package fuse3; pthfs "
			"ls "
			"and pthfs cat work without a mount");
}

static void say_ready(void *ctx)
{
	struct mounting *m = ctx;
	struct buf line;

	if (m->o.fs.quiet || m->silent)
		return;
	buf_init(&line, 1 << 16);
	buf_printf(&line, "%s: ", m->shown);
	volume_summary(m->v, m->shown, &line);
	buf_putc(&line, '\0');
	if (!line.failed)
		cli_line(stdout, line.p);
	fflush(stdout);
	buf_release(&line);
}

static void say_log(struct volume *v)
{
	struct buf lines;

	buf_init(&lines, 1 << 20);
	log_text(volume_log(v), &lines);
	fprintf(stderr, "%.*s", (int)lines.n, lines.n ? lines.p : "");
	buf_release(&lines);
}

static int serve(struct mounting *m)
{
	struct err e = {0};
	enum fs_side side;
	int r;

	if (m->at.cleared && !m->o.fs.quiet)
		cli_error("%s: cleared a dead mount of %s", m->shown, m->at.cleared);
	if (!m->o.fs.quiet)
		oneshot_say_notice(m->v);
	if (m->o.verbose)
		say_log(m->v);
	fflush(NULL); /* before the fork, so that nothing is written twice */
	m->o.fs.ready = say_ready;
	m->o.fs.ready_ctx = m;
	r = fs_serve(m->v, m->at.path, &m->o.fs, &side, &e);
	if (r < 0 || side == FS_SERVED)
		mountpoint_remove(&m->at);
	if (r < 0)
		return cli_fail(r == ERR_USAGE ? MOUNT_USAGE : MOUNT_FAILURE, NULL, &e);
	if (side == FS_PARENT) /* the daemon has the volume; taking ours apart only takes time */
		_exit(cli_finish(MOUNT_OK));
	return MOUNT_OK;
}

static int mount_checkpoint(struct mounting *m, const char *ckpt, const char *point)
{
	_cleanup_(freep) char *name = point ? strdup(point) : mountpoint_name(ckpt);
	struct err e = {0};
	int r, code;

	r = check_fuse(&e);
	if (r < 0)
		return cli_fail(MOUNT_SYSTEM, NULL, &e);
	if (m->o.fs.rw && m->o.volume.validate != VALIDATE_OFF && device_check(m->o.volume.device, &e) < 0)
		return cli_fail(MOUNT_SYSTEM, NULL, &e);
	r = volume_open_soon(ckpt, &m->o.volume, &m->v, &e);
	if (r < 0)
		return cli_fail(MOUNT_FAILURE, NULL, &e);
	m->shown = name ? name : ckpt;
	r = name ? mountpoint_prepare(name, volume_path(m->v), m->o.nonempty, &m->at, &e)
		 : err_nomem(&e);
	if (r < 0)
		code = cli_fail(MOUNT_FAILURE, NULL, &e);
	else
		code = serve(m);
	mountpoint_release(&m->at);
	volume_close(m->v);
	return code;
}

static int mount_args(struct mounting *m, int argc, char **argv)
{
	struct err e = {0};

	if (argc < 1 || argc > 2) {
		cli_error("mount: %s (pthfs mount --help)",
				argc < 1 ? "which checkpoint?"
					 : "too many words: one checkpoint, one mount point");
		return MOUNT_USAGE;
	}
	if (opts_finish(&m->o, &e) < 0)
		return cli_fail(MOUNT_USAGE, NULL, &e);
	m->silent |= opts_from_mount(&m->o);
	return mount_checkpoint(m, argv[0], argc > 1 ? argv[1] : NULL);
}

static int parse_direct(struct mounting *m, int argc, char **argv, bool *done)
{
	static const struct option longs[] = {
			{"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, 'V'},
			{"quiet", no_argument, NULL, 'q'},
			{"verbose", no_argument, NULL, 'v'},
			{NULL, 0, NULL, 0},
	};
	struct err e = {0};
	int c;

	*done = true;
	while ((c = getopt_long(argc, argv, "fdsqvhVo:", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			m->o.fs.foreground = true;
			break;
		case 'd':
			m->o.fs.debug = true;
			break;
		case 's':
			m->o.fs.single = true;
			break;
		case 'q':
			m->o.fs.quiet = true;
			break;
		case 'v':
			m->o.verbose = true;
			break;
		case 'o':
			if (opts_parse(&m->o, optarg, &e) < 0)
				return cli_fail(MOUNT_USAGE, NULL, &e);
			break;
		case 'h':
			fputs(help_mount, stdout);
			return cli_finish(MOUNT_OK);
		case 'V':
			cli_version();
			return cli_finish(MOUNT_OK);
		default:
			return cli_bad_option(MOUNT_USAGE, "mount", argv);
		}
	}
	*done = false;
	return MOUNT_OK;
}

int cmd_mount(int argc, char **argv)
{
	struct mounting m = {0};
	bool done;
	int code;

	opts_init(&m.o);
	code = parse_direct(&m, argc, argv, &done);
	if (!done)
		code = mount_args(&m, argc - optind, argv + optind);
	opts_release(&m.o);
	return code;
}

static int parse_helper(struct mounting *m, int argc, char **argv, bool *done)
{
	struct err e = {0};
	const char *list[32];
	size_t n = 0;
	bool fake = false;
	int c;

	*done = true;
	while ((c = getopt(argc, argv, "sfnvhVo:N:t:")) != -1) {
		switch (c) {
		case 's':
			m->o.sloppy = true;
			break;
		case 'f':
			fake = true;
			break;
		case 'n':
		case 't':
			break;
		case 'v':
			m->o.verbose = true;
			break;
		case 'o':
			if (n < ARRAY_SIZE(list))
				list[n++] = optarg;
			break;
		case 'N':
			cli_error("mounting in another namespace (-N) is not supported: use "
				  "nsenter");
			return MOUNT_USAGE;
		case 'h':
			fputs(help_mount, stdout);
			return cli_finish(MOUNT_OK);
		case 'V':
			cli_version();
			return cli_finish(MOUNT_OK);
		default:
			return cli_bad_option(MOUNT_USAGE, "mount", argv);
		}
	}
	for (size_t i = 0; i < n; i++)
		if (opts_parse(&m->o, list[i], &e) < 0)
			return cli_fail(MOUNT_USAGE, NULL, &e);
	*done = fake;
	return MOUNT_OK;
}

int cmd_mount_helper(int argc, char **argv)
{
	struct mounting m = {.silent = true};
	bool done;
	int code;

	opts_init(&m.o);
	code = parse_helper(&m, argc, argv, &done);
	m.o.dev = m.o.suid = true; /* the caller is mount(8): "rw" is nobody's wish */
	if (!done)
		code = mount_args(&m, argc - optind, argv + optind);
	opts_release(&m.o);
	return code;
}
