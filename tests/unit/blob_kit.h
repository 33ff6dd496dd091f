/* blob_kit.h - a journal in memory, for the tests of blobs.
 *
 * The journal_write() and journal_source() of this file are the ones that are linked, so that they
 * can fail and say what they were given. The real ones: test_overlay_blob_replay.c.
 */
#ifndef BLOB_KIT_H
#define BLOB_KIT_H

#include "model_kit.h"

#include <pthfs/journal.h>
#include <pthfs/overlay.h>

#define FAKE_HEAD 24 /* of a frame: bytes of two writes never touch */

struct journal {
	struct source s;
	struct buf bytes;
	unsigned frames;
	bool fails;
	uint32_t blob; /* of the last frame */
	uint64_t off;
};

static inline int fake_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct journal *j = (struct journal *)s;

	if (off > j->bytes.n || len > j->bytes.n - off)
		return err_set(e, ERR_TRUNCATED, "the journal has no bytes there");
	memcpy(buf, j->bytes.p + off, len);
	return 0;
}

static inline void fake_close(struct source *s)
{
	OK(false); /* somebody dropped a reference that was not theirs */
}

static const struct source_ops fake_ops = {.name = "fake", .read_at = fake_read_at,
		.close = fake_close};

int journal_write(struct journal *j, uint32_t blob, uint64_t off, const void *bytes, size_t n,
		uint64_t *where, struct err *e)
{
	char head[FAKE_HEAD] = {0};

	if (j->fails)
		return err_set(e, ERR_SYS, "the disk is full");
	buf_put(&j->bytes, head, FAKE_HEAD);
	*where = j->bytes.n;
	buf_put(&j->bytes, bytes, n);
	OK(!j->bytes.failed);
	j->frames++;
	j->blob = blob;
	j->off = off;
	return 0;
}

struct source *journal_source(struct journal *j)
{
	return &j->s;
}

static inline void fake_init(struct journal *j)
{
	memset(j, 0, sizeof *j);
	source_init(&j->s, &fake_ops, UINT64_MAX);
	buf_init(&j->bytes, SIZE_MAX / 2);
}

/* Also says whether every reference on it was given back. */
static inline void fake_release(struct journal *j)
{
	EQ_I64(atomic_load(&j->s.refs), 1);
	buf_release(&j->bytes);
}

static inline int map(struct blob *b, uint64_t off, struct source *s, uint64_t from, uint64_t len)
{
	return blob_map(b, off, (struct extent){s, from, len}, NULL);
}

#endif
