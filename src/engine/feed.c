/* feed.c - the readers in front of a card, and the ring of buffers that they fill.
 *
 * A reader takes the next piece of 256 KiB, of whatever chunk that is, as soon as the chunk has a
 * buffer; so all of them work on the chunk that is wanted first. Contents of one piece, and machines
 * that have no thread left, are read by who waits for them.
 */
#include "feed.h"

#include <inttypes.h>
#include <string.h>

#include "kernels.h"
#include "pool.h"

static uint64_t parts_of(uint64_t n, uint64_t each)
{
	return n / each + (n % each != 0);
}

/* The buffer of the next chunk is free, if there is a chunk left. Under the lock. */
static void open_chunk(struct feed *s)
{
	uint64_t left = s->pieces - s->open * FEED_PIECES;
	unsigned slot = (unsigned)(s->open % FEED_SLOTS);

	if (s->open == s->chunks)
		return;
	s->missing[slot] = left < FEED_PIECES ? (unsigned)left : FEED_PIECES;
	s->sum[slot] = 0;
	s->open++;
}

static int read_piece(struct feed *s, uint64_t piece, uint64_t *sum, struct err *e)
{
	uint64_t off = piece * s->piece;
	char *at = s->buffer[piece / FEED_PIECES % FEED_SLOTS] + off % s->chunk;
	size_t want = s->c->size - off < s->piece ? (size_t)(s->c->size - off) : s->piece;
	size_t got = 0;
	int rc = content_read(s->c, at, want, off, &got, e);

	if (rc < 0)
		return rc;
	if (got < want)
		return err_set(e, ERR_TRUNCATED, "ends at %" PRIu64 " and not at %" PRIu64 " bytes",
				off + got, s->c->size);
	memset(at + want, 0, -want % 16);
	*sum = kernels_best()->sum(at, (want + 3) / 4, off / 4); /* zeros add nothing */
	return 0;
}

/* Reads a piece and notes it. Called with the lock held, and left with it held. */
static void take_piece(struct feed *s)
{
	uint64_t piece = s->next++, sum = 0;
	unsigned slot = (unsigned)(piece / FEED_PIECES % FEED_SLOTS);
	struct err e = {0};
	int rc;

	pthread_mutex_unlock(&s->lock);
	rc = read_piece(s, piece, &sum, &e);
	pthread_mutex_lock(&s->lock);
	s->sum[slot] += sum;
	s->missing[slot]--;
	if (rc < 0 && !s->failed.code) {
		s->failed = e;
		s->stop = true;
		pthread_cond_broadcast(&s->room);
	}
	if (rc < 0 || s->missing[slot] == 0)
		pthread_cond_signal(&s->come);
}

static void *reader(void *feed)
{
	struct feed *s = feed;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && s->next < s->pieces) {
		if (s->next / FEED_PIECES < s->open)
			take_piece(s);
		else
			pthread_cond_wait(&s->room, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void start_readers(struct feed *s)
{
	uint64_t want = pool_serial(s->c) ? 1 : pool_threads();

	want = want < FEED_THREADS ? want : FEED_THREADS;
	want = want < s->pieces ? want : s->pieces;
	if (s->pieces < 2)
		return;
	while (s->threads < want && !pthread_create(&s->thread[s->threads], NULL, reader, s))
		s->threads++;
}

int feed_start(struct feed *s, const struct content *c, uint32_t chunk,
		char *const buffer[FEED_SLOTS], struct err *e)
{
	memset(s, 0, sizeof *s);
	s->c = c;
	s->chunk = chunk;
	s->piece = chunk / FEED_PIECES;
	memcpy(s->buffer, buffer, sizeof s->buffer);
	s->pieces = parts_of(c->size, s->piece);
	s->chunks = parts_of(c->size, chunk);
	for (unsigned k = 0; k < FEED_SLOTS; k++)
		open_chunk(s);
	if (pthread_mutex_init(&s->lock, NULL) || pthread_cond_init(&s->room, NULL) ||
			pthread_cond_init(&s->come, NULL))
		return err_nomem(e);
	start_readers(s);
	return 0;
}

int feed_wait(struct feed *s, uint64_t k, uint64_t *sum, struct err *e)
{
	unsigned slot = (unsigned)(k % FEED_SLOTS);
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (s->missing[slot] && !s->failed.code) {
		if (s->threads)
			pthread_cond_wait(&s->come, &s->lock);
		else
			take_piece(s);
	}
	if (s->missing[slot] || s->failed.code) {
		rc = s->failed.code;
		if (e)
			*e = s->failed;
	}
	*sum = s->sum[slot];
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void feed_done(struct feed *s)
{
	pthread_mutex_lock(&s->lock);
	open_chunk(s);
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
}

void feed_stop(struct feed *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
	for (unsigned k = 0; k < s->threads; k++)
		pthread_join(s->thread[k], NULL);
	pthread_cond_destroy(&s->come);
	pthread_cond_destroy(&s->room);
	pthread_mutex_destroy(&s->lock);
}
