/* ops.c - edits told to the journal, as one line of JSON each (FRAME_OP).
 *
 *	{"op": "rename", "from": "module.a", "to": "a"}      paths in the tree, at that moment
 *	{"op": "remove", "path": "optimizer"}
 *	{"op": "back", "path": "model/a"}                    that was removed, is there again; alone
 *	{"op": "mkdir", "path": "model"}
 *	{"op": "link", "from": "a", "to": "b"}
 *	{"op": "storage", "blob": 7, "path": "a"}            blob 7 is the storage of tensor a
 *	{"op": "copy", "blob": 9, "from": 8, "off": 128, "n": 64}    blob 9 is a piece of blob 8
 *	{"op": "put", "what": "tensor", "path": "a", "blob": 8, "size": 64}
 *	{"op": "again", "path": "a", "blob": 8, "size": 64}  a removed key is there again
 *	{"op": "meta", "path": "a", "blob": 8, "size": 64, "meta": "{...}"}
 *	{"op": "value", "path": "lr", "pickle": "80024b0c2e"}     (in hex)
 *	{"op": "begin"} {"op": "end"} {"op": "abort"}
 *
 * "what" is tensor, leaf, meta, npy or json: which of a name's files was written. Bytes of blobs
 * are frames of their own (FRAME_WRITE). src/overlay/README.md tells it to those who have only the
 * file.
 */
#include "edit.h"

#include <pthfs/pickle.h>

struct op {
	struct buf text, path;
	struct json j;
};

/* False: there is nobody to tell. */
static bool op_begin(struct volume *v, struct op *o, const char *name)
{
	if (!v->edit->journal || v->edit->replay)
		return false;
	buf_init(&o->text, 64u << 20);
	buf_init(&o->path, 1u << 20);
	json_init(&o->j, &o->text);
	json_open(&o->j, '{');
	json_key(&o->j, "op");
	json_cstr(&o->j, name);
	return true;
}

static int op_end(struct volume *v, struct op *o, struct err *e)
{
	json_close(&o->j, '}');
	int rc = o->text.failed || o->path.failed
				 ? err_nomem(e)
				 : journal_op(v->edit->journal, o->text.p, o->text.n, e);
	buf_release(&o->text);
	buf_release(&o->path);
	return rc;
}

static void op_str(struct op *o, const char *key, struct str s)
{
	json_key(&o->j, key);
	json_str(&o->j, s);
}

static void op_u64(struct op *o, const char *key, uint64_t n)
{
	json_key(&o->j, key);
	json_u64(&o->j, n);
}

static void op_blob(struct op *o, const struct blob *b)
{
	if (!b)
		return;
	op_u64(o, "blob", blob_id(b));
	op_u64(o, "size", blob_size(b));
}

static void op_target(struct volume *v, struct op *o, const struct target *t)
{
	o->path.n = 0;
	if (t->node != TREE_NONE) {
		tree_path(&v->tree, t->node, &o->path);
	} else {
		tree_path(&v->tree, t->dir, &o->path);
		if (o->path.n)
			buf_putc(&o->path, '/');
		buf_str(&o->path, t->name);
	}
	op_str(o, "path", buf_view(&o->path));
}

int ops_rename(struct volume *v, struct str from, struct str to, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "rename"))
		return 0;
	op_str(&o, "from", from);
	op_str(&o, "to", to);
	return op_end(v, &o, e);
}

int ops_link(struct volume *v, struct str from, struct str to, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "link"))
		return 0;
	op_str(&o, "from", from);
	op_str(&o, "to", to);
	return op_end(v, &o, e);
}

int ops_remove(struct volume *v, struct str path, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "remove"))
		return 0;
	op_str(&o, "path", path);
	return op_end(v, &o, e);
}

int ops_mkdir(struct volume *v, struct str path, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "mkdir"))
		return 0;
	op_str(&o, "path", path);
	return op_end(v, &o, e);
}

int ops_back(struct volume *v, struct str path, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "back"))
		return 0;
	op_str(&o, "path", path);
	return op_end(v, &o, e);
}

int ops_put(struct volume *v, const struct target *t, const struct blob *b, struct err *e)
{
	static const char *const what[] = {
		[INO_TENSOR] = "tensor",
		[INO_LEAF] = "leaf",
		[INO_META] = "meta",
		[INO_NPY] = "npy",
		[INO_JSON] = "json",
	};
	struct op o;
	if (!op_begin(v, &o, "put"))
		return 0;
	op_str(&o, "what", str_of(what[t->what]));
	op_target(v, &o, t);
	op_blob(&o, b);
	return op_end(v, &o, e);
}

int ops_again(struct volume *v, const struct target *t, const struct blob *b, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "again"))
		return 0;
	op_target(v, &o, t);
	op_blob(&o, b);
	return op_end(v, &o, e);
}

int ops_meta(struct volume *v, const struct target *t, const struct blob *bytes, struct str meta,
		struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "meta"))
		return 0;
	op_target(v, &o, t);
	op_blob(&o, bytes);
	op_str(&o, "meta", meta);
	return op_end(v, &o, e);
}

static void put_hex(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out, "%02x", (unsigned char)s.p[i]);
}

/* As a pickle, since JSON knows no tuples, bytes or dtypes. */
int ops_value(struct volume *v, const struct target *t, oref obj, struct err *e)
{
	struct op o;
	struct buf pickle, hex;
	if (!op_begin(v, &o, "value"))
		return 0;
	op_target(v, &o, t);
	buf_init(&pickle, 24u << 20);
	buf_init(&hex, 48u << 20);
	int rc = pickle_save_buf(&vol_model(v)->graph, obj, NULL, &pickle, e);
	put_hex(&hex, buf_view(&pickle));
	op_str(&o, "pickle", buf_view(&hex));
	if (pickle.failed || hex.failed)
		o.text.failed = true;
	buf_release(&pickle);
	buf_release(&hex);
	int end = op_end(v, &o, rc < 0 ? NULL : e);
	return rc < 0 ? rc : end;
}

int ops_copy(struct volume *v, const struct blob *to, const struct blob *from, uint64_t off,
		uint64_t n, struct err *e)
{
	struct op o;
	if (!op_begin(v, &o, "copy"))
		return 0;
	op_u64(&o, "blob", blob_id(to));
	op_u64(&o, "from", blob_id(from));
	op_u64(&o, "off", off);
	op_u64(&o, "n", n);
	return op_end(v, &o, e);
}

int ops_storage(struct volume *v, uint32_t tensor_node, const struct blob *b, struct err *e)
{
	const struct target t = {.what = INO_TENSOR, .node = tensor_node};
	struct op o;
	if (!op_begin(v, &o, "storage"))
		return 0;
	op_u64(&o, "blob", blob_id(b));
	op_target(v, &o, &t);
	return op_end(v, &o, e);
}

int ops_group(struct volume *v, enum ops_edge edge, struct err *e)
{
	static const char *const names[] = {"begin", "end", "abort"};
	struct op o;
	return op_begin(v, &o, names[edge]) ? op_end(v, &o, e) : 0;
}
