/* fail.c - errors: a number for the program that asked, a sentence for its user in the log.
 *
 * Programs turn an errno into a few words that cannot say which limit, which size or what to do.
 * So the log gets the volume's sentence with the path in front, unless the number says it all.
 */
#include "in.h"

#include <errno.h>

void fs_log_why(struct volume *v, uint64_t ino, const char *name, const char *why)
{
	struct buf path;

	buf_init(&path, 1 << 20);
	if (ino != VOLUME_ROOT)
		volume_name_of(v, ino, &path);
	if (name && path.n)
		buf_putc(&path, '/');
	if (name)
		buf_puts(&path, name);
	if (path.n)
		buf_puts(&path, ": ");
	if (str_starts(str_of(why), buf_view(&path)))
		path.n = 0; /* what an open says is named already */
	log_add(volume_log(v), "%s%s", STR_SHOW(buf_view(&path)), why);
	buf_release(&path);
}

/* What interrupted a call of ours is no business of whoever asked: a program that is told EINTR
 * asks again, and again, since a journal that failed once fails from then on. */
int fs_errno(int code, const struct err *e)
{
	int sys = err_errno(code, e);

	return sys == EINTR ? EIO : sys;
}

void fs_reply_fail(fuse_req_t req, uint64_t ino, int code, const struct err *e)
{
	struct fs *fs = fs_of(req);
	int sys = fs_errno(code, e);

	/* Read-ahead asks again and again for a broken file: once is enough for the log. */
	if ((sys == EIO || sys == EFBIG) && atomic_exchange(&fs->last_broken, ino) != ino)
		fs_log_why(fs->v, ino, NULL, e->text[0] ? e->text : err_class(code));
	fuse_reply_err(req, sys);
}

static bool says_it_all(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == EISDIR || sys == ENOTEMPTY ||
	       sys == ENAMETOOLONG || sys == EROFS;
}

/* mv asks twice, in two ways, before it gives up: one line for both. */
static bool is_news(struct fs *fs, uint64_t ino, const char *name, int sys)
{
	uint64_t key = str_hash(str_of(name ? name : "")) ^ ino << 8 ^ (uint64_t)sys;

	key += (uint64_t)time(NULL);
	return atomic_exchange(&fs->last_refused, key) != key;
}

void fs_reply_refused(fuse_req_t req, uint64_t ino, const char *name, int code, const struct err *e)
{
	int sys = fs_errno(code, e);

	if (!says_it_all(sys) && is_news(fs_of(req), ino, name, sys))
		fs_log_why(fs_of(req)->v, ino, name, e->text[0] ? e->text : err_class(code));
	fuse_reply_err(req, sys);
}
