/* derived.c - the companions of a name: NAME.meta and, unlisted, .npy .stats .svg .json.
 *
 * Real names always win: where a key is called "a.meta", the meta of "a" is "a.meta~" (and
 * "a.meta~~" where that exists too). (design.md "The tree", rule 6)
 */
#include <pthfs/tree.h>

static const char *const suffix_of[DERIVED_COUNT] = {
	[DERIVED_META] = ".meta",
	[DERIVED_NPY] = ".npy",
	[DERIVED_STATS] = ".stats",
	[DERIVED_SVG] = ".svg",
	[DERIVED_JSON] = ".json",
};

bool derived_has(const struct tree *t, uint32_t node, enum derived which)
{
	switch (node_value(t, node)->kind) {
	case VALUE_TENSOR:
		return which != DERIVED_JSON;
	case VALUE_PARTS:
		return which == DERIVED_META || which == DERIVED_JSON;
	default:
		return which == DERIVED_JSON;
	}
}

/* Every name up to `stem` and k tildes less one is real: then, and only then, this one is ours. */
static bool tildes_needed(const struct name_lookup *l, struct str name, unsigned tildes)
{
	for (unsigned j = tildes; j > 0; j--)
		if (l->find(l->ctx, str_cut(name, name.n - j)) == TREE_NONE)
			return false;
	return true;
}

uint32_t derived_find(const struct tree *t, const struct name_lookup *l, struct str name,
		enum derived *ret)
{
	struct str stem = name;
	unsigned tildes = 0;
	while (stem.n && stem.p[stem.n - 1] == '~')
		stem.n--, tildes++;
	for (int k = 0; k < DERIVED_COUNT; k++) {
		struct str suffix = str_of(suffix_of[k]);
		if (stem.n <= suffix.n || !str_ends(stem, suffix))
			continue;
		uint32_t node = l->find(l->ctx, str_cut(stem, stem.n - suffix.n));
		if (node == TREE_NONE || !derived_has(t, node, (enum derived)k))
			return TREE_NONE;
		if (!tildes_needed(l, name, tildes))
			return TREE_NONE;
		*ret = (enum derived)k;
		return node;
	}
	return TREE_NONE;
}

void derived_name(const struct name_lookup *l, struct str name, enum derived which,
		struct buf *out)
{
	size_t start = out->n;
	buf_str(out, name);
	buf_puts(out, suffix_of[which]);
	/* Ends because no real name is longer than NAME_LIMIT. */
	while (l && !out->failed && l->find(l->ctx, str_skip(buf_view(out), start)) != TREE_NONE)
		buf_putc(out, '~');
}
