/* change.h - changing the objects of a checkpoint in torch's own spelling: tensors that are made,
 * dicts whose keys change, attributes, _metadata. No pickle is written here (save.h).
 *
 * Objects are changed in place, so that whoever refers to them sees it; graph_undo (obj.h) takes
 * it back. Thread rule: the writer is alone.
 */
#ifndef PTHFS_CHANGE_H
#define PTHFS_CHANGE_H

#include <pthfs/format.h>

/* A tensor that was not in the file. */
struct new_tensor {
	enum dtype dtype;
	unsigned ndim;
	const int64_t *shape;
	const int64_t *stride; /* elements; NULL: C order */
	struct extent data;    /* its storage, when that is new; a reference is taken */
	uint32_t storage;      /* MODEL_NONE: a new one over data; else that one, from `offset` on */
	uint64_t offset;       /* elements */
	bool requires_grad;
	bool parameter;        /* wrapped as nn.Parameter: torch._utils._rebuild_parameter */
	struct str location;   /* "cpu" when empty */
	uint32_t like;         /* MODEL_NONE, or a tensor whose hooks and location it takes over */
};
/* Adds storage, tensor and value (VALUE_TENSOR) to the model and the objects to its graph:
 * _rebuild_tensor_v2 over a typed storage class, _rebuild_tensor_v3 over UntypedStorage for dtypes
 * that have no class, or not that of the storage (formats/torch-objects.md). ERR_UNSUPPORTED with
 * the reason: TorchScript, plain pickles, tars, quantized dtypes, storages inside of the pickle.
 * ERR_INVALID: shape and storage do not go together, integers that require gradients. */
int change_new_tensor(struct checkpoint *ck, const struct new_tensor *t, uint32_t *ret_value,
		struct err *e);

/* A value that holds this object: VALUE_LEAF, or an empty VALUE_DICT for an empty dict. Objects
 * with structure in them (a dict with entries from a .json) become VALUE_DICT / VALUE_LIST with
 * entries, as loading would. */
int change_new_value(struct checkpoint *ck, oref obj, uint32_t *ret_value, struct err *e);

/* Whose children can come, go and be called otherwise? 0, or ERR_UNSUPPORTED: "an object's
 * attributes are kept as they are", ... dir: a value that is a directory. */
int change_dir_ok(const struct checkpoint *ck, uint32_t dir, struct err *e);
/* Can child (entry i of dir as it was loaded) get another value? Also attributes of objects. */
int change_child_ok(const struct checkpoint *ck, uint32_t dir, struct err *e);

/* The objects that stand in the graph where the entries of a directory are: out[i] of entry i, as it
 * was loaded. A leaf's value.obj may be a simpler object than that one (numpy scalars). OREF_NIL
 * for what has none of its own (a part of a sparse tensor, what a module's state_dict() gives).
 * out: as many as the value has entries. */
int change_entries(struct checkpoint *ck, uint32_t dir, oref *out, struct err *e);

/* The pairs of a mapping (DICT, OrderedDict, defaultdict, ..., also the old OrderedDict([[k, v]])
 * spelling), all anew: key, value, key, value. state and everything else stay. */
int change_pairs(struct checkpoint *ck, uint32_t dir, const oref *pairs, uint32_t n_pairs,
		struct err *e);
/* The items of a LIST or TUPLE directory. A tuple is immutable in Python, but its object here is
 * changed in place all the same. */
int change_items(struct checkpoint *ck, uint32_t dir, const oref *items, uint32_t n,
		struct err *e);
/* One attribute of an object's state (VALUE_OBJECT): the value under the text key. */
int change_attribute(struct checkpoint *ck, uint32_t dir, oref key, oref value, struct err *e);

/* A key of a mapping that is now called otherwise. */
struct renamed {
	struct str was, now;
};
/* Carries the _metadata of a state_dict (BUILD's state of the OrderedDict) along: a module whose
 * keys all moved is called as they are now, as torch's consume_prefix_in_state_dict_if_present()
 * does ("module" becomes ""), its submodules without keys too. keys: all text keys as they are
 * now. Nothing to do: 0. */
int change_metadata(struct checkpoint *ck, uint32_t dir, const struct renamed *renames, size_t n,
		const struct str *keys, size_t n_keys, struct err *e);

#endif
