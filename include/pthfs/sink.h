/* sink.h - realizing a plan into a file, all or nothing.
 *
 * The protocol: a temporary file beside the target is created (0600, exclusive), filled, given the
 * owner, mode, xattrs and ACLs of the file it is to replace, synced, and renamed over it; then the
 * directory is synced. At every instant the path holds the old file or the new one, whole. A
 * failure before the rename removes the temporary and leaves everything as it was; fsync is never
 * tried twice on the same data (a second one may lie).
 *
 * Where the file system can share blocks, the old file is cloned and only the pieces that are not
 * already at their place are written (the edit); elsewhere copy_file_range moves runs at disk
 * speed; pread and pwrite where even that is refused. Memory stays constant.
 *
 * Every system call that changes something goes through sys.h, so that tests can count them and
 * fail each in turn.
 */
#ifndef PTHFS_SINK_H
#define PTHFS_SINK_H

#include <pthfs/plan.h>
#include <stdbool.h>
#include <sys/stat.h>

struct sink_opts {
	/* The file that is replaced must still be this one (device, inode, size, mtime), or
	 * ERR_REFUSED and nothing is touched. NULL: the path must not exist yet. */
	const struct stat *expect;
	/* Attributes (owner, mode, xattrs) are taken from here when the path does not exist yet:
	 * the file the plan was made from. NULL: the path's own. */
	const char *like;
	/* Told about progress, at most every 100 ms; NULL: nobody. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	/* Called when the temporary is complete and synced, right before the rename, with what the
	 * path will be: for the journal to name it. A negative code gives up; NULL: nobody. */
	int (*ready)(void *ctx, const struct stat *coming, struct err *e);
	void *ctx;
};

enum sink_way { SINK_CLONE, SINK_COPY_RANGE, SINK_COPY };

struct sink_result {
	enum sink_way way;
	uint64_t written; /* bytes that really moved through write or copy calls (clones are free) */
	struct stat now;  /* of the new file */
};

/* A symbolic link is followed and stays. 0: the new file is the file, and survives a power loss
 * from now on. Otherwise the old one is untouched, and the sentence says what to do; with one
 * exception that its sentence names: when only the directory cannot be synced after the rename,
 * the new file is in place but may be the old one again after a power loss. Sentences do not name
 * the path: put it in front. Ignore SIGXFSZ, which a limit on file size would kill with. */
int sink_replace(const char *path, const struct plan *p, const struct sink_opts *o,
		struct sink_result *ret, struct err *e);

/* Can a new file at path (which may be there or not) share blocks with the file at from? */
bool sink_clones(const char *from, const char *path);

/* Removes temporaries of ours beside path that a killed run left (nobody holds their lock).
 * Returns how many. */
int sink_sweep(const char *path);

#endif
