/* loader.c - what every format does around its own work: begin, and end with a sealed model.
 *
 *	loader_init()    an empty model
 *	                 (the format: pickle_load)
 *	loader_graph()   dicts without duplicate keys, storages
 *	loader_finish()  globals, values, findings; tables that only loading needs are dropped
 */
#include "script.h"

/* clang-format off */
static const char *const key_text[KEY_COUNT] = {
	[KEY_STATE] = "state",
	[KEY_ARGS] = "args",
	[KEY_KWARGS] = "kwargs",
	[KEY_INDICES] = "indices",
	[KEY_VALUES] = "values",
	[KEY_CROW] = "crow_indices",
	[KEY_COL] = "col_indices",
	[KEY_CCOL] = "ccol_indices",
	[KEY_ROW] = "row_indices",
	[KEY_INT_REPR] = "int_repr",
	[KEY_SCALE] = "scale",
	[KEY_ZERO_POINT] = "zero_point",
	[KEY_SCALES] = "scales",
	[KEY_ZERO_POINTS] = "zero_points",
	[KEY_AXIS] = "axis",
	[KEY_BUFFER] = "buffer",
	[KEY_SIZES] = "sizes",
	[KEY_STRIDES] = "strides",
	[KEY_OFFSETS] = "storage_offsets",
	[KEY_DATA] = "data",
	[KEY_MASK] = "mask",
};
/* clang-format on */

void loader_init(struct loader *l, struct checkpoint *c, const struct format_opts *o, struct err *e)
{
	*l = (struct loader){.c = c, .m = &c->model, .g = &c->model.graph, .o = o, .e = e};
	for (unsigned i = 0; i < KEY_COUNT; i++)
		l->keys[i] = OREF_NIL;
}

void loader_release(struct loader *l)
{
	u32map_release(&l->memo);
	vec_release(&l->persids);
	vec_release(&l->holds);
	vec_release(&l->refs);
	idmap_release(&l->by_key);
	u32map_release(&l->roles);
	u32map_release(&l->raw);
	u32map_release(&l->embedded);
	script_free(l->script);
	l->script = NULL;
}

oref loader_key(struct loader *l, enum made_key k)
{
	if (l->keys[k] == OREF_NIL)
		l->keys[k] = obj_new_text(l->g, OBJ_KIND_STR, str_of(key_text[k]), UINT32_MAX);
	return l->keys[k];
}

int loader_graph(struct loader *l)
{
	int rc = graph_dedupe(l->g);

	if (rc == ERR_LIMIT)
		return err_set(l->e, ERR_LIMIT, "the keys of its dicts take too long to compare");
	return rc < 0 ? err_nomem(l->e) : persid_scan(l);
}

int loader_finish(struct loader *l, oref root)
{
	int rc = globals_scan(l);

	if (rc < 0)
		return rc;
	idmap_release(&l->by_key); /* storages have their bytes: the room is for values */
	rc = interpret(l, root, &l->m->root);
	if (rc < 0)
		return rc;
	graph_trim(l->g);
	model_seal(l->m);
	if (l->c->box)
		box_settle(l->c->box);
	return 0;
}
