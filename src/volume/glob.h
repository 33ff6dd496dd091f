/* glob.h - shell patterns over paths. */
#ifndef PTHFS_VOLUME_GLOB_H
#define PTHFS_VOLUME_GLOB_H

#include <pthfs/str.h>

/* The whole of path. '*' does not cross '/', "**" does. */
bool glob_match(struct str pattern, struct str path);
/* The path, or a directory above it. */
bool glob_match_path(struct str pattern, struct str path);

#endif
