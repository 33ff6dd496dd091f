/* ops_text.c - the opcodes of protocol 0, whose arguments are lines of text.
 *
 *	INT "12", LONG "12L"       decimal; "00" and "01" are False and True
 *	FLOAT "0.1"                decimal, inf, nan
 *	STRING "'a\x00'"           a quoted Python 2 literal with escapes: bytes
 *	UNICODE "a\u00e9"          raw-unicode-escape: Latin-1, \uXXXX and \UXXXXXXXX
 *	PERSID "text"              the id itself
 *
 * Strict on purpose: hexadecimal, octal, underscores and blanks, which some of Python's picklers
 * would read and none writes, are damage. As in Python an integer has at most 4,300 digits; that
 * also keeps the conversion, which is quadratic, short.
 */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DIGITS 4300
#define LIMBS 448 /* 32 bits each; 4,300 digits take 14,285 bits and the sign one more */

static int not_a_number(struct machine *m)
{
	return op_err(m, ERR_DAMAGED, "\"%s\" is not a number", STR_SHOW(m->text));
}

/* value = value * 10 + digit, over the n limbs in use. */
static uint32_t add_digits(uint32_t *limb, uint32_t n, uint32_t factor, uint32_t digits)
{
	uint64_t carry = digits;

	for (uint32_t i = 0; i < n; i++) {
		carry += (uint64_t)limb[i] * factor;
		limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry)
		limb[n++] = (uint32_t)carry;
	return n;
}

static void negate(uint32_t *limb, uint32_t n)
{
	uint64_t carry = 1;

	for (uint32_t i = 0; i < n; i++) {
		carry += (uint32_t)~limb[i];
		limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

/* Digits (checked) to an INT or LONG. */
static oref make_decimal(struct machine *m, struct str digits, bool negative)
{
	uint32_t limb[LIMBS + 2] = {0}, n = 0, chunk = 0, factor = 1;

	for (size_t i = 0; i < digits.n; i++) {
		chunk = chunk * 10 + (uint32_t)(digits.p[i] - '0');
		factor *= 10;
		if (factor == 1000000000 || i + 1 == digits.n) {
			n = add_digits(limb, n, factor, chunk);
			chunk = 0;
			factor = 1;
		}
	}
	n++; /* for the sign */
	if (negative)
		negate(limb, n);
	for (uint32_t i = 0; i < n; i++)
		limb[i] = htole32(limb[i]);
	return make_long(m, (const char *)limb, n * sizeof *limb);
}

static int push_decimal(struct machine *m, struct str s)
{
	bool negative = s.n && s.p[0] == '-';
	struct str digits = negative || (s.n && s.p[0] == '+') ? str_skip(s, 1) : s;
	oref r;

	if (digits.n == 0)
		return not_a_number(m);
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return not_a_number(m);
	/* One of Python's readers takes 010 as octal, the others refuse. */
	if (digits.p[0] == '0' && digits.n > 1)
		return not_a_number(m);
	if (digits.n > MAX_DIGITS)
		return op_err(m, ERR_LIMIT, "an integer of %zu digits, at most %d are read",
			digits.n, MAX_DIGITS);
	r = make_decimal(m, digits, negative);
	obj_add_flags(m->g, r, OBJ_TEXT_OP);
	return push(m, r);
}

int op_int_text(struct machine *m)
{
	if (str_is(m->text, "00") || str_is(m->text, "01"))
		return push(m, m->text.p[1] == '1' ? OBJ_TRUE : OBJ_FALSE);
	return push_decimal(m, m->text);
}

int op_long_text(struct machine *m)
{
	struct str s = m->text;

	if (s.n && s.p[s.n - 1] == 'L')
		s = str_cut(s, s.n - 1);
	return push_decimal(m, s);
}

static bool float_letters(struct str s)
{
	static const char *const words[] = {"inf", "+inf", "-inf", "nan", "+nan", "-nan"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq_case(s, str_of(words[i])))
			return true;
	if (s.n == 0 || s.p[0] == 'e' || s.p[0] == 'E')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == 0 || !strchr("0123456789+-.eE", s.p[i]))
			return false;
	return true;
}

int op_float_text(struct machine *m)
{
	char text[400], *end;
	double v;
	oref r;

	if (m->text.n >= sizeof text || !float_letters(m->text))
		return not_a_number(m);
	memcpy(text, m->text.p, m->text.n);
	text[m->text.n] = 0;
	v = strtod(text, &end); /* the program stays in the C locale */
	if (*end || end == text)
		return not_a_number(m);
	r = obj_new_float(m->g, v, op_off(m));
	obj_add_flags(m->g, r, OBJ_TEXT_OP);
	return push(m, r);
}

/* n hexadecimal digits at the front of s; -1: they are not there. */
static int64_t hex_digits(struct str s, size_t n)
{
	int64_t v = 0;

	if (s.n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* Up to three octal digits at the front of s. Returns how many. */
static size_t octal_digits(struct str s, unsigned *ret)
{
	size_t i = 0;
	unsigned v = 0;

	for (; i < 3 && i < s.n && s.p[i] >= '0' && s.p[i] <= '7'; i++)
		v = v * 8 + (unsigned)(s.p[i] - '0');
	*ret = v;
	return i;
}

/* What follows a backslash in a STRING. Returns the characters taken, 0 for a bad escape. */
static size_t unescape(struct str s, struct buf *out)
{
	static const char letter[] = "\\'\"abfnrtv", byte[] = "\\'\"\a\b\f\n\r\t\v";
	const char *at = s.n && s.p[0] ? strchr(letter, s.p[0]) : NULL;
	unsigned octal;
	size_t n;

	if (s.n == 0)
		return 0;
	if (at) {
		buf_putc(out, byte[at - letter]);
		return 1;
	}
	if (s.p[0] == 'x') {
		int64_t v = hex_digits(str_skip(s, 1), 2);

		buf_putc(out, (char)v);
		return v < 0 ? 0 : 3;
	}
	n = octal_digits(s, &octal);
	if (n == 0) { /* unknown escapes stay as they are */
		buf_putc(out, '\\');
		buf_putc(out, s.p[0]);
		return 1;
	}
	buf_putc(out, (char)octal);
	return n;
}

/* Pushes what is in b as kind, and releases b. */
static int push_buf(struct machine *m, struct buf *b, enum obj_kind kind, uint8_t flags)
{
	oref r = b->failed ? OREF_NIL : obj_new_text(m->g, kind, buf_view(b), op_off(m));

	buf_release(b);
	obj_add_flags(m->g, r, flags);
	return push(m, r);
}

int op_string_text(struct machine *m)
{
	struct str s = m->text;
	struct buf b;
	size_t n;

	if (s.n < 2 || s.p[0] != s.p[s.n - 1] || (s.p[0] != '\'' && s.p[0] != '"'))
		return op_err(m, ERR_DAMAGED, "the text is not between quotes");
	s = str_cut(str_skip(s, 1), s.n - 2);
	buf_init(&b, s.n * 2 + 1);
	while (s.n) {
		if (s.p[0] != '\\') {
			buf_putc(&b, s.p[0]);
			s = str_skip(s, 1);
			continue;
		}
		s = str_skip(s, 1);
		n = unescape(s, &b);
		if (n == 0) {
			buf_release(&b);
			return op_err(m, ERR_DAMAGED, "the text has a broken escape");
		}
		s = str_skip(s, n);
	}
	return push_buf(m, &b, OBJ_KIND_BYTES, OBJ_PY2STR | OBJ_TEXT_OP);
}

static void put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_putc(b, (char)(0xe0 | c >> 12));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | c >> 18));
		buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(b, (char)(0x80 | (c & 0x3f)));
}

/* One character of a UNICODE line, or a backslash with what follows. Returns the bytes taken, 0
 * for a bad escape. */
static size_t raw_unicode(struct str s, struct buf *out)
{
	size_t digits;
	int64_t c;

	if (s.p[0] != '\\' || s.n == 1) {
		put_utf8(out, (unsigned char)s.p[0]);
		return 1;
	}
	if (s.p[1] != 'u' && s.p[1] != 'U') {
		buf_putc(out, '\\');
		put_utf8(out, (unsigned char)s.p[1]);
		return 2;
	}
	digits = s.p[1] == 'u' ? 4 : 8;
	c = hex_digits(str_skip(s, 2), digits);
	if (c < 0 || c > 0x10ffff)
		return 0;
	put_utf8(out, (uint32_t)c);
	return 2 + digits;
}

int op_unicode_text(struct machine *m)
{
	struct str s = m->text;
	struct buf b;
	size_t n;

	buf_init(&b, s.n * 2 + 1);
	while (s.n) {
		n = raw_unicode(s, &b);
		if (n == 0) {
			buf_release(&b);
			return op_err(m, ERR_DAMAGED, "the text has a broken escape");
		}
		s = str_skip(s, n);
	}
	return push_buf(m, &b, OBJ_KIND_STR, OBJ_TEXT_OP);
}

int op_persid_text(struct machine *m)
{
	oref id = obj_new_text(m->g, OBJ_KIND_STR, m->text, op_off(m));

	if (id == OREF_NIL)
		return op_make_err(m);
	obj_add_flags(m->g, id, OBJ_TEXT_OP);
	return push(m, obj_new_persid(m->g, id, op_off(m)));
}
