/* logdisk.c - a disk that writes down what it was asked, to be replayed up to any moment.
 *
 *	logdisk MOUNTPOINT IMAGE LOG
 *
 * serves one file, MOUNTPOINT/disk, with the content of IMAGE (which is not changed). A loop device
 * on it carries a real file system. Every request that matters is appended to LOG before it is
 * answered, as three 64-bit numbers, and the data:
 *
 *	1 offset length DATA      a write; after a power loss any part of it may be there
 *	2 0 0                     a flush; what was written before is there
 *
 * Goes to the background when it is mounted. One thread, so that the log has one order.
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DISK 2 /* inode */
#define FOREVER 1e9

static char *disk;
static size_t disk_size;
static int log_fd;

static void put(uint64_t kind, uint64_t off, uint64_t len, const char *data)
{
	uint64_t head[3] = {kind, off, len};
	struct iovec v[2] = {{head, sizeof head}, {(void *)(uintptr_t)data, len}};

	if (writev(log_fd, v, len ? 2 : 1) != (ssize_t)(sizeof head + len))
		_exit(1); /* a log with a gap would prove nothing */
}

static struct stat stat_of(fuse_ino_t ino)
{
	struct stat st = {.st_ino = ino, .st_nlink = 1};

	st.st_mode = ino == DISK ? S_IFREG | 0600 : S_IFDIR | 0700;
	st.st_size = ino == DISK ? (off_t)disk_size : 0;
	return st;
}

static void ld_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {.ino = DISK, .attr_timeout = FOREVER, .entry_timeout = FOREVER};

	e.attr = stat_of(DISK);
	if (parent == FUSE_ROOT_ID && !strcmp(name, "disk"))
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, ENOENT);
}

static void ld_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = stat_of(ino);

	fuse_reply_attr(req, &st, FOREVER);
}

static void ld_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static size_t within(size_t n, off_t off)
{
	if (off < 0 || (size_t)off >= disk_size)
		return 0;
	return n < disk_size - (size_t)off ? n : disk_size - (size_t)off;
}

static void ld_read(fuse_req_t req, fuse_ino_t ino, size_t n, off_t off, struct fuse_file_info *fi)
{
	n = within(n, off);
	fuse_reply_buf(req, n ? disk + off : NULL, n);
}

static void ld_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t n, off_t off,
		struct fuse_file_info *fi)
{
	if (within(n, off) != n) {
		fuse_reply_err(req, ENOSPC);
		return;
	}
	put(1, (uint64_t)off, n, buf);
	memcpy(disk + off, buf, n);
	fuse_reply_write(req, n);
}

static void ld_fsync(fuse_req_t req, fuse_ino_t ino, int data, struct fuse_file_info *fi)
{
	put(2, 0, 0, NULL);
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = ld_lookup,
	.getattr = ld_getattr,
	.open = ld_open,
	.read = ld_read,
	.write = ld_write,
	.fsync = ld_fsync,
};

static int load(const char *image, const char *log)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	struct stat st;

	log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || log_fd < 0 || fstat(fd, &st) < 0)
		return -1;
	disk_size = (size_t)st.st_size;
	disk = mmap(NULL, disk_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	return disk == MAP_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
	char *only[] = {argv[0], NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, only);
	struct fuse_session *s;
	int r;

	if (argc != 4 || load(argv[2], argv[3]) < 0) {
		fprintf(stderr, "usage: logdisk MOUNTPOINT IMAGE LOG\n");
		return 1;
	}
	s = fuse_session_new(&args, &ops, sizeof ops, NULL);
	if (!s || fuse_session_mount(s, argv[1]) < 0 || fuse_daemonize(0) < 0)
		return 1;
	r = fuse_session_loop(s);
	fuse_session_unmount(s);
	fuse_session_destroy(s);
	return r != 0;
}
