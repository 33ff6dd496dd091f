/* save_bytes.c - what all savers put into a plan: pickles, storages, patched stretches, and the
 * CRC-32 of them.
 *
 * Only fresh bytes (a pickle) are in memory; everything else is a run. What must be read for a CRC
 * is read in pieces of 64 KiB.
 */
#include "save_in.h"

#include <inttypes.h>
#include <stdlib.h>

#include <pthfs/cleanup.h>

#define PIECE (64u << 10) /* from the heap: a mapping for each run costs more than its CRC */

const struct save_run *save_runs(const struct save *s, uint32_t storage, size_t *n)
{
	*n = 0;
	return s->runs ? s->runs(s->ctx, storage, n) : NULL;
}

bool save_any_runs(const struct save *s)
{
	size_t n;

	for (uint32_t i = 0; i < s->ck->model.storages.n; i++)
		if (save_runs(s, i, &n) && n)
			return true;
	return false;
}

/* --- CRCs ------------------------------------------------------------------------------------- */

static int crc_piece(const struct extent *x, char *buf, uint32_t *crc, struct err *e)
{
	uint64_t done = 0;
	size_t n;
	int rc;

	for (; done < x->len; done += n) {
		n = x->len - done < PIECE ? (size_t)(x->len - done) : PIECE;
		rc = source_read(x->src, buf, n, x->off + done, e);
		if (rc < 0)
			return rc;
		*crc = crc32_bytes(*crc, buf, n);
	}
	return 0;
}

static char *crc_buffer(uint64_t len)
{
	return malloc(len < PIECE ? (size_t)len + 1 : PIECE);
}

int save_crc_extent(const struct extent *x, uint32_t *crc, struct err *e)
{
	_cleanup_(freep) char *buf = crc_buffer(x->len);

	return buf ? crc_piece(x, buf, crc, e) : err_nomem(e);
}

int save_crc(const struct plan *p, size_t from, uint32_t *crc, struct err *e)
{
	_cleanup_(freep) char *buf = crc_buffer(p->size);
	int rc = buf ? 0 : err_nomem(e);

	for (size_t i = from; i < p->at.n && rc == 0; i++)
		rc = crc_piece(&p->at.at[i], buf, crc, e);
	return rc;
}

/* --- pickles ---------------------------------------------------------------------------------- */

struct pickle_to {
	struct plan *plan;
	uint32_t *crc;
};

static int to_bytes(void *ctx, const void *bytes, size_t n, struct err *e)
{
	struct pickle_to *to = ctx;

	if (to->crc)
		*to->crc = crc32_bytes(*to->crc, bytes, n);
	return plan_bytes(to->plan, bytes, n, e);
}

static int to_run(void *ctx, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct pickle_to *to = ctx;
	struct extent x = {src, off, len};
	int rc = to->crc ? save_crc_extent(&x, to->crc, e) : 0;

	return rc < 0 ? rc : plan_run(to->plan, src, off, len, e);
}

int save_pickle(const struct save *s, oref root, struct plan *p, uint32_t *crc, struct err *e)
{
	const struct pickle_save_opts o = {.protocol = s->ck->pickle.protocol};
	uint32_t sum = 0;
	struct pickle_to to = {p, crc ? &sum : NULL};
	const struct pickle_out out = {.bytes = to_bytes, .run = to_run, .ctx = &to};
	int rc = pickle_save(&s->ck->model.graph, root, &o, &out, e);

	if (rc == 0 && crc)
		*crc = sum;
	return rc;
}

/* --- storages --------------------------------------------------------------------------------- */

int save_patched(const struct save *s, uint64_t off, uint64_t len, const struct save_run *runs,
		size_t n, struct plan *p, struct err *e)
{
	struct source *file = s->ck->file;
	uint64_t done = 0;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct extent *x = &runs[i].from;

		if (runs[i].off < done || runs[i].off > len || x->len > len - runs[i].off)
			return err_set(e, ERR_USAGE,
					"changed bytes [%" PRIu64 ", +%" PRIu64
					") do not lie in a stretch of %" PRIu64 " in order",
					runs[i].off, x->len, len);
		rc = plan_run(p, file, off + done, runs[i].off - done, e);
		if (rc == 0)
			rc = plan_run(p, x->src, x->off, x->len, e);
		done = runs[i].off + x->len;
	}
	return rc < 0 ? rc : plan_run(p, file, off + done, len - done, e);
}

static void sourcep(struct source **s)
{
	source_unref(*s);
}

int save_storage(const struct save *s, uint32_t storage, struct plan *p, struct err *e)
{
	const struct storage *st = &s->ck->model.storages.at[storage];
	unsigned width = dtype_info((enum dtype)st->dtype)->swap;
	_cleanup_(sourcep) struct source *part = NULL, *swapped = NULL;

	if (st->nbytes == 0 && !st->data.src)
		return 0;
	if (!st->data.src)
		return err_set(e, ERR_DAMAGED, "the bytes of storage \"%s\" are not there: %s",
				STR_SHOW(st->key), st->broken ? st->broken : "nothing is known");
	if (!s->ck->big_endian || width < 2)
		return plan_run(p, st->data.src, st->data.off, st->data.len, e);
	if (st->data.len % width)
		return err_set(e, ERR_DAMAGED,
				"storage \"%s\" has %" PRIu64
				" bytes, which are no whole elements of %u bytes",
				STR_SHOW(st->key), st->data.len, width);
	part = source_window(st->data.src, st->data.off, st->data.len);
	swapped = part ? source_swap(part, width) : NULL;
	return swapped ? plan_run(p, swapped, 0, st->data.len, e) : err_nomem(e);
}
