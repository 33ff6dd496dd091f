/* From objects to values: what is a directory, what a file, what is shared. */
#include "ckpt.h"

static void dict_keeps_its_order_and_its_scalars(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}(" TEXT("\1", "b") "K\1" TEXT("\1", "a") "N" TEXT(
				      "\1", "c") "\x88u."));
	EQ_STR(ckpt_keys(&k, ""), "b a c");
	EQ_I64(ckpt_kind(&k, ""), VALUE_DICT);
	EQ_STR(ckpt_text(&k, "b"), "1");
	EQ_STR(ckpt_text(&k, "a"), "None");
	EQ_STR(ckpt_text(&k, "c"), "True");
	ckpt_release(&k);
}

static void key_given_twice_has_the_later_value_at_the_first_place(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}(" TEXT("\1", "a") "K\1" TEXT("\1", "b") "K\2" TEXT(
				      "\1", "a") "K\3u."));
	EQ_STR(ckpt_keys(&k, ""), "a b");
	EQ_STR(ckpt_text(&k, "a"), "3");
	ckpt_release(&k);
}

static void list_of_scalars_is_one_file(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}" TEXT("\1", "a") "](K\1](K\2Nees."));
	EQ_I64(ckpt_kind(&k, "a"), VALUE_LEAF);
	EQ_STR(ckpt_text(&k, "a"), "[1, [2, null]]");
	ckpt_release(&k);
}

static void list_with_a_dict_anywhere_in_it_is_a_directory(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}" TEXT("\1", "a") "](K\1((](}eK\5ttes."));
	EQ_I64(ckpt_kind(&k, "a"), VALUE_LIST);
	EQ_STR(ckpt_keys(&k, "a"), "0 1");
	EQ_I64(ckpt_kind(&k, "a/1/0/0/0"), VALUE_DICT);
	EQ_STR(ckpt_text(&k, "a/0"), "1");
	ckpt_release(&k);
}

/* The dict comes after the inner list has been looked at, and the inner list holds the outer. */
static void lists_that_hold_each_other_agree_on_what_they_are(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2]q\0(]q\1h\0a}h\1e."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_LIST);
	EQ_I64(ckpt_kind(&k, "0"), VALUE_LIST);
	EQ_I64(ckpt_kind(&k, "0/0"), VALUE_LEAF);
	OK(ckpt_at(&k, "0/0")->flags & VALUE_CYCLE);
	OK(ckpt_at(&k, "0") == ckpt_at(&k, "2"));
	ckpt_release(&k);
}

static void list_in_itself_is_a_file(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2]q\0h\0a."));
	EQ_I64(k.rc, 0);
	EQ_I64(ckpt_kind(&k, ""), VALUE_LEAF);
	ckpt_release(&k);
}

static void dict_in_itself_is_cut_where_the_cycle_closes(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}q\0(" TEXT("\1", "a") "}" TEXT("\1", "b") "h\0s" TEXT(
				      "\1", "c") "K\1u."));
	EQ_I64(ckpt_kind(&k, "a"), VALUE_DICT);
	EQ_I64(ckpt_kind(&k, "a/b"), VALUE_LEAF);
	OK(ckpt_at(&k, "a/b")->flags & VALUE_CYCLE);
	EQ_STR(ckpt_text(&k, "c"), "1");
	ckpt_release(&k);
}

static void shared_dict_is_one_value(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}(" TEXT("\1", "a") "}q\1" TEXT("\1", "b") "h\1" TEXT(
				      "\1", "c") "}u."));
	OK(ckpt_at(&k, "a") && ckpt_at(&k, "a") == ckpt_at(&k, "b"));
	OK(ckpt_at(&k, "a") != ckpt_at(&k, "c"));
	ckpt_release(&k);
}

static void nesting_of_300000_dicts_needs_no_stack(void)
{
	enum { DEPTH = 300000 };
	char *p = malloc(3 * DEPTH + 8), *at = p;
	struct ckpt k;

	/* {1: {1: ... }}: the key of each comes before its value is opened */
	at += sprintf(at, "\x80\2");
	for (int i = 0; i < DEPTH; i++) {
		memcpy(at, "}K\1", 3);
		at += 3;
	}
	*at++ = '}';
	char *all = realloc(p, 4 * DEPTH + 16);
	size_t n = 2 + 3 * DEPTH + 1;

	memset(all + n, 's', DEPTH);
	all[n + DEPTH] = '.';
	ckpt_file(&k, all, n + DEPTH + 1);
	EQ_I64(k.rc, 0);
	OK(k.c && k.c->model.values.n == DEPTH + 1);
	ckpt_release(&k);
	free(all);
}

/* Tuples of twos, each holding the one before twice: 2^200 paths, 200 objects, no structure. */
static void shared_tuples_without_structure_stay_one_file(void)
{
	char p[1000], *at = p;
	struct ckpt k;

	at += sprintf(at, "\x80\2)");
	for (int i = 0; i < 200; i++)
		at += sprintf(at, "2\x86");
	*at++ = '.';
	ckpt_file(&k, p, (size_t)(at - p));
	EQ_I64(ckpt_kind(&k, ""), VALUE_LEAF);
	ckpt_release(&k);
}

static void namespace_is_a_directory_of_its_attributes(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "cargparse\nNamespace\n)\x81}(" TEXT("\2", "lr") "K\3" TEXT(
					  "\1", "x") "]ub."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_OBJECT);
	EQ_STR(ckpt_keys(&k, ""), "lr x");
	EQ_STR(ckpt_text(&k, "lr"), "3");
	ckpt_release(&k);
}

static void namespace_without_attributes_is_an_empty_directory(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "cargparse\nNamespace\n)\x81."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_OBJECT);
	EQ_STR(ckpt_keys(&k, ""), "");
	ckpt_release(&k);
}

static void slots_stand_beside_the_attributes(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "cm\nC\n)\x81}" TEXT("\1", "a") "K\1s}" TEXT("\1", "b") "K\2s\x86"
										  "b."));
	EQ_STR(ckpt_keys(&k, ""), "a b");
	ckpt_release(&k);
	ckpt_file(&k, LIT("\x80\4"
			  "cm\nC\n)\x81N}" TEXT("\1", "b") "K\2s\x86"
							   "b."));
	EQ_STR(ckpt_keys(&k, ""), "b");
	ckpt_release(&k);
}

static void state_that_is_no_dict_is_called_state(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "cm\nC\n)\x81K\7b."));
	EQ_STR(ckpt_keys(&k, ""), "state");
	EQ_STR(ckpt_text(&k, "state"), "7");
	ckpt_release(&k);
}

static void arguments_are_shown_when_they_hold_structure(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "cm\nf\n}\x85R."));
	EQ_STR(ckpt_keys(&k, ""), "args");
	EQ_I64(ckpt_kind(&k, "args/0"), VALUE_DICT);
	ckpt_release(&k);
	ckpt_file(&k, LIT("\x80\2"
			  "cm\nf\nK\1\x85R."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_LEAF);
	ckpt_release(&k);
}

static void items_and_pairs_of_an_object_are_entries(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "cm\nC\n)\x81(K\5K\6e" TEXT("\1", "k") "K\7s."));
	EQ_STR(ckpt_keys(&k, ""), "0 1 k");
	EQ_STR(ckpt_text(&k, "1"), "6");
	ckpt_release(&k);
}

/* Protocols 0 and 1: the base of the class is built by copyreg. */
static void old_style_subclass_of_dict_shows_attributes_and_pairs(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "ccopy_reg\n_reconstructor\n(cm\nD\nc__builtin__\ndict\n}" TEXT(
					  "\1", "k") "K\1stR}" TEXT("\1", "a") "K\2sb."));
	EQ_STR(ckpt_keys(&k, ""), "a k");
	ckpt_release(&k);
}

static void dict_subclasses_are_dicts(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "ccollections\nOrderedDict\n)R" TEXT("\1", "a") "K\1s."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_DICT);
	EQ_STR(ckpt_keys(&k, ""), "a");
	ckpt_release(&k);
	ckpt_file(&k, LIT("\x80\4"
			  "ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R" TEXT(
					  "\1", "a") "K\1s."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_DICT);
	ckpt_release(&k);
	ckpt_file(&k, LIT("\x80\4"
			  "ccollections\nCounter\n}" TEXT("\1", "a") "K\1s\x85R."));
	EQ_STR(ckpt_keys(&k, ""), "a");
	ckpt_release(&k);
}

static void ordered_dict_of_python_2_comes_as_pairs(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\2"
			  "ccollections\nOrderedDict\n](](U\1bK\1e](U\1aK\2ee\x85R."));
	EQ_STR(ckpt_keys(&k, ""), "b a");
	EQ_STR(ckpt_text(&k, "a"), "2");
	ckpt_release(&k);
}

static void numpy_scalars_in_a_list_are_numbers(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4](K\1cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n" TEXT(
				      "\2", "f8") "\x89\x88\x87RC\x08\0\0\0\0\0\0\xe0?\x86Re."));
	EQ_STR(ckpt_text(&k, ""), "[1, 0.5]");
	ckpt_release(&k);
}

static void bytes_are_shown_as_they_are(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}(" TEXT("\1", "a") "C\2\xff\0" TEXT("\1",
				      "b") "c_codecs\nencode\n" TEXT("\2", "\xc3\xbf") TEXT("\6",
				      "latin1") "\x86R" TEXT("\1", "c") "U\1xu."));
	OK(ckpt_at(&k, "a")->flags & VALUE_DATA);
	OK(ckpt_at(&k, "b")->flags & VALUE_DATA);
	/* Python 2 text is text. */
	OK(!(ckpt_at(&k, "c")->flags & VALUE_DATA));
	ckpt_release(&k);
}

static void state_dict_has_text_keys_and_at_least_half_tensors(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4}(" TEXT("\1", "a") "}(" TEXT("\1", "w") FOUR("\0") TEXT(
				     "\1", "n") "K\1u" TEXT("\1", "b") "}(" TEXT("\1",
				     "w") FOUR("\0") TEXT("\1", "n") "K\1" TEXT("\1",
				     "m") "K\1u" TEXT("\1", "c") "}K\1" FOUR("\0") "s" TEXT("\1",
				     "d") "}u."));
	OK(ckpt_at(&k, "a")->flags & VALUE_STATE_DICT);
	OK(!(ckpt_at(&k, "b")->flags & VALUE_STATE_DICT));
	OK(!(ckpt_at(&k, "c")->flags & VALUE_STATE_DICT));
	OK(!(ckpt_at(&k, "d")->flags & VALUE_STATE_DICT));
	ckpt_release(&k);
}

int main(void)
{
	TEST(dict_keeps_its_order_and_its_scalars);
	TEST(key_given_twice_has_the_later_value_at_the_first_place);
	TEST(list_of_scalars_is_one_file);
	TEST(list_with_a_dict_anywhere_in_it_is_a_directory);
	TEST(lists_that_hold_each_other_agree_on_what_they_are);
	TEST(list_in_itself_is_a_file);
	TEST(dict_in_itself_is_cut_where_the_cycle_closes);
	TEST(shared_dict_is_one_value);
	TEST(nesting_of_300000_dicts_needs_no_stack);
	TEST(shared_tuples_without_structure_stay_one_file);
	TEST(namespace_is_a_directory_of_its_attributes);
	TEST(namespace_without_attributes_is_an_empty_directory);
	TEST(slots_stand_beside_the_attributes);
	TEST(state_that_is_no_dict_is_called_state);
	TEST(arguments_are_shown_when_they_hold_structure);
	TEST(items_and_pairs_of_an_object_are_entries);
	TEST(old_style_subclass_of_dict_shows_attributes_and_pairs);
	TEST(dict_subclasses_are_dicts);
	TEST(ordered_dict_of_python_2_comes_as_pairs);
	TEST(numpy_scalars_in_a_list_are_numbers);
	TEST(bytes_are_shown_as_they_are);
	TEST(state_dict_has_text_keys_and_at_least_half_tensors);
	return tap_done();
}
