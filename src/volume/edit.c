/* edit.c - opening a checkpoint for editing, and what all edits share: locks, time, numbers.
 *
 *	edit_prepare()   lock; the journal of a crash: a half-done commit is finished
 *	(the checkpoint is loaded)
 *	edit_start()     edits that were left behind are taken up; or a new journal
 *
 * A journal is believed when it was made for this very file: inode, size, time and a hash of its
 * first and last 64 KiB. One of another file is refused, never thrown away by itself.
 */
#include "edit.h"

#include "lock.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthfs/cleanup.h>
#include <pthfs/sink.h>
#include <string.h>

#define BIND_PART (64u << 10)

int vol_journal_open(const char *path, bool readonly, struct journal **ret, uint64_t *cut,
		struct err *e)
{
	_cleanup_(freep) char *name = journal_path(path);
	int rc = name ? journal_open(name, readonly, ret, cut, e) : err_nomem(e);
	if (rc < 0 && rc != ERR_ABSENT)
		err_prefix(e, "%s", name ? name : "the journal");
	return rc;
}

int vol_journal_create(const char *path, const struct journal_bind *b, struct journal **ret,
		struct err *e)
{
	_cleanup_(freep) char *name = journal_path(path);
	int rc = name ? journal_create(name, b, ret, e) : err_nomem(e);
	if (rc < 0)
		err_prefix(e, "%s", name ? name : "the journal");
	return rc;
}

/* --- which file a journal is of ------------------------------------------------------------------- */

static uint64_t hash_more(uint64_t h, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) /* FNV-1a: the same in every process, unlike str_hash() */
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static int content_hash(struct source *s, uint64_t *ret, struct err *e)
{
	_cleanup_(freep) unsigned char *buf = malloc(BIND_PART);
	uint64_t h = 0xcbf29ce484222325u, n = s->size < BIND_PART ? s->size : BIND_PART;
	if (!buf)
		return err_nomem(e);
	int rc = source_read(s, buf, n, 0, e);
	if (rc == 0) {
		h = hash_more(h, buf, n);
		rc = source_read(s, buf, n, s->size - n, e);
	}
	if (rc == 0)
		*ret = hash_more(h, buf, n);
	return rc;
}

int edit_bind_source(const struct stat *st, struct source *s, struct journal_bind *ret, struct err *e)
{
	*ret = (struct journal_bind){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = st->st_mtim.tv_nsec,
	};
	return content_hash(s, &ret->content, e);
}

int edit_bind(const struct volume *v, struct journal_bind *ret, struct err *e)
{
	return edit_bind_source(&v->st, v->ck->file, ret, e);
}

static const char *other_file(const struct journal_bind *a, const struct journal_bind *b)
{
	if (a->ino != b->ino)
		return "another file has taken its place";
	if (a->size != b->size || a->content != b->content)
		return "its content has changed";
	if (a->mtime_sec != b->mtime_sec || a->mtime_nsec != b->mtime_nsec)
		return "it was written to";
	return NULL;
}

/* Does the journal belong to the file at path, as it is now? */
int edit_belongs(struct journal *j, const char *path, struct err *e)
{
	struct source *s = NULL;
	struct journal_bind now;
	struct stat st;
	const char *how;
	int rc = stat(path, &st) < 0 ? err_sys(e, errno, "cannot look at it") : source_file_open(path, &s, e);
	if (rc == 0)
		rc = edit_bind_source(&st, s, &now, e);
	source_unref(s);
	if (rc < 0)
		return rc;
	how = other_file(journal_bind(j), &now);
	if (!how)
		return 0;
	return err_set(e, ERR_REFUSED,
			"there are edits in its journal (" JOURNAL_SUFFIX ") that were made before the file "
			"changed, %s: put the old file back to take them up, or drop them with pthfs revert",
			how);
}

/* --- before loading: what a crash left --------------------------------------------------------------- */

/* Finishes a commit that had begun to patch the file itself. */
int edit_finish_patch(struct journal *j, const char *path, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC), rc;
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = err_sys(e, errno, "a commit in place was interrupted; to finish it the file must be "
				       "writable");
	else if (st.st_ino != journal_bind(j)->ino)
		rc = err_set(e, ERR_REFUSED, "the journal beside it (" JOURNAL_SUFFIX ") is a half-done commit "
					     "of another file: put that file back, or remove the journal");
	else
		rc = inplace_redo(j, fd, e);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int finish_patch(struct volume *v, struct journal **j, const char *path, struct err *e)
{
	int rc = edit_finish_patch(*j, path, e);
	if (rc < 0)
		return rc;
	v->edit->finished = true;
	buf_puts(&v->edit->notice, "finished a commit in place that was interrupted\n");
	rc = journal_remove(*j, e);
	*j = NULL;
	return rc;
}

static int recover(struct volume *v, struct journal **j, const char *path, struct err *e)
{
	struct stat st;
	if (journal_state(*j) == JOURNAL_PATCHING)
		return finish_patch(v, j, path, e);
	if (stat(path, &st) < 0)
		return err_sys(e, errno, "cannot look at it");
	if (journal_state(*j) == JOURNAL_RENAMING && journal_coming_is(*j, &st)) {
		struct journal *done = *j;
		*j = NULL; /* the commit was complete but for this */
		return journal_remove(done, e);
	}
	if (journal_state(*j) == JOURNAL_EMPTY) {
		struct journal *empty = *j;
		*j = NULL;
		return journal_remove(empty, e);
	}
	return edit_belongs(*j, path, e);
}

/* Looks and touches nothing. */
static int peek(struct volume *v, const char *path, struct err *e)
{
	uint64_t cut;
	int rc = vol_journal_open(path, true, &v->edit->journal, &cut, e);
	if (rc == ERR_ABSENT)
		return 0;
	return rc < 0 ? rc : edit_belongs(v->edit->journal, path, e);
}

int edit_prepare(struct volume *v, const char *path, struct err *e)
{
	struct edit *d = calloc(1, sizeof *d);
	uint64_t cut = 0;
	if (!d)
		return err_nomem(e);
	v->edit = d;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_mutex_init(&d->refresh, NULL);
	buf_init(&d->notice, 1 << 16);
	buf_init(&d->result, 1 << 16);
	d->lock_fd = -1;
	if (v->opts.mode == VOLUME_PEEK)
		return peek(v, path, e);
	int rc = lock_take(path, &d->lock_fd, e);
	if (rc < 0)
		return rc;
	int swept = sink_sweep(path);
	if (swept)
		buf_printf(&d->notice, "removed %d temporary file%s of an interrupted commit\n", swept,
				swept == 1 ? "" : "s");
	rc = vol_journal_open(path, false, &d->journal, &cut, e);
	if (rc == ERR_ABSENT)
		return 0;
	if (rc == 0 && cut)
		buf_printf(&d->notice, "the last %s of the journal were not complete and are left out\n",
				STR_SIZE(cut));
	if (rc == 0)
		rc = recover(v, &d->journal, path, e);
	if (rc == 0 && d->journal && v->opts.mode == VOLUME_EDIT)
		rc = err_set(e, ERR_REFUSED, "edits that were not committed wait in its journal: pthfs commit "
					     "takes them over, pthfs revert drops them");
	return rc;
}

/* --- after loading -------------------------------------------------------------------------------------- */

static int take_up(struct volume *v, struct err *e)
{
	int rc = replay_journal(v, e);
	if (rc < 0) {
		err_prefix(e, "the edits in its journal (" JOURNAL_SUFFIX ") cannot be taken up");
		return rc;
	}
	uint64_t n = changes_count(v);
	buf_printf(&v->edit->notice, "took up %llu edit%s that %s not committed (pthfs status lists them, "
				     "pthfs revert drops them)\n",
			(unsigned long long)n, n == 1 ? "" : "s", n == 1 ? "was" : "were");
	return 0;
}

static int new_journal(struct volume *v, struct err *e)
{
	struct journal_bind b;
	int rc = edit_bind(v, &b, e);
	return rc < 0 ? rc : vol_journal_create(v->path, &b, &v->edit->journal, e);
}

int edit_start(struct volume *v, struct err *e)
{
	struct edit *d = v->edit;
	const struct model *m = vol_model(v);
	d->base_storages = m->storages.n;
	d->base_tensors = m->tensors.n;
	d->base_values = m->values.n;
	d->base_entries = m->entries.n;
	d->on = true;
	tree_record_undo(&v->tree);
	graph_record_undo(&v->ck->model.graph);
	if (v->ck->truncated)
		return err_set(e, ERR_REFUSED, "a file that is only mounted in part (-o salvage) cannot be "
					       "edited: pthfs convert what is there into a new one");
	if (d->journal) {
		int rc = take_up(v, e);
		d->on = v->opts.mode != VOLUME_PEEK;
		return rc;
	}
	d->on = v->opts.mode != VOLUME_PEEK;
	return v->opts.mode == VOLUME_RW ? new_journal(v, e) : 0;
}

void edit_close(struct volume *v)
{
	struct edit *d = v->edit;
	if (!d)
		return;
	gate_release(v);
	scratch_release(v);
	dirty_release(v);
	stage_drop_all(v);
	if (d->journal && d->on && journal_state(d->journal) == JOURNAL_EMPTY)
		journal_remove(d->journal, NULL);
	else
		journal_close(d->journal);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	u32map_release(&d->renamed);
	u32map_release(&d->home);
	u32map_release(&d->made);
	u32map_release(&d->asked);
	u32map_release(&d->raw);
	u32map_release(&d->raw_before);
	u32map_release(&d->retyped);
	u32map_release(&d->lost);
	vec_release(&d->parted);
	u32map_release(&d->entries_of);
	vec_release(&d->entries);
	u32map_release(&d->changed);
	vec_release(&d->times);
	buf_release(&d->notice);
	buf_release(&d->result);
	pthread_mutex_destroy(&d->mutex);
	pthread_mutex_destroy(&d->refresh);
	free(d);
	v->edit = NULL;
}

/* --- around every edit ------------------------------------------------------------------------------------ */

int edit_begin(struct volume *v, struct err *e)
{
	if (!v->edit || !v->edit->on)
		return err_sys(e, EROFS, "it is open read-only");
	pthread_mutex_lock(&v->edit->mutex);
	pthread_rwlock_wrlock(&v->lock);
	return 0;
}

void edit_end(struct volume *v)
{
	pthread_rwlock_unlock(&v->lock);
	pthread_mutex_unlock(&v->edit->mutex);
}

struct timespec edit_now(struct volume *v)
{
	struct timespec now, *last = &v->edit->last;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec < last->tv_sec || (now.tv_sec == last->tv_sec && now.tv_nsec <= last->tv_nsec)) {
		now = *last;
		now.tv_nsec++;
		if (now.tv_nsec == 1000000000)
			now = (struct timespec){now.tv_sec + 1, 0};
	}
	return *last = now;
}

void edit_changed_node(struct volume *v, uint32_t node)
{
	struct edit *d = v->edit;
	uint32_t i;
	struct timespec now = edit_now(v);
	d->generation++;
	if (u32map_get(&d->changed, node, &i))
		d->times.at[i] = now;
	else if (vec_push(&d->times, now) == 0)
		u32map_set(&d->changed, node, (uint32_t)d->times.n - 1); /* else: the old time stays */
}

uint32_t edit_blob_id(struct volume *v)
{
	return v->edit->next_blob++;
}

const char *volume_notice(const struct volume *v)
{
	struct buf *b = v->edit ? &v->edit->notice : NULL;
	if (!b || !b->n)
		return "";
	buf_putc(b, 0);
	b->n--;
	return b->failed ? "" : b->p;
}

bool volume_editing(const struct volume *v)
{
	return v->edit && v->edit->on;
}
