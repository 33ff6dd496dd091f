/* ops.c - which request goes where, and what is agreed with the kernel at the start.
 *
 * Left out on purpose: everything that writes (the mount is read-only, the kernel answers EROFS),
 * access (default_permissions), flush and lseek (the kernel does without after the first ENOSYS).
 * Nothing is ever invalidated: nothing changes.
 */
#include "in.h"

#include <unistd.h>

static void fs_init(void *ctx, struct fuse_conn_info *conn)
{
	struct fs *fs = ctx;

	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE);
	conn->max_readahead = FS_REQUEST; /* the kernel takes the smaller of this and its own */
	conn->max_read = fs->o->max_read; /* libfuse wants it here and among the options */
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	fs->no_opendir = (conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
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

const struct fuse_lowlevel_ops fs_ops = {
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
