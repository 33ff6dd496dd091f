/* readdir.c - listing. A cursor is a position: 1 and 2 stand behind "." and "..", then
 * PER_CHILD positions for each slot of the directory (the child's name, its companions from .meta
 * on), and far behind them module/ and .pthfs/. The positions of names that are not shown are left
 * out. Slots never move (tree.h), so who is removed while a listing goes on takes nobody along.
 *
 * Attributes are made only for those who ask (readdirplus); they cost a text for each .meta.
 */
#include "edit.h"

#include <errno.h>
#include <limits.h>
#include <pthfs/cleanup.h>

struct listing {
	struct volume *v;
	volume_entry_fn *fn;
	void *ctx;
	bool want_attr;
	struct err *e;
	bool stopped;
	int rc;
};

static void emit(struct listing *l, struct str name, uint64_t ino, bool is_dir, uint64_t next)
{
	struct vattr a = {.ino = ino, .mode = is_dir ? S_IFDIR | 0555 : S_IFREG | 0444};
	if (l->want_attr)
		l->rc = vol_attr(l->v, ino, &a, l->e);
	if (l->rc < 0)
		return;
	l->stopped = !l->fn(l->ctx, name, &a, next);
}

static void emit_dots(struct listing *l, uint64_t dir, uint64_t *cursor)
{
	static const char *const dots[] = {".", ".."};
	while (*cursor < 2 && !l->stopped && l->rc == 0) {
		struct vattr a = {.ino = dir, .mode = S_IFDIR | 0555, .nlink = 2};
		l->stopped = !l->fn(l->ctx, str_of(dots[*cursor]), &a, *cursor + 1);
		if (!l->stopped)
			++*cursor;
	}
}

#define PER_CHILD (1 + DERIVED_COUNT)
#define SCRATCH_AT (UINT64_C(1) << 47) /* cursor of the first file that is no key */
#define HIDDEN_AT (UINT64_C(1) << 48)  /* cursor of module/ */

/* The names of the node in a slot: itself (which 0) and its companions, where it has them. */
static void emit_child(struct listing *l, const struct dir_ref *d, uint32_t slot, uint32_t node,
		unsigned which, uint64_t next)
{
	const struct tree *t = &l->v->tree;
	struct str name = d->view ? view_name(d->view, slot) : node_name(t, node);
	if (which == 0) {
		emit(l, name, vol_node_ino(l->v, node), t->nodes.at[node].flags & NODE_DIR, next);
		return;
	}
	enum derived companion = (enum derived)(which - 1);
	if (!derived_has(t, node, companion))
		return;
	struct buf b;
	struct name_lookup names = vol_dir_names(d);
	bool free_name = companion == DERIVED_META && !d->view && !t->meta_names;
	buf_init(&b, 512);
	derived_name(free_name ? NULL : &names, name, companion, &b);
	if (b.n <= NAME_MAX) /* .meta always is */
		emit(l, buf_view(&b), vol_derived_ino(l->v, node, companion), false, next);
	buf_release(&b);
}

static void list_hidden(struct listing *l, const struct dir_ref *d, uint64_t cursor)
{
	static const struct {
		const char *name;
		enum ino_what what;
	} hidden[] = {{"module", INO_MODULE}, {".pthfs", INO_CTL}};
	uint64_t i = cursor > HIDDEN_AT ? cursor - HIDDEN_AT : 0;
	for (; i < ARRAY_SIZE(hidden) && !l->stopped && l->rc == 0; i++) {
		bool module = hidden[i].what == INO_MODULE;
		struct name_lookup names = vol_dir_names(d);
		if (names.find(d, str_of(hidden[i].name)) != TREE_NONE)
			continue;
		if (module ? d->view || !vol_is_state_dict(l->v, d->node) : !vol_has_ctl(l->v, d))
			continue;
		uint64_t index = module ? d->node : d->base;
		emit(l, str_of(hidden[i].name), ino_make(index, hidden[i].what), true,
				HIDDEN_AT + i + 1);
	}
}

static void list_children(struct listing *l, const struct dir_ref *d, uint64_t cursor)
{
	const struct tree *t = &l->v->tree;
	uint32_t slots = tree_slots(t, d->node);
	uint64_t first = (cursor - 2) / PER_CHILD;
	unsigned which = (unsigned)((cursor - 2) % PER_CHILD);
	unsigned shown = l->v->opts.show_hidden ? PER_CHILD : 2 + DERIVED_META;
	for (uint64_t slot = first; slot < slots; slot++, which = 0) {
		uint32_t node = tree_child(t, d->node, (uint32_t)slot);
		for (; node != TREE_NONE && which < shown; which++) {
			emit_child(l, d, (uint32_t)slot, node, which, slot * PER_CHILD + which + 3);
			if (l->stopped || l->rc < 0)
				return;
		}
	}
}

static void list_scratch(struct listing *l, const struct dir_ref *d, uint64_t cursor)
{
	uint64_t i = cursor > SCRATCH_AT ? cursor - SCRATCH_AT : 0;
	for (; i < l->v->edit->scratch.n && !l->stopped && l->rc == 0; i++) {
		const struct scratch *s = &l->v->edit->scratch.at[i];
		if (!s->gone && s->dir == d->node)
			emit(l, s->name, ino_make(i, INO_SCRATCH), false, SCRATCH_AT + i + 1);
	}
}

static void list_dir(struct listing *l, const struct dir_ref *d, uint64_t cursor)
{
	if (!tree_alive(&l->v->tree, d->node))
		return;
	if (d->view)
		l->rc = view_ready(d->view, l->e);
	if (l->rc == 0 && cursor < SCRATCH_AT)
		list_children(l, d, cursor);
	if (l->v->edit && !d->view && !l->stopped && l->rc == 0 && cursor < HIDDEN_AT)
		list_scratch(l, d, cursor);
	if (l->v->opts.show_hidden && !l->stopped && l->rc == 0)
		list_hidden(l, d, cursor);
}

static void list_archive(struct listing *l, uint32_t dir, uint64_t cursor)
{
	const struct arc_node *n;
	/* a cursor stands behind the node of that number, less 3 */
	l->rc = archive_node(l->v, cursor == 2 ? dir : cursor - 3, &n, l->e);
	if (l->rc < 0)
		return;
	uint32_t id = cursor == 2 ? n->first : n->next;
	while (id != TREE_NONE && !l->stopped && archive_node(l->v, id, &n, NULL) == 0) {
		emit(l, n->name, ino_make(id, INO_ARCHIVE), n->member == TREE_NONE, id + 3u);
		if (l->rc < 0)
			return;
		id = n->next;
	}
}

static void list_ctl(struct listing *l, uint64_t base, uint64_t cursor)
{
	struct dir_ref d;
	l->rc = views_base(l->v, base, &d, l->e);
	for (size_t i = cursor - 2; i < CTL_NAMES && !l->stopped && l->rc == 0; i++) {
		const char *name;
		uint64_t ino;
		if (!vol_ctl_nth(l->v, &d, i, &name, &ino))
			continue;
		enum ino_what what = ino_what(ino);
		bool is_dir = what == INO_DIR || what == INO_STRIP || what == INO_ADD ||
			      what == INO_ARCHIVE;
		emit(l, str_of(name), ino, is_dir, i + 3);
	}
}

/* .pthfs/strip lists the prefixes that the keys share; any other prefix answers too. */
static void list_prefixes(struct listing *l, uint64_t base, uint64_t cursor)
{
	struct dir_ref d;
	struct str prefix[VIEW_MAX_STEPS];
	l->rc = views_base(l->v, base, &d, l->e);
	if (l->rc < 0 || d.view)
		return;
	unsigned n = view_prefixes(&l->v->tree, d.node, prefix, 1);
	for (uint64_t i = cursor - 2; i < n && !l->stopped && l->rc == 0; i++) {
		uint64_t ino;
		struct buf name;
		l->rc = views_lookup(l->v, base, VIEW_STRIP, prefix[i], &ino, l->e);
		if (l->rc < 0)
			return;
		buf_init(&name, 512);
		name_of_text(prefix[i], &name);
		emit(l, buf_view(&name), ino, true, i + 3);
		buf_release(&name);
		if (!l->want_attr || l->stopped || l->rc < 0)
			views_forget(l->v, ino, 1); /* nobody was told */
	}
}

static int list(struct volume *v, uint64_t dir, uint64_t cursor, bool want_attr, volume_entry_fn *fn,
		void *ctx, struct err *e)
{
	struct listing l = {.v = v, .fn = fn, .ctx = ctx, .want_attr = want_attr, .e = e};
	struct dir_ref d;
	emit_dots(&l, dir, &cursor);
	if (l.stopped)
		return 0;
	switch (ino_what(dir)) {
	case INO_DIR:
	case INO_VIEW:
	case INO_MODULE:
		l.rc = views_dir(v, dir, &d, e);
		if (l.rc == 0)
			list_dir(&l, &d, cursor);
		break;
	case INO_CTL:
		list_ctl(&l, ino_index(dir), cursor);
		break;
	case INO_STRIP:
		list_prefixes(&l, ino_index(dir), cursor);
		break;
	case INO_ADD:
		break;
	case INO_ARCHIVE:
		list_archive(&l, (uint32_t)ino_index(dir), cursor);
		break;
	default:
		return err_sys(e, ENOTDIR, "not a directory");
	}
	return l.rc;
}

int volume_readdir(struct volume *v, uint64_t dir, uint64_t cursor, bool want_attr,
		volume_entry_fn *fn, void *ctx, struct err *e)
{
	vol_read_begin(v);
	int rc = list(v, dir, cursor, want_attr, fn, ctx, e);
	vol_read_end(v);
	return rc;
}
