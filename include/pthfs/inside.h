/* inside.h - a volume from the inside, for the room that judges whole checkpoints (inspect). Front
 * ends hold volume.h only.
 *
 * Everything returned is borrowed from the volume. Of volumes that are not open for editing
 * (VOLUME_READ, VOLUME_PEEK): no locks are taken.
 */
#ifndef PTHFS_INSIDE_H
#define PTHFS_INSIDE_H

#include <pthfs/format.h>
#include <pthfs/tree.h>
#include <pthfs/volume.h>

const struct checkpoint *volume_checkpoint(const struct volume *v);
const struct tree *volume_tree(const struct volume *v);
/* The tensor that an item of volume_walk() shows; MODEL_NONE: it shows none. */
uint32_t volume_item_tensor(const struct volume *v, const struct vitem *item);

/* The texts of an item that is asked for. */
struct vitem_text {
	struct buf path, type, shape, tied;
};
void vitem_text_init(struct vitem_text *t);
void vitem_text_release(struct vitem_text *t);
/* What volume_walk() would tell of a node; good until the next call with t. */
int volume_item(struct volume *v, uint32_t node, struct vitem_text *t, struct vitem *ret,
		struct err *e);
/* Appends the JSON of a node's .meta; nothing for one that has none. */
void volume_item_meta(const struct volume *v, uint32_t node, struct buf *out);
/* Does a glob of volume_walk() match that path? */
bool volume_glob(const char *glob, struct str path);

#endif
