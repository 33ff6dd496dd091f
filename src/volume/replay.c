/* replay.c - edits that a crash left in the journal, made again.
 *
 * Twice over the frames: first the groups, then the edits, each through the same door that it came
 * through when it was made (ops.c has the list). A group that has no end was being written when
 * the machine died: it and what is behind it are left out, and so is what was taken back.
 *
 * What the journal says is checked like any other file: paths that lead nowhere, blobs that nobody
 * wrote and words that are not known end the taking-up with an error, and nothing is committed.
 */
#include "edit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthfs/cleanup.h>
#include <pthfs/json_read.h>
#include <pthfs/pickle.h>
#include <pthfs/reader.h>
#include <string.h>

struct op {
	char name[16], what[16];
	struct buf path, from, to, text; /* text: meta or pickle */
	uint64_t blob, size, from_blob, off, n;
	bool has_blob;
};

struct slot {
	struct blob *b; /* NULL: not met */
	bool storage;   /* of a storage: it has the size that it has */
};

struct replay {
	struct volume *v;
	VEC(struct slot) blobs;   /* by number */
	VEC(uint8_t) groups;      /* how the i-th group ended: enum ops_edge, OPS_BEGIN: not */
	size_t group;             /* groups met so far, second time */
	bool skip;                /* in a group that is left out */
	struct op op;
	struct err *e;
};

static int bad(struct replay *r, const char *what)
{
	return err_set(r->e, ERR_DAMAGED, "its journal says \"%s\" of %s: %s", r->op.name,
			STR_SHOW(buf_view(&r->op.path)), what);
}

/* --- one op ---------------------------------------------------------------------------------------- */

static void op_reset(struct op *o)
{
	o->name[0] = o->what[0] = 0;
	o->path.n = o->from.n = o->to.n = o->text.n = 0;
	o->blob = o->size = o->from_blob = o->off = o->n = 0;
	o->has_blob = false;
}

static void take_word(char out[16], struct str s)
{
	size_t n = s.n < 15 ? s.n : 15;
	memcpy(out, s.p, n);
	out[n] = 0;
}

static void take_text(struct op *o, struct str key, struct str s)
{
	if (str_is(key, "op"))
		take_word(o->name, s);
	else if (str_is(key, "what"))
		take_word(o->what, s);
	else if (str_is(key, "path"))
		buf_str(&o->path, s);
	else if (str_is(key, "from"))
		buf_str(&o->from, s);
	else if (str_is(key, "to"))
		buf_str(&o->to, s);
	else if (str_is(key, "meta") || str_is(key, "pickle"))
		buf_str(&o->text, s);
}

static void take_number(struct op *o, struct str key, uint64_t n)
{
	if (str_is(key, "blob"))
		o->blob = n, o->has_blob = true;
	else if (str_is(key, "size"))
		o->size = n;
	else if (str_is(key, "from"))
		o->from_blob = n;
	else if (str_is(key, "off"))
		o->off = n;
	else if (str_is(key, "n"))
		o->n = n;
}

static int read_op(struct replay *r, struct str payload)
{
	struct json_reader j;
	enum json_token tok;
	struct buf key;
	op_reset(&r->op);
	buf_init(&key, 64);
	json_reader_init(&j, payload);
	int rc = json_next(&j, &tok, r->e);
	if (rc == 0 && tok != JSON_OBJECT)
		rc = bad(r, "that is no edit");
	while (rc == 0) {
		rc = json_next(&j, &tok, r->e);
		if (rc < 0 || tok != JSON_KEY)
			break;
		key.n = 0;
		buf_str(&key, str_cut(j.text, 16));
		rc = json_next(&j, &tok, r->e);
		if (rc == 0 && tok == JSON_STRING)
			take_text(&r->op, buf_view(&key), j.text);
		else if (rc == 0 && tok == JSON_INT && !j.big && j.i >= 0)
			take_number(&r->op, buf_view(&key), (uint64_t)j.i);
		else if (rc == 0)
			rc = bad(r, "a member is neither text nor a number");
	}
	json_reader_release(&j);
	buf_release(&key);
	return rc;
}

/* --- blobs ---------------------------------------------------------------------------------------------- */

#define MAX_BLOBS (1u << 24)

static int blob_at(struct replay *r, uint64_t id, struct slot **ret)
{
	if (id >= MAX_BLOBS)
		return bad(r, "a blob's number is beyond reason");
	while (r->blobs.n <= id)
		if (vec_push(&r->blobs, (struct slot){0}) < 0)
			return err_nomem(r->e);
	if (r->v->edit->next_blob <= id)
		r->v->edit->next_blob = (uint32_t)id + 1;
	*ret = &r->blobs.at[id];
	return 0;
}

/* That blob, empty when nothing was written into it; with the size that it had then. */
static int blob_of(struct replay *r, uint64_t id, uint64_t size, struct blob **ret)
{
	struct slot *at;
	int rc = blob_at(r, id, &at);
	if (rc == 0 && at->storage)
		return bad(r, "a storage is put into a file");
	if (rc == 0 && !at->b)
		rc = blob_new((uint32_t)id, (struct extent){0}, 0, &at->b, r->e);
	if (rc == 0 && blob_size(at->b) != size && size <= INT64_MAX)
		rc = blob_truncate(at->b, size, r->e);
	if (rc == 0)
		*ret = at->b;
	return rc;
}

static int replay_write(struct replay *r, const struct frame *f)
{
	struct slot *at;
	int rc = blob_at(r, f->blob, &at);
	if (rc == 0 && !at->b)
		rc = blob_new(f->blob, (struct extent){0}, 0, &at->b, r->e);
	if (rc < 0)
		return rc;
	if (at->storage && (f->off > blob_size(at->b) || f->n > blob_size(at->b) - f->off))
		return bad(r, "bytes lie behind the end of their storage");
	r->v->edit->generation++;
	return blob_map(at->b, f->off, (struct extent){journal_source(r->v->edit->journal), f->where, f->n},
			r->e);
}

/* --- paths ------------------------------------------------------------------------------------------------ */

/* The node, or TREE_NONE. */
static uint32_t node_at(const struct replay *r, struct str path)
{
	uint32_t node = 0;
	while (path.n && node != TREE_NONE) {
		const char *slash = memchr(path.p, '/', path.n);
		size_t n = slash ? (size_t)(slash - path.p) : path.n;
		node = tree_find(&r->v->tree, node, str_cut(path, n));
		path = str_skip(path, slash ? n + 1 : n);
	}
	return node;
}

/* The directory that a path's last part is in. */
static int place_of(struct replay *r, struct str path, uint32_t *dir, struct str *name)
{
	size_t n = path.n;
	while (n && path.p[n - 1] != '/')
		n--;
	*name = str_skip(path, n);
	*dir = node_at(r, str_cut(path, n ? n - 1 : 0));
	if (*dir == TREE_NONE || !name->n || !(r->v->tree.nodes.at[*dir].flags & NODE_DIR))
		return bad(r, "there is no such directory");
	return 0;
}

static int target_of(struct replay *r, enum ino_what what, struct target *t)
{
	struct str path = buf_view(&r->op.path);
	*t = (struct target){.what = what, .node = node_at(r, path)};
	return t->node != TREE_NONE ? 0 : place_of(r, path, &t->dir, &t->name);
}

static int tensor_at(struct replay *r, struct target *t)
{
	int rc = target_of(r, INO_TENSOR, t);
	if (rc == 0 && (t->node == TREE_NONE || node_value(&r->v->tree, t->node)->kind != VALUE_TENSOR))
		rc = bad(r, "there is no such tensor");
	return rc;
}

/* --- the edits -------------------------------------------------------------------------------------------------- */

static int do_rename(struct replay *r)
{
	uint32_t node = node_at(r, buf_view(&r->op.from)), dir;
	struct str name;
	buf_str(&r->op.path, buf_view(&r->op.from));
	if (node == TREE_NONE || node == 0)
		return bad(r, "there is no such name");
	int rc = place_of(r, buf_view(&r->op.to), &dir, &name);
	return rc < 0 ? rc : keys_move(r->v, node, dir, name, r->e);
}

static int do_remove(struct replay *r)
{
	uint32_t node = node_at(r, buf_view(&r->op.path));
	if (node == TREE_NONE || node == 0)
		return bad(r, "there is no such name");
	return keys_remove(r->v, node, r->e);
}

static int do_back(struct replay *r)
{
	uint32_t dir, node = TREE_NONE;
	struct str name;
	int rc = place_of(r, buf_view(&r->op.path), &dir, &name);
	if (rc == 0)
		node = tree_find_gone(&r->v->tree, dir, name);
	if (rc == 0 && node == TREE_NONE)
		rc = bad(r, "nothing of that name was removed");
	return rc < 0 ? rc : twins_restore(r->v, node, r->e);
}

static int do_mkdir(struct replay *r)
{
	uint32_t dir, node;
	struct str name;
	int rc = place_of(r, buf_view(&r->op.path), &dir, &name);
	return rc < 0 ? rc : keys_mkdir(r->v, dir, name, &node, r->e);
}

static int do_link(struct replay *r)
{
	uint32_t node = node_at(r, buf_view(&r->op.from)), dir, made;
	struct str name;
	if (node == TREE_NONE || node_value(&r->v->tree, node)->kind != VALUE_TENSOR)
		return bad(r, "there is no such tensor");
	int rc = place_of(r, buf_view(&r->op.to), &dir, &name);
	return rc < 0 ? rc : keys_link(r->v, node, dir, name, &made, r->e);
}

static int do_storage(struct replay *r)
{
	struct target t;
	struct dirty *d;
	struct slot *at;
	int rc = tensor_at(r, &t);
	if (rc < 0)
		return rc;
	uint32_t storage = vol_model(r->v)->tensors.at[node_value(&r->v->tree, t.node)->tensor].storage;
	rc = storage == MODEL_NONE ? bad(r, "it has no bytes") : dirty_get(r->v, storage, &d, r->e);
	if (rc == 0)
		rc = blob_at(r, r->op.blob, &at);
	if (rc == 0 && at->b)
		return bad(r, "the blob is another one's already");
	if (rc < 0)
		return rc;
	d->changed = edit_now(r->v);
	*at = (struct slot){blob_ref(d->blob), true};
	return 0;
}

static int do_copy(struct replay *r)
{
	struct slot *to, *from;
	int rc = blob_at(r, r->op.from_blob, &from);
	struct blob *source = rc == 0 ? from->b : NULL;
	if (rc == 0)
		rc = blob_at(r, r->op.blob, &to);
	if (rc < 0)
		return rc;
	if (!source || to->b || r->op.off > blob_size(source) || r->op.n > blob_size(source) - r->op.off)
		return bad(r, "it copies what is not there");
	rc = blob_new((uint32_t)r->op.blob, (struct extent){0}, r->op.n, &to->b, r->e);
	return rc < 0 ? rc : blob_adopt(to->b, 0, source, r->op.off, r->op.n, r->e);
}

static int do_put(struct replay *r)
{
	static const struct {
		const char *name;
		enum ino_what what;
	} whats[] = {{"tensor", INO_TENSOR}, {"leaf", INO_LEAF}, {"meta", INO_META}, {"npy", INO_NPY},
			{"json", INO_JSON}};
	enum ino_what what = 0;
	struct target t;
	struct blob *b;
	for (size_t i = 0; i < ARRAY_SIZE(whats); i++)
		if (strcmp(whats[i].name, r->op.what) == 0)
			what = whats[i].what;
	int rc = what ? target_of(r, what, &t) : bad(r, "that is no kind of file");
	if (rc == 0 && t.node == TREE_NONE && what != INO_NPY && what != INO_JSON)
		return bad(r, "there is no such name");
	if (rc == 0 && t.node != TREE_NONE && what != INO_LEAF && what != INO_JSON)
		rc = tensor_at(r, &t);
	t.what = what;
	if (rc == 0)
		rc = blob_of(r, r->op.blob, r->op.size, &b);
	return rc < 0 ? rc : put_content(r->v, &t, b, r->e);
}

static int do_again(struct replay *r)
{
	uint32_t dir, was;
	struct str name;
	int rc = place_of(r, buf_view(&r->op.path), &dir, &name);
	if (rc < 0)
		return rc;
	was = scratch_typed(r->v, dir, name);
	if (was == TREE_NONE)
		return bad(r, "nothing of that name was removed");
	return keys_restore(r->v, was, r->v->tree.nodes.at[was].value, r->e);
}

static int do_meta(struct replay *r)
{
	struct target t;
	struct blob *b = NULL;
	int rc = target_of(r, INO_META, &t);
	if (rc == 0 && r->op.has_blob)
		rc = blob_of(r, r->op.blob, r->op.size, &b);
	if (rc == 0 && (!b || t.node != TREE_NONE))
		rc = tensor_at(r, &t);
	t.what = INO_META;
	return rc < 0 ? rc : put_meta(r->v, &t, b, buf_view(&r->op.text), r->e);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The object that was pickled, in hex. */
static int unpickle(struct replay *r, struct str hex, oref *ret)
{
	char *raw = malloc(hex.n / 2 + 1);
	struct source *s = NULL;
	struct reader in;
	int rc = raw ? 0 : err_nomem(r->e);
	for (size_t i = 0; i + 1 < hex.n && rc == 0; i += 2) {
		int high = digit(hex.p[i]), low = digit(hex.p[i + 1]);
		raw[i / 2] = (char)(high << 4 | low);
		if (high < 0 || low < 0)
			rc = bad(r, "its value is not in hex");
	}
	if (rc < 0)
		free(raw);
	else if (!(s = source_mem_take(raw, hex.n / 2)))
		rc = err_nomem(r->e);
	if (rc == 0)
		rc = reader_init(&in, s, 0, hex.n / 2, r->e);
	if (rc == 0) {
		rc = pickle_load(&in, &r->v->ck->model.graph, ret, NULL, r->e);
		reader_release(&in);
	}
	source_unref(s);
	return rc;
}

static int do_value(struct replay *r)
{
	uint32_t dir, node, value;
	struct str name;
	oref obj;
	int rc = place_of(r, buf_view(&r->op.path), &dir, &name);
	if (rc == 0)
		rc = unpickle(r, buf_view(&r->op.text), &obj);
	if (rc == 0)
		rc = keys_value(r->v, obj, &value, r->e);
	return rc < 0 ? rc : keys_add(r->v, dir, name, value, &node, r->e);
}

static int replay_op(struct replay *r)
{
	static const struct {
		const char *name;
		int (*fn)(struct replay *r);
	} ops[] = {{"rename", do_rename}, {"remove", do_remove}, {"back", do_back}, {"mkdir", do_mkdir}, {"link", do_link},
			{"storage", do_storage}, {"copy", do_copy}, {"put", do_put}, {"again", do_again},
			{"meta", do_meta}, {"value", do_value}};
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (strcmp(ops[i].name, r->op.name) == 0)
			return ops[i].fn(r);
	}
	return bad(r, "that edit is not known: a newer pthfs made it");
}

/* --- groups -------------------------------------------------------------------------------------------------------- */

static bool is(const struct replay *r, const char *name)
{
	return strcmp(r->op.name, name) == 0;
}

static int find_groups(void *ctx, const struct frame *f)
{
	struct replay *r = ctx;
	int rc = f->kind == FRAME_OP ? read_op(r, f->payload) : 0;
	if (rc < 0 || f->kind != FRAME_OP)
		return rc;
	if (is(r, "begin"))
		return vec_push(&r->groups, (uint8_t)OPS_BEGIN) < 0 ? err_nomem(r->e) : 0;
	if (r->groups.n && is(r, "end"))
		r->groups.at[r->groups.n - 1] = OPS_END;
	if (r->groups.n && is(r, "abort"))
		r->groups.at[r->groups.n - 1] = OPS_ABORT;
	return 0;
}

static int one_frame(void *ctx, const struct frame *f)
{
	struct replay *r = ctx;
	if (f->kind == FRAME_WRITE)
		return r->skip ? 0 : replay_write(r, f);
	if (f->kind == FRAME_NOTE) /* of the last try to commit them */
		r->v->edit->gate.refused = str_starts(f->payload, STR(GATE_REFUSED));
	int rc = f->kind == FRAME_OP ? read_op(r, f->payload) : 0;
	if (rc < 0 || f->kind != FRAME_OP)
		return rc;
	if (is(r, "begin")) {
		r->skip = r->groups.at[r->group++] != OPS_END;
		return 0;
	}
	if (is(r, "end") || is(r, "abort")) {
		r->skip = false;
		return 0;
	}
	return r->skip ? 0 : replay_op(r);
}

/* Numbers that the journal has not used: what is written from here on is told anew. */
static void renumber(struct volume *v)
{
	for (size_t i = 0; i < v->edit->dirty.n; i++) {
		blob_renumber(v->edit->dirty.at[i].blob, edit_blob_id(v));
		v->edit->dirty.at[i].told = false;
	}
}

int replay_journal(struct volume *v, struct err *e)
{
	struct replay r = {.v = v, .e = e};
	buf_init(&r.op.path, 1u << 20);
	buf_init(&r.op.from, 1u << 20);
	buf_init(&r.op.to, 1u << 20);
	buf_init(&r.op.text, 64u << 20);
	v->edit->replay = true;
	int rc = journal_each(v->edit->journal, find_groups, &r, e);
	if (rc == 0)
		rc = journal_each(v->edit->journal, one_frame, &r, e);
	v->edit->replay = false;
	renumber(v);
	for (size_t i = 0; i < r.blobs.n; i++)
		blob_unref(r.blobs.at[i].b);
	vec_release(&r.blobs);
	vec_release(&r.groups);
	buf_release(&r.op.path);
	buf_release(&r.op.from);
	buf_release(&r.op.to);
	buf_release(&r.op.text);
	return rc;
}
