/* in.h - what the files of this room share: the served mount, and its requests by subject. */
#ifndef PTHFS_FS_IN_H
#define PTHFS_FS_IN_H

#include <fuse_lowlevel.h>
#include <pthfs/fs.h>
#include <pthread.h>
#include <stdatomic.h>

#define FS_REQUEST (1u << 20) /* largest read of the kernel, and its read-ahead window */
#define FS_FOREVER (30 * 86400.0)

/* What the kernel has open, and who reads it. */
struct handle {
	struct vfile *f;
	struct handle *prev, *next; /* protected by fs.open_lock */
};

struct fs {
	struct volume *v;
	const struct fs_opts *o;
	double entry_timeout, attr_timeout, negative_timeout;
	int ready_fd;              /* the parent waits at the other end; -1: foreground */
	bool no_opendir;           /* the kernel opens directories without asking */
	pthread_mutex_t open_lock; /* held for a few assignments, never across a call */
	struct handle *open;
	_Atomic uint64_t last_broken; /* inode whose EIO is in the log already */
};

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Answers with the errno of code; what the user could not guess (EIO, EFBIG) goes to the log too. */
void fs_reply_fail(fuse_req_t req, uint64_t ino, int code, const struct err *e);

/* --- attr.c ---------------------------------------------------------------------------------- */
void fs_stat(const struct fs *fs, const struct vattr *a, struct stat *ret);
void fs_entry(const struct fs *fs, const struct vattr *a, struct fuse_entry_param *ret);
void fs_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list);
void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_statfs(fuse_req_t req, fuse_ino_t ino);

/* --- dir.c ----------------------------------------------------------------------------------- */
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_readdirplus(
		fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);

/* --- file.c ---------------------------------------------------------------------------------- */
void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* What is still open when the mount ends: the kernel sends no release for it then. */
void fs_release_all(struct fs *fs);

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
extern const struct fuse_lowlevel_ops fs_ops;
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

#endif
