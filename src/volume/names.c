/* names.c - which names a directory answers to, and which it lists.
 *
 *	a directory of the tree, or a view     real names, then their companions; in a state_dict
 *	                                       module/; there and at the root .pthfs/
 *	.pthfs/                                info status globals log archive/ at the root;
 *	                                       strip/ add/ metadata.json object/ in state_dicts
 *	.pthfs/strip/, add/                    any prefix
 *	.pthfs/archive/...                     the container's members
 *
 * Only real names and .meta files are listed, unless -o show_hidden: cp -r, du and diff -r are to
 * see each tensor once. Real names win over everything made up here.
 */
#include "edit.h"

#include <errno.h>
#include <pthfs/cleanup.h>

static int absent(struct err *e)
{
	return err_set(e, ERR_ABSENT, "no such name");
}

/* --- what .pthfs/ holds ----------------------------------------------------------------------- */

struct ctl_name {
	const char *name;
	enum ino_what what;
	bool root_only, dict_only;
};

static const struct ctl_name ctl_names[] = {
	{"info", INO_INFO, true, false},
	{"status", INO_STATUS, true, false},
	{"globals", INO_GLOBALS, true, false},
	{"log", INO_LOG, true, false},
	{"status.json", INO_STATUS_JSON, true, false},
	{"commit", INO_COMMIT, true, false},
	{"revert", INO_REVERT, true, false},
	{"archive", INO_ARCHIVE, true, false},
	{"strip", INO_STRIP, false, true},
	{"add", INO_ADD, false, true},
	{"metadata.json", INO_METADATA, false, true},
};

static bool ctl_has(const struct volume *v, const struct ctl_name *c, const struct dir_ref *d)
{
	if (c->root_only && d->base != 0)
		return false;
	if (c->what == INO_ARCHIVE && !v->ck->box)
		return false;
	if ((c->what == INO_COMMIT || c->what == INO_REVERT) && !v->edit)
		return false;
	return !c->dict_only || vol_is_state_dict(v, d->node);
}

static uint64_t ctl_ino(const struct ctl_name *c, const struct dir_ref *d)
{
	return ino_make(c->root_only ? 0 : d->base, c->what);
}

/* The raw attributes of a whole module, or TREE_NONE. */
static uint32_t object_root(const struct volume *v, const struct dir_ref *d)
{
	return d->view ? TREE_NONE : tree_object(&v->tree, v->tree.nodes.at[d->node].value);
}

bool vol_ctl_nth(const struct volume *v, const struct dir_ref *d, size_t i, const char **name,
		uint64_t *ino)
{
	if (i == ARRAY_SIZE(ctl_names)) {
		uint32_t object = object_root(v, d);
		*name = "object";
		*ino = ino_make(object, INO_DIR);
		return object != TREE_NONE;
	}
	if (i > ARRAY_SIZE(ctl_names) || !ctl_has(v, &ctl_names[i], d))
		return false;
	*name = ctl_names[i].name;
	*ino = ctl_ino(&ctl_names[i], d);
	return true;
}

static int lookup_ctl(struct volume *v, uint64_t base, struct str name, uint64_t *ret,
		struct err *e)
{
	struct dir_ref d;
	int rc = views_base(v, base, &d, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i <= ARRAY_SIZE(ctl_names); i++) {
		const char *here;
		if (vol_ctl_nth(v, &d, i, &here, ret) && str_is(name, here))
			return 0;
	}
	return absent(e);
}

/* --- lookup ----------------------------------------------------------------------------------- */

bool vol_has_ctl(const struct volume *v, const struct dir_ref *d)
{
	return d->base == 0 || vol_is_state_dict(v, d->node) || object_root(v, d) != TREE_NONE;
}

/* Names below a stripped view: "strip/module/_orig_mod" when such keys are there. */
static int nested_strip(struct volume *v, const struct dir_ref *d, struct str name, uint64_t *ret,
		struct err *e)
{
	const struct view *w = d->view;
	struct buf prefix;
	int rc;
	if (!w || w->steps[w->n_steps - 1].op != VIEW_STRIP)
		return absent(e);
	buf_init(&prefix, 512);
	if (name_to_text(name, &prefix) && prefix.n &&
			view_has_prefix(w->tree, w->dir, w->steps, w->n_steps, buf_view(&prefix)))
		rc = views_lookup(v, d->base, VIEW_STRIP, buf_view(&prefix), ret, e);
	else
		rc = absent(e);
	buf_release(&prefix);
	return rc;
}

/* A file that is no key: below a view under the name that its key would have there. */
static bool lookup_scratch(struct volume *v, uint64_t dir, struct str name, uint64_t *ret)
{
	struct buf own;
	uint32_t node, i = TREE_NONE;
	buf_init(&own, 4096);
	if (keys_place(v, dir, name, &node, &own, NULL) == 0)
		i = scratch_find(v, node, buf_view(&own));
	buf_release(&own);
	*ret = ino_make(i, INO_SCRATCH);
	return i != TREE_NONE;
}

static int lookup_dir(struct volume *v, uint64_t dir, struct str name, uint64_t *ret,
		struct err *e)
{
	struct dir_ref d;
	enum derived which;
	int rc = views_dir(v, dir, &d, e);
	if (rc < 0)
		return rc;
	if (!tree_alive(&v->tree, d.node))
		return absent(e);
	struct name_lookup names = vol_dir_names(&d);
	uint32_t node = names.find(&d, name);
	if (node != TREE_NONE && ghost_hides(v, dir, name))
		return absent(e);
	if (node != TREE_NONE)
		return *ret = vol_node_ino(v, node), 0;
	if (v->edit && (lookup_scratch(v, dir, name, ret) || ghost_find(v, dir, name, ret)))
		return 0;
	node = derived_find(&v->tree, &names, name, &which);
	if (node != TREE_NONE && ghost_hides(v, dir, name))
		return absent(e);
	if (node != TREE_NONE)
		return *ret = vol_derived_ino(v, node, which), 0;
	if (str_is(name, "module") && !d.view && vol_is_state_dict(v, d.node))
		return *ret = ino_make(d.node, INO_MODULE), 0;
	if (str_is(name, ".pthfs") && vol_has_ctl(v, &d))
		return *ret = ino_make(d.base, INO_CTL), 0;
	return nested_strip(v, &d, name, ret, e);
}

/* The name of a prefix is escaped like a key. */
static int lookup_prefix(struct volume *v, uint64_t base, enum view_op op, struct str name,
		uint64_t *ret, struct err *e)
{
	struct buf prefix;
	buf_init(&prefix, 512);
	int rc = name_to_text(name, &prefix) && prefix.n
				 ? views_lookup(v, base, op, buf_view(&prefix), ret, e)
				 : absent(e);
	buf_release(&prefix);
	return rc;
}

static int lookup_archive(struct volume *v, uint64_t dir, struct str name, uint64_t *ret,
		struct err *e)
{
	uint32_t id;
	int rc = archive_find(v, (uint32_t)ino_index(dir), name, &id, e);
	if (rc == 0)
		*ret = ino_make(id, INO_ARCHIVE);
	return rc;
}

static int lookup(struct volume *v, uint64_t dir, struct str name, struct vattr *ret, struct err *e)
{
	uint64_t ino = 0;
	int rc;
	switch (ino_what(dir)) {
	case INO_DIR:
	case INO_VIEW:
	case INO_MODULE:
		rc = lookup_dir(v, dir, name, &ino, e);
		break;
	case INO_CTL:
		rc = lookup_ctl(v, ino_index(dir), name, &ino, e);
		break;
	case INO_STRIP:
	case INO_ADD:
		rc = lookup_prefix(v, ino_index(dir),
				ino_what(dir) == INO_STRIP ? VIEW_STRIP : VIEW_ADD, name, &ino, e);
		break;
	case INO_ARCHIVE:
		rc = lookup_archive(v, dir, name, &ino, e);
		break;
	default:
		rc = err_sys(e, ENOTDIR, "%s", STR_SHOW(name));
	}
	return rc < 0 ? rc : vol_attr(v, ino, ret, e);
}

int volume_lookup(struct volume *v, uint64_t dir, struct str name, struct vattr *ret, struct err *e)
{
	vol_read_begin(v);
	int rc = lookup(v, dir, name, ret, e);
	vol_read_end(v);
	return rc;
}

int volume_resolve(struct volume *v, const char *path, struct vattr *ret, struct err *e)
{
	struct str rest = str_of(path);
	struct vattr at;
	int rc = volume_getattr(v, VOLUME_ROOT, &at, e);
	while (rc == 0 && rest.n) {
		size_t n = 0;
		while (n < rest.n && rest.p[n] != '/')
			n++;
		struct str part = str_cut(rest, n);
		rest = str_skip(rest, n < rest.n ? n + 1 : n);
		if (part.n == 0)
			continue;
		rc = S_ISDIR(at.mode) ? volume_lookup(v, at.ino, part, &at, e)
				      : err_sys(e, ENOTDIR, "%s", path);
	}
	if (rc == ERR_ABSENT)
		err_set(e, ERR_ABSENT, "%s: no such name in the checkpoint", path);
	if (rc == 0)
		*ret = at;
	return rc;
}

void volume_forget(struct volume *v, uint64_t ino, uint64_t n)
{
	if (ino_what(ino) == INO_VIEW)
		views_forget(v, ino, n);
}
