/* keys.c - keys that come, go, and are called otherwise.
 *
 * The tree is where it happens: nodes keep their numbers, so that open files and inodes stay good.
 * A container that is shown on several paths (one dict under two keys) is edited on all of them.
 * What the pickle is to say is worked out at commit, from the directories that were touched
 * (apply.c); for that it is kept here which object stood at a node's place.
 */
#include "edit.h"

#include <errno.h>
#include <limits.h>
#include <pthfs/cleanup.h>
#include <string.h>

bool vol_is_lone(const struct volume *v)
{
	enum value_kind kind = (enum value_kind)node_value(&v->tree, 0)->kind;
	return kind == VALUE_LEAF || kind == VALUE_TENSOR || kind == VALUE_PARTS;
}

/* --- which object stands where ----------------------------------------------------------------- */

/* Of all that tree_build() put into a directory, when the first is asked for: where they begin in
 * edit.entries. ERR_ABSENT: they have no objects. */
static int entries_of(struct volume *v, uint32_t dir, uint32_t *ret, struct err *e)
{
	const struct node *d = &v->tree.nodes.at[dir];
	struct edit *ed = v->edit;
	if (u32map_get(&ed->entries_of, dir, ret))
		return 0;
	if (vol_model(v)->values.at[d->value].n < d->n)
		return ERR_ABSENT;
	uint32_t first = (uint32_t)ed->entries.n;
	if (vec_room(&ed->entries, d->n + 1) < 0)
		return err_nomem(e);
	int rc = change_entries(v->ck, d->value, ed->entries.at + first, e);
	if (rc < 0)
		return rc == ERR_NOMEM ? rc : ERR_ABSENT;
	if (u32map_set(&ed->entries_of, dir, first) < 0)
		return err_nomem(e);
	ed->entries.n += d->n;
	*ret = first;
	return 0;
}

/* Of a node that tree_build() made: its entry's object, as the graph has it. */
static int loaded_object(struct volume *v, uint32_t node, oref *ret, struct err *e)
{
	const struct tree *t = &v->tree;
	uint32_t dir = t->nodes.at[node].parent, first;
	u32map_get(&v->edit->home, node, &dir);
	const struct node *d = &t->nodes.at[dir];
	oref obj = vol_is_lone(v) ? node_value(t, node)->obj : OREF_NIL;
	if (!vol_is_lone(v) && node >= d->first && node - d->first < d->n) {
		int rc = entries_of(v, dir, &first, e);
		if (rc < 0 && rc != ERR_ABSENT)
			return rc;
		if (rc == 0)
			obj = v->edit->entries.at[first + node - d->first];
	}
	*ret = obj;
	return 0;
}

int keys_raw(struct volume *v, uint32_t node, oref *ret, struct err *e)
{
	uint32_t raw;
	if (u32map_get(&v->edit->raw, node, &raw) || u32map_get(&v->edit->raw_before, node, &raw)) {
		*ret = raw;
		return 0;
	}
	return loaded_object(v, node, ret, e);
}

/* What a value shows can be a simpler object (the number in a numpy scalar): here is which one it
 * stands for. */
int keys_value(struct volume *v, oref obj, uint32_t *ret, struct err *e)
{
	int rc = change_new_value(v->ck, obj, ret, e);
	if (rc == 0 && u32map_set(&v->edit->made, *ret, obj) < 0)
		rc = err_nomem(e);
	return rc;
}

static oref raw_of(const struct volume *v, uint32_t value)
{
	uint32_t made;
	return u32map_get(&v->edit->made, value, &made) ? made : vol_model(v)->values.at[value].obj;
}

static int set_raw(struct volume *v, uint32_t node, oref obj)
{
	return u32map_set(&v->edit->raw, node, obj);
}

/* --- what may be edited --------------------------------------------------------------------------- */

void keys_touch(struct volume *v, uint32_t dir)
{
	tree_flag(&v->tree, dir, NODE_TOUCHED, 0);
	edit_changed_node(v, dir);
}

static int may_edit(struct volume *v, uint32_t dir, struct err *e)
{
	int rc = checkpoint_may_change(v->ck, e);
	if (rc < 0)
		return rc;
	if (vol_is_lone(v))
		return err_set(e, ERR_UNSUPPORTED, "the checkpoint is one %s: there are no keys in it",
				node_value(&v->tree, 0)->kind == VALUE_LEAF ? "value" : "tensor");
	return change_dir_ok(v->ck, v->tree.nodes.at[dir].value, e);
}

/* --- on one directory and its twins ------------------------------------------------------------------ */

static int add_one(struct volume *v, uint32_t dir, oref key, struct str name, uint32_t value, oref raw,
		uint32_t *ret, struct err *e)
{
	int rc = tree_add(&v->tree, dir, key, name, value, ret, e);
	if (rc < 0)
		return rc;
	tree_flag(&v->tree, *ret, NODE_NEW, 0);
	keys_touch(v, dir);
	edit_changed_node(v, *ret);
	return set_raw(v, *ret, raw) < 0 ? err_nomem(e) : 0;
}

static int add_everywhere(struct volume *v, uint32_t dir, struct str name, uint32_t value, oref raw,
		uint32_t *ret, struct err *e)
{
	oref key;
	uint32_t other;
	int rc = keys_new(v, dir, name, TREE_NONE, &key, e);
	if (rc == 0)
		rc = add_one(v, dir, key, name, value, raw, ret, e);
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin))
		rc = add_one(v, twin, key, name, value, raw, &other, e);
	return rc;
}

/* All or nothing: what was done is taken back when the rest fails. */
static int undone(struct volume *v, size_t mark, int rc)
{
	if (rc < 0)
		tree_undo(&v->tree, mark);
	return rc;
}

int keys_add(struct volume *v, uint32_t dir, struct str name, uint32_t value, uint32_t *ret,
		struct err *e)
{
	size_t mark = v->tree.undo.n;
	int rc = may_edit(v, dir, e);
	if (rc == 0 && tree_find(&v->tree, dir, name) != TREE_NONE)
		rc = err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(name));
	if (rc == 0)
		rc = add_everywhere(v, dir, name, value, raw_of(v, value), ret, e);
	return undone(v, mark, rc);
}

/* Where a node was at the last commit: noted before it leaves. */
static int note_home(struct volume *v, uint32_t node)
{
	const struct node *n = &v->tree.nodes.at[node];
	uint32_t ignored;
	if (n->flags & NODE_NEW)
		return 0;
	if (!u32map_get(&v->edit->home, node, &ignored) && u32map_set(&v->edit->home, node, n->parent) < 0)
		return ERR_NOMEM;
	if (u32map_get(&v->edit->renamed, node, &ignored))
		return 0;
	return u32map_set(&v->edit->renamed, node, n->key);
}

/* The name remembers who had it. */
static int note_left(struct volume *v, uint32_t node)
{
	struct str name = node_name(&v->tree, node);
	struct left l = {.dir = v->tree.nodes.at[node].parent, .node = node, .when = v->tree.removals,
		.key = v->tree.nodes.at[node].key};
	char *copy = malloc(name.n + 1);
	if (!copy)
		return ERR_NOMEM;
	memcpy(copy, name.p, name.n);
	l.name = (struct str){copy, name.n};
	if (vec_push(&v->edit->left, l) == 0)
		return 0;
	free(copy);
	return ERR_NOMEM;
}

static int remove_one(struct volume *v, uint32_t node, struct err *e)
{
	keys_touch(v, v->tree.nodes.at[node].parent);
	return tree_remove(&v->tree, node) < 0 ? err_nomem(e) : 0;
}

/* The node in the twin directory that stands for this one. */
static uint32_t twin_child(struct volume *v, uint32_t twin, uint32_t node)
{
	return tree_find(&v->tree, twin, node_name(&v->tree, node));
}

int keys_remove(struct volume *v, uint32_t node, struct err *e)
{
	size_t mark = v->tree.undo.n;
	uint32_t dir = v->tree.nodes.at[node].parent;
	int rc = may_edit(v, dir, e);
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin)) {
		uint32_t other = twin_child(v, twin, node);
		if (other != TREE_NONE)
			rc = remove_one(v, other, e);
	}
	if (rc == 0)
		rc = remove_one(v, node, e);
	return undone(v, mark, rc);
}

static int move_one(struct volume *v, uint32_t node, uint32_t dir, oref key, struct str name,
		struct err *e)
{
	uint32_t from = v->tree.nodes.at[node].parent;
	oref raw;
	int rc = keys_raw(v, node, &raw, e);
	if (rc < 0)
		return rc;
	if (note_home(v, node) < 0 || set_raw(v, node, raw) < 0)
		return err_nomem(e);
	rc = tree_move(&v->tree, node, dir, key, name, e);
	if (rc < 0)
		return rc;
	keys_touch(v, from);
	keys_touch(v, dir);
	return 0;
}

/* Within one container: its twins' children are renamed too. */
static int rename_twins(struct volume *v, uint32_t node, oref key, struct str name, struct err *e)
{
	uint32_t dir = v->tree.nodes.at[node].parent;
	int rc = 0;
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin)) {
		uint32_t other = twin_child(v, twin, node);
		if (other != TREE_NONE)
			rc = move_one(v, other, twin, key, name, e);
	}
	return rc;
}

/* From one container to another: gone from the twins of the first, new in those of the second. */
static int move_twins(struct volume *v, uint32_t node, uint32_t dir, oref key, struct str name,
		struct err *e)
{
	uint32_t from = v->tree.nodes.at[node].parent, other;
	oref raw;
	int rc = keys_raw(v, node, &raw, e);
	for (uint32_t twin = tree_twin(&v->tree, from, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, from, twin)) {
		other = twin_child(v, twin, node);
		if (other != TREE_NONE)
			rc = remove_one(v, other, e);
	}
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin))
		rc = add_one(v, twin, key, name, v->tree.nodes.at[node].value, raw, &other, e);
	return rc;
}

/* A directory cannot come to lie in itself, on whatever path. */
static bool lies_in(const struct volume *v, uint32_t dir, uint32_t node)
{
	uint32_t value = v->tree.nodes.at[node].value;
	for (;; dir = v->tree.nodes.at[dir].parent) {
		if (dir == node || v->tree.nodes.at[dir].value == value)
			return true;
		if (v->tree.nodes.at[dir].parent == dir)
			return false;
	}
}

int keys_move(struct volume *v, uint32_t node, uint32_t dir, struct str name, struct err *e)
{
	size_t mark = v->tree.undo.n;
	uint32_t from = v->tree.nodes.at[node].parent;
	int rc = may_edit(v, from, e);
	if (rc == 0)
		rc = may_edit(v, dir, e);
	if (rc < 0)
		return rc;
	if (v->tree.nodes.at[node].flags & NODE_DIR && lies_in(v, dir, node))
		return err_sys(e, EINVAL, "a directory cannot be moved into itself");
	if (tree_find(&v->tree, dir, name) != TREE_NONE)
		return err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(name));
	oref key;
	rc = keys_new(v, dir, name, node, &key, e);
	if (rc == 0 && note_left(v, node) < 0)
		rc = err_nomem(e);
	if (rc < 0)
		return rc;
	rc = v->tree.nodes.at[from].value == v->tree.nodes.at[dir].value
			     ? rename_twins(v, node, key, name, e)
			     : move_twins(v, node, dir, key, name, e);
	if (rc == 0)
		rc = move_one(v, node, dir, key, name, e);
	return undone(v, mark, rc);
}

/* What the new value of a directory holds stands in nodes from `first` on: not where tree_build() would
 * have put it, and loaded_object() looks for it. */
static int set_entries(struct volume *v, uint32_t first, uint32_t value, struct err *e)
{
	uint32_t n = vol_model(v)->values.at[value].n;
	_cleanup_(freep) oref *entries = malloc((n + 1) * sizeof *entries);
	if (!entries)
		return err_nomem(e);
	int rc = change_entries(v->ck, value, entries, e);
	for (uint32_t i = 0; i < n && rc == 0; i++)
		if (set_raw(v, first + i, entries[i]) < 0)
			rc = err_nomem(e);
	return rc;
}

static int set_one(struct volume *v, uint32_t node, uint32_t value, oref raw, struct err *e)
{
	uint32_t first = (uint32_t)v->tree.nodes.n;
	int rc = tree_set_value(&v->tree, node, value, e);
	if (rc == 0 && v->tree.nodes.n > first)
		rc = set_entries(v, first, value, e);
	if (rc < 0)
		return rc;
	keys_touch(v, v->tree.nodes.at[node].parent);
	edit_changed_node(v, node);
	return set_raw(v, node, raw) < 0 ? err_nomem(e) : 0;
}

int keys_set(struct volume *v, uint32_t node, uint32_t value, struct err *e)
{
	size_t mark = v->tree.undo.n;
	uint32_t dir = v->tree.nodes.at[node].parent;
	oref raw = raw_of(v, value);
	int rc = checkpoint_may_change(v->ck, e);
	if (rc == 0 && !vol_is_lone(v))
		rc = change_child_ok(v->ck, v->tree.nodes.at[dir].value, e);
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin)) {
		uint32_t other = twin_child(v, twin, node);
		if (other != TREE_NONE)
			rc = set_one(v, other, value, raw, e);
	}
	if (rc == 0)
		rc = set_one(v, node, value, raw, e);
	return undone(v, mark, rc);
}

int keys_restore(struct volume *v, uint32_t node, uint32_t value, struct err *e)
{
	size_t mark = v->tree.undo.n;
	uint32_t dir = v->tree.nodes.at[node].parent;
	int rc = may_edit(v, dir, e);
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin)) {
		uint32_t other = tree_find_gone(&v->tree, twin, node_name(&v->tree, node));
		if (other != TREE_NONE)
			rc = tree_restore(&v->tree, other, value, e);
		keys_touch(v, twin);
	}
	if (rc == 0)
		rc = tree_restore(&v->tree, node, value, e);
	if (rc == 0) {
		keys_touch(v, dir);
		edit_changed_node(v, node);
	}
	return undone(v, mark, rc);
}

int keys_mkdir(struct volume *v, uint32_t dir, struct str name, uint32_t *ret, struct err *e)
{
	uint32_t value;
	int rc = may_edit(v, dir, e);
	oref dict = obj_new(&v->ck->model.graph, OBJ_KIND_DICT, UINT32_MAX);
	if (rc == 0 && dict == OREF_NIL)
		rc = err_nomem(e);
	if (rc == 0)
		rc = keys_value(v, dict, &value, e);
	return rc < 0 ? rc : keys_add(v, dir, name, value, ret, e);
}

/* A further name for a tensor: the same object in the pickle, so that torch ties them too. */
int keys_link(struct volume *v, uint32_t node, uint32_t dir, struct str name, uint32_t *ret,
		struct err *e)
{
	size_t mark = v->tree.undo.n;
	oref raw;
	int rc = may_edit(v, dir, e);
	if (rc == 0 && tree_find(&v->tree, dir, name) != TREE_NONE)
		rc = err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(name));
	if (rc == 0)
		rc = keys_raw(v, node, &raw, e);
	if (rc == 0)
		rc = add_everywhere(v, dir, name, v->tree.nodes.at[node].value, raw, ret, e);
	return undone(v, mark, rc);
}
