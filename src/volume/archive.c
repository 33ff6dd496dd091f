/* archive.c - the container's members as a directory tree, for .pthfs/archive/, made when somebody
 * first looks: a checkpoint has a member for each tensor, and hardly anybody does.
 *
 * The folder that all members of a torch zip share is left out, so that it is archive/data.pkl
 * whatever the file was called when it was saved. Names are cleaned like keys: a member is never a
 * path, "a" beside "a/b" becomes "a~2", links are plain bytes.
 */
#include "internal.h"

#include <string.h>

#define MAX_DEPTH 64 /* components of a member's name; what is deeper stays in the last one */

struct arc_place {
	const struct archive *a;
	uint32_t parent;
};

static uint64_t place_hash(uint32_t parent, struct str name)
{
	return str_hash(name) ^ (parent + 1) * 0x9e3779b97f4a7c15u;
}

static bool same_place(const void *ctx, const void *key, uint32_t id)
{
	const struct arc_place *p = ctx;
	const struct str *name = key;
	return p->a->nodes.at[id].parent == p->parent && str_eq(p->a->nodes.at[id].name, *name);
}

static uint32_t find_in(const struct archive *a, uint32_t dir, struct str name)
{
	struct arc_place p = {a, dir};
	return idmap_find(&a->by_name, place_hash(dir, name), same_place, &p, &name);
}

static int add_node(struct archive *a, uint32_t dir, struct str name, uint32_t member,
		uint32_t *ret)
{
	uint32_t id = (uint32_t)a->nodes.n;
	struct arc_node n = {arena_str(&a->names, name), dir, TREE_NONE, TREE_NONE, TREE_NONE, member};
	if (!n.name.p || vec_push(&a->nodes, n) < 0)
		return ERR_NOMEM;
	if (id == 0)
		return 0;
	struct arc_node *parent = &a->nodes.at[dir];
	if (parent->last == TREE_NONE)
		parent->first = id;
	else
		a->nodes.at[parent->last].next = id;
	parent->last = id;
	*ret = id;
	return idmap_add(&a->by_name, place_hash(dir, n.name), id);
}

/* A child of dir under a legal name; an existing directory is entered, anything else renamed. */
static int enter(struct archive *a, uint32_t dir, struct str part, uint32_t member, uint32_t *ret)
{
	struct buf name, b;
	buf_init(&name, 4096);
	buf_init(&b, 4096);
	name_of_text(part, &name);
	struct str unique = buf_view(&name);
	uint32_t id = find_in(a, dir, unique);
	for (size_t k = 1; id != IDMAP_NONE && !b.failed;) {
		if (member == TREE_NONE && a->nodes.at[id].member == TREE_NONE)
			break;
		k = name_next_number(k, &a->last_number);
		name_numbered(buf_view(&name), k, &b);
		unique = buf_view(&b);
		id = find_in(a, dir, unique);
	}
	int rc = name.failed || b.failed ? ERR_NOMEM : 0;
	if (rc == 0 && id == IDMAP_NONE)
		rc = add_node(a, dir, unique, member, ret);
	else if (rc == 0)
		*ret = id;
	buf_release(&name);
	buf_release(&b);
	return rc;
}

static int add_member(struct archive *a, struct str path, uint32_t member)
{
	uint32_t dir = 0;
	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		const char *slash = memchr(path.p, '/', path.n);
		if (!slash)
			break;
		struct str part = {path.p, (size_t)(slash - path.p)};
		path = str_skip(path, part.n + 1);
		if (part.n && enter(a, dir, part, TREE_NONE, &dir) < 0)
			return ERR_NOMEM;
	}
	uint32_t id;
	return path.n ? enter(a, dir, path, member, &id) : 0; /* "dir/" is a directory entry */
}

/* The folder that every member lies in, with its slash; empty when there is none. */
static struct str common_folder(const struct box *b)
{
	struct str first = b->n ? b->at[0].name : STR("");
	const char *slash = first.n ? memchr(first.p, '/', first.n) : NULL;
	struct str folder = {first.p, slash ? (size_t)(slash - first.p) + 1 : 0};
	for (uint32_t i = 1; i < b->n && folder.n; i++)
		if (!str_starts(b->at[i].name, folder))
			folder.n = 0;
	return folder;
}

static int fill(struct archive *a, const struct box *b)
{
	uint32_t root;
	arena_init(&a->names, 0);
	int rc = add_node(a, 0, STR(""), TREE_NONE, &root);
	if (b && rc == 0) {
		struct str folder = common_folder(b);
		for (uint32_t i = 0; i < b->n && rc == 0; i++)
			rc = add_member(a, str_skip(b->at[i].name, folder.n), i);
	}
	return rc;
}

static const struct archive *get(struct volume *v, struct err *e)
{
	const struct archive *a = NULL;
	pthread_mutex_lock(&v->archive_lock);
	if (v->archive.nodes.n == 0 && fill(&v->archive, v->ck->box) < 0) {
		archive_release(v);
		err_nomem(e);
	} else {
		a = &v->archive; /* it does not change any more */
	}
	pthread_mutex_unlock(&v->archive_lock);
	return a;
}

void archive_release(struct volume *v)
{
	arena_release(&v->archive.names);
	vec_release(&v->archive.nodes);
	idmap_release(&v->archive.by_name);
}

int archive_node(struct volume *v, uint64_t index, const struct arc_node **ret, struct err *e)
{
	const struct archive *a = get(v, e);
	if (!a)
		return ERR_NOMEM;
	if (index >= a->nodes.n)
		return err_set(e, ERR_ABSENT, "no such inode");
	*ret = &a->nodes.at[index];
	return 0;
}

int archive_find(struct volume *v, uint32_t dir, struct str name, uint32_t *ret, struct err *e)
{
	const struct archive *a = get(v, e);
	if (!a)
		return ERR_NOMEM;
	uint32_t id = find_in(a, dir, name);
	if (id == IDMAP_NONE)
		return err_set(e, ERR_ABSENT, "no such name");
	*ret = id;
	return 0;
}
