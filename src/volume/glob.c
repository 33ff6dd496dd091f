/* glob.c - shell patterns over paths: '*' and '?' stay within a component, '**' does not ("**" and
 * its slash, as a component, are any number of whole components), [a-z] and [!a-z] as in a shell,
 * '\' takes the next character as it is. A '[' without its ']' is just that character.
 *
 * Iterative with two places to go back to (one for '*', one for '**'): the last of each kind is
 * enough, as for plain wildcards.
 */
#include "glob.h"

struct back {
	size_t pat, text;
	bool set;
	bool whole; /* goes on at the beginnings of components only */
};

/* Is there a ']' for the '[' at p[i]? */
static bool is_class(struct str p, size_t i)
{
	i++;
	i += i < p.n && (p.p[i] == '!' || p.p[i] == '^');
	for (i++; i < p.n; i++)
		if (p.p[i] == ']')
			return true;
	return false;
}

/* One character class at p[*i] (behind '['); *i ends behind its ']'. */
static bool in_class(struct str p, size_t *i, char c)
{
	bool no = *i < p.n && (p.p[*i] == '!' || p.p[*i] == '^'), hit = false;
	size_t k = *i + no, first = k;
	while (k < p.n && (p.p[k] != ']' || k == first)) {
		char lo = p.p[k], hi = lo;
		if (k + 2 < p.n && p.p[k + 1] == '-' && p.p[k + 2] != ']') {
			hi = p.p[k + 2];
			k += 2;
		}
		hit = hit || (lo <= c && c <= hi);
		k++;
	}
	*i = k < p.n ? k + 1 : k;
	return hit != no && c != '/';
}

/* Does the pattern element at *i take c? Moves *i behind it when it does. */
static bool takes(struct str p, size_t *i, char c)
{
	size_t k = *i;
	bool ok;
	if (p.p[k] == '?') {
		ok = c != '/';
		k++;
	} else if (p.p[k] == '[' && is_class(p, k)) {
		k++;
		ok = in_class(p, &k, c);
	} else {
		if (p.p[k] == '\\' && k + 1 < p.n)
			k++;
		ok = p.p[k++] == c;
	}
	if (ok)
		*i = k;
	return ok;
}

static bool at_component(struct str s, size_t i)
{
	return i == 0 || s.p[i - 1] == '/';
}

/* The star (or two) at p[*i], met with s[k] to come: where to go on, and to come back to. */
static void star(struct str p, size_t *i, struct str s, size_t k, struct back *one,
		struct back *any)
{
	bool deep = *i + 1 < p.n && p.p[*i + 1] == '*';
	bool whole = deep && *i + 2 < p.n && p.p[*i + 2] == '/' && at_component(p, *i) &&
		     at_component(s, k);
	*i += deep ? 2 + whole : 1;
	*(deep ? any : one) = (struct back){*i, k, true, whole};
	if (deep)
		one->set = false;
}

/* One character (or component) more for "**"; false: there is none. */
static bool longer(struct back *any, struct str s)
{
	if (!any->set || any->text >= s.n)
		return false;
	any->text++;
	while (any->whole && any->text < s.n && !at_component(s, any->text))
		any->text++;
	return !any->whole || at_component(s, any->text);
}

bool glob_match(struct str p, struct str s)
{
	struct back one = {0}, any = {0};
	size_t i = 0, k = 0;
	for (;;) {
		if (i < p.n && p.p[i] == '*') {
			star(p, &i, s, k, &one, &any);
			continue;
		}
		if (k == s.n && i == p.n)
			return true;
		if (k < s.n && i < p.n && takes(p, &i, s.p[k])) {
			k++;
			continue;
		}
		if (one.set && one.text < s.n && s.p[one.text] != '/') {
			i = one.pat;
			k = ++one.text;
		} else if (longer(&any, s)) {
			i = any.pat;
			k = any.text;
			one.set = false;
		} else {
			return false;
		}
	}
}

bool glob_match_path(struct str p, struct str path)
{
	if (glob_match(p, path))
		return true;
	for (size_t n = path.n; n > 0; n--)
		if (path.p[n - 1] == '/' && glob_match(p, str_cut(path, n - 1)))
			return true;
	return false;
}
