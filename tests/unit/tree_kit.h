/* tree_kit.h - values, directories and paths by hand, for the tests of tree, view and volume. */
#ifndef TREE_KIT_H
#define TREE_KIT_H

#include "model_kit.h"

#include <pthfs/tree.h>

static inline oref kit_text(struct model *m, struct str s)
{
	return obj_new_text(&m->graph, OBJ_KIND_STR, s, 0);
}

static inline uint32_t kit_value(struct model *m, struct value v)
{
	uint32_t id = MODEL_NONE;

	OK(model_add_value(m, &v, &id, NULL) == 0);
	return id;
}

/* A file that holds the number n. */
static inline uint32_t kit_leaf(struct model *m, int64_t n)
{
	return kit_value(m, (struct value){.kind = VALUE_LEAF, .obj = obj_new_int(&m->graph, n, 0)});
}

static inline uint32_t kit_tensor_file(struct model *m, uint32_t tensor)
{
	return kit_value(m, (struct value){.kind = VALUE_TENSOR, .obj = OREF_NIL, .tensor = tensor});
}

/* n float32 on a storage of their own. */
static inline uint32_t kit_floats(struct model *m, int64_t n)
{
	uint32_t storage = kit_storage(m, "0", NULL, 0, 4 * (uint64_t)n);

	return kit_add(m, kit_tensor(storage, DTYPE_FLOAT32, 1, &n, NULL));
}

/* A directory without entries; kit_put() right after one another fills one at a time. */
static inline uint32_t kit_dir(struct model *m, enum value_kind kind)
{
	return kit_value(m, (struct value){.kind = (uint8_t)kind, .obj = OREF_NIL,
			.first = (uint32_t)m->entries.n, .raw = MODEL_NONE});
}

static inline void kit_put_key(struct model *m, uint32_t dir, oref key, uint32_t value)
{
	struct entry en = {key, value};

	OK(m->values.at[dir].first + m->values.at[dir].n == m->entries.n);
	OK(vec_push(&m->entries, en) == 0);
	m->values.at[dir].n++;
}

static inline void kit_put(struct model *m, uint32_t dir, const char *key, uint32_t value)
{
	kit_put_key(m, dir, kit_text(m, str_of(key)), value);
}

/* The node at a path from the root, or TREE_NONE. */
static inline uint32_t kit_node(const struct tree *t, const char *path)
{
	struct str rest = str_of(path);
	uint32_t node = 0;

	while (rest.n && node != TREE_NONE) {
		size_t n = 0;

		while (n < rest.n && rest.p[n] != '/')
			n++;
		node = tree_find(t, node, str_cut(rest, n));
		rest = str_skip(rest, n + (n < rest.n));
	}
	return node;
}

/* The names of a directory in order, each with a blank behind it, in out. */
static inline const char *kit_names(const struct tree *t, uint32_t dir, char *out, size_t size)
{
	uint32_t slots = tree_slots(t, dir);
	size_t used = 0;

	out[0] = 0;
	for (uint32_t i = 0; i < slots && used < size; i++) {
		uint32_t child = tree_child(t, dir, i);

		if (child != TREE_NONE)
			used += (size_t)snprintf(out + used, size - used, "%.*s ",
					STR_FMT(node_name(t, child)));
	}
	return out;
}
#define NAMES(t, dir) kit_names((t), (dir), (char[1024]){0}, 1024)

#endif
