/* readdir.c - listing. A cursor is a position: 1 and 2 stand behind "." and "..", then
 * PER_CHILD positions for each child (its name, its companions from .meta on), then module/ and
 * .pthfs/. The positions of names that are not shown are left out.
 *
 * Attributes are made only for those who ask (readdirplus); they cost a text for each .meta.
 */
#include "internal.h"

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

/* The names of child i: itself (which 0) and its companions, where it has them. */
static void emit_child(struct listing *l, const struct dir_ref *d, uint32_t i, unsigned which,
		uint64_t next)
{
	const struct tree *t = &l->v->tree;
	uint32_t node = t->nodes.at[d->node].first + i;
	struct str name = d->view ? view_name(d->view, i) : node_name(t, node);
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

static void list_hidden(struct listing *l, const struct dir_ref *d, uint64_t cursor, uint64_t base)
{
	static const struct {
		const char *name;
		enum ino_what what;
	} hidden[] = {{"module", INO_MODULE}, {".pthfs", INO_CTL}};
	for (uint64_t i = cursor; i < ARRAY_SIZE(hidden) && !l->stopped && l->rc == 0; i++) {
		bool module = hidden[i].what == INO_MODULE;
		struct name_lookup names = vol_dir_names(d);
		if (names.find(d, str_of(hidden[i].name)) != TREE_NONE)
			continue;
		if (module ? d->view || !vol_is_state_dict(l->v, d->node) : !vol_has_ctl(l->v, d))
			continue;
		uint64_t index = module ? d->node : d->base;
		emit(l, str_of(hidden[i].name), ino_make(index, hidden[i].what), true, base + i + 1);
	}
}

static void list_dir(struct listing *l, const struct dir_ref *d, uint64_t cursor)
{
	const struct tree *t = &l->v->tree;
	uint64_t end = (uint64_t)t->nodes.at[d->node].n * PER_CHILD;
	uint64_t i = cursor - 2;
	for (; i < end && !l->stopped && l->rc == 0; i++) {
		unsigned which = (unsigned)(i % PER_CHILD);
		if (which <= 1 + DERIVED_META || l->v->opts.show_hidden)
			emit_child(l, d, (uint32_t)(i / PER_CHILD), which, i + 3);
	}
	if (l->v->opts.show_hidden && !l->stopped && l->rc == 0)
		list_hidden(l, d, i - end, end + 2);
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

int volume_readdir(struct volume *v, uint64_t dir, uint64_t cursor, bool want_attr,
		volume_entry_fn *fn, void *ctx, struct err *e)
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
