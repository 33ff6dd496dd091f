/* dir.c - listing.
 *
 * Read-only, the kernel keeps a listing once it has it (cache_readdir, keep_cache), and where it
 * can it does not even ask to open the directory: ENOSYS once stands for "always, and cache it".
 * With rw it keeps none, so it is never told that. Offsets are the volume's cursors. With
 * readdirplus each entry but . and .. counts as looked up, here and in the volume alike.
 */
#include "in.h"

#include <errno.h>
#include <string.h>

#define FIRST_PLUS 4096 /* bytes: some 20 entries */

struct listing {
	fuse_req_t req;
	struct fs *fs;
	char *buf;
	size_t used, size;
	bool plus;
};

void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs *fs = fs_of(req);

	if (fs->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->cache_readdir = !fs->o->rw;
	fi->keep_cache = !fs->o->rw;
	fuse_reply_open(req, fi);
}

static bool add_entry(void *ctx, struct str name, const struct vattr *attr, uint64_t next)
{
	struct listing *l = ctx;
	struct fuse_entry_param entry = {.attr.st_ino = attr->ino, .attr.st_mode = attr->mode};
	bool dot = str_is(name, ".") || str_is(name, "..");
	char cname[256];
	size_t n;

	if (name.n >= sizeof cname)
		return true; /* the tree makes none; the kernel would take none */
	memcpy(cname, name.p, name.n);
	cname[name.n] = '\0';
	if (l->plus && !dot)
		fs_entry(l->fs, attr, &entry);
	if (l->plus)
		n = fuse_add_direntry_plus(l->req, l->buf + l->used, l->size - l->used, cname,
				&entry, (off_t)next);
	else
		n = fuse_add_direntry(l->req, l->buf + l->used, l->size - l->used, cname,
				&entry.attr, (off_t)next);
	if (n > l->size - l->used)
		return false;
	l->used += n;
	return true;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	struct listing l = {.req = req, .fs = fs_of(req), .size = size, .plus = plus};
	struct err e = {0};
	int r;

	l.buf = fs_slot_take(size);
	if (!l.buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	r = volume_readdir(l.fs->v, ino, (uint64_t)off, plus, add_entry, &l, &e);
	if (r < 0 && !l.used)
		fs_reply_fail(req, ino, r, &e);
	else
		fuse_reply_buf(req, l.buf, l.used);
	fs_slot_give(l.buf);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list(req, ino, size, off, false);
}

void fs_readdirplus(
		fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	/* The kernel asks this way at the beginning of every directory and goes on so only when the
	 * attributes were wanted: a plain ls is spared most of them. */
	list(req, ino, off == 0 && size > FIRST_PLUS ? FIRST_PLUS : size, off, true);
}
