/* signs.h - flipping signs in memory, as source_signs() does. Private to the model room. */
#ifndef PTHFS_MODEL_SIGNS_H
#define PTHFS_MODEL_SIGNS_H

#include <pthfs/dtype.h>
#include <pthfs/err.h>

/* ERR_UNSUPPORTED when nobody knows what such a view of the type means. */
int signs_known(enum dtype dt, bool conj, bool neg, struct err *e);
/* n whole elements, in place; of a type that is not known, nothing. Twice is not at all. */
void signs_apply(enum dtype dt, bool conj, bool neg, void *elements, size_t n);

#endif
