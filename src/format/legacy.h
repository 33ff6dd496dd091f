/* legacy.h - private: the legacy stream inside of other files. */
#ifndef FORMAT_LEGACY_H
#define FORMAT_LEGACY_H

#include "interpret.h"

/* The storage in a whole legacy stream that is an argument of torch.storage._load_from_bytes.
 * *ret stays MODEL_NONE and *why says so when the bytes are not that. Errors: memory. */
int legacy_embedded(struct loader *l, oref args, uint32_t *ret, const char **why);

/* Where the data begin in such a stream. */
int legacy_embedded_data(struct source *stream, uint64_t *ret, struct err *e);

#endif
