/* file.c - contents.
 *
 * An open file of the kernel is one vfile of the volume. Read-only, its pages stay in the page
 * cache from one open to the next (keep_cache), since no byte changes while it is mounted; a
 * dynamic file goes past the cache. Bytes are read into a slot and written to the kernel from
 * there: see slots.c for why this is not spliced.
 *
 * With rw each open begins without pages, and each read(2) asks for the time first, which drops
 * them after an edit. What other inodes show too, and all text, goes past the cache: a page that is
 * written back from a mapping would take along old bytes of its neighbours. (A .npy that is mapped
 * for writing while its tensor is written under its other name can still do that.)
 */
#include "in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define SMALL 16384 /* up to here the stack is the better buffer */

static struct handle *handle_new(struct fs *fs, uint64_t ino, struct vfile *f, bool edit)
{
	struct handle *h = malloc(sizeof *h);

	if (!h)
		return NULL;
	pthread_mutex_lock(&fs->open_lock);
	*h = (struct handle){.f = f, .ino = ino, .edit = edit, .next = fs->open};
	if (h->next)
		h->next->prev = h;
	fs->open = h;
	pthread_mutex_unlock(&fs->open_lock);
	return h;
}

static void handle_free(struct fs *fs, struct handle *h)
{
	pthread_mutex_lock(&fs->open_lock);
	if (h->next)
		h->next->prev = h->prev;
	if (h->prev)
		h->prev->next = h->next;
	else
		fs->open = h->next;
	pthread_mutex_unlock(&fs->open_lock);
	if (h->why && !h->told) /* see write.c */
		fs_log_why(fs->v, h->ino, NULL, h->why);
	volume_file_close(h->f);
	free(h->why);
	free(h);
}

/* Takes f, also when it fails. */
static int handle_set(struct fs *fs, const struct vattr *attr, struct vfile *f, bool edit,
		struct fuse_file_info *fi, struct err *e)
{
	struct handle *h = handle_new(fs, attr->ino, f, edit);

	if (!h) {
		volume_file_close(f);
		return err_nomem(e);
	}
	fi->fh = (uintptr_t)h;
	fi->direct_io = attr->dynamic || attr->shared || fs->o->direct_io;
	fi->keep_cache = !fi->direct_io && !fs->o->rw;
	fi->noflush = !edit;
	return 0;
}

static bool for_writing(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
}

static int open_handle(struct fs *fs, uint64_t ino, struct fuse_file_info *fi, struct err *e)
{
	bool edit = for_writing(fi);
	struct vfile *f;
	struct vattr attr;
	int r;

	r = edit ? volume_file_edit(fs->v, ino, fi->flags & O_TRUNC, &f, e)
		 : volume_file_open(fs->v, ino, &f, e);
	if (r < 0)
		return r;
	r = volume_getattr(fs->v, ino, &attr, e);
	if (r == 0)
		return handle_set(fs, &attr, f, edit, fi, e);
	volume_file_close(f);
	return r;
}

void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct err e = {0};
	int r;

	if (for_writing(fi) && !fs->o->rw) {
		fuse_reply_err(req, EROFS);
		return;
	}
	r = open_handle(fs, ino, fi, &e);
	if (r < 0 && for_writing(fi))
		fs_reply_refused(req, ino, NULL, r, &e);
	else if (r < 0)
		fs_reply_fail(req, ino, r, &e);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(fs, fs_handle(fi)); /* given up: there will be no release */
}

/* Somebody else may have been faster: then it is opened, unless it has to be new. */
static int create(struct fs *fs, uint64_t dir, struct str name, struct fuse_file_info *fi,
		struct vattr *attr, struct err *e)
{
	struct vfile *f;
	int r;

	r = volume_create(fs->v, dir, name, attr, &f, e);
	if (r == 0)
		return handle_set(fs, attr, f, true, fi, e);
	if (r != ERR_EXISTS || (fi->flags & O_EXCL) ||
			volume_lookup(fs->v, dir, name, attr, NULL) < 0)
		return r;
	r = open_handle(fs, attr->ino, fi, e);
	if (r < 0)
		volume_forget(fs->v, attr->ino, 1);
	return r;
}

void fs_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
		struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry;
	struct vattr attr;
	struct err e = {0};
	int r;

	volume_caller(fuse_req_ctx(req)->pid);
	r = create(fs, dir, str_of(name), fi, &attr, &e);
	if (r < 0) {
		fs_reply_refused(req, dir, name, r, &e);
		return;
	}
	fs_entry(fs, &attr, &entry);
	if (fuse_reply_create(req, &entry, fi) == -ENOENT)
		handle_free(fs, fs_handle(fi));
}

static void answer(
		fuse_req_t req, fuse_ino_t ino, char *buf, size_t size, off_t off, struct vfile *f)
{
	struct err e = {0};
	size_t got = 0;
	int r;

	r = volume_file_read(f, buf, size, (uint64_t)off, &got, &e);
	if (r < 0)
		fs_reply_fail(req, ino, r, &e);
	else
		fuse_reply_buf(req, buf, got);
}

static void read_small(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct vfile *f)
{
	char buf[SMALL] __attribute__((aligned(4096)));

	answer(req, ino, buf, size, off, f);
}

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf;

	if (size <= SMALL) {
		read_small(req, ino, size, off, fs_handle(fi)->f);
		return;
	}
	buf = fs_slot_take(size);
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	answer(req, ino, buf, size, off, fs_handle(fi)->f);
	fs_slot_give(buf);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_free(fs_of(req), fs_handle(fi));
	fuse_reply_err(req, 0);
}

void fs_release_all(struct fs *fs)
{
	while (fs->open)
		handle_free(fs, fs->open);
}

uint64_t *fs_written(struct fs *fs, size_t *n)
{
	size_t most = 0;
	uint64_t *inos;

	*n = 0;
	pthread_mutex_lock(&fs->open_lock);
	for (struct handle *h = fs->open; h; h = h->next)
		most += h->edit;
	inos = most ? malloc(most * sizeof *inos) : NULL;
	for (struct handle *h = fs->open; inos && h; h = h->next)
		if (h->edit)
			inos[(*n)++] = h->ino;
	pthread_mutex_unlock(&fs->open_lock);
	return inos;
}
