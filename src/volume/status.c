/* status.c - clean or dirty, and why: of a volume that is open, and of a file that nobody has open
 * for editing (then from its journal alone: nothing is loaded, nothing written).
 */
#include "edit.h"

#include "lock.h"
#include <errno.h>
#include <pthfs/cleanup.h>
#include <string.h>

struct list {
	struct buf *out;
	struct json *j;
	uint64_t n;
};

static bool list_text(void *ctx, const struct change *c)
{
	struct list *l = ctx;
	buf_puts(l->out, "  ");
	change_text(c, l->out);
	buf_putc(l->out, '\n');
	return true;
}

static bool list_json(void *ctx, const struct change *c)
{
	static const char *const words[] = {"added", "removed", "renamed", "changed", "changed"};
	struct list *l = ctx;
	json_open(l->j, '{');
	json_key(l->j, "status");
	json_cstr(l->j, words[c->kind]);
	json_key(l->j, "name");
	json_str(l->j, c->path);
	if (c->kind == CHANGE_RENAMED) {
		json_key(l->j, "was");
		json_str(l->j, c->was);
	}
	if (c->kind == CHANGE_BYTES) {
		json_key(l->j, "bytes");
		json_u64(l->j, c->bytes);
	}
	json_close(l->j, '}');
	return true;
}

static void scratch_path(const struct volume *v, const struct scratch *s, struct buf *out)
{
	out->n = 0;
	tree_path(&v->tree, s->dir, out);
	if (out->n)
		buf_putc(out, '/');
	buf_str(out, s->name);
}

static void text_scratch(struct volume *v, struct buf *out)
{
	struct buf path;
	buf_init(&path, 1 << 20);
	for (size_t i = 0; i < v->edit->scratch.n; i++) {
		const struct scratch *s = &v->edit->scratch.at[i];
		if (s->gone)
			continue;
		scratch_path(v, s, &path);
		buf_printf(out, "  scratch %.*s (%s, not committed: it has no type)\n",
				STR_FMT(buf_view(&path)), STR_SIZE(blob_size(s->blob)));
	}
	buf_release(&path);
}

static void status_text(struct volume *v, struct buf *out)
{
	uint64_t n = changes_count(v);
	struct list l = {.out = out};
	if (n)
		buf_printf(out, "dirty: %llu edit%s not in the checkpoint yet: %s\n", (unsigned long long)n,
				n == 1 ? "" : "s", v->path);
	else
		buf_printf(out, "clean, read-write: %s\n", v->path);
	changes_each(v, list_text, &l, NULL);
	text_scratch(v, out);
	if (v->edit->result.n)
		buf_printf(out, "last: %.*s", STR_FMT(buf_view(&v->edit->result)));
	gate_text(v, GATE_WORD, out);
}

static void status_json(struct volume *v, struct buf *out)
{
	struct json j;
	struct list l = {.j = &j};
	struct buf path;
	buf_init(&path, 1 << 20);
	json_init(&j, out);
	json_open(&j, '{');
	json_key(&j, "state");
	json_cstr(&j, v->edit && changes_count(v) ? "dirty" : "clean");
	json_key(&j, "checkpoint");
	json_str(&j, str_of(v->path));
	json_key(&j, "writable");
	json_bool(&j, v->edit != NULL);
	json_key(&j, "edits");
	json_open(&j, '[');
	if (v->edit)
		changes_each(v, list_json, &l, NULL);
	json_close(&j, ']');
	json_key(&j, "scratch");
	json_open(&j, '[');
	for (size_t i = 0; v->edit && i < v->edit->scratch.n; i++)
		if (!v->edit->scratch.at[i].gone) {
			scratch_path(v, &v->edit->scratch.at[i], &path);
			json_str(&j, buf_view(&path));
		}
	json_close(&j, ']');
	json_key(&j, "suspects");
	gate_json(v, &j);
	json_close(&j, '}');
	buf_putc(out, '\n');
	buf_release(&path);
}

void vol_status_text(struct volume *v, bool json, struct buf *out)
{
	if (json)
		status_json(v, out);
	else if (!v->edit)
		buf_printf(out, "clean, read-only: %s\n", v->path);
	else
		status_text(v, out);
}

void volume_status(struct volume *v, bool json, struct buf *out)
{
	vol_read_begin(v);
	vol_status_text(v, json, out);
	vol_read_end(v);
}

/* --- of a file -------------------------------------------------------------------------------------- */

struct found {
	struct journal *journal;
	enum journal_state state;
	uint64_t ops, writes, bytes;
	struct buf note;
	struct volume *peek; /* as if the edits were made; NULL: they cannot be told */
	bool suspicious;     /* validation refused them: peek judges them once more */
	bool foreign;
	struct err why; /* how foreign */
	pid_t holder;
};

static int look(void *ctx, const struct frame *f)
{
	struct found *s = ctx;
	if (f->kind == FRAME_WRITE) {
		s->writes++;
		s->bytes += f->n;
	} else if (f->kind == FRAME_OP) {
		s->ops++;
	} else if (f->kind == FRAME_NOTE) {
		s->note.n = 0;
		buf_str(&s->note, f->payload);
	}
	return 0;
}

static int find(const char *path, struct found *s, struct err *e)
{
	uint64_t cut;
	struct stat st;
	if (stat(path, &st) < 0)
		return err_sys(e, errno, "cannot look at it");
	s->holder = lock_holder(&st);
	int rc = vol_journal_open(path, true, &s->journal, &cut, e);
	if (rc == ERR_ABSENT)
		return 0;
	if (rc < 0)
		return rc;
	s->state = journal_state(s->journal);
	if (s->state == JOURNAL_RENAMING && journal_coming_is(s->journal, &st))
		s->state = JOURNAL_EMPTY; /* done, but for removing it */
	if (s->state == JOURNAL_EDITS || s->state == JOURNAL_RENAMING)
		s->foreign = edit_belongs(s->journal, path, &s->why) < 0;
	return journal_each(s->journal, look, s, e);
}

/* The edits as if they were made. A mount that is editing has them in memory, partly. */
static void peek_at(const char *path, struct found *s)
{
	struct volume_opts o = {.mode = VOLUME_PEEK, .device = "cpu"};
	const struct commit_opts all = {.force = true};
	uint64_t ignored;
	s->suspicious = str_starts(buf_view(&s->note), STR(GATE_REFUSED));
	if (s->holder || s->foreign || s->state != JOURNAL_EDITS ||
			volume_open(path, &o, &s->peek, NULL) < 0)
		return;
	if (s->suspicious && gate_judge(s->peek, &all, &ignored, NULL) < 0)
		s->suspicious = false;
}

static bool is_clean(const struct found *s)
{
	return !s->journal || s->state == JOURNAL_EMPTY || (s->ops == 0 && s->writes == 0);
}

static void found_text(const struct found *s, const char *path, struct buf *out)
{
	if (lock_is_alive(s->holder))
		buf_printf(out, "being edited by process %d: ", (int)s->holder);
	else if (s->holder)
		buf_puts(out, "being edited: ");
	if (is_clean(s))
		buf_printf(out, "clean: %s\n", path);
	else if (s->state == JOURNAL_PATCHING)
		buf_printf(out, "a commit in place was interrupted: %s: pthfs recover finishes it\n", path);
	else if (s->foreign)
		buf_printf(out, "%s: %s\n", path, s->why.text);
	else if (s->peek && changes_count(s->peek)) {
		struct list l = {.out = out};
		buf_printf(out, "dirty: %s: edits that were not committed wait in its journal (pthfs commit makes "
				"the checkpoint contain them, a mount with -o rw takes them up, pthfs revert "
				"drops them)\n",
				path);
		changes_each(s->peek, list_text, &l, NULL);
	} else
		buf_printf(out, "dirty: %s: its journal holds edits that were not committed (%llu names and "
				"values, %s of bytes); pthfs commit makes the checkpoint contain them, a mount "
				"with -o rw takes them up, pthfs revert drops them\n",
				path, (unsigned long long)s->ops, STR_SIZE(s->bytes));
	if (s->note.n)
		buf_printf(out, "the last commit failed: %.*s\n", STR_FMT(buf_view(&s->note)));
	if (s->peek && s->suspicious)
		gate_text(s->peek, GATE_WORD, out);
}

static void found_json(const struct found *s, const char *path, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_open(&j, '{');
	json_key(&j, "state");
	json_cstr(&j, is_clean(s)                       ? "clean"
		      : s->state == JOURNAL_PATCHING ? "interrupted"
		      : s->foreign                   ? "foreign"
						     : "dirty");
	json_key(&j, "checkpoint");
	json_cstr(&j, path);
	if (s->holder) {
		json_key(&j, "process");
		json_i64(&j, s->holder);
	}
	json_key(&j, "journal_edits");
	json_u64(&j, s->ops + s->writes);
	json_key(&j, "journal_bytes");
	json_u64(&j, s->bytes);
	if (s->note.n) {
		json_key(&j, "last");
		json_str(&j, buf_view(&s->note));
	}
	if (s->peek) {
		struct list l = {.j = &j};
		json_key(&j, "edits");
		json_open(&j, '[');
		changes_each(s->peek, list_json, &l, NULL);
		json_close(&j, ']');
		json_key(&j, "suspects");
		gate_json(s->peek, &j);
	}
	json_close(&j, '}');
	buf_putc(out, '\n');
}

int volume_status_of(const char *path, bool json, struct buf *out, bool *clean, struct err *e)
{
	struct found s = {.state = JOURNAL_EMPTY};
	buf_init(&s.note, 1 << 16);
	int rc = find(path, &s, e);
	if (rc == 0) {
		peek_at(path, &s);
		*clean = is_clean(&s);
		if (json)
			found_json(&s, path, out);
		else
			found_text(&s, path, out);
	} else {
		err_prefix(e, "%s", path);
	}
	volume_close(s.peek);
	journal_close(s.journal);
	buf_release(&s.note);
	return rc;
}

int volume_revert_file(const char *path, uint64_t *edits, struct err *e)
{
	struct volume_opts peek = {.mode = VOLUME_PEEK};
	struct journal *j = NULL;
	struct volume *v;
	uint64_t cut;
	int lock = -1, rc = lock_take(path, &lock, e);
	*edits = 0;
	if (rc == 0)
		rc = vol_journal_open(path, false, &j, &cut, e);
	if (rc == 0 && journal_state(j) == JOURNAL_PATCHING) {
		rc = edit_finish_patch(j, path, e);
	} else if (rc == 0 && volume_open(path, &peek, &v, NULL) == 0) {
		*edits = volume_edits(v);
		volume_close(v);
	}
	if (rc == 0) {
		rc = journal_remove(j, e);
		j = NULL;
	}
	journal_close(j);
	if (lock >= 0)
		close(lock);
	if (rc == ERR_ABSENT)
		return 0;
	if (rc < 0)
		err_prefix(e, "%s", path);
	return rc;
}
