/* Blobs over a real journal: what was written is what the frames of the journal give back. */
#include "journal_kit.h"

#include <pthfs/overlay.h>

#define SIZE 3000

static struct blob *plain(void)
{
	struct blob *b = NULL;

	EQ_I64(blob_new(5, (struct extent){0}, SIZE, &b, &kit_err), 0);
	return b;
}

static void same(const struct blob *b, const unsigned char *want)
{
	unsigned char got[SIZE] = {0};

	EQ_I64(blob_read(b, got, SIZE, 0, &kit_err), 0);
	OK(memcmp(got, want, SIZE) == 0);
}

/* Pieces that are longer than a page and shorter than a word, over one another. */
static void write_much(struct blob *b, unsigned char *want)
{
	uint64_t x = 99;

	for (int i = 0; i < 400; i++) {
		size_t off, n;

		x = x * 6364136223846793005u + 1442695040888963407u;
		off = (x >> 33) % SIZE;
		n = 1 + (x >> 12) % (i % 10 ? 20 : 900);
		n = n < SIZE - off ? n : SIZE - off;
		memset(want + off, i + 1, n);
		EQ_I64(blob_write(b, kit_j, want + off, n, off, &kit_err), 0);
		if (i % 100 == 99)
			EQ_I64(journal_sync(kit_j, &kit_err), 0);
	}
}

static int again(void *ctx, const struct frame *f)
{
	EQ_I64(f->kind, FRAME_WRITE);
	EQ_I64(f->blob, 5);
	return blob_map(ctx, f->off, (struct extent){journal_source(kit_j), f->where, f->n}, NULL);
}

static void what_was_written_is_there_before_and_after_opening_again(void)
{
	unsigned char want[SIZE] = {0};
	struct blob *b = plain();
	size_t n, m;

	EQ_I64(make_journal(&kit_bind), 0);
	write_much(b, want);
	same(b, want);
	blob_runs(b, &n);
	blob_unref(b);
	close_journal();
	EQ_I64(open_journal(false), 0);
	b = plain();
	EQ_I64(journal_each(kit_j, again, b, &kit_err), 0);
	same(b, want);
	blob_runs(b, &m);
	EQ_I64(m, n);
	OK(n > 100);
	blob_unref(b);
	close_journal();
}

static void one_run_is_served_by_the_journals_own_file(void)
{
	struct blob *b = plain();
	struct source *s;
	uint64_t off = 0;
	char got[4] = {0};
	int fd;

	EQ_I64(make_journal(&kit_bind), 0);
	EQ_I64(blob_write(b, kit_j, "abcdef", 6, 10, &kit_err), 0);
	EQ_I64(blob_source(b, &s, &kit_err), 0);
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	fd = source_raw(s, 12, 3, &off);
	OK(fd >= 0 && pread(fd, got, 3, (off_t)off) == 3);
	EQ_STR(got, "cde");
	OK(source_raw(s, 9, 3, &off) < 0);
	source_unref(s);
	blob_unref(b);
	close_journal();
}

static void a_journal_that_may_not_be_written_refuses_the_write(void)
{
	struct blob *b = plain();
	size_t n;

	EQ_I64(make_journal(&kit_bind), 0);
	close_journal();
	EQ_I64(open_journal(true), 0);
	EQ_I64(blob_write(b, kit_j, "abc", 3, 0, &kit_err), ERR_REFUSED);
	blob_runs(b, &n);
	EQ_I64(n, 0);
	EQ_I64(blob_size(b), SIZE);
	blob_unref(b);
	close_journal();
}

int main(void)
{
	make_dir();
	TEST(what_was_written_is_there_before_and_after_opening_again);
	TEST(one_run_is_served_by_the_journals_own_file);
	TEST(a_journal_that_may_not_be_written_refuses_the_write);
	remove_dir();
	return tap_done();
}
