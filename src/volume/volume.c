/* volume.c - opening a checkpoint for front ends: load, name, index.
 *
 *	checkpoint (format) -> model -> tree -> volume
 *
 * Everything here is made once and then only read, but for the views that are made when somebody
 * asks for a prefix (views.c) and the log. What is computed at open costs O(metadata); tensor
 * bytes are not touched.
 */
#include "internal.h"

#include <pthfs/cleanup.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <string.h>

static int load(struct volume *v, const char *path, struct err *e)
{
	struct format_opts fo = {.salvage = v->opts.salvage, .max_names = v->opts.max_names};
	int rc;
	if (stat(path, &v->st) < 0)
		return err_sys(e, errno, "cannot open it");
	rc = checkpoint_open(path, &fo, &v->ck, e);
	if (rc == 0)
		rc = tree_build(vol_model(v), v->opts.max_names, &v->tree, e);
	if (rc == 0)
		rc = overlaps_init(v, e);
	return rc;
}

static void count_node(struct volume *v, uint32_t i)
{
	const struct model *m = vol_model(v);
	const struct value *val = node_value(&v->tree, i);
	struct volume_totals *t = &v->totals;
	if (v->tree.nodes.at[i].flags & NODE_DIR)
		return; /* also the root of a lone tensor or value */
	if (val->kind == VALUE_LEAF) {
		t->values++;
		return;
	}
	if (val->kind != VALUE_TENSOR)
		return;
	if (v->tree.first_node[val->tensor] != i) {
		t->tied++;
		return;
	}
	t->tensors++;
	t->broken += m->tensors.at[val->tensor].broken != NULL;
	t->views += overlaps_others(v, val->tensor);
	t->bytes += m->tensors.at[val->tensor].nbytes;
}

static void count_totals(struct volume *v)
{
	for (uint32_t i = 0; i < v->tree.nodes.n; i++)
		if (!(v->tree.nodes.at[i].flags & NODE_OBJECT))
			count_node(v, i);
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
	pthread_rwlock_init(&v->views_lock, NULL);
	pthread_mutex_init(&v->archive_lock, NULL);
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
	count_totals(v);
	log_findings(v);
	malloc_trim(0); /* what only loading needed goes back: mounts live long */
	*ret = v;
	return 0;
}

void volume_close(struct volume *v)
{
	if (!v)
		return;
	views_release(v);
	archive_release(v);
	overlaps_release(v);
	tree_release(&v->tree);
	checkpoint_free(v->ck);
	log_free(v->log);
	pthread_rwlock_destroy(&v->views_lock);
	pthread_mutex_destroy(&v->archive_lock);
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
	return &v->st;
}

struct log *volume_log(struct volume *v)
{
	return v->log;
}

uint64_t volume_bytes(const struct volume *v)
{
	return v->totals.bytes;
}

uint64_t volume_names(const struct volume *v)
{
	return v->tree.nodes.n + v->totals.tensors;
}

void volume_totals(const struct volume *v, struct volume_totals *ret)
{
	*ret = v->totals;
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
		if (v->tree.nodes.at[i].flags & NODE_OBJECT || !vol_is_state_dict(v, i))
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
	const struct volume_totals *t = &v->totals;
	const char *prefix;
	buf_printf(out, "%llu tensor%s, %s, read-only", (unsigned long long)t->tensors,
			t->tensors == 1 ? "" : "s", STR_SIZE(t->bytes));
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
