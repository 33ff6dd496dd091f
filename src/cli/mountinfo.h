/* mountinfo.h - the kernel's table of mounts, /proc/self/mountinfo. */
#ifndef PTHFS_CLI_MOUNTINFO_H
#define PTHFS_CLI_MOUNTINFO_H

#include <pthfs/err.h>
#include <stdbool.h>
#include <stddef.h>

struct mount {
	int id, parent;
	unsigned int maj, min;
	const char *point, *type, *source, *super; /* in the table's own memory, unescaped */
};

struct mount_table {
	struct mount *at;
	size_t n;
	char *text;
};

int mount_table_load(struct mount_table *t, struct err *e);
void mount_table_release(struct mount_table *t);
/* The one on top at this very path, or NULL. */
const struct mount *mount_at(const struct mount_table *t, const char *point);
const struct mount *mount_by_id(const struct mount_table *t, int id);
/* The mount that the path lies in, found without asking its file system. NULL: not there. */
const struct mount *mount_holding(const struct mount_table *t, const char *path);
bool mount_is_ours(const struct mount *m);
bool mount_is_rw(const struct mount *m); /* the file system, whatever the mount point is */
/* "user_id=" and the like from the super options; -1 when it is not there. */
long mount_number(const struct mount *m, const char *key);

/* Absolute path without links, also of a mount point that no longer answers. malloc'ed, NULL with
 * errno when it is not there. */
char *path_resolve(const char *path);
/* Takes the mount away: as root by itself, else by fusermount3. ERR_SYS with EBUSY when held. */
int mount_detach(const char *point, bool lazy, struct err *e);

#endif
