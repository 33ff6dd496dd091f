/* leaf.c - how objects without parts are spelled: numbers, text, bytes, symbols.
 *
 * As Python's repr does. Text keeps printable characters beyond ASCII; the rest is escaped: \xXX
 * below U+0100, \uXXXX, \UXXXXXXXX. Which characters count as printable is approximate: the
 * separators, format and control characters, surrogates and private use are escaped, unassigned
 * ones are not. A byte that is no UTF-8 becomes \udcXX (surrogateescape).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "node.h"
#include "print.h"
#include "pybuiltin.h"

/* Characters above ASCII that repr() escapes, as ranges. */
static const uint32_t unprintable[][2] = {
	{0x80, 0xa0},
	{0xad, 0xad},
	{0x600, 0x605},
	{0x61c, 0x61c},
	{0x6dd, 0x6dd},
	{0x70f, 0x70f},
	{0x1680, 0x1680},
	{0x180e, 0x180e},
	{0x2000, 0x200f},
	{0x2028, 0x202f},
	{0x205f, 0x206f},
	{0x3000, 0x3000},
	{0xd800, 0xf8ff},
	{0xfeff, 0xfeff},
	{0xfff0, 0xfffb},
	{0xfffe, 0xffff},
	{0xe0000, 0x10ffff},
};

static bool printable(uint32_t c)
{
	for (size_t i = 0; i < sizeof unprintable / sizeof *unprintable; i++)
		if (c >= unprintable[i][0] && c <= unprintable[i][1])
			return false;
	return true;
}

/* One character of n > 0 bytes; surrogates count. Returns its length, 0 when it is none. */
static size_t utf8_char(const char *p, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)*p;
	size_t len = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	uint32_t c = first & (0x7fu >> len);

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*ret = c;
	return c < least[len] || c > 0x10ffff ? 0 : len;
}

static void put_code(uint32_t c, struct buf *out)
{
	if (c < 0x100)
		buf_printf(out, "\\x%02x", (unsigned)c);
	else
		buf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
}

/* An ASCII character that is not plain. */
static void put_ascii(char c, struct buf *out)
{
	switch (c) {
	case '\n':
		buf_puts(out, "\\n");
		break;
	case '\r':
		buf_puts(out, "\\r");
		break;
	case '\t':
		buf_puts(out, "\\t");
		break;
	case '\\':
		buf_puts(out, "\\\\");
		break;
	default:
		put_code((unsigned char)c, out);
	}
}

static bool plain(char c, char quote)
{
	return c >= 0x20 && c < 0x7f && c != '\\' && (c != quote || !quote);
}

void put_escaped(struct str s, char quote, struct buf *out)
{
	size_t i = 0, from, len;
	uint32_t c;

	while (i < s.n && !out->failed) {
		for (from = i; i < s.n && plain(s.p[i], quote); i++)
			;
		buf_put(out, s.p + from, i - from);
		if (i == s.n)
			break;
		if (quote && s.p[i] == quote) {
			buf_putc(out, '\\');
			buf_putc(out, s.p[i++]);
		} else if ((unsigned char)s.p[i] < 0x80) {
			put_ascii(s.p[i++], out);
		} else {
			len = utf8_char(s.p + i, s.n - i, &c);
			if (len && printable(c))
				buf_put(out, s.p + i, len);
			else
				put_code(len ? c : 0xdc00u + (unsigned char)s.p[i], out);
			i += len ? len : 1;
		}
	}
}

/* Double quotes when there are single ones and no double ones. */
static char quote_for(struct str s)
{
	bool single = s.n && memchr(s.p, '\'', s.n), twice = s.n && memchr(s.p, '"', s.n);

	return single && !twice ? '"' : '\'';
}

void put_str_repr(struct str s, struct buf *out)
{
	char quote = quote_for(s);

	buf_putc(out, quote);
	put_escaped(s, quote, out);
	buf_putc(out, quote);
}

void put_bytes_repr(struct str s, struct buf *out)
{
	char quote = quote_for(s);

	buf_putc(out, 'b');
	buf_putc(out, quote);
	for (size_t i = 0; i < s.n && !out->failed; i++) {
		if (s.p[i] == quote)
			buf_putc(out, '\\');
		if (plain(s.p[i], 0))
			buf_putc(out, s.p[i]);
		else
			put_ascii(s.p[i], out);
	}
	buf_putc(out, quote);
}

/* The names that Python's fix_imports gives the builtins in protocols 0 to 2. */
static struct str modern_name(struct str name)
{
	static const char *const old[][2] = {
		{"long", "int"}, {"unicode", "str"}, {"xrange", "range"}, {"unichr", "chr"}};

	for (size_t i = 0; i < sizeof old / sizeof *old; i++)
		if (str_is(name, old[i][0]))
			return str_of(old[i][1]);
	return name;
}

void put_global(const struct graph *g, oref r, bool short_names, struct buf *out)
{
	struct str module, name;

	if (!obj_global(g, r, &module, &name))
		return;
	if (str_is(module, "__builtin__")) {
		module = STR("builtins");
		name = modern_name(name);
	} else if (str_is(module, "copy_reg")) {
		module = STR("copyreg");
	}
	if (!short_names || !str_is(module, "collections")) {
		put_escaped(module, 0, out);
		buf_putc(out, '.');
	}
	put_escaped(name, 0, out);
}

int out_error(const struct buf *out, struct err *e)
{
	if (!out->failed)
		return 0;
	return err_set(e, ERR_LIMIT, "the text of the object is longer than %zu bytes", out->max);
}

int text_of(const struct graph *g, oref r, struct buf *tmp, struct str *ret, struct err *e)
{
	uint64_t len = obj_text_len(g, r);
	struct source *src;
	char *p;
	int rc;

	if (obj_text(g, r, ret))
		return 0;
	if (len > tmp->max)
		return err_set(e, ERR_LIMIT, "a text of %" PRIu64 " bytes, at most %zu are shown",
			len, tmp->max);
	rc = obj_text_source(g, r, &src, e);
	if (rc < 0)
		return rc;
	p = malloc(len ? len : 1);
	rc = p ? source_read(src, p, len, 0, e) : err_nomem(e);
	source_unref(src);
	if (rc == 0) {
		buf_put(tmp, p, len);
		*ret = buf_view(tmp);
	}
	free(p);
	return rc < 0 ? rc : out_error(tmp, e);
}

/* As much as may still be appended to out. */
static void tmp_init(struct buf *tmp, const struct buf *out)
{
	buf_init(tmp, out->max - out->n);
}

static int put_text(const struct graph *g, oref r, struct buf *out, struct err *e)
{
	enum obj_kind kind = obj_kind(g, r);
	struct buf tmp;
	struct str s;
	int rc;

	tmp_init(&tmp, out);
	rc = text_of(g, r, &tmp, &s, e);
	if (rc == 0 && kind == OBJ_KIND_LONG)
		long_text(s, out);
	else if (rc == 0 && (kind == OBJ_KIND_STR || (obj_flags(g, r) & OBJ_PY2STR)))
		put_str_repr(s, out);
	else if (rc == 0)
		put_bytes_repr(s, out);
	buf_release(&tmp);
	return rc;
}

/* Bytes in whatever spelling. */
static int put_bytes_like(const struct graph *g, oref r, struct buf *out, struct err *e)
{
	bool array = py_is_bytearray(g, r), latin1;
	struct source *src;
	struct str s;
	char *p = NULL;
	oref text;
	int rc;

	/* Half of the text at most is what Latin-1 takes off. */
	if (py_bytes(g, r, &text, &latin1) && obj_text_len(g, text) / 2 > out->max - out->n)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes, at most %zu are shown",
			obj_text_len(g, text), out->max);
	rc = obj_bytes_source(g, r, &src, e);
	if (rc < 0)
		return rc;
	if (!(p = malloc(src->size ? src->size : 1)))
		rc = err_nomem(e);
	else
		rc = source_read(src, p, src->size, 0, e);
	s = (struct str){p, src->size};
	if (rc == 0) {
		buf_puts(out, array ? "bytearray(" : "");
		put_bytes_repr(s, out);
		buf_puts(out, array ? ")" : "");
	}
	free(p);
	source_unref(src);
	return rc;
}

static void put_opaque(const struct graph *g, oref r, struct buf *out)
{
	int64_t v = 0;

	obj_int(g, r, &v);
	if (obj_kind(g, r) == OBJ_KIND_TENSOR)
		buf_printf(out, "<tensor %" PRId64 ">", v);
	else if (v < 0)
		buf_puts(out, "<buffer>");
	else
		buf_printf(out, "<extension %" PRId64 ">", v);
}

static int put_number(const struct graph *g, oref r, struct buf *out)
{
	char text[32];
	int64_t i;
	double d;

	if (obj_int(g, r, &i))
		buf_printf(out, "%" PRId64, i);
	else if (obj_float(g, r, &d))
		buf_puts(out, float_repr(d, text));
	return 0;
}

bool is_leaf(const struct graph *g, oref r)
{
	bool latin1;
	oref text;

	switch (obj_kind(g, r)) {
	case OBJ_KIND_TUPLE:
	case OBJ_KIND_LIST:
	case OBJ_KIND_SET:
	case OBJ_KIND_FROZENSET:
	case OBJ_KIND_DICT:
	case OBJ_KIND_NEW:
	case OBJ_KIND_PERSID:
		return false;
	case OBJ_KIND_CALL:
		return py_bytes(g, r, &text, &latin1);
	default:
		return true;
	}
}

int put_leaf(const struct graph *g, oref r, struct buf *out, struct err *e)
{
	switch (obj_kind(g, r)) {
	case OBJ_KIND_NONE:
		buf_puts(out, "None");
		return 0;
	case OBJ_KIND_BOOL:
		buf_puts(out, r == OBJ_TRUE ? "True" : "False");
		return 0;
	case OBJ_KIND_INT:
	case OBJ_KIND_FLOAT:
		return put_number(g, r, out);
	case OBJ_KIND_GLOBAL:
		put_global(g, r, false, out);
		return 0;
	case OBJ_KIND_TENSOR:
	case OBJ_KIND_EXT:
		put_opaque(g, r, out);
		return 0;
	case OBJ_KIND_BYTEARRAY:
	case OBJ_KIND_CALL:
		return put_bytes_like(g, r, out, e);
	default:
		return put_text(g, r, out, e);
	}
}
