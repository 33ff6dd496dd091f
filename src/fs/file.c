/* file.c - contents.
 *
 * An open file of the kernel is one vfile of the volume. Its pages stay in the page cache from one
 * open to the next (keep_cache), since no byte changes while it is mounted; a dynamic file goes
 * past the cache. Bytes are read into a slot and written to the kernel from there: see slots.c for
 * why this is not spliced.
 */
#include "in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define SMALL 16384 /* up to here the stack is the better buffer */

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static struct handle *handle_new(struct fs *fs, struct vfile *f)
{
	struct handle *h = malloc(sizeof *h);

	if (!h)
		return NULL;
	pthread_mutex_lock(&fs->open_lock);
	*h = (struct handle){.f = f, .next = fs->open};
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
	volume_file_close(h->f);
	free(h);
}

static int open_handle(
		struct fs *fs, uint64_t ino, struct handle **ret, bool *dynamic, struct err *e)
{
	struct vfile *f;
	struct vattr attr;
	int r;

	r = volume_getattr(fs->v, ino, &attr, e);
	if (r == 0)
		r = volume_file_open(fs->v, ino, &f, e);
	if (r < 0)
		return r;
	*dynamic = attr.dynamic;
	*ret = handle_new(fs, f);
	if (*ret)
		return 0;
	volume_file_close(f);
	return err_nomem(e);
}

void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct handle *h;
	struct err e = {0};
	bool dynamic;
	int r;

	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	r = open_handle(fs, ino, &h, &dynamic, &e);
	if (r < 0) {
		fs_reply_fail(req, ino, r, &e);
		return;
	}
	fi->fh = (uintptr_t)h;
	fi->direct_io = dynamic || fs->o->direct_io;
	fi->keep_cache = !fi->direct_io;
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(fs, h); /* the open was given up: there will be no release */
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
		read_small(req, ino, size, off, handle_of(fi)->f);
		return;
	}
	buf = fs_slot_take(size);
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	answer(req, ino, buf, size, off, handle_of(fi)->f);
	fs_slot_give(buf);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_free(fs_of(req), handle_of(fi));
	fuse_reply_err(req, 0);
}

void fs_release_all(struct fs *fs)
{
	while (fs->open)
		handle_free(fs, fs->open);
}
