/* latin1.c - the bytes behind UTF-8 text whose characters are all below U+0100.
 *
 * Protocol 2 has no opcode for bytes, so Python writes them as text, one character per byte, and
 * decodes with _codecs.encode(text, 'latin1') (formats/pickle.md section 3). In UTF-8 that is one
 * byte for 00..7F and two, C2 or C3 and 80..BF, for the rest; anything else is damage.
 *
 *	mark[0] = (0, 0), mark[k] = (byte, character) about every 64 KiB of text
 *
 * Where character c lies is not known without counting, so marks are set as reads reach further,
 * and a read starts from the last mark at or before it. A mark stands only on text that has been
 * checked. Marking stops at damage without an error: the read that gets there reports it, those
 * before it are served.
 */
#include <pthfs/source.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include <pthfs/vec.h>

#define STEP (64u << 10) /* bytes of text between marks */
#define CHUNK (16u << 10)

struct mark {
	uint64_t byte, chr;
};

struct latin1 {
	struct source head;
	struct source *text; /* holds a reference */
	pthread_mutex_t lock;
	/* protected by lock */
	VEC(struct mark) marks; /* ascending; never empty */
	bool stopped;           /* no more marks: end of the text, or damage */
};

/* Decodes up to `want` characters of p[0..n) to out (NULL: only counted). Stops early at a half
 * character at the end of p or at damage. Returns bytes taken, *chars how many characters.
 * Tensor bytes are one- and two-byte characters at random, so the length is computed, not branched
 * on: twice as fast. */
static size_t decode(
	const unsigned char *p, size_t n, unsigned char *out, uint64_t want, uint64_t *chars)
{
	uint64_t c = 0;
	size_t i = 0;
	unsigned v, next, two;

	for (; n - i >= 2 && c < want; c++, i += 1 + two) {
		v = p[i];
		next = p[i + 1];
		two = v >> 7;
		if (two & (((v & 0xfe) != 0xc2) | ((next & 0xc0) != 0x80)))
			break;
		/* C2 or C3: bit 0 becomes bit 6, and bit 7 is set either way. */
		if (out)
			out[c] = (unsigned char)(v << (6 * two) | (next & (0x3f * two)));
	}
	if (n - i == 1 && c < want && p[i] < 0x80) {
		if (out)
			out[c] = p[i];
		c++, i++;
	}
	*chars = c;
	return i;
}

static int damaged(struct latin1 *l, const unsigned char *p, size_t n, uint64_t at, struct err *e)
{
	if (n == 0)
		return err_set(e, ERR_DAMAGED,
			"the text ends after %" PRIu64 " bytes, before the %" PRIu64
			" characters it should have",
			at, l->head.size);
	return err_set(e, ERR_DAMAGED,
		"byte 0x%02x at offset %" PRIu64
		" of the text is no character below U+0100 in UTF-8",
		p[0], at);
}

/* Decodes `want` characters from *m on to out (NULL: none are kept) and moves *m behind them. */
static int walk(struct latin1 *l, struct mark *m, unsigned char *out, uint64_t want, struct err *e)
{
	unsigned char chunk[CHUNK];
	uint64_t left, chars;
	size_t n, used;
	int r;

	for (; want; want -= chars) {
		left = l->text->size - m->byte;
		n = left < CHUNK ? (size_t)left : CHUNK;
		r = source_read(l->text, chunk, n, m->byte, e);
		if (r < 0)
			return r;
		used = decode(chunk, n, out, want, &chars);
		if (used == 0)
			return damaged(l, chunk, n, m->byte, e);
		m->byte += used;
		m->chr += chars;
		out = out ? out + chars : NULL;
	}
	return 0;
}

/* One more mark, at least STEP bytes behind the last unless the text stops. Lock held. */
static int add_mark(struct latin1 *l, struct err *e)
{
	struct mark m = l->marks.at[l->marks.n - 1];
	uint64_t from = m.byte, left, chars;
	unsigned char chunk[CHUNK];
	size_t n, used;
	int r;

	while (m.byte - from < STEP) {
		left = l->text->size - m.byte;
		n = left < CHUNK ? (size_t)left : CHUNK;
		r = source_read(l->text, chunk, n, m.byte, e);
		if (r < 0)
			return r;
		used = decode(chunk, n, NULL, UINT64_MAX, &chars);
		m.byte += used;
		m.chr += chars;
		if (used == 0) {
			l->stopped = true;
			break;
		}
	}
	if (m.byte > from && vec_push(&l->marks, m) < 0)
		return err_nomem(e);
	return 0;
}

/* The last mark at or before character chr. */
static int find_mark(struct latin1 *l, uint64_t chr, struct mark *ret, struct err *e)
{
	size_t low = 0, high, mid;
	int r = 0;

	pthread_mutex_lock(&l->lock);
	while (r == 0 && !l->stopped && l->marks.at[l->marks.n - 1].chr <= chr)
		r = add_mark(l, e);
	for (high = l->marks.n; high - low > 1;) {
		mid = low + (high - low) / 2;
		if (l->marks.at[mid].chr <= chr)
			low = mid;
		else
			high = mid;
	}
	*ret = l->marks.at[low];
	pthread_mutex_unlock(&l->lock);
	return r;
}

static int latin1_read(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct latin1 *l = (struct latin1 *)s;
	struct mark m;
	int r;

	r = find_mark(l, off, &m, e);
	if (r == 0)
		r = walk(l, &m, NULL, off - m.chr, e);
	if (r == 0)
		r = walk(l, &m, buf, len, e);
	if (r == 0 && m.chr == s->size && m.byte != l->text->size)
		return err_set(e, ERR_DAMAGED,
			"the text goes on at offset %" PRIu64 ", behind the %" PRIu64
			" characters it should have",
			m.byte, s->size);
	return r;
}

static void latin1_close(struct source *s)
{
	struct latin1 *l = (struct latin1 *)s;

	source_unref(l->text);
	vec_release(&l->marks);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct source_ops latin1_ops = {
	.name = "latin1",
	.read_at = latin1_read,
	.close = latin1_close,
};

/* Marks the whole text, so that the last mark says how many characters there are. */
static int count(struct latin1 *l, struct err *e)
{
	struct mark end;
	int r = find_mark(l, UINT64_MAX, &end, e);

	if (r < 0)
		return r;
	if (end.byte != l->text->size)
		return walk(l, &end, NULL, UINT64_MAX, e);
	l->head.size = end.chr;
	return 0;
}

int source_latin1(struct source *utf8, uint64_t size, struct source **ret, struct err *e)
{
	struct latin1 *l = calloc(1, sizeof *l);
	int r = 0;

	if (!l || vec_push(&l->marks, ((struct mark){0, 0})) < 0) {
		free(l);
		return err_nomem(e);
	}
	source_init(&l->head, &latin1_ops, size);
	l->text = source_ref(utf8);
	pthread_mutex_init(&l->lock, NULL);
	if (size == UINT64_MAX)
		r = count(l, e);
	if (r < 0)
		source_unref(&l->head);
	else
		*ret = &l->head;
	return r;
}
