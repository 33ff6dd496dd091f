/* plan_source.c - a plan read directly: a file that is never written (export/).
 *
 * Reads come at any offset, and a plan can have as many pieces as a checkpoint has tensors, so the
 * piece is found by bisection over where each begins.
 */
#include <pthfs/plan.h>

#include <stdlib.h>

struct plan_source {
	struct source head;
	const struct plan *plan; /* borrowed, does not change any more */
	uint64_t start[];        /* of each piece; the first is 0 */
};

/* Index of the piece that off lies in; off is inside. */
static size_t piece_of(const struct plan_source *s, uint64_t off)
{
	size_t low = 0, high = s->plan->at.n, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (s->start[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static int plan_read(struct source *src, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct plan_source *s = (struct plan_source *)src;
	size_t i = piece_of(s, off);

	return extents_read(s->plan->at.at + i, s->plan->at.n - i, buf, len, off - s->start[i], e);
}

static int plan_raw(struct source *src, uint64_t off, uint64_t len, uint64_t *ret_off)
{
	struct plan_source *s = (struct plan_source *)src;
	size_t i;

	if (s->plan->at.n == 0)
		return -1;
	i = piece_of(s, off);
	return extents_raw(s->plan->at.at + i, s->plan->at.n - i, off - s->start[i], len, ret_off);
}

static void plan_close(struct source *s)
{
	free(s);
}

static const struct source_ops plan_ops = {
	.name = "plan",
	.read_at = plan_read,
	.raw = plan_raw,
	.close = plan_close,
};

int source_plan(const struct plan *p, struct source **ret, struct err *e)
{
	struct plan_source *s = malloc(sizeof *s + p->at.n * sizeof s->start[0]);
	uint64_t at = 0;

	if (!s)
		return err_nomem(e);
	source_init(&s->head, &plan_ops, p->size);
	s->plan = p;
	for (size_t i = 0; i < p->at.n; at += p->at.at[i++].len)
		s->start[i] = at;
	*ret = &s->head;
	return 0;
}
