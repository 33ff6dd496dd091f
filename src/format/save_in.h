/* save_in.h - private: what the savers of the formats share.
 *
 *	save.c         dispatch by ck->format; places; may_change, may_write
 *	save_used.c    storages in the order of the pickle
 *	save_bytes.c   a pickle, a storage, a patched stretch of the old file as plan pieces; CRCs
 *	zip_save*.c    torch zip, TorchScript
 *	legacy_save.c tar_save.c plain_save.c
 *	save_embedded.c   storages inside of the pickle; embedded_source.c their bytes as text
 *
 * A saver fills a plan that is empty. places is [ck->model.storages.n], all UINT64_MAX when it is
 * called; rep is all zero. On error the caller drops all three.
 */
#ifndef FORMAT_SAVE_IN_H
#define FORMAT_SAVE_IN_H

#include <pthfs/save.h>

int zip_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e);
int legacy_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e);
int tar_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e);
int plain_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e);

/* May bytes be changed that lie in no record or storage of the container, but inside a pickle
 * (numpy arrays, embedded legacy streams)? 0, or ERR_UNSUPPORTED with the reason. Asked for plain
 * pickles, and for such storages of zips, legacy streams and tars. (plain_save.c) */
int plain_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e);
/* May the bytes of this storage be changed: 0, or why not. Storages inside of pickles: as
 * plain_may_write() says. (zip_save_may.c, legacy_save.c, tar_save.c) */
int zip_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e);
int legacy_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e);
int tar_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e);

/* --- save_bytes.c ------------------------------------------------------------------------------- */

/* The runs of a storage that changed; NULL and *n = 0: none. */
const struct save_run *save_runs(const struct save *s, uint32_t storage, size_t *n);
/* Did any byte of any old storage change? */
bool save_any_runs(const struct save *s);

/* The pickle of root at the end of the plan: fresh bytes, and runs of the long texts that stay in
 * their source. crc may be NULL; otherwise it gets the CRC-32, for which long texts are read. */
int save_pickle(const struct save *s, oref root, struct plan *p, uint32_t *crc, struct err *e);

/* [off, off + len) of the old file at the end of the plan, with the n runs (their .off counts from
 * `off`, ascending, apart, inside) in place of what is there. */
int save_patched(const struct save *s, uint64_t off, uint64_t len, const struct save_run *runs,
		size_t n, struct plan *p, struct err *e);

/* All of storage.data at the end of the plan, in the file's byte order: swapped back where the
 * storage was swapped (a big-endian zip). ERR_DAMAGED when none are there; a storage that is
 * shorter than the pickle says is written as short as it is. */
int save_storage(const struct save *s, uint32_t storage, struct plan *p, struct err *e);

/* CRC-32 of what the plan has from piece `from` (an index into p->at, and *crc, the value so far)
 * to its end. Reads it. */
int save_crc(const struct plan *p, size_t from, uint32_t *crc, struct err *e);
/* CRC-32 of an extent, continuing *crc. */
int save_crc_extent(const struct extent *x, uint32_t *crc, struct err *e);

/* --- save_embedded.c ----------------------------------------------------------------------------- */

/* Gives the objects of storages that lie inside of the pickle (storage.inside) their changed bytes,
 * before it is written. *pickle: whether it is to be written anyway; true afterwards when it has
 * to be. in_place: the caller patches bytes that lie in the file as they are (file_off), as long as
 * the pickle need not be written. Objects change by obj_replace_items(), so graph_undo() takes it
 * back. */
int save_embedded(const struct save *s, bool in_place, bool *pickle, struct err *e);

/* Bytes [off, end) of the old file at the end of the plan, with the changed bytes of all storages
 * that lie there in their places. */
int save_stretch(const struct save *s, uint64_t off, uint64_t end, struct plan *p, struct err *e);
/* places: every storage where it is in the old file, when all of that is kept. */
void save_places(const struct save *s, uint64_t *places);

/* embedded_source.c: the text in which each byte of `bytes` is one character, as UTF-8. Reads all
 * of it once, for the length. */
int source_utf8(struct source *bytes, struct source **ret, struct err *e);
/* `base` with all of `middle` in the place of what is at off. */
int source_splice(struct source *base, uint64_t off, struct source *middle, struct source **ret,
		struct err *e);

#endif
