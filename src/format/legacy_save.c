/* legacy_save.c - a legacy stream back into its own format.
 *
 *	magic | 1001 | system info | object | storage keys | count, data | count, data ... | (more)
 *
 * Bytes only: the old file with the changed bytes in their places; nothing moves. When the object
 * changed, it is written anew and all that is behind it follows: the keys of the storages that are
 * still used (torch fails on a key that nothing names), then those storages as runs of the old
 * file. The first three pickles, and whatever stands behind the last storage, stay as they are.
 *
 * Keys are sorted as text, as torch does it; where they were not before, the old ones keep their
 * order and new ones come last. compact sorts them and drops what is behind the last storage. Data
 * are little-endian always. (formats/torch-legacy.md sections 1 to 4)
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>

#include "save_in.h"

struct stream {
	const struct save *s;
	const struct model *m;
	struct plan *p;
	uint64_t *places;
	const struct member *object, *keys;
	uint64_t end;        /* of the last storage in the old file */
	VEC(uint32_t) old;   /* storages in the order of the old list */
	VEC(uint32_t) order; /* in the new one */
	bool sorted;         /* the old list was */
	struct err *e;
};

/* --- which storages, in which order ----------------------------------------------------------- */

static int key_order(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : a.n < b.n ? -1 : a.n > b.n;
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct model *m = ctx;

	return key_order(m->storages.at[*(const uint32_t *)a].key,
			m->storages.at[*(const uint32_t *)b].key);
}

static int by_place(const void *a, const void *b, void *ctx)
{
	const struct model *m = ctx;
	uint64_t x = m->storages.at[*(const uint32_t *)a].file_off;
	uint64_t y = m->storages.at[*(const uint32_t *)b].file_off;

	return x < y ? -1 : x > y;
}

/* Is it a block of the old file? */
static bool is_block(const struct storage *st)
{
	return st->inside == OBJ_NONE && st->file_off != UINT64_MAX;
}

static int list_old(struct stream *x)
{
	const struct model *m = x->m;

	x->end = x->keys->data_off + x->keys->stored;
	for (uint32_t i = 0; i < m->storages.n; i++)
		if (is_block(&m->storages.at[i]) && vec_push(&x->old, i) < 0)
			return err_nomem(x->e);
	if (x->old.n)
		qsort_r(x->old.at, x->old.n, sizeof *x->old.at, by_place, (void *)m);
	x->sorted = true;
	for (size_t i = 0; i < x->old.n; i++) {
		const struct storage *st = &m->storages.at[x->old.at[i]];

		x->end = st->file_off + st->data.len;
		if (i && by_key(&x->old.at[i - 1], &x->old.at[i], (void *)m) > 0)
			x->sorted = false;
	}
	return 0;
}

/* Old ones that are used in their order, then new ones. A key that the file did not list has no
 * bytes and stays unlisted. */
static int choose(struct stream *x, const uint32_t *used, uint32_t n, uint8_t *is_used)
{
	const struct model *m = x->m;

	for (uint32_t i = 0; i < n; i++)
		is_used[used[i]] = 1;
	if (vec_room(&x->order, m->storages.n) < 0)
		return err_nomem(x->e);
	for (size_t i = 0; i < x->old.n; i++)
		if (is_used[x->old.at[i]])
			x->order.at[x->order.n++] = x->old.at[i];
	for (uint32_t i = 0; i < n; i++) {
		const struct storage *st = &m->storages.at[used[i]];

		if (st->inside == OBJ_NONE && !is_block(st) && !st->broken)
			x->order.at[x->order.n++] = used[i];
	}
	if (x->order.n && (x->sorted || x->s->compact))
		qsort_r(x->order.at, x->order.n, sizeof *x->order.at, by_key, (void *)m);
	return 0;
}

static int list_new(struct stream *x)
{
	_cleanup_(freep) uint8_t *is_used = calloc(1, x->m->storages.n + 1);
	_cleanup_(freep) uint32_t *used = NULL;
	uint32_t n;
	int rc = is_used ? save_used(x->s->ck, x->s->root, &used, &n, x->e) : err_nomem(x->e);

	return rc < 0 ? rc : choose(x, used, n, is_used);
}

/* --- the pieces ------------------------------------------------------------------------------- */

static int put_old_member(struct stream *x, const struct member *m)
{
	return save_stretch(x->s, m->data_off, m->data_off + m->stored, x->p, x->e);
}

/* The list of keys as a pickle of its own. */
static int put_new_keys(struct stream *x)
{
	struct graph g;
	struct buf out;
	oref list, key;
	int rc = graph_init(&g, x->e);

	if (rc < 0)
		return rc;
	buf_init(&out, SIZE_MAX);
	list = obj_new(&g, OBJ_KIND_LIST, UINT32_MAX);
	rc = list == OREF_NIL ? err_nomem(x->e) : 0;
	for (size_t i = 0; i < x->order.n && rc == 0; i++) {
		key = obj_new_text(&g, OBJ_KIND_STR, x->m->storages.at[x->order.at[i]].key,
				UINT32_MAX);
		if (key == OREF_NIL || obj_append(&g, list, &key, 1) < 0)
			rc = err_nomem(x->e);
	}
	if (rc == 0)
		rc = pickle_save_buf(&g, list, NULL, &out, x->e);
	if (rc == 0)
		rc = plan_bytes(x->p, out.p, out.n, x->e);
	buf_release(&out);
	graph_release(&g);
	return rc;
}

static int put_keys(struct stream *x)
{
	bool same = x->old.n == x->order.n;

	for (size_t i = 0; i < x->old.n && same; i++)
		same = x->old.at[i] == x->order.at[i];
	return same ? put_old_member(x, x->keys) : put_new_keys(x);
}

/* count, data */
static int put_block(struct stream *x, uint32_t id)
{
	const struct storage *st = &x->m->storages.at[id];
	unsigned size = dtype_info((enum dtype)st->dtype)->size;
	uint64_t count = htole64(st->nbytes / size);
	const struct save_run *runs;
	size_t n;
	int rc;

	if (is_block(st)) {
		rc = plan_run(x->p, x->s->ck->file, st->file_off - 8, 8, x->e);
		x->places[id] = x->p->size;
		runs = save_runs(x->s, id, &n);
		return rc < 0 ? rc
			      : save_patched(x->s, st->file_off, st->data.len, runs, n, x->p, x->e);
	}
	rc = plan_bytes(x->p, &count, sizeof count, x->e);
	x->places[id] = x->p->size;
	return rc < 0 ? rc : save_storage(x->s, id, x->p, x->e);
}

static int put_all(struct stream *x, bool pickle, struct save_report *rep)
{
	uint64_t size = x->s->ck->file->size;
	int rc = plan_run(x->p, x->s->ck->file, 0, x->object->data_off, x->e);

	if (rc == 0)
		rc = pickle ? save_pickle(x->s, x->s->root, x->p, NULL, x->e)
			    : put_old_member(x, x->object);
	if (rc == 0)
		rc = put_keys(x);
	for (size_t i = 0; i < x->order.n && rc == 0; i++)
		rc = put_block(x, x->order.at[i]);
	if (rc < 0 || x->s->compact)
		return rc;
	rep->dead = size - x->end;
	return plan_run(x->p, x->s->ck->file, x->end, size - x->end, x->e);
}

/* --- the savers ------------------------------------------------------------------------------- */

static int write_anew(const struct save *s, bool pickle, struct plan *p, uint64_t *places,
		struct save_report *rep, struct err *e)
{
	struct stream x = {.s = s, .m = &s->ck->model, .p = p, .places = places, .e = e};
	int rc;

	x.object = box_find(s->ck->box, STR("data.pkl"));
	x.keys = box_find(s->ck->box, STR("keys.pkl"));
	if (!x.object || !x.keys)
		return err_set(e, ERR_USAGE, "the pickles of the stream are not known");
	/* Raw bytes inside of an object that stays where it is. */
	for (uint32_t i = 0; i < x.m->storages.n && !pickle; i++)
		if (x.m->storages.at[i].inside != OBJ_NONE)
			places[i] = x.m->storages.at[i].file_off;
	rc = list_old(&x);
	if (rc == 0)
		rc = list_new(&x);
	if (rc == 0)
		rc = put_all(&x, pickle, rep);
	vec_release(&x.old);
	vec_release(&x.order);
	return rc;
}

int legacy_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e)
{
	bool pickle = s->pickle;
	int rc = save_embedded(s, true, &pickle, e);

	if (rc < 0)
		return rc;
	if (pickle || s->compact)
		return write_anew(s, pickle, p, places, rep, e);
	save_places(s, places);
	return save_stretch(s, 0, s->ck->file->size, p, e);
}

int legacy_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e)
{
	const struct storage *st = &ck->model.storages.at[storage];

	if (st->inside != OBJ_NONE)
		return plain_may_write(ck, storage, e);
	if (st->broken)
		return err_set(e, ERR_DAMAGED, "its bytes cannot be changed: %s", st->broken);
	return 0;
}
