/* names_edit.c - create, mkdir, unlink, rmdir, rename and link, by directory and name.
 *
 * A name is one of three things: a key (a node of the tree), a companion of one (NAME.meta,
 * NAME.npy ...), or scratch. What may be done to which:
 *
 *	            unlink            rename from            rename onto
 *	key         goes              goes                   a file: as when it is written; else EEXIST
 *	.meta       nothing happens   nothing happens        as when it is written
 *	companion   nothing happens   refused                as when it is written
 *	scratch     goes              goes, or is written    goes
 *	                              into what is there
 *
 * What belongs together (the parts of a sparse tensor, the attributes of an object) goes with its
 * directory and not by itself: rm -r asks for each first, which is noted, and then rmdir takes all.
 *
 * A .meta whose key has just left is a ghost (ghost.c). (design.md "Editing", 3 to 5)
 */
#include "edit.h"

#include <errno.h>
#include <pthfs/cleanup.h>
#include <pthfs/log.h>
#include <string.h>

enum what { NOTHING, KEY, COMPANION, SCRATCH, GHOST, MADE_UP };

struct place {
	uint64_t at;     /* inode of the directory that was asked */
	struct str told; /* the name as it was told; borrowed */
	uint32_t dir;    /* tree node */
	struct buf name; /* as the directory itself calls it */
	enum what what;
	uint64_t ino;
	uint32_t node;     /* KEY, COMPANION: the tree node */
	enum derived which; /* COMPANION */
	uint32_t scratch;
};

static void place_release(struct place *p)
{
	buf_release(&p->name);
}

/* The companion that a name is, when it is one. */
static bool companion(struct volume *v, uint64_t dir, struct str name, struct place *p)
{
	struct dir_ref d;
	if (views_dir(v, dir, &d, NULL) < 0)
		return false;
	struct name_lookup names = vol_dir_names(&d);
	p->node = derived_find(&v->tree, &names, name, &p->which);
	if (p->node == TREE_NONE)
		return false;
	p->ino = vol_derived_ino(v, p->node, p->which);
	return true;
}

static int find(struct volume *v, uint64_t dir, struct str name, struct place *p, struct err *e)
{
	*p = (struct place){.at = dir, .told = name, .node = TREE_NONE, .scratch = TREE_NONE};
	buf_init(&p->name, 4096);
	int rc = keys_place(v, dir, name, &p->dir, &p->name, e);
	if (rc < 0) {
		buf_release(&p->name);
		return rc;
	}
	struct dir_ref d;
	views_dir(v, dir, &d, NULL);
	struct name_lookup names = vol_dir_names(&d);
	p->node = names.find(&d, name);
	p->scratch = scratch_find(v, p->dir, buf_view(&p->name));
	if (p->node == TREE_NONE && p->scratch == TREE_NONE && ghost_find(v, dir, name, &p->ino)) {
		p->what = GHOST;
		return 0;
	}
	if (p->node != TREE_NONE)
		p->what = KEY, p->ino = vol_node_ino(v, p->node);
	else if (p->scratch != TREE_NONE)
		p->what = SCRATCH, p->ino = ino_make(p->scratch, INO_SCRATCH);
	else if (companion(v, dir, name, p))
		p->what = COMPANION;
	else if (str_is(name, ".pthfs") || (str_is(name, "module") && !d.view && vol_is_state_dict(v, d.node)))
		p->what = MADE_UP;
	return 0;
}

static int absent(struct err *e)
{
	return err_set(e, ERR_ABSENT, "no such name");
}

static void path_of(struct volume *v, uint32_t dir, struct str name, struct buf *out)
{
	buf_init(out, 1 << 20);
	tree_path(&v->tree, dir, out);
	if (out->n)
		buf_putc(out, '/');
	buf_str(out, name);
}

/* --- new names --------------------------------------------------------------------------------------- */

/* Is it writable enough that a file in it could become a key? Scratch may be anywhere. */
static int create(struct volume *v, uint64_t dir, struct str name, struct vattr *ret, struct vfile **f,
		struct err *e)
{
	struct place p;
	struct blob *b;
	uint32_t i = 0;
	int rc = find(v, dir, name, &p, e);
	if (rc < 0)
		return rc;
	if ((p.what == COMPANION || p.what == KEY) && ghost_hides(v, dir, name)) {
		place_release(&p);
		rc = stage_open(v, p.ino, true, f, e);
		if (rc == 0)
			ghost_show(v, dir, name);
		return rc < 0 ? rc : vol_attr(v, p.ino, ret, e);
	}
	if (p.what != NOTHING) {
		place_release(&p);
		return err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(name));
	}
	rc = blob_new(edit_blob_id(v), (struct extent){0}, 0, &b, e);
	if (rc == 0) {
		rc = scratch_add(v, p.dir, buf_view(&p.name), b, &i, e);
		blob_unref(b);
	}
	place_release(&p);
	*f = rc == 0 ? calloc(1, sizeof **f) : NULL;
	if (rc == 0 && !*f) {
		scratch_remove(v, i);
		rc = err_nomem(e);
	}
	if (rc < 0)
		return rc;
	**f = (struct vfile){.v = v, .ino = ino_make(i, INO_SCRATCH), .writing = true};
	scratch_opened(v, (*f)->ino);
	ghost_over(v, dir, name);
	edit_changed_node(v, p.dir);
	return vol_attr(v, (*f)->ino, ret, e);
}

int volume_create(struct volume *v, uint64_t dir, struct str name, struct vattr *ret,
		struct vfile **f, struct err *e)
{
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = create(v, dir, name, ret, f, e);
	edit_end(v);
	return rc;
}

static int make_dir(struct volume *v, uint64_t dir, struct str name, struct vattr *ret, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct place p;
	struct buf path;
	uint32_t node;
	int rc = find(v, dir, name, &p, e);
	if (rc < 0)
		return rc;
	if (p.what != NOTHING)
		rc = err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(name));
	path_of(v, p.dir, buf_view(&p.name), &path);
	if (rc == 0)
		rc = keys_mkdir(v, p.dir, buf_view(&p.name), &node, e);
	if (rc == 0) {
		rc = ops_mkdir(v, buf_view(&path), e);
		if (rc < 0)
			tree_undo(&v->tree, mark);
	}
	buf_release(&path);
	place_release(&p);
	ghost_over(v, dir, name);
	return rc < 0 ? rc : vol_attr(v, ino_make(node, INO_DIR), ret, e);
}

int volume_mkdir(struct volume *v, uint64_t dir, struct str name, struct vattr *ret, struct err *e)
{
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = make_dir(v, dir, name, ret, e);
	edit_end(v);
	return rc;
}

/* --- names that go --------------------------------------------------------------------------------------- */

int edit_remove_node(struct volume *v, uint32_t node, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct buf path;
	buf_init(&path, 1 << 20);
	tree_path(&v->tree, node, &path);
	int rc = keys_remove(v, node, e);
	if (rc == 0) {
		rc = ops_remove(v, buf_view(&path), e);
		if (rc < 0)
			tree_undo(&v->tree, mark);
	}
	buf_release(&path);
	return rc;
}

static bool may_hold_others(const struct volume *v, uint32_t dir)
{
	return change_dir_ok(v->ck, v->tree.nodes.at[dir].value, NULL) == 0;
}

/* Does it belong to a directory that can only go as a whole, and can that one go? */
static bool goes_along(const struct volume *v, uint32_t node)
{
	uint32_t dir = v->tree.nodes.at[node].parent;
	if (may_hold_others(v, dir) || checkpoint_may_change(v->ck, NULL) < 0)
		return false;
	for (uint32_t up; (up = v->tree.nodes.at[dir].parent) != dir; dir = up)
		if (may_hold_others(v, up))
			return true;
	return false;
}

static int ask_to_go(struct volume *v, const struct place *p, struct err *e)
{
	uint32_t dir = v->tree.nodes.at[p->node].parent;
	struct buf path;
	buf_init(&path, 1 << 20);
	tree_path(&v->tree, dir, &path);
	if (v->edit->asked_in != dir) /* not for each of many */
		log_add(v->log, "%s: what is in it goes only with the whole directory",
				STR_SHOW(buf_view(&path)));
	v->edit->asked_in = dir;
	buf_release(&path);
	if (!(v->tree.nodes.at[p->node].flags & NODE_DIR))
		ghost_hide(v, p->at, p->told);
	return u32map_set(&v->edit->asked, p->node, 1) < 0 ? err_nomem(e) : 0;
}

static bool all_asked(const struct volume *v, uint32_t dir)
{
	uint32_t child, ignored, slots = tree_slots(&v->tree, dir);
	for (uint32_t i = 0; i < slots; i++)
		if ((child = tree_child(&v->tree, dir, i)) != TREE_NONE &&
				!u32map_get(&v->edit->asked, child, &ignored))
			return false;
	return true;
}

static int unlink_place(struct volume *v, struct place *p, struct err *e)
{
	switch (p->what) {
	case KEY:
		if (v->tree.nodes.at[p->node].flags & NODE_DIR)
			return err_sys(e, EISDIR, "a directory");
		if (goes_along(v, p->node))
			return ask_to_go(v, p, e);
		ghost_add(v, p->at, p->told);
		return twins_remove(v, p->node, e);
	case GHOST:
		ghost_remove(v, p->ino);
		return 0;
	case SCRATCH:
		scratch_remove(v, p->scratch);
		scratch_trim(v, false);
		edit_changed_node(v, p->dir);
		return 0;
	case COMPANION:
		ghost_hide(v, p->at, p->told);
		return 0;
	case MADE_UP:
		return err_sys(e, EISDIR, "a directory that is made up");
	default:
		return absent(e);
	}
}

int volume_unlink(struct volume *v, uint64_t dir, struct str name, struct err *e)
{
	struct place p;
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = find(v, dir, name, &p, e);
	if (rc == 0) {
		rc = unlink_place(v, &p, e);
		place_release(&p);
	}
	edit_end(v);
	return rc;
}

static int remove_dir(struct volume *v, struct place *p, struct err *e)
{
	if (p->what == MADE_UP)
		return err_sys(e, EPERM, "this directory is made up: it cannot be removed");
	if (p->what != KEY)
		return p->what == NOTHING ? absent(e) : err_sys(e, ENOTDIR, "not a directory");
	if (!(v->tree.nodes.at[p->node].flags & NODE_DIR))
		return err_sys(e, ENOTDIR, "not a directory");
	bool whole = !may_hold_others(v, p->node);
	if (scratch_in(v, p->node) || (whole ? !all_asked(v, p->node) : tree_count(&v->tree, p->node)))
		return err_sys(e, ENOTEMPTY, "not empty");
	if (goes_along(v, p->node))
		return ask_to_go(v, p, e);
	if (node_value(&v->tree, p->node)->kind == VALUE_PARTS)
		ghost_add(v, p->at, p->told);
	return twins_remove_dir(v, p->node, e);
}

int volume_rmdir(struct volume *v, uint64_t dir, struct str name, struct err *e)
{
	struct place p;
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = find(v, dir, name, &p, e);
	if (rc == 0) {
		rc = remove_dir(v, &p, e);
		place_release(&p);
	}
	edit_end(v);
	return rc;
}

/* --- other names --------------------------------------------------------------------------------------------- */

int edit_move_node(struct volume *v, uint32_t node, uint32_t dir, struct str name, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct buf from, to;
	buf_init(&from, 1 << 20);
	tree_path(&v->tree, node, &from);
	path_of(v, dir, name, &to);
	int rc = keys_move(v, node, dir, name, e);
	if (rc == 0) {
		rc = ops_rename(v, buf_view(&from), buf_view(&to), e);
		if (rc < 0)
			tree_undo(&v->tree, mark);
	}
	buf_release(&from);
	buf_release(&to);
	return rc;
}

/* The scratch file's content goes into what has the name. */
static int put_scratch(struct volume *v, uint32_t scratch, const struct place *to, struct err *e)
{
	int rc = scratch_retell(v, scratch, e);
	struct blob *b = v->edit->scratch.at[scratch].blob;
	struct target t;
	bool fixed = false;
	if (rc == 0)
		rc = stage_same(v, to->ino, b, &fixed, e);
	if (rc == 0 && !fixed)
		rc = put_target(v, to->ino, &t, e);
	if (rc == 0 && !fixed)
		rc = put_ok(v, &t, e);
	if (rc == 0 && !fixed)
		rc = put_content(v, &t, b, e);
	if (rc < 0)
		return rc;
	scratch_remove(v, scratch);
	v->edit->scratch.at[scratch].became = to->ino;
	return 0;
}

static int rename_scratch(struct volume *v, struct place *from, struct place *to, struct err *e)
{
	uint32_t made;
	if (to->what == KEY && v->tree.nodes.at[to->node].flags & NODE_DIR)
		return err_sys(e, EISDIR, "a directory");
	if (to->what == KEY || to->what == COMPANION)
		return put_scratch(v, from->scratch, to, e);
	if (to->what == MADE_UP)
		return err_set(e, ERR_EXISTS, "the name is made up here and cannot be taken");
	struct blob *b = v->edit->scratch.at[from->scratch].blob;
	int rc = scratch_add(v, to->dir, buf_view(&to->name), b, &made, e);
	if (rc < 0)
		return rc;
	scratch_remove(v, from->scratch); /* first: it is no other name of what it becomes */
	if (blob_size(b))
		rc = scratch_settle(v, made, e);
	if (rc < 0) { /* nothing has happened */
		scratch_remove(v, made);
		scratch_restore(v, from->scratch);
		return rc;
	}
	if (to->what == SCRATCH)
		scratch_remove(v, to->scratch);
	v->edit->scratch.at[from->scratch].became = ino_make(made, INO_SCRATCH);
	return 0;
}

/* A second name of a tensor that was made just now: cp -a ties so what it finds in its way. */
static bool is_new_tie(const struct volume *v, const struct place *from, const struct place *to)
{
	return to->what == KEY && v->tree.nodes.at[from->node].flags & NODE_NEW &&
	       node_value(&v->tree, from->node)->kind == VALUE_TENSOR &&
	       node_value(&v->tree, to->node)->kind == VALUE_TENSOR &&
	       tree_nlink(&v->tree, node_value(&v->tree, from->node)->tensor) > 1;
}

static int tie_over(struct volume *v, const struct place *from, struct place *to, struct err *e)
{
	size_t mark = v->tree.undo.n;
	int rc;
	to->name.n = 0;
	buf_str(&to->name, node_name(&v->tree, to->node)); /* not what a view makes of a new one */
	if (to->name.failed)
		return err_nomem(e);
	rc = ops_group(v, OPS_BEGIN, e);
	if (rc == 0)
		rc = edit_remove_node(v, to->node, e);
	if (rc == 0)
		rc = edit_move_node(v, from->node, to->dir, buf_view(&to->name), e);
	if (rc == 0)
		rc = ops_group(v, OPS_END, e);
	if (rc < 0) {
		tree_undo(&v->tree, mark);
		ops_group(v, OPS_ABORT, NULL);
	}
	return rc;
}

static int rename_key(struct volume *v, struct place *from, struct place *to, struct err *e)
{
	if (to->what == KEY && to->node == from->node)
		return 0;
	if (is_new_tie(v, from, to))
		return tie_over(v, from, to, e);
	if (to->what != NOTHING && to->what != SCRATCH)
		return err_set(e, ERR_EXISTS, "a key is not moved onto another one: remove that one first");
	int rc = edit_move_node(v, from->node, to->dir, buf_view(&to->name), e);
	if (rc == 0 && to->what == SCRATCH)
		scratch_remove(v, to->scratch);
	if (rc == 0)
		ghost_add(v, from->at, from->told);
	return rc;
}

static int rename_place(struct volume *v, struct place *from, struct place *to, bool noreplace,
		struct err *e)
{
	if (from->what == NOTHING)
		return absent(e);
	if (from->what == MADE_UP)
		return err_sys(e, EPERM, "this directory is made up: it cannot be moved");
	if (from->what == GHOST) {
		ghost_remove(v, from->ino);
		return 0;
	}
	if (from->what == COMPANION)
		return from->which == DERIVED_META
				       ? 0
				       : err_sys(e, EPERM, "this file only shows another one: move that one");
	if (noreplace && to->what != NOTHING && !(to->what == KEY && to->node == from->node))
		return err_set(e, ERR_EXISTS, "the name is taken");
	return from->what == SCRATCH ? rename_scratch(v, from, to, e) : rename_key(v, from, to, e);
}

int volume_rename(struct volume *v, uint64_t dir, struct str name, uint64_t to_dir,
		struct str to_name, bool noreplace, struct err *e)
{
	struct place from, to;
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = find(v, dir, name, &from, e);
	if (rc == 0) {
		rc = find(v, to_dir, to_name, &to, e);
		if (rc == 0) {
			rc = rename_place(v, &from, &to, noreplace, e);
			ghost_over(v, to_dir, to_name);
			place_release(&to);
		}
		place_release(&from);
	}
	edit_end(v);
	return rc;
}

int edit_link_node(struct volume *v, uint32_t node, uint32_t dir, struct str name, struct err *e)
{
	size_t mark = v->tree.undo.n;
	struct buf from, to;
	uint32_t made;
	buf_init(&from, 1 << 20);
	tree_path(&v->tree, node, &from);
	path_of(v, dir, name, &to);
	int rc = keys_link(v, node, dir, name, &made, e);
	if (rc == 0) {
		rc = ops_link(v, buf_view(&from), buf_view(&to), e);
		if (rc < 0)
			tree_undo(&v->tree, mark);
	}
	buf_release(&from);
	buf_release(&to);
	return rc;
}

/* cp -a links the .meta of tied tensors too: a file with the same words. */
static int meta_blob(struct volume *v, uint64_t ino, struct blob **ret, struct err *e)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	int rc = vol_text(v, ino, &text, e);
	if (rc == 0)
		rc = blob_new(edit_blob_id(v), (struct extent){0}, 0, ret, e);
	if (rc == 0)
		rc = blob_write(*ret, v->edit->journal, text.p, text.n, 0, e);
	buf_release(&text);
	return rc;
}

/* Of a file that is no tensor yet: both will be one, tied (scratch.c). */
static int link_scratch(struct volume *v, uint64_t ino, const struct place *p, struct vattr *ret,
		struct err *e)
{
	bool meta = ino_what(ino) == INO_META;
	struct blob *b = meta ? NULL : blob_ref(v->edit->scratch.at[ino_index(ino)].blob);
	uint32_t i = 0;
	int rc = meta ? meta_blob(v, ino, &b, e) : 0;
	if (rc == 0)
		rc = scratch_add(v, p->dir, buf_view(&p->name), b, &i, e);
	if (rc == 0 && meta)
		rc = scratch_settle(v, i, e);
	blob_unref(b);
	return rc < 0 ? rc : vol_attr(v, ino_make(i, INO_SCRATCH), ret, e);
}

static int link_place(struct volume *v, uint64_t ino, const struct place *p, struct vattr *ret,
		struct err *e)
{
	uint64_t id = ino_index(ino);
	if (p->what != NOTHING)
		return err_set(e, ERR_EXISTS, "%s is there already", STR_SHOW(p->told));
	if (vol_ino_valid(v, ino) && (ino_what(ino) == INO_SCRATCH || ino_what(ino) == INO_META))
		return link_scratch(v, ino, p, ret, e);
	if (ino_what(ino) != INO_TENSOR || !vol_ino_valid(v, ino) || tree_first(&v->tree, id) == TREE_NONE)
		return err_sys(e, EPERM, "only tensors can have a second name");
	int rc = edit_link_node(v, tree_first(&v->tree, id), p->dir, buf_view(&p->name), e);
	return rc < 0 ? rc : vol_attr(v, ino, ret, e);
}

static int link_to(struct volume *v, uint64_t ino, uint64_t dir, struct str name, struct vattr *ret,
		struct err *e)
{
	struct place p;
	int rc = find(v, dir, name, &p, e);
	if (rc < 0)
		return rc;
	rc = link_place(v, ino, &p, ret, e);
	place_release(&p);
	ghost_over(v, dir, name);
	return rc;
}

int volume_link(struct volume *v, uint64_t ino, uint64_t dir, struct str name, struct vattr *ret,
		struct err *e)
{
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = link_to(v, ino, dir, name, ret, e);
	edit_end(v);
	return rc;
}
