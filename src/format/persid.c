/* persid.c - persistent ids: how a pickle names the storages that lie beside it.
 *
 *	zip      ('storage', class, key, location, numel)
 *	legacy   ('storage', class, key, location, numel, None | (view_key, offset, size))
 *	legacy   ('module', class, file, source): the class, with its source text
 *
 * All ids of a graph are looked at once, in the order of the pickle, because the first id met for a
 * key decides dtype and size, as in torch. A later one that says something else is a finding.
 * What the ids lead to is kept in the order of their nodes, so that a tensor finds its storage.
 * (formats/torch-objects.md section 1, formats/torch-legacy.md section 2)
 *
 * Not done here: where the bytes are. The container fills storage.data afterwards.
 */
#include "interpret.h"

#include "legacy.h"

static bool text_of(const struct graph *g, oref r, struct str *ret)
{
	enum obj_kind kind = obj_kind(g, r);

	return (kind == OBJ_KIND_STR || kind == OBJ_KIND_BYTES) && obj_text(g, r, ret);
}

/* "Float8_e4m3fnStorage", as TorchScript spells what Python has no class for. */
static enum dtype script_storage(struct str name)
{
	char low[40];

	if (name.n <= 7 || name.n - 7 >= sizeof low || !str_ends(name, STR("Storage")))
		return DTYPE_NONE;
	for (size_t i = 0; i < name.n - 7; i++)
		low[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
	return dtype_by_name((struct str){low, name.n - 7});
}

static enum dtype storage_dtype(const struct graph *g, oref cls)
{
	struct str module, name;
	enum dtype dt;

	if (!obj_global(g, cls, &module, &name))
		return DTYPE_NONE;
	dt = dtype_by_storage(name);
	return dt ? dt : script_storage(name);
}

const char *persid_parse(const struct graph *g, oref id, unsigned items, struct persid *ret)
{
	struct persid p = {.view = OREF_NIL};
	int64_t numel;
	uint32_t n;
	const oref *at = obj_items(g, id, &n);

	if (obj_kind(g, id) != OBJ_KIND_TUPLE || n < 5 || !obj_is_text(g, at[0], "storage"))
		return "its persistent id is not a ('storage', ...) tuple";
	if (items && n != items)
		return "its persistent id has a wrong number of items";
	p.dtype = storage_dtype(g, at[1]);
	if (!p.dtype)
		return "its storage class is unknown";
	if (!text_of(g, at[2], &p.key) || !text_of(g, at[3], &p.location))
		return "the key or the location of its storage is not a text";
	if (obj_kind(g, at[4]) != OBJ_KIND_INT || !obj_int(g, at[4], &numel))
		return "the element count of its storage is not a number of 64 bits";
	if (numel < 0)
		return "the element count of its storage is negative";
	p.numel = (uint64_t)numel;
	if (__builtin_mul_overflow(p.numel, dtype_info(p.dtype)->size, &p.nbytes) ||
			p.nbytes > INT64_MAX)
		return "the size of its storage is beyond 2^63 bytes";
	if (n == 6 && at[5] != OBJ_NONE)
		p.view = at[5];
	*ret = p;
	return NULL;
}

static bool same_key(const void *ctx, const void *key, uint32_t id)
{
	const struct model *m = ctx;

	return str_eq(m->storages.at[id].key, *(const struct str *)key);
}

uint32_t persid_find(const struct loader *l, struct str key)
{
	return idmap_find(&l->by_key, str_hash(key), same_key, l->m, &key);
}

static int note_conflict(
		struct loader *l, const struct storage *s, const struct persid *p, uint64_t off)
{
	if (s->dtype == p->dtype && s->nbytes == p->nbytes)
		return 0;
	return model_find(l->m, "ambiguous", s->key, off, l->e,
			"storage \"%s\" is named as %llu bytes of %s and again as %llu bytes of "
			"%s; the "
			"first holds, as in torch",
			STR_SHOW(s->key), (unsigned long long)s->nbytes,
			dtype_info((enum dtype)s->dtype)->name, (unsigned long long)p->nbytes,
			dtype_info(p->dtype)->name);
}

/* The storage of p, made when it is the first with that key. */
static int register_storage(struct loader *l, const struct persid *p, uint64_t off, uint32_t *ret)
{
	struct storage s = {
			.key = p->key,
			.nbytes = p->nbytes,
			.file_off = UINT64_MAX,
			.location = p->location,
			.dtype = (uint8_t)p->dtype,
			.broken = "this file has no place for the bytes of storages",
	};
	int rc;

	*ret = persid_find(l, p->key);
	if (*ret != MODEL_NONE)
		return note_conflict(l, &l->m->storages.at[*ret], p, off);
	rc = model_add_storage(l->m, &s, ret, l->e);
	if (rc < 0)
		return rc;
	return idmap_add(&l->by_key, str_hash(p->key), *ret) < 0 ? err_nomem(l->e) : 0;
}

/* A (view_key, offset, size) window of a legacy storage. */
static const char *read_window(
		const struct loader *l, const struct persid *p, uint32_t storage, uint64_t *shift)
{
	const struct storage *s = &l->m->storages.at[storage];
	uint64_t numel = s->nbytes / dtype_info((enum dtype)s->dtype)->size;
	int64_t off, size;
	uint32_t n;
	const oref *at = obj_items(l->g, p->view, &n);

	if (obj_kind(l->g, p->view) != OBJ_KIND_TUPLE || n != 3 || !obj_int(l->g, at[1], &off) ||
			!obj_int(l->g, at[2], &size))
		return "the view of its storage is not (key, offset, size)";
	if (off < 0 || size < 0 || (uint64_t)off > numel || (uint64_t)size > numel - (uint64_t)off)
		return "the view of its storage reaches outside of it";
	*shift = (uint64_t)off;
	return NULL;
}

static int register_persid(struct loader *l, oref r, oref id, uint32_t *ret)
{
	struct storage_ref ref = {.storage = MODEL_NONE};
	struct persid p;
	int rc;

	ref.why = persid_parse(l->g, id, l->persid_items, &p);
	if (!ref.why) {
		rc = register_storage(l, &p, obj_off(l->g, r), &ref.storage);
		if (rc < 0)
			return rc;
		if (p.view != OREF_NIL)
			ref.why = read_window(l, &p, ref.storage, &ref.shift);
	}
	if (!ref.why && !ref.shift && ref.storage < REF_INDEXED) {
		*ret = ref.storage;
		return 0;
	}
	if (l->refs.n >= REF_INDEXED - 1)
		return err_set(l->e, ERR_LIMIT, "more than 2^31 persistent ids");
	*ret = REF_INDEXED | (uint32_t)l->refs.n;
	return vec_push(&l->refs, ref) < 0 ? err_nomem(l->e) : 0;
}

int persid_scan(struct loader *l)
{
	struct persid_ref p;
	oref id;
	int rc;

	for (oref r = 0; r < l->g->nodes.n; r++) {
		if (!obj_persid(l->g, r, &id))
			continue;
		p = (struct persid_ref){r, PERSID_NONE};
		rc = l->tensors_by_id ? 0 : register_persid(l, r, id, &p.to);
		if (rc < 0)
			return rc;
		if (vec_push(&l->persids, p) < 0)
			return err_nomem(l->e);
	}
	return 0;
}

uint32_t persid_lookup(const struct loader *l, oref r)
{
	size_t low = 0, high = l->persids.n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (l->persids.at[mid].node < r)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->persids.n && l->persids.at[low].node == r ? l->persids.at[low].to
								  : PERSID_NONE;
}

static int resolve_embedded(struct loader *l, oref r, struct storage_ref *ret)
{
	struct call k;
	int rc;

	*ret = (struct storage_ref){.storage = MODEL_NONE, .why = "its storage is no storage"};
	if (u32map_get(&l->embedded, r, &ret->storage))
		return 0;
	if (obj_kind(l->g, r) != OBJ_KIND_CALL || !obj_call(l->g, r, &k.fn, &k.args) ||
			!obj_is_global(l->g, k.fn, "torch.storage", "_load_from_bytes"))
		return 0;
	rc = legacy_embedded(l, k.args, &ret->storage, &ret->why);
	if (rc < 0 || ret->storage == MODEL_NONE)
		return rc;
	ret->why = NULL;
	return u32map_set(&l->embedded, r, ret->storage) < 0 ? err_nomem(l->e) : 0;
}

int persid_resolve(struct loader *l, oref r, struct storage_ref *ret)
{
	uint32_t at;

	if (obj_kind(l->g, r) != OBJ_KIND_PERSID)
		return resolve_embedded(l, r, ret);
	at = persid_lookup(l, r);
	if (at == PERSID_NONE || l->tensors_by_id)
		*ret = (struct storage_ref){
				.storage = MODEL_NONE, .why = "its persistent id leads nowhere"};
	else if (at & REF_INDEXED)
		*ret = l->refs.at[at & ~REF_INDEXED];
	else
		*ret = (struct storage_ref){.storage = at};
	return 0;
}

oref persid_class(const struct loader *l, oref r)
{
	uint32_t n;
	const oref *at;
	oref id;

	if (!obj_persid(l->g, r, &id))
		return OREF_NIL;
	at = obj_items(l->g, id, &n);
	if (obj_kind(l->g, id) != OBJ_KIND_TUPLE || n < 1)
		return OREF_NIL;
	if (n == 4 && obj_is_text(l->g, at[0], "module"))
		return at[1];
	return n == 3 && l->tensors_by_id && obj_kind(l->g, at[0]) == OBJ_KIND_GLOBAL ? at[0]
										      : OREF_NIL;
}
