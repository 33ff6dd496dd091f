/* zip_save_edit.h - private: what zip_save_edit.c decides and zip_save_edit_out.c writes. */
#ifndef FORMAT_ZIP_SAVE_EDIT_H
#define FORMAT_ZIP_SAVE_EDIT_H

#include "zip_save.h"

/* What comes in the place of [off, off + len) of the old file: n bytes, a run, or a record. */
struct patch {
	uint64_t off, len;
	const char *bytes;
	struct extent from; /* when bytes is NULL */
	uint32_t rec;       /* when from.src is NULL, too */
};

struct edit {
	struct zip_save *z;
	VEC(struct patch) patches;
	uint64_t tail_off; /* where the old file ends in the new one */
	bool moved;        /* records came, went or were written anew */
};

/* One past a member and its descriptor. */
uint64_t zip_member_end(const struct member *m);
/* Body, records at the end, directory, end records. */
int zip_edit_realize(struct edit *d, struct plan *p);

#endif
