/* buf.c - text and bytes that grow up to a maximum.
 *
 * Invariants: n <= max, n <= cap; p is NULL exactly when cap is 0. Once .failed is set every
 * further append does nothing, so what is there is always a prefix of what was meant. Memory may
 * be one byte more than max, which buf_printf() needs for its NUL.
 */
#include <pthfs/str.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

/* Room for n further bytes of content and one more; or sets .failed. */
static bool room(struct buf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->failed)
		return false;
	if (n > b->max - b->n || n >= SIZE_MAX - b->n) {
		b->failed = true;
		return false;
	}
	if (b->cap > b->n + n)
		return true;
	cap = b->cap + b->cap / 2 + 64;
	if (cap < b->cap || cap > b->max)
		cap = b->max < SIZE_MAX ? b->max + 1 : SIZE_MAX;
	if (cap < b->n + n + 1)
		cap = b->n + n + 1;
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_put(struct buf *b, const void *data, size_t n)
{
	if (n == 0 || !room(b, n))
		return;
	memcpy(b->p + b->n, data, n);
	b->n += n;
}

void buf_puts(struct buf *b, const char *cstr)
{
	buf_put(b, cstr, strlen(cstr));
}

void buf_putc(struct buf *b, char c)
{
	if (b->cap > b->n + 1 && b->n < b->max && !b->failed)
		b->p[b->n++] = c;
	else
		buf_put(b, &c, 1);
}

void buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	int n;
	va_list ap;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof small) {
		buf_put(b, small, (size_t)n);
		return;
	}
	if (!room(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

struct str buf_view(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

char *buf_steal(struct buf *b, size_t *n)
{
	char *p = b->p;

	*n = b->n;
	if (b->n == 0) {
		free(p);
		p = NULL;
	}
	*b = (struct buf){.max = b->max};
	return p;
}
