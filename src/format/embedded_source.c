/* embedded_source.c - bytes as they stand in a pickle of protocol 2: text with a character for each
 * of them, in UTF-8 (formats/pickle.md section 3). The other way is source_latin1() of the io room.
 *
 *	bytes 00..7F   one byte of text          80..FF   C2 or C3, and one of 80..BF
 *
 * The text is made when it is read. Where the text of a stretch begins is noted for every 64 KiB of
 * bytes while the length is counted, so reads may come at any offset; in a plan they come in order.
 */
#include <stdlib.h>
#include <string.h>

#include "save_in.h"

#define STEP 65536u /* bytes between marks */

struct utf8 {
	struct source head;
	struct source *bytes;
	uint64_t *mark; /* [bytes / STEP + 1]: where their text begins */
};

static size_t encode(const unsigned char *in, size_t n, unsigned char *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (in[i] < 0x80) {
			out[k++] = in[i];
			continue;
		}
		out[k++] = (unsigned char)(0xc0 | in[i] >> 6);
		out[k++] = (unsigned char)(0x80 | (in[i] & 0x3f));
	}
	return k;
}

/* The mark at or before off in the text. */
static size_t mark_before(const struct utf8 *u, uint64_t off)
{
	size_t low = 0, high = u->bytes->size / STEP + 1, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (u->mark[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static int utf8_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct utf8 *u = (struct utf8 *)s;
	unsigned char in[4096], out[2 * sizeof in];
	size_t mark = mark_before(u, off), n, k, from, take;
	uint64_t at = (uint64_t)mark * STEP, skip = off - u->mark[mark];
	char *to = buf;
	int rc;

	while (len) {
		if (at >= u->bytes->size)
			return err_set(e, ERR_DAMAGED, "bytes changed while they were written");
		n = u->bytes->size - at < sizeof in ? (size_t)(u->bytes->size - at) : sizeof in;
		rc = source_read(u->bytes, in, n, at, e);
		if (rc < 0)
			return rc;
		k = encode(in, n, out);
		from = skip < k ? (size_t)skip : k;
		take = k - from < len ? k - from : len;
		memcpy(to, out + from, take);
		skip -= from;
		to += take;
		len -= take;
		at += n;
	}
	return 0;
}

static void utf8_close(struct source *s)
{
	struct utf8 *u = (struct utf8 *)s;

	source_unref(u->bytes);
	free(u->mark);
	free(u);
}

static const struct source_ops utf8_ops = {
		.name = "utf8",
		.read_at = utf8_read,
		.close = utf8_close,
};

/* Sets the marks and *ret, the length of the text. */
static int count(struct utf8 *u, uint64_t *ret, struct err *e)
{
	unsigned char in[8192];
	uint64_t at = 0, n_text = 0;
	size_t n;
	int rc;

	u->mark[0] = 0;
	for (; at < u->bytes->size; at += n) {
		if (at % STEP == 0)
			u->mark[at / STEP] = n_text;
		n = u->bytes->size - at < sizeof in ? (size_t)(u->bytes->size - at) : sizeof in;
		rc = source_read(u->bytes, in, n, at, e);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < n; i++)
			n_text += 1 + (in[i] >> 7);
	}
	if (at % STEP == 0)
		u->mark[at / STEP] = n_text;
	*ret = n_text;
	return 0;
}

int source_utf8(struct source *bytes, struct source **ret, struct err *e)
{
	struct utf8 *u = calloc(1, sizeof *u);
	uint64_t size = 0;
	int rc;

	if (u)
		u->mark = calloc((size_t)(bytes->size / STEP) + 1, sizeof *u->mark);
	if (!u || !u->mark) {
		free(u);
		return err_nomem(e);
	}
	u->bytes = source_ref(bytes);
	rc = count(u, &size, e);
	source_init(&u->head, &utf8_ops, size);
	if (rc < 0)
		source_unref(&u->head);
	else
		*ret = &u->head;
	return rc;
}

/* --- one source with another in its middle ---------------------------------------------------- */

struct splice {
	struct source head;
	struct source *base, *middle;
	uint64_t off;
};

static int splice_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct splice *x = (struct splice *)s;
	uint64_t end = x->off + x->middle->size;
	const struct extent at[3] = {
			{x->base, 0, x->off},
			{x->middle, 0, x->middle->size},
			{x->base, end, x->base->size - end},
	};

	return extents_read(at, 3, buf, len, off, e);
}

static void splice_close(struct source *s)
{
	struct splice *x = (struct splice *)s;

	source_unref(x->base);
	source_unref(x->middle);
	free(x);
}

static const struct source_ops splice_ops = {
		.name = "splice",
		.read_at = splice_read,
		.close = splice_close,
};

int source_splice(struct source *base, uint64_t off, struct source *middle, struct source **ret,
		struct err *e)
{
	struct splice *x;

	if (off > base->size || middle->size > base->size - off)
		return err_set(e, ERR_USAGE, "%llu bytes do not fit at %llu",
				(unsigned long long)middle->size, (unsigned long long)off);
	x = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(e);
	source_init(&x->head, &splice_ops, base->size);
	x->base = source_ref(base);
	x->middle = source_ref(middle);
	x->off = off;
	*ret = &x->head;
	return 0;
}
