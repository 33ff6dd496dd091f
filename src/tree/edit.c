/* edit.c - names come, go and change.
 *
 * Every edit has the same shape: begin() makes sure that what is only counting cannot fail later,
 * note() keeps each node as it was before it is touched, end() takes everything back when a step
 * failed. The notes are the undo log too; where nobody asked for one, end() drops them.
 *
 *	alive      not NODE_GONE, and so is everything above: only the top of what was removed is
 *	           flagged, so that it comes back as it went
 *	rings      (rings.c) hold what is alive; changed before a node goes and after it has come
 *
 * Nodes of an edit that failed are taken off the end again: nobody has seen their numbers.
 */
#include "tree_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct edit {
	size_t mark, late;
	uint32_t nodes;
	bool recording;
};

static int begin(struct tree *t, struct edit *ed, struct err *e)
{
	*ed = (struct edit){t->undo.n, t->late.n, (uint32_t)t->nodes.n, t->recording};
	return tree_rings_room(t, e);
}

static int note(struct tree *t, uint32_t id, struct err *e)
{
	struct tree_was was = {id, t->nodes.at[id]};
	return vec_push(&t->undo, was) < 0 ? err_nomem(e) : 0;
}

/* A node that was not there before. */
static int note_new(struct tree *t, uint32_t id, struct err *e)
{
	struct tree_was was = {id, t->nodes.at[id]};
	was.node.parent = id;
	was.node.flags |= NODE_GONE;
	return vec_push(&t->undo, was) < 0 ? err_nomem(e) : 0;
}

/* One that never was is not found among the removed either. Cannot fail: it only changes what is. */
static void never_was(struct tree *t, uint32_t id)
{
	uint32_t when;
	t->nodes.at[id].flags |= NODE_GONE;
	if (u32map_get(&t->removed, id, &when))
		u32map_set(&t->removed, id, 0);
}

static void take_back(struct tree *t, size_t mark)
{
	while (t->undo.n > mark) {
		const struct tree_was *w = &t->undo.at[--t->undo.n];
		if (w->node.parent == w->id && w->node.flags & NODE_GONE)
			never_was(t, w->id);
		else
			t->nodes.at[w->id] = w->node;
	}
}

static int end(struct tree *t, const struct edit *ed, int rc)
{
	if (rc < 0) {
		take_back(t, ed->mark);
		tree_detach(t, ed->late);
		t->nodes.n = ed->nodes;
		return rc;
	}
	for (size_t i = ed->nodes; i < t->nodes.n; i++)
		t->nodes.at[i].flags |= NODE_NEW;
	if (!ed->recording)
		t->undo.n = ed->mark;
	t->generation++;
	return 0;
}

/* --- what is refused -------------------------------------------------------------------------- */

/* Can `node` (TREE_NONE: a new one) be called so in dir? */
static int place_ok(const struct tree *t, uint32_t dir, struct str name, uint32_t node,
		struct err *e)
{
	if (!(t->nodes.at[dir].flags & NODE_DIR))
		return err_sys(e, ENOTDIR, "%s", STR_SHOW(node_name(t, dir)));
	for (uint32_t i = dir;; i = t->nodes.at[i].parent) {
		if (t->nodes.at[i].flags & NODE_GONE)
			return err_set(e, ERR_ABSENT, "the directory is gone");
		if (i == node)
			return err_set(e, ERR_INVALID, "a directory cannot be moved into itself");
		if (t->nodes.at[i].parent == i)
			break;
	}
	if (name.n == 0 || name.n > NAME_LIMIT)
		return err_sys(e, ENAMETOOLONG, "names have 1 to %d bytes, this one %zu", NAME_LIMIT,
				name.n);
	uint32_t there = tree_find(t, dir, name);
	if (there != TREE_NONE && there != node)
		return err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(name));
	return 0;
}

/* A view finds children by what their keys are called (view.c): is this one called otherwise? */
static int look_at_name(struct tree *t, uint32_t id, struct err *e)
{
	const struct node *n = &t->nodes.at[id];
	struct buf own;
	int rc = 0;
	if (n->key == OREF_NIL || !(n->flags & NODE_RENAMED))
		return 0;
	buf_init(&own, 65536);
	name_of_key(&t->model->graph, n->key, &own);
	if (own.failed)
		rc = err_nomem(e);
	else
		t->odd_names = t->odd_names || !str_eq(buf_view(&own), node_name(t, id));
	buf_release(&own);
	return rc;
}

/* --- adding ----------------------------------------------------------------------------------- */

int tree_add(struct tree *t, uint32_t dir, oref key, struct str name, uint32_t value, uint32_t *ret,
		struct err *e)
{
	struct edit ed;
	uint32_t id = (uint32_t)t->nodes.n;
	bool taken = false;
	int rc = place_ok(t, dir, name, TREE_NONE, e);
	if (rc == 0)
		rc = begin(t, &ed, e);
	if (rc < 0)
		return rc;
	rc = tree_append(t, dir, key, name, value, &taken, e);
	if (rc == 0)
		rc = look_at_name(t, id, e);
	if (rc == 0)
		rc = tree_expand_all(t, id, e);
	if (rc == 0 && tree_attach(t, dir, id) < 0)
		rc = err_nomem(e);
	if (rc == 0)
		rc = note_new(t, id, e);
	if (rc == 0)
		rc = tree_rings_room(t, e);
	if (rc == 0) {
		tree_rings_add(t, id);
		*ret = id;
	}
	return end(t, &ed, rc);
}

/* --- removing --------------------------------------------------------------------------------- */

/* Flags a node that is in no ring any more. */
static int take_out(struct tree *t, uint32_t node, struct err *e)
{
	int rc = note(t, node, e);
	if (rc < 0)
		return rc;
	if (u32map_set(&t->removed, node, ++t->removals) < 0)
		return err_nomem(e);
	t->nodes.at[node].flags |= NODE_GONE;
	return 0;
}

int tree_remove(struct tree *t, uint32_t node)
{
	struct edit ed;
	if (t->nodes.at[node].parent == node || !tree_alive(t, node))
		return ERR_ABSENT;
	int rc = begin(t, &ed, NULL);
	if (rc < 0)
		return rc;
	tree_rings_drop(t, node);
	rc = end(t, &ed, take_out(t, node, NULL));
	if (rc < 0)
		tree_rings_add(t, node);
	return rc;
}

struct gone_search {
	const struct tree *t;
	uint32_t dir;
	uint32_t found, when;
};

/* Looks at every node of that name: never says yes, so that the search goes on to the last. */
static bool look_at_gone(const void *ctx, const void *key, uint32_t id)
{
	struct gone_search *g = *(struct gone_search *const *)ctx;
	const struct str *name = key;
	uint32_t when;
	if (id >= g->t->nodes.n)
		return false;
	const struct node *n = &g->t->nodes.at[id];
	if (n->parent != g->dir || !(n->flags & NODE_GONE) ||
			!str_eq(node_name(g->t, id), *name) ||
			!u32map_get(&g->t->removed, id, &when))
		return false;
	if (when > g->when)
		g->found = id, g->when = when;
	return false;
}

uint32_t tree_find_gone(const struct tree *t, uint32_t dir, struct str name)
{
	struct gone_search g = {t, dir, TREE_NONE, 0}, *search = &g;
	idmap_find(&t->by_name, tree_place_hash(dir, name), look_at_gone, &search, &name);
	return g.found;
}

/* --- other values ----------------------------------------------------------------------------- */

/* Another value for a node that was noted and is in no ring; what was below it goes. */
static int replace(struct tree *t, uint32_t node, uint32_t value, struct err *e)
{
	uint32_t slots = tree_slots(t, node), from = (uint32_t)t->nodes.n;
	int rc = 0;
	for (uint32_t i = 0; i < slots && rc == 0; i++) {
		uint32_t child = tree_child(t, node, i);
		if (child != TREE_NONE)
			rc = take_out(t, child, e);
	}
	if (rc < 0)
		return rc;
	t->nodes.at[node].value = value;
	t->nodes.at[node].flags &= (uint16_t)~NODE_DIR;
	if (!tree_value_is_dir(t->model, value))
		return 0;
	t->nodes.at[node].flags |= NODE_DIR;
	rc = tree_expand_late(t, node, e);
	uint32_t upto = (uint32_t)t->nodes.n;
	for (uint32_t i = from; i < upto && rc == 0; i++)
		rc = note_new(t, i, e);
	return rc < 0 ? rc : tree_expand_all(t, from, e);
}

int tree_set_value(struct tree *t, uint32_t node, uint32_t value, struct err *e)
{
	struct edit ed;
	if (!tree_alive(t, node))
		return err_set(e, ERR_ABSENT, "%s is gone", STR_SHOW(node_name(t, node)));
	int rc = begin(t, &ed, e);
	if (rc < 0)
		return rc;
	tree_rings_drop(t, node);
	rc = note(t, node, e);
	if (rc == 0)
		rc = replace(t, node, value, e);
	if (rc == 0)
		rc = tree_rings_room(t, e);
	rc = end(t, &ed, rc);
	tree_rings_add(t, node);
	return rc;
}

int tree_restore(struct tree *t, uint32_t node, uint32_t value, struct err *e)
{
	struct edit ed;
	if (!(t->nodes.at[node].flags & NODE_GONE))
		return err_set(e, ERR_EXISTS, "%s is there", STR_SHOW(node_name(t, node)));
	int rc = place_ok(t, t->nodes.at[node].parent, node_name(t, node), node, e);
	if (rc == 0)
		rc = begin(t, &ed, e);
	if (rc < 0)
		return rc;
	rc = note(t, node, e);
	if (rc == 0) {
		t->nodes.at[node].flags &= (uint16_t)~NODE_GONE;
		if (t->nodes.at[node].value != value)
			rc = replace(t, node, value, e);
	}
	if (rc == 0)
		rc = tree_rings_room(t, e);
	rc = end(t, &ed, rc);
	if (rc == 0)
		tree_rings_add(t, node);
	return rc;
}

/* --- other places ----------------------------------------------------------------------------- */

static int rename_node(struct tree *t, uint32_t node, uint32_t dir, oref key, struct str name,
		struct err *e)
{
	struct str kept;
	uint16_t flags = t->nodes.at[node].flags & (uint16_t)~(NODE_RENAMED | NODE_NUMBERED);
	if (!tree_plain_name(&t->model->graph, key, name, &kept)) {
		kept = arena_str(&t->names, name);
		flags |= NODE_RENAMED;
	}
	if (!kept.p)
		return err_nomem(e);
	struct node *n = &t->nodes.at[node];
	n->name = kept.p;
	n->name_len = (uint16_t)kept.n;
	n->flags = flags;
	n->parent = dir;
	n->key = key;
	t->meta_names = t->meta_names || str_ends(kept, STR(".meta"));
	if (tree_index(t, node) < 0 || tree_attach(t, dir, node) < 0)
		return err_nomem(e);
	return look_at_name(t, node, e);
}

int tree_move(struct tree *t, uint32_t node, uint32_t dir, oref key, struct str name, struct err *e)
{
	struct edit ed;
	if (t->nodes.at[node].parent == node || !tree_alive(t, node))
		return err_set(e, ERR_ABSENT, "%s is gone", STR_SHOW(node_name(t, node)));
	int rc = place_ok(t, dir, name, node, e);
	if (rc == 0)
		rc = begin(t, &ed, e);
	if (rc < 0)
		return rc;
	rc = note(t, node, e);
	if (rc == 0)
		rc = rename_node(t, node, dir, key, name, e);
	return end(t, &ed, rc);
}

int tree_flag(struct tree *t, uint32_t node, uint16_t set, uint16_t clear)
{
	uint16_t flags = (uint16_t)((t->nodes.at[node].flags | set) & ~clear);
	if (flags == t->nodes.at[node].flags)
		return 0;
	if (t->recording && note(t, node, NULL) < 0)
		return ERR_NOMEM;
	t->nodes.at[node].flags = flags;
	return 0;
}

int tree_renumber(struct tree *t, uint32_t dir, struct err *e)
{
	uint32_t slots = tree_slots(t, dir), k = 0;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(t, dir, i);
		char number[12];
		if (child == TREE_NONE)
			continue;
		int len = snprintf(number, sizeof number, "%" PRIu32, k++);
		struct str name = {number, (size_t)len};
		if (str_eq(node_name(t, child), name))
			continue;
		name = arena_str(&t->names, name);
		if (!name.p)
			return err_nomem(e);
		t->nodes.at[child].name = name.p;
		t->nodes.at[child].name_len = (uint16_t)name.n;
		t->nodes.at[child].key = OREF_NIL; /* its place when the file was opened */
		if (tree_index(t, child) < 0)
			return err_nomem(e);
		t->generation++;
	}
	return 0;
}

/* --- taking back ------------------------------------------------------------------------------ */

void tree_record_undo(struct tree *t)
{
	t->recording = true;
}

void tree_undo(struct tree *t, size_t mark)
{
	if (mark >= t->undo.n)
		return;
	take_back(t, mark);
	if (!t->rings)
		return; /* nothing but flags */
	tree_rings_remake(t);
	t->generation++;
}

void tree_forget_undo(struct tree *t)
{
	t->undo.n = 0;
	for (size_t i = 0; i < t->nodes.n; i++) {
		struct node *n = &t->nodes.at[i];
		n->flags &= (uint16_t)~(NODE_NEW | NODE_TOUCHED);
		if (n->flags & NODE_GONE)
			n->flags |= NODE_NEW;
	}
}
