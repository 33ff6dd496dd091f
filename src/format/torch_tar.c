/* torch_tar.c - what torch wrote before 0.1.7: a tar of pickles with raw numbers between them.
 *
 *	storages   pickle n, then n times: pickle (key, location, class), i64 count, data;
 *	           then a pickle of views [(key, root key, offset, numel), ...]
 *	tensors    pickle m, then m times: pickle (key, storage key, class), i32 ndim, 4 bytes,
 *	           i64 sizes, i64 strides, i64 offset
 *	pickle     the object; persistent ids are tensor keys, or (class, file, source)
 *
 * Keys are numbers; here they are kept as their decimal text. The class of a tensor is not looked
 * at: its dtype is its storage's. (formats/torch-legacy.md section 6)
 */
#include "containers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a key of the archive stands for: a storage (or a view of one), or a tensor. */
struct tar_key {
	struct str text;
	uint32_t id;    /* storage or tensor */
	uint64_t shift; /* views: elements */
	uint64_t numel;
};

struct tar_table {
	VEC(struct tar_key) at;
	struct idmap ids;
};

struct tar_load {
	struct loader *l;
	struct tar_table storages, tensors;
	oref root;
};

static int tar_bid(const unsigned char *head, size_t n, uint64_t size)
{
	uint64_t sum = 0, want = 0;

	if (n < 512)
		return 0;
	if (memcmp(head + 257, "ustar", 5) == 0)
		return 40;
	for (size_t i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? ' ' : head[i];
	for (size_t i = 148; i < 156; i++)
		if (head[i] >= '0' && head[i] <= '7')
			want = want * 8 + (head[i] - '0');
	return head[0] && sum == want ? 20 : 0;
}

static bool same_key(const void *ctx, const void *key, uint32_t id)
{
	const struct tar_table *t = ctx;

	return str_eq(t->at.at[id].text, *(const struct str *)key);
}

static const struct tar_key *find_key(const struct tar_table *t, struct str text)
{
	uint32_t at = idmap_find(&t->ids, str_hash(text), same_key, t, &text);

	return at == IDMAP_NONE ? NULL : &t->at.at[at];
}

static int add_key(struct loader *l, struct tar_table *t, struct tar_key k)
{
	if (find_key(t, k.text))
		return err_set(l->e, ERR_DAMAGED, "the key %s is there twice", STR_SHOW(k.text));
	if (idmap_add(&t->ids, str_hash(k.text), (uint32_t)t->at.n) < 0 || vec_push(&t->at, k) < 0)
		return err_nomem(l->e);
	return 0;
}

/* A key as text: numbers in decimal. */
static bool key_text(struct loader *l, oref r, struct str *ret)
{
	char tmp[24];
	int64_t v;

	if (obj_kind(l->g, r) == OBJ_KIND_STR || obj_kind(l->g, r) == OBJ_KIND_BYTES)
		return obj_text(l->g, r, ret);
	if (obj_kind(l->g, r) != OBJ_KIND_INT || !obj_int(l->g, r, &v))
		return false;
	snprintf(tmp, sizeof tmp, "%" PRId64, v);
	*ret = arena_str(&l->m->arena, str_of(tmp));
	return ret->p != NULL;
}

static int bad(struct loader *l, const struct reader *r, const char *what)
{
	return err_set(l->e, ERR_DAMAGED, "%s, at offset %" PRIu64 " of the file", what, r->pos);
}

/* A pickled count of things that take at least `each` bytes. */
static int read_count(struct loader *l, struct reader *r, unsigned each, uint64_t *ret)
{
	int64_t n;
	oref got;
	int rc = pickle_load(r, l->g, &got, NULL, l->e);

	if (rc < 0)
		return rc;
	if (!obj_int(l->g, got, &n) || n < 0 || (uint64_t)n > reader_left(r) / each)
		return bad(l, r, "the count is impossible");
	*ret = (uint64_t)n;
	return 0;
}

/* A pickled tuple of three. */
static int read_three(struct loader *l, struct reader *r, oref ret[3])
{
	uint32_t n;
	const oref *at;
	oref got;
	int rc = pickle_load(r, l->g, &got, NULL, l->e);

	if (rc < 0)
		return rc;
	at = args_of(l, got, 3, &n);
	if (!at)
		return bad(l, r, "a tuple of three is expected");
	memcpy(ret, at, 3 * sizeof *ret);
	return 0;
}

static int read_storage(struct tar_load *t, struct reader *r)
{
	struct loader *l = t->l;
	struct storage s = {.broken = NULL};
	struct tar_key k = {.text = STR("")};
	struct str module, name;
	uint64_t count;
	oref part[3];
	int rc = read_three(l, r, part);

	if (rc < 0)
		return rc;
	if (!key_text(l, part[0], &k.text) || !obj_text(l->g, part[1], &s.location) ||
			!obj_global(l->g, part[2], &module, &name))
		return bad(l, r, "a storage is not (key, location, class)");
	s.dtype = (uint8_t)dtype_by_storage(name);
	if (!s.dtype)
		return bad(l, r, "the class of a storage is unknown");
	rc = reader_u64(r, &count, l->e);
	if (rc < 0)
		return rc;
	if (__builtin_mul_overflow(count, dtype_info((enum dtype)s.dtype)->size, &s.nbytes) ||
			s.nbytes > reader_left(r))
		return bad(l, r, "a storage reaches beyond its record");
	s.key = k.text;
	s.file_off = r->pos;
	s.data = (struct extent){l->c->file, r->pos, s.nbytes};
	k.numel = count;
	rc = model_add_storage(l->m, &s, &k.id, l->e);
	if (rc == 0)
		rc = add_key(l, &t->storages, k);
	return rc < 0 ? rc : reader_skip(r, s.nbytes, l->e);
}

static int read_view(struct tar_load *t, struct reader *r, oref view)
{
	struct loader *l = t->l;
	struct tar_key k = {.text = STR("")};
	const struct tar_key *root;
	struct str root_key;
	int64_t off, numel;
	uint32_t n;
	const oref *at = args_of(l, view, 4, &n);

	if (!at || !key_text(l, at[0], &k.text) || !key_text(l, at[1], &root_key) ||
			!obj_int(l->g, at[2], &off) || !obj_int(l->g, at[3], &numel))
		return bad(l, r, "a view of a storage is not (key, root, offset, numel)");
	root = find_key(&t->storages, root_key);
	if (!root || off < 0 || numel < 0 || (uint64_t)off > root->numel ||
			(uint64_t)numel > root->numel - (uint64_t)off)
		return bad(l, r, "a view lies outside of its storage");
	k.id = root->id;
	k.shift = root->shift + (uint64_t)off;
	k.numel = (uint64_t)numel;
	return add_key(l, &t->storages, k);
}

static int read_storages(struct tar_load *t, struct reader *r)
{
	struct loader *l = t->l;
	uint64_t count;
	uint32_t n;
	oref views;
	int rc = read_count(l, r, 9, &count);

	for (uint64_t i = 0; i < count && rc == 0; i++)
		rc = read_storage(t, r);
	if (rc == 0)
		rc = pickle_load(r, l->g, &views, NULL, l->e);
	if (rc < 0)
		return rc;
	obj_items(l->g, views, &n);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		uint32_t now;

		rc = read_view(t, r, obj_items(l->g, views, &now)[i]);
	}
	return rc;
}

/* ndim numbers of 64 bits each. */
static int read_dims(struct loader *l, struct reader *r, unsigned ndim, int64_t *ret)
{
	uint64_t v;
	int rc = 0;

	for (unsigned i = 0; i < ndim && rc == 0; i++) {
		rc = reader_u64(r, &v, l->e);
		if (rc == 0)
			ret[i] = (int64_t)v;
	}
	return rc;
}

static int read_tensor(struct tar_load *t, struct reader *r)
{
	struct loader *l = t->l;
	struct tar_key k = {.text = STR("")};
	const struct tar_key *storage;
	struct str storage_key;
	struct draft d;
	uint32_t ndim;
	oref part[3];
	int rc = read_three(l, r, part);

	if (rc < 0)
		return rc;
	if (!key_text(l, part[0], &k.text) || !key_text(l, part[1], &storage_key))
		return bad(l, r, "a tensor is not (key, storage, class)");
	rc = reader_u32(r, &ndim, l->e);
	if (rc == 0)
		rc = reader_skip(r, 4, l->e);
	if (rc < 0)
		return rc;
	if (ndim > MODEL_MAX_NDIM)
		return bad(l, r, "a tensor has more than 64 dimensions");
	draft_init(&d, &(struct tensor){.storage = MODEL_NONE, .ndim = (uint8_t)ndim});
	rc = read_dims(l, r, ndim, d.shape);
	if (rc == 0)
		rc = read_dims(l, r, ndim, d.stride);
	if (rc == 0)
		rc = reader_u64(r, &d.t.offset, l->e);
	if (rc < 0)
		return rc;
	storage = find_key(&t->storages, storage_key);
	if (!storage || __builtin_add_overflow(d.t.offset, storage->shift, &d.t.offset)) {
		d.t.broken = "its storage is not in the archive";
	} else {
		d.t.storage = storage->id;
		d.t.dtype = l->m->storages.at[storage->id].dtype;
	}
	rc = draft_add(l, &d, OREF_NIL, &k.id);
	return rc < 0 ? rc : add_key(l, &t->tensors, k);
}

static int read_tensors(struct tar_load *t, struct reader *r)
{
	uint64_t count;
	int rc = read_count(t->l, r, 17, &count);

	for (uint64_t i = 0; i < count && rc == 0; i++)
		rc = read_tensor(t, r);
	return rc;
}

/* Runs fn over the bytes of a member. */
static int with_member(struct tar_load *t, const char *name,
		int (*fn)(struct tar_load *t, struct reader *r))
{
	struct loader *l = t->l;
	const struct member *m = box_find(l->c->box, str_of(name));
	struct reader r;
	int rc;

	if (!m)
		return err_set(l->e, ERR_NOT_CKPT,
				"a tar without the member \"%s\", so not a checkpoint of torch: "
				"unpack it and "
				"mount what is in it",
				name);
	rc = reader_init(&r, l->c->file, m->data_off, m->size, l->e);
	if (rc < 0)
		return rc;
	rc = fn(t, &r);
	reader_release(&r);
	if (rc == ERR_EOF)
		return err_set(l->e, ERR_TRUNCATED, "member \"%s\" ends before what it announces",
				name);
	if (rc < 0)
		err_prefix(l->e, "member \"%s\"", name);
	return rc;
}

/* Leads every persistent id to its tensor. */
static void resolve_ids(struct tar_load *t)
{
	struct loader *l = t->l;
	const struct tar_key *k;
	struct str text;
	oref id;

	for (size_t i = 0; i < l->persids.n; i++) {
		struct persid_ref *p = &l->persids.at[i];

		if (!obj_persid(l->g, p->node, &id) || !key_text(l, id, &text))
			continue;
		k = find_key(&t->tensors, text);
		if (!k)
			continue;
		p->to = k->id;
		if (l->m->tensors.at[k->id].obj == OREF_NIL)
			l->m->tensors.at[k->id].obj = p->node;
	}
}

static int read_object(struct tar_load *t, struct reader *r)
{
	return pickle_load(r, t->l->g, &t->root, &t->l->c->pickle, t->l->e);
}

static int load_members(struct tar_load *t)
{
	struct loader *l = t->l;
	int rc = with_member(t, "storages", read_storages);

	if (rc == 0)
		rc = with_member(t, "tensors", read_tensors);
	if (rc == 0)
		rc = with_member(t, "pickle", read_object);
	if (rc == 0)
		rc = loader_graph(l);
	if (rc < 0)
		return rc;
	resolve_ids(t);
	return loader_finish(l, t->root);
}

static void table_release(struct tar_table *t)
{
	vec_release(&t->at);
	idmap_release(&t->ids);
}

static int tar_load(struct source *file, const struct format_opts *o, struct checkpoint *c,
		struct err *e)
{
	struct box_opts bo = {.salvage = o->salvage};
	struct loader l;
	struct tar_load t = {.l = &l};
	int rc = box_tar_open(file, &bo, &c->box, e);

	if (rc < 0)
		return rc;
	loader_init(&l, c, o, e);
	l.tensors_by_id = true;
	c->producer = STR("torch before 0.1.7");
	rc = load_members(&t);
	table_release(&t.storages);
	table_release(&t.tensors);
	loader_release(&l);
	return rc;
}

const struct format_ops torch_tar_ops = {"torch tar", tar_bid, tar_load};
