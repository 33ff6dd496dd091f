/* json_read.h - reading JSON, one token after the other, as Python's json.loads would: NaN,
 * Infinity and -Infinity are numbers, whole numbers have any size.
 *
 * The text is in memory and must outlive the reader. Errors name the offset and what was expected.
 * Lone surrogates ("\ud800") are kept as Python does, as the three bytes of "surrogatepass"; bare
 * bytes that are not UTF-8 (also those three) are an error. Of a key that stands twice both are reported.
 * Thread rule: one thread.
 */
#ifndef PTHFS_JSON_READ_H
#define PTHFS_JSON_READ_H

#include <pthfs/err.h>
#include <pthfs/str.h>

enum json_token {
	JSON_END, /* of the text */
	JSON_OBJECT, /* '{' */
	JSON_OBJECT_END,
	JSON_LIST,
	JSON_LIST_END,
	JSON_KEY, /* .text, unescaped */
	JSON_STRING,
	JSON_INT,   /* .text: its digits; .i when it fits, else .big */
	JSON_FLOAT, /* .f; .text as it stands there */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

#define JSON_DEPTH 256

struct json_reader {
	struct str in;
	size_t pos;
	struct buf scratch; /* unescaped text */
	unsigned depth;
	char open[JSON_DEPTH]; /* '{' or '[' */
	uint8_t state; /* private */
	/* of the last token */
	size_t at;       /* its offset; after an error the offset of what is wrong */
	struct str text; /* valid until the next one is read */
	int64_t i;
	double f;
	bool big;
};

void json_reader_init(struct json_reader *r, struct str in);
void json_reader_release(struct json_reader *r);
/* The next token, or ERR_DAMAGED (offset, expected, found), ERR_LIMIT (deeper than JSON_DEPTH),
 * ERR_NOMEM. After the one value of the text only JSON_END comes. */
int json_next(struct json_reader *r, enum json_token *ret, struct err *e);
/* After JSON_OBJECT or JSON_LIST: passes over all of it. After anything else: nothing. */
int json_skip(struct json_reader *r, enum json_token t, struct err *e);

#endif
