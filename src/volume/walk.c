/* walk.c - every name of the tree in order, for commands. */
#include "internal.h"

#include "glob.h"
#include <pthfs/inside.h>
#include <string.h>

static void item_tensor(const struct volume *v, uint32_t node, uint32_t id, struct vitem *it,
		struct vitem_text *b)
{
	const struct tensor *t = &vol_model(v)->tensors.at[id];
	it->is_tensor = true;
	it->dtype = str_of(dtype_info((enum dtype)t->dtype)->name);
	tensor_shape_text(t, &b->shape);
	it->broken = t->broken ? str_of(t->broken) : STR("");
	it->view = overlaps_others(v, id);
	if (tree_first(&v->tree, id) != node)
		tree_path(&v->tree, tree_first(&v->tree, id), &b->tied);
}

static void item_parts(const struct volume *v, const struct value *val, struct vitem *it,
		struct vitem_text *b)
{
	const struct parts *p = &vol_model(v)->parts.at[val->parts];
	struct tensor whole = {.ndim = p->ndim, .shape = p->shape};
	it->dtype = str_of(dtype_info((enum dtype)p->dtype)->name);
	it->broken = p->broken ? str_of(p->broken) : STR("");
	tensor_shape_text(&whole, &b->shape);
}

static int make_item(struct volume *v, uint32_t node, struct vitem *it, struct vitem_text *b,
		struct err *e)
{
	const struct value *val = node_value(&v->tree, node);
	memset(it, 0, sizeof *it);
	b->type.n = b->shape.n = b->tied.n = 0;
	int rc = vol_attr(v, vol_node_ino(v, node), &it->attr, e);
	if (rc < 0)
		return rc;
	it->ino = it->attr.ino;
	it->node = node;
	it->is_dir = v->tree.nodes.at[node].flags & NODE_DIR;
	it->dtype = it->broken = STR("");
	vol_node_type(v, node, &b->type);
	if (val->kind == VALUE_TENSOR)
		item_tensor(v, node, val->tensor, it, b);
	else if (val->kind == VALUE_PARTS)
		item_parts(v, val, it, b);
	it->name = buf_view(&b->path);
	it->type = buf_view(&b->type);
	it->shape = buf_view(&b->shape);
	it->tied_to = buf_view(&b->tied);
	return 0;
}

void vitem_text_init(struct vitem_text *t)
{
	buf_init(&t->path, 1 << 20);
	buf_init(&t->type, 1 << 16);
	buf_init(&t->shape, 1 << 16);
	buf_init(&t->tied, 1 << 20);
}

void vitem_text_release(struct vitem_text *t)
{
	buf_release(&t->path);
	buf_release(&t->type);
	buf_release(&t->shape);
	buf_release(&t->tied);
}

int volume_item(struct volume *v, uint32_t node, struct vitem_text *t, struct vitem *ret,
		struct err *e)
{
	t->path.n = 0;
	tree_path(&v->tree, node, &t->path);
	return make_item(v, node, ret, t, e);
}

static int walk(struct volume *v, const char *glob, volume_item_fn *fn, void *ctx,
		struct vitem_text *b, struct err *e)
{
	struct vitem it;
	int rc = 0;
	for (uint32_t i = tree_next(&v->tree, 0); i != TREE_NONE && rc == 0;
			i = tree_next(&v->tree, i)) {
		b->path.n = 0;
		tree_path(&v->tree, i, &b->path);
		if (glob && !glob_match_path(str_of(glob), buf_view(&b->path)))
			continue;
		rc = make_item(v, i, &it, b, e);
		if (rc == 0)
			rc = fn(ctx, &it);
	}
	return rc;
}

int volume_walk(struct volume *v, const char *glob, volume_item_fn *fn, void *ctx, struct err *e)
{
	struct vitem_text b;
	vitem_text_init(&b);
	int rc = walk(v, glob, fn, ctx, &b, e);
	vitem_text_release(&b);
	return rc;
}

/* --- one entry of ls --json ------------------------------------------------------------------- */

/* What the .meta leaves out because it is the default, or because it says where the bytes lie. */
static void tensor_place(const struct volume *v, uint32_t id, struct json *j)
{
	const struct model *m = vol_model(v);
	const struct tensor *t = &m->tensors.at[id];
	const struct storage *s = t->storage == MODEL_NONE ? NULL : &m->storages.at[t->storage];
	uint64_t off;
	if (t->flags & TENSOR_CONTIGUOUS || t->broken)
		vol_dims_member("stride", t->stride, t->ndim, j);
	json_key(j, "offset");
	json_u64(j, t->offset);
	if (!(t->flags & TENSOR_REQUIRES_GRAD)) {
		json_key(j, "requires_grad");
		json_bool(j, false);
	}
	if (str_is(tensor_device(m, t), "cpu")) {
		json_key(j, "device");
		json_cstr(j, "cpu");
	}
	if (s) {
		json_key(j, "storage");
		json_str(j, s->key);
		json_key(j, "byteorder");
		json_cstr(j, s->big_endian ? "big" : "little");
	}
	json_key(j, "file_offset");
	if (tensor_file_range(m, t, &off))
		json_u64(j, off);
	else
		json_null(j);
}

void volume_item_json(struct volume *v, const struct vitem *it, struct json *j)
{
	const struct value *val = node_value(&v->tree, it->node);
	struct buf key;
	buf_init(&key, 1 << 20);
	vol_node_key(v, it->node, &key);
	json_key(j, "name");
	json_str(j, it->name);
	if (val->kind != VALUE_TENSOR || tree_first(&v->tree, val->tensor) != it->node ||
			str_eq(buf_view(&key), node_name(&v->tree, it->node))) {
		json_key(j, "key"); /* otherwise the .meta's members bring it */
		json_str(j, buf_view(&key));
	}
	buf_release(&key);
	json_key(j, "type");
	json_str(j, it->type);
	if (val->kind == VALUE_TENSOR) {
		vol_meta_members(v, val->tensor, j);
		tensor_place(v, val->tensor, j);
	} else if (val->kind == VALUE_PARTS) {
		vol_parts_members(v, it->node, j);
	} else if (!it->is_dir) {
		json_key(j, "nbytes");
		json_u64(j, it->attr.size);
	}
	json_key(j, "nlink");
	json_u64(j, it->attr.nlink);
	json_key(j, "ino");
	json_u64(j, it->ino);
}
