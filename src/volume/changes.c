/* changes.c - how what is shown differs from the checkpoint: by state, not by history, so that a
 * change that was taken back is none.
 *
 *	removed PATH          a key that was there at the last commit (not those below a removed one)
 *	added PATH            the other way round
 *	renamed OLD -> NEW
 *	changed PATH          another value or type
 *	changed PATH (4 MB)   bytes of a storage, under its first name
 */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

struct walk {
	struct volume *v;
	change_fn *fn;
	void *ctx;
	struct u32map first; /* node -> place in tree.undo of how it was at the last commit */
	struct buf path, was;
	bool stopped;
};

/* The path that a node had at the last commit: its own old place, and its directories' old places. */
static void old_path(struct walk *w, const struct node *old, unsigned depth)
{
	const struct tree *t = &w->v->tree;
	uint32_t dir = old->parent, i;
	if (dir != 0 && depth < 64) {
		old_path(w, u32map_get(&w->first, dir, &i) ? &t->undo.at[i].node : &t->nodes.at[dir], depth + 1);
		buf_putc(&w->was, '/');
	}
	buf_put(&w->was, old->name, old->name_len);
}

static void tell(struct walk *w, enum change_kind kind, uint64_t bytes)
{
	struct change c = {kind, buf_view(&w->path), buf_view(&w->was), bytes};
	w->stopped = !w->fn(w->ctx, &c);
}

static bool same_place(const struct node *a, const struct node *b)
{
	return a->parent == b->parent && a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

/* A node that was edited, and how it was. */
static void compare(struct walk *w, uint32_t id, const struct node *old)
{
	const struct tree *t = &w->v->tree;
	const struct node *now = &t->nodes.at[id];
	bool was_there = !(old->flags & (NODE_GONE | NODE_NEW)), is_there = !(now->flags & NODE_GONE);
	w->path.n = w->was.n = 0;
	if (was_there && !is_there) {
		if (t->nodes.at[old->parent].flags & NODE_GONE)
			return; /* with its directory */
		old_path(w, old, 0);
		buf_str(&w->path, buf_view(&w->was));
		tell(w, CHANGE_REMOVED, 0);
		return;
	}
	if (!is_there || !was_there || !tree_alive(t, id))
		return;
	tree_path(t, id, &w->path);
	if (!same_place(old, now)) {
		old_path(w, old, 0);
		tell(w, CHANGE_RENAMED, 0);
	}
	if (old->value != now->value && !w->stopped)
		tell(w, CHANGE_VALUE, 0);
}

static int edited_nodes(struct walk *w)
{
	const struct tree *t = &w->v->tree;
	uint32_t first;
	for (size_t i = t->undo.n; i-- > 0;)
		if (u32map_set(&w->first, t->undo.at[i].id, (uint32_t)i) < 0)
			return ERR_NOMEM;
	for (size_t i = 0; i < t->undo.n && !w->stopped; i++) {
		uint32_t id = t->undo.at[i].id;
		if (id < t->nodes.n && u32map_get(&w->first, id, &first) && first == i)
			compare(w, id, &t->undo.at[i].node);
	}
	return 0;
}

/* Did it come with its directory, or with that one's new value? */
static bool came_along(const struct walk *w, uint32_t i)
{
	const struct tree *t = &w->v->tree;
	uint32_t parent = t->nodes.at[i].parent, was;
	const struct node *dir = &t->nodes.at[parent];
	if (i >= dir->first && i - dir->first < dir->n)
		return true;
	return u32map_get(&w->first, parent, &was) && !(t->undo.at[was].node.flags & (NODE_GONE | NODE_NEW)) &&
	       t->undo.at[was].node.value != dir->value;
}

/* Those at the top of what is new. */
static void added_nodes(struct walk *w)
{
	const struct tree *t = &w->v->tree;
	for (uint32_t i = 1; i < t->nodes.n && !w->stopped; i++) {
		if (!(t->nodes.at[i].flags & NODE_NEW) || !tree_alive(t, i) || came_along(w, i))
			continue;
		w->path.n = w->was.n = 0;
		tree_path(t, i, &w->path);
		tell(w, CHANGE_ADDED, 0);
	}
}

static uint32_t first_on(const struct volume *v, uint32_t storage)
{
	const struct model *m = vol_model(v);
	uint32_t first = TREE_NONE;
	for (uint32_t i = 0; i < m->tensors.n; i++)
		if (m->tensors.at[i].storage == storage && tree_first(&v->tree, i) < first)
			first = tree_first(&v->tree, i);
	return first;
}

static void written_storages(struct walk *w)
{
	const struct edit *d = w->v->edit;
	for (size_t i = 0; i < d->dirty.n && !w->stopped; i++) {
		uint64_t bytes = blob_dirty(d->dirty.at[i].blob);
		uint32_t node = d->dirty.at[i].storage < d->base_storages
						? first_on(w->v, d->dirty.at[i].storage)
						: TREE_NONE;
		if (!bytes || node == TREE_NONE)
			continue;
		w->path.n = w->was.n = 0;
		tree_path(&w->v->tree, node, &w->path);
		tell(w, CHANGE_BYTES, bytes);
	}
}

int changes_each(struct volume *v, change_fn *fn, void *ctx, struct err *e)
{
	struct walk w = {.v = v, .fn = fn, .ctx = ctx};
	buf_init(&w.path, 1 << 20);
	buf_init(&w.was, 1 << 20);
	int rc = edited_nodes(&w);
	if (rc == 0)
		added_nodes(&w);
	if (rc == 0)
		written_storages(&w);
	u32map_release(&w.first);
	buf_release(&w.path);
	buf_release(&w.was);
	return rc < 0 ? err_nomem(e) : 0;
}

static bool count_one(void *ctx, const struct change *c)
{
	++*(uint64_t *)ctx;
	return true;
}

uint64_t changes_count(struct volume *v)
{
	uint64_t n = 0;
	return changes_each(v, count_one, &n, NULL) < 0 ? UINT64_MAX : n;
}

void change_text(const struct change *c, struct buf *out)
{
	static const char *const words[] = {"added", "removed", "renamed", "changed", "changed"};
	buf_puts(out, words[c->kind]);
	buf_putc(out, ' ');
	if (c->kind == CHANGE_RENAMED) {
		buf_str(out, c->was);
		buf_puts(out, " -> ");
	}
	buf_str(out, c->path);
	if (c->kind == CHANGE_BYTES)
		buf_printf(out, " (%s)", STR_SIZE(c->bytes));
}

uint64_t volume_edits(struct volume *v)
{
	vol_read_begin(v);
	uint64_t n = v->edit ? changes_count(v) : 0;
	vol_read_end(v);
	return n;
}
