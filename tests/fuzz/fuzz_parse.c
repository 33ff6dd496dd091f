/* fuzz_parse.c - a pickle, and what a user might write over the object in it.
 *
 *	2 bytes   n, little-endian
 *	n bytes   a pickle
 *	the rest  text, and JSON
 *
 * What has to hold beyond the sanitizers: what is shown of any object, written back, is that very
 * object; what was read from the input shows as something that reads back as itself; and after an
 * error the result is untouched and there is a sentence.
 */
#include <pthfs/parse.h>
#include <pthfs/pickle.h>
#include <pthfs/print.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHOWN_MAX (1u << 13)

static void require(bool fine)
{
	if (!fine)
		abort();
}

typedef int parse_fn(struct graph *g, oref was, struct str text, oref *ret, struct err *e);

static oref parsed(parse_fn *fn, struct graph *g, oref was, struct str text)
{
	struct err e = {0};
	oref r = OREF_NIL;
	int rc = fn(g, was, text, &r, &e);

	require(rc == 0 ? r != OREF_NIL : r == OREF_NIL && e.code == rc && *e.text);
	return r;
}

/* What JSON shows of r gives r; beyond the limits it gives nothing. */
static void json_reads_back(struct graph *g, oref r)
{
	struct buf shown;
	struct json j;
	oref back;

	buf_init(&shown, SHOWN_MAX);
	json_init(&j, &shown);
	if (r != OREF_NIL && obj_json(g, r, NULL, NULL, &j, NULL) == 0) {
		back = parsed(obj_parse_json, g, r, buf_view(&shown));
		require(back == r || back == OREF_NIL);
	}
	buf_release(&shown);
}

static void text_reads_back(struct graph *g, oref r)
{
	struct buf shown;
	struct source *src;

	buf_init(&shown, SHOWN_MAX);
	if (r != OREF_NIL && obj_value_text(g, r, &shown, NULL) == 0) {
		buf_putc(&shown, '\n');
		if (obj_bytes_source(g, r, &src, NULL) == 0)
			source_unref(src); /* bytes are shown as they are, not as this text */
		else
			require(shown.failed ||
					parsed(obj_parse_text, g, r, buf_view(&shown)) == r);
	}
	buf_release(&shown);
}

static oref guess(struct graph *g, struct str text)
{
	struct err e = {0};
	oref r = OREF_NIL;
	int rc = obj_parse_guess(g, text, &r, &e);

	require(rc == 0 ? r != OREF_NIL : *e.text != 0);
	return r;
}

static void check(struct graph *g, oref top, struct str text)
{
	json_reads_back(g, top);
	text_reads_back(g, top);
	json_reads_back(g, parsed(obj_parse_json, g, top, text));
	json_reads_back(g, parsed(obj_parse_json, g, OREF_NIL, text));
	text_reads_back(g, parsed(obj_parse_text, g, top, text));
	text_reads_back(g, guess(g, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
	struct str text;
	struct source *src;
	struct reader r;
	struct graph g;
	struct err e;
	oref top = OREF_NIL;

	if (size < 2 || n > size - 2)
		return 0;
	text = (struct str){(const char *)data + 2 + n, size - 2 - n};
	src = source_mem_borrow(data + 2, n);
	require(src && reader_init(&r, src, 0, n, &e) == 0 && graph_init(&g, &e) == 0);
	if (pickle_load(&r, &g, &top, NULL, &e) == 0 && graph_dedupe(&g) == 0)
		check(&g, top, text);
	graph_release(&g);
	reader_release(&r);
	source_unref(src);
	return 0;
}
