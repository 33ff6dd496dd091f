/* svg_text.c - words and numbers of the picture: escaped, cut, made readable. */
#include "svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the character at the start of s, which is not empty; *bad when it is not UTF-8. */
static size_t character(struct str s, bool *bad)
{
	*bad = false;
	for (size_t n = 1; n <= 4 && n <= s.n; n++)
		if (str_utf8(str_cut(s, n)))
			return n;
	*bad = true;
	return 1;
}

/* U+0000..001F but tab and newlines, U+FFFE and U+FFFF may not stand in XML; newlines are not
 * wanted here either. */
static bool not_for_xml(struct str c)
{
	if (c.n == 1)
		return (unsigned char)c.p[0] < 0x20 || c.p[0] == 0x7f;
	return str_is(c, "\xef\xbf\xbe") || str_is(c, "\xef\xbf\xbf");
}

/* Columns of a monospaced font: characters of three bytes and more may be wide ones. */
static unsigned columns_of(struct str c)
{
	return c.n >= 3 ? 2 : 1;
}

static void put_character(struct str c, bool bad, struct buf *out)
{
	if (bad || not_for_xml(c))
		buf_puts(out, REPLACEMENT);
	else if (*c.p == '<')
		buf_puts(out, "&lt;");
	else if (*c.p == '>')
		buf_puts(out, "&gt;");
	else if (*c.p == '&')
		buf_puts(out, "&amp;");
	else if (*c.p == '"')
		buf_puts(out, "&quot;");
	else
		buf_str(out, c);
}

static unsigned all_columns(struct str s)
{
	unsigned sum = 0;
	bool bad;

	for (size_t n; s.n; s = str_skip(s, n)) {
		n = character(s, &bad);
		sum += columns_of(str_cut(s, n));
	}
	return sum;
}

void svg_escape(struct str s, unsigned columns, struct buf *out)
{
	unsigned sum;
	bool bad;
	size_t n;

	if (s.n > 4096) /* of a text without end, look at its end only */
		s = str_skip(s, s.n - 4096);
	sum = all_columns(s);
	if (sum > columns) {
		buf_puts(out, "…");
		for (; s.n && sum >= columns; s = str_skip(s, n)) {
			n = character(s, &bad);
			sum -= columns_of(str_cut(s, n));
		}
	}
	for (; s.n; s = str_skip(s, n)) {
		n = character(s, &bad);
		put_character(str_cut(s, n), bad, out);
	}
}

const char *svg_count(uint64_t n, struct svg_num *out)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
	char *to = out->text;

	if (len > 12) {
		snprintf(out->text, sizeof out->text, "%.5g", (double)n);
		return out->text;
	}
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return out->text;
}

const char *svg_real(double v, bool whole, int digits, struct svg_num *out)
{
	if (whole && fabs(v) < 1e9)
		snprintf(out->text, sizeof out->text, "%.0f", v);
	else
		snprintf(out->text, sizeof out->text, "%.*g", digits, v);
	return out->text;
}

/* 0 % and 100 % are said only of nothing and all. */
const char *svg_share(uint64_t part, uint64_t all, struct svg_num *out)
{
	double percent = all ? 100 * (double)part / (double)all : 0;

	if (part != all && percent > 99.9)
		percent = 99.9;
	snprintf(out->text, sizeof out->text, percent < 1 ? "%.2g %%" : "%.3g %%", percent);
	return out->text;
}

void svg_text(struct buf *out, double x, double y, const char *cls, const char *anchor,
		const char *text)
{
	buf_printf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"", cls, x, y);
	if (strcmp(anchor, "start") != 0)
		buf_printf(out, " text-anchor=\"%s\"", anchor);
	buf_putc(out, '>');
	svg_escape(str_of(text), 200, out);
	buf_puts(out, "</text>\n");
}
