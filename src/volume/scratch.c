/* scratch.c - names that are no keys: temporary files of editors, tensors that still lack a type.
 *
 * A scratch file has a blob and lives as long as the mount. It becomes a key when it is closed and
 * its type is known: a removed or moved key had its name and it has that one's size; NAME.meta
 * stands beside it; it is a .npy or .json itself. Otherwise it stays what it is, without an error:
 * programs write temporary files all the time. (design.md "Editing", 4)
 */
#include "edit.h"

#include <pthfs/cleanup.h>
#include <string.h>

#define MAX_SCRATCH (1u << 22)
#define TRIM_LEAST (1u << 20) /* bytes: looking through the journal has to be worth it */

static uint8_t kind_of(struct str name)
{
	if (str_ends(name, STR(".meta")))
		return SCRATCH_META;
	if (str_ends(name, STR(".npy")))
		return SCRATCH_NPY;
	return str_ends(name, STR(".json")) ? SCRATCH_JSON : SCRATCH_PLAIN;
}

uint32_t scratch_find(const struct volume *v, uint32_t dir, struct str name)
{
	for (size_t i = 0; v->edit && i < v->edit->live.n; i++) {
		const struct scratch *s = &v->edit->scratch.at[v->edit->live.at[i]];
		if (s->dir == dir && str_eq(s->name, name))
			return v->edit->live.at[i];
	}
	return TREE_NONE;
}

bool scratch_in(const struct volume *v, uint32_t dir)
{
	for (size_t i = 0; v->edit && i < v->edit->live.n; i++)
		if (v->edit->scratch.at[v->edit->live.at[i]].dir == dir)
			return true;
	return false;
}

int scratch_add(struct volume *v, uint32_t dir, struct str name, struct blob *b, uint32_t *ret,
		struct err *e)
{
	struct scratch s = {.dir = dir, .blob = b, .kind = kind_of(name), .changed = edit_now(v)};
	if (v->edit->scratch.n >= MAX_SCRATCH)
		return err_set(e, ERR_LIMIT, "more than %u new files since it was mounted", MAX_SCRATCH);
	char *copy = malloc(name.n + 1);
	if (!copy)
		return err_nomem(e);
	memcpy(copy, name.p, name.n);
	s.name = (struct str){copy, name.n};
	if (vec_room(&v->edit->live, 1) < 0 || vec_push(&v->edit->scratch, s) < 0) {
		free(copy);
		return err_nomem(e);
	}
	blob_ref(b);
	*ret = (uint32_t)v->edit->scratch.n - 1;
	v->edit->live.at[v->edit->live.n++] = *ret;
	return 0;
}

void scratch_remove(struct volume *v, uint32_t i)
{
	struct edit *d = v->edit;
	d->scratch.at[i].gone = true;
	d->dead_bytes += blob_dirty(d->scratch.at[i].blob);
	for (size_t k = d->live.n; k-- > 0;) /* the latest is the likely one */
		if (d->live.at[k] == i) {
			d->live.at[k] = d->live.at[--d->live.n];
			break;
		}
}

void scratch_restore(struct volume *v, uint32_t i)
{
	struct edit *d = v->edit;
	uint64_t n = blob_dirty(d->scratch.at[i].blob);
	d->scratch.at[i].gone = false;
	d->dead_bytes -= n < d->dead_bytes ? n : d->dead_bytes;
	d->live.at[d->live.n++] = i; /* there is room: the other one has left some */
}

static int step_aside(struct volume *v, struct scratch *s, struct err *e)
{
	struct buf name;
	int rc = 0;
	buf_init(&name, 4096);
	for (size_t k = 2;; k++) {
		name_numbered(s->name, k, &name);
		if (name.failed || (tree_find(&v->tree, s->dir, buf_view(&name)) == TREE_NONE &&
						   scratch_find(v, s->dir, buf_view(&name)) == TREE_NONE))
			break;
	}
	char *copy = name.failed ? NULL : strndup(name.p, name.n);
	if (copy) {
		log_add(v->log, "%s is called %s now: a list item has taken its name", STR_SHOW(s->name), copy);
		free((char *)s->name.p);
		s->name = (struct str){copy, name.n};
	} else {
		rc = err_nomem(e);
	}
	buf_release(&name);
	return rc;
}

/* It, or a file that shows it, is called so: of tensors those are .meta and .npy, of all others .json. */
static bool is_key(const struct volume *v, uint32_t dir, struct str name)
{
	static const char *const ends[] = {".json", ".meta", ".npy"};
	if (tree_find(&v->tree, dir, name) != TREE_NONE)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]);
		if (!str_ends(name, str_of(ends[i])) || name.n <= n)
			continue;
		uint32_t node = tree_find(&v->tree, dir, str_cut(name, name.n - n));
		if (node != TREE_NONE && (node_value(&v->tree, node)->kind == VALUE_TENSOR) == (i > 0))
			return true;
	}
	return false;
}

int scratch_step_aside(struct volume *v, uint32_t dir, struct err *e)
{
	int rc = 0;
	for (size_t i = 0; i < v->edit->live.n && rc == 0; i++) {
		struct scratch *s = &v->edit->scratch.at[v->edit->live.at[i]];
		if (s->dir == dir && is_key(v, dir, s->name))
			rc = step_aside(v, s, e);
	}
	return rc;
}

/* Removed, under all its names, and never became a key. */
static bool is_dead(void *ctx, uint32_t blob)
{
	struct volume *v = ctx;
	bool dead = false;
	for (size_t i = v->edit->scratch.n; i-- > 0;) {
		const struct scratch *s = &v->edit->scratch.at[i];
		if (blob_id(s->blob) != blob)
			continue;
		if (!s->gone || s->became || atomic_load(&s->open))
			return false;
		dead = true;
	}
	return dead;
}

void scratch_trim(struct volume *v, bool all)
{
	struct edit *d = v->edit;
	struct err e = {0};
	bool trimmed;
	if (!d->journal || !d->dead_bytes)
		return;
	if (!all && (d->dead_bytes < TRIM_LEAST || d->dead_bytes < journal_size(d->journal) / 8))
		return;
	d->dead_bytes = 0;
	for (size_t i = 0; i < d->scratch.n; i++)
		if (d->scratch.at[i].gone && atomic_load(&d->scratch.at[i].open))
			d->dead_bytes += blob_dirty(d->scratch.at[i].blob);
	if (journal_trim(d->journal, is_dead, v, &trimmed, &e) < 0)
		log_add(v->log, "removed files could not be taken out of the journal: %s", e.text);
	else if (trimmed)
		for (size_t i = 0; i < d->scratch.n; i++)
			if (is_dead(v, blob_id(d->scratch.at[i].blob)))
				blob_truncate(d->scratch.at[i].blob, 0, NULL);
}

void scratch_opened(struct volume *v, uint64_t ino)
{
	if (ino_what(ino) == INO_SCRATCH)
		atomic_fetch_add(&v->edit->scratch.at[ino_index(ino)].open, 1);
}

void scratch_closed(struct volume *v, uint64_t ino)
{
	if (ino_what(ino) != INO_SCRATCH)
		return;
	vol_read_begin(v);
	struct scratch *s = &v->edit->scratch.at[ino_index(ino)];
	bool last = atomic_fetch_sub(&s->open, 1) == 1 && s->gone;
	vol_read_end(v);
	if (last && edit_begin(v, NULL) == 0) {
		scratch_trim(v, false);
		edit_end(v);
	}
}

int edit_sync(struct volume *v, struct err *e)
{
	int rc = v->edit->journal ? journal_sync(v->edit->journal, e) : 0;
	if (rc == 0 || !v->edit->dead_bytes)
		return rc;
	scratch_trim(v, true);
	return journal_sync(v->edit->journal, e);
}

static void forget_left(struct edit *d)
{
	for (size_t i = 0; i < d->left.n; i++)
		free((char *)d->left.at[i].name.p);
	vec_release(&d->left);
}

void scratch_forget(struct volume *v)
{
	for (size_t i = 0; i < v->edit->scratch.n; i++) {
		v->edit->scratch.at[i].gone = true;
		v->edit->scratch.at[i].became = 0;
	}
	v->edit->live.n = 0;
	forget_left(v->edit);
}

void scratch_release(struct volume *v)
{
	struct edit *d = v->edit;
	for (size_t i = 0; i < d->scratch.n; i++) {
		blob_unref(d->scratch.at[i].blob);
		free((char *)d->scratch.at[i].name.p);
	}
	vec_release(&d->live);
	vec_release(&d->scratch);
	forget_left(d);
}

uint32_t scratch_typed(const struct volume *v, uint32_t dir, struct str name)
{
	const struct edit *d = v->edit;
	uint32_t gone = tree_find_gone(&v->tree, dir, name), when = 0;
	if (gone != TREE_NONE)
		u32map_get(&v->tree.removed, gone, &when);
	for (size_t i = d->left.n; i-- > 0;)
		if (d->left.at[i].dir == dir && str_eq(d->left.at[i].name, name))
			return d->left.at[i].when >= when ? d->left.at[i].node : gone;
	return gone;
}

/* --- becoming a key ---------------------------------------------------------------------------------- */

/* A removed key comes back where it was. Another one has the tensor's bytes, or the key only moved
 * away: then what comes back is a tensor of its own. */
static int comes_back(struct volume *v, const struct scratch *s, uint32_t was, struct err *e)
{
	const struct value *val = node_value(&v->tree, was);
	struct target t = {.what = INO_TENSOR, .node = TREE_NONE, .dir = s->dir, .name = s->name};
	if (val->kind == VALUE_LEAF) {
		t.what = INO_LEAF;
		return put_again(v, &t, was, s->blob, e);
	}
	if (val->kind != VALUE_TENSOR || blob_size(s->blob) != vol_model(v)->tensors.at[val->tensor].nbytes)
		return ERR_ABSENT;
	return put_again(v, &t, was, s->blob, e);
}

/* It is a key now, and the file of that kind. */
static void become(struct volume *v, uint32_t i, struct str name, enum ino_what what)
{
	struct scratch *s = &v->edit->scratch.at[i];
	uint32_t node = tree_find(&v->tree, s->dir, name);
	scratch_remove(v, i);
	if (node == TREE_NONE)
		return;
	const struct value *val = node_value(&v->tree, node);
	if (what == INO_JSON)
		s->became = ino_make(node, INO_JSON);
	else if (what == INO_LEAF)
		s->became = vol_node_ino(v, node);
	else if (val->kind == VALUE_TENSOR)
		s->became = ino_make(val->tensor, what);
	uint32_t same = scratch_find(v, s->dir, name); /* of NAME.npy: it may have waited for its type */
	if (same == TREE_NONE)
		return;
	scratch_remove(v, same);
	if (!(v->tree.nodes.at[node].flags & NODE_DIR))
		v->edit->scratch.at[same].became = vol_node_ino(v, node);
}

/* Other names of the same file are names of the tensor that it is now. */
static int tie_others(struct volume *v, const struct blob *b, uint32_t dir, struct str name, struct err *e)
{
	uint32_t node = tree_find(&v->tree, dir, name);
	int rc = 0;
	/* from the end: those that become keys leave the list */
	for (size_t k = v->edit->live.n; k-- > 0 && rc == 0 && node != TREE_NONE;) {
		uint32_t i = v->edit->live.at[k];
		const struct scratch *s = &v->edit->scratch.at[i];
		if (s->blob != b)
			continue;
		rc = edit_link_node(v, node, s->dir, s->name, e);
		if (rc == 0)
			become(v, i, s->name, INO_TENSOR);
	}
	return rc;
}

/* NAME and NAME.meta are both there: a tensor, if they fit. */
static int typed_by_meta(struct volume *v, uint32_t bytes, uint32_t meta, struct err *e)
{
	const struct scratch *b = &v->edit->scratch.at[bytes];
	const struct target t = {.what = INO_META, .node = TREE_NONE, .dir = b->dir, .name = b->name};
	struct blob *m = v->edit->scratch.at[meta].blob;
	struct buf text;
	buf_init(&text, 1 << 20);
	int rc = vol_blob_text(m, &text, e);
	if (rc == 0)
		rc = scratch_retell(v, bytes, e);
	if (rc == 0)
		rc = put_meta(v, &t, b->blob, buf_view(&text), e);
	buf_release(&text);
	if (rc == 0) {
		become(v, bytes, b->name, INO_TENSOR);
		become(v, meta, b->name, INO_META);
		rc = tie_others(v, b->blob, b->dir, b->name, e);
	}
	return rc;
}

/* The other half of NAME and NAME.meta, or TREE_NONE. */
static uint32_t partner(const struct volume *v, const struct scratch *s)
{
	struct buf name;
	uint32_t i;
	if (s->kind == SCRATCH_META)
		return scratch_find(v, s->dir, str_cut(s->name, s->name.n - 5));
	buf_init(&name, 1024);
	buf_str(&name, s->name);
	buf_puts(&name, ".meta");
	i = scratch_find(v, s->dir, buf_view(&name));
	buf_release(&name);
	return i;
}

/* It waited for bytes, and a key with a type has come back: it says what that is to be, if it fits. */
static void meta_onto(struct volume *v, uint32_t meta, struct str name)
{
	uint32_t node = tree_find(&v->tree, v->edit->scratch.at[meta].dir, name);
	const struct value *val = node == TREE_NONE ? NULL : node_value(&v->tree, node);
	struct blob *b = v->edit->scratch.at[meta].blob;
	struct target t;
	scratch_remove(v, meta);
	if (!val || val->kind != VALUE_TENSOR)
		return;
	uint64_t ino = ino_make(val->tensor, INO_META);
	v->edit->scratch.at[meta].became = ino;
	if (blob_size(b) && put_target(v, ino, &t, NULL) == 0 && put_ok(v, &t, NULL) == 0 &&
			put_content(v, &t, b, NULL) < 0)
		log_add(v->log, "%s.meta, which was written before it, does not fit", STR_SHOW(name));
}

static int settle_plain(struct volume *v, uint32_t i, struct err *e)
{
	const struct scratch *s = &v->edit->scratch.at[i];
	uint32_t was = scratch_typed(v, s->dir, s->name), meta;
	if (was != TREE_NONE && s->kind == SCRATCH_PLAIN) {
		int rc = comes_back(v, s, was, e);
		if (rc == 0) {
			become(v, i, s->name, INO_LEAF);
			meta = partner(v, &v->edit->scratch.at[i]);
			if (meta != TREE_NONE)
				meta_onto(v, meta, v->edit->scratch.at[i].name);
		}
		if (rc != ERR_ABSENT)
			return rc;
	}
	meta = partner(v, s);
	if (meta == TREE_NONE)
		return 0;
	int rc = s->kind == SCRATCH_META ? typed_by_meta(v, meta, i, e) : typed_by_meta(v, i, meta, e);
	return rc == ERR_INVALID ? 0 : rc; /* the rest may still be on its way */
}

static bool begins_as_npy(const struct blob *b)
{
	char magic[6];
	return blob_size(b) > 6 && blob_read(b, magic, 6, 0, NULL) == 0 && memcmp(magic, "\x93NUMPY", 6) == 0;
}

int scratch_retell(struct volume *v, uint32_t i, struct err *e)
{
	struct blob *was = v->edit->scratch.at[i].blob, *now = blob_ref(was);
	int rc = stage_retell(v, &now, e);
	for (size_t k = 0; rc == 0 && now != was && k < v->edit->scratch.n; k++) {
		struct scratch *s = &v->edit->scratch.at[k]; /* several when it has links */
		if (s->blob != was)
			continue;
		blob_unref(was);
		s->blob = blob_ref(now);
	}
	blob_unref(now);
	return rc;
}

int scratch_settle(struct volume *v, uint32_t i, struct err *e)
{
	const struct scratch *s = &v->edit->scratch.at[i];
	struct target t = {.what = INO_NPY, .node = TREE_NONE, .dir = s->dir};
	int rc = s->gone ? 0 : scratch_retell(v, i, e);
	if (rc < 0)
		return rc;
	if (s->gone || s->kind == SCRATCH_PLAIN || s->kind == SCRATCH_META)
		return s->gone ? 0 : settle_plain(v, i, e);
	if (s->kind == SCRATCH_JSON)
		t.what = INO_JSON;
	t.name = str_cut(s->name, s->name.n - (s->kind == SCRATCH_NPY ? 4 : 5));
	if (t.name.n == 0)
		return 0;
	rc = put_content(v, &t, s->blob, e);
	if (rc == ERR_INVALID && begins_as_npy(s->blob))
		return 0; /* numpy.lib.format.open_memmap() writes the elements later */
	if (rc == 0)
		become(v, i, t.name, t.what);
	return rc;
}
