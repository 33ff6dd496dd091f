/* extent.h - bytes described, not held: (source, offset, length), and lists of them.
 *
 * This and the model are the two nouns that cross rooms. A tensor file is its storage's extent; a
 * .npy is a small memory extent followed by the same one; a dirty range (later) is one extent
 * replaced. Extents borrow their sources: whoever hands them out keeps the sources alive.
 */
#ifndef PTHFS_EXTENT_H
#define PTHFS_EXTENT_H

#include <pthfs/source.h>

struct extent {
	struct source *src;
	uint64_t off, len; /* bytes */
};

/* Reads [off, off + len) of the concatenation of at[0..n). The range must lie inside. */
int extents_read(const struct extent *at, size_t n, void *buf, size_t len, uint64_t off,
		struct err *e);

uint64_t extents_size(const struct extent *at, size_t n);

/* When the range lies in one local file as it is: descriptor and offset there; otherwise -1. */
int extents_raw(const struct extent *at, size_t n, uint64_t off, uint64_t len, uint64_t *ret_off);

#endif
