/* format.h - from a file to a model. One row in a table per format; the only room that joins
 * containers and pickles.
 *
 * Told apart by content, never by extension: each format bids the number of bits it verified in
 * the first bytes, the highest bid loads. What nobody bids for is named for what it is (a PNG, an
 * HTML page, a git-lfs pointer ...).
 */
#ifndef PTHFS_FORMAT_H
#define PTHFS_FORMAT_H

#include <pthfs/box.h>
#include <pthfs/model.h>
#include <pthfs/pickle.h>

struct format_opts {
	bool salvage;       /* mount what is there of a truncated or contradictory file */
	uint32_t max_names; /* paths that shared containers may expand to; 0: 1,000,000 */
};

enum verdict { GLOBAL_KNOWN, GLOBAL_UNKNOWN, GLOBAL_DANGEROUS };

struct global_use {
	struct str module, name; /* as in the file; borrowed from the graph */
	uint32_t uses;           /* nodes that name it */
	uint8_t verdict;         /* enum verdict */
	bool weights_only;       /* weights_name() knows it */
	uint64_t offset;         /* of the first, in its pickle */
};

/* What torch.load(weights_only=True) takes a global for, by torch 2.13's own list (without what a
 * program adds to it by add_safe_globals()). */
enum weights_name {
	WEIGHTS_NOT,            /* not on the list: loading ends there */
	WEIGHTS_STORAGE,        /* a storage class with a dtype: only named, in persistent ids */
	WEIGHTS_UNTYPED,        /* torch.storage.UntypedStorage */
	WEIGHTS_VALUE,          /* a dtype or quantization scheme: only named */
	WEIGHTS_FUNCTION,       /* gives bytes, a layout ... */
	WEIGHTS_MAKE_TENSOR,    /* a function that gives a tensor */
	WEIGHTS_MAKE_PARAMETER, /* ... a Parameter */
	WEIGHTS_TENSOR,         /* classes from here on: tensors, */
	WEIGHTS_PARAMETER,
	WEIGHTS_ODICT,          /* OrderedDict and Counter take items, */
	WEIGHTS_COUNTER,
	WEIGHTS_SET,
	WEIGHTS_BYTEARRAY,
	WEIGHTS_CLASS,          /* and others */
};
/* Names as in the file, also in Python 2's spelling. */
enum weights_name weights_name(struct str module, struct str name);

/* A loaded checkpoint. Immutable. */
struct checkpoint {
	const char *format;   /* "torch zip", "torch legacy", "torch tar", "pickle", "torchscript" */
	struct str version;   /* of the container, as far as it says: "3" */
	struct str producer;  /* who wrote it, as far as known: "torch 2.1 or later" */
	struct source *file;  /* a reference */
	struct box *box;      /* members, for .pthfs/archive; legacy streams have made-up ones */
	struct model model;
	struct pickle_info pickle;
	VEC(struct global_use) globals;
	bool big_endian;
	bool truncated;       /* salvaged: see model.findings */
	struct change_names *names; /* private: what change.c has found in the graph */
};

struct format_ops {
	const char *name;
	/* Bits verified in head[0..n) (the first 512 bytes, or all); 0: not mine. */
	int (*bid)(const unsigned char *head, size_t n, uint64_t size);
	int (*load)(struct source *file, const struct format_opts *o, struct checkpoint *c,
			struct err *e);
};

/* Opens and loads. The sentence of an error does not name the file: the caller knows it. */
int checkpoint_open(const char *path, const struct format_opts *o, struct checkpoint **ret,
		struct err *e);
int checkpoint_load(struct source *file, const struct format_opts *o, struct checkpoint **ret,
		struct err *e);
void checkpoint_free(struct checkpoint *c);

#endif
