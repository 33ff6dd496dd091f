/* xattr.c - user.* attributes: everything about a tensor, always (what .meta leaves out as default
 * stands here), and the key and Python type of the rest. (design.md "The tree", rule 2)
 */
#include "internal.h"

#include <pthfs/cleanup.h>
#include <pthfs/print.h>

static void put_dims(const int64_t *dims, unsigned n, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	vol_dims(dims, n, &j);
}

void vol_node_type(const struct volume *v, uint32_t node, struct buf *out)
{
	const struct value *val = node_value(&v->tree, node);
	if (val->kind == VALUE_TENSOR)
		buf_puts(out, "tensor");
	else if (val->kind == VALUE_PARTS)
		buf_puts(out, vol_model(v)->parts.at[val->parts].kind);
	else
		obj_type_name(&vol_model(v)->graph, val->obj, out);
}

static const struct storage *storage_of(const struct volume *v, const struct tensor *t)
{
	return t->storage == MODEL_NONE ? NULL : &vol_model(v)->storages.at[t->storage];
}

/* One attribute of a tensor; false: it has none of that name. */
static bool tensor_attr(const struct volume *v, uint32_t id, struct str name, struct buf *out)
{
	const struct model *m = vol_model(v);
	const struct tensor *t = &m->tensors.at[id];
	const struct storage *s = storage_of(v, t);
	if (str_is(name, "user.key"))
		vol_tensor_key(v, id, out);
	else if (str_is(name, "user.dtype"))
		buf_puts(out, dtype_info((enum dtype)t->dtype)->name);
	else if (str_is(name, "user.shape"))
		put_dims(t->shape, t->ndim, out);
	else if (str_is(name, "user.stride"))
		put_dims(t->stride, t->ndim, out);
	else if (str_is(name, "user.offset"))
		buf_printf(out, "%llu", (unsigned long long)t->offset);
	else if (str_is(name, "user.nbytes"))
		buf_printf(out, "%llu", (unsigned long long)t->nbytes);
	else if (str_is(name, "user.device"))
		buf_str(out, tensor_device(m, t));
	else if (str_is(name, "user.requires_grad"))
		buf_puts(out, t->flags & TENSOR_REQUIRES_GRAD ? "true" : "false");
	else if (str_is(name, "user.storage") && s)
		buf_str(out, s->key);
	else if (str_is(name, "user.byteorder") && s)
		buf_puts(out, s->big_endian ? "big" : "little");
	else if (str_is(name, "user.type"))
		buf_puts(out, "tensor");
	else
		return false;
	return true;
}

static bool node_attr(const struct volume *v, uint32_t node, struct str name, struct buf *out)
{
	const struct value *val = node_value(&v->tree, node);
	if (str_is(name, "user.key") && v->tree.nodes.at[node].parent != node)
		vol_node_key(v, node, out);
	else if (str_is(name, "user.type"))
		vol_node_type(v, node, out);
	else if (str_is(name, "user.dtype") && val->kind == VALUE_PARTS)
		buf_puts(out, dtype_info((enum dtype)vol_model(v)->parts.at[val->parts].dtype)->name);
	else if (str_is(name, "user.shape") && val->kind == VALUE_PARTS)
		put_dims(vol_model(v)->parts.at[val->parts].shape,
				vol_model(v)->parts.at[val->parts].ndim, out);
	else
		return false;
	return true;
}

static bool attr_text(struct volume *v, uint64_t ino, struct str name, struct buf *out)
{
	struct dir_ref d;
	if (!vol_ino_valid(v, ino))
		return false;
	switch (ino_what(ino)) {
	case INO_TENSOR:
	case INO_META:
	case INO_NPY:
		return tensor_attr(v, (uint32_t)ino_index(ino), name, out);
	case INO_LEAF:
	case INO_PARTS_META:
		return node_attr(v, (uint32_t)ino_index(ino), name, out);
	case INO_DIR:
	case INO_VIEW:
	case INO_MODULE:
		return views_dir(v, ino, &d, NULL) == 0 && node_attr(v, d.node, name, out);
	default:
		return false;
	}
}

int volume_getxattr(struct volume *v, uint64_t ino, struct str name, struct buf *out,
		struct err *e)
{
	vol_read_begin(v);
	bool there = str_starts(name, STR("user.")) && attr_text(v, ino, name, out);
	vol_read_end(v);
	if (!there)
		return err_set(e, ERR_ABSENT, "no such attribute");
	return out->failed ? err_nomem(e) : 0;
}

int volume_listxattr(struct volume *v, uint64_t ino, struct buf *out, struct err *e)
{
	static const char *const names[] = {"user.key", "user.dtype", "user.shape", "user.stride",
		"user.offset", "user.nbytes", "user.device", "user.requires_grad", "user.storage",
		"user.byteorder", "user.type"};
	struct buf scratch;
	buf_init(&scratch, 1 << 20);
	vol_read_begin(v);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct str name = str_of(names[i]);
		scratch.n = 0;
		if (attr_text(v, ino, name, &scratch))
			buf_put(out, name.p, name.n + 1);
	}
	vol_read_end(v);
	buf_release(&scratch);
	return out->failed ? err_nomem(e) : 0;
}
