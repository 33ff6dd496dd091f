/* device.h - is the card there that a command was told to use? */
#ifndef PTHFS_CLI_DEVICE_H
#define PTHFS_CLI_DEVICE_H

#include <pthfs/err.h>

/* name: after -o device=, or NULL. One that names a card is tried; the others always work. */
int device_check(const char *name, struct err *e);

#endif
