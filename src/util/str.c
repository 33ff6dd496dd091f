/* str.c - slices: comparing, looking at, showing.
 *
 * A slice borrows and may have p == NULL when n is 0, which is why no mem* function is called
 * with n == 0 here. Hashing is in hash.c, growing text in buf.c.
 */
#include <pthfs/str.h>

#include <stdio.h>
#include <string.h>

#include "utf8.h"

struct str str_of(const char *cstr)
{
	return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_case(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool str_is(struct str s, const char *cstr)
{
	return str_eq(s, str_of(cstr));
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_cut(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

struct str str_skip(struct str s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct str){n ? s.p + n : s.p, s.n - n};
}

struct str str_cut(struct str s, size_t n)
{
	return (struct str){s.p, s.n < n ? s.n : n};
}

bool str_utf8(struct str s)
{
	size_t i = 0, step;
	uint32_t c;
	uint64_t w;

	while (i < s.n) {
		if (s.n - i >= 8) {
			memcpy(&w, s.p + i, 8);
			if (!(w & 0x8080808080808080u)) {
				i += 8;
				continue;
			}
		}
		step = utf8_step(s.p + i, s.n - i, &c);
		if (!step || (c >= 0xd800 && c < 0xe000))
			return false;
		i += step;
	}
	return true;
}

/* May a terminal get this character above ASCII as it is? Not C1 controls, surrogates, and what is
 * invisible or turns the direction of writing: names come from hostile files. */
static bool shows(uint32_t c)
{
	return c >= 0xa0 && c != 0xad && !(c >= 0xd800 && c <= 0xdfff) &&
	       !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
	       !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff && !(c >= 0xfff0 && c <= 0xffff) &&
	       c < 0xe0000;
}

/* The character at the start of s (*took bytes of it) as it is shown; at most 4 bytes. Returns how
 * many. */
static size_t show_char(struct str s, char out[5], size_t *took)
{
	const char *named = "\n\r\t\\", *letter = "nrt\\", *at;
	unsigned char c = (unsigned char)s.p[0];
	uint32_t point;
	size_t len = utf8_step(s.p, s.n, &point);

	*took = 1;
	if (c && (at = strchr(named, c)))
		return (size_t)snprintf(out, 5, "\\%c", letter[at - named]);
	if (len > 1 && shows(point)) {
		*took = len;
		memcpy(out, s.p, len);
		return len;
	}
	if (c < 0x20 || c >= 0x7f)
		return (size_t)snprintf(out, 5, "\\x%02x", c);
	out[0] = (char)c;
	return 1;
}

const char *str_show(struct str s, char *out, size_t n)
{
	char one[5];
	size_t used = 0, whole = 0, len, took;

	if (n == 0)
		return "";
	/* `whole` is where the text may be cut so that "..." still fits behind it. */
	for (size_t i = 0; i < s.n; i += took) {
		len = show_char(str_skip(s, i), one, &took);
		if (len > n - 1 - used) {
			used = whole;
			for (int dots = 0; dots < 3 && used < n - 1; dots++)
				out[used++] = '.';
			break;
		}
		memcpy(out + used, one, len);
		used += len;
		if (used + 3 <= n - 1)
			whole = used;
	}
	out[used] = 0;
	return out;
}

const char *str_size(uint64_t bytes, char *out)
{
	static const char units[] = "KMGTPE";
	uint64_t unit = 1000, tenths;
	int i = 0;

	if (bytes < 1000) {
		snprintf(out, 16, "%u B", (unsigned)bytes);
		return out;
	}
	for (;; i++, unit *= 1000) {
		/* Rounded to nearest without bytes + unit / 20, which could overflow. */
		tenths = bytes / (unit / 10) + (bytes % (unit / 10) >= unit / 20);
		if (tenths < 10000 || i == 5)
			break;
	}
	snprintf(out, 16, "%u.%u %cB", (unsigned)(tenths / 10) % 10000u, (unsigned)(tenths % 10),
		units[i]);
	return out;
}
