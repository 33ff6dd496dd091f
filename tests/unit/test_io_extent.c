/* Lists of extents read as one run. */
#include <pthfs/extent.h>

#include "tap.h"

static struct source *one, *two;
static struct extent list[4];

/* "bcd" + "" + "23" + "a": "bcd23a" */
static void set_up(void)
{
	one = source_mem_borrow("abcdef", 6);
	two = source_mem_borrow("012345", 6);
	list[0] = (struct extent){one, 1, 3};
	list[1] = (struct extent){two, 6, 0};
	list[2] = (struct extent){two, 2, 2};
	list[3] = (struct extent){one, 0, 1};
}

static void every_range_reads_as_in_the_whole(void)
{
	static const char whole[] = "bcd23a";
	char buf[8];

	EQ_I64(extents_size(list, 4), 6);
	for (size_t off = 0; off <= 6; off++)
		for (size_t len = 0; len <= 6 - off; len++) {
			EQ_I64(extents_read(list, 4, buf, len, off, NULL), 0);
			EQ_MEM(buf, len, whole + off, len);
		}
}

static void reading_past_the_end_is_an_error(void)
{
	char buf[8];
	struct err e;

	EQ_I64(extents_read(list, 4, buf, 2, 5, &e), ERR_TRUNCATED);
	EQ_STR(e.text, "2 bytes wanted at offset 5, but there are only 6 bytes");
	EQ_I64(extents_read(list, 4, buf, 1, UINT64_MAX, &e), ERR_TRUNCATED);
	EQ_I64(extents_read(NULL, 0, buf, 1, 0, &e), ERR_TRUNCATED);
	EQ_I64(extents_read(NULL, 0, buf, 0, 0, &e), 0);
}

static void an_extent_outside_its_source_is_an_error(void)
{
	struct extent bad = {one, 4, 5}, wraps = {one, UINT64_MAX, 9};
	char buf[8];

	EQ_I64(extents_read(&bad, 1, buf, 5, 0, NULL), ERR_TRUNCATED);
	EQ_I64(extents_read(&wraps, 1, buf, 2, 4, NULL), ERR_TRUNCATED);
}

static void sizes_that_overflow_are_the_largest(void)
{
	struct extent huge[2] = {{one, 0, UINT64_MAX - 1}, {one, 0, 2}};

	EQ_I64(extents_size(huge, 2), UINT64_MAX);
}

static int fake_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "not to be read");
}

static int fake_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	*ret_off = off;
	return 9;
}

static void raw_needs_a_range_within_one_extent(void)
{
	static const struct source_ops ops = {"fake", fake_read, fake_raw, NULL};
	struct source s;
	uint64_t off = 0;

	source_init(&s, &ops, 1000);
	struct extent at[2] = {{two, 0, 6}, {&s, 100, 50}};

	EQ_I64(extents_raw(at, 2, 6, 50, &off), 9);
	EQ_I64(off, 100);
	EQ_I64(extents_raw(at, 2, 16, 40, &off), 9);
	EQ_I64(off, 110);
	EQ_I64(extents_raw(at, 2, 16, 41, &off), -1);
	EQ_I64(extents_raw(at, 2, 5, 2, &off), -1);
	EQ_I64(extents_raw(at, 2, 0, 6, &off), -1);
	EQ_I64(extents_raw(at, 2, 56, 1, &off), -1);
	EQ_I64(extents_read(at, 2, (char[8]){0}, 8, 0, NULL), ERR_DAMAGED);
}

int main(void)
{
	set_up();
	TEST(every_range_reads_as_in_the_whole);
	TEST(reading_past_the_end_is_an_error);
	TEST(an_extent_outside_its_source_is_an_error);
	TEST(sizes_that_overflow_are_the_largest);
	TEST(raw_needs_a_range_within_one_extent);
	source_unref(one);
	source_unref(two);
	return tap_done();
}
