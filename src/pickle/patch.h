/* patch.h - where the edits of one pickle_patch() lie in its bytes. */
#ifndef PICKLE_PATCH_H
#define PICKLE_PATCH_H

#include "trace.h"

/* The opcode that pushes the value of an edit. */
struct spot {
	const struct pickle_edit *edit;
	uint32_t holder_off; /* offset of the opcode that made the holder */
	bool found;
	struct origin from;
	bool used; /* something else gets the value: first here, under this number */
	struct origin use;
	uint32_t number;
};

struct spots {
	struct spot *at;
	uint32_t n;
	const struct graph *g;
	VEC(struct origin) frames; /* at: the opcode, end: of what it frames */
};

/* Fills from, use and frames. at is sorted by from.at afterwards. */
int spots_find(struct spots *s, struct source *src, uint64_t off, uint64_t len, struct err *e);

/* May r be replaced? Only what is pushed whole: a container, even one that is got from the memo,
 * may be filled on the stack before its holder takes it. 0 or ERR_UNSUPPORTED. */
int patch_check_old(const struct graph *g, oref r, struct err *e);

#endif
