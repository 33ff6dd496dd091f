/* json.c - writing JSON as Python's json.dumps(ensure_ascii=False) spells it.
 *
 * Nesting is the caller's business; only the comma is kept track of. Text that is valid UTF-8 goes
 * out as it is. A lone surrogate (three bytes ED A0..BF xx, from Python's "surrogatepass") becomes
 * its own \udXXX escape, and any other byte that is not UTF-8 becomes \udc80..\udcff, what
 * "surrogateescape" makes of it; so the document is always valid UTF-8 and nothing is lost.
 */
#include <pthfs/json.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "utf8.h"

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

/* In front of every value and key. */
static void comma(struct json *j)
{
	if (j->need_comma)
		buf_put(j->out, ", ", j->newline ? 1 : 2);
	if (j->newline)
		buf_putc(j->out, '\n');
	j->need_comma = true;
	j->newline = false;
}

void json_open(struct json *j, char bracket)
{
	comma(j);
	buf_putc(j->out, bracket);
	j->need_comma = false;
}

void json_close(struct json *j, char bracket)
{
	j->need_comma = false;
	comma(j);
	buf_putc(j->out, bracket);
}

void json_newline(struct json *j)
{
	j->newline = true;
}

static void escape(struct buf *out, unsigned char c)
{
	static const char named[] = "\"\\\n\r\t\b\f", letter[] = "\"\\nrtbf";
	const char *at = c ? strchr(named, c) : NULL;

	if (at)
		buf_printf(out, "\\%c", letter[at - named]);
	else
		buf_printf(out, "\\u%04x", c);
}

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* What is at p, which is not plain; n > 0 bytes are left. Returns how many it took. */
static size_t put_special(struct buf *out, const char *p, size_t n)
{
	unsigned char byte = (unsigned char)*p;
	uint32_t c;
	size_t step;

	if (byte < 0x80) {
		escape(out, byte);
		return 1;
	}
	step = utf8_step(p, n, &c);
	if (step == 0) {
		buf_printf(out, "\\udc%02x", byte);
		return 1;
	}
	if (c >= 0xd800 && c < 0xe000)
		buf_printf(out, "\\u%04x", (unsigned)c);
	else
		buf_put(out, p, step);
	return step;
}

static void put_string(struct buf *out, struct str s)
{
	size_t i = 0, from;

	buf_putc(out, '"');
	while (i < s.n) {
		for (from = i; i < s.n && plain((unsigned char)s.p[i]); i++)
			;
		buf_put(out, s.p + from, i - from);
		if (i < s.n)
			i += put_special(out, s.p + i, s.n - i);
	}
	buf_putc(out, '"');
}

void json_key_str(struct json *j, struct str key)
{
	comma(j);
	put_string(j->out, key);
	buf_puts(j->out, ": ");
	j->need_comma = false;
}

void json_key(struct json *j, const char *key)
{
	json_key_str(j, str_of(key));
}

void json_str(struct json *j, struct str s)
{
	comma(j);
	put_string(j->out, s);
}

void json_cstr(struct json *j, const char *s)
{
	json_str(j, str_of(s));
}

void json_raw(struct json *j, struct str s)
{
	comma(j);
	buf_str(j->out, s);
}

void json_i64(struct json *j, int64_t v)
{
	comma(j);
	buf_printf(j->out, "%" PRId64, v);
}

void json_u64(struct json *j, uint64_t v)
{
	comma(j);
	buf_printf(j->out, "%" PRIu64, v);
}

void json_f64(struct json *j, double v)
{
	char text[32];

	if (isnan(v))
		json_raw(j, STR("NaN"));
	else if (isinf(v))
		json_raw(j, v < 0 ? STR("-Infinity") : STR("Infinity"));
	else
		json_raw(j, str_of(float_repr(v, text)));
}

void json_bool(struct json *j, bool v)
{
	json_raw(j, v ? STR("true") : STR("false"));
}

void json_null(struct json *j)
{
	json_raw(j, STR("null"));
}
