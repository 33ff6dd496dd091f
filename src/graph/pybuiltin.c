/* pybuiltin.c - calls of Python's own types, recognised by name and never made.
 *
 * Protocol 2 has no opcodes for sets and bytes; they are calls (formats/pickle.md section 3):
 *
 *	set([..])          __builtin__.set, args ([..],)
 *	bytes              _codecs.encode, args (text, 'latin1'); b'' is bytes()
 *	bytearray          __builtin__.bytearray, args (bytes,), (text, 'latin-1') or ()
 *
 * Only the shapes that Python writes are recognised; anything else stays a call. A bytearray to
 * which items were appended is no longer what its arguments say, so it stays one, too.
 */
#include "pybuiltin.h"

#include <stdlib.h>

#include "node.h"

bool py_is_builtin(const struct graph *g, oref r, const char *name)
{
	struct str module, n;

	return obj_global(g, r, &module, &n) && str_is(n, name) &&
	       (str_is(module, "builtins") || str_is(module, "__builtin__"));
}

static bool is_copyreg(const struct graph *g, oref r, const char *name)
{
	return obj_is_global(g, r, "copyreg", name) || obj_is_global(g, r, "copy_reg", name);
}

oref py_class(const struct graph *g, oref r)
{
	oref callable, args;
	const oref *items;
	uint32_t n;

	if (!obj_call(g, r, &callable, &args))
		return OREF_NIL;
	items = obj_items(g, args, &n);
	if (n && (is_copyreg(g, callable, "_reconstructor") ||
			 is_copyreg(g, callable, "__newobj__") ||
			 is_copyreg(g, callable, "__newobj_ex__")))
		return items[0];
	return callable;
}

bool py_class_name(const struct graph *g, oref r, struct str *module, struct str *name)
{
	return obj_global(g, py_class(g, r), module, name);
}

bool py_plain_args(const struct graph *g, oref r, const oref **args, uint32_t *n)
{
	const struct obj_extra *x = node_extra(g, r);
	oref callable, tuple;

	if (!obj_call(g, r, &callable, &tuple))
		return false;
	if (x && (x->n_items || x->n_pairs))
		return false;
	*args = obj_items(g, tuple, n);
	return true;
}

enum py_set py_set_items(const struct graph *g, oref r, const oref **items, uint32_t *n)
{
	enum obj_kind kind = obj_kind(g, r), inner;
	enum py_set is = PY_NO_SET;
	const oref *args;
	uint32_t n_args;
	oref callable;

	if (kind == OBJ_KIND_SET || kind == OBJ_KIND_FROZENSET) {
		*items = obj_items(g, r, n);
		return kind == OBJ_KIND_SET ? PY_SET : PY_FROZENSET;
	}
	callable = py_class(g, r);
	if (py_is_builtin(g, callable, "set"))
		is = PY_SET;
	else if (py_is_builtin(g, callable, "frozenset"))
		is = PY_FROZENSET;
	if (is == PY_NO_SET || !py_plain_args(g, r, &args, &n_args) || n_args > 1)
		return PY_NO_SET;
	inner = n_args ? obj_kind(g, args[0]) : OBJ_KIND_TUPLE;
	if (!kind_is_seq(inner))
		return PY_NO_SET;
	*n = 0;
	*items = n_args ? obj_items(g, args[0], n) : NULL;
	return is;
}

static bool names_latin1(const struct graph *g, oref r)
{
	static const char *const names[] = {
		"latin1", "latin-1", "latin_1", "iso-8859-1", "iso8859-1"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (obj_is_text(g, r, names[i]))
			return true;
	return false;
}

bool py_is_bytearray(const struct graph *g, oref r)
{
	return obj_kind(g, r) == OBJ_KIND_BYTEARRAY ||
	       py_is_builtin(g, py_class(g, r), "bytearray");
}

/* bytearray(bytes) is as deep as Python writes; asking a long hostile chain again and again at
 * each of its links would be quadratic. */
#define BYTES_DEPTH 4

bool py_bytes(const struct graph *g, oref r, oref *text, bool *latin1)
{
	const oref *args;
	uint32_t n;
	bool encode;

	for (int depth = 0; depth < BYTES_DEPTH; depth++, r = args[0]) {
		if (obj_kind(g, r) == OBJ_KIND_BYTES || obj_kind(g, r) == OBJ_KIND_BYTEARRAY) {
			*text = r;
			*latin1 = false;
			return true;
		}
		if (obj_kind(g, r) != OBJ_KIND_CALL || !py_plain_args(g, r, &args, &n))
			return false;
		encode = obj_is_global(g, py_class(g, r), "_codecs", "encode");
		if (!encode && !py_is_builtin(g, py_class(g, r), "bytes") &&
			!py_is_builtin(g, py_class(g, r), "bytearray"))
			return false;
		if (n == 2 && obj_kind(g, args[0]) == OBJ_KIND_STR && names_latin1(g, args[1])) {
			*text = args[0];
			*latin1 = true;
			return true;
		}
		if (n == 0 && !encode) {
			*text = OREF_NIL;
			*latin1 = false;
			return true;
		}
		if (n != 1 || encode)
			return false;
	}
	return false;
}

/* Latin-1 of UTF-8 text whose characters are all below U+0100; returns SIZE_MAX for others. out
 * has room for s.n bytes. */
static size_t decode_latin1(struct str s, unsigned char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned c = (unsigned char)s.p[i];

		if (c >= 0x80) {
			if ((c & 0xfe) != 0xc2 || s.n - i < 2 || (s.p[i + 1] & 0xc0) != 0x80)
				return SIZE_MAX;
			c = (c << 6 | (s.p[++i] & 0x3f)) & 0xff;
		}
		out[n++] = (unsigned char)c;
	}
	return n;
}

bool py_small_bytes(const struct graph *g, oref r, unsigned char *out, size_t cap, size_t *n)
{
	unsigned char tmp[256];
	bool latin1 = true;
	oref text = r;
	struct str s;
	size_t len;

	if (obj_kind(g, r) != OBJ_KIND_STR && !py_bytes(g, r, &text, &latin1))
		return false;
	if (text == OREF_NIL) {
		*n = 0;
		return true;
	}
	if (!obj_text(g, text, &s) || s.n > sizeof tmp)
		return false;
	len = latin1 ? decode_latin1(s, tmp) : s.n;
	if (len == SIZE_MAX || len > cap)
		return false;
	if (len)
		memcpy(out, latin1 ? tmp : (const unsigned char *)s.p, len);
	*n = len;
	return true;
}

static int memory_source(struct str s, bool latin1, struct source **ret, struct err *e)
{
	unsigned char *copy = malloc(s.n ? s.n : 1);
	struct source *src;
	size_t n = s.n;

	if (!copy)
		return err_nomem(e);
	if (latin1)
		n = decode_latin1(s, copy);
	else if (s.n)
		memcpy(copy, s.p, s.n);
	if (n == SIZE_MAX) {
		free(copy);
		return err_set(
			e, ERR_DAMAGED, "text that stands for bytes has a character above U+00FF");
	}
	src = source_mem_take(copy, n);
	if (!src)
		return err_nomem(e);
	*ret = src;
	return 0;
}

int obj_bytes_source(const struct graph *g, oref r, struct source **ret, struct err *e)
{
	struct source *text_src;
	struct str s = {NULL, 0};
	bool latin1;
	oref text;
	int rc;

	if (!py_bytes(g, r, &text, &latin1))
		return err_set(e, ERR_ABSENT, "the object does not stand for bytes");
	if (text == OREF_NIL || obj_text(g, text, &s))
		return memory_source(s, latin1, ret, e);
	rc = obj_text_source(g, text, &text_src, e);
	if (rc < 0)
		return rc;
	if (!latin1) {
		*ret = text_src;
		return 0;
	}
	rc = source_latin1(text_src, UINT64_MAX, ret, e);
	source_unref(text_src);
	return rc;
}
