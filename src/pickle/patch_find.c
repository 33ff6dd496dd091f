/* patch_find.c - finds the opcodes that an edit has to replace, by running the pickle twice.
 *
 * First: a container is known by its kind and the offset of the opcode that made it; what fills it
 * tells where each value was pushed. Then, with these places known: a value that was put there and
 * is got elsewhere would change there, too, so the first such get is noted; the old value can be
 * defined anew there, under the same number.
 *
 * Not done: values that DUP copies, or that are got under two numbers.
 */
#include "patch.h"

#include <inttypes.h>

/* --- where values are pushed ----------------------------------------------------------------- */

static int by_holder(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	return (x->holder_off > y->holder_off) - (x->holder_off < y->holder_off);
}

static int by_place(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	return (x->from.at > y->from.at) - (x->from.at < y->from.at);
}

/* The first spot whose holder was made at off, or s->n. */
static uint32_t first_of(const struct spots *s, uint32_t off)
{
	uint32_t low = 0, high = s->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (s->at[mid].holder_off < off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Which of the values that f brings is that of the edit; false: none. */
static bool brings(const struct fill *f, const struct pickle_edit *edit, uint32_t *ret)
{
	bool pairs = f->part == PICKLE_KEY;
	uint32_t i = edit->i - f->first;

	if (pairs != (edit->part == PICKLE_KEY || edit->part == PICKLE_VALUE) ||
			edit->i < f->first || i >= f->n / (pairs ? 2 : 1))
		return false;
	*ret = pairs ? 2 * i + (edit->part == PICKLE_VALUE) : i;
	return true;
}

/* Keys that are given twice moved what is behind them when the graph was cleaned. */
static int check_keys(struct trace *t, const struct spots *s, const struct spot *p, oref holder)
{
	uint32_t here, there;

	obj_pairs(t->m.g, holder, &here);
	obj_pairs(s->g, p->edit->holder, &there);
	if (here <= there)
		return 0;
	return err_set(t->m.e, ERR_UNSUPPORTED,
			"the pickle gives a key of the dict made at byte %" PRIu32 " twice",
			p->holder_off);
}

static int see_fill(struct trace *t, const struct fill *f)
{
	struct spots *s = t->ctx;
	bool top = f->part == PICKLE_TOP;
	uint32_t off = top ? UINT32_MAX : obj_off(t->m.g, f->holder), k;

	if (f->n == 0)
		return 0;
	for (uint32_t i = first_of(s, off); i < s->n && s->at[i].holder_off == off; i++) {
		struct spot *p = &s->at[i];
		bool same = top ? p->edit->part == PICKLE_TOP
				: p->edit->part != PICKLE_TOP &&
							    obj_kind(s->g, p->edit->holder) ==
									    obj_kind(t->m.g,
											    f->holder);

		if (same && f->part == PICKLE_KEY && check_keys(t, s, p, f->holder) < 0)
			return ERR_UNSUPPORTED;
		if (!same || (k = 0, !top && !brings(f, p->edit, &k)))
			continue;
		if (top && patch_check_old(t->m.g, f->holder, t->m.e) < 0)
			return ERR_UNSUPPORTED;
		p->from = f->from[k];
		p->found = true;
	}
	return 0;
}

/* --- who else gets them ---------------------------------------------------------------------- */

struct owners {
	struct spots *spots;
	struct u32map of; /* memo number -> 1 + index of a spot, 0: of something else */
};

static struct spot *spot_at(const struct spots *s, uint32_t at)
{
	uint32_t low = 0, high = s->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (s->at[mid].from.at < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n && s->at[low].from.at == at ? &s->at[low] : NULL;
}

static int see_put(struct trace *t, struct owners *o)
{
	const struct spot *p = spot_at(o->spots, t->from.at[t->m.stack.n - 1].at);
	uint32_t key = (uint32_t)t->m.arg, old;

	if (!p && !u32map_get(&o->of, key, &old))
		return 0;
	if (key == UINT32_MAX)
		return err_set(t->m.e, ERR_UNSUPPORTED, "memo number %" PRIu32, key);
	if (u32map_set(&o->of, key, p ? (uint32_t)(p - o->spots->at) + 1 : 0) < 0)
		return err_nomem(t->m.e);
	return 0;
}

static int see_get(struct trace *t, struct owners *o)
{
	uint32_t owner, number = (uint32_t)t->m.arg;
	struct spot *p;

	if (!u32map_get(&o->of, number, &owner) || owner == 0 ||
			spot_at(o->spots, (uint32_t)t->m.at))
		return 0;
	p = &o->spots->at[owner - 1];
	if (p->used && p->number != number)
		return err_set(t->m.e, ERR_UNSUPPORTED,
				"the value at byte %" PRIu32
				" of the pickle is known under two memo "
				"numbers",
				p->from.at);
	if (!p->used)
		p->use = (struct origin){(uint32_t)t->m.at, trace_end(t)};
	p->used = true;
	p->number = number;
	return 0;
}

static int see_dup(struct trace *t, struct owners *o)
{
	const struct spot *p = t->m.stack.n > 1 ? spot_at(o->spots, t->from.at[t->m.stack.n - 2].at)
						: NULL;

	if (!p)
		return 0;
	return err_set(t->m.e, ERR_UNSUPPORTED,
			"the value at byte %" PRIu32 " of the pickle is copied by DUP", p->from.at);
}

static int see_use(struct trace *t, const struct fill *f)
{
	struct owners *o = t->ctx;
	struct origin frame = {(uint32_t)t->m.at, 0};

	switch (t->m.op) {
	case OP_PUT:
	case OP_BINPUT:
	case OP_LONG_BINPUT:
	case OP_MEMOIZE:
		return see_put(t, o);
	case OP_GET:
	case OP_BINGET:
	case OP_LONG_BINGET:
		return see_get(t, o);
	case OP_DUP:
		return see_dup(t, o);
	case OP_FRAME:
		frame.end = trace_end(t) + (uint32_t)t->m.arg;
		return vec_push(&o->spots->frames, frame) < 0 ? err_nomem(t->m.e) : 0;
	default:
		return 0;
	}
}

/* --- both ------------------------------------------------------------------------------------ */

static int run(struct trace *t, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct reader r;
	struct graph g;
	int rc = reader_init(&r, src, off, len, e);

	if (rc < 0)
		return rc;
	rc = graph_init(&g, e);
	if (rc == 0) {
		rc = trace_run(t, &r, &g, e);
		graph_release(&g);
	}
	reader_release(&r);
	return rc;
}

static int check_found(const struct spots *s, struct err *e)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (!s->at[i].found)
			return err_set(e, ERR_UNSUPPORTED,
					"the pickle does not say where part %" PRIu32
					" of the object made at byte %" PRIu32 " comes from",
					s->at[i].edit->i, s->at[i].holder_off);
		if (i && s->at[i].from.at == s->at[i - 1].from.at)
			return err_set(e, ERR_USAGE, "two edits of the value at byte %" PRIu32,
					s->at[i].from.at);
	}
	return 0;
}

int spots_find(struct spots *s, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct owners owners = {.spots = s};
	struct trace fills = {.see = see_fill, .ctx = s}, uses = {.see = see_use, .ctx = &owners};
	int rc;

	qsort(s->at, s->n, sizeof *s->at, by_holder);
	rc = run(&fills, src, off, len, e);
	if (rc < 0)
		return rc;
	qsort(s->at, s->n, sizeof *s->at, by_place);
	rc = check_found(s, e);
	if (rc == 0)
		rc = run(&uses, src, off, len, e);
	u32map_release(&owners.of);
	return rc;
}
