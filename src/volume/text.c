/* text.c - the files that are made: values, .meta, .json, and what stands in .pthfs/. */
#include "internal.h"

#include <pthfs/check.h>
#include <pthfs/print.h>
#include <string.h>

/* --- a directory or value as JSON, without tensor data ------------------------------------------ */

size_t vol_json_max(const struct volume *v)
{
	uint64_t pickle = v->ck->pickle.length;
	return pickle >= (JSON_MAX - TEXT_MAX) / 64 ? JSON_MAX : TEXT_MAX + 64 * (size_t)pickle;
}

/* A frame of the walk: a directory's slots that are still to come. */
struct frame {
	uint32_t dir, next, end;
	char close;
};

static bool is_structure(const struct value *val)
{
	return val->kind != VALUE_TENSOR && val->kind != VALUE_LEAF;
}

static void open_dir(const struct tree *t, uint32_t dir, struct json *j, struct frame *f)
{
	bool list = node_value(t, dir)->kind == VALUE_LIST;
	json_open(j, list ? '[' : '{');
	*f = (struct frame){dir, 0, tree_slots(t, dir), list ? ']' : '}'};
}

static void put_key(const struct volume *v, uint32_t node, struct json *j)
{
	struct buf b;
	struct str text;
	if (key_text(&vol_model(v)->graph, v->tree.nodes.at[node].key, &text)) {
		json_key_str(j, text);
		return;
	}
	buf_init(&b, 1 << 16);
	vol_node_key(v, node, &b);
	json_key_str(j, buf_view(&b));
	buf_release(&b);
}

static int put_leaf(const struct volume *v, const struct value *val, struct json *j, struct err *e)
{
	if (val->kind == VALUE_TENSOR) {
		json_open(j, '{');
		vol_meta_members(v, val->tensor, j);
		json_close(j, '}');
		return 0;
	}
	if (val->flags & VALUE_CYCLE) {
		json_cstr(j, "...");
		return 0;
	}
	return obj_json(&vol_model(v)->graph, val->obj, NULL, NULL, j, e);
}

/* One node in the walk: what is structure waits on the stack. */
static int put_node(const struct volume *v, uint32_t node, struct json *j, struct frame *f,
		bool *opened, struct err *e)
{
	const struct value *val = node_value(&v->tree, node);
	*opened = is_structure(val);
	if (!*opened)
		return put_leaf(v, val, j, e);
	open_dir(&v->tree, node, j, f);
	return 0;
}

/* A quantized tensor by itself is below the root, which stands for it too. */
static uint32_t json_top(const struct tree *t, uint32_t node)
{
	bool lone = node == 0 && node_value(t, 0)->kind == VALUE_PARTS;
	uint32_t child = lone ? tree_child(t, 0, 0) : TREE_NONE;
	return child == TREE_NONE ? node : child;
}

int vol_json(const struct volume *v, uint32_t node, struct buf *out, struct err *e)
{
	VEC(struct frame) stack = {0};
	struct json j;
	struct frame f;
	bool opened;
	json_init(&j, out);
	int rc = put_node(v, json_top(&v->tree, node), &j, &f, &opened, e);
	if (rc == 0 && opened)
		rc = vec_push(&stack, f);
	while (stack.n && rc == 0 && !out->failed) {
		struct frame *top = &stack.at[stack.n - 1];
		if (top->next == top->end) {
			json_close(&j, top->close);
			stack.n--;
			continue;
		}
		uint32_t child = tree_child(&v->tree, top->dir, top->next++);
		if (child == TREE_NONE)
			continue;
		if (top->close == '}')
			put_key(v, child, &j);
		rc = put_node(v, child, &j, &f, &opened, e);
		if (rc == 0 && opened)
			rc = vec_push(&stack, f);
	}
	vec_release(&stack);
	buf_putc(out, '\n');
	return rc;
}

/* --- values ------------------------------------------------------------------------------------- */

static int leaf_text(const struct volume *v, uint32_t node, struct buf *out, struct err *e)
{
	int rc = obj_value_text(&vol_model(v)->graph, node_value(&v->tree, node)->obj, out, e);
	buf_putc(out, '\n');
	return rc;
}

/* --- .pthfs/ ------------------------------------------------------------------------------------ */

/* _metadata hangs as an attribute on the OrderedDict: BUILD's state. */
static int metadata_text(struct volume *v, uint64_t base, struct buf *out, struct err *e)
{
	const struct graph *g = &vol_model(v)->graph;
	struct dir_ref d;
	struct json j;
	int rc = views_base(v, base, &d, e);
	if (rc < 0)
		return rc;
	oref state = obj_state(g, node_value(&v->tree, d.node)->obj);
	oref metadata = state == OREF_NIL ? OREF_NIL : obj_get(g, state, "_metadata");
	json_init(&j, out);
	if (metadata == OREF_NIL)
		json_null(&j);
	else
		rc = obj_json(g, metadata, NULL, NULL, &j, e);
	buf_putc(out, '\n');
	return rc;
}

/* --- a tensor's numbers and picture --------------------------------------------------------------- */

static int stats_text(const struct volume *v, uint32_t tensor, struct buf *out, struct err *e)
{
	const struct model *m = vol_model(v);
	struct content c;
	struct stats s;
	struct json j;
	int rc = content_tensor(m, tensor, &c, e);
	if (rc < 0)
		return rc;
	rc = engine_stats(engine_cpu(), &c, (enum dtype)m->tensors.at[tensor].dtype, &s, e);
	content_release(&c);
	if (rc < 0)
		return rc;
	json_init(&j, out);
	json_open(&j, '{');
	stats_members(&s, &j);
	json_close(&j, '}');
	buf_putc(out, '\n');
	return 0;
}

static int svg_text_of(const struct volume *v, uint32_t tensor, struct buf *out, struct err *e)
{
	const struct model *m = vol_model(v);
	const struct tensor *t = &m->tensors.at[tensor];
	int64_t shape[MODEL_MAX_NDIM];
	struct content c;
	struct buf name;
	int rc = content_tensor(m, tensor, &c, e);
	if (rc < 0)
		return rc;
	buf_init(&name, 1 << 20);
	if (tree_first(&v->tree, tensor) != TREE_NONE)
		tree_path(&v->tree, tree_first(&v->tree, tensor), &name);
	unsigned ndim = tensor_shown_shape(t, shape);
	if (c.size == 0) /* a meta tensor: its own shape says more */
		rc = svg_of(&c, (enum dtype)t->dtype, t->shape, t->ndim, buf_view(&name), out, e);
	else
		rc = svg_of(&c, (enum dtype)t->dtype, shape, ndim, buf_view(&name), out, e);
	buf_release(&name);
	content_release(&c);
	return rc;
}

static int made_text(struct volume *v, uint64_t ino, struct buf *out, struct err *e)
{
	uint64_t i = ino_index(ino);
	struct json j;
	switch (ino_what(ino)) {
	case INO_LEAF:
		return leaf_text(v, (uint32_t)i, out, e);
	case INO_META:
		vol_meta_text(v, (uint32_t)i, out);
		return 0;
	case INO_STATS:
		return stats_text(v, (uint32_t)i, out, e);
	case INO_SVG:
		return svg_text_of(v, (uint32_t)i, out, e);
	case INO_PARTS_META:
		json_init(&j, out);
		json_open(&j, '{');
		vol_parts_members(v, (uint32_t)i, &j);
		json_close(&j, '}');
		buf_putc(out, '\n');
		return 0;
	case INO_JSON:
		return vol_json(v, (uint32_t)i, out, e);
	case INO_METADATA:
		return metadata_text(v, i, out, e);
	case INO_INFO:
		volume_info_text(v, out);
		return 0;
	case INO_GLOBALS:
		vol_globals_text(v, out);
		return 0;
	case INO_STATUS:
	case INO_STATUS_JSON:
		vol_status_text(v, ino_what(ino) == INO_STATUS_JSON, out);
		return 0;
	case INO_COMMIT:
	case INO_REVERT:
		vol_control_text(v, out);
		return 0;
	case INO_LOG:
		log_text(v->log, out);
		return 0;
	default:
		return err_set(e, ERR_ABSENT, "no such file");
	}
}

int vol_text(struct volume *v, uint64_t ino, struct buf *out, struct err *e)
{
	int rc = made_text(v, ino, out, e);
	if (rc == 0 && out->failed)
		rc = out->n + 4096 < out->max
				     ? err_nomem(e)
				     : err_set(e, ERR_LIMIT, "its text would be over %zu MiB",
						       out->max >> 20);
	return rc;
}
