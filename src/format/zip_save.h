/* zip_save.h - private: the state of one zip_save(), shared by the files that make it.
 *
 *	zip_save.c          what is there: records, storages, the new pickle; the two ways
 *	zip_save_edit.c     in place: the old file with some bytes changed and records at its end
 *	zip_save_edit_out.c its bytes
 *	zip_save_compact.c  torch's own layout anew
 *	zip_save_crc.c      CRCs by their difference; .data/serialization_id
 *	zip_save_rule.c     may there be a .format_version?
 *	zip_save_bytes.c    headers, descriptors, directory entries, end records as torch writes them
 *	zip_save_may.c      which storages can be written
 *	zip_save_out.c      bytes into the plan, as runs of the old file where they are there already
 */
#ifndef FORMAT_ZIP_SAVE_H
#define FORMAT_ZIP_SAVE_H

#include "save_in.h"

#define ZIP_NONE UINT32_MAX
#define ZIP_BIG UINT64_C(0xffffffff) /* from here on zip64: one less than 4 GiB, as in torch */

enum {
	ZIP_LOCAL_SIZE = 30,
	ZIP_CENTRAL_SIZE = 46,
	ZIP_EXTRA_MAX = 65535,
	ZIP_FB_SIZE = 4, /* id and length of the padding field */
};

enum zip_from {
	FROM_OLD,      /* the old payload as it is stored */
	FROM_PATCHED,  /* the old payload with the runs of its storage (of those inside) in it */
	FROM_INFLATED, /* the old payload, inflated */
	FROM_STORAGE,  /* storage.data */
	FROM_PICKLE,   /* zip_save.pickle */
	FROM_BYTES,    /* .bytes */
};

/* A record of the new file. */
struct zip_rec {
	struct str name;
	uint64_t header_off, data_off;
	uint64_t size;    /* of the payload; a fresh record is stored, so it is the stored size too */
	struct str bytes; /* FROM_BYTES; borrowed from the arena */
	uint32_t crc;
	uint32_t old;     /* member of the box, ZIP_NONE: a new record */
	uint32_t storage; /* whose bytes it holds, MODEL_NONE: nobody's */
	uint8_t from;     /* enum zip_from */
	bool fresh;       /* written anew with all that is around it, as torch does it */
	bool gone;        /* not in the directory any more */
};

struct zip_save {
	const struct save *s;
	struct checkpoint *ck;
	struct box *box;
	struct err *e;
	struct save_report *rep;
	struct str folder;
	struct arena text;
	struct idmap names; /* members by name: the box has dropped its own table */
	uint32_t *member;   /* [storages]: its record, ZIP_NONE: has none */
	uint32_t *owner;    /* [members]: the storage whose record it is, or MODEL_NONE */
	uint32_t *used;     /* [n_used]: storages in the order of first use */
	uint32_t n_used;
	uint8_t *is_used;   /* [storages] */
	uint32_t data_pkl;  /* member */
	uint64_t align;     /* bytes: .storage_alignment, 64 without */
	bool new_pickle;
	bool put_inside;    /* changed bytes that lie inside of the pickle are in its objects */
	struct plan pickle;
	uint32_t pickle_crc;
	VEC(struct zip_rec) rec;
};

/* --- zip_save.c --------------------------------------------------------------------------------- */

/* The member of that name; FOLDER/name; or ZIP_NONE. */
uint32_t zip_find(const struct zip_save *z, struct str name);
uint32_t zip_member(const struct zip_save *z, const char *name);
/* Is the record of this storage the bytes themselves: stored, and not byte-swapped here? */
bool zip_is_plain(const struct zip_save *z, uint32_t storage);
/* Does this storage have changed bytes that lie as they are inside of data.pkl, which is kept? */
bool zip_is_inside(const struct zip_save *z, uint32_t storage);
/* Makes the new pickle of s->root. */
int zip_make_pickle(struct zip_save *z);
/* Size and CRC of a record whose payload is storage.data. */
int zip_from_storage(struct zip_save *z, struct zip_rec *r, uint32_t storage);
/* FOLDER/data/KEY, in the arena. */
int zip_storage_name(struct zip_save *z, struct str key, struct str *ret);

int zip_save_edit(struct zip_save *z, struct plan *p);
int zip_save_compact(struct zip_save *z, struct plan *p);

/* --- zip_save_crc.c ----------------------------------------------------------------------------- */

/* What changes in the CRC-32 of the stored record m when the runs of `storage`, which lies in it,
 * are there. */
int zip_crc_change(struct zip_save *z, const struct member *m, uint32_t storage, uint32_t *ret);
/* A recorded CRC after such a change. One of 0 over data means that none was written. */
static inline uint32_t zip_crc_now(uint32_t crc, uint32_t change)
{
	return crc ? crc ^ change : 0;
}
/* 1: the text of .data/serialization_id for the records as they are to be, 40 bytes in the arena, and
 * how the record's CRC changes. 0: it stays as it is. */
int zip_serial(struct zip_save *z, struct zip_rec *r, struct str *text, uint32_t *change);

/* --- zip_save_rule.c ---------------------------------------------------------------------------- */

/* Would torch compute the offsets of all storages right? 1 or 0 (section 11) */
int zip_rule_holds(const struct zip_save *z);
/* The record of each storage in z->rec: malloc [storages], ZIP_NONE: none. */
uint32_t *zip_by_storage(const struct zip_save *z);

/* --- zip_save_bytes.c --------------------------------------------------------------------------- */

bool zip_is64(uint64_t header_off, uint64_t size);
/* Where the payload begins behind a header at header_off: aligned, with the least padding. */
uint64_t zip_payload_off(uint64_t header_off, size_t name, uint64_t size, uint64_t align);
/* One past the descriptor. */
uint64_t zip_rec_end(const struct zip_rec *r);
void zip_put_local(struct buf *b, const struct zip_rec *r);
void zip_put_descriptor(struct buf *b, const struct zip_rec *r);
void zip_put_central(struct buf *b, const struct zip_rec *r);
void zip_put_tail(struct buf *b, uint64_t n, uint64_t dir_off, uint64_t dir_size,
		struct str comment);

/* --- zip_save_out.c ----------------------------------------------------------------------------- */

struct zip_out {
	struct plan *p;
	struct source *file; /* the old one */
	struct buf pend;     /* fresh bytes on their way */
	char *old;           /* what the old file has in their place */
};

int zip_out_init(struct zip_out *o, struct plan *p, struct source *file, struct err *e);
void zip_out_release(struct zip_out *o);
/* Where the next byte goes. */
uint64_t zip_out_pos(const struct zip_out *o);
/* Sends fresh bytes on their way when they are many. After zip_put_*() into o->pend. */
int zip_out_some(struct zip_out *o, struct err *e);
int zip_out_flush(struct zip_out *o, struct err *e);
int zip_out_run(struct zip_out *o, struct source *src, uint64_t off, uint64_t len, struct err *e);
/* Header, payload and descriptor of a fresh record. */
int zip_out_record(struct zip_save *z, struct zip_out *o, const struct zip_rec *r);

#endif
