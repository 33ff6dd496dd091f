/* log.c - the last 256 messages of one mounted file.
 *
 *	line[(first + i) % LINES], i in [0, n): oldest first
 *
 * The sink is called after the lock is dropped, so it may take its time, or log. Lines of two
 * threads can therefore reach the sink in another order than the ring's. A message is one line:
 * line breaks in it become spaces. Without memory the ring drops a message; the sink still gets it.
 */
#include <pthfs/log.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 256
#define LINE_MAX_BYTES 640

struct log {
	pthread_mutex_t lock; /* protects all below */
	char *line[LINES];    /* "HH:MM:SS message", malloc */
	size_t first, n;
	void (*sink)(const char *line);
};

struct log *log_new(void)
{
	struct log *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < LINES; i++)
		free(l->line[i]);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* "HH:MM:SS " into out. Returns its length. */
static size_t stamp(char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm))
		memset(&tm, 0, sizeof tm);
	return strftime(out, size, "%H:%M:%S ", &tm);
}

static void keep(struct log *l, char *line)
{
	size_t at = (l->first + l->n) % LINES;

	if (l->n == LINES) {
		free(l->line[at]);
		l->first = (l->first + 1) % LINES;
	} else {
		l->n++;
	}
	l->line[at] = line;
}

static void add(struct log *l, bool aloud, const char *fmt, va_list ap)
		__attribute__((format(printf, 3, 0)));
static void add(struct log *l, bool aloud, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES], *copy;
	size_t at = stamp(text, sizeof text);
	void (*sink)(const char *line);

	if (!l)
		return;
	text[at] = 0;
	vsnprintf(text + at, sizeof text - at, fmt, ap);
	for (char *p = text; (p = strpbrk(p, "\r\n"));)
		*p = ' ';
	copy = strdup(text);
	pthread_mutex_lock(&l->lock);
	if (copy)
		keep(l, copy);
	sink = aloud ? l->sink : NULL;
	pthread_mutex_unlock(&l->lock);
	if (sink)
		sink(text + at);
}

void log_add(struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(l, true, fmt, ap);
	va_end(ap);
}

void log_note(struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(l, false, fmt, ap);
	va_end(ap);
}

void log_text(struct log *l, struct buf *out)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(out, l->line[(l->first + i) % LINES]);
		buf_putc(out, '\n');
	}
	pthread_mutex_unlock(&l->lock);
}

void log_sink(struct log *l, void (*fn)(const char *line))
{
	pthread_mutex_lock(&l->lock);
	l->sink = fn;
	pthread_mutex_unlock(&l->lock);
}
