/* cuda.c - the numbers of a content, on a card: read, copy, judge and join overlap.
 *
 *	readers     | chunk 2   | chunk 3   | chunk 4   |          (feed.c)
 *	stream 0    | copy 0    judge 0 |   | copy 2    judge 2 |
 *	stream 1                | copy 1    judge 1 |   | copy 3
 *	this thread                       | join 0    | join 1
 *
 * A stream does what it is given in order: copy a chunk there, one launch, copy what the blocks found
 * back. While one stream judges, the other copies: the bus is never idle as long as the readers keep
 * up. Of each chunk that comes back the checksum that the card computed must be the one of what was
 * read, or the numbers are of something else. Parts are joined in the order of their bytes.
 *
 * An engine that had an error of the driver stays broken: after most of them (a lost card, a fault in
 * a kernel) every further call of the process fails too. Reading errors leave it well.
 */
#include "cuda.h"

#include <inttypes.h>

#include "card_dtype.h"

/* A content on its way through the card. */
struct run {
	struct cuda *g;
	const struct content *c;
	struct card_dtype as;
	struct feed feed;
	uint64_t sum[FEED_SLOTS]; /* S of what was read into a slot */
	uint64_t submitted, joined; /* chunks */
	uint64_t check;             /* S of what arrived */
	struct tally tally;
};

/* A call that fails breaks the engine. */
static int check(struct cuda *g, const char *call, int result, struct err *e)
{
	int rc = cuda_check(&g->driver, call, result, &g->broken);

	if (rc < 0) {
		err_prefix(&g->broken, "%s", g->where);
		if (e)
			*e = g->broken;
	}
	return rc;
}

/* Chunk r->submitted, which lies in its slot, on its way. Nothing waits here. */
static int submit(struct run *r, struct err *e)
{
	struct cuda *g = r->g;
	const struct cuda_driver *d = &g->driver;
	uint64_t k = r->submitted;
	struct cuda_slot *s = &g->slot[k % FEED_SLOTS];
	void *stream = g->stream[k % CUDA_STREAMS];
	struct card_job job = {.bytes = feed_bytes(&r->feed, k),
		.first = (uint32_t)(k * (g->chunk / 4)), .format = r->as.format};
	uint64_t parts = s->card + g->chunk;
	void *args[] = {&s->card, &parts, &job};
	size_t words = (job.bytes + CARD_WORD - 1) / CARD_WORD;
	unsigned blocks = card_blocks(job.bytes);
	int rc = check(g, "cuMemcpyHtoDAsync",
			d->to_card(s->card, s->host, words * CARD_WORD, stream), e);

	if (rc == 0)
		rc = check(g, "cuLaunchKernel", d->launch(g->kernel[r->as.kind], blocks, 1, 1,
				CARD_THREADS, 1, 1, 0, stream, args, NULL), e);
	if (rc == 0)
		rc = check(g, "cuMemcpyDtoHAsync", d->to_host(s->host + g->chunk, parts,
				blocks * sizeof(struct card_part), stream), e);
	if (rc == 0)
		rc = check(g, "cuEventRecord", d->event_record(s->event, stream), e);
	r->submitted++;
	return rc;
}

static int differs(struct run *r, uint64_t k, uint64_t sent, uint64_t came, struct err *e)
{
	struct err *b = &r->g->broken;
	uint64_t from = k * r->g->chunk;

	err_set(b, ERR_DAMAGED, "%s: bytes %" PRIu64 "..%" PRIu64 " did not arrive on the card as "
			"they were sent (checksum %016" PRIx64 ", there %016" PRIx64 "): the card, its "
			"memory or the bus is faulty; use the processor (device=cpu)", r->g->base.name,
			from, from + feed_bytes(&r->feed, k), sent, came);
	if (e)
		*e = *b;
	return ERR_DAMAGED;
}

/* Waits for the oldest chunk that is on its way, and joins what the card found. */
static int join(struct run *r, struct err *e)
{
	struct cuda *g = r->g;
	uint64_t k = r->joined, came = 0, elements = 0;
	struct cuda_slot *s = &g->slot[k % FEED_SLOTS];
	const struct card_part *p = (const void *)(s->host + g->chunk);
	uint32_t bytes = feed_bytes(&r->feed, k);
	unsigned blocks = card_blocks(bytes);
	int rc = check(g, "cuEventSynchronize", g->driver.event_wait(s->event), e);

	r->joined++;
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < blocks; i++) {
		came += p[i].check;
		elements += p[i].elements;
	}
	if (came != r->sum[k % FEED_SLOTS] || elements != bytes / card_size(r->as.kind))
		return differs(r, k, r->sum[k % FEED_SLOTS], came, e);
	for (unsigned i = 0; i < blocks; i++)
		card_tally(&r->tally, &p[i]);
	r->check += came;
	feed_done(&r->feed);
	return 0;
}

/* Chunk k is submitted when it has been read, and chunk k - 1 waited for only then. */
static int chunks(struct run *r, struct err *e)
{
	int rc = 0;

	while (rc == 0 && r->joined < r->feed.chunks) {
		uint64_t k = r->submitted;

		if (k == r->feed.chunks || k - r->joined == CUDA_STREAMS) {
			rc = join(r, e);
			continue;
		}
		rc = feed_wait(&r->feed, k, &r->sum[k % FEED_SLOTS], e);
		if (rc == 0)
			rc = submit(r, e);
	}
	return rc;
}

/* After an error: whatever is on its way reads and writes the slots of the next run. */
static void drain(struct cuda *g)
{
	for (unsigned k = 0; k < CUDA_STREAMS; k++)
		check(g, "cuStreamSynchronize", g->driver.stream_wait(g->stream[k]), NULL);
}

static int cuda_run(struct engine *base, const struct content *c, enum dtype dt, struct stats *ret,
		struct err *e)
{
	struct cuda *g = (struct cuda *)base;
	struct run r = {.g = g, .c = c, .as = card_dtype(dt)};
	char *buffer[FEED_SLOTS];
	int rc;

	if (g->broken.code)
		return err_set(e, ERR_SYS, "%s is not used any more since it failed: %s", g->where,
				g->broken.text);
	for (unsigned k = 0; k < FEED_SLOTS; k++)
		buffer[k] = g->slot[k].host;
	tally_init(&r.tally);
	rc = check(g, "cuCtxSetCurrent", g->driver.context_use(g->context), e);
	if (rc == 0)
		rc = feed_start(&r.feed, c, g->chunk, buffer, e);
	if (rc < 0)
		return rc;
	rc = chunks(&r, e);
	feed_stop(&r.feed);
	if (rc < 0) {
		drain(g);
		return rc;
	}
	tally_finish(&r.tally, decoded_kind(dt), ret);
	ret->sum = sum_finish(r.check, c->size);
	return 0;
}

const struct engine_ops engine_cuda_ops = {
	.name = "cuda",
	.open = cuda_open,
	.run = cuda_run,
	.close = cuda_close,
};
