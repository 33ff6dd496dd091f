/* shown.h - how the bytes of a tensor file relate to its storage. Private to the model room.
 *
 * Nearly always this is the tensor's own shape and strides. It is not for three kinds: expanded
 * ones (stride-0 dimensions are taken once), packed ones (quint4x2: the shape counts what has no
 * byte of its own, so the whole storage is shown), and meta tensors (nothing is).
 */
#ifndef PTHFS_MODEL_SHOWN_H
#define PTHFS_MODEL_SHOWN_H

#include <pthfs/model.h>

struct shown {
	unsigned ndim;
	uint64_t offset; /* elements, in the storage */
	bool contiguous;
	int64_t shape[MODEL_MAX_NDIM], stride[MODEL_MAX_NDIM];
};

/* For a tensor of a model, so one that has been checked. */
void tensor_shown(const struct tensor *t, struct shown *ret);

/* torch's rule: C order, where dimensions of size 1 may have any stride. */
bool shape_contiguous(unsigned ndim, const int64_t *shape, const int64_t *stride);

/* How many elements share a byte so that the shape counts parts of bytes; 0: none do. */
unsigned dtype_packed(enum dtype t);

#endif
