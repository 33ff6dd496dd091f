/* meta.c - what a .meta says: one line of JSON about what a tensor is, not where it lies.
 * (design.md "The tree", rule 2) dtype, shape, nbytes always and first; the rest only where it is
 * not the default, so that diff -r of two mounts compares meaning.
 *
 * The names of a tied tensor have one .meta, as they are one file: its shared_with tells all of
 * them. Names are in the order of the tree, wherever the bytes lie.
 */
#include "internal.h"

#include <pthfs/print.h>
#include <stdlib.h>

#define SHARED_MAX 32 /* names listed in shared_with */

void vol_dims(const int64_t *dims, unsigned n, struct json *j)
{
	json_open(j, '[');
	for (unsigned i = 0; i < n; i++)
		json_i64(j, dims[i]);
	json_close(j, ']');
}

void vol_dims_member(const char *name, const int64_t *dims, unsigned n, struct json *j)
{
	json_key(j, name);
	vol_dims(dims, n, j);
}

struct shared {
	uint32_t node[SHARED_MAX];
	unsigned n;
};

static bool add_shared(void *ctx, uint32_t node)
{
	struct shared *s = ctx;
	if (node != TREE_NONE)
		s->node[s->n++] = node;
	return s->n < SHARED_MAX;
}

static int by_node(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	return a < b ? -1 : a > b;
}

static void shared_member(const struct volume *v, uint32_t tensor, struct json *j)
{
	struct shared s = {.n = 0};
	struct buf path;
	if (tree_nlink(&v->tree, tensor) > 1)
		add_shared(&s, tree_first(&v->tree, tensor));
	overlaps_each(v, tensor, add_shared, &s);
	if (!s.n)
		return;
	qsort(s.node, s.n, sizeof *s.node, by_node);
	json_key(j, "shared_with");
	json_open(j, '[');
	buf_init(&path, 1 << 20);
	for (unsigned i = 0; i < s.n; i++) {
		path.n = 0;
		tree_path(&v->tree, s.node[i], &path);
		json_str(j, buf_view(&path));
	}
	buf_release(&path);
	json_close(j, ']');
}

void vol_node_key(const struct volume *v, uint32_t node, struct buf *out)
{
	const struct graph *g = &vol_model(v)->graph;
	const struct node *n = &v->tree.nodes.at[node];
	struct str text;
	if (n->key == OREF_NIL)
		buf_str(out, node_name(&v->tree, node));
	else if (key_text(g, n->key, &text))
		buf_str(out, text);
	else
		obj_repr(g, n->key, out, NULL);
}

void vol_tensor_key(const struct volume *v, uint32_t tensor, struct buf *out)
{
	uint32_t node = tree_first(&v->tree, tensor);
	if (node != TREE_NONE)
		vol_node_key(v, node, out);
}

/* The key, when the file is called otherwise. */
static void key_member(const struct volume *v, uint32_t node, struct json *j)
{
	if (node == TREE_NONE || v->tree.nodes.at[node].key == OREF_NIL)
		return;
	struct buf key;
	buf_init(&key, 1 << 20);
	vol_node_key(v, node, &key);
	if (!str_eq(buf_view(&key), node_name(&v->tree, node))) {
		json_key(j, "key");
		json_str(j, buf_view(&key));
	}
	buf_release(&key);
}

void vol_meta_members(const struct volume *v, uint32_t tensor, struct json *j)
{
	const struct model *m = vol_model(v);
	const struct tensor *t = &m->tensors.at[tensor];
	struct str device = tensor_device(m, t);
	const char *kind = tensor_kind(t);
	json_key(j, "dtype");
	json_cstr(j, dtype_info((enum dtype)t->dtype)->name);
	vol_dims_member("shape", t->shape, t->ndim, j);
	json_key(j, "nbytes");
	json_u64(j, t->nbytes);
	if (t->flags & TENSOR_REQUIRES_GRAD) {
		json_key(j, "requires_grad");
		json_bool(j, true);
	}
	if (!str_is(device, "cpu")) {
		json_key(j, "device");
		json_str(j, device);
	}
	if (!(t->flags & TENSOR_CONTIGUOUS) && !t->broken)
		vol_dims_member("stride", t->stride, t->ndim, j);
	if (kind) {
		json_key(j, "kind");
		json_cstr(j, kind);
	}
	if (tensor_class(t).n) {
		json_key(j, "class");
		json_str(j, tensor_class(t));
	}
	shared_member(v, tensor, j);
	if (t->broken) {
		json_key(j, "broken");
		json_cstr(j, t->broken);
	}
	key_member(v, tree_first(&v->tree, tensor), j);
}

void vol_meta_text(const struct volume *v, uint32_t tensor, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_open(&j, '{');
	vol_meta_members(v, tensor, &j);
	json_close(&j, '}');
	buf_putc(out, '\n');
}

/* Bytes of all tensors in a directory of parts. */
static uint64_t parts_bytes(const struct volume *v, uint32_t node)
{
	uint32_t slots = tree_slots(&v->tree, node);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(&v->tree, node, i);
		if (child == TREE_NONE)
			continue;
		const struct value *val = node_value(&v->tree, child);
		if (val->kind == VALUE_TENSOR)
			sum += vol_model(v)->tensors.at[val->tensor].nbytes;
	}
	return sum;
}

void vol_parts_members(const struct volume *v, uint32_t node, struct json *j)
{
	const struct parts *p = &vol_model(v)->parts.at[node_value(&v->tree, node)->parts];
	json_key(j, "dtype");
	json_cstr(j, dtype_info((enum dtype)p->dtype)->name);
	vol_dims_member("shape", p->shape, p->ndim, j);
	json_key(j, "nbytes");
	json_u64(j, parts_bytes(v, node));
	if (p->requires_grad) {
		json_key(j, "requires_grad");
		json_bool(j, true);
	}
	json_key(j, "kind");
	json_cstr(j, p->kind);
	if (p->layout.n) {
		json_key(j, "layout");
		json_str(j, p->layout);
	}
	if (p->broken) {
		json_key(j, "broken");
		json_cstr(j, p->broken);
	}
	key_member(v, node, j);
}
