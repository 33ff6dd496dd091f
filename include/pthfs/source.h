/* source.h - where bytes come from: a thing of known size that can be read at any offset.
 *
 * A source is a local file, memory, a window of another source, a deflated member, a strided or
 * byte-swapped tensor ... Nobody downstream asks which. Reads are all or error, and never outside
 * [0, size). A user's file is read with pread, never through a mapping: a truncation would turn
 * into SIGBUS.
 *
 * Ownership: reference counted; a source that reads from another holds a reference on it.
 * Thread rule: source_read() and source_raw() may be called from any number of threads.
 */
#ifndef PTHFS_SOURCE_H
#define PTHFS_SOURCE_H

#include <pthfs/err.h>
#include <pthfs/str.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;
struct source_ops {
	const char *name; /* "file", "mem", "window", "inflate", "strided", ... */
	/* Reads exactly len bytes at off; the range has been checked against size. */
	int (*read_at)(struct source *s, void *buf, size_t len, uint64_t off, struct err *e);
	/* When [off, off + len) lies in one local file as it is: its descriptor (borrowed, valid as
	 * long as the source) and *ret_off the offset there; otherwise -1. NULL: never. */
	int (*raw)(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off);
	void (*close)(struct source *s); /* frees s; refs is 0 */
};

struct source {
	const struct source_ops *ops;
	uint64_t size; /* bytes */
	atomic_uint refs;
};

struct source *source_ref(struct source *s);
void source_unref(struct source *s); /* NULL is fine */
int source_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e);
int source_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off);

/* For implementers: fills the head of a fresh object, with one reference. */
void source_init(struct source *s, const struct source_ops *ops, uint64_t size);

/* A regular file, opened O_RDONLY|O_CLOEXEC; size is fixed at open. A file that has shrunk since
 * then gives ERR_TRUNCATED with the offset. Does not read anything. */
int source_file_open(const char *path, struct source **ret, struct err *e);
/* Takes fd over. */
int source_file_fd(int fd, struct source **ret, struct err *e);

/* Memory. _take: buf is from malloc and is freed with the source (also when it fails). _borrow:
 * buf must outlive it. NULL when out of memory. */
struct source *source_mem_take(void *buf, size_t n);
struct source *source_mem_borrow(const void *buf, size_t n);

/* [off, off + len) of s, which must lie inside s. NULL when it does not, or out of memory. */
struct source *source_window(struct source *s, uint64_t off, uint64_t len);

/* s with the bytes of every unit of `width` (2, 4, 8) reversed. NULL when out of memory, or when
 * the size is not a multiple of the width. */
struct source *source_swap(struct source *s, unsigned width);

/* The bytes that `utf8` (a source of UTF-8 text whose characters are all below U+0100) stands for
 * in Latin-1: what _codecs.encode(text, 'latin1') gives, which is how protocol 2 stores bytes.
 * `size` is the number of characters, as known from elsewhere, or UINT64_MAX to count them now.
 * Random access keeps a sparse index. Damaged text is ERR_DAMAGED when it is read. */
int source_latin1(struct source *utf8, uint64_t size, struct source **ret, struct err *e);

#endif
