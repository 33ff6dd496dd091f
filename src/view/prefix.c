/* prefix.c - which prefixes a state_dict's keys share. */
#include <pthfs/view.h>

#include <string.h>

/* child TREE_NONE: an empty slot. */
static bool child_key(const struct tree *t, uint32_t child, struct str *ret)
{
	return child != TREE_NONE && key_text(&t->model->graph, t->nodes.at[child].key, ret);
}

/* How many keys begin with prefix and a dot, after `skip` bytes that they share. */
static uint32_t count_prefix(const struct tree *t, uint32_t dir, struct str before,
		struct str prefix)
{
	uint32_t count = 0, slots = tree_slots(t, dir);
	for (uint32_t i = 0; i < slots; i++) {
		struct str key;
		if (!child_key(t, tree_child(t, dir, i), &key) || !str_starts(key, before))
			continue;
		key = str_skip(key, before.n);
		count += key.n > prefix.n && str_starts(key, prefix) && key.p[prefix.n] == '.';
	}
	return count;
}

enum view_op view_module_op(const struct tree *t, uint32_t dir)
{
	uint32_t n = tree_count(t, dir);
	uint32_t have = count_prefix(t, dir, STR(""), STR("module"));
	return n && have >= n - have ? VIEW_STRIP : VIEW_ADD;
}

/* The component of a child's key that follows `before` and ends at a dot; false: there is none. */
static bool component(const struct tree *t, uint32_t child, struct str before, struct str *ret)
{
	struct str key;
	if (!child_key(t, child, &key) || !str_starts(key, before))
		return false;
	key = str_skip(key, before.n);
	const char *dot = key.n ? memchr(key.p, '.', key.n) : NULL;
	if (!dot || dot == key.p)
		return false;
	*ret = str_cut(key, (size_t)(dot - key.p));
	return true;
}

/* The only component that more than half of the keys can have: each other one takes a vote away. */
static bool candidate(const struct tree *t, uint32_t dir, struct str before, struct str *ret)
{
	struct str leader = STR("");
	uint32_t votes = 0, slots = tree_slots(t, dir);
	for (uint32_t i = 0; i < slots; i++) {
		struct str c;
		uint32_t child = tree_child(t, dir, i);
		if (child == TREE_NONE)
			continue;
		bool has = component(t, child, before, &c);
		if (has && votes == 0)
			leader = c, votes = 1;
		else if (has && str_eq(c, leader))
			votes++;
		else if (votes)
			votes--;
	}
	*ret = leader;
	return votes > 0;
}

unsigned view_prefixes(const struct tree *t, uint32_t dir, struct str *ret, unsigned max)
{
	uint32_t n = tree_count(t, dir);
	struct str before = STR("");
	unsigned found = 0;
	while (found < max) {
		struct str c;
		if (!candidate(t, dir, before, &c))
			break;
		uint32_t have = count_prefix(t, dir, before, c);
		if (have <= n - have)
			break;
		ret[found++] = c;
		/* keys are contiguous text: the shared part so far ends where c does, and its dot */
		before = (struct str){c.p - before.n, before.n + c.n + 1};
	}
	return found;
}
