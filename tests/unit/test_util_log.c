/* The ring of messages. */
#include <pthfs/log.h>
#include <pthread.h>

#include "tap.h"

static unsigned sunk;
static char last[700];

static void sink(const char *line)
{
	sunk++;
	snprintf(last, sizeof last, "%s", line);
}

static size_t lines(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static void a_line_is_the_time_and_the_message(void)
{
	struct log *l = log_new();
	struct buf b;

	buf_init(&b, 4096);
	log_add(l, "opened %d\nagain", 3);
	log_text(l, &b);
	EQ_I64(b.n, strlen("HH:MM:SS opened 3 again\n"));
	OK(b.p[2] == ':' && b.p[5] == ':');
	OK(str_ends(buf_view(&b), STR(" opened 3 again\n")));
	buf_release(&b);
	log_free(l);
}

static void only_the_last_256_are_kept_oldest_first(void)
{
	struct log *l = log_new();
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 300; i++)
		log_add(l, "message %d.", i);
	log_text(l, &b);
	buf_putc(&b, 0);
	EQ_I64(lines(buf_view(&b)), 256);
	OK(strncmp(b.p + 9, "message 44.", 11) == 0);
	HAS(b.p, "message 299.");
	OK(!strstr(b.p, "message 43."));
	buf_release(&b);
	log_free(l);
}

static void the_sink_gets_every_line_without_the_time(void)
{
	struct log *l = log_new();

	log_add(l, "before");
	log_sink(l, sink);
	log_add(l, "seen");
	EQ_I64(sunk, 1);
	EQ_STR(last, "seen");
	log_sink(l, NULL);
	log_add(l, "after");
	EQ_I64(sunk, 1);
	log_free(l);
	log_free(NULL);
}

/* What is no trouble is not told to syslog. */
static void a_note_is_in_the_log_and_not_in_the_sink(void)
{
	struct log *l = log_new();
	struct buf b;

	buf_init(&b, 4096);
	sunk = 0;
	log_sink(l, sink);
	log_note(l, "note: %d", 7);
	EQ_I64(sunk, 0);
	log_text(l, &b);
	OK(str_ends(buf_view(&b), STR(" note: 7\n")));
	buf_release(&b);
	log_free(l);
}

static void *shout(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_add(arg, "%d", i);
	return NULL;
}

static void threads_may_log_at_once(void)
{
	struct log *l = log_new();
	pthread_t t[4];
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, shout, l);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	log_text(l, &b);
	EQ_I64(lines(buf_view(&b)), 256);
	buf_release(&b);
	log_free(l);
}

int main(void)
{
	TEST(a_line_is_the_time_and_the_message);
	TEST(only_the_last_256_are_kept_oldest_first);
	TEST(the_sink_gets_every_line_without_the_time);
	TEST(a_note_is_in_the_log_and_not_in_the_sink);
	TEST(threads_may_log_at_once);
	return tap_done();
}
