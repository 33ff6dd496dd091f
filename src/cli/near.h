/* near.h - "is it module.fc.weight?" for a name that is not there. */
#ifndef PTHFS_CLI_NEAR_H
#define PTHFS_CLI_NEAR_H

#include <pthfs/volume.h>

/* When e says that the name is absent, adds the first name that differs by a prefix only. Returns
 * rc as it came. */
int near_hint(struct volume *v, const char *name, int rc, struct err *e);
/* The same for two names: do they differ by a prefix only, or by capitals? */
bool near_match(struct str wanted, struct str there);

#endif
