/* view.c - one view: the transformed names of a state_dict's children.
 *
 * Position i of the table is child i of the directory, so that a view's listing is the listing of
 * the directory with other words. Prefixes end at a dot: stripping "mod" leaves "module.x" alone.
 */
#include <pthfs/view.h>

#include <pthfs/cleanup.h>
#include <string.h>

/* Does key begin with prefix and a dot? */
static bool has_prefix(struct str key, struct str prefix)
{
	return key.n > prefix.n && str_starts(key, prefix) && key.p[prefix.n] == '.';
}

/* One step on the key in b. */
static void step(const struct view_step *s, struct buf *b)
{
	bool has = has_prefix(buf_view(b), s->prefix);
	size_t n = s->prefix.n + 1;
	if (s->op == VIEW_STRIP && has) {
		b->n -= n;
		memmove(b->p, b->p + n, b->n);
	}
	if (s->op == VIEW_ADD && !has) {
		size_t old = b->n;
		buf_str(b, s->prefix); /* makes the room, wherever it goes */
		buf_putc(b, '.');
		if (b->failed)
			return;
		memmove(b->p + n, b->p, old);
		memcpy(b->p, s->prefix.p, s->prefix.n);
		b->p[s->prefix.n] = '.';
	}
}

/* The key of a child as the steps make it, in b. False: it has none, or no memory. */
static bool transformed(const struct tree *t, uint32_t child, const struct view_step *steps,
		unsigned n, struct buf *b)
{
	struct str key;
	if (!key_text(&t->model->graph, t->nodes.at[child].key, &key))
		return false;
	b->n = 0;
	buf_str(b, key);
	for (unsigned i = 0; i < n && !b->failed; i++)
		step(&steps[i], b);
	return !b->failed;
}

static int add_name(struct view *v, uint32_t child, struct buf *key_buf, struct buf *name)
{
	name->n = 0;
	if (transformed(v->tree, child, v->steps, v->n_steps, key_buf))
		name_of_text(buf_view(key_buf), name);
	else
		buf_str(name, node_name(v->tree, child));
	if (name->failed)
		return ERR_NOMEM;
	return name_set_add(&v->names, &v->arena, buf_view(name));
}

static int fill(struct view *v, struct err *e)
{
	const struct node *dir = &v->tree->nodes.at[v->dir];
	struct buf key, name;
	int rc = 0;
	buf_init(&key, 1 << 20);
	buf_init(&name, 4096);
	for (uint32_t i = 0; i < dir->n && rc == 0; i++)
		rc = add_name(v, dir->first + i, &key, &name);
	buf_release(&key);
	buf_release(&name);
	if (rc == 0)
		rc = name_set_number(&v->names, &v->arena);
	return rc < 0 ? err_nomem(e) : 0;
}

int view_make(const struct tree *t, uint32_t dir, const struct view_step *steps, unsigned n,
		struct view **ret, struct err *e)
{
	if (n > VIEW_MAX_STEPS)
		return err_set(e, ERR_LIMIT, "more than %d prefixes in one view", VIEW_MAX_STEPS);
	struct view *v = calloc(1, sizeof *v);
	if (!v)
		return err_nomem(e);
	v->tree = t;
	v->dir = dir;
	v->n_steps = n;
	arena_init(&v->arena, 0);
	int rc = 0;
	for (unsigned i = 0; i < n; i++) {
		v->steps[i].op = steps[i].op;
		v->steps[i].prefix = arena_str(&v->arena, steps[i].prefix);
		if (!v->steps[i].prefix.p)
			rc = err_nomem(e);
	}
	if (rc == 0)
		rc = fill(v, e);
	if (rc < 0) {
		view_free(v);
		return rc;
	}
	*ret = v;
	return 0;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	name_set_release(&v->names);
	arena_release(&v->arena);
	free(v);
}

uint32_t view_find(const struct view *v, struct str name)
{
	uint32_t i = name_set_find(&v->names, name);
	return i == IDMAP_NONE ? TREE_NONE : v->tree->nodes.at[v->dir].first + i;
}

struct str view_name(const struct view *v, uint32_t child)
{
	return v->names.at.at[child];
}

bool view_has_prefix(const struct tree *t, uint32_t dir, const struct view_step *steps, unsigned n,
		struct str prefix)
{
	const struct node *d = &t->nodes.at[dir];
	struct buf b;
	bool found = false;
	buf_init(&b, 1 << 20);
	for (uint32_t i = 0; i < d->n && !found; i++) {
		found = transformed(t, d->first + i, steps, n, &b) &&
			has_prefix(buf_view(&b), prefix);
	}
	buf_release(&b);
	return found;
}
