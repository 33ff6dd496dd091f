/* obj.h - the object graph: what a pickle describes, as inert data.
 *
 * Dicts, lists, scalars, symbols and calls that were never made. Identity is kept: two references
 * to one object are the same `oref`. Cycles are normal; every walk needs a visited set. Nothing
 * here knows what torch is. (formats/pickle.md sections 1 and 7)
 *
 * An oref is 32 bits: an index into the nodes, or (top bit set) a small integer itself, so that
 * the shapes and strides of 100,000 tensors cost no nodes.
 *
 * Ownership: everything lives in the graph and is freed with it. Immutable after loading, but for
 * obj_new_*(), and for the obj_replace_*() of whoever edits a checkpoint.
 * Thread rule: one thread while loading or changing; otherwise any number of readers.
 */
#ifndef PTHFS_OBJ_H
#define PTHFS_OBJ_H

#include <pthfs/arena.h>
#include <pthfs/source.h>
#include <pthfs/vec.h>

typedef uint32_t oref;

/* These nodes are always there. */
#define OBJ_NONE ((oref)0)
#define OBJ_FALSE ((oref)1)
#define OBJ_TRUE ((oref)2)
#define OBJ_EMPTY_TUPLE ((oref)3)
#define OREF_NIL ((oref)0x7fffffff) /* no object */

enum obj_kind {
	OBJ_KIND_NONE,
	OBJ_KIND_BOOL,
	OBJ_KIND_INT,   /* fits 64 bits, signed */
	OBJ_KIND_LONG,  /* does not: little-endian two's complement bytes */
	OBJ_KIND_FLOAT, /* bits kept */
	OBJ_KIND_STR,   /* text; bytes as in the file, normally UTF-8 */
	OBJ_KIND_BYTES, /* also Python 2 strings: flag OBJ_PY2STR */
	OBJ_KIND_BYTEARRAY,
	OBJ_KIND_TUPLE,
	OBJ_KIND_LIST,
	OBJ_KIND_SET,
	OBJ_KIND_FROZENSET,
	OBJ_KIND_DICT,
	OBJ_KIND_GLOBAL, /* module + name, never looked up */
	OBJ_KIND_CALL,   /* callable(*args) by REDUCE, INST or OBJ: never made */
	OBJ_KIND_NEW,    /* cls.__new__(cls, *args, **kwargs) by NEWOBJ(_EX) */
	OBJ_KIND_PERSID, /* persistent_load(id) */
	OBJ_KIND_EXT,    /* obj_int() is its extension code, -1 for an out-of-band buffer: opaque */
	OBJ_KIND_TENSOR, /* a tensor of a format without a pickle; obj_int() is its index */
};

enum obj_flags {
	OBJ_PY2STR = 1,    /* BINSTRING and friends: Python 3 decodes it */
	OBJ_SPAN = 2,      /* STR, BYTES: longer than OBJ_INLINE_MAX, stays in the file */
	OBJ_BAD_UTF8 = 4,  /* STR whose bytes are not UTF-8 */
	OBJ_TEXT_OP = 8,   /* written by a protocol 0 opcode (INT, FLOAT, STRING, ...) */
	OBJ_READONLY = 16, /* READONLY_BUFFER was applied */
	OBJ_LOOSE = 32,    /* CALL by INST or OBJ: with no arguments, Python 3 calls __new__ only */
};

#define OBJ_INLINE_MAX 65536 /* bytes of text kept in memory; longer ones are spans */

/* 20 bytes. What a, b, c mean depends on kind (src/graph/node.h); use the functions below. */
struct obj {
	uint8_t kind, flags;
	uint16_t aux;
	uint32_t off; /* offset in its pickle of the opcode that made it; UINT32_MAX: beyond */
	union {
		struct {
			uint32_t a, b, c;
		};
		uint32_t abc[3];
	};
};

struct obj_span {
	uint32_t src; /* which of graph.srcs */
	uint64_t off, len;
};

/* What REDUCE, NEWOBJ results and subclasses get later: at most one per object. */
struct obj_extra {
	uint32_t items, n_items, cap_items;    /* APPEND(S), ADDITEMS: list items, in the pool */
	uint32_t pairs, n_pairs, cap_pairs;    /* SETITEM(S): keys and values, in the pool */
	oref state;                            /* BUILD; OREF_NIL: none */
	oref kwargs;                           /* NEWOBJ_EX; OREF_NIL: none */
};

/* What a node was before obj_replace_*(). */
struct obj_was {
	oref r;
	struct obj obj;
	uint32_t extra; /* index of its extra, UINT32_MAX: it had none */
	struct obj_extra was;
};

struct graph {
	VEC(struct obj) nodes;
	VEC(uint32_t) pool; /* items of containers */
	uint32_t hole, hole_n; /* pool words that nobody uses any more */
	VEC(struct obj_extra) extra;
	VEC(struct obj_span) spans;
	VEC(struct source *) srcs; /* references */
	struct arena text;
	VEC(struct obj_was) undo; /* latest last */
	bool recording;
};

int graph_init(struct graph *g, struct err *e);
void graph_release(struct graph *g);
/* Gives back what growing left over (realloc to size). After loading. */
void graph_trim(struct graph *g);

enum obj_kind obj_kind(const struct graph *g, oref r);
uint8_t obj_flags(const struct graph *g, oref r);
uint32_t obj_off(const struct graph *g, oref r); /* 0 for small ints */

/* Each returns false (outputs untouched) when r is of another kind. */
bool obj_int(const struct graph *g, oref r, int64_t *ret); /* INT; BOOL as in Python; TENSOR, EXT */
bool obj_float(const struct graph *g, oref r, double *ret); /* FLOAT only */
/* STR, BYTES, BYTEARRAY, LONG (its raw bytes), as long as they are in memory. */
bool obj_text(const struct graph *g, oref r, struct str *ret);
/* The same kinds, in memory or not: a new source. 0 or ERR_*. */
int obj_text_source(const struct graph *g, oref r, struct source **ret, struct err *e);
uint64_t obj_text_len(const struct graph *g, oref r);
/* Where a text that is not in memory lies (OBJ_SPAN); *src is borrowed. */
bool obj_span(const struct graph *g, oref r, struct source **src, uint64_t *off, uint64_t *len);
/* The bytes that r stands for: BYTES, BYTEARRAY, and how protocol 2 spells them (calls of
 * _codecs.encode(text, 'latin1'), bytes(), bytearray()). ERR_ABSENT when r is none of these. */
int obj_bytes_source(const struct graph *g, oref r, struct source **ret, struct err *e);
bool obj_is_text(const struct graph *g, oref r, const char *cstr); /* STR (or PY2STR) equal */
bool obj_global(const struct graph *g, oref r, struct str *module, struct str *name);
bool obj_is_global(const struct graph *g, oref r, const char *module, const char *name);
/* TUPLE, LIST, SET, FROZENSET: their items. CALL, NEW: appended items. NULL + *n = 0 otherwise.
 * Borrowed; obj_new_*() may move them. */
const oref *obj_items(const struct graph *g, oref r, uint32_t *n);
/* DICT: key, value, key, value, ...; *n counts pairs. CALL, NEW: pairs that were set. */
const oref *obj_pairs(const struct graph *g, oref r, uint32_t *n);
/* CALL, NEW: who and with what. kwargs and state are OREF_NIL when there are none. */
bool obj_call(const struct graph *g, oref r, oref *callable, oref *args);
oref obj_state(const struct graph *g, oref r);
oref obj_kwargs(const struct graph *g, oref r);
bool obj_persid(const struct graph *g, oref r, oref *id);
/* The value under a text key of a DICT (or of a CALL/NEW with pairs), or OREF_NIL. Linear. */
oref obj_get(const struct graph *g, oref r, const char *key);
/* Python's equality and hash for what can be a dict key: 1 == 1.0 == True; objects by identity. */
uint64_t obj_key_hash(const struct graph *g, oref r);
bool obj_key_eq(const struct graph *g, oref a, oref b);

/* Makers. Each returns OREF_NIL when out of memory or over 2^30 nodes. */
oref obj_new(struct graph *g, enum obj_kind kind, uint32_t off);
oref obj_new_int(struct graph *g, int64_t v, uint32_t off);
oref obj_new_float(struct graph *g, double v, uint32_t off);
oref obj_new_text(struct graph *g, enum obj_kind kind, struct str s, uint32_t off); /* copies */
oref obj_new_span(struct graph *g, enum obj_kind kind, struct source *src, uint64_t off_in_src,
		uint64_t len, uint32_t off);
oref obj_new_seq(struct graph *g, enum obj_kind kind, const oref *items, uint32_t n, uint32_t off);
oref obj_new_call(struct graph *g, enum obj_kind kind, oref callable, oref args, uint32_t off);
oref obj_new_global(struct graph *g, oref module, oref name, uint32_t off);
oref obj_new_persid(struct graph *g, oref id, uint32_t off);
oref obj_new_index(struct graph *g, enum obj_kind kind, int64_t v, uint32_t off); /* TENSOR, EXT */
/* Small integers and OREF_NIL take no flags and are left alone. */
void obj_add_flags(struct graph *g, oref r, uint8_t flags);
/* Growing; r must be able to take it (the pickle room checks). 0 or ERR_NOMEM/ERR_LIMIT. */
int obj_append(struct graph *g, oref r, const oref *items, uint32_t n);
int obj_set_pairs(struct graph *g, oref r, const oref *pairs, uint32_t n_pairs);
int obj_set_state(struct graph *g, oref r, oref state);
int obj_set_kwargs(struct graph *g, oref r, oref kwargs);
/* Later duplicates of a key replace the value and keep the position of the first, in every DICT
 * and in every CALL/NEW with pairs. Once, at the end of loading. 0, ERR_NOMEM, or ERR_LIMIT for
 * keys that were made to collide. */
int graph_dedupe(struct graph *g);


/* --- editing: objects keep their identity, their insides change ---------------------------------- */

/* Each: 0, ERR_NOMEM, ERR_LIMIT, or ERR_INVALID (r cannot hold such a thing, or is one of the four
 * objects that are always there). What is given may be what obj_items() or obj_pairs() returned. */

/* Other pairs for a DICT, or for what was SETITEMSed into a CALL or NEW; n may be 0. */
int obj_replace_pairs(struct graph *g, oref r, const oref *pairs, uint32_t n_pairs);
/* Other items for a TUPLE, LIST, SET or FROZENSET, or of what was APPENDed to a CALL or NEW. */
int obj_replace_items(struct graph *g, oref r, const oref *items, uint32_t n);
/* Another tuple of arguments for a CALL or NEW. */
int obj_replace_args(struct graph *g, oref r, oref args);
/* Another state (BUILD); OREF_NIL: none. */
int obj_replace_state(struct graph *g, oref r, oref state);

/* From here on obj_replace_*() note what was there (older notes are forgotten). graph_undo() puts
 * all of it back, latest first; graph_forget_undo() lets it be; noting goes on after either. New
 * nodes stay either way. What obj_append(), obj_set_*() do to objects is not noted. */
void graph_record_undo(struct graph *g);
void graph_undo(struct graph *g);
void graph_forget_undo(struct graph *g);

#endif
