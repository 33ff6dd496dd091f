/* str.h - slices of bytes, growing buffers with a maximum, hashing.
 *
 * struct str borrows: it never owns its bytes and they need not be terminated or be UTF-8.
 * struct buf owns: it grows up to the maximum it was given and then fails, so no unchecked
 * number can make it large. A failed append leaves it as it was and sets .failed, so that a run
 * of appends needs one check at the end.
 */
#ifndef PTHFS_STR_H
#define PTHFS_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT(s) (int)(s).n, (s).p /* for "%.*s" */

struct str str_of(const char *cstr);
bool str_eq(struct str a, struct str b);
bool str_eq_case(struct str a, struct str b); /* ASCII case-insensitive, as torch looks records up */
bool str_is(struct str s, const char *cstr);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_skip(struct str s, size_t n);
struct str str_cut(struct str s, size_t n); /* at most the first n bytes */
bool str_utf8(struct str s);                /* valid UTF-8, no surrogates */
uint64_t str_hash(struct str s);            /* differs from process to process: only for tables */
uint64_t str_hash_case(struct str s);       /* equal for names that str_eq_case calls equal */

/* A printable copy of s for messages: printable UTF-8 as it is, everything else escaped, cut at n.
 * Returns out. */
const char *str_show(struct str s, char *out, size_t n);
#define STR_SHOW(s) str_show((s), (char[128]){0}, 128)

struct buf {
	char *p;
	size_t n, cap, max;
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_put(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *cstr);
void buf_putc(struct buf *b, char c);
void buf_str(struct buf *b, struct str s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str buf_view(const struct buf *b); /* valid until the next append */
/* Hands the bytes to the caller (free()), *n their count; b is empty again. NULL when empty. */
char *buf_steal(struct buf *b, size_t *n);

/* "1.2 GB", "37.6 KB": powers of 1000 as ls -h --si does. out has room for 16 bytes. */
const char *str_size(uint64_t bytes, char *out);
#define STR_SIZE(bytes) str_size((bytes), (char[16]){0})

#endif
