/* view.c - one view: the transformed names of a state_dict's children.
 *
 * Prefixes end at a dot: stripping "mod" leaves "module.x" alone.
 *
 * A name is looked up without a table: its key, the steps undone in every way that there is, is the
 * key of a child, or is not. What becomes of that child's key is compared, so the ways may be too
 * many; of several children the one in the first slot has the plain name. So an edit costs a view
 * nothing. Names that are numbered or cut say nothing about their key: they are in the table, whose
 * position i is slot i of the directory.
 */
#include <pthfs/view.h>

#include <pthfs/cleanup.h>
#include <pthread.h>
#include <string.h>

struct view_table {
	pthread_mutex_t lock;
	bool made;
	uint64_t generation; /* of the tree, when it was made */
	struct arena arena;
	struct name_set names; /* empty slots have the empty name */
};

/* Does key begin with prefix and a dot? */
static bool has_prefix(struct str key, struct str prefix)
{
	return key.n > prefix.n && str_starts(key, prefix) && key.p[prefix.n] == '.';
}

static void take_off(struct buf *b, size_t n)
{
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

static void put_on(struct buf *b, struct str prefix)
{
	size_t old = b->n, n = prefix.n + 1;
	buf_str(b, prefix); /* makes the room, wherever it goes */
	buf_putc(b, '.');
	if (b->failed)
		return;
	memmove(b->p + n, b->p, old);
	memcpy(b->p, prefix.p, prefix.n);
	b->p[prefix.n] = '.';
}

/* One step on the key in b. */
static void step(const struct view_step *s, struct buf *b)
{
	bool has = has_prefix(buf_view(b), s->prefix);
	if (s->op == VIEW_STRIP && has)
		take_off(b, s->prefix.n + 1);
	if (s->op == VIEW_ADD && !has)
		put_on(b, s->prefix);
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

/* Undoes one step on the key in b, which then is one that the step changes, where there is one. */
static bool undo_step(const struct view_step *s, struct buf *b)
{
	if (s->op == VIEW_STRIP) {
		put_on(b, s->prefix);
		return true;
	}
	if (!has_prefix(buf_view(b), s->prefix))
		return false;
	take_off(b, s->prefix.n + 1);
	if (has_prefix(buf_view(b), s->prefix))
		put_on(b, s->prefix); /* it has the prefix twice: the step leaves it alone */
	return true;
}

bool view_key(const struct view_step *steps, unsigned n, struct str shown, struct buf *out)
{
	struct buf key, again;
	bool ok = true;
	buf_init(&key, 1 << 20);
	buf_init(&again, 1 << 20);
	buf_str(&key, shown);
	for (unsigned i = n; i-- > 0 && ok;)
		ok = undo_step(&steps[i], &key);
	buf_str(&again, buf_view(&key));
	for (unsigned i = 0; i < n && ok; i++)
		step(&steps[i], &again);
	ok = ok && !key.failed && !again.failed && str_eq(buf_view(&again), shown);
	if (ok)
		buf_str(out, buf_view(&key));
	buf_release(&key);
	buf_release(&again);
	return ok && !out->failed;
}

/* --- the table -------------------------------------------------------------------------------- */

/* The name that a child would have if no other had it. */
static void own_name(const struct view *v, uint32_t child, struct buf *key, struct buf *name)
{
	name->n = 0;
	if (transformed(v->tree, child, v->steps, v->n_steps, key))
		name_of_text(buf_view(key), name);
	else
		buf_str(name, node_name(v->tree, child));
}

static int add_name(const struct view *v, uint32_t child, struct buf *key, struct buf *name)
{
	struct view_table *table = v->table;
	if (child == TREE_NONE)
		return vec_push(&table->names.at, STR(""));
	own_name(v, child, key, name);
	if (name->failed)
		return ERR_NOMEM;
	return name_set_add(&table->names, &table->arena, buf_view(name));
}

static void empty_table(struct view_table *table)
{
	name_set_release(&table->names);
	arena_release(&table->arena);
	arena_init(&table->arena, 0);
	table->made = false;
}

static int fill(const struct view *v)
{
	struct view_table *table = v->table;
	uint32_t slots = tree_slots(v->tree, v->dir);
	struct buf key, name;
	int rc = 0;
	empty_table(table);
	buf_init(&key, 1 << 20);
	buf_init(&name, 4096);
	for (uint32_t i = 0; i < slots && rc == 0; i++)
		rc = add_name(v, tree_child(v->tree, v->dir, i), &key, &name);
	buf_release(&key);
	buf_release(&name);
	if (rc == 0)
		rc = name_set_number(&table->names, &table->arena);
	if (rc < 0)
		empty_table(table);
	return rc;
}

int view_ready(const struct view *v, struct err *e)
{
	struct view_table *table = v->table;
	int rc = 0;
	pthread_mutex_lock(&table->lock);
	if (!table->made || table->generation != v->tree->generation) {
		rc = fill(v);
		table->made = rc == 0;
		table->generation = v->tree->generation;
	}
	pthread_mutex_unlock(&table->lock);
	return rc < 0 ? err_nomem(e) : 0;
}

struct str view_name(const struct view *v, uint32_t slot)
{
	if (view_ready(v, NULL) < 0 || slot >= v->table->names.at.n)
		return STR("");
	return v->table->names.at.at[slot];
}

/* --- finding ---------------------------------------------------------------------------------- */

/* What a search keeps, so that it allocates once. */
struct search {
	const struct view *v;
	struct str name;
	struct buf key, way, own; /* the name's key; before the steps; scratch */
	uint32_t slot;            /* of the best that was found; TREE_NONE */
};

/* Undoes the steps on s->key, into s->way: bit i of `ways` says whether step i did something. */
static bool undo_steps(struct search *s, unsigned ways)
{
	const struct view *v = s->v;
	s->way.n = 0;
	buf_str(&s->way, buf_view(&s->key));
	for (unsigned i = v->n_steps; i-- > 0;) {
		const struct view_step *st = &v->steps[i];
		if (!(ways >> i & 1))
			continue;
		if (st->op == VIEW_STRIP)
			put_on(&s->way, st->prefix);
		else if (has_prefix(buf_view(&s->way), st->prefix))
			take_off(&s->way, st->prefix.n + 1);
		else
			return false;
	}
	return !s->way.failed;
}

/* Is the child of that name in the tree called s->name in the view? */
static void try_child(struct search *s, struct str tree_name)
{
	const struct tree *t = s->v->tree;
	uint32_t child = tree_find(t, s->v->dir, tree_name);
	if (child == TREE_NONE)
		return;
	own_name(s->v, child, &s->way, &s->own);
	uint32_t slot = tree_slot(t, child);
	if (!s->own.failed && str_eq(buf_view(&s->own), s->name) && slot < s->slot)
		s->slot = slot;
}

static uint32_t find_in_table(const struct view *v, struct str name)
{
	if (view_ready(v, NULL) < 0)
		return TREE_NONE;
	uint32_t i = name_set_find(&v->table->names, name);
	return i == IDMAP_NONE ? TREE_NONE : tree_child(v->tree, v->dir, i);
}

static bool ends_in_number(struct str name)
{
	size_t n = name.n;
	while (n && name.p[n - 1] >= '0' && name.p[n - 1] <= '9')
		n--;
	return n && n < name.n && name.p[n - 1] == '~';
}

uint32_t view_find(const struct view *v, struct str name)
{
	struct search s = {.v = v, .name = name, .slot = TREE_NONE};
	struct buf tree_name;
	buf_init(&s.key, 1 << 20);
	buf_init(&s.way, 1 << 20);
	buf_init(&s.own, 4096);
	buf_init(&tree_name, 4096);
	/* "%" is the name of two keys: of the empty one, and its own */
	bool whole = !v->tree->odd_names && !str_is(name, "%") && name_to_text(name, &s.key);
	if (whole)
		try_child(&s, name); /* one without a text key is called as in the tree */
	for (unsigned ways = 0; whole && ways < 1u << v->n_steps; ways++) {
		if (!undo_steps(&s, ways))
			continue;
		tree_name.n = 0;
		name_of_text(buf_view(&s.way), &tree_name);
		try_child(&s, buf_view(&tree_name));
	}
	whole = whole && !s.key.failed && !s.way.failed && !s.own.failed && !tree_name.failed;
	buf_release(&s.key);
	buf_release(&s.way);
	buf_release(&s.own);
	buf_release(&tree_name);
	if (!whole || (s.slot == TREE_NONE && ends_in_number(name)))
		return find_in_table(v, name);
	return s.slot == TREE_NONE ? TREE_NONE : tree_child(v->tree, v->dir, s.slot);
}

/* --- making ----------------------------------------------------------------------------------- */

static struct view_table *new_table(void)
{
	struct view_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	pthread_mutex_init(&table->lock, NULL);
	arena_init(&table->arena, 0);
	return table;
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
	v->table = new_table();
	arena_init(&v->arena, 0);
	int rc = v->table ? 0 : err_nomem(e);
	for (unsigned i = 0; i < n; i++) {
		v->steps[i].op = steps[i].op;
		v->steps[i].prefix = arena_str(&v->arena, steps[i].prefix);
		if (!v->steps[i].prefix.p)
			rc = err_nomem(e);
	}
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
	if (v->table) {
		name_set_release(&v->table->names);
		arena_release(&v->table->arena);
		pthread_mutex_destroy(&v->table->lock);
		free(v->table);
	}
	arena_release(&v->arena);
	free(v);
}

bool view_has_prefix(const struct tree *t, uint32_t dir, const struct view_step *steps, unsigned n,
		struct str prefix)
{
	uint32_t slots = tree_slots(t, dir);
	struct buf b;
	bool found = false;
	buf_init(&b, 1 << 20);
	for (uint32_t i = 0; i < slots && !found; i++) {
		uint32_t child = tree_child(t, dir, i);
		found = child != TREE_NONE && transformed(t, child, steps, n, &b) &&
			has_prefix(buf_view(&b), prefix);
	}
	buf_release(&b);
	return found;
}
