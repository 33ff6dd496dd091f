/* Buffers with a maximum. */
#include <pthfs/str.h>
#include <stdlib.h>

#include "tap.h"

static void appends_stand_one_behind_the_other(void)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_puts(&b, "ab");
	buf_putc(&b, 'c');
	buf_str(&b, STR("de"));
	buf_put(&b, "f\0g", 3);
	buf_printf(&b, "%d-%s", 42, "x");
	EQ_MEM(b.p, b.n, "abcdef\0g42-x", 12);
	OK(!b.failed);
	buf_release(&b);
	OK(b.p == NULL && b.n == 0 && b.max == 1000);
}

static void exactly_the_maximum_fits(void)
{
	struct buf b;

	buf_init(&b, 5);
	buf_puts(&b, "abc");
	buf_printf(&b, "%s", "de");
	OK(!b.failed);
	EQ_MEM(b.p, b.n, "abcde", 5);
	buf_putc(&b, 'f');
	OK(b.failed);
	EQ_I64(b.n, 5);
	buf_release(&b);
}

static void what_does_not_fit_leaves_it_as_it_was(void)
{
	struct buf b;

	buf_init(&b, 4);
	buf_puts(&b, "abc");
	buf_puts(&b, "de");
	OK(b.failed);
	EQ_MEM(b.p, b.n, "abc", 3);
	/* No later piece slips in behind a hole. */
	buf_putc(&b, 'x');
	buf_printf(&b, "y");
	EQ_MEM(b.p, b.n, "abc", 3);
	buf_release(&b);
}

static void a_maximum_of_zero_holds_nothing(void)
{
	struct buf b;

	buf_init(&b, 0);
	buf_put(&b, "", 0);
	OK(!b.failed);
	buf_putc(&b, 'x');
	OK(b.failed);
	buf_release(&b);
}

static void a_size_near_the_largest_is_refused(void)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_putc(&b, 'x');
	buf_put(&b, "x", SIZE_MAX);
	OK(b.failed);
	EQ_I64(b.n, 1);
	buf_release(&b);
}

static void printing_more_than_the_small_space_works(void)
{
	struct buf b;

	buf_init(&b, 2000);
	buf_printf(&b, "%0*d", 1999, 7);
	buf_printf(&b, "%d", 8);
	OK(!b.failed);
	EQ_I64(b.n, 2000);
	OK(b.p[1998] == '7' && b.p[1999] == '8' && b.p[0] == '0');
	buf_release(&b);
	buf_init(&b, 500);
	buf_printf(&b, "%0*d", 501, 7);
	OK(b.failed);
	EQ_I64(b.n, 0);
	buf_release(&b);
}

static void growing_by_single_bytes_keeps_all(void)
{
	struct buf b;
	int wrong = 0;

	buf_init(&b, 100000);
	for (int i = 0; i < 100000; i++)
		buf_putc(&b, (char)(i * 7));
	OK(!b.failed);
	EQ_I64(b.n, 100000);
	for (int i = 0; i < 100000; i++)
		wrong += b.p[i] != (char)(i * 7);
	EQ_I64(wrong, 0);
	OK(b.cap <= 100001);
	buf_release(&b);
}

static void stolen_bytes_are_the_callers(void)
{
	struct buf b;
	size_t n = 9;
	char *p;

	buf_init(&b, 100);
	OK(buf_steal(&b, &n) == NULL);
	EQ_I64(n, 0);
	buf_puts(&b, "abc");
	OK(str_is(buf_view(&b), "abc"));
	p = buf_steal(&b, &n);
	EQ_MEM(p, n, "abc", 3);
	free(p);
	EQ_I64(b.n, 0);
	buf_puts(&b, "again");
	OK(str_is(buf_view(&b), "again"));
	buf_release(&b);
}

int main(void)
{
	TEST(appends_stand_one_behind_the_other);
	TEST(exactly_the_maximum_fits);
	TEST(what_does_not_fit_leaves_it_as_it_was);
	TEST(a_maximum_of_zero_holds_nothing);
	TEST(a_size_near_the_largest_is_refused);
	TEST(printing_more_than_the_small_space_works);
	TEST(growing_by_single_bytes_keeps_all);
	TEST(stolen_bytes_are_the_callers);
	return tap_done();
}
