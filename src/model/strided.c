/* strided.c - the elements of a strided view as a source of its own.
 *
 * Here the view is checked and made simple: dimensions of size 1 go, neighbours that are one run
 * in the storage become one, and what is contiguous at the end becomes the unit. Reading is
 * gather.c. The address of an element: formats/torch-objects.md section 3.
 *
 * A transposed view is the hard case: a request of 128 KiB touches every row of the storage for a
 * few bytes each, and the next request the same rows again. So for those, requests that follow
 * each other are served from a panel: 1 MiB of the view, gathered at once. It is allocated when it
 * is first of use and goes with the source; a process holds at most PANELS_MAX of them, beyond
 * which (as for reads here and there, and when a panel cannot be read) the request itself is
 * gathered. Bytes outside the request never make it fail.
 */
#include "gather.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/content.h>

#define PANEL (1024 * 1024)
#define PANELS_MAX 16

static atomic_uint panels; /* how many there are */

struct strided {
	struct source s;
	struct view v;
	bool transposed;
	pthread_mutex_t lock; /* protects the rest; held while a panel is gathered */
	char *panel;
	uint64_t panel_off; /* a multiple of PANEL */
	size_t panel_len;   /* 0: nothing in it */
};

/* Room for a panel, if it is there or may be there. */
static bool panel_room(struct strided *st)
{
	if (st->panel)
		return true;
	if (atomic_fetch_add(&panels, 1) < PANELS_MAX)
		st->panel = malloc(PANEL);
	if (!st->panel)
		atomic_fetch_sub(&panels, 1);
	return st->panel != NULL;
}

/* Makes the panel hold the window at off, if that is the next one or the first. */
static bool panel_fill(struct strided *st, uint64_t off)
{
	uint64_t left = st->s.size - off;
	size_t len = left < PANEL ? (size_t)left : PANEL;

	if (st->panel_len && st->panel_off == off)
		return true;
	if (off != 0 && off != st->panel_off + st->panel_len)
		return false;
	if (!panel_room(st))
		return false;
	st->panel_off = off;
	st->panel_len = gather_bytes(&st->v, st->panel, len, off, NULL) < 0 ? 0 : len;
	return st->panel_len != 0;
}

/* [off, off + len), which lies in one window, from the panel; false when that is no help. */
static bool panel_read(struct strided *st, char *buf, size_t len, uint64_t off)
{
	bool here;

	pthread_mutex_lock(&st->lock);
	here = panel_fill(st, off - off % PANEL);
	if (here)
		memcpy(buf, st->panel + off % PANEL, len);
	pthread_mutex_unlock(&st->lock);
	return here;
}

static int strided_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct strided *st = (struct strided *)s;
	char *p = buf;

	if (!st->transposed || len >= PANEL || len == s->size)
		return gather_bytes(&st->v, buf, len, off, e);
	while (len > 0) {
		size_t n = PANEL - off % PANEL;

		n = n < len ? n : len;
		if (!panel_read(st, p, n, off)) {
			int rc = gather_bytes(&st->v, p, n, off, e);

			if (rc < 0)
				return rc;
		}
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static void strided_close(struct source *s)
{
	struct strided *st = (struct strided *)s;

	if (st->panel) {
		free(st->panel);
		atomic_fetch_sub(&panels, 1);
	}
	pthread_mutex_destroy(&st->lock);
	source_unref(st->v.storage.src);
	free(st);
}

static const struct source_ops strided_ops = {
	.name = "strided",
	.read_at = strided_read_at,
	.close = strided_close,
};

/* Sets base, unit, nd, n and step of v, all in elements still, and *size to the number of elements.
 * False when the shape or the addresses overflow or the last element lies at or behind `limit`. */
static bool measure(struct view *v, uint64_t limit, uint64_t offset, unsigned ndim,
		const int64_t *shape, const int64_t *stride, uint64_t *size)
{
	uint64_t last = offset, numel = 1, way;

	v->base = offset;
	v->nd = 0;
	for (unsigned k = 0; k < ndim; k++) {
		if (shape[k] < 0 || stride[k] < 0)
			return false;
		if (shape[k] == 0) {
			*size = 0;
			return true;
		}
	}
	for (unsigned k = 0; k < ndim; k++) {
		if (shape[k] == 1)
			continue;
		v->n[v->nd] = (uint64_t)shape[k];
		v->step[v->nd++] = (uint64_t)stride[k];
		if (__builtin_mul_overflow(numel, (uint64_t)shape[k], &numel) ||
				__builtin_mul_overflow((uint64_t)shape[k] - 1, (uint64_t)stride[k],
						&way) ||
				__builtin_add_overflow(last, way, &last))
			return false;
	}
	*size = numel;
	return last < limit;
}

/* Joins dimensions that are one run, then takes a contiguous last one into the unit. */
static void simplify(struct view *v)
{
	unsigned w = 0;

	for (unsigned k = 1; k < v->nd; k++) {
		if (v->step[w] == v->n[k] * v->step[k]) {
			v->n[w] *= v->n[k];
			v->step[w] = v->step[k];
			continue;
		}
		w++;
		v->n[w] = v->n[k];
		v->step[w] = v->step[k];
	}
	v->nd = v->nd ? w + 1 : 0;
	if (v->nd && v->step[v->nd - 1] == v->unit) {
		v->nd--;
		v->unit *= v->n[v->nd];
	}
	for (unsigned k = v->nd; k-- > 0;)
		v->inner[k] = k + 1 < v->nd ? v->inner[k + 1] * v->n[k + 1] : 1;
}

static bool is_transposed(const struct view *v)
{
	if (v->unit >= GATHER_DIRECT)
		return false;
	for (unsigned k = 0; k + 1 < v->nd; k++)
		if (v->step[k] > 0 && v->step[k] < v->step[v->nd - 1])
			return true;
	return false;
}

int view_init(struct view *v, struct extent storage, enum dtype dt, uint64_t offset, unsigned ndim,
		const int64_t *shape, const int64_t *stride, uint64_t *bytes, struct err *e)
{
	uint64_t esize = dtype_info(dt)->size, numel;

	if (ndim > GATHER_MAX_DIMS)
		return err_set(e, ERR_DAMAGED, "a view of %u dimensions; torch has at most %d",
				ndim, GATHER_MAX_DIMS);
	if (!measure(v, storage.len / esize, offset, ndim, shape, stride, &numel) ||
			__builtin_mul_overflow(numel, esize, bytes) || *bytes > INT64_MAX)
		return err_set(e, ERR_DAMAGED, "a view does not fit its storage of %llu bytes",
				(unsigned long long)storage.len);
	for (unsigned k = 0; k < v->nd; k++)
		v->step[k] *= esize;
	v->base *= esize;
	v->unit = esize;
	v->storage = storage;
	simplify(v);
	return 0;
}

int source_strided(struct extent storage, enum dtype dt, uint64_t offset, unsigned ndim,
		const int64_t *shape, const int64_t *stride, struct source **ret, struct err *e)
{
	uint64_t bytes = 0;
	struct strided *st = calloc(1, sizeof *st);
	int rc;

	if (!st)
		return err_nomem(e);
	rc = view_init(&st->v, storage, dt, offset, ndim, shape, stride, &bytes, e);
	if (rc < 0) {
		free(st);
		return rc;
	}
	st->transposed = is_transposed(&st->v);
	pthread_mutex_init(&st->lock, NULL);
	source_ref(storage.src);
	source_init(&st->s, &strided_ops, bytes);
	*ret = &st->s;
	return 0;
}
