/* parse_in.h - the pieces that reading text and reading JSON share; for the graph room only. */
#ifndef GRAPH_PARSE_IN_H
#define GRAPH_PARSE_IN_H

#include <pthfs/parse.h>

/* Nodes that no pickle has made. */
#define MADE UINT32_MAX

#define PARSE_MAX (256u << 20) /* bytes of text */
#define LONG_DIGITS 4300       /* of a whole number, as Python's int() */
#define LONG_BYTES (1786 + 8)

/* long.c: |digits|, at most LONG_DIGITS of them, as a LONG holds it. Returns the bytes. */
size_t long_bytes(struct str digits, bool negative, char out[LONG_BYTES]);

/* "expected WHAT; found TEXT", ERR_INVALID. */
int parse_wrong(struct str text, const char *what, struct err *e);
/* r with an error when it is OREF_NIL: out of memory. */
int parse_made(oref r, oref *ret, struct err *e);
struct str text_trimmed(struct str s);

/* --- parse_number.c: text without blanks around it --------------------------------------------- */

/* [+-]digits. */
bool text_is_int(struct str s);
/* As Python's float() takes it, less "1_000": 1, .5, 1e-3, inf, Infinity, nan, in any case. */
bool text_is_float(struct str s);
/* The nearest double of such a text (also of one that is an int). */
int text_float(struct str s, double *ret, struct err *e);
/* An INT or LONG, or `was` when it is this number already. ERR_LIMIT: over LONG_DIGITS. */
int parse_int(struct graph *g, oref was, struct str s, oref *ret, struct err *e);
/* A FLOAT, or `was` when it has these bits (or both are NaN). */
int parse_float(struct graph *g, oref was, struct str s, oref *ret, struct err *e);
/* True, False, true, false, 1, 0. False: none of them. */
bool parse_bool(struct str s, oref *ret);

/* --- parse_call.c: values that are symbols or calls -------------------------------------------- */

/* numpy.core.multiarray.scalar(dtype, bytes) of a number. */
bool is_numpy_scalar(const struct graph *g, oref r);
int parse_numpy(struct graph *g, oref was, struct str s, oref *ret, struct err *e);
/* dtypes, devices, paths; else ERR_UNSUPPORTED with the type. */
int parse_call(struct graph *g, oref was, struct str s, oref *ret, struct err *e);

/* --- parse_like.c: containers in the spelling of others ---------------------------------------- */

/* Items in the spelling of `was` (json_items() has some); OREF_NIL: a list. */
int like_items(struct graph *g, oref was, const oref *items, uint32_t n, oref *ret, struct err *e);
/* Pairs in the spelling of `was`: a DICT, or a call with pairs. `arg`: they were its argument. */
int like_pairs(struct graph *g, oref was, bool arg, const oref *pairs, uint32_t n, oref *ret,
		struct err *e);
/* The object `was` with this state. */
int like_object(struct graph *g, oref was, oref state, oref *ret, struct err *e);

/* --- parse_json.c ------------------------------------------------------------------------------ */

/* As obj_parse_json(); list_only: a file of a list, whose items are no dicts. */
int parse_document(struct graph *g, oref was, struct str text, bool list_only, oref *ret,
		struct err *e);
/* Is r the text s, or did JSON show it so? */
bool text_is(const struct graph *g, oref r, struct str s);

#endif
