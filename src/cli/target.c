/* target.c - which mount, or which file, a word on the command line means. */
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct mount *editing_mount(const struct mount_table *t, const char *path)
{
	for (size_t i = t->n; i-- > 0;)
		if (mount_is_ours(&t->at[i]) && mount_is_rw(&t->at[i]) &&
				strcmp(t->at[i].source, path) == 0)
			return &t->at[i];
	return NULL;
}

static int not_ours(const struct target *t, const char *word, const struct mount *at, struct err *e)
{
	const struct mount *in;
	if (at)
		return err_set(e, ERR_USAGE, "%s is a mount of type %s (%s), not ours", word,
				at->type, at->source);
	in = mount_holding(&t->table, t->path);
	if (in && mount_is_ours(in))
		return err_set(e, ERR_USAGE, "%s lies in the mount at %s: name that", word,
				in->point);
	return err_set(e, ERR_USAGE, "%s is neither a mount point nor a checkpoint", word);
}

static int choose(struct target *t, const char *word, struct err *e)
{
	const struct mount *at = mount_at(&t->table, t->path), *in;
	struct stat st;
	t->named = at && mount_is_ours(at);
	t->m = t->named ? at : editing_mount(&t->table, t->path);
	if (t->m)
		return 0;
	in = mount_holding(&t->table, t->path);
	if ((in && mount_is_ours(in)) || (stat(t->path, &st) == 0 && S_ISDIR(st.st_mode)))
		return not_ours(t, word, at, e);
	return 0;
}

int target_find(const char *word, struct target *ret, struct err *e)
{
	struct target t = {.path = path_resolve(word)};
	if (!t.path)
		return err_sys(e, errno, "%s", word);
	int rc = mount_table_load(&t.table, e);
	if (rc == 0)
		rc = choose(&t, word, e);
	if (rc < 0)
		target_release(&t);
	else
		*ret = t;
	return rc;
}

void target_release(struct target *t)
{
	mount_table_release(&t->table);
	free(t->path);
	*t = (struct target){0};
}
