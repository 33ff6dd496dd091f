/* target.h - a word that is a mount point of ours or a checkpoint. */
#ifndef PTHFS_CLI_TARGET_H
#define PTHFS_CLI_TARGET_H

#include "mountinfo.h"

struct target {
	struct mount_table table;
	const struct mount *m; /* the mount that the word means; NULL: the file itself */
	char *path;            /* of the word: absolute, without links */
	bool named;            /* the word is the mount point itself */
};

/* A checkpoint stands for its mount when that is read-write, since only it knows the edits. Else
 * the file is meant. ERR_*: it is neither, in words. */
int target_find(const char *word, struct target *ret, struct err *e);
void target_release(struct target *t);

#endif
