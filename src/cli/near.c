/* near.c - what a name may have meant: in the same directory or another, the same key with a prefix
 * more or less ("fc.weight", "module.fc.weight", "model/fc.weight"), or in other capitals.
 */
#include "near.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Is s what is behind a dot or a slash of whole? */
static bool is_end(struct str whole, struct str s)
{
	if (s.n == 0 || whole.n <= s.n || !str_ends(whole, s))
		return false;
	char before = whole.p[whole.n - s.n - 1];
	return before == '.' || before == '/';
}

/* The bytes up to and with the last slash. */
static size_t dir_length(struct str s)
{
	const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
	return slash ? (size_t)(slash - s.p) + 1 : 0;
}

bool near_match(struct str wanted, struct str there)
{
	if (is_end(there, wanted) || is_end(wanted, there) || str_eq_case(there, wanted))
		return true;
	size_t dir = dir_length(wanted);
	if (dir != dir_length(there) || memcmp(wanted.p, there.p, dir) != 0)
		return false;
	wanted = str_skip(wanted, dir);
	there = str_skip(there, dir);
	return is_end(there, wanted) || is_end(wanted, there);
}

struct near {
	struct str wanted;
	char found[200];
};

static int look(void *ctx, const struct vitem *it)
{
	struct near *n = ctx;
	if (!near_match(n->wanted, it->name))
		return 0;
	str_show(it->name, n->found, sizeof n->found);
	return 1;
}

int near_hint(struct volume *v, const char *name, int rc, struct err *e)
{
	struct near n = {.wanted = str_of(name)};
	struct err inner;
	if (rc != ERR_ABSENT)
		return rc;
	while (n.wanted.n && n.wanted.p[0] == '/')
		n.wanted = str_skip(n.wanted, 1);
	if (n.wanted.n && volume_walk(v, NULL, look, &n, &inner) > 0) {
		struct err said = *e;
		err_set(e, ERR_ABSENT, "%.250s (is it %s?)", said.text, n.found);
	}
	return rc;
}
