/* parse_kit.h - a graph, pickles loaded into it, and text read against them. */
#ifndef PARSE_KIT_H
#define PARSE_KIT_H

#include "tap.h"
#include "unpickled.h"

#include <math.h>
#include <pthfs/parse.h>
#include <stdlib.h>

static struct graph g;
static struct err e;

static inline oref load(const void *bytes, size_t n)
{
	struct source *src = source_mem_borrow(bytes, n);
	struct reader reader;
	oref r = OREF_NIL;

	OK(src && reader_init(&reader, src, 0, n, &e) == 0);
	if (pickle_load(&reader, &g, &r, NULL, &e) < 0)
		printf("# %s\n", e.text);
	OK(r != OREF_NIL);
	reader_release(&reader);
	source_unref(src);
	return r;
}

#define LOAD(literal) load((literal), sizeof(literal) - 1)

static inline void begin(void)
{
	OK(graph_init(&g, &e) == 0);
}

/* What obj_value_text(), obj_json() and obj_repr() say; a few results live at once. */
static inline const char *say(char how, oref r)
{
	static char out[4][8192];
	static int turn;
	struct buf b;
	struct json j;
	int rc;

	turn = (turn + 1) % 4;
	buf_init(&b, sizeof out[0] - 1);
	json_init(&j, &b);
	rc = how == 'v'	  ? obj_value_text(&g, r, &b, &e)
	     : how == 'j' ? obj_json(&g, r, NULL, NULL, &j, &e)
			  : obj_repr(&g, r, &b, &e);
	snprintf(out[turn], sizeof out[0], "%.*s", rc < 0 ? 480 : (int)b.n,
			rc < 0 ? e.text : b.n ? b.p : "");
	buf_release(&b);
	return out[turn];
}

/* Exactly as large as it is, so that a sanitizer sees reads beyond it. */
typedef int parse_fn(struct graph *g, oref was, struct str text, oref *ret, struct err *e);
static inline int parse_as(parse_fn *fn, oref was, struct str text, oref *ret)
{
	char *exact = malloc(text.n ? text.n : 1);
	int rc;

	if (text.n)
		memcpy(exact, text.p, text.n);
	rc = fn(&g, was, (struct str){exact, text.n}, ret, &e);
	free(exact);
	return rc;
}

static inline oref parse_str(oref was, struct str text)
{
	oref r = OREF_NIL;
	int rc = parse_as(obj_parse_text, was, text, &r);

	if (rc < 0)
		OK(r == OREF_NIL && e.code == rc); /* untouched, and said why */
	return r;
}

static inline oref parse(oref was, const char *text)
{
	return parse_str(was, str_of(text));
}

static inline oref json(oref was, const char *text)
{
	oref r = OREF_NIL;

	e.text[0] = 0;
	parse_as(obj_parse_json, was, str_of(text), &r);
	return r;
}

static inline const char *refused(int code, oref was, const char *text)
{
	oref r = OREF_NIL;

	EQ_I64(parse_as(obj_parse_text, was, str_of(text), &r), code);
	OK(r == OREF_NIL && strlen(e.text) > 10 && !strchr(e.text, '\n'));
	return e.text;
}

static inline const char *refused_json(int code, oref was, const char *text)
{
	oref r = OREF_NIL;

	EQ_I64(parse_as(obj_parse_json, was, str_of(text), &r), code);
	OK(r == OREF_NIL && strlen(e.text) > 10 && !strchr(e.text, '\n'));
	return e.text;
}

/* The bytes of a numpy scalar in hexadecimal. */
static inline const char *scalar_hex(oref r)
{
	static char hex[64];
	struct source *src;
	unsigned char raw[8];
	uint32_t n = 0;
	oref fn, args = OREF_NIL;
	const oref *at;

	hex[0] = 0;
	if (!obj_call(&g, r, &fn, &args) || !(at = obj_items(&g, args, &n)) || n != 2 ||
			obj_bytes_source(&g, at[1], &src, &e) < 0)
		return "no scalar";
	if (src->size <= 8 && source_read(src, raw, src->size, 0, &e) == 0)
		for (size_t i = 0; i < src->size; i++)
			snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	source_unref(src);
	return hex;
}

#define NP(dtype, bytes)                                                                           \
	"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(X\2\0\0\0" dtype                         \
	"I00\nI01\ntR(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb" bytes "tR."
#define LATIN(count, utf8) "c_codecs\nencode\n(X" count "\0\0\0" utf8 "X\6\0\0\0latin1tR"

#endif
