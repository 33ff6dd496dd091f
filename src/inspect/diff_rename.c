/* diff_rename.c - tensors that are there under another name.
 *
 * Those that only a has and those that only b has are put into groups of one dtype, shape and CRC of
 * their beginning and end (of 64 KiB each); then a group's names are matched, each proved by comparing
 * all bytes. Many may be equal (tied ones, zeros, counters), so the name decides: the one that ends as
 * the new name does, key by key, the longest such end first, then the nearest in length, then the
 * first. Only so many of a group are looked at for each name, so that a file made for it costs no
 * square. What cannot be read was not renamed. Empty tensors have no bytes to be known by: their names
 * have to end alike.
 */
#include "diff.h"

#include <pthfs/crc.h>
#include <string.h>

#define EDGE (64u << 10)
#define LOOK 256 /* candidates for a name */
#define TRIES 8  /* that are read to the end for it */
#define TAIL 256 /* bytes of a name that are looked at: paths can be as long as dicts are deep */

struct cand {
	uint32_t index;  /* in side.at */
	uint32_t tensor;
	uint32_t next;   /* of those that are free still */
	uint32_t crc;
	uint64_t shape;  /* hash of dtype, shape and size */
	struct str name; /* its last TAIL bytes */
	size_t length;   /* of all of it */
};

struct cands {
	VEC(struct cand) at;
	struct arena names;
};

static uint64_t hash_shape(const struct tensor *t)
{
	uint64_t h = (uint64_t)t->dtype << 32 | t->ndim;
	for (unsigned k = 0; k < t->ndim; k++)
		h = (h ^ (uint64_t)t->shape[k]) * 0x9e3779b97f4a7c15u + (h >> 29);
	return (h ^ t->nbytes) * 0x9e3779b97f4a7c15u;
}

static int by_shape(const void *pa, const void *pb)
{
	const struct cand *a = pa, *b = pb;
	if (a->shape != b->shape)
		return a->shape < b->shape ? -1 : 1;
	if (a->crc != b->crc)
		return a->crc < b->crc ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_group(const struct cand *a, const struct cand *b)
{
	struct cand x = *a, y = *b;
	x.index = y.index = 0;
	return by_shape(&x, &y);
}

static int collect(const struct diff_side *s, struct cands *c, struct err *e)
{
	for (uint32_t i = 0; i < s->at.n; i++) {
		const struct diff_name *n = &s->at.at[i];
		const struct tensor *t = side_tensor(s, i);
		if (n->other != TREE_NONE || !n->wanted || !t || t->broken)
			continue;
		struct cand k = {.index = i, .tensor = side_value(s, i)->tensor,
				.shape = hash_shape(t)};
		if (vec_push(&c->at, k) < 0)
			return err_nomem(e);
	}
	if (c->at.n)
		qsort(c->at.at, c->at.n, sizeof *c->at.at, by_shape);
	return 0;
}

/* Of each only those whose group is in the other. Both are sorted. */
static void common(struct cands *a, struct cands *b)
{
	size_t i = 0, k = 0, na = 0, nb = 0;
	while (i < a->at.n && k < b->at.n) {
		int c = compare_group(&a->at.at[i], &b->at.at[k]);
		if (c) {
			c < 0 ? i++ : k++;
			continue;
		}
		struct cand group = a->at.at[i];
		while (i < a->at.n && compare_group(&a->at.at[i], &group) == 0)
			a->at.at[na++] = a->at.at[i++];
		while (k < b->at.n && compare_group(&b->at.at[k], &group) == 0)
			b->at.at[nb++] = b->at.at[k++];
	}
	a->at.n = na;
	b->at.n = nb;
}

/* --- the bytes at both ends ------------------------------------------------------------------------ */

static int edge(const struct content *c, uint64_t off, char *buf, uint32_t *crc, struct err *e)
{
	size_t got = 0, n = c->size - off < EDGE ? (size_t)(c->size - off) : EDGE;
	int rc = content_read(c, buf, n, off, &got, e);
	if (rc == 0)
		*crc = crc32_bytes(*crc, buf, got);
	return rc;
}

static int edges(const struct diff_side *s, struct cand *k, char *buf, struct err *e)
{
	struct content c;
	int rc = content_tensor(side_model(s), k->tensor, &c, e);
	if (rc < 0)
		return rc;
	k->crc = 0;
	rc = edge(&c, 0, buf, &k->crc, e);
	if (rc == 0 && c.size > EDGE)
		rc = edge(&c, c.size - EDGE, buf, &k->crc, e);
	content_release(&c);
	return rc;
}

static int name_them(const struct diff *d, const struct diff_side *s, struct cands *c, struct err *e)
{
	struct buf name;
	bool failed = false;
	buf_init(&name, 1 << 20);
	for (size_t i = 0; i < c->at.n && !failed; i++) {
		name.n = 0;
		side_name(s, d->o, c->at.at[i].index, &name);
		c->at.at[i].length = name.n;
		c->at.at[i].name = arena_str(&c->names,
				str_skip(buf_view(&name), name.n > TAIL ? name.n - TAIL : 0));
		failed = name.failed || !c->at.at[i].name.p;
	}
	buf_release(&name);
	return failed ? err_nomem(e) : 0;
}

static int all_edges(const struct diff_side *s, struct cands *c, char *buf, struct err *e)
{
	size_t n = 0;
	for (size_t i = 0; i < c->at.n; i++) {
		int rc = edges(s, &c->at.at[i], buf, e);
		if (rc == ERR_NOMEM)
			return rc;
		if (rc == 0)
			c->at.at[n++] = c->at.at[i];
	}
	c->at.n = n;
	if (n)
		qsort(c->at.at, n, sizeof *c->at.at, by_shape);
	return 0;
}

/* --- names ----------------------------------------------------------------------------------------- */

static bool key_begins(struct str s, size_t at)
{
	return at == 0 || s.p[at - 1] == '.' || s.p[at - 1] == '/';
}

/* Bytes at the end of both that are whole keys. */
static size_t same_end(struct str a, struct str b)
{
	size_t n = 0, best = 0;
	while (n < a.n && n < b.n && a.p[a.n - 1 - n] == b.p[b.n - 1 - n]) {
		n++;
		if (key_begins(a, a.n - n) && key_begins(b, b.n - n))
			best = n;
	}
	return best;
}

static size_t apart(const struct cand *a, const struct cand *b)
{
	return a->length > b->length ? a->length - b->length : b->length - a->length;
}

/* --- a group --------------------------------------------------------------------------------------- */

struct group {
	struct diff *d;
	struct cand *a; /* those of side a */
	uint32_t free;  /* the first that nobody has taken; TREE_NONE */
};

/* The best former name for b of the first LOOK, leaving out those in tried: *link is what points to it. */
static uint32_t *pick(struct group *g, const struct cand *b, const uint32_t *tried, unsigned n)
{
	uint32_t *best = NULL, *link = &g->free;
	size_t most = 0;
	for (unsigned look = 0; *link != TREE_NONE && look < LOOK; look++, link = &g->a[*link].next) {
		const struct cand *a = &g->a[*link];
		bool was = false;
		for (unsigned i = 0; i < n; i++)
			was = was || tried[i] == *link;
		if (was)
			continue;
		size_t end = same_end(a->name, b->name);
		if (!best || end > most || (end == most && apart(a, b) < apart(&g->a[*best], b))) {
			best = link;
			most = end;
		}
	}
	return best;
}

static int prove(struct group *g, const struct cand *a, const struct cand *b, bool *same,
		struct err *e)
{
	const struct tensor *x = &side_model(&g->d->a)->tensors.at[a->tensor];
	const struct tensor *y = &side_model(&g->d->b)->tensors.at[b->tensor];
	if (x->dtype != y->dtype || x->ndim != y->ndim ||
			memcmp(x->shape, y->shape, x->ndim * sizeof *x->shape) != 0)
		return 0; /* equal hashes only */
	if (x->nbytes == 0) {
		*same = same_end(a->name, b->name) > 0;
		return 0;
	}
	int rc = diff_equal(g->d, a->tensor, b->tensor, same, e);
	*same = rc == 0 && *same;
	return rc == ERR_NOMEM ? rc : 0;
}

static int match(struct group *g, const struct cand *b, struct err *e)
{
	uint32_t tried[TRIES];
	for (unsigned n = 0; n < TRIES; n++) {
		uint32_t *link = pick(g, b, tried, n);
		bool same = false;
		if (!link)
			return 0;
		struct cand *a = &g->a[*link];
		int rc = prove(g, a, b, &same, e);
		if (rc < 0)
			return rc;
		if (same) {
			g->d->a.at.at[a->index].moved = b->index;
			g->d->b.at.at[b->index].moved = a->index;
			*link = a->next;
			return 0;
		}
		tried[n] = *link;
	}
	return 0;
}

static int match_group(struct diff *d, struct cand *a, size_t na, const struct cand *b, size_t nb,
		struct err *e)
{
	struct group g = {d, a, 0};
	int rc = 0;
	for (size_t i = 0; i < na; i++)
		a[i].next = i + 1 < na ? (uint32_t)i + 1 : TREE_NONE;
	for (size_t i = 0; i < nb && rc == 0 && g.free != TREE_NONE; i++)
		rc = match(&g, &b[i], e);
	return rc;
}

/* Both hold the same groups. */
static int match_all(struct diff *d, struct cands *a, struct cands *b, struct err *e)
{
	size_t i = 0, k = 0;
	int rc = 0;
	while (rc == 0 && i < a->at.n) {
		size_t na = 1, nb = 1;
		while (i + na < a->at.n && compare_group(&a->at.at[i], &a->at.at[i + na]) == 0)
			na++;
		while (k + nb < b->at.n && compare_group(&b->at.at[k], &b->at.at[k + nb]) == 0)
			nb++;
		rc = match_group(d, &a->at.at[i], na, &b->at.at[k], nb, e);
		i += na;
		k += nb;
	}
	return rc;
}

static void count_bytes(struct diff *d, const struct cands *b)
{
	for (size_t i = 0; i < b->at.n; i++)
		d->meter.total += 2 * side_model(&d->b)->tensors.at[b->at.at[i].tensor].nbytes;
}

int diff_renames(struct diff *d, struct err *e)
{
	struct cands a = {0}, b = {0};
	char *buf = malloc(EDGE);
	arena_init(&a.names, 0);
	arena_init(&b.names, 0);
	int rc = buf ? collect(&d->a, &a, e) : err_nomem(e);
	if (rc == 0)
		rc = collect(&d->b, &b, e);
	common(&a, &b);
	if (rc == 0)
		rc = all_edges(&d->a, &a, buf, e);
	if (rc == 0)
		rc = all_edges(&d->b, &b, buf, e);
	common(&a, &b);
	count_bytes(d, &b);
	if (rc == 0)
		rc = name_them(d, &d->a, &a, e);
	if (rc == 0)
		rc = name_them(d, &d->b, &b, e);
	if (rc == 0)
		rc = match_all(d, &a, &b, e);
	vec_release(&a.at);
	vec_release(&b.at);
	arena_release(&a.names);
	arena_release(&b.names);
	free(buf);
	return rc;
}
