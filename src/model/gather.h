/* gather.h - a strided view, and reading it in C order. Private to the model room. */
#ifndef PTHFS_MODEL_GATHER_H
#define PTHFS_MODEL_GATHER_H

#include <pthfs/dtype.h>
#include <pthfs/extent.h>

#define GATHER_MAX_DIMS 64
/* A run of neighbours at least this long (bytes) is read straight to where it is wanted. */
#define GATHER_DIRECT 4096

/* Units of `unit` bytes, each contiguous in the storage as well as in the file that is shown, on a
 * grid whose dimensions are all larger than 1. Made and checked by strided.c. */
struct view {
	struct extent storage;
	uint64_t base; /* of the first unit, bytes in the storage */
	uint64_t unit;
	unsigned nd;
	uint64_t n[GATHER_MAX_DIMS];
	uint64_t step[GATHER_MAX_DIMS];  /* bytes from one to the next in the storage; may be 0 */
	uint64_t inner[GATHER_MAX_DIMS]; /* units below one index: the product of later n */
};

/* Checks a view and makes it simple; *bytes: what it shows. ERR_DAMAGED: it does not fit storage.len.
 * Of storage.src nothing is read, and no reference is taken. (strided.c) */
int view_init(struct view *v, struct extent storage, enum dtype dt, uint64_t offset, unsigned ndim,
		const int64_t *shape, const int64_t *stride, uint64_t *bytes, struct err *e);
/* Where unit u begins in the storage. */
uint64_t view_address(const struct view *v, uint64_t u);
/* [off, off + len) of the file that is shown; inside it. Any number of threads. */
int gather_bytes(const struct view *v, char *buf, size_t len, uint64_t off, struct err *e);

#endif
