/* box.h - a container: names and where their bytes are. What the members mean is not known here.
 *
 * A box is a table, read once: central directories are small against what they describe. Members
 * stand in file order of the directory. A box refuses what two readers would understand
 * differently (formats/torch-zip.md sections 10 and 13): then the sentence says which record and
 * which offset.
 *
 * Ownership: a box owns its names and holds a reference on the file. Immutable once open.
 */
#ifndef PTHFS_BOX_H
#define PTHFS_BOX_H

#include <pthfs/arena.h>
#include <pthfs/crc.h>
#include <pthfs/extent.h>
#include <pthfs/map.h>

enum member_flags {
	MEMBER_DESCRIPTOR = 1, /* PK 7 8, CRC and sizes follow the data: the CRC at its end + 4 */
	MEMBER_ZIP64 = 2,      /* has a zip64 field: its descriptor is 24 bytes, not 16 */
	MEMBER_MISSING = 4,    /* salvage: some of the data lies behind the end of the file */
	MEMBER_LOCAL_CRC = 8,  /* the local header has the CRC too, at + 14; they must stay equal */
};

struct member {
	struct str name;     /* as in the file: any bytes but NUL */
	uint64_t header_off; /* of the local header */
	uint64_t data_off;   /* of the payload */
	uint64_t stored;     /* bytes in the file */
	uint64_t size;       /* bytes once inflated; == stored for method 0 */
	uint32_t crc;        /* CRC-32 of the inflated bytes, as the file claims */
	uint16_t method;     /* 0 stored, 8 deflate */
	uint16_t flags;      /* enum member_flags */
};

struct box {
	const char *kind; /* "zip", "tar" */
	struct source *file;
	struct member *at; /* [n] */
	uint32_t n;
	uint64_t dead;    /* zip: bytes that belong to no member, descriptor or directory */
	uint64_t dir_off; /* zip: where the central directory begins; salvaged: records end */
	struct str comment;
	bool salvaged;
	/* private: */
	struct arena names;
	struct idmap by_name; /* case-insensitive */
	void *inflater;       /* opened when a deflated member is first read */
};

struct box_opts {
	/* When the directory is missing or damaged, walk the local headers from the start. A file
	 * that is whole opens as ever, and what is refused stays refused. Proof of a record's extent
	 * is its descriptor, not its CRC. */
	bool salvage;
};

/* Both: 0 or ERR_NOT_CKPT (no such container), ERR_TRUNCATED, ERR_DAMAGED, ERR_REFUSED,
 * ERR_UNSUPPORTED, ERR_LIMIT. The box takes its own reference on file. */
int box_zip_open(struct source *file, const struct box_opts *o, struct box **ret, struct err *e);
int box_tar_open(struct source *file, const struct box_opts *o, struct box **ret, struct err *e);
void box_free(struct box *b);

/* Once loading is over: drops the table over the names. box_find() is linear from then on. */
void box_settle(struct box *b);

/* The member of that name (ASCII case-insensitive, as torch looks up), or NULL. */
const struct member *box_find(const struct box *b, struct str name);

/* Its bytes, inflated: a window of the file, or an inflating source (libzip) that refuses a member
 * longer or shorter than declared. A new reference; it keeps the file, but not the box, alive for
 * stored members; the box must outlive sources of deflated ones. */
int box_source(struct box *b, const struct member *m, struct source **ret, struct err *e);

/* For formats that are no archive but have named parts (legacy streams): a box made by hand. The
 * name is copied. Members are stored ones. */
int box_new(const char *kind, struct source *file, struct box **ret, struct err *e);
int box_add(struct box *b, struct str name, uint64_t data_off, uint64_t size, struct err *e);

#endif
