/* fuzz_json.c - any bytes as JSON.
 *
 * What has to hold beyond the sanitizers: json_skip() takes what reading every token takes; the
 * tokens written anew are JSON in UTF-8 that reads and writes as the same bytes; offsets lie within.
 */
#include <pthfs/json.h>
#include <pthfs/json_read.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fine)
{
	if (!fine)
		abort();
}

static void put(const struct json_reader *r, enum json_token t, struct json *j)
{
	if (t == JSON_KEY)
		json_key_str(j, r->text);
	else if (t == JSON_STRING)
		json_str(j, r->text);
	else if (t == JSON_INT && r->big)
		json_raw(j, r->text);
	else if (t == JSON_INT)
		json_i64(j, r->i);
	else if (t == JSON_FLOAT)
		json_f64(j, r->f);
	else if (t == JSON_TRUE || t == JSON_FALSE)
		json_bool(j, t == JSON_TRUE);
	else if (t == JSON_NULL)
		json_null(j);
	else if (t == JSON_OBJECT || t == JSON_LIST)
		json_open(j, t == JSON_OBJECT ? '{' : '[');
	else
		json_close(j, t == JSON_OBJECT_END ? '}' : ']');
}

/* The document written anew into out. */
static int again(struct str in, struct buf *out)
{
	enum json_token t = JSON_NULL;
	struct json_reader r;
	struct json j;
	struct err e = {0};
	int rc;

	json_reader_init(&r, in);
	json_init(&j, out);
	while ((rc = json_next(&r, &t, &e)) == 0 && t != JSON_END) {
		require(r.at < in.n && r.at < r.pos && r.pos <= in.n && r.depth <= JSON_DEPTH);
		put(&r, t, &j);
	}
	require(rc == 0 || (e.code == rc && r.at <= in.n && *e.text));
	json_reader_release(&r);
	return rc;
}

static int skipped(struct str in)
{
	enum json_token t;
	struct json_reader r;
	int rc;

	json_reader_init(&r, in);
	rc = json_next(&r, &t, NULL);
	if (rc == 0)
		rc = json_skip(&r, t, NULL);
	if (rc == 0)
		rc = json_next(&r, &t, NULL);
	json_reader_release(&r);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size};
	struct buf one, two;
	int rc;

	buf_init(&one, 32 * size + 64);
	buf_init(&two, 32 * size + 64);
	rc = again(in, &one);
	require(skipped(in) == rc);
	if (rc == 0) {
		require(!one.failed && str_utf8(buf_view(&one)));
		require(again(buf_view(&one), &two) == 0);
		require(str_eq(buf_view(&one), buf_view(&two)));
	}
	buf_release(&one);
	buf_release(&two);
	return 0;
}
