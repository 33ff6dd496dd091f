/* view.h - a state_dict under other names: a prefix taken off, or put on.
 *
 * A view arranges the same nodes under transformed keys; it holds no tensor and no state. Its
 * directory is a table of names made when the view is first asked for. Keys that become equal get
 * "~2" like everywhere; (design.md "Names that ls does not list").
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

struct view {
	const struct tree *tree;
	uint32_t dir; /* the state_dict's node */
	struct view_step steps[VIEW_MAX_STEPS];
	unsigned n_steps;
	struct arena arena;
	struct name_set names; /* position i is child i of dir */
};

/* steps are copied. ERR_LIMIT over VIEW_MAX_STEPS. */
int view_make(const struct tree *t, uint32_t dir, const struct view_step *steps, unsigned n,
		struct view **ret, struct err *e);
void view_free(struct view *v);
uint32_t view_find(const struct view *v, struct str name); /* a node of the tree, or TREE_NONE */
struct str view_name(const struct view *v, uint32_t child); /* 0 <= child < dir's n */

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
