/* The bounded reader, most of all where its window ends. */
#include <pthfs/reader.h>
#include <stdlib.h>

#include "tap.h"

enum { BIG = 300000 };

static unsigned char big[BIG];
static struct source *src;

static void set_up(void)
{
	for (int i = 0; i < BIG; i++)
		big[i] = (unsigned char)(i * 31 + i / 251);
	src = source_mem_borrow(big, BIG);
}

static void fields_are_little_endian(void)
{
	static const char bytes[] = "\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x88";
	struct source *s = source_mem_borrow(bytes, 15);
	struct reader r;
	uint8_t a = 0;
	uint16_t b = 0;
	uint32_t c = 0;
	uint64_t d = 0;

	EQ_I64(reader_init(&r, s, 0, 15, NULL), 0);
	EQ_I64(reader_u8(&r, &a, NULL), 0);
	EQ_I64(reader_u16(&r, &b, NULL), 0);
	EQ_I64(reader_u32(&r, &c, NULL), 0);
	EQ_I64(reader_u64(&r, &d, NULL), 0);
	EQ_I64(a, 1);
	EQ_I64(b, 0x0203);
	EQ_I64(c, 0x04050607);
	OK(d == 0x88090a0b0c0d0e0fu);
	EQ_I64(reader_left(&r), 0);
	reader_release(&r);
	source_unref(s);
}

/* Steps of 1..97 bytes over more than four windows, each compared. */
static void every_byte_comes_once_and_in_order(void)
{
	struct reader r;
	const char *p;
	size_t at = 0, step = 1, bad = 0;

	EQ_I64(reader_init(&r, src, 0, BIG, NULL), 0);
	while (at < BIG) {
		step = step % 97 + 1;
		if (step > BIG - at)
			step = BIG - at;
		bad += reader_bytes(&r, step, &p, NULL) != 0 || memcmp(p, big + at, step) != 0;
		at += step;
		bad += r.pos != at;
	}
	EQ_I64(bad, 0);
	EQ_I64(reader_left(&r), 0);
	reader_release(&r);
}

static void a_field_across_the_window_edge_is_whole(void)
{
	for (uint64_t before = 0; before <= 9; before++) {
		uint64_t off = READER_WINDOW + 1 - before, v = 0;
		struct reader r;
		uint8_t first;

		EQ_I64(reader_init(&r, src, 0, BIG, NULL), 0);
		EQ_I64(reader_u8(&r, &first, NULL), 0); /* fills the window from 0 */
		EQ_I64(reader_skip(&r, off - 1, NULL), 0);
		EQ_I64(reader_u64(&r, &v, NULL), 0);
		OK(v == le64(big + off));
		EQ_I64(r.pos, off + 8);
		reader_release(&r);
	}
}

static void the_largest_piece_is_a_window(void)
{
	struct reader r;
	const char *p = NULL;
	struct err e;

	EQ_I64(reader_init(&r, src, 5, BIG - 5, NULL), 0);
	EQ_I64(reader_bytes(&r, 3, &p, NULL), 0);
	EQ_I64(reader_bytes(&r, READER_WINDOW, &p, NULL), 0);
	EQ_MEM(p, READER_WINDOW, big + 8, READER_WINDOW);
	EQ_I64(reader_bytes(&r, READER_WINDOW + 2, &p, &e), ERR_LIMIT);
	reader_release(&r);
}

static void nothing_is_read_behind_the_end_of_the_range(void)
{
	struct reader r;
	struct err e;
	const char *p = "unchanged";
	uint32_t v = 99;
	uint16_t w = 0;

	EQ_I64(reader_init(&r, src, 100, 6, NULL), 0);
	EQ_I64(reader_u32(&r, &v, NULL), 0);
	v = 99;
	EQ_I64(reader_u32(&r, &v, &e), ERR_EOF);
	EQ_STR(e.text, "4 bytes wanted at offset 104, only 2 are left");
	EQ_I64(v, 99);
	EQ_I64(reader_bytes(&r, 3, &p, &e), ERR_EOF);
	EQ_I64(reader_bytes(&r, SIZE_MAX, &p, &e), ERR_EOF);
	EQ_STR(p, "unchanged");
	EQ_I64(r.pos, 104);
	EQ_I64(reader_u16(&r, &w, &e), 0);
	EQ_I64(w, le16(big + 104));
	EQ_I64(reader_bytes(&r, 0, &p, &e), 0);
	reader_release(&r);
}

static void a_range_outside_the_source_is_refused(void)
{
	struct reader r = {0};
	struct err e;

	EQ_I64(reader_init(&r, src, 1, BIG, &e), ERR_EOF);
	EQ_I64(reader_init(&r, src, UINT64_MAX, 2, &e), ERR_EOF);
	OK(r.win == NULL);
	EQ_I64(reader_init(&r, src, BIG, 0, &e), 0);
	EQ_I64(reader_u8(&r, &(uint8_t){0}, &e), ERR_EOF);
	reader_release(&r);
	reader_release(&r);
}

static void skipping_reads_nothing_and_stops_at_the_end(void)
{
	struct reader r;
	struct err e;
	uint8_t v = 0;

	EQ_I64(reader_init(&r, src, 0, BIG, NULL), 0);
	EQ_I64(reader_skip(&r, 200000, NULL), 0);
	EQ_I64(r.win_len, 0);
	EQ_I64(reader_u8(&r, &v, NULL), 0);
	EQ_I64(v, big[200000]);
	EQ_I64(reader_skip(&r, UINT64_MAX, &e), ERR_EOF);
	EQ_I64(reader_skip(&r, BIG - 200000, &e), ERR_EOF);
	EQ_I64(r.pos, 200001);
	EQ_I64(reader_skip(&r, BIG - 200001, &e), 0);
	EQ_I64(reader_left(&r), 0);
	reader_release(&r);
}

static void lines_end_at_their_break(void)
{
	struct source *s = source_mem_borrow("one\n\nthree\r\nrest", 16);
	struct reader r;
	struct str line = {0};
	struct err e;

	EQ_I64(reader_init(&r, s, 0, 16, NULL), 0);
	EQ_I64(reader_line(&r, 100, &line, NULL), 0);
	OK(str_is(line, "one"));
	EQ_I64(reader_line(&r, 100, &line, NULL), 0);
	EQ_I64(line.n, 0);
	EQ_I64(reader_line(&r, 6, &line, NULL), 0);
	OK(str_is(line, "three\r"));
	EQ_I64(reader_line(&r, 100, &line, &e), ERR_EOF);
	HAS(e.text, "offset 12");
	EQ_I64(r.pos, 12);
	EQ_I64(reader_line(&r, 3, &line, &e), ERR_DAMAGED);
	EQ_STR(e.text, "the line at offset 12 is longer than 3 bytes");
	reader_release(&r);
	source_unref(s);
}

static void a_line_across_the_window_edge_is_whole(void)
{
	static char text[3 * READER_WINDOW];
	struct source *s = source_mem_borrow(text, sizeof text);
	struct reader r;
	struct str line = {0};

	memset(text, 'x', sizeof text);
	text[READER_WINDOW - 10] = '\n';
	text[2 * READER_WINDOW - 9] = '\n'; /* behind a line of exactly READER_WINDOW bytes */
	EQ_I64(reader_init(&r, s, 0, sizeof text, NULL), 0);
	EQ_I64(reader_line(&r, READER_WINDOW, &line, NULL), 0);
	EQ_I64(line.n, READER_WINDOW - 10);
	EQ_I64(reader_line(&r, READER_WINDOW - 1, &line, NULL), ERR_DAMAGED);
	EQ_I64(reader_line(&r, READER_WINDOW, &line, NULL), 0);
	EQ_I64(line.n, READER_WINDOW);
	OK(line.p[0] == 'x' && line.p[READER_WINDOW - 1] == 'x');
	/* The rest has no break and is longer than a window: more is not looked at. */
	EQ_I64(reader_line(&r, 100000, &line, NULL), ERR_DAMAGED);
	EQ_I64(reader_skip(&r, 8, NULL), 0);
	EQ_I64(reader_line(&r, READER_WINDOW, &line, NULL), ERR_EOF);
	reader_release(&r);
	source_unref(s);
}

static int fails_late(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	if (off + len > READER_WINDOW + 1)
		return err_set(e, ERR_TRUNCATED, "gone");
	memset(buf, 'k', len);
	return 0;
}

static void an_error_of_the_source_comes_through(void)
{
	static const struct source_ops ops = {"late", fails_late, NULL, NULL};
	struct source s;
	struct reader r;
	const char *p = NULL;
	struct err e;

	source_init(&s, &ops, 1 << 20);
	EQ_I64(reader_init(&r, &s, 0, 1 << 20, NULL), 0);
	EQ_I64(reader_bytes(&r, READER_WINDOW - 1, &p, &e), 0);
	EQ_I64(reader_bytes(&r, 4, &p, &e), ERR_TRUNCATED);
	EQ_STR(e.text, "gone");
	/* It stays an error, and what the window held is still right. */
	EQ_I64(reader_bytes(&r, 4, &p, &e), ERR_TRUNCATED);
	EQ_I64(r.pos, READER_WINDOW - 1);
	EQ_I64(reader_bytes(&r, 2, &p, &e), 0);
	EQ_MEM(p, 2, "kk", 2);
	reader_release(&r);
}

int main(void)
{
	set_up();
	TEST(fields_are_little_endian);
	TEST(every_byte_comes_once_and_in_order);
	TEST(a_field_across_the_window_edge_is_whole);
	TEST(the_largest_piece_is_a_window);
	TEST(nothing_is_read_behind_the_end_of_the_range);
	TEST(a_range_outside_the_source_is_refused);
	TEST(skipping_reads_nothing_and_stops_at_the_end);
	TEST(lines_end_at_their_break);
	TEST(a_line_across_the_window_edge_is_whole);
	TEST(an_error_of_the_source_comes_through);
	source_unref(src);
	return tap_done();
}
