/* volume_kit.h - a committed checkpoint as a volume, and what its paths answer. The tests run in
 * the repository's root, or in the folder that PTHFS_SRC names.
 */
#ifndef VOLUME_KIT_H
#define VOLUME_KIT_H

#include "tap.h"

#include <stdlib.h>

#include <pthfs/volume.h>

static struct volume *vol;

static inline void open_with(const char *name, const struct volume_opts *o)
{
	const char *root = getenv("PTHFS_SRC");
	struct err e = {0};
	char path[4096];

	snprintf(path, sizeof path, "%s/tests/data/%s", root ? root : ".", name);
	vol = NULL;
	if (volume_open(path, o, &vol, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
}

static inline void open_data(const char *name)
{
	open_with(name, NULL);
}

static inline void close_data(void)
{
	volume_close(vol);
	vol = NULL;
}

static inline struct vattr attr_at(const char *path)
{
	struct vattr a = {0};
	struct err e = {0};

	if (volume_resolve(vol, path, &a, &e) < 0) {
		tap_bad++;
		printf("# %s: %s\n", path, e.text);
	}
	return a;
}

static inline uint64_t ino_at(const char *path)
{
	return attr_at(path).ino;
}

static inline int lookup_in(uint64_t dir, const char *name)
{
	struct vattr a;

	return volume_lookup(vol, dir, str_of(name), &a, NULL);
}

/* 0, or the code of the error. */
static inline int resolve(const char *path)
{
	struct vattr a;

	return volume_resolve(vol, path, &a, NULL);
}

/* The file's bytes behind each other in out, which is terminated; -1 when it cannot be read. */
static inline int64_t read_ino(uint64_t ino, char *out, size_t size)
{
	struct vfile *f;
	struct err e = {0};
	size_t got = 0;

	if (volume_file_open(vol, ino, &f, &e) < 0 ||
			volume_file_read(f, out, size - 1, 0, &got, &e) < 0) {
		printf("# inode %" PRIu64 ": %s\n", ino, e.text);
		return -1;
	}
	volume_file_close(f);
	out[got] = 0;
	return (int64_t)got;
}

static inline const char *text_in(const char *path, char *out, size_t size)
{
	struct vattr a = attr_at(path);

	if (read_ino(a.ino, out, size) < 0)
		return "(cannot be read)";
	EQ_I64(strlen(out), a.size); /* what stat says is what is read */
	return out;
}
#define TEXT(path) text_in((path), (char[65536]){0}, 65536)

/* --- listings --------------------------------------------------------------------------------- */

#define LIST_MAX 4096
struct list {
	char name[LIST_MAX][256];
	uint64_t ino[LIST_MAX], next[LIST_MAX];
	uint32_t mode[LIST_MAX];
	struct vattr attr[LIST_MAX];
	size_t n, max; /* stops when max are taken */
};

static inline bool list_add(void *ctx, struct str name, const struct vattr *attr, uint64_t next)
{
	struct list *l = ctx;

	if (l->n == l->max)
		return false;
	snprintf(l->name[l->n], sizeof l->name[0], "%.*s", STR_FMT(name));
	l->ino[l->n] = attr->ino;
	l->mode[l->n] = attr->mode;
	l->attr[l->n] = *attr;
	l->next[l->n++] = next;
	return true;
}

/* Every entry of a directory, dots left out. */
static inline struct list *list_from(uint64_t dir, uint64_t cursor, bool want_attr, size_t max)
{
	struct list *l = calloc(1, sizeof *l);
	struct err e = {0};

	l->max = max;
	EQ_I64(volume_readdir(vol, dir, cursor, want_attr, list_add, l, &e), 0);
	return l;
}

static inline struct list *list_dir(uint64_t dir)
{
	return list_from(dir, 2, false, LIST_MAX);
}

static inline size_t list_find(const struct list *l, const char *name)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->name[i], name) != 0)
		i++;
	return i;
}

#endif
