/* diff.c - how two checkpoints differ.
 *
 *	names      of both, in tables (diff_side.c); the same name is a pair
 *	renames    among those that only one has (diff_rename.c)
 *	pairs      .meta (diff_meta.c), then the bytes (diff_bytes.c), one at a time
 *
 * What is told is in the order of b; what was removed stands behind what stood before it in a. What
 * cannot be read is told as trouble, and the rest is compared. The order of keys is not compared, as
 * diff -r of two mounts does not see it.
 *
 * To say only whether they differ (brief), what costs nothing is looked at first: names, then .meta and
 * values, then tensors whose CRC says that they differ, then the others.
 */
#include "diff.h"

#include <string.h>

/* --- telling --------------------------------------------------------------------------------------- */

struct told {
	enum diff_status status;
	unsigned what;
	uint32_t a, b; /* TREE_NONE: not there */
	const struct diff_verdict *v;
	const char *trouble;
};

static unsigned first_index(const struct diff *d, const struct told *t, int64_t *at)
{
	const struct tensor *x = side_tensor(&d->b, t->b);
	uint64_t left = t->v->c.first;
	unsigned n = x && left != UINT64_MAX ? tensor_shown_shape(x, at) : 0;
	for (unsigned k = n; k-- > 0;) {
		uint64_t dim = at[k] > 0 ? (uint64_t)at[k] : 1;
		at[k] = (int64_t)(left % dim);
		left /= dim;
	}
	return n;
}

static void count(struct diff_result *r, enum diff_status status)
{
	uint64_t *const of[] = {
			[DIFF_SAME] = &r->same,       [DIFF_ADDED] = &r->added,
			[DIFF_REMOVED] = &r->removed, [DIFF_RENAMED] = &r->renamed,
			[DIFF_CHANGED] = &r->changed, [DIFF_TROUBLE] = &r->trouble,
	};
	++*of[status];
}

static int name_it(struct diff *d, const struct told *t, struct diff_item *it)
{
	d->name.n = d->was.n = 0;
	if (t->b != TREE_NONE)
		side_name(&d->b, d->o, t->b, &d->name);
	else
		side_name(&d->a, d->o, t->a, &d->name);
	if (t->status == DIFF_RENAMED)
		side_name(&d->a, d->o, t->a, &d->was);
	it->name = buf_view(&d->name);
	it->was = buf_view(&d->was);
	return d->name.failed || d->was.failed ? ERR_NOMEM : 0;
}

/* The entries are in the sides' items. */
static int tell(struct diff *d, const struct told *t)
{
	const struct diff_side *a = t->a == TREE_NONE ? NULL : &d->a;
	const struct diff_side *b = t->b == TREE_NONE ? NULL : &d->b;
	int64_t first[MODEL_MAX_NDIM];
	struct diff_item it = {.status = t->status, .what = t->what, .trouble = t->trouble};
	count(&d->sum, t->status);
	if (t->status == DIFF_SAME && !d->o->same_too)
		return 0;
	it.a = a ? &a->item : NULL;
	it.b = b ? &b->item : NULL;
	if (name_it(d, t, &it) < 0)
		return ERR_NOMEM;
	it.text_a = a ? buf_view(&a->shown) : STR("");
	it.text_b = b ? buf_view(&b->shown) : STR("");
	it.attrs = d->attrs.at;
	it.n_attrs = t->what & DIFF_ATTRS ? d->attrs.n : 0;
	it.same_bytes = t->status == DIFF_RENAMED || (t->v && t->v->equal);
	if (t->v && t->v->measured) {
		it.compared = &t->v->c;
		it.first_n = first_index(d, t, first);
		it.first = t->v->c.first == UINT64_MAX ? NULL : first;
	}
	return d->fn(d->ctx, &it);
}

/* That something cannot be read is said of its name, and is no reason to stop. */
static int tell_trouble(struct diff *d, uint32_t a, uint32_t b, int rc, const struct err *e)
{
	if (rc == ERR_NOMEM)
		return rc;
	struct told t = {.status = DIFF_TROUBLE, .a = a, .b = b, .trouble = e->text};
	return tell(d, &t);
}

/* --- pairs ----------------------------------------------------------------------------------------- */

enum kind { KIND_DIR, KIND_TENSOR, KIND_VALUE };

static enum kind kind_of(const struct diff_side *s, uint32_t i)
{
	return side_is_dir(s, i) ? KIND_DIR : side_tensor(s, i) ? KIND_TENSOR : KIND_VALUE;
}

static unsigned ignored(const struct diff *d)
{
	return d->o->values_only ? DIFF_DTYPE | DIFF_ATTRS : 0;
}

/* Everything but the bytes of tensors: adds to *what. */
static int outside(struct diff *d, uint32_t a, uint32_t b, unsigned *what, struct err *e)
{
	enum kind ka = kind_of(&d->a, a), kb = kind_of(&d->b, b);
	bool same = true;
	d->attrs.n = 0;
	int rc = side_tell(&d->a, a, e);
	if (rc == 0)
		rc = side_tell(&d->b, b, e);
	if (rc < 0)
		return rc;
	if (ka != kb || !d->a.meta.n != !d->b.meta.n) {
		*what |= DIFF_TYPE;
		return 0;
	}
	rc = diff_meta(d, false, what, e);
	if (rc == 0 && ka == KIND_VALUE)
		rc = diff_values(d, a, b, &same, e);
	*what |= same ? 0 : DIFF_VALUES;
	if ((d->o->types || !same) && !str_eq(d->a.item.type, d->b.item.type))
		*what |= DIFF_TYPE;
	return rc;
}

static int pair(struct diff *d, uint32_t a, uint32_t b, struct err *e)
{
	struct told t = {.status = DIFF_CHANGED, .a = a, .b = b};
	struct diff_verdict v;
	int rc = outside(d, a, b, &t.what, e);
	if (rc == 0 && !(t.what & DIFF_TYPE) && side_tensor(&d->b, b)) {
		rc = diff_tensors(d, side_value(&d->a, a)->tensor, side_value(&d->b, b)->tensor, &v, e);
		t.v = rc == 0 ? &v : NULL;
		t.what |= rc == 0 && !v.same && v.comparable ? DIFF_VALUES : 0;
	}
	if (rc < 0)
		return tell_trouble(d, a, b, rc, e);
	t.what &= ~ignored(d);
	if (!t.what && side_is_dir(&d->b, b))
		return 0;
	if (!t.what)
		t.status = DIFF_SAME;
	return tell(d, &t);
}

/* --- one of the two only ----------------------------------------------------------------------------- */

/* Directories are told by what is in them. */
static bool counts(const struct diff_side *s, uint32_t i)
{
	return !side_is_dir(s, i) || tree_count(side_tree(s), s->at.at[i].node) == 0;
}

static bool is_gone(const struct diff_side *s, uint32_t i)
{
	const struct diff_name *n = &s->at.at[i];
	return n->wanted && n->other == TREE_NONE && n->moved == TREE_NONE && counts(s, i);
}

static int tell_one(struct diff *d, uint32_t a, uint32_t b, struct err *e)
{
	struct told t = {.status = b == TREE_NONE ? DIFF_REMOVED : DIFF_ADDED, .a = a, .b = b};
	int rc = b == TREE_NONE ? side_tell(&d->a, a, e) : side_tell(&d->b, b, e);
	/* That it is there is enough: diff -r does not read it either. */
	return rc == ERR_NOMEM ? rc : tell(d, &t);
}

/* What was removed from place i of a on, up to the next name that b has too. */
static int tell_removed(struct diff *d, size_t i, struct err *e)
{
	int rc = 0;
	for (; i < d->a.at.n && d->a.at.at[i].other == TREE_NONE && rc == 0; i++)
		if (is_gone(&d->a, (uint32_t)i))
			rc = tell_one(d, (uint32_t)i, TREE_NONE, e);
	return rc;
}

static int tell_renamed(struct diff *d, uint32_t a, uint32_t b, struct err *e)
{
	struct told t = {.status = DIFF_RENAMED, .a = a, .b = b};
	int rc = side_tell(&d->a, a, e);
	if (rc == 0)
		rc = side_tell(&d->b, b, e);
	if (rc == 0)
		rc = diff_meta(d, true, &t.what, e);
	t.what &= ~ignored(d);
	return rc < 0 ? rc : tell(d, &t);
}

static int tell_all(struct diff *d, struct err *e)
{
	int rc = tell_removed(d, 0, e);
	for (uint32_t i = 0; i < d->b.at.n && rc == 0; i++) {
		const struct diff_name *n = &d->b.at.at[i];
		if (n->moved != TREE_NONE) {
			rc = tell_renamed(d, n->moved, i, e);
		} else if (n->other == TREE_NONE) {
			rc = is_gone(&d->b, i) ? tell_one(d, TREE_NONE, i, e) : 0;
		} else {
			rc = n->wanted ? pair(d, n->other, i, e) : 0;
			if (rc == 0)
				rc = tell_removed(d, (size_t)n->other + 1, e);
		}
	}
	return rc;
}

/* --- brief ----------------------------------------------------------------------------------------- */

static bool differs(const struct diff *d)
{
	return d->sum.added || d->sum.removed || d->sum.changed;
}

static int brief_names(struct diff *d, struct err *e)
{
	int rc = 0;
	for (uint32_t i = 0; i < d->b.at.n && rc == 0 && !differs(d); i++)
		if (is_gone(&d->b, i))
			rc = tell_one(d, TREE_NONE, i, e);
	for (uint32_t i = 0; i < d->a.at.n && rc == 0 && !differs(d); i++)
		if (is_gone(&d->a, i))
			rc = tell_one(d, i, TREE_NONE, e);
	return rc;
}

/* Cannot be read: that is told when it is tried, and is no difference. */
static bool broken_pair(const struct diff *d, uint32_t a, uint32_t b)
{
	const struct tensor *x = side_tensor(&d->a, a), *y = side_tensor(&d->b, b);
	return x && y && (x->broken || y->broken);
}

static int brief_outside(struct diff *d, struct err *e)
{
	int rc = 0;
	for (uint32_t i = 0; i < d->b.at.n && rc == 0 && !differs(d); i++) {
		struct told t = {.status = DIFF_CHANGED, .a = d->b.at.at[i].other, .b = i};
		if (t.a == TREE_NONE || !d->b.at.at[i].wanted || broken_pair(d, t.a, i))
			continue;
		int bad = outside(d, t.a, i, &t.what, e);
		t.what &= ~ignored(d);
		if (bad < 0 && (bad == ERR_NOMEM || kind_of(&d->b, i) != KIND_TENSOR))
			rc = tell_trouble(d, t.a, i, bad, e);
		else if (bad == 0 && t.what)
			rc = tell(d, &t);
	}
	return rc;
}

/* Those whose CRC says that they differ, or the others. */
static int brief_tensors(struct diff *d, bool crc, struct err *e)
{
	int rc = 0;
	for (uint32_t i = 0; i < d->b.at.n && rc == 0 && !differs(d); i++) {
		uint32_t a = d->b.at.at[i].other;
		if (a == TREE_NONE || !d->b.at.at[i].wanted || !side_tensor(&d->a, a) ||
				!side_tensor(&d->b, i))
			continue;
		if (diff_crc_differs(d, side_value(&d->a, a)->tensor,
				side_value(&d->b, i)->tensor) == crc)
			rc = pair(d, a, i, e);
	}
	return rc;
}

static int brief_all(struct diff *d, struct err *e)
{
	int rc = brief_names(d, e);
	if (rc == 0 && !differs(d))
		rc = brief_outside(d, e);
	if (rc == 0 && !differs(d))
		rc = brief_tensors(d, true, e);
	if (rc == 0 && !differs(d))
		rc = brief_tensors(d, false, e);
	return rc;
}

/* --- all of it --------------------------------------------------------------------------------------- */

static void find_pairs(struct diff *d)
{
	d->a.at.at[0].other = d->b.at.at[0].other = 0;
	for (uint32_t i = 1; i < d->b.at.n; i++) {
		struct diff_name *n = &d->b.at.at[i];
		uint32_t up = d->b.at.at[n->parent].other;
		n->other = up == TREE_NONE ? TREE_NONE : side_child(&d->a, up, n->key);
		if (n->other == TREE_NONE)
			continue;
		d->a.at.at[n->other].other = i;
		const struct tensor *x = side_tensor(&d->a, n->other), *y = side_tensor(&d->b, i);
		if (n->wanted && x && y)
			d->meter.total += x->nbytes + y->nbytes;
	}
}

static int run(struct diff *d, struct err *e)
{
	if (d->o->glob && d->a.wanted == 0 && d->b.wanted == 0)
		return err_set(e, ERR_ABSENT, "nothing is called %s in %s or in %s", d->o->glob,
				volume_path(d->a.v), volume_path(d->b.v));
	find_pairs(d);
	if (d->o->brief)
		return brief_all(d, e);
	int rc = diff_renames(d, e);
	return rc < 0 ? rc : tell_all(d, e);
}

int inspect_diff(struct volume *a, struct volume *b, const struct diff_opts *o, diff_fn *fn, void *ctx,
		struct diff_result *ret, struct err *e)
{
	struct err own = {0};
	struct diff d = {.o = o, .fn = fn, .ctx = ctx, .strips = o->n_strip > 0};
	e = e ? e : &own;
	arena_init(&d.scratch, 0);
	buf_init(&d.name, 1 << 20);
	buf_init(&d.was, 1 << 20);
	meter_init(&d.meter, &o->progress);
	d.small = malloc(2 * DIFF_SMALL);
	int rc = d.small ? side_init(&d.a, a, o, e) : err_nomem(e);
	int also = side_init(&d.b, b, o, rc < 0 ? NULL : e);
	if (rc == 0)
		rc = also;
	if (rc == 0)
		rc = run(&d, e);
	if (rc == 0)
		*ret = d.sum;
	side_release(&d.a);
	side_release(&d.b);
	vec_release(&d.kept);
	idmap_release(&d.kept_ids);
	vec_release(&d.attrs);
	arena_release(&d.scratch);
	free(d.small);
	buf_release(&d.name);
	buf_release(&d.was);
	meter_release(&d.meter);
	return rc;
}
