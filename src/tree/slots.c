/* slots.c - which child stands where.
 *
 *	slot   0 ... n-1              n ...
 *	       node first + slot      more[].at[slot - n]: those that were added or moved in
 *
 * A slot is empty when its node is gone or has another parent. So a node that comes back stands
 * where it stood, and nothing is ever shifted: a cursor of readdir is a slot.
 */
#include "tree_in.h"

struct late_key {
	uint32_t dir, node;
};

static uint64_t late_hash(struct late_key k)
{
	return (uint64_t)k.dir << 32 | k.node;
}

static bool same_late(const void *ctx, const void *key, uint32_t id)
{
	const struct tree *t = ctx;
	const struct late_key *k = key;
	return id < t->late.n && t->late.at[id].dir == k->dir && t->late.at[id].node == k->node;
}

static uint32_t find_late(const struct tree *t, uint32_t dir, uint32_t node)
{
	struct late_key k = {dir, node};
	return idmap_find(&t->late_ids, late_hash(k), same_late, t, &k);
}

static const struct tree_more *more_of(const struct tree *t, uint32_t dir)
{
	uint32_t i;
	return u32map_get(&t->more_of, dir, &i) ? &t->more.at[i] : NULL;
}

uint32_t tree_slots(const struct tree *t, uint32_t dir)
{
	const struct tree_more *more = more_of(t, dir);
	return t->nodes.at[dir].n + (more ? (uint32_t)more->at.n : 0);
}

uint32_t tree_child(const struct tree *t, uint32_t dir, uint32_t slot)
{
	const struct node *d = &t->nodes.at[dir];
	uint32_t id;
	if (slot < d->n) {
		id = d->first + slot;
	} else {
		const struct tree_more *more = more_of(t, dir);
		if (!more || slot - d->n >= more->at.n)
			return TREE_NONE;
		id = more->at.at[slot - d->n];
	}
	const struct node *n = &t->nodes.at[id];
	return n->parent == dir && !(n->flags & NODE_GONE) ? id : TREE_NONE;
}

uint32_t tree_count(const struct tree *t, uint32_t dir)
{
	uint32_t slots = tree_slots(t, dir), count = 0;
	if (t->generation == 0)
		return slots;
	for (uint32_t i = 0; i < slots; i++)
		count += tree_child(t, dir, i) != TREE_NONE;
	return count;
}

static bool is_first_child(const struct node *dir, uint32_t node)
{
	return node >= dir->first && node - dir->first < dir->n;
}

uint32_t tree_slot(const struct tree *t, uint32_t node)
{
	uint32_t parent = t->nodes.at[node].parent;
	const struct node *dir = &t->nodes.at[parent];
	if (parent == node)
		return TREE_NONE;
	if (is_first_child(dir, node))
		return node - dir->first;
	uint32_t i = find_late(t, parent, node);
	return i == IDMAP_NONE ? TREE_NONE : t->late.at[i].slot;
}

static uint32_t next_child(const struct tree *t, uint32_t dir, uint32_t slot)
{
	uint32_t slots = tree_slots(t, dir);
	for (; slot < slots; slot++) {
		uint32_t id = tree_child(t, dir, slot);
		if (id != TREE_NONE)
			return id;
	}
	return TREE_NONE;
}

uint32_t tree_next_in(const struct tree *t, uint32_t top, uint32_t i)
{
	uint32_t next = TREE_NONE;
	if (t->nodes.at[i].flags & NODE_DIR)
		next = next_child(t, i, 0);
	while (next == TREE_NONE && i != top) {
		uint32_t parent = t->nodes.at[i].parent;
		if (parent == i)
			break;
		next = next_child(t, parent, tree_slot(t, i) + 1);
		i = parent;
	}
	return next;
}

uint32_t tree_next(const struct tree *t, uint32_t i)
{
	return tree_next_in(t, 0, i);
}

bool tree_alive(const struct tree *t, uint32_t node)
{
	if (t->generation == 0)
		return true;
	for (uint32_t i = node;; i = t->nodes.at[i].parent) {
		if (t->nodes.at[i].flags & NODE_GONE)
			return false;
		if (t->nodes.at[i].parent == i)
			return true;
	}
}

int tree_attach(struct tree *t, uint32_t dir, uint32_t node)
{
	struct tree_late l = {dir, node, 0};
	uint32_t i;
	if (is_first_child(&t->nodes.at[dir], node) || find_late(t, dir, node) != IDMAP_NONE)
		return 0;
	if (!u32map_get(&t->more_of, dir, &i)) {
		i = (uint32_t)t->more.n;
		if (vec_push(&t->more, (struct tree_more){0}) < 0)
			return ERR_NOMEM;
		if (u32map_set(&t->more_of, dir, i) < 0)
			return ERR_NOMEM;
	}
	struct tree_more *more = &t->more.at[i];
	l.slot = t->nodes.at[dir].n + (uint32_t)more->at.n;
	if (vec_room(&more->at, 1) < 0 || vec_room(&t->late, 1) < 0 ||
			idmap_add(&t->late_ids, late_hash((struct late_key){dir, node}),
					(uint32_t)t->late.n) < 0)
		return ERR_NOMEM;
	more->at.at[more->at.n++] = node;
	t->late.at[t->late.n++] = l;
	return 0;
}

void tree_detach(struct tree *t, size_t late)
{
	while (t->late.n > late) {
		uint32_t i;
		if (u32map_get(&t->more_of, t->late.at[--t->late.n].dir, &i))
			t->more.at[i].at.n--;
	}
}

void tree_slots_release(struct tree *t)
{
	for (size_t i = 0; i < t->more.n; i++)
		vec_release(&t->more.at[i].at);
	vec_release(&t->more);
	u32map_release(&t->more_of);
	vec_release(&t->late);
	idmap_release(&t->late_ids);
}
