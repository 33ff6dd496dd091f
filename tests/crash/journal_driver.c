/* journal_driver.c - one process that edits a file through a journal, to be killed and failed.
 *
 *	journal_driver make FILE       the old content: 300 000 bytes that repeat nowhere
 *	journal_driver inplace FILE    a longer file, changed in place
 *	journal_driver shrink FILE     a shorter one
 *	journal_driver recover FILE    finishes what a journal beside FILE holds, removes it;
 *	                               prints "redone", "dropped" (edits, none, half a list) or
 *	                               "nothing" (no journal)
 *	journal_driver listed FILE     dies when all is in the journal, but not synced there
 *	journal_driver append FILE     ten edits, of 1 byte to 1.2 MB, each synced; "acked N" after
 *	                               the N-th. Goes on where another run was killed
 *	journal_driver count FILE      how many edits the journal holds; they must be the first ones
 *
 * and the same change in place done wrong, which the tests that use this must notice:
 *
 *	journal_driver nojournal FILE  written over the file itself
 *	journal_driver unordered FILE  through a journal that is not synced before the file is written
 *
 * Prints "committed" when the file is changed; otherwise one sentence on standard error and exit
 * status 1.
 */
#include <pthfs/journal.h>
#include <pthfs/source.h>
#include <pthfs/sys.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define OLD_SIZE 300000u
#define EDITS 10

static bool is_unordered, dies_at_sync;

/* The journal's sync, in place of the C library's. */
int fdatasync(int fd)
{
	if (dies_at_sync)
		raise(SIGKILL);
	return is_unordered ? 0 : (int)syscall(SYS_fdatasync, fd);
}

static int fail(const char *what)
{
	fprintf(stderr, "journal_driver: %s\n", what);
	return 1;
}

static int make(const char *path)
{
	static uint64_t words[OLD_SIZE / 8];
	uint64_t x = 88172645463325252u;
	FILE *f = fopen(path, "w");
	int ok;

	for (size_t i = 0; i < OLD_SIZE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
	if (!f)
		return fail("cannot make the file");
	ok = fwrite(words, 1, OLD_SIZE, f) == OLD_SIZE;
	return fclose(f) == 0 && ok ? 0 : fail("cannot make the file");
}

static struct journal_bind bind_of(const struct stat *st)
{
	return (struct journal_bind){.ino = st->st_ino, .size = (uint64_t)st->st_size,
		.mtime_sec = st->st_mtim.tv_sec, .mtime_nsec = st->st_mtim.tv_nsec};
}

static bool is_bound(const struct journal *j, const struct stat *st)
{
	struct journal_bind b = bind_of(st);

	return memcmp(&b, journal_bind(j), sizeof b) == 0;
}

/* Makes it, or takes the one that holds nothing. */
static int begin(const char *path, const struct stat *st, struct journal **j, struct err *e)
{
	struct journal_bind b = bind_of(st);
	uint64_t cut;
	int r = journal_open(path, false, j, &cut, e);

	if (r == ERR_ABSENT)
		return journal_create(path, &b, j, e);
	if (r == 0 && !is_bound(*j, st)) {
		if (journal_state(*j) != JOURNAL_EMPTY)
			r = err_set(e, ERR_REFUSED, "the journal belongs to another file");
		else
			r = journal_reset(*j, &b, e);
	}
	return r;
}

/* Every kind of piece: in place, edited, moved, fresh, filled, and one that has to be read. */
static int draw(struct plan *p, struct source *old, struct source *edits, uint64_t where,
		bool shorter, struct err *e)
{
	struct source *swapped = source_swap(old, 4);
	int r = swapped ? plan_run(p, old, 0, 100000, e) : err_nomem(e);

	if (r == 0)
		r = plan_run(p, edits, where, 5000, e);
	if (r == 0)
		r = plan_run(p, old, 105000, 70000, e);
	if (r == 0 && !shorter)
		r = plan_run(p, old, 175000, 45000, e);
	if (r == 0)
		r = plan_fill(p, 0xfb, 3000, e);
	if (r == 0 && !shorter)
		r = plan_run(p, old, 20000, 100000, e);
	if (r == 0)
		r = plan_run(p, swapped, 0, 40000, e);
	if (r == 0)
		r = plan_bytes(p, "the end", 7, e);
	source_unref(swapped);
	return r;
}

static int commit(struct journal *j, int fd, struct source *old, bool shorter, struct err *e)
{
	unsigned char edit[5000];
	uint64_t where, written;
	struct journal_bind b;
	struct stat st;
	struct plan p;
	int r;

	for (size_t i = 0; i < sizeof edit; i++)
		edit[i] = (unsigned char)(i * 7);
	plan_init(&p);
	r = journal_write(j, 1, 0, edit, sizeof edit, &where, e);
	if (r == 0)
		r = draw(&p, old, journal_source(j), where, shorter, e);
	if (r == 0)
		r = inplace_commit(j, fd, &p, NULL, NULL, &written, e);
	plan_release(&p);
	if (r < 0 || fstat(fd, &st) < 0)
		return r;
	b = bind_of(&st);
	r = journal_reset(j, &b, e);
	if (r < 0)
		err_prefix(e, "the file is changed, but");
	return r;
}

static int change(const char *path, int fd, struct source *old, bool shorter)
{
	char *name = journal_path(path);
	struct journal *j = NULL;
	struct stat st;
	struct err e = {0};
	int r = name && fstat(fd, &st) == 0 ? begin(name, &st, &j, &e) : err_nomem(&e);

	free(name);
	if (r == 0)
		r = commit(j, fd, old, shorter, &e);
	if (r < 0) {
		journal_close(j);
		return fail(e.text);
	}
	if (journal_remove(j, &e) < 0) {
		err_prefix(&e, "the file is changed, but");
		return fail(e.text);
	}
	printf("committed\n");
	return 0;
}

static int change_wrongly(int fd, struct source *old)
{
	unsigned char edit[5000];
	struct source *edits, *s = NULL;
	struct plan p;
	char *all = malloc(2 * OLD_SIZE);
	int r;

	for (size_t i = 0; i < sizeof edit; i++)
		edit[i] = (unsigned char)(i * 7);
	edits = source_mem_borrow(edit, sizeof edit);
	plan_init(&p);
	r = all && edits ? draw(&p, old, edits, 0, false, NULL) : -1;
	if (r == 0)
		r = source_plan(&p, &s, NULL);
	if (r == 0)
		r = source_read(s, all, (size_t)p.size, 0, NULL);
	for (size_t at = 0; r == 0 && at < p.size; at += 65536) {
		size_t n = p.size - at < 65536 ? (size_t)p.size - at : 65536;

		r = sys_pwrite(fd, all + at, n, (off_t)at) == (ssize_t)n ? 0 : -1;
	}
	if (r == 0)
		r = sys_fsync(fd);
	source_unref(s);
	plan_release(&p);
	source_unref(edits);
	free(all);
	return r < 0 ? fail("cannot write the file") : printf("committed\n") < 0;
}

static int edit(const char *mode, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), r;
	struct source *old = NULL;
	struct err e;

	if (fd < 0 || source_file_open(path, &old, &e) < 0)
		return fail("cannot open the file");
	if (!strcmp(mode, "nojournal"))
		r = change_wrongly(fd, old);
	else
		r = change(path, fd, old, !strcmp(mode, "shrink"));
	source_unref(old);
	sys_close(fd);
	return r;
}

static int recover_from(struct journal *j, const char *path, const char **did, struct err *e)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), r = 0;
	bool patching = journal_state(j) == JOURNAL_PATCHING;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		r = err_set(e, ERR_ABSENT, "cannot open the file");
	else if (patching)
		r = inplace_redo(j, fd, e);
	else if (journal_state(j) != JOURNAL_EMPTY && !is_bound(j, &st))
		r = err_set(e, ERR_REFUSED, "the journal belongs to another file");
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		journal_close(j);
		return r;
	}
	*did = patching ? "redone" : "dropped";
	return journal_remove(j, e);
}

static int recover(const char *path)
{
	char *name = journal_path(path);
	const char *did = "nothing";
	struct journal *j;
	struct err e = {0};
	uint64_t cut;
	int r = name ? journal_open(name, false, &j, &cut, &e) : err_nomem(&e);

	free(name);
	if (r == 0)
		r = recover_from(j, path, &did, &e);
	else if (r == ERR_ABSENT)
		r = 0;
	return r < 0 ? fail(e.text) : printf("%s\n", did) < 0;
}

/* --- edits, one by one ----------------------------------------------------------------------- */

static size_t size_of(unsigned n)
{
	return n == 4 ? 1200000 : n == 7 ? 60000 : n;
}

static unsigned char *content_of(unsigned n)
{
	unsigned char *p = malloc(size_of(n));

	for (size_t i = 0; p && i < size_of(n); i++)
		p[i] = (unsigned char)(i * 31 + n);
	return p;
}

struct counting {
	struct journal *j;
	unsigned n;
	bool wrong;
};

static int count_one(void *ctx, const struct frame *f)
{
	struct counting *c = ctx;
	unsigned char *want, *got;

	if (f->kind != FRAME_WRITE)
		return 0;
	c->n++;
	want = content_of(c->n);
	got = malloc((size_t)f->n);
	c->wrong |= f->blob != c->n || f->n != size_of(c->n) || !want || !got ||
		source_read(journal_source(c->j), got, (size_t)f->n, f->where, NULL) < 0 ||
		memcmp(want, got, (size_t)f->n);
	free(want);
	free(got);
	return c->wrong;
}

static int append(struct journal *j, struct err *e)
{
	struct counting c = {.j = j};
	unsigned char *p;
	uint64_t where;
	int r = journal_each(j, count_one, &c, e);

	while (r == 0 && c.n < EDITS) {
		p = content_of(++c.n);
		r = p ? journal_write(j, c.n, 0, p, size_of(c.n), &where, e) : err_nomem(e);
		free(p);
		if (r == 0)
			r = journal_sync(j, e);
		if (r == 0)
			printf("acked %u\n", c.n);
		fflush(stdout);
	}
	return r;
}

static int run_append(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *name = journal_path(path);
	struct journal *j = NULL;
	struct err e = {0};
	struct stat st;
	int r = name && fstat(fd, &st) == 0 ? begin(name, &st, &j, &e) : err_nomem(&e);

	if (r == 0)
		r = append(j, &e);
	free(name);
	close(fd);
	journal_close(j);
	return r < 0 ? fail(e.text) : 0;
}

static int count(const char *path)
{
	char *name = journal_path(path);
	struct counting c = {0};
	struct err e = {0};
	uint64_t cut;
	int r = name ? journal_open(name, true, &c.j, &cut, &e) : err_nomem(&e);

	free(name);
	if (r == 0) {
		r = journal_each(c.j, count_one, &c, &e);
		journal_close(c.j);
	} else if (r == ERR_ABSENT) {
		r = 0;
	}
	if (r || c.wrong)
		return fail(c.wrong ? "an edit is not what was written" : e.text);
	return printf("%u\n", c.n) < 0;
}

int main(int argc, char **argv)
{
	static const char edits[] = " inplace shrink listed nojournal unordered ";
	char word[32];

	signal(SIGXFSZ, SIG_IGN);
	if (argc != 3)
		return fail("usage: journal_driver MODE FILE");
	is_unordered = !strcmp(argv[1], "unordered");
	dies_at_sync = !strcmp(argv[1], "listed");
	if (!strcmp(argv[1], "make"))
		return make(argv[2]);
	if (!strcmp(argv[1], "recover"))
		return recover(argv[2]);
	if (!strcmp(argv[1], "append"))
		return run_append(argv[2]);
	if (!strcmp(argv[1], "count"))
		return count(argv[2]);
	snprintf(word, sizeof word, " %s ", argv[1]);
	return strstr(edits, word) ? edit(argv[1], argv[2]) : fail("no such mode");
}
