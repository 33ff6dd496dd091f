/* control.h - telling a mount to commit or to revert, from outside. */
#ifndef PTHFS_CLI_CONTROL_H
#define PTHFS_CLI_CONTROL_H

#include "mountinfo.h"

#include <stdbool.h>

struct control {
	const char *file;   /* ".pthfs/commit", ".pthfs/revert": written to act, read for the result */
	const char *word;   /* what is written */
	const char *doing;  /* "committing" */
	const char *advice; /* a second line when it fails, or NULL */
	bool if_dirty;      /* of a clean mount nothing is said or done */
};

/* Returns CLI_SAME with the result on standard output, or CLI_ERROR with the reason on standard
 * error; CLI_DIFFERENT, unless if_dirty: the validation refuses. What it finds suspicious is told on
 * standard error, too. A mount whose process has ended is CLI_DIFFERENT, without a word, when if_dirty. */
int control_mount(const struct mount *m, const struct control *c);

/* Everything that was written to the mount is in the checkpoint. False also when it cannot tell. */
bool control_is_clean(const struct mount *m);

#endif
