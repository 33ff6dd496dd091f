/* attr.c - names and attributes.
 *
 * The tree does not change while it is mounted: the kernel keeps names, attributes and missing
 * names for as long as it likes (FS_FOREVER), except the attributes of dynamic files. The volume
 * counts what it has looked up, and frees the views made on demand when the kernel forgets them.
 *
 * Owner, times and read bits are the checkpoint's, unless options say otherwise; a directory has
 * x where it has r.
 */
#include "in.h"

#include <errno.h>
#include <sys/statvfs.h>

static void log_broken(struct volume *v, uint64_t ino, const char *why)
{
	struct buf name;

	buf_init(&name, 1 << 20);
	volume_name_of(v, ino, &name);
	buf_puts(&name, ": ");
	if (str_starts(str_of(why), buf_view(&name)))
		name.n = 0; /* what an open says is named already */
	log_add(volume_log(v), "%s%s", STR_SHOW(buf_view(&name)), why);
	buf_release(&name);
}

void fs_reply_fail(fuse_req_t req, uint64_t ino, int code, const struct err *e)
{
	struct fs *fs = fs_of(req);
	int sys = err_errno(code, e);

	/* Read-ahead asks again and again for a broken file: once is enough for the log. */
	if ((sys == EIO || sys == EFBIG) && atomic_exchange(&fs->last_broken, ino) != ino)
		log_broken(fs->v, ino, e->text[0] ? e->text : err_class(code));
	fuse_reply_err(req, sys);
}

static mode_t shown_mode(const struct fs *fs, uint32_t mode)
{
	mode_t bits = volume_stat(fs->v)->st_mode & 0444;
	mode_t mask = S_ISDIR(mode) ? fs->o->dmask : fs->o->fmask;

	if (mask != (mode_t)-1)
		bits = 0444;
	if (S_ISDIR(mode))
		bits |= bits >> 2;
	return (mode & S_IFMT) | (mask == (mode_t)-1 ? bits : bits & ~mask);
}

void fs_stat(const struct fs *fs, const struct vattr *a, struct stat *ret)
{
	const struct stat *ckpt = volume_stat(fs->v);

	*ret = (struct stat){
			.st_ino = a->ino,
			.st_mode = shown_mode(fs, a->mode),
			.st_nlink = a->nlink,
			.st_uid = fs->o->uid == (uid_t)-1 ? ckpt->st_uid : fs->o->uid,
			.st_gid = fs->o->gid == (gid_t)-1 ? ckpt->st_gid : fs->o->gid,
			.st_size = (off_t)a->size,
			.st_blocks = (blkcnt_t)(a->size / 512 + (a->size % 512 != 0)),
			.st_atim = ckpt->st_atim,
			.st_mtim = ckpt->st_mtim,
			.st_ctim = ckpt->st_ctim,
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

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
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

	fuse_reply_statfs(req, &st);
}
