/* journal_trim.c - bytes at the end of a journal that nobody needs any more are taken off again.
 *
 *	header  write 1  op  write 2  write 3  write 2      3 is dead: nothing goes
 *	                                                    2 and 3 are: all behind the op goes
 *
 * A copy that filled the disk and was removed gives the disk back in this way, and what waits in
 * the buffer no longer stands in the way of a sync. Frames in the middle stay: each continues the
 * checksum of the one before it.
 */
#include "journal_in.h"

/* *keep: what the frames amount to up to the last one that is needed. */
static int find_end(struct journal *j, journal_dead_fn *dead, void *ctx, struct journal_end *keep,
		struct err *e)
{
	const char none[SMALL] = {0};
	unsigned char header[HEADER];
	struct journal_end next;
	struct frame_head h;
	struct walk w;
	int r = source_read(&j->file->head, header, HEADER, 0, e);

	if (r < 0)
		return r;
	*keep = next = journal_start(header);
	r = walk_init(&w, j->file, HEADER, j->at.end, next.crc, e);
	if (r < 0)
		return r;
	while (r >= 0 && reader_left(&w.r)) {
		r = walk_head(&w, &h, e);
		if (r == 0 || (r == 1 && !frame_take(&next, &h, none)))
			r = journal_changed(w.r.pos, e);
		if (r == 1)
			r = walk_skip(&w, &h, e);
		if (r == 0 && (h.kind != FRAME_WRITE || !dead(ctx, h.blob)))
			*keep = next;
	}
	walk_release(&w);
	return r < 0 ? r : 0;
}

int journal_trim(struct journal *j, journal_dead_fn *dead, void *ctx, bool *trimmed, struct err *e)
{
	struct journal_end keep;
	int r = journal_may_write(j, e);

	*trimmed = false;
	if (r < 0 || j->at.state != JOURNAL_EDITS)
		return r;
	r = find_end(j, dead, ctx, &keep, e);
	if (r < 0 || keep.end == j->at.end)
		return r;
	journal_rewind(j, &keep);
	*trimmed = true;
	return 0;
}
