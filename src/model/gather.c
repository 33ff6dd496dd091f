/* gather.c - the bytes of a strided view, by as few and as long reads of the storage as 64 KiB of
 * scratch allow.
 *
 * A request is a range of units in C order. It is cut into boxes (a range of one dimension, all of
 * the later ones). Of a box, the dimensions with small steps make up a span: one read that takes
 * the gaps between the pieces along, where they are smaller than what a read costs. The others are
 * walked. So for a transposed matrix, which is shown like this
 *
 *	shown   0  4  8        storage  0 1 2 3 | 4 5 6 7 | 8 9 10 11
 *	        1  5  9                 ^^^       ^^^       ^^^         two rows of a request:
 *	        2  6 10                                                 three spans of 2 units
 *	        3  7 11
 *
 * the step that is smallest in the storage is read along, whatever its place in the shape. Spans
 * are read in batches along the dimension that is innermost in the output, so that scattering
 * writes long runs. Nothing here allocates; every address was checked when the view was made.
 */
#include "gather.h"

#include <string.h>

#define SCRATCH (64 * 1024)
/* Bytes that are cheaper to read along than to skip: a read of a cached page costs as much. */
#define GAP 2048
/* Between spans in the scratch buffer, so that a column does not fall into one cache set. */
#define PAD 64

struct axis {
	uint64_t n;
	uint64_t src; /* bytes from one to the next in the storage, or in the scratch buffer */
	uint64_t dst; /* ... in the output */
};

/* How one box is read. `copy` describes the scratch buffer after a batch of reads: the axes inside
 * a span, and at [part] and [batch] the two whose counts vary from batch to batch. */
struct plan {
	struct axis copy[GATHER_MAX_DIMS + 1], walk[GATHER_MAX_DIMS];
	unsigned n_copy, n_walk;
	int part, batch;       /* index in copy; -1: none */
	uint64_t part_n;       /* of the axis that is cut into pieces of `piece` */
	uint64_t piece;
	uint64_t batch_n;      /* of the axis along which `reads` spans make a batch */
	uint64_t batch_src;    /* its step in the storage; in copy[] it is the pitch */
	uint64_t reads, pitch;
	uint64_t unit, span;   /* bytes of one span without the part axis */
};

static int read_storage(const struct view *v, void *buf, size_t len, uint64_t off, struct err *e)
{
	return extents_read(&v->storage, 1, buf, len, off, e);
}

/* With a constant unit this is a loop of plain loads and stores. */
static inline void copy_each(char *dst, uint64_t to, const char *src, uint64_t from, uint64_t n,
		uint64_t unit)
{
	for (uint64_t i = 0; i < n; i++)
		memcpy(dst + i * to, src + i * from, unit);
}

static void copy_axis(char *dst, const char *src, const struct axis *a, uint64_t unit)
{
	if (a->src == unit && a->dst == unit) {
		memcpy(dst, src, a->n * unit);
		return;
	}
	switch (unit) {
	case 1:
		copy_each(dst, a->dst, src, a->src, a->n, 1);
		return;
	case 2:
		copy_each(dst, a->dst, src, a->src, a->n, 2);
		return;
	case 4:
		copy_each(dst, a->dst, src, a->src, a->n, 4);
		return;
	case 8:
		copy_each(dst, a->dst, src, a->src, a->n, 8);
		return;
	default:
		copy_each(dst, a->dst, src, a->src, a->n, unit);
	}
}

/* Steps an odometer of n axes; adds to *src and *dst. False when it has gone round. */
static bool advance(const struct axis *a, unsigned n, uint64_t *idx, uint64_t *src, uint64_t *dst)
{
	while (n-- > 0) {
		*src += a[n].src;
		*dst += a[n].dst;
		if (++idx[n] < a[n].n)
			return true;
		*src -= a[n].n * a[n].src;
		*dst -= a[n].n * a[n].dst;
		idx[n] = 0;
	}
	return false;
}

/* The axes are in the order of the output, so that the last one writes the longest runs. */
static void scatter(const struct axis *a, unsigned n, char *dst, const char *src, uint64_t unit)
{
	uint64_t idx[GATHER_MAX_DIMS + 1] = {0}, from = 0, to = 0;
	struct axis last = {1, unit, unit};

	if (n > 0)
		last = a[--n];
	do
		copy_axis(dst + to, src + from, &last, unit);
	while (advance(a, n, idx, &from, &to));
}

/* Puts an axis where its place in the output is; returns the index. */
static unsigned insert_axis(struct axis *a, unsigned *n, struct axis x)
{
	unsigned i = (*n)++;

	for (; i > 0 && a[i - 1].dst < x.dst; i--)
		a[i] = a[i - 1];
	a[i] = x;
	return i;
}

static void sort_by_src(const struct axis *box, unsigned nd, struct axis *ret)
{
	for (unsigned k = 0; k < nd; k++) {
		unsigned i = k;

		for (; i > 0 && ret[i - 1].src > box[k].src; i--)
			ret[i] = ret[i - 1];
		ret[i] = box[k];
	}
}

/* Chooses which axes make up a span: those with the smallest steps, as far as gaps are small and
 * the scratch buffer reaches; the last of them may be taken in pieces. */
static void plan_span(struct plan *p, const struct axis *sorted, unsigned nd, unsigned *taken,
		struct axis *part)
{
	unsigned k;

	p->span = p->unit;
	p->piece = p->part_n = 1;
	part->n = 0;
	for (k = 0; k < nd; k++) {
		const struct axis *a = &sorted[k];

		if (a->src > p->span + GAP)
			break;
		if (a->src == 0 || (a->n - 1) <= (SCRATCH - p->span) / a->src) {
			p->span += (a->n - 1) * a->src;
			insert_axis(p->copy, &p->n_copy, *a);
			continue;
		}
		p->piece = (SCRATCH - p->span) / a->src + 1;
		if (p->piece < 2)
			break;
		p->part_n = a->n;
		*part = *a;
		k++;
		break;
	}
	*taken = k;
}

static void plan_box(struct plan *p, const struct axis *box, unsigned nd, uint64_t unit)
{
	struct axis sorted[GATHER_MAX_DIMS], part, batch = {0, 0, 0};
	unsigned taken;

	p->unit = unit;
	p->n_copy = p->n_walk = 0;
	p->part = p->batch = -1;
	p->batch_n = p->reads = 1;
	p->batch_src = 0;
	p->pitch = SCRATCH;
	sort_by_src(box, nd, sorted);
	plan_span(p, sorted, nd, &taken, &part);
	/* Of those not taken, the innermost of the output makes batches. */
	for (unsigned k = taken; k < nd; k++) {
		if (part.n == 0 && (batch.n == 0 || sorted[k].dst < batch.dst)) {
			struct axis other = batch;

			batch = sorted[k];
			if (other.n)
				insert_axis(p->walk, &p->n_walk, other);
		} else {
			insert_axis(p->walk, &p->n_walk, sorted[k]);
		}
	}
	if (part.n) {
		p->part = (int)insert_axis(p->copy, &p->n_copy, part);
	} else if (batch.n) {
		p->batch_n = batch.n;
		p->batch_src = batch.src;
		p->pitch = p->span + PAD;
		p->reads = p->pitch < SCRATCH ? SCRATCH / p->pitch : 1;
		batch.src = p->pitch;
		p->batch = (int)insert_axis(p->copy, &p->n_copy, batch);
	}
}

/* All pieces and batches at one position of the walked axes. */
static int gather_here(const struct view *v, struct plan *p, uint64_t at, char *dst, char *scratch,
		struct err *e)
{
	struct axis *part = p->part < 0 ? NULL : &p->copy[p->part];
	struct axis *batch = p->batch < 0 ? NULL : &p->copy[p->batch];

	for (uint64_t i = 0; i < p->part_n; i += p->piece) {
		uint64_t n = p->part_n - i < p->piece ? p->part_n - i : p->piece;
		uint64_t span = p->span + (part ? (n - 1) * part->src : 0);
		uint64_t from = at + (part ? i * part->src : 0);

		if (part)
			part->n = n;
		for (uint64_t b = 0; b < p->batch_n; b += p->reads) {
			uint64_t reads = p->batch_n - b < p->reads ? p->batch_n - b : p->reads;
			uint64_t skip = (part ? i * part->dst : 0) + (batch ? b * batch->dst : 0);

			for (uint64_t r = 0; r < reads; r++) {
				int rc = read_storage(v, scratch + r * p->pitch, span,
						from + (b + r) * p->batch_src, e);

				if (rc < 0)
					return rc;
			}
			if (batch)
				batch->n = reads;
			scatter(p->copy, p->n_copy, dst + skip, scratch, p->unit);
		}
	}
	return 0;
}

static int gather_box(const struct view *v, const struct axis *box, unsigned nd, uint64_t at,
		char *dst, struct err *e)
{
	char scratch[SCRATCH];
	uint64_t idx[GATHER_MAX_DIMS] = {0}, to = 0;
	struct plan p;

	plan_box(&p, box, nd, v->unit);
	do {
		int rc = gather_here(v, &p, at, dst + to, scratch, e);

		if (rc < 0)
			return rc;
	} while (advance(p.walk, p.n_walk, idx, &at, &to));
	return 0;
}

uint64_t view_address(const struct view *v, uint64_t u)
{
	uint64_t at = v->base;

	for (unsigned k = 0; k < v->nd; k++) {
		at += u / v->inner[k] * v->step[k];
		u %= v->inner[k];
	}
	return at;
}

/* The largest box of at most count units that begins at unit `first`; returns its units. */
static uint64_t first_box(const struct view *v, uint64_t first, uint64_t count, struct axis *box,
		unsigned *nd)
{
	uint64_t left, n;
	unsigned k = 0;

	*nd = 0;
	if (v->nd == 0)
		return 1;
	while (v->inner[k] > count || first % v->inner[k])
		k++; /* the last inner is 1 */
	left = v->n[k] - first / v->inner[k] % v->n[k];
	n = count / v->inner[k];
	n = n < left ? n : left;
	for (unsigned d = k; d < v->nd; d++) {
		struct axis a = {d == k ? n : v->n[d], v->step[d], v->inner[d] * v->unit};

		if (a.n > 1)
			box[(*nd)++] = a;
	}
	return n * v->inner[k];
}

/* Part of one unit. */
static int read_piece(const struct view *v, char *buf, size_t len, uint64_t off, struct err *e)
{
	return read_storage(v, buf, len, view_address(v, off / v->unit) + off % v->unit, e);
}

int gather_bytes(const struct view *v, char *buf, size_t len, uint64_t off, struct err *e)
{
	struct axis box[GATHER_MAX_DIMS];

	while (len > 0) {
		uint64_t skip = off % v->unit, n = v->unit - skip;
		unsigned nd;
		int rc;

		if (skip || len < n || v->unit >= GATHER_DIRECT) {
			n = n < len ? n : len;
			rc = read_piece(v, buf, n, off, e);
		} else {
			n = first_box(v, off / v->unit, len / v->unit, box, &nd) * v->unit;
			rc = gather_box(v, box, nd, view_address(v, off / v->unit), buf, e);
		}
		if (rc < 0)
			return rc;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}
