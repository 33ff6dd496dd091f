/* change_kit.h - a checkpoint that is changed, and what is loaded from its objects afterwards.
 *
 *	struct ckpt k, now;
 *	ckpt_data(&k, "good-state-dict.pth");
 *	... change_*(k.c, ...)
 *	ckpt_again(&k, &now);     its objects as a pickle of a new zip, its storages as records
 *
 * The tests run in the repository's root, or in the folder that PTHFS_SRC names.
 */
#ifndef CHANGE_KIT_H
#define CHANGE_KIT_H

#include "ckpt.h"

#include <pthfs/change.h>

static inline void ckpt_data(struct ckpt *k, const char *name)
{
	const char *root = getenv("PTHFS_SRC");
	struct source *src = NULL;
	char path[4096];

	*k = (struct ckpt){0};
	snprintf(path, sizeof path, "%s/tests/data/%s", root ? root : ".", name);
	if (source_file_open(path, &src, &k->e) == 0)
		ckpt_source(k, src, NULL);
	if (!k->c) {
		printf("Bail out! %s: %s\n", name, k->e.text);
		exit(1);
	}
}

/* The number of the value at a path. */
static inline uint32_t value_at(const struct ckpt *k, const char *path)
{
	const struct value *v = ckpt_at(k, path);

	if (v)
		return (uint32_t)(v - k->c->model.values.at);
	tap_bad++;
	printf("# nothing at %s\n", path);
	return k->c->model.root;
}

static inline oref object_at(const struct ckpt *k, const char *path)
{
	return k->c->model.values.at[value_at(k, path)].obj;
}

static inline oref text_object(struct ckpt *k, const char *text)
{
	return obj_new_text(&k->c->model.graph, OBJ_KIND_STR, str_of(text), UINT32_MAX);
}

static inline void add_storage_record(struct mkzip *z, const struct storage *s)
{
	char name[256], *bytes = malloc(s->data.len + 1);

	if (s->data.src && bytes && s->inside == OBJ_NONE &&
			source_read(s->data.src, bytes, s->data.len, s->data.off, NULL) == 0) {
		snprintf(name, sizeof name, "a/data/%.*s", STR_FMT(s->key));
		mkzip_add(z, name, bytes, s->data.len);
	}
	free(bytes);
}

/* What the objects of k are once they were written and read again. */
static inline void ckpt_again(struct ckpt *k, struct ckpt *now)
{
	const struct pickle_save_opts o = {.protocol = k->c->pickle.protocol};
	struct mkzip z = {0};
	struct buf pickle;
	oref root = k->c->model.values.at[k->c->model.root].obj;

	*now = (struct ckpt){0};
	buf_init(&pickle, 1u << 24);
	if (pickle_save_buf(&k->c->model.graph, root, &o, &pickle, &k->e) < 0) {
		tap_bad++;
		printf("# not saved: %s\n", k->e.text);
		buf_release(&pickle);
		return;
	}
	mkzip_add(&z, "a/data.pkl", pickle.p, pickle.n);
	for (size_t i = 0; i < k->c->model.storages.n; i++)
		add_storage_record(&z, &k->c->model.storages.at[i]);
	mkzip_add(&z, "a/version", "3\n", 2);
	ckpt_mkzip(now, &z, NULL);
	buf_release(&pickle);
	if (!now->c) {
		tap_bad++;
		printf("# not loaded again: %s\n", now->e.text);
	}
}

#endif
