/* inside.c - what the room inspect is shown of a volume. */
#include "glob.h"
#include "internal.h"
#include <pthfs/inside.h>

const struct checkpoint *volume_checkpoint(const struct volume *v)
{
	return v->ck;
}

const struct tree *volume_tree(const struct volume *v)
{
	return &v->tree;
}

uint32_t volume_item_tensor(const struct volume *v, const struct vitem *item)
{
	const struct value *x = item->is_tensor ? node_value(&v->tree, item->node) : NULL;
	return x && x->kind == VALUE_TENSOR ? x->tensor : MODEL_NONE;
}

void volume_item_meta(const struct volume *v, uint32_t node, struct buf *out)
{
	const struct value *x = node_value(&v->tree, node);
	struct json j;
	if (x->kind != VALUE_TENSOR && x->kind != VALUE_PARTS)
		return;
	json_init(&j, out);
	json_open(&j, '{');
	if (x->kind == VALUE_TENSOR)
		vol_meta_members(v, x->tensor, &j);
	else
		vol_parts_members(v, node, &j);
	json_close(&j, '}');
}

bool volume_glob(const char *glob, struct str path)
{
	return glob_match_path(str_of(glob), path);
}
