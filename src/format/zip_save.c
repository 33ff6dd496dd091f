/* zip_save.c - torch zips and TorchScript: a changed model into a file that torch takes.
 *
 *	old   data.pkl | .format_version ... | data/0 | data/1 | version | directory, end
 *	      bytes changed           :                   **                **
 *	      a pickle that fits      : ********                            **
 *	      a larger one, storages  : (dead)                              data.pkl data/2 directory
 *	      compact                 : all anew, in torch's order
 *
 * Storages do not move unless the file is made compact. The record of a storage is found by its
 * name; what has no record (numpy arrays) is part of the pickle. (formats/torch-zip.md sections 2
 * to 9, 11 and 12)
 */
#include "zip_save.h"

#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>

static bool member_named(const void *ctx, const void *key, uint32_t id)
{
	const struct box *b = ctx;

	return str_eq_case(b->at[id].name, *(const struct str *)key);
}

uint32_t zip_find(const struct zip_save *z, struct str name)
{
	return idmap_find(&z->names, str_hash_case(name), member_named, z->box, &name);
}

static int index_names(struct zip_save *z)
{
	for (uint32_t i = 0; i < z->box->n; i++)
		if (idmap_add(&z->names, str_hash_case(z->box->at[i].name), i) < 0)
			return err_nomem(z->e);
	return 0;
}

/* FOLDER/one two, in the arena. */
static int join(struct zip_save *z, const char *one, struct str two, struct str *ret)
{
	size_t n = z->folder.n + 1 + strlen(one) + two.n;
	char *p = arena_bytes(&z->text, n ? n : 1), *at = p;

	if (!p)
		return err_nomem(z->e);
	memcpy(at, z->folder.p, z->folder.n);
	at += z->folder.n;
	*at++ = '/';
	memcpy(at, one, strlen(one));
	at += strlen(one);
	if (two.n)
		memcpy(at, two.p, two.n);
	*ret = (struct str){p, n};
	return 0;
}

int zip_storage_name(struct zip_save *z, struct str key, struct str *ret)
{
	int rc = join(z, "data/", key, ret);

	if (rc == 0 && ret->n > UINT16_MAX)
		return err_set(z->e, ERR_UNSUPPORTED,
				"the name of a record would have %zu bytes, a zip holds 65535",
				ret->n);
	return rc;
}

uint32_t zip_member(const struct zip_save *z, const char *name)
{
	struct str tail = str_of(name);
	size_t skip = z->folder.n + 1; /* with its slash */

	/* A search, so that nothing that is there can be missed for want of memory. */
	for (uint32_t i = 0; i < z->box->n; i++) {
		struct str is = z->box->at[i].name;

		if (is.n == skip + tail.n && is.p[skip - 1] == '/' &&
				str_eq_case(str_skip(is, skip), tail) &&
				str_eq_case(str_cut(is, skip - 1), z->folder))
			return i;
	}
	return ZIP_NONE;
}

/* --- storages and their records --------------------------------------------------------------- */

static bool is_swapped(const struct checkpoint *ck, uint32_t storage)
{
	uint8_t dtype = ck->model.storages.at[storage].dtype;

	return ck->big_endian && dtype_info((enum dtype)dtype)->swap > 1;
}

bool zip_is_plain(const struct zip_save *z, uint32_t storage)
{
	return z->member[storage] != ZIP_NONE && z->box->at[z->member[storage]].method == 0 &&
	       !is_swapped(z->ck, storage);
}

/* Is m what loading took for the record of this storage? A storage that is embedded in the pickle,
 * or new, can have the key of a record that nothing refers to. */
static bool is_record_of(const struct checkpoint *ck, uint32_t storage, const struct member *m)
{
	const struct storage *st = &ck->model.storages.at[storage];

	if (st->inside != OBJ_NONE)
		return false;
	if (m->method == 0 && !is_swapped(ck, storage))
		return st->file_off == m->data_off;
	return st->file_off == UINT64_MAX && st->data.src && st->data.len <= m->size &&
	       st->big_endian == ck->big_endian;
}

static int match_storages(struct zip_save *z)
{
	const struct model *m = &z->ck->model;
	struct str name;
	int rc;

	for (uint32_t i = 0; i < m->storages.n; i++) {
		uint32_t at;

		z->member[i] = ZIP_NONE;
		rc = zip_storage_name(z, m->storages.at[i].key, &name);
		if (rc < 0)
			return rc;
		at = zip_find(z, name);
		if (at == ZIP_NONE || z->owner[at] != MODEL_NONE ||
				!is_record_of(z->ck, i, &z->box->at[at]))
			continue;
		z->member[i] = at;
		z->owner[at] = i;
	}
	return 0;
}

/* The decimal number in .storage_alignment; 64 when there is none that can be one, or that can be
 * inflated. */
static int read_alignment(const struct zip_save *z, uint64_t *ret)
{
	uint32_t at = zip_member(z, ".storage_alignment");
	struct source *src;
	uint64_t v = 0;
	char text[8];
	bool ok = true;
	size_t n;
	int rc;

	*ret = 64;
	if (at == ZIP_NONE || z->box->at[at].size > 5)
		return 0;
	rc = box_source(z->box, &z->box->at[at], &src, z->e);
	if (rc < 0)
		return rc;
	n = (size_t)src->size;
	rc = source_read(src, text, n, 0, z->e);
	source_unref(src);
	for (size_t i = 0; rc == 0 && ok && i < n; i++) {
		ok = text[i] >= '0' && text[i] <= '9';
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (rc == 0 && ok && v && v <= 32768 && (v & (v - 1)) == 0)
		*ret = v;
	return rc == ERR_DAMAGED || rc == ERR_TRUNCATED ? 0 : rc;
}

static int look_at_box(struct zip_save *z)
{
	struct str first = z->box->n ? z->box->at[0].name : STR("");
	const char *slash = memchr(first.p, '/', first.n);

	if (!slash)
		return err_set(z->e, ERR_DAMAGED, "the archive has no folder");
	z->folder = str_cut(first, (size_t)(slash - first.p));
	z->data_pkl = zip_member(z, "data.pkl");
	if (z->data_pkl == ZIP_NONE)
		return err_set(z->e, ERR_DAMAGED, "the archive has no data.pkl");
	return read_alignment(z, &z->align);
}

static int look_at_storages(struct zip_save *z)
{
	size_t n = z->ck->model.storages.n;
	int rc;

	z->member = malloc((n + 1) * sizeof *z->member);
	z->owner = malloc((z->box->n + (size_t)1) * sizeof *z->owner);
	z->is_used = calloc(n + 1, 1);
	if (!z->member || !z->owner || !z->is_used)
		return err_nomem(z->e);
	for (uint32_t i = 0; i < z->box->n; i++)
		z->owner[i] = MODEL_NONE;
	rc = match_storages(z);
	if (rc == 0)
		rc = save_used(z->ck, z->s->root, &z->used, &z->n_used, z->e);
	for (uint32_t i = 0; rc == 0 && i < z->n_used; i++)
		z->is_used[z->used[i]] = 1;
	return rc;
}

/* --- the pickle ------------------------------------------------------------------------------- */

int zip_make_pickle(struct zip_save *z)
{
	bool write = true;
	int rc = z->put_inside ? 0 : save_embedded(z->s, false, &write, z->e);

	z->put_inside = true;
	if (rc == 0)
		rc = save_pickle(z->s, z->s->root, &z->pickle, &z->pickle_crc, z->e);
	z->new_pickle = rc == 0;
	return rc;
}

/* Names and values changed; the bytes may be the same all the same. */
static int look_at_pickle(struct zip_save *z)
{
	const struct pickle_save_opts o = {.protocol = z->ck->pickle.protocol};
	bool stored = z->box->at[z->data_pkl].method == 0, same = false;
	struct source *src;
	uint64_t diff;
	int rc;

	z->put_inside = z->s->pickle;
	rc = save_embedded(z->s, stored, &z->put_inside, z->e);
	if (rc < 0 || !z->put_inside)
		return rc;
	if (strcmp(z->ck->format, "torchscript") == 0)
		return err_set(z->e, ERR_UNSUPPORTED,
				"the pickle of a TorchScript archive is of a kind that pthfs cannot "
				"write");
	rc = box_source(z->box, &z->box->at[z->data_pkl], &src, z->e);
	if (rc < 0)
		return rc;
	rc = pickle_same(&z->ck->model.graph, z->s->root, &o, src, 0, src->size, &same, &diff,
			z->e);
	source_unref(src);
	return rc < 0 || same ? rc : zip_make_pickle(z);
}

bool zip_is_inside(const struct zip_save *z, uint32_t storage)
{
	const struct storage *st = &z->ck->model.storages.at[storage];
	const struct member *m = &z->box->at[z->data_pkl];
	size_t n;

	return !z->put_inside && st->inside != OBJ_NONE && st->file_off != UINT64_MAX &&
	       m->method == 0 && st->file_off >= m->data_off &&
	       st->file_off - m->data_off < m->stored && save_runs(z->s, storage, &n) && n;
}

int zip_from_storage(struct zip_save *z, struct zip_rec *r, uint32_t storage)
{
	struct plan p;
	uint32_t crc = 0;
	int rc;

	plan_init(&p);
	rc = save_storage(z->s, storage, &p, z->e);
	if (rc == 0)
		rc = save_crc(&p, 0, &crc, z->e);
	r->from = FROM_STORAGE;
	r->storage = storage;
	r->fresh = true;
	r->size = p.size;
	r->crc = crc;
	plan_release(&p);
	return rc;
}

/* What has neither a record nor a place in the pickle cannot have changed. */
static int check_runs(struct zip_save *z)
{
	size_t n;

	for (uint32_t i = 0; i < z->ck->model.storages.n; i++) {
		const struct storage *st = &z->ck->model.storages.at[i];

		if (z->member[i] == ZIP_NONE && st->inside == OBJ_NONE &&
				save_runs(z->s, i, &n) && n)
			return err_set(z->e, ERR_UNSUPPORTED,
					"bytes of storage \"%s\" changed, which has no record",
					STR_SHOW(st->key));
	}
	return 0;
}

/* --- where things are now --------------------------------------------------------------------- */

/* What lies as it is inside of a record that was kept: numpy arrays of newer pickles. */
static uint64_t place_inside(const struct zip_save *z, uint64_t off)
{
	const struct member *m = &z->box->at[z->data_pkl];
	const struct zip_rec *r = NULL;

	if (z->new_pickle || m->method || off < m->data_off || off - m->data_off >= m->stored)
		return UINT64_MAX;
	for (size_t i = 0; i < z->rec.n && !r; i++)
		if (z->rec.at[i].old == z->data_pkl)
			r = &z->rec.at[i];
	return r ? r->data_off + (off - m->data_off) : UINT64_MAX;
}

static int tell_places(const struct zip_save *z, uint64_t *places)
{
	_cleanup_(freep) uint32_t *rec = zip_by_storage(z);
	const struct model *m = &z->ck->model;

	if (!rec)
		return err_nomem(z->e);
	for (uint32_t i = 0; i < m->storages.n; i++) {
		const struct zip_rec *r = rec[i] == ZIP_NONE ? NULL : &z->rec.at[rec[i]];

		if (!r && m->storages.at[i].file_off != UINT64_MAX && z->member[i] == ZIP_NONE)
			places[i] = place_inside(z, m->storages.at[i].file_off);
		else if (r && !is_swapped(z->ck, i) &&
				(r->fresh || z->box->at[r->old].method == 0))
			places[i] = r->data_off;
	}
	return 0;
}

static void release(struct zip_save *z)
{
	plan_release(&z->pickle);
	vec_release(&z->rec);
	idmap_release(&z->names);
	arena_release(&z->text);
	free(z->member);
	free(z->owner);
	free(z->used);
	free(z->is_used);
}

int zip_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e)
{
	struct zip_save z = {.s = s, .ck = s->ck, .box = s->ck->box, .e = e, .rep = rep};
	int rc;

	plan_init(&z.pickle);
	arena_init(&z.text, 0);
	rc = index_names(&z);
	if (rc == 0)
		rc = look_at_box(&z);
	if (rc == 0)
		rc = look_at_storages(&z);
	if (rc == 0)
		rc = check_runs(&z);
	if (rc == 0)
		rc = look_at_pickle(&z);
	if (rc == 0)
		rc = s->compact ? zip_save_compact(&z, p) : zip_save_edit(&z, p);
	if (rc == 0)
		rc = tell_places(&z, places);
	release(&z);
	return rc;
}
