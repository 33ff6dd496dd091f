/* pool.c - threads that claim pieces. (pool.h has the rules)
 *
 *	joined          next                 pieces
 *	   v              v                     v
 *	...|done|    |done|                     |      slot of piece i: i % slots, while
 *	   <--- at most `slots` --->                   joined <= i < joined + slots
 *
 * `lock` protects all of struct pool; the result of a piece is written by its thread alone before
 * the piece is said to be done. Where reading is serial, `reading` is held from before the claim
 * until the piece has been read, so that pieces are read in order. Order of locks: reading, lock.
 *
 * The calling thread works too; a thread that cannot be started is done without. All signals are
 * blocked in the others, so that they go to threads that expect them.
 */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST_THREADS 64u
#define SLOTS_A_THREAD 2
#define PIECES_A_THREAD 2 /* fewer are not worth starting one for */

struct slot {
	bool done;
	int rc;
	struct err err;
	void *result;
};

struct pool {
	const struct job *job;
	pthread_mutex_t lock, reading;
	pthread_cond_t moved; /* joined has, or stop */
	uint64_t next, joined;
	unsigned slots;
	struct slot *slot;
	int rc; /* of the first piece that failed */
	struct err err;
	bool stop;
};

struct worker {
	struct pool *pool;
	void *room;
	pthread_t thread;
};

static atomic_uint wanted;

void pool_set_threads(unsigned n)
{
	atomic_store(&wanted, n < MOST_THREADS ? n : MOST_THREADS);
}

unsigned pool_threads(void)
{
	unsigned n = atomic_load(&wanted);
	cpu_set_t mine;

	if (n)
		return n;
	if (sched_getaffinity(0, sizeof mine, &mine) == 0)
		n = (unsigned)CPU_COUNT(&mine);
	else
		n = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n < MOST_THREADS ? n : MOST_THREADS;
}

static unsigned threads_for(uint64_t pieces)
{
	unsigned n = pool_threads();
	uint64_t of_use = atomic_load(&wanted) ? pieces : pieces / PIECES_A_THREAD;

	if (n > of_use)
		n = (unsigned)of_use;
	return n ? n : 1;
}

bool pool_serial(const struct content *c)
{
	for (unsigned k = 0; k < c->n; k++) {
		const struct extent *x = &c->at[k];
		uint64_t off;

		if (x->len && source_raw(x->src, x->off, x->len, &off) < 0)
			return true;
	}
	return false;
}

/* Joins what is done and next. */
static void join_done(struct pool *p)
{
	struct slot *s = &p->slot[p->joined % p->slots];

	for (; s->done && !p->stop; s = &p->slot[p->joined % p->slots]) {
		s->done = false;
		if (s->rc < 0) {
			p->rc = s->rc;
			p->err = s->err;
			p->stop = true;
		} else if (!p->job->join(p->job->ctx, p->joined, s->result)) {
			p->stop = true;
		}
		p->joined++;
	}
	pthread_cond_broadcast(&p->moved);
}

static bool claim(struct pool *p, uint64_t *piece)
{
	bool got;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->next < p->job->pieces && p->next - p->joined >= p->slots)
		pthread_cond_wait(&p->moved, &p->lock);
	got = !p->stop && p->next < p->job->pieces;
	if (got)
		*piece = p->next++;
	pthread_mutex_unlock(&p->lock);
	return got;
}

/* Claims the next piece and reads it; false when there is none. */
static bool claim_and_read(struct pool *p, void *room, uint64_t *piece, int *rc, struct err *e)
{
	bool got;

	if (p->job->serial)
		pthread_mutex_lock(&p->reading);
	got = claim(p, piece);
	if (got)
		*rc = p->job->read(p->job->ctx, *piece, room, e);
	if (p->job->serial)
		pthread_mutex_unlock(&p->reading);
	return got;
}

static void *work(void *worker)
{
	struct worker *w = worker;
	struct pool *p = w->pool;
	struct err e = {0};
	uint64_t piece = 0;
	int rc = 0;

	while (claim_and_read(p, w->room, &piece, &rc, &e)) {
		struct slot *s = &p->slot[piece % p->slots];

		if (rc == 0)
			p->job->work(p->job->ctx, piece, w->room, s->result);
		pthread_mutex_lock(&p->lock);
		s->rc = rc;
		s->err = e;
		s->done = true;
		join_done(p);
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

static unsigned start(struct worker *w, unsigned threads)
{
	sigset_t all, before;
	unsigned started = 1;

	if (threads < 2)
		return 1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < threads &&
			pthread_create(&w[started].thread, NULL, work, &w[started]) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static size_t whole_lines(size_t n)
{
	return (n + 63) / 64 * 64;
}

static void run(struct pool *p, unsigned threads, char *rooms, char *results)
{
	struct worker w[MOST_THREADS];
	struct slot slot[MOST_THREADS * SLOTS_A_THREAD] = {0};
	unsigned started;

	p->slot = slot;
	for (unsigned k = 0; k < p->slots; k++)
		slot[k].result = results + k * whole_lines(p->job->result);
	for (unsigned k = 0; k < threads; k++)
		w[k] = (struct worker){.pool = p, .room = rooms + k * whole_lines(p->job->room)};
	started = start(w, threads);
	work(&w[0]);
	for (unsigned k = 1; k < started; k++)
		pthread_join(w[k].thread, NULL);
}

int pool_run(const struct job *j, struct err *e)
{
	unsigned threads = threads_for(j->pieces);
	struct pool p = {.job = j, .slots = threads * SLOTS_A_THREAD,
		.lock = PTHREAD_MUTEX_INITIALIZER, .reading = PTHREAD_MUTEX_INITIALIZER,
		.moved = PTHREAD_COND_INITIALIZER};
	char *rooms = aligned_alloc(64, threads * whole_lines(j->room));
	char *results = aligned_alloc(64, p.slots * whole_lines(j->result));

	if (rooms && results)
		run(&p, threads, rooms, results);
	else
		p.rc = err_nomem(&p.err);
	free(rooms);
	free(results);
	if (p.rc < 0 && e)
		*e = p.err;
	return p.rc;
}
