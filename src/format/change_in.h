/* change_in.h - private: what the files that change objects share.
 *
 *	change.c        new tensors, spelled as torch does
 *	change_names.c  objects that the graph has already, to be named again
 *	change_value.c  values of new objects
 *	change_dir.c    pairs, items and attributes of directories
 *	change_meta.c   _metadata of state_dicts
 */
#ifndef FORMAT_CHANGE_IN_H
#define FORMAT_CHANGE_IN_H

#include <pthfs/change.h>

#include "interpret.h"

/* Symbols that a tensor needs, other than storage classes and dtypes. */
enum symbol_name { SYM_V2, SYM_V3, SYM_PARAMETER, SYM_ORDERED_DICT, SYM_UNTYPED, SYM_COUNT };

struct change_names {
	size_t nodes, storages;    /* how many have been looked at */
	struct idmap by_key;       /* storages of the container */
	struct u32map persids;     /* storage -> a PERSID that names it */
	uint64_t next_key;         /* over all decimal keys and records */
	oref symbols[SYM_COUNT];   /* OREF_NIL: not there */
	oref classes[DTYPE_COUNT]; /* torch.FloatStorage, ... */
	oref dtypes[DTYPE_COUNT];  /* torch.float32, ... */
	oref word;                 /* the text 'storage' */
	VEC(oref) locations;       /* one text of each */
};

/* What the graph has by now. NULL: out of memory. */
struct change_names *change_names(struct checkpoint *ck, struct err *e);
void change_names_free(struct change_names *n);

/* Each: an object of the graph that says so, made when there is none. OREF_NIL: out of memory. */
oref names_symbol(struct checkpoint *ck, enum symbol_name which);
oref names_class(struct checkpoint *ck, enum dtype dt);
oref names_dtype(struct checkpoint *ck, enum dtype dt);
oref names_word(struct checkpoint *ck);
oref names_location(struct checkpoint *ck, struct str location);
/* A key that no storage and no record has, in the model's arena; .p NULL: out of memory. */
struct str names_new_key(struct checkpoint *ck);
/* A PERSID that names this storage, or OREF_NIL. */
oref names_persid(const struct checkpoint *ck, uint32_t storage);

static inline bool format_is(const struct checkpoint *ck, const char *name)
{
	return str_is(str_of(ck->format), name);
}

/* --- change_dir.c ----------------------------------------------------------------------------- */

/* Key, value, key, value of a mapping: a DICT, or a CALL or NEW with what its argument brings
 * (OrderedDict([[k, v], ...]) of Python 2). */
struct pairs {
	VEC(oref) at;
};
/* Appends them. False: out of memory. */
bool mapping_pairs(struct loader *l, oref r, struct pairs *out);
/* Another value for the key among r's own pairs: 1 done, 0 no such key, or an error without words.
 */
int pairs_set(struct graph *g, oref r, oref key, oref value);

/* A loader for looking at new objects, with the checkpoint's own rules. To be released. */
void change_loader(struct loader *l, struct checkpoint *ck, struct err *e);

#endif
