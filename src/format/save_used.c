/* save_used.c - storages in the order in which pickling meets them first.
 *
 * The walk is the pickler's own order, with a stack of what is still to come: items and pairs in
 * their order; a call is its callable, its arguments, what was appended and set, its state. A
 * storage counts where its persistent id is, as torch numbers them (formats/torch-objects.md
 * section 1). Every node is opened once, so the stack holds at most what the containers hold
 * together.
 *
 * Not counted: storages that have no persistent id (numpy arrays, embedded streams); they are
 * part of the pickle.
 */
#include <pthfs/save.h>

#include <stdlib.h>

#include <pthfs/cleanup.h>

#include "interpret.h"

struct used {
	const struct checkpoint *ck;
	const struct graph *g;
	struct idmap by_key;
	VEC(oref) stack;
	VEC(uint32_t) ids;
	uint8_t *seen;  /* by node */
	uint8_t *taken; /* by storage */
};

static bool same_key(const void *ctx, const void *key, uint32_t id)
{
	const struct model *m = ctx;

	return str_eq(m->storages.at[id].key, *(const struct str *)key);
}

/* Of equal keys the first one counts. Embedded storages are numbered, and nobody names them. */
static int index_keys(struct used *u)
{
	const struct model *m = &u->ck->model;

	for (uint32_t i = 0; i < m->storages.n; i++) {
		uint64_t hash = str_hash(m->storages.at[i].key);

		if (m->storages.at[i].inside == OBJ_NONE &&
				idmap_find(&u->by_key, hash, same_key, m, &m->storages.at[i].key) == IDMAP_NONE &&
				idmap_add(&u->by_key, hash, i) < 0)
			return ERR_NOMEM;
	}
	return 0;
}

static int meet(struct used *u, oref id)
{
	struct persid p;
	uint32_t at;

	if (persid_parse(u->g, id, 0, &p))
		return 0;
	at = idmap_find(&u->by_key, str_hash(p.key), same_key, &u->ck->model, &p.key);
	if (at == IDMAP_NONE || u->taken[at])
		return 0;
	u->taken[at] = 1;
	return vec_push(&u->ids, at);
}

/* The last of them is looked at last. */
static int push_all(struct used *u, const oref *at, size_t n)
{
	if (vec_room(&u->stack, n) < 0)
		return ERR_NOMEM;
	while (n > 0)
		u->stack.at[u->stack.n++] = at[--n];
	return 0;
}

static int push_one(struct used *u, oref r)
{
	return r == OREF_NIL ? 0 : vec_push(&u->stack, r);
}

/* Pushed in reverse: what is written first comes off first. */
static int open_node(struct used *u, oref r)
{
	oref id = OREF_NIL, fn = OREF_NIL, args = OREF_NIL;
	uint32_t n_items, n_pairs;
	const oref *items = obj_items(u->g, r, &n_items), *pairs = obj_pairs(u->g, r, &n_pairs);
	int rc = 0;

	if (obj_persid(u->g, r, &id))
		rc = meet(u, id);
	obj_call(u->g, r, &fn, &args);
	if (rc == 0)
		rc = push_one(u, obj_state(u->g, r));
	if (rc == 0)
		rc = push_all(u, pairs, 2 * (size_t)n_pairs);
	if (rc == 0)
		rc = push_all(u, items, n_items);
	if (rc == 0)
		rc = push_one(u, obj_kwargs(u->g, r));
	if (rc == 0)
		rc = push_one(u, args);
	if (rc == 0)
		rc = push_one(u, fn);
	return rc < 0 ? rc : push_one(u, id);
}

static int walk(struct used *u, oref root)
{
	int rc = push_one(u, root);

	while (rc == 0 && u->stack.n) {
		oref r = u->stack.at[--u->stack.n];

		if (r >= u->g->nodes.n || u->seen[r])
			continue;
		u->seen[r] = 1;
		rc = open_node(u, r);
	}
	return rc;
}

int save_used(const struct checkpoint *ck, oref root, uint32_t **ids, uint32_t *n, struct err *e)
{
	struct used u = {.ck = ck, .g = &ck->model.graph};
	int rc;

	u.seen = calloc(u.g->nodes.n + 1, 1);
	u.taken = calloc(ck->model.storages.n + 1, 1);
	rc = u.seen && u.taken ? index_keys(&u) : ERR_NOMEM;
	if (rc == 0)
		rc = vec_room(&u.ids, 1); /* never NULL */
	if (rc == 0)
		rc = walk(&u, root);
	idmap_release(&u.by_key);
	vec_release(&u.stack);
	free(u.seen);
	free(u.taken);
	if (rc < 0) {
		vec_release(&u.ids);
		return err_nomem(e);
	}
	*ids = u.ids.at;
	*n = (uint32_t)u.ids.n;
	return 0;
}
