/* JSON as json.dumps(ensure_ascii=False) writes it. */
#include <math.h>
#include <pthfs/json.h>

#include "tap.h"

#define SAYS(b, text) EQ_MEM((b).p, (b).n, (text), strlen(text))

/* json_str(s) == wanted */
static void check_string(struct str s, const char *wanted)
{
	struct buf b;
	struct json j;

	buf_init(&b, 4096);
	json_init(&j, &b);
	json_str(&j, s);
	SAYS(b, wanted);
	buf_release(&b);
}

static void commas_and_colons_stand_as_in_python(void)
{
	struct buf b;
	struct json j;

	buf_init(&b, 4096);
	json_init(&j, &b);
	json_open(&j, '{');
	json_key(&j, "a");
	json_open(&j, '[');
	json_i64(&j, INT64_MIN);
	json_u64(&j, UINT64_MAX);
	json_bool(&j, true);
	json_bool(&j, false);
	json_null(&j);
	json_open(&j, '[');
	json_close(&j, ']');
	json_open(&j, '{');
	json_close(&j, '}');
	json_close(&j, ']');
	json_key_str(&j, STR("b\""));
	json_cstr(&j, "x");
	json_key(&j, "c");
	json_raw(&j, STR("[1]"));
	json_close(&j, '}');
	SAYS(b, "{\"a\": [-9223372036854775808, 18446744073709551615, true, false, null, [], {}], "
		"\"b\\\"\": \"x\", \"c\": [1]}");
	OK(!b.failed);
	buf_release(&b);
}

static void floats_stand_as_in_python(void)
{
	struct buf b;
	struct json j;

	buf_init(&b, 4096);
	json_init(&j, &b);
	json_open(&j, '[');
	json_f64(&j, 0.9);
	json_f64(&j, 1);
	json_f64(&j, 1e-5);
	json_f64(&j, NAN);
	json_f64(&j, INFINITY);
	json_f64(&j, -INFINITY);
	json_close(&j, ']');
	SAYS(b, "[0.9, 1.0, 1e-05, NaN, Infinity, -Infinity]");
	buf_release(&b);
}

static void a_newline_comes_after_the_comma(void)
{
	struct buf b;
	struct json j;

	buf_init(&b, 4096);
	json_init(&j, &b);
	json_open(&j, '[');
	for (int i = 0; i < 2; i++) {
		json_newline(&j);
		json_i64(&j, i);
	}
	json_newline(&j);
	json_close(&j, ']');
	SAYS(b, "[\n0,\n1\n]");
	buf_release(&b);
}

static void quotes_and_control_characters_are_escaped(void)
{
	check_string(STR("\" \\ / \n\r\t\b\f"), "\"\\\" \\\\ / \\n\\r\\t\\b\\f\"");
	check_string(STR("a\0b"), "\"a\\u0000b\"");
	check_string(STR("\x01\x1f\x1b"), "\"\\u0001\\u001f\\u001b\"");
	/* 0x7f is no control character to Python's json. */
	check_string(STR("\x7f"), "\"\x7f\"");
	check_string((struct str){NULL, 0}, "\"\"");
}

static void valid_utf8_stays(void)
{
	check_string(STR("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"");
	check_string(STR("\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"),
		"\"\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"");
	check_string(STR("\xc2\x80\xee\x80\x80"), "\"\xc2\x80\xee\x80\x80\"");
}

static void bytes_that_are_no_utf8_are_escaped_one_by_one(void)
{
	check_string(STR("\xff\x80 x"), "\"\\udcff\\udc80 x\"");
	/* Overlong, beyond U+10FFFF, and cut at the end. */
	check_string(STR("\xc0\xaf"), "\"\\udcc0\\udcaf\"");
	check_string(STR("\xe0\x80\xaf"), "\"\\udce0\\udc80\\udcaf\"");
	check_string(STR("\xf4\x90\x80\x80"), "\"\\udcf4\\udc90\\udc80\\udc80\"");
	check_string(STR("\xe2\x82"), "\"\\udce2\\udc82\"");
	check_string(STR("\xe2\x82\""), "\"\\udce2\\udc82\\\"\"");
	check_string(STR("\xc3"), "\"\\udcc3\"");
}

static void lone_surrogates_become_their_own_escape(void)
{
	check_string(STR("\xed\xa0\x80"), "\"\\ud800\"");
	check_string(STR("\xed\xbf\xbf"), "\"\\udfff\"");
	/* U+D7FF is the last before them and stays. */
	check_string(STR("\xed\x9f\xbf"), "\"\xed\x9f\xbf\"");
}

static void a_full_buffer_is_remembered(void)
{
	struct buf b;
	struct json j;

	buf_init(&b, 4);
	json_init(&j, &b);
	json_cstr(&j, "abcdef");
	OK(b.failed);
	buf_release(&b);
}

int main(void)
{
	TEST(commas_and_colons_stand_as_in_python);
	TEST(floats_stand_as_in_python);
	TEST(a_newline_comes_after_the_comma);
	TEST(quotes_and_control_characters_are_escaped);
	TEST(valid_utf8_stays);
	TEST(bytes_that_are_no_utf8_are_escaped_one_by_one);
	TEST(lone_surrogates_become_their_own_escape);
	TEST(a_full_buffer_is_remembered);
	return tap_done();
}
