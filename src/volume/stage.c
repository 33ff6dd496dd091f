/* stage.c - writing into files.
 *
 *	a tensor       bytes go straight into its storage (dirty.c), at any offset
 *	  truncated    a stage: an empty blob that takes effect when it has the tensor's size
 *	text, .npy     a stage: the whole new content, over what was there
 *	scratch        its own blob
 *
 * A stage takes effect (put.c) when a descriptor is closed or synced, and only as a whole. One that
 * does not fit is an error there and is dropped by the last close: the old content is back. FLUSH
 * comes at every close of a duplicate, so that a shell's `>` sends one before the first byte: an
 * error then is nobody's, and what follows is judged at the next.
 *
 * Files stay open while names and types change under them: a new file becomes a key when its type is
 * known, a tensor another one by its .meta. What is open goes on as that. (stage_now)
 *
 * A file whose content cannot change takes what it shows (cp, tar and rsync write all there is), and
 * anything else is refused when it is written.
 */
#include "edit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthfs/cleanup.h>
#include <string.h>

static bool is_control(uint64_t ino)
{
	return ino_what(ino) == INO_COMMIT || ino_what(ino) == INO_REVERT;
}

static struct stage *find(const struct volume *v, uint64_t ino)
{
	for (size_t i = 0; v->edit && i < v->edit->stages.n; i++)
		if (v->edit->stages.at[i]->ino == ino)
			return v->edit->stages.at[i];
	return NULL;
}

const struct blob *stage_shown(const struct volume *v, uint64_t ino)
{
	const struct stage *s;
	if (ino_what(ino) == INO_SCRATCH)
		return v->edit->scratch.at[ino_index(ino)].blob;
	s = find(v, ino);
	return s && s->blob && s->dirty ? s->blob : NULL;
}

/* The stage of an inode; counts one writer. */
static int join(struct volume *v, uint64_t ino, struct stage **ret, struct err *e)
{
	struct stage *s = find(v, ino);
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s || vec_push(&v->edit->stages, s) < 0) {
			free(s);
			return err_nomem(e);
		}
		s->ino = ino;
	}
	s->writers++;
	*ret = s;
	return 0;
}

static void drop(struct volume *v, struct stage *s)
{
	size_t i = 0;
	while (v->edit->stages.at[i] != s)
		i++;
	v->edit->stages.at[i] = v->edit->stages.at[--v->edit->stages.n];
	blob_unref(s->blob);
	free(s);
	v->edit->generation++;
}

void stage_drop_all(struct volume *v)
{
	while (v->edit->stages.n)
		drop(v, v->edit->stages.at[0]);
	vec_release(&v->edit->stages);
}

/* --- files that have become others --------------------------------------------------------------------- */

static bool of_tensor(uint64_t ino)
{
	return ino_what(ino) == INO_TENSOR || ino_what(ino) == INO_META || ino_what(ino) == INO_NPY;
}

uint64_t stage_now(const struct volume *v, uint64_t ino)
{
	uint32_t now;
	for (;;) {
		uint64_t i = ino_index(ino);
		if (ino_what(ino) == INO_SCRATCH && i < v->edit->scratch.n && v->edit->scratch.at[i].gone &&
				v->edit->scratch.at[i].became)
			ino = v->edit->scratch.at[i].became;
		else if (of_tensor(ino) && u32map_get(&v->edit->retyped, (uint32_t)i, &now) &&
				tree_first(&v->tree, i) == TREE_NONE)
			ino = ino_make(now, ino_what(ino));
		else
			return ino;
	}
}

int stage_retyped(struct volume *v, uint32_t was, uint32_t now, struct err *e)
{
	if (u32map_set(&v->edit->retyped, was, now) < 0)
		return err_nomem(e);
	for (size_t i = 0; i < v->edit->stages.n; i++) {
		struct stage *s = v->edit->stages.at[i];
		if (of_tensor(s->ino) && ino_index(s->ino) == was)
			s->ino = ino_make(now, ino_what(s->ino));
	}
	return 0;
}

/* Text that was begun as a new file goes on behind what was written. */
static int follow(struct vfile *f, struct err *e)
{
	struct volume *v = f->v;
	uint64_t now = stage_now(v, f->ino);
	struct stage *s;
	if (now == f->ino)
		return 0;
	if (f->writing && ino_what(f->ino) == INO_SCRATCH && ino_what(now) != INO_SCRATCH) {
		int rc = join(v, now, &s, e);
		if (rc < 0)
			return rc;
		if (!s->blob && (ino_what(now) == INO_LEAF || ino_what(now) == INO_JSON))
			s->blob = blob_ref(v->edit->scratch.at[ino_index(f->ino)].blob);
	}
	f->ino = now;
	f->generation = UINT64_MAX;
	return 0;
}

/* Has it no name any more? Then nobody sees what is written into it. */
static bool nameless(const struct volume *v, uint64_t ino)
{
	if (of_tensor(ino))
		return tree_first(&v->tree, ino_index(ino)) == TREE_NONE;
	return (ino_what(ino) == INO_LEAF || ino_what(ino) == INO_JSON) &&
	       !tree_alive(&v->tree, (uint32_t)ino_index(ino));
}

void stage_leave(struct vfile *f)
{
	struct stage *s;
	if (edit_begin(f->v, NULL) < 0)
		return;
	if (follow(f, NULL) < 0)
		f->ino = 0;
	if (ino_what(f->ino) == INO_SCRATCH) /* an empty one waited for more */
		scratch_settle(f->v, (uint32_t)ino_index(f->ino), NULL);
	s = find(f->v, f->ino);
	if (s && --s->writers == 0)
		drop(f->v, s);
	edit_end(f->v);
}

/* --- the blob of a stage ----------------------------------------------------------------------------- */

/* The first `keep` bytes of what a file shows, into the blob: the journal has to have all of it, to
 * make it again. */
static int copy_shown(struct volume *v, uint64_t ino, uint64_t keep, struct blob *b, struct err *e)
{
	enum { CHUNK = 1 << 20 };
	_cleanup_(freep) char *buf = malloc(CHUNK);
	struct content c = {0};
	size_t got = 1;
	int rc = buf ? vol_content(v, ino, &c, e) : err_nomem(e);
	for (uint64_t off = 0; off < keep && rc == 0 && got; off += got) {
		rc = content_read(&c, buf, keep - off < CHUNK ? (size_t)(keep - off) : CHUNK, off, &got, e);
		if (rc == 0 && got)
			rc = blob_write(b, v->edit->journal, buf, got, off, e);
	}
	content_release(&c);
	return rc;
}

/* No frame of the journal says that a blob was cut short, and after a commit its bytes are in a journal
 * that is no more: then they are told again, before it takes effect. */
int stage_retell(struct volume *v, struct blob **b, struct err *e)
{
	struct blob *now;
	if (!v->edit->journal || v->edit->replay || blob_replays(*b, v->edit->journal))
		return 0;
	int rc = blob_retell(*b, v->edit->journal, edit_blob_id(v), &now, e);
	if (rc < 0)
		return rc;
	blob_unref(*b);
	*b = now;
	return 0;
}

/* One that is empty begins anew for the journal too. */
static int cut(struct volume *v, struct blob *b, uint64_t size, struct err *e)
{
	int rc = blob_truncate(b, size, e);
	if (rc == 0 && size == 0)
		blob_renumber(b, edit_blob_id(v));
	return rc;
}

/* Gives the stage a blob: empty, or with the first `keep` bytes of what is there. */
static int begin_stage(struct volume *v, struct stage *s, uint64_t keep, struct err *e)
{
	struct blob *b = NULL;
	int rc = blob_new(edit_blob_id(v), (struct extent){0}, 0, &b, e);
	if (rc == 0 && keep)
		rc = copy_shown(v, s->ino, keep, b, e);
	if (rc < 0) {
		blob_unref(b);
		return rc;
	}
	blob_unref(s->blob);
	s->blob = b;
	s->dirty = true;
	v->edit->generation++;
	return 0;
}

/* --- open --------------------------------------------------------------------------------------------- */

static int check(struct volume *v, uint64_t ino, struct err *e)
{
	struct target t;
	if (!vol_ino_valid(v, ino))
		return err_set(e, ERR_ABSENT, "no such inode");
	if (ino_what(ino) == INO_SCRATCH || is_control(ino))
		return 0;
	int rc = put_target(v, ino, &t, e);
	return rc < 0 ? rc : put_ok(v, &t, e);
}

/* Why its content cannot change; 0: it can. */
static int fixed(struct volume *v, uint64_t ino, struct err *e)
{
	struct target t;
	if (!vol_ino_valid(v, ino))
		return 0;
	if (ino_what(ino) == INO_PARTS_META ||
			(ino_what(ino) == INO_JSON &&
					node_value(&v->tree, (uint32_t)ino_index(ino))->kind == VALUE_PARTS))
		return err_set(e, ERR_UNSUPPORTED, "this follows from the parts: write those");
	if (ino_what(ino) != INO_LEAF && ino_what(ino) != INO_JSON)
		return 0;
	int rc = check(v, ino, e);
	return rc == ERR_UNSUPPORTED && put_target(v, ino, &t, NULL) == 0 ? rc : 0;
}

static int open_fixed(struct volume *v, uint64_t ino, struct vfile **ret, struct err *e)
{
	struct vfile *f = calloc(1, sizeof *f);
	if (!f)
		return err_nomem(e);
	*f = (struct vfile){.v = v, .ino = ino, .fixed = true, .generation = UINT64_MAX};
	scratch_opened(v, ino);
	*ret = f;
	return 0;
}

/* Is it what the file shows there? */
static int write_fixed(struct volume *v, uint64_t ino, const char *buf, size_t n, uint64_t off,
		struct err *e)
{
	struct content c = {0};
	char part[4096];
	size_t got = 0, done = 0;
	int rc = vol_content(v, ino, &c, e);
	for (; rc == 0 && done < n; done += got) {
		size_t len = n - done < sizeof part ? n - done : sizeof part;
		rc = content_read(&c, part, len, off + done, &got, e);
		if (rc == 0 && (got != len || memcmp(part, buf + done, len) != 0))
			break;
	}
	content_release(&c);
	return rc < 0 || done == n ? rc : fixed(v, ino, e);
}

static int truncate_fixed(struct volume *v, uint64_t ino, uint64_t size, struct err *e)
{
	struct vattr a;
	int rc = vol_attr(v, ino, &a, e);
	return rc < 0 || a.size == size ? rc : fixed(v, ino, e);
}

int stage_same(struct volume *v, uint64_t ino, const struct blob *b, bool *is_fixed, struct err *e)
{
	struct buf text;
	*is_fixed = fixed(v, ino, NULL) < 0;
	if (!*is_fixed)
		return 0;
	buf_init(&text, TEXT_MAX);
	int rc = vol_blob_text(b, &text, e);
	if (rc == 0)
		rc = truncate_fixed(v, ino, text.n, e);
	if (rc == 0)
		rc = write_fixed(v, ino, text.p, text.n, 0, e);
	buf_release(&text);
	return rc;
}

int stage_open(struct volume *v, uint64_t ino, bool trunc, struct vfile **ret, struct err *e)
{
	struct stage *s = NULL;
	struct vfile *f;
	if (fixed(v, ino, NULL) < 0)
		return open_fixed(v, ino, ret, e);
	int rc = check(v, ino, e);
	if (rc < 0)
		return rc;
	f = calloc(1, sizeof *f);
	if (!f)
		return err_nomem(e);
	*f = (struct vfile){.v = v, .ino = ino, .generation = UINT64_MAX};
	if (ino_what(ino) == INO_TENSOR)
		f->dtype = (enum dtype)vol_model(v)->tensors.at[ino_index(ino)].dtype;
	if (ino_what(ino) == INO_SCRATCH) {
		rc = trunc ? cut(v, v->edit->scratch.at[ino_index(ino)].blob, 0, e) : 0;
		f->writing = true;
	} else if (!is_control(ino)) {
		rc = join(v, ino, &s, e);
		f->writing = rc == 0;
		if (rc == 0 && trunc)
			rc = begin_stage(v, s, 0, e);
		if (rc < 0 && f->writing && --s->writers == 0)
			drop(v, s);
	}
	if (rc < 0) {
		free(f);
		return rc;
	}
	scratch_opened(v, ino);
	*ret = f;
	return 0;
}

int volume_file_edit(struct volume *v, uint64_t ino, bool trunc, struct vfile **ret, struct err *e)
{
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = stage_open(v, ino, trunc, ret, e);
	edit_end(v);
	return rc;
}

/* --- write --------------------------------------------------------------------------------------------- */

static int too_far(const struct tensor *t, struct err *e)
{
	return err_sys(e, EFBIG, "the tensor has %" PRIu64 " bytes and keeps that size: write NAME.npy to "
				 "change its shape", t->nbytes);
}

/* The tensor whose size bounds what can be written, or NULL. */
static const struct tensor *bounded(const struct volume *v, uint64_t ino)
{
	return ino_what(ino) == INO_TENSOR ? &vol_model(v)->tensors.at[ino_index(ino)] : NULL;
}

static int write_blob(struct volume *v, struct blob *b, const void *buf, size_t n, uint64_t off,
		struct err *e)
{
	v->edit->generation++;
	return blob_write(b, v->edit->journal, buf, n, off, e);
}

/* Are these the bytes that the file shows there? */
static bool shows(struct volume *v, uint64_t ino, const char *buf, size_t n, uint64_t off)
{
	struct content c = {0};
	char part[4096];
	size_t got = 0;
	bool same = n <= sizeof part && vol_content(v, ino, &c, NULL) == 0 &&
		    content_read(&c, part, n, off, &got, NULL) == 0 && got == n && memcmp(part, buf, n) == 0;
	content_release(&c);
	return same;
}

/* Elements of an open .npy: as into the tensor itself. A mapping's first page has the header in front
 * of them, which is no change, and comes when all descriptors may have been closed. */
static int write_npy(struct volume *v, uint64_t ino, const char *buf, size_t n, uint64_t off, bool *done,
		struct err *e)
{
	uint32_t id = (uint32_t)ino_index(ino);
	const struct tensor *t = &vol_model(v)->tensors.at[id];
	uint64_t head = npy_header_len(t);
	if (off < head && n > head - off && shows(v, ino, buf, (size_t)(head - off), off)) {
		buf += head - off;
		n -= (size_t)(head - off);
		off = head;
	}
	*done = off >= head && off - head <= t->nbytes && n <= t->nbytes - (off - head);
	return *done ? dirty_write(v, id, buf, n, off - head, e) : 0;
}

static int write_staged(struct volume *v, uint64_t ino, const void *buf, size_t n, uint64_t off,
		struct err *e)
{
	struct stage *s = find(v, ino);
	int rc = 0;
	if (!s)
		return err_sys(e, EBADF, "not open for writing");
	if (!s->blob)
		rc = begin_stage(v, s, UINT64_MAX, e);
	if (rc == 0)
		rc = write_blob(v, s->blob, buf, n, off, e);
	if (rc == 0)
		s->dirty = true;
	return rc;
}

static int write_file(struct vfile *f, const void *buf, size_t n, uint64_t off, struct err *e)
{
	struct volume *v = f->v;
	const struct tensor *t = bounded(v, f->ino);
	const struct stage *s = find(v, f->ino);
	bool done = false;
	int rc = 0;
	if (f->fixed)
		return write_fixed(v, f->ino, buf, n, off, e);
	if (ino_what(f->ino) == INO_SCRATCH) {
		struct scratch *x = &v->edit->scratch.at[ino_index(f->ino)];
		x->changed = edit_now(v);
		return write_blob(v, x->blob, buf, n, off, e);
	}
	if (t && (off > t->nbytes || n > t->nbytes - off))
		return too_far(t, e);
	if (t && !(s && s->blob))
		return dirty_write(v, (uint32_t)ino_index(f->ino), buf, n, off, e);
	if (ino_what(f->ino) == INO_NPY && !(s && s->blob))
		rc = write_npy(v, f->ino, buf, n, off, &done, e);
	return rc < 0 || done ? rc : write_staged(v, f->ino, buf, n, off, e);
}

int volume_file_write(struct vfile *f, const void *buf, size_t len, uint64_t off, struct err *e)
{
	if (is_control(f->ino))
		return volume_control(f->v, ino_what(f->ino) == INO_COMMIT, (struct str){buf, len}, e);
	int rc = edit_begin(f->v, e);
	if (rc < 0)
		return rc;
	rc = follow(f, e);
	if (rc == 0)
		rc = write_file(f, buf, len, off, e);
	edit_end(f->v);
	return rc;
}

/* --- truncate ------------------------------------------------------------------------------------------- */

static int truncate_file(struct volume *v, uint64_t ino, uint64_t size, struct err *e)
{
	const struct tensor *t = bounded(v, ino);
	struct stage *s = find(v, ino);
	int rc = 0;
	if (is_control(ino))
		return 0;
	if (ino_what(ino) == INO_SCRATCH)
		return cut(v, v->edit->scratch.at[ino_index(ino)].blob, size, e);
	if (t && size > t->nbytes)
		return too_far(t, e);
	if (t && size == t->nbytes && !(s && s->blob))
		return 0;
	if (!s)
		return err_set(e, ERR_INVALID, "its size is what its type says: open it, write it, close it");
	if (!s->blob)
		rc = begin_stage(v, s, size, e);
#ifndef PTHFS_BUG_TRUNCATE /* what tests/model has to find: what was cut off stays */
	if (rc == 0 && blob_size(s->blob) != size)
		rc = cut(v, s->blob, size, e);
#endif
	s->dirty = true;
	v->edit->generation++;
	return rc;
}

int volume_file_truncate(struct vfile *f, uint64_t size, struct err *e)
{
	int rc = edit_begin(f->v, e);
	if (rc < 0)
		return rc;
	rc = follow(f, e);
	if (rc == 0)
		rc = f->fixed ? truncate_fixed(f->v, f->ino, size, e) : truncate_file(f->v, f->ino, size, e);
	edit_end(f->v);
	return rc;
}

int volume_truncate(struct volume *v, uint64_t ino, uint64_t size, struct err *e)
{
	struct vattr a;
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	rc = check(v, ino, e);
	if (rc == 0)
		rc = vol_attr(v, ino, &a, e);
	if (rc == 0 && a.size != size)
		rc = truncate_file(v, ino, size, e);
	edit_end(v);
	return rc;
}

/* --- close and sync --------------------------------------------------------------------------------------- */

static int take_effect(struct volume *v, uint64_t ino, struct err *e)
{
	struct stage *s = find(v, ino);
	struct target t;
	if (ino_what(ino) == INO_SCRATCH) {
		uint32_t i = (uint32_t)ino_index(ino);
		return blob_size(v->edit->scratch.at[i].blob) ? scratch_settle(v, i, e) : 0;
	}
	if (!s || !s->blob || !s->dirty)
		return 0;
	if (nameless(v, ino)) {
		blob_unref(s->blob);
		s->blob = NULL;
		s->dirty = false;
		return 0;
	}
	int rc = put_target(v, ino, &t, e);
	if (rc == 0)
		rc = stage_retell(v, &s->blob, e);
	if (rc == 0)
		rc = put_content(v, &t, s->blob, e);
	if (rc < 0)
		return rc;
	s->dirty = false;
	if (of_tensor(ino)) { /* it has its size again: what follows goes straight there */
		blob_unref(s->blob);
		s->blob = NULL;
	}
	v->edit->generation++;
	return 0;
}

int volume_file_flush(struct vfile *f, struct err *e)
{
	if (!f->writing)
		return 0;
	int rc = edit_begin(f->v, e);
	if (rc < 0)
		return 0;
	rc = follow(f, e);
	if (rc == 0)
		rc = take_effect(f->v, f->ino, e);
	edit_end(f->v);
	return rc;
}

int volume_sync(struct volume *v, struct vfile *f, struct err *e)
{
	int rc = f ? volume_file_flush(f, e) : 0;
	if (rc < 0 || edit_begin(v, NULL) < 0)
		return rc;
	rc = edit_sync(v, e);
	edit_end(v);
	return rc;
}
