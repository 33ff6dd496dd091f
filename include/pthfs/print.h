/* print.h - objects as text: Python's repr, the text of a scalar file, JSON.
 *
 * No recursion (hostile nesting), no endless output: cycles show as "[...]" or "{...}" like
 * Python's repr, and the buffer's maximum ends everything else (ERR_LIMIT).
 */
#ifndef PTHFS_PRINT_H
#define PTHFS_PRINT_H

#include <pthfs/json.h>
#include <pthfs/obj.h>

/* Python's repr: 'text', 0.1, (0, 1), None, {'a': 1}. Calls as module.name(args). */
int obj_repr(const struct graph *g, oref r, struct buf *out, struct err *e);

/* What a file of this value holds, without the final newline (design.md "The tree", rule 3):
 * text itself, 12, 0.1, True, None, torch.float32, module.name, ISO dates, sets and sequences as
 * JSON. `bytes` are not text: see obj_text_source(). */
int obj_value_text(const struct graph *g, oref r, struct buf *out, struct err *e);

/* A hook that may print an object in its own way (a tensor as its meta): 1 printed, 0 not mine,
 * negative error. */
typedef int obj_json_hook(void *ctx, oref r, struct json *j, struct err *e);

/* JSON. Keys that are not text are their repr; text that is not UTF-8 is kept as \udcXX. */
int obj_json(const struct graph *g, oref r, obj_json_hook *hook, void *ctx, struct json *j,
		struct err *e);

/* The name of the Python type: "int", "float", "str", "tuple", "OrderedDict", "Namespace", ... */
void obj_type_name(const struct graph *g, oref r, struct buf *out);

/* Decimal text of a LONG; over 4,300 digits it is given in hex. */
int long_text(struct str le_bytes, struct buf *out);

#endif
