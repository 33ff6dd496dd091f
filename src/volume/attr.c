/* attr.c - inode numbers to attributes. Text is made to know its size; nothing reads tensors. */
#include "edit.h"

#include <pthfs/cleanup.h>
#include <string.h>

uint64_t vol_node_ino(const struct volume *v, uint32_t node)
{
	const struct value *val = node_value(&v->tree, node);
	if (v->tree.nodes.at[node].flags & NODE_DIR)
		return ino_make(node, INO_DIR);
	return val->kind == VALUE_TENSOR ? ino_make(val->tensor, INO_TENSOR)
					 : ino_make(node, INO_LEAF);
}

uint64_t vol_derived_ino(const struct volume *v, uint32_t node, enum derived which)
{
	static const enum ino_what what[DERIVED_COUNT] = {
		[DERIVED_META] = INO_META,
		[DERIVED_NPY] = INO_NPY,
		[DERIVED_STATS] = INO_STATS,
		[DERIVED_SVG] = INO_SVG,
		[DERIVED_JSON] = INO_JSON,
	};
	const struct value *val = node_value(&v->tree, node);
	if (which == DERIVED_JSON)
		return ino_make(node, INO_JSON);
	if (val->kind == VALUE_PARTS)
		return ino_make(node, INO_PARTS_META);
	return ino_make(val->tensor, what[which]);
}

static uint32_t find_name(const void *ctx, struct str name)
{
	const struct dir_ref *d = ctx;
	return d->view ? view_find(d->view, name) : tree_find(d->tree, d->node, name);
}

struct name_lookup vol_dir_names(const struct dir_ref *d)
{
	return (struct name_lookup){find_name, d};
}

/* 2 and the directories in it, as Unix counts; 0 when it was removed. While it is edited the kernel
 * asks again and again: of a large one 1 then, as file systems say that do not count. */
static uint32_t dir_nlink(const struct volume *v, uint32_t node)
{
	enum { MANY = 256 };
	uint32_t count = 2, slots = tree_slots(&v->tree, node);
	if (!tree_alive(&v->tree, node))
		return 0;
	if (v->edit && slots > MANY)
		return 1;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(&v->tree, node, i);
		count += child != TREE_NONE && v->tree.nodes.at[child].flags & NODE_DIR;
	}
	return count;
}

/* A value's size without making long text. */
static int leaf_size(struct volume *v, uint32_t node, uint64_t *ret, struct err *e)
{
	const struct graph *g = &vol_model(v)->graph;
	const struct value *val = node_value(&v->tree, node);
	enum obj_kind kind = obj_kind(g, val->obj);
	if (val->flags & VALUE_DATA || (kind == OBJ_KIND_STR && obj_flags(g, val->obj) & OBJ_SPAN)) {
		struct content c = {0}; /* the lock is held, perhaps for an edit: no call of the outside */
		int rc = vol_content(v, ino_make(node, INO_LEAF), &c, e);
		if (rc < 0)
			return rc;
		*ret = c.size;
		content_release(&c);
		return 0;
	}
	struct buf b;
	buf_init(&b, TEXT_MAX);
	int rc = vol_text(v, ino_make(node, INO_LEAF), &b, e);
	*ret = b.n;
	buf_release(&b);
	return rc;
}

static int text_size(struct volume *v, uint64_t ino, uint64_t *ret, struct err *e)
{
	struct buf b;
	buf_init(&b, vol_json_max(v));
	int rc = vol_text(v, ino, &b, e);
	*ret = b.n;
	buf_release(&b);
	return rc;
}

/* --- while it is edited ----------------------------------------------------------------------- */

static struct timespec node_changed(const struct volume *v, uint32_t node)
{
	uint32_t i;
	return node != TREE_NONE && u32map_get(&v->edit->changed, node, &i) ? v->edit->times.at[i]
									    : (struct timespec){0};
}

static struct timespec later(struct timespec a, struct timespec b)
{
	bool first = a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
	return first ? a : b;
}

static struct timespec tensor_changed(const struct volume *v, uint32_t id)
{
	const struct dirty *d = dirty_find(v, vol_model(v)->tensors.at[id].storage);
	struct timespec when = node_changed(v, tree_first(&v->tree, id));
	return d ? later(d->changed, when) : when;
}

/* What is being written shows the size that it has by now; text is never kept by the kernel. */
static void edited_attr(struct volume *v, struct vattr *a)
{
	uint32_t i = (uint32_t)ino_index(a->ino);
	const struct blob *b = stage_shown(v, a->ino);
	switch (ino_what(a->ino)) {
	case INO_SCRATCH:
		a->nlink = v->edit->scratch.at[i].gone ? 0 : 1;
		a->changed = v->edit->scratch.at[i].changed;
		break;
	case INO_TENSOR:
	case INO_NPY:
		a->changed = tensor_changed(v, i);
		a->shared = overlaps_others(v, i);
		break;
	case INO_META:
		a->changed = node_changed(v, tree_first(&v->tree, i));
		a->shared = true;
		break;
	case INO_LEAF:
		a->changed = node_changed(v, i);
		a->shared = true;
		break;
	default:
		a->shared = true;
	}
	if (!b)
		return;
	a->size = blob_size(b);
	a->changed = later(a->changed, v->edit->last);
}

static int dir_attr(struct volume *v, uint64_t ino, struct vattr *a, struct err *e)
{
	struct dir_ref d;
	int rc = views_dir(v, ino, &d, e);
	if (rc == 0)
		*a = (struct vattr){.ino = ino, .mode = S_IFDIR | 0555, .nlink = dir_nlink(v, d.node)};
	if (rc == 0 && v->edit)
		a->changed = node_changed(v, d.node);
	return rc;
}

static bool node_is(const struct volume *v, uint64_t i, enum value_kind kind)
{
	return i < v->tree.nodes.n && node_value(&v->tree, (uint32_t)i)->kind == kind;
}

/* Directories of names, and what belongs to one, are checked where views.c looks them up. */
bool vol_ino_valid(const struct volume *v, uint64_t ino)
{
	uint64_t i = ino_index(ino);
	switch (ino_what(ino)) {
	case INO_LEAF:
		return node_is(v, i, VALUE_LEAF);
	case INO_PARTS_META:
		return node_is(v, i, VALUE_PARTS);
	case INO_JSON:
		return i < v->tree.nodes.n;
	case INO_TENSOR:
	case INO_META:
	case INO_NPY:
	case INO_STATS:
	case INO_SVG:
		return i < vol_model(v)->tensors.n;
	case INO_SCRATCH:
		return v->edit && i < v->edit->scratch.n;
	case INO_COMMIT:
	case INO_REVERT:
	case INO_GHOST:
		return v->edit != NULL;
	default:
		return true;
	}
}

static uint32_t tensor_links(const struct volume *v, uint64_t tensor)
{
	uint32_t n = tree_nlink(&v->tree, tensor);
	if (n || tree_first(&v->tree, tensor) == TREE_NONE)
		return n;
	return 1; /* known only below object/ */
}

/* Removed files that are still open have none. */
static uint32_t file_links(const struct volume *v, uint64_t ino)
{
	uint64_t i = ino_index(ino);
	switch (ino_what(ino)) {
	case INO_TENSOR:
	case INO_META:
		return tensor_links(v, i);
	case INO_NPY:
	case INO_STATS:
	case INO_SVG:
		return tensor_links(v, i) > 0;
	case INO_LEAF:
	case INO_PARTS_META:
	case INO_JSON:
		return tree_alive(&v->tree, (uint32_t)i);
	default:
		return 1;
	}
}

static int file_attr(struct volume *v, uint64_t ino, struct vattr *a, struct err *e)
{
	const struct model *m = vol_model(v);
	uint64_t i = ino_index(ino), size = 0;
	bool dynamic = false;
	uint32_t nlink = file_links(v, ino);
	int rc = 0;
	switch (ino_what(ino)) {
	case INO_GHOST:
	case INO_SCRATCH:
		break; /* edited_attr() */
	case INO_TENSOR:
		size = m->tensors.at[i].nbytes;
		break;
	case INO_NPY:
		size = m->tensors.at[i].nbytes + npy_header_len(&m->tensors.at[i]);
		break;
	case INO_META:
		rc = text_size(v, ino, &size, e);
		break;
	case INO_LEAF:
		rc = leaf_size(v, (uint32_t)i, &size, e);
		break;
	case INO_STATS:
	case INO_SVG:
		dynamic = true; /* made when read: nobody has looked at the tensor yet */
		break;
	case INO_STATUS:
	case INO_STATUS_JSON:
	case INO_COMMIT:
	case INO_REVERT:
	case INO_LOG:
		dynamic = true;
		rc = text_size(v, ino, &size, e);
		break;
	default:
		rc = text_size(v, ino, &size, e);
	}
	if (rc == ERR_LIMIT || rc == ERR_DAMAGED) {
		rc = 0; /* the name is there; opening it says what is wrong */
		size = 0;
	}
	if (rc == 0)
		*a = (struct vattr){.ino = ino, .mode = S_IFREG | 0444, .nlink = nlink, .size = size,
				.dynamic = dynamic};
	if (rc == 0 && v->edit)
		edited_attr(v, a);
	return rc;
}

/* One link: the directories in what is made up are not counted (as in btrfs, so that find looks). */
static int ctl_attr(struct volume *v, uint64_t ino, struct vattr *a, struct err *e)
{
	struct dir_ref d;
	int rc = views_base(v, ino_index(ino), &d, e);
	if (rc == 0)
		*a = (struct vattr){.ino = ino, .mode = S_IFDIR | 0555, .nlink = 1};
	return rc;
}

static int member_attr(struct volume *v, uint64_t ino, struct vattr *a, struct err *e)
{
	const struct arc_node *n;
	int rc = archive_node(v, ino_index(ino), &n, e);
	if (rc < 0)
		return rc;
	if (n->member == TREE_NONE)
		*a = (struct vattr){.ino = ino, .mode = S_IFDIR | 0555, .nlink = 1};
	else
		*a = (struct vattr){.ino = ino, .mode = S_IFREG | 0444, .nlink = 1,
				.size = v->ck->box->at[n->member].size};
	return 0;
}

int vol_attr(struct volume *v, uint64_t ino, struct vattr *a, struct err *e)
{
	if (!vol_ino_valid(v, ino))
		return err_set(e, ERR_ABSENT, "no such inode");
	switch (ino_what(ino)) {
	case INO_DIR:
	case INO_VIEW:
	case INO_MODULE:
		return dir_attr(v, ino, a, e);
	case INO_CTL:
	case INO_STRIP:
	case INO_ADD:
		return ctl_attr(v, ino, a, e);
	case INO_ARCHIVE:
		return member_attr(v, ino, a, e);
	default:
		return file_attr(v, ino, a, e);
	}
}

int volume_getattr(struct volume *v, uint64_t ino, struct vattr *ret, struct err *e)
{
	vol_read_begin(v);
	int rc = vol_attr(v, v->edit ? stage_now(v, ino) : ino, ret, e);
	vol_read_end(v);
	return rc;
}

/* --- the other way round -------------------------------------------------------------------------- */

/* The tree node that an inode is of, or TREE_NONE; *suffix: what its name ends in. */
static uint32_t ino_node(const struct volume *v, uint64_t ino, const char **suffix)
{
	static const struct {
		const char *suffix;
		bool tensor;
	} whats[] = {
		[INO_DIR] = {"", false},
		[INO_LEAF] = {"", false},
		[INO_TENSOR] = {"", true},
		[INO_META] = {".meta", true},
		[INO_NPY] = {".npy", true},
		[INO_STATS] = {".stats", true},
		[INO_SVG] = {".svg", true},
		[INO_PARTS_META] = {".meta", false},
		[INO_JSON] = {".json", false},
	};
	enum ino_what what = ino_what(ino);
	uint64_t i = ino_index(ino);
	if ((unsigned)what >= ARRAY_SIZE(whats) || !whats[what].suffix || !vol_ino_valid(v, ino))
		return TREE_NONE;
	*suffix = whats[what].suffix;
	if (whats[what].tensor)
		return tree_first(&v->tree, i);
	return i < v->tree.nodes.n ? (uint32_t)i : TREE_NONE;
}

/* What is made up beside the tree: .pthfs/ and what is in it, module/, views (as the directory that
 * they are of). */
static bool made_up_name(struct volume *v, uint64_t ino, struct buf *out)
{
	static const char *const ends[] = {
		[INO_MODULE] = "module", [INO_CTL] = ".pthfs", [INO_INFO] = ".pthfs/info",
		[INO_STATUS] = ".pthfs/status", [INO_STATUS_JSON] = ".pthfs/status.json",
		[INO_GLOBALS] = ".pthfs/globals", [INO_LOG] = ".pthfs/log", [INO_STRIP] = ".pthfs/strip",
		[INO_ADD] = ".pthfs/add", [INO_METADATA] = ".pthfs/metadata.json",
		[INO_ARCHIVE] = ".pthfs/archive", [INO_COMMIT] = ".pthfs/commit",
		[INO_REVERT] = ".pthfs/revert", [INO_VIEW] = "",
	};
	enum ino_what what = ino_what(ino);
	struct dir_ref d = {0};
	if ((unsigned)what >= ARRAY_SIZE(ends) || !ends[what])
		return false;
	if (what == INO_VIEW || what == INO_MODULE) {
		if (views_dir(v, ino, &d, NULL) < 0)
			return false;
	} else if (what == INO_CTL || what == INO_STRIP || what == INO_ADD || what == INO_METADATA) {
		if (views_base(v, ino_index(ino), &d, NULL) < 0)
			return false;
	}
	tree_path(&v->tree, d.node, out);
	if (out->n && ends[what][0])
		buf_putc(out, '/');
	buf_puts(out, ends[what]);
	return out->n > 0;
}

static void name_of(struct volume *v, uint64_t ino, struct buf *out)
{
	const char *suffix = "";
	if (made_up_name(v, ino, out))
		return;
	uint32_t node = ino_node(v, ino, &suffix);
	if (node == TREE_NONE || node == 0) {
		buf_printf(out, "inode %llu", (unsigned long long)ino);
		return;
	}
	tree_path(&v->tree, node, out);
	buf_puts(out, suffix);
}

void volume_name_of(const struct volume *v, uint64_t ino, struct buf *out)
{
	struct volume *own = (struct volume *)v;
	vol_read_begin(own);
	if (v->edit && ino_what(ino) == INO_SCRATCH && vol_ino_valid(v, ino))
		buf_str(out, v->edit->scratch.at[ino_index(ino)].name);
	else
		name_of(own, ino, out);
	vol_read_end(own);
}
