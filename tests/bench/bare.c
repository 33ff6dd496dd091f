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
 * It stays in the foreground and ends on SIGTERM or when unmounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
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

/* The kernel's read-ahead window is the largest request: root may raise it, before INIT ends. */
static void raise_readahead(const char *mnt)
{
	char path[128];
	struct stat st;
	FILE *f;
	unsigned int major_, minor_;
	char line[4096], where[2048];

	f = fopen("/proc/self/mountinfo", "re");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%*d %*d %u:%u %*s %2047s", &major_, &minor_, where) == 3 &&
				strcmp(where, mnt) == 0)
			st.st_dev = makedev(major_, minor_);
	}
	if (f)
		fclose(f);
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev),
			minor(st.st_dev));
	f = fopen(path, "we");
	if (f) {
		fprintf(f, "%u\n", REQUEST / 1024);
		fclose(f);
	}
}

int main(int argc, char **argv)
{
	char *av[] = {"bare", "-o", "ro,default_permissions,allow_other,fsname=bare"};
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
