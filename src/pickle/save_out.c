/* save_out.c - bytes on their way out, memo numbers, and where writing has to end.
 *
 * Every object visited writes at least one byte, and an honest graph writes few for each word it
 * has; so one limit on the bytes, made from the size of the graph, ends everything that goes round
 * in circles: shared persistent ids within persistent ids, calls that hold themselves.
 *
 * A put is "q u1" up to 255 and "r u4" above, a get "h u1" or "j u4" (formats/pickle.md section 3).
 */
#include "saver.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define BYTES_PER_WORD 64

static uint64_t limit_for(const struct graph *g)
{
	uint64_t words = (uint64_t)g->nodes.n + g->pool.n + g->extra.n, spans = 0, text;

	for (size_t i = 0; i < g->spans.n; i++)
		if (__builtin_add_overflow(spans, g->spans.at[i].len, &spans))
			return UINT64_MAX;
	if (__builtin_add_overflow(spans, g->text.used, &text) ||
			__builtin_mul_overflow(text, 2, &text) ||
			__builtin_add_overflow(text, words * BYTES_PER_WORD + 65536, &text))
		return UINT64_MAX;
	return text;
}

int save_init(struct saver *s)
{
	s->limit = limit_for(s->g);
	s->memo = malloc(s->g->nodes.n * sizeof *s->memo);
	if (!s->memo)
		return err_nomem(s->e);
	memset(s->memo, 0xff, s->g->nodes.n * sizeof *s->memo); /* NO_MEMO */
	for (int i = 0; i < HELPERS; i++) {
		s->helper[i].r = OREF_NIL;
		s->helper[i].memo = NO_MEMO;
	}
	return 0;
}

void save_release(struct saver *s)
{
	free(s->memo);
	free(s->uses);
	vec_release(&s->frames);
}

void save_fail(struct saver *s, int code, oref r, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	if (s->rc < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->rc = err_set(s->e, code, "%s (made at byte %" PRIu32 " of its pickle)", text,
			obj_off(s->g, r));
}

void save_flush(struct saver *s)
{
	if (s->rc == 0 && s->n)
		s->rc = s->out->bytes(s->out->ctx, s->buf, s->n, s->e);
	s->n = 0;
}

static bool within_limit(struct saver *s, uint64_t n)
{
	if (s->rc == 0 && n > s->limit - s->total)
		s->rc = err_set(s->e, ERR_LIMIT,
				"the objects repeat themselves: over %" PRIu64
				" bytes of pickle for %zu of them",
				s->limit, s->g->nodes.n);
	if (s->rc < 0)
		return false;
	s->total += n;
	return true;
}

void save_bytes(struct saver *s, const void *p, size_t n)
{
	if (n == 0 || !within_limit(s, n))
		return;
	if (n > sizeof s->buf - s->n)
		save_flush(s);
	if (n <= sizeof s->buf) {
		memcpy(s->buf + s->n, p, n);
		s->n += n;
	} else if (s->rc == 0) {
		s->rc = s->out->bytes(s->out->ctx, p, n, s->e);
	}
}

void save_byte(struct saver *s, uint8_t byte)
{
	save_bytes(s, &byte, 1);
}

void save_op(struct saver *s, uint8_t op, uint64_t arg, unsigned width)
{
	unsigned char text[9] = {op};

	arg = htole64(arg);
	memcpy(text + 1, &arg, width);
	save_bytes(s, text, 1 + width);
}

static void copy_run(struct saver *s, struct source *src, uint64_t off, uint64_t len)
{
	size_t n;

	for (; len && s->rc == 0; off += n, len -= n) {
		n = len < sizeof s->buf ? (size_t)len : sizeof s->buf;
		s->rc = source_read(src, s->buf, n, off, s->e);
		s->n = n;
		save_flush(s);
	}
}

void save_run(struct saver *s, struct source *src, uint64_t off, uint64_t len)
{
	if (!within_limit(s, len))
		return;
	save_flush(s);
	if (!s->out->run)
		copy_run(s, src, off, len);
	else if (s->rc == 0)
		s->rc = s->out->run(s->out->ctx, src, off, len, s->e);
}

bool save_has(const struct saver *s, oref r)
{
	return r < s->g->nodes.n && s->memo[r] < MEMO_OPEN;
}

uint32_t save_put_new(struct saver *s)
{
	if (s->puts >= MEMO_OPEN)
		save_fail(s, ERR_LIMIT, OREF_NIL, "over 2^32 memo numbers");
	save_op(s, s->puts < 256 ? OP_BINPUT : OP_LONG_BINPUT, s->puts, s->puts < 256 ? 1 : 4);
	return s->rc == 0 ? s->puts++ : NO_MEMO;
}

void save_put(struct saver *s, oref r)
{
	s->memo[r] = save_put_new(s);
}

void save_get(struct saver *s, uint32_t number)
{
	save_op(s, number < 256 ? OP_BINGET : OP_LONG_BINGET, number, number < 256 ? 1 : 4);
}
