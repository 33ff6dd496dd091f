/* print.h - the pieces that repr, value text and JSON share; for the graph room only. */
#ifndef GRAPH_PRINT_H
#define GRAPH_PRINT_H

#include <pthfs/print.h>

/* put_*: into out; trouble stays in out->failed. */

/* Text with Python's escapes, without quotes; `quote` is escaped too (0: none). */
void put_escaped(struct str s, char quote, struct buf *out);
void put_str_repr(struct str s, struct buf *out);
void put_bytes_repr(struct str s, struct buf *out); /* b'..' */
/* module.name; short_names: only the name for what lies in collections. */
void put_global(const struct graph *g, oref r, bool short_names, struct buf *out);
/* A node that has no parts. Spans are read; bytes-like calls count as leaves. 0 or ERR_*. */
int put_leaf(const struct graph *g, oref r, struct buf *out, struct err *e);
/* Is r printed by put_leaf()? */
bool is_leaf(const struct graph *g, oref r);
/* The text of a STR or Python 2 string; spans are read into tmp (at most its max). */
int text_of(const struct graph *g, oref r, struct buf *tmp, struct str *ret, struct err *e);
/* ERR_LIMIT in words when out has failed; else 0. */
int out_error(const struct buf *out, struct err *e);

/* What JSON shows as an array: its items. False: r is no such thing. (jsonify.c) */
bool json_items(const struct graph *g, oref r, const oref **items, uint32_t *n);
/* What JSON shows as an object: dicts, and calls that behave like one. */
bool json_mapping(const struct graph *g, oref r);
/* What an OrderedDict, defaultdict or Counter was made from: a dict, or a list of (key, value). Or
 * OREF_NIL. */
oref json_argument(const struct graph *g, oref r);
/* Pair i of such a thing, or of what has pairs; *n: how many there are. NULL: no such pair, or one
 * that is none. */
const oref *json_pair(const struct graph *g, oref from, uint32_t i, uint32_t *n);
/* The dict that holds attributes: the state, or the first or second half of (dict, slots). */
oref json_state(const struct graph *g, oref r, bool slots);

/* A container that is being printed. What phase and i mean is the printer's. */
struct frame {
	oref r;
	uint32_t i;
	uint8_t shape, phase;
	bool comma;
};

/* The path from the top to where the printer is: an explicit stack with a test for cycles. */
struct path {
	const struct graph *g;
	VEC(struct frame) at;
	uint64_t *on; /* bits of nodes on the path; made when the path gets long */
};
bool path_has(const struct path *p, oref r);
int path_push(struct path *p, oref r, uint8_t shape);
void path_pop(struct path *p);
void path_release(struct path *p);

#endif
