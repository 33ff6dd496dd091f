/* bypath.c - edits by path, for commands: the same doors as the mount's, without files.
 *
 * Many renames at once are all or nothing: keys that would become one are found before the first is
 * moved. A key whose new name is another's old one waits until that one has moved; a ring of such
 * is opened by a name in between.
 */
#include "edit.h"

#include "glob.h"
#include <errno.h>
#include <pthfs/cleanup.h>
#include <string.h>

int volume_parent(struct volume *v, const char *path, uint64_t *dir, struct str *name, struct err *e)
{
	const char *end = path + strlen(path);
	while (end > path && end[-1] == '/')
		end--;
	const char *slash = end;
	while (slash > path && slash[-1] != '/')
		slash--;
	_cleanup_(freep) char *above = strndup(path, (size_t)(slash - path));
	struct vattr a;
	if (!above)
		return err_nomem(e);
	if (slash == end)
		return err_set(e, ERR_USAGE, "the checkpoint itself has no name in it");
	int rc = volume_resolve(v, above, &a, e);
	if (rc == 0 && !S_ISDIR(a.mode))
		rc = err_sys(e, ENOTDIR, "%s", above);
	if (rc < 0)
		return rc;
	*dir = a.ino;
	*name = (struct str){slash, (size_t)(end - slash)};
	return 0;
}

/* --- set ------------------------------------------------------------------------------------------- */

/* Bytes from elsewhere as a blob: by reference when there is no journal that would need them. */
static int blob_from(struct volume *v, struct source *s, struct blob **ret, struct err *e)
{
	enum { CHUNK = 1 << 20 };
	struct journal *j = v->edit->journal;
	struct blob *b;
	int rc = blob_new(edit_blob_id(v), (struct extent){0}, 0, &b, e);
	if (rc < 0)
		return rc;
	if (!j && s->size) {
		rc = blob_map(b, 0, (struct extent){s, 0, s->size}, e);
	} else {
		_cleanup_(freep) char *buf = malloc(CHUNK);
		rc = buf ? 0 : err_nomem(e);
		for (uint64_t off = 0; off < s->size && rc == 0; off += CHUNK) {
			size_t n = s->size - off < CHUNK ? (size_t)(s->size - off) : CHUNK;
			rc = source_read(s, buf, n, off, e);
			if (rc == 0)
				rc = blob_write(b, j, buf, n, off, e);
		}
	}
	if (rc < 0)
		blob_unref(b);
	else
		*ret = b;
	return rc;
}

static int put_text(struct volume *v, const struct target *t, struct str text, struct err *e)
{
	char *copy = malloc(text.n + 1);
	struct source *s;
	struct blob *b = NULL;
	if (!copy)
		return err_nomem(e);
	memcpy(copy, text.p, text.n);
	s = source_mem_take(copy, text.n);
	if (!s)
		return err_nomem(e);
	int rc = put_ok(v, t, e);
	bool same = rc == ERR_UNSUPPORTED && put_is_shown(v, t, text);
	if (rc == 0)
		rc = blob_from(v, s, &b, e);
	if (rc == 0)
		rc = put_content(v, t, b, e);
	blob_unref(b);
	source_unref(s);
	return same ? 0 : rc;
}

static int set_new(struct volume *v, uint32_t dir, struct str name, struct str text, struct err *e)
{
	struct target t = {.what = INO_LEAF, .node = TREE_NONE, .dir = dir, .name = name};
	uint32_t value, node;
	oref obj;
	int rc = obj_parse_guess(&v->ck->model.graph, text, &obj, e);
	if (rc == 0)
		rc = keys_value(v, obj, &value, e);
	if (rc == 0)
		rc = change_dir_ok(v->ck, v->tree.nodes.at[dir].value, e);
	if (rc == 0)
		rc = ops_value(v, &t, obj, e);
	return rc < 0 ? rc : keys_add(v, dir, name, value, &node, e);
}

/* What a path leads to: an inode, or a place for a new name. */
struct found {
	bool there;
	uint64_t ino;
	uint32_t dir;
	struct buf name;
};

static int find(struct volume *v, const char *path, struct found *f, struct err *e)
{
	struct vattr a;
	uint64_t dir;
	struct str name;
	*f = (struct found){.there = false};
	buf_init(&f->name, 4096);
	int rc = volume_parent(v, path, &dir, &name, e);
	if (rc < 0)
		return rc;
	f->there = volume_lookup(v, dir, name, &a, NULL) == 0;
	if (f->there)
		f->ino = a.ino;
	return f->there ? 0 : keys_place(v, dir, name, &f->dir, &f->name, e);
}

static int set_found(struct volume *v, const char *path, const struct found *f, struct str value,
		struct err *e)
{
	struct target t;
	if (!f->there)
		return set_new(v, f->dir, buf_view(&f->name), value, e);
	if (ino_what(f->ino) == INO_TENSOR)
		return err_set(e, ERR_INVALID, "%s is a tensor: --npy FILE gives it other content", path);
	if (ino_what(f->ino) == INO_DIR)
		return err_set(e, ERR_INVALID, "%s is a directory: set %s.json to replace all of it", path, path);
	int rc = put_target(v, f->ino, &t, e);
	return rc < 0 ? rc : put_text(v, &t, value, e);
}

int volume_set(struct volume *v, const char *path, struct str value, struct err *e)
{
	struct found f;
	int rc = find(v, path, &f, e);
	if (rc == 0)
		rc = edit_begin(v, e);
	if (rc == 0) {
		rc = set_found(v, path, &f, value, e);
		edit_end(v);
		if (rc < 0)
			err_prefix(e, "%s", path);
	}
	buf_release(&f.name);
	return rc;
}

static int set_npy(struct volume *v, const char *path, const struct found *f, struct source *npy,
		struct err *e)
{
	struct target t = {.what = INO_NPY, .node = TREE_NONE, .dir = f->dir, .name = buf_view(&f->name)};
	struct blob *b;
	int rc;
	if (f->there && ino_what(f->ino) != INO_TENSOR)
		return err_set(e, ERR_EXISTS, "it is there and no tensor: remove it first");
	if (f->there)
		t.node = tree_first(&v->tree, ino_index(f->ino));
	rc = blob_from(v, npy, &b, e);
	if (rc < 0)
		return rc;
	rc = put_content(v, &t, b, e);
	blob_unref(b);
	return rc;
}

int volume_set_npy(struct volume *v, const char *path, const char *npy, struct err *e)
{
	struct source *s = NULL;
	struct found f;
	int rc = find(v, path, &f, e);
	if (rc == 0) {
		rc = source_file_open(npy, &s, e);
		if (rc < 0)
			err_prefix(e, "%s", npy);
	}
	if (rc == 0)
		rc = edit_begin(v, e);
	if (rc == 0) {
		rc = set_npy(v, path, &f, s, e);
		edit_end(v);
		if (rc < 0)
			err_prefix(e, "%s", path);
	}
	source_unref(s);
	buf_release(&f.name);
	return rc;
}

/* --- rm ---------------------------------------------------------------------------------------------- */

static bool below(const struct tree *t, uint32_t node, uint32_t dir)
{
	while (node != 0 && node != dir)
		node = t->nodes.at[node].parent;
	return node == dir;
}

static int matching(struct volume *v, const char *glob, uint32_t **ret, size_t *n, struct err *e)
{
	VEC(uint32_t) found = {0};
	struct buf path;
	int rc = 0;
	buf_init(&path, 1 << 20);
	for (uint32_t i = tree_next(&v->tree, 0); i != TREE_NONE && rc == 0; i = tree_next(&v->tree, i)) {
		if (found.n && below(&v->tree, i, found.at[found.n - 1]))
			continue;
		path.n = 0;
		tree_path(&v->tree, i, &path);
		if (glob_match(str_of(glob), buf_view(&path)))
			rc = vec_push(&found, i);
	}
	buf_release(&path);
	*ret = found.at;
	*n = found.n;
	return rc < 0 ? err_nomem(e) : 0;
}

int volume_remove(struct volume *v, const char *glob, uint64_t *n, struct err *e)
{
	_cleanup_(freep) uint32_t *nodes = NULL;
	size_t count = 0, mark;
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	mark = v->tree.undo.n;
	rc = matching(v, glob, &nodes, &count, e);
	if (rc == 0)
		rc = ops_group(v, OPS_BEGIN, e);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (tree_alive(&v->tree, nodes[i])) /* a twin of one before is gone already */
			rc = edit_remove_node(v, nodes[i], e);
	if (rc == 0)
		rc = ops_group(v, OPS_END, e);
	if (rc < 0) {
		tree_undo(&v->tree, mark);
		ops_group(v, OPS_ABORT, NULL);
	}
	edit_end(v);
	*n = rc < 0 ? 0 : count;
	return rc;
}

/* --- many keys at once ----------------------------------------------------------------------------------- */

struct move {
	uint32_t node;
	struct str name; /* new one, in arena */
	bool done;
};
struct moves {
	struct volume *v;
	VEC(struct move) at; /* of one directory */
	struct arena arena;
	struct name_set names; /* of the directory as it will be */
};

static int collide(struct moves *m, uint32_t dir, struct str name, struct err *e)
{
	struct buf path;
	buf_init(&path, 4096);
	tree_path(&m->v->tree, dir, &path);
	err_set(e, ERR_EXISTS, "%s%stwo keys would become \"%s\": nothing was renamed",
			path.n ? STR_SHOW(buf_view(&path)) : "", path.n ? ": " : "", STR_SHOW(name));
	buf_release(&path);
	return ERR_EXISTS;
}

static int gather_one(struct moves *m, uint32_t dir, uint32_t node, volume_key_fn *map, void *ctx,
		struct err *e)
{
	struct str key, name = node_name(&m->v->tree, node);
	struct buf now, file;
	int rc = 0;
	buf_init(&now, 1 << 20);
	buf_init(&file, 4096);
	if (key_text(&vol_model(m->v)->graph, m->v->tree.nodes.at[node].key, &key) &&
			map(ctx, key, &now) && !str_eq(key, buf_view(&now))) {
		name_of_text(buf_view(&now), &file);
		name = arena_str(&m->arena, buf_view(&file));
		if (now.failed || file.failed || !name.p ||
				vec_push(&m->at, ((struct move){node, name, false})) < 0)
			rc = err_nomem(e);
	}
	buf_release(&now);
	buf_release(&file);
	if (rc == 0 && name_set_find(&m->names, name) != IDMAP_NONE)
		rc = collide(m, dir, name, e);
	if (rc == 0 && name_set_add(&m->names, &m->arena, name) < 0)
		rc = err_nomem(e);
	return rc;
}

/* Moves those whose name is free; *left: how many are not. */
static int move_free(struct moves *m, uint32_t dir, size_t *left, size_t *moved, struct err *e)
{
	int rc = 0;
	*left = *moved = 0;
	for (size_t i = 0; i < m->at.n && rc == 0; i++) {
		struct move *x = &m->at.at[i];
		if (x->done)
			continue;
		if (tree_find(&m->v->tree, dir, x->name) != TREE_NONE) {
			++*left;
			continue;
		}
		rc = edit_move_node(m->v, x->node, dir, x->name, e);
		x->done = true;
		++*moved;
	}
	return rc;
}

/* Everybody waits for somebody: one steps aside. */
static int step_aside(struct moves *m, uint32_t dir, struct err *e)
{
	struct buf name;
	size_t i = 0;
	int rc;
	while (m->at.at[i].done)
		i++;
	buf_init(&name, 256);
	do {
		name.n = 0;
		buf_printf(&name, "pthfs.rename.%zu.%u", i++, m->at.at[0].node);
	} while (tree_find(&m->v->tree, dir, buf_view(&name)) != TREE_NONE ||
			name_set_find(&m->names, buf_view(&name)) != IDMAP_NONE);
	for (i = 0; m->at.at[i].done;)
		i++;
	rc = edit_move_node(m->v, m->at.at[i].node, dir, buf_view(&name), e);
	buf_release(&name);
	return rc;
}

static int rename_dir(struct moves *m, uint32_t dir, volume_key_fn *map, void *ctx, uint64_t *n,
		struct err *e)
{
	uint32_t slots = tree_slots(&m->v->tree, dir);
	size_t left = 1, moved = 0;
	int rc = 0;
	m->at.n = 0;
	name_set_release(&m->names);
	memset(&m->names, 0, sizeof m->names);
	for (uint32_t i = 0; i < slots && rc == 0; i++) {
		uint32_t child = tree_child(&m->v->tree, dir, i);
		if (child != TREE_NONE)
			rc = gather_one(m, dir, child, map, ctx, e);
	}
	while (rc == 0 && left) {
		rc = move_free(m, dir, &left, &moved, e);
		if (rc == 0 && left && !moved)
			rc = step_aside(m, dir, e);
	}
	*n += m->at.n;
	return rc;
}

/* What an optimizer keeps for parameter 3 looks like a state_dict; its keys are no module's. */
static bool is_numbered(const struct volume *v, uint32_t dir)
{
	oref key = v->tree.nodes.at[dir].key;
	return key != OREF_NIL && obj_kind(&vol_model(v)->graph, key) == OBJ_KIND_INT;
}

static bool wanted(const struct volume *v, uint32_t dir, uint32_t only, const struct u32map *seen)
{
	uint32_t ignored;
	if (only != TREE_NONE)
		return dir == only;
	return !is_numbered(v, dir) && vol_is_state_dict(v, dir) && v->tree.nodes.at[dir].flags & NODE_DIR &&
	       node_value(&v->tree, dir)->kind == VALUE_DICT &&
	       !u32map_get(seen, v->tree.nodes.at[dir].value, &ignored);
}

static int rename_all(struct moves *m, uint32_t only, volume_key_fn *map, void *ctx, uint64_t *n,
		struct err *e)
{
	struct tree *t = &m->v->tree;
	struct u32map seen = {0};
	uint32_t end = (uint32_t)t->nodes.n;
	int rc = 0;
	for (uint32_t i = 0; i < end && rc == 0; i++) {
		if (t->nodes.at[i].flags & NODE_OBJECT || !tree_alive(t, i) || !wanted(m->v, i, only, &seen))
			continue;
		rc = rename_dir(m, i, map, ctx, n, e);
		if (rc == 0 && u32map_set(&seen, t->nodes.at[i].value, 1) < 0)
			rc = err_nomem(e);
	}
	u32map_release(&seen);
	return rc;
}

int volume_rename_keys(struct volume *v, const char *path, volume_key_fn *map, void *ctx, uint64_t *n,
		struct err *e)
{
	struct moves m = {.v = v};
	struct vattr a = {.ino = 0};
	uint32_t only = TREE_NONE;
	*n = 0;
	int rc = path ? volume_resolve(v, path, &a, e) : 0;
	if (rc == 0 && path && ino_what(a.ino) != INO_DIR)
		rc = err_sys(e, ENOTDIR, "%s", path);
	if (rc == 0)
		rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	if (path)
		only = (uint32_t)ino_index(a.ino);
	size_t mark = v->tree.undo.n;
	arena_init(&m.arena, 0);
	rc = ops_group(v, OPS_BEGIN, e);
	if (rc == 0)
		rc = rename_all(&m, only, map, ctx, n, e);
	if (rc == 0)
		rc = ops_group(v, OPS_END, e);
	if (rc < 0) {
		tree_undo(&v->tree, mark);
		ops_group(v, OPS_ABORT, NULL);
	}
	edit_end(v);
	vec_release(&m.at);
	name_set_release(&m.names);
	arena_release(&m.arena);
	return rc;
}
