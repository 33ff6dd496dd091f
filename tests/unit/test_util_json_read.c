/* Reading JSON: every token, every refusal with its offset, and Python's json.loads as the judge. */
#include "tap.h"

#include <pthfs/json.h>
#include <pthfs/json_read.h>
#include <stdlib.h>

static struct err e;

/* The document written anew, "!" and the error when it is refused. `text` is copied to a block of
 * its very size, so that a sanitizer sees reads beyond it. */
static const char *again(struct str text)
{
	static char said[1024];
	char *exact = malloc(text.n ? text.n : 1);
	enum json_token t = JSON_NULL;
	struct json_reader r;
	struct json j;
	struct buf out;
	int rc;

	memcpy(exact, text.p, text.n);
	json_reader_init(&r, (struct str){exact, text.n});
	buf_init(&out, sizeof said - 1);
	json_init(&j, &out);
	while ((rc = json_next(&r, &t, &e)) == 0 && t != JSON_END) {
		if (t == JSON_KEY)
			json_key_str(&j, r.text);
		else if (t == JSON_STRING)
			json_str(&j, r.text);
		else if (t == JSON_INT && r.big)
			json_raw(&j, r.text);
		else if (t == JSON_INT)
			json_i64(&j, r.i);
		else if (t == JSON_FLOAT)
			json_f64(&j, r.f);
		else if (t == JSON_TRUE || t == JSON_FALSE)
			json_bool(&j, t == JSON_TRUE);
		else if (t == JSON_NULL)
			json_null(&j);
		else if (t == JSON_OBJECT || t == JSON_LIST)
			json_open(&j, t == JSON_OBJECT ? '{' : '[');
		else
			json_close(&j, t == JSON_OBJECT_END ? '}' : ']');
	}
	if (rc == 0)
		snprintf(said, sizeof said, "%.*s", (int)out.n, out.p);
	else
		snprintf(said, sizeof said, "!%s", e.text);
	json_reader_release(&r);
	buf_release(&out);
	free(exact);
	return said;
}

#define AGAIN(literal) again(STR(literal))

static void every_text_is_taken_as_python_takes_it(void)
{
	static const struct {
		struct str text;
		const char *value;
	} cases[] = {
#include "json_cases.h"
	};
	size_t taken = 0, n = sizeof cases / sizeof *cases;

	for (size_t i = 0; i < n; i++) {
		const char *said = again(cases[i].text);
		bool fine = cases[i].value ? strcmp(said, cases[i].value) == 0 : *said == '!';

		taken += cases[i].value != NULL;
		if (!fine)
			printf("# case %zu, \"%s\": %s, wanted %s\n", i, STR_SHOW(cases[i].text),
					said, cases[i].value ? cases[i].value : "a refusal");
		OK(fine);
	}
	OK(taken > 100 && n - taken > 100);
}

static void errors_name_the_offset_and_both_sides(void)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
			{"", "byte 0: expected a value, found the end of the text"},
			{"  True", "byte 2: expected a value, found \"True\""},
			{"[1, 2", "byte 5: expected ',' or ']', found the end of the text"},
			{"[1 2]", "byte 3: expected ',' or ']', found \"2\""},
			{"[1,]", "byte 3: expected a value, found \"]\""},
			{"{\"a\": 1,}", "byte 8: expected a key in double quotes, found \"}\""},
			{"{a: 1}", "byte 1: expected a key in double quotes, found \"a\""},
			{"{\"a\" 1}", "byte 5: expected ':' behind a key, found \"1\""},
			{"{\"a\": 1]", "byte 7: expected ',' or '}', found \"]\""},
			{"1 2", "byte 2: expected nothing behind the value, found \"2\""},
			{"01", "byte 1: expected nothing behind the value, found \"1\""},
			{"-x", "byte 1: expected a digit, found \"x\""},
			{"1.", "byte 2: expected a digit, found the end of the text"},
			{"[1e+]", "byte 4: expected a digit, found \"]\""},
			{"\"ab", "byte 3: expected '\"' at the end of a string, found the end of the text"},
			{"\"a\\q\"", "byte 3: expected one of \"\\/bfnrtu behind a backslash, found \"q\""},
			{"\"\\u12x4\"", "byte 3: expected four hexadecimal digits, found \"12x4\""},
			{"\"a\nb\"", "byte 2: expected \\u000a or the like, found a bare control character "
				     "in a string"},
			{"\"a\xff\"", "byte 2: expected UTF-8, found the byte 0xff"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		EQ_STR(again(str_of(cases[i].text)) + 1, cases[i].error);
		EQ_I64(e.code, ERR_DAMAGED);
	}
}

/* Python joins escapes that are a pair and keeps the others; so do we, in WTF-8. */
static void lone_surrogates_are_kept_as_three_bytes(void)
{
	struct json_reader r;
	enum json_token t;

	json_reader_init(&r, STR("\"\\ud83d\\ude00\\ud800x\\udc80\""));
	OK(json_next(&r, &t, &e) == 0 && t == JSON_STRING);
	EQ_MEM(r.text.p, r.text.n, "\xf0\x9f\x98\x80\xed\xa0\x80x\xed\xb2\x80", 11);
	json_reader_release(&r);
}

static void whole_numbers_of_any_size_keep_their_digits(void)
{
	struct json_reader r;
	enum json_token t;

	json_reader_init(&r, STR("[-9223372036854775808, 9223372036854775808, -0]"));
	OK(json_next(&r, &t, &e) == 0 && json_next(&r, &t, &e) == 0);
	OK(t == JSON_INT && !r.big && r.i == INT64_MIN);
	OK(json_next(&r, &t, &e) == 0 && t == JSON_INT && r.big);
	EQ_MEM(r.text.p, r.text.n, "9223372036854775808", 19);
	OK(json_next(&r, &t, &e) == 0 && t == JSON_INT && !r.big && r.i == 0);
	json_reader_release(&r);
}

/* A decimal point is a point in every locale, and 400 digits count as many as they are. */
static void floats_are_the_nearest_double(void)
{
	struct json_reader r;
	enum json_token t;
	char text[500];

	snprintf(text, sizeof text, "0.5%0400d1e0", 0);
	json_reader_init(&r, str_of(text));
	OK(json_next(&r, &t, &e) == 0 && t == JSON_FLOAT && r.f == 0.5);
	json_reader_release(&r);
	EQ_STR(AGAIN("[9007199254740993.0, 1e23, 2.2250738585072011e-308]"),
			"[9007199254740992.0, 1e+23, 2.225073858507201e-308]");
}

static void nesting_ends_at_the_limit(void)
{
	char text[2 * JSON_DEPTH + 2];

	memset(text, '[', JSON_DEPTH);
	memset(text + JSON_DEPTH, ']', JSON_DEPTH);
	OK(*again((struct str){text, 2 * JSON_DEPTH}) == '[');
	memset(text, '[', JSON_DEPTH + 1);
	HAS(again((struct str){text, JSON_DEPTH + 1}), "byte 256: JSON nested over 256 deep");
	EQ_I64(e.code, ERR_LIMIT);
}

static void skipping_passes_over_one_value(void)
{
	struct json_reader r;
	enum json_token t;

	json_reader_init(&r, STR("{\"a\": {\"b\": [1, {}]}, \"c\": [], \"d\": 3}"));
	OK(json_next(&r, &t, &e) == 0 && t == JSON_OBJECT);
	for (int i = 0; i < 3; i++) {
		OK(json_next(&r, &t, &e) == 0 && t == JSON_KEY);
		EQ_I64(r.text.p[0], "acd"[i]);
		OK(json_next(&r, &t, &e) == 0 && json_skip(&r, t, &e) == 0);
	}
	OK(r.i == 3);
	OK(json_next(&r, &t, &e) == 0 && t == JSON_OBJECT_END);
	OK(json_next(&r, &t, &e) == 0 && t == JSON_END);
	OK(json_next(&r, &t, &e) == 0 && t == JSON_END); /* and again */
	json_reader_release(&r);
}

static void skipping_finds_what_is_damaged(void)
{
	struct json_reader r;
	enum json_token t;

	json_reader_init(&r, STR("[[1, 2}, 3]"));
	OK(json_next(&r, &t, &e) == 0);
	EQ_I64(json_skip(&r, t, &e), ERR_DAMAGED);
	EQ_I64(r.at, 6);
	json_reader_release(&r);
}

static void offsets_of_tokens(void)
{
	/* '{', the key, '[', 1, 2, ']', '}', the end */
	static const size_t wanted[] = {1, 2, 7, 8, 11, 12, 14, 15};
	struct json_reader r;
	enum json_token t;

	json_reader_init(&r, STR(" {\"k\" :[1, 2] }"));
	for (size_t i = 0; i < 8; i++) {
		OK(json_next(&r, &t, &e) == 0);
		EQ_I64(r.at, wanted[i]);
	}
	EQ_I64(t, JSON_END);
	json_reader_release(&r);
}

int main(void)
{
	TEST(every_text_is_taken_as_python_takes_it);
	TEST(errors_name_the_offset_and_both_sides);
	TEST(lone_surrogates_are_kept_as_three_bytes);
	TEST(whole_numbers_of_any_size_keep_their_digits);
	TEST(floats_are_the_nearest_double);
	TEST(nesting_ends_at_the_limit);
	TEST(skipping_passes_over_one_value);
	TEST(skipping_finds_what_is_damaged);
	TEST(offsets_of_tokens);
	return tap_done();
}
