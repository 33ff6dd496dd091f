/* dirty.c - storages that are written over.
 *
 * The first write gives a storage a blob: from then on its data is a source over that, so that
 * every tensor on it, strided ones and .npy files too, shows what was written. What a write to a
 * tensor's file means for its storage is tensor_scatter()'s to say: one run for a contiguous
 * tensor, single elements for others; those are sorted and joined, so that a transposed tensor
 * costs as many runs as it has rows, not elements.
 */
#include "edit.h"

#include <pthfs/cleanup.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (128u << 10) /* bytes scattered at a time; whole elements of every type */

static struct model *model(struct volume *v)
{
	return &v->ck->model;
}

const struct dirty *dirty_find(const struct volume *v, uint32_t storage)
{
	uint32_t i;
	if (!v->edit || !u32map_get(&v->edit->dirty_of, storage, &i))
		return NULL;
	return &v->edit->dirty.at[i];
}

static int make(struct volume *v, uint32_t storage, struct dirty *d, struct err *e)
{
	struct storage *s = &model(v)->storages.at[storage];
	*d = (struct dirty){.storage = storage, .base = s->data};
	if (!s->data.src)
		return err_set(e, ERR_DAMAGED, "its storage cannot be read: %s", s->broken ? s->broken : "");
	int rc = storage < v->edit->base_storages ? checkpoint_may_write(v->ck, storage, e) : 0;
	if (rc == 0)
		rc = blob_new(edit_blob_id(v), s->data, s->data.len, &d->blob, e);
	if (rc == 0)
		rc = blob_source(d->blob, &d->shown, e);
	if (rc < 0)
		blob_unref(d->blob);
	return rc;
}

int dirty_get(struct volume *v, uint32_t storage, struct dirty **ret, struct err *e)
{
	struct edit *ed = v->edit;
	struct dirty d;
	uint32_t i;
	if (u32map_get(&ed->dirty_of, storage, &i)) {
		*ret = &ed->dirty.at[i];
		return 0;
	}
	int rc = make(v, storage, &d, e);
	if (rc < 0)
		return rc;
	if (vec_push(&ed->dirty, d) < 0 ||
			u32map_set(&ed->dirty_of, storage, (uint32_t)ed->dirty.n - 1) < 0) {
		source_unref(d.shown);
		blob_unref(d.blob);
		return err_nomem(e);
	}
	model(v)->storages.at[storage].data = (struct extent){d.shown, 0, blob_size(d.blob)};
	*ret = &ed->dirty.at[ed->dirty.n - 1];
	return 0;
}

void dirty_release(struct volume *v)
{
	struct edit *ed = v->edit;
	for (size_t i = 0; i < ed->dirty.n; i++) {
		struct dirty *d = &ed->dirty.at[i];
		if (d->storage < model(v)->storages.n)
			model(v)->storages.at[d->storage].data = d->base;
		source_unref(d->shown);
		blob_unref(d->blob);
	}
	vec_release(&ed->dirty);
	u32map_release(&ed->dirty_of);
}

/* A name by which the journal can find the tensor's storage, or TREE_NONE. */
static uint32_t name_on(const struct volume *v, uint32_t tensor)
{
	const struct model *m = vol_model(v);
	uint32_t node = tree_first(&v->tree, tensor), storage = m->tensors.at[tensor].storage;
	for (uint32_t i = 0; i < m->tensors.n && node == TREE_NONE; i++)
		if (m->tensors.at[i].storage == storage)
			node = tree_first(&v->tree, i);
	return node;
}

/* The journal learns once which storage a blob's number stands for. A file that was removed and is
 * still open may be the last one on it: then nobody will miss what is written, until one comes back
 * and has its storage told under another number. */
static int tell(struct volume *v, uint32_t tensor, struct dirty *d, struct err *e)
{
	if (d->told)
		return 0;
	uint32_t node = name_on(v, tensor);
	if (node == TREE_NONE) {
		d->unnamed = true;
		return 0;
	}
	if (d->unnamed)
		blob_renumber(d->blob, edit_blob_id(v));
	d->unnamed = false;
	int rc = ops_storage(v, node, d->blob, e);
	d->told = rc == 0;
	return rc;
}

static void touched(struct volume *v, struct dirty *d)
{
	d->changed = edit_now(v);
	v->edit->generation++;
}

/* --- a piece of a tensor's file ------------------------------------------------------------------ */

struct run {
	uint64_t to, at, n; /* offset in the storage, in the buffer; bytes */
};
struct runs {
	VEC(struct run) list;
	bool unsorted;
};

static int add_run(void *ctx, uint64_t to, uint64_t at, uint64_t n)
{
	struct runs *r = ctx;
	if (r->list.n && r->list.at[r->list.n - 1].to + r->list.at[r->list.n - 1].n > to)
		r->unsorted = true;
	return vec_push(&r->list, ((struct run){to, at, n}));
}

static int by_place(const void *pa, const void *pb)
{
	const struct run *a = pa, *b = pb;
	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static int by_offset(const void *pa, const void *pb)
{
	const struct run *a = pa, *b = pb;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* In the order of places, so that neighbours join. Where some lie on one another (an expanded
 * tensor) they stay as they were: the later one wins. */
static void sort_runs(struct runs *r)
{
	uint64_t end = 0;
	if (!r->unsorted)
		return;
	qsort(r->list.at, r->list.n, sizeof *r->list.at, by_place);
	for (size_t i = 0; i < r->list.n; i++) {
		if (r->list.at[i].to < end) {
			qsort(r->list.at, r->list.n, sizeof *r->list.at, by_offset);
			return;
		}
		end = r->list.at[i].to + r->list.at[i].n;
	}
}

/* Without a journal (a command's one edit) what is scattered is in memory until the commit. */
static int write_bytes(struct volume *v, struct dirty *d, const char *bytes, size_t n, uint64_t to,
		struct err *e)
{
	if (v->edit->journal)
		return blob_write(d->blob, v->edit->journal, bytes, n, to, e);
	char *copy = malloc(n);
	if (!copy)
		return err_nomem(e);
	memcpy(copy, bytes, n);
	struct source *s = source_mem_take(copy, n);
	int rc = s ? blob_map(d->blob, to, (struct extent){s, 0, n}, e) : err_nomem(e);
	source_unref(s);
	return rc;
}

/* Joins runs that touch, in a buffer, and writes them. */
static int write_runs(struct volume *v, struct dirty *d, const struct runs *r, const char *buf,
		char *joined, struct err *e)
{
	uint64_t begin = 0, n = 0;
	int rc = 0;
	for (size_t i = 0; i < r->list.n && rc == 0; i++) {
		const struct run *x = &r->list.at[i];
		if (n && (x->to < begin || x->to > begin + n)) {
			rc = write_bytes(v, d, joined, n, begin, e);
			n = 0;
		}
		if (n == 0)
			begin = x->to;
		memcpy(joined + (x->to - begin), buf + x->at, x->n);
		if (x->to - begin + x->n > n)
			n = x->to - begin + x->n;
	}
	return rc == 0 && n ? write_bytes(v, d, joined, n, begin, e) : rc;
}

static int write_scattered(struct volume *v, uint32_t tensor, struct dirty *d, const char *buf,
		size_t n, uint64_t off, struct err *e)
{
	_cleanup_(freep) char *joined = NULL;
	struct runs r = {.unsorted = false};
	int rc = tensor_scatter(model(v), tensor, off, n, add_run, &r, e);
	if (rc == ERR_NOMEM)
		err_nomem(e);
	if (rc == 0 && r.list.n == 1) {
		rc = write_bytes(v, d, buf + r.list.at[0].at, r.list.at[0].n, r.list.at[0].to, e);
	} else if (rc == 0) {
		joined = malloc(n);
		sort_runs(&r);
		rc = joined ? write_runs(v, d, &r, buf, joined, e) : err_nomem(e);
	}
	vec_release(&r.list);
	return rc;
}

/* Elements that are stored conjugated or negated are values: whole ones are needed. */
static int write_fixed(struct volume *v, uint32_t tensor, struct dirty *d, const char *buf, size_t n,
		uint64_t off, struct err *e)
{
	const struct tensor *t = &model(v)->tensors.at[tensor];
	enum dtype dt = (enum dtype)t->dtype;
	size_t size = dtype_info(dt)->size, front = off % size, got;
	size_t whole = (front + n + size - 1) / size * size;
	_cleanup_(freep) char *elements = malloc(whole);
	struct content c = {0};
	if (!elements)
		return err_nomem(e);
	int rc = content_tensor(model(v), tensor, &c, e);
	if (rc == 0)
		rc = content_read(&c, elements, whole, off - front, &got, e);
	content_release(&c);
	if (rc < 0)
		return rc;
	memcpy(elements + front, buf, n);
	scatter_fix(dt, tensor_scatter_fix(t), elements, whole / size);
	return write_scattered(v, tensor, d, elements, whole, off - front, e);
}

int dirty_write(struct volume *v, uint32_t tensor, const void *buf, size_t n, uint64_t off,
		struct err *e)
{
	const struct tensor *t = &model(v)->tensors.at[tensor];
	bool simple = t->flags & TENSOR_CONTIGUOUS && !tensor_scatter_fix(t);
	struct dirty *d;
	if (n == 0)
		return 0;
	int rc = dirty_get(v, t->storage, &d, e);
	if (rc == 0)
		rc = tell(v, tensor, d, e);
	for (size_t at = 0, part; at < n && rc == 0; at += part) {
		part = simple || n - at < CHUNK ? n - at : CHUNK - (off + at) % CHUNK;
		if (tensor_scatter_fix(t))
			rc = write_fixed(v, tensor, d, (const char *)buf + at, part, off + at, e);
		else
			rc = write_scattered(v, tensor, d, (const char *)buf + at, part, off + at, e);
	}
	if (rc == 0)
		touched(v, d);
	return rc;
}

/* --- all of a tensor's file ----------------------------------------------------------------------- */

static int copy_pieces(struct volume *v, uint32_t tensor, struct blob *b, struct err *e)
{
	_cleanup_(freep) char *buf = malloc(CHUNK);
	uint64_t size = blob_size(b);
	int rc = buf ? 0 : err_nomem(e);
	for (uint64_t off = 0; off < size && rc == 0; off += CHUNK) {
		size_t n = size - off < CHUNK ? (size_t)(size - off) : CHUNK;
		rc = blob_read(b, buf, n, off, e);
		if (rc == 0)
			rc = dirty_write(v, tensor, buf, n, off, e);
	}
	return rc;
}

/* Element by element; the old ones are back when it does not work to the end. */
static int copy_through(struct volume *v, uint32_t tensor, struct blob *b, struct err *e)
{
	struct dirty *d;
	struct blob *old = NULL;
	int rc = dirty_get(v, model(v)->tensors.at[tensor].storage, &d, e);
	if (rc == 0)
		rc = tell(v, tensor, d, e);
	if (rc == 0)
		rc = blob_new(0, (struct extent){0}, blob_size(d->blob), &old, e);
	if (rc == 0)
		rc = blob_adopt(old, 0, d->blob, 0, blob_size(d->blob), e);
	if (rc == 0)
		rc = ops_group(v, OPS_BEGIN, e);
	if (rc == 0) {
		rc = copy_pieces(v, tensor, b, e);
		if (rc == 0)
			rc = ops_group(v, OPS_END, e);
		if (rc < 0) {
			ops_group(v, OPS_ABORT, NULL);
			blob_adopt(d->blob, 0, old, 0, blob_size(old), NULL);
		}
	}
	blob_unref(old);
	return rc;
}

int dirty_replace(struct volume *v, uint32_t tensor, struct blob *b, struct err *e)
{
	const struct tensor *t = &model(v)->tensors.at[tensor];
	const struct target to = {.what = INO_TENSOR, .node = tree_first(&v->tree, tensor)};
	uint64_t first, end;
	struct dirty *d;
	if (t->nbytes == 0)
		return 0;
	tensor_span(model(v), t, &first, &end);
	if (!(t->flags & TENSOR_CONTIGUOUS) || tensor_scatter_fix(t) || end - first != t->nbytes)
		return copy_through(v, tensor, b, e);
	int rc = dirty_get(v, t->storage, &d, e);
	if (rc == 0)
		rc = ops_put(v, &to, b, e);
	if (rc == 0)
		rc = blob_adopt(d->blob, first, b, 0, t->nbytes, e);
	if (rc == 0)
		touched(v, d);
	return rc;
}
