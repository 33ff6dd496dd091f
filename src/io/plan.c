/* plan.c - making a plan, and what realizing it costs.
 *
 *	at[0] at[1] at[2] ...      in file order, without gaps; size is the sum of their lengths
 *
 * Pieces are never empty. Neighbours that continue each other are one piece, so that a file in
 * which 5 of 10 000 records changed is about 11 pieces.
 */
#include <pthfs/plan.h>

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "plan_in.h"

void plan_init(struct plan *p)
{
	*p = (struct plan){0};
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->at.n; i++)
		source_unref(p->at.at[i].src);
	vec_release(&p->at);
	p->size = 0;
}

/* The piece that a new one would continue, or NULL. */
static struct extent *last(const struct plan *p)
{
	return p->at.n ? &p->at.at[p->at.n - 1] : NULL;
}

static int check_size(const struct plan *p, uint64_t more, struct err *e)
{
	if (more > (uint64_t)INT64_MAX - p->size)
		return err_set(e, ERR_LIMIT,
			"a file of %" PRIu64 " and %" PRIu64 " more bytes is larger than files can be",
			p->size, more);
	return 0;
}

/* Takes over one reference on src, also when it fails; NULL: out of memory. */
static int push(struct plan *p, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct extent x = {src, off, len};
	int r;

	if (!src)
		return err_nomem(e);
	r = vec_push(&p->at, x);
	if (r < 0) {
		source_unref(src);
		return err_nomem(e);
	}
	p->size += len;
	return 0;
}

int plan_bytes(struct plan *p, const void *bytes, size_t n, struct err *e)
{
	struct extent *x = last(p);
	int r = check_size(p, n, e);

	if (r < 0 || n == 0)
		return r;
	if (x && piece_append(x->src, bytes, n)) {
		x->len += n;
		p->size += n;
		return 0;
	}
	return push(p, piece_bytes(bytes, n), 0, n, e);
}

int plan_take(struct plan *p, void *bytes, size_t n, struct err *e)
{
	int r = check_size(p, n, e);

	if (r < 0 || n == 0) {
		free(bytes);
		return r;
	}
	return push(p, source_mem_take(bytes, n), 0, n, e);
}

int plan_fill(struct plan *p, unsigned char byte, uint64_t n, struct err *e)
{
	unsigned char crumb[256];
	int r = check_size(p, n, e);

	if (r < 0 || n == 0)
		return r;
	if (n > sizeof crumb)
		return push(p, piece_fill(byte, n), 0, n, e);
	memset(crumb, byte, (size_t)n);
	return plan_bytes(p, crumb, (size_t)n, e);
}

int plan_run(struct plan *p, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct extent *x = last(p);
	int r = check_size(p, len, e);

	if (r < 0)
		return r;
	if (len > src->size || off > src->size - len)
		return err_set(e, ERR_TRUNCATED,
			"%" PRIu64 " bytes wanted at offset %" PRIu64
			", but there are only %" PRIu64 " bytes",
			len, off, src->size);
	if (len == 0)
		return 0;
	if (x && x->src == src && x->off + x->len == off) {
		x->len += len;
		p->size += len;
		return 0;
	}
	return push(p, source_ref(src), off, len, e);
}

bool in_place_test(struct in_place *t, const struct extent *piece, uint64_t at)
{
	struct stat st;
	uint64_t off;
	int fd;

	if (!t->old)
		return false;
	fd = source_raw(piece->src, piece->off, piece->len, &off);
	if (fd < 0 || off != at)
		return false;
	if (fd != t->fd) {
		t->fd = fd;
		t->same = fstat(fd, &st) == 0 && st.st_dev == t->old->st_dev &&
			st.st_ino == t->old->st_ino;
	}
	return t->same;
}

int plan_each(const struct plan *p, const struct stat *old,
		int (*fn)(void *ctx, const struct extent *piece, uint64_t at, bool in_place),
		void *ctx)
{
	struct in_place test = {.old = old, .fd = -1};
	const struct extent *x;
	uint64_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->at.n; at += p->at.at[i++].len) {
		x = &p->at.at[i];
		r = fn(ctx, x, at, in_place_test(&test, x, at));
	}
	return r;
}

uint64_t plan_cost(const struct plan *p, struct source *old)
{
	struct in_place test = {.fd = -1};
	uint64_t at = 0, cost = 0, off;
	struct stat st;
	int fd = old ? source_raw(old, 0, 0, &off) : -1;

	if (fd >= 0 && fstat(fd, &st) == 0)
		test.old = &st;
	for (size_t i = 0; i < p->at.n; at += p->at.at[i++].len)
		if (!in_place_test(&test, &p->at.at[i], at))
			cost += p->at.at[i].len;
	return cost;
}
