/* lock.h - one editor for each checkpoint. */
#ifndef PTHFS_VOLUME_LOCK_H
#define PTHFS_VOLUME_LOCK_H

#include <pthfs/err.h>
#include <sys/stat.h>
#include <sys/types.h>

/* *ret: a descriptor that holds the lock until it is closed. ERR_REFUSED: somebody else does. */
int lock_take(const char *path, int *ret, struct err *e);
/* The process that holds the lock of a file; 0: nobody, or unknown. */
pid_t lock_holder(const struct stat *st);

#endif
