/* name.c - keys become file names, and back. (design.md "The tree", rule 6)
 *
 * A byte is percent-encoded where a file name cannot hold it or a terminal should not get it:
 * '/', NUL, control characters, bytes that are no UTF-8, and a '%' that would read as an escape.
 * "." and ".." are encoded whole, the empty key is "%". So the mapping can be undone, but for
 * names that were cut to NAME_LIMIT bytes: those end in '~' and 16 hex digits of the key's hash.
 *
 * The hash is FNV-1a and no secret: a name must be the same at every mount. Two keys that collide
 * are told apart by "~2" like any others.
 */
#include <pthfs/tree.h>

#include <pthfs/print.h>
#include <stdio.h>
#include <string.h>

#define NAME_HASH_LEN 17 /* '~' and 16 hex digits */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int hex_value(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* Bytes of the UTF-8 character at the start of s, or 0 when there is none. */
static size_t utf8_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	return n && n <= s.n && str_utf8((struct str){s.p, n}) ? n : 0;
}

static bool must_escape(struct str rest)
{
	unsigned char c = (unsigned char)rest.p[0];
	if (c == '/' || c < 0x20 || c == 0x7f)
		return true;
	return c == '%' && rest.n >= 3 && is_hex(rest.p[1]) && is_hex(rest.p[2]);
}

static void escape_all(struct str key, struct buf *out)
{
	for (size_t i = 0; i < key.n; i++)
		buf_printf(out, "%%%02X", (unsigned char)key.p[i]);
}

static uint64_t stable_hash(struct str s)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return h;
}

/* Short, and nothing but printable ASCII without '/' and '%': most keys are. */
static bool is_plain(struct str key)
{
	bool plain = key.n > 0 && key.n <= NAME_LIMIT && key.p[0] != '.';
	for (size_t i = 0; i < key.n && plain; i++) {
		unsigned char c = (unsigned char)key.p[i];
		plain = c >= 0x20 && c < 0x7f && c != '/' && c != '%';
	}
	return plain;
}

/* The escaped form of the whole key, but no more than one character over the limit. */
static void escape(struct str key, struct buf *out, size_t start, size_t *cut)
{
	while (key.n && out->n - start <= NAME_LIMIT && !out->failed) {
		size_t n = utf8_len(key);
		if (out->n - start <= NAME_LIMIT - NAME_HASH_LEN)
			*cut = out->n;
		if (n == 0 || must_escape(key))
			buf_printf(out, "%%%02X", (unsigned char)key.p[0]), n = 1;
		else
			buf_put(out, key.p, n);
		key = str_skip(key, n);
	}
}

void name_of_text(struct str key, struct buf *out)
{
	size_t start = out->n, cut = start;
	if (is_plain(key)) {
		buf_str(out, key);
		return;
	}
	if (key.n == 0) {
		buf_putc(out, '%');
		return;
	}
	if (str_is(key, ".") || str_is(key, "..")) {
		escape_all(key, out);
		return;
	}
	escape(key, out, start, &cut);
	if (out->n - start <= NAME_LIMIT || out->failed)
		return;
	out->n = cut;
	buf_printf(out, "~%016llx", (unsigned long long)stable_hash(key));
}

/* The beginning of a text that is so long that it stayed in the file. Any name of it is cut. */
static void name_of_span(const struct graph *g, oref key, struct buf *out)
{
	struct source *s = NULL;
	char head[4096];
	size_t n = 0;
	if (obj_text_source(g, key, &s, NULL) == 0) {
		n = s->size < sizeof head ? s->size : sizeof head;
		if (source_read(s, head, n, 0, NULL) < 0)
			n = 0;
	}
	source_unref(s);
	name_of_text((struct str){head, n}, out);
}

bool key_text(const struct graph *g, oref key, struct str *ret)
{
	if (key == OREF_NIL)
		return false;
	if (obj_kind(g, key) != OBJ_KIND_STR && !(obj_flags(g, key) & OBJ_PY2STR))
		return false;
	return obj_text(g, key, ret);
}

void name_of_key(const struct graph *g, oref key, struct buf *out)
{
	struct str text;
	if (key_text(g, key, &text)) {
		name_of_text(text, out);
		return;
	}
	if (obj_kind(g, key) == OBJ_KIND_STR) {
		name_of_span(g, key, out);
		return;
	}
	struct buf repr;
	buf_init(&repr, 65536);
	obj_repr(g, key, &repr, NULL);
	repr.failed = false; /* what fitted will do: it is cut anyway */
	name_of_text(buf_view(&repr), out);
	buf_release(&repr);
}

/* The longest beginning of at most n bytes that ends between characters and escapes. */
static struct str whole_head(struct str name, size_t n)
{
	if (name.n <= n)
		return name;
	while (n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80)
		n--;
	for (size_t back = 1; back <= 2 && back <= n; back++) {
		const char *p = name.p + n - back;
		if (*p == '%' && name.n - (n - back) >= 3 && is_hex(p[1]) && is_hex(p[2]))
			n -= back;
	}
	return str_cut(name, n);
}

void name_numbered(struct str name, size_t k, struct buf *out)
{
	char tail[24];
	int n = snprintf(tail, sizeof tail, "~%zu", k);
	struct str head = whole_head(name, NAME_LIMIT - (size_t)n);
	out->n = 0;
	buf_str(out, head);
	buf_put(out, tail, (size_t)n);
}

size_t name_next_number(size_t k, size_t *last)
{
	if (k < NAME_OWN_NUMBERS)
		return k + 1;
	if (*last < NAME_OWN_NUMBERS)
		*last = NAME_OWN_NUMBERS;
	return ++*last;
}

static bool is_cut(struct str name)
{
	if (name.n < NAME_LIMIT - 3 || name.p[name.n - NAME_HASH_LEN] != '~')
		return false;
	for (size_t i = name.n - NAME_HASH_LEN + 1; i < name.n; i++)
		if (!is_hex(name.p[i]))
			return false;
	return true;
}

static void unescape(struct str name, struct buf *out)
{
	if (str_is(name, "%"))
		return; /* the empty key */
	for (size_t i = 0; i < name.n; i++) {
		bool escaped = name.p[i] == '%' && name.n - i >= 3 && is_hex(name.p[i + 1]) &&
			       is_hex(name.p[i + 2]);
		if (escaped) {
			buf_putc(out, (char)(hex_value(name.p[i + 1]) * 16 +
						hex_value(name.p[i + 2])));
			i += 2;
		} else {
			buf_putc(out, name.p[i]);
		}
	}
}

bool name_to_text(struct str name, struct buf *out)
{
	struct buf again;
	size_t start = out->n;
	if (name.n == 0 || name.n > NAME_LIMIT || is_cut(name))
		return false;
	unescape(name, out);
	buf_init(&again, 4096);
	if (!out->failed)
		name_of_text(str_skip(buf_view(out), start), &again);
	bool same = !again.failed && str_eq(buf_view(&again), name);
	buf_release(&again);
	if (!same)
		out->n = start;
	return same;
}
