/* Shell patterns over paths. */
#include "../../src/volume/glob.h"

#include "tap.h"

#define YES(pattern, path) OK(glob_match(STR(pattern), STR(path)))
#define NO(pattern, path) OK(!glob_match(STR(pattern), STR(path)))

static void a_name_matches_itself_only(void)
{
	YES("model/fc.weight", "model/fc.weight");
	NO("model/fc.weight", "model/fc_weight"); /* a dot is a dot */
	NO("model", "model/fc.weight");
	NO("fc.weight", "model/fc.weight");
	NO("", "a");
	YES("", "");
}

static void a_star_stays_within_a_component(void)
{
	YES("*", "model");
	YES("*", "");
	NO("*", "model/fc");
	YES("model/*", "model/fc");
	YES("*.weight", "fc.weight");
	YES("layer*.conv?.weight", "layer1.0.conv2.weight");
	YES("a*b*c", "aXbXbXc");
	NO("a*b*c", "aXbX/Xc");
	NO("*.weight", "fc.bias");
	YES("*/*", "a/b");
	NO("*/*", "a/b/c");
}

static void a_question_mark_is_one_character_but_no_slash(void)
{
	YES("a?c", "abc");
	NO("a?c", "a/c");
	NO("a?c", "ac");
	NO("?", "");
}

static void two_stars_cross_components(void)
{
	YES("**", "a/b/c");
	YES("a/**", "a/b/c");
	YES("**.weight", "model/fc.weight");
	YES("a**c", "a/b/c");
	YES("**/exp_avg", "optimizer/state/0/exp_avg");
	YES("opt*/**/exp*", "optimizer/state/0/exp_avg");
	NO("**/exp_avg", "optimizer/state/0/exp_avg_sq");
	YES("**/*.weight", "model/fc.weight");
	YES("**/b/**/d", "a/b/c/b/x/d");
}

/* "**" and its slash are any number of components, none among them, and never a part of one. */
static void two_stars_as_a_component_stand_for_whole_components(void)
{
	YES("**/b", "b");
	YES("**/b", "a/b");
	YES("**/b", "a/a/b");
	NO("**/b", "ab");
	NO("**/b", "a/ab");
	YES("a/**/b", "a/b");
	YES("a/**/b", "a/x/y/b");
	NO("a/**/b", "a/xb");
	NO("a/**/b", "ab");
}

static void classes_are_sets_and_ranges(void)
{
	YES("layer[0-9].w", "layer7.w");
	NO("layer[0-9].w", "layerx.w");
	YES("[abc]", "b");
	YES("[!abc]", "d");
	YES("[^abc]", "d");
	NO("[!abc]", "b");
	YES("[]x]", "]");
	YES("[a-]", "-");
	NO("[!a]", "/"); /* as in a shell */
	YES("x[[]0]", "x[0]");
}

static void a_backslash_takes_the_next_character_as_it_is(void)
{
	YES("a\\*", "a*");
	NO("a\\*", "ab");
	YES("w\\[0\\]", "w[0]");
	YES("a\\", "a\\");
}

static void a_bracket_without_its_partner_is_a_bracket(void)
{
	YES("a[", "a[");
	YES("a[0", "a[0");
	NO("a[0", "a0");
	YES("*[x", "a[x");
}

static void a_pattern_of_a_directory_takes_what_is_below(void)
{
	OK(glob_match_path(STR("model"), STR("model/fc.weight")));
	OK(glob_match_path(STR("opt*"), STR("optimizer/state/0/step")));
	OK(glob_match_path(STR("*/state"), STR("optimizer/state/0/step")));
	OK(!glob_match_path(STR("mod"), STR("model/fc.weight")));
	OK(!glob_match_path(STR("fc.weight"), STR("model/fc.weight")));
	OK(!glob_match_path(STR("model/fc.weight/x"), STR("model/fc.weight")));
}

/* Many stars over a text that just fails to match: no exponential search. */
static void hostile_names_and_patterns_end(void)
{
	char text[4001], pattern[201];

	memset(text, 'a', sizeof text);
	text[4000] = 'b';
	for (size_t i = 0; i + 1 < sizeof pattern; i += 2)
		pattern[i] = '*', pattern[i + 1] = 'a';
	pattern[200] = 'c';
	OK(!glob_match((struct str){pattern, 201}, (struct str){text, 4001}));
	for (size_t i = 0; i + 1 < sizeof pattern; i += 4)
		pattern[i] = pattern[i + 1] = '*';
	OK(!glob_match((struct str){pattern, 201}, (struct str){text, 4001}));
	for (size_t i = 40; i < sizeof text; i += 40)
		text[i] = '/';
	OK(!glob_match((struct str){pattern, 201}, (struct str){text, 4001}));
}

int main(void)
{
	TEST(a_name_matches_itself_only);
	TEST(a_star_stays_within_a_component);
	TEST(a_question_mark_is_one_character_but_no_slash);
	TEST(two_stars_cross_components);
	TEST(two_stars_as_a_component_stand_for_whole_components);
	TEST(classes_are_sets_and_ranges);
	TEST(a_backslash_takes_the_next_character_as_it_is);
	TEST(a_bracket_without_its_partner_is_a_bracket);
	TEST(a_pattern_of_a_directory_takes_what_is_below);
	TEST(hostile_names_and_patterns_end);
	return tap_done();
}
