/* json_read.c - reading JSON (RFC 8259, and the three numbers that Python adds), token by token.
 *
 * What may come next:
 *
 *	VALUE         a value                       at the beginning, behind ':', behind ',' in '['
 *	ITEM_OR_END   a value or ']'                behind '['
 *	KEY           a key (its ':' is taken too)  behind ',' in '{'
 *	KEY_OR_END    a key or '}'                  behind '{'
 *	AFTER         ',' or what closes; at the top the end of the text
 *
 * Strict where Python's json.loads is: no comments, no commas at the end, no other blanks than four,
 * control characters only escaped. Nothing recurses; which brackets are open is in the reader.
 *
 * Not done: finding keys that stand twice, and limits on the length of numbers: the caller knows
 * what it can take.
 */
#include <pthfs/json_read.h>

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { VALUE, ITEM_OR_END, KEY, KEY_OR_END, AFTER };

void json_reader_init(struct json_reader *r, struct str in)
{
	*r = (struct json_reader){.in = in};
	/* Unescaping makes no text longer; one more for the NUL behind a number. */
	buf_init(&r->scratch, in.n + 1);
}

void json_reader_release(struct json_reader *r)
{
	buf_release(&r->scratch);
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* The next byte, or -1 at the end. */
static int peek(const struct json_reader *r)
{
	return r->pos < r->in.n ? (unsigned char)r->in.p[r->pos] : -1;
}

static void skip_blanks(struct json_reader *r)
{
	for (int c = peek(r); c == ' ' || c == '\n' || c == '\t' || c == '\r'; c = peek(r))
		r->pos++;
}

/* What stands at pos up to the next blank or sign, for a message. */
static struct str word_at(const struct json_reader *r)
{
	struct str word = str_cut(str_skip(r->in, r->pos), 24);
	size_t n = 1;

	while (n < word.n && !memchr(" \t\r\n\",:[]{}", word.p[n], 11))
		n++;
	return str_cut(word, n);
}

static int unexpected(struct json_reader *r, const char *expected, struct err *e)
{
	r->at = r->pos;
	if (r->pos >= r->in.n)
		return err_set(e, ERR_DAMAGED, "byte %zu: expected %s, found the end of the text",
				r->pos, expected);
	return err_set(e, ERR_DAMAGED, "byte %zu: expected %s, found \"%s\"", r->pos, expected,
			STR_SHOW(word_at(r)));
}

/* --- strings ---------------------------------------------------------------------------------- */

/* The value of four hexadecimal digits at `at`, or -1. */
static int32_t hex4(const struct json_reader *r, size_t at)
{
	int32_t v = 0;

	if (at > r->in.n || r->in.n - at < 4)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int c = (unsigned char)r->in.p[i], letter = c | 0x20;

		if (is_digit(c))
			v = v << 4 | (c - '0');
		else if (letter >= 'a' && letter <= 'f')
			v = v << 4 | (letter - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* \uXXXX, or two of them that are one character; pos is at the 'u'. */
static int unicode_escape(struct json_reader *r, struct err *e)
{
	int32_t c = hex4(r, r->pos + 1), low;
	char bytes[4];

	if (c < 0) {
		r->pos++;
		return unexpected(r, "four hexadecimal digits", e);
	}
	r->pos += 5;
	if (c >= 0xd800 && c < 0xdc00 && str_starts(str_skip(r->in, r->pos), STR("\\u"))) {
		low = hex4(r, r->pos + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			r->pos += 6;
		}
	}
	buf_put(&r->scratch, bytes, utf8_put((uint32_t)c, bytes));
	return 0;
}

/* pos is at the backslash. */
static int escape(struct json_reader *r, struct err *e)
{
	static const char letter[] = "\"\\/bfnrt", stands_for[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int c;

	r->pos++;
	c = peek(r);
	if (c == 'u')
		return unicode_escape(r, e);
	at = c > 0 ? strchr(letter, c) : NULL;
	if (!at)
		return unexpected(r, "one of \"\\/bfnrtu behind a backslash", e);
	buf_putc(&r->scratch, stands_for[at - letter]);
	r->pos++;
	return 0;
}

/* Passes over what is text as it stands there: up to '"', '\' or what must not be in a string. */
static void plain_run(struct json_reader *r)
{
	uint32_t c;
	size_t step;

	while (r->pos < r->in.n) {
		unsigned char byte = (unsigned char)r->in.p[r->pos];

		if (byte < 0x20 || byte == '"' || byte == '\\')
			return;
		step = byte < 0x80 ? 1 : utf8_step(r->in.p + r->pos, r->in.n - r->pos, &c);
		if (!step || (step == 3 && c >= 0xd800 && c < 0xe000))
			return;
		r->pos += step;
	}
}

static int bad_byte(struct json_reader *r, int c, struct err *e)
{
	r->at = r->pos;
	if (c < 0)
		return unexpected(r, "'\"' at the end of a string", e);
	if (c < 0x20)
		return err_set(e, ERR_DAMAGED,
				"byte %zu: expected \\u%04x or the like, found a bare control "
				"character in a string",
				r->pos, (unsigned)c);
	return err_set(e, ERR_DAMAGED, "byte %zu: expected UTF-8, found the byte 0x%02x", r->pos,
			(unsigned)c);
}

/* pos is at the '"'; .text is what it holds. */
static int read_string(struct json_reader *r, struct err *e)
{
	size_t first = ++r->pos, from;
	bool escapes = false;
	int rc;

	r->scratch.n = 0;
	r->scratch.failed = false;
	for (;;) {
		from = r->pos;
		plain_run(r);
		if (peek(r) == '"' && !escapes)
			break;
		buf_put(&r->scratch, r->in.p + from, r->pos - from);
		if (peek(r) == '"')
			break;
		if (peek(r) != '\\')
			return bad_byte(r, peek(r), e);
		escapes = true;
		rc = escape(r, e);
		if (rc < 0)
			return rc;
	}
	if (r->scratch.failed)
		return err_nomem(e);
	r->text = escapes ? buf_view(&r->scratch) : (struct str){r->in.p + first, r->pos - first};
	r->pos++;
	return 0;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* At least one digit. */
static int digits(struct json_reader *r, struct err *e)
{
	if (!is_digit(peek(r)))
		return unexpected(r, "a digit", e);
	while (is_digit(peek(r)))
		r->pos++;
	return 0;
}

/* The text of the number into .i, or .big. */
static void whole_number(struct json_reader *r)
{
	bool minus = r->text.p[0] == '-';
	int64_t v = 0;

	r->big = false;
	for (size_t i = minus; i < r->text.n && !r->big; i++) {
		int d = r->text.p[i] - '0';

		r->big = __builtin_mul_overflow(v, 10, &v) ||
			 __builtin_add_overflow(v, minus ? -d : d, &v);
	}
	r->i = r->big ? 0 : v;
}

/* As Python's float() of the same text: the nearest double, inf beyond the largest. */
static int fraction(struct json_reader *r, struct err *e)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", NULL); /* a point is a point */

	r->scratch.n = 0;
	r->scratch.failed = false;
	buf_str(&r->scratch, r->text);
	buf_putc(&r->scratch, 0);
	if (!c || r->scratch.failed) {
		if (c)
			freelocale(c);
		return err_nomem(e);
	}
	r->f = strtod_l(r->scratch.p, NULL, c);
	freelocale(c);
	return 0;
}

static int read_number(struct json_reader *r, enum json_token *ret, struct err *e)
{
	size_t from = r->pos;
	bool whole = true;
	int rc = 0;

	r->pos += peek(r) == '-';
	if (peek(r) == '0')
		r->pos++; /* nothing may follow it but '.', 'e' and the end */
	else
		rc = digits(r, e);
	if (rc == 0 && peek(r) == '.') {
		whole = false;
		r->pos++;
		rc = digits(r, e);
	}
	if (rc == 0 && (peek(r) == 'e' || peek(r) == 'E')) {
		whole = false;
		r->pos++;
		r->pos += peek(r) == '+' || peek(r) == '-';
		rc = digits(r, e);
	}
	if (rc < 0)
		return rc;
	r->text = (struct str){r->in.p + from, r->pos - from};
	*ret = whole ? JSON_INT : JSON_FLOAT;
	if (!whole)
		return fraction(r, e);
	whole_number(r);
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool take_word(struct json_reader *r, struct str word)
{
	struct str rest = str_skip(r->in, r->pos);

	if (!str_starts(rest, word))
		return false;
	r->text = str_cut(rest, word.n);
	r->pos += word.n;
	return true;
}

static bool read_word(struct json_reader *r, enum json_token *ret)
{
	static const struct {
		const char *word;
		enum json_token token;
		double f;
	} words[] = {
			{"true", JSON_TRUE, 0},
			{"false", JSON_FALSE, 0},
			{"null", JSON_NULL, 0},
			{"NaN", JSON_FLOAT, NAN},
			{"Infinity", JSON_FLOAT, INFINITY},
			{"-Infinity", JSON_FLOAT, -INFINITY},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!take_word(r, str_of(words[i].word)))
			continue;
		*ret = words[i].token;
		r->f = words[i].f;
		return true;
	}
	return false;
}

static int open_bracket(struct json_reader *r, enum json_token *ret, struct err *e)
{
	bool object = peek(r) == '{';

	if (r->depth == JSON_DEPTH)
		return err_set(e, ERR_LIMIT, "byte %zu: JSON nested over %d deep", r->pos,
				JSON_DEPTH);
	r->open[r->depth++] = r->in.p[r->pos++];
	r->state = object ? KEY_OR_END : ITEM_OR_END;
	*ret = object ? JSON_OBJECT : JSON_LIST;
	return 0;
}

static int read_value(struct json_reader *r, enum json_token *ret, struct err *e)
{
	int c = peek(r), rc = 0;

	r->at = r->pos;
	if (c == '{' || c == '[')
		return open_bracket(r, ret, e);
	if (c == '"') {
		*ret = JSON_STRING;
		rc = read_string(r, e);
	} else if (!read_word(r, ret)) {
		rc = c == '-' || is_digit(c) ? read_number(r, ret, e)
					     : unexpected(r, "a value", e);
	}
	if (rc == 0)
		r->state = AFTER;
	return rc;
}

static int read_key(struct json_reader *r, enum json_token *ret, struct err *e)
{
	size_t at = r->pos;
	int rc;

	if (peek(r) != '"')
		return unexpected(r, "a key in double quotes", e);
	rc = read_string(r, e);
	if (rc < 0)
		return rc;
	skip_blanks(r);
	if (peek(r) != ':')
		return unexpected(r, "':' behind a key", e);
	r->pos++;
	r->at = at;
	r->state = VALUE;
	*ret = JSON_KEY;
	return 0;
}

static void close_bracket(struct json_reader *r, enum json_token *ret)
{
	r->at = r->pos++;
	*ret = r->open[--r->depth] == '{' ? JSON_OBJECT_END : JSON_LIST_END;
	r->state = AFTER;
}

/* Behind a value: *more when a comma says that another one must follow; else *ret. */
static int after_value(struct json_reader *r, enum json_token *ret, bool *more, struct err *e)
{
	bool object = r->depth && r->open[r->depth - 1] == '{';
	int c = peek(r);

	*more = c == ',' && r->depth;
	if (r->depth == 0) {
		r->at = r->pos;
		*ret = JSON_END;
		return c < 0 ? 0 : unexpected(r, "nothing behind the value", e);
	}
	if (*more) {
		r->pos++;
		r->state = object ? KEY : VALUE;
		skip_blanks(r);
		return 0;
	}
	if (c != (object ? '}' : ']'))
		return unexpected(r, object ? "',' or '}'" : "',' or ']'", e);
	close_bracket(r, ret);
	return 0;
}

int json_next(struct json_reader *r, enum json_token *ret, struct err *e)
{
	enum json_token token = JSON_END;
	bool more = true;
	int rc = 0;

	skip_blanks(r);
	if (r->state == AFTER)
		rc = after_value(r, &token, &more, e);
	if (rc == 0 && more) {
		if ((r->state == KEY_OR_END && peek(r) == '}') ||
				(r->state == ITEM_OR_END && peek(r) == ']'))
			close_bracket(r, &token);
		else if (r->state == KEY || r->state == KEY_OR_END)
			rc = read_key(r, &token, e);
		else
			rc = read_value(r, &token, e);
	}
	if (rc == 0)
		*ret = token;
	return rc;
}

int json_skip(struct json_reader *r, enum json_token t, struct err *e)
{
	unsigned outside = r->depth - 1;
	int rc = 0;

	if (t != JSON_OBJECT && t != JSON_LIST)
		return 0;
	while (rc == 0 && r->depth > outside)
		rc = json_next(r, &t, e);
	return rc;
}
