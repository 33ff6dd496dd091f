/* fs.h - a volume through low-level libfuse: each request becomes one volume call and one reply.
 * Nothing is decided here.
 */
#ifndef PTHFS_FS_H
#define PTHFS_FS_H

#include <pthfs/err.h>
#include <pthfs/volume.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>

struct fs_opts {
	bool rw;         /* for a volume that is open for editing: shown and served as writable */
	bool foreground; /* -f */
	bool debug;      /* -d: libfuse's trace, and foreground */
	bool single;     /* -s: one thread */
	bool noxattr;    /* -o noxattr: ENOSYS once, the kernel never asks again */
	bool quiet;      /* nothing on stderr in the foreground */
	bool direct_io;  /* past the page cache: no mmap(MAP_SHARED) */
	bool clone_fd;   /* one /dev/fuse descriptor for each thread */
	uid_t uid;       /* owner shown; (uid_t)-1: the checkpoint's */
	gid_t gid;
	mode_t fmask, dmask;   /* (mode_t)-1: the checkpoint's read bits; else 0444 and 0555 without
				  these */
	unsigned int max_read; /* largest read request; 0: 1 MiB */
	unsigned int max_threads, max_idle_threads; /* 0: the default */
	/* Seconds; negative: the default, which is as good as for ever, and 0 with rw. */
	double entry_timeout, attr_timeout, negative_timeout;
	char *fuse_opts; /* further -o options for libfuse, comma separated and escaped, or NULL */
	/* Called once when the mount answers: in the parent, or in the foreground by the server. */
	void (*ready)(void *ctx);
	void *ready_ctx;
};

enum fs_side {
	FS_PARENT, /* the mount answers, another process serves it */
	FS_SERVED, /* this process served it until it was unmounted */
};

/* Mounts at mnt (absolute) and serves until unmounted or told to stop. In the background (the
 * default) the parent returns as soon as the mount answers, with 0, or with the error of what kept
 * it from answering. No thread may exist before the call: it forks. Returns 0 with *side, or ERR_*
 * with a sentence. In the served process the log's sink is syslog, or stderr in the foreground.
 *
 * With rw, whatever ends the mount (an unmount, a signal, the end of the connection) the edits are
 * committed before the call returns, and that is said in the log. When they cannot be, that is the
 * error; they stay in the journal. Signals that come meanwhile do nothing. */
int fs_serve(struct volume *v, const char *mnt, const struct fs_opts *o, enum fs_side *side,
		struct err *e);

/* ioctl on the root of a mount: the process that serves it. What waits for the end of a mount has
 * to know it, also where extended attributes are switched off. */
#define FS_IOC_PID _IOR(0xe7, 1, uint32_t)

/* ioctl on the root of a mount: how far the commit that is going on is. Answered at once. */
struct fs_progress {
	uint64_t done, total; /* bytes */
	uint32_t running;     /* 0: no commit is going on; then the others are 0 too */
	uint32_t unused;
};
#define FS_IOC_PROGRESS _IOR(0xe7, 2, struct fs_progress)

#endif
