/* server.h - the process behind a mount, and asking the mount itself. */
#ifndef PTHFS_CLI_SERVER_H
#define PTHFS_CLI_SERVER_H

#include "mountinfo.h"

#include <pthfs/str.h>
#include <stdint.h>

/* The process that serves m; 0: it did not say so within ten seconds. */
uint32_t server_pid(const struct mount *m);
/* A pidfd of it, or -1: *pid then is what it said, maybe of another namespace. */
int server_open(const struct mount *m, uint32_t *pid);

/* Calls fn in a child that has become the user of the mount: FUSE answers nobody else, not even
 * root. What fn prints is printed; returns what it returned, CLI_ERROR when the child died. */
int server_run(const struct mount *m, int (*fn)(const struct mount *m, void *ctx), void *ctx);

/* In such a child: appends what a file of the mount (".pthfs/status") holds. */
int server_read(const struct mount *m, const char *name, struct buf *out, struct err *e);

#endif
