/* commit.c - the checkpoint is made to contain the edits, all or nothing.
 *
 *	(edit.mutex: nobody edits until it is over; reading goes on)
 *	gate_judge()         edited tensors against what they were
 *	apply_tree()         tree -> object graph              volume.lock for a moment
 *	checkpoint_save()    object graph, dirty storages -> plan
 *	verify_plan()        the plan, read back, shows the same
 *	sink_replace()       a new file beside the old one takes its name; the journal names it before
 *	  or inplace_commit()   redo journal, then the file itself
 *	rebase()             the new file is what is shown      volume.lock for a moment
 *
 * When anything fails before the new file is in place, the old one is untouched, the edits are in
 * the overlay and in the journal, and the same commit can be tried again.
 */
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthfs/cleanup.h>
#include <pthfs/sink.h>
#include <string.h>

struct commit {
	struct volume *v;
	const struct commit_opts *o;
	struct plan plan;
	uint64_t *places;
	struct save_report report;
	struct sink_result done;
	const char *way;
	const char *at; /* the file that an error is about */
	bool *named;               /* [storages]: some tensor on it has a name */
	VEC(struct save_run) runs; /* of the storage that was asked for last */
	bool no_memory;
	bool replaced; /* the new file is in place */
};

static const struct save_run *runs_of(void *ctx, uint32_t storage, size_t *n)
{
	struct commit *c = ctx;
	/* a new storage is all new: its data say so; and nobody misses what has no name */
	bool wanted = storage < c->v->edit->base_storages && c->named[storage];
	const struct dirty *d = wanted ? dirty_find(c->v, storage) : NULL;
	const struct blob_run *at = d ? blob_runs(d->blob, n) : NULL;
	c->runs.n = 0;
	if (!d)
		*n = 0;
	else if (*n && (!at || vec_room(&c->runs, *n) < 0))
		c->no_memory = true, *n = 0;
	for (size_t i = 0; i < *n; i++)
		c->runs.at[c->runs.n++] = (struct save_run){at[i].off, at[i].from};
	return c->runs.at;
}

static int root_object(struct volume *v, oref *ret, struct err *e)
{
	if (vol_is_lone(v) && v->tree.nodes.n > 1)
		return keys_raw(v, 1, ret, e);
	*ret = node_value(&v->tree, 0)->obj;
	return 0;
}

/* Another layout numbers the storages anew: what goes on being shown is not renumbered, so that
 * waits for the end of a mount. */
static bool compacts(const struct commit *c)
{
	bool last = c->o->output || c->o->unmounting || c->v->opts.mode == VOLUME_EDIT;
	return last && (c->o->compact || c->v->opts.compact);
}

/* A file that was removed may still be open, and written to. */
static int find_named(struct commit *c, struct err *e)
{
	const struct model *m = vol_model(c->v);
	c->named = calloc(m->storages.n + 1, sizeof *c->named);
	if (!c->named)
		return err_nomem(e);
	for (uint32_t i = 0; i < m->tensors.n; i++)
		if (m->tensors.at[i].storage != MODEL_NONE && tree_nlink(&c->v->tree, i))
			c->named[m->tensors.at[i].storage] = true;
	return 0;
}

static int make_plan(struct commit *c, struct err *e)
{
	struct volume *v = c->v;
	struct save s = {.ck = v->ck, .compact = compacts(c), .runs = runs_of, .ctx = c};
	pthread_rwlock_wrlock(&v->lock);
	int rc = find_named(c, e);
	if (rc == 0)
		rc = apply_tree(v, &s.pickle, e);
	if (rc == 0)
		rc = root_object(v, &s.root, e);
	if (rc == 0)
		rc = checkpoint_save(&s, &c->plan, &c->places, &c->report, e);
	if (rc == 0 && c->no_memory)
		rc = err_nomem(e);
	if (rc == 0 && (s.pickle || s.compact))
		rc = verify_plan(v, &c->plan, e);
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

static void told(void *ctx, uint64_t done, uint64_t total)
{
	struct commit *c = ctx;
	atomic_store(&c->v->edit->done, done);
	atomic_store(&c->v->edit->total, total);
	if (c->o->progress)
		c->o->progress(c->o->ctx, done, total);
}

static int note_coming(void *ctx, const struct stat *coming, struct err *e)
{
	struct commit *c = ctx;
	struct journal *j = c->v->edit->journal;
	return j && !c->o->output ? journal_coming(j, coming, e) : 0;
}

static int replace_file(struct commit *c, struct err *e)
{
	static const char *const ways[] = {"cloned and patched", "copied", "copied"};
	struct volume *v = c->v;
	const char *path = c->o->output ? c->o->output : v->path;
	struct sink_opts so = {
		.expect = c->o->output ? NULL : &v->st,
		.like = c->o->output ? v->path : NULL,
		.progress = told,
		.ready = note_coming,
		.ctx = c,
	};
	struct stat now;
	c->at = path;
	int rc = sink_replace(path, &c->plan, &so, &c->done, e);
	c->way = ways[c->done.way];
	c->replaced = rc == 0;
	if (rc < 0 && !c->o->output && stat(v->path, &now) == 0 && now.st_ino != v->st.st_ino &&
			v->edit->journal && journal_coming_is(v->edit->journal, &now)) {
		c->replaced = true; /* in place, but its directory could not be synced */
		c->done.now = now;
	}
	return rc;
}

/* --- the same file? ------------------------------------------------------------------------------------ */

static const char *what_happened(const struct volume *v)
{
	struct stat now;
	if (lstat(v->path, &now) < 0)
		return errno == ENOENT ? "is gone since it was opened" : NULL; /* others are found later */
	if (now.st_ino != v->st.st_ino || now.st_dev != v->st.st_dev)
		return "was changed by somebody else, another file has taken its place";
	if (now.st_size != v->st.st_size)
		return "was changed by somebody else, its size has changed";
	if (now.st_mtim.tv_sec != v->st.st_mtim.tv_sec || now.st_mtim.tv_nsec != v->st.st_mtim.tv_nsec)
		return "was changed by somebody else, it has been written to";
	return NULL;
}

/* Asked first, so that the sentence says where the edits are; and again when the file is replaced. */
static int still_ours(const struct volume *v, struct err *e)
{
	const char *what = what_happened(v);
	if (!what)
		return 0;
	if (!v->edit->journal)
		return err_set(e, ERR_REFUSED, "%s: nothing was written; open it again and repeat the change, or "
					       "write to another file", what);
	return err_set(e, ERR_REFUSED, "%s: nothing was written, and the edits stay in its journal: put the old "
				       "file back (with its time) and commit again, or drop them with pthfs revert",
			what);
}

/* --- in place ------------------------------------------------------------------------------------------ */

static int same_file(const struct volume *v, int fd, struct err *e)
{
	struct stat now;
	if (fstat(fd, &now) < 0)
		return err_sys(e, errno, "cannot look at it");
	if (now.st_ino == v->st.st_ino && now.st_dev == v->st.st_dev && now.st_size == v->st.st_size &&
			now.st_mtim.tv_sec == v->st.st_mtim.tv_sec &&
			now.st_mtim.tv_nsec == v->st.st_mtim.tv_nsec)
		return 0;
	return err_set(e, ERR_REFUSED, "was changed by somebody else since it was opened: nothing was "
				       "written; open it again and repeat the change, or write to another file");
}

/* One command's edits have no journal until now. */
static int need_journal(struct volume *v, struct err *e)
{
	struct journal_bind b;
	if (v->edit->journal)
		return 0;
	int rc = edit_bind(v, &b, e);
	return rc < 0 ? rc : vol_journal_create(v->path, &b, &v->edit->journal, e);
}

static int patch_file(struct commit *c, struct err *e)
{
	struct volume *v = c->v;
	int fd = open(v->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 ? err_sys(e, errno, "cannot write to the file itself (-o inplace)")
			: same_file(v, fd, e);
	if (rc == 0)
		rc = need_journal(v, e);
	if (rc == 0) {
		rc = inplace_commit(v->edit->journal, fd, &c->plan, told, c, &c->done.written, e);
	}
	c->way = "patched in place";
	c->replaced = rc == 0;
	if (rc == 0 && fstat(fd, &c->done.now) < 0)
		rc = err_sys(e, errno, "the new file is in place, but cannot be looked at");
	if (fd >= 0)
		close(fd);
	return rc;
}

/* --- all of it --------------------------------------------------------------------------------------------- */

/* The new file is in place: the journal has served, and what is shown comes from there. */
static int settle(struct commit *c, struct err *e)
{
	struct volume *v = c->v;
	int rc = 0;
	if (c->o->output)
		return 0;
	if (c->o->unmounting || v->opts.mode == VOLUME_EDIT) {
		struct journal *j = v->edit->journal;
		v->edit->journal = NULL;
		v->edit->on = false; /* nobody edits what is no longer shown */
		rc = j ? journal_remove(j, e) : 0;
		return rc;
	}
	pthread_rwlock_wrlock(&v->lock);
	rc = rebase(v, c->places, &c->done.now, e);
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

/* edit_sync(), with reading going on meanwhile. */
static int sync_journal(struct volume *v, struct err *e)
{
	int rc = v->edit->journal ? journal_sync(v->edit->journal, e) : 0;
	if (rc == 0)
		return 0;
	pthread_rwlock_wrlock(&v->lock);
	rc = edit_sync(v, e);
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

static int realize(struct commit *c, struct err *e)
{
	struct volume *v = c->v;
	bool here = v->opts.inplace && !c->o->output;
	int rc = c->o->output ? 0 : sync_journal(v, e);
	if (rc == 0)
		rc = here ? patch_file(c, e) : replace_file(c, e);
	if (c->replaced) {
		struct err later = {0};
		int end = settle(c, &later);
		if (rc == 0 && end < 0) {
			err_prefix(&later, "the new file is in place, but");
			if (e)
				*e = later;
			rc = end;
		}
	}
	return rc;
}

/* What realize() would write, and how. In place everything goes through the journal first. */
static void foresee(const struct commit *c, struct commit_result *ret)
{
	const struct volume *v = c->v;
	if (ret->written == 0 && c->plan.size == (uint64_t)v->st.st_size && !c->o->output) {
		ret->way = "as it was";
	} else if (v->opts.inplace && !c->o->output) {
		ret->way = "patching in place";
		ret->written *= 2;
	} else if (ret->written < c->plan.size && sink_clones(v->path, c->o->output ? c->o->output : v->path)) {
		ret->way = "cloning and patching";
	} else {
		ret->way = "copying";
		ret->written = c->plan.size;
	}
}

static int commit_edits(struct commit *c, struct commit_result *ret, struct err *e)
{
	struct volume *v = c->v;
	int rc = c->o->output ? 0 : still_ours(v, e);
	if (rc == 0)
		rc = gate_judge(v, c->o, &ret->suspects, e);
	if (rc == 0)
		rc = make_plan(c, e);
	if (rc < 0)
		return rc;
	ret->size = c->plan.size;
	ret->dead = c->report.dead;
	ret->written = plan_cost(&c->plan, v->ck->file);
	ret->way = "";
	if (c->o->dry_run) {
		foresee(c, ret);
		return 0;
	}
	if (ret->written == 0 && c->plan.size == (uint64_t)v->st.st_size && !c->o->output) {
		c->replaced = true; /* the edits come to what is there already */
		c->done.now = v->st;
		ret->way = "as it was";
		return settle(c, e);
	}
	rc = realize(c, e);
	ret->written = c->done.written;
	ret->way = c->way;
	return rc;
}

static bool anything(struct volume *v, const struct commit_opts *o, uint64_t *edits)
{
	pthread_rwlock_rdlock(&v->lock);
	*edits = changes_count(v);
	pthread_rwlock_unlock(&v->lock);
	return *edits || o->compact || o->output || v->edit->dirty.n || v->tree.undo.n;
}

/* The last result, for .pthfs/commit. */
static void remember(struct volume *v, int rc, const struct commit_result *r, const struct err *e)
{
	struct buf *b = &v->edit->result;
	pthread_rwlock_wrlock(&v->lock);
	b->n = 0;
	if (rc < 0)
		buf_printf(b, "failed: %s\n", e->text);
	else if (r->edits == 0 && r->written == 0)
		buf_puts(b, "nothing to commit\n");
	else
		buf_printf(b, "committed %" PRIu64 " edit%s, wrote %s%s%s%s\n", r->edits,
				r->edits == 1 ? "" : "s", STR_SIZE(r->written), *r->way ? " (" : "", r->way,
				*r->way ? ")" : "");
	uint64_t scratch = 0;
	for (size_t i = 0; rc == 0 && i < v->edit->scratch.n; i++)
		scratch += !v->edit->scratch.at[i].gone;
	if (scratch)
		buf_printf(b, "%" PRIu64 " file%s without a type %s not in it (pthfs status lists them): they "
			      "go with the mount\n", scratch, scratch == 1 ? "" : "s",
				scratch == 1 ? "is" : "are");
	if (rc == 0 && r->dead >= 65536 && r->dead >= r->size / 10)
		buf_printf(b, "%s of the file are dead space now: pthfs compact gives them back\n",
				STR_SIZE(r->dead));
	pthread_rwlock_unlock(&v->lock);
}

/* The objects are as they were: the next commit works them out again. */
static void take_back(struct volume *v)
{
	pthread_rwlock_wrlock(&v->lock);
	graph_undo(&v->ck->model.graph);
	graph_record_undo(&v->ck->model.graph);
	pthread_rwlock_unlock(&v->lock);
}

static void forget_suspects(struct volume *v)
{
	pthread_rwlock_wrlock(&v->lock);
	gate_forget(v);
	pthread_rwlock_unlock(&v->lock);
}

int volume_commit(struct volume *v, const struct commit_opts *o, struct commit_result *ret, struct err *e)
{
	struct commit c = {.v = v, .o = o, .way = "", .at = v->path};
	struct commit_result r = {.way = ""};
	struct err own = {0};
	int rc = 0;
	if (!v->edit || !v->edit->on)
		return err_sys(e, EROFS, "it is open read-only");
	if (o->compact && v->opts.mode == VOLUME_RW && !o->output && !o->unmounting)
		return err_set(e, ERR_UNSUPPORTED, "compact needs the checkpoint for itself: unmount it, then "
						   "pthfs compact FILE (or mount it with -o compact)");
	pthread_mutex_lock(&v->edit->mutex);
	plan_init(&c.plan);
	if (anything(v, o, &r.edits)) {
		atomic_store(&v->edit->committing, !o->dry_run);
		rc = commit_edits(&c, &r, &own);
		atomic_store(&v->edit->committing, false);
	} else {
		forget_suspects(v);
		rc = o->unmounting ? settle(&c, &own) : 0;
	}
	if (!c.replaced)
		take_back(v);
	else
		v->edit->gate.refused = false;
	if (rc < 0 && v->edit->journal && !o->dry_run && !o->output)
		journal_note(v->edit->journal, own.text, NULL);
	if (rc < 0)
		err_prefix(&own, "%s", c.at);
	if (!o->dry_run)
		remember(v, rc, &r, &own);
	plan_release(&c.plan);
	free(c.places);
	free(c.named);
	vec_release(&c.runs);
	pthread_mutex_unlock(&v->edit->mutex);
	if (rc < 0 && e)
		*e = own;
	if (rc == 0)
		*ret = r;
	return rc;
}

bool volume_progress(const struct volume *v, uint64_t *done, uint64_t *total)
{
	if (!v->edit || !atomic_load(&v->edit->committing))
		return false;
	*done = atomic_load(&v->edit->done);
	*total = atomic_load(&v->edit->total);
	return true;
}
