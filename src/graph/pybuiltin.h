/* pybuiltin.h - what the calls of Python's own types stand for; for the graph room only. */
#ifndef GRAPH_PYBUILTIN_H
#define GRAPH_PYBUILTIN_H

#include <pthfs/obj.h>

/* The callable of a CALL or NEW; for copyreg's helpers (protocols 0 and 1) the class they are
 * given. OREF_NIL for other kinds. */
oref py_class(const struct graph *g, oref r);
/* Is r the symbol builtins.NAME (or __builtin__.NAME)? */
bool py_is_builtin(const struct graph *g, oref r, const char *name);
/* The class, with both parts; false when it is no symbol. */
bool py_class_name(const struct graph *g, oref r, struct str *module, struct str *name);
/* The arguments of a CALL or NEW to which nothing was added later; false otherwise. */
bool py_plain_args(const struct graph *g, oref r, const oref **args, uint32_t *n);

enum py_set { PY_NO_SET, PY_SET, PY_FROZENSET };
/* SET, FROZENSET, and calls of set(), frozenset() with a container: its items are *items. */
enum py_set py_set_items(const struct graph *g, oref r, const oref **items, uint32_t *n);

/* Bytes-like objects: *text is a BYTES, BYTEARRAY, or a STR to be encoded as Latin-1; OREF_NIL:
 * empty. False: r is none. */
bool py_bytes(const struct graph *g, oref r, oref *text, bool *latin1);
bool py_is_bytearray(const struct graph *g, oref r);
/* torch.float32 and its like are objects of type dtype; other symbols are classes or functions. */
bool py_is_dtype(const struct graph *g, oref r);
/* Up to cap bytes of a bytes-like object (or Python 2 text); false when it is none or is longer. */
bool py_small_bytes(const struct graph *g, oref r, unsigned char *out, size_t cap, size_t *n);

/* pytext.c: the text of a call that is a value (a date, a device, a path, a complex number ...).
 * 1: appended to out; 0: not such a call. Memory trouble is left in out->failed. */
int py_scalar_text(const struct graph *g, oref r, struct buf *out);

#endif
