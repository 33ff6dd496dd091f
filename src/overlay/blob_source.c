/* blob_source.c - a blob as a source, and bytes that are all 0.
 *
 * The source has the size that the blob had when it was made; the bytes are those of the moment of
 * each read. Where a range lies in one run or in the base alone, whoever serves it is given that
 * file's descriptor: so an unedited part of an edited tensor still comes straight out of the
 * checkpoint. A descriptor that was handed out goes with the source it is of, which the blob keeps
 * alive until a later change: whoever uses it holds off changes meanwhile (the volume's lock).
 */
#include "blob_in.h"

#include <stdlib.h>
#include <string.h>

struct blob_source {
	struct source s;
	struct blob *b; /* a reference */
};

static int blob_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	return blob_read(((struct blob_source *)s)->b, buf, len, off, e);
}

static int blob_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	struct extent x;

	if (!blob_where(((struct blob_source *)s)->b, off, len, &x))
		return -1;
	return source_raw(x.src, x.off, x.len, ret_off);
}

static void blob_close(struct source *s)
{
	blob_unref(((struct blob_source *)s)->b);
	free(s);
}

static const struct source_ops blob_ops = {
	.name = "blob",
	.read_at = blob_read_at,
	.raw = blob_raw,
	.close = blob_close,
};

int blob_source(struct blob *b, struct source **ret, struct err *e)
{
	struct blob_source *s = malloc(sizeof *s);

	if (!s)
		return err_nomem(e);
	source_init(&s->s, &blob_ops, blob_size(b));
	s->b = blob_ref(b);
	*ret = &s->s;
	return 0;
}

static int zeros_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	memset(buf, 0, len);
	return 0;
}

static void zeros_close(struct source *s)
{
}

static const struct source_ops zeros_ops = {
	.name = "zeros",
	.read_at = zeros_read_at,
	.close = zeros_close,
};

struct source *blob_zeros(void)
{
	static struct source zeros = {.ops = &zeros_ops, .size = UINT64_MAX, .refs = 1};

	return &zeros;
}
