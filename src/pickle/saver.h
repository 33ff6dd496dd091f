/* saver.h - the state of one pickle_save(), shared by the files that write.
 *
 *	frames   what is open, outermost first: (object, how far)
 *	memo     node -> number, or OPEN while a tuple or call is being written, or NO_MEMO
 *	buf      bytes on their way to pickle_out
 *
 * Functions that write return nothing: the first error stays in s->rc and makes the rest do
 * nothing, so that a run of them needs one look at the end.
 */
#ifndef PICKLE_SAVER_H
#define PICKLE_SAVER_H

#include <pthfs/pickle.h>

#define NO_MEMO UINT32_MAX
#define MEMO_OPEN (UINT32_MAX - 1)

enum frame_kind {
	FRAME_LIST,  /* the items of a LIST, SET or FROZENSET */
	FRAME_ITEMS, /* those of a CALL or NEW */
	FRAME_DICT,  /* the pairs of a DICT */
	FRAME_PAIRS, /* those of a CALL or NEW */
	FRAME_TUPLE,
	FRAME_CALL,
	FRAME_GROUP, /* what is written as set(list) or frozenset(list) */
	FRAME_STATE,
	FRAME_PERSID,
};

struct frame {
	oref r;
	uint32_t i; /* items (keys and values each) or steps done */
	uint8_t kind;
	bool again; /* r was open already when this frame was made */
};

/* Objects that Python has once and protocol 2 names for what it cannot spell. */
enum helper {
	HELP_ENCODE,
	HELP_BYTES,
	HELP_BYTEARRAY,
	HELP_SET,
	HELP_FROZENSET,
	HELP_LATIN1, /* a text, the others are symbols */
	HELPERS
};

struct saver {
	const struct graph *g;
	const struct pickle_out *out;
	struct err *e;
	int protocol;
	int rc;
	VEC(struct frame) frames;
	uint32_t *memo;
	uint32_t puts;   /* the next memo number */
	uint32_t nested; /* frames whose object was open already */
	oref root;
	uint8_t *uses; /* by node: how often it is named, 2 for more; NULL: not counted yet */
	struct {
		oref r;        /* the graph's own, OREF_NIL: it has none */
		uint32_t memo; /* without one */
	} helper[HELPERS];
	bool helpers_found;
	uint64_t total, limit; /* bytes */
	size_t n;
	char buf[16384];
};

/* save_out.c */
int save_init(struct saver *s);
void save_release(struct saver *s);
void save_flush(struct saver *s);
void save_bytes(struct saver *s, const void *p, size_t n);
void save_byte(struct saver *s, uint8_t byte);
/* An opcode and its little-endian argument of `width` bytes. */
void save_op(struct saver *s, uint8_t op, uint64_t arg, unsigned width);
void save_run(struct saver *s, struct source *src, uint64_t off, uint64_t len);
/* Puts the top of the stack: as r, or as something that is no node. */
void save_put(struct saver *s, oref r);
uint32_t save_put_new(struct saver *s);
void save_get(struct saver *s, uint32_t number);
bool save_has(const struct saver *s, oref r); /* has a number already */
void save_fail(struct saver *s, int code, oref r, const char *fmt, ...)
		__attribute__((format(printf, 4, 5)));

/* save_leaf.c: kinds that hold nothing else. */
void save_leaf(struct saver *s, oref r, enum obj_kind kind);
void save_global(struct saver *s, oref r);

/* save_bytes.c: bytes, and the names that stand for what protocol 2 lacks. */
void save_bytes_leaf(struct saver *s, oref r);
void save_helper(struct saver *s, enum helper which);

/* save_group.c. Is r a call of set() or frozenset() with a list that nothing else names, and to
 * which nothing was added? */
bool save_is_group(struct saver *s, oref r, oref *list);

#endif
