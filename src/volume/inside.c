/* inside.c - what the room inspect is shown of a volume. */
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
