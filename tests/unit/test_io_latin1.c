/* Bytes that were written as Latin-1 text in UTF-8. */
#include <pthfs/source.h>
#include <pthread.h>
#include <stdlib.h>

#include "tap.h"

enum { N = 400000, MARK = 65536 };

static unsigned char plain[N];
static struct source *text; /* plain, as UTF-8 */

static size_t encode(const unsigned char *p, size_t n, unsigned char *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] >= 0x80)
			out[k++] = (unsigned char)(0xc0 | p[i] >> 6);
		out[k++] = p[i] < 0x80 ? p[i] : (unsigned char)(0x80 | (p[i] & 0x3f));
	}
	return k;
}

static void set_up(void)
{
	uint32_t x = 2463534242u;
	unsigned char *utf8 = malloc(2 * N);

	for (int i = 0; i < N; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		plain[i] = (unsigned char)(x >> 11);
	}
	text = source_mem_take(utf8, encode(plain, N, utf8));
}

static struct source *open_text(struct source *utf8, uint64_t size)
{
	struct source *s = NULL;

	EQ_I64(source_latin1(utf8, size, &s, NULL), 0);
	return s;
}

static void check_range(struct source *s, uint64_t off, size_t len)
{
	static unsigned char buf[N];

	EQ_I64(source_read(s, buf, len, off, NULL), 0);
	OK(memcmp(buf, plain + off, len) == 0);
}

static void all_of_it_reads_back(void)
{
	struct source *s = open_text(text, N);

	EQ_I64(s->size, N);
	check_range(s, 0, N);
	source_unref(s);
}

static void counting_finds_the_size(void)
{
	struct source *s = open_text(text, UINT64_MAX), *none = source_mem_borrow("", 0);

	EQ_I64(s->size, N);
	check_range(s, N - 1, 1);
	source_unref(s);
	s = open_text(none, UINT64_MAX);
	EQ_I64(s->size, 0);
	source_unref(s);
	source_unref(none);
}

static void random_reads_in_any_order_agree(void)
{
	struct source *s = open_text(text, N);
	uint64_t x = 88172645463325252u, off;

	check_range(s, N - 5, 5); /* far first: the marks grow up to there */
	for (int i = 0; i < 300; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		off = x % N;
		check_range(s, off, (size_t)((x >> 40) % (N - off) % 3000));
	}
	source_unref(s);
}

/* Two-byte characters shifted by one, so that every mark meets both halves of one. */
static void characters_on_the_mark_are_whole(void)
{
	for (int shift = 0; shift < 2; shift++) {
		size_t chars = MARK + 50;
		unsigned char *raw = malloc(chars), *utf8 = malloc(2 * chars), got[40];
		struct source *m, *s;
		int wrong = 0;

		memset(raw, 'a', (size_t)shift);
		for (size_t i = (size_t)shift; i < chars; i++)
			raw[i] = (unsigned char)(0x80 + i % 128);
		m = source_mem_take(utf8, encode(raw, chars, utf8));
		s = open_text(m, chars);
		for (uint64_t off = MARK / 2 - 40; off < MARK / 2 + 4; off++) {
			wrong += source_read(s, got, 40, off, NULL) != 0;
			wrong += memcmp(got, raw + off, 40) != 0;
		}
		wrong += source_read(s, got, 40, chars - 40, NULL) != 0;
		wrong += memcmp(got, raw + chars - 40, 40) != 0;
		EQ_I64(wrong, 0);
		source_unref(s);
		source_unref(m);
		free(raw);
	}
}

static void damage(const char *p, size_t n, uint64_t size, uint64_t good, const char *says)
{
	struct source *m = source_mem_borrow(p, n), *s = open_text(m, size);
	struct err e = {0};
	char buf[64];

	EQ_I64(source_read(s, buf, (size_t)good, 0, &e), 0);
	EQ_I64(source_read(s, buf, (size_t)size, 0, &e), ERR_DAMAGED);
	HAS(e.text, says);
	/* Asked for behind the damage, it is found on the way. */
	EQ_I64(source_read(s, buf, 1, size - 1, &e), ERR_DAMAGED);
	source_unref(s);
	source_unref(m);
}

static void bad_text_is_damaged_where_it_is_bad(void)
{
	damage("ab\x80z", 4, 4, 2, "byte 0x80 at offset 2");
	damage("ab\xc4\x80z", 5, 4, 2, "byte 0xc4 at offset 2"); /* U+0100 */
	damage("ab\xc1\xbfz", 5, 4, 2, "byte 0xc1 at offset 2"); /* overlong */
	damage("ab\xe2\x82\xac", 5, 3, 2, "byte 0xe2 at offset 2");
	damage("ab\xc3z", 4, 4, 2, "byte 0xc3 at offset 2");
	damage("ab\xc3", 3, 3, 2, "byte 0xc3 at offset 2"); /* cut in the middle */
	damage("ab", 2, 3, 2, "the text ends after 2 bytes");
	damage("abcd", 4, 3, 2, "the text goes on at offset 3");
}

static void counting_bad_text_fails_at_once(void)
{
	struct source *m = source_mem_borrow("ab\xff", 3), *s = NULL;
	struct err e;

	EQ_I64(source_latin1(m, UINT64_MAX, &s, &e), ERR_DAMAGED);
	HAS(e.text, "byte 0xff at offset 2");
	OK(s == NULL);
	EQ_I64(atomic_load(&m->refs), 1);
	source_unref(m);
}

/* Behind two marks: what lies before it is served, whatever was asked for first. */
static void damage_far_in_leaves_the_front_readable(void)
{
	static char far[3 * MARK];
	struct source *m = source_mem_borrow(far, sizeof far), *s;
	struct err e;
	char buf[8];

	memset(far, 'f', sizeof far);
	far[2 * MARK + 100] = '\xff';
	s = open_text(m, sizeof far);
	EQ_I64(source_read(s, buf, 8, sizeof far - 8, &e), ERR_DAMAGED);
	HAS(e.text, "offset 131172");
	EQ_I64(source_read(s, buf, 8, 2 * MARK + 92, &e), 0);
	EQ_I64(source_read(s, buf, 8, 2 * MARK + 93, &e), ERR_DAMAGED);
	EQ_I64(source_read(s, buf, 8, 0, &e), 0);
	source_unref(s);
	source_unref(m);
}

static void *read_all_over(void *s)
{
	static _Thread_local unsigned char buf[512];
	intptr_t bad = 0;

	for (uint64_t off = 0; off + 512 < N; off += 9973) {
		bad += source_read(s, buf, 512, off, NULL) != 0;
		bad += memcmp(buf, plain + off, 512) != 0;
	}
	return (void *)bad;
}

static void threads_share_one_source(void)
{
	struct source *s = open_text(text, N);
	pthread_t t[4];
	void *bad;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, read_all_over, s);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		EQ_I64((intptr_t)bad, 0);
	}
	source_unref(s);
}

int main(void)
{
	set_up();
	TEST(all_of_it_reads_back);
	TEST(counting_finds_the_size);
	TEST(random_reads_in_any_order_agree);
	TEST(characters_on_the_mark_are_whole);
	TEST(bad_text_is_damaged_where_it_is_bad);
	TEST(counting_bad_text_fails_at_once);
	TEST(damage_far_in_leaves_the_front_readable);
	TEST(threads_share_one_source);
	source_unref(text);
	return tap_done();
}
