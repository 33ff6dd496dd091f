/* holders.h - which processes keep a mount busy. */
#ifndef PTHFS_CLI_HOLDERS_H
#define PTHFS_CLI_HOLDERS_H

#include "mountinfo.h"

#include <stdio.h>

/* One line for each process found: "  1234 bash    working directory /mnt/model". Returns how
 * many there are; at most `most` are printed. */
unsigned int holders_print(const struct mount *m, FILE *f, unsigned int most);

#endif
