/* float.c - a double as Python's repr() spells it.
 *
 * The fewest digits that read back as the same double, the closest of those to it; then
 * "1e-05" and "1e+16" when the exponent is below -4 or at least 16, "0.1" and "100.0" otherwise.
 *
 * For a normal double, if any text of up to 15 digits reads back, the nearest 15-digit one is that
 * text with zeros behind it; so 15, 16 and 17 digits are tried. Subnormal ones have fewer digits
 * to tell apart and are tried from 1. The one catch: below a power of two the gap is half of that
 * above, so the nearest 16-digit number may lie too low while the next one up still reads back.
 *
 * Digits are taken by position and the text is built here, so the locale's decimal point does not
 * matter.
 */
#include <pthfs/json.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct digits {
	char at[20]; /* 1..17 digits, the first not 0, no zeros at the end */
	int n;
	int exp; /* the value is d.ddd * 10^exp */
};

/* Takes "d.ddde[+-]xx" with `precision` digits apart. */
static void take_apart(const char *text, int precision, struct digits *d)
{
	const char *e = strchr(text, 'e');

	d->at[0] = text[0];
	if (precision > 1)
		memcpy(d->at + 1, e - (precision - 1), (size_t)precision - 1);
	d->exp = (int)strtol(e + 1, NULL, 10);
	for (d->n = precision; d->n > 1 && d->at[d->n - 1] == '0'; d->n--)
		;
}

/* Adds one in the last digit of "d.ddde-xx"; false when it carries into the first. */
static bool bump(char *text)
{
	char *p = strchr(text, 'e') - 1;

	for (; p > text + 1; p--) {
		if (*p < '0' || *p > '9')
			return false;
		if (*p != '9') {
			++*p;
			return true;
		}
		*p = '0';
	}
	return false;
}

/* v is finite and > 0. */
static void shortest(double v, struct digits *d)
{
	char text[40];
	int exp;

	for (int precision = v < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision - 1, v);
		if (precision == 17 || strtod(text, NULL) == v) {
			take_apart(text, precision, d);
			return;
		}
		if (precision == 16 && frexp(v, &exp) == 0.5 && bump(text) &&
			strtod(text, NULL) == v) {
			take_apart(text, precision, d);
			return;
		}
	}
}

static char *put(char *out, const char *p, int n)
{
	memcpy(out, p, (size_t)n);
	return out + n;
}

static char *put_zeros(char *out, int n)
{
	memset(out, '0', (size_t)n);
	return out + n;
}

/* exp is in -4..15. */
static void fixed(const struct digits *d, char *out)
{
	if (d->exp < 0) {
		out = put_zeros(put(out, "0.", 2), -1 - d->exp);
		out = put(out, d->at, d->n);
	} else if (d->n <= d->exp + 1) {
		out = put_zeros(put(out, d->at, d->n), d->exp + 1 - d->n);
		out = put(out, ".0", 2);
	} else {
		out = put(put(out, d->at, d->exp + 1), ".", 1);
		out = put(out, d->at + d->exp + 1, d->n - d->exp - 1);
	}
	*out = 0;
}

static void with_exponent(const struct digits *d, char *out)
{
	out = put(out, d->at, 1);
	if (d->n > 1)
		out = put(put(out, ".", 1), d->at + 1, d->n - 1);
	snprintf(out, 6, "e%c%02d", d->exp < 0 ? '-' : '+', abs(d->exp) % 1000);
}

const char *float_repr(double v, char out[32])
{
	struct digits d = {.n = 1};
	char *p = out;

	if (isnan(v))
		return memcpy(out, "nan", 4);
	if (signbit(v))
		*p++ = '-';
	v = fabs(v);
	if (isinf(v)) {
		memcpy(p, "inf", 4);
	} else if (v < 9007199254740992.0 && v == floor(v)) {
		/* The common case, and exact: integers below 2^53. */
		snprintf(p, 30, "%llu.0", (unsigned long long)v);
	} else {
		shortest(v, &d);
		if (d.exp < -4 || d.exp >= 16)
			with_exponent(&d, p);
		else
			fixed(&d, p);
	}
	return out;
}
