/* Which prefixes the keys of a state_dict share. */
#include "tree_kit.h"

#include <pthfs/view.h>

static struct model m;
static struct tree t;

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

static void end(void)
{
	tree_release(&t);
	model_release(&m);
}

/* The prefixes that are found, each with a blank behind it. */
static const char *prefixes(unsigned max, const char *const *keys)
{
	static char out[512];
	struct str found[VIEW_MAX_STEPS];
	size_t used = 0;
	unsigned n;

	state_dict(keys);
	n = view_prefixes(&t, 0, found, max);
	out[0] = 0;
	for (unsigned i = 0; i < n; i++)
		used += (size_t)snprintf(out + used, sizeof out - used, "%.*s ", STR_FMT(found[i]));
	end();
	return out;
}
#define PREFIXES(...) prefixes(VIEW_MAX_STEPS, (const char *const[]){__VA_ARGS__, NULL})

static enum view_op module_op(const char *const *keys)
{
	enum view_op op;

	state_dict(keys);
	op = view_module_op(&t, 0);
	end();
	return op;
}
#define MODULE_OP(...) module_op((const char *const[]){__VA_ARGS__, NULL})

static void module_strips_when_at_least_half_of_the_keys_have_it(void)
{
	EQ_I64(MODULE_OP("module.a", "module.b"), VIEW_STRIP);
	EQ_I64(MODULE_OP("module.a", "b"), VIEW_STRIP);
	EQ_I64(MODULE_OP("module.a", "b", "c"), VIEW_ADD);
	EQ_I64(MODULE_OP("a", "b"), VIEW_ADD);
	EQ_I64(MODULE_OP("modules.a", "module", "modulea"), VIEW_ADD);
	EQ_I64(MODULE_OP(NULL), VIEW_ADD);
}

static void what_more_than_half_of_the_keys_share_is_a_prefix(void)
{
	EQ_STR(PREFIXES("module.a", "module.b"), "module ");
	EQ_STR(PREFIXES("module.a", "module.b", "c"), "module ");
	EQ_STR(PREFIXES("module.a", "b"), "");
	EQ_STR(PREFIXES("a", "b"), "");
	EQ_STR(PREFIXES(NULL), "");
}

static void prefixes_lie_within_one_another(void)
{
	EQ_STR(PREFIXES("module._orig_mod.net.a", "module._orig_mod.net.b",
			"module._orig_mod.head.a", "module._orig_mod.head.b"), "module _orig_mod ");
	EQ_STR(PREFIXES("model.encoder.a", "model.encoder.b", "model.encoder.c", "model.head"),
			"model encoder ");
}

/* Of all keys, not of those that are left. */
static void the_half_is_counted_of_all_keys(void)
{
	EQ_STR(PREFIXES("m.x.a", "m.x.b", "m.y", "m.z", "n"), "m ");
}

static void a_majority_is_found_wherever_its_keys_stand(void)
{
	EQ_STR(PREFIXES("a.1", "a.2", "a.3", "m.1", "m.2", "m.3", "m.4"), "m ");
	EQ_STR(PREFIXES("m.1", "a.1", "m.2", "b.1", "m.3", "c.1", "m.4"), "m ");
	EQ_STR(PREFIXES("m.1", "m.2", "m.3", "a", "b"), "m ");
	EQ_STR(PREFIXES("a", "b", "m.1", "m.2", "m.3"), "m ");
}

static void a_name_that_begins_with_a_dot_has_no_prefix(void)
{
	EQ_STR(PREFIXES(".a", ".b"), "");
	EQ_STR(PREFIXES("m..a", "m..b"), "m ");
}

static void no_more_are_told_than_asked_for(void)
{
	EQ_STR(prefixes(1, (const char *const[]){"a.b.c.d", "a.b.c.e", NULL}), "a ");
	EQ_STR(prefixes(2, (const char *const[]){"a.b.c.d", "a.b.c.e", NULL}), "a b ");
	EQ_STR(prefixes(0, (const char *const[]){"a.b", NULL}), "");
}

static void keys_that_are_no_text_count_as_having_none(void)
{
	struct str found;
	uint32_t root, leaf;

	kit_model(&m);
	root = m.root = kit_dir(&m, VALUE_DICT);
	leaf = kit_leaf(&m, 1);
	for (int i = 0; i < 3; i++)
		kit_put_key(&m, root, obj_new_int(&m.graph, i, 0), leaf);
	kit_put(&m, root, "module.a", leaf);
	kit_put(&m, root, "module.b", leaf);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	EQ_I64(view_prefixes(&t, 0, &found, 1), 0);
	EQ_I64(view_module_op(&t, 0), VIEW_ADD);
	end();
}

/* Empty slots are no keys. */
static void only_keys_that_are_there_are_counted(void)
{
	struct str found;

	state_dict((const char *const[]){"a", "module.x", "b", "module.y", "c", NULL});
	EQ_I64(view_module_op(&t, 0), VIEW_ADD);
	EQ_I64(view_prefixes(&t, 0, &found, 1), 0);
	EQ_I64(tree_remove(&t, kit_node(&t, "a")), 0);
	EQ_I64(view_module_op(&t, 0), VIEW_STRIP);
	EQ_I64(tree_remove(&t, kit_node(&t, "c")), 0);
	EQ_I64(view_prefixes(&t, 0, &found, 1), 1);
	OK(str_is(found, "module"));
	OK(view_has_prefix(&t, 0, NULL, 0, STR("module")));
	EQ_I64(tree_remove(&t, kit_node(&t, "module.x")), 0);
	EQ_I64(tree_remove(&t, kit_node(&t, "module.y")), 0);
	OK(!view_has_prefix(&t, 0, NULL, 0, STR("module")));
	end();
}

int main(void)
{
	TEST(module_strips_when_at_least_half_of_the_keys_have_it);
	TEST(what_more_than_half_of_the_keys_share_is_a_prefix);
	TEST(prefixes_lie_within_one_another);
	TEST(the_half_is_counted_of_all_keys);
	TEST(a_majority_is_found_wherever_its_keys_stand);
	TEST(a_name_that_begins_with_a_dot_has_no_prefix);
	TEST(no_more_are_told_than_asked_for);
	TEST(keys_that_are_no_text_count_as_having_none);
	TEST(only_keys_that_are_there_are_counted);
	return tap_done();
}
