/* volume.c - opening a checkpoint for front ends: load, name, index.
 *
 *	checkpoint (format) -> model -> tree -> volume
 *
 * Everything here is made once and then only read, but for the views that are made when somebody
 * asks for a prefix (views.c) and the log. What is computed at open costs O(metadata); tensor
 * bytes are not touched.
 */
#include "edit.h"

#include <pthfs/cleanup.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <string.h>

/* A half-done commit in place is shown as it will be, and left as it is. */
static int open_patched(const char *path, struct source **ret, struct err *e)
{
	struct journal *j;
	struct source *file = NULL;
	struct stat st;
	uint64_t cut;
	int rc = vol_journal_open(path, true, &j, &cut, NULL);
	if (rc < 0)
		return 0; /* none that says anything */
	if (journal_state(j) == JOURNAL_PATCHING && stat(path, &st) == 0 &&
			st.st_ino == journal_bind(j)->ino) {
		rc = source_file_open(path, &file, e);
		if (rc == 0)
			rc = inplace_source(j, file, ret, e);
		source_unref(file);
	}
	journal_close(j);
	return rc;
}

static int load_file(struct volume *v, const char *path, struct err *e)
{
	struct format_opts fo = {.salvage = v->opts.salvage, .max_names = v->opts.max_names};
	struct source *patched = NULL;
	int rc = v->edit ? 0 : open_patched(path, &patched, e);
	if (rc == 0 && !patched)
		return checkpoint_open(path, &fo, &v->ck, e);
	if (rc == 0) {
		rc = checkpoint_load(patched, &fo, &v->ck, e);
		log_add(v->log, "note: a commit in place was interrupted: shown as it will be once pthfs "
				"recover has finished it");
	}
	source_unref(patched);
	return rc;
}

static int load(struct volume *v, const char *path, struct err *e)
{
	int rc = 0;
	if (stat(path, &v->st) < 0)
		return err_sys(e, errno, "cannot open it");
	if (v->opts.mode != VOLUME_READ)
		rc = edit_prepare(v, path, e);
	if (rc == 0 && stat(path, &v->st) < 0) /* it may have been finished just now */
		rc = err_sys(e, errno, "cannot open it");
	v->shown = v->st;
	if (rc == 0)
		rc = load_file(v, path, e);
	if (rc == 0)
		rc = tree_build(vol_model(v), v->opts.max_names, &v->tree, e);
	if (rc == 0)
		rc = overlaps_init(v, e);
	if (rc == 0)
		rc = views_init(v, e);
	if (rc == 0 && v->edit)
		rc = edit_start(v, e);
	if (rc < 0 && v->edit && v->edit->finished)
		err_prefix(e, "the commit in place that was interrupted is finished now, but");
	return rc;
}

static void count_node(const struct volume *v, uint32_t i, struct volume_totals *t)
{
	const struct model *m = vol_model(v);
	const struct value *val = node_value(&v->tree, i);
	if (v->tree.nodes.at[i].flags & NODE_DIR)
		return; /* also the root of a lone tensor or value */
	if (val->kind == VALUE_LEAF) {
		t->values++;
		return;
	}
	if (val->kind != VALUE_TENSOR)
		return;
	if (tree_first(&v->tree, val->tensor) != i) {
		t->tied++;
		return;
	}
	t->tensors++;
	t->broken += m->tensors.at[val->tensor].broken != NULL;
	t->views += overlaps_others(v, val->tensor);
	t->bytes += m->tensors.at[val->tensor].nbytes;
}

static void count_totals(const struct volume *v, struct totals *ret)
{
	struct totals t = {.generation = v->tree.generation, .made = true};
	for (uint32_t i = 0; i < v->tree.nodes.n; i++)
		t.names += v->tree.nodes.at[i].flags & NODE_OBJECT ? 1 : 0;
	for (uint32_t i = 0; i != TREE_NONE; i = tree_next(&v->tree, i)) {
		count_node(v, i, &t.sum);
		t.names++;
	}
	*ret = t;
}

struct totals vol_totals(const struct volume *v)
{
	struct volume *own = (struct volume *)v; /* what is counted when asked for is no change */
	pthread_mutex_lock(&own->totals_lock);
	if (!own->totals.made || own->totals.generation != v->tree.generation)
		count_totals(v, &own->totals);
	struct totals t = own->totals;
	pthread_mutex_unlock(&own->totals_lock);
	return t;
}

/* The findings of loading are the first lines of the log. */
static void log_findings(struct volume *v)
{
	const struct model *m = vol_model(v);
	for (size_t i = 0; i < m->findings.n; i++) {
		const struct finding *f = &m->findings.at[i];
		log_add(v->log, "%s: %.*s", f->kind, STR_FMT(f->message));
	}
	if (v->tree.objects_cut)
		log_add(v->log, "note: .pthfs/object/ is shown in part: the attributes of its modules "
				"expand to more than %u names (-o max_names=N allows more)",
				v->tree.max_names);
}

int volume_open(const char *path, const struct volume_opts *o, struct volume **ret, struct err *e)
{
	struct volume *v = calloc(1, sizeof *v);
	if (!v)
		return err_nomem(e);
	pthread_rwlock_init(&v->lock, NULL);
	pthread_rwlock_init(&v->views_lock, NULL);
	pthread_mutex_init(&v->archive_lock, NULL);
	pthread_mutex_init(&v->totals_lock, NULL);
	v->opts = o ? *o : (struct volume_opts){0};
	v->log = log_new();
	v->path = realpath(path, NULL);
	if (!v->path)
		v->path = strdup(path);
	int rc = v->log && v->path ? load(v, path, e) : err_nomem(e);
	if (rc < 0) {
		err_prefix(e, "%s", path);
		volume_close(v);
		return rc;
	}
	log_findings(v);
	malloc_trim(0); /* what only loading needed goes back: mounts live long */
	*ret = v;
	return 0;
}

void volume_close(struct volume *v)
{
	if (!v)
		return;
	edit_close(v);
	views_release(v);
	archive_release(v);
	overlaps_release(v);
	tree_release(&v->tree);
	checkpoint_free(v->ck);
	log_free(v->log);
	pthread_rwlock_destroy(&v->views_lock);
	pthread_rwlock_destroy(&v->lock);
	pthread_mutex_destroy(&v->archive_lock);
	pthread_mutex_destroy(&v->totals_lock);
	free(v->path);
	free(v);
}

const char *volume_path(const struct volume *v)
{
	return v->path;
}

const char *volume_format(const struct volume *v)
{
	return v->ck->format;
}

const struct stat *volume_stat(const struct volume *v)
{
	return &v->shown;
}

struct log *volume_log(struct volume *v)
{
	return v->log;
}

/* Locked for reading, like every call of the outside. */
static struct totals totals_of(const struct volume *v)
{
	struct volume *own = (struct volume *)v;
	vol_read_begin(own);
	struct totals t = vol_totals(v);
	vol_read_end(own);
	return t;
}

uint64_t volume_bytes(const struct volume *v)
{
	return totals_of(v).sum.bytes;
}

uint64_t volume_names(const struct volume *v)
{
	struct totals t = totals_of(v);
	return t.names + t.sum.tensors;
}

void volume_totals(const struct volume *v, struct volume_totals *ret)
{
	*ret = totals_of(v).sum;
}

bool vol_is_state_dict(const struct volume *v, uint32_t node)
{
	return node_value(&v->tree, node)->flags & VALUE_STATE_DICT;
}

/* The prefixes that wrappers of whole models put in front of their keys. */
static const char *const wrappers[] = {"module", "_orig_mod"};

/* The first state_dict of the tree whose keys begin so: what the summary speaks of. */
static uint32_t prefixed_dir(const struct volume *v, const char **prefix)
{
	for (uint32_t i = 0; i < v->tree.nodes.n; i++) {
		struct str first;
		if (v->tree.nodes.at[i].flags & NODE_OBJECT || !vol_is_state_dict(v, i) ||
				!tree_alive(&v->tree, i))
			continue;
		if (view_module_op(&v->tree, i) == VIEW_STRIP)
			return *prefix = wrappers[0], i;
		if (view_prefixes(&v->tree, i, &first, 1) && str_is(first, wrappers[1]))
			return *prefix = wrappers[1], i;
	}
	return TREE_NONE;
}

void volume_summary(struct volume *v, const char *mnt, struct buf *out)
{
	struct totals totals = vol_totals(v);
	const struct volume_totals *t = &totals.sum;
	const char *prefix;
	buf_printf(out, "%llu tensor%s, %s, %s", (unsigned long long)t->tensors,
			t->tensors == 1 ? "" : "s", STR_SIZE(t->bytes),
			v->edit ? "read-write" : "read-only");
	if (t->broken)
		buf_printf(out, "; %llu cannot be read (%s/.pthfs/info says why)",
				(unsigned long long)t->broken, mnt);
	uint32_t dir = prefixed_dir(v, &prefix);
	if (dir == TREE_NONE)
		return;
	struct buf path;
	buf_init(&path, PATH_MAX);
	tree_path(&v->tree, dir, &path);
	buf_printf(out, "; keys%s%.*s begin with \"%s.\" (%s/%.*s%s%s%s/ has them without)",
			path.n ? " of " : "", STR_FMT(buf_view(&path)), prefix, mnt,
			STR_FMT(buf_view(&path)), path.n ? "/" : "",
			prefix == wrappers[0] ? "" : ".pthfs/strip/", prefix);
	buf_release(&path);
}
