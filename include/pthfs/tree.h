/* tree.h - names: every path that ls shows, made once from the model, immutable afterwards.
 *
 * A node per path (design.md "The tree"). Node 0 is the root directory. The children of a
 * directory are contiguous and in the checkpoint's own order. Names are legal file names of at
 * most 250 bytes, so that ".meta" fits behind them; see name.h for how keys become names.
 *
 * Tensors that are the same under two names are one inode: file_nlink() counts the names.
 * Thread rule: after tree_build() anybody reads.
 */
#ifndef PTHFS_TREE_H
#define PTHFS_TREE_H

#include <pthfs/model.h>

#define TREE_NONE UINT32_MAX

enum node_flags {
	NODE_DIR = 1,
	NODE_RENAMED = 2, /* the name is not the key: escaped, cut, or made unique */
	NODE_OBJECT = 4,  /* below a .pthfs/object/ */
	NODE_NUMBERED = 8, /* an earlier key has the plain name: ends in "~2", "~3", ... */
};

struct node {
	const char *name;
	uint16_t name_len, flags;
	uint32_t parent; /* of a root: itself */
	uint32_t value;
	uint32_t first, n; /* children */
	oref key;          /* OREF_NIL: none (a root, a part, a list item) */
};

struct tree {
	const struct model *model;
	struct arena names;
	VEC(struct node) nodes;
	struct idmap by_name;  /* (parent, name) -> node */
	uint32_t max_names;
	bool meta_names; /* some real name ends in ".meta" */
	uint32_t *nlink;       /* [tensors]: names below the root (not below object/) */
	uint32_t *first_node;  /* [tensors]: the first of them; TREE_NONE */
	bool objects_cut;      /* max_names ended the expanding below object/ */
	uint32_t *object_root; /* [values]: root of the raw attributes of a module; TREE_NONE. May be
	                        * NULL when there are no modules */
};

/* max_names bounds the paths; over it the mount is refused with a sentence that names the option
 * (shared containers can expand without end). 0: 1,000,000, or twice what the file itself names
 * when that is more. */
int tree_build(const struct model *m, uint32_t max_names, struct tree *ret, struct err *e);
void tree_release(struct tree *t);

static inline struct str node_name(const struct tree *t, uint32_t n)
{
	return (struct str){t->nodes.at[n].name, t->nodes.at[n].name_len};
}
static inline const struct value *node_value(const struct tree *t, uint32_t n)
{
	return &t->model->values.at[t->nodes.at[n].value];
}

/* The child of that name, or TREE_NONE. */
uint32_t tree_find(const struct tree *t, uint32_t dir, struct str name);
/* The path of a node from its root, "model/fc.weight"; the root itself is "". */
void tree_path(const struct tree *t, uint32_t n, struct buf *out);

/* --- name.h: keys and names ------------------------------------------------------------------- */

#define NAME_LIMIT 250 /* bytes; 255 less ".meta" */

/* The text of a key that is text: a str, or a byte string of Python 2. Borrowed. */
bool key_text(const struct graph *g, oref key, struct str *ret);
/* The file name of a key: percent-encoding where it must be, the empty key as "%", long ones cut
 * and ended with "~" and 16 hex digits of a hash. Injective but for the cut ones. (rule 6) */
void name_of_text(struct str key, struct buf *out);
/* Also keys that are no text: their repr, escaped. */
void name_of_key(const struct graph *g, oref key, struct buf *out);
/* The key that name_of_text() made this name from; false for cut names and impossible ones. */
bool name_to_text(struct str name, struct buf *out);

/* The k-th form (k >= 2) of a name that is taken: "NAME~k", its end cut off where that would be
 * longer than NAME_LIMIT. Replaces what is in out. */
void name_numbered(struct str name, size_t k, struct buf *out);
/* The number to try after k (1: none yet). Up to NAME_OWN_NUMBERS each name counts for itself;
 * from there on those of one directory count together, in *last (0 at first), so that hostile
 * keys cost no more tries than there are names. */
#define NAME_OWN_NUMBERS 17
size_t name_next_number(size_t k, size_t *last);

/* A set of names in which each is given once: the later of two gets "~2", "~3", ... */
struct name_set {
	VEC(struct str) at;
	VEC(uint32_t) taken; /* positions that wait for a number */
	struct idmap ids;
};
void name_set_release(struct name_set *s);
uint32_t name_set_find(const struct name_set *s, struct str name);
/* Copies name into arena and adds it; one that is taken waits for name_set_number(). */
int name_set_add(struct name_set *s, struct arena *a, struct str name);
/* Numbers those that wait, once it is known which names are the keys' own. */
int name_set_number(struct name_set *s, struct arena *a);

/* --- names beside a file that ls shows or that only answer ------------------------------------ */

enum derived { DERIVED_META, DERIVED_NPY, DERIVED_STATS, DERIVED_SVG, DERIVED_JSON, DERIVED_COUNT };

/* How a directory answers for its own names: the tree's, or a view's. */
struct name_lookup {
	uint32_t (*find)(const void *ctx, struct str name); /* a node, or TREE_NONE */
	const void *ctx;
};

/* "NAME.meta" -> the node NAME and DERIVED_META, unless a real name stands in the way (then it
 * is "NAME.meta~"; real names always win). TREE_NONE when it is no such name, or when that node
 * has no such companion. */
uint32_t derived_find(const struct tree *t, const struct name_lookup *l, struct str name,
		enum derived *ret);
/* The name of a node's companion in a directory where the node is called `name`. l NULL: no real
 * name can stand in the way. */
void derived_name(const struct name_lookup *l, struct str name, enum derived which,
		struct buf *out);
/* Has that node such a companion? Tensors: meta, npy, stats, svg. Parts: meta, json. Other
 * directories and leaves: json. */
bool derived_has(const struct tree *t, uint32_t node, enum derived which);

#endif
