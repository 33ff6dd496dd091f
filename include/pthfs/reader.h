/* reader.h - a bounded forward reader over a source: the only way decoders touch bytes.
 *
 * One window of 64 KiB. Every call checks what is left first, so a length field beyond the end is
 * an error before anything is allocated. Errors are ERR_EOF with the offset in the sentence (or
 * the source's own); the caller turns them into its own words. Little-endian unless the name says
 * otherwise. The common case, bytes that lie in the window, is inline.
 * Thread rule: one thread. The fields are read by callers, changed only by these functions.
 */
#ifndef PTHFS_READER_H
#define PTHFS_READER_H

#include <endian.h>
#include <pthfs/source.h>
#include <stdbool.h>
#include <string.h>

#define READER_WINDOW 65536u

struct reader {
	struct source *src; /* borrowed */
	uint64_t pos;       /* offset in src of the next byte */
	uint64_t end;       /* reads stop here; <= src->size */
	char *win;          /* window, malloc */
	uint64_t win_off;
	size_t win_len, win_cap;
};

int reader_init(struct reader *r, struct source *src, uint64_t off, uint64_t len, struct err *e);
void reader_release(struct reader *r);
static inline uint64_t reader_left(const struct reader *r)
{
	return r->end - r->pos;
}

/* Little-endian fields of a buffer whose length the caller has checked. */
static inline uint16_t le16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return le16toh(v);
}
static inline uint32_t le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return le32toh(v);
}
static inline uint64_t le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

/* Moves the window so that it begins at pos and holds n bytes. For the inline calls below. */
int reader_refill(struct reader *r, size_t n, struct err *e);

/* The next n <= 65536 bytes, borrowed until the next call on r. */
static inline int reader_bytes(struct reader *r, size_t n, const char **ret, struct err *e)
{
	uint64_t gone = r->pos - r->win_off;
	int err;

	if (__builtin_expect(n > r->win_len || gone > r->win_len - n, 0)) {
		err = reader_refill(r, n, e);
		if (err < 0)
			return err;
		gone = 0;
	}
	*ret = r->win + gone;
	r->pos += n;
	return 0;
}

static inline int reader_u8(struct reader *r, uint8_t *ret, struct err *e)
{
	const char *p;
	int err = reader_bytes(r, 1, &p, e);

	if (err == 0)
		*ret = (uint8_t)*p;
	return err;
}
static inline int reader_u16(struct reader *r, uint16_t *ret, struct err *e)
{
	const char *p;
	int err = reader_bytes(r, 2, &p, e);

	if (err == 0)
		*ret = le16(p);
	return err;
}
static inline int reader_u32(struct reader *r, uint32_t *ret, struct err *e)
{
	const char *p;
	int err = reader_bytes(r, 4, &p, e);

	if (err == 0)
		*ret = le32(p);
	return err;
}
static inline int reader_u64(struct reader *r, uint64_t *ret, struct err *e)
{
	const char *p;
	int err = reader_bytes(r, 8, &p, e);

	if (err == 0)
		*ret = le64(p);
	return err;
}

/* Text up to the next '\n' (dropped), at most max bytes (<= 65536); borrowed. A longer line is
 * ERR_DAMAGED, one without end ERR_EOF. */
int reader_line(struct reader *r, size_t max, struct str *ret, struct err *e);
int reader_skip(struct reader *r, uint64_t n, struct err *e);

#endif
