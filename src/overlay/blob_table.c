/* blob_table.c - the runs of a blob: a sorted array in leaves.
 *
 *	leaves   | 0 | 4096 | 70000 |          searched by the first offset of each
 *	           |     |       |
 *	runs      a b   c d e    f g h i       at most LEAF each, searched likewise
 *
 * 250,000 runs are a thousand leaves: a write at random moves some KiB of one leaf, and one that
 * goes on at the end moves nothing. Leaves are filled to the last place where runs are appended,
 * and grow by half, so that a run costs 36 bytes at most.
 *
 * There is one way to change the table: a splice. It is prepared (all memory is had) and then
 * either done or dropped, so that the bytes can go to the journal in between: a write that was
 * journalled is never lost for want of memory, and one that was not leaves no trace.
 *
 * Leaves that shrink are not joined with their neighbours, only dropped when they are empty.
 */
#include "blob_in.h"

#include <stdlib.h>
#include <string.h>

#define LEAF 256
#define LEAF_MIN 4

static uint64_t run_end(const struct run *r)
{
	return r->off + r->len;
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->at[i].at);
	free(t->at);
	memset(t, 0, sizeof *t);
}

/* The last leaf that begins at or before off; 0 when none does. */
static size_t find_leaf(const struct table *t, uint64_t off)
{
	size_t lo = 0, hi = t->n;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->at[mid].off <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

struct place table_find(const struct table *t, uint64_t off)
{
	struct place p = {0, 0};
	uint32_t lo = 0, hi;

	if (t->n == 0)
		return p;
	p.leaf = find_leaf(t, off);
	hi = t->at[p.leaf].n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (run_end(&t->at[p.leaf].at[mid]) > off)
			hi = mid;
		else
			lo = mid + 1;
	}
	p.k = lo;
	if (p.k == t->at[p.leaf].n)
		p = (struct place){p.leaf + 1, 0};
	return p;
}

const struct run *table_run(const struct table *t, struct place p)
{
	return p.leaf < t->n ? &t->at[p.leaf].at[p.k] : NULL;
}

struct place table_next(const struct table *t, struct place p)
{
	if (p.k + 1 < t->at[p.leaf].n)
		return (struct place){p.leaf, p.k + 1};
	return (struct place){p.leaf + 1, 0};
}

/* --- splices ---------------------------------------------------------------------------------- */

/* Lets both ends lie in leaves that are there: the place before a leaf is the one behind the leaf
 * before it. So runs are appended to the last leaf, and a cut up to a leaf's end leaves the next
 * one alone. */
static void settle(const struct table *t, struct splice *s)
{
	bool empty = s->from.leaf == s->to.leaf && s->from.k == s->to.k;

	if (s->to.k == 0 && s->to.leaf > 0 && (empty || s->to.leaf > s->from.leaf)) {
		s->to.leaf--;
		s->to.k = t->at[s->to.leaf].n;
	}
	if (empty)
		s->from = s->to;
}

static bool one_leaf(const struct table *t, const struct splice *s)
{
	return t->n > 0 && s->from.leaf == s->to.leaf &&
			s->n <= LEAF - (t->at[s->from.leaf].n - (s->to.k - s->from.k));
}

/* Room for n runs (<= LEAF). */
static int leaf_room(struct leaf *l, size_t n)
{
	size_t cap = l->cap + l->cap / 2;
	struct run *at;

	if (n <= l->cap)
		return 0;
	cap = cap < LEAF_MIN ? LEAF_MIN : cap > LEAF ? LEAF : cap;
	cap = cap < n ? n : cap;
	at = realloc(l->at, cap * sizeof *at);
	if (!at)
		return ERR_NOMEM;
	l->at = at;
	l->cap = (uint32_t)cap;
	return 0;
}

static int table_room(struct table *t, size_t n)
{
	size_t cap = t->cap + t->cap / 2;
	struct leaf *at;

	if (n <= t->cap)
		return 0;
	cap = cap < n ? n : cap;
	if (cap > SIZE_MAX / sizeof *at)
		return ERR_NOMEM;
	at = realloc(t->at, cap * sizeof *at);
	if (!at)
		return ERR_NOMEM;
	t->at = at;
	t->cap = cap;
	return 0;
}

/* The leaves that a splice cuts, and what is left of them. */
struct cut {
	size_t leaves, head, tail;
};

static struct cut cut_of(const struct table *t, const struct splice *s)
{
	if (t->n == 0)
		return (struct cut){0, 0, 0};
	return (struct cut){s->to.leaf - s->from.leaf + 1, s->from.k,
			t->at[s->to.leaf].n - s->to.k};
}

/* How many of the runs that are left go into the next of the fresh leaves that are left: all that
 * fit at the table's end, where more will be appended, otherwise equal shares. */
static size_t share(bool at_end, size_t runs, size_t leaves)
{
	if (at_end)
		return runs < LEAF ? runs : LEAF;
	return (runs + leaves - 1) / leaves;
}

static bool at_end(const struct table *t, const struct splice *s)
{
	return t->n == 0 || (s->to.leaf + 1 == t->n && s->to.k == t->at[s->to.leaf].n);
}

static int fresh_leaves(const struct table *t, struct splice *s, size_t runs)
{
	bool end = at_end(t, s);

	s->fresh = calloc(s->n_fresh, sizeof *s->fresh);
	if (!s->fresh)
		return ERR_NOMEM;
	for (size_t i = 0; i < s->n_fresh; i++) {
		size_t n = share(end, runs, s->n_fresh - i);

		if (leaf_room(&s->fresh[i], n) < 0)
			return ERR_NOMEM;
		s->fresh[i].n = (uint32_t)n;
		runs -= n;
	}
	return 0;
}

int splice_prepare(struct table *t, struct splice *s)
{
	struct cut c;
	size_t runs;

	s->fresh = NULL;
	s->n_fresh = 0;
	settle(t, s);
	if (one_leaf(t, s))
		return leaf_room(&t->at[s->from.leaf],
				t->at[s->from.leaf].n - (s->to.k - s->from.k) + s->n);
	c = cut_of(t, s);
	runs = c.head + s->n + c.tail;
	s->n_fresh = runs / LEAF + (runs % LEAF != 0);
	if (table_room(t, t->n - c.leaves + s->n_fresh) < 0 ||
			(s->n_fresh && fresh_leaves(t, s, runs) < 0)) {
		splice_drop(s);
		return ERR_NOMEM;
	}
	return 0;
}

void splice_drop(struct splice *s)
{
	for (size_t i = 0; s->fresh && i < s->n_fresh; i++)
		free(s->fresh[i].at);
	free(s->fresh);
	s->fresh = NULL;
	s->n_fresh = 0;
}

/* Puts n leaves where `gone` stand from leaf i on. There is room. */
static void replace_leaves(struct table *t, size_t i, size_t gone, const struct leaf *in, size_t n)
{
	if (t->n > i + gone)
		memmove(t->at + i + n, t->at + i + gone, (t->n - i - gone) * sizeof *t->at);
	if (n)
		memcpy(t->at + i, in, n * sizeof *in);
	t->n += n - gone;
}

static void commit_one_leaf(struct table *t, struct splice *s)
{
	struct leaf *l = &t->at[s->from.leaf];
	struct run *to = l->at + s->from.k;

	if (l->n > s->to.k)
		memmove(to + s->n, l->at + s->to.k, (l->n - s->to.k) * sizeof *to);
	if (s->n)
		memcpy(to, s->in, s->n * sizeof *to);
	l->n = (uint32_t)(l->n - (s->to.k - s->from.k) + s->n);
	if (l->n) {
		l->off = l->at[0].off;
		return;
	}
	free(l->at);
	replace_leaves(t, s->from.leaf, 1, NULL, 0);
}

/* Where fresh leaves are filled up to. */
struct filling {
	struct leaf *l;
	size_t k;
};

static void fill(struct filling *f, const struct run *in, size_t n)
{
	while (n > 0) {
		size_t room = f->l->n - f->k, some = n < room ? n : room;

		memcpy(f->l->at + f->k, in, some * sizeof *in);
		in += some;
		n -= some;
		f->k += some;
		if (f->k == f->l->n)
			*f = (struct filling){f->l + 1, 0};
	}
}

static void commit_leaves(struct table *t, struct splice *s)
{
	struct filling f = {s->fresh, 0};
	struct cut c = cut_of(t, s);

	if (c.leaves)
		fill(&f, t->at[s->from.leaf].at, c.head);
	fill(&f, s->in, s->n);
	if (c.leaves)
		fill(&f, t->at[s->to.leaf].at + s->to.k, c.tail);
	for (size_t i = 0; i < s->n_fresh; i++)
		s->fresh[i].off = s->fresh[i].at[0].off;
	for (size_t i = 0; i < c.leaves; i++)
		free(t->at[s->from.leaf + i].at);
	replace_leaves(t, s->from.leaf, c.leaves, s->fresh, s->n_fresh);
	free(s->fresh);
	s->fresh = NULL;
}

static size_t count(const struct table *t, const struct splice *s)
{
	size_t n = 0;

	if (t->n == 0)
		return 0;
	for (size_t i = s->from.leaf; i <= s->to.leaf; i++)
		n += t->at[i].n;
	return n - s->from.k - (t->at[s->to.leaf].n - s->to.k);
}

void splice_commit(struct table *t, struct splice *s)
{
	t->runs += s->n - count(t, s);
	if (s->n_fresh == 0 && one_leaf(t, s))
		commit_one_leaf(t, s);
	else
		commit_leaves(t, s);
}
