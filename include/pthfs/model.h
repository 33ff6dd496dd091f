/* model.h - what a checkpoint holds, whatever container it came in: tensors over storages, and the
 * values around them.
 *
 * A format fills a model once; afterwards it is immutable and read from any thread. Front ends and
 * the tree see only this (and the object graph for the text of scalars), never a pickle or a zip.
 *
 *	storages[]   runs of bytes (extents)
 *	tensors[]    dtype, shape, strides, offset over a storage; equal ones are one (tied weights)
 *	values[]     a graph of directories and leaves; identity kept: what is shared in the pickle
 *	             is one value; a cycle is cut where it closes (VALUE_LEAF with VALUE_CYCLE)
 *	entries[]    key and value of each directory, contiguous per value, in checkpoint order
 */
#ifndef PTHFS_MODEL_H
#define PTHFS_MODEL_H

#include <pthfs/dtype.h>
#include <pthfs/extent.h>
#include <pthfs/map.h>
#include <pthfs/obj.h>

#define MODEL_NONE UINT32_MAX
#define MODEL_MAX_NDIM 64

struct storage {
	struct str key;      /* its key in the container: opaque, never a path */
	struct extent data;  /* the bytes as torch would hold them here; src NULL: not readable */
	uint64_t nbytes;     /* what the pickle says; tensors are checked against this */
	uint64_t file_off;   /* where data begins in the checkpoint; UINT64_MAX: nowhere as it is */
	struct str location; /* "cpu", "cuda:0" */
	const char *broken;  /* a sentence, or NULL */
	uint32_t users;      /* tensors on it */
	uint8_t dtype;       /* of the persistent id met first */
	bool big_endian;     /* the file's order (user.byteorder) */
	/* Bytes in the pickle itself (numpy, _load_from_bytes): item `item` of the tuple `inside`
	 * holds them. OBJ_NONE: they lie beside it. */
	oref inside;
	uint8_t item;
};

enum tensor_flags {
	TENSOR_REQUIRES_GRAD = 1,
	TENSOR_CONJ = 2,         /* the view shows conjugated values */
	TENSOR_NEG = 4,          /* ... negated */
	TENSOR_PARAMETER = 8,    /* nn.Parameter */
	TENSOR_BUFFER = 16,      /* of a module, or nn.Buffer */
	TENSOR_META = 32,        /* meta device: no bytes */
	TENSOR_EXPANDED = 64,    /* huge by stride 0: shown with those dimensions taken once */
	TENSOR_NUMPY = 128,      /* a numpy array */
	TENSOR_CONTIGUOUS = 256, /* strides are C order for the shape */
	TENSOR_SPARSE_PART = 512,
	TENSOR_QUANTIZED_PART = 1024,
	TENSOR_NESTED_PART = 2048,
	TENSOR_SUBCLASS = 4096,  /* cls names it */
	TENSOR_PARTIAL = 8192,   /* .broken, but some bytes are there: only reads of missing ones fail */
};

/* What few tensors have. */
struct tensor_words {
	struct str cls;    /* "module.Class", or empty */
	struct str device; /* empty: the storage's location */
};

struct tensor {
	uint32_t storage;      /* MODEL_NONE: none (meta) */
	uint16_t flags;        /* enum tensor_flags */
	uint8_t dtype, ndim;
	uint64_t offset;       /* elements, in the storage */
	uint64_t nbytes;       /* of the file that is shown: elements * size, C order */
	const int64_t *shape;  /* [ndim] */
	const int64_t *stride; /* [ndim], elements */
	const struct tensor_words *words; /* NULL: both are empty */
	const char *broken;    /* a sentence: reading is EIO; NULL when fine */
	oref obj;              /* the first object that is this tensor */
};

enum value_kind {
	VALUE_LEAF,   /* a scalar, text, or a list of such: one file */
	VALUE_TENSOR, /* .tensor */
	VALUE_DICT,   /* a mapping: keys are entries */
	VALUE_LIST,   /* a list or tuple with structure in it: entries 0, 1, ... */
	VALUE_OBJECT, /* attributes (and items) of something else */
	VALUE_PARTS,  /* a sparse, quantized or nested tensor: .parts describes the whole */
	VALUE_MODULE, /* a whole nn.Module: entries are its state_dict(); .raw its attributes */
};

enum value_flags {
	VALUE_STATE_DICT = 1, /* text keys, and at least half of the values are tensors */
	VALUE_CYCLE = 2,      /* stands for a container that holds itself */
	VALUE_DATA = 4,       /* a leaf whose bytes are shown as they are (Python bytes) */
	VALUE_PAST = 8,       /* the object holds something else now (volume) */
};

struct value {
	uint8_t kind, flags;
	uint16_t pad;
	oref obj;
	uint32_t first, n; /* entries, for directories */
	union {
		uint32_t tensor; /* VALUE_TENSOR */
		uint32_t parts;  /* VALUE_PARTS */
		uint32_t raw;    /* VALUE_MODULE: the value of its attributes */
	};
};

struct entry {
	oref key;       /* STR normally; any object for dicts with other keys */
	uint32_t value;
};

/* The whole that a VALUE_PARTS directory stands for. */
struct parts {
	const char *kind;   /* "sparse", "quantized", "nested" */
	struct str layout;  /* "torch.sparse_coo", "torch.per_channel_affine", ... */
	uint8_t dtype, ndim;
	const int64_t *shape;
	bool requires_grad;
	const char *broken;
};

/* Something that a user should know: shown by info and log, later by check. */
struct finding {
	const char *kind; /* "damaged", "ambiguous", "dangerous", "note": a static word */
	struct str name;  /* record, key or global; may be empty */
	uint64_t offset;  /* UINT64_MAX: none */
	struct str message;
};

struct model {
	struct graph graph;
	struct arena arena; /* shapes, names, sentences */
	VEC(struct storage) storages;
	VEC(struct tensor) tensors;
	VEC(struct value) values;
	VEC(struct entry) entries;
	VEC(struct parts) parts;
	VEC(struct finding) findings;
	VEC(struct source *) sources; /* references that storages borrow */
	struct idmap tensor_ids;      /* equal tensors are found here; dropped by model_seal() */
	uint32_t root;                /* value */
};

int model_init(struct model *m, struct err *e);
void model_release(struct model *m);
/* After loading: gives back slack, drops tables that only loading needs. */
void model_seal(struct model *m);

/* --- for formats, while loading -------------------------------------------------------------- */

/* Keeps a reference (taken over) until release, so that storages may borrow it. */
int model_keep(struct model *m, struct source *s);
int model_add_storage(struct model *m, const struct storage *s, uint32_t *ret, struct err *e);

/* Adds a tensor after checking it against its storage with overflow-checked arithmetic
 * (formats/torch-objects.md section 11). shape, stride and words are copied; nbytes and CONTIGUOUS,
 * EXPANDED are computed. What does not hold makes the tensor broken, with a sentence, never an
 * error: the rest of the checkpoint stays readable. An equal tensor (same storage, dtype, offset,
 * shape, strides, flags, class, device) that is there already is returned instead; two without a
 * storage are equal only when they are one object. stride NULL: C order. Of a tensor with more
 * than MODEL_MAX_NDIM dimensions none are kept. Errors: memory. */
int model_add_tensor(struct model *m, const struct tensor *t, uint32_t *ret, struct err *e);

int model_add_value(struct model *m, const struct value *v, uint32_t *ret, struct err *e);
int model_find(struct model *m, const char *kind, struct str name, uint64_t offset, struct err *e,
		const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* A sentence in the arena; a static one when memory is out. */
const char *model_sentence(struct model *m, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));

/* --- for readers ------------------------------------------------------------------------------ */

uint64_t tensor_numel(const struct tensor *t); /* of the shape; saturates */
/* The shape of the bytes that are shown: t's own, but expanded dimensions count once, and packed
 * types and meta tensors are one run. shape has room for MODEL_MAX_NDIM; returns the dimensions. */
unsigned tensor_shown_shape(const struct tensor *t, int64_t *shape);
/* shape as text: "[64, 3, 7, 7]" */
void tensor_shape_text(const struct tensor *t, struct buf *out);
/* The bytes [*first, *end) of its storage between which t lies; both 0: none. */
void tensor_span(const struct model *m, const struct tensor *t, uint64_t *first, uint64_t *end);
/* Do its elements fill that range, each place once, in whatever order? (A transposed tensor.) */
bool tensor_is_dense(const struct tensor *t);
/* Do the two look at a common byte? By the ranges they span. */
bool tensor_overlap(const struct model *m, uint32_t a, uint32_t b);
/* The device a user is told: own, storage's location, or "cpu". */
struct str tensor_device(const struct model *m, const struct tensor *t);
/* "module.Class" of a subclass, or empty. */
static inline struct str tensor_class(const struct tensor *t)
{
	return t->words ? t->words->cls : STR("");
}
/* "parameter", "buffer", "numpy", ... or NULL for a plain tensor. */
const char *tensor_kind(const struct tensor *t);
/* Where the bytes lie in the checkpoint as they are shown; false when they are computed. */
bool tensor_file_range(const struct model *m, const struct tensor *t, uint64_t *off);

#endif
