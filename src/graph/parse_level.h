/* parse_level.h - a JSON document being held against what was there; for parse_json.c and
 * parse_old.c only.
 */
#ifndef GRAPH_PARSE_LEVEL_H
#define GRAPH_PARSE_LEVEL_H

#include <pthfs/json_read.h>
#include <pthfs/map.h>

#include "parse_in.h"

enum shape { LEVEL_ITEMS, LEVEL_PAIRS, LEVEL_STATE };

#define NO_PAIR UINT32_MAX

struct level {
	oref was;  /* what was here; OREF_NIL: nothing that counts */
	oref from; /* whose items or pairs they were: was, its argument or its state */
	uint8_t shape;
	bool stays;   /* may `was` itself be the result? */
	bool same;    /* so far it is */
	bool arg;     /* from is the argument of a call */
	bool cyclic;  /* something in it is `was` */
	bool unknown; /* keys that are no attributes were passed over */
	bool mapped;
	bool scanned, numbers; /* are all keys numbers? */
	size_t base;    /* its first value in made */
	uint32_t n;     /* values (pairs) so far */
	uint32_t n_was; /* items or pairs that were there */
	uint32_t pair;  /* of the current key: its number, or NO_PAIR */
	struct idmap keys; /* pair numbers by the text of their key, once mapped */
};

struct parser {
	struct graph *g;
	struct json_reader r;
	struct err *e;
	bool list_only;
	VEC(struct level) levels; /* at most JSON_DEPTH */
	VEC(oref) made;
	oref result;
};

/* --- parse_old.c: what was there ---------------------------------------------------------------- */

/* What JSON shows a leaf or key as, in quotes. False: it does not fit. */
bool json_shown(const struct graph *g, oref r, struct buf *out);
/* Kinds of which JSON may only show a description. */
bool is_opaque_kind(enum obj_kind kind);
/* What stood where the next value comes; *stays: it may be that very object. */
oref counterpart(const struct parser *p, oref root, bool *stays);
/* Finds out what the '{' or '[' is that stands where l->was is. False: a description of what
 * stays. */
bool object_shape(const struct graph *g, struct level *l);
bool list_shape(const struct graph *g, struct level *l);
/* The number of the old pair that has this key, or NO_PAIR. */
int find_pair(struct parser *p, struct level *l, struct str key, uint32_t *ret);
/* The key of old pair number i. */
oref old_key(const struct parser *p, const struct level *l, uint32_t i);
/* A key that was not there: a number where all keys are numbers, else text. */
int new_key(struct parser *p, struct level *l, struct str key, oref *ret);

#endif
