/* build.c - the model's values, laid out as paths.
 *
 * Directories are expanded in the order in which they were met (breadth first), so that the
 * children of each are contiguous: no recursion, whatever the input's depth. The format has cut
 * cycles, but a container that is shared expands once per path; max_names bounds that.
 *
 * First everything below the root; then, as roots of their own, the raw attributes of whole
 * modules (.pthfs/object/), whose names do not count as names of a tensor.
 *
 * by_name holds an id under every name that it ever had, and may hold one of a node that never came
 * to be: whoever finds it looks at the node itself. So nothing is taken out of it when names change.
 */
#include "tree_in.h"

#include <pthfs/cleanup.h>
#include <string.h>

#define DEFAULT_MAX_NAMES 1000000u
#define PATH_DEPTH 256 /* components of a path; of hostile depth only the last ones are told */

struct place {
	const struct tree *t;
	uint32_t parent;
};

uint64_t tree_place_hash(uint32_t parent, struct str name)
{
	return str_hash(name) ^ (parent + 1) * 0x9e3779b97f4a7c15u;
}

static bool same_place(const void *ctx, const void *key, uint32_t id)
{
	const struct place *p = ctx;
	const struct str *name = key;
	if (id >= p->t->nodes.n)
		return false;
	const struct node *n = &p->t->nodes.at[id];
	return n->parent == p->parent && !(n->flags & NODE_GONE) &&
	       str_eq(node_name(p->t, id), *name);
}

static bool same_id(const void *ctx, const void *key, uint32_t id)
{
	return *(const uint32_t *)key == id;
}

static uint32_t find_hashed(const struct tree *t, uint32_t dir, struct str name, uint64_t hash)
{
	struct place p = {t, dir};
	return idmap_find(&t->by_name, hash, same_place, &p, &name);
}

uint32_t tree_find(const struct tree *t, uint32_t dir, struct str name)
{
	return find_hashed(t, dir, name, tree_place_hash(dir, name));
}

int tree_index(struct tree *t, uint32_t id)
{
	uint64_t hash = tree_place_hash(t->nodes.at[id].parent, node_name(t, id));
	if (idmap_find(&t->by_name, hash, same_id, NULL, &id) != IDMAP_NONE)
		return 0; /* it had this name before */
	return idmap_add(&t->by_name, hash, id);
}

static int over_limit(const struct tree *t, struct err *e)
{
	return err_set(e, ERR_LIMIT,
			"it has more than %u names (a shared container counts on every path to it); "
			"-o max_names=N allows more",
			t->max_names);
}

/* The first form of name that is free under dir, in b: see name_next_number(). */
static struct str unique_name(const struct tree *t, uint32_t dir, struct str name, size_t *last,
		struct buf *b)
{
	size_t k = 1;
	do {
		k = name_next_number(k, last);
		name_numbered(name, k, b);
	} while (!b->failed && tree_find(t, dir, buf_view(b)) != TREE_NONE);
	return buf_view(b);
}

bool tree_plain_name(const struct graph *g, oref key, struct str name, struct str *ret)
{
	struct str text;
	if (!key_text(g, key, &text) || !str_eq(text, name))
		return false;
	*ret = text;
	return true;
}

bool tree_value_is_dir(const struct model *m, uint32_t value)
{
	uint8_t kind = m->values.at[value].kind;
	return kind != VALUE_LEAF && kind != VALUE_TENSOR;
}

/* A top object that is shown as the one name `value`; then the root stands for it too. */
static bool is_lone(const struct model *m, uint32_t value)
{
	return !tree_value_is_dir(m, value) || m->values.at[value].kind == VALUE_PARTS;
}

/* Appends a node. `name` may be NULL-length for roots. */
static int add_node(struct tree *t, uint32_t parent, oref key, struct str name, uint32_t value,
		uint16_t flags, struct err *e)
{
	struct str kept = name;
	if (t->nodes.n >= t->max_names)
		return over_limit(t, e);
	if (name.n && !tree_plain_name(&t->model->graph, key, name, &kept)) {
		kept = arena_str(&t->names, name);
		flags |= NODE_RENAMED;
	}
	t->meta_names = t->meta_names || str_ends(kept, STR(".meta"));
	struct node n = {
		.name = kept.p,
		.name_len = (uint16_t)kept.n,
		.flags = flags,
		.parent = parent,
		.value = value,
		.key = key,
	};
	if (tree_value_is_dir(t->model, value))
		n.flags |= NODE_DIR;
	if (!kept.p || vec_push(&t->nodes, n) < 0)
		return err_nomem(e);
	return 0;
}

int tree_append(struct tree *t, uint32_t dir, oref key, struct str name, uint32_t value,
		bool *taken, struct err *e)
{
	uint16_t flags = t->nodes.at[dir].flags & NODE_OBJECT;
	const struct value *v = &t->model->values.at[value];
	if (flags && v->kind == VALUE_MODULE && v->raw != MODEL_NONE)
		value = v->raw; /* below object/ everything is as it was pickled */
	uint64_t hash = tree_place_hash(dir, name);
	if (find_hashed(t, dir, name, hash) != TREE_NONE)
		flags |= NODE_NUMBERED, *taken = true;
	int rc = add_node(t, dir, key, name, value, flags, e);
	if (rc < 0)
		return rc;
	uint32_t id = (uint32_t)(t->nodes.n - 1);
	if (!(flags & NODE_NUMBERED) && idmap_add(&t->by_name, hash, id) < 0)
		return err_nomem(e);
	return 0;
}

int tree_number_rest(struct tree *t, uint32_t dir, struct err *e)
{
	struct buf b;
	size_t last = 0;
	int rc = 0;
	uint32_t slots = tree_slots(t, dir);
	buf_init(&b, 512);
	t->odd_names = true;
	for (uint32_t i = 0; i < slots && rc == 0; i++) {
		uint32_t id = tree_child(t, dir, i);
		if (id == TREE_NONE || !(t->nodes.at[id].flags & NODE_NUMBERED))
			continue;
		struct node *n = &t->nodes.at[id];
		struct str name = arena_str(&t->names,
				unique_name(t, dir, node_name(t, id), &last, &b));
		n->name = name.p;
		n->name_len = (uint16_t)name.n;
		n->flags |= NODE_RENAMED;
		if (b.failed || !name.p || tree_index(t, id) < 0)
			rc = err_nomem(e);
	}
	buf_release(&b);
	return rc;
}

/* Appends a child for entry i of dir's value. */
static int append_entry(struct tree *t, uint32_t dir, uint32_t i, struct buf *name, bool *taken,
		struct err *e)
{
	const struct model *m = t->model;
	const struct entry *en = &m->entries.at[node_value(t, dir)->first + i];
	name->n = 0;
	name_of_key(&m->graph, en->key, name);
	return name->failed ? err_nomem(e)
			    : tree_append(t, dir, en->key, buf_view(name), en->value, taken, e);
}

static int expand(struct tree *t, uint32_t dir, struct err *e)
{
	uint32_t n = node_value(t, dir)->n;
	struct buf name;
	bool taken = false;
	int rc = 0;
	t->nodes.at[dir].first = (uint32_t)t->nodes.n;
	if (n <= t->max_names - t->nodes.n && vec_room(&t->nodes, n) < 0)
		return err_nomem(e);
	buf_init(&name, 65536);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = append_entry(t, dir, i, &name, &taken, e);
		t->nodes.at[dir].n += rc == 0;
	}
	buf_release(&name);
	return rc == 0 && taken ? tree_number_rest(t, dir, e) : rc;
}

int tree_expand_late(struct tree *t, uint32_t dir, struct err *e)
{
	uint32_t n = node_value(t, dir)->n;
	struct buf name;
	bool taken = false;
	int rc = 0;
	buf_init(&name, 65536);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = append_entry(t, dir, i, &name, &taken, e);
		if (rc == 0 && tree_attach(t, dir, (uint32_t)(t->nodes.n - 1)) < 0)
			rc = err_nomem(e);
	}
	buf_release(&name);
	return rc == 0 && taken ? tree_number_rest(t, dir, e) : rc;
}

int tree_expand_all(struct tree *t, uint32_t from, struct err *e)
{
	for (uint32_t i = from; i < t->nodes.n; i++) {
		if (!(t->nodes.at[i].flags & NODE_DIR))
			continue;
		int rc = expand(t, i, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int build_root(struct tree *t, struct err *e)
{
	const struct model *m = t->model;
	int rc = add_node(t, 0, OREF_NIL, STR(""), m->root, NODE_DIR, e);
	if (rc < 0)
		return rc;
	if (!is_lone(m, m->root))
		return tree_expand_all(t, 0, e);
	bool taken;
	t->nodes.at[0].first = 1;
	rc = tree_append(t, 0, OREF_NIL, STR("value"), m->root, &taken, e);
	t->nodes.at[0].n = rc == 0;
	return rc < 0 ? rc : tree_expand_all(t, 1, e);
}

static int build_objects(struct tree *t, struct err *e)
{
	const struct model *m = t->model;
	uint32_t shown = (uint32_t)t->nodes.n;
	for (uint32_t i = 0; i < shown; i++) {
		const struct value *v = node_value(t, i);
		if (v->kind != VALUE_MODULE || v->raw == MODEL_NONE)
			continue;
		if (!t->object_root) {
			t->object_root = malloc(m->values.n * sizeof *t->object_root);
			if (!t->object_root)
				return err_nomem(e);
			memset(t->object_root, 0xff, m->values.n * sizeof *t->object_root);
			t->object_values = (uint32_t)m->values.n;
		}
		uint32_t value = t->nodes.at[i].value, root = (uint32_t)t->nodes.n;
		if (t->object_root[value] != TREE_NONE)
			continue;
		t->object_root[value] = root;
		int rc = add_node(t, root, OREF_NIL, STR(""), v->raw, NODE_OBJECT, e);
		if (rc == 0)
			rc = tree_expand_all(t, root, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Attributes of modules refer to one another as they like; where that expands without end, some
 * directories below object/ stay empty, and what people mount the file for is not refused. */
static int build_some_objects(struct tree *t, struct err *e)
{
	struct err own;
	int rc = build_objects(t, &own);
	t->objects_cut = rc == ERR_LIMIT;
	return rc < 0 && rc != ERR_LIMIT ? err_nomem(e) : 0;
}

static int count_names(struct tree *t, struct err *e)
{
	size_t n = t->model->tensors.n;
	t->nlink = calloc(n + 1, sizeof *t->nlink);
	t->first_node = malloc((n + 1) * sizeof *t->first_node);
	if (!t->nlink || !t->first_node)
		return err_nomem(e);
	t->tensor_cap = (uint32_t)n;
	memset(t->first_node, 0xff, (n + 1) * sizeof *t->first_node);
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		const struct value *v = node_value(t, i);
		if (v->kind != VALUE_TENSOR || t->nodes.at[i].flags & NODE_DIR)
			continue;
		if (t->first_node[v->tensor] == TREE_NONE)
			t->first_node[v->tensor] = i;
		if (!(t->nodes.at[i].flags & NODE_OBJECT))
			t->nlink[v->tensor]++;
	}
	return 0;
}

/* Is any value a directory in several places? */
static int look_for_twins(struct tree *t, struct err *e)
{
	uint8_t *seen = calloc(t->model->values.n / 8 + 1, 1);
	if (!seen)
		return err_nomem(e);
	for (uint32_t i = 0; i < t->nodes.n && !t->twins; i++) {
		uint32_t value = t->nodes.at[i].value;
		if (!(t->nodes.at[i].flags & NODE_DIR))
			continue;
		t->twins = seen[value / 8] >> value % 8 & 1;
		seen[value / 8] |= (uint8_t)(1u << value % 8);
	}
	free(seen);
	return 0;
}

int tree_build(const struct model *m, uint32_t max_names, struct tree *ret, struct err *e)
{
	size_t own = m->entries.n > UINT32_MAX / 4 ? UINT32_MAX / 2 : 2 * m->entries.n + 16;
	memset(ret, 0, sizeof *ret);
	ret->model = m;
	ret->max_names = max_names ? max_names
			 : own > DEFAULT_MAX_NAMES ? (uint32_t)own : DEFAULT_MAX_NAMES;
	arena_init(&ret->names, 0);
	int rc = build_root(ret, e);
	if (rc == 0)
		rc = build_some_objects(ret, e);
	if (rc == 0)
		rc = count_names(ret, e);
	if (rc == 0)
		rc = look_for_twins(ret, e);
	if (rc < 0)
		tree_release(ret);
	return rc;
}

void tree_release(struct tree *t)
{
	vec_release(&t->nodes);
	idmap_release(&t->by_name);
	arena_release(&t->names);
	free(t->nlink);
	free(t->first_node);
	free(t->object_root);
	tree_slots_release(t);
	tree_rings_release(t);
	vec_release(&t->undo);
	u32map_release(&t->removed);
	memset(t, 0, sizeof *t);
}

void tree_path(const struct tree *t, uint32_t n, struct buf *out)
{
	uint32_t up[PATH_DEPTH], i = n;
	unsigned depth = 0;
	for (; t->nodes.at[i].parent != i && depth < PATH_DEPTH; i = t->nodes.at[i].parent)
		up[depth++] = i;
	if (t->nodes.at[i].parent != i)
		buf_puts(out, ".../");
	while (depth--) {
		buf_str(out, node_name(t, up[depth]));
		if (depth)
			buf_putc(out, '/');
	}
}
