/* json.h - writing JSON, in the spelling of Python's json.dumps: ", " and ": ", NaN and Infinity
 * bare, text that is not ASCII left as UTF-8, bytes that are not UTF-8 as \udcXX (as Python's
 * surrogateescape). One line unless asked otherwise. Errors stay in the buffer (buf.failed).
 */
#ifndef PTHFS_JSON_H
#define PTHFS_JSON_H

#include <pthfs/str.h>
#include <stdbool.h>
#include <stdint.h>

struct json {
	struct buf *out;
	bool need_comma, newline;
};

void json_init(struct json *j, struct buf *out);
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_key_str(struct json *j, struct str key);
void json_str(struct json *j, struct str s);
void json_cstr(struct json *j, const char *s);
void json_i64(struct json *j, int64_t v);
void json_u64(struct json *j, uint64_t v);
void json_f64(struct json *j, double v); /* the shortest text that reads back, as Python's repr */
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
void json_raw(struct json *j, struct str s); /* already JSON */
void json_newline(struct json *j);           /* cosmetic: after the comma of the next value */

/* Python's repr of a float: shortest round-trip digits, "1e-05", "inf", "nan". out: 32 bytes. */
const char *float_repr(double v, char out[32]);

#endif
