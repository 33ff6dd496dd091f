/* numpy_type.h - private: numpy dtypes, and single items of arrays. */
#ifndef FORMAT_NUMPY_TYPE_H
#define FORMAT_NUMPY_TYPE_H

#include "interpret.h"

struct npy_type {
	char kind;        /* b i u f c S U V O M m */
	bool big;         /* big-endian */
	bool fields;      /* a record */
	uint32_t size;    /* bytes of an item */
	enum dtype dtype; /* DTYPE_NONE: torch has none */
};

/* A numpy.dtype(text, ...) with its state. */
bool npy_type_of(struct loader *l, oref r, struct npy_type *ret);
/* One S or U item without its padding, as a text node. OREF_NIL: out of memory. */
oref npy_text(struct graph *g, const char *item, const struct npy_type *t);

#endif
