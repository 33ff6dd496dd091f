/* same.c - two uses of the writer: into memory, and against the bytes that are there.
 *
 * An editor may write a pickle anew only when the unchanged graph comes out as it was. So what
 * would be written is compared piece by piece and never kept; the first difference ends it. Long
 * text that lies where it would be written is not even read.
 */
#include <pthfs/pickle.h>

#include <inttypes.h>
#include <string.h>

static int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	struct buf *out = ctx;
	size_t left = out->max - out->n;

	buf_put(out, p, n);
	if (!out->failed)
		return 0;
	return n > left ? err_set(e, ERR_LIMIT, "the pickle is longer than %zu bytes", out->max)
			: err_nomem(e);
}

int pickle_save_buf(const struct graph *g, oref root, const struct pickle_save_opts *o,
		struct buf *out, struct err *e)
{
	struct pickle_out to = {.bytes = to_buf, .ctx = out};

	return pickle_save(g, root, o, &to, e);
}

struct compare {
	struct source *src;
	uint64_t off, at, len; /* the pickle in src, and how much of it was the same */
	bool differs;
};

/* Ends the writing. The code is ours: pickle_same() looks at .differs. */
static int differ(struct compare *c, uint64_t at, struct err *e)
{
	c->at = at;
	c->differs = true;
	return err_set(e, ERR_REFUSED, "byte %" PRIu64 " of the pickle would change", at);
}

static int same_bytes(void *ctx, const void *p, size_t n, struct err *e)
{
	struct compare *c = ctx;
	const unsigned char *want = p;
	unsigned char have[4096];
	size_t k;
	int rc;

	for (; n; n -= k, want += k, c->at += k) {
		k = n < sizeof have ? n : sizeof have;
		if (k > c->len - c->at)
			k = (size_t)(c->len - c->at);
		if (k == 0)
			return differ(c, c->at, e);
		rc = source_read(c->src, have, k, c->off + c->at, e);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < k; i++)
			if (have[i] != want[i])
				return differ(c, c->at + i, e);
	}
	return 0;
}

static int same_run(void *ctx, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct compare *c = ctx;
	char piece[4096];
	size_t n;
	int rc;

	if (src == c->src && off == c->off + c->at && len <= c->len - c->at) {
		c->at += len;
		return 0;
	}
	for (; len; off += n, len -= n) {
		n = len < sizeof piece ? (size_t)len : sizeof piece;
		rc = source_read(src, piece, n, off, e);
		if (rc == 0)
			rc = same_bytes(c, piece, n, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int pickle_same(const struct graph *g, oref root, const struct pickle_save_opts *o,
		struct source *src, uint64_t off, uint64_t len, bool *ret, uint64_t *diff,
		struct err *e)
{
	struct compare c = {.src = src, .off = off, .len = len};
	struct pickle_out to = {.bytes = same_bytes, .run = same_run, .ctx = &c};
	int rc;

	if (len > src->size || off > src->size - len)
		return err_set(e, ERR_USAGE, "the pickle does not lie in its source");
	rc = pickle_save(g, root, o, &to, e);
	if (rc == 0 && c.at != len)
		rc = differ(&c, c.at, e);
	if (rc < 0 && !c.differs && rc != ERR_UNSUPPORTED && rc != ERR_LIMIT)
		return rc;
	*ret = rc == 0;
	if (rc < 0)
		*diff = c.at;
	return 0;
}
