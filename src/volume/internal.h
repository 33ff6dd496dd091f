/* internal.h - the inside of a volume; only src/volume includes it. */
#ifndef PTHFS_VOLUME_INTERNAL_H
#define PTHFS_VOLUME_INTERNAL_H

#include "ino.h"
#include <pthfs/content.h>
#include <pthfs/format.h>
#include <pthfs/tree.h>
#include <pthfs/view.h>
#include <pthfs/volume.h>
#include <pthread.h>

#define TEXT_MAX (16u << 20) /* bytes of a text that is made; JSON of directories: vol_json_max() */
#define JSON_MAX (256u << 20)

/* Which tensors look at common bytes: tensors ordered by storage and first byte. */
struct overlaps {
	uint32_t *order;   /* [n] tensors */
	uint64_t *max_end; /* [n] largest end byte up to here, within one storage */
	uint32_t *longer;  /* [n] the last place before, in that storage, that ends later; TREE_NONE */
	uint32_t *place;   /* [tensors] position in order; TREE_NONE. NULL when n is 0 */
	uint32_t n;
	uint32_t tensors; /* that there were at open: those that came later overlap nothing ... */
	struct u32map origin, heir; /* ... but for who took the names and the bytes of one of them */
};

/* A further name of a tensor that has several. */
struct tie {
	uint32_t tensor, node;
};

/* The container's members as a tree. Node 0 is its root. */
struct arc_node {
	struct str name;
	uint32_t parent, first, next; /* first child, next sibling; TREE_NONE */
	uint32_t last;                /* last child, while building */
	uint32_t member;              /* TREE_NONE: a directory */
};
struct archive {
	struct arena names;
	VEC(struct arc_node) nodes;
	struct idmap by_name;
	size_t last_number; /* see name_next_number() */
};

/* What the tree holds, counted for one state of it. */
struct totals {
	struct volume_totals sum;
	uint64_t names;      /* live ones below the root, and those below object/ */
	uint64_t generation; /* of the tree */
	bool made;
};

struct view_slot {
	struct view *view; /* NULL: free */
	uint32_t names;    /* that it counted for in view_names */
	uint64_t known;    /* times the kernel knows its inode */
};

/* An open file. */
struct vfile {
	struct volume *v;
	uint64_t ino;
	struct content c;
	enum dtype dtype;    /* of its elements; DTYPE_NONE: no elements */
	bool fixed;          /* only what it shows can be written: stage.c */
	bool writing;        /* counted in its stage, when it has one */
	uint64_t generation; /* of the edits that c shows */
};

struct edit; /* edit.h */

struct volume {
	pthread_rwlock_t lock; /* when edit is there: held for reading by calls that read */
	struct edit *edit;     /* NULL: read-only */
	char *path;
	struct stat st;    /* of the checkpoint now: changes at a commit, under lock */
	struct stat shown; /* as it was at open: whose owner, mode and times are shown */
	struct volume_opts opts;
	struct checkpoint *ck;
	struct tree tree;
	struct overlaps overlaps;
	VEC(struct tie) ties; /* as loaded, ordered by tensor; see overlap.c */
	pthread_mutex_t archive_lock;
	struct archive archive; /* empty until asked for, then immutable; made under archive_lock */
	struct log *log;
	pthread_mutex_t totals_lock;
	struct totals totals; /* protected by totals_lock: use vol_totals() */

	pthread_rwlock_t views_lock;
	VEC(struct view_slot) views;  /* protected by views_lock */
	uint64_t view_names;          /* in all of views; protected by views_lock */
	VEC(struct view *) modules;   /* module/ views, made when asked for; protected by views_lock */
	struct u32map module_of;      /* node -> its place in modules; protected by views_lock */
	struct u32map module_strips;  /* state_dicts whose module/ takes the prefix off: at open */
	uint32_t module_nodes;        /* nodes that there were at open */
};

/* What a directory inode stands for, when it holds names of a state_dict or of the tree. */
struct dir_ref {
	const struct tree *tree;
	uint32_t node;           /* tree node */
	const struct view *view; /* or NULL: the tree's own names */
	uint64_t base;           /* for ino_make(base, INO_CTL) */
};

static inline const struct model *vol_model(const struct volume *v)
{
	return &v->ck->model;
}

/* Around every call that reads. */
static inline void vol_read_begin(struct volume *v)
{
	if (v->edit)
		pthread_rwlock_rdlock(&v->lock);
}
static inline void vol_read_end(struct volume *v)
{
	if (v->edit)
		pthread_rwlock_unlock(&v->lock);
}

/* file.c: what an inode shows, made or found. */
int vol_content(struct volume *v, uint64_t ino, struct content *c, struct err *e);

/* views.c: the pointer stays good as long as the inode is known. views_init(): at open. */
int views_init(struct volume *v, struct err *e);
int views_dir(struct volume *v, uint64_t ino, struct dir_ref *ret, struct err *e);
int views_lookup(struct volume *v, uint64_t base, enum view_op op, struct str prefix,
		uint64_t *ret_ino, struct err *e);
int views_base(struct volume *v, uint64_t base, struct dir_ref *ret, struct err *e);
void views_forget(struct volume *v, uint64_t ino, uint64_t n);
void views_release(struct volume *v);
bool vol_is_state_dict(const struct volume *v, uint32_t node);

/* names.c: has it a .pthfs/? The i-th name of a .pthfs directory, i < CTL_NAMES; false: not here. */
#define CTL_NAMES 12
bool vol_has_ctl(const struct volume *v, const struct dir_ref *d);
bool vol_ctl_nth(const struct volume *v, const struct dir_ref *d, size_t i, const char **name,
		uint64_t *ino);

/* volume.c: of the tree as it is now. */
struct totals vol_totals(const struct volume *v);

/* attr.c */
/* A number that was given out; archive.c and views.c check their own. */
bool vol_ino_valid(const struct volume *v, uint64_t ino);
int vol_attr(struct volume *v, uint64_t ino, struct vattr *ret, struct err *e);
uint64_t vol_node_ino(const struct volume *v, uint32_t node);
uint64_t vol_derived_ino(const struct volume *v, uint32_t node, enum derived which);
struct name_lookup vol_dir_names(const struct dir_ref *d); /* borrows d */

/* text.c: what is made. Each appends to out. */
/* A few pickled bytes can name one list over and over: what is made of them is bounded by what
 * they are. */
size_t vol_json_max(const struct volume *v);
int vol_text(struct volume *v, uint64_t ino, struct buf *out, struct err *e);
void vol_meta_members(const struct volume *v, uint32_t tensor, struct json *j);
/* A shape or strides as a JSON list; _member with its key in front. */
void vol_dims(const int64_t *dims, unsigned n, struct json *j);
void vol_dims_member(const char *name, const int64_t *dims, unsigned n, struct json *j);
void vol_meta_text(const struct volume *v, uint32_t tensor, struct buf *out);
void vol_parts_members(const struct volume *v, uint32_t node, struct json *j);
int vol_json(const struct volume *v, uint32_t node, struct buf *out, struct err *e);
void vol_tensor_key(const struct volume *v, uint32_t tensor, struct buf *out);
void vol_node_key(const struct volume *v, uint32_t node, struct buf *out);
void vol_node_type(const struct volume *v, uint32_t node, struct buf *out);

/* overlap.c: fn for every other name whose bytes overlap those of tensor: its own further names
 * first, then other tensors' first names. Stops when fn returns false. */
int overlaps_init(struct volume *v, struct err *e);
void overlaps_release(struct volume *v);
void overlaps_each(const struct volume *v, uint32_t tensor, bool (*fn)(void *ctx, uint32_t node),
		void *ctx);
bool overlaps_others(const struct volume *v, uint32_t tensor);
/* Tensor `now` looks at the same bytes as `was` did, and has its names. */
int overlaps_inherit(struct volume *v, uint32_t was, uint32_t now, struct err *e);

/* archive.c: made by the first of these calls. */
int archive_node(struct volume *v, uint64_t index, const struct arc_node **ret, struct err *e);
int archive_find(struct volume *v, uint32_t dir, struct str name, uint32_t *ret, struct err *e);
void archive_release(struct volume *v);

/* control.c: how the last commit or revert went. */
void vol_control_text(const struct volume *v, struct buf *out);
/* status.c: clean or dirty, and why. */
void vol_status_text(struct volume *v, bool json, struct buf *out);

/* info.c */
void vol_globals_text(const struct volume *v, struct buf *out);

#endif
