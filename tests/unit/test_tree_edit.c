/* Names that come, go and are called otherwise, in a tree that is otherwise as built. */
#include "tree_kit.h"

#include <errno.h>
#include <time.h>

static struct model m;
static struct tree t;
static uint32_t leaf, tensor, other; /* values: a number, two tensors */
static uint32_t w;                   /* the tensor of `tensor` */

/* A dict value with these keys (NULL ends them), all of one value. */
static uint32_t dict_of(uint32_t value, const char *const *keys)
{
	uint32_t dict = kit_dir(&m, VALUE_DICT);

	while (*keys)
		kit_put(&m, dict, *keys++, value);
	return dict;
}
#define DICT_OF(value, ...) dict_of((value), (const char *const[]){__VA_ARGS__, NULL})

static void values(void)
{
	kit_model(&m);
	leaf = kit_leaf(&m, 1);
	w = kit_floats(&m, 4);
	tensor = kit_tensor_file(&m, w);
	other = kit_tensor_file(&m, kit_floats(&m, 4));
}

static void build(uint32_t root)
{
	struct err e = {0};

	m.root = root;
	EQ_I64(tree_build(&m, 0, &t, &e), 0);
}

/* a b c d (numbers), sub/{x,y} (one tensor) */
static void begin(void)
{
	uint32_t sub, root;

	values();
	sub = DICT_OF(tensor, "x", "y");
	root = DICT_OF(leaf, "a", "b", "c", "d");
	kit_put(&m, root, "sub", sub);
	build(root);
}

static void end(void)
{
	tree_release(&t);
	model_release(&m);
}

static uint32_t at(const char *path)
{
	uint32_t node = kit_node(&t, path);

	if (node == TREE_NONE) {
		tap_bad++;
		printf("# %s is not there\n", path);
		return 0;
	}
	return node;
}

static uint32_t add(uint32_t dir, const char *name, uint32_t value)
{
	uint32_t node = 0;
	struct err e = {0};

	EQ_I64(tree_add(&t, dir, kit_text(&m, str_of(name)), str_of(name), value, &node, &e), 0);
	return node;
}

static int move_to(uint32_t node, uint32_t dir, const char *name)
{
	return tree_move(&t, node, dir, kit_text(&m, str_of(name)), str_of(name), NULL);
}

/* Every path in tree order, a blank behind it; "^" behind what is NODE_NEW. */
static const char *paths(char *out, size_t size)
{
	size_t used = 0;
	struct buf b;

	buf_init(&b, 4096);
	out[0] = 0;
	for (uint32_t i = tree_next(&t, 0); i != TREE_NONE && used < size; i = tree_next(&t, i)) {
		b.n = 0;
		tree_path(&t, i, &b);
		used += (size_t)snprintf(out + used, size - used, "%.*s%s ", STR_FMT(buf_view(&b)),
				t.nodes.at[i].flags & NODE_NEW ? "^" : "");
		OK(tree_alive(&t, i));
	}
	buf_release(&b);
	return out;
}
#define PATHS() paths((char[4096]){0}, 4096)

/* --- slots ------------------------------------------------------------------------------------ */

static void who_is_removed_leaves_an_empty_slot(void)
{
	begin();
	EQ_I64(tree_remove(&t, at("b")), 0);
	EQ_STR(NAMES(&t, 0), "a c d sub ");
	EQ_I64(tree_slots(&t, 0), 5);
	EQ_I64(tree_count(&t, 0), 4);
	EQ_I64(tree_child(&t, 0, 1), TREE_NONE);
	EQ_I64(tree_child(&t, 0, 2), at("c"));
	EQ_I64(tree_slot(&t, at("c")), 2);
	EQ_I64(tree_child(&t, 0, 5), TREE_NONE);
	EQ_I64(kit_node(&t, "b"), TREE_NONE);
	end();
}

static void who_is_restored_stands_in_the_old_slot(void)
{
	uint32_t b;

	begin();
	b = at("b");
	OK(tree_alive(&t, b));
	EQ_I64(tree_remove(&t, b), 0);
	OK(!tree_alive(&t, b));
	EQ_I64(tree_restore(&t, b, leaf, NULL), 0);
	EQ_STR(NAMES(&t, 0), "a b c d sub ");
	EQ_I64(at("b"), b);
	end();
}

static void who_is_added_stands_at_the_end(void)
{
	uint32_t e;

	begin();
	e = add(0, "e", leaf);
	add(at("sub"), "z", leaf);
	EQ_STR(PATHS(), "a b c d sub sub/x sub/y sub/z^ e^ ");
	EQ_I64(tree_slot(&t, e), 5);
	EQ_I64(tree_remove(&t, e), 0);
	add(0, "f", leaf);
	EQ_I64(tree_restore(&t, e, leaf, NULL), 0);
	EQ_STR(NAMES(&t, 0), "a b c d sub e f ");
	end();
}

static void a_name_within_its_directory_keeps_its_slot(void)
{
	uint32_t b;

	begin();
	b = at("b");
	EQ_I64(move_to(b, 0, "renamed"), 0);
	EQ_STR(NAMES(&t, 0), "a renamed c d sub ");
	EQ_I64(at("renamed"), b);
	EQ_I64(kit_node(&t, "b"), TREE_NONE);
	EQ_I64(move_to(b, 0, "renamed"), 0); /* to itself */
	EQ_I64(move_to(b, 0, "b"), 0);
	EQ_I64(at("b"), b);
	end();
}

static void a_name_that_comes_and_goes_costs_no_more_each_time(void)
{
	uint32_t b, names;

	begin();
	b = at("b");
	EQ_I64(move_to(b, at("sub"), "b2"), 0);
	names = t.by_name.n;
	for (int i = 0; i < 100; i++) {
		EQ_I64(move_to(b, 0, "b"), 0);
		EQ_I64(move_to(b, at("sub"), "b2"), 0);
	}
	EQ_I64(t.by_name.n, names);
	EQ_I64(t.late.n, 1);
	end();
}

static void who_moves_away_and_back_takes_the_old_slot(void)
{
	uint32_t b, x;

	begin();
	b = at("b");
	x = at("sub/x");
	EQ_I64(move_to(b, at("sub"), "b"), 0);
	EQ_I64(move_to(x, 0, "x"), 0);
	EQ_STR(PATHS(), "a c d sub sub/y sub/b x ");
	EQ_I64(move_to(b, 0, "B"), 0);
	EQ_I64(move_to(x, at("sub"), "X"), 0);
	EQ_STR(PATHS(), "a B c d sub sub/X sub/y ");
	add(0, "end", leaf);
	EQ_I64(move_to(x, 0, "x"), 0); /* also where it was not born */
	EQ_STR(PATHS(), "a B c d sub sub/y x end^ ");
	end();
}

/* A cursor is a slot: ten are removed behind it and one is added, and the rest is still listed. */
static void a_listing_that_was_begun_skips_nobody(void)
{
	uint32_t root;
	char name[8];

	values();
	root = kit_dir(&m, VALUE_DICT);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "k%02d", i);
		kit_put(&m, root, name, leaf);
	}
	build(root);
	for (uint32_t slot = 0; slot < 20; slot += 2)
		EQ_I64(tree_remove(&t, tree_child(&t, 0, slot)), 0);
	add(0, "new", leaf);
	for (uint32_t slot = 11; slot < 20; slot += 2) {
		snprintf(name, sizeof name, "k%02d", (int)slot);
		OK(str_is(node_name(&t, tree_child(&t, 0, slot)), name));
	}
	OK(str_is(node_name(&t, tree_child(&t, 0, 20)), "new"));
	end();
}

/* --- directories ------------------------------------------------------------------------------ */

static void a_removed_directory_takes_along_and_brings_back_what_is_below(void)
{
	uint32_t sub, x;

	begin();
	sub = at("sub");
	x = at("sub/x");
	EQ_I64(tree_remove(&t, at("sub/y")), 0);
	EQ_I64(tree_remove(&t, sub), 0);
	EQ_STR(PATHS(), "a b c d ");
	OK(!tree_alive(&t, x));
	EQ_I64(t.nlink[w], 0);
	EQ_I64(t.first_node[w], TREE_NONE);
	EQ_I64(tree_restore(&t, sub, t.nodes.at[sub].value, NULL), 0);
	EQ_STR(PATHS(), "a b c d sub sub/x ");
	EQ_I64(t.nlink[w], 1);
	EQ_I64(t.first_node[w], x);
	end();
}

static void another_value_of_a_directory_is_other_names_below_it(void)
{
	uint32_t sub, inner, value, x;

	begin();
	sub = at("sub");
	x = at("sub/x");
	inner = DICT_OF(other, "p");
	value = DICT_OF(leaf, "x", "new");
	kit_put(&m, value, "in", inner);
	EQ_I64(tree_set_value(&t, sub, value, NULL), 0);
	EQ_STR(PATHS(), "a b c d sub sub/x^ sub/new^ sub/in^ sub/in/p^ ");
	OK(at("sub/x") != x);
	EQ_I64(t.nlink[w], 0);
	EQ_I64(t.nlink[w + 1], 1);
	EQ_I64(tree_set_value(&t, sub, leaf, NULL), 0);
	EQ_STR(PATHS(), "a b c d sub ");
	OK(!(t.nodes.at[sub].flags & NODE_DIR));
	EQ_I64(tree_set_value(&t, sub, value, NULL), 0);
	EQ_STR(PATHS(), "a b c d sub sub/x^ sub/new^ sub/in^ sub/in/p^ ");
	EQ_I64(tree_remove(&t, sub), 0);
	EQ_I64(tree_restore(&t, sub, inner, NULL), 0);
	EQ_STR(PATHS(), "a b c d sub sub/p^ ");
	end();
}

static void a_directory_is_added_with_all_that_it_holds(void)
{
	uint32_t inner, value;

	begin();
	inner = DICT_OF(tensor, "p", "q");
	value = kit_dir(&m, VALUE_DICT);
	kit_put(&m, value, "1", inner);
	kit_put_key(&m, value, obj_new_int(&m.graph, 1, 0), inner); /* of the same spelling */
	add(at("sub"), "deep", value);
	EQ_STR(PATHS(), "a b c d sub sub/x sub/y sub/deep^ sub/deep/1^ sub/deep/1/p^ sub/deep/1/q^ "
			"sub/deep/1~2^ sub/deep/1~2/p^ sub/deep/1~2/q^ ");
	EQ_I64(t.nlink[w], 6);
	end();
	begin();
	value = kit_dir(&m, VALUE_DICT);
	kit_put(&m, value, "1", leaf);
	kit_put_key(&m, value, obj_new_int(&m.graph, 1, 0), leaf);
	EQ_I64(tree_set_value(&t, at("a"), value, NULL), 0); /* also where it takes a file's place */
	EQ_STR(NAMES(&t, at("a")), "1 1~2 ");
	EQ_I64(tree_find(&t, at("a"), STR("1~2")), at("a/1~2"));
	end();
}

/* --- names of a tensor ------------------------------------------------------------------------ */

static void the_names_of_a_tensor_are_counted_through_every_edit(void)
{
	uint32_t x, y, a, late;

	begin();
	x = at("sub/x");
	y = at("sub/y");
	a = at("a");
	EQ_I64(t.nlink[w], 2);
	EQ_I64(t.first_node[w], x);
	EQ_I64(tree_set_value(&t, a, tensor, NULL), 0);
	EQ_I64(t.nlink[w], 3);
	EQ_I64(t.first_node[w], a); /* the lowest number */
	late = add(0, "late", tensor);
	EQ_I64(tree_also(&t, a), x);
	EQ_I64(tree_also(&t, x), y);
	EQ_I64(tree_also(&t, y), late);
	EQ_I64(tree_also(&t, late), TREE_NONE);
	EQ_I64(tree_set_value(&t, a, other, NULL), 0);
	EQ_I64(tree_remove(&t, x), 0);
	EQ_I64(t.nlink[w], 2);
	EQ_I64(t.first_node[w], y);
	EQ_I64(move_to(y, 0, "y"), 0);
	EQ_I64(t.nlink[w], 2);
	EQ_I64(tree_remove(&t, at("sub")), 0); /* y is not in it any more */
	EQ_I64(t.first_node[w], y);
	EQ_I64(tree_remove(&t, y), 0);
	EQ_I64(t.first_node[w], late);
	EQ_I64(tree_remove(&t, late), 0);
	EQ_I64(t.nlink[w], 0);
	EQ_I64(t.first_node[w], TREE_NONE);
	EQ_I64(tree_restore(&t, y, tensor, NULL), 0);
	EQ_I64(t.first_node[w], y);
	end();
}

static void tensors_that_come_later_are_counted_from_their_first_name_on(void)
{
	uint32_t late, node;

	begin();
	late = kit_floats(&m, 8);
	for (int i = 0; i < 100; i++)
		late = kit_floats(&m, 8);
	EQ_I64(tree_nlink(&t, late), 0);
	EQ_I64(tree_first(&t, late), TREE_NONE);
	node = add(0, "late", kit_tensor_file(&m, late));
	EQ_I64(tree_nlink(&t, late), 1);
	EQ_I64(tree_first(&t, late), node);
	EQ_I64(tree_nlink(&t, w), 2);
	end();
}

/* One number is lower, but a name that only object/ has is none. */
static void names_below_object_come_after_all_others(void)
{
	uint32_t raw, module, root, named, object, real;

	values();
	named = kit_tensor_file(&m, kit_floats(&m, 4));
	raw = DICT_OF(named, "mask");
	m.values.at[raw].kind = VALUE_OBJECT;
	module = kit_value(&m, (struct value){.kind = VALUE_MODULE, .obj = OREF_NIL, .raw = raw});
	root = kit_dir(&m, VALUE_DICT);
	kit_put(&m, root, "net", module);
	build(root);
	object = tree_find(&t, tree_object(&t, module), STR("mask"));
	EQ_I64(tree_first(&t, w + 2), object);
	EQ_I64(tree_nlink(&t, w + 2), 0);
	real = add(0, "mask", named);
	OK(real > object);
	EQ_I64(tree_first(&t, w + 2), real);
	EQ_I64(tree_nlink(&t, w + 2), 1);
	EQ_I64(tree_remove(&t, real), 0);
	EQ_I64(tree_first(&t, w + 2), object);
	EQ_I64(tree_object(&t, (uint32_t)m.values.n + 5), TREE_NONE); /* of a value that came later */
	end();
}

/* --- who was there ---------------------------------------------------------------------------- */

static void the_one_that_was_removed_last_is_found_by_its_name(void)
{
	uint32_t a, b;

	begin();
	a = at("a");
	b = at("b");
	EQ_I64(tree_find_gone(&t, 0, STR("a")), TREE_NONE);
	EQ_I64(tree_remove(&t, a), 0);
	EQ_I64(tree_find_gone(&t, 0, STR("a")), a);
	EQ_I64(tree_find_gone(&t, at("sub"), STR("a")), TREE_NONE);
	EQ_I64(move_to(b, 0, "a"), 0);
	EQ_I64(tree_find_gone(&t, 0, STR("a")), a);
	EQ_I64(tree_remove(&t, b), 0);
	EQ_I64(tree_find_gone(&t, 0, STR("a")), b);
	EQ_I64(tree_restore(&t, a, leaf, NULL), 0);
	EQ_I64(tree_remove(&t, a), 0);
	EQ_I64(tree_find_gone(&t, 0, STR("a")), a);
	EQ_I64(tree_find_gone(&t, 0, STR("b")), TREE_NONE); /* that one was called a then */
	end();
}

static void every_place_of_a_shared_container_is_a_twin(void)
{
	uint32_t shared, inner, root, node[3], one, edited;

	values();
	inner = DICT_OF(tensor, "w");
	shared = kit_dir(&m, VALUE_DICT);
	kit_put(&m, shared, "in", inner);
	root = kit_dir(&m, VALUE_DICT);
	kit_put(&m, root, "p", shared);
	kit_put(&m, root, "q", shared);
	kit_put(&m, root, "r", shared);
	build(root);
	for (edited = 0; edited < 2; edited++) { /* as built, and after an edit */
		node[0] = at("p"), node[1] = at("q"), node[2] = at("r");
		EQ_I64(tree_twin(&t, node[1], TREE_NONE), edited ? node[2] : node[0]);
		EQ_I64(tree_twin(&t, node[1], edited ? node[2] : node[0]), edited ? node[0] : node[2]);
		EQ_I64(tree_twin(&t, node[1], edited ? node[0] : node[2]), TREE_NONE);
		EQ_I64(tree_twin(&t, 0, TREE_NONE), TREE_NONE);
		OK(tree_twin(&t, at("p/in"), TREE_NONE) != TREE_NONE);
		if (!edited)
			add(0, "e", leaf);
	}
	EQ_I64(tree_remove(&t, node[1]), 0);
	EQ_I64(tree_twin(&t, node[0], TREE_NONE), node[2]);
	EQ_I64(tree_twin(&t, node[0], node[2]), TREE_NONE);
	EQ_I64(tree_twin(&t, at("r/in"), TREE_NONE), at("p/in"));
	EQ_I64(tree_twin(&t, at("r/in"), at("p/in")), TREE_NONE); /* the third went with q */
	EQ_I64(tree_remove(&t, node[2]), 0);
	EQ_I64(tree_twin(&t, node[0], TREE_NONE), TREE_NONE);
	one = add(0, "s", shared);
	EQ_I64(tree_twin(&t, node[0], TREE_NONE), one);
	end();
	begin();
	EQ_I64(tree_twin(&t, at("sub"), TREE_NONE), TREE_NONE);
	end();
}

/* --- what is refused -------------------------------------------------------------------------- */

static void what_is_refused_changes_nothing(void)
{
	uint32_t node = 77, b, sub;
	char name[NAME_LIMIT + 1];
	struct err e;

	begin();
	b = at("b");
	sub = at("sub");
	memset(name, 'n', sizeof name);
	EQ_I64(tree_add(&t, 0, OREF_NIL, STR("a"), leaf, &node, &e), ERR_EXISTS);
	HAS(e.text, "a is there already");
	EQ_I64(tree_add(&t, b, OREF_NIL, STR("x"), leaf, &node, &e), ERR_SYS);
	EQ_I64(e.sys, ENOTDIR);
	EQ_I64(tree_add(&t, 0, OREF_NIL, (struct str){name, sizeof name}, leaf, &node, &e), ERR_SYS);
	EQ_I64(e.sys, ENAMETOOLONG);
	EQ_I64(node, 77);
	EQ_I64(move_to(b, 0, "a"), ERR_EXISTS);
	EQ_I64(move_to(sub, sub, "x2"), ERR_INVALID);
	EQ_I64(tree_add(&t, sub, OREF_NIL, STR("in"), DICT_OF(leaf, "z"), &node, &e), 0);
	EQ_I64(move_to(sub, node, "sub"), ERR_INVALID);
	EQ_I64(tree_remove(&t, node), 0);
	EQ_I64(tree_add(&t, node, OREF_NIL, STR("y"), leaf, &node, &e), ERR_ABSENT);
	EQ_I64(move_to(b, node, "y"), ERR_ABSENT);
	EQ_I64(tree_remove(&t, node), ERR_ABSENT);
	EQ_I64(tree_remove(&t, 0), ERR_ABSENT);
	EQ_I64(tree_set_value(&t, node, leaf, &e), ERR_ABSENT);
	EQ_I64(tree_restore(&t, b, leaf, &e), ERR_EXISTS);
	EQ_I64(tree_remove(&t, b), 0);
	EQ_I64(move_to(at("a"), 0, "b"), 0);
	EQ_I64(tree_restore(&t, b, leaf, &e), ERR_EXISTS); /* its name is taken now */
	EQ_STR(PATHS(), "b c d sub sub/x sub/y ");
	end();
}

static void over_the_limit_of_names_nothing_has_changed(void)
{
	uint32_t big, root, node;
	struct err e;

	values();
	big = DICT_OF(tensor, "1", "2", "3", "4");
	root = DICT_OF(tensor, "a", "b");
	m.root = root;
	EQ_I64(tree_build(&m, 6, &t, &e), 0);
	EQ_I64(tree_add(&t, 0, OREF_NIL, STR("big"), big, &node, &e), ERR_LIMIT);
	HAS(e.text, "more than 6 names");
	EQ_I64(tree_set_value(&t, at("a"), big, &e), ERR_LIMIT);
	EQ_STR(PATHS(), "a b ");
	EQ_I64(t.nlink[w], 2);
	EQ_I64(tree_slots(&t, 0), 2);
	EQ_I64(tree_slots(&t, at("a")), 0);
	add(0, "c", tensor); /* there is room for three more, and they are themselves */
	add(0, "d", leaf);
	EQ_I64(tree_add(&t, 0, OREF_NIL, STR("big"), leaf, &node, &e), 0);
	EQ_I64(tree_add(&t, 0, OREF_NIL, STR("e"), leaf, &node, &e), ERR_LIMIT);
	EQ_STR(PATHS(), "a b c^ d^ big^ ");
	EQ_I64(t.nlink[w], 3);
	end();
}

/* --- as many as there are --------------------------------------------------------------------- */

static void a_hundred_thousand_names_are_changed_in_no_time(void)
{
	enum { N = 100000 };
	uint32_t root, wrong = 0, sub;
	clock_t start;
	char name[64];

	values();
	sub = kit_dir(&m, VALUE_DICT);
	root = kit_dir(&m, VALUE_DICT);
	for (int i = 0; i < N; i++) {
		int n = snprintf(name, sizeof name, "module.layers.%d.weight", i);
		struct entry en = {kit_text(&m, (struct str){name, (size_t)n}), tensor};

		wrong += vec_push(&m.entries, en) != 0;
		m.values.at[root].n++;
	}
	kit_put(&m, root, "sub", sub);
	build(root);
	sub = at("sub");
	start = clock();
	for (uint32_t i = 1; i <= N; i++) { /* renamed, moved away, back, removed, all of one tensor */
		struct str now = str_skip(node_name(&t, i), 7);

		wrong += tree_move(&t, i, 0, t.nodes.at[i].key, now, NULL) != 0;
		wrong += tree_move(&t, i, sub, t.nodes.at[i].key, now, NULL) != 0;
	}
	EQ_I64(tree_count(&t, sub), N);
	for (uint32_t i = 1; i <= N; i++)
		wrong += tree_move(&t, i, 0, t.nodes.at[i].key, node_name(&t, i), NULL) != 0;
	EQ_I64(t.nlink[w], N);
	for (uint32_t i = 1; i <= N; i++)
		wrong += tree_remove(&t, i) != 0;
	EQ_I64(t.nlink[w], 0);
	EQ_I64(wrong, 0);
	printf("# %.3f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	OK(clock() - start < 20 * CLOCKS_PER_SEC); /* a square of it takes minutes */
	end();
}

int main(void)
{
	TEST(who_is_removed_leaves_an_empty_slot);
	TEST(who_is_restored_stands_in_the_old_slot);
	TEST(who_is_added_stands_at_the_end);
	TEST(a_name_within_its_directory_keeps_its_slot);
	TEST(a_name_that_comes_and_goes_costs_no_more_each_time);
	TEST(who_moves_away_and_back_takes_the_old_slot);
	TEST(a_listing_that_was_begun_skips_nobody);
	TEST(a_removed_directory_takes_along_and_brings_back_what_is_below);
	TEST(another_value_of_a_directory_is_other_names_below_it);
	TEST(a_directory_is_added_with_all_that_it_holds);
	TEST(the_names_of_a_tensor_are_counted_through_every_edit);
	TEST(tensors_that_come_later_are_counted_from_their_first_name_on);
	TEST(names_below_object_come_after_all_others);
	TEST(the_one_that_was_removed_last_is_found_by_its_name);
	TEST(every_place_of_a_shared_container_is_a_twin);
	TEST(what_is_refused_changes_nothing);
	TEST(over_the_limit_of_names_nothing_has_changed);
	TEST(a_hundred_thousand_names_are_changed_in_no_time);
	return tap_done();
}
