/* lock.h - one editor for each checkpoint. */
#ifndef PTHFS_VOLUME_LOCK_H
#define PTHFS_VOLUME_LOCK_H

#include <pthfs/err.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* *ret: a descriptor that holds the lock until it is closed. ERR_REFUSED: somebody else does. */
int lock_take(const char *path, int *ret, struct err *e);
/* The process that took the lock of a file; 0: nobody, or unknown. The mount command is gone when its
 * daemon has the lock. */
pid_t lock_holder(const struct stat *st);
bool lock_is_alive(pid_t pid);

#endif
