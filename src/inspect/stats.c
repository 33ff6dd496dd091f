/* stats.c - the numbers of every tensor of a checkpoint, and of all of them together.
 *
 *	volume_walk()      names, in tree order; later names of a tied tensor are left out
 *	content_tensor()   its elements
 *	engine_stats()     its numbers
 *	join()             ... into the total, by Chan's rule
 *
 * A tensor that cannot be read is told with the reason, and the rest goes on. When a card fails, the
 * CPU reads the tensor once more: if it can, the card is what is wrong, and that ends it.
 */
#include <pthfs/check.h>
#include <pthfs/inside.h>
#include <pthfs/inspect.h>

#include <math.h>

struct walk {
	struct volume *v;
	const struct stats_opts *o;
	stats_fn *fn;
	void *ctx;
	struct stats *total;
	double m2; /* of the total: sum of squares around its mean */
	uint64_t done, of;
	bool failed; /* e says why: not what fn returned */
	struct err *e;
};

static int measure(void *ctx, const struct vitem *item)
{
	struct walk *w = ctx;

	if (item->is_tensor && !item->tied_to.n && !item->broken.n)
		w->of += item->attr.size;
	return 0;
}

/* The larger-than-zero elements of s join those of t. Types without order only count. */
static void join(struct walk *w, const struct stats *s)
{
	struct stats *t = w->total;
	double had = (double)t->finite, have = (double)s->finite, apart;

	t->count += s->count;
	t->nan += s->nan;
	t->pos_inf += s->pos_inf;
	t->neg_inf += s->neg_inf;
	t->zeros += s->zeros;
	if (s->finite)
		t->abs_max = fmax(t->abs_max, s->abs_max);
	if (!s->has_numbers)
		return;
	t->whole = s->whole && (!t->has_numbers || t->whole);
	t->min = t->has_numbers ? fmin(t->min, s->min) : s->min;
	t->max = t->has_numbers ? fmax(t->max, s->max) : s->max;
	t->has_numbers = true;
	apart = s->mean - t->mean;
	w->m2 += apart * apart * (had / (had + have)) * have;
	if (s->finite > 1)
		w->m2 += s->std * s->std * (have - 1);
	t->mean += apart * (have / (had + have));
	t->finite += s->finite;
}

static int read_numbers(struct walk *w, const struct content *c, enum dtype dt, struct stats *s,
		struct err *why)
{
	struct engine *g = w->o->engine;
	int rc = engine_stats(g, c, dt, s, why);

	if (rc < 0 && g != engine_cpu() && engine_stats(engine_cpu(), c, dt, s, NULL) == 0) {
		w->failed = true;
		if (w->e)
			*w->e = *why;
		return rc;
	}
	if (rc == 0 && w->o->hist)
		rc = hist_fill(c, dt, s, why);
	return rc;
}

static int numbers_of(struct walk *w, uint32_t tensor, struct stats *s, struct err *why)
{
	const struct model *m = &volume_checkpoint(w->v)->model;
	struct content c = {0};
	int rc = content_tensor(m, tensor, &c, why);

	if (rc == 0)
		rc = read_numbers(w, &c, (enum dtype)m->tensors.at[tensor].dtype, s, why);
	content_release(&c);
	return rc;
}

static int one_item(void *ctx, const struct vitem *item)
{
	struct walk *w = ctx;
	uint32_t tensor = volume_item_tensor(w->v, item);
	struct stats_item it = {.item = item};
	struct err why = {0};
	struct stats s = {0};

	if (tensor == MODEL_NONE || item->tied_to.n)
		return 0;
	if (numbers_of(w, tensor, &s, &why) == 0) {
		it.stats = &s;
		join(w, &s);
	} else if (w->failed) {
		return 1;
	}
	it.why = why.text;
	if (w->o->progress.fn) {
		w->done += item->broken.n ? 0 : item->attr.size;
		w->o->progress.fn(w->o->progress.ctx, w->done, w->of);
	}
	return w->fn(w->ctx, &it);
}

int inspect_stats(struct volume *v, const struct stats_opts *o, stats_fn *fn, void *ctx,
		struct stats *total, struct err *e)
{
	struct walk w = {.v = v, .o = o, .fn = fn, .ctx = ctx, .total = total, .e = e};
	int rc = 0;

	*total = (struct stats){.std = NAN};
	if (o->progress.fn)
		rc = volume_walk(v, o->glob, measure, &w, e);
	if (rc == 0)
		rc = volume_walk(v, o->glob, one_item, &w, e);
	if (w.failed)
		return e && e->code < 0 ? e->code : ERR_SYS;
	if (total->finite > 1)
		total->std = sqrt(w.m2 / (double)(total->finite - 1));
	return rc;
}
