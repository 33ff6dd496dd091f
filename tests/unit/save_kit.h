/* save_kit.h - a checkpoint that is changed, saved to a plan, and loaded again from it.
 *
 *	struct ckpt k;
 *	struct saved s;
 *	ckpt_data(&k, "good-legacy-state-dict.pth");
 *	write_bytes(&k, storage, 3, "xyz", 3);
 *	save_as(&k, &s, (struct save){.pickle = true});
 *	s.now, s.p, s.places, s.rep
 *	saved_release(&s); ckpt_release(&k); writes_release();
 */
#ifndef SAVE_KIT_H
#define SAVE_KIT_H

#include "change_kit.h"

#include <pthfs/save.h>

struct saved {
	struct ckpt now;
	struct plan p;
	uint64_t *places;
	struct save_report rep;
	struct err e;
	int rc;
};

#define WRITES_MAX 32
static struct {
	uint32_t storage;
	struct save_run run;
} writes[WRITES_MAX];
static size_t n_writes;

static inline const struct save_run *runs_of(void *ctx, uint32_t storage, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < n_writes; i++)
		if (writes[i].storage == storage) {
			*n = 1;
			return &writes[i].run;
		}
	return NULL;
}

/* Once for each storage. */
static inline void write_bytes(
		struct ckpt *k, uint32_t storage, uint64_t off, const void *bytes, size_t n)
{
	struct storage *st = &k->c->model.storages.at[storage];
	char *now = malloc(st->data.len + 1);
	struct source *src;

	if (!now || n_writes == WRITES_MAX || off + n > st->data.len ||
			source_read(st->data.src, now, st->data.len, st->data.off, NULL) < 0)
		abort();
	memcpy(now + off, bytes, n);
	src = source_mem_take(now, st->data.len);
	if (!src || model_keep(&k->c->model, src) < 0)
		abort();
	st->data = (struct extent){src, 0, st->data.len};
	writes[n_writes].storage = storage;
	writes[n_writes++].run = (struct save_run){off, {src, off, n}};
}

static inline uint32_t storage_at(const struct ckpt *k, const char *path)
{
	return ckpt_tensor(k, path)->storage;
}

static inline void save_as(struct ckpt *k, struct saved *s, struct save how)
{
	struct source *src = NULL;

	*s = (struct saved){0};
	how.ck = k->c;
	how.root = object_at(k, "");
	how.runs = runs_of;
	s->rc = checkpoint_save(&how, &s->p, &s->places, &s->rep, &s->e);
	if (s->rc == 0 && source_plan(&s->p, &src, &s->e) == 0)
		ckpt_source(&s->now, src, NULL);
	if (!s->now.c) {
		tap_bad++;
		printf("# not saved and loaded: %s%s\n", s->e.text, s->now.e.text);
	}
}

static inline void saved_release(struct saved *s)
{
	if (s->now.src)
		ckpt_release(&s->now);
	if (s->rc == 0)
		plan_release(&s->p);
	free(s->places);
	n_writes = 0;
}

/* Is byte for byte the same as the source? */
static inline bool same_bytes(const struct source *a_, struct source *b)
{
	struct source *a = (struct source *)a_;
	char x[4096], y[4096];
	size_t n;

	if (a->size != b->size)
		return false;
	for (uint64_t off = 0; off < a->size; off += n) {
		n = a->size - off < sizeof x ? (size_t)(a->size - off) : sizeof x;
		if (source_read(a, x, n, off, NULL) < 0 || source_read(b, y, n, off, NULL) < 0 ||
				memcmp(x, y, n) != 0)
			return false;
	}
	return true;
}

static inline bool same_tensor(const struct model *a, uint32_t x, const struct model *b, uint32_t y)
{
	struct content p = {0}, q = {0};
	char u[4096], v[4096];
	size_t n = 0, m = 0;
	bool same = a->tensors.at[x].dtype == b->tensors.at[y].dtype &&
		    a->tensors.at[x].flags == b->tensors.at[y].flags;
	int r = content_tensor(a, x, &p, NULL), t = content_tensor(b, y, &q, NULL);

	if (r < 0 || t < 0)
		return r == t && same;
	for (uint64_t off = 0; same && off < p.size; off += n)
		same = content_read(&p, u, sizeof u, off, &n, NULL) == 0 && n &&
		       content_read(&q, v, sizeof v, off, &m, NULL) == 0 && n == m &&
		       memcmp(u, v, n) == 0;
	same = same && p.size == q.size;
	content_release(&p);
	content_release(&q);
	return same;
}

static inline bool same_object(const struct model *a, oref x, const struct model *b, oref y)
{
	struct buf p, q;
	bool same;

	buf_init(&p, 1u << 20);
	buf_init(&q, 1u << 20);
	obj_repr(&a->graph, x, &p, NULL);
	obj_repr(&b->graph, y, &q, NULL);
	same = str_eq(buf_view(&p), buf_view(&q));
	buf_release(&p);
	buf_release(&q);
	return same;
}

/* Do the two values show the same? What is deeper than 20 is not looked at. */
static inline bool same_value(const struct model *a, uint32_t x, const struct model *b, uint32_t y,
		unsigned depth)
{
	const struct value *v = &a->values.at[x], *w = &b->values.at[y];

	if (depth > 20)
		return true;
	if (v->kind != w->kind || v->n != w->n)
		return false;
	if (v->kind == VALUE_TENSOR)
		return same_tensor(a, v->tensor, b, w->tensor);
	if (v->kind == VALUE_LEAF)
		return same_object(a, v->obj, b, w->obj);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct entry *p = &a->entries.at[v->first + i],
				   *q = &b->entries.at[w->first + i];

		if (!same_object(a, p->key, b, q->key) ||
				!same_value(a, p->value, b, q->value, depth + 1)) {
			printf("# entry %u of %u differs\n", i, v->n);
			return false;
		}
	}
	return true;
}

static inline bool same_model(const struct ckpt *a, const struct ckpt *b)
{
	return a->c && b->c &&
	       same_value(&a->c->model, a->c->model.root, &b->c->model, b->c->model.root, 0);
}

/* Do the places tell where the bytes of the storages are in the new file? */
static inline bool places_are_right(const struct ckpt *k, const struct saved *s)
{
	struct source *src = s->now.src;
	char x[256], y[256];

	for (uint32_t i = 0; i < k->c->model.storages.n; i++) {
		const struct storage *st = &k->c->model.storages.at[i];
		size_t n = st->data.len < sizeof x ? (size_t)st->data.len : sizeof x;

		if (s->places[i] == UINT64_MAX || n == 0)
			continue;
		if (source_read(st->data.src, x, n, st->data.off, NULL) < 0 ||
				source_read(src, y, n, s->places[i], NULL) < 0 ||
				memcmp(x, y, n) != 0)
			return false;
	}
	return true;
}

/* The pairs of the root without entry `skip` (UINT32_MAX: all), key `rename` being called `name`.
 */
static inline int change_root(struct ckpt *k, uint32_t skip, uint32_t rename, const char *name,
		oref more_key, oref more)
{
	const struct model *m = &k->c->model;
	const struct value *v = &m->values.at[m->root];
	oref *pairs = malloc((2 * (size_t)v->n + 2) * sizeof *pairs);
	uint32_t n = 0;
	int rc;

	for (uint32_t i = 0; i < v->n; i++) {
		const struct entry *en = &m->entries.at[v->first + i];

		if (i == skip)
			continue;
		pairs[2 * n] = i == rename ? text_object(k, name) : en->key;
		pairs[2 * n++ + 1] = m->values.at[en->value].obj;
	}
	if (more != OREF_NIL) {
		pairs[2 * n] = more_key;
		pairs[2 * n++ + 1] = more;
	}
	rc = change_pairs(k->c, m->root, pairs, n, &k->e);
	free(pairs);
	return rc;
}

#endif
