/* put_meta.c - a .meta that somebody writes: a tensor's bytes under another type, or new bytes
 * that get one.
 *
 *	{"dtype": "float32", "shape": [64, 3], "requires_grad": true}
 *
 * Only these three say something, and of a new tensor "kind": "parameter"; what else a .meta of
 * this or another mount tells (nbytes, stride, shared_with, key, ...) is passed over, so that cp -r,
 * tar and rsync just work. Without dtype or shape the ones that are there stay.
 */
#include "edit.h"

#include <inttypes.h>
#include <pthfs/cleanup.h>
#include <pthfs/json_read.h>
#include <string.h>

struct typed {
	enum dtype dtype;
	bool has_shape, has_grad, grad, parameter;
	unsigned ndim;
	int64_t shape[MODEL_MAX_NDIM];
	uint64_t numel; /* saturates */
};

static int wanted(const struct json_reader *r, const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, "at offset %zu of the .meta: expected %s", r->at, what);
}

static int read_shape(struct json_reader *r, struct typed *t, struct err *e)
{
	enum json_token tok;
	int rc = json_next(r, &tok, e);
	if (rc < 0 || tok != JSON_LIST)
		return rc < 0 ? rc : wanted(r, "a list of sizes", e);
	t->has_shape = true;
	t->numel = 1;
	for (t->ndim = 0;; t->ndim++) {
		rc = json_next(r, &tok, e);
		if (rc < 0 || tok == JSON_LIST_END)
			return rc;
		if (tok != JSON_INT || r->big || r->i < 0)
			return wanted(r, "a size", e);
		if (t->ndim == MODEL_MAX_NDIM)
			return wanted(r, "at most 64 dimensions", e);
		t->shape[t->ndim] = r->i;
		if (__builtin_mul_overflow(t->numel, (uint64_t)r->i, &t->numel))
			return wanted(r, "a shape that memory could hold", e);
	}
}

static int read_dtype(struct json_reader *r, struct typed *t, struct err *e)
{
	enum json_token tok;
	int rc = json_next(r, &tok, e);
	if (rc < 0)
		return rc;
	t->dtype = tok == JSON_STRING ? dtype_by_name(r->text) : DTYPE_NONE;
	if (t->dtype != DTYPE_NONE)
		return 0;
	return err_set(e, ERR_INVALID, "\"dtype\": \"%s\" is no type of torch (float32, bfloat16, int64, ...)",
			tok == JSON_STRING ? STR_SHOW(r->text) : "");
}

static int read_member(struct json_reader *r, struct typed *t, struct err *e)
{
	enum json_token tok;
	if (str_is(r->text, "shape"))
		return read_shape(r, t, e);
	if (str_is(r->text, "dtype"))
		return read_dtype(r, t, e);
	bool grad = str_is(r->text, "requires_grad"), kind = str_is(r->text, "kind");
	int rc = json_next(r, &tok, e);
	if (rc == 0 && kind && tok == JSON_STRING)
		t->parameter = str_is(r->text, "parameter");
	if (rc < 0 || !grad)
		return rc < 0 ? rc : json_skip(r, tok, e);
	if (tok != JSON_TRUE && tok != JSON_FALSE)
		return wanted(r, "true or false", e);
	t->has_grad = true;
	t->grad = tok == JSON_TRUE;
	return 0;
}

static int read_meta(struct str text, struct typed *t, struct err *e)
{
	struct json_reader r;
	enum json_token tok = JSON_END;
	json_reader_init(&r, text);
	int rc = json_next(&r, &tok, e);
	if (rc == 0 && tok != JSON_OBJECT)
		rc = wanted(&r, "a JSON object like {\"dtype\": \"float32\", \"shape\": [2, 3]}", e);
	while (rc == 0) {
		rc = json_next(&r, &tok, e);
		if (rc < 0 || tok == JSON_OBJECT_END)
			break;
		rc = read_member(&r, t, e);
	}
	json_reader_release(&r);
	return rc == ERR_DAMAGED ? err_as(e, ERR_INVALID) : rc;
}

/* The bytes that are there must be those of the new type. */
static int check_size(const struct typed *t, uint64_t have, struct err *e)
{
	uint64_t want;
	if (__builtin_mul_overflow(t->numel, (uint64_t)dtype_info(t->dtype)->size, &want))
		want = UINT64_MAX;
	if (want == have)
		return 0;
	return err_set(e, ERR_INVALID, "the .meta says %" PRIu64 " bytes, there are %" PRIu64
				       ": write a .npy to change both at once", want, have);
}

/* The elements of a strided tensor, in the journal: other tensors on the same bytes may still be
 * written to. One command's edits have no journal, and nobody else who writes. */
static int snapshot(struct volume *v, uint32_t id, struct blob **ret, struct err *e)
{
	enum { CHUNK = 1 << 20 };
	_cleanup_(freep) char *buf = malloc(CHUNK);
	const struct tensor *t = &vol_model(v)->tensors.at[id];
	bool copy = v->edit->journal;
	struct content c = {0};
	struct blob *b = NULL;
	size_t got = copy;
	int rc = buf ? content_tensor(vol_model(v), id, &c, e) : err_nomem(e);
	if (rc == 0)
		rc = blob_new(edit_blob_id(v), copy ? (struct extent){0} : c.at[0], t->nbytes, &b, e);
	for (uint64_t off = 0; off < t->nbytes && rc == 0 && got; off += got) {
		rc = content_read(&c, buf, CHUNK, off, &got, e);
		if (rc == 0)
			rc = blob_write(b, v->edit->journal, buf, got, off, e);
	}
	content_release(&c);
	if (rc < 0)
		blob_unref(b);
	else
		*ret = b;
	return rc;
}

/* The bytes of a tensor, for a storage of its own. *copied: they are in the journal. */
static int own_bytes(struct volume *v, uint32_t id, struct blob **ret, bool *copied, struct err *e)
{
	const struct model *m = vol_model(v);
	const struct tensor *t = &m->tensors.at[id];
	const struct dirty *d = dirty_find(v, t->storage);
	uint64_t first, end;
	tensor_span(m, t, &first, &end);
	*copied = !(t->flags & TENSOR_CONTIGUOUS) || tensor_scatter_fix(t);
	if (*copied)
		return snapshot(v, id, ret, e);
	struct extent base = d ? d->base : m->storages.at[t->storage].data;
	base.off += first;
	base.len = t->nbytes;
	int rc = blob_new(edit_blob_id(v), d ? (struct extent){0} : base, t->nbytes, ret, e);
	if (rc == 0 && d) {
		rc = blob_adopt(*ret, 0, d->blob, first, t->nbytes, e);
		if (rc < 0)
			blob_unref(*ret);
	}
	return rc;
}

/* Nothing but the shape changes, and nobody else looks at these bytes. */
static bool keeps_storage(const struct volume *v, const struct tensor *t, const struct typed *n)
{
	return t->storage != MODEL_NONE && n->dtype == t->dtype && t->flags & TENSOR_CONTIGUOUS &&
	       !tensor_scatter_fix(t) && vol_model(v)->storages.at[t->storage].users <= 1;
}

/* bytes: what the journal says a strided tensor's were; NULL: as they are now. */
static int retype(struct volume *v, const struct target *to, struct typed *n, struct blob *bytes,
		struct str meta, struct err *e)
{
	const struct model *m = vol_model(v);
	uint32_t id = node_value(&v->tree, to->node)->tensor;
	const struct tensor *t = &m->tensors.at[id];
	bool grad = t->flags & TENSOR_REQUIRES_GRAD;
	struct blob *b = bytes ? blob_ref(bytes) : NULL;
	size_t mark = v->tree.undo.n;
	bool copied = bytes;
	if (n->dtype == DTYPE_NONE)
		n->dtype = (enum dtype)t->dtype;
	if (!n->has_shape) {
		n->ndim = t->ndim;
		memcpy(n->shape, t->shape, t->ndim * sizeof *t->shape);
		n->numel = tensor_numel(t);
	}
	bool same = n->dtype == t->dtype && n->ndim == t->ndim &&
		    memcmp(n->shape, t->shape, t->ndim * sizeof *t->shape) == 0;
	if (same && (!n->has_grad || n->grad == grad)) {
		blob_unref(b);
		return 0;
	}
	int rc = t->storage == MODEL_NONE || t->broken
				 ? err_set(e, ERR_UNSUPPORTED, "a tensor without bytes keeps its type: replace it "
							       "with a .npy")
				 : check_size(n, t->nbytes, e);
	struct new_tensor x = {.dtype = n->dtype, .ndim = n->ndim, .shape = n->shape,
			.storage = MODEL_NONE, .like = id, .requires_grad = n->has_grad ? n->grad : grad};
	if (rc == 0 && (keeps_storage(v, t, n) || (same && !tensor_scatter_fix(t)))) {
		x.storage = t->storage;
		x.offset = t->offset;
		x.stride = same ? t->stride : NULL;
	} else if (rc == 0 && !b) {
		rc = own_bytes(v, id, &b, &copied, e);
	}
	if (rc == 0)
		rc = put_retype(v, to, &x, b, e);
	if (rc == 0)
		rc = ops_meta(v, to, copied ? b : NULL, meta, e);
	blob_unref(b);
	return unless_told(v, mark, rc);
}

int put_meta(struct volume *v, const struct target *t, struct blob *bytes, struct str meta,
		struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct typed n = {.dtype = DTYPE_NONE};
	int rc = read_meta(meta, &n, e);
	if (rc < 0)
		return rc;
	if (t->node != TREE_NONE)
		return retype(v, t, &n, bytes, meta, e);
	if (n.dtype == DTYPE_NONE || !n.has_shape)
		return err_set(e, ERR_INVALID, "the .meta of a new tensor needs \"dtype\" and \"shape\"");
	rc = check_size(&n, blob_size(bytes), e);
	struct new_tensor x = {.dtype = n.dtype, .ndim = n.ndim, .shape = n.shape, .storage = MODEL_NONE,
			.like = MODEL_NONE, .requires_grad = n.grad, .parameter = n.parameter};
	if (rc == 0)
		rc = put_retype(v, t, &x, bytes, e);
	if (rc == 0)
		rc = ops_meta(v, t, bytes, meta, e);
	return unless_told(v, mark, rc);
}

/* --- a name that comes back ----------------------------------------------------------------------------- */

/* Was it removed since the last commit, and is nobody else looking at its bytes? */
static bool can_restore(const struct volume *v, const struct target *t, uint32_t node)
{
	const struct node *n = &v->tree.nodes.at[node];
	const struct value *val = node_value(&v->tree, node);
	uint32_t ignored;
	if (n->parent != t->dir || !str_eq(node_name(&v->tree, node), t->name))
		return false; /* it was moved away before it was removed */
	if (!(n->flags & NODE_GONE) || u32map_get(&v->edit->lost, node, &ignored) ||
			!tree_alive(&v->tree, n->parent))
		return false;
	return val->kind == VALUE_LEAF ||
	       (tree_nlink(&v->tree, val->tensor) == 0 && !overlaps_others(v, val->tensor));
}

/* Would the text of a value be taken? */
static int parses(struct volume *v, uint32_t node, struct blob *b, struct err *e)
{
	struct buf text;
	oref obj, was;
	if (node_value(&v->tree, node)->kind != VALUE_LEAF)
		return 0;
	buf_init(&text, TEXT_MAX);
	int rc = vol_blob_text(b, &text, e);
	if (rc == 0)
		rc = keys_raw(v, node, &was, e);
	if (rc == 0)
		rc = obj_parse_text(&v->ck->model.graph, was, buf_view(&text), &obj, e);
	buf_release(&text);
	return rc;
}

static int restore(struct volume *v, const struct target *t, uint32_t was, struct blob *b,
		struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct target now = {.what = t->what, .node = was};
	int rc = parses(v, was, b, e);
	if (rc == 0)
		rc = keys_restore(v, was, v->tree.nodes.at[was].value, e);
	if (rc == 0)
		rc = ops_again(v, t, b, e);
	if (rc == 0)
		rc = put_content(v, &now, b, e);
	if (rc < 0)
		tree_undo(&v->tree, mark);
	return rc;
}

static int like_tensor(struct volume *v, const struct target *t, uint32_t was, struct blob *b,
		struct err *e)
{
	struct target meta = *t;
	struct buf text;
	meta.what = INO_META;
	buf_init(&text, 1 << 20);
	vol_meta_text(v, node_value(&v->tree, was)->tensor, &text);
	int rc = text.failed ? err_nomem(e) : put_meta(v, &meta, b, buf_view(&text), e);
	buf_release(&text);
	return rc;
}

/* A value of the same type as the one that had the name. */
static int like_value(struct volume *v, const struct target *t, uint32_t was, struct blob *b,
		struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct buf text;
	oref obj = OREF_NIL, like;
	uint32_t value, node;
	buf_init(&text, TEXT_MAX);
	int rc = vol_blob_text(b, &text, e);
	if (rc == 0)
		rc = keys_raw(v, was, &like, e);
	if (rc == 0)
		rc = obj_parse_text(&v->ck->model.graph, like, buf_view(&text), &obj, e);
	buf_release(&text);
	if (rc == 0)
		rc = keys_value(v, obj, &value, e);
	if (rc == 0)
		rc = keys_add(v, t->dir, t->name, value, &node, e);
	if (rc == 0)
		rc = ops_value(v, t, obj, e);
	return unless_told(v, mark, rc);
}

int put_again(struct volume *v, const struct target *t, uint32_t was, struct blob *b, struct err *e)
{
	if (can_restore(v, t, was))
		return restore(v, t, was, b, e);
	return node_value(&v->tree, was)->kind == VALUE_TENSOR ? like_tensor(v, t, was, b, e)
							       : like_value(v, t, was, b, e);
}
