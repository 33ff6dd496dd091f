/* write.c - contents, written.
 *
 * The volume decides what fits; here its answer finds its way to who wrote and to the log. FLUSH
 * comes at every close of every copy of a descriptor, and a shell closes one before the first byte
 * (`printf x > tensor`): its error is told to the log at once only when something was written, else
 * at the last close, if nothing has come by then.
 */
#include "in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	struct handle *h = fs_handle(fi);
	struct err e = {0};
	int r = volume_file_write(h->f, buf, size, (uint64_t)off, &e), sys;

	h->wrote = true;
	if (r == 0) {
		fuse_reply_write(req, size);
		return;
	}
	sys = fs_errno(r, &e);
	if (atomic_exchange(&h->said, sys) != sys) /* who does not look at errors goes on writing */
		fs_reply_refused(req, ino, NULL, r, &e);
	else
		fuse_reply_err(req, sys);
}

/* How the last flush of h went: text, or NULL when it went well. True: it is to be told. */
static bool remember(struct fs *fs, struct handle *h, const char *text)
{
	char *why = text ? strdup(text) : NULL;
	bool tell = text && h->wrote;

	pthread_mutex_lock(&fs->open_lock);
	if (tell && h->told && h->why && why && strcmp(h->why, why) == 0)
		tell = false;
	free(h->why);
	h->why = why;
	h->told = text && h->wrote;
	pthread_mutex_unlock(&fs->open_lock);
	return tell;
}

static void reply_flushed(
		fuse_req_t req, fuse_ino_t ino, struct handle *h, int r, const struct err *e)
{
	struct fs *fs = fs_of(req);

	if (remember(fs, h, r < 0 ? (e->text[0] ? e->text : err_class(r)) : NULL))
		fs_log_why(fs->v, ino, NULL, e->text[0] ? e->text : err_class(r));
	fuse_reply_err(req, r < 0 ? fs_errno(r, e) : 0);
}

void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *h = fs_handle(fi);
	struct err e = {0};

	if (h->edit)
		reply_flushed(req, ino, h, volume_file_flush(h->f, &e), &e);
	else
		fuse_reply_err(req, 0);
}

void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct handle *h = fs_handle(fi);
	struct err e = {0};

	reply_flushed(req, ino, h, volume_sync(fs_of(req)->v, h->edit ? h->f : NULL, &e), &e);
}

void fs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct err e = {0};
	int r = volume_sync(fs_of(req)->v, NULL, &e);

	if (r < 0)
		fs_reply_refused(req, ino, NULL, r, &e);
	else
		fuse_reply_err(req, 0);
}
