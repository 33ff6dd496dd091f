/* What a blob shows after each kind of change, and what it holds on to. */
#include "blob_kit.h"

#include <pthread.h>
#include <unistd.h>

/* Bytes that say what they are: text as a source. */
static struct source *text(const char *s)
{
	return source_mem_borrow(s, strlen(s));
}

static struct blob *blob_of(const char *base)
{
	struct source *s = text(base);
	struct blob *b = NULL;

	OK(blob_new(7, (struct extent){s, 0, s->size}, s->size, &b, NULL) == 0);
	source_unref(s);
	return b;
}

/* All of b as text, '.' for 0. */
static const char *show(const struct blob *b)
{
	static char out[256];
	size_t n = (size_t)blob_size(b);

	OK(n < sizeof out);
	OK(blob_read(b, out, n, 0, NULL) == 0);
	for (size_t i = 0; i < n; i++)
		if (!out[i])
			out[i] = '.';
	out[n] = 0;
	return out;
}

/* "2+3 9+1": offsets and lengths of the runs. */
static const char *runs(const struct blob *b)
{
	static char out[256];
	size_t n, at = 0;
	const struct blob_run *r = blob_runs(b, &n);
	uint64_t dirty = 0;

	out[0] = 0;
	for (size_t i = 0; i < n; i++) {
		at += (size_t)snprintf(out + at, sizeof out - at, "%s%d+%d", i ? " " : "",
				(int)r[i].off, (int)r[i].len);
		EQ_I64(r[i].from.len, r[i].len);
		dirty += r[i].len;
	}
	EQ_I64(blob_dirty(b), dirty);
	return out;
}

/* --- tests -------------------------------------------------------------------------------------- */

static void a_fresh_blob_reads_as_its_base(void)
{
	struct blob *b = blob_of("abcdefgh");
	size_t n = 9;

	EQ_STR(show(b), "abcdefgh");
	EQ_I64(blob_id(b), 7);
	OK(blob_runs(b, &n) == NULL);
	EQ_I64(n, 0);
	EQ_I64(blob_dirty(b), 0);
	blob_unref(b);
	blob_unref(NULL);
}

static void a_blob_without_a_base_reads_as_zeros(void)
{
	struct blob *b;

	OK(blob_new(1, (struct extent){0}, 5, &b, NULL) == 0);
	EQ_STR(show(b), ".....");
	EQ_STR(runs(b), "");
	blob_unref(b);
}

static void a_write_goes_to_the_journal_and_shows(void)
{
	struct blob *b = blob_of("abcdefgh");
	struct journal j;

	fake_init(&j);
	OK(blob_write(b, &j, "XYZ", 3, 2, NULL) == 0);
	EQ_I64(j.frames, 1);
	EQ_I64(j.blob, 7);
	EQ_I64(j.off, 2);
	EQ_STR(show(b), "abXYZfgh");
	EQ_STR(runs(b), "2+3");
	OK(blob_write(b, &j, "12", 2, 3, NULL) == 0);
	EQ_STR(show(b), "abX12fgh");
	EQ_STR(runs(b), "2+1 3+2");
	OK(blob_write(b, &j, "", 0, 100, NULL) == 0);
	EQ_I64(j.frames, 2);
	EQ_I64(blob_size(b), 8);
	blob_unref(b);
	fake_release(&j);
}

static void a_write_into_the_middle_of_a_run_leaves_both_of_its_ends(void)
{
	struct blob *b = blob_of("abcdefgh");
	struct journal j;

	fake_init(&j);
	OK(blob_write(b, &j, "123456", 6, 1, NULL) == 0);
	OK(blob_write(b, &j, "--", 2, 3, NULL) == 0);
	EQ_STR(show(b), "a12--56h");
	EQ_STR(runs(b), "1+2 3+2 5+2");
	OK(blob_write(b, &j, "ABCDEFGH", 8, 0, NULL) == 0);
	EQ_STR(runs(b), "0+8");
	EQ_STR(show(b), "ABCDEFGH");
	blob_unref(b);
	fake_release(&j);
}

static void a_write_that_fails_changes_nothing(void)
{
	struct blob *b = blob_of("abcd");
	struct journal j;
	struct err e = {0};

	fake_init(&j);
	OK(blob_write(b, &j, "1", 1, 1, NULL) == 0);
	j.fails = true;
	EQ_I64(blob_write(b, &j, "XYZ", 3, 6, &e), ERR_SYS);
	HAS(e.text, "the disk is full");
	EQ_STR(show(b), "a1cd");
	EQ_STR(runs(b), "1+1");
	EQ_I64(blob_write(b, NULL, "x", 1, 0, &e), ERR_REFUSED);
	EQ_I64(blob_write(b, &j, "x", 1, INT64_MAX, &e), ERR_LIMIT);
	EQ_I64(blob_write(b, &j, "x", 1, UINT64_MAX, &e), ERR_LIMIT);
	EQ_STR(show(b), "a1cd");
	blob_unref(b);
	fake_release(&j);
}

static void runs_that_go_on_in_their_source_are_one(void)
{
	struct blob *b = blob_of("aaaaaaaaaa");
	struct source *s = text("0123456789"), *other = text("0123456789");

	OK(map(b, 2, s, 2, 2) == 0);
	OK(map(b, 6, s, 6, 2) == 0);
	EQ_STR(runs(b), "2+2 6+2");
	OK(map(b, 4, s, 4, 2) == 0);
	EQ_STR(runs(b), "2+6");
	OK(map(b, 8, s, 0, 1) == 0); /* next to it here, but not there */
	EQ_STR(runs(b), "2+6 8+1");
	OK(map(b, 4, other, 4, 2) == 0);
	EQ_STR(runs(b), "2+2 4+2 6+2 8+1");
	OK(map(b, 3, s, 3, 4) == 0);
	EQ_STR(runs(b), "2+6 8+1");
	EQ_STR(show(b), "aa2345670a");
	source_unref(s);
	source_unref(other);
	blob_unref(b);
}

static void a_source_is_let_go_with_its_last_run(void)
{
	struct blob *b = blob_of("aaaaaaaaaa");
	struct source *s = text("0123456789"), *other = text("xxxxxxxxxx");

	OK(map(b, 0, s, 0, 4) == 0);
	OK(map(b, 6, s, 0, 4) == 0);
	EQ_I64(atomic_load(&s->refs), 2);
	OK(map(b, 0, other, 0, 8) == 0);
	EQ_I64(atomic_load(&s->refs), 2);
	OK(blob_truncate(b, 8, NULL) == 0);
	EQ_I64(atomic_load(&s->refs), 1);
	EQ_I64(atomic_load(&other->refs), 2);
	blob_unref(b);
	EQ_I64(atomic_load(&other->refs), 1);
	source_unref(s);
	source_unref(other);
}

static void what_is_not_in_a_source_cannot_be_mapped(void)
{
	struct blob *b = blob_of("aaaa");
	struct source *s = text("0123");
	struct err e = {0};

	EQ_I64(blob_map(b, 0, (struct extent){s, 2, 3}, &e), ERR_TRUNCATED);
	EQ_I64(blob_map(b, 0, (struct extent){s, UINT64_MAX, 2}, &e), ERR_TRUNCATED);
	OK(map(b, 9, s, 4, 0) == 0);
	EQ_I64(blob_size(b), 4);
	EQ_I64(atomic_load(&s->refs), 1);
	source_unref(s);
	blob_unref(b);
}

static void a_gap_behind_the_end_reads_as_zeros(void)
{
	struct blob *b = blob_of("abcd");
	struct source *s = text("XY");

	OK(map(b, 6, s, 0, 2) == 0);
	EQ_STR(show(b), "abcd..XY");
	EQ_STR(runs(b), "6+2");
	OK(blob_truncate(b, 10, NULL) == 0);
	EQ_STR(show(b), "abcd..XY..");
	source_unref(s);
	blob_unref(b);
}

/* Else whoever writes the runs over the base would leave the old bytes there. */
static void what_was_cut_off_the_base_comes_back_as_a_run_of_zeros(void)
{
	struct blob *b = blob_of("abcdefgh");
	struct source *s = text("XY");

	OK(blob_truncate(b, 3, NULL) == 0);
	EQ_STR(show(b), "abc");
	EQ_STR(runs(b), "");
	OK(blob_truncate(b, 5, NULL) == 0);
	EQ_STR(runs(b), "3+2");
	OK(map(b, 6, s, 0, 2) == 0);
	EQ_STR(show(b), "abc...XY");
	EQ_STR(runs(b), "3+3 6+2");
	OK(blob_truncate(b, 0, NULL) == 0);
	OK(blob_truncate(b, 12, NULL) == 0);
	EQ_STR(show(b), "............");
	EQ_STR(runs(b), "0+8"); /* behind the base there is nothing to cover */
	source_unref(s);
	blob_unref(b);
}

static void truncation_cuts_through_a_run(void)
{
	struct blob *b = blob_of("abcdefgh");
	struct source *s = text("012345");

	OK(map(b, 1, s, 0, 6) == 0);
	OK(blob_truncate(b, 4, NULL) == 0);
	EQ_STR(show(b), "a012");
	EQ_STR(runs(b), "1+3");
	source_unref(s);
	blob_unref(b);
}

static void reading_stays_inside(void)
{
	struct blob *b = blob_of("abcd");
	char buf[8];
	struct err e = {0};

	EQ_I64(blob_read(b, buf, 2, 3, &e), ERR_TRUNCATED);
	HAS(e.text, "only 4 bytes");
	EQ_I64(blob_read(b, buf, 1, UINT64_MAX, &e), ERR_TRUNCATED);
	OK(blob_read(b, buf, 0, 4, &e) == 0);
	blob_unref(b);
}

static void adopting_takes_runs_base_and_holes_as_they_are_now(void)
{
	struct blob *from = blob_of("abcd"), *to = blob_of("--------------");
	struct source *s = text("XY");
	struct err e = {0};

	OK(map(from, 1, s, 0, 2) == 0);
	OK(blob_truncate(from, 6, NULL) == 0);
	OK(blob_adopt(to, 3, from, 0, 6, NULL) == 0);
	EQ_STR(show(to), "---aXYd..-----");
	EQ_STR(runs(to), "3+1 4+2 6+1 7+2");
	OK(map(from, 0, s, 0, 2) == 0);
	EQ_STR(show(to), "---aXYd..-----");
	OK(blob_adopt(to, 13, from, 1, 3, NULL) == 0);
	EQ_STR(show(to), "---aXYd..----YYd");
	EQ_I64(blob_adopt(to, 0, from, 4, 3, &e), ERR_TRUNCATED);
	EQ_I64(blob_adopt(to, 0, from, UINT64_MAX, 2, &e), ERR_TRUNCATED);
	blob_unref(from);
	EQ_STR(show(to), "---aXYd..----YYd");
	source_unref(s);
	blob_unref(to);
}

static void a_blob_adopts_from_itself_as_it_was_before(void)
{
	struct blob *b = blob_of("abcdefgh");
	struct source *s = text("XY");

	OK(map(b, 1, s, 0, 2) == 0);
	OK(blob_adopt(b, 2, b, 0, 6, NULL) == 0);
	EQ_STR(show(b), "aXaXYdef");
	blob_unref(b);
	source_unref(s);
}

static void the_source_shows_later_changes_and_keeps_the_blob(void)
{
	struct blob *b = blob_of("abcdefgh");
	struct source *s, *x = text("XY");
	char got[9] = {0};

	OK(blob_source(b, &s, NULL) == 0);
	EQ_I64(s->size, 8);
	OK(map(b, 2, x, 0, 2) == 0);
	OK(source_read(s, got, 8, 0, NULL) == 0);
	EQ_STR(got, "abXYefgh");
	OK(blob_truncate(b, 4, NULL) == 0);
	OK(source_read(s, got, 4, 2, NULL) < 0);
	blob_unref(b);
	OK(source_read(s, got, 4, 0, NULL) == 0);
	source_unref(s);
	EQ_I64(atomic_load(&x->refs), 1);
	source_unref(x);
}

static struct source *temp_file(const char *bytes)
{
	FILE *f = tmpfile();
	struct source *s = NULL;

	OK(f && fwrite(bytes, 1, strlen(bytes), f) == strlen(bytes) && fflush(f) == 0);
	OK(f && source_file_fd(dup(fileno(f)), &s, NULL) == 0);
	if (f)
		fclose(f);
	return s;
}

static void a_range_in_one_file_is_that_file(void)
{
	struct source *one = temp_file("0123456789"), *two = temp_file("abcdefghij"), *s;
	struct blob *b;
	uint64_t off = 0;
	int fd;

	OK(blob_new(1, (struct extent){one, 1, 9}, 12, &b, NULL) == 0);
	OK(map(b, 4, two, 6, 3) == 0);
	OK(blob_source(b, &s, NULL) == 0);
	fd = source_raw(s, 1, 3, &off);
	OK(fd >= 0 && fd == source_raw(one, 0, 1, &(uint64_t){0}));
	EQ_I64(off, 2);
	fd = source_raw(s, 5, 2, &off);
	OK(fd >= 0 && fd == source_raw(two, 0, 1, &(uint64_t){0}));
	EQ_I64(off, 7);
	OK(source_raw(s, 3, 2, &off) < 0);
	OK(source_raw(s, 6, 2, &off) < 0);
	OK(source_raw(s, 8, 2, &off) < 0);
	OK(source_raw(s, 9, 1, &off) < 0);
	source_unref(s);
	blob_unref(b);
	source_unref(one);
	source_unref(two);
}

static void *reader(void *arg)
{
	const struct blob *b = arg;
	char buf[64];
	size_t n;
	uintptr_t bad = 0;

	for (int i = 0; i < 200; i++) {
		const struct blob_run *r = blob_runs(b, &n);

		bad += n != 2 || r[1].off != 6;
		bad += blob_read(b, buf, 10, 0, NULL) < 0 || memcmp(buf, "aa01aa01aa", 10) != 0;
	}
	return (void *)bad;
}

static void readers_run_side_by_side(void)
{
	struct blob *b = blob_of("aaaaaaaaaa");
	struct source *s = text("01");
	pthread_t t[3];

	OK(map(b, 2, s, 0, 2) == 0);
	OK(map(b, 6, s, 0, 2) == 0);
	for (int i = 0; i < 3; i++)
		OK(pthread_create(&t[i], NULL, reader, b) == 0);
	for (int i = 0; i < 3; i++) {
		void *bad = NULL;

		OK(pthread_join(t[i], &bad) == 0);
		OK(bad == NULL);
	}
	blob_unref(b);
	source_unref(s);
}

int main(void)
{
	TEST(a_fresh_blob_reads_as_its_base);
	TEST(a_blob_without_a_base_reads_as_zeros);
	TEST(a_write_goes_to_the_journal_and_shows);
	TEST(a_write_into_the_middle_of_a_run_leaves_both_of_its_ends);
	TEST(a_write_that_fails_changes_nothing);
	TEST(runs_that_go_on_in_their_source_are_one);
	TEST(a_source_is_let_go_with_its_last_run);
	TEST(what_is_not_in_a_source_cannot_be_mapped);
	TEST(a_gap_behind_the_end_reads_as_zeros);
	TEST(what_was_cut_off_the_base_comes_back_as_a_run_of_zeros);
	TEST(truncation_cuts_through_a_run);
	TEST(reading_stays_inside);
	TEST(adopting_takes_runs_base_and_holes_as_they_are_now);
	TEST(a_blob_adopts_from_itself_as_it_was_before);
	TEST(the_source_shows_later_changes_and_keeps_the_blob);
	TEST(a_range_in_one_file_is_that_file);
	TEST(readers_run_side_by_side);
	return tap_done();
}
