/* views.c - the views of a volume: module/ of each state_dict, and those made on demand.
 *
 * A view is other names for a state_dict's children (view.h). module/ exists for every state_dict
 * and is kept once made; whether it strips or adds is decided by the keys as they were at open, so
 * that renaming them through it does not turn it round. .pthfs/strip/PREFIX and .pthfs/add/PREFIX are
 * made when they are looked up and freed when the kernel has forgotten their inode. The kernel may
 * not forget for days, so that views and their names have a maximum too: no loop over prefixes can
 * fill the memory.
 */
#include "internal.h"

#include <string.h>

#define MAX_VIEWS 65536
#define MAX_VIEW_NAMES (1u << 21) /* in all views made on demand, some 50 bytes each */

int views_init(struct volume *v, struct err *e)
{
	const struct tree *t = &v->tree;
	v->module_nodes = (uint32_t)t->nodes.n;
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		if (!(t->nodes.at[i].flags & NODE_DIR) || !vol_is_state_dict(v, i) ||
				view_module_op(t, i) != VIEW_STRIP)
			continue;
		if (u32map_set(&v->module_strips, i, 1) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* Of a directory that was made later: by its keys when its module/ is first asked for. */
static struct view_step module_step(const struct volume *v, uint32_t node)
{
	uint32_t yes;
	enum view_op op = u32map_get(&v->module_strips, node, &yes) ? VIEW_STRIP : VIEW_ADD;
	if (node >= v->module_nodes)
		op = view_module_op(&v->tree, node);
	return (struct view_step){(uint8_t)op, STR("module")};
}

/* Under the lock. */
static int make_module(struct volume *v, uint32_t node, uint32_t *ret, struct err *e)
{
	struct view_step step = module_step(v, node);
	struct view *view;
	if (vec_room(&v->modules, 1) < 0)
		return err_nomem(e);
	int rc = view_make(&v->tree, node, &step, 1, &view, e);
	if (rc < 0)
		return rc;
	*ret = (uint32_t)v->modules.n;
	v->modules.at[v->modules.n++] = view;
	return u32map_set(&v->module_of, node, *ret) < 0 ? err_nomem(e) : 0;
}

static int module_view(struct volume *v, uint32_t node, const struct view **ret, struct err *e)
{
	uint32_t i;
	int rc = 0;
	pthread_rwlock_wrlock(&v->views_lock);
	if (!u32map_get(&v->module_of, node, &i))
		rc = make_module(v, node, &i, e);
	if (rc == 0)
		*ret = v->modules.at[i];
	pthread_rwlock_unlock(&v->views_lock);
	return rc;
}

static int slot_view(struct volume *v, uint64_t slot, const struct view **ret, struct err *e)
{
	const struct view *view = NULL;
	pthread_rwlock_rdlock(&v->views_lock);
	if (slot < v->views.n)
		view = v->views.at[slot].view;
	pthread_rwlock_unlock(&v->views_lock);
	if (!view)
		return err_set(e, ERR_ABSENT, "no such view any more");
	*ret = view;
	return 0;
}

int views_base(struct volume *v, uint64_t base, struct dir_ref *ret, struct err *e)
{
	struct dir_ref d = {.tree = &v->tree, .base = base};
	uint32_t i = (uint32_t)base;
	int rc = 0;
	if (base & ~(BASE_VIEW | BASE_MODULE | UINT32_MAX))
		return err_set(e, ERR_ABSENT, "no such inode");
	if (base & BASE_VIEW)
		rc = slot_view(v, i, &d.view, e);
	else if (i >= v->tree.nodes.n || !(v->tree.nodes.at[i].flags & NODE_DIR))
		rc = err_set(e, ERR_ABSENT, "no such inode");
	else if (base & BASE_MODULE)
		rc = module_view(v, i, &d.view, e);
	else
		d.node = i;
	if (rc < 0)
		return rc;
	if (d.view)
		d.node = d.view->dir;
	*ret = d;
	return 0;
}

int views_dir(struct volume *v, uint64_t ino, struct dir_ref *ret, struct err *e)
{
	uint64_t index = ino_index(ino);
	switch (ino_what(ino)) {
	case INO_DIR:
		return views_base(v, index, ret, e);
	case INO_VIEW:
		return views_base(v, BASE_VIEW | index, ret, e);
	case INO_MODULE:
		return views_base(v, BASE_MODULE | index, ret, e);
	default:
		return err_set(e, ERR_ABSENT, "no directory of names");
	}
}

static bool same_steps(const struct view *a, uint32_t dir, const struct view_step *steps, unsigned n)
{
	if (a->dir != dir || a->n_steps != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (a->steps[i].op != steps[i].op || !str_eq(a->steps[i].prefix, steps[i].prefix))
			return false;
	return true;
}

/* Under the lock: the slot of that view, making it when it is not there. */
static int find_slot(struct volume *v, uint32_t dir, const struct view_step *steps, unsigned n,
		uint32_t *ret, struct err *e)
{
	uint32_t free_slot = (uint32_t)v->views.n;
	for (uint32_t i = 0; i < v->views.n; i++) {
		const struct view *view = v->views.at[i].view;
		if (!view)
			free_slot = i;
		else if (same_steps(view, dir, steps, n))
			return *ret = i, 0;
	}
	if (free_slot >= MAX_VIEWS)
		return err_set(e, ERR_LIMIT, "more than %d views at a time", MAX_VIEWS);
	uint32_t names = tree_slots(&v->tree, dir);
	if (v->view_names && v->view_names + names > MAX_VIEW_NAMES)
		return err_set(e, ERR_LIMIT, "too many prefixes at a time: their views have more than "
				"%u names; mount again, or drop the kernel's caches",
				MAX_VIEW_NAMES);
	if (free_slot == v->views.n && vec_push(&v->views, (struct view_slot){0}) < 0)
		return err_nomem(e);
	int rc = view_make(&v->tree, dir, steps, n, &v->views.at[free_slot].view, e);
	if (rc < 0)
		return rc;
	v->views.at[free_slot].names = names;
	v->view_names += names;
	*ret = free_slot;
	return 0;
}

int views_lookup(struct volume *v, uint64_t base, enum view_op op, struct str prefix,
		uint64_t *ret_ino, struct err *e)
{
	struct view_step steps[VIEW_MAX_STEPS + 1];
	unsigned n = 0;
	struct dir_ref d;
	int rc = views_base(v, base, &d, e);
	if (rc < 0)
		return rc;
	if (d.view) {
		n = d.view->n_steps;
		memcpy(steps, d.view->steps, n * sizeof *steps);
	}
	steps[n++] = (struct view_step){(uint8_t)op, prefix};
	uint32_t slot = 0;
	pthread_rwlock_wrlock(&v->views_lock);
	rc = find_slot(v, d.node, steps, n, &slot, e);
	if (rc == 0) {
		v->views.at[slot].known++;
		*ret_ino = ino_make(slot, INO_VIEW);
	}
	pthread_rwlock_unlock(&v->views_lock);
	return rc;
}

void views_forget(struct volume *v, uint64_t ino, uint64_t n)
{
	uint64_t slot = ino_index(ino);
	pthread_rwlock_wrlock(&v->views_lock);
	if (slot < v->views.n) {
		struct view_slot *s = &v->views.at[slot];
		s->known -= n < s->known ? n : s->known;
		if (s->known == 0 && s->view) {
			v->view_names -= s->names;
			view_free(s->view);
			s->view = NULL;
		}
	}
	pthread_rwlock_unlock(&v->views_lock);
}

void views_release(struct volume *v)
{
	for (size_t i = 0; i < v->views.n; i++)
		view_free(v->views.at[i].view);
	vec_release(&v->views);
	for (size_t i = 0; i < v->modules.n; i++)
		view_free(v->modules.at[i]);
	vec_release(&v->modules);
	u32map_release(&v->module_of);
	u32map_release(&v->module_strips);
}
