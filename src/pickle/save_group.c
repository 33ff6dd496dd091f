/* save_group.c - sets that hold themselves.
 *
 * For a set Python's pickler makes a list of the items each time it gets there. So when an object
 * in a set leads back to the set, which is not put yet, the inner occurrence is a call with a new
 * list that holds all items, and the outer one is dropped in favour of it:
 *
 *	set  ] q (object .. set ] q (object ..) 85 q R q8 ..) 85 q R  0 h8
 *
 * Of this the graph has the inner call. Writing its list as the object that it is would refer to
 * the outer list, which is still empty where the inner call runs: a set without its items. So it
 * is written as Python does, unless something else names the list, too.
 */
#include "saver.h"

#include <stdlib.h>

static void use(struct saver *s, oref r)
{
	if (r < s->g->nodes.n && s->uses[r] < 2)
		s->uses[r]++;
}

static void use_all(struct saver *s, const oref *at, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		use(s, at[i]);
}

static void count_uses(struct saver *s)
{
	const struct graph *g = s->g;
	oref one, two;
	const oref *at;
	uint32_t n;

	s->uses = calloc(g->nodes.n, 1);
	if (!s->uses) {
		s->rc = err_nomem(s->e);
		return;
	}
	use(s, s->root);
	for (oref r = 0; r < g->nodes.n; r++) {
		at = obj_items(g, r, &n);
		use_all(s, at, n);
		at = obj_pairs(g, r, &n);
		use_all(s, at, (uint64_t)n * 2);
		if (obj_call(g, r, &one, &two)) {
			use(s, one);
			use(s, two);
		}
		if (obj_persid(g, r, &one))
			use(s, one);
		use(s, obj_state(g, r));
		use(s, obj_kwargs(g, r));
	}
}

static bool is_set_symbol(const struct graph *g, oref r)
{
	static const char *const modules[] = {"__builtin__", "builtins"};

	for (int i = 0; i < 2; i++)
		if (obj_is_global(g, r, modules[i], "set") ||
				obj_is_global(g, r, modules[i], "frozenset"))
			return true;
	return false;
}

bool save_is_group(struct saver *s, oref r, oref *list)
{
	const struct graph *g = s->g;
	oref callable, args;
	const oref *items;
	uint32_t n, added;

	if (obj_kind(g, r) != OBJ_KIND_CALL || !obj_call(g, r, &callable, &args) ||
			!is_set_symbol(g, callable) || obj_state(g, r) != OREF_NIL)
		return false;
	obj_items(g, r, &added);
	obj_pairs(g, r, &n);
	if (added || n)
		return false;
	items = obj_items(g, args, &n);
	if (n != 1 || obj_kind(g, items[0]) != OBJ_KIND_LIST)
		return false;
	if (!s->uses)
		count_uses(s);
	if (s->rc < 0 || s->uses[args] > 1 || s->uses[items[0]] > 1)
		return false;
	*list = items[0];
	return true;
}
