/* Byte order turned round, at any offset. */
#include <pthfs/source.h>

#include "tap.h"

static void every_range_of_every_width_is_turned(void)
{
	unsigned char raw[48], turned[48], buf[48];

	for (unsigned width = 2; width <= 8; width *= 2) {
		struct source *m, *s;

		for (unsigned i = 0; i < 48; i++) {
			raw[i] = (unsigned char)(i + 100);
			turned[i] =
				(unsigned char)(i / width * width + width - 1 - i % width + 100);
		}
		m = source_mem_borrow(raw, 48);
		s = source_swap(m, width);
		EQ_I64(s->size, 48);
		for (size_t off = 0; off <= 48; off++)
			for (size_t len = 0; len <= 48 - off; len++) {
				memset(buf, 0, sizeof buf);
				EQ_I64(source_read(s, buf, len, off, NULL), 0);
				EQ_MEM(buf, len, turned + off, len);
				OK(len == 48 || buf[len] == 0);
			}
		source_unref(m);
		source_unref(s);
	}
}

static void odd_widths_and_sizes_are_no_source(void)
{
	struct source *m = source_mem_borrow("0123456789", 10);

	OK(source_swap(m, 3) == NULL);
	OK(source_swap(m, 0) == NULL);
	OK(source_swap(m, 16) == NULL);
	OK(source_swap(m, 4) == NULL);
	EQ_I64(atomic_load(&m->refs), 1);
	source_unref(m);
}

static void swapped_bytes_are_not_raw(void)
{
	struct source *m = source_mem_borrow("01234567", 8), *s = source_swap(m, 8);
	uint64_t off;

	EQ_I64(source_raw(s, 0, 8, &off), -1);
	source_unref(s);
	source_unref(m);
}

static int broken(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	return err_set(e, ERR_TRUNCATED, "gone at %d", (int)off);
}

static void errors_below_come_through(void)
{
	static const struct source_ops ops = {"broken", broken, NULL, NULL};
	struct source b, *s;
	struct err e;
	char buf[16];

	source_init(&b, &ops, 64);
	source_ref(&b);
	s = source_swap(&b, 4);
	EQ_I64(source_read(s, buf, 2, 5, &e), ERR_TRUNCATED);
	EQ_STR(e.text, "gone at 4");
	EQ_I64(source_read(s, buf, 9, 8, &e), ERR_TRUNCATED);
	source_unref(s);
}

int main(void)
{
	TEST(every_range_of_every_width_is_turned);
	TEST(odd_widths_and_sizes_are_no_source);
	TEST(swapped_bytes_are_not_raw);
	TEST(errors_below_come_through);
	return tap_done();
}
