/* wait_editor.h - opening a checkpoint that a mount is still committing. */
#ifndef PTHFS_CLI_WAIT_EDITOR_H
#define PTHFS_CLI_WAIT_EDITOR_H

#include <pthfs/volume.h>

/* volume_open(); when another process is editing it that has no mount any more, that one is at its end
 * (fusermount -u does not wait for the commit): up to ten seconds it is waited for. */
int volume_open_soon(const char *path, const struct volume_opts *o, struct volume **ret,
		struct err *e);

#endif
