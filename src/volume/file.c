/* file.c - open files: contents and reads. A file that is open while something is edited makes its
 * content again when it is next read; what is being written into one is shown from its stage. */
#include "edit.h"

#include <errno.h>
#include <pthfs/print.h>

/* A long string stays in the file; its newline comes from memory. */
static int open_span(const struct volume *v, oref obj, struct content *c, struct err *e)
{
	struct source *s;
	int rc = obj_text_source(&vol_model(v)->graph, obj, &s, e);
	if (rc < 0)
		return rc;
	rc = content_source(s, c);
	if (rc < 0)
		return err_nomem(e);
	c->own[1] = source_mem_borrow("\n", 1);
	if (!c->own[1]) {
		content_release(c);
		return err_nomem(e);
	}
	c->at[c->n++] = (struct extent){c->own[1], 0, 1};
	c->size++;
	return 0;
}

static int open_bytes(const struct volume *v, oref obj, struct content *c, struct err *e)
{
	struct source *s;
	int rc = obj_bytes_source(&vol_model(v)->graph, obj, &s, e);
	return rc < 0 ? rc : content_source(s, c);
}

static int open_text(struct volume *v, uint64_t ino, struct content *c, struct err *e)
{
	struct buf b;
	buf_init(&b, ino_what(ino) == INO_LEAF ? TEXT_MAX : vol_json_max(v));
	int rc = vol_text(v, ino, &b, e);
	if (rc == 0)
		rc = content_text(&b, c, e);
	buf_release(&b);
	return rc;
}

static int open_leaf(struct volume *v, uint32_t node, struct content *c, struct err *e)
{
	const struct graph *g = &vol_model(v)->graph;
	const struct value *val = node_value(&v->tree, node);
	if (val->flags & VALUE_DATA)
		return open_bytes(v, val->obj, c, e);
	if (obj_kind(g, val->obj) == OBJ_KIND_STR && obj_flags(g, val->obj) & OBJ_SPAN)
		return open_span(v, val->obj, c, e);
	return open_text(v, ino_make(node, INO_LEAF), c, e);
}

static int open_member(struct volume *v, uint32_t node, struct content *c, struct err *e)
{
	const struct arc_node *n;
	struct source *s;
	int rc = archive_node(v, node, &n, e);
	if (rc == 0 && n->member == TREE_NONE)
		rc = err_sys(e, EISDIR, "a directory");
	if (rc == 0)
		rc = box_source(v->ck->box, &v->ck->box->at[n->member], &s, e);
	return rc < 0 ? rc : content_source(s, c);
}

/* Puts the name of a broken tensor in front of its sentence. */
static int named(const struct volume *v, uint32_t tensor, int rc, struct err *e)
{
	struct buf path;
	uint32_t node = tree_first(&v->tree, tensor);
	if (rc == 0 || node == TREE_NONE)
		return rc;
	buf_init(&path, 1 << 16);
	tree_path(&v->tree, node, &path);
	err_prefix(e, "%s", STR_SHOW(buf_view(&path)));
	buf_release(&path);
	return rc;
}

int vol_content(struct volume *v, uint64_t ino, struct content *c, struct err *e)
{
	uint32_t i = (uint32_t)ino_index(ino);
	switch (ino_what(ino)) {
	case INO_TENSOR:
		return named(v, i, content_tensor(vol_model(v), i, c, e), e);
	case INO_NPY:
		return named(v, i, content_npy(vol_model(v), i, c, e), e);
	case INO_STATS:
	case INO_SVG:
		return named(v, i, open_text(v, ino, c, e), e);
	case INO_LEAF:
		return open_leaf(v, i, c, e);
	case INO_ARCHIVE:
		return open_member(v, i, c, e);
	default:
		return open_text(v, ino, c, e);
	}
}

static int open_file(struct volume *v, uint64_t ino, struct vfile **ret, struct err *e)
{
	struct vfile *f = calloc(1, sizeof *f);
	if (!f)
		return err_nomem(e);
	f->v = v;
	f->ino = ino;
	f->generation = v->edit ? v->edit->generation : 0;
	int rc = !vol_ino_valid(v, ino) ? err_set(e, ERR_ABSENT, "no such inode")
		 : ino_what(ino) == INO_SCRATCH ? 0 : vol_content(v, ino, &f->c, e);
	if (rc < 0) {
		free(f);
		return rc;
	}
	if (ino_what(ino) == INO_TENSOR)
		f->dtype = (enum dtype)vol_model(v)->tensors.at[ino_index(ino)].dtype;
	scratch_opened(v, ino);
	*ret = f;
	return 0;
}

int volume_file_open(struct volume *v, uint64_t ino, struct vfile **ret, struct err *e)
{
	vol_read_begin(v);
	int rc = open_file(v, ino, ret, e);
	vol_read_end(v);
	return rc;
}

void volume_file_close(struct vfile *f)
{
	if (!f)
		return;
	if (f->writing)
		stage_leave(f);
	scratch_closed(f->v, f->ino);
	content_release(&f->c);
	free(f);
}

/* Another edit since: what the file shows may be somewhere else now. A file that was removed goes
 * on showing what it showed. */
static int refresh(struct vfile *f, uint64_t ino, struct err *e)
{
	struct content now = {0};
	if (f->generation == f->v->edit->generation || ino_what(ino) == INO_SCRATCH)
		return 0;
	int rc = vol_content(f->v, ino, &now, e);
	if (rc < 0)
		return rc; /* what was there before may be gone */
	content_release(&f->c);
	f->c = now;
	f->generation = f->v->edit->generation;
	return 0;
}

/* Under a lock of the file's own: two readers of one open file may both find it stale. */
static int read_edited(struct vfile *f, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	struct volume *v = f->v;
	const struct blob *b;
	int rc;
	vol_read_begin(v);
	uint64_t ino = stage_now(v, f->ino);
	b = stage_shown(v, ino);
	if (b) {
		uint64_t size = blob_size(b);
		*got = off >= size ? 0 : len < size - off ? len : (size_t)(size - off);
		rc = *got ? blob_read(b, buf, *got, off, e) : 0;
	} else {
		pthread_mutex_lock(&v->edit->refresh);
		rc = refresh(f, ino, e);
		pthread_mutex_unlock(&v->edit->refresh);
		if (rc == 0)
			rc = content_read(&f->c, buf, len, off, got, e);
	}
	vol_read_end(v);
	return rc;
}

uint64_t volume_file_size(const struct vfile *f)
{
	return f->c.size;
}

int volume_file_read(struct vfile *f, void *buf, size_t len, uint64_t off, size_t *got,
		struct err *e)
{
	if (f->v->edit)
		return read_edited(f, buf, len, off, got, e);
	return content_read(&f->c, buf, len, off, got, e);
}

int volume_file_raw(struct vfile *f, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	if (f->v->edit || off > f->c.size || len > f->c.size - off)
		return -1;
	return extents_raw(f->c.at, f->c.n, off, len, ret_off);
}

#define TEXT_CHUNK (64u << 10) /* bytes of elements turned into text at a time */

int volume_file_text(struct vfile *f, int (*fn)(void *ctx, struct str piece), void *ctx,
		struct err *e)
{
	char *raw = malloc(TEXT_CHUNK);
	struct buf text;
	size_t got = 1, size = dtype_info(f->dtype)->size;
	int rc = raw ? 0 : err_nomem(e);
	buf_init(&text, 64 * TEXT_CHUNK);
	for (uint64_t off = 0; rc == 0 && got; off += got) {
		rc = content_read(&f->c, raw, TEXT_CHUNK, off, &got, e);
		text.n = 0;
		for (size_t i = 0; rc == 0 && f->dtype != DTYPE_NONE && i + size <= got; i += size) {
			element_text(f->dtype, raw + i, &text);
			buf_putc(&text, '\n');
		}
		if (rc == 0 && text.failed)
			rc = err_nomem(e);
		if (rc == 0 && got)
			rc = fn(ctx, f->dtype == DTYPE_NONE ? (struct str){raw, got} : buf_view(&text));
	}
	buf_release(&text);
	free(raw);
	return rc;
}
