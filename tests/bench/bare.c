/* bare.c - the yardstick: the best simple low-level libfuse server we know how to write.
 *
 * It shows one file, `data`, that is one extent of another file, and does nothing else: no
 * names, no formats, no options. What pthfs reads through its mount is measured against this
 * (tests/bench). Two ways of answering a read, because which one is faster depends on the
 * kernel and the machine:
 *
 *	bare pread  FILE OFFSET LENGTH MOUNTPOINT     pread into a buffer of the thread, one writev
 *	bare splice FILE OFFSET LENGTH MOUNTPOINT     fuse_reply_data with a descriptor and an
 *offset
 *
 * What it asks of the kernel (largest request, read-ahead, requests in the background, threads) is
 * what pthfs asks. It stays in the foreground and ends on SIGTERM or when unmounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOREVER 1e6
#define REQUEST (1u << 20)

static struct {
	int fd;
	uint64_t off, len;
	bool splice;
} bare;

static void bare_attr(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){.st_ino = ino, .st_nlink = 1, .st_mode = S_IFREG | 0444};
	if (ino == FUSE_ROOT_ID) {
		st->st_mode = S_IFDIR | 0555;
		st->st_nlink = 2;
	} else {
		st->st_size = (off_t)bare.len;
	}
}

static void bare_init(void *ctx, struct fuse_conn_info *conn)
{
	conn->max_readahead = REQUEST;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	if (bare.splice)
		conn->want |= conn->capable & (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

static void bare_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.ino = 2, .attr_timeout = FOREVER, .entry_timeout = FOREVER};

	if (parent != FUSE_ROOT_ID || strcmp(name, "data") != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	bare_attr(2, &e.attr);
	fuse_reply_entry(req, &e);
}

static void bare_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	bare_attr(ino, &st);
	fuse_reply_attr(req, &st, FOREVER);
}

static void bare_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void bare_read(
		fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	static __thread char *buf;
	struct fuse_bufvec vec = FUSE_BUFVEC_INIT(0);
	ssize_t got;

	if ((uint64_t)off >= bare.len)
		size = 0;
	else if (size > bare.len - (uint64_t)off)
		size = bare.len - (uint64_t)off;
	if (bare.splice) {
		vec.buf[0].size = size;
		vec.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
		vec.buf[0].fd = bare.fd;
		vec.buf[0].pos = (off_t)bare.off + off;
		fuse_reply_data(req, &vec, FUSE_BUF_SPLICE_MOVE);
		return;
	}
	if (!buf && posix_memalign((void **)&buf, 4096, REQUEST) != 0) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	got = pread(bare.fd, buf, size, (off_t)bare.off + off);
	if (got < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, (size_t)got);
}

static const struct fuse_lowlevel_ops bare_ops = {
		.init = bare_init,
		.lookup = bare_lookup,
		.getattr = bare_getattr,
		.open = bare_open,
		.read = bare_read,
};

/* The kernel reads ahead 128 KiB unless root says otherwise. The mount does not answer yet: statx
 * is asked for the device only, which the kernel knows by itself. */
static void raise_readahead(const char *mnt)
{
	char path[80];
	struct statx st;
	FILE *f;

	if (statx(AT_FDCWD, mnt, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st) < 0)
		return;
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major,
			st.stx_dev_minor);
	f = fopen(path, "we");
	if (!f)
		return;
	fprintf(f, "%u\n", REQUEST / 1024);
	fclose(f);
}

int main(int argc, char **argv)
{
	char *av[] = {"bare", "-o", "ro,default_permissions,fsname=bare"};
	struct fuse_args args = FUSE_ARGS_INIT(3, av);
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	struct fuse_session *se;

	if (argc != 6) {
		fprintf(stderr, "usage: bare pread|splice FILE OFFSET LENGTH MOUNTPOINT\n");
		return 2;
	}
	bare.splice = strcmp(argv[1], "splice") == 0;
	bare.fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	bare.off = strtoull(argv[3], NULL, 0);
	bare.len = strtoull(argv[4], NULL, 0);
	se = bare.fd < 0 ? NULL : fuse_session_new(&args, &bare_ops, sizeof bare_ops, NULL);
	if (!se || fuse_set_signal_handlers(se) != 0 || fuse_session_mount(se, argv[5]) != 0)
		return 1;
	raise_readahead(argv[5]);
	fuse_session_loop_mt(se, cfg);
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	fuse_loop_cfg_destroy(cfg);
	return 0;
}
