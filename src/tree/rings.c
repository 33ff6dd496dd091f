/* rings.c - the names of one tensor, and the places of one container.
 *
 *	first_node[tensor] -> name -> name -> ... -> the first again
 *	first_dir[value]   -> directory -> ... -> the first again
 *
 * Only what is alive is in a ring, in node order, what is below object/ last: so the first of a
 * tensor's names is known at once when one goes, and twins are found without looking for them. Rings
 * are made at the first edit, because who only reads never needs them.
 */
#include "tree_in.h"

#include <string.h>

/* Where the ring of a node begins; NULL: it is neither tensor nor directory. */
static uint32_t *ring_of(const struct tree *t, uint32_t node)
{
	const struct value *v = node_value(t, node);
	if (t->nodes.at[node].flags & NODE_DIR)
		return &t->first_dir[t->nodes.at[node].value];
	return v->kind == VALUE_TENSOR ? &t->first_node[v->tensor] : NULL;
}

static bool stands_before(const struct tree *t, uint32_t a, uint32_t b)
{
	bool object_a = t->nodes.at[a].flags & NODE_OBJECT;
	bool object_b = t->nodes.at[b].flags & NODE_OBJECT;
	return object_a != object_b ? object_b : a < b;
}

/* Puts node behind `after` in its ring. */
static void ring_put(struct tree *t, uint32_t node, uint32_t after)
{
	uint32_t next = t->rings[after].next;
	t->rings[node] = (struct tree_ring){next, after};
	t->rings[after].next = node;
	t->rings[next].prev = node;
}

static bool counts(const struct tree *t, uint32_t node)
{
	return !(t->nodes.at[node].flags & (NODE_DIR | NODE_OBJECT));
}

static void add(struct tree *t, uint32_t node)
{
	uint32_t *first = ring_of(t, node);
	if (!first || t->rings[node].prev != TREE_NONE)
		return;
	if (counts(t, node))
		t->nlink[node_value(t, node)->tensor]++;
	if (*first == TREE_NONE) {
		t->rings[node] = (struct tree_ring){node, node};
		*first = node;
		return;
	}
	uint32_t after = t->rings[*first].prev; /* the last: mostly that is it */
	if (stands_before(t, node, *first)) {
		*first = node;
	} else {
		while (stands_before(t, node, after))
			after = t->rings[after].prev;
	}
	ring_put(t, node, after);
}

static void drop(struct tree *t, uint32_t node)
{
	uint32_t *first = ring_of(t, node);
	struct tree_ring r = t->rings[node];
	if (!first || r.prev == TREE_NONE)
		return;
	if (counts(t, node))
		t->nlink[node_value(t, node)->tensor]--;
	t->rings[r.prev].next = r.next;
	t->rings[r.next].prev = r.prev;
	if (*first == node)
		*first = r.next == node ? TREE_NONE : r.next;
	t->rings[node] = (struct tree_ring){TREE_NONE, TREE_NONE};
}

void tree_rings_add(struct tree *t, uint32_t top)
{
	for (uint32_t i = top; i != TREE_NONE; i = tree_next_in(t, top, i))
		add(t, i);
}

void tree_rings_drop(struct tree *t, uint32_t top)
{
	for (uint32_t i = top; i != TREE_NONE; i = tree_next_in(t, top, i))
		drop(t, i);
}

/* Marks what can be reached from a root by a `next` that is itself. */
static void mark_below(struct tree *t, uint32_t root)
{
	for (uint32_t i = root; i != TREE_NONE; i = tree_next_in(t, root, i))
		t->rings[i].next = i;
}

/* First which are alive, then those in node order: each is put behind the last. */
void tree_rings_remake(struct tree *t)
{
	memset(t->rings, 0xff, t->ring_cap * sizeof *t->rings);
	memset(t->first_dir, 0xff, t->value_cap * sizeof *t->first_dir);
	memset(t->first_node, 0xff, t->tensor_cap * sizeof *t->first_node);
	memset(t->nlink, 0, t->tensor_cap * sizeof *t->nlink);
	for (uint32_t i = 0; i < t->nodes.n; i++)
		if (t->nodes.at[i].parent == i && !(t->nodes.at[i].flags & NODE_GONE))
			mark_below(t, i);
	for (unsigned object = 0; object <= NODE_OBJECT; object += NODE_OBJECT) {
		for (uint32_t i = 0; i < t->nodes.n; i++) {
			bool marked = t->rings[i].next == i && t->rings[i].prev == TREE_NONE;
			if (marked && (t->nodes.at[i].flags & NODE_OBJECT) == object)
				add(t, i);
		}
	}
}

/* --- room ------------------------------------------------------------------------------------- */

/* Grows an array to n elements of `size` bytes, new ones filled with a byte. */
static bool grow(void *array, uint32_t have, size_t n, size_t size, int fill)
{
	void **at = array;
	char *p = realloc(*at, n * size);
	if (!p)
		return false;
	memset(p + have * size, fill, (n - have) * size);
	*at = p;
	return true;
}

static size_t more_than(size_t n)
{
	return n + n / 4 + 16;
}

static bool tensors_room(struct tree *t)
{
	size_t n = t->model->tensors.n, room = more_than(n);
	if (n <= t->tensor_cap)
		return true;
	if (!grow(&t->nlink, t->tensor_cap, room, sizeof *t->nlink, 0) ||
			!grow(&t->first_node, t->tensor_cap, room, sizeof *t->first_node, 0xff))
		return false;
	t->tensor_cap = (uint32_t)room;
	return true;
}

static bool values_room(struct tree *t)
{
	size_t n = t->model->values.n, room = more_than(n);
	if (n <= t->value_cap)
		return true;
	if (!grow(&t->first_dir, t->value_cap, room, sizeof *t->first_dir, 0xff))
		return false;
	t->value_cap = (uint32_t)room;
	return true;
}

static bool nodes_room(struct tree *t)
{
	size_t n = t->nodes.n, room = more_than(n);
	if (n <= t->ring_cap)
		return true;
	if (!grow(&t->rings, t->ring_cap, room, sizeof *t->rings, 0xff))
		return false;
	t->ring_cap = (uint32_t)room;
	return true;
}

int tree_rings_room(struct tree *t, struct err *e)
{
	bool none = !t->rings;
	if (!tensors_room(t) || !values_room(t) || !nodes_room(t))
		return err_nomem(e);
	if (none)
		tree_rings_remake(t);
	return 0;
}

void tree_rings_release(struct tree *t)
{
	free(t->rings);
	free(t->first_dir);
}

/* --- asking ----------------------------------------------------------------------------------- */

uint32_t tree_also(const struct tree *t, uint32_t node)
{
	const uint32_t *first = node < t->ring_cap ? ring_of(t, node) : NULL;
	if (!first || t->rings[node].next == TREE_NONE || t->rings[node].next == *first)
		return TREE_NONE;
	return t->rings[node].next;
}

/* Before the first edit there are no rings: every node is looked at. */
static uint32_t scan_twin(const struct tree *t, uint32_t dir, uint32_t from)
{
	for (uint32_t i = from == TREE_NONE ? 0 : from + 1; t->twins && i < t->nodes.n; i++)
		if (i != dir && t->nodes.at[i].flags & NODE_DIR &&
				t->nodes.at[i].value == t->nodes.at[dir].value)
			return i;
	return TREE_NONE;
}

uint32_t tree_twin(const struct tree *t, uint32_t dir, uint32_t from)
{
	if (!t->rings)
		return scan_twin(t, dir, from);
	uint32_t next = t->rings[from == TREE_NONE ? dir : from].next;
	return next == dir ? TREE_NONE : next;
}
