/* in.h - what the files of this room share: the served mount, and its requests by subject. */
#ifndef PTHFS_FS_IN_H
#define PTHFS_FS_IN_H

#include <fuse_lowlevel.h>
#include <pthfs/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define FS_REQUEST (1u << 20) /* largest request of the kernel, and its read-ahead window */
#define FS_FOREVER (30 * 86400.0)

/* What the kernel has open, and who reads and writes it. */
struct handle {
	struct vfile *f;
	uint64_t ino;
	bool edit;         /* open for writing */
	atomic_bool wrote; /* something came, so that its end is meant to be one */
	_Atomic int said;  /* errno of a write that is in the log already */
	char *why;         /* the last flush failed with this; else NULL. Under fs.open_lock */
	bool told;         /* that is in the log. The same */
	struct handle *prev, *next; /* the same */
};

struct fs {
	struct volume *v;
	const struct fs_opts *o;
	const char *mnt;
	double entry_timeout, attr_timeout, negative_timeout;
	int ready_fd;              /* the parent waits at the other end; -1: foreground */
	bool no_opendir;           /* the kernel opens directories without asking */
	atomic_bool answered;      /* the kernel has spoken to us: there was a mount */
	pthread_mutex_t open_lock; /* held for a few assignments, never across a call */
	struct handle *open;
	_Atomic uint64_t last_broken;  /* inode whose EIO is in the log already */
	_Atomic uint64_t last_refused; /* edit and second that is there already */
};

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct handle *fs_handle(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* Answers with the errno of code; what one could not guess (EIO, EFBIG) goes to the log too. */
int fs_errno(int code, const struct err *e); /* what is answered; never EINTR */
void fs_reply_fail(fuse_req_t req, uint64_t ino, int code, const struct err *e);
/* The same of an edit of ino, or of name in the directory ino: its sentence goes to the log. */
void fs_reply_refused(
		fuse_req_t req, uint64_t ino, const char *name, int code, const struct err *e);
/* "PATH: why" in the log; name: in the directory ino, or NULL. */
void fs_log_why(struct volume *v, uint64_t ino, const char *name, const char *why);

/* --- attr.c ---------------------------------------------------------------------------------- */
void fs_stat(const struct fs *fs, const struct vattr *a, struct stat *ret);
void fs_entry(const struct fs *fs, const struct vattr *a, struct fuse_entry_param *ret);
void fs_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list);
void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
		struct fuse_file_info *fi);
void fs_statfs(fuse_req_t req, fuse_ino_t ino);

/* --- dir.c ----------------------------------------------------------------------------------- */
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_readdirplus(
		fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);

/* --- file.c ---------------------------------------------------------------------------------- */
void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
		struct fuse_file_info *fi);
void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* What is still open when the mount ends: the kernel sends no release for it then. */
void fs_release_all(struct fs *fs);
/* The inodes that are open for writing, malloc'ed; *n of them. NULL: none, or out of memory. */
uint64_t *fs_written(struct fs *fs, size_t *n);

/* --- write.c --------------------------------------------------------------------------------- */
void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		struct fuse_file_info *fi);
void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* --- names.c --------------------------------------------------------------------------------- */
void fs_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev);
void fs_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void fs_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void fs_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void fs_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t to_dir,
		const char *to_name, unsigned int flags);
void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name);
void fs_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name);

/* --- xattr.c --------------------------------------------------------------------------------- */
void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fs_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
		size_t out_size);

/* --- slots.c --------------------------------------------------------------------------------- */
/* A buffer of at least size bytes, NULL when out of memory. Give it back after the reply. */
void *fs_slot_take(size_t size);
void fs_slot_give(void *p);

/* --- ops.c, daemon.c ------------------------------------------------------------------------- */
struct fuse_lowlevel_ops fs_ops(bool rw);
/* The kernel's read-ahead of the mount at mnt becomes FS_REQUEST where we may set it. */
void fs_raise_readahead(const char *mnt);
/* libfuse's own messages: the last one is kept for the error sentence, or goes to the log. */
void fs_log_catch(void);
const char *fs_log_caught(void);
void fs_log_to(struct volume *v, const struct fs_opts *o);
/* What others write to stderr in between, for the error sentence. */
int fs_stderr_aside(int *saved);
void fs_stderr_back(int fd, int saved, char *line, size_t size);
/* In the child, before the parent is told: no terminal, no working directory. */
void fs_detach_stdio(void);
/* Progress of a commit, on a terminal once a second. *last: when, 0 at first. */
void fs_say_progress(time_t *last, uint64_t done, uint64_t total);
void fs_say_progress_over(const time_t *last);

/* --- end.c: how a mount with rw ends ---------------------------------------------------------- */
struct ending {
	struct fs *fs;
	struct fuse_session *se;
	pthread_t loop, thread; /* who serves, who listens to signals */
	sigset_t signals;       /* that end the mount */
	atomic_bool over;       /* nobody serves any more */
};
/* From here on signals end the mount, after what mappings hold has been written. */
int fs_end_listen(struct ending *end, struct fs *fs, struct fuse_session *se, struct err *e);
/* After the loop. Signals stay blocked. */
void fs_end_over(struct ending *end);
int fs_end_commit(struct fs *fs, struct err *e);

#endif
