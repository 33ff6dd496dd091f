/* cpu.c - the engine that is always there: vectors, and all processors. (README.md: its bounds)
 *
 * Threads of a pool take pieces of PIECE_BYTES, each reads its own and judges it block by block
 * while the bytes are in its cache. Elements are summed as their distance from a number k:
 *
 *	sum of x  = n k + sum of (x - k)
 *	M2        = sum of (x - k)^2 - (sum of (x - k))^2 / n
 *
 * k is the mean of the block before, when all of that one is finite: then a single look at a block
 * is enough and the second line loses next to nothing, since blocks whose means lie far apart have
 * a large M2 together. The first block of a piece, and one with NaN or Inf in it, is looked at
 * twice, the second time around its own mean. Elements that no kernel loads are decoded to doubles
 * first. Doubles whose squares overflow, and the last few elements, go the way of the reference
 * (stats.c).
 */
#include "kernels.h"
#include "ops.h"
#include "pool.h"
#include "tally.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <pthfs/sum.h>

_Static_assert(PIECE_BYTES % (KERNEL_MOST * 16) == 0, "a block must not cross between pieces");
_Static_assert(KERNEL_MOST % BLOCK == 0 && BLOCK % KERNEL_STEP == 0, "blocks are whole steps");

#define SLACK (DECODE_GROUP * (size_t)16) /* decoders work on whole groups */

struct task {
	const struct content *c;
	const struct kernels *k;
	kernel_fn *block;  /* of the elements as they are; NULL: decoded first */
	struct decoder d;
	struct tally all;
	uint64_t sum;
};

struct result {
	struct tally t;
	uint64_t sum;
};

/* A piece while it is being judged. */
struct judge {
	const struct task *task;
	struct tally *t;
	bool have_k;
	double k;
};

static bool add_up(const struct block *b)
{
	return isfinite(b->sum) && isfinite(b->squares);
}

static void join_block(struct tally *t, const struct block *b, double k)
{
	double n = (double)b->finite;

	t->nan += b->nan;
	t->pos_inf += b->pos_inf;
	t->neg_inf += b->neg_inf;
	if (b->finite)
		tally_part(t, &(struct part){.n = b->finite, .zeros = b->zeros, .min = b->min,
			.max = b->max, .sum = k * n + b->sum, .mean = k + b->sum / n,
			.m2 = fmax(b->squares - b->sum * b->sum / n, 0)});
}

/* False: the doubles are too large to be squared. */
static bool look_twice(struct judge *j, kernel_fn *fn, const void *p, size_t n)
{
	struct block b;
	bool odd;
	double k;

	fn(p, n, 0, false, &b);
	odd = !add_up(&b);
	if (odd)
		fn(p, n, 0, true, &b);
	if (!add_up(&b))
		return false;
	k = b.finite ? b.sum / (double)b.finite : 0;
	fn(p, n, k, odd, &b);
	j->have_k = !odd || j->have_k;
	j->k = odd ? j->k : k + b.sum / (double)b.finite;
	join_block(j->t, &b, k);
	return true;
}

/* A multiple of KERNEL_STEP, at most KERNEL_MOST. */
static bool look(struct judge *j, kernel_fn *fn, const void *p, size_t n)
{
	struct block b;

	if (!j->have_k)
		return look_twice(j, fn, p, n);
	fn(p, n, j->k, false, &b);
	if (!add_up(&b))
		return look_twice(j, fn, p, n);
	join_block(j->t, &b, j->k);
	j->k += b.sum / (double)n;
	return true;
}

/* As the reference does it. */
static void look_plainly(struct judge *j, const char *p, size_t n)
{
	double x[BLOCK];

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t some = n - i < BLOCK ? n - i : BLOCK;

		decode(&j->task->d, p + i * j->task->d.size, whole_groups(some), x);
		tally_block(j->t, x, some);
	}
}

static void look_decoded(struct judge *j, const char *p, size_t n)
{
	double x[BLOCK];

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t some = n - i < BLOCK ? n - i : BLOCK;
		const char *at = p + i * j->task->d.size;

		decode(&j->task->d, at, some, x);
		if (look(j, j->task->k->block[LOAD_F64], x, some))
			j->t->count += some;
		else
			look_plainly(j, at, some);
	}
}

static void judge_block(struct judge *j, const char *p, size_t n)
{
	size_t steps = n / KERNEL_STEP * KERNEL_STEP;

	if (!j->task->block)
		look_decoded(j, p, steps);
	else if (steps && look(j, j->task->block, p, steps))
		j->t->count += steps;
	else
		look_plainly(j, p, steps);
	look_plainly(j, p + steps * j->task->d.size, n - steps);
}

static uint64_t bytes_of(const struct task *t, uint64_t piece)
{
	uint64_t left = t->c->size - piece * PIECE_BYTES;

	return left < PIECE_BYTES ? left : PIECE_BYTES;
}

/* --- what the pool calls ------------------------------------------------------------------ */

static int read_piece(void *ctx, uint64_t piece, void *room, struct err *e)
{
	const struct task *t = ctx;
	size_t want = bytes_of(t, piece), got;
	int rc = content_read(t->c, room, want, piece * PIECE_BYTES, &got, e);

	if (rc == 0)
		memset((char *)room + want, 0, SLACK);
	return rc;
}

/* The checksum and the numbers of one block after the other, so that its bytes are still near. */
static void judge_piece(void *ctx, uint64_t piece, void *room, void *result)
{
	const struct task *t = ctx;
	struct result *r = result;
	struct judge j = {.task = t, .t = &r->t};
	const char *p = room;
	size_t left = bytes_of(t, piece);
	uint64_t word = piece * (PIECE_BYTES / 4);

	tally_init(&r->t);
	r->sum = 0;
	while (left) {
		size_t n = KERNEL_MOST * (size_t)t->d.size;

		n = n < left ? n : left;
		r->sum += t->k->sum(p, n / 4, word);
		r->sum += sum_piece(p + n / 4 * 4, n % 4, word + n / 4);
		judge_block(&j, p, n / t->d.size);
		p += n;
		left -= n;
		word += n / 4;
	}
}

static bool join_piece(void *ctx, uint64_t piece, const void *result)
{
	const struct result *r = result;
	struct task *t = ctx;

	tally_join(&t->all, &r->t);
	t->sum += r->sum;
	return true;
}

int cpu_stats_with(const struct kernels *k, const struct content *c, enum dtype dt,
		struct stats *ret, struct err *e)
{
	struct task t = {.c = c, .k = k, .block = kernel_for(k, dt)};
	uint64_t largest = c->size < PIECE_BYTES ? c->size : PIECE_BYTES;
	struct job job = {
		.pieces = c->size / PIECE_BYTES + (c->size % PIECE_BYTES != 0),
		.room = (size_t)largest + SLACK,
		.result = sizeof(struct result),
		.serial = pool_serial(c),
		.ctx = &t,
		.read = read_piece,
		.work = judge_piece,
		.join = join_piece,
	};
	int rc;

	decoder_init(&t.d, dt);
	tally_init(&t.all);
	rc = pool_run(&job, e);
	if (rc < 0)
		return rc;
	tally_finish(&t.all, decoded_kind(dt), ret);
	ret->sum = sum_finish(t.sum, c->size);
	return 0;
}

/* --- the engine --------------------------------------------------------------------------- */

static struct engine cpu = {.ops = &engine_cpu_ops};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void get_ready(void)
{
	unsigned n = pool_threads();

	snprintf(cpu.name, sizeof cpu.name, "cpu (%s, %u thread%s)", kernels_best()->name, n,
			n == 1 ? "" : "s");
}

struct engine *engine_cpu(void)
{
	pthread_once(&once, get_ready);
	return &cpu;
}

static int cpu_open(unsigned ordinal, struct engine **ret, struct err *e)
{
	*ret = engine_cpu();
	return 0;
}

static int cpu_run(struct engine *g, const struct content *c, enum dtype dt, struct stats *ret,
		struct err *e)
{
	return cpu_stats_with(kernels_best(), c, dt, ret, e);
}

static void cpu_close(struct engine *g)
{
}

const struct engine_ops engine_cpu_ops = {
	.name = "cpu",
	.open = cpu_open,
	.run = cpu_run,
	.close = cpu_close,
};
