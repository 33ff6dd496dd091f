/* Slices, hashes and what is shown to people. */
#include <pthfs/str.h>

#include "tap.h"

static void slices_compare_by_bytes(void)
{
	OK(str_eq(STR("abc"), STR("abc")));
	OK(!str_eq(STR("abc"), STR("abd")));
	OK(!str_eq(STR("abc"), STR("ab")));
	OK(str_eq((struct str){NULL, 0}, STR("")));
	OK(!str_eq(STR("a\0b"), STR("a\0c")));
	OK(str_is(STR("data.pkl"), "data.pkl"));
	OK(!str_is(STR("data.pk"), "data.pkl"));
	EQ_I64(str_of(NULL).n, 0);
}

static void starts_and_ends_are_found(void)
{
	OK(str_starts(STR("archive/data"), STR("archive/")));
	OK(str_starts(STR("x"), STR("")));
	OK(!str_starts(STR("x"), STR("xy")));
	OK(str_ends(STR("a.npy"), STR(".npy")));
	OK(!str_ends(STR("npy"), STR(".npy")));
	OK(str_ends(STR(""), STR("")));
}

static void skipping_and_cutting_stop_at_the_end(void)
{
	OK(str_is(str_skip(STR("abc"), 1), "bc"));
	EQ_I64(str_skip(STR("abc"), 7).n, 0);
	OK(str_is(str_cut(STR("abc"), 2), "ab"));
	OK(str_is(str_cut(STR("abc"), 9), "abc"));
}

static void case_is_folded_in_ascii_only(void)
{
	OK(str_eq_case(STR("Data.PKL"), STR("dATA.pkl")));
	OK(!str_eq_case(STR("@"), STR("`")));
	OK(!str_eq_case(STR("["), STR("{")));
	OK(!str_eq_case(STR("\xc4"), STR("\xe4")));
	OK(!str_eq_case(STR("a"), STR("ab")));
}

static void names_equal_but_for_case_hash_alike(void)
{
	char lower[40], upper[40];

	for (size_t n = 0; n <= 33; n++) {
		for (size_t i = 0; i < n; i++) {
			lower[i] = (char)("az09_.-q"[i % 8]);
			upper[i] = (char)("AZ09_.-Q"[i % 8]);
		}
		struct str a = {lower, n}, b = {upper, n};

		OK(str_hash_case(a) == str_hash_case(b));
	}
}

/* Each byte value in each position: folding eight at once must touch letters alone. */
static void only_letters_are_folded_in_a_word(void)
{
	char a[11] = "aaaaaaaaaaa", b[11] = "aaaaaaaaaaa";

	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof a; at++) {
			a[at] = (char)c;
			b[at] = (char)(c ^ 0x20);
			struct str x = {a, sizeof a}, y = {b, sizeof b};

			OK((str_hash_case(x) == str_hash_case(y)) == str_eq_case(x, y));
			a[at] = b[at] = 'a';
		}
}

static void hashes_differ_where_names_differ(void)
{
	static uint64_t seen[4096];
	char name[24];
	int same = 0;

	for (int i = 0; i < 4096; i++) {
		int n = snprintf(name, sizeof name, "layer.%d.weight", i);

		seen[i] = str_hash((struct str){name, (size_t)n});
		for (int k = 0; k < i; k++)
			same += seen[k] == seen[i];
	}
	EQ_I64(same, 0);
	OK(str_hash(STR("a")) != str_hash(STR("a\0")));
	OK(str_hash(STR("")) != str_hash(STR("\0")));
	OK(str_hash(STR("abc")) == str_hash(STR("abc")));
}

static void utf8_is_told_from_what_is_not(void)
{
	OK(str_utf8(STR("")));
	OK(str_utf8(STR("plain ascii, longer than a word")));
	OK(str_utf8(STR("12345678\xc3\xbc"
			"12345678\xe2\x82\xac\xf0\x9f\x98\x80")));
	OK(!str_utf8(STR("1234567\xc3")));
	OK(!str_utf8(STR("\xed\xa0\x80"))); /* a surrogate */
	OK(!str_utf8(STR("\xc1\xbf")));
	OK(!str_utf8(STR("\xf5\x80\x80\x80")));
	OK(!str_utf8(STR("\x80")));
	/* The slice ends in the middle of a character that goes on behind it. */
	OK(!str_utf8((struct str){"\xe2\x82\xac", 2}));
}

static void shown_text_is_printable_and_fits(void)
{
	char out[16];

	EQ_STR(STR_SHOW(STR("a.b")), "a.b");
	EQ_STR(STR_SHOW(STR("a\n\t\\\x01\xff\0")), "a\\n\\t\\\\\\x01\\xff\\x00");
	EQ_STR(str_show(STR("0123456789abcde"), out, sizeof out), "0123456789abcde");
	EQ_STR(str_show(STR("0123456789abcdef"), out, sizeof out), "0123456789ab...");
	/* An escape is never cut in two. */
	EQ_STR(str_show(STR("0123456789\xff\xff\xff"), out, sizeof out), "0123456789...");
	EQ_STR(str_show(STR("abc"), out, 3), "..");
	EQ_STR(str_show(STR("abc"), out, 1), "");
	EQ_STR(str_show((struct str){NULL, 0}, out, sizeof out), "");
}

static void sizes_are_in_powers_of_1000(void)
{
	EQ_STR(STR_SIZE(0), "0 B");
	EQ_STR(STR_SIZE(999), "999 B");
	EQ_STR(STR_SIZE(1000), "1.0 KB");
	EQ_STR(STR_SIZE(37600), "37.6 KB");
	EQ_STR(STR_SIZE(999949), "999.9 KB");
	EQ_STR(STR_SIZE(999950), "1.0 MB");
	EQ_STR(STR_SIZE(1200000000), "1.2 GB");
	EQ_STR(STR_SIZE(UINT64_MAX), "18.4 EB");
}

/* Keys are told to people who want to paste them; hostile ones do not reach the terminal. */
static void shown_text_keeps_letters_of_any_language(void)
{
	char out[64];
	EQ_STR(str_show(STR("\xe6\x97\xa5\xe6\x9c\xac \xc3\xa9"), out, sizeof out),
			"\xe6\x97\xa5\xe6\x9c\xac \xc3\xa9");
	EQ_STR(str_show(STR("a\xc2\x9b" "31m"), out, sizeof out), "a\\xc2\\x9b31m");
	EQ_STR(str_show(STR("x\xe2\x80\xae" "y"), out, sizeof out), "x\\xe2\\x80\\xaey");
	EQ_STR(str_show(STR("\xed\xa0\x80"), out, sizeof out), "\\xed\\xa0\\x80");
	EQ_STR(str_show(STR("\xe6\x97\xa5\xe6\x9c\xac"), out, 6), "...");
}

int main(void)
{
	TEST(slices_compare_by_bytes);
	TEST(starts_and_ends_are_found);
	TEST(skipping_and_cutting_stop_at_the_end);
	TEST(case_is_folded_in_ascii_only);
	TEST(names_equal_but_for_case_hash_alike);
	TEST(only_letters_are_folded_in_a_word);
	TEST(hashes_differ_where_names_differ);
	TEST(utf8_is_told_from_what_is_not);
	TEST(shown_text_is_printable_and_fits);
	TEST(shown_text_keeps_letters_of_any_language);
	TEST(sizes_are_in_powers_of_1000);
	return tap_done();
}
