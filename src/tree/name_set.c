/* name_set.c - names of which each is given once: first every key's own spelling, then numbers for
 * the later of two. So a key "a~2" keeps its name whatever stands before it.
 */
#include <pthfs/tree.h>

static bool same_name(const void *ctx, const void *key, uint32_t id)
{
	const struct name_set *s = ctx;
	const struct str *name = key;
	return str_eq(s->at.at[id], *name);
}

void name_set_release(struct name_set *s)
{
	vec_release(&s->at);
	vec_release(&s->taken);
	idmap_release(&s->ids);
}

uint32_t name_set_find(const struct name_set *s, struct str name)
{
	return idmap_find(&s->ids, str_hash(name), same_name, s, &name);
}

int name_set_add(struct name_set *s, struct arena *a, struct str name)
{
	uint32_t id = (uint32_t)s->at.n;
	bool taken = name_set_find(s, name) != IDMAP_NONE;
	struct str kept = arena_str(a, name);
	if (!kept.p || vec_push(&s->at, kept) < 0)
		return ERR_NOMEM;
	return taken ? vec_push(&s->taken, id) : idmap_add(&s->ids, str_hash(kept), id);
}

int name_set_number(struct name_set *s, struct arena *a)
{
	struct buf b;
	size_t last = 0;
	int rc = 0;
	buf_init(&b, 512);
	for (size_t i = 0; i < s->taken.n && rc == 0; i++) {
		uint32_t id = s->taken.at[i];
		size_t k = 1;
		do {
			k = name_next_number(k, &last);
			name_numbered(s->at.at[id], k, &b);
		} while (!b.failed && name_set_find(s, buf_view(&b)) != IDMAP_NONE);
		struct str kept = arena_str(a, buf_view(&b));
		if (b.failed || !kept.p)
			rc = ERR_NOMEM;
		else
			s->at.at[id] = kept;
		if (rc == 0)
			rc = idmap_add(&s->ids, str_hash(kept), id);
	}
	buf_release(&b);
	s->taken.n = 0;
	return rc;
}
