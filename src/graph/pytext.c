/* pytext.c - the text of values that are calls: dates, devices, paths, numbers.
 *
 *	datetime.datetime(b'\x07\xe8\x05\x06...')   2024-05-06T07:08:09.000010+02:00
 *	torch.device('cuda', 1)                     cuda:1
 *	pathlib.PosixPath('/', 'a', 'b')            /a/b
 *	__builtin__.complex(1.0, 2.0)               (1+2j)
 *	getattr(module.Class, 'NAME')               module.Class.NAME
 *	decimal.Decimal('1.5'), fractions.Fraction('1/2')
 *
 * The packed dates are those of CPython's datetime module (__reduce__): year in two bytes, month
 * (its top bit is `fold`), day, hour, minute, second, microseconds in three, big-endian. A date
 * that does not exist, or arguments of another shape: not ours, the caller prints the call.
 */
#include <inttypes.h>
#include <math.h>
#include <pthfs/json.h>

#include "node.h"
#include "print.h"
#include "pybuiltin.h"

#define MAX_PARTS 1024 /* empty ones print nothing, and every visit has to cost output */

struct call {
	const struct graph *g;
	struct str module, name;
	const oref *args;
	uint32_t n;
};

static bool arg_text(const struct call *c, uint32_t i, struct str *ret)
{
	oref r = i < c->n ? c->args[i] : OREF_NIL;

	return (obj_kind(c->g, r) == OBJ_KIND_STR || (obj_flags(c->g, r) & OBJ_PY2STR)) &&
	       obj_text(c->g, r, ret);
}

static int put_date(const unsigned char *p, struct buf *out)
{
	unsigned year = p[0] << 8 | p[1], month = p[2] & 0x7f;

	if (year < 1 || year > 9999 || month < 1 || month > 12 || p[3] < 1 || p[3] > 31)
		return 0;
	buf_printf(out, "%04u-%02u-%02u", year, month, p[3]);
	return 1;
}

/* Hour, minute, second, microseconds; `fold` of a bare time is in the hour's top bit. */
static int put_clock(const unsigned char *p, struct buf *out)
{
	unsigned hour = p[0] & 0x7f, us = (unsigned)p[3] << 16 | p[4] << 8 | p[5];

	if (hour > 23 || p[1] > 59 || p[2] > 59 || us > 999999)
		return 0;
	buf_printf(out, "%02u:%02u:%02u", hour, p[1], p[2]);
	if (us)
		buf_printf(out, ".%06u", us);
	return 1;
}

/* The three numbers of a timedelta call. */
static bool delta_of(const struct graph *g, oref r, int64_t *days, int64_t *seconds, int64_t *us)
{
	const oref *args;
	uint32_t n;

	return obj_is_global(g, py_class(g, r), "datetime", "timedelta") &&
	       py_plain_args(g, r, &args, &n) && n == 3 && obj_int(g, args[0], days) &&
	       obj_int(g, args[1], seconds) && obj_int(g, args[2], us) && *days >= -999999999 &&
	       *days <= 999999999 && *seconds >= 0 && *seconds < 86400 && *us >= 0 && *us < 1000000;
}

/* "+02:00"; 0 for time zones other than datetime.timezone. */
static int put_zone(const struct graph *g, oref zone, struct buf *out)
{
	int64_t days, seconds, us;
	const oref *args;
	uint32_t n;
	char sign = '+';

	if (!obj_is_global(g, py_class(g, zone), "datetime", "timezone") ||
		!py_plain_args(g, zone, &args, &n) || n < 1 ||
		!delta_of(g, args[0], &days, &seconds, &us) || us || days < -1 || days > 0)
		return 0;
	if (days < 0) {
		sign = '-';
		seconds = 86400 - seconds;
	}
	buf_printf(out, "%c%02d:%02d", sign, (int)(seconds / 3600), (int)(seconds / 60 % 60));
	if (seconds % 60)
		buf_printf(out, ":%02d", (int)(seconds % 60));
	return 1;
}

static int put_datetime(const struct call *c, struct buf *out)
{
	bool date = str_is(c->name, "date"), time = str_is(c->name, "time");
	unsigned char p[10];
	size_t n, want = date ? 4 : time ? 6 : 10;

	if (c->n < 1 || c->n > 2 || !py_small_bytes(c->g, c->args[0], p, sizeof p, &n) || n != want)
		return 0;
	if (!time && !put_date(p, out))
		return 0;
	if (date)
		return 1;
	if (!time)
		buf_putc(out, 'T');
	return put_clock(p + n - 6, out) && (c->n == 1 || put_zone(c->g, c->args[1], out));
}

/* As str(timedelta): "1 day, 2:03:04.000005". */
static int put_delta(const struct call *c, oref r, struct buf *out)
{
	int64_t days, s, us;

	if (!delta_of(c->g, r, &days, &s, &us))
		return 0;
	if (days)
		buf_printf(out, "%" PRId64 " day%s, ", days, days == 1 || days == -1 ? "" : "s");
	buf_printf(out, "%d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
	if (us)
		buf_printf(out, ".%06d", (int)us);
	return 1;
}

static int put_device(const struct call *c, struct buf *out)
{
	struct str type;
	int64_t index;

	if (c->n > 2 || !arg_text(c, 0, &type) || (c->n == 2 && !obj_int(c->g, c->args[1], &index)))
		return 0;
	buf_str(out, type);
	if (c->n == 2)
		buf_printf(out, ":%" PRId64, index);
	return 1;
}

/* The parts joined; a part with a root starts again, as in pathlib. */
static int put_path(const struct call *c, struct buf *out)
{
	char sep = str_starts(c->name, STR("Windows")) || str_starts(c->name, STR("PureWindows"))
			   ? '\\'
			   : '/';
	uint32_t first = 0;
	struct str part;
	bool slash = true;

	if (c->n > MAX_PARTS)
		return 0;
	for (uint32_t i = 0; i < c->n; i++) {
		if (!arg_text(c, i, &part))
			return 0;
		if (part.n && part.p[0] == sep)
			first = i;
	}
	for (uint32_t i = first; i < c->n; i++) {
		arg_text(c, i, &part);
		if (!slash)
			buf_putc(out, sep);
		buf_str(out, part);
		slash = part.n == 0 || part.p[part.n - 1] == sep;
	}
	if (c->n == 0)
		buf_putc(out, '.');
	return 1;
}

static void put_part(double v, bool sign, struct buf *out)
{
	char text[32];
	struct str s = str_of(float_repr(v, text));

	if (str_ends(s, STR(".0")))
		s = str_cut(s, s.n - 2);
	if (sign && s.n && s.p[0] != '-')
		buf_putc(out, '+');
	buf_str(out, s);
}

static bool real_number(const struct graph *g, oref r, double *ret)
{
	int64_t i;

	if (obj_float(g, r, ret))
		return true;
	if (!obj_int(g, r, &i))
		return false;
	*ret = (double)i;
	return true;
}

static int put_complex(const struct call *c, struct buf *out)
{
	double re = 0, im = 0;
	bool bare;

	if (c->n > 2 || (c->n > 0 && !real_number(c->g, c->args[0], &re)) ||
		(c->n > 1 && !real_number(c->g, c->args[1], &im)))
		return 0;
	bare = re == 0 && !signbit(re);
	if (!bare) {
		buf_putc(out, '(');
		put_part(re, false, out);
	}
	put_part(im, !bare, out);
	buf_puts(out, bare ? "j" : "j)");
	return 1;
}

static int put_getattr(const struct call *c, struct buf *out)
{
	struct str module, name, attr;

	if (c->n != 2 || !obj_global(c->g, c->args[0], &module, &name) || !arg_text(c, 1, &attr))
		return 0;
	put_global(c->g, c->args[0], false, out);
	buf_putc(out, '.');
	put_escaped(attr, 0, out);
	return 1;
}

static int put_first_text(const struct call *c, struct buf *out)
{
	struct str s;

	if (c->n != 1 || !arg_text(c, 0, &s))
		return 0;
	buf_str(out, s);
	return 1;
}

/* Fraction(1, 2), or Fraction('1/2') as some releases write it. */
static int put_fraction(const struct call *c, struct buf *out)
{
	int64_t above, below;

	if (c->n != 2)
		return put_first_text(c, out);
	if (!obj_int(c->g, c->args[0], &above) || !obj_int(c->g, c->args[1], &below))
		return 0;
	buf_printf(out, "%" PRId64, above);
	if (below != 1)
		buf_printf(out, "/%" PRId64, below);
	return 1;
}

static int put_call(const struct call *c, oref r, struct buf *out)
{
	struct str module = c->module, name = c->name;

	if (str_is(module, "torch") && str_is(name, "device"))
		return put_device(c, out);
	if (str_is(module, "datetime") && str_is(name, "timedelta"))
		return put_delta(c, r, out);
	if (str_is(module, "datetime") &&
		(str_is(name, "datetime") || str_is(name, "date") || str_is(name, "time")))
		return put_datetime(c, out);
	if ((str_is(module, "pathlib") || str_is(module, "pathlib._local")) &&
		str_ends(name, STR("Path")))
		return put_path(c, out);
	if (str_is(module, "decimal") && str_is(name, "Decimal"))
		return put_first_text(c, out);
	if (str_is(module, "fractions") && str_is(name, "Fraction"))
		return put_fraction(c, out);
	if (!str_is(module, "builtins") && !str_is(module, "__builtin__"))
		return 0;
	if (str_is(name, "complex"))
		return put_complex(c, out);
	return str_is(name, "getattr") ? put_getattr(c, out) : 0;
}

int py_scalar_text(const struct graph *g, oref r, struct buf *out)
{
	struct call c = {.g = g};
	size_t before = out->n;
	oref callable, args;

	if (!obj_call(g, r, &callable, &args) || !obj_global(g, callable, &c.module, &c.name) ||
		!py_plain_args(g, r, &c.args, &c.n))
		return 0;
	if (put_call(&c, r, out))
		return 1;
	if (!out->failed)
		out->n = before; /* begun, but not ours after all */
	return 0;
}
