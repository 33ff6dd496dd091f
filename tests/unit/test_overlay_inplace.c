/* A commit in place: old or new, whatever is killed, and never another file. */
#include "journal_kit.h"

#define OLD 60000
#define SIDE 5000 /* bytes that are edited, in the journal */

static char old_bytes[OLD];
static char *new_bytes; /* what the plan says */
static size_t new_size;
static uint64_t edited; /* where they are in the journal */

static struct journal_bind bind_of(const char *name)
{
	struct stat st = stat_of(name);

	return (struct journal_bind){.ino = st.st_ino, .size = (uint64_t)st.st_size,
		.mtime_sec = st.st_mtim.tv_sec, .mtime_nsec = st.st_mtim.tv_nsec};
}

/* The checkpoint "a" with the old bytes, and a journal with edits. */
static void prepare(void)
{
	char bytes[SIDE];
	struct journal_bind b;

	for (size_t i = 0; i < OLD; i++)
		old_bytes[i] = (char)(i * i >> 5 ^ i >> 11);
	for (size_t i = 0; i < SIDE; i++)
		bytes[i] = (char)(i * 3 + 1);
	spill("a", old_bytes, OLD);
	b = bind_of("a");
	EQ_I64(make_journal(&b), 0);
	EQ_I64(journal_write(kit_j, 1, 0, bytes, SIDE, &edited, &kit_err), 0);
}

enum shape { LONGER, SHORTER, SAME };

/* In place, edited, moved, fresh, filled, and read from something that is no file. */
static void draw(struct plan *p, struct source *old, enum shape shape)
{
	struct source *swapped = source_swap(old, 4);
	struct source *j = journal_source(kit_j);

	plan_init(p);
	EQ_I64(plan_run(p, old, 0, 9000, &kit_err), 0);
	EQ_I64(plan_run(p, j, edited, SIDE, &kit_err), 0);
	EQ_I64(plan_run(p, old, 14000, 6000, &kit_err), 0);
	EQ_I64(plan_run(p, old, 1000, 4000, &kit_err), 0);
	EQ_I64(plan_bytes(p, "fresh", 5, &kit_err), 0);
	EQ_I64(plan_fill(p, 0xfb, 4995, &kit_err), 0);
	if (shape != SHORTER)
		EQ_I64(plan_run(p, old, 29000, 31000, &kit_err), 0);
	if (shape == LONGER) {
		EQ_I64(plan_run(p, swapped, 0, 20000, &kit_err), 0);
		EQ_I64(plan_run(p, j, edited + 100, 400, &kit_err), 0);
		EQ_I64(plan_fill(p, 0, 3000, &kit_err), 0);
	}
	source_unref(swapped);
}

static void read_new(const struct plan *p)
{
	struct source *s = NULL;

	free(new_bytes);
	new_size = (size_t)p->size;
	new_bytes = malloc(new_size + 1);
	EQ_I64(source_plan(p, &s, NULL), 0);
	EQ_I64(source_read(s, new_bytes, new_size, 0, &kit_err), 0);
	source_unref(s);
}

static void is_now(const char *name, const char *want, size_t n)
{
	size_t have;
	char *now = slurp(name, &have);

	EQ_I64(have, n);
	OK(have == n && memcmp(now, want, n) == 0);
	free(now);
}

static int commit(const struct plan *p, uint64_t *written)
{
	int fd = open(in_dir("a"), O_RDWR | O_CLOEXEC), r;

	kit_err.text[0] = 0;
	r = inplace_commit(kit_j, fd, p, NULL, NULL, written, &kit_err);
	close(fd);
	return r;
}

static int redo(const char *name)
{
	int fd = open(in_dir(name), O_RDWR | O_CLOEXEC), r;

	kit_err.text[0] = 0;
	r = inplace_redo(kit_j, fd, &kit_err);
	close(fd);
	return r;
}

/* Commits, and leaves the journal open; kit_j is PATCHING. */
static uint64_t commit_shape(enum shape shape)
{
	struct source *old = NULL;
	struct plan p;
	uint64_t written = 0;

	prepare();
	EQ_I64(source_file_open(in_dir("a"), &old, &kit_err), 0);
	draw(&p, old, shape);
	read_new(&p);
	EQ_I64(commit(&p, &written), 0);
	plan_release(&p);
	source_unref(old);
	return written;
}

static void the_file_is_what_the_plan_says(void)
{
	static const size_t sizes[] = {83400, 29000, 60000};
	struct journal_bind b;

	for (enum shape s = LONGER; s <= SAME; s++) {
		commit_shape(s);
		EQ_I64(new_size, sizes[s]);
		is_now("a", new_bytes, new_size);
		EQ_I64(journal_state(kit_j), JOURNAL_PATCHING);
		b = bind_of("a");
		EQ_I64(journal_reset(kit_j, &b, &kit_err), 0);
		EQ_I64(journal_state(kit_j), JOURNAL_EMPTY);
		EQ_I64(journal_remove(kit_j, &kit_err), 0);
	}
}

static void what_the_journal_has_and_what_stays_is_not_copied(void)
{
	uint64_t written = commit_shape(SAME), copied = 4000 + 5 /* and the fill is named */;

	EQ_I64(written, copied + SIDE + 4000 + 5 + 4995);
	OK(journal_size(kit_j) < 128 + 32 + SIDE + copied + 2000);
	close_journal();
}

/* Killed after any byte: patches are carried out in file order. */
static void redone_from_every_state_it_is_the_new_file(void)
{
	struct source *file = NULL, *shown = NULL;
	char *mix = malloc(OLD + 30000), *seen = malloc(OLD + 30000);
	size_t n;

	for (enum shape s = LONGER; s <= SAME; s++) {
		commit_shape(s);
		close_journal();
		for (size_t at = 0; at <= new_size; at += 1111) {
			n = at > OLD ? at : OLD;
			memcpy(mix, old_bytes, OLD);
			memcpy(mix, new_bytes, at);
			spill("a", mix, n);
			EQ_I64(open_journal(false), 0);
			EQ_I64(journal_state(kit_j), JOURNAL_PATCHING);
			EQ_I64(kit_cut, 0);
			EQ_I64(source_file_open(in_dir("a"), &file, &kit_err), 0);
			EQ_I64(inplace_source(kit_j, file, &shown, &kit_err), 0);
			EQ_I64(shown->size, new_size);
			EQ_I64(source_read(shown, seen, new_size, 0, &kit_err), 0);
			OK(memcmp(seen, new_bytes, new_size) == 0);
			source_unref(shown);
			source_unref(file);
			is_now("a", mix, n); /* showing wrote nothing */
			EQ_I64(redo("a"), 0);
			is_now("a", new_bytes, new_size);
			EQ_I64(redo("a"), 0);
			is_now("a", new_bytes, new_size);
			close_journal();
		}
	}
	free(mix);
	free(seen);
}

/* A ro mount shows it, and may outlive its journal. */
static void it_is_shown_also_when_the_journal_is_closed(void)
{
	struct source *file = NULL, *shown = NULL;
	char *seen;

	commit_shape(LONGER);
	close_journal();
	spill("a", old_bytes, OLD);
	EQ_I64(open_journal(true), 0);
	EQ_I64(source_file_open(in_dir("a"), &file, &kit_err), 0);
	EQ_I64(inplace_source(kit_j, file, &shown, &kit_err), 0);
	close_journal();
	source_unref(file);
	seen = malloc(new_size);
	EQ_I64(source_read(shown, seen, new_size, 0, &kit_err), 0);
	OK(memcmp(seen, new_bytes, new_size) == 0);
	free(seen);
	source_unref(shown);
	is_now("a", old_bytes, OLD);
}

static void a_list_without_its_end_is_none(void)
{
	size_t n, size;
	char *all;

	commit_shape(LONGER);
	close_journal();
	all = slurp("j", &n);
	size = 128 + 32 + SIDE;
	for (size_t cut = n - 1; cut > size; cut -= 13) {
		spill("j", all, cut);
		EQ_I64(open_journal(false), 0);
		EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
		EQ_I64(journal_size(kit_j), size);
		OK(kit_cut < n - size);
		EQ_I64(redo("a"), ERR_USAGE);
		close_journal();
	}
	/* What is left out of it is no edit that was lost. */
	spill("j", all, n - 40);
	EQ_I64(open_journal(true), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
	EQ_I64(kit_cut, 0);
	close_journal();
	/* And edits go on where it began. */
	spill("j", all, n - 1);
	EQ_I64(open_journal(false), 0);
	put(2, 0, "further");
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 0);
	EQ_I64(journal_size(kit_j), size + 32 + 8);
	close_journal();
	free(all);
}

static void a_flipped_byte_of_the_list_makes_it_none(void)
{
	size_t n, from = 128 + 32 + SIDE;
	char *all;

	commit_shape(SAME);
	close_journal();
	all = slurp("j", &n);
	for (size_t i = from; i < n; i += i < n - 48 ? 29 : 1) {
		all[i] ^= 4;
		spill("j", all, n);
		EQ_I64(open_journal(true), 0);
		EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
		EQ_I64(journal_size(kit_j), from);
		close_journal();
		all[i] ^= 4;
	}
	free(all);
}

static void no_edits_are_taken_until_it_is_finished(void)
{
	uint64_t where;

	commit_shape(SAME);
	EQ_I64(journal_write(kit_j, 1, 0, "x", 1, &where, &kit_err), ERR_REFUSED);
	HAS(kit_err.text, "not finished");
	EQ_I64(journal_op(kit_j, "x", 1, &kit_err), ERR_REFUSED);
	EQ_I64(journal_note(kit_j, "but it may be said why", &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_PATCHING);
	EQ_I64(redo("a"), 0);
	is_now("a", new_bytes, new_size);
	close_journal();
}

/* --- another file ---------------------------------------------------------------------------- */

static void a_file_of_another_inode_is_refused(void)
{
	struct source *file = NULL, *shown;

	commit_shape(SAME);
	spill("b", old_bytes, OLD);
	EQ_I64(redo("b"), ERR_REFUSED);
	HAS(kit_err.text, "belongs to another file");
	EQ_I64(source_file_open(in_dir("b"), &file, &kit_err), 0);
	EQ_I64(inplace_source(kit_j, file, &shown, &kit_err), ERR_REFUSED);
	source_unref(file);
	is_now("b", old_bytes, OLD);
	close_journal();
}

/* Restored from a backup with cp, say: the inode is the same. */
static void another_content_in_the_same_inode_is_refused(void)
{
	char *other = calloc(1, OLD);

	commit_shape(SAME);
	spill("a", other, OLD);
	EQ_I64(redo("a"), ERR_REFUSED);
	HAS(kit_err.text, "not the file that it was made for");
	is_now("a", other, OLD);
	spill("a", other, 100);
	EQ_I64(redo("a"), ERR_REFUSED);
	is_now("a", other, 100);
	spill("a", old_bytes, OLD); /* the right backup */
	EQ_I64(redo("a"), 0);
	is_now("a", new_bytes, new_size);
	close_journal();
	free(other);
}

static void a_file_that_somebody_changed_is_not_touched(void)
{
	struct source *old = NULL;
	struct plan p;
	uint64_t written;
	char theirs[OLD] = "theirs";

	prepare();
	EQ_I64(source_file_open(in_dir("a"), &old, &kit_err), 0);
	draw(&p, old, SAME);
	spill("a", theirs, OLD);
	EQ_I64(commit(&p, &written), ERR_REFUSED);
	HAS(kit_err.text, "changed by somebody else, it has been written to");
	is_now("a", theirs, OLD);
	spill("a", theirs, 10);
	EQ_I64(commit(&p, &written), ERR_REFUSED);
	HAS(kit_err.text, "its size has changed");
	put_file("b", "x");
	EQ_I64(rename(in_dir("b"), in_dir("a")), 0);
	EQ_I64(commit(&p, &written), ERR_REFUSED);
	HAS(kit_err.text, "another file has taken its place");
	file_is("a", "x");
	EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
	plan_release(&p);
	source_unref(old);
	close_journal();
}

/* --- when it fails --------------------------------------------------------------------------- */

static int bad_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	return off > 5000000 ? err_set(e, ERR_DAMAGED, "bad sector") : (memset(buf, 1, len), 0);
}

static void bad_close(struct source *s)
{
}

static const struct source_ops bad_ops = {.name = "bad", .read_at = bad_read, .close = bad_close};

/* Half of the list is in the file by then. */
static void what_cannot_be_read_leaves_the_file_and_the_edits(void)
{
	struct source *old = NULL, bad;
	struct plan p;
	uint64_t written = 77, size;

	prepare();
	size = journal_size(kit_j);
	source_init(&bad, &bad_ops, 8000000);
	EQ_I64(source_file_open(in_dir("a"), &old, &kit_err), 0);
	draw(&p, old, SAME);
	EQ_I64(plan_run(&p, &bad, 0, 8000000, &kit_err), 0);
	EQ_I64(commit(&p, &written), ERR_DAMAGED);
	EQ_STR(kit_err.text, "the checkpoint is as it was: bad sector");
	EQ_I64(written, 77);
	is_now("a", old_bytes, OLD);
	EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
	EQ_I64(journal_size(kit_j), size);
	put(9, 0, "goes on");
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	plan_release(&p);
	draw(&p, old, SAME);
	read_new(&p);
	EQ_I64(commit(&p, &written), 0);
	is_now("a", new_bytes, new_size);
	plan_release(&p);
	source_unref(old);
	close_journal();
}

static void what_cannot_fit_is_refused_before_anything_is_written(void)
{
	struct source *old = NULL;
	struct plan p;
	uint64_t written, size;

	prepare();
	size = journal_size(kit_j);
	EQ_I64(source_file_open(in_dir("a"), &old, &kit_err), 0);
	draw(&p, old, SAME);
	EQ_I64(plan_fill(&p, 0, 1ull << 60, &kit_err), 0);
	EQ_I64(commit(&p, &written), ERR_SYS);
	EQ_I64(kit_err.sys, ENOSPC);
	HAS(kit_err.text, "the checkpoint is as it was");
	HAS(kit_err.text, "free some space");
	is_now("a", old_bytes, OLD);
	EQ_I64(journal_size(kit_j), size);
	put(9, 0, "goes on");
	plan_release(&p);
	source_unref(old);
	close_journal();
}

static void nothing_to_do_is_done(void)
{
	struct source *old = NULL;
	struct plan p;
	uint64_t written = 77;

	prepare();
	EQ_I64(source_file_open(in_dir("a"), &old, &kit_err), 0);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 0, OLD, &kit_err), 0);
	EQ_I64(commit(&p, &written), 0);
	EQ_I64(written, 0);
	is_now("a", old_bytes, OLD);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_PATCHING);
	EQ_I64(redo("a"), 0);
	is_now("a", old_bytes, OLD);
	close_journal();
	plan_release(&p);
	source_unref(old);
}

/* Pieces of more than 1 MiB, and one byte many times without a journal of that size. */
static void large_pieces_are_cut_and_large_fills_named(void)
{
	size_t n = 3000000;
	char *big = malloc(n);
	struct source *old = NULL;
	struct plan p;
	uint64_t written;

	for (size_t i = 0; i < n; i++)
		big[i] = (char)(i >> 3 ^ i >> 13);
	prepare();
	EQ_I64(source_file_open(in_dir("a"), &old, &kit_err), 0);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 0, 100, &kit_err), 0);
	EQ_I64(plan_bytes(&p, big, n, &kit_err), 0);
	EQ_I64(plan_fill(&p, 7, 5000000, &kit_err), 0);
	read_new(&p);
	EQ_I64(commit(&p, &written), 0);
	EQ_I64(written, n + n + 5000000);
	OK(journal_size(kit_j) < n + 10000);
	is_now("a", new_bytes, new_size);
	spill("a", old_bytes, OLD);
	EQ_I64(redo("a"), 0);
	is_now("a", new_bytes, new_size);
	close_journal();
	plan_release(&p);
	source_unref(old);
	free(big);
}

int main(void)
{
	make_dir();
	TEST(the_file_is_what_the_plan_says);
	TEST(what_the_journal_has_and_what_stays_is_not_copied);
	TEST(redone_from_every_state_it_is_the_new_file);
	TEST(it_is_shown_also_when_the_journal_is_closed);
	TEST(a_list_without_its_end_is_none);
	TEST(a_flipped_byte_of_the_list_makes_it_none);
	TEST(no_edits_are_taken_until_it_is_finished);
	TEST(a_file_of_another_inode_is_refused);
	TEST(another_content_in_the_same_inode_is_refused);
	TEST(a_file_that_somebody_changed_is_not_touched);
	TEST(what_cannot_be_read_leaves_the_file_and_the_edits);
	TEST(what_cannot_fit_is_refused_before_anything_is_written);
	TEST(nothing_to_do_is_done);
	TEST(large_pieces_are_cut_and_large_fills_named);
	free(new_bytes);
	remove_dir();
	return tap_done();
}
