/* parse.h - text that a user wrote, as objects of the graph.
 *
 * Thread rule: the graph's writer is alone.
 */
#ifndef PTHFS_PARSE_H
#define PTHFS_PARSE_H

#include <pthfs/obj.h>

/* In all three: text of at most 256 MiB (ERR_LIMIT), whole numbers of at most 4,300 digits; nothing in
 * the graph is changed, new objects are made beside it. *ret is untouched after an error, which says
 * what was expected and found, with the byte of it where the text is JSON. */

/* What obj_value_text() would show, back as an object of the same kind as `was`: an int stays an
 * int, a float takes "1" too, a bool True, False, true, false, 1, 0; a str takes any UTF-8, less
 * one newline at its end; None takes None only; bytes take the bytes as they are; lists, tuples,
 * sets and torch.Size take JSON lists (items keep the kind of the item that was there: 1 becomes
 * 1.0 among floats); torch.dtype, torch.device, paths and numpy numbers take what they print as. A
 * numpy scalar keeps its dtype (and must fit it).
 * *ret: a new object, or `was` itself when nothing changed, which is also so for every kind that
 * cannot be written otherwise. ERR_INVALID; ERR_UNSUPPORTED: this kind of value cannot be written
 * (functions, dates, classes). */
int obj_parse_text(struct graph *g, oref was, struct str text, oref *ret, struct err *e);

/* A JSON document as Python objects: dict (text keys), list, str, int, float, bool, None. What is
 * where `was` has the same kind keeps its spelling: a tuple stays a tuple, an OrderedDict an
 * OrderedDict, and what stands for a tensor ({"dtype": ...} at a place where `was` has one) stays
 * that very object; so does everything that JSON only describes (parts of a sparse tensor, modules),
 * whatever stands there. Whatever equals what was there is that very object; *ret is `was` itself
 * when all does. Whole numbers among floats are floats, new keys among numbers are numbers. Of an
 * object with attributes values can change, but none can come or go (ERR_UNSUPPORTED). A key that
 * stands twice is ERR_INVALID. was OREF_NIL: nothing was there. */
int obj_parse_json(struct graph *g, oref was, struct str text, oref *ret, struct err *e);

/* `pthfs set` of a key that is not there: True, False, None, an int, a float, a JSON list or dict,
 * else a str, less one newline at its end. */
int obj_parse_guess(struct graph *g, struct str text, oref *ret, struct err *e);

#endif
