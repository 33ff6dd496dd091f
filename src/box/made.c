/* made.c - boxes made by hand, for formats that are no archive but have named parts: the pickles
 * and storages of a legacy stream are its members.
 *
 * Such names are the format's own words and storage keys; they need not be safe as paths, since
 * nobody unpacks them by name (the volume escapes them like any name).
 */
#include <pthfs/box.h>

#include <stdlib.h>

int box_new(const char *kind, struct source *file, struct box **ret, struct err *e)
{
	struct box *b = calloc(1, sizeof *b);
	if (!b)
		return err_nomem(e);
	b->kind = kind;
	b->file = source_ref(file);
	arena_init(&b->names, 0);
	*ret = b;
	return 0;
}

/* The table has room for a power of two: it is full when n is one. */
static int make_room(struct box *b)
{
	if (b->n & (b->n - 1))
		return 0;
	size_t cap = b->n ? 2 * (size_t)b->n : 1;
	struct member *at = realloc(b->at, cap * sizeof *at);
	if (!at)
		return ERR_NOMEM;
	b->at = at;
	return 0;
}

int box_add(struct box *b, struct str name, uint64_t data_off, uint64_t size, struct err *e)
{
	struct member m = {.data_off = data_off, .stored = size, .size = size};
	if (b->n >= IDMAP_NONE - 1)
		return err_set(e, ERR_LIMIT, "more than 4294967294 parts");
	m.name = arena_str(&b->names, name);
	if (!m.name.p || make_room(b) < 0 || idmap_add(&b->by_name, str_hash_case(m.name), b->n) < 0)
		return err_nomem(e);
	b->at[b->n++] = m;
	return 0;
}
