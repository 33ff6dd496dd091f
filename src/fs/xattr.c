/* xattr.c - extended attributes, and the ioctls. */
#include "in.h"

#include <errno.h>
#include <linux/limits.h>
#include <string.h>
#include <unistd.h>

/* size 0 asks how much there is. */
static void reply_value(fuse_req_t req, struct buf *b, size_t size)
{
	if (b->failed)
		fuse_reply_err(req, E2BIG);
	else if (size == 0)
		fuse_reply_xattr(req, b->n);
	else if (size < b->n)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, b->p, b->n);
}

void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = fs_of(req);
	struct err e = {0};
	struct buf value;
	int r;

	if (fs->o->noxattr) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	if (strncmp(name, "user.", 5) != 0) { /* ls asks one file for an ACL, and then no more */
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	buf_init(&value, XATTR_SIZE_MAX);
	r = volume_getxattr(fs->v, ino, str_of(name), &value, &e);
	if (r == ERR_ABSENT)
		fuse_reply_err(req, ENODATA);
	else if (r < 0)
		fs_reply_fail(req, ino, r, &e);
	else
		reply_value(req, &value, size);
	buf_release(&value);
}

void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = fs_of(req);
	struct err e = {0};
	struct buf names;
	int r;

	if (fs->o->noxattr) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	buf_init(&names, XATTR_LIST_MAX);
	r = volume_listxattr(fs->v, ino, &names, &e);
	if (r < 0)
		fs_reply_fail(req, ino, r, &e);
	else
		reply_value(req, &names, size);
	buf_release(&names);
}

static void reply_progress(fuse_req_t req)
{
	struct fs_progress p = {0};

	p.running = volume_progress(fs_of(req)->v, &p.done, &p.total);
	if (!p.running)
		p.done = p.total = 0;
	fuse_reply_ioctl(req, 0, &p, sizeof p);
}

void fs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
		size_t out_size)
{
	uint32_t pid = (uint32_t)getpid();

	if (ino == VOLUME_ROOT && cmd == FS_IOC_PID && out_size >= sizeof pid)
		fuse_reply_ioctl(req, 0, &pid, sizeof pid);
	else if (ino == VOLUME_ROOT && cmd == FS_IOC_PROGRESS &&
			out_size >= sizeof(struct fs_progress))
		reply_progress(req);
	else
		fuse_reply_err(req, ENOTTY);
}
