/* diff_side.c - one of two checkpoints: its names in a table, and what is told of an entry.
 *
 * A name is found below its parent, by its key without the prefixes, so that paths of any depth cost
 * no more than the tree does. Of records only those count whose bytes lie in the file as they are: what a
 * content shows is compared by place, so that a tensor that is edited, swapped, strided or a part of its record has no CRC.
 */
#include "diff.h"

#include <string.h>

#define SHOWN 200 /* bytes of a value that are told */

/* --- names --------------------------------------------------------------------------------------- */

static struct str strip_key(const struct diff_opts *o, struct str key)
{
	for (unsigned i = 0; i < o->n_strip; i++)
		if (o->strip[i].n < key.n && str_starts(key, o->strip[i]))
			key = str_skip(key, o->strip[i].n);
	return key;
}

struct place {
	uint32_t parent;
	struct str key;
};

static uint64_t place_hash(const struct place *p)
{
	return str_hash(p->key) ^ (p->parent + 1) * 0x9e3779b97f4a7c15u;
}

static bool place_is(const void *ctx, const void *key, uint32_t id)
{
	const struct diff_side *s = ctx;
	const struct place *p = key;
	return s->at.at[id].parent == p->parent && str_eq(s->at.at[id].key, p->key);
}

uint32_t side_child(const struct diff_side *s, uint32_t parent, struct str key)
{
	struct place p = {parent, key};
	return idmap_find(&s->by_name, place_hash(&p), place_is, s, &p);
}

/* The key before the next slash; *path is what follows it. */
static struct str next_key(struct str *path)
{
	const char *slash = memchr(path->p, '/', path->n);
	struct str key = str_cut(*path, slash ? (size_t)(slash - path->p) : path->n);
	*path = str_skip(*path, slash ? key.n + 1 : key.n);
	return key;
}

uint32_t side_find(const struct diff_side *s, const struct diff_opts *o, struct str path)
{
	uint32_t i = 0;
	while (path.n && i != TREE_NONE)
		i = side_child(s, i, strip_key(o, next_key(&path)));
	return i;
}

void side_name(const struct diff_side *s, const struct diff_opts *o, uint32_t i, struct buf *out)
{
	struct buf whole;
	buf_init(&whole, 1 << 20);
	tree_path(side_tree(s), s->at.at[i].node, &whole);
	for (struct str path = buf_view(&whole); path.n;) {
		buf_str(out, strip_key(o, next_key(&path)));
		if (path.n)
			buf_putc(out, '/');
	}
	out->failed = out->failed || whole.failed;
	buf_release(&whole);
}

static int add_name(struct diff_side *s, uint32_t node, uint32_t parent, struct str key,
		struct err *e)
{
	struct diff_name n = {key, node, parent, TREE_NONE, TREE_NONE, true};
	struct place p = {parent, key};
	if (node && side_child(s, parent, key) != IDMAP_NONE)
		return err_set(e, ERR_EXISTS, "%s: two keys are %s without the prefix",
				volume_path(s->v), STR_SHOW(key));
	if (vec_push(&s->at, n) < 0 ||
			idmap_add(&s->by_name, place_hash(&p), (uint32_t)s->at.n - 1) < 0)
		return err_nomem(e);
	return 0;
}

/* The tree gives a directory before what is in it: the entry of a node's parent is the last one that
 * is above it. */
static int add_names(struct diff_side *s, const struct diff_opts *o, struct err *e)
{
	const struct tree *t = side_tree(s);
	uint32_t up = 0;
	int rc = add_name(s, 0, TREE_NONE, STR(""), e);
	for (uint32_t i = tree_next(t, 0); i != TREE_NONE && rc == 0; i = tree_next(t, i)) {
		while (s->at.at[up].node != t->nodes.at[i].parent)
			up = s->at.at[up].parent;
		rc = add_name(s, i, up, strip_key(o, node_name(t, i)), e);
		if (t->nodes.at[i].flags & NODE_DIR)
			up = (uint32_t)s->at.n - 1;
	}
	return rc;
}

static int choose(struct diff_side *s, const struct diff_opts *o, struct err *e)
{
	struct buf name;
	buf_init(&name, 1 << 20);
	s->at.at[0].wanted = false;
	for (uint32_t i = 1; i < s->at.n; i++) {
		name.n = 0;
		if (o->glob)
			side_name(s, o, i, &name);
		s->at.at[i].wanted = !o->glob || volume_glob(o->glob, buf_view(&name));
		s->wanted += s->at.at[i].wanted;
	}
	bool failed = name.failed;
	buf_release(&name);
	return failed ? err_nomem(e) : 0;
}

/* --- records ------------------------------------------------------------------------------------- */

static int by_place(const void *pa, const void *pb, void *ctx)
{
	const struct member *at = ctx;
	uint64_t a = at[*(const uint32_t *)pa].data_off, b = at[*(const uint32_t *)pb].data_off;
	return a < b ? -1 : a > b;
}

static int add_records(struct diff_side *s, struct err *e)
{
	const struct checkpoint *c = volume_checkpoint(s->v);
	const struct box *box = c->box;
	uint64_t off;
	s->fd = c->file ? source_raw(c->file, 0, 1, &off) : -1;
	if (!box || strcmp(box->kind, "zip") != 0 || box->n == 0)
		return 0;
	s->records = calloc(box->n, sizeof *s->records);
	if (!s->records)
		return err_nomem(e);
	for (uint32_t i = 0; i < box->n; i++)
		if (box->at[i].method == 0 && !(box->at[i].flags & MEMBER_MISSING))
			s->records[s->n_records++] = i;
	qsort_r(s->records, s->n_records, sizeof *s->records, by_place, box->at);
	return 0;
}

static const struct member *record_at(const struct diff_side *s, uint64_t off, uint64_t size)
{
	const struct member *at = volume_checkpoint(s->v)->box->at;
	uint32_t lo = 0, hi = s->n_records;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (at[s->records[mid]].data_off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < s->n_records && at[s->records[lo]].data_off == off; lo++)
		if (at[s->records[lo]].size == size)
			return &at[s->records[lo]];
	return NULL;
}

bool side_crc(const struct diff_side *s, const struct content *c, uint32_t *ret)
{
	uint64_t off;
	if (!s->n_records || c->n != 1 || c->size == 0 || s->fd < 0)
		return false;
	if (extents_raw(c->at, c->n, 0, c->size, &off) != s->fd)
		return false;
	const struct member *m = record_at(s, off, c->size);
	if (m)
		*ret = m->crc;
	return m;
}

/* --- what is told ---------------------------------------------------------------------------------- */

/* The first bytes of a value, without the line's end that files have. */
static int show_value(struct diff_side *s, struct err *e)
{
	char head[SHOWN + 1];
	struct vfile *f;
	size_t got = 0;
	int rc = volume_file_open(s->v, s->item.ino, &f, e);
	if (rc < 0)
		return rc;
	uint64_t size = volume_file_size(f);
	rc = volume_file_read(f, head, sizeof head, 0, &got, e);
	volume_file_close(f);
	if (rc < 0)
		return rc;
	if (got == size && got && head[got - 1] == '\n')
		got--;
	buf_put(&s->shown, head, got < SHOWN ? got : SHOWN);
	return s->shown.failed ? err_nomem(e) : 0;
}

int side_tell(struct diff_side *s, uint32_t i, struct err *e)
{
	uint32_t node = s->at.at[i].node;
	s->meta.n = s->shown.n = 0;
	int rc = volume_item(s->v, node, &s->text, &s->item, e);
	if (rc < 0)
		return rc;
	volume_item_meta(s->v, node, &s->meta);
	if (s->meta.failed)
		return err_nomem(e);
	return s->item.is_dir || s->item.is_tensor ? 0 : show_value(s, e);
}

/* --- begin and end --------------------------------------------------------------------------------- */

int side_init(struct diff_side *s, struct volume *v, const struct diff_opts *o, struct err *e)
{
	*s = (struct diff_side){.v = v, .fd = -1};
	vitem_text_init(&s->text);
	buf_init(&s->meta, 16 << 20);
	buf_init(&s->shown, SHOWN + 1);
	int rc = add_records(s, e);
	if (rc == 0)
		rc = add_names(s, o, e);
	return rc < 0 ? rc : choose(s, o, e);
}

void side_release(struct diff_side *s)
{
	free(s->records);
	vec_release(&s->at);
	idmap_release(&s->by_name);
	vitem_text_release(&s->text);
	buf_release(&s->meta);
	buf_release(&s->shown);
}
