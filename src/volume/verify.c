/* verify.c - before a new file takes the checkpoint's name, it is read the way anybody would read it.
 *
 * The plan is loaded as if it were written already: container, pickle, names. Every name has to be
 * there, in the same order, with the same kind, type, shape and size as what is shown now. That
 * costs as much as a mount, and no tensor is read. A mistake of ours (or memory gone bad) so ends
 * in a sentence, not in somebody's only copy.
 */
#include "edit.h"

#include <pthfs/plan.h>
#include <string.h>

struct pair {
	struct volume *v;
	const struct tree *now, *then;
	struct err *e;
};

static int differs(struct pair *p, uint32_t node, const char *how)
{
	struct buf path;
	buf_init(&path, 1 << 20);
	tree_path(p->now, node, &path);
	err_set(p->e, ERR_DAMAGED, "the new file would not show %s as it is here (%s): nothing was written, "
				   "the edits stay; please report this as a bug of pthfs",
			STR_SHOW(buf_view(&path)), how);
	buf_release(&path);
	return ERR_DAMAGED;
}

static int compare_tensor(struct pair *p, uint32_t node, const struct tensor *a, const struct tensor *b)
{
	if (a->dtype != b->dtype || a->nbytes != b->nbytes)
		return differs(p, node, "type or size");
	if (a->ndim != b->ndim || memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) != 0)
		return differs(p, node, "shape");
	if (!a->broken && b->broken)
		return differs(p, node, b->broken);
	return 0;
}

/* Lists number their items anew, and names that were taken may be free now. */
static bool same_name(const struct pair *p, uint32_t a, uint32_t b)
{
	const struct node *x = &p->now->nodes.at[a], *y = &p->then->nodes.at[b];
	if (x->key == OREF_NIL || (x->flags | y->flags) & NODE_NUMBERED ||
			node_value(p->now, x->parent)->kind == VALUE_LIST)
		return true;
	return str_eq(node_name(p->now, a), node_name(p->then, b));
}

static int compare(struct pair *p, uint32_t a, uint32_t b)
{
	const struct value *x = node_value(p->now, a), *y = node_value(p->then, b);
	bool dir = p->now->nodes.at[a].flags & NODE_DIR;
	if (!same_name(p, a, b))
		return differs(p, a, "its name");
	if (dir != (bool)(p->then->nodes.at[b].flags & NODE_DIR))
		return differs(p, a, "its kind");
	if (x->kind == VALUE_TENSOR && y->kind == VALUE_TENSOR)
		return compare_tensor(p, a, &p->now->model->tensors.at[x->tensor],
				&p->then->model->tensors.at[y->tensor]);
	return x->kind == VALUE_TENSOR || y->kind == VALUE_TENSOR ? differs(p, a, "its kind") : 0;
}

static int compare_trees(struct pair *p)
{
	uint32_t a = tree_next(p->now, 0), b = tree_next(p->then, 0);
	int rc = 0;
	while (rc == 0 && a != TREE_NONE && b != TREE_NONE) {
		rc = compare(p, a, b);
		a = tree_next(p->now, a);
		b = tree_next(p->then, b);
	}
	if (rc == 0 && (a != TREE_NONE || b != TREE_NONE))
		rc = differs(p, a != TREE_NONE ? a : 0, "the number of names");
	return rc;
}

int verify_plan(struct volume *v, const struct plan *plan, struct err *e)
{
	struct format_opts fo = {.max_names = v->opts.max_names};
	struct checkpoint *ck = NULL;
	struct source *file = NULL;
	struct tree then;
	int rc = source_plan(plan, &file, e);
	if (rc == 0)
		rc = checkpoint_load(file, &fo, &ck, e);
	source_unref(file);
	if (rc == 0)
		rc = tree_build(&ck->model, v->tree.max_names, &then, e);
	if (rc < 0) {
		checkpoint_free(ck);
		err_prefix(e, "the new file could not be read: nothing was written, the edits stay; if this "
			      "one is not damaged itself, please report it as a bug of pthfs");
		return rc;
	}
	struct pair p = {v, &v->tree, &then, e};
	rc = compare_trees(&p);
	tree_release(&then);
	checkpoint_free(ck);
	return rc;
}
