/* zip_in.h - the zip files of this room: end record, directory, local headers, salvage. */
#ifndef ZIP_IN_H
#define ZIP_IN_H

#include "box_in.h"

#include <stdbool.h>

enum {
	ZIP_LOCAL = 0x04034b50,      /* PK 3 4 */
	ZIP_CENTRAL = 0x02014b50,    /* PK 1 2 */
	ZIP_END = 0x06054b50,        /* PK 5 6 */
	ZIP_END64 = 0x06064b50,      /* PK 6 6 */
	ZIP_LOCATOR = 0x07064b50,    /* PK 6 7 */
	ZIP_DESCRIPTOR = 0x08074b50, /* PK 7 8 */

	ZIP_LOCAL_SIZE = 30,
	ZIP_CENTRAL_SIZE = 46,
	ZIP_END_SIZE = 22,
	ZIP_END64_SIZE = 56,
	ZIP_LOCATOR_SIZE = 20,
	ZIP_DESC32_SIZE = 16,
	ZIP_DESC64_SIZE = 24,

	ZIP_FLAG_LEVEL = 0x0006, /* bits 1 and 2: how hard deflate tried */
	ZIP_FLAG_DESCRIPTOR = 0x0008,
	ZIP_FLAG_UTF8 = 0x0800,

	/* While a directory is loaded, member.flags holds the flags of the file and this one. */
	ZIP_HAS_ZIP64 = 0x8000,
};

/* What the end record says, after zip64. All offsets are in the file. */
struct zip_tail {
	uint64_t n;        /* records */
	uint64_t dir_off;  /* central directory */
	uint64_t dir_size; /* bytes */
	uint64_t tail_off; /* first byte of the end records: nothing of the directory lies behind it
			    */
	uint64_t end_off;  /* of the end record itself */
	uint16_t comment;  /* bytes behind the end record */
};

/* zip_end.c: the one end record. The first four bytes have been checked. */
int zip_tail_find(struct source *file, struct zip_tail *ret, struct err *e);

/* zip_dir.c: the central entries, as members with data_off still 0. */
int zip_dir_load(struct box_build *w, const struct zip_tail *t, struct err *e);
/* Flags and method that are served: what the directory and the salvager insist on. */
int zip_kind_check(uint16_t flags, uint16_t method, struct err *e);
/* Sizes that can belong to the method. */
int zip_size_check(const struct member *m, struct err *e);

/* zip_local.c: checks every local header against its entry, sets data_off, flags and dead. */
int zip_local_check(struct box_build *w, const struct zip_tail *t, struct err *e);

/* zip_extra.c */
struct zip_extra {
	struct str zip64;    /* field 0x0001; p is NULL when there is none */
	struct str utf8name; /* field 0x7075 */
};
int zip_extra_parse(struct str extra, struct zip_extra *ret, struct err *e);
/* Takes the next number of a zip64 field when its 32-bit partner is all ones. */
int zip64_take(struct str *field, uint32_t partner, uint64_t *ret, struct err *e);
/* Refuses a second name that differs from the first. */
int zip_extra_name(const struct zip_extra *x, struct str name, struct err *e);

/* zip_salvage.c: builds the table from the local headers. */
int zip_salvage(struct box_build *w, struct err *e);

#endif
