/* journal.c - the life of a journal: made, opened, emptied, removed.
 *
 *	create   create, lock, header, fsync file, fsync folder    any failure: it is gone again
 *	open     lock, header, scan                                changes nothing
 *	reset    truncate to the header, new header, fsync         a crash: empty, for the old file
 *	remove   unlink, fsync folder, close                       or for the new one
 *
 * A crash in create() can leave a file that holds nothing (no bytes, a piece of a header, zeros);
 * open() takes it for absent and removes it when it may write; create() takes it over. Since the
 * header is synced before the first frame, a journal with edits always has one.
 *
 * After opening nothing counts as durable until the first sync: a process that was killed leaves
 * good frames that only the page cache has.
 */
#include "journal_in.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

#include <pthfs/cleanup.h>
#include <pthfs/sys.h>

static struct journal *journal_new(bool readonly)
{
	struct journal *j = calloc(1, sizeof *j);

	if (j) {
		j->dir = -1;
		j->readonly = readonly;
	}
	return j;
}

static int write_header(struct journal *j, const struct journal_bind *b, struct err *e)
{
	unsigned char h[HEADER];
	int sys, r = journal_header(h, b, e);

	if (r < 0)
		return r;
	sys = journal_pwrite(j->file->fd, h, HEADER, 0);
	if (sys)
		return err_sys(e, sys, "the journal's header cannot be written");
	if (sys_fsync(j->file->fd) < 0)
		return err_sys(e, errno, "the journal could not be synced to the disk");
	j->bind = *b;
	j->at = journal_start(h);
	j->synced = HEADER;
	journal_file_is(j->file, HEADER);
	return 0;
}

/* The file that is there must hold nothing; it is used then. */
static int take_over(struct journal *j, struct err *e)
{
	struct journal_bind b;
	struct journal_end at;
	int r = journal_header_read(j->file, &b, &at, e);

	if (r == 0)
		return err_set(e, ERR_REFUSED,
			"there is a journal with edits beside the checkpoint already");
	if (r != ERR_ABSENT)
		return r;
	do
		r = sys_truncate(j->file->fd, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, errno, "the journal cannot be written");
	journal_file_is(j->file, 0);
	return 0;
}

static int create(struct journal *j, const char *path, const struct journal_bind *b, struct err *e)
{
	struct stat st;
	bool made, ours;
	int fd, r = journal_find(j, path, e);

	if (r == 0)
		r = journal_make_file(j, &fd, &made, e);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		st.st_size = 0;
	r = journal_file_new(fd, (uint64_t)st.st_size, &j->file, e);
	if (r == 0 && !made)
		r = take_over(j, e);
	ours = made || r == 0;
	if (r == 0)
		r = write_header(j, b, e);
	if (r == 0)
		r = journal_sync_dir(j, e);
	if (r < 0 && ours)
		sys_unlink(j->dir, j->base);
	j->dir_synced = r == 0;
	return r;
}

int journal_create(const char *path, const struct journal_bind *b, struct journal **ret,
		struct err *e)
{
	struct journal *j = journal_new(false);
	int r = j ? create(j, path, b, e) : err_nomem(e);

	if (r < 0)
		journal_close(j);
	else
		*ret = j;
	return r;
}

static int open_it(struct journal *j, const char *path, uint64_t *cut, struct err *e)
{
	struct stat st;
	int fd, r = journal_find(j, path, e);

	if (r == 0)
		r = journal_open_file(j, &fd, e);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return err_sys(e, errno, "cannot look at the journal");
	}
	r = journal_file_new(fd, (uint64_t)st.st_size, &j->file, e);
	if (r == 0)
		r = journal_header_read(j->file, &j->bind, &j->at, e);
	/* What a crash in create() left is of no use to anybody. */
	if (r == ERR_ABSENT && !j->readonly)
		sys_unlink(j->dir, j->base);
	if (r == 0)
		r = journal_scan(j->file, &j->at, cut, e);
	if (r < 0)
		return r;
	j->longer = j->file->flushed > j->at.end;
	journal_file_cut(j->file, j->at.end);
	return 0;
}

int journal_open(const char *path, bool readonly, struct journal **ret, uint64_t *cut,
		struct err *e)
{
	struct journal *j = journal_new(readonly);
	int r = j ? open_it(j, path, cut, e) : err_nomem(e);

	if (r < 0)
		journal_close(j);
	else
		*ret = j;
	return r;
}

/* Without the bytes in the buffer. Those who hold the source keep the file, not the lock. */
static void let_go(struct journal *j)
{
	if (j->file) {
		if (!j->readonly)
			flock(j->file->fd, LOCK_UN);
		source_unref(&j->file->head);
	}
	closep(&j->dir);
	free(j);
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	/* Unsynced edits may be lost, but need not be. */
	if (j->file && !j->readonly && !j->broken.code && !j->longer)
		journal_file_flush(j->file, NULL);
	let_go(j);
}

int journal_remove(struct journal *j, struct err *e)
{
	int n, r = 0;

	if (j->readonly)
		r = err_set(e, ERR_REFUSED, "the journal was opened to be read only");
	else if (!journal_is_named(j, j->file->fd))
		r = err_set(e, ERR_REFUSED,
			"the journal was removed or replaced by somebody else; what has its name "
			"now was left alone");
	if (r == 0) {
		do
			n = sys_unlink(j->dir, j->base);
		while (n < 0 && errno == EINTR);
		r = n < 0 ? err_sys(e, errno, "cannot remove the journal") : journal_sync_dir(j, e);
	}
	let_go(j);
	return r;
}

const struct journal_bind *journal_bind(const struct journal *j)
{
	return &j->bind;
}

enum journal_state journal_state(const struct journal *j)
{
	return j->at.state;
}

uint64_t journal_size(const struct journal *j)
{
	return j->at.end;
}

uint64_t journal_synced(const struct journal *j)
{
	return j->synced;
}

bool journal_coming_is(const struct journal *j, const struct stat *st)
{
	const uint64_t *c = j->at.coming;

	return c[1] != UINT64_MAX && c[0] == st->st_ino && c[1] == (uint64_t)st->st_size &&
		c[2] == (uint64_t)st->st_mtim.tv_sec && c[3] == (uint64_t)st->st_mtim.tv_nsec;
}

struct source *journal_source(struct journal *j)
{
	return &j->file->head;
}

int journal_reset(struct journal *j, const struct journal_bind *b, struct err *e)
{
	struct err why = {0};
	int n, r = journal_may_write(j, e);

	if (r < 0)
		return r;
	do
		n = sys_truncate(j->file->fd, HEADER);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		err_sys(&why, errno, "the journal cannot be emptied");
		return journal_break(j, &why, e);
	}
	j->longer = false;
	j->at = (struct journal_end){.end = HEADER, .coming = {0, UINT64_MAX}};
	journal_file_is(j->file, HEADER);
	return write_header(j, b, &why) < 0 ? journal_break(j, &why, e) : 0;
}
