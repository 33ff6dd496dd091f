/* overlap.c - which names look at common bytes.
 *
 * Two kinds: further names of one tensor (ties, in v->ties), and different tensors whose byte
 * ranges in a storage overlap. For the second, tensors are ordered by (storage, first byte).
 *
 * Behind a tensor those that begin before its end overlap it. Before it, those that end after its
 * beginning: beside each place stands the last place before it that ends later, so the ones
 * between, which end too early, are skipped. So 100,000 slices of one flat tensor cost a sort,
 * not a square; whether there are any is known from the largest end so far.
 *
 * Tensors that only raw attributes of modules name (object/) have no path to tell.
 *
 * After an edit the names of a tensor are those of its ring in the tree (tree_also). The order by
 * place stays: which tensors lie where does not change while they are there, and those without a name
 * are not told of. Tensors that come later lie somewhere else and are told of none; but one that only
 * is called otherwise (requires_grad) stands in the place of the one it was.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct range {
	uint32_t storage, tensor;
	uint64_t begin, end; /* bytes, half open */
};

static bool same_storage(const struct volume *v, uint32_t a, uint32_t b)
{
	const struct model *m = vol_model(v);
	return m->tensors.at[a].storage == m->tensors.at[b].storage;
}

/* Bytes of the storage that a tensor can touch. False: none. */
static bool tensor_range(const struct model *m, uint32_t id, struct range *r)
{
	const struct tensor *t = &m->tensors.at[id];
	*r = (struct range){.storage = t->storage, .tensor = id};
	tensor_span(m, t, &r->begin, &r->end);
	return r->end > 0;
}

static int by_place(const void *pa, const void *pb)
{
	const struct range *a = pa, *b = pb;
	if (a->storage != b->storage)
		return a->storage < b->storage ? -1 : 1;
	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->tensor < b->tensor ? -1 : a->tensor > b->tensor;
}

static int index_ranges(struct overlaps *o, struct range *r, uint32_t n, size_t n_tensors)
{
	o->place = malloc(n_tensors * sizeof *o->place);
	o->order = malloc(n * sizeof *o->order);
	o->max_end = malloc(n * sizeof *o->max_end);
	o->longer = malloc(n * sizeof *o->longer);
	if (!o->place || !o->order || !o->max_end || !o->longer)
		return ERR_NOMEM;
	memset(o->place, 0xff, n_tensors * sizeof *o->place);
	qsort(r, n, sizeof *r, by_place);
	for (uint32_t i = 0; i < n; i++) {
		bool first = i == 0 || r[i - 1].storage != r[i].storage;
		uint64_t before = first ? 0 : o->max_end[i - 1];
		uint32_t k = first ? TREE_NONE : i - 1;
		while (k != TREE_NONE && r[k].end <= r[i].end)
			k = o->longer[k];
		o->order[i] = r[i].tensor;
		o->max_end[i] = before > r[i].end ? before : r[i].end;
		o->longer[i] = k;
		o->place[r[i].tensor] = i;
	}
	o->n = n;
	o->tensors = (uint32_t)n_tensors;
	return 0;
}

/* Only storages with several tensors on them can matter: normally there are none. */
static int find_shared(struct volume *v)
{
	const struct model *m = vol_model(v);
	VEC(struct range) ranges = {0};
	int rc = 0;
	for (uint32_t i = 0; i < m->tensors.n && rc == 0; i++) {
		struct range r;
		if (v->tree.nlink[i] && tensor_range(m, i, &r) &&
				m->storages.at[r.storage].users > 1)
			rc = vec_push(&ranges, r);
	}
	if (rc == 0 && ranges.n)
		rc = index_ranges(&v->overlaps, ranges.at, (uint32_t)ranges.n, m->tensors.n);
	vec_release(&ranges);
	return rc;
}

static int tie_order(const void *pa, const void *pb)
{
	const struct tie *a = pa, *b = pb;
	if (a->tensor != b->tensor)
		return a->tensor < b->tensor ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static int find_ties(struct volume *v)
{
	const struct tree *t = &v->tree;
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		const struct value *val = node_value(t, i);
		if (val->kind != VALUE_TENSOR || t->nodes.at[i].flags & NODE_OBJECT)
			continue;
		if (t->nlink[val->tensor] < 2 || t->first_node[val->tensor] == i)
			continue;
		struct tie tie = {val->tensor, i};
		if (vec_push(&v->ties, tie) < 0)
			return ERR_NOMEM;
	}
	if (v->ties.n)
		qsort(v->ties.at, v->ties.n, sizeof *v->ties.at, tie_order);
	return 0;
}

int overlaps_init(struct volume *v, struct err *e)
{
	if (find_shared(v) < 0 || find_ties(v) < 0)
		return err_nomem(e);
	return 0;
}

void overlaps_release(struct volume *v)
{
	free(v->overlaps.order);
	free(v->overlaps.max_end);
	free(v->overlaps.longer);
	free(v->overlaps.place);
	u32map_release(&v->overlaps.origin);
	u32map_release(&v->overlaps.heir);
	vec_release(&v->ties);
}

/* Where a tensor stands in the order, or TREE_NONE. */
static uint32_t place_of(const struct overlaps *o, uint32_t tensor)
{
	uint32_t origin;
	if (tensor >= o->tensors && u32map_get(&o->origin, tensor, &origin))
		tensor = origin;
	return tensor < o->tensors ? o->place[tensor] : TREE_NONE;
}

int overlaps_inherit(struct volume *v, uint32_t was, uint32_t now, struct err *e)
{
	struct overlaps *o = &v->overlaps;
	uint32_t origin = was;
	if (was >= o->tensors && !u32map_get(&o->origin, was, &origin))
		return 0;
	if (now >= o->tensors && u32map_set(&o->origin, now, origin) < 0)
		return err_nomem(e);
	return u32map_set(&o->heir, origin, now) < 0 ? err_nomem(e) : 0;
}

/* First tie of a tensor in v->ties, or v->ties.n. */
static size_t first_tie(const struct volume *v, uint32_t tensor)
{
	size_t lo = 0, hi = v->ties.n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (v->ties.at[mid].tensor < tensor)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Tells of a tensor that overlaps, if it has a name now. */
static bool tell(const struct volume *v, uint32_t tensor, bool (*fn)(void *ctx, uint32_t node),
		void *ctx)
{
	uint32_t heir;
	if (tree_nlink(&v->tree, tensor) == 0 && u32map_get(&v->overlaps.heir, tensor, &heir))
		tensor = heir;
	return tree_nlink(&v->tree, tensor) == 0 || fn(ctx, tree_first(&v->tree, tensor));
}

/* Calls fn for the first name of every other tensor that overlaps; false when fn stopped. */
static bool each_overlap(const struct volume *v, uint32_t tensor,
		bool (*fn)(void *ctx, uint32_t node), void *ctx)
{
	const struct model *m = vol_model(v);
	const struct overlaps *o = &v->overlaps;
	struct range me, other;
	uint32_t at = place_of(o, tensor);
	if (at == TREE_NONE || !tensor_range(m, tensor, &me))
		return true;
	uint32_t i = at; /* those that begin before */
	while (i != TREE_NONE && i > 0 && same_storage(v, o->order[i - 1], tensor)) {
		i--;
		while (i != TREE_NONE && tensor_range(m, o->order[i], &other) && other.end <= me.begin)
			i = o->longer[i];
		if (i != TREE_NONE && !tell(v, o->order[i], fn, ctx))
			return false;
	}
	for (i = at + 1; i < o->n; i++) { /* those that begin here or later */
		uint32_t id = o->order[i];
		if (!tensor_range(m, id, &other) || other.storage != me.storage ||
				other.begin >= me.end)
			break;
		if (!tell(v, id, fn, ctx))
			return false;
	}
	return true;
}

/* Calls fn for the further names of a tensor; false when fn stopped. */
static bool each_tie(const struct volume *v, uint32_t tensor, bool (*fn)(void *ctx, uint32_t node),
		void *ctx)
{
	const struct tree *t = &v->tree;
	size_t i = first_tie(v, tensor);
	if (t->generation == 0) {
		for (; i < v->ties.n && v->ties.at[i].tensor == tensor; i++)
			if (!fn(ctx, v->ties.at[i].node))
				return false;
		return true;
	}
	for (uint32_t node = tree_first(t, tensor); node != TREE_NONE;) {
		node = tree_also(t, node);
		if (node == TREE_NONE || t->nodes.at[node].flags & NODE_OBJECT)
			break; /* those below object/ are last, and no names */
		if (!fn(ctx, node))
			return false;
	}
	return true;
}

void overlaps_each(const struct volume *v, uint32_t tensor, bool (*fn)(void *ctx, uint32_t node),
		void *ctx)
{
	if (each_tie(v, tensor, fn, ctx))
		each_overlap(v, tensor, fn, ctx);
}

static bool stop_at_first(void *ctx, uint32_t node)
{
	*(bool *)ctx = true;
	return false;
}

bool overlaps_others(const struct volume *v, uint32_t tensor)
{
	const struct overlaps *o = &v->overlaps;
	uint32_t at = place_of(o, tensor);
	struct range me, next;
	bool found = false;
	if (v->tree.generation) { /* some of them may have no name now */
		each_overlap(v, tensor, stop_at_first, &found);
		return found;
	}
	if (at == TREE_NONE || !tensor_range(vol_model(v), tensor, &me))
		return false;
	if (at > 0 && same_storage(v, o->order[at - 1], tensor) && o->max_end[at - 1] > me.begin)
		return true;
	return at + 1 < o->n && tensor_range(vol_model(v), o->order[at + 1], &next) &&
	       next.storage == me.storage && next.begin < me.end;
}
