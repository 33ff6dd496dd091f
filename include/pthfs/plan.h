/* plan.h - a whole file, described: saving means model in, plan out.
 *
 * A plan is a list of extents in file order: fresh bytes, and runs of other files. It is realized
 * into a file (sink.h), where a piece that already lies at that place in the old file costs
 * nothing, or read from directly (source_plan()).
 *
 * Ownership: the plan holds a reference on every source it names. One thread while it is made.
 */
#ifndef PTHFS_PLAN_H
#define PTHFS_PLAN_H

#include <pthfs/extent.h>
#include <pthfs/vec.h>
#include <stdbool.h>
#include <sys/stat.h>

struct plan {
	VEC(struct extent) at;
	uint64_t size; /* bytes so far: where the next piece goes */
};

void plan_init(struct plan *p);
void plan_release(struct plan *p);
/* Fresh bytes, copied. Neighbouring fresh pieces are merged while they are small. */
int plan_bytes(struct plan *p, const void *bytes, size_t n, struct err *e);
/* Takes over a buffer of the caller's (malloc), also when it fails. */
int plan_take(struct plan *p, void *bytes, size_t n, struct err *e);
/* n times the same byte. */
int plan_fill(struct plan *p, unsigned char byte, uint64_t n, struct err *e);
/* [off, off + len) of src. A run that continues the one before it is merged with it. */
int plan_run(struct plan *p, struct source *src, uint64_t off, uint64_t len, struct err *e);

/* Bytes that have to be written when the file `old` (a source; NULL: none) is the start: what is
 * not already at its place there. */
uint64_t plan_cost(const struct plan *p, struct source *old);
/* Calls fn for each piece, in order: where in the file it belongs, and whether it lies there
 * already (in_place) in the file that old describes (NULL: none). Stops when fn is not 0. */
int plan_each(const struct plan *p, const struct stat *old,
		int (*fn)(void *ctx, const struct extent *piece, uint64_t at, bool in_place),
		void *ctx);
/* Whether the piece is one byte many times, and which. */
bool plan_is_fill(const struct extent *piece, unsigned char *byte);
/* The plan as a source: a virtual file. The plan must outlive it. */
int source_plan(const struct plan *p, struct source **ret, struct err *e);

#endif
