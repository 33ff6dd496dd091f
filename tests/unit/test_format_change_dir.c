/* Pairs, items and attributes of directories, in each way that a pickle spells them. */
#include "change_kit.h"

#define KEY(text_, value_) TEXT("\1", text_) "K" value_

/* The root's pairs become its last one under the key "z", and its first. */
static int swap_root(struct ckpt *k)
{
	const struct model *m = &k->c->model;
	const struct value *v = &m->values.at[m->root];
	const struct entry *first = &m->entries.at[v->first], *last = first + v->n - 1;
	oref pair[4];

	pair[0] = text_object(k, "z");
	pair[1] = m->values.at[last->value].obj;
	pair[2] = first->key;
	pair[3] = m->values.at[first->value].obj;
	return change_pairs(k->c, m->root, pair, 2, &k->e);
}

static void check_swapped(const char *pickle, size_t n)
{
	struct ckpt k, now;

	ckpt_zip(&k, pickle, n);
	EQ_I64(k.rc, 0);
	EQ_STR(ckpt_keys(&k, ""), "a b c");
	EQ_I64(swap_root(&k), 0);
	ckpt_again(&k, &now);
	EQ_STR(ckpt_keys(&now, ""), "z a");
	EQ_STR(ckpt_text(&now, "z"), "3");
	EQ_STR(ckpt_text(&now, "a"), "1");
	ckpt_release(&now);
	ckpt_release(&k);
}

#define THREE "(" KEY("a", "\1") KEY("b", "\2") KEY("c", "\3") "u"

static void pairs_of_a_dict_change(void)
{
	check_swapped(LIT("}" THREE "."));
}

static void pairs_of_an_ordered_dict_change(void)
{
	check_swapped(LIT("ccollections\nOrderedDict\n)R" THREE "."));
}

static void pairs_of_a_defaultdict_change(void)
{
	check_swapped(LIT("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R" THREE "."));
}

static void pairs_of_a_counter_change_in_its_argument(void)
{
	check_swapped(LIT("ccollections\nCounter\n}" THREE "\x85R."));
}

#define PAIR(text_, value_) "](" KEY(text_, value_) "e"

static void pairs_of_python_2_change_in_their_list(void)
{
	struct ckpt k;

	check_swapped(LIT("ccollections\nOrderedDict\n](" PAIR("a", "\1") PAIR("b", "\2")
					PAIR("c", "\3") "e\x85R."));
	ckpt_zip(&k, LIT("ccollections\nOrderedDict\n](" PAIR("a", "\1")
						     PAIR("c", "\3") "e\x85R."));
	EQ_I64(swap_root(&k), 0);
	{
		struct buf out;

		buf_init(&out, 4096);
		obj_repr(&k.c->model.graph, object_at(&k, ""), &out, NULL);
		buf_putc(&out, 0);
		EQ_STR(out.p, "OrderedDict([['z', 3], ['a', 1]])");
		buf_release(&out);
	}
	ckpt_release(&k);
}

static void argument_and_items_become_one(void)
{
	check_swapped(LIT("ccollections\nCounter\n}(" KEY("a", "\1")
					KEY("b", "\2") "u\x85R" TEXT("\1", "c") "K\3s."));
}

static void attributes_of_a_state_dict_stay(void)
{
	struct ckpt k, now;

	ckpt_zip(&k, LIT("ccollections\nOrderedDict\n)R" THREE "}" TEXT("\5", "_meta") "K\7sb."));
	EQ_I64(swap_root(&k), 0);
	ckpt_again(&k, &now);
	OK(now.c && obj_get(&now.c->model.graph,
				    obj_state(&now.c->model.graph, object_at(&now, "")),
				    "_meta") != OREF_NIL);
	ckpt_release(&now);
	ckpt_release(&k);
}

static void items_of_lists_and_tuples_change(void)
{
	struct ckpt k, now;
	oref item;

	ckpt_zip(&k, LIT("}(" TEXT("\1", "l") "]}a" TEXT("\1", "t") "}}\x86u."));
	item = obj_new_int(&k.c->model.graph, 5, UINT32_MAX);
	EQ_I64(change_items(k.c, value_at(&k, "l"), &item, 1, &k.e), 0);
	EQ_I64(change_items(k.c, value_at(&k, "t"), &item, 1, &k.e), 0);
	ckpt_again(&k, &now);
	EQ_STR(ckpt_text(&now, "l"), "[5]");
	EQ_STR(ckpt_text(&now, "t"), "[5]");
	EQ_I64(obj_kind(&now.c->model.graph, object_at(&now, "t")), OBJ_KIND_TUPLE);
	EQ_I64(change_items(k.c, k.c->model.root, &item, 1, &k.e), ERR_INVALID);
	EQ_I64(change_pairs(k.c, value_at(&k, "l"), NULL, 0, &k.e), ERR_INVALID);
	ckpt_release(&now);
	ckpt_release(&k);
}

#define OBJECT "clib\nThing\n)\x81"

static void set_attribute(const char *pickle, size_t n, const char *want)
{
	struct ckpt k, now;
	oref five;

	ckpt_zip(&k, pickle, n);
	EQ_I64(ckpt_kind(&k, ""), VALUE_OBJECT);
	five = obj_new_int(&k.c->model.graph, 5, UINT32_MAX);
	EQ_I64(change_attribute(k.c, k.c->model.root, text_object(&k, "b"), five, &k.e), 0);
	EQ_I64(change_attribute(k.c, k.c->model.root, text_object(&k, "no"), five, &k.e),
			ERR_UNSUPPORTED);
	ckpt_again(&k, &now);
	EQ_STR(ckpt_keys(&now, ""), want);
	EQ_STR(ckpt_text(&now, "b"), "5");
	ckpt_release(&now);
	ckpt_release(&k);
}

static void attribute_of_a_state_changes(void)
{
	set_attribute(LIT(OBJECT "}" THREE "b."), "a b c");
}

static void attribute_in_slots_changes(void)
{
	set_attribute(LIT(OBJECT "}" TEXT("\1", "a") "K\1s}" TEXT("\1", "b") "K\2s\x86"
									     "b."),
			"a b");
	set_attribute(LIT(OBJECT "N}" THREE "\x86"
				 "b."),
			"a b c");
}

static void attribute_that_was_set_as_an_item_changes(void)
{
	set_attribute(LIT(OBJECT THREE "."), "a b c");
}

static void item_of_a_list_subclass_changes(void)
{
	struct ckpt k, now;
	oref five, one;

	ckpt_zip(&k, LIT(OBJECT "(K\1K\2e."));
	five = obj_new_int(&k.c->model.graph, 5, UINT32_MAX);
	one = obj_new_int(&k.c->model.graph, 1, UINT32_MAX);
	EQ_I64(change_attribute(k.c, k.c->model.root, one, five, &k.e), 0);
	ckpt_again(&k, &now);
	EQ_STR(ckpt_text(&now, "0"), "1");
	EQ_STR(ckpt_text(&now, "1"), "5");
	ckpt_release(&now);
	ckpt_release(&k);
}

static void objects_modules_and_parts_keep_their_names(void)
{
	static const struct {
		const char *file, *path, *words;
		bool child;
	} no[] = {
			{"good-top-namespace.pt", "", "attributes", true},
			{"good-module.pt", "", "whole module", false},
			{"good-top-quantized.pt", "", "parts", false},
			{"unsupported-torchscript.pt", "", "TorchScript", false},
	};
	struct ckpt k;

	for (unsigned i = 0; i < sizeof no / sizeof *no; i++) {
		uint32_t v;

		ckpt_data(&k, no[i].file);
		v = value_at(&k, no[i].path);
		EQ_I64(change_dir_ok(k.c, v, &k.e), ERR_UNSUPPORTED);
		HAS(k.e.text, no[i].words);
		EQ_I64(change_child_ok(k.c, v, &k.e), no[i].child ? 0 : ERR_UNSUPPORTED);
		EQ_I64(change_pairs(k.c, v, NULL, 0, &k.e), ERR_UNSUPPORTED);
		ckpt_release(&k);
	}
}

static void changes_are_taken_back(void)
{
	struct ckpt k, now;

	ckpt_zip(&k, LIT("ccollections\nOrderedDict\n](" PAIR("a", "\1")
						     PAIR("c", "\3") "e\x85R."));
	graph_record_undo(&k.c->model.graph);
	EQ_I64(swap_root(&k), 0);
	graph_undo(&k.c->model.graph);
	ckpt_again(&k, &now);
	EQ_STR(ckpt_keys(&now, ""), "a c");
	ckpt_release(&now);
	ckpt_release(&k);
}

int main(void)
{
	TEST(pairs_of_a_dict_change);
	TEST(pairs_of_an_ordered_dict_change);
	TEST(pairs_of_a_defaultdict_change);
	TEST(pairs_of_a_counter_change_in_its_argument);
	TEST(pairs_of_python_2_change_in_their_list);
	TEST(argument_and_items_become_one);
	TEST(attributes_of_a_state_dict_stay);
	TEST(items_of_lists_and_tuples_change);
	TEST(attribute_of_a_state_changes);
	TEST(attribute_in_slots_changes);
	TEST(attribute_that_was_set_as_an_item_changes);
	TEST(item_of_a_list_subclass_changes);
	TEST(objects_modules_and_parts_keep_their_names);
	TEST(changes_are_taken_back);
	return tap_done();
}
