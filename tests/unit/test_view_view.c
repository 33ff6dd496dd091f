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
	for (uint32_t i = 0; i < t.nodes.at[0].n; i++) {
		struct str name = view_name(v, i);

		EQ_I64(view_find(v, name), t.nodes.at[0].first + i);
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
	return tap_done();
}
