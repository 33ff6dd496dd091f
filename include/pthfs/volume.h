/* volume.h - one checkpoint as front ends see it: FUSE, every command and the tests hold this and
 * nothing below it.
 *
 * Names answer with inode numbers, inodes with attributes and contents. Inode numbers are computed
 * from the tree, so they are the same at every mount of the same file; the names of a view are the
 * inodes of what they stand for. Contents that have to be made (text, strided tensors) are made at
 * open. Nothing reads tensor bytes before volume_read().
 *
 * Errors: ERR_ABSENT, ERR_DAMAGED and ERR_REFUSED stay apart; err_errno() gives the errno.
 * Thread rule: every call from any number of threads (views that are made on demand have a lock of
 * their own; everything else is immutable).
 */
#ifndef PTHFS_VOLUME_H
#define PTHFS_VOLUME_H

#include <pthfs/err.h>
#include <pthfs/json.h>
#include <pthfs/log.h>
#include <pthfs/str.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define VOLUME_ROOT 1 /* inode of the root */

struct volume_opts {
	bool salvage;
	bool show_hidden;   /* list the hidden names in readdir */
	uint32_t max_names; /* 0: the default */
};

struct volume;
struct vfile; /* an open file */

struct vattr {
	uint64_t ino;
	uint32_t mode; /* S_IFDIR or S_IFREG, and 0444/0555: fs lays masks and owner over it */
	uint32_t nlink;
	uint64_t size;
	bool dynamic; /* text that may change while mounted: not to be cached */
};

int volume_open(const char *path, const struct volume_opts *o, struct volume **ret, struct err *e);
void volume_close(struct volume *v);

const char *volume_format(const struct volume *v);     /* "torch zip" */
const char *volume_path(const struct volume *v);       /* as given, made absolute */
const struct stat *volume_stat(const struct volume *v); /* of the checkpoint at open */
struct log *volume_log(struct volume *v);
/* "320 tensors, 1.2 GB, read-only; keys begin with "module." (MNT/module/ has them without)" */
void volume_summary(struct volume *v, const char *mnt, struct buf *out);

/* --- names -------------------------------------------------------------------------------------- */

int volume_lookup(struct volume *v, uint64_t dir, struct str name, struct vattr *ret,
		struct err *e);
/* "model/fc.weight" from the root; "" is the root; a leading and double slashes are fine. */
int volume_resolve(struct volume *v, const char *path, struct vattr *ret, struct err *e);
int volume_getattr(struct volume *v, uint64_t ino, struct vattr *ret, struct err *e);
/* Appends the path of an inode, for messages; "inode N" for what is not of the tree. */
void volume_name_of(const struct volume *v, uint64_t ino, struct buf *out);

/* Each entry of a directory in order, from *cursor (0: the beginning, 1 and 2 stand for . and ..,
 * which are included). fn returns false to stop before that entry counts; next is the cursor
 * behind it. want_attr false leaves only ino and mode in attr. */
typedef bool volume_entry_fn(void *ctx, struct str name, const struct vattr *attr, uint64_t next);
int volume_readdir(struct volume *v, uint64_t dir, uint64_t cursor, bool want_attr,
		volume_entry_fn *fn, void *ctx, struct err *e);

/* Views that are made on demand (strip/PREFIX, add/PREFIX) live as long as somebody knows their
 * inode: volume_lookup(), and volume_readdir() with want_attr for each entry that fn took, count
 * one each, as the kernel does; this gives n of them back. Other inodes need no counting, so every
 * FORGET may come here as it is. Commands need not call it: volume_close() frees everything. */
void volume_forget(struct volume *v, uint64_t ino, uint64_t n);

/* --- contents ----------------------------------------------------------------------------------- */

int volume_file_open(struct volume *v, uint64_t ino, struct vfile **ret, struct err *e);
void volume_file_close(struct vfile *f);
uint64_t volume_file_size(const struct vfile *f);
/* At most len bytes; *got is short only at the end of the file. */
int volume_file_read(struct vfile *f, void *buf, size_t len, uint64_t off, size_t *got,
		struct err *e);
/* When [off, off + len) lies in the checkpoint as it is: its descriptor and *ret_off, else -1. */
int volume_file_raw(struct vfile *f, uint64_t off, uint64_t len, uint64_t *ret_off);

/* A tensor's elements as text, one a line ("0.5\n"), handed over in pieces; other files as they
 * are. Stops when fn returns non-zero, with that. */
int volume_file_text(struct vfile *f, int (*fn)(void *ctx, struct str piece), void *ctx,
		struct err *e);

/* --- extended attributes ------------------------------------------------------------------------ */

/* Appends the value ("user.dtype" -> "float32"). ERR_ABSENT: no such attribute here. */
int volume_getxattr(struct volume *v, uint64_t ino, struct str name, struct buf *out,
		struct err *e);
/* Appends the names, each with its NUL. */
int volume_listxattr(struct volume *v, uint64_t ino, struct buf *out, struct err *e);

/* --- statfs --------------------------------------------------------------------------------------*/

uint64_t volume_bytes(const struct volume *v); /* of all distinct tensors as shown */
uint64_t volume_names(const struct volume *v); /* inodes */

/* --- for commands -------------------------------------------------------------------------------- */

/* One shown name, as `ls --json` tells it. Borrowed for the call. */
struct vitem {
	struct str name; /* path in the tree */
	struct str type; /* "tensor", "int", "str", "dict", ... */
	struct vattr attr;
	bool is_dir;
	bool is_tensor;
	struct str dtype, shape; /* tensors and parts: "float32", "[64, 3]" */
	struct str tied_to;      /* tensors: the first name, when this is a later one */
	struct str broken;       /* a sentence, or empty */
	bool view;               /* shares bytes with another tensor without being the same */
	uint64_t ino;
	uint32_t node;           /* the volume's own number of it */
};
typedef int volume_item_fn(void *ctx, const struct vitem *item); /* non-zero stops */
/* Every file and directory below the root in tree order, .meta files left out. glob: shell
 * pattern over the path; '*' does not cross '/', '**' does; a name that matches as a directory
 * takes what is below it along; NULL: all. Returns what fn returned, or 0. */
int volume_walk(struct volume *v, const char *glob, volume_item_fn *fn, void *ctx, struct err *e);
/* The members of one entry of `ls --json`, between its braces. */
void volume_item_json(struct volume *v, const struct vitem *item, struct json *j);

/* .pthfs/info and `pthfs info`: aligned text, or one JSON document. */
void volume_info_text(struct volume *v, struct buf *out);
void volume_info_json(struct volume *v, struct buf *out);

/* Counts for a closing line. */
struct volume_totals {
	uint64_t tensors, values, tied, views, broken, bytes;
};
void volume_totals(const struct volume *v, struct volume_totals *ret);

#endif
