/* save.h - a changed model back into its own format: model in, plan out.
 *
 * Whatever was not changed is kept byte for byte and stays where it is; the plan's runs over the
 * old file cost nothing where blocks are shared or the file is patched in place.
 *
 *	only bytes      patched in their storages; CRCs follow by their difference (a record that was
 *	                damaged stays visibly damaged, and nothing else has to be read)
 *	the pickle too  zip: in the old one's place when it fits, else over the old directory with a
 *	                new one behind it. legacy, tar, plain: written anew, storages follow
 *	compact         torch's own layout, as torch would write it
 *
 * formats/torch-zip.md sections 2 to 9, 11 and 12; formats/torch-legacy.md sections 1 to 4 and 6.
 * Thread rule: nobody changes the model meanwhile.
 */
#ifndef PTHFS_SAVE_H
#define PTHFS_SAVE_H

#include <pthfs/format.h>
#include <pthfs/plan.h>

/* [off, off + from.len) of a storage has the bytes of `from` now. */
struct save_run {
	uint64_t off;
	struct extent from;
};

struct save {
	/* model.graph is what the pickle is to be. A storage that was in the file has its file_off
	 * and record as ever; storage.data is its content as it is NOW. A new storage (made by
	 * change.h) has file_off UINT64_MAX, a key of its own, and data. */
	struct checkpoint *ck;
	oref root;   /* the object of the pickle */
	bool pickle; /* names, values or types changed */
	bool compact;
	/* Bytes of an old storage that changed since the file was written: ascending, apart. NULL
	 * or *n = 0: none. */
	const struct save_run *(*runs)(void *ctx, uint32_t storage, size_t *n);
	void *ctx;
};

struct save_report {
	bool pickle_moved;   /* no longer in the old one's place */
	uint64_t dead;       /* bytes in the new file that belong to nobody: compact gives them back */
	bool format_version; /* a .format_version record had to go */
};

/* *places: malloc, for each storage where its bytes begin in the new file, UINT64_MAX: nowhere as
 * they are (deflated, or not in the file any more). ret: from plan_init(). ERR_UNSUPPORTED: this
 * format cannot hold the change (the sentence says which and why). */
int checkpoint_save(const struct save *s, struct plan *ret, uint64_t **places,
		struct save_report *rep, struct err *e);

/* May names and values of this checkpoint be changed? 0, or ERR_UNSUPPORTED with the reason
 * (TorchScript: code refers to them). Asked when somebody tries, not at commit. */
int checkpoint_may_change(const struct checkpoint *ck, struct err *e);
/* May the bytes of this storage be changed? */
int checkpoint_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e);

/* --- for formats and change.c ------------------------------------------------------------------ */

/* Storages in the order in which pickling `root` meets them first: what torch numbers them by, and
 * which of them are still used. ids: malloc. */
int save_used(const struct checkpoint *ck, oref root, uint32_t **ids, uint32_t *n, struct err *e);

#endif
