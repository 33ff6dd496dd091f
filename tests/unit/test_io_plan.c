/* Plans: how pieces join, what they cost, and reading one as a file. */
#include <fcntl.h>
#include <pthfs/plan.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

static char path[] = "/tmp/pthfs-test-XXXXXX";
static struct source *file, *letters;
static struct plan plan;

static void content_is(const char *wanted)
{
	struct source *s = NULL;
	char buf[1024] = {0};

	EQ_I64(source_plan(&plan, &s, NULL), 0);
	EQ_I64(s->size, plan.size);
	OK(s->size < sizeof buf);
	EQ_I64(source_read(s, buf, s->size, 0, NULL), 0);
	EQ_STR(buf, wanted);
	source_unref(s);
}

static void crumbs_of_fresh_bytes_become_one_piece(void)
{
	char word[] = "one";

	plan_init(&plan);
	EQ_I64(plan_bytes(&plan, word, 3, NULL), 0);
	word[0] = 'x'; /* it was copied */
	for (int i = 0; i < 100; i++)
		EQ_I64(plan_bytes(&plan, "23456", 5, NULL), 0);
	EQ_I64(plan_fill(&plan, '.', 3, NULL), 0);
	EQ_I64(plan_bytes(&plan, "", 0, NULL), 0);
	EQ_I64(plan.at.n, 1);
	EQ_I64(plan.size, 506);
	EQ_I64(plan.at.at[0].len, 506);
	plan_release(&plan);
	EQ_I64(plan.size, 0);
}

/* Whoever else holds a piece may be reading it. */
static void a_piece_that_somebody_holds_does_not_grow(void)
{
	struct source *held;

	plan_init(&plan);
	EQ_I64(plan_bytes(&plan, "abc", 3, NULL), 0);
	held = source_ref(plan.at.at[0].src);
	EQ_I64(plan_bytes(&plan, "def", 3, NULL), 0);
	EQ_I64(plan.at.n, 2);
	EQ_I64(held->size, 3);
	content_is("abcdef");
	source_unref(held);
	plan_release(&plan);
}

static void a_large_piece_is_left_alone(void)
{
	static char large[70000];

	plan_init(&plan);
	EQ_I64(plan_bytes(&plan, large, sizeof large, NULL), 0);
	EQ_I64(plan_bytes(&plan, "x", 1, NULL), 0);
	EQ_I64(plan_bytes(&plan, large, 65535, NULL), 0);
	EQ_I64(plan_bytes(&plan, "y", 1, NULL), 0);
	EQ_I64(plan.at.n, 3);
	EQ_I64(plan.at.at[1].len, 65536);
	EQ_I64(plan.size, 135537);
	plan_release(&plan);
}

static void a_run_that_continues_the_one_before_is_merged_with_it(void)
{
	plan_init(&plan);
	EQ_I64(plan_run(&plan, letters, 0, 2, NULL), 0);
	EQ_I64(plan_run(&plan, letters, 2, 3, NULL), 0);
	EQ_I64(plan_run(&plan, letters, 9, 0, NULL), 0);
	EQ_I64(plan.at.n, 1);
	EQ_I64(plan_run(&plan, letters, 4, 2, NULL), 0);
	EQ_I64(plan.at.n, 2);
	content_is("abcdeef");
	plan_release(&plan);
}

static void a_run_outside_its_source_is_an_error_and_changes_nothing(void)
{
	struct err e;

	plan_init(&plan);
	EQ_I64(plan_bytes(&plan, "abc", 3, NULL), 0);
	EQ_I64(plan_run(&plan, letters, 20, 7, &e), ERR_TRUNCATED);
	EQ_STR(e.text, "7 bytes wanted at offset 20, but there are only 26 bytes");
	EQ_I64(plan_run(&plan, letters, UINT64_MAX, 2, NULL), ERR_TRUNCATED);
	content_is("abc");
	plan_release(&plan);
}

static void a_taken_buffer_belongs_to_the_plan(void)
{
	plan_init(&plan);
	EQ_I64(plan_take(&plan, strdup("hello"), 5, NULL), 0);
	EQ_I64(plan_take(&plan, malloc(1), 0, NULL), 0);
	content_is("hello");
	plan_release(&plan);
}

static void a_fill_costs_no_memory(void)
{
	struct source *s = NULL;
	char buf[3];

	plan_init(&plan);
	EQ_I64(plan_fill(&plan, 0xfb, (uint64_t)1 << 40, NULL), 0);
	EQ_I64(source_plan(&plan, &s, NULL), 0);
	EQ_I64(source_read(s, buf, 3, ((uint64_t)1 << 40) - 3, NULL), 0);
	EQ_MEM(buf, 3, "\xfb\xfb\xfb", 3);
	source_unref(s);
	plan_release(&plan);
}

static void no_plan_is_larger_than_a_file_can_be(void)
{
	struct err e;

	plan_init(&plan);
	EQ_I64(plan_fill(&plan, 0, INT64_MAX, NULL), 0);
	EQ_I64(plan_bytes(&plan, "x", 1, &e), ERR_LIMIT);
	HAS(e.text, "9223372036854775807");
	EQ_I64(plan_run(&plan, letters, 0, 1, NULL), ERR_LIMIT);
	EQ_I64(plan_take(&plan, malloc(1), 1, NULL), ERR_LIMIT);
	EQ_I64(plan.size, INT64_MAX);
	plan_release(&plan);
}

/* The file is 0123456789. */
static void only_what_is_not_at_its_place_costs(void)
{
	struct source *again = NULL, *window = source_window(file, 8, 2);

	EQ_I64(source_file_open(path, &again, NULL), 0);
	plan_init(&plan);
	EQ_I64(plan_run(&plan, file, 0, 3, NULL), 0);     /* in place */
	EQ_I64(plan_bytes(&plan, "abc", 3, NULL), 0);     /* 3 */
	EQ_I64(plan_run(&plan, again, 6, 2, NULL), 0);    /* the same file, opened again */
	EQ_I64(plan_run(&plan, window, 0, 2, NULL), 0);   /* and through a window */
	EQ_I64(plan_run(&plan, file, 0, 4, NULL), 0);     /* 4: moved */
	EQ_I64(plan_run(&plan, letters, 14, 1, NULL), 0); /* 1: not a file */
	content_is("012abc67890123o");
	EQ_I64(plan_cost(&plan, file), 8);
	EQ_I64(plan_cost(&plan, again), 8);
	EQ_I64(plan_cost(&plan, NULL), 15);
	EQ_I64(plan_cost(&plan, letters), 15);
	plan_release(&plan);
	source_unref(window);
	source_unref(again);
}

static void a_run_of_another_file_at_the_same_offset_costs(void)
{
	char other[] = "/tmp/pthfs-test-XXXXXX";
	struct source *s = NULL;
	int fd = mkstemp(other);

	OK(write(fd, "0123456789", 10) == 10);
	EQ_I64(source_file_fd(fd, &s, NULL), 0);
	plan_init(&plan);
	EQ_I64(plan_run(&plan, s, 0, 10, NULL), 0);
	EQ_I64(plan_cost(&plan, file), 10);
	EQ_I64(plan_cost(&plan, s), 0);
	plan_release(&plan);
	source_unref(s);
	unlink(other);
}

static void every_range_of_a_plan_reads_as_in_the_whole(void)
{
	static const char whole[] = "ab2345-----z";
	struct source *s = NULL;
	char buf[16];

	plan_init(&plan);
	EQ_I64(plan_run(&plan, letters, 0, 2, NULL), 0);
	EQ_I64(plan_run(&plan, file, 2, 4, NULL), 0);
	EQ_I64(plan_fill(&plan, '-', 5, NULL), 0);
	EQ_I64(plan_run(&plan, letters, 25, 1, NULL), 0);
	EQ_I64(source_plan(&plan, &s, NULL), 0);
	for (size_t off = 0; off <= 12; off++)
		for (size_t len = 0; len <= 12 - off; len++) {
			EQ_I64(source_read(s, buf, len, off, NULL), 0);
			EQ_MEM(buf, len, whole + off, len);
		}
	EQ_I64(source_read(s, buf, 1, 12, NULL), ERR_TRUNCATED);
	source_unref(s);
	plan_release(&plan);
}

static void a_plan_is_raw_within_a_run_of_a_file(void)
{
	struct source *s = NULL;
	uint64_t off = 0, ignored;

	plan_init(&plan);
	EQ_I64(plan_bytes(&plan, "ab", 2, NULL), 0);
	EQ_I64(plan_run(&plan, file, 4, 6, NULL), 0);
	EQ_I64(source_plan(&plan, &s, NULL), 0);
	EQ_I64(source_raw(s, 3, 5, &off), source_raw(file, 0, 1, &ignored));
	EQ_I64(off, 5);
	EQ_I64(source_raw(s, 1, 2, &off), -1);
	source_unref(s);
	plan_release(&plan);
}

static void an_empty_plan_is_an_empty_file(void)
{
	struct source *s = NULL;
	uint64_t off;

	plan_init(&plan);
	EQ_I64(plan_cost(&plan, file), 0);
	EQ_I64(source_plan(&plan, &s, NULL), 0);
	EQ_I64(s->size, 0);
	EQ_I64(source_read(s, NULL, 0, 0, NULL), 0);
	EQ_I64(source_raw(s, 0, 0, &off), -1);
	source_unref(s);
}

static char each_said[256];

static int say_piece(void *ctx, const struct extent *x, uint64_t at, bool in_place)
{
	size_t n = strlen(each_said);
	unsigned char byte = 0;
	bool fill = plan_is_fill(x, &byte);

	snprintf(each_said + n, sizeof each_said - n, "%d+%d%s%s%c ", (int)at, (int)x->len,
		in_place ? " there" : "", fill ? " fill " : "", fill ? byte : ',');
	return at >= *(uint64_t *)ctx ? 9 : 0;
}

static void each_piece_is_told_with_its_place(void)
{
	uint64_t off, stop = UINT64_MAX;
	struct stat st;

	plan_init(&plan);
	EQ_I64(plan_run(&plan, file, 0, 3, NULL), 0);
	EQ_I64(plan_run(&plan, letters, 0, 2, NULL), 0);
	EQ_I64(plan_run(&plan, file, 5, 2, NULL), 0);
	EQ_I64(plan_run(&plan, file, 0, 2, NULL), 0);
	EQ_I64(plan_fill(&plan, 'z', 1000, NULL), 0);
	EQ_I64(fstat(source_raw(file, 0, 0, &off), &st), 0);
	EQ_I64(plan_each(&plan, &st, say_piece, &stop), 0);
	EQ_STR(each_said, "0+3 there, 3+2, 5+2 there, 7+2, 9+1000 fill z ");
	each_said[0] = 0;
	stop = 3;
	EQ_I64(plan_each(&plan, NULL, say_piece, &stop), 9);
	EQ_STR(each_said, "0+3, 3+2, ");
	plan_release(&plan);
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, "0123456789", 10) != 10 || source_file_fd(fd, &file, NULL) < 0)
		return 1;
	letters = source_mem_borrow("abcdefghijklmnopqrstuvwxyz", 26);
	TEST(crumbs_of_fresh_bytes_become_one_piece);
	TEST(a_piece_that_somebody_holds_does_not_grow);
	TEST(a_large_piece_is_left_alone);
	TEST(a_run_that_continues_the_one_before_is_merged_with_it);
	TEST(a_run_outside_its_source_is_an_error_and_changes_nothing);
	TEST(a_taken_buffer_belongs_to_the_plan);
	TEST(a_fill_costs_no_memory);
	TEST(no_plan_is_larger_than_a_file_can_be);
	TEST(only_what_is_not_at_its_place_costs);
	TEST(a_run_of_another_file_at_the_same_offset_costs);
	TEST(every_range_of_a_plan_reads_as_in_the_whole);
	TEST(a_plan_is_raw_within_a_run_of_a_file);
	TEST(an_empty_plan_is_an_empty_file);
	TEST(each_piece_is_told_with_its_place);
	source_unref(letters);
	source_unref(file);
	unlink(path);
	return tap_done();
}
