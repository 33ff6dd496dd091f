/* rebase.c - after a commit while it stays open: the new file is what is shown; and the other way
 * round, after a revert: the old one is.
 *
 * The tree and the graph are right already; only where bytes are has changed. Each storage gets
 * its place in the new file (checkpoint_save() knows it), the overlay becomes empty, the journal
 * begins a new life, bound to the new file. An array inside the pickle that was written to has no
 * place of its own there: its bytes stay in the old journal, which has lost its name only, since
 * the object graph names them too. So do those of a tensor that was written to and then removed:
 * who has it open goes on seeing what he wrote.
 */
#include "edit.h"

#include "lock.h"
#include <errno.h>
#include <pthfs/cleanup.h>
#include <string.h>
#include <unistd.h>

/* Bytes that are nowhere as they are shown: read before the old sources go. */
static int keep_bytes(struct volume *v, struct storage *s, struct err *e)
{
	_cleanup_(freep) char *bytes = malloc(s->data.len ? s->data.len : 1);
	if (!bytes)
		return err_nomem(e);
	int rc = source_read(s->data.src, bytes, s->data.len, s->data.off, e);
	if (rc < 0)
		return rc;
	struct source *mem = source_mem_take(steal_ptr(&bytes), s->data.len);
	if (!mem || model_keep(&v->ck->model, mem) < 0) {
		source_unref(mem);
		return err_nomem(e);
	}
	s->data = (struct extent){mem, 0, s->data.len};
	return 0;
}

static bool lies_inside(const struct volume *v, uint32_t storage)
{
	return vol_model(v)->storages.at[storage].inside != OBJ_NONE;
}

/* The source over its blob lives on. */
static int keep_source(struct volume *v, const struct storage *s, struct err *e)
{
	struct source *kept = source_ref(s->data.src);
	if (model_keep(&v->ck->model, kept) == 0)
		return 0;
	source_unref(kept);
	return err_nomem(e);
}

static bool named(const struct volume *v, uint32_t storage)
{
	const struct model *m = vol_model(v);
	for (uint32_t i = 0; i < m->tensors.n; i++)
		if (m->tensors.at[i].storage == storage && tree_nlink(&v->tree, i))
			return true;
	return false;
}

static int move_storages(struct volume *v, const uint64_t *places, struct source *file, struct err *e)
{
	struct model *m = &v->ck->model;
	int rc = 0;
	for (uint32_t i = 0; i < m->storages.n && rc == 0; i++) {
		struct storage *s = &m->storages.at[i];
		bool edited = dirty_find(v, i) || i >= v->edit->base_storages;
		bool has_place = places[i] != UINT64_MAX && places[i] <= file->size &&
			      s->data.len <= file->size - places[i];
		if (lies_inside(v, i)) {
			if (dirty_find(v, i))
				rc = keep_source(v, s, e);
		} else if (has_place) {
			s->data = (struct extent){file, places[i], s->data.len};
			s->file_off = places[i];
		} else if (edited && s->data.src && !named(v, i)) {
			/* Of a removed file, that may still be open; or of one that a revert took back:
			 * its bytes may be gone. */
			rc = keep_source(v, s, e);
			s->file_off = UINT64_MAX;
		} else if (edited && s->data.src) {
			rc = keep_bytes(v, s, e);
			s->file_off = UINT64_MAX;
		}
	}
	return rc;
}

/* Bytes of tensors that were removed: files of them may still be open. */
static bool lies_in_old(const struct volume *v)
{
	const struct model *m = vol_model(v);
	for (uint32_t i = 0; i < m->storages.n; i++)
		if (m->storages.at[i].data.src == v->ck->file)
			return true;
	return false;
}

/* The old file need not be kept open when no long text of the pickle lies in it. */
static void let_go(struct volume *v)
{
	struct graph *g = &v->ck->model.graph;
	for (size_t i = 0; i < g->srcs.n && g->spans.n == 0; i++) {
		source_unref(g->srcs.at[i]);
		g->srcs.at[i] = NULL;
	}
	if (g->spans.n == 0)
		g->srcs.n = 0;
}

/* --- lists, as one who opens the file finds them ------------------------------------------------ */

static bool only_values(const struct volume *v, uint32_t dir)
{
	uint32_t slots = tree_slots(&v->tree, dir);
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(&v->tree, dir, i);
		if (child != TREE_NONE && node_value(&v->tree, child)->kind != VALUE_LEAF)
			return false;
	}
	return !scratch_in(v, dir);
}

static bool edited_list(const struct volume *v, uint32_t node)
{
	const struct node *n = &v->tree.nodes.at[node];
	return node && n->flags & NODE_TOUCHED && n->flags & NODE_DIR && tree_alive(&v->tree, node) &&
	       node_value(&v->tree, node)->kind == VALUE_LIST;
}

/* Those in which no dict, tensor or object lies any more are one value. */
static int flatten_lists(struct volume *v, struct err *e)
{
	bool again = true;
	int rc = 0;
	while (again && rc == 0) {
		again = false;
		for (uint32_t i = 0; i < v->tree.nodes.n && rc == 0; i++) {
			uint32_t value;
			if (!edited_list(v, i) || !only_values(v, i))
				continue;
			rc = keys_value(v, node_value(&v->tree, i)->obj, &value, e);
			if (rc == 0 && vol_model(v)->values.at[value].kind != VALUE_LEAF)
				continue;
			if (rc == 0)
				rc = keys_set(v, i, value, e);
			again = true;
		}
	}
	return rc;
}

/* Items are called by their places. What the journal tells from here on has to mean the same to who
 * takes it up after a crash. */
static int settle_lists(struct volume *v, struct err *e)
{
	int rc = flatten_lists(v, e);
	for (uint32_t i = 0; i < v->tree.nodes.n && rc == 0; i++)
		if (edited_list(v, i)) {
			rc = tree_renumber(&v->tree, i, e);
			if (rc == 0)
				rc = scratch_step_aside(v, i, e);
		}
	return rc;
}

static void forget_edits(struct volume *v)
{
	struct edit *d = v->edit;
	struct u32map none = {0};
	bool kept = true;
	for (uint32_t i = 0; i < v->tree.nodes.n; i++) {
		uint32_t raw;
		if (v->tree.nodes.at[i].flags & NODE_GONE)
			u32map_set(&d->lost, i, 1);
		if (u32map_get(&d->raw, i, &raw))
			kept = u32map_set(&d->raw_before, i, raw) == 0 && kept;
	}
	for (size_t i = 0; i < d->left.n; i++)
		d->left.at[i].key = OREF_NIL; /* not known to who takes up the edits to come after a crash */
	if (kept) { /* or, without memory, they stay where they are: they are right, too */
		u32map_release(&d->raw);
		d->raw = none;
	}
	u32map_release(&d->renamed);
	u32map_release(&d->home);
	u32map_release(&d->asked);
	d->renamed = d->home = d->asked = none;
	d->parted.n = 0;
	tree_forget_undo(&v->tree);
	tree_record_undo(&v->tree);
	graph_forget_undo(&v->ck->model.graph);
	graph_record_undo(&v->ck->model.graph);
	d->base_storages = vol_model(v)->storages.n;
	d->base_tensors = vol_model(v)->tensors.n;
	d->base_values = vol_model(v)->values.n;
	d->base_entries = vol_model(v)->entries.n;
	d->generation++;
}

static int new_box(struct volume *v, struct source *file, struct err *e)
{
	struct format_opts fo = {.max_names = UINT32_MAX - 1};
	struct checkpoint *now = NULL;
	int rc = checkpoint_load(file, &fo, &now, e);
	if (rc < 0)
		return rc;
	archive_release(v);
	memset(&v->archive, 0, sizeof v->archive);
	box_free(v->ck->box);
	v->ck->box = now->box;
	now->box = NULL;
	v->ck->pickle = now->pickle;
	checkpoint_free(now);
	return 0;
}

static void drop_overlay(struct volume *v)
{
	struct edit *d = v->edit;
	for (size_t i = 0; i < d->dirty.n; i++) {
		source_unref(d->dirty.at[i].shown);
		blob_unref(d->dirty.at[i].blob);
	}
	vec_release(&d->dirty);
	u32map_release(&d->dirty_of);
	memset(&d->dirty_of, 0, sizeof d->dirty_of);
}

/* An empty journal. Bytes of scratch files and of files that are being written are in the old one,
 * which then only loses its name. */
static int journal_anew(struct volume *v, const struct journal_bind *b, bool needed, struct err *e)
{
	struct edit *d = v->edit;
	struct journal *old = d->journal;
	needed |= d->stages.n > 0 || d->scratch.n > 0;
	if (!needed)
		return journal_reset(old, b, e);
	d->journal = NULL;
	int rc = journal_remove(old, e);
	return rc < 0 ? rc : vol_journal_create(v->path, b, &d->journal, e);
}

int rebase(struct volume *v, const uint64_t *places, const struct stat *now, struct err *e)
{
	struct source *file = NULL;
	struct journal_bind b;
	bool needed = false;
	int fd = -1;
	int rc = source_file_open(v->path, &file, e);
	if (rc == 0 && now->st_ino != v->st.st_ino)
		rc = lock_take(v->path, &fd, e);
	if (rc == 0)
		rc = new_box(v, file, e);
	if (rc == 0)
		rc = move_storages(v, places, file, e);
	if (rc == 0)
		rc = settle_lists(v, e);
	if (rc < 0) {
		source_unref(file);
		if (fd >= 0)
			close(fd);
		v->edit->on = false;
		err_prefix(e, "it cannot be shown any more: unmount");
		return rc;
	}
	if (fd >= 0) {
		close(v->edit->lock_fd);
		v->edit->lock_fd = fd;
	}
	if (!lies_in_old(v) || model_keep(&v->ck->model, v->ck->file) < 0)
		source_unref(v->ck->file);
	v->ck->file = file;
	v->st = *now;
	for (size_t i = 0; i < v->edit->dirty.n; i++)
		needed |= lies_inside(v, v->edit->dirty.at[i].storage) ||
			  !named(v, v->edit->dirty.at[i].storage);
	drop_overlay(v);
	let_go(v);
	forget_edits(v);
	rc = edit_bind(v, &b, e);
	return rc == 0 && v->edit->journal ? journal_anew(v, &b, needed, e) : rc;
}

/* --- revert ------------------------------------------------------------------------------------------------ */

int edit_revert(struct volume *v, struct err *e)
{
	struct edit *d = v->edit;
	struct model *m = &v->ck->model;
	struct u32map none = {0};
	struct journal_bind b;
	stage_drop_all(v);
	scratch_forget(v);
	d->parted.n = 0;
	dirty_release(v); /* data is what it was */
	memset(&d->dirty_of, 0, sizeof d->dirty_of);
	tree_undo(&v->tree, 0);
	graph_undo(&m->graph);
	graph_record_undo(&m->graph);
	u32map_release(&d->raw);
	u32map_release(&d->renamed);
	u32map_release(&d->home);
	u32map_release(&d->entries_of);
	u32map_release(&d->asked);
	u32map_release(&d->retyped);
	d->raw = d->renamed = d->home = d->entries_of = d->asked = d->retyped = none;
	d->entries.n = 0;
	d->generation++;
	int rc = d->journal ? edit_bind(v, &b, e) : 0;
	return rc == 0 && d->journal ? journal_anew(v, &b, false, e) : rc;
}
