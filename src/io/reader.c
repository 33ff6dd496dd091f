/* reader.c - the slow half of the reader: when the window does not hold what is asked for.
 *
 *	src:  ........[ win_off .... pos ....... win_off + win_len ) ......... end
 *
 * Refilling keeps what lies between pos and the end of the window, so a forward walk reads no byte
 * twice. The window is READER_WINDOW + 1 bytes at most, so that a line of READER_WINDOW bytes fits
 * with its line break, and no larger than the range itself.
 */
#include <pthfs/reader.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int too_few(const struct reader *r, uint64_t n, struct err *e)
{
	return err_set(e, ERR_EOF,
		"%" PRIu64 " bytes wanted at offset %" PRIu64 ", only %" PRIu64 " are left", n,
		r->pos, reader_left(r));
}

int reader_init(struct reader *r, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	size_t cap = len < READER_WINDOW + 1 ? (size_t)len : READER_WINDOW + 1;
	char *win;

	if (len > src->size || off > src->size - len)
		return err_set(e, ERR_EOF,
			"%" PRIu64 " bytes wanted at offset %" PRIu64
			", but there are only %" PRIu64 " bytes",
			len, off, src->size);
	win = malloc(cap ? cap : 1);
	if (!win)
		return err_nomem(e);
	*r = (struct reader){
		.src = src,
		.pos = off,
		.end = off + len,
		.win = win,
		.win_off = off,
		.win_cap = cap,
	};
	return 0;
}

void reader_release(struct reader *r)
{
	free(r->win);
	*r = (struct reader){0};
}

/* How much of the window lies at pos and behind. */
static size_t held(const struct reader *r)
{
	uint64_t gone = r->pos - r->win_off;

	return gone < r->win_len ? r->win_len - (size_t)gone : 0;
}

int reader_refill(struct reader *r, size_t n, struct err *e)
{
	size_t have = held(r), more;
	int ret;

	if (n > reader_left(r))
		return too_few(r, n, e);
	if (n > READER_WINDOW + 1)
		return err_set(e, ERR_LIMIT,
			"%zu bytes wanted at offset %" PRIu64 ", at most %u at once", n, r->pos,
			READER_WINDOW);
	if (have && r->pos != r->win_off)
		memmove(r->win, r->win + (r->pos - r->win_off), have);
	r->win_off = r->pos;
	r->win_len = have;
	more = r->win_cap - have;
	if (more > reader_left(r) - have)
		more = (size_t)(reader_left(r) - have);
	ret = source_read(r->src, r->win + have, more, r->pos + have, e);
	if (ret < 0)
		return ret;
	r->win_len = have + more;
	return 0;
}

int reader_line(struct reader *r, size_t max, struct str *ret, struct err *e)
{
	size_t n = held(r), looked = 0;
	const char *p, *stop = NULL;
	int err;

	if (max > READER_WINDOW)
		max = READER_WINDOW;
	for (;;) {
		p = n ? r->win + (r->pos - r->win_off) : r->win;
		if (n > max + 1)
			n = max + 1;
		if (n > looked)
			stop = memchr(p + looked, '\n', n - looked);
		if (stop)
			break;
		if (n > max)
			return err_set(e, ERR_DAMAGED,
				"the line at offset %" PRIu64 " is longer than %zu bytes", r->pos,
				max);
		if (n >= reader_left(r))
			return err_set(e, ERR_EOF,
				"no end of the line at offset %" PRIu64 " in the %" PRIu64
				" bytes that are left",
				r->pos, reader_left(r));
		looked = n;
		err = reader_refill(r, n + 1, e);
		if (err < 0)
			return err;
		n = held(r);
	}
	*ret = (struct str){p, (size_t)(stop - p)};
	r->pos += ret->n + 1;
	return 0;
}

int reader_skip(struct reader *r, uint64_t n, struct err *e)
{
	if (n > reader_left(r))
		return too_few(r, n, e);
	r->pos += n;
	return 0;
}
