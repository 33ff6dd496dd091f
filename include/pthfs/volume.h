/* volume.h - one checkpoint as front ends see it: FUSE, every command and the tests hold this and
 * nothing below it.
 *
 * Names answer with inode numbers, inodes with attributes and contents. Inode numbers are computed
 * from the tree, so they are the same at every mount of the same file; the names of a view are the
 * inodes of what they stand for. Contents that have to be made (text, strided tensors) are made at
 * open. Nothing reads tensor bytes before volume_read().
 *
 * One that is open for editing shows every edit at once, under every name. Edits are in memory and in
 * the journal until volume_commit() makes the checkpoint contain them.
 *
 * Errors: ERR_ABSENT, ERR_DAMAGED and ERR_REFUSED stay apart; err_errno() gives the errno.
 * Thread rule: every call from any number of threads. Read-only, everything is immutable (views
 * that are made on demand have a lock of their own). Open for editing, calls that read hold a
 * read lock and calls that edit the write lock, for the length of the call.
 */
#ifndef PTHFS_VOLUME_H
#define PTHFS_VOLUME_H

#include <pthfs/err.h>
#include <pthfs/json.h>
#include <pthfs/log.h>
#include <pthfs/str.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#define VOLUME_ROOT 1 /* inode of the root */

enum volume_mode {
	VOLUME_READ, /* writes nothing, locks nothing. A half-done -o inplace commit is shown done */
	VOLUME_RW,   /* a mount, `commit`, `recover`: locked; edits are journalled; those left behind
	              * by a crash are taken up again, a half-done commit is finished */
	VOLUME_PEEK, /* as VOLUME_READ, but edits that wait in the journal are shown as if made */
	VOLUME_EDIT, /* one command's edits: locked, committed or lost, no journal. Refused when edits
	              * wait in a journal */
};

enum validate { VALIDATE_WARN, VALIDATE_OFF, VALIDATE_STRICT };

struct volume_opts {
	enum volume_mode mode;
	bool inplace;       /* commit by patching the file itself (redo journal) */
	bool compact;       /* commit in torch's own layout */
	enum validate validate; /* of edited tensors before a commit */
	const char *device;     /* that validates: engine_open()'s; NULL: "auto" */
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
	bool shared;  /* editing: other inodes show the same bytes; not to be cached either */
	/* When it was last edited; tv_sec 0: not since the checkpoint was opened. */
	struct timespec changed;
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

/* --- editing (VOLUME_RW, VOLUME_EDIT; otherwise ERR_SYS with EROFS) --------------------------------- */

/* What opening for editing found and did: "took up 12 edits that were not committed (...)", ""
 * normally. One sentence a line. */
const char *volume_notice(const struct volume *v);
bool volume_editing(const struct volume *v);

/* Who asks, for the calls of this thread that follow; 0 (at first): nobody in particular. To the
 * process that removed or moved NAME its NAME.meta still answers, since it has read that name already
 * and wants it gone too. */
void volume_caller(pid_t pid);

/* A file of that name, open for writing: of the type that a removed one of this name had, or
 * scratch; NAME.npy and NAME.meta make the tensor NAME, NAME.json a value, when they are closed. */
int volume_create(struct volume *v, uint64_t dir, struct str name, struct vattr *ret,
		struct vfile **f, struct err *e);
int volume_mkdir(struct volume *v, uint64_t dir, struct str name, struct vattr *ret, struct err *e);
int volume_unlink(struct volume *v, uint64_t dir, struct str name, struct err *e);
int volume_rmdir(struct volume *v, uint64_t dir, struct str name, struct err *e);
/* noreplace: ERR_EXISTS when to_name is there. Without, a file gives way as rename(2) has it, but a
 * tensor is not moved onto another tensor (ERR_EXISTS). */
int volume_rename(struct volume *v, uint64_t dir, struct str name, uint64_t to_dir,
		struct str to_name, bool noreplace, struct err *e);
/* A further name for a tensor: tied. */
int volume_link(struct volume *v, uint64_t ino, uint64_t dir, struct str name, struct vattr *ret,
		struct err *e);

/* Open for reading and writing. trunc: as O_TRUNC; the old content comes back at close unless the
 * new one fits. A file that cannot be written says why here. */
int volume_file_edit(struct volume *v, uint64_t ino, bool trunc, struct vfile **ret, struct err *e);
/* All len bytes or an error. Past the end of a tensor: EFBIG. */
int volume_file_write(struct vfile *f, const void *buf, size_t len, uint64_t off, struct err *e);
int volume_file_truncate(struct vfile *f, uint64_t size, struct err *e);
/* truncate(2) without an open file: only to the size that it has, or scratch. */
int volume_truncate(struct volume *v, uint64_t ino, uint64_t size, struct err *e);
/* At every close of a descriptor: what was written takes effect, or ERR_INVALID and it does not.
 * volume_file_close() then drops what did not fit. */
int volume_file_flush(struct vfile *f, struct err *e);
/* fsync: flush, and every edit so far is in the journal and on the disk. f NULL: all of it. */
int volume_sync(struct volume *v, struct vfile *f, struct err *e);

struct commit_opts {
	bool dry_run;
	bool compact;  /* also when nothing else changed */
	bool force;    /* also what VALIDATE_STRICT refuses, or refused when the journal was left behind */
	bool unmounting; /* nobody needs the volume afterwards: the journal goes */
	const char *output; /* another file, which must not exist yet; the checkpoint stays as it is, and
	                     * the edits stay edits. NULL: the checkpoint */
	/* Told about progress, at most every 100 ms; NULL: nobody. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};
struct commit_result {
	uint64_t edits;    /* how many there were; 0: nothing was done */
	uint64_t written;  /* bytes (dry run: that would be) */
	uint64_t size;     /* of the file now */
	uint64_t dead;     /* bytes in it that compact would give back */
	uint64_t suspects; /* edited tensors that the validation finds suspicious: volume_suspects() */
	const char *way;   /* "cloned and patched", "copied", "patched in place", static */
};
/* All or nothing. Reading goes on meanwhile, writing waits. ERR_REFUSED: the checkpoint is not the
 * one that was opened any more, or validation is strict and finds edits suspicious (a dry run, too);
 * nothing was touched, the edits stay in the journal. */
int volume_commit(struct volume *v, const struct commit_opts *o, struct commit_result *ret,
		struct err *e);
/* The edited tensors that the last commit, or the last try, found suspicious, a line each: "KEY: 3 NaN
 * (was 0)"; `status` has them too. Strict validation refuses a commit with ERR_REFUSED. */
void volume_suspects(struct volume *v, struct buf *out);
/* Drops every edit: the volume shows the checkpoint again, and the journal is empty. */
int volume_revert(struct volume *v, struct err *e);
/* How far the commit that is going on is; false: none is. Takes no lock. */
bool volume_progress(const struct volume *v, uint64_t *done, uint64_t *total);

/* .pthfs/status: "clean\n", or "dirty: 3 edits ...\n" and a line for each edit ("renamed a -> b");
 * then scratch files, the last commit. json: {"state": "clean" | "dirty", "edits": [{...}], ...}. */
void volume_status(struct volume *v, bool json, struct buf *out);
uint64_t volume_edits(struct volume *v); /* how many edits wait */
/* The same of a checkpoint that this process has not opened for editing: clean, edits left behind,
 * a half-done commit, who holds it. *ret: true when it is clean. Writes nothing. */
int volume_status_of(const char *path, bool json, struct buf *out, bool *clean, struct err *e);
/* Is some process editing it, in whatever way? */
bool volume_is_edited(const char *path);
/* Throws the journal of a checkpoint away that nobody holds, finishing a half-done commit first.
 * *edits: how many were dropped. */
int volume_revert_file(const char *path, uint64_t *edits, struct err *e);

/* --- editing by path, for commands ---------------------------------------------------------------- */

/* A path as volume_resolve() takes it; the last part need not be there: *name is it, borrowed. */
int volume_parent(struct volume *v, const char *path, uint64_t *dir, struct str *name,
		struct err *e);
/* value: text of the type that is there; for a new key True, None, numbers, JSON, else text. */
int volume_set(struct volume *v, const char *path, struct str value, struct err *e);
/* The tensor becomes what the .npy file holds (its bytes are not copied before the commit). */
int volume_set_npy(struct volume *v, const char *path, const char *npy, struct err *e);
/* Everything that a glob matches (as for volume_walk); *n: names removed. */
int volume_remove(struct volume *v, const char *glob, uint64_t *n, struct err *e);
/* Keys of a state_dict (path of its directory), or of every one in the file (NULL), all at once:
 * map() writes the new key into out and returns true, or false to leave it. Nothing is changed when
 * two would become one (ERR_EXISTS names them). *n: how many were renamed. */
typedef bool volume_key_fn(void *ctx, struct str key, struct buf *out);
int volume_rename_keys(struct volume *v, const char *path, volume_key_fn *map, void *ctx,
		uint64_t *n, struct err *e);

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
