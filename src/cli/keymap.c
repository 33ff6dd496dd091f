/* keymap.c - --strip, --add and --regex as one function from key to key.
 *
 * Prefixes behave as .pthfs/strip and .pthfs/add of a mount do: off where a key has it, on where it
 * lacks it. Expressions are sed's: POSIX extended, & and \1 to \9 in the replacement, \ before
 * anything else makes it plain; g for every match and not just the first.
 */
#include "keymap.h"

#include <ctype.h>
#include <pthfs/cleanup.h>
#include <stdio.h>
#include <string.h>

int keymap_prefix(struct keymap *m, enum keymap_kind kind, const char *prefix, struct err *e)
{
	size_t n = strlen(prefix);
	if (n && prefix[n - 1] == '.')
		n--;
	if (!n)
		return err_set(e, ERR_USAGE, "the prefix '%s' is empty", prefix);
	if (asprintf(&m->text, "%.*s.", (int)n, prefix) < 0) {
		m->text = NULL;
		return err_nomem(e);
	}
	m->kind = kind;
	return 0;
}

/* Position of the first d at or after at that has no backslash before it; n: none. */
static size_t find_plain(struct str s, size_t at, char d)
{
	while (at < s.n && s.p[at] != d)
		at += s.p[at] == '\\' && at + 1 < s.n ? 2 : 1;
	return at < s.n ? at : s.n;
}

static bool is_delimiter(char c)
{
	return ispunct((unsigned char)c) && c != '\\';
}

/* s without the backslashes before d. Terminated, malloc'ed. */
static char *unescaped(struct str s, char d)
{
	char *out = malloc(s.n + 1);
	size_t n = 0;
	for (size_t i = 0; out && i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] == d)
			i++;
		else if (s.p[i] == '\\' && i + 1 < s.n)
			out[n++] = s.p[i++];
		out[n++] = s.p[i];
	}
	if (out)
		out[n] = '\0';
	return out;
}

struct parts {
	struct str from, to;
	char delimiter;
	bool all;
};

/* "S/R/" or "S/R/g" with this delimiter and nothing behind it. */
static bool split(struct str s, char d, struct parts *ret)
{
	size_t one = find_plain(s, 0, d);
	size_t two = one < s.n ? find_plain(s, one + 1, d) : s.n;
	if (one == 0 || two == s.n)
		return false;
	struct str flags = str_skip(s, two + 1);
	if (flags.n && !str_is(flags, "g"))
		return false;
	*ret = (struct parts){
			.from = str_cut(s, one),
			.to = {s.p + one + 1, two - one - 1},
			.delimiter = d,
			.all = flags.n != 0,
	};
	return true;
}

/* sed's spelling first, then one with the delimiter in front, then without. */
static bool find_parts(struct str s, struct parts *ret)
{
	if (s.n > 2 && s.p[0] == 's' && is_delimiter(s.p[1]) && split(str_skip(s, 2), s.p[1], ret))
		return true;
	if (s.n > 1 && is_delimiter(s.p[0]) && split(str_skip(s, 1), s.p[0], ret))
		return true;
	size_t n = s.n && s.p[s.n - 1] == 'g' ? s.n - 1 : s.n;
	return n && is_delimiter(s.p[n - 1]) && split(s, s.p[n - 1], ret);
}

/* Every \N of the replacement has its group. */
static int check_groups(const struct keymap *m, struct err *e)
{
	for (const char *p = m->text; *p; p++) {
		if (*p != '\\' || !p[1])
			continue;
		p++;
		if (*p >= '1' && *p <= '9' && (size_t)(*p - '0') > m->re.re_nsub)
			return err_set(e, ERR_USAGE, "\\%c in the replacement: the expression has %zu "
						     "groups", *p, m->re.re_nsub);
	}
	return 0;
}

int keymap_regex(struct keymap *m, const char *expr, struct err *e)
{
	struct parts parts;
	char why[128];
	if (!find_parts(str_of(expr), &parts))
		return err_set(e, ERR_USAGE, "'%s' is not of the form S/R/ or S/R/g", expr);
	_cleanup_(freep) char *from = unescaped(parts.from, parts.delimiter);
	_cleanup_(freep) char *to = unescaped(parts.to, parts.delimiter);
	if (!from || !to)
		return err_nomem(e);
	int rc = regcomp(&m->re, from, REG_EXTENDED);
	if (rc) {
		regerror(rc, &m->re, why, sizeof why);
		return err_set(e, ERR_USAGE, "the expression '%s': %s", from, why);
	}
	m->kind = KEYMAP_REGEX;
	m->all = parts.all;
	m->text = steal_ptr(&to);
	return check_groups(m, e);
}

void keymap_release(struct keymap *m)
{
	if (m->kind == KEYMAP_REGEX)
		regfree(&m->re);
	free(m->text);
	*m = (struct keymap){0};
}

static void put_group(struct buf *out, struct str key, const regmatch_t *g)
{
	if (g->rm_so >= 0)
		buf_put(out, key.p + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
}

static void put_replacement(struct buf *out, const char *to, struct str key, const regmatch_t *g)
{
	for (; *to; to++) {
		if (*to == '&') {
			put_group(out, key, &g[0]);
		} else if (*to == '\\' && to[1] >= '1' && to[1] <= '9') {
			put_group(out, key, &g[*++to - '0']);
		} else {
			if (*to == '\\' && to[1])
				to++;
			buf_putc(out, *to);
		}
	}
}

/* The key as [at, n) is searched, with what is before it for '^'. An empty match right behind
 * another is none, as in sed. */
static bool replace(struct keymap *m, struct str key, struct buf *out)
{
	size_t at = 0, last = SIZE_MAX;
	bool any = false;
	while (at <= key.n && (m->all || !any)) {
		regmatch_t g[10];
		g[0] = (regmatch_t){.rm_so = (regoff_t)at, .rm_eo = (regoff_t)key.n};
		if (regexec(&m->re, key.p, ARRAY_SIZE(g), g, REG_STARTEND) != 0)
			break;
		size_t begin = (size_t)g[0].rm_so, end = (size_t)g[0].rm_eo;
		bool empty = begin == end;
		buf_put(out, key.p + at, begin - at);
		if (!empty || begin != last) {
			put_replacement(out, m->text, key, g);
			any = true;
		}
		if (empty && begin < key.n)
			buf_putc(out, key.p[begin]);
		at = end + empty;
		last = end;
	}
	if (at < key.n)
		buf_put(out, key.p + at, key.n - at);
	return any;
}

bool keymap_apply(void *ctx, struct str key, struct buf *out)
{
	struct keymap *m = ctx;
	struct str prefix = m->kind == KEYMAP_REGEX ? STR("") : str_of(m->text);
	bool has = str_starts(key, prefix);
	size_t before = out->n;
	switch (m->kind) {
	case KEYMAP_STRIP:
		if (!has || key.n == prefix.n)
			return false;
		buf_str(out, str_skip(key, prefix.n));
		return true;
	case KEYMAP_ADD:
		if (has)
			return false;
		buf_str(out, prefix);
		buf_str(out, key);
		return true;
	case KEYMAP_REGEX:
		if (replace(m, key, out) && !(out->n - before == key.n &&
				memcmp(out->p + before, key.p, key.n) == 0))
			return true;
		out->n = before;
		return false;
	case KEYMAP_NONE:
		break;
	}
	return false;
}
