/* scatter.c - where the bytes that somebody writes into a tensor's file belong: content_tensor() the
 * other way round.
 *
 *	file      0  1  2 | 3  4  5         elements in C order
 *	storage   0  2  4 | 1  3  5         of a transposed (2, 3): runs 0, 2, 4, 1, 3, 5
 *
 * The view is the one that reading uses (strided.c), so what was made one run there is one run here,
 * and a contiguous tensor is one run in all. Runs that touch by chance of the strides are joined as
 * well. They come in file order: where elements overlap (stride 0 that is not taken once, windows
 * that slide), the later one wins, as it would in a loop over the elements.
 *
 * Byte order is no matter here: a storage's bytes are those of this machine (a big-endian file is
 * swapped by the source that its storage is), and offsets are offsets there. Signs are: a value
 * that is read through a conjugated or negative view is put back by the same flip of bits.
 *
 * formats/torch-objects.md section 3
 */
#include "gather.h"
#include "shown.h"
#include "signs.h"

#include <inttypes.h>

#include <pthfs/content.h>

/* A run that may still grow. */
struct pending {
	scatter_fn *fn;
	void *ctx;
	uint64_t to, at, n;
};

static int flush(struct pending *p)
{
	int rc = p->n ? p->fn(p->ctx, p->to, p->at, p->n) : 0;

	p->at += p->n;
	p->n = 0;
	return rc;
}

static int put(struct pending *p, uint64_t to, uint64_t n)
{
	int rc = 0;

	if (p->n && p->to + p->n == to) {
		p->n += n;
		return 0;
	}
	rc = flush(p);
	p->to = to;
	p->n = n;
	return rc;
}

/* Where unit u lies, of a walk that begins anywhere and goes on by ones. */
struct walk {
	const struct view *v;
	uint64_t idx[GATHER_MAX_DIMS], to;
};

static void walk_begin(struct walk *w, const struct view *v, uint64_t u)
{
	w->v = v;
	w->to = view_address(v, u);
	for (unsigned k = 0; k < v->nd; k++) {
		w->idx[k] = u / v->inner[k];
		u %= v->inner[k];
	}
}

static void walk_next(struct walk *w)
{
	for (unsigned k = w->v->nd; k-- > 0;) {
		w->to += w->v->step[k];
		if (++w->idx[k] < w->v->n[k])
			return;
		w->to -= w->v->n[k] * w->v->step[k];
		w->idx[k] = 0;
	}
}

static int scatter_view(const struct view *v, uint64_t off, uint64_t len, struct pending *p)
{
	uint64_t skip = off % v->unit;
	struct walk w;
	int rc = 0;

	walk_begin(&w, v, off / v->unit);
	while (rc == 0 && len > 0) {
		uint64_t n = v->unit - skip < len ? v->unit - skip : len;

		rc = put(p, w.to + skip, n);
		len -= n;
		skip = 0;
		walk_next(&w);
	}
	return rc ? rc : flush(p);
}

unsigned tensor_scatter_fix(const struct tensor *t)
{
	bool complex = dtype_info(t->dtype)->flags & DT_COMPLEX;

	return (t->flags & TENSOR_CONJ && complex ? SCATTER_CONJ : 0u) |
			(t->flags & TENSOR_NEG ? SCATTER_NEG : 0u);
}

void scatter_fix(enum dtype dt, unsigned fix, void *elements, size_t n)
{
	if (fix)
		signs_apply(dt, fix & SCATTER_CONJ, fix & SCATTER_NEG, elements, n);
}

static int check(const struct model *m, uint32_t id, uint64_t off, uint64_t len, struct err *e)
{
	const struct tensor *t;
	unsigned fix, size;

	if (id >= m->tensors.n)
		return err_set(e, ERR_ABSENT, "there is no tensor %u", (unsigned)id);
	t = &m->tensors.at[id];
	if (t->broken && !(t->flags & TENSOR_PARTIAL))
		return err_set(e, ERR_DAMAGED, "%s", t->broken);
	if (len > t->nbytes || off > t->nbytes - len)
		return err_set(e, ERR_INVALID, "%" PRIu64 " bytes at offset %" PRIu64
				" of a tensor that has %" PRIu64, len, off, t->nbytes);
	fix = tensor_scatter_fix(t);
	size = dtype_info(t->dtype)->size;
	if (!fix)
		return 0;
	if (off % size || len % size)
		return err_set(e, ERR_INVALID, "%" PRIu64 " bytes at offset %" PRIu64
				" are no whole elements of %u bytes, and the tensor shows other values "
				"than it stores", len, off, size);
	return signs_known(t->dtype, fix & SCATTER_CONJ, fix & SCATTER_NEG, e);
}

int tensor_scatter(const struct model *m, uint32_t id, uint64_t off, uint64_t len, scatter_fn *fn,
		void *ctx, struct err *e)
{
	struct pending p = {.fn = fn, .ctx = ctx};
	const struct tensor *t;
	struct extent storage = {0};
	struct shown shown;
	struct view v;
	uint64_t bytes;
	int rc = check(m, id, off, len, e);

	if (rc < 0 || len == 0)
		return rc;
	t = &m->tensors.at[id];
	tensor_shown(t, &shown);
	storage.len = m->storages.at[t->storage].nbytes;
	rc = view_init(&v, storage, t->dtype, shown.offset, shown.ndim, shown.shape, shown.stride,
			&bytes, e);
	return rc < 0 ? rc : scatter_view(&v, off, len, &p);
}
