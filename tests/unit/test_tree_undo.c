/* Edits taken back, and many of them in a row against a simple model of what a tree is. */
#include "tree_kit.h"

static struct model m;
static struct tree t;
static uint32_t leaf, dict, deep; /* values: a number, a dict of two tensors, a dict with it twice */
static uint32_t file[4];          /* values: tensors 0 ... 3 */

static void values(void)
{
	kit_model(&m);
	leaf = kit_leaf(&m, 1);
	for (int i = 0; i < 4; i++)
		file[i] = kit_tensor_file(&m, kit_floats(&m, 4));
	dict = kit_dir(&m, VALUE_DICT);
	kit_put(&m, dict, "x", file[0]);
	kit_put(&m, dict, "y", file[1]);
	deep = kit_dir(&m, VALUE_DICT);
	kit_put(&m, deep, "p", dict);
	kit_put(&m, deep, "n", leaf);
	kit_put(&m, deep, "q", dict);
}

/* a (a number), deep/{p/{x,y},n,q/{x,y}}, z (tensor 0), sub/{x,y} */
static void begin(void)
{
	struct err e = {0};

	values();
	m.root = kit_dir(&m, VALUE_DICT);
	kit_put(&m, m.root, "a", leaf);
	kit_put(&m, m.root, "deep", deep);
	kit_put(&m, m.root, "z", file[0]);
	kit_put(&m, m.root, "sub", dict);
	EQ_I64(tree_build(&m, 0, &t, &e), 0);
	tree_record_undo(&t);
}

static void end(void)
{
	tree_release(&t);
	model_release(&m);
}

static oref key(const char *name)
{
	return kit_text(&m, str_of(name));
}

static uint32_t add(uint32_t dir, const char *name, uint32_t value)
{
	uint32_t node = 0;

	EQ_I64(tree_add(&t, dir, key(name), str_of(name), value, &node, NULL), 0);
	return node;
}

/* All that a tree says, for comparing: paths with numbers, values, flags; names of tensors. */
static char *told(void)
{
	struct buf b;
	size_t n;

	buf_init(&b, 1 << 20);
	for (uint32_t i = tree_next(&t, 0); i != TREE_NONE; i = tree_next(&t, i)) {
		buf_printf(&b, "%u ", i);
		tree_path(&t, i, &b);
		buf_printf(&b, " %u %u %u\n", t.nodes.at[i].value, t.nodes.at[i].flags,
				t.nodes.at[i].key);
	}
	for (uint32_t i = 0; i < m.tensors.n; i++)
		buf_printf(&b, "tensor %u: %u %u\n", i, tree_nlink(&t, i), tree_first(&t, i));
	buf_putc(&b, 0);
	return buf_steal(&b, &n);
}

static void same_as(char *before)
{
	char *now = told();

	EQ_STR(now, before);
	free(now);
	free(before);
}

/* --- undo ------------------------------------------------------------------------------------- */

static void every_edit_taken_back_is_exactly_the_tree_as_built(void)
{
	uint32_t late;
	char *before;

	begin();
	before = told();
	late = add(0, "late", deep);
	EQ_I64(tree_remove(&t, kit_node(&t, "z")), 0);
	EQ_I64(tree_set_value(&t, kit_node(&t, "sub"), deep, NULL), 0);
	EQ_I64(tree_move(&t, kit_node(&t, "deep/p"), late, key("r"), STR("r"), NULL), 0);
	EQ_I64(tree_move(&t, kit_node(&t, "a"), 0, key("b"), STR("b"), NULL), 0);
	EQ_I64(tree_set_value(&t, kit_node(&t, "deep/q/x"), file[3], NULL), 0);
	EQ_I64(tree_remove(&t, kit_node(&t, "deep")), 0);
	EQ_I64(tree_restore(&t, kit_node(&t, "late/r/x"), leaf, NULL), ERR_EXISTS);
	EQ_I64(tree_flag(&t, 0, NODE_TOUCHED, 0), 0);
	tree_undo(&t, 0);
	same_as(before);
	EQ_I64(t.undo.n, 0);
	EQ_I64(kit_node(&t, "late"), TREE_NONE);
	EQ_I64(kit_node(&t, "b"), TREE_NONE);
	EQ_I64(tree_count(&t, 0), 4);
	end();
}

static void edits_are_taken_back_to_a_mark(void)
{
	size_t mark;
	char *before;

	begin();
	add(0, "kept", file[2]);
	EQ_I64(tree_remove(&t, kit_node(&t, "a")), 0);
	before = told();
	mark = t.undo.n;
	EQ_I64(tree_remove(&t, kit_node(&t, "kept")), 0);
	add(0, "a", deep);
	tree_undo(&t, mark);
	same_as(before);
	EQ_I64(t.undo.n, mark);
	EQ_I64(tree_restore(&t, tree_find_gone(&t, 0, STR("a")), leaf, NULL), 0);
	end();
}

static void what_was_never_there_is_not_found_among_the_removed(void)
{
	uint32_t node;

	begin();
	node = add(0, "new", leaf);
	EQ_I64(tree_remove(&t, node), 0);
	EQ_I64(tree_find_gone(&t, 0, STR("new")), node);
	tree_undo(&t, 0);
	OK(!tree_alive(&t, node));
	EQ_I64(tree_find_gone(&t, 0, STR("new")), TREE_NONE);
	OK(add(0, "new", leaf) != node); /* numbers are not given out twice */
	end();
}

static void edits_that_were_committed_cannot_be_taken_back(void)
{
	uint32_t node, a;
	char *before;

	begin();
	node = add(0, "new", deep);
	a = kit_node(&t, "a");
	EQ_I64(tree_remove(&t, a), 0);
	EQ_I64(tree_flag(&t, 0, NODE_TOUCHED, 0), 0);
	tree_forget_undo(&t);
	before = told();
	OK(!(t.nodes.at[node].flags & NODE_NEW));
	OK(!(t.nodes.at[0].flags & NODE_TOUCHED));
	tree_undo(&t, 0);
	OK(tree_alive(&t, node));
	EQ_I64(tree_restore(&t, a, leaf, NULL), 0);
	OK(t.nodes.at[a].flags & NODE_NEW); /* the committed checkpoint has it not */
	tree_undo(&t, 0);
	same_as(before);
	end();
}

static void without_recording_nothing_is_kept(void)
{
	begin();
	t.recording = false;
	add(0, "new", deep);
	EQ_I64(tree_set_value(&t, kit_node(&t, "sub"), leaf, NULL), 0);
	EQ_I64(tree_flag(&t, 0, NODE_TOUCHED, 0), 0);
	EQ_I64(t.undo.n, 0);
	end();
}

/* --- random edits against a model ------------------------------------------------------------- */

#define NODES 4096
#define NAMES_N 6
/* Per node where it is; per directory who ever stood in which slot. Nothing else is remembered, all
 * that is asked is worked out anew. */
static struct sim {
	struct sim_node {
		bool here; /* not removed itself */
		uint32_t parent, value, gone; /* gone: when it was removed, 0: never */
		char name[8];
	} node[NODES];
	uint32_t n, clock;
} sim, saved;
static struct slots {
	uint32_t at[64];
	uint32_t n;
} slots[NODES];
static uint64_t seed;

static uint32_t pick(uint32_t n)
{
	return (uint32_t)(kit_random(&seed) % n);
}

static bool sim_is_dir(uint32_t id)
{
	return m.values.at[sim.node[id].value].kind == VALUE_DICT;
}

static bool sim_alive(uint32_t id)
{
	while (sim.node[id].here && id != 0)
		id = sim.node[id].parent;
	return id == 0;
}

static bool sim_in_slot(uint32_t id, uint32_t dir)
{
	return sim.node[id].here && sim.node[id].parent == dir;
}

static uint32_t sim_find(uint32_t dir, const char *name)
{
	for (uint32_t i = 0; i < slots[dir].n; i++)
		if (sim_in_slot(slots[dir].at[i], dir) &&
				strcmp(sim.node[slots[dir].at[i]].name, name) == 0)
			return slots[dir].at[i];
	return TREE_NONE;
}

static uint32_t sim_find_gone(uint32_t dir, const char *name)
{
	uint32_t found = TREE_NONE, when = 0;

	for (uint32_t i = 1; i < sim.n; i++) {
		const struct sim_node *n = &sim.node[i];

		if (!n->here && n->parent == dir && n->gone > when && strcmp(n->name, name) == 0)
			found = i, when = n->gone;
	}
	return found;
}

static void sim_stand(uint32_t dir, uint32_t id)
{
	struct slots *s = &slots[dir];

	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i] == id)
			return;
	OK(s->n < 64);
	s->at[s->n++] = id;
}

static uint32_t sim_new(uint32_t dir, const char *name, uint32_t value)
{
	struct sim_node n = {.here = true, .parent = dir, .value = value};

	snprintf(n.name, sizeof n.name, "%s", name);
	OK(sim.n < NODES);
	sim.node[sim.n] = n;
	slots[sim.n].n = 0;
	sim_stand(dir, sim.n);
	return sim.n++;
}

/* The entries of a dict, then those of the dicts that they brought. */
static void sim_fill(uint32_t dir)
{
	uint32_t from = sim.n;

	for (uint32_t next = dir; next < sim.n; next = next == dir && dir < from ? from : next + 1) {
		const struct value *v = &m.values.at[sim.node[next].value];

		for (uint32_t i = 0; v->kind == VALUE_DICT && i < v->n; i++) {
			struct entry en = m.entries.at[v->first + i];
			struct str text;
			char name[8];

			OK(key_text(&m.graph, en.key, &text));
			snprintf(name, sizeof name, "%.*s", STR_FMT(text));
			sim_new(next, name, en.value);
		}
	}
}

static void sim_go(uint32_t id)
{
	sim.node[id].here = false;
	sim.node[id].gone = ++sim.clock;
}

static void sim_put(uint32_t id, uint32_t value)
{
	for (uint32_t i = 0; i < slots[id].n; i++)
		if (sim_in_slot(slots[id].at[i], id))
			sim_go(slots[id].at[i]);
	sim.node[id].value = value;
	sim_fill(id);
}

/* Somebody alive, not the root; or any directory; or anybody that is removed. TREE_NONE: nobody. */
static uint32_t some_node(void)
{
	for (int i = 0; i < 50; i++) {
		uint32_t id = pick(sim.n);

		if (id && sim_alive(id))
			return id;
	}
	return TREE_NONE;
}

static uint32_t some_dir(void)
{
	for (int i = 0; i < 50; i++) {
		uint32_t id = pick(sim.n);

		if (sim_alive(id) && sim_is_dir(id) && slots[id].n < 40)
			return id;
	}
	return 0;
}

static uint32_t some_value(void)
{
	const uint32_t all[] = {leaf, file[0], file[1], file[2], file[3], dict, deep};

	return all[pick(7)];
}

static void some_name(char *out)
{
	static const char *const names[NAMES_N] = {"a", "b", "x", "y", "p", "b%"};

	snprintf(out, 8, "%s", names[pick(NAMES_N)]);
}

static void random_add(void)
{
	uint32_t dir = some_dir(), value = some_value(), node = 0;
	char name[8];

	if (slots[dir].n >= 40)
		return;
	some_name(name);
	int want = sim_find(dir, name) == TREE_NONE ? 0 : ERR_EXISTS;
	EQ_I64(tree_add(&t, dir, key(name), str_of(name), value, &node, NULL), want);
	if (want)
		return;
	EQ_I64(node, sim.n);
	sim_fill(sim_new(dir, name, value));
}

static void random_remove(void)
{
	uint32_t id = some_node();

	if (id == TREE_NONE)
		return;
	EQ_I64(tree_remove(&t, id), 0);
	sim_go(id);
}

static void random_restore(void)
{
	uint32_t dir = some_dir(), id, value;
	char name[8];

	some_name(name);
	id = sim_find_gone(dir, name);
	EQ_I64(tree_find_gone(&t, dir, str_of(name)), id);
	if (id == TREE_NONE)
		return;
	value = pick(2) ? sim.node[id].value : some_value();
	int want = sim_find(dir, name) == TREE_NONE ? 0 : ERR_EXISTS;
	EQ_I64(tree_restore(&t, id, value, NULL), want);
	if (want)
		return;
	if (value != sim.node[id].value)
		sim_put(id, value);
	sim.node[id].here = true;
}

static bool sim_below(uint32_t id, uint32_t top)
{
	while (id != top && id != 0)
		id = sim.node[id].parent;
	return id == top;
}

static void random_move(void)
{
	uint32_t id = some_node(), dir = some_dir(), there;
	char name[8];

	if (id == TREE_NONE || slots[dir].n >= 40)
		return;
	some_name(name);
	there = sim_find(dir, name);
	int want = sim_below(dir, id) ? ERR_INVALID
		   : there != TREE_NONE && there != id ? ERR_EXISTS : 0;
	EQ_I64(tree_move(&t, id, dir, key(name), str_of(name), NULL), want);
	if (want)
		return;
	sim.node[id].parent = dir;
	snprintf(sim.node[id].name, sizeof sim.node[id].name, "%s", name);
	sim_stand(dir, id);
}

static void random_value(void)
{
	uint32_t id = some_node(), value = some_value();

	if (id == TREE_NONE || slots[id].n >= 40)
		return;
	EQ_I64(tree_set_value(&t, id, value, NULL), 0);
	sim_put(id, value);
}

/* As after tree_undo(): who came since is not there, and never was. */
static void sim_undo(void)
{
	uint32_t now = sim.n;

	for (uint32_t i = saved.n; i < now; i++) {
		sim.node[i].here = false;
		sim.node[i].gone = 0;
	}
	for (uint32_t i = 0; i < saved.n; i++) {
		uint32_t gone = sim.node[i].gone;

		sim.node[i] = saved.node[i];
		sim.node[i].gone = gone;
	}
}

static void compare_dir(uint32_t dir)
{
	uint32_t count = 0;

	EQ_I64(tree_slots(&t, dir), slots[dir].n);
	for (uint32_t i = 0; i < slots[dir].n; i++) {
		uint32_t id = slots[dir].at[i];

		if (!sim_in_slot(id, dir)) {
			EQ_I64(tree_child(&t, dir, i), TREE_NONE);
			continue;
		}
		count++;
		EQ_I64(tree_child(&t, dir, i), id);
		EQ_I64(tree_slot(&t, id), i);
		EQ_I64(tree_find(&t, dir, str_of(sim.node[id].name)), id);
		OK(str_is(node_name(&t, id), sim.node[id].name));
		EQ_I64(t.nodes.at[id].value, sim.node[id].value);
	}
	EQ_I64(tree_count(&t, dir), count);
}

/* Who shows this value, in node order, must be what the rings say. */
static void compare_ring(uint32_t value)
{
	const struct value *v = &m.values.at[value];
	uint32_t first = TREE_NONE, last = TREE_NONE, n = 0;

	for (uint32_t i = 1; i < sim.n; i++) {
		if (sim.node[i].value != value || !sim_alive(i))
			continue;
		if (n++ == 0)
			first = i;
		else
			EQ_I64(v->kind == VALUE_TENSOR ? tree_also(&t, last) : tree_twin(&t, first,
				last == first ? TREE_NONE : last), i);
		last = i;
	}
	if (v->kind == VALUE_TENSOR) {
		EQ_I64(tree_nlink(&t, v->tensor), n);
		EQ_I64(tree_first(&t, v->tensor), first);
	}
	if (n && t.generation)
		EQ_I64(v->kind == VALUE_TENSOR ? tree_also(&t, last) : tree_twin(&t, first,
			last == first ? TREE_NONE : last), TREE_NONE);
}

static void compare(void)
{
	uint32_t alive = 0, walked = 0;

	EQ_I64(t.nodes.n, sim.n);
	for (uint32_t i = 0; i < sim.n; i++) {
		OK(tree_alive(&t, i) == sim_alive(i));
		alive += sim_alive(i);
		if (sim_alive(i) && sim_is_dir(i))
			compare_dir(i);
	}
	for (uint32_t i = 0; i != TREE_NONE && walked <= alive; i = tree_next(&t, i))
		walked++;
	EQ_I64(walked, alive);
	if (t.generation == 0)
		return;
	for (int i = 0; i < 4; i++)
		compare_ring(file[i]);
	compare_ring(dict);
	compare_ring(deep);
}

static void start_model(void)
{
	memset(&sim, 0, sizeof sim);
	memset(slots, 0, sizeof slots);
	sim.node[0] = (struct sim_node){.here = true, .value = m.root};
	sim.n = 1;
	sim_fill(0);
}

static void (*const edits[])(void) = {random_add, random_add, random_remove, random_remove,
		random_restore, random_move, random_move, random_value};

static void random_edits_do_what_a_simple_model_says(void)
{
	for (uint64_t run = 1; run <= 40; run++) {
		int bad = tap_bad;
		size_t mark = 0;

		seed = run * 0x9e3779b97f4a7c15u;
		begin();
		start_model();
		compare();
		saved = sim;
		for (int i = 0; i < 120 && tap_bad == bad && sim.n < NODES / 2; i++) {
			uint32_t what = pick(20);

			if (what == 0)
				saved = sim, mark = t.undo.n;
			else if (what == 1)
				tree_undo(&t, mark), sim_undo();
			else
				edits[what % 8]();
			compare();
		}
		if (tap_bad != bad)
			printf("# in run %d\n", (int)run);
		end();
	}
}

static void random_edits_taken_back_are_the_tree_as_built(void)
{
	for (uint64_t run = 1; run <= 40; run++) {
		char *before;

		seed = run * 0xbf58476d1ce4e5b9u;
		begin();
		start_model();
		before = told();
		for (int i = 0; i < 100 && sim.n < NODES / 2; i++)
			edits[pick(8)]();
		tree_undo(&t, 0);
		same_as(before);
		end();
	}
}

int main(void)
{
	TEST(every_edit_taken_back_is_exactly_the_tree_as_built);
	TEST(edits_are_taken_back_to_a_mark);
	TEST(what_was_never_there_is_not_found_among_the_removed);
	TEST(edits_that_were_committed_cannot_be_taken_back);
	TEST(without_recording_nothing_is_kept);
	TEST(random_edits_do_what_a_simple_model_says);
	TEST(random_edits_taken_back_are_the_tree_as_built);
	return tap_done();
}
