/* journal_scan.c - reading frames: which of them are good, and where the good ones end.
 *
 *	head good?  payload there?  sum good?  may it stand here?   -> one more
 *	any no                                                      -> that was the end
 *
 * A list of patches that its end does not close was never begun to be used: it is as if it were
 * not there. The payload of every frame is read once; memory stays constant.
 */
#include "journal_in.h"

#include <inttypes.h>

#include <pthfs/crc.h>

int walk_init(struct walk *w, struct journal_file *f, uint64_t at, uint64_t end, uint32_t crc,
		struct err *e)
{
	w->crc = crc;
	return reader_init(&w->r, &f->head, at, end - at, e);
}

void walk_release(struct walk *w)
{
	reader_release(&w->r);
}

int walk_head(struct walk *w, struct frame_head *h, struct err *e)
{
	const char *p;
	int r;

	if (reader_left(&w->r) < HEAD)
		return 0;
	r = reader_bytes(&w->r, HEAD, &p, e);
	if (r < 0)
		return r;
	*h = (struct frame_head){.kind = le32(p), .blob = le32(p + 4), .off = le64(p + 8),
		.n = le64(p + 16), .sum = le32(p + 24), .crc = le32(p + HEAD - 4)};
	if (h->crc != crc32_bytes(w->crc, p, HEAD - 4) || h->n > reader_left(&w->r) ||
			padding(h->n) > reader_left(&w->r) - h->n)
		return 0;
	w->crc = h->crc;
	return 1;
}

int walk_payload(struct walk *w, const struct frame_head *h, char small[SMALL], struct err *e)
{
	uint64_t left = h->n + padding(h->n);
	bool first = true;
	uint32_t sum = 0;
	const char *p;
	size_t n;
	int r;

	while (left) {
		n = left < READER_WINDOW ? (size_t)left : READER_WINDOW;
		r = reader_bytes(&w->r, n, &p, e);
		if (r < 0)
			return r;
		if (first)
			memcpy(small, p, n < SMALL ? n : SMALL);
		first = false;
		sum = crc32_bytes(sum, p, n);
		left -= n;
	}
	return sum == h->sum;
}

int walk_skip(struct walk *w, const struct frame_head *h, struct err *e)
{
	return reader_skip(&w->r, h->n + padding(h->n), e);
}

/* 1: *at includes one more frame. */
static int scan_one(struct walk *w, struct journal_end *at, struct err *e)
{
	char small[SMALL] = {0};
	struct frame_head h;
	int r = walk_head(w, &h, e);

	if (r == 1)
		r = walk_payload(w, &h, small, e);
	return r == 1 ? frame_take(at, &h, small) : r;
}

int journal_scan(struct journal_file *f, struct journal_end *at, uint64_t *cut, struct err *e)
{
	struct journal_end next = *at;
	struct err why = {0};
	struct walk w;
	int r = walk_init(&w, f, at->end, f->flushed, at->crc, e);

	if (r < 0)
		return r;
	while ((r = scan_one(&w, &next, &why)) == 1)
		if (next.list.n == 0 || next.state == JOURNAL_PATCHING)
			*at = next;
	walk_release(&w);
	/* Truncated: whoever writes it has cut something off just now. */
	if (r < 0 && r != ERR_TRUNCATED) {
		if (e)
			*e = why;
		return r;
	}
	*cut = f->flushed - next.end;
	return 0;
}

int journal_changed(uint64_t at, struct err *e)
{
	return err_set(e, ERR_DAMAGED,
		"the journal was changed by somebody else since it was opened (frame before offset "
		"%" PRIu64 ")",
		at);
}

/* Hands one frame over whose payload, if it is needed, goes to *text, of *room bytes. */
static int tell(struct walk *w, const struct frame_head *h, struct buf *text,
		int (*fn)(void *ctx, const struct frame *f), void *ctx, struct err *e)
{
	struct frame f = {.kind = (enum frame_kind)h->kind, .blob = h->blob, .off = h->off,
		.where = w->r.pos, .n = h->n};
	uint64_t left = h->n;
	const char *p;
	size_t n;
	int r = 0;

	if (h->kind == FRAME_WRITE) {
		r = walk_skip(w, h, e);
		return r < 0 ? r : fn(ctx, &f);
	}
	text->n = 0;
	for (; r == 0 && left; left -= n) {
		n = left < READER_WINDOW ? (size_t)left : READER_WINDOW;
		r = reader_bytes(&w->r, n, &p, e);
		if (r == 0)
			buf_put(text, p, n);
	}
	if (r == 0)
		r = reader_skip(&w->r, padding(h->n), e);
	if (r == 0 && text->failed)
		r = err_nomem(e);
	f.payload = buf_view(text);
	return r < 0 ? r : fn(ctx, &f);
}

int journal_each(struct journal *j, int (*fn)(void *ctx, const struct frame *f), void *ctx,
		struct err *e)
{
	uint64_t end = j->at.end;
	struct frame_head h;
	struct buf text;
	struct walk w;
	unsigned char header[HEADER];
	int r = source_read(&j->file->head, header, HEADER, 0, e);

	if (r == 0)
		r = walk_init(&w, j->file, HEADER, end, le32(header + HEADER - 4), e);
	if (r < 0)
		return r;
	buf_init(&text, JOURNAL_OP_MAX);
	while (r == 0 && reader_left(&w.r)) {
		r = walk_head(&w, &h, e);
		if (r == 0)
			r = journal_changed(w.r.pos, e);
		else if (r == 1 && (h.kind == FRAME_PATCH || h.kind == FRAME_PATCH_END))
			r = walk_skip(&w, &h, e);
		else if (r == 1)
			r = tell(&w, &h, &text, fn, ctx, e);
	}
	buf_release(&text);
	walk_release(&w);
	return r;
}
