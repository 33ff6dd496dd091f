/* tree.h - names: every path that ls shows, made once from the model, and edited from then on.
 *
 * A node per path (design.md "The tree"). Node 0 is the root directory. The children of a
 * directory stand in slots, in the checkpoint's own order: at first nodes [first, first + n), then
 * those that came later. A slot never moves: whoever was removed or moved away leaves it empty, and
 * a listing that was begun goes on as if nothing had happened. Node numbers are never given to
 * somebody else. Names are legal file names of at most 250 bytes, so that ".meta" fits behind them;
 * see name.h for how keys become names.
 *
 * Tensors that are the same under two names are one inode: file_nlink() counts the names.
 * Thread rule: after tree_build() anybody reads; whoever edits is alone.
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
	NODE_GONE = 16,    /* removed, with all that is below it; files that are open still know it */
	NODE_TOUCHED = 32, /* a directory whose children are not what the graph says (volume) */
	NODE_NEW = 64,     /* not in the checkpoint as it was loaded, or committed last */
};

struct node {
	const char *name;
	uint16_t name_len, flags;
	uint32_t parent; /* of a root: itself */
	uint32_t value;
	uint32_t first, n; /* children that tree_build() gave it: use tree_child() */
	oref key;          /* OREF_NIL: none (a root, a part, a list item) */
};

/* Children of a directory that were added or moved in. Entries whose node has left it are empty
 * slots. */
struct tree_more {
	VEC(uint32_t) at;
};
/* Who came later, and where to: a node that comes back finds its slot by this. */
struct tree_late {
	uint32_t dir, node, slot;
};
/* The live names of one tensor, and the live directories of one value, are rings in node order,
 * those below object/ last. TREE_NONE: in no ring. */
struct tree_ring {
	uint32_t next, prev;
};
/* A node before an edit. */
struct tree_was {
	uint32_t id;
	struct node node; /* of one that was not there: NODE_GONE, and itself as parent */
};

struct tree {
	const struct model *model;
	struct arena names;
	VEC(struct node) nodes;
	struct idmap by_name;  /* (parent, name) -> node */
	uint32_t max_names;
	bool meta_names; /* some real name ends in ".meta" */
	bool odd_names;  /* some name is not its key's own spelling (numbered, or given so) */
	bool twins;      /* as built: some value is a directory in several places */
	uint32_t *nlink;       /* [tensors]: names below the root (not below object/) */
	uint32_t *first_node;  /* [tensors]: the first of them; else the first below object/;
	                        * TREE_NONE. See tree_nlink(), tree_first() */
	bool objects_cut;      /* max_names ended the expanding below object/ */
	uint32_t *object_root; /* [values]: root of the raw attributes of a module; TREE_NONE. May be
	                        * NULL when there are no modules */
	uint32_t object_values;    /* how many object_root has room for */
	uint32_t tensor_cap;       /* how many nlink and first_node have room for */
	VEC(struct tree_more) more; /* children that came later */
	struct u32map more_of;      /* directory -> its place in more */
	VEC(struct tree_late) late;
	struct idmap late_ids;      /* (directory, node) -> its place in late */
	struct u32map removed;      /* node -> when, by a count of removals; 0: undone */
	uint32_t removals;
	struct tree_ring *rings;    /* [nodes] from the first edit on; NULL before */
	uint32_t *first_dir;        /* [values] of the rings of directories */
	uint32_t ring_cap, value_cap;
	VEC(struct tree_was) undo;  /* latest last */
	bool recording;
	uint64_t generation;        /* counts edits of names: tables made from them go stale */
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

/* Slots of a directory, and who is in one: TREE_NONE when nobody is (any more). */
uint32_t tree_slots(const struct tree *t, uint32_t dir);
uint32_t tree_child(const struct tree *t, uint32_t dir, uint32_t slot);
/* How many children there are. */
uint32_t tree_count(const struct tree *t, uint32_t dir);
/* The slot that a child stands in; TREE_NONE of a root. */
uint32_t tree_slot(const struct tree *t, uint32_t node);
/* The next node in depth-first order from the root, children in slot order; i = 0: the first.
 * TREE_NONE at the end. */
uint32_t tree_next(const struct tree *t, uint32_t i);
/* Is it there, and everything above it? (A removed directory takes along what is below it.) */
bool tree_alive(const struct tree *t, uint32_t node);

/* Live names of a tensor below the root, and the first of them (lowest number; below object/ when
 * there is none else, or TREE_NONE). Also of tensors that came after tree_build(). */
static inline uint32_t tree_nlink(const struct tree *t, uint64_t tensor)
{
	return tensor < t->tensor_cap ? t->nlink[tensor] : 0;
}
static inline uint32_t tree_first(const struct tree *t, uint64_t tensor)
{
	return tensor < t->tensor_cap ? t->first_node[tensor] : TREE_NONE;
}
/* The live name of the same tensor after this one; TREE_NONE: it was the last. Known from the first
 * edit on (generation > 0). */
uint32_t tree_also(const struct tree *t, uint32_t node);
/* The root of a module's raw attributes, or TREE_NONE. */
static inline uint32_t tree_object(const struct tree *t, uint32_t value)
{
	return t->object_root && value < t->object_values ? t->object_root[value] : TREE_NONE;
}

/* The child of that name, or TREE_NONE. */
uint32_t tree_find(const struct tree *t, uint32_t dir, struct str name);
/* The path of a node from its root, "model/fc.weight"; the root itself is "". */
void tree_path(const struct tree *t, uint32_t n, struct buf *out);

/* --- edit.c: names come, go and change. nlink and first_node follow ------------------------------
 *
 * What fails changes nothing. A name that is taken is ERR_EXISTS, one that is too long for a file
 * ENAMETOOLONG, a directory within itself ERR_INVALID, what is gone ERR_ABSENT. */

/* A further child of dir (in a new slot, at the end), with everything that its value holds below
 * it, all of it NODE_NEW. name must be free. key OREF_NIL: a list item. name is copied. */
int tree_add(struct tree *t, uint32_t dir, oref key, struct str name, uint32_t value, uint32_t *ret,
		struct err *e);
/* Takes a node out, and with it all that is below. ERR_ABSENT: it is out; ERR_NOMEM. */
int tree_remove(struct tree *t, uint32_t node);
/* One that was removed is there again, in its old slot and under its old name (which must be free),
 * with this value. A directory whose value is the old one has again what it had when it went. */
int tree_restore(struct tree *t, uint32_t node, uint32_t value, struct err *e);
/* Another name, key or directory. Within its directory it keeps its slot; elsewhere it gets one at
 * the end (its old one, when it comes back). */
int tree_move(struct tree *t, uint32_t node, uint32_t dir, oref key, struct str name,
		struct err *e);
/* Another value in the same place. Of a directory: what was below it is gone, what the new value
 * holds is there. */
int tree_set_value(struct tree *t, uint32_t node, uint32_t value, struct err *e);
/* The removed node that last had this name in dir, or TREE_NONE. */
uint32_t tree_find_gone(const struct tree *t, uint32_t dir, struct str name);
int tree_flag(struct tree *t, uint32_t node, uint16_t set, uint16_t clear);
/* The children of a list are called by their places: 0, 1, 2, ... Not noted. */
int tree_renumber(struct tree *t, uint32_t dir, struct err *e);
/* Every other live node that shows the same value as `dir` (a container on several paths): the
 * next one after `from` (start with TREE_NONE); TREE_NONE: no more. Cheap when there is none.
 * Between two calls children may change, not the twins themselves. */
uint32_t tree_twin(const struct tree *t, uint32_t dir, uint32_t from);

/* From here on edits are noted; tree_undo() takes back those since `mark` (a former undo.n),
 * latest first; tree_forget_undo() lets them be and takes NODE_NEW and NODE_TOUCHED off (what is
 * gone then would be new). Both go on noting. */
void tree_record_undo(struct tree *t);
void tree_undo(struct tree *t, size_t mark);
void tree_forget_undo(struct tree *t);

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
