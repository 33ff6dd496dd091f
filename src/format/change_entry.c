/* change_entry.c - which object of the graph stands where an entry of a directory is.
 *
 * The entries of a mapping are its pairs, those of a list its items, in order. Those of an object
 * come from its state, its items and its pairs: they are looked up by their keys. What is shown is
 * often not the object itself (a numpy scalar is shown as the number that it is): whoever writes a
 * directory anew must put the very objects back.
 */
#include "change_in.h"

/* The value under the key among the pairs of r, or OREF_NIL. */
static oref among_pairs(const struct graph *g, oref r, oref key)
{
	uint32_t n;
	const oref *at = obj_pairs(g, r, &n);

	for (uint32_t i = 0; i < n; i++)
		if (at[2 * (size_t)i] == key || obj_key_eq(g, at[2 * (size_t)i], key))
			return at[2 * (size_t)i + 1];
	return OREF_NIL;
}

/* A state is a dict, or two of them. */
static oref in_state(const struct graph *g, oref state, oref key)
{
	oref found = state == OREF_NIL ? OREF_NIL : among_pairs(g, state, key);
	uint32_t n;
	const oref *at;

	if (state == OREF_NIL || found != OREF_NIL || obj_kind(g, state) != OBJ_KIND_TUPLE)
		return found;
	at = obj_items(g, state, &n);
	for (uint32_t i = 0; i < n && found == OREF_NIL; i++)
		found = among_pairs(g, at[i], key);
	return found;
}

static oref attribute(struct loader *l, oref r, oref key)
{
	struct call k;
	oref found;

	peel(l, r, &k);
	found = in_state(l->g, k.state, key);
	if (found == OREF_NIL && k.obj != OREF_NIL)
		found = among_pairs(l->g, k.obj, key);
	return found;
}

static int mapping_entries(struct loader *l, const struct value *v, oref *out)
{
	struct pairs p = {0};

	if (!mapping_pairs(l, v->obj, &p)) {
		vec_release(&p.at);
		return err_nomem(l->e);
	}
	for (uint32_t i = 0; i < v->n && p.at.n == 2 * (size_t)v->n; i++)
		out[i] = p.at.at[2 * (size_t)i + 1];
	vec_release(&p.at);
	return 0;
}

static void list_entries(const struct graph *g, const struct value *v, oref *out)
{
	uint32_t n;
	const oref *at = obj_items(g, v->obj, &n);

	for (uint32_t i = 0; i < v->n && n == v->n; i++)
		out[i] = at[i];
}

static void object_entries(struct loader *l, const struct value *v, oref *out)
{
	for (uint32_t i = 0; i < v->n; i++) {
		oref found = attribute(l, v->obj, l->m->entries.at[v->first + i].key);

		if (found != OREF_NIL)
			out[i] = found;
	}
}

int change_entries(struct checkpoint *ck, uint32_t dir, oref *out, struct err *e)
{
	const struct value *v = &ck->model.values.at[dir];
	bool own = v->kind == VALUE_DICT || v->kind == VALUE_LIST || v->kind == VALUE_OBJECT;
	struct loader l;
	int rc = 0;

	for (uint32_t i = 0; i < v->n; i++)
		out[i] = own ? ck->model.values.at[ck->model.entries.at[v->first + i].value].obj
			     : OREF_NIL;
	change_loader(&l, ck, e);
	if (v->kind == VALUE_DICT)
		rc = mapping_entries(&l, v, out);
	else if (v->kind == VALUE_LIST)
		list_entries(l.g, v, out);
	else if (v->kind == VALUE_OBJECT)
		object_entries(&l, v, out);
	loader_release(&l);
	return rc;
}
