/* attr.c - names and attributes.
 *
 * Read-only, the tree does not change while it is mounted: the kernel keeps names, attributes and
 * missing names for as long as it likes (FS_FOREVER), except the attributes of dynamic files. With
 * rw it keeps none of them: an edit shows under other names at once. The volume counts what it has
 * looked up, and frees the views made on demand when the kernel forgets them.
 *
 * Owner, times and permission bits are the checkpoint's, unless options say otherwise; a directory
 * has x where it has r, and nothing has w without rw. With rw the owner may write: what is written
 * in the end is the directory of the checkpoint. The times of what was edited are those of the
 * edit.
 */
#include "in.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static mode_t shown_mode(const struct fs *fs, uint32_t mode)
{
	mode_t all = fs->o->rw ? 0666 : 0444;
	mode_t bits = (volume_stat(fs->v)->st_mode | 0200) & all;
	mode_t mask = S_ISDIR(mode) ? fs->o->dmask : fs->o->fmask;

	if (mask != (mode_t)-1)
		bits = all;
	if (S_ISDIR(mode))
		bits |= (bits & 0444) >> 2;
	return (mode & S_IFMT) | (mask == (mode_t)-1 ? bits : bits & ~mask);
}

void fs_stat(const struct fs *fs, const struct vattr *a, struct stat *ret)
{
	const struct stat *ckpt = volume_stat(fs->v);
	bool edited = a->changed.tv_sec != 0;

	*ret = (struct stat){
			.st_ino = a->ino,
			.st_mode = shown_mode(fs, a->mode),
			.st_nlink = a->nlink,
			.st_uid = fs->o->uid == (uid_t)-1 ? ckpt->st_uid : fs->o->uid,
			.st_gid = fs->o->gid == (gid_t)-1 ? ckpt->st_gid : fs->o->gid,
			.st_size = (off_t)a->size,
			/* cp writes in pieces of this size: an eighth of the requests. */
			.st_blksize = fs->o->rw && S_ISREG(a->mode) ? FS_REQUEST : 0,
			.st_blocks = (blkcnt_t)(a->size / 512 + (a->size % 512 != 0)),
			.st_atim = ckpt->st_atim,
			.st_mtim = edited ? a->changed : ckpt->st_mtim,
			.st_ctim = edited ? a->changed : ckpt->st_ctim,
	};
}

void fs_entry(const struct fs *fs, const struct vattr *a, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
			.ino = a->ino,
			.generation = 1,
			.entry_timeout = fs->entry_timeout,
			.attr_timeout = a->dynamic ? 0 : fs->attr_timeout,
	};
	fs_stat(fs, a, &ret->attr);
}

void fs_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = {.entry_timeout = fs->negative_timeout};
	struct vattr attr;
	struct err e = {0};
	int r;

	volume_caller(fuse_req_ctx(req)->pid);
	r = volume_lookup(fs->v, dir, str_of(name), &attr, &e);
	if (r == ERR_ABSENT) {
		fuse_reply_entry(req, &entry);
		return;
	}
	if (r < 0) {
		fs_reply_fail(req, dir, r, &e);
		return;
	}
	fs_entry(fs, &attr, &entry);
	if (fuse_reply_entry(req, &entry) == -ENOENT)
		volume_forget(fs->v, attr.ino, 1); /* the request was given up: not counted there */
}

void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	volume_forget(fs_of(req)->v, ino, n);
	fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list)
{
	for (size_t i = 0; i < count; i++)
		volume_forget(fs_of(req)->v, list[i].ino, list[i].nlookup);
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct vattr attr;
	struct stat st;
	struct err e = {0};
	int r;

	r = volume_getattr(fs->v, ino, &attr, &e);
	if (r < 0) {
		fs_reply_fail(req, ino, r, &e);
		return;
	}
	fs_stat(fs, &attr, &st);
	fuse_reply_attr(req, &st, attr.dynamic ? 0 : fs->attr_timeout);
}

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply_attr(req, ino);
}

/* cp -a, tar and rsync -a set modes, owners and times of what they copy. A checkpoint has no place
 * for them: they are passed over, so that these tools work. */
void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
		struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct err e = {0};
	int r = 0;

	if ((what & FUSE_SET_ATTR_SIZE) && fi) {
		r = volume_file_truncate(fs_handle(fi)->f, (uint64_t)st->st_size, &e);
		fs_handle(fi)->wrote = true;
	} else if (what & FUSE_SET_ATTR_SIZE) {
		r = volume_truncate(fs->v, ino, (uint64_t)st->st_size, &e);
	}
	if (r < 0)
		fs_reply_refused(req, ino, NULL, r, &e);
	else
		reply_attr(req, ino);
}

/* With rw there is as much room as where the commit will put it. */
static void add_room(const struct fs *fs, struct statvfs *st)
{
	struct statvfs under;
	uint64_t unit;

	st->f_flag = 0;
	if (statvfs(volume_path(fs->v), &under) < 0)
		return; /* the checkpoint has gone: there is no room for it */
	unit = under.f_frsize;
	st->f_bfree = under.f_bfree * unit / st->f_frsize;
	st->f_bavail = under.f_bavail * unit / st->f_frsize;
	st->f_blocks += st->f_bfree;
	st->f_ffree = st->f_favail = UINT32_MAX; /* names are limited by memory alone */
	st->f_files += st->f_ffree;
}

void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct statvfs st = {
			.f_bsize = 4096,
			.f_frsize = 4096,
			.f_blocks = volume_bytes(fs->v) / 4096 + (volume_bytes(fs->v) % 4096 != 0),
			.f_files = volume_names(fs->v),
			.f_namemax = 255,
			.f_flag = ST_RDONLY,
	};

	if (fs->o->rw)
		add_room(fs, &st);
	fuse_reply_statfs(req, &st);
}
