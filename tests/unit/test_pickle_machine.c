/* What the graph looks like behind a pickle: identity, cycles, spans, sizes, hostile shapes. */
#include "tap.h"
#include "unpickled.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void gets_are_the_same_object(void)
{
	struct unpickled u;
	const oref *items;
	uint32_t n;

	UNPICKLE(&u, "(]q\x00h\x00]t.");
	items = obj_items(&u.g, u.top, &n);
	EQ_I64(n, 3);
	OK(items[0] == items[1] && items[0] != items[2]);
	unpickled_release(&u);
}

/* A list that was put before its items came is the same list. */
static void gets_see_later_items(void)
{
	EQ_STR(REPR("(]q\x00h\x00K\x01"
		    "at."),
		"([1], [1])");
}

static void a_list_in_itself(void)
{
	EQ_STR(REPR("]q\x00h\x00"
		    "a."),
		"[[...]]");
	EQ_STR(REPR("}q\x00K\x01h\x00s."), "{1: {...}}");
}

/* t = ([t],): CPython pops what it built and gets the finished tuple (pickle.md section 3). */
static void a_recursive_tuple(void)
{
	EQ_STR(REPR("]q\x00h\x00\x85q\x01"
		    "a0h\x01."),
		"([(...)],)");
}

static void offsets_point_at_the_opcode(void)
{
	struct unpickled u;
	const oref *items;
	uint32_t n;

	UNPICKLE(&u, "\x80\x02\x8c\x01x]\x86.");
	items = obj_items(&u.g, u.top, &n);
	EQ_I64(n, 2);
	EQ_I64(obj_off(&u.g, items[0]), 2);
	EQ_I64(obj_off(&u.g, items[1]), 5);
	EQ_I64(obj_off(&u.g, u.top), 6);
	unpickled_release(&u);
}

static void two_pickles_in_a_row(void)
{
	struct unpickled u;
	oref second = OREF_NIL;

	UNPICKLE(&u, "K\x01.\x8c\x01y.");
	EQ_I64(u.rc, 0);
	EQ_I64(pickle_load(&u.reader, &u.g, &second, NULL, &u.e), 0);
	OK(obj_is_text(&u.g, second, "y"));
	EQ_I64(obj_off(&u.g, second), 0); /* offsets are the pickle's own */
	EQ_I64(pickle_load(&u.reader, &u.g, &second, NULL, &u.e), ERR_TRUNCATED);
	unpickled_release(&u);
}

/* Long text stays in the file; the source reads it where it is. */
static void long_texts_are_spans(void)
{
	static char text[5 + 100000 + 1];
	struct unpickled u;
	struct source *src = NULL;
	struct str s;
	char part[3];

	memcpy(text, "X\xa0\x86\x01\x00", 5);
	memset(text + 5, 'a', 100000);
	memcpy(text + 5 + 99997, "xyz.", 4);
	unpickle(&u, text, sizeof text);
	EQ_I64(u.rc, 0);
	OK(obj_flags(&u.g, u.top) & OBJ_SPAN);
	OK(!obj_text(&u.g, u.top, &s));
	EQ_I64(obj_text_len(&u.g, u.top), 100000);
	EQ_I64(u.g.text.used, 0);
	EQ_I64(obj_text_source(&u.g, u.top, &src, &u.e), 0);
	EQ_I64(source_read(src, part, 3, 99997, &u.e), 0);
	EQ_MEM(part, 3, "xyz", 3);
	source_unref(src);
	unpickled_release(&u);
}

/* At the limit it is still copied; all spans share one reference on the source. */
static void one_reference_for_all_spans(void)
{
	size_t one = 5 + OBJ_INLINE_MAX, n = 0;
	char *text = calloc(1, 4 * one + 16);
	struct unpickled u;

	for (uint32_t extra = 0; extra < 3; extra++) {
		uint32_t len = OBJ_INLINE_MAX + (extra ? 1 : 0);

		text[n++] = 'B';
		memcpy(text + n, &len, 4);
		n += 4 + len;
	}
	memcpy(text + n, "\x87.", 2);
	unpickle(&u, text, n + 2);
	EQ_I64(u.rc, 0);
	EQ_I64(u.g.spans.n, 2);
	EQ_I64(u.g.srcs.n, 1);
	EQ_I64(atomic_load(&u.src->refs), 2);
	unpickled_release(&u);
	free(text);
}

static void text_that_is_not_utf8_is_flagged(void)
{
	struct unpickled u;

	UNPICKLE(&u, "\x8c\x02\xff\xfe.");
	OK(obj_flags(&u.g, u.top) & OBJ_BAD_UTF8);
	unpickled_release(&u);
	UNPICKLE(&u, "\x8c\x02\xc3\xa9.");
	OK(!(obj_flags(&u.g, u.top) & OBJ_BAD_UTF8));
	unpickled_release(&u);
}

/* The promise of pickle.h: 64 bytes for each byte of pickle, at the peak, and a fixed window. The
 * peak is that of a child process, so that no other test is in it; sanitizers keep more. */
static void check_memory(const char *what, const char *text, size_t n)
{
	struct rusage empty = {0}, full = {0};
	struct unpickled u;
	int status = 0;

	for (int load = 0; load < 2; load++) {
		pid_t pid = fork();

		if (pid == 0) {
			unpickle(&u, load ? text : "N.", load ? n : 2);
			_exit(u.rc != 0);
		}
		wait4(pid, &status, 0, load ? &full : &empty);
	}
	if (status != 0) {
		tap_bad++;
		printf("# %s: not loaded\n", STR_SHOW(str_of(what)));
	}
#ifndef __SANITIZE_ADDRESS__
	if (full.ru_maxrss - empty.ru_maxrss > (long)(64 * n >> 10) + 512) {
		tap_bad++;
		printf("# %s: %ld KiB at the peak for %zu KiB of pickle\n", STR_SHOW(str_of(what)),
			full.ru_maxrss - empty.ru_maxrss, n >> 10);
	}
#endif
}

/* first, then `times` of what, then last. */
static char *repeat(
	const char *first, size_t times, const char *what, size_t len, const char *last, size_t *n)
{
	size_t head = strlen(first), tail = strlen(last);
	char *text = malloc(head + times * len + tail);

	memcpy(text, first, head);
	for (size_t i = 0; i < times; i++)
		memcpy(text + head + i * len, what, len);
	memcpy(text + head + times * len, last, tail);
	*n = head + times * len + tail;
	return text;
}

/* The opcodes that give most for a byte, alone and together. */
static void memory_for_each_byte_is_bounded(void)
{
	static const struct {
		const char *first, *what;
		size_t len;
		const char *last;
	} cases[] = {
		{"(", "]", 1, "1N."},
		{"(", "}", 1, "l."},
		{"(", "]\x94", 2, "1N."},
		{"(N", "\x94]\x94", 3, "t."},
		{"(N", "2", 1, "l."},
		{"]", "Na", 2, "."},
		{"}", "NNs", 3, "."},
		{"(", "c\n\n", 3, "t."},
		{"N", "\x85", 1, "."},
		{"(", "U\0", 2, "l."},
		{"(", "G\0\0\0\0\0\0\0\0", 9, "l."},
		{"(cm\nC\nq\1", "h\1)R)b", 6, "l."},
		{"(cm\nC\n", "2)R)b", 5, "l."},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n;
		char *text = repeat(
			cases[i].first, 500000, cases[i].what, cases[i].len, cases[i].last, &n);

		check_memory(cases[i].what, text, n);
		free(text);
	}
}

static void a_million_nested_lists(void)
{
	size_t n;
	char *text = malloc(2000001);
	struct unpickled u;
	struct buf out;

	memset(text, ']', 1000000);
	memset(text + 1000000, 'a', 999999);
	text[1999999] = '.';
	n = 2000000;
	unpickle(&u, text, n);
	EQ_I64(u.rc, 0);
	buf_init(&out, 4 << 20);
	EQ_I64(obj_repr(&u.g, u.top, &out, &u.e), 0);
	EQ_I64(out.n, 2000000);
	buf_release(&out);
	unpickled_release(&u);
	check_memory("nested lists", text, n);
	free(text);
}

static void a_million_nested_tuples(void)
{
	size_t n;
	char *text = repeat(")", 1000000, "\x85", 1, ".", &n);
	struct unpickled u;
	struct buf out;
	struct json j;

	unpickle(&u, text, n);
	EQ_I64(u.rc, 0);
	buf_init(&out, 4 << 20);
	json_init(&j, &out);
	EQ_I64(obj_json(&u.g, u.top, NULL, NULL, &j, &u.e), 0);
	EQ_I64(out.n, 2000002);
	EQ_I64(graph_dedupe(&u.g), 0);
	buf_release(&out);
	unpickled_release(&u);
	free(text);
}

/* 2^60 leaves in 244 opcodes: one node each, and the output's limit ends the walk. */
static void a_memo_bomb_stays_small(void)
{
	char text[400];
	struct unpickled u;
	struct buf out;
	int n = 0;

	text[n++] = ')';
	for (int i = 0; i < 60; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "q%ch%c\x86", i + 1, i + 1);
	text[n++] = '.';
	unpickle(&u, text, (size_t)n);
	EQ_I64(u.rc, 0);
	OK(u.g.nodes.n < 70);
	buf_init(&out, 1 << 16);
	EQ_I64(obj_repr(&u.g, u.top, &out, &u.e), ERR_LIMIT);
	HAS(u.e.text, "longer than 65536 bytes");
	buf_release(&out);
	unpickled_release(&u);
}

/* Ten bytes that made CPython allocate gigabytes (CVE-2018-20406). */
static void a_wild_memo_number_costs_nothing(void)
{
	check_memory("wild put", "]r\xff\xff\xff\xff.", 7);
	check_memory("wild put", "]r\xfe\xff\xff\xff.", 7);
}

/* Sparse numbers in any order, some of which become dense later. */
static void many_wild_memo_numbers(void)
{
	enum { N = 3000 };
	char *text = malloc(N * 20);
	struct unpickled u;
	const oref *items;
	uint32_t n_items;
	int64_t v;
	size_t n = 0;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t key = i % 3 ? i * 2654435761u : i;

		text[n++] = 'M';
		text[n++] = (char)i;
		text[n++] = (char)(i >> 8);
		text[n++] = 'r';
		memcpy(text + n, &key, 4);
		n += 4;
		text[n++] = '0';
	}
	text[n++] = '(';
	for (uint32_t i = 0; i < N; i++) {
		uint32_t key = i % 3 ? i * 2654435761u : i;

		text[n++] = 'j';
		memcpy(text + n, &key, 4);
		n += 4;
	}
	memcpy(text + n, "t.", 2);
	unpickle(&u, text, n + 2);
	EQ_I64(u.rc, 0);
	items = obj_items(&u.g, u.top, &n_items);
	EQ_I64(n_items, N);
	for (uint32_t i = 0; i < n_items; i++)
		if (!obj_int(&u.g, items[i], &v) || v != i)
			tap_bad++;
	unpickled_release(&u);
	free(text);
}

static void long_integers_beyond_the_inline_limit_are_spans(void)
{
	uint32_t len = OBJ_INLINE_MAX + 1;
	char *text = calloc(1, 5 + len + 1);
	struct unpickled u;

	text[0] = (char)0x8b;
	memcpy(text + 1, &len, 4);
	text[5 + len] = '.';
	unpickle(&u, text, 5 + len + 1);
	EQ_I64(u.rc, 0);
	EQ_I64(obj_kind(&u.g, u.top), OBJ_KIND_LONG);
	OK(obj_flags(&u.g, u.top) & OBJ_SPAN);
	unpickled_release(&u);
	free(text);
}

int main(void)
{
	TEST(gets_are_the_same_object);
	TEST(gets_see_later_items);
	TEST(a_list_in_itself);
	TEST(a_recursive_tuple);
	TEST(offsets_point_at_the_opcode);
	TEST(two_pickles_in_a_row);
	TEST(long_texts_are_spans);
	TEST(one_reference_for_all_spans);
	TEST(text_that_is_not_utf8_is_flagged);
	TEST(memory_for_each_byte_is_bounded);
	TEST(a_million_nested_lists);
	TEST(a_million_nested_tuples);
	TEST(a_memo_bomb_stays_small);
	TEST(a_wild_memo_number_costs_nothing);
	TEST(many_wild_memo_numbers);
	TEST(long_integers_beyond_the_inline_limit_are_spans);
	return tap_done();
}
