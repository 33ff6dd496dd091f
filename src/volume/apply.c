/* apply.c - the edited tree becomes the object graph that the pickle is written from.
 *
 * Only directories that were touched are looked at, each container once however many paths show
 * it: its pairs or items are made anew from its children, in slot order. A child that nobody
 * edited keeps the very object that stood there. All of it is worked out before the first object is
 * changed, since what moved away from one container is looked up in it.
 *
 * Doing it again does nothing new: a commit that failed can be tried again.
 */
#include "edit.h"

#include <pthfs/cleanup.h>
#include <string.h>

/* What one container is to hold. */
struct made {
	uint32_t dir;      /* a tree node that shows it */
	size_t first, n;   /* in apply.objects: pairs of key and value */
};
struct apply {
	struct volume *v;
	VEC(struct made) made;
	VEC(oref) objects;
	struct u32map seen; /* values (containers) that are done */
};

static int gather_child(struct apply *a, uint32_t node)
{
	oref raw, key = a->v->tree.nodes.at[node].key;
	if (keys_raw(a->v, node, &raw, NULL) < 0 || u32map_set(&a->v->edit->raw, node, raw) < 0 || vec_push(&a->objects, key) < 0)
		return ERR_NOMEM;
	return vec_push(&a->objects, raw);
}

/* What was removed may come back: its object is not to be found in the container any more then. */
static int remember_gone(struct volume *v, uint32_t dir)
{
	const struct node *d = &v->tree.nodes.at[dir];
	for (uint32_t node = d->first; node - d->first < d->n; node++) {
		oref raw;
		if (v->tree.nodes.at[node].flags & NODE_GONE &&
				(keys_raw(v, node, &raw, NULL) < 0 || u32map_set(&v->edit->raw, node, raw) < 0))
			return ERR_NOMEM;
	}
	return 0;
}

static int gather(struct apply *a, uint32_t dir)
{
	const struct tree *t = &a->v->tree;
	struct made m = {.dir = dir, .first = a->objects.n};
	uint32_t ignored, slots = tree_slots(t, dir);
	bool again = u32map_get(&a->seen, t->nodes.at[dir].value, &ignored);
	if (remember_gone(a->v, dir) < 0)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(t, dir, i);
		if (child == TREE_NONE)
			continue;
		if (gather_child(a, child) < 0)
			return ERR_NOMEM;
		m.n++;
	}
	if (again) { /* another path to the same container: only the children's objects were wanted */
		a->objects.n = m.first;
		return 0;
	}
	if (u32map_set(&a->seen, t->nodes.at[dir].value, 1) < 0)
		return ERR_NOMEM;
	return vec_push(&a->made, m);
}

static int gather_all(struct apply *a)
{
	const struct tree *t = &a->v->tree;
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		uint16_t flags = t->nodes.at[i].flags;
		if (!(flags & NODE_TOUCHED) || !(flags & NODE_DIR) || !tree_alive(t, i) || vol_is_lone(a->v))
			continue;
		if (gather(a, i) < 0)
			return ERR_NOMEM;
	}
	return 0;
}

/* --- into the graph ---------------------------------------------------------------------------------- */

static int set_items(struct apply *a, const struct made *m, struct err *e)
{
	_cleanup_(freep) oref *items = malloc((m->n + 1) * sizeof *items);
	if (!items)
		return err_nomem(e);
	for (size_t i = 0; i < m->n; i++)
		items[i] = a->objects.at[m->first + 2 * i + 1];
	return change_items(a->v->ck, a->v->tree.nodes.at[m->dir].value, items, (uint32_t)m->n, e);
}

/* Attributes keep their names; those that have another value get it. */
static int set_attributes(struct apply *a, const struct made *m, struct err *e)
{
	uint32_t dir = a->v->tree.nodes.at[m->dir].value;
	uint32_t n = vol_model(a->v)->values.at[dir].n;
	_cleanup_(freep) oref *now = malloc((n + 1) * sizeof *now);
	int rc = now ? change_entries(a->v->ck, dir, now, e) : err_nomem(e);
	for (size_t i = 0; i < m->n && i < n && rc == 0; i++) {
		const oref *pair = &a->objects.at[m->first + 2 * i];
		if (pair[0] != OREF_NIL && pair[1] != OREF_NIL && now[i] != pair[1])
			rc = change_attribute(a->v->ck, dir, pair[0], pair[1], e);
	}
	return rc;
}

static int set_children(struct apply *a, const struct made *m, struct err *e)
{
	uint32_t dir = a->v->tree.nodes.at[m->dir].value;
	struct value *val = &vol_model(a->v)->values.at[dir];
	if (val->kind == VALUE_DICT || val->kind == VALUE_LIST)
		val->flags |= VALUE_PAST;
	switch (val->kind) {
	case VALUE_DICT:
		return change_pairs(a->v->ck, dir, &a->objects.at[m->first], (uint32_t)m->n, e);
	case VALUE_LIST:
		return set_items(a, m, e);
	case VALUE_OBJECT:
		return set_attributes(a, m, e);
	default:
		return 0; /* only bytes can change in there */
	}
}

/* --- _metadata ------------------------------------------------------------------------------------------ */

struct names {
	VEC(struct renamed) renamed;
	VEC(struct str) keys;
};

static int gather_names(struct volume *v, uint32_t dir, struct names *n)
{
	const struct graph *g = &vol_model(v)->graph;
	uint32_t slots = tree_slots(&v->tree, dir), was, home;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(&v->tree, dir, i);
		struct renamed r;
		if (child == TREE_NONE || v->tree.nodes.at[child].key == OREF_NIL ||
				!key_text(g, v->tree.nodes.at[child].key, &r.now))
			continue;
		if (vec_push(&n->keys, r.now) < 0)
			return ERR_NOMEM;
		if (!u32map_get(&v->edit->renamed, child, &was) || was == OREF_NIL ||
				!key_text(g, was, &r.was) || str_eq(r.was, r.now))
			continue;
		if (u32map_get(&v->edit->home, child, &home) && home != dir)
			continue; /* it came from another dict */
		if (vec_push(&n->renamed, r) < 0)
			return ERR_NOMEM;
	}
	return 0;
}

static int follow_names(struct volume *v, uint32_t dir, struct err *e)
{
	uint32_t value = v->tree.nodes.at[dir].value;
	struct names n = {0};
	int rc = 0;
	if (vol_model(v)->values.at[value].kind != VALUE_DICT)
		return 0;
	if (gather_names(v, dir, &n) < 0)
		rc = err_nomem(e);
	else if (n.renamed.n)
		rc = change_metadata(v->ck, value, n.renamed.at, n.renamed.n, n.keys.at, n.keys.n, e);
	vec_release(&n.renamed);
	vec_release(&n.keys);
	return rc;
}

/* The top object itself is one value, and another one now. */
static bool lone_changed(const struct volume *v)
{
	return vol_is_lone(v) && v->tree.nodes.n > 1 &&
	       (v->tree.nodes.at[0].flags | v->tree.nodes.at[1].flags) & NODE_TOUCHED;
}

static void apply_release(struct apply *a)
{
	vec_release(&a->made);
	vec_release(&a->objects);
	u32map_release(&a->seen);
}

int apply_keys(struct volume *v, struct err *e)
{
	struct apply a = {.v = v};
	int rc = gather_all(&a) < 0 ? err_nomem(e) : 0;
	for (size_t i = 0; i < a.made.n && rc == 0; i++)
		rc = set_children(&a, &a.made.at[i], e);
	apply_release(&a);
	return rc;
}

int apply_tree(struct volume *v, bool *pickle, struct err *e)
{
	struct apply a = {.v = v};
	int rc = gather_all(&a) < 0 ? err_nomem(e) : 0;
	for (size_t i = 0; i < a.made.n && rc == 0; i++) {
		rc = set_children(&a, &a.made.at[i], e);
		if (rc == 0)
			rc = follow_names(v, a.made.at[i].dir, e);
	}
	*pickle = a.made.n > 0 || lone_changed(v);
	apply_release(&a);
	return rc;
}
