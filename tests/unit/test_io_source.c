/* Memory, windows, and the checks all sources share. */
#include <pthfs/source.h>
#include <stdlib.h>

#include "tap.h"

static int closed;

static void probe_close(struct source *s)
{
	closed++;
}

/* Fails the test when the shared code lets a read through that it should have answered. */
static int probe_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	OK(len > 0 && off + len <= s->size);
	memset(buf, 'p', len);
	return 0;
}

static int probe_raw(struct source *s, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	*ret_off = off + 1000;
	return 77;
}

static const struct source_ops probe_ops = {"probe", probe_read, probe_raw, probe_close};

static void the_last_reference_closes(void)
{
	struct source s;

	closed = 0;
	source_init(&s, &probe_ops, 10);
	OK(source_ref(&s) == &s);
	source_unref(&s);
	EQ_I64(closed, 0);
	source_unref(&s);
	EQ_I64(closed, 1);
	source_unref(NULL);
}

static void reads_outside_never_reach_the_source(void)
{
	struct source s;
	struct err e;
	char buf[16] = "untouched";

	source_init(&s, &probe_ops, 10);
	EQ_I64(source_read(&s, buf, 11, 0, &e), ERR_TRUNCATED);
	EQ_STR(e.text, "11 bytes wanted at offset 0, but there are only 10 bytes");
	EQ_I64(source_read(&s, buf, 1, 10, &e), ERR_TRUNCATED);
	EQ_I64(source_read(&s, buf, 2, UINT64_MAX, &e), ERR_TRUNCATED);
	EQ_I64(source_read(&s, buf, SIZE_MAX, 1, NULL), ERR_TRUNCATED);
	EQ_STR(buf, "untouched");
	EQ_I64(source_read(&s, buf, 0, 10, &e), 0);
	EQ_I64(source_read(&s, buf, 0, 11, &e), ERR_TRUNCATED);
	EQ_I64(source_read(&s, buf, 10, 0, &e), 0);
	EQ_I64(buf[9], 'p');
}

static void raw_is_asked_only_inside(void)
{
	struct source s, *m = source_mem_borrow("abc", 3);
	uint64_t off = 5;

	source_init(&s, &probe_ops, 10);
	EQ_I64(source_raw(&s, 4, 6, &off), 77);
	EQ_I64(off, 1004);
	EQ_I64(source_raw(&s, 4, 7, &off), -1);
	EQ_I64(source_raw(&s, UINT64_MAX, 2, &off), -1);
	EQ_I64(source_raw(m, 0, 1, &off), -1);
	source_unref(m);
}

static void memory_is_read_where_asked(void)
{
	char buf[4] = {0}, *own = strdup("owned");
	struct source *b = source_mem_borrow("borrowed", 8), *t = source_mem_take(own, 5);

	EQ_I64(source_read(b, buf, 4, 4, NULL), 0);
	EQ_MEM(buf, 4, "owed", 4);
	EQ_I64(source_read(t, buf, 3, 2, NULL), 0);
	EQ_MEM(buf, 3, "ned", 3);
	EQ_I64(t->size, 5);
	source_unref(b);
	source_unref(t);
}

static void a_window_shows_its_part_and_no_more(void)
{
	struct source *m = source_mem_borrow("0123456789", 10), *w = source_window(m, 3, 4);
	char buf[8] = {0};

	EQ_I64(w->size, 4);
	EQ_I64(source_read(w, buf, 4, 0, NULL), 0);
	EQ_MEM(buf, 4, "3456", 4);
	EQ_I64(source_read(w, buf, 1, 3, NULL), 0);
	EQ_MEM(buf, 1, "6", 1);
	EQ_I64(source_read(w, buf, 2, 3, NULL), ERR_TRUNCATED);
	source_unref(m); /* the window holds its own reference */
	EQ_I64(source_read(w, buf, 1, 0, NULL), 0);
	source_unref(w);
}

static void a_window_must_lie_inside(void)
{
	struct source *m = source_mem_borrow("0123456789", 10), *w;

	OK(source_window(m, 3, 8) == NULL);
	OK(source_window(m, 11, 0) == NULL);
	OK(source_window(m, UINT64_MAX, 2) == NULL);
	OK(source_window(m, 0, UINT64_MAX) == NULL);
	w = source_window(m, 10, 0);
	OK(w && w->size == 0);
	source_unref(w);
	source_unref(m);
}

static void a_window_of_a_window_hangs_on_the_base(void)
{
	struct source *m = source_mem_borrow("0123456789", 10);
	struct source *w = source_window(m, 2, 6), *v = source_window(w, 1, 3);
	char buf[4] = {0};

	EQ_I64(atomic_load(&w->refs), 1);
	EQ_I64(atomic_load(&m->refs), 3);
	source_unref(w);
	EQ_I64(source_read(v, buf, 3, 0, NULL), 0);
	EQ_MEM(buf, 3, "345", 3);
	source_unref(v);
	EQ_I64(atomic_load(&m->refs), 1);
	source_unref(m);
}

static void a_window_on_everything_is_the_source(void)
{
	struct source *m = source_mem_borrow("0123456789", 10), *w = source_window(m, 0, 10);

	OK(w == m);
	source_unref(w);
	source_unref(m);
}

static void raw_offsets_add_up_through_windows(void)
{
	struct source s, *w, *v;
	uint64_t off;

	source_init(&s, &probe_ops, 100);
	w = source_window(&s, 10, 50);
	v = source_window(w, 5, 20);
	EQ_I64(source_raw(v, 2, 18, &off), 77);
	EQ_I64(off, 1017);
	EQ_I64(source_raw(v, 2, 19, &off), -1);
	source_unref(v);
	source_unref(w);
}

int main(void)
{
	TEST(the_last_reference_closes);
	TEST(reads_outside_never_reach_the_source);
	TEST(raw_is_asked_only_inside);
	TEST(memory_is_read_where_asked);
	TEST(a_window_shows_its_part_and_no_more);
	TEST(a_window_must_lie_inside);
	TEST(a_window_of_a_window_hangs_on_the_base);
	TEST(a_window_on_everything_is_the_source);
	TEST(raw_offsets_add_up_through_windows);
	return tap_done();
}
