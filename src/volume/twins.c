/* twins.c - a dict that stands under two keys, and `rm -r` of one of them.
 *
 * Both are one directory with two names: a key that is removed in one is gone from the other, as in
 * Python. But `rm -r mnt/state_dict` means the name. Nobody says so beforehand: what comes is an
 * unlink for each key, then the rmdir. So it is remembered who removed what through which of the
 * names, and when the same process removes the directory itself, its twins get back what they lost
 * in this way:
 *
 *	unlink state_dict/a     model/a is gone too          parted: state_dict/a, by 4711
 *	unlink state_dict/b     model/b is gone too          parted: state_dict/b, by 4711
 *	rmdir state_dict        model/a and model/b are there again, then state_dict goes
 *
 * Keys that somebody else removed, or that were removed before a commit, stay removed.
 */
#include "edit.h"

static void parted(struct volume *v, uint32_t node)
{
	struct parted p = {node, ghost_caller()};
	if (p.pid && tree_twin(&v->tree, v->tree.nodes.at[node].parent, TREE_NONE) != TREE_NONE &&
			vec_push(&v->edit->parted, p) < 0)
		log_add(v->log, "out of memory: what rm -r takes from a dict under two keys may be "
				"gone from both");
}

int twins_restore(struct volume *v, uint32_t node, struct err *e)
{
	struct buf path;
	buf_init(&path, 1 << 20);
	tree_path(&v->tree, node, &path);
	int rc = tree_restore(&v->tree, node, v->tree.nodes.at[node].value, e);
	keys_touch(v, v->tree.nodes.at[node].parent);
	if (rc == 0) {
		edit_changed_node(v, node);
		rc = ops_back(v, buf_view(&path), e);
	}
	buf_release(&path);
	return rc;
}

/* What `node` was in the twins of its directory. */
static int back_in_twins(struct volume *v, uint32_t node, uint32_t dir, struct err *e)
{
	struct str name = node_name(&v->tree, node);
	int rc = 0;
	for (uint32_t twin = tree_twin(&v->tree, dir, TREE_NONE); rc == 0 && twin != TREE_NONE;
			twin = tree_twin(&v->tree, dir, twin)) {
		uint32_t other = tree_find_gone(&v->tree, twin, name);
		if (other != TREE_NONE && tree_find(&v->tree, twin, name) == TREE_NONE &&
				v->tree.nodes.at[other].value == v->tree.nodes.at[node].value)
			rc = twins_restore(v, other, e);
	}
	return rc;
}

static bool is_of(const struct volume *v, const struct parted *p, uint32_t dir)
{
	const struct node *n = &v->tree.nodes.at[p->node];
	return p->pid == ghost_caller() && n->parent == dir && n->flags & NODE_GONE;
}

static bool any(const struct volume *v, uint32_t dir)
{
	for (size_t i = 0; i < v->edit->parted.n; i++)
		if (is_of(v, &v->edit->parted.at[i], dir))
			return true;
	return false;
}

static int all_back(struct volume *v, uint32_t dir, struct err *e)
{
	int rc = 0;
	for (size_t i = v->edit->parted.n; i-- > 0 && rc == 0;)
		if (is_of(v, &v->edit->parted.at[i], dir))
			rc = back_in_twins(v, v->edit->parted.at[i].node, dir, e);
	return rc;
}

int twins_remove(struct volume *v, uint32_t node, struct err *e)
{
	int rc = edit_remove_node(v, node, e);
	if (rc == 0)
		parted(v, node);
	return rc;
}

int twins_remove_dir(struct volume *v, uint32_t node, struct err *e)
{
	size_t mark = v->tree.undo.n;
	if (!any(v, node))
		return twins_remove(v, node, e);
	int rc = ops_group(v, OPS_BEGIN, e);
	if (rc == 0)
		rc = all_back(v, node, e);
	if (rc == 0)
		rc = edit_remove_node(v, node, e);
	if (rc == 0)
		rc = ops_group(v, OPS_END, e);
	if (rc < 0) {
		tree_undo(&v->tree, mark);
		ops_group(v, OPS_ABORT, NULL);
		return rc;
	}
	parted(v, node);
	return 0;
}
