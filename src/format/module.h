/* module.h - private: the walk that flattens a tree of modules, for pickled ones and TorchScript.
 */
#ifndef FORMAT_MODULE_H
#define FORMAT_MODULE_H

#include "interpret.h"

struct flat_frame {
	oref module;   /* for the cycle guard */
	oref children; /* a dict-like; its values may be modules */
	uint32_t next;
	uint32_t prefix; /* bytes of flat.prefix that belong to this module */
};

struct flat {
	struct loader *l;
	uint32_t v; /* the VALUE_MODULE that is filled */
	VEC(struct flat_frame) frames;
	struct buf prefix; /* "layer1.0." */
	uint32_t names;    /* made and visited, against format_opts.max_names */
	bool packed;       /* quantized layers have been told of */
};

struct flat_ops {
	/* Adds the module's own tensors with flat_add(); *ret_children: where its modules are. */
	int (*own)(struct flat *f, oref module, oref *ret_children);
	bool (*is_module)(const struct loader *l, oref r);
	bool only_modules; /* what is among the children and no module is worth a note */
};

int flatten(struct loader *l, oref module, uint32_t v, const struct flat_ops *ops);
/* Counts one name that was looked at: shared children can make a walk endless. ERR_LIMIT. */
int flat_count(struct flat *f);
/* An entry prefix + name. */
int flat_add(struct flat *f, oref name, oref tensor);
/* Pair i of a DICT, OrderedDict or OrderedDict([[k, v], ...]); false behind the last. */
bool dict_at(const struct loader *l, oref dict, uint32_t i, oref *key, oref *value);

#endif
