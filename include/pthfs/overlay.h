/* overlay.h - bytes that are edited: a blob is an immutable base with runs written over it.
 *
 *	base   ....................................   bytes of the checkpoint, or none
 *	runs        [====]        [=]      [=======]   bytes of the journal, or of another source
 *
 * Bytes are described, not held: a run says in which source its bytes are. blob_write() puts
 * bytes into the journal and maps them; blob_map() maps bytes that are already somewhere.
 *
 * Ownership: reference counted; a blob holds references on its base and on the sources of its runs.
 * Thread rule: readers of blob_read(), blob_source() and blob_runs() may run side by side; whoever
 * changes a blob must be alone (the volume's lock).
 */
#ifndef PTHFS_OVERLAY_H
#define PTHFS_OVERLAY_H

#include <pthfs/extent.h>
#include <stdbool.h>

struct journal;
struct blob;

/* [off, off + len) of a blob lies at from.off of from.src (from.len == len). */
struct blob_run {
	uint64_t off, len;
	struct extent from;
};

/* base.src NULL: no base, and bytes that nobody wrote read as 0. id: what the journal calls it. */
int blob_new(uint32_t id, struct extent base, uint64_t size, struct blob **ret, struct err *e);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is fine */
uint32_t blob_id(const struct blob *b);
void blob_renumber(struct blob *b, uint32_t id);
/* Would the frames that j has of b, one after the other, give b again? Not where some of its bytes are
 * somewhere else, and not when it has been shorter in between (no frame says so). */
bool blob_replays(const struct blob *b, struct journal *j);
/* A blob of the same bytes of which that is true: they are written to j once more. */
int blob_retell(const struct blob *b, struct journal *j, uint32_t id, struct blob **ret, struct err *e);
uint64_t blob_size(const struct blob *b);

/* The n bytes go to the journal as a frame (ERR_REFUSED when j is NULL: there is none) and cover
 * what was at off. The blob grows as needed; a gap reads as 0. All or nothing. */
int blob_write(struct blob *b, struct journal *j, const void *bytes, size_t n, uint64_t off,
		struct err *e);
/* Covers [off, off + x.len) with x; takes a reference on x.src. Grows as needed. */
int blob_map(struct blob *b, uint64_t off, struct extent x, struct err *e);
/* Covers [off, off + len) of b with what [from_off, from_off + len) of `from` is at this moment:
 * its runs, and its base between them. No byte moves. */
int blob_adopt(struct blob *b, uint64_t off, const struct blob *from, uint64_t from_off,
		uint64_t len, struct err *e);
/* Shorter: runs behind size are dropped, and what is made longer again reads as 0 there. */
int blob_truncate(struct blob *b, uint64_t size, struct err *e);
/* Whole range inside the blob. */
int blob_read(const struct blob *b, void *buf, size_t len, uint64_t off, struct err *e);

/* Ascending, apart, neighbours in one source merged; bytes of the base that were cut off and are 0
 * now are runs too. Borrowed until the next change. NULL: there are none, or (when *n is not 0)
 * no memory for the list. */
const struct blob_run *blob_runs(const struct blob *b, size_t *n);
uint64_t blob_dirty(const struct blob *b); /* bytes in runs */

/* The blob as a source of the size it has now; it shows every later change of bytes (but not of
 * size: what is cut off then reads as an error). Holds a reference on b. source_raw() answers
 * where a range lies in one run or in the base alone. */
int blob_source(struct blob *b, struct source **ret, struct err *e);

#endif
