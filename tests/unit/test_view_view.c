/* A state_dict's names with prefixes taken off and put on. */
#include "tree_kit.h"

#include <pthfs/view.h>

static struct model m;
static struct tree t;
static struct view *v;

/* A tree of one state_dict with these keys (NULL ends them). */
static void state_dict(const char *const *keys)
{
	uint32_t root, tensor;

	kit_model(&m);
	root = m.root = kit_dir(&m, VALUE_DICT);
	tensor = kit_tensor_file(&m, kit_floats(&m, 4));
	while (*keys)
		kit_put(&m, root, *keys++, tensor);
	OK(tree_build(&m, 0, &t, NULL) == 0);
}
#define STATE_DICT(...) state_dict((const char *const[]){__VA_ARGS__, NULL})

static void make(const struct view_step *steps, unsigned n)
{
	struct err e = {0};

	v = NULL;
	EQ_I64(view_make(&t, 0, steps, n, &v, &e), 0);
}

static void end(void)
{
	view_free(v);
	v = NULL;
	tree_release(&t);
	model_release(&m);
}

/* The view's names in order; and each must be found, as the child at its place. */
static const char *names(void)
{
	static char out[4096];
	size_t used = 0;

	out[0] = 0;
	for (uint32_t i = 0; i < tree_slots(&t, 0); i++) {
		struct str name = view_name(v, i);

		if (tree_child(&t, 0, i) == TREE_NONE) {
			EQ_I64(name.n, 0);
			continue;
		}
		EQ_I64(view_find(v, name), tree_child(&t, 0, i));
		used += (size_t)snprintf(out + used, sizeof out - used, "%.*s ", STR_FMT(name));
	}
	return out;
}

static struct view_step strip(const char *prefix)
{
	return (struct view_step){VIEW_STRIP, str_of(prefix)};
}

static struct view_step add(const char *prefix)
{
	return (struct view_step){VIEW_ADD, str_of(prefix)};
}

static void stripping_takes_a_prefix_off_where_it_is(void)
{
	STATE_DICT("module.fc.weight", "module.fc.bias", "epoch");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "fc.weight fc.bias epoch ");
	EQ_I64(view_find(v, STR("module.fc.weight")), TREE_NONE);
	EQ_I64(view_find(v, STR("")), TREE_NONE);
	end();
}

static void a_prefix_ends_at_a_dot(void)
{
	STATE_DICT("module.a", "modulex.a", "module", "mod.a", "Module.b");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "a modulex.a module mod.a Module.b ");
	end();
	STATE_DICT("module.a", "b");
	make((struct view_step[]){strip("mod")}, 1);
	EQ_STR(names(), "module.a b ");
	end();
}

static void only_one_layer_of_a_prefix_is_taken_off(void)
{
	STATE_DICT("module.module.a", "module.b");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "module.a b ");
	end();
}

static void adding_puts_a_prefix_on_where_it_is_not(void)
{
	STATE_DICT("fc.weight", "module.fc.bias", "module");
	make((struct view_step[]){add("module")}, 1);
	EQ_STR(names(), "module.fc.weight module.fc.bias module.module ");
	end();
}

static void steps_are_taken_one_after_the_other(void)
{
	STATE_DICT("module._orig_mod.a", "module.b", "_orig_mod.c");
	make((struct view_step[]){strip("module"), strip("_orig_mod")}, 2);
	EQ_STR(names(), "a b c ");
	end();
	STATE_DICT("module.a", "b");
	make((struct view_step[]){strip("module"), add("net.0")}, 2);
	EQ_STR(names(), "net.0.a net.0.b ");
	end();
}

static void a_prefix_may_have_dots(void)
{
	STATE_DICT("model.encoder.a", "model.decoder.a");
	make((struct view_step[]){strip("model.encoder")}, 1);
	EQ_STR(names(), "a model.decoder.a ");
	end();
}

static void keys_that_become_one_get_a_number_and_others_keep_their_name(void)
{
	STATE_DICT("a", "module.a", "module.b", "a~2");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "a a~3 b a~2 ");
	end();
}

static void a_key_that_is_nothing_but_the_prefix_becomes_the_empty_key(void)
{
	STATE_DICT("module.", "module.a");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "% a ");
	end();
}

static void what_is_left_of_a_key_is_spelled_like_any_key(void)
{
	STATE_DICT("module...", "module.a/b", "module.%41", "module.\x01");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "%2E%2E a%2Fb %2541 %01 ");
	end();
	STATE_DICT("..", "%");
	make((struct view_step[]){add("p/q")}, 1);
	EQ_STR(names(), "p%2Fq... p%2Fq.% ");
	end();
}

static void a_long_name_is_whole_again_when_its_prefix_is_off(void)
{
	char key[300];

	memset(key, 'k', sizeof key);
	memcpy(key, "module.", 7);
	key[256] = 0; /* 249 bytes behind the prefix */
	STATE_DICT(key, "b");
	make((struct view_step[]){strip("module")}, 1);
	EQ_I64(view_name(v, 0).n, 249);
	EQ_MEM(view_name(v, 0).p, view_name(v, 0).n, key + 7, 249);
	end();
}

static void keys_that_are_no_text_stay(void)
{
	uint32_t root, leaf;

	kit_model(&m);
	root = m.root = kit_dir(&m, VALUE_DICT);
	leaf = kit_leaf(&m, 1);
	kit_put_key(&m, root, obj_new_int(&m.graph, 0, 0), leaf);
	kit_put(&m, root, "module.0", leaf);
	kit_put_key(&m, root, OBJ_NONE, leaf);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "0 0~2 None ");
	view_free(v);
	make((struct view_step[]){add("module")}, 1);
	EQ_STR(names(), "0 module.0 None ");
	end();
}

static void an_empty_state_dict_has_an_empty_view(void)
{
	STATE_DICT(NULL);
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "");
	EQ_I64(view_find(v, STR("a")), TREE_NONE);
	end();
}

static void the_prefixes_are_copied(void)
{
	char prefix[] = "module";
	struct view_step step = {VIEW_STRIP, str_of(prefix)};

	STATE_DICT("module.a");
	make(&step, 1);
	memset(prefix, 'x', 6);
	OK(str_is(v->steps[0].prefix, "module"));
	end();
}

static void more_than_eight_steps_are_refused(void)
{
	struct view_step steps[VIEW_MAX_STEPS + 1];
	struct err e = {0};

	for (int i = 0; i <= VIEW_MAX_STEPS; i++)
		steps[i] = strip("module");
	STATE_DICT("a");
	EQ_I64(view_make(&t, 0, steps, VIEW_MAX_STEPS + 1, &v, &e), ERR_LIMIT);
	HAS(e.text, "8 prefixes");
	make(steps, VIEW_MAX_STEPS);
	EQ_STR(names(), "a ");
	end();
}

static void a_view_knows_which_prefixes_are_left(void)
{
	struct view_step module = strip("module");

	STATE_DICT("module._orig_mod.a", "module.b.c");
	OK(view_has_prefix(&t, 0, &module, 1, STR("_orig_mod")));
	OK(view_has_prefix(&t, 0, &module, 1, STR("b")));
	OK(!view_has_prefix(&t, 0, &module, 1, STR("module")));
	OK(!view_has_prefix(&t, 0, &module, 1, STR("orig")));
	OK(view_has_prefix(&t, 0, NULL, 0, STR("module")));
	end();
}

static void a_hundred_thousand_names_are_stripped_and_found(void)
{
	enum { N = 100000 };
	struct view_step module = strip("module");
	uint32_t root, leaf;
	int wrong = 0;
	char key[64];

	kit_model(&m);
	root = m.root = kit_dir(&m, VALUE_DICT);
	leaf = kit_leaf(&m, 1);
	for (int i = 0; i < N; i++) {
		int n = snprintf(key, sizeof key, "module.layers.%d.weight", i);
		struct entry en = {kit_text(&m, (struct str){key, (size_t)n}), leaf};

		wrong += vec_push(&m.entries, en) != 0;
		m.values.at[root].n++;
	}
	OK(tree_build(&m, 0, &t, NULL) == 0);
	make(&module, 1);
	for (uint32_t i = 0; i < N; i++)
		wrong += view_find(v, view_name(v, i)) != i + 1;
	EQ_I64(wrong, 0);
	EQ_I64(view_find(v, STR("layers.99999.weight")), N);
	end();
}

/* --- after edits ------------------------------------------------------------------------------- */

static oref key_of(const char *key)
{
	return kit_text(&m, str_of(key));
}

static void rename_key(const char *from, const char *to)
{
	EQ_I64(tree_move(&t, kit_node(&t, from), 0, key_of(to), str_of(to), NULL), 0);
}

static void a_view_follows_the_tree(void)
{
	uint32_t node;

	STATE_DICT("module.a", "module.b", "c", "module.d");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "a b c d ");
	EQ_I64(tree_remove(&t, kit_node(&t, "module.b")), 0);
	EQ_I64(view_find(v, STR("b")), TREE_NONE);
	EQ_STR(names(), "a c d ");
	rename_key("c", "module.b");
	EQ_I64(view_find(v, STR("c")), TREE_NONE);
	EQ_I64(view_find(v, STR("b")), kit_node(&t, "module.b"));
	EQ_STR(names(), "a b d ");
	EQ_I64(tree_add(&t, 0, key_of("module.e"), STR("module.e"), 1, &node, NULL), 0);
	EQ_I64(view_find(v, STR("e")), node);
	EQ_STR(names(), "a b d e ");
	OK(view_name(v, 77).n == 0);
	end();
}

static void keys_that_become_one_are_numbered_as_they_stand_now(void)
{
	STATE_DICT("module.a", "b", "a");
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "a b a~2 ");
	rename_key("b", "b2");
	EQ_I64(view_find(v, STR("a~2")), kit_node(&t, "a"));
	EQ_I64(tree_remove(&t, kit_node(&t, "module.a")), 0);
	EQ_I64(view_find(v, STR("a~2")), TREE_NONE);
	EQ_I64(view_find(v, STR("a")), kit_node(&t, "a"));
	EQ_STR(names(), "b2 a ");
	end();
}

/* Under a name that is not its key's own, a child is still shown as what its key becomes. */
static void a_child_under_an_odd_name_is_found(void)
{
	STATE_DICT("module.a", "module.b");
	EQ_I64(tree_move(&t, kit_node(&t, "module.a"), 0, key_of("module.a"), STR("odd"), NULL), 0);
	make((struct view_step[]){strip("module")}, 1);
	EQ_STR(names(), "a b ");
	EQ_I64(view_find(v, STR("odd")), TREE_NONE);
	end();
}

/* Finding works without the table of names; it must say the same. */
static void what_is_found_is_what_the_table_has(void)
{
	static const char *const parts[] = {"a.", "b.", "c", "a", "a.a.", "~2", "%", "b~2"};
	const char *keys[24];
	char text[24][32], name[32];
	uint64_t seed = 88172645463325252u;

	for (int run = 0; run < 200; run++) {
		struct view_step steps[3];
		unsigned n_steps = (unsigned)(kit_random(&seed) % 4), n = 0;

		for (unsigned i = 0; i < 23; i++) { /* different keys, up to 23 */
			unsigned j = 0;

			snprintf(text[n], sizeof text[n], "%s%s%s", parts[kit_random(&seed) % 8],
					parts[kit_random(&seed) % 8], parts[kit_random(&seed) % 8]);
			while (j < n && strcmp(text[j], text[n]) != 0)
				j++;
			if (j == n)
				keys[n] = text[n], n++;
		}
		keys[n] = NULL;
		for (unsigned i = 0; i < n_steps; i++)
			steps[i] = (struct view_step){kit_random(&seed) & 1,
					kit_random(&seed) & 1 ? STR("a") : STR("b")};
		state_dict(keys);
		make(steps, n_steps);
		for (int i = 0; i < 200; i++) {
			uint32_t want = TREE_NONE;

			snprintf(name, sizeof name, "%s%s%s", parts[kit_random(&seed) % 8],
					parts[kit_random(&seed) % 8], parts[kit_random(&seed) % 8]);
			for (uint32_t k = 0; k < n; k++)
				if (str_is(view_name(v, k), name))
					want = tree_child(&t, 0, k);
			EQ_I64(view_find(v, str_of(name)), want);
		}
		names();
		end();
	}
}

/* --- keys of new names -------------------------------------------------------------------------- */

static const char *key_for(const char *shown, unsigned n, const struct view_step *steps)
{
	static char out[256];
	struct buf b;

	buf_init(&b, sizeof out - 1);
	snprintf(out, sizeof out, "(none)");
	if (view_key(steps, n, str_of(shown), &b))
		snprintf(out, sizeof out, "%.*s", STR_FMT(buf_view(&b)));
	buf_release(&b);
	return out;
}
#define KEY_FOR(shown, ...)                                                                        \
	key_for((shown), sizeof((struct view_step[]){__VA_ARGS__}) / sizeof(struct view_step),     \
			(struct view_step[]){__VA_ARGS__})

static void a_new_name_stands_for_the_key_that_becomes_it(void)
{
	EQ_STR(KEY_FOR("fc.bias", strip("module")), "module.fc.bias");
	EQ_STR(KEY_FOR("module.x", strip("module")), "module.module.x");
	EQ_STR(KEY_FOR("module.fc", add("module")), "fc");
	EQ_STR(KEY_FOR("fc", add("module")), "(none)"); /* all names there begin with it */
	EQ_STR(KEY_FOR("module.", add("module")), "");
	EQ_STR(KEY_FOR("a.a.x", add("a")), "a.a.x"); /* "a.x" has it already and would stay */
	EQ_STR(KEY_FOR("x", strip("module"), strip("_orig_mod")), "module._orig_mod.x");
	EQ_STR(KEY_FOR("net.x", strip("module"), add("net")), "module.x");
	EQ_STR(KEY_FOR("x", strip("module"), add("net")), "(none)");
	EQ_STR(key_for("x", 0, NULL), "x");
}

static void a_name_that_no_key_becomes_stands_for_none(void)
{
	EQ_STR(KEY_FOR("a.x", add("a"), strip("a")), "a.a.x");
	EQ_STR(KEY_FOR("b.x", add("a"), strip("b")), "(none)");
}

int main(void)
{
	TEST(stripping_takes_a_prefix_off_where_it_is);
	TEST(a_prefix_ends_at_a_dot);
	TEST(only_one_layer_of_a_prefix_is_taken_off);
	TEST(adding_puts_a_prefix_on_where_it_is_not);
	TEST(steps_are_taken_one_after_the_other);
	TEST(a_prefix_may_have_dots);
	TEST(keys_that_become_one_get_a_number_and_others_keep_their_name);
	TEST(a_key_that_is_nothing_but_the_prefix_becomes_the_empty_key);
	TEST(what_is_left_of_a_key_is_spelled_like_any_key);
	TEST(a_long_name_is_whole_again_when_its_prefix_is_off);
	TEST(keys_that_are_no_text_stay);
	TEST(an_empty_state_dict_has_an_empty_view);
	TEST(the_prefixes_are_copied);
	TEST(more_than_eight_steps_are_refused);
	TEST(a_view_knows_which_prefixes_are_left);
	TEST(a_hundred_thousand_names_are_stripped_and_found);
	TEST(a_view_follows_the_tree);
	TEST(keys_that_become_one_are_numbered_as_they_stand_now);
	TEST(a_child_under_an_odd_name_is_found);
	TEST(what_is_found_is_what_the_table_has);
	TEST(a_new_name_stands_for_the_key_that_becomes_it);
	TEST(a_name_that_no_key_becomes_stands_for_none);
	return tap_done();
}
