/* New keys for old: --strip, --add and --regex. */
#include "../../src/cli/keymap.h"

#include "tap.h"

/* What the map makes of the key, or "-" when it stays. */
static void maps(struct keymap *m, const char *key, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	buf_puts(&out, "x"); /* what is there already stays */
	if (!keymap_apply(m, str_of(key), &out))
		buf_puts(&out, "-");
	buf_putc(&out, '\0');
	OK(!out.failed);
	OK(out.p[0] == 'x');
	EQ_STR(out.p + 1, want);
	buf_release(&out);
}

static struct keymap prefix(enum keymap_kind kind, const char *text)
{
	struct keymap m = {0};
	struct err e = {0};

	EQ_I64(keymap_prefix(&m, kind, text, &e), 0);
	EQ_STR(e.text, "");
	return m;
}

static void regex(const char *expr, const char *key, const char *want)
{
	struct keymap m = {0};
	struct err e = {0};

	EQ_I64(keymap_regex(&m, expr, &e), 0);
	EQ_STR(e.text, "");
	if (!*e.text)
		maps(&m, key, want);
	keymap_release(&m);
}

static void refused(const char *expr, const char *says)
{
	struct keymap m = {0};
	struct err e = {0};

	EQ_I64(keymap_regex(&m, expr, &e), ERR_USAGE);
	HAS(e.text, says);
	keymap_release(&m);
}

static void strip_takes_the_prefix_off_where_it_is(void)
{
	struct keymap m = prefix(KEYMAP_STRIP, "module");

	maps(&m, "module.fc.weight", "fc.weight");
	maps(&m, "module.module.x", "module.x");
	maps(&m, "fc.module.weight", "-");
	maps(&m, "modules.x", "-");
	maps(&m, "module", "-");
	keymap_release(&m);
}

/* An empty key is what nobody wants. */
static void strip_leaves_a_key_of_which_nothing_would_be_left(void)
{
	struct keymap m = prefix(KEYMAP_STRIP, "module");

	maps(&m, "module.", "-");
	keymap_release(&m);
}

static void add_puts_the_prefix_on_where_it_is_not(void)
{
	struct keymap m = prefix(KEYMAP_ADD, "module");

	maps(&m, "fc.weight", "module.fc.weight");
	maps(&m, "module.fc.weight", "-");
	maps(&m, "module", "module.module");
	keymap_release(&m);
}

static void the_last_dot_of_a_prefix_may_be_written(void)
{
	struct keymap m = prefix(KEYMAP_STRIP, "net.module.");

	maps(&m, "net.module.w", "w");
	keymap_release(&m);
}

static void an_empty_prefix_is_refused(void)
{
	struct keymap m = {0};
	struct err e = {0};

	EQ_I64(keymap_prefix(&m, KEYMAP_STRIP, "", &e), ERR_USAGE);
	EQ_I64(keymap_prefix(&m, KEYMAP_ADD, ".", &e), ERR_USAGE);
	HAS(e.text, "empty");
	keymap_release(&m);
}

static void an_expression_is_written_in_three_ways(void)
{
	regex("^module[.]//", "module.w", "w");
	regex("/^module[.]//", "module.w", "w");
	regex("s/^module[.]//", "module.w", "w");
	regex("s|a/b|c|", "a/b", "c");
	regex("#w#v#", "w", "v");
	regex("weight,gamma,", "x.weight", "x.gamma");
	regex("s.weight/x/", "s.weight", "x");
}

static void without_g_the_first_match_is_replaced(void)
{
	regex("a/b/", "banana", "bbnana");
	regex("a/b/g", "banana", "bbnbnb");
}

static void groups_and_the_whole_match_come_back(void)
{
	regex("layer([0-9]+)\\.(.*)/blocks.\\1.\\2/", "layer12.w", "blocks.12.w");
	regex("[0-9]+/<&>/g", "a1b22", "a<1>b<22>");
	regex("b/\\&/", "abc", "a&c");
	regex("(x)?b/[\\1]/", "b", "[]");
}

static void an_escaped_delimiter_is_itself(void)
{
	regex("a\\/b/c\\/d/", "a/b", "c/d");
}

/* sed and Python agree on these. */
static void empty_matches_are_as_in_sed(void)
{
	regex("x*/-/g", "abc", "-a-b-c-");
	regex("b*/-/g", "abc", "-a-c-");
	regex("^/m./", "w", "m.w");
	regex("$/.w/", "x", "x.w");
}

static void an_anchor_matches_at_the_beginning_only(void)
{
	regex("^a//g", "aaa", "aa");
}

static void a_key_that_comes_out_the_same_is_not_changed(void)
{
	regex("a/a/", "banana", "-");
	regex("q/z/", "banana", "-");
}

static void wrong_expressions_are_refused_in_words(void)
{
	refused("", "S/R/");
	refused("abc", "S/R/");
	refused("/a/b", "S/R/");
	refused("//b/", "S/R/");
	refused("a/b/q", "S/R/");
	refused("(/b/", "expression '('");
	refused("(a)/\\2/", "\\2 in the replacement");
}

int main(void)
{
	TEST(strip_takes_the_prefix_off_where_it_is);
	TEST(strip_leaves_a_key_of_which_nothing_would_be_left);
	TEST(add_puts_the_prefix_on_where_it_is_not);
	TEST(the_last_dot_of_a_prefix_may_be_written);
	TEST(an_empty_prefix_is_refused);
	TEST(an_expression_is_written_in_three_ways);
	TEST(without_g_the_first_match_is_replaced);
	TEST(groups_and_the_whole_match_come_back);
	TEST(an_escaped_delimiter_is_itself);
	TEST(empty_matches_are_as_in_sed);
	TEST(an_anchor_matches_at_the_beginning_only);
	TEST(a_key_that_comes_out_the_same_is_not_changed);
	TEST(wrong_expressions_are_refused_in_words);
	return tap_done();
}
