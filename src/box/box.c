/* box.c - what zip and tar have in common: the table of members, and names that are safe.
 *
 *	members   one array in directory order, 56 bytes each
 *	names     an arena; the index over them is an idmap, hashed case-insensitively
 *
 * Names are kept as they are in the file (any bytes but NUL, any length); refused are those that
 * a program could take for a place outside the folder it unpacks to (formats/torch-zip.md
 * section 13). What a name means is for the rooms above.
 *
 * Thread rule: a sealed box is only read; the inflater has its own lock.
 */
#include "box_in.h"

#include <stdlib.h>
#include <string.h>

#include <pthfs/box.h>

static bool member_named(const void *ctx, const void *key, uint32_t id)
{
	const struct member *at = ctx;

	return str_eq_case(at[id].name, *(const struct str *)key);
}

int box_build_init(struct box_build *w, struct source *file, const char *kind, struct err *e)
{
	*w = (struct box_build){.box = calloc(1, sizeof *w->box)};
	if (!w->box)
		return err_nomem(e);
	w->box->kind = kind;
	w->box->file = source_ref(file);
	arena_init(&w->box->names, 0);
	return 0;
}

void box_build_drop(struct box_build *w)
{
	vec_release(&w->list);
	box_free(w->box);
	w->box = NULL;
}

int box_push(struct box_build *w, const struct member *m, struct err *e)
{
	if (w->list.n >= IDMAP_NONE - 1)
		return err_set(e, ERR_LIMIT, "more than 4294967294 records");
	if (vec_room(&w->list, 1) < 0 ||
		idmap_add(&w->box->by_name, str_hash_case(m->name), (uint32_t)w->list.n) < 0)
		return err_nomem(e);
	w->list.at[w->list.n++] = *m;
	return 0;
}

uint32_t box_lookup(const struct box_build *w, struct str name)
{
	return idmap_find(&w->box->by_name, str_hash_case(name), member_named, w->list.at, &name);
}

int box_seal(struct box_build *w, struct box **ret, struct err *e)
{
	struct member *tight = w->list.at;
	bool deflated = false;

	/* The vector may hold half as much again; a box stays as long as its mount. */
	if (w->list.n && w->list.n < w->list.cap)
		tight = realloc(w->list.at, w->list.n * sizeof *tight);
	w->box->at = tight ? tight : w->list.at;
	w->box->n = (uint32_t)w->list.n;
	w->list.at = NULL;
	for (uint32_t i = 0; i < w->box->n && !deflated; i++)
		deflated = w->box->at[i].method != 0;
	if (deflated && inflater_new(w->box, e) < 0) {
		box_build_drop(w);
		return ERR_NOMEM;
	}
	*ret = w->box;
	w->box = NULL;
	return 0;
}

void box_free(struct box *b)
{
	if (!b)
		return;
	inflater_free(b->inflater);
	free(b->at);
	idmap_release(&b->by_name);
	arena_release(&b->names);
	source_unref(b->file);
	free(b);
}

void box_settle(struct box *b)
{
	idmap_release(&b->by_name);
}

const struct member *box_find(const struct box *b, struct str name)
{
	if (!b->by_name.cap) {
		for (uint32_t i = 0; i < b->n; i++)
			if (str_eq_case(b->at[i].name, name))
				return &b->at[i];
		return NULL;
	}
	uint32_t id = idmap_find(&b->by_name, str_hash_case(name), member_named, b->at, &name);

	return id == IDMAP_NONE ? NULL : &b->at[id];
}

int box_source(struct box *b, const struct member *m, struct source **ret, struct err *e)
{
	struct source *s;

	if (m->method != 0)
		return inflater_source(b, m, ret, e);
	s = source_window(b->file, m->data_off, m->stored);
	if (!s)
		return err_nomem(e);
	*ret = s;
	return 0;
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_dotdot(struct str name)
{
	size_t start = 0;

	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && !is_separator(name.p[i]))
			continue;
		if (i - start == 2 && name.p[start] == '.' && name.p[start + 1] == '.')
			return true;
		start = i + 1;
	}
	return false;
}

static int name_check(struct str name, struct err *e)
{
	if (name.n == 0)
		return err_set(e, ERR_REFUSED, "it has no name");
	if (memchr(name.p, 0, name.n))
		return err_set(e, ERR_REFUSED, "the name holds a NUL, where some readers end it");
	if (is_separator(name.p[0]) || (name.n >= 3 && is_letter(name.p[0]) && name.p[1] == ':' &&
					       is_separator(name.p[2])))
		return err_set(e, ERR_REFUSED, "the name is an absolute path");
	if (has_dotdot(name))
		return err_set(e, ERR_REFUSED, "the name has a \"..\" component");
	return 0;
}

int box_keep_name(struct box_build *w, struct str name, struct str *ret, struct err *e)
{
	struct str kept;
	int err = name_check(name, e);

	if (err < 0)
		return err;
	kept = arena_str(&w->box->names, name);
	if (!kept.p)
		return err_nomem(e);
	*ret = kept;
	return 0;
}

int box_at(struct err *e, int code, struct str name, const char *place, uint64_t off)
{
	err_prefix(e, "record \"%s\" (%s at offset %llu)", STR_SHOW(name), place,
		(unsigned long long)off);
	return code;
}
