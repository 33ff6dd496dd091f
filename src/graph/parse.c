/* parse.c - text that a user wrote into a value's file, as an object of the kind that was there.
 *
 * The inverse of obj_value_text(). The text that is shown now gives the object itself, whatever it
 * is, so that copying a file over itself is no edit; what is new is read by kind:
 *
 *	int float bool None     as Python prints them; blanks around them do not count
 *	str                     the text, less one newline at its end; UTF-8
 *	bytes                   as they are
 *	list tuple set Size     JSON (parse_json.c)
 *	dtype device path, numpy scalars      parse_call.c
 */
#include <pthfs/parse.h>

#include <stdlib.h>

#include <pthfs/print.h>

#include "node.h"
#include "parse_in.h"
#include "print.h"
#include "pybuiltin.h"

static struct str less_newline(struct str s)
{
	return s.n && s.p[s.n - 1] == '\n' ? str_cut(s, s.n - 1) : s;
}

/* Is the text what the value's file shows? */
static bool shown_as(const struct graph *g, oref r, struct str s)
{
	struct buf shown;
	bool same;

	buf_init(&shown, s.n);
	same = obj_value_text(g, r, &shown, NULL) == 0 && str_eq(buf_view(&shown), s);
	buf_release(&shown);
	return same;
}

/* Python 2's strings keep their opcode: a reader decodes them as it did. */
static int parse_string(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	enum obj_kind kind = obj_kind(g, was);
	oref r;

	if (!str_utf8(s))
		return parse_wrong(s, "text in UTF-8", e);
	r = obj_new_text(g, kind, s, MADE);
	obj_add_flags(g, r, obj_flags(g, was) & OBJ_PY2STR);
	return parse_made(r, ret, e);
}

/* 1: the bytes that r stands for; 0: others; or an error. */
static int holds_bytes(const struct graph *g, oref r, struct str s, struct err *e)
{
	struct source *src;
	char part[4096];
	int rc = obj_bytes_source(g, r, &src, e);
	bool same;

	if (rc < 0)
		return rc == ERR_DAMAGED ? 0 : rc;
	same = src->size == s.n;
	for (size_t off = 0, n; same && rc == 0 && off < s.n; off += n) {
		n = s.n - off < sizeof part ? s.n - off : sizeof part;
		rc = source_read(src, part, n, off, e);
		same = rc == 0 && memcmp(part, s.p + off, n) == 0;
	}
	source_unref(src);
	return rc < 0 ? rc : same;
}

/* Protocol 2 spells no bytes as bytes(), a global that weights_only=True does not know; the spelling of
 * all others it does: _codecs.encode("", "latin1"). */
static oref empty_bytes(struct graph *g)
{
	oref module = obj_new_text(g, OBJ_KIND_STR, STR("_codecs"), MADE);
	oref name = obj_new_text(g, OBJ_KIND_STR, STR("encode"), MADE);
	oref encode = obj_new_global(g, module, name, MADE);
	oref args[2] = {obj_new_text(g, OBJ_KIND_STR, STR(""), MADE),
			obj_new_text(g, OBJ_KIND_STR, STR("latin1"), MADE)};
	oref tuple = obj_new_seq(g, OBJ_KIND_TUPLE, args, 2, MADE);

	if (encode == OREF_NIL || args[0] == OREF_NIL || args[1] == OREF_NIL || tuple == OREF_NIL)
		return OREF_NIL;
	return obj_new_call(g, OBJ_KIND_CALL, encode, tuple, MADE);
}

static int parse_bytes(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	enum obj_kind kind = py_is_bytearray(g, was) ? OBJ_KIND_BYTEARRAY : OBJ_KIND_BYTES;
	int same = holds_bytes(g, was, s, e);

	if (same < 0)
		return same;
	if (!same && !s.n && kind == OBJ_KIND_BYTES)
		return parse_made(empty_bytes(g), ret, e);
	return parse_made(same ? was : obj_new_text(g, kind, s, MADE), ret, e);
}

static int parse_list(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	if (!str_starts(s, STR("[")))
		return parse_wrong(s, "a JSON list, as it was", e);
	return parse_document(g, was, s, true, ret, e);
}

/* By the kind that was there; s has no blanks around it. */
static int parse_kind(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	const oref *items;
	uint32_t n;

	switch (obj_kind(g, was)) {
	case OBJ_KIND_NONE:
		return parse_wrong(s, "None, as it was", e);
	case OBJ_KIND_BOOL:
		return parse_bool(s, ret) ? 0 : parse_wrong(s, "True or False, as it was", e);
	case OBJ_KIND_INT:
	case OBJ_KIND_LONG:
		return text_is_int(s) ? parse_int(g, was, s, ret, e)
				      : parse_wrong(s, "an int, as it was", e);
	case OBJ_KIND_FLOAT:
		return text_is_float(s) ? parse_float(g, was, s, ret, e)
					: parse_wrong(s, "a float, as it was", e);
	case OBJ_KIND_DICT:
		return str_starts(s, STR("{")) ? parse_document(g, was, s, false, ret, e)
					       : parse_wrong(s, "a JSON object, as it was", e);
	default:
		if (json_items(g, was, &items, &n))
			return parse_list(g, was, s, ret, e);
		return parse_call(g, was, s, ret, e);
	}
}

static int check_length(struct str text, struct err *e)
{
	if (text.n <= PARSE_MAX)
		return 0;
	return err_set(e, ERR_LIMIT, "a value of %zu bytes; at most %u are taken", text.n,
			PARSE_MAX);
}

int obj_parse_text(struct graph *g, oref was, struct str text, oref *ret, struct err *e)
{
	struct str line = less_newline(text), word = text_trimmed(text);
	bool latin1;
	oref bytes;
	int rc = check_length(text, e);

	if (rc < 0)
		return rc;
	if (was == OREF_NIL)
		return obj_parse_guess(g, text, ret, e);
	if (!node_is_string(g, was) && py_bytes(g, was, &bytes, &latin1))
		return parse_bytes(g, was, text, ret, e);
	if (shown_as(g, was, line) || (!node_is_string(g, was) && shown_as(g, was, word))) {
		*ret = was;
		return 0;
	}
	if (node_is_string(g, was))
		return parse_string(g, was, line, ret, e);
	return parse_kind(g, was, word, ret, e);
}

int obj_parse_json(struct graph *g, oref was, struct str text, oref *ret, struct err *e)
{
	int rc = check_length(text, e);

	return rc < 0 ? rc : parse_document(g, was, text, false, ret, e);
}

/* nan and inf only as Python prints them: "Infinity" may well be a name. */
static bool guess_float(struct str s)
{
	bool number = s.n && ((s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9') || s.p[s.n - 1] == '.');

	return (number && text_is_float(s)) || str_is(s, "nan") || str_is(s, "inf") ||
	       str_is(s, "-inf");
}

int obj_parse_guess(struct graph *g, struct str text, oref *ret, struct err *e)
{
	struct str s = text_trimmed(text);
	int rc = check_length(text, e);

	if (rc < 0)
		return rc;
	if (str_is(s, "True") || str_is(s, "False")) {
		parse_bool(s, ret);
		return 0;
	}
	if (str_is(s, "None")) {
		*ret = OBJ_NONE;
		return 0;
	}
	if (text_is_int(s))
		return parse_int(g, OREF_NIL, s, ret, e);
	if (guess_float(s))
		return parse_float(g, OREF_NIL, s, ret, e);
	if (str_starts(s, STR("[")) || str_starts(s, STR("{"))) {
		rc = parse_document(g, OREF_NIL, s, false, ret, e);
		if (rc != ERR_INVALID)
			return rc;
	}
	if (!str_utf8(text))
		return parse_wrong(text, "text in UTF-8", e);
	return parse_made(obj_new_text(g, OBJ_KIND_STR, less_newline(text), MADE), ret, e);
}
