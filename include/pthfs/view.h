/* view.h - a state_dict under other names: a prefix taken off, or put on.
 *
 * A view arranges the same nodes under transformed keys; it holds no tensor. A name is found by
 * what its key would be; the table of all names is made when a listing, or a name with a number,
 * asks for it, and anew after the tree was edited. Keys that become equal get "~2" like everywhere;
 * (design.md "Names that ls does not list").
 *
 * Thread rule: anybody, but nobody edits the tree meanwhile. Names are good until the next edit.
 */
#ifndef PTHFS_VIEW_H
#define PTHFS_VIEW_H

#include <pthfs/tree.h>

enum view_op { VIEW_STRIP, VIEW_ADD };

#define VIEW_MAX_STEPS 8

struct view_step {
	uint8_t op;        /* enum view_op */
	struct str prefix; /* without the last dot: "module", "model.encoder" */
};

struct view_table; /* view.c */

struct view {
	const struct tree *tree;
	uint32_t dir; /* the state_dict's node */
	struct view_step steps[VIEW_MAX_STEPS];
	unsigned n_steps;
	struct arena arena; /* the prefixes */
	struct view_table *table;
};

/* steps are copied. ERR_LIMIT over VIEW_MAX_STEPS. */
int view_make(const struct tree *t, uint32_t dir, const struct view_step *steps, unsigned n,
		struct view **ret, struct err *e);
void view_free(struct view *v);
/* The table is there: view_name() will not be short of memory. */
int view_ready(const struct view *v, struct err *e);
uint32_t view_find(const struct view *v, struct str name); /* a node of the tree, or TREE_NONE */
/* The name of the child in that slot; empty when nobody is in it. */
struct str view_name(const struct view *v, uint32_t slot);
/* Appends the key that a new name in the view stands for: that key, transformed, is `shown`. False:
 * there is none (what add/p/ shows begins with "p."). */
bool view_key(const struct view_step *steps, unsigned n, struct str shown, struct buf *out);

/* What module/ is for this state_dict: VIEW_STRIP when at least half of its keys begin with
 * "module.", otherwise VIEW_ADD. */
enum view_op view_module_op(const struct tree *t, uint32_t dir);
/* Does any key, as the steps make it, begin with prefix and a dot? */
bool view_has_prefix(const struct tree *t, uint32_t dir, const struct view_step *steps, unsigned n,
		struct str prefix);
/* The first components that more than half of the keys share, longest chain first element first:
 * "module", then "_orig_mod" below it. At most max of them; returns how many. Borrowed from keys. */
unsigned view_prefixes(const struct tree *t, uint32_t dir, struct str *ret, unsigned max);

#endif
