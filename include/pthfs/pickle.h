/* pickle.h - bytes to object graph and back. Executes nothing, imports nothing, never recurses.
 *
 * Reading: every opcode of protocols 0 to 5 (formats/pickle.md section 2). What cannot be understood
 * without running code becomes an inert node. Rejected, with the offset: truncated arguments,
 * a missing STOP, stack underflow, pops past a mark, undefined memo entries, odd SETITEMS,
 * protocol > 5, items set on what cannot take them (a tensor, a number). (section 8)
 *
 * Memory: at most 64 bytes a byte of pickle. Long text (OBJ_INLINE_MAX) stays in the source, so
 * a pickle with gigabytes of embedded arrays costs no memory.
 *
 * Writing: protocol 2, which is what every torch.load takes, byte for byte as CPython's C pickler
 * does it (sections 3 and 4). So a graph that torch wrote comes out as it was; pickle_same() says
 * whether that is so. Where it is not (another pickler, another protocol), one changed number or
 * text can still be put into the old bytes: pickle_patch().
 */
#ifndef PTHFS_PICKLE_H
#define PTHFS_PICKLE_H

#include <pthfs/obj.h>
#include <pthfs/reader.h>
#include <pthfs/vec.h>

struct pickle_info {
	int protocol;      /* highest PROTO seen; 0 when there is none */
	uint64_t length;   /* bytes up to and including STOP */
	uint64_t opcodes;
	/* Only opcodes that torch.load(weights_only=True) takes (torch 2.x), done to what takes them as
	 * far as the graph does not tell: which calls it makes is for others to look at. */
	bool weights_only;
	uint8_t bad_op; /* the first that it does not take, with its name (static) and offset */
	const char *bad_name;
	uint64_t bad_off; /* UINT64_MAX: in another pickle of the file (legacy streams) */
};

/* Reads one pickle from r (which stands behind its STOP afterwards) into g.
 * ERR_DAMAGED, ERR_TRUNCATED, ERR_LIMIT, ERR_NOMEM, ERR_UNSUPPORTED (protocol > 5), and what the
 * source gives. Call graph_dedupe() once all pickles are in. info may be NULL. */
int pickle_load(struct reader *r, struct graph *g, oref *ret, struct pickle_info *info,
		struct err *e);

/* Where a pickle goes. Each returns 0, or a code that ends the writing and is handed on. */
struct pickle_out {
	int (*bytes)(void *ctx, const void *p, size_t n, struct err *e);
	/* [off, off + len) of src as it is: long text. NULL: it is read and given to bytes(). */
	int (*run)(void *ctx, struct source *src, uint64_t off, uint64_t len, struct err *e);
	void *ctx;
};

struct pickle_save_opts {
	/* Of the pickle that the graph came from (pickle_info.protocol). 3 and more: names that
	 * readers of protocol 2 take for something else are refused. 0: 2 or less, or made here. */
	int protocol;
};

/* Writes root and what it holds. Memo numbers go by first visit; two orefs are one object only
 * when they are equal. opts may be NULL. Nodes are not changed, any number of threads may write.
 * ERR_UNSUPPORTED: protocol 2 cannot hold it (out-of-band buffers, keyword arguments of NEWOBJ_EX,
 * tensors without a pickle, text over 4 GiB), or readers would take it for something else.
 * ERR_LIMIT: objects contain themselves through tuples or calls beyond what Python can write.
 * What pickle_out has got before an error is a prefix of nothing: drop it. */
int pickle_save(const struct graph *g, oref root, const struct pickle_save_opts *o,
		const struct pickle_out *out, struct err *e);
/* The same into memory. ERR_LIMIT when it is more than out->max. */
int pickle_save_buf(const struct graph *g, oref root, const struct pickle_save_opts *o,
		struct buf *out, struct err *e);

/* Are the len bytes at off of src what pickle_save() writes for root? Stops at the first that is
 * not. *ret says; when it is false *diff is the offset in the pickle of the first difference, and
 * *e says what is there. Negative: the source could not be read, or out of memory. */
int pickle_same(const struct graph *g, oref root, const struct pickle_save_opts *o,
		struct source *src, uint64_t off, uint64_t len, bool *ret, uint64_t *diff,
		struct err *e);

/* --- other values in the bytes that are there (section 6) --- */

enum pickle_part {
	PICKLE_ITEM,  /* item i of a TUPLE, LIST, SET or FROZENSET, or added to a CALL or NEW */
	PICKLE_KEY,   /* of pair i of a DICT, CALL or NEW */
	PICKLE_VALUE, /* the same pair's value */
	PICKLE_TOP,   /* the object itself that the pickle holds */
};

struct pickle_edit {
	oref holder; /* of the graph; not looked at for PICKLE_TOP */
	enum pickle_part part;
	uint32_t i;
	enum obj_kind kind; /* of the new value: NONE, BOOL, INT, FLOAT or STR */
	int64_t v;          /* BOOL, INT */
	double f;
	struct str s; /* borrowed */
};

/* [off, off + len) of the pickle becomes the n bytes. */
struct pickle_change {
	uint64_t off, len;
	char *bytes;
	size_t n;
};

struct pickle_patch {
	VEC(struct pickle_change) at; /* ascending, apart */
};

/* The changes that make these edits and no others, whatever wrote the pickle and in which protocol:
 * one opcode each, which may be a number, a text, a get of one, or anything else that is pushed at
 * once. What other places get from the memo stays as it was: the old text is defined again where
 * it is got first. Frames are corrected. g is what pickle_load() made of these bytes.
 * ERR_UNSUPPORTED: the old value is a container or the result of a call, or the bytes do not say
 * where it comes from (a key given twice, a copy); ERR_ABSENT: no such part. ret is untouched. */
int pickle_patch(struct source *src, uint64_t off, uint64_t len, const struct graph *g,
		const struct pickle_edit *edits, uint32_t n, struct pickle_patch *ret,
		struct err *e);
/* The len bytes at off of src with the changes made. */
int pickle_patch_write(const struct pickle_patch *p, struct source *src, uint64_t off,
		uint64_t len, const struct pickle_out *out, struct err *e);
void pickle_patch_release(struct pickle_patch *p);

#endif
