/* journal.h - CHECKPOINT.pthfs-journal: edits, durable, in the order in which they were made.
 *
 * src/overlay/README.md has the format byte by byte. A file of mode 0600 beside the checkpoint: a
 * header that binds it to one checkpoint, then frames, each with a checksum that continues the one
 * before it (so that a frame out of its place, or of an older life of the file, is never taken for
 * good). The first bad frame ends the journal: what is behind it was not synced.
 *
 *	EMPTY -write, op-> EDITS -journal_coming-> RENAMING -rename, remove-> (gone)
 *	                     |
 *	                     +----journal_patch---> PATCHING -patched, synced-> EMPTY or (gone)
 *
 * Bytes are buffered (at most 4 MiB) and written in big pieces; journal_sync() makes all of it
 * durable. Without room on the disk a call fails and can be tried again once there is some. After any
 * other failed write or sync the journal is broken: every later call but close and
 * remove fails with the same sentence, nothing is tried twice, and what was synced before stays
 * good.
 *
 * Every call that changes something goes through sys.h.
 * Thread rule: one thread at a time, but journal_source() may be read from any number of threads
 * while another appends.
 */
#ifndef PTHFS_JOURNAL_H
#define PTHFS_JOURNAL_H

#include <pthfs/plan.h>
#include <pthfs/str.h>
#include <stdbool.h>
#include <sys/stat.h>

#define JOURNAL_SUFFIX ".pthfs-journal"
#define JOURNAL_VERSION 1
#define JOURNAL_OP_MAX (64u << 20) /* bytes that one journal_op() can hold */

struct journal;

/* The one checkpoint that a journal belongs to. */
struct journal_bind {
	uint64_t ino, size;
	int64_t mtime_sec, mtime_nsec;
	uint64_t content; /* hash of its first and last 64 KiB: the directory is in there */
	uint64_t layout;  /* hash over keys and sizes of its storages, in the program's numbering */
};

enum journal_state {
	JOURNAL_EMPTY,    /* no edits: nothing is lost with it, whatever it is bound to (a crash in
			   * journal_reset() leaves it bound to the file as it was before) */
	JOURNAL_EDITS,
	JOURNAL_RENAMING, /* journal_coming: the file that is to take the checkpoint's name. When
			   * it has not (journal_coming_is()), these are edits as ever */
	JOURNAL_PATCHING, /* a complete patch list: the checkpoint may hold a mixture */
};

/* What a frame says. */
enum frame_kind {
	FRAME_WRITE = 1, /* n bytes of blob `blob` at `off`; they lie at `where` in the journal */
	FRAME_OP = 2,    /* opaque here: an edit of names, values or types */
	FRAME_COMING = 3,
	FRAME_PATCH = 4,
	FRAME_PATCH_END = 5,
	FRAME_NOTE = 6, /* a sentence: why the last commit failed */
};
struct frame {
	enum frame_kind kind;
	uint32_t blob;
	uint64_t off, where, n;
	struct str payload; /* FRAME_OP, FRAME_NOTE: in memory, borrowed for the call */
};

/* PATH.pthfs-journal of the file that path (a link is followed) leads to. malloc, NULL: no memory. */
char *journal_path(const char *path);

/* path here and below is the journal's own. Sentences do not name it: put it in front.
 * Makes it (exclusive, 0600, locked) and syncs it and its directory. ERR_REFUSED when there is
 * one (one that holds nothing, see below, is taken over); a read-only directory or a full disk
 * shows here. */
int journal_create(const char *path, const struct journal_bind *b, struct journal **ret,
		struct err *e);
/* Opens the one that is there. ERR_ABSENT: none, or one that holds nothing: no bytes, or a header
 * that was being written when the power went, with nothing but zeros behind it (a header is durable
 * before the first edit, so none can be lost with it); unless readonly, that is removed.
 * ERR_REFUSED: another process holds it, it is a link or no regular file, or another user's (root
 * opens everybody's). ERR_UNSUPPORTED: a version of another pthfs. ERR_DAMAGED: not even its header
 * is good.
 * readonly: writes nothing and locks nothing (a mount without rw, status). *cut is the number of
 * bytes behind the last good frame that were left out (0: none); they are cut off at the next
 * write. */
int journal_open(const char *path, bool readonly, struct journal **ret, uint64_t *cut,
		struct err *e);
/* Closes; the file stays. NULL is fine. */
void journal_close(struct journal *j);
/* Unlinks it and syncs the directory, then closes (also when it fails). */
int journal_remove(struct journal *j, struct err *e);

const struct journal_bind *journal_bind(const struct journal *j);
enum journal_state journal_state(const struct journal *j);
uint64_t journal_size(const struct journal *j);   /* bytes, buffered ones counted */
uint64_t journal_synced(const struct journal *j); /* bytes known to be durable; after opening: 0 */
bool journal_coming_is(const struct journal *j, const struct stat *st); /* is this the coming file? */

/* Every good frame but FRAME_PATCH and FRAME_PATCH_END, in order. Stops when fn is not 0, with
 * that. */
int journal_each(struct journal *j, int (*fn)(void *ctx, const struct frame *f), void *ctx,
		struct err *e);

/* Appends. *where: the offset of the bytes in journal_source(). */
int journal_write(struct journal *j, uint32_t blob, uint64_t off, const void *bytes, size_t n,
		uint64_t *where, struct err *e);
int journal_op(struct journal *j, const void *payload, size_t n, struct err *e);
/* Everything so far is on the disk. */
int journal_sync(struct journal *j, struct err *e);
/* Also synced. */
int journal_note(struct journal *j, const char *sentence, struct err *e);
int journal_coming(struct journal *j, const struct stat *coming, struct err *e);

/* Takes the bytes of blobs that are dead off the end, as far as there is nothing else among them: the
 * room on the disk is free again. Reads every frame's head. *trimmed: something went; whatever was
 * mapped from a dead blob must be forgotten then. */
typedef bool journal_dead_fn(void *ctx, uint32_t blob);
int journal_trim(struct journal *j, journal_dead_fn *dead, void *ctx, bool *trimmed, struct err *e);

/* Empties it for a new life: header anew for b (with a new salt), frames gone, synced. Readers of
 * journal_source() must have let go of what they had mapped. */
int journal_reset(struct journal *j, const struct journal_bind *b, struct err *e);

/* The bytes of the journal file, buffered ones too. Borrowed, and whoever takes a reference may
 * read what is in the file also after the journal was closed or removed. size is "endless", what
 * was not written is an error. */
struct source *journal_source(struct journal *j);

/* --- in place: a redo journal (inplace.c) ----------------------------------------------------- */

/* Makes the file at fd (the checkpoint, open for reading and writing) be what the plan says, so
 * that a crash anywhere is repaired by inplace_redo(): what is not in place yet is named in the
 * journal (bytes of the journal itself by their place, all others copied into it), synced, written
 * to the file, synced. Runs of the old file that move are copied into the journal. *written: bytes
 * that went to the journal and to the file. Afterwards the state is PATCHING and the file is new:
 * reset or remove the journal. An error before the patch list is complete leaves the file as it
 * was and the journal with its edits; after it, the sentence says that the next command finishes
 * it. ERR_REFUSED: the file is not (or no longer, by size and time) the one that j is bound to. */
int inplace_commit(struct journal *j, int fd, const struct plan *p,
		void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		uint64_t *written, struct err *e);
/* State PATCHING: writes the patch list to the file (again), with its final size, and syncs it.
 * ERR_REFUSED (also below): not the file that the list was made for, by inode and samples of what
 * the list leaves alone. Its size and time say nothing then. */
int inplace_redo(struct journal *j, int fd, struct err *e);
/* State PATCHING: the file as it will be, without writing a byte. file is the checkpoint as it
 * is now. */
int inplace_source(struct journal *j, struct source *file, struct source **ret, struct err *e);

#endif
