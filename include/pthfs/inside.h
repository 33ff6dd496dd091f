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

#endif
