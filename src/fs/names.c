/* names.c - edits of names: what mkdir, mv, rm and ln ask for.
 *
 * Modes, umasks and device numbers have no place in a checkpoint and are passed over. What cannot
 * be in one (symbolic links, devices) is refused with EPERM, as link(2) and mknod(2) have it.
 */
#include "in.h"

#include <errno.h>
#include <stdio.h>

static void reply_entry(fuse_req_t req, fuse_ino_t dir, const char *name, int r,
		const struct vattr *attr, const struct err *e)
{
	struct fuse_entry_param entry;

	if (r < 0) {
		fs_reply_refused(req, dir, name, r, e);
		return;
	}
	fs_entry(fs_of(req), attr, &entry);
	fuse_reply_entry(req, &entry);
}

static void reply_done(fuse_req_t req, fuse_ino_t dir, const char *name, int r, const struct err *e)
{
	if (r < 0)
		fs_reply_refused(req, dir, name, r, e);
	else
		fuse_reply_err(req, 0);
}

void fs_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev)
{
	struct vfile *f;
	struct vattr attr;
	struct err e = {0};
	int r;

	if (S_ISREG(mode)) {
		r = volume_create(fs_of(req)->v, dir, str_of(name), &attr, &f, &e);
		if (r == 0)
			volume_file_close(f);
	} else {
		r = err_set(&e, ERR_REFUSED,
				"devices, pipes and sockets have no place in a "
				"checkpoint");
	}
	reply_entry(req, dir, name, r, &attr, &e);
}

void fs_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	struct vattr attr;
	struct err e = {0};
	int r = volume_mkdir(fs_of(req)->v, dir, str_of(name), &attr, &e);

	reply_entry(req, dir, name, r, &attr, &e);
}

void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name)
{
	struct vattr attr;
	struct err e = {0};
	int r = volume_link(fs_of(req)->v, ino, dir, str_of(name), &attr, &e);

	reply_entry(req, dir, name, r, &attr, &e);
}

void fs_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	struct err e = {0};
	int r = err_set(&e, ERR_REFUSED,
			"symbolic links have no place in a checkpoint (ln without "
			"-s ties a tensor)");

	fs_reply_refused(req, dir, name, r, &e);
}

void fs_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct err e = {0};
	int r;

	volume_caller(fuse_req_ctx(req)->pid);
	r = volume_unlink(fs_of(req)->v, dir, str_of(name), &e);

	reply_done(req, dir, name, r, &e);
}

void fs_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct err e = {0};
	int r;

	volume_caller(fuse_req_ctx(req)->pid);
	r = volume_rmdir(fs_of(req)->v, dir, str_of(name), &e);

	reply_done(req, dir, name, r, &e);
}

void fs_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t to_dir,
		const char *to_name, unsigned int flags)
{
	struct err e = {0};
	int r;

	if (flags & ~(unsigned int)RENAME_NOREPLACE) {
		fuse_reply_err(req, EINVAL); /* RENAME_EXCHANGE: as file systems without it */
		return;
	}
	volume_caller(fuse_req_ctx(req)->pid);
	r = volume_rename(
			fs_of(req)->v, dir, str_of(name), to_dir, str_of(to_name), flags != 0, &e);
	reply_done(req, dir, name, r, &e);
}
