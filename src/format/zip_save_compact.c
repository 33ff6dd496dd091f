/* zip_save_compact.c - the whole file as torch itself would write it.
 *
 *	data.pkl | .format_version | .storage_alignment | byteorder | data/0 data/1 ... | version |
 *	.data/serialization_id | what torch does not know | directory | end records
 *
 * Of the small records those that the file has; .format_version comes back where there is a
 * .storage_alignment, which is as young. Storages are called 0, 1, ... in the order of first use,
 * and stand in that order in young files, in the order of the texts (0, 1, 10, 2) in older ones.
 * The oldest keys are addresses: these stay. What nobody uses is left out, what was deflated is
 * stored, and no record is longer than the pickle says. (formats/torch-zip.md sections 2 and 4)
 *
 * A file that torch wrote and nobody changed comes out as it was: the pickle is only written when
 * it has to be, and CRCs are copied.
 */
#include "zip_save.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>

#include "interpret.h"

/* A storage and the key it gets. */
struct keyed {
	uint32_t storage;
	struct str key;
};

/* The key of an id, as it was. */
struct was {
	oref id, key;
};

struct compact {
	struct zip_save *z;
	struct keyed *at; /* [n_used], in the order of the records */
	bool young;       /* torch 2.7 or later */
	bool rule;        /* with .format_version */
	bool renumber;
	VEC(struct was) was;
};

static bool has(const struct zip_save *z, const char *name)
{
	return zip_member(z, name) != ZIP_NONE;
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool is_address(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] < '0' || key.p[i] > '9')
			return false;
	return key.n >= 9;
}

static bool keeps_keys(const struct zip_save *z)
{
	for (uint32_t i = 0; i < z->n_used; i++)
		if (is_address(z->ck->model.storages.at[z->used[i]].key))
			return true;
	return false;
}

static int by_key(const void *a, const void *b)
{
	struct str x = ((const struct keyed *)a)->key, y = ((const struct keyed *)b)->key;
	size_t n = x.n < y.n ? x.n : y.n;
	int order = n ? memcmp(x.p, y.p, n) : 0;

	return order ? order : x.n < y.n ? -1 : x.n > y.n;
}

static int choose_keys(struct compact *c)
{
	struct zip_save *z = c->z;
	bool keep = keeps_keys(z);
	char number[16];

	c->at = calloc(z->n_used + (size_t)1, sizeof *c->at);
	if (!c->at)
		return err_nomem(z->e);
	for (uint32_t i = 0; i < z->n_used; i++) {
		struct keyed *k = &c->at[i];

		k->storage = z->used[i];
		k->key = z->ck->model.storages.at[k->storage].key;
		snprintf(number, sizeof number, "%" PRIu32, i);
		if (keep || str_is(k->key, number))
			continue;
		k->key = arena_str(&z->text, str_of(number));
		c->renumber = true;
		if (!k->key.p)
			return err_nomem(z->e);
	}
	return 0;
}

/* --- the ids of the pickle -------------------------------------------------------------------- */

static int set_key(struct graph *g, oref id, oref key)
{
	oref items[5];
	uint32_t n;
	const oref *at = obj_items(g, id, &n);

	if (n != 5)
		return 0;
	memcpy(items, at, sizeof items);
	items[2] = key;
	return obj_replace_items(g, id, items, n);
}

static bool same_key(const void *ctx, const void *key, uint32_t i)
{
	const struct zip_save *z = ctx;

	return str_eq(z->ck->model.storages.at[z->used[i]].key, *(const struct str *)key);
}

/* One text for each storage: every id of it refers to the same one, as torch's do. */
static int key_objects(struct compact *c, oref *text, struct idmap *m)
{
	struct zip_save *z = c->z;

	for (uint32_t i = 0; i < z->n_used; i++) {
		struct str was = z->ck->model.storages.at[z->used[i]].key;

		text[i] = obj_new_text(
				&z->ck->model.graph, OBJ_KIND_STR, c->at[i].key, UINT32_MAX);
		if (text[i] == OREF_NIL || idmap_add(m, str_hash(was), i) < 0)
			return err_nomem(z->e);
	}
	return 0;
}

static int rename_ids(struct compact *c, const oref *text, const struct idmap *m, uint8_t *done)
{
	struct zip_save *z = c->z;
	struct graph *g = &z->ck->model.graph;
	struct persid p;
	struct was w;
	uint32_t n, at;

	for (oref r = 0; r < g->nodes.n; r++) {
		if (!obj_persid(g, r, &w.id) || w.id >= g->nodes.n || done[w.id] ||
				persid_parse(g, w.id, 5, &p))
			continue;
		done[w.id] = 1;
		at = idmap_find(m, str_hash(p.key), same_key, z, &p.key);
		if (at == IDMAP_NONE || str_eq(p.key, c->at[at].key))
			continue;
		w.key = obj_items(g, w.id, &n)[2];
		if (vec_push(&c->was, w) < 0 || set_key(g, w.id, text[at]) < 0)
			return err_nomem(z->e);
	}
	return 0;
}

static int restore_ids(struct compact *c)
{
	int rc = 0;

	for (size_t i = c->was.n; i-- > 0;)
		if (set_key(&c->z->ck->model.graph, c->was.at[i].id, c->was.at[i].key) < 0)
			rc = err_nomem(c->z->e);
	vec_release(&c->was);
	return rc;
}

/* The pickle with the new keys. The graph is as it was afterwards, but for the new texts. */
static int renumber(struct compact *c)
{
	struct zip_save *z = c->z;
	_cleanup_(freep) oref *text = malloc((z->n_used + (size_t)1) * sizeof *text);
	_cleanup_(freep) uint8_t *done = NULL;
	struct idmap m = {0};
	int rc = text ? key_objects(c, text, &m) : err_nomem(z->e), back;

	done = calloc(z->ck->model.graph.nodes.n + 1, 1);
	if (rc == 0)
		rc = done ? rename_ids(c, text, &m, done) : err_nomem(z->e);
	if (rc == 0) {
		plan_release(&z->pickle);
		rc = zip_make_pickle(z);
	}
	back = restore_ids(c);
	idmap_release(&m);
	return rc < 0 ? rc : back;
}

/* --- the records ------------------------------------------------------------------------------ */

static int add(struct compact *c, const struct zip_rec *r)
{
	return vec_push(&c->z->rec, *r) < 0 ? err_nomem(c->z->e) : 0;
}

static struct zip_rec old_record(const struct zip_save *z, uint32_t at)
{
	const struct member *m = &z->box->at[at];

	return (struct zip_rec){
			.name = m->name,
			.size = m->size,
			.crc = m->crc,
			.old = at,
			.storage = MODEL_NONE,
			.from = m->method ? FROM_INFLATED : FROM_OLD,
			.fresh = true,
	};
}

static int add_old(struct compact *c, const char *name)
{
	uint32_t at = zip_member(c->z, name);
	struct zip_rec r;

	if (at == ZIP_NONE)
		return 0;
	r = old_record(c->z, at);
	return add(c, &r);
}

static int add_pickle(struct compact *c)
{
	struct zip_save *z = c->z;
	struct zip_rec r = old_record(z, z->data_pkl);
	uint32_t change = 0, more = 0;
	int rc = 0;

	if (z->new_pickle) {
		r.from = FROM_PICKLE;
		r.size = z->pickle.size;
		r.crc = z->pickle_crc;
	}
	for (uint32_t i = 0; i < z->ck->model.storages.n && rc == 0; i++)
		if (zip_is_inside(z, i)) {
			rc = zip_crc_change(z, &z->box->at[z->data_pkl], i, &more);
			change ^= more;
			r.from = FROM_PATCHED;
		}
	if (r.from == FROM_PATCHED)
		r.crc = zip_crc_now(r.crc, change);
	return rc < 0 ? rc : add(c, &r);
}

static int add_rule(struct compact *c)
{
	struct zip_rec r = {.old = ZIP_NONE,
			.storage = MODEL_NONE,
			.from = FROM_BYTES,
			.bytes = STR("1"),
			.size = 1,
			.fresh = true,
			.crc = crc32_bytes(0, "1", 1)};
	struct buf name;

	if (!c->rule)
		return 0;
	if (has(c->z, ".format_version"))
		return add_old(c, ".format_version");
	buf_init(&name, 1u << 17);
	buf_str(&name, c->z->folder);
	buf_puts(&name, "/.format_version");
	r.name = name.failed ? (struct str){0} : arena_str(&c->z->text, buf_view(&name));
	buf_release(&name);
	return r.name.p ? add(c, &r) : err_nomem(c->z->e);
}

/* The payload of a storage: the old one as far as it will do. */
static int storage_payload(struct zip_save *z, struct zip_rec *r, uint32_t storage)
{
	const struct storage *st = &z->ck->model.storages.at[storage];
	uint32_t at = z->member[storage], change = 0;
	size_t n;
	bool changed = save_runs(z->s, storage, &n) && n;
	struct str name = r->name;
	int rc;

	if (at == ZIP_NONE || z->box->at[at].size > st->nbytes ||
			(changed && !zip_is_plain(z, storage))) {
		r->old = at;
		return zip_from_storage(z, r, storage);
	}
	*r = old_record(z, at);
	r->name = name;
	r->storage = storage;
	if (!changed)
		return 0;
	rc = zip_crc_change(z, &z->box->at[at], storage, &change);
	r->from = FROM_PATCHED;
	r->crc = zip_crc_now(r->crc, change);
	return rc;
}

static int add_storages(struct compact *c)
{
	struct zip_save *z = c->z;
	int rc = 0;

	for (uint32_t i = 0; i < z->n_used && rc == 0; i++) {
		uint32_t storage = c->at[i].storage;
		struct zip_rec r = {.old = ZIP_NONE};

		if (z->member[storage] == ZIP_NONE && z->ck->model.storages.at[storage].broken)
			continue; /* there is nothing to write */
		rc = zip_storage_name(z, c->at[i].key, &r.name);
		if (rc == 0)
			rc = storage_payload(z, &r, storage);
		if (rc == 0)
			rc = add(c, &r);
	}
	return rc;
}

static const char *const known[] = {"data.pkl", ".format_version", ".storage_alignment",
		"byteorder", "version", ".data/version", ".data/serialization_id"};

/* What torch does not know; records below data/ are storages, used or not. */
static int add_others(struct compact *c)
{
	struct zip_save *z = c->z;
	int rc = 0;

	for (uint32_t i = 0; i < z->box->n && rc == 0; i++) {
		struct str rest = str_skip(z->box->at[i].name, z->folder.n + 1);
		bool other = !(str_starts(rest, STR("data/")) && rest.n > 5);
		struct zip_rec r = old_record(z, i);

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			other = other && !str_eq_case(rest, str_of(known[k]));
		if (other)
			rc = add(c, &r);
	}
	return rc;
}

static int collect(struct compact *c)
{
	int rc = add_pickle(c);

	if (rc == 0)
		rc = add_rule(c);
	if (rc == 0)
		rc = add_old(c, ".storage_alignment");
	if (rc == 0)
		rc = add_old(c, "byteorder");
	if (rc == 0)
		rc = add_storages(c);
	if (rc == 0)
		rc = add_old(c, ".data/version");
	if (rc == 0)
		rc = add_old(c, "version");
	if (rc == 0)
		rc = add_old(c, ".data/serialization_id");
	return rc < 0 ? rc : add_others(c);
}

static void place(struct zip_save *z)
{
	uint64_t at = 0;

	for (size_t i = 0; i < z->rec.n; i++) {
		struct zip_rec *r = &z->rec.at[i];

		r->header_off = at;
		r->data_off = zip_payload_off(at, r->name.n, r->size, z->align);
		at = zip_rec_end(r);
	}
}

/* Places everything, with .format_version where it may be. */
static int lay_out(struct compact *c)
{
	struct zip_save *z = c->z;
	int rc;

	c->rule = c->young;
	rc = collect(c);
	if (rc < 0)
		return rc;
	place(z);
	rc = c->rule ? zip_rule_holds(z) : 1;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	for (size_t i = 0, n = 0; i < z->rec.n; i++)
		if (!str_eq_case(str_skip(z->rec.at[i].name, z->folder.n), STR("/.format_version")))
			z->rec.at[n++] = z->rec.at[i];
	z->rec.n--;
	z->rep->format_version = has(z, ".format_version");
	place(z);
	return 0;
}

static int renew_serial(struct zip_save *z)
{
	uint32_t at = zip_member(z, ".data/serialization_id"), change;
	struct str text;
	int rc = 0;

	for (size_t i = 0; at != ZIP_NONE && i < z->rec.n && rc >= 0; i++) {
		struct zip_rec *r = &z->rec.at[i];

		rc = r->old == at ? zip_serial(z, r, &text, &change) : 0;
		if (rc <= 0)
			continue;
		r->from = FROM_BYTES;
		r->bytes = text;
		r->crc = zip_crc_now(r->crc, change);
	}
	return rc < 0 ? rc : 0;
}

static int realize(struct zip_save *z, struct zip_out *o)
{
	uint64_t dir_off;
	int rc = 0;

	for (size_t i = 0; i < z->rec.n && rc == 0; i++)
		rc = zip_out_record(z, o, &z->rec.at[i]);
	dir_off = zip_out_pos(o);
	for (size_t i = 0; i < z->rec.n && rc == 0; i++) {
		zip_put_central(&o->pend, &z->rec.at[i]);
		rc = zip_out_some(o, z->e);
	}
	zip_put_tail(&o->pend, z->rec.n, dir_off, zip_out_pos(o) - dir_off, z->box->comment);
	return rc < 0 ? rc : zip_out_flush(o, z->e);
}

int zip_save_compact(struct zip_save *z, struct plan *p)
{
	struct compact c = {.z = z, .young = has(z, ".format_version") ||
					       has(z, ".storage_alignment")};
	struct zip_out o;
	int rc = choose_keys(&c);

	if (rc == 0 && c.renumber)
		rc = renumber(&c);
	if (rc == 0 && !c.young && z->n_used)
		qsort(c.at, z->n_used, sizeof *c.at, by_key);
	if (rc == 0)
		rc = lay_out(&c);
	free(c.at);
	if (rc < 0)
		return rc;
	rc = renew_serial(z);
	if (rc < 0)
		return rc;
	z->rep->pickle_moved = z->box->at[z->data_pkl].header_off != 0;
	rc = zip_out_init(&o, p, z->ck->file, z->e);
	if (rc == 0)
		rc = realize(z, &o);
	zip_out_release(&o);
	return rc;
}
