/* journal_append.c - what is added to a journal, and making it durable.
 *
 *	append   head, payload, zeros: to the buffer, to the file when that is full
 *	sync     buffer to the file, fdatasync; the first time also the folder
 *
 * A frame that could not be added whole breaks the journal: from then on every call says why, in
 * the same words. fdatasync is never tried twice: after a failure the kernel may have forgotten
 * the pages and would answer 0. Two failures break nothing: no memory, which is known before, and
 * no room on the disk, after which the file is cut where it was and what waits can be tried again.
 */
#include "journal_in.h"

#include <errno.h>
#include <inttypes.h>

#include <pthfs/sys.h>

static const char zeros[8];

int journal_may_write(const struct journal *j, struct err *e)
{
	if (j->readonly)
		return err_set(e, ERR_REFUSED, "the journal was opened to be read only");
	if (j->broken.code && e)
		*e = j->broken;
	return j->broken.code;
}

int journal_break(struct journal *j, const struct err *why, struct err *e)
{
	j->broken = *why;
	if (e)
		*e = *why;
	return why->code;
}

static int truncate_to(struct journal *j, uint64_t size)
{
	int r;

	do
		r = sys_truncate(j->file->fd, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r;
}

/* The bad end that was found when it was opened. */
static int cut_off(struct journal *j, struct err *why)
{
	if (!j->longer)
		return 0;
	if (truncate_to(j, j->at.end) < 0)
		return err_sys(why, errno,
			"what a crash left behind offset %" PRIu64
			" of the journal cannot be cut off; unmount and mount again",
			j->at.end);
	j->longer = false;
	return 0;
}

static int put_frame(struct journal *j, const struct frame_head *h, const unsigned char *head,
		const void *payload, struct err *why)
{
	int r = cut_off(j, why);

	if (r == 0)
		r = journal_file_put(j->file, head, HEAD, why);
	if (r == 0)
		r = journal_file_put(j->file, payload, (size_t)h->n, why);
	if (r == 0)
		r = journal_file_put(j->file, zeros, padding(h->n), why);
	return r;
}

/* What the failed frame left in the file goes; those before it stay, in the file and in the buffer. */
static int give_up(struct journal *j, const struct err *why, struct err *e)
{
	int r;

	journal_file_cut(j->file, j->at.end);
	if (!journal_no_room(why->sys))
		return journal_break(j, why, e);
	do
		r = sys_truncate(j->file->fd, (off_t)j->file->flushed);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return journal_break(j, why, e);
	if (e)
		*e = *why;
	return why->code;
}

int journal_append(struct journal *j, struct frame_head *h, const void *payload, struct err *e)
{
	struct journal_end with = j->at;
	unsigned char head[HEAD];
	struct err why = {0};
	int r = journal_may_write(j, e);

	if (r < 0)
		return r;
	frame_encode(h, j->at.crc, payload, head);
	if (!frame_take(&with, h, payload))
		return j->at.state == JOURNAL_PATCHING
			? err_set(e, ERR_REFUSED,
				  "a commit in place is not finished yet, and no edits are taken "
				  "until it is")
			: err_set(e, ERR_LIMIT,
				  "an edit of %" PRIu64 " bytes at offset %" PRIu64
				  " is too large for the journal",
				  h->n, h->off);
	r = journal_file_room(j->file, e);
	if (r < 0)
		return r;
	if (put_frame(j, h, head, payload, &why) < 0)
		return give_up(j, &why, e);
	j->at = with;
	return 0;
}

void journal_rewind(struct journal *j, const struct journal_end *mark)
{
	uint64_t flushed = j->file->flushed;
	bool written = flushed > mark->end || (j->broken.code && flushed == mark->end);

	/* Also when broken: nobody must take the rest for something that was finished. */
	journal_file_cut(j->file, mark->end);
	if (written && truncate_to(j, mark->end) < 0)
		j->longer = true;
	if (j->synced > mark->end)
		j->synced = mark->end;
	j->at = *mark;
}

int journal_write(struct journal *j, uint32_t blob, uint64_t off, const void *bytes, size_t n,
		uint64_t *where, struct err *e)
{
	struct frame_head h = {.kind = FRAME_WRITE, .blob = blob, .off = off, .n = n};
	uint64_t at = j->at.end + HEAD;
	int r = journal_append(j, &h, bytes, e);

	if (r == 0)
		*where = at;
	return r;
}

int journal_op(struct journal *j, const void *payload, size_t n, struct err *e)
{
	struct frame_head h = {.kind = FRAME_OP, .n = n};

	return journal_append(j, &h, payload, e);
}

int journal_sync(struct journal *j, struct err *e)
{
	struct err why = {0};
	int r = journal_may_write(j, e);

	if (r < 0 || (j->synced == j->at.end && j->dir_synced))
		return r;
	r = cut_off(j, &why);
	if (r == 0)
		r = journal_file_flush(j->file, &why);
	if (r < 0 && journal_no_room(why.sys))
		return give_up(j, &why, e);
	if (r == 0 && sys_fdatasync(j->file->fd) < 0)
		r = err_sys(&why, errno,
			"the journal could not be synced to the disk; what was synced before is "
			"safe, later edits may be lost, and no more are taken: unmount and mount "
			"again");
	if (r == 0 && !j->dir_synced)
		r = journal_sync_dir(j, &why);
	if (r < 0)
		return journal_break(j, &why, e);
	j->dir_synced = true;
	j->synced = j->at.end;
	return 0;
}

int journal_note(struct journal *j, const char *sentence, struct err *e)
{
	size_t n = strlen(sentence);
	struct frame_head h = {.kind = FRAME_NOTE, .n = n < NOTE_MAX ? n : NOTE_MAX};
	int r = journal_append(j, &h, sentence, e);

	return r < 0 ? r : journal_sync(j, e);
}

int journal_coming(struct journal *j, const struct stat *coming, struct err *e)
{
	struct frame_head h = {.kind = FRAME_COMING};
	unsigned char id[sizeof j->at.coming];
	int r;

	put64(id, coming->st_ino);
	put64(id + 8, (uint64_t)coming->st_size);
	put64(id + 16, (uint64_t)coming->st_mtim.tv_sec);
	put64(id + 24, (uint64_t)coming->st_mtim.tv_nsec);
	h.n = sizeof id;
	r = journal_append(j, &h, id, e);
	return r < 0 ? r : journal_sync(j, e);
}
