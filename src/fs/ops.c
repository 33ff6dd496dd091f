/* ops.c - which request goes where, and what is agreed with the kernel at the start.
 *
 * Left out on purpose: access (default_permissions), lseek, fallocate, copy_file_range and
 * setxattr (the kernel does without, or refuses, after the first ENOSYS); read-only, everything
 * that writes (the kernel answers EROFS by itself).
 *
 * Nothing is ever invalidated from here, which would deadlock in a request. Read-only, nothing
 * changes. With rw the kernel keeps neither names nor attributes, and drops pages when the time of
 * a file has changed (FUSE_CAP_AUTO_INVAL_DATA). Its writeback cache stays off: it would take
 * sizes and times into its own hands, and a write would succeed after the daemon's death.
 */
#include "in.h"

#include <unistd.h>

static void init_rw(const struct fs *fs, struct fuse_conn_info *conn)
{
	conn->want &= ~(unsigned int)FUSE_CAP_WRITEBACK_CACHE;
	conn->want |= conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA);
	if (fs->entry_timeout <= 0 && fs->attr_timeout <= 0) /* it would ask for each again */
		conn->want &= ~(unsigned int)(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	/* Writes wait for a commit: those that come from mappings (in the background) must leave
	 * threads free to read. */
	conn->max_background = 10;
	conn->congestion_threshold = 8;
}

static void fs_init(void *ctx, struct fuse_conn_info *conn)
{
	struct fs *fs = ctx;

	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE);
	conn->max_readahead = FS_REQUEST; /* the kernel takes the smaller of this and its own */
	conn->max_read = fs->o->max_read; /* libfuse wants it here and among the options */
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	fs->no_opendir = !fs->o->rw && (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
	if (fs->o->rw)
		init_rw(fs, conn);
	fs->answered = true;
	if (fs->ready_fd < 0) {
		if (fs->o->ready)
			fs->o->ready(fs->o->ready_ctx);
		return;
	}
	fs_detach_stdio();
	if (write(fs->ready_fd, "", 1) < 0) {
		/* the parent was killed; the mount stays, as with any daemon */
	}
	close(fs->ready_fd);
	fs->ready_fd = -1;
}

struct fuse_lowlevel_ops fs_ops(bool rw)
{
	struct fuse_lowlevel_ops ops = {
			.init = fs_init,
			.lookup = fs_lookup,
			.forget = fs_forget,
			.forget_multi = fs_forget_multi,
			.getattr = fs_getattr,
			.opendir = fs_opendir,
			.readdir = fs_readdir,
			.readdirplus = fs_readdirplus,
			.open = fs_open,
			.read = fs_read,
			.release = fs_release,
			.getxattr = fs_getxattr,
			.listxattr = fs_listxattr,
			.statfs = fs_statfs,
			.ioctl = fs_ioctl,
	};

	if (!rw)
		return ops;
	ops.setattr = fs_setattr;
	ops.create = fs_create;
	ops.write = fs_write;
	ops.flush = fs_flush;
	ops.fsync = fs_fsync;
	ops.fsyncdir = fs_fsyncdir;
	ops.mknod = fs_mknod;
	ops.mkdir = fs_mkdir;
	ops.unlink = fs_unlink;
	ops.rmdir = fs_rmdir;
	ops.rename = fs_rename;
	ops.link = fs_link;
	ops.symlink = fs_symlink;
	return ops;
}
