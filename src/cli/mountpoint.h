/* mountpoint.h - where a checkpoint is mounted. */
#ifndef PTHFS_CLI_MOUNTPOINT_H
#define PTHFS_CLI_MOUNTPOINT_H

#include <pthfs/err.h>
#include <stdbool.h>

struct mountpoint {
	char *path;    /* absolute, without links */
	bool made;     /* by us: removed after the unmount */
	char *cleared; /* the stale mount that was taken away: its checkpoint, or NULL */
};

/* "dir/model.pth" -> "model", "resnet.pth.tar" -> "resnet", "ckpt" -> "ckpt.mnt". malloc'ed. */
char *mountpoint_name(const char *checkpoint);
/* Finds or makes the directory. checkpoint: absolute, without links. Refused: what is no empty
 * directory (unless nonempty), what already shows a checkpoint, and every place where the mount
 * would hide the checkpoint or lie in it. A dead mount of ours is taken away first. */
int mountpoint_prepare(const char *path, const char *checkpoint, bool nonempty,
		struct mountpoint *ret, struct err *e);
/* Removes the directory when we made it. */
void mountpoint_remove(const struct mountpoint *m);
void mountpoint_release(struct mountpoint *m);

#endif
