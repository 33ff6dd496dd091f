/* put.c - content takes effect: what was written into a file becomes bytes, a value, a type.
 *
 *	NAME        tensor: bytes of its size.  value: text of its type
 *	NAME.meta   dtype, shape, requires_grad: the same bytes, called otherwise
 *	NAME.npy    the bytes; dtype and shape too when they differ
 *	NAME.json   a value of any type, or a whole directory's values
 *
 * Everything that can be checked is checked first; then it is done, then told to the journal: what the
 * journal holds can be done again. When it cannot be told it is taken back.
 * A tensor whose type changes becomes a new one with a storage of its own; what else looked at
 * the old bytes keeps them. (design.md "Editing", 1 to 4)
 */
#include "edit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthfs/cleanup.h>
#include <pthfs/print.h>
#include <string.h>

static struct graph *graph(struct volume *v)
{
	return &v->ck->model.graph;
}

int vol_blob_text(const struct blob *b, struct buf *out, struct err *e)
{
	uint64_t n = blob_size(b);
	_cleanup_(freep) char *text = n < TEXT_MAX ? malloc(n + 1) : NULL;
	if (n >= TEXT_MAX)
		return err_set(e, ERR_INVALID, "%" PRIu64 " bytes of text, at most %u are taken", n, TEXT_MAX);
	if (!text)
		return err_nomem(e);
	int rc = n ? blob_read(b, text, n, 0, e) : 0;
	buf_put(out, text, rc == 0 ? n : 0);
	return rc == 0 && out->failed ? err_nomem(e) : rc;
}

/* --- what can be written ------------------------------------------------------------------------------ */

int put_target(struct volume *v, uint64_t ino, struct target *ret, struct err *e)
{
	uint64_t i = ino_index(ino);
	*ret = (struct target){.what = ino_what(ino), .node = TREE_NONE};
	switch (ret->what) {
	case INO_TENSOR:
	case INO_META:
	case INO_NPY:
		ret->node = tree_first(&v->tree, (uint32_t)i);
		break;
	case INO_LEAF:
	case INO_JSON:
		ret->node = (uint32_t)i;
		break;
	case INO_DIR:
	case INO_VIEW:
	case INO_MODULE:
		return err_sys(e, EISDIR, "a directory");
	default:
		break;
	}
	if (ret->node == TREE_NONE || !tree_alive(&v->tree, ret->node))
		return err_sys(e, EACCES, "this file shows something and cannot be written");
	if (v->tree.nodes.at[ret->node].flags & NODE_OBJECT)
		return err_set(e, ERR_UNSUPPORTED, "below object/ nothing can be written");
	return 0;
}

static int value_ok(struct volume *v, uint32_t node, struct err *e)
{
	uint32_t dir = v->tree.nodes.at[node].parent;
	int rc = checkpoint_may_change(v->ck, e);
	if (rc < 0 || vol_is_lone(v))
		return rc;
	return change_child_ok(v->ck, v->tree.nodes.at[dir].value, e);
}

int put_ok(struct volume *v, const struct target *t, struct err *e)
{
	const struct model *m = vol_model(v);
	const struct value *val = node_value(&v->tree, t->node);
	if (t->what == INO_META || t->what == INO_NPY)
		return 0; /* what is the same can always be written: known at close */
	if (t->what != INO_TENSOR)
		return value_ok(v, t->node, e);
	const struct tensor *x = &m->tensors.at[val->tensor];
	if (x->broken)
		return err_set(e, ERR_DAMAGED, "%s", x->broken);
	if (x->storage == MODEL_NONE || x->storage >= v->edit->base_storages)
		return 0;
	return checkpoint_may_write(v->ck, x->storage, e);
}

int unless_told(struct volume *v, size_t mark, int rc)
{
	if (rc < 0)
		tree_undo(&v->tree, mark);
	return rc;
}

/* --- values ------------------------------------------------------------------------------------------- */

int put_value(struct volume *v, uint32_t node, oref obj, struct err *e)
{
	uint32_t value;
	int rc = keys_value(v, obj, &value, e);
	return rc < 0 ? rc : keys_set(v, node, value, e);
}

bool put_is_shown(struct volume *v, const struct target *t, struct str text)
{
	struct buf shown;
	bool same;
	if (t->what != INO_LEAF || t->node == TREE_NONE)
		return false;
	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	buf_init(&shown, text.n);
	same = obj_value_text(graph(v), node_value(&v->tree, t->node)->obj, &shown, NULL) == 0 &&
	       str_eq(buf_view(&shown), text);
	buf_release(&shown);
	return same;
}

static int put_leaf(struct volume *v, const struct target *t, struct blob *b, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct buf text;
	oref obj = OREF_NIL, was;
	int rc = keys_raw(v, t->node, &was, e);
	if (rc < 0)
		return rc;
	buf_init(&text, TEXT_MAX);
	rc = vol_blob_text(b, &text, e);
	if (rc == 0)
		rc = obj_parse_text(graph(v), was, buf_view(&text), &obj, e);
	if (rc == ERR_UNSUPPORTED && put_is_shown(v, t, buf_view(&text))) {
		rc = 0;
		obj = was;
	}
	buf_release(&text);
	if (rc < 0 || obj == was)
		return rc;
	rc = put_value(v, t->node, obj, e);
	if (rc == 0)
		rc = ops_put(v, t, b, e);
	return unless_told(v, mark, rc);
}

/* Keys in it, or below, are not what the object says. */
static bool is_touched(const struct volume *v, uint32_t dir)
{
	const struct node *nodes = v->tree.nodes.at;
	for (uint32_t i = 0; i < v->tree.nodes.n; i++) {
		uint32_t at = i;
		if (!(nodes[i].flags & NODE_TOUCHED) || !(nodes[i].flags & NODE_DIR) || !tree_alive(&v->tree, i))
			continue;
		while (at != dir && nodes[at].parent != at)
			at = nodes[at].parent;
		if (at == dir)
			return true;
	}
	return false;
}

static int put_json(struct volume *v, const struct target *t, struct blob *b, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct buf text;
	oref obj = OREF_NIL, was = OREF_NIL;
	uint32_t value, node;
	int rc = t->node != TREE_NONE && is_touched(v, t->node) ? apply_keys(v, e) : 0;
	if (rc == 0 && t->node != TREE_NONE)
		rc = keys_raw(v, t->node, &was, e);
	if (rc < 0)
		return rc;
	buf_init(&text, TEXT_MAX);
	rc = vol_blob_text(b, &text, e);
	if (rc == 0)
		rc = obj_parse_json(graph(v), was, buf_view(&text), &obj, e);
	buf_release(&text);
	if (rc < 0 || obj == was)
		return rc;
	rc = keys_value(v, obj, &value, e);
	if (rc == 0)
		rc = t->node == TREE_NONE ? keys_add(v, t->dir, t->name, value, &node, e)
					  : keys_set(v, t->node, value, e);
	if (rc == 0)
		rc = ops_put(v, t, b, e);
	return unless_told(v, mark, rc);
}

/* --- tensors ------------------------------------------------------------------------------------------- */

static int wrong_size(const struct tensor *x, uint64_t have, struct err *e)
{
	struct buf shape;
	buf_init(&shape, 4096);
	tensor_shape_text(x, &shape);
	err_set(e, ERR_INVALID, "%" PRIu64 " bytes were written, the tensor has %" PRIu64
				" (%s %.*s): its old content is back; write NAME.npy to change its shape",
			have, x->nbytes, dtype_info((enum dtype)x->dtype)->name, STR_FMT(buf_view(&shape)));
	buf_release(&shape);
	return ERR_INVALID;
}

static int put_tensor(struct volume *v, const struct target *t, struct blob *b, struct err *e)
{
	uint32_t id = node_value(&v->tree, t->node)->tensor;
	const struct tensor *x = &vol_model(v)->tensors.at[id];
	if (blob_size(b) != x->nbytes)
		return wrong_size(x, blob_size(b), e);
	return dirty_replace(v, id, b, e);
}

/* Every name of the old tensor shows the new one. */
static int retarget(struct volume *v, uint32_t node, uint32_t value, struct err *e)
{
	uint32_t old = node_value(&v->tree, node)->tensor;
	for (uint32_t next; node != TREE_NONE; node = next) {
		int rc = keys_set(v, node, value, e);
		if (rc < 0)
			return rc;
		next = tree_first(&v->tree, old); /* the first of those that still have it */
	}
	uint32_t now = vol_model(v)->values.at[value].tensor;
	const struct tensor *tensors = vol_model(v)->tensors.at;
	if (now != old && tensors[old].storage != MODEL_NONE && tensors[old].storage == tensors[now].storage) {
		int rc = overlaps_inherit(v, old, now, e);
		if (rc < 0)
			return rc;
	}
	return stage_retyped(v, old, now, e);
}

/* A new tensor, in the place of the one at t->node or under a new name. */
static int put_made(struct volume *v, const struct target *t, struct new_tensor *n, struct err *e)
{
	const struct model *m = vol_model(v);
	uint32_t value, node;
	if (t->node != TREE_NONE) {
		n->like = node_value(&v->tree, t->node)->tensor;
		n->parameter = m->tensors.at[n->like].flags & TENSOR_PARAMETER;
	}
	int rc = change_new_tensor(v->ck, n, &value, e);
	if (rc < 0)
		return rc;
	return t->node != TREE_NONE ? retarget(v, t->node, value, e)
				    : keys_add(v, t->dir, t->name, value, &node, e);
}

static int may_retype(struct volume *v, const struct target *t, struct err *e)
{
	int rc = t->node == TREE_NONE ? checkpoint_may_change(v->ck, e) : value_ok(v, t->node, e);
	if (rc == 0 && t->node == TREE_NONE)
		rc = change_dir_ok(v->ck, v->tree.nodes.at[t->dir].value, e);
	return rc;
}

/* The blob as bytes of a new storage. */
static int blob_extent(struct volume *v, struct blob *b, uint64_t off, uint64_t n, bool swap,
		unsigned width, struct extent *ret, struct err *e)
{
	struct source *s, *front;
	int rc = blob_source(b, &s, e);
	if (rc < 0)
		return rc;
	if (swap && width > 1) {
		front = source_window(s, off, n);
		source_unref(s);
		s = front ? source_swap(front, width) : NULL;
		source_unref(front);
		off = 0;
	}
	if (!s || model_keep(&v->ck->model, s) < 0) {
		source_unref(s);
		return err_nomem(e);
	}
	*ret = (struct extent){s, off, n};
	return 0;
}

static bool same_shape(const struct tensor *x, unsigned ndim, const int64_t *shape)
{
	return x->ndim == ndim && memcmp(x->shape, shape, ndim * sizeof *shape) == 0;
}

/* --- .npy ------------------------------------------------------------------------------------------------ */

/* Only the bytes differ: they go where they belong. */
static int npy_bytes(struct volume *v, const struct target *t, struct blob *b, const struct npy *n,
		struct err *e)
{
	uint32_t id = node_value(&v->tree, t->node)->tensor;
	struct blob *data;
	int rc = blob_new(edit_blob_id(v), (struct extent){0}, n->nbytes, &data, e);
	if (rc < 0)
		return rc;
	rc = blob_adopt(data, 0, b, n->data_off, n->nbytes, e);
	if (rc == 0)
		rc = ops_copy(v, data, b, n->data_off, n->nbytes, e);
	if (rc == 0)
		rc = dirty_replace(v, id, data, e);
	blob_unref(data);
	return rc;
}

static bool only_bytes(struct volume *v, const struct target *t, const struct npy *n)
{
	const struct tensor *x = t->node == TREE_NONE ? NULL
				 : &vol_model(v)->tensors.at[node_value(&v->tree, t->node)->tensor];
	return x && x->dtype == n->dtype && same_shape(x, n->ndim, n->shape) && !n->swap &&
	       (!n->fortran || n->ndim < 2) && x->nbytes == n->nbytes && !x->broken;
}

static int put_npy(struct volume *v, const struct target *t, struct blob *b, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct source *s = NULL;
	struct npy n;
	int64_t stride[MODEL_MAX_NDIM], step = 1;
	enum dtype like = t->node == TREE_NONE ? DTYPE_NONE
			  : (enum dtype)vol_model(v)->tensors.at[node_value(&v->tree, t->node)->tensor].dtype;
	int rc = blob_source(b, &s, e);
	if (rc == 0)
		rc = npy_read(s, like, &n, e);
	source_unref(s);
	if (rc < 0)
		return rc == ERR_DAMAGED || rc == ERR_TRUNCATED ? err_as(e, ERR_INVALID) : rc;
	if (only_bytes(v, t, &n))
		return npy_bytes(v, t, b, &n, e);
	struct new_tensor x = {.dtype = n.dtype, .ndim = n.ndim, .shape = n.shape,
			.storage = MODEL_NONE, .like = MODEL_NONE};
	for (unsigned i = 0; i < n.ndim && n.fortran; i++) {
		stride[i] = step;
		step *= n.shape[i] > 1 ? n.shape[i] : 1;
	}
	if (n.fortran && n.ndim > 1)
		x.stride = stride;
	if (t->node != TREE_NONE)
		x.requires_grad = vol_model(v)->tensors.at[node_value(&v->tree, t->node)->tensor].flags &
				  TENSOR_REQUIRES_GRAD;
	rc = may_retype(v, t, e);
	if (rc == 0)
		rc = blob_extent(v, b, n.data_off, n.nbytes, n.swap, dtype_info(n.dtype)->swap, &x.data, e);
	if (rc == 0)
		rc = put_made(v, t, &x, e);
	if (rc == 0)
		rc = ops_put(v, t, b, e);
	return unless_told(v, mark, rc);
}

/* --- all of them -------------------------------------------------------------------------------------------- */

static int put_meta_text(struct volume *v, const struct target *t, struct blob *b, struct err *e)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	int rc = vol_blob_text(b, &text, e);
	if (rc == 0)
		rc = put_meta(v, t, NULL, buf_view(&text), e);
	buf_release(&text);
	return rc;
}

int put_content(struct volume *v, const struct target *t, struct blob *b, struct err *e)
{
	switch (t->what) {
	case INO_TENSOR:
		return put_tensor(v, t, b, e);
	case INO_LEAF:
		return put_leaf(v, t, b, e);
	case INO_META:
		return put_meta_text(v, t, b, e);
	case INO_NPY:
		return put_npy(v, t, b, e);
	case INO_JSON:
		return put_json(v, t, b, e);
	default:
		return err_sys(e, EACCES, "this file cannot be written");
	}
}

int put_retype(struct volume *v, const struct target *t, struct new_tensor *n, struct blob *bytes,
		struct err *e)
{
	int rc = may_retype(v, t, e);
	if (rc == 0 && bytes)
		rc = blob_extent(v, bytes, 0, blob_size(bytes), false, 1, &n->data, e);
	return rc < 0 ? rc : put_made(v, t, n, e);
}
