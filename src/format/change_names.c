/* change_names.c - objects that the graph has already, so that new ones are named as torch would:
 * a symbol, the word 'storage' and a location are one object each, which the pickle gets from the
 * memo. (formats/torch-objects.md sections 1 to 3)
 *
 * One look at every node, when something is first changed; later calls look at the nodes and
 * storages that came since. Nodes never go away, so what was found stays right, also when a change
 * is taken back.
 *
 * New keys are decimal numbers beyond all that are there. Records without a storage count too: a
 * second record of one name would be read by some and not by others.
 */
#include "change_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_DIGITS 18 /* longer ones are not looked at: next_key stays below 2^63 */

static const struct {
	const char *module, *name;
} symbols[SYM_COUNT] = {
		[SYM_V2] = {"torch._utils", "_rebuild_tensor_v2"},
		[SYM_V3] = {"torch._utils", "_rebuild_tensor_v3"},
		[SYM_PARAMETER] = {"torch._utils", "_rebuild_parameter"},
		[SYM_ORDERED_DICT] = {"collections", "OrderedDict"},
		[SYM_UNTYPED] = {"torch.storage", "UntypedStorage"},
};

void change_names_free(struct change_names *n)
{
	if (!n)
		return;
	idmap_release(&n->by_key);
	u32map_release(&n->persids);
	vec_release(&n->locations);
	free(n);
}

static struct change_names *new_names(void)
{
	struct change_names *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->word = OREF_NIL;
	for (size_t i = 0; i < SYM_COUNT; i++)
		n->symbols[i] = OREF_NIL;
	for (size_t i = 0; i < DTYPE_COUNT; i++)
		n->classes[i] = n->dtypes[i] = OREF_NIL;
	return n;
}

/* --- what is there ---------------------------------------------------------------------------- */

static void note_number(struct change_names *n, struct str text)
{
	uint64_t v = 0;

	if (!text.n || text.n > KEY_DIGITS)
		return;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return;
		v = v * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (v >= n->next_key)
		n->next_key = v + 1;
}

/* FOLDER/data/NUMBER */
static void note_records(struct change_names *n, const struct box *b)
{
	for (uint32_t i = 0; b && i < b->n; i++) {
		struct str name = b->at[i].name;
		const char *slash = name.n ? memrchr(name.p, '/', name.n) : NULL;
		size_t at = slash ? (size_t)(slash - name.p) : 0;

		if (slash && str_ends(str_cut(name, at), STR("/data")))
			note_number(n, str_skip(name, at + 1));
	}
}

static bool same_key(const void *ctx, const void *key, uint32_t id)
{
	const struct model *m = ctx;

	return str_eq(m->storages.at[id].key, *(const struct str *)key);
}

static uint32_t find_key(const struct change_names *n, const struct model *m, struct str key)
{
	return idmap_find(&n->by_key, str_hash(key), same_key, m, &key);
}

static int note_storages(struct change_names *n, const struct model *m)
{
	for (; n->storages < m->storages.n; n->storages++) {
		const struct storage *s = &m->storages.at[n->storages];

		note_number(n, s->key);
		if (s->inside == OBJ_NONE &&
				idmap_add(&n->by_key, str_hash(s->key), (uint32_t)n->storages) < 0)
			return ERR_NOMEM;
	}
	return 0;
}

static oref find_location(const struct change_names *n, const struct graph *g, struct str text)
{
	struct str have;

	for (size_t i = 0; i < n->locations.n; i++)
		if (obj_text(g, n->locations.at[i], &have) && str_eq(have, text))
			return n->locations.at[i];
	return OREF_NIL;
}

/* ('storage', class, key, location, numel, ...) */
static int note_persid(struct change_names *n, const struct model *m, oref r)
{
	const struct graph *g = &m->graph;
	struct str key, location;
	oref id = OREF_NIL;
	uint32_t count, storage;
	const oref *at;

	obj_persid(g, r, &id);
	at = obj_items(g, id, &count);
	if (obj_kind(g, id) != OBJ_KIND_TUPLE || count < 5 || !obj_is_text(g, at[0], "storage") ||
			!obj_text(g, at[2], &key) || !obj_text(g, at[3], &location))
		return 0;
	if (n->word == OREF_NIL)
		n->word = at[0];
	if (n->locations.n < 64 && find_location(n, g, location) == OREF_NIL &&
			vec_push(&n->locations, at[3]) < 0)
		return ERR_NOMEM;
	storage = find_key(n, m, key);
	if (storage == IDMAP_NONE || u32map_get(&n->persids, storage, &count))
		return 0;
	return u32map_set(&n->persids, storage, r);
}

static void note_once(oref *at, oref r)
{
	if (*at == OREF_NIL)
		*at = r;
}

static void note_global(struct change_names *n, const struct graph *g, oref r)
{
	struct str module, name;

	if (!obj_global(g, r, &module, &name))
		return;
	for (size_t i = 0; i < SYM_COUNT; i++)
		if (str_is(name, symbols[i].name) && str_is(module, symbols[i].module))
			note_once(&n->symbols[i], r);
	if (!str_is(module, "torch"))
		return;
	if (str_ends(name, STR("Storage"))) {
		enum dtype dt = dtype_by_storage(name);

		if (dt && str_is(name, dtype_info(dt)->storage))
			note_once(&n->classes[dt], r);
	} else {
		enum dtype dt = dtype_by_name(name);

		if (dt && str_is(name, dtype_info(dt)->name))
			note_once(&n->dtypes[dt], r);
	}
}

static int note_nodes(struct change_names *n, const struct model *m)
{
	int rc = 0;

	for (; n->nodes < m->graph.nodes.n && rc == 0; n->nodes++) {
		oref r = (oref)n->nodes;
		enum obj_kind kind = obj_kind(&m->graph, r);

		if (kind == OBJ_KIND_GLOBAL)
			note_global(n, &m->graph, r);
		else if (kind == OBJ_KIND_PERSID)
			rc = note_persid(n, m, r);
	}
	return rc;
}

struct change_names *change_names(struct checkpoint *ck, struct err *e)
{
	struct change_names *n = ck->names;

	if (!n) {
		n = ck->names = new_names();
		if (n)
			note_records(n, ck->box);
	}
	if (!n || note_storages(n, &ck->model) < 0 || note_nodes(n, &ck->model) < 0) {
		err_nomem(e);
		return NULL;
	}
	return n;
}

/* --- naming it again -------------------------------------------------------------------------- */

static oref new_global(struct graph *g, const char *module, const char *name)
{
	oref m = obj_new_text(g, OBJ_KIND_STR, str_of(module), UINT32_MAX);
	oref n = obj_new_text(g, OBJ_KIND_STR, str_of(name), UINT32_MAX);

	return m == OREF_NIL || n == OREF_NIL ? OREF_NIL : obj_new_global(g, m, n, UINT32_MAX);
}

oref names_symbol(struct checkpoint *ck, enum symbol_name which)
{
	oref *at = &ck->names->symbols[which];

	if (*at == OREF_NIL)
		*at = new_global(&ck->model.graph, symbols[which].module, symbols[which].name);
	return *at;
}

oref names_class(struct checkpoint *ck, enum dtype dt)
{
	oref *at = &ck->names->classes[dt];

	if (*at == OREF_NIL)
		*at = new_global(&ck->model.graph, "torch", dtype_info(dt)->storage);
	return *at;
}

oref names_dtype(struct checkpoint *ck, enum dtype dt)
{
	oref *at = &ck->names->dtypes[dt];

	if (*at == OREF_NIL)
		*at = new_global(&ck->model.graph, "torch", dtype_info(dt)->name);
	return *at;
}

oref names_word(struct checkpoint *ck)
{
	struct change_names *n = ck->names;

	if (n->word == OREF_NIL)
		n->word = obj_new_text(&ck->model.graph, OBJ_KIND_STR, STR("storage"), UINT32_MAX);
	return n->word;
}

oref names_location(struct checkpoint *ck, struct str location)
{
	struct change_names *n = ck->names;
	oref r = find_location(n, &ck->model.graph, location);

	if (r == OREF_NIL) {
		r = obj_new_text(&ck->model.graph, OBJ_KIND_STR, location, UINT32_MAX);
		if (r != OREF_NIL && vec_push(&n->locations, r) < 0)
			return OREF_NIL;
	}
	return r;
}

struct str names_new_key(struct checkpoint *ck)
{
	char text[24];

	do
		snprintf(text, sizeof text, "%" PRIu64, ck->names->next_key++);
	while (find_key(ck->names, &ck->model, str_of(text)) != IDMAP_NONE);
	return arena_str(&ck->model.arena, str_of(text));
}

oref names_persid(const struct checkpoint *ck, uint32_t storage)
{
	uint32_t r;

	return u32map_get(&ck->names->persids, storage, &r) ? r : OREF_NIL;
}
