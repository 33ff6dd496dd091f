/* compare.c - two runs of elements, or of bytes, beside each other, on all processors.
 *
 * Both are read in pieces of the same number of elements, and those taken apart into blocks. A
 * block whose bytes are the same on both sides (with the same dtype) only adds its sum of squares
 * to the dot products, by the kernels of the CPU engine; others are decoded to doubles and looked
 * at pair by pair (pairs.c). Equal bytes are not always equal values: a NaN in them differs from
 * itself unless nan_equal, so blocks with NaN then go the long way.
 *
 * Sums are joined in order of pieces: the result does not depend on threads.
 */
#include "compare.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

_Static_assert(PIECE_BYTES % (KERNEL_MOST * 16) == 0, "a piece is whole blocks of any dtype");

static enum dtype part_of(enum dtype dt)
{
	switch (dt) {
	case DTYPE_COMPLEX32:
		return DTYPE_FLOAT16;
	case DTYPE_COMPLEX64:
		return DTYPE_FLOAT32;
	case DTYPE_COMPLEX128:
		return DTYPE_FLOAT64;
	default:
		return dt;
	}
}

static void side_init(struct side *s, const struct content *c, enum dtype dt)
{
	s->c = c;
	s->dt = dt;
	s->part = part_of(dt);
	s->parts = s->part == dt ? 1 : 2;
	decoder_init(&s->d, s->part);
	s->size = s->d.size * (size_t)s->parts;
	s->wide = dt == DTYPE_INT64 || dt == DTYPE_UINT64;
}

static enum how how_of(const struct side *a, const struct side *b)
{
	if (decoded_kind(a->dt) == DECODED_RAW || decoded_kind(b->dt) == DECODED_RAW)
		return AS_RAW;
	if (a->parts == 2 || b->parts == 2)
		return AS_COMPLEX;
	return a->wide || b->wide ? AS_WHOLE : AS_REAL;
}

/* --- one block ---------------------------------------------------------------------------- */

void side_decode(const struct side *s, const char *p, size_t n, unsigned parts, double *x)
{
	decode(&s->d, p, whole_groups(n * s->parts), x);
	if (s->parts == parts)
		return;
	for (size_t i = n; i-- > 0;) {
		x[2 * i] = x[i];
		x[2 * i + 1] = 0;
	}
}

static struct whole side_whole(const struct side *s, const char *p)
{
	return (struct whole){s->wide ? p : NULL, s->dt == DTYPE_INT64};
}

static void look_at_pairs(const struct compare *c, struct pairs *r, uint64_t at, const char *a,
		const char *b, size_t n)
{
	double x[2 * BLOCK], y[2 * BLOCK];
	unsigned parts = c->how == AS_COMPLEX ? 2 : 1;

	side_decode(&c->a, a, n, parts, x);
	side_decode(&c->b, b, n, parts, y);
	if (c->how == AS_COMPLEX)
		pairs_complex(r, at, x, y, n, c->o);
	else if (c->how == AS_WHOLE)
		pairs_whole(r, at, x, side_whole(&c->a, a), y, side_whole(&c->b, b), n, c->o);
	else
		pairs_real(r, at, x, y, n, c->o);
}

/* Raw bits of another size have nothing in common. */
static void look_at_bits(const struct compare *c, struct pairs *r, uint64_t at, const char *a,
		const char *b, size_t n)
{
	if (c->a.size == c->b.size) {
		pairs_raw(r, at, a, b, n, c->a.size);
		return;
	}
	r->differ += n;
	r->first = r->first == NO_FIRST ? at : r->first;
}

/* The sum of squares of n parts; false: they do not add up, or are not whole steps. */
static bool squares_of(const struct compare *c, const char *p, size_t n, double *ret)
{
	double x[BLOCK];
	struct block b;

	if (n % KERNEL_STEP)
		return false;
	if (c->squares) {
		c->squares(p, n, 0, false, &b);
	} else {
		decode(&c->a.d, p, n, x);
		c->k->block[LOAD_F64](x, n, 0, false, &b);
	}
	*ret = b.squares;
	return isfinite(b.squares);
}

static bool equal_block(const struct compare *c, struct pairs *r, const char *a, const char *b,
		size_t n)
{
	double squares, more = 0;

	if (!c->one_dtype || memcmp(a, b, n * c->a.size) != 0)
		return false;
	if (c->how == AS_RAW)
		return true;
	if (!squares_of(c, a, n, &squares))
		return false;
	if (c->a.parts == 2 && !squares_of(c, a + n * c->a.d.size, n, &more))
		return false;
	r->aa += squares + more;
	r->bb += squares + more;
	r->ab += squares + more;
	return true;
}

/* --- what the pool calls ------------------------------------------------------------------ */

size_t compare_elements(const struct compare *c, uint64_t piece)
{
	uint64_t left = c->count - piece * c->each;

	return left < c->each ? left : c->each;
}

static int read_side(const struct side *s, uint64_t first, size_t n, char *to, struct err *e)
{
	size_t got;
	int rc = content_read(s->c, to, n * s->size, first * s->size, &got, e);

	if (rc == 0)
		memset(to + n * s->size, 0, SLACK);
	return rc;
}

int compare_read(void *ctx, uint64_t piece, void *room, struct err *e)
{
	const struct compare *c = ctx;
	size_t n = compare_elements(c, piece);
	int rc = read_side(&c->a, piece * c->each, n, room, e);

	return rc < 0 ? rc : read_side(&c->b, piece * c->each, n, (char *)room + c->room_b, e);
}

static void compare_piece(void *ctx, uint64_t piece, void *room, void *result)
{
	const struct compare *c = ctx;
	struct pairs *r = result;
	const char *a = room, *b = a + c->room_b;
	size_t n = compare_elements(c, piece), some;

	*r = (struct pairs){.first = NO_FIRST};
	for (size_t i = 0; i < n; i += some, a += some * c->a.size, b += some * c->b.size) {
		some = n - i < BLOCK ? n - i : BLOCK;
		if (equal_block(c, r, a, b, some))
			continue;
		r->other_bytes |= !c->one_dtype || memcmp(a, b, some * c->a.size) != 0;
		if (c->how == AS_RAW)
			look_at_bits(c, r, i, a, b, some);
		else
			look_at_pairs(c, r, i, a, b, some);
	}
}

static bool join_pairs(void *ctx, uint64_t piece, const void *result)
{
	struct compare *c = ctx;

	pairs_join(&c->all, piece * c->each, result);
	return true;
}

static void tell(const struct compare *c, struct compared *ret)
{
	const struct pairs *p = &c->all;
	bool numbers = c->how != AS_RAW;

	*ret = (struct compared){
		.count = c->count,
		.differ = p->differ,
		.first = p->first,
		.max_abs = numbers ? p->max_abs : 0,
		.max_rel = numbers ? p->max_rel : 0,
		.cosine = NAN,
		.same_bytes = c->one_dtype && !p->other_bytes,
		.has_numbers = numbers,
	};
	if (numbers)
		ret->cosine = cosine_of(p->aa, p->bb, p->ab);
}

int numbers_compare(const struct content *a, enum dtype da, const struct content *b, enum dtype db,
		const struct compare_opts *o, struct compared *ret, struct err *e)
{
	struct compare c = {.one_dtype = da == db, .o = o, .k = kernels_best(),
		.all = {.first = NO_FIRST}};
	struct job job = {.result = sizeof(struct pairs), .ctx = &c, .read = compare_read,
		.work = compare_piece, .join = join_pairs};
	struct compared all;
	size_t largest;
	int rc;

	side_init(&c.a, a, da);
	side_init(&c.b, b, db);
	c.how = how_of(&c.a, &c.b);
	c.squares = kernel_for(c.k, c.a.part);
	c.count = a->size / c.a.size;
	if (b->size / c.b.size != c.count)
		return err_set(e, ERR_INVALID,
			"%" PRIu64 " elements cannot be compared with %" PRIu64, c.count,
			b->size / c.b.size);
	c.each = PIECE_BYTES / (c.a.size > c.b.size ? c.a.size : c.b.size);
	largest = c.count < c.each ? c.count : c.each;
	c.room_b = (largest * c.a.size + SLACK + 63) / 64 * 64;
	job.room = c.room_b + largest * c.b.size + SLACK;
	job.pieces = c.count / c.each + (c.count % c.each != 0);
	job.serial = pool_serial(a) || pool_serial(b);
	rc = pool_run(&job, e);
	if (rc < 0)
		return rc;
	tell(&c, &all);
	if (cosine_is_lost(&c)) {
		rc = cosine_scaled(&c, &job, &all.cosine, e);
		if (rc < 0)
			return rc;
	}
	*ret = all;
	return 0;
}
