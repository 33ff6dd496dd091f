/* From a model's values to paths. */
#include "tree_kit.h"

static struct model m;
static struct tree t;

/* A model whose root is a dict (value 0) that waits for its entries. */
static uint32_t begin(void)
{
	memset(&t, 0, sizeof t);
	kit_model(&m);
	m.root = kit_dir(&m, VALUE_DICT);
	return m.root;
}

static void build(void)
{
	struct err e = {0};

	EQ_I64(tree_build(&m, 0, &t, &e), 0);
	EQ_STR(e.text, "");
}

static void end(void)
{
	tree_release(&t);
	model_release(&m);
}

static void path_is(const char *path)
{
	struct buf b;

	buf_init(&b, 4096);
	tree_path(&t, kit_node(&t, path), &b);
	EQ_MEM(b.p, b.n, path, strlen(path));
	buf_release(&b);
}

static void directories_hold_their_keys_in_the_checkpoints_order(void)
{
	uint32_t root = begin(), model, leaf = kit_leaf(&m, 7), w = kit_floats(&m, 4);

	model = kit_value(&m, (struct value){.kind = VALUE_DICT, .obj = OREF_NIL});
	kit_put(&m, root, "zebra", leaf);
	kit_put(&m, root, "model", model);
	kit_put(&m, root, "aardvark", leaf);
	m.values.at[model].first = (uint32_t)m.entries.n;
	kit_put(&m, model, "fc.weight", kit_tensor_file(&m, w));
	kit_put(&m, model, "fc.bias", kit_tensor_file(&m, kit_floats(&m, 2)));
	build();
	EQ_STR(NAMES(&t, 0), "zebra model aardvark ");
	EQ_STR(NAMES(&t, kit_node(&t, "model")), "fc.weight fc.bias ");
	OK(t.nodes.at[0].flags & NODE_DIR && t.nodes.at[kit_node(&t, "model")].flags & NODE_DIR);
	OK(!(t.nodes.at[kit_node(&t, "zebra")].flags & NODE_DIR));
	EQ_I64(node_value(&t, kit_node(&t, "model/fc.weight"))->tensor, w);
	EQ_I64(kit_node(&t, "model/fc"), TREE_NONE);
	EQ_I64(kit_node(&t, "fc.bias"), TREE_NONE);
	path_is("model/fc.bias");
	path_is("zebra");
	path_is("");
	end();
}

static void an_empty_checkpoint_is_an_empty_root(void)
{
	begin();
	build();
	EQ_I64(t.nodes.n, 1);
	EQ_I64(t.nodes.at[0].n, 0);
	EQ_I64(t.nodes.at[0].parent, 0);
	end();
}

static void keys_that_are_no_file_names_are_marked_as_renamed(void)
{
	uint32_t root = begin(), leaf = kit_leaf(&m, 1);

	kit_put(&m, root, "a/b", leaf);
	kit_put(&m, root, "a", leaf);
	build();
	EQ_STR(NAMES(&t, 0), "a%2Fb a ");
	OK(t.nodes.at[kit_node(&t, "a%2Fb")].flags & NODE_RENAMED);
	OK(!(t.nodes.at[kit_node(&t, "a")].flags & NODE_RENAMED));
	end();
}

static void the_later_of_two_keys_with_one_spelling_gets_a_number_that_no_key_has(void)
{
	uint32_t root = begin(), leaf = kit_leaf(&m, 1);

	kit_put_key(&m, root, obj_new_int(&m.graph, 0, 0), leaf);
	kit_put(&m, root, "0", leaf);
	kit_put(&m, root, "%", leaf);
	kit_put(&m, root, "", leaf);
	kit_put(&m, root, "0~2", leaf);
	build();
	EQ_STR(NAMES(&t, 0), "0 0~3 % %~2 0~2 ");
	for (uint32_t i = 0; i < 5; i++) /* and each is found under its own */
		EQ_I64(tree_find(&t, 0, node_name(&t, 1 + i)), 1 + i);
	OK(t.nodes.at[kit_node(&t, "0~3")].flags & NODE_RENAMED);
	end();
}

static void one_name_in_two_directories_needs_no_number(void)
{
	uint32_t root = begin(), sub[2], leaf = kit_leaf(&m, 1);

	for (int i = 0; i < 2; i++)
		sub[i] = kit_value(&m, (struct value){.kind = VALUE_DICT, .obj = OREF_NIL});
	kit_put(&m, root, "a", sub[0]);
	kit_put(&m, root, "b", sub[1]);
	for (int i = 0; i < 2; i++) {
		m.values.at[sub[i]].first = (uint32_t)m.entries.n;
		kit_put(&m, sub[i], "x", leaf);
	}
	build();
	path_is("a/x");
	path_is("b/x");
	end();
}

static void lists_are_directories_of_numbers(void)
{
	uint32_t list, leaf;

	begin();
	leaf = kit_leaf(&m, 1);
	list = m.root = kit_dir(&m, VALUE_LIST);
	for (int i = 0; i < 11; i++)
		kit_put_key(&m, list, obj_new_int(&m.graph, i, 0), leaf);
	build();
	EQ_STR(NAMES(&t, 0), "0 1 2 3 4 5 6 7 8 9 10 ");
	end();
}

static void tied_tensors_count_their_names(void)
{
	uint32_t root = begin(), w = kit_floats(&m, 4), other = kit_floats(&m, 4);

	kit_put(&m, root, "encoder", kit_tensor_file(&m, w));
	kit_put(&m, root, "other", kit_tensor_file(&m, other));
	kit_put(&m, root, "decoder", kit_tensor_file(&m, w));
	build();
	EQ_I64(t.nlink[w], 2);
	EQ_I64(t.nlink[other], 1);
	EQ_I64(t.first_node[w], kit_node(&t, "encoder"));
	end();
}

static void a_tensor_that_nothing_names_has_no_links(void)
{
	uint32_t w;

	begin();
	w = kit_floats(&m, 4);
	build();
	EQ_I64(t.nlink[w], 0);
	EQ_I64(t.first_node[w], TREE_NONE);
	end();
}

/* In Python one dict under two keys: two directories, whose tensors are hard links. */
static void a_shared_dict_is_a_directory_at_each_of_its_places(void)
{
	uint32_t root = begin(), shared, w = kit_floats(&m, 4);

	shared = kit_value(&m, (struct value){.kind = VALUE_DICT, .obj = OREF_NIL});
	kit_put(&m, root, "model", shared);
	kit_put(&m, root, "ema", shared);
	m.values.at[shared].first = (uint32_t)m.entries.n;
	kit_put(&m, shared, "w", kit_tensor_file(&m, w));
	build();
	path_is("model/w");
	path_is("ema/w");
	EQ_I64(t.nlink[w], 2);
	EQ_I64(t.first_node[w], kit_node(&t, "model/w"));
	end();
}

/* The format cuts a cycle where it closes; the tree shows the cut as a file. */
static void a_cycle_that_was_cut_is_a_file(void)
{
	uint32_t root = begin();

	kit_put(&m, root, "self",
			kit_value(&m, (struct value){.kind = VALUE_LEAF, .flags = VALUE_CYCLE}));
	build();
	OK(!(t.nodes.at[kit_node(&t, "self")].flags & NODE_DIR));
	EQ_I64(t.nodes.n, 2);
	end();
}

/* Each of 40 dicts holds the next one twice: 2^40 paths. */
static void shared_dicts_that_expand_without_end_are_refused_in_words(void)
{
	uint32_t dir[40];
	struct err e = {0};

	kit_model(&m);
	for (int i = 0; i < 40; i++)
		dir[i] = kit_value(&m, (struct value){.kind = VALUE_DICT, .obj = OREF_NIL});
	m.root = dir[0];
	for (int i = 0; i < 39; i++) {
		m.values.at[dir[i]].first = (uint32_t)m.entries.n;
		kit_put(&m, dir[i], "a", dir[i + 1]);
		kit_put(&m, dir[i], "b", dir[i + 1]);
	}
	EQ_I64(tree_build(&m, 0, &t, &e), ERR_LIMIT);
	HAS(e.text, "1000000 names");
	HAS(e.text, "-o max_names=N");
	EQ_I64(tree_build(&m, 100, &t, &e), ERR_LIMIT);
	HAS(e.text, "more than 100 names");
	model_release(&m);
}

static void the_limit_of_names_is_exact(void)
{
	uint32_t root = begin(), leaf = kit_leaf(&m, 1);
	struct err e;

	kit_put(&m, root, "a", leaf);
	kit_put(&m, root, "b", leaf);
	EQ_I64(tree_build(&m, 2, &t, &e), ERR_LIMIT);
	EQ_I64(tree_build(&m, 3, &t, &e), 0); /* the root is one of them */
	end();
}

static void a_lone_tensor_or_value_is_the_file_value(void)
{
	uint32_t w;

	begin();
	w = kit_floats(&m, 4);
	m.root = kit_tensor_file(&m, w);
	build();
	EQ_STR(NAMES(&t, 0), "value ");
	OK(t.nodes.at[0].flags & NODE_DIR);
	EQ_I64(t.nlink[w], 1);
	EQ_I64(t.first_node[w], kit_node(&t, "value"));
	tree_release(&t);
	m.root = kit_leaf(&m, 5);
	build();
	EQ_STR(NAMES(&t, 0), "value ");
	OK(!(t.nodes.at[1].flags & NODE_DIR));
	end();
}

static void a_lone_quantized_tensor_is_the_directory_value(void)
{
	uint32_t parts, leaf;

	begin();
	leaf = kit_leaf(&m, 1);
	parts = m.root = kit_dir(&m, VALUE_PARTS);
	kit_put(&m, parts, "int_repr", kit_tensor_file(&m, kit_floats(&m, 1)));
	kit_put(&m, parts, "scale", leaf);
	build();
	EQ_STR(NAMES(&t, 0), "value ");
	EQ_STR(NAMES(&t, 1), "int_repr scale ");
	path_is("value/scale");
	end();
}

/* A module shows its state_dict; its attributes are a tree of their own. */
static void the_attributes_of_a_module_stand_apart_and_are_no_links(void)
{
	uint32_t root = begin(), module, raw, w = kit_floats(&m, 4), own = kit_floats(&m, 1);
	uint32_t object;

	raw = kit_value(&m, (struct value){.kind = VALUE_OBJECT, .obj = OREF_NIL});
	module = kit_value(&m, (struct value){.kind = VALUE_MODULE, .obj = OREF_NIL, .raw = raw});
	kit_put(&m, root, "net", module);
	m.values.at[module].first = (uint32_t)m.entries.n;
	kit_put(&m, module, "fc.weight", kit_tensor_file(&m, w));
	m.values.at[raw].first = (uint32_t)m.entries.n;
	kit_put(&m, raw, "weight", kit_tensor_file(&m, w));
	kit_put(&m, raw, "mask", kit_tensor_file(&m, own));
	kit_put(&m, raw, "fc", module); /* below object/ modules show their attributes too */
	m.values.at[raw].n = 2; /* not this one, which would be a cycle */
	build();
	EQ_STR(NAMES(&t, kit_node(&t, "net")), "fc.weight ");
	object = t.object_root[module];
	EQ_STR(NAMES(&t, object), "weight mask ");
	EQ_I64(t.nodes.at[object].parent, object);
	OK(t.nodes.at[tree_find(&t, object, STR("mask"))].flags & NODE_OBJECT);
	EQ_I64(t.nlink[w], 1);
	EQ_I64(t.first_node[w], kit_node(&t, "net/fc.weight"));
	EQ_I64(t.nlink[own], 0);
	end();
}

static void below_an_object_modules_show_their_attributes(void)
{
	uint32_t module[2], raw[2], object;

	begin();
	for (int i = 0; i < 2; i++) {
		raw[i] = kit_value(&m, (struct value){.kind = VALUE_OBJECT, .obj = OREF_NIL});
		module[i] = kit_value(&m, (struct value){.kind = VALUE_MODULE, .obj = OREF_NIL,
				.raw = i ? MODEL_NONE : raw[i]});
	}
	m.root = module[0];
	m.values.at[raw[0]].first = (uint32_t)m.entries.n;
	kit_put(&m, raw[0], "training", kit_leaf(&m, 1));
	kit_put(&m, raw[0], "child", module[1]); /* whose attributes nobody has made out */
	build();
	object = t.object_root[module[0]];
	EQ_STR(NAMES(&t, object), "training child ");
	end();
}

static void attributes_that_expand_without_end_do_not_keep_the_rest_away(void)
{
	uint32_t raw[40], module;

	begin();
	for (int i = 0; i < 40; i++)
		raw[i] = kit_value(&m, (struct value){.kind = VALUE_OBJECT, .obj = OREF_NIL});
	module = m.root = kit_value(&m, (struct value){.kind = VALUE_MODULE, .obj = OREF_NIL,
			.raw = raw[0], .first = (uint32_t)m.entries.n});
	kit_put(&m, module, "w", kit_tensor_file(&m, kit_floats(&m, 4)));
	for (int i = 0; i < 39; i++) {
		m.values.at[raw[i]].first = (uint32_t)m.entries.n;
		kit_put(&m, raw[i], "a", raw[i + 1]);
		kit_put(&m, raw[i], "b", raw[i + 1]);
	}
	EQ_I64(tree_build(&m, 1000, &t, NULL), 0);
	OK(t.objects_cut);
	EQ_STR(NAMES(&t, 0), "w ");
	EQ_STR(NAMES(&t, t.object_root[module]), "a b ");
	end();
}

static void a_path_of_hostile_depth_is_told_by_its_end(void)
{
	uint32_t dir, next, last;
	struct buf b;

	begin();
	dir = m.root;
	for (int i = 0; i < 300; i++) {
		m.values.at[dir].first = (uint32_t)m.entries.n;
		next = kit_value(&m, (struct value){.kind = VALUE_DICT, .obj = OREF_NIL});
		kit_put(&m, dir, "d", next);
		dir = next;
	}
	build();
	last = (uint32_t)t.nodes.n - 1;
	buf_init(&b, 4096);
	tree_path(&t, last, &b);
	EQ_MEM(b.p, 8, ".../d/d/", 8);
	EQ_I64(b.n, 4 + 2 * 256 - 1);
	buf_release(&b);
	end();
}

static void a_hundred_thousand_keys_are_found_again(void)
{
	enum { N = 100000 };
	uint32_t root = begin(), leaf = kit_leaf(&m, 1);
	int wrong = 0;
	char key[64];

	for (int i = 0; i < N; i++) {
		int n = snprintf(key, sizeof key, "layers.%d.attn.%d.weight", i / 10, i % 10);
		struct entry en = {kit_text(&m, (struct str){key, (size_t)n}), leaf};

		wrong += vec_push(&m.entries, en) != 0;
		m.values.at[root].n++;
	}
	build();
	EQ_I64(t.nodes.n, N + 1);
	for (uint32_t i = 1; i <= N; i++)
		wrong += tree_find(&t, 0, node_name(&t, i)) != i;
	EQ_I64(wrong, 0);
	EQ_I64(t.names.used, 0); /* names that are keys are borrowed */
	end();
}

int main(void)
{
	TEST(directories_hold_their_keys_in_the_checkpoints_order);
	TEST(an_empty_checkpoint_is_an_empty_root);
	TEST(keys_that_are_no_file_names_are_marked_as_renamed);
	TEST(the_later_of_two_keys_with_one_spelling_gets_a_number_that_no_key_has);
	TEST(one_name_in_two_directories_needs_no_number);
	TEST(lists_are_directories_of_numbers);
	TEST(tied_tensors_count_their_names);
	TEST(a_tensor_that_nothing_names_has_no_links);
	TEST(a_shared_dict_is_a_directory_at_each_of_its_places);
	TEST(a_cycle_that_was_cut_is_a_file);
	TEST(shared_dicts_that_expand_without_end_are_refused_in_words);
	TEST(the_limit_of_names_is_exact);
	TEST(a_lone_tensor_or_value_is_the_file_value);
	TEST(a_lone_quantized_tensor_is_the_directory_value);
	TEST(the_attributes_of_a_module_stand_apart_and_are_no_links);
	TEST(below_an_object_modules_show_their_attributes);
	TEST(attributes_that_expand_without_end_do_not_keep_the_rest_away);
	TEST(a_path_of_hostile_depth_is_told_by_its_end);
	TEST(a_hundred_thousand_keys_are_found_again);
	return tap_done();
}
