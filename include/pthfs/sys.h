/* sys.h - the one door for calls that change something: files, names, attributes, big buffers.
 *
 * Whoever writes (the sink, the journal) calls these and never the system directly, so that a
 * build with PTHFS_FAULTS (make FAULTS=1) can count the calls and fail each in turn (sys.c says
 * how it is asked to). In every other build sys_fault() is nothing and a wrapper is its call.
 *
 * They return what the call returns and set errno. Nothing is tried again here: the caller knows
 * which calls may be (writes, when interrupted) and which must not (fsync, never).
 *
 * Reading is not here: a failed read changes nothing.
 */
#ifndef PTHFS_SYS_H
#define PTHFS_SYS_H

#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifdef PTHFS_FAULTS
/* Counts this call. 0: make it, with *len bytes at most; -1: do not, errno is set. May not return. */
int sys_fault(const char *call, size_t *len);
#else
static inline int sys_fault(const char *call, size_t *len)
{
	return 0;
}
#endif

static inline int sys_create(int dir, const char *name, int flags, mode_t mode)
{
	return sys_fault("openat", NULL)
			? -1
			: openat(dir, name, flags | O_CREAT | O_CLOEXEC, mode);
}

static inline ssize_t sys_pwrite(int fd, const void *buf, size_t n, off_t off)
{
	return sys_fault("pwrite", &n) ? -1 : pwrite(fd, buf, n, off);
}

/* Moves both offsets on by what was copied, as the call does. */
static inline ssize_t sys_copy_range(int in, off_t *in_off, int out, off_t *out_off, size_t n)
{
	return sys_fault("copy_file_range", &n) ? -1
						: copy_file_range(in, in_off, out, out_off, n, 0);
}

/* All of `in` becomes the content of `out`, blocks shared. */
static inline int sys_clone(int out, int in)
{
	return sys_fault("ioctl", NULL) ? -1 : ioctl(out, FICLONE, in);
}

static inline int sys_clone_range(int out, const struct file_clone_range *range)
{
	return sys_fault("ioctl", NULL) ? -1 : ioctl(out, FICLONERANGE, range);
}

static inline int sys_truncate(int fd, off_t size)
{
	return sys_fault("ftruncate", NULL) ? -1 : ftruncate(fd, size);
}

static inline int sys_allocate(int fd, int mode, off_t off, off_t len)
{
	return sys_fault("fallocate", NULL) ? -1 : fallocate(fd, mode, off, len);
}

static inline int sys_fsync(int fd)
{
	return sys_fault("fsync", NULL) ? -1 : fsync(fd);
}

static inline int sys_fdatasync(int fd)
{
	return sys_fault("fdatasync", NULL) ? -1 : fdatasync(fd);
}

/* So many bytes were written to fd before a write, and after it: every 8 MiB the disk is told to begin
 * with them, so that an fsync has less to wait for. A hint: what goes wrong, the fsync tells. */
static inline void sys_write_ahead(int fd, uint64_t before, uint64_t after)
{
	if (before >> 23 != after >> 23)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* flags: 0, or RENAME_NOREPLACE ... (renameat2). */
static inline int sys_rename(int dir, const char *from, const char *to, unsigned flags)
{
	if (sys_fault("renameat", NULL))
		return -1;
	return flags ? renameat2(dir, from, dir, to, flags) : renameat(dir, from, dir, to);
}

static inline int sys_unlink(int dir, const char *name)
{
	return sys_fault("unlinkat", NULL) ? -1 : unlinkat(dir, name, 0);
}

static inline int sys_chmod(int fd, mode_t mode)
{
	return sys_fault("fchmod", NULL) ? -1 : fchmod(fd, mode);
}

static inline int sys_chown(int fd, uid_t uid, gid_t gid)
{
	return sys_fault("fchown", NULL) ? -1 : fchown(fd, uid, gid);
}

static inline int sys_setxattr(int fd, const char *name, const void *value, size_t n)
{
	return sys_fault("fsetxattr", NULL) ? -1 : fsetxattr(fd, name, value, n, 0);
}

static inline int sys_removexattr(int fd, const char *name)
{
	return sys_fault("fremovexattr", NULL) ? -1 : fremovexattr(fd, name);
}

/* Of a descriptor that was written to. It is closed also when this fails. */
static inline int sys_close(int fd)
{
	int fault = sys_fault("close", NULL), r = close(fd);

	return fault ? -1 : r;
}

/* For buffers of 64 KiB and more; free() gives them back. */
static inline void *sys_malloc(size_t n)
{
	return sys_fault("malloc", NULL) ? NULL : malloc(n);
}

#endif
