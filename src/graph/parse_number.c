/* parse_number.c - numbers that a user wrote, as Python's int() and float() read them.
 *
 *	int     [+-]digits, any size up to LONG_DIGITS digits (Python's own limit)
 *	float   [+-]digits[.digits][e[+-]digits], .5 and 5. too, inf, infinity, nan in any case
 *
 * Not done: "_" between digits and hexadecimal, which are more often a slip than a wish.
 */
#include <locale.h>
#include <stdlib.h>

#include <pthfs/print.h>

#include "node.h"
#include "parse_in.h"

int parse_wrong(struct str text, const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, "expected %s; found \"%s\"", what, STR_SHOW(text));
}

int parse_made(oref r, oref *ret, struct err *e)
{
	if (r == OREF_NIL)
		return err_nomem(e);
	*ret = r;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str text_trimmed(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct str less_sign(struct str s)
{
	return s.n && (s.p[0] == '+' || s.p[0] == '-') ? str_skip(s, 1) : s;
}

/* How many digits s begins with. */
static size_t digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

bool text_is_int(struct str s)
{
	s = less_sign(s);
	return s.n && digits(s) == s.n;
}

static bool is_word(struct str s)
{
	return str_eq_case(s, STR("inf")) || str_eq_case(s, STR("infinity")) ||
	       str_eq_case(s, STR("nan"));
}

bool text_is_float(struct str s)
{
	size_t whole, part = 0;

	s = less_sign(s);
	if (is_word(s))
		return true;
	whole = digits(s);
	s = str_skip(s, whole);
	if (s.n && s.p[0] == '.') {
		part = digits(str_skip(s, 1));
		s = str_skip(s, 1 + part);
	}
	if (whole + part == 0)
		return false;
	if (s.n && (s.p[0] | 0x20) == 'e') {
		s = less_sign(str_skip(s, 1));
		return s.n && digits(s) == s.n;
	}
	return s.n == 0;
}

int text_float(struct str s, double *ret, struct err *e)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", NULL); /* a point is a point */
	char *copy = malloc(s.n + 1);

	if (c && copy) {
		memcpy(copy, s.p, s.n);
		copy[s.n] = 0;
		*ret = strtod_l(copy, NULL, c);
	}
	if (c)
		freelocale(c);
	free(copy);
	return c && copy ? 0 : err_nomem(e);
}

/* The value of up to 64 bits; false when it takes more. */
static bool small_int(struct str s, int64_t *ret)
{
	bool minus = s.p[0] == '-';
	int64_t v = 0;

	s = less_sign(s);
	for (size_t i = 0; i < s.n; i++) {
		int d = s.p[i] - '0';

		if (__builtin_mul_overflow(v, 10, &v) ||
				__builtin_add_overflow(v, minus ? -d : d, &v))
			return false;
	}
	*ret = v;
	return true;
}

static int big_int(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	char bytes[LONG_BYTES];
	struct str made = {bytes, 0}, old;

	made.n = long_bytes(less_sign(s), s.p[0] == '-', bytes);
	if (obj_kind(g, was) == OBJ_KIND_LONG && obj_text(g, was, &old) && str_eq(old, made)) {
		*ret = was;
		return 0;
	}
	return parse_made(obj_new_text(g, OBJ_KIND_LONG, made, MADE), ret, e);
}

int parse_int(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	int64_t v, old;

	if (s.n > LONG_DIGITS + 1)
		return err_set(e, ERR_LIMIT, "a whole number of over %d digits", LONG_DIGITS);
	if (!small_int(s, &v))
		return big_int(g, was, s, ret, e);
	if (obj_kind(g, was) == OBJ_KIND_INT && obj_int(g, was, &old) && old == v) {
		*ret = was;
		return 0;
	}
	return parse_made(obj_new_int(g, v, MADE), ret, e);
}

int parse_float(struct graph *g, oref was, struct str s, oref *ret, struct err *e)
{
	double v, old;
	int rc = text_float(s, &v, e);

	if (rc < 0)
		return rc;
	if (obj_float(g, was, &old) && (memcmp(&v, &old, sizeof v) == 0 || (v != v && old != old))) {
		*ret = was;
		return 0;
	}
	return parse_made(obj_new_float(g, v, MADE), ret, e);
}

bool parse_bool(struct str s, oref *ret)
{
	bool yes = str_is(s, "True") || str_is(s, "true") || str_is(s, "1");

	if (!yes && !str_is(s, "False") && !str_is(s, "false") && !str_is(s, "0"))
		return false;
	*ret = yes ? OBJ_TRUE : OBJ_FALSE;
	return true;
}
