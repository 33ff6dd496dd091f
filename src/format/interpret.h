/* interpret.h - private to the format room: what turns an object graph into a model.
 *
 *	persid.c         persistent ids      -> storages
 *	interpret.c      objects             -> values and entries (the walk)
 *	structure.c      which lists are directories
 *	calls.c          callables           -> roles; wrappers taken off
 *	rebuild.c        rebuild functions   -> tensors
 *	rebuild_parts.c  sparse, quantized, nested ones
 *	numpy.c          arrays and scalars
 *	module.c         whole modules       -> state_dict entries
 *
 * Nothing here recurses on the input's depth, and nothing is ever called or imported.
 */
#ifndef FORMAT_INTERPRET_H
#define FORMAT_INTERPRET_H

#include <pthfs/format.h>

#define FORMAT_MAX_NAMES 1000000u /* default of format_opts.max_names */

/* Where a persistent id leads. */
struct storage_ref {
	uint32_t storage; /* MODEL_NONE: nowhere, see why */
	uint64_t shift;   /* elements of the storage's dtype that a view begins later (legacy) */
	const char *why;  /* a sentence */
};

/* A PERSID node and what it leads to: a storage, with REF_INDEXED an index into loader.refs, or
 * with loader.tensors_by_id a tensor. */
struct persid_ref {
	oref node;
	uint32_t to;
};

#define PERSID_NONE UINT32_MAX
#define REF_INDEXED 0x80000000u

/* Keys of made-up entries: one text node each, made when first needed. */
enum made_key {
	KEY_STATE,
	KEY_ARGS,
	KEY_KWARGS,
	KEY_INDICES,
	KEY_VALUES,
	KEY_CROW,
	KEY_COL,
	KEY_CCOL,
	KEY_ROW,
	KEY_INT_REPR,
	KEY_SCALE,
	KEY_ZERO_POINT,
	KEY_SCALES,
	KEY_ZERO_POINTS,
	KEY_AXIS,
	KEY_BUFFER,
	KEY_SIZES,
	KEY_STRIDES,
	KEY_OFFSETS,
	KEY_DATA,
	KEY_MASK,
	KEY_COUNT,
};

struct script; /* script.c: parameter lists of TorchScript classes */

/* One load. Lives on the stack of a format's load function. */
struct loader {
	struct checkpoint *c;
	struct model *m; /* &c->model */
	struct graph *g; /* &c->model.graph */
	const struct format_opts *o;
	struct err *e;
	struct u32map memo;             /* container, call or object -> its value */
	VEC(struct persid_ref) persids; /* in the order of nodes */
	VEC(struct storage_ref) refs;
	uint32_t copied;        /* items that plain_leaf() has copied */
	VEC(uint8_t) holds;     /* by node, enum holds (structure.c); made when first asked for */
	struct idmap by_key;    /* storages by key, until they have their bytes */
	struct u32map roles;    /* GLOBAL node -> row of the call table + 1 */
	struct u32map raw;      /* module object -> value of its attributes */
	struct u32map embedded; /* _load_from_bytes() call -> storage */
	oref keys[KEY_COUNT];
	struct script *script; /* NULL unless TorchScript */
	unsigned persid_items; /* 5 zip, 6 legacy, 0: no container to look in */
	bool tensors_by_id;    /* tar: ids name tensors */
};

void loader_init(
		struct loader *l, struct checkpoint *c, const struct format_opts *o, struct err *e);
void loader_release(struct loader *l);
/* The text node of a made-up key, or OREF_NIL. */
oref loader_key(struct loader *l, enum made_key k);
/* After the last pickle is in the graph: dicts without duplicates, and persid_scan(). */
int loader_graph(struct loader *l);
/* Everything after the pickle is loaded and storages have their bytes: globals, values, sealing. */
int loader_finish(struct loader *l, oref root);

/* --- persid.c -------------------------------------------------------------------------------- */

struct persid {
	struct str key, location;
	uint64_t numel, nbytes;
	enum dtype dtype;
	oref view; /* legacy: (view_key, offset, size), or OREF_NIL */
};

/* Reads a ('storage', class, key, location, numel[, view]) tuple of `items` items. NULL when it is
 * one; otherwise a static sentence. */
const char *persid_parse(const struct graph *g, oref id, unsigned items, struct persid *ret);
/* Registers every storage that the graph names, in the order of the pickle. */
int persid_scan(struct loader *l);
/* What a PERSID node leads to, as in struct persid_ref; PERSID_NONE: nothing. */
uint32_t persid_lookup(const struct loader *l, oref r);
/* The storage under a key, or MODEL_NONE. */
uint32_t persid_find(const struct loader *l, struct str key);
/* An object in the place of a storage. */
int persid_resolve(struct loader *l, oref r, struct storage_ref *ret);
/* The class that a legacy ('module', class, file, source) id stands for, or OREF_NIL. */
oref persid_class(const struct loader *l, oref r);

/* --- calls.c: what a callable means ---------------------------------------------------------- */

enum role {
	ROLE_UNKNOWN,
	ROLE_LEAF,    /* text: dates, paths, devices, sizes ... */
	ROLE_BYTES,   /* Python bytes in one of its spellings */
	ROLE_DICT,    /* OrderedDict, defaultdict, Counter, dict */
	ROLE_ALIAS,   /* stands for its first argument */
	ROLE_TENSOR,  /* .tensor builds it */
	ROLE_CLASS,   /* torch.FloatTensor, Parameter: by state or arguments */
	ROLE_WRAPPER, /* a tensor with something around it: see peel() */
	ROLE_SPARSE,
	ROLE_SPARSE_CSR,
	ROLE_QUANTIZED,
	ROLE_NESTED,
	ROLE_SUBCLASS, /* a wrapper subclass: its state is all there is */
	ROLE_ARRAY,    /* numpy */
	ROLE_BUFFER_ARRAY,
	ROLE_MASKED,
	ROLE_SCALAR,      /* numpy */
	ROLE_LAYOUT,      /* _get_layout('torch.strided') */
	ROLE_RECONSTRUCT, /* copyreg._reconstructor */
};

struct draft;
struct call;
struct call_row {
	const char *module, *name; /* Python 3's and today's spelling; name NULL: all of it */
	uint8_t role, variant;
	/* Fills a draft from the call's arguments; a sentence in d->t.broken when they are wrong.
	 */
	int (*tensor)(struct loader *l, struct draft *d, const struct call *k);
};

/* An object after the wrappers around it were taken off. */
struct call {
	const struct call_row *row; /* never NULL; ROLE_UNKNOWN for what is not in the table */
	oref obj;      /* the innermost object, OREF_NIL when it has no node of its own */
	oref fn, args; /* of a CALL or NEW; OREF_NIL otherwise */
	oref state;    /* of obj, or of the outermost _rebuild_from_type; OREF_NIL: none */
	/* what the wrappers said */
	bool wrapped;   /* must be a tensor */
	int8_t grad;    /* 0, 1, or -1: nothing */
	uint16_t flags; /* enum tensor_flags */
	struct str cls, device;
	const char *broken;
};

#define MAX_WRAPPERS 64

const struct call_row *role_of(struct loader *l, oref callable);
void peel(struct loader *l, oref r, struct call *ret);
/* Module and name as today's Python spells them: __builtin__ -> builtins, numpy._core -> ... The
 * module may be rewritten into tmp. */
struct str modern_module(struct str module, char tmp[128]);
/* "module.name" in the model's arena. */
struct str dotted_name(struct loader *l, oref global);

/* --- rebuild.c
 * ------------------------------------------------------------------------------------ */

struct draft {
	struct tensor t; /* shape and stride point at the arrays */
	struct tensor_words words; /* draft_add() hands them over */
	int64_t shape[MODEL_MAX_NDIM], stride[MODEL_MAX_NDIM];
};

/* The items of a tuple or list, or NULL when there are less than min. Borrowed until a node is
 * made. */
const oref *args_of(const struct loader *l, oref args, uint32_t min, uint32_t *n);
/* Integers of a tuple, list, torch.Size or build_intlist: their count, -1 when it is none of
 * these, -2 when there are more than MODEL_MAX_NDIM. */
int ints_of(struct loader *l, oref r, int64_t out[MODEL_MAX_NDIM]);
enum dtype dtype_of(const struct loader *l, oref global); /* torch.float32 -> DTYPE_FLOAT32 */
int rebuild_storage(struct loader *l, struct draft *d, const struct call *k);
int rebuild_v2(struct loader *l, struct draft *d, const struct call *k);
int rebuild_v3(struct loader *l, struct draft *d, const struct call *k);
int rebuild_meta(struct loader *l, struct draft *d, const struct call *k);
int rebuild_from_numpy(struct loader *l, struct draft *d, const struct call *k);
/* Adds the tensor that k describes. */
int rebuild_tensor(struct loader *l, const struct call *k, oref obj, uint32_t *ret);
void draft_init(struct draft *d, const struct tensor *t); /* but for shape and stride */
/* Adds a tensor as drafted (draft_add sees to partly missing storages). */
int draft_add(struct loader *l, struct draft *d, oref obj, uint32_t *ret);
/* Storage, offset, size, stride from four arguments. 0 or an error; what is wrong goes to
 * d->t.broken. */
int draft_view(struct loader *l, struct draft *d, const oref four[4], enum dtype dt);
/* A tensor that cannot be shown, with why. */
int broken_tensor(struct loader *l, oref obj, const char *why, uint32_t *ret);
bool is_tensor_call(const struct call *k);

/* --- rebuild_parts.c
 * -------------------------------------------------------------------------------- */

bool is_parts_call(const struct call *k);
/* Fills value v (already added, of kind VALUE_PARTS) with entries. */
int rebuild_parts(struct loader *l, const struct call *k, uint32_t v);

/* --- numpy.c
 * ----------------------------------------------------------------------------------------- */

struct array {
	struct draft d;
	oref objects; /* dtype O: the list of its items, and d means nothing; OREF_NIL otherwise */
};
int numpy_array(struct loader *l, const struct call *k, struct array *ret);
/* The INT, FLOAT, BOOL, STR that a numpy scalar is; r itself when it is no simple one. */
int numpy_scalar(struct loader *l, const struct call *k, oref r, oref *ret);
/* data and mask of a masked array, as tensors. */
int numpy_masked(struct loader *l, const struct call *k, oref obj, uint32_t ret[2]);

/* --- module.c
 * ------------------------------------------------------------------------------------------ */

/* The attributes of an nn.Module, or OREF_NIL when r is none. */
oref module_attributes(const struct loader *l, oref r);
/* Is r an nn.Module, or what torch.compile() makes of one? */
bool module_is(const struct loader *l, oref r);
/* Appends the state_dict of module r to the model's entries (values are orefs still) and counts
 * them in v. */
int module_flatten(struct loader *l, oref r, uint32_t v);
/* Makes the value of a tensor now, as a buffer or parameter. Nothing happens to what is no tensor
 * or has a value already. */
int interpret_flagged(struct loader *l, oref r, uint16_t flag);

/* --- structure.c
 * ---------------------------------------------------------------------------------------- */

enum holds {
	HOLDS_STRUCTURE = 1, /* a dict, tensor, object or module lies in it, or it is one */
	HOLDS_CALLS = 2,     /* calls that are shown as plain values lie in it: numpy scalars */
};
/* What lies in a list, or behind a call, as enum holds. */
int structure_in(struct loader *l, oref r, unsigned *ret);
/* A leaf as it is shown: numpy scalars (and layouts) in it replaced by what they stand for. */
int plain_leaf(struct loader *l, oref r, oref *ret);

/* --- interpret.c
 * ---------------------------------------------------------------------------------------- */

int interpret(struct loader *l, oref root, uint32_t *ret);
/* A value that is a leaf or a tensor, made at once. */
int leaf_value(struct loader *l, oref r, uint32_t *ret);
int tensor_value(struct loader *l, uint32_t tensor, oref r, uint32_t *ret);
int add_entry(struct loader *l, uint32_t v, oref key, uint32_t value);

/* --- plain.c --- */

/* Where the bytes of a BYTES that is in memory lie in a plain pickle; false: nowhere as they are. */
bool plain_bytes_place(const struct loader *l, oref r, uint64_t *ret);

/* --- script.c
 * -------------------------------------------------------------------------------------------- */

int script_flatten(struct loader *l, oref r, uint32_t v);
bool script_is_object(const struct loader *l, oref r);

/* --- globals.c
 * ------------------------------------------------------------------------------------------- */

int globals_scan(struct loader *l);

#endif
