/* extent.c - reading lists of extents as if they were one run of bytes.
 *
 * Lists are short (a header and a body; one piece per shard), so they are walked from the front.
 */
#include <pthfs/extent.h>

#include <inttypes.h>

uint64_t extents_size(const struct extent *at, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(sum, at[i].len, &sum))
			return UINT64_MAX;
	return sum;
}

/* Skips whole extents in front of *off. Returns the index of the one it lies in, or n. */
static size_t seek(const struct extent *at, size_t n, uint64_t *off)
{
	size_t i = 0;

	for (; i < n && *off >= at[i].len; i++)
		*off -= at[i].len;
	return i;
}

int extents_read(
	const struct extent *at, size_t n, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint64_t skip = off, piece;
	size_t i = seek(at, n, &skip), left = len;
	char *to = buf;
	int r;

	for (; left && i < n; i++, skip = 0) {
		piece = at[i].len - skip;
		if (piece > left)
			piece = left;
		if (at[i].off > UINT64_MAX - skip)
			break;
		r = source_read(at[i].src, to, (size_t)piece, at[i].off + skip, e);
		if (r < 0)
			return r;
		to += piece;
		left -= (size_t)piece;
	}
	if (left)
		return err_set(e, ERR_TRUNCATED,
			"%zu bytes wanted at offset %" PRIu64 ", but there are only %" PRIu64
			" bytes",
			len, off, extents_size(at, n));
	return 0;
}

int extents_raw(const struct extent *at, size_t n, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	size_t i = seek(at, n, &off);

	if (i == n || len > at[i].len - off || at[i].off > UINT64_MAX - off)
		return -1;
	return source_raw(at[i].src, at[i].off + off, len, ret_off);
}
