/* zip_save_edit.c - the old file with changed bytes in it, and what is new at its end.
 *
 *	records of the old file, patched | new records | directory | end records
 *	^ 0                              ^ tail_off
 *
 * A new pickle goes where the old one was when header, payload and descriptor fit there: its
 * padding grows, so that the payload stays aligned and ends as near to the next record as it can.
 * One that does not fit goes to the end, as do new storages and those that cannot be patched where
 * they are. The end is where the directory was; only what was last already (the pickle of an
 * earlier edit) is written over in its own place.
 *
 * Here is decided what goes where; zip_save_edit_out.c writes it. (formats/torch-zip.md sections 4,
 * 7, 11 and 12)
 */
#include "zip_save_edit.h"

#include <stdlib.h>
#include <string.h>

static int add_patch(struct edit *d, const struct patch *p)
{
	return vec_push(&d->patches, *p) < 0 ? err_nomem(d->z->e) : 0;
}

/* --- patched records -------------------------------------------------------------------------- */

static int patch_bytes(struct edit *d, uint64_t off, const void *bytes, size_t n)
{
	char *kept = arena_bytes(&d->z->text, n);
	struct patch p = {.off = off, .len = n, .bytes = kept};

	if (!kept)
		return err_nomem(d->z->e);
	memcpy(kept, bytes, n);
	return add_patch(d, &p);
}

/* A CRC that stands at off in the old file. */
static int patch_crc(struct edit *d, uint64_t off, uint32_t change)
{
	unsigned char b[4];
	uint32_t crc;
	int rc = source_read(d->z->ck->file, b, sizeof b, off, d->z->e);

	if (rc < 0)
		return rc;
	crc = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
	crc = zip_crc_now(crc, change);
	for (int i = 0; i < 4; i++)
		b[i] = (unsigned char)(crc >> 8 * i);
	return patch_bytes(d, off, b, sizeof b);
}

/* The CRC of a record in all places but the directory. */
static int patch_crcs(struct edit *d, const struct member *m, uint32_t change)
{
	int rc = 0;

	if (m->flags & MEMBER_DESCRIPTOR)
		rc = patch_crc(d, m->data_off + m->stored + 4, change);
	if (rc == 0 && m->flags & MEMBER_LOCAL_CRC)
		rc = patch_crc(d, m->header_off + 14, change);
	return rc;
}

/* The runs of a storage that lies in the record of m. *change: adds to it. */
static int patch_runs(struct edit *d, const struct member *m, uint32_t storage, uint32_t *change)
{
	uint64_t first = d->z->ck->model.storages.at[storage].file_off;
	uint32_t more = 0;
	size_t n;
	const struct save_run *runs = save_runs(d->z->s, storage, &n);
	int rc = zip_crc_change(d->z, m, storage, &more);

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct patch p = {.off = first + runs[i].off,
				.len = runs[i].from.len,
				.from = runs[i].from};

		if (p.len)
			rc = add_patch(d, &p);
	}
	*change ^= more;
	return rc;
}

static int patch_storage(struct edit *d, struct zip_rec *r)
{
	const struct member *m = &d->z->box->at[r->old];
	uint32_t change = 0;
	int rc = patch_runs(d, m, r->storage, &change);

	r->crc = zip_crc_now(m->crc, change);
	return rc < 0 ? rc : patch_crcs(d, m, change);
}

/* What lies inside of the pickle as it is. */
static int patch_inside(struct edit *d)
{
	struct zip_save *z = d->z;
	struct zip_rec *r = &z->rec.at[z->data_pkl];
	const struct member *m = &z->box->at[z->data_pkl];
	uint32_t change = 0;
	bool any = false;
	int rc = 0;

	for (uint32_t i = 0; i < z->ck->model.storages.n && rc == 0; i++)
		if (zip_is_inside(z, i)) {
			rc = patch_runs(d, m, i, &change);
			any = true;
		}
	if (rc < 0 || !any)
		return rc;
	r->crc = zip_crc_now(m->crc, change);
	return patch_crcs(d, m, change);
}

static int patch_serial(struct edit *d)
{
	struct zip_save *z = d->z;
	uint32_t at = zip_member(z, ".data/serialization_id"), change;
	struct zip_rec *r = at == ZIP_NONE ? NULL : &z->rec.at[at];
	struct str text;
	int rc = r ? zip_serial(z, r, &text, &change) : 0;

	if (rc <= 0)
		return rc;
	r->crc = zip_crc_now(r->crc, change);
	rc = patch_bytes(d, r->data_off, text.p, text.n);
	return rc < 0 ? rc : patch_crcs(d, &z->box->at[at], change);
}

/* --- which records there are ------------------------------------------------------------------ */

static int copy_members(struct zip_save *z)
{
	if (vec_room(&z->rec, z->box->n) < 0)
		return err_nomem(z->e);
	for (uint32_t i = 0; i < z->box->n; i++) {
		const struct member *m = &z->box->at[i];

		z->rec.at[z->rec.n++] = (struct zip_rec){
				.name = m->name,
				.header_off = m->header_off,
				.data_off = m->data_off,
				.size = m->size,
				.crc = m->crc,
				.old = i,
				.storage = z->owner[i],
				.from = FROM_OLD,
		};
	}
	return 0;
}

/* Storages that the new pickle does not name any more. */
static void drop_unused(struct edit *d)
{
	struct zip_save *z = d->z;

	for (uint32_t i = 0; z->new_pickle && i < z->box->n; i++)
		if (z->owner[i] != MODEL_NONE && !z->is_used[z->owner[i]])
			z->rec.at[i].gone = d->moved = true;
}

static int change_storages(struct edit *d)
{
	struct zip_save *z = d->z;
	size_t n;
	int rc = 0;

	for (uint32_t i = 0; i < z->ck->model.storages.n && rc == 0; i++) {
		uint32_t at = z->member[i];

		if (at == ZIP_NONE || z->rec.at[at].gone || !save_runs(z->s, i, &n) || !n)
			continue;
		if (zip_is_plain(z, i)) {
			rc = patch_storage(d, &z->rec.at[at]);
		} else {
			rc = zip_from_storage(z, &z->rec.at[at], i);
			d->moved = true;
		}
	}
	return rc;
}

static int add_storage(struct edit *d, uint32_t storage)
{
	struct zip_save *z = d->z;
	struct zip_rec r = {.old = ZIP_NONE};
	struct str name;
	uint32_t at;
	int rc = zip_storage_name(z, z->ck->model.storages.at[storage].key, &name);

	if (rc == 0)
		rc = zip_from_storage(z, &r, storage);
	if (rc < 0)
		return rc;
	r.name = name;
	at = zip_find(z, name);
	if (at != ZIP_NONE && z->owner[at] != MODEL_NONE && !z->rec.at[at].gone)
		return err_set(z->e, ERR_EXISTS,
				"there is a record \"%s\" already: the key of the new storage is "
				"taken",
				STR_SHOW(name));
	/* One that nothing refers to cannot keep its name. */
	if (at != ZIP_NONE)
		z->rec.at[at].gone = true;
	d->moved = true;
	return vec_push(&z->rec, r) < 0 ? err_nomem(z->e) : 0;
}

static int add_storages(struct edit *d)
{
	struct zip_save *z = d->z;
	int rc = 0;

	for (uint32_t i = 0; z->new_pickle && i < z->n_used && rc == 0; i++)
		if (z->member[z->used[i]] == ZIP_NONE &&
				!z->ck->model.storages.at[z->used[i]].broken)
			rc = add_storage(d, z->used[i]);
	return rc;
}

static int collect(struct edit *d)
{
	struct zip_save *z = d->z;
	struct zip_rec *r;
	int rc = copy_members(z);

	if (rc < 0)
		return rc;
	drop_unused(d);
	if (z->new_pickle) {
		r = &z->rec.at[z->data_pkl];
		r->from = FROM_PICKLE;
		r->fresh = d->moved = true;
		r->size = z->pickle.size;
		r->crc = z->pickle_crc;
	}
	rc = patch_inside(d);
	if (rc == 0)
		rc = change_storages(d);
	return rc < 0 ? rc : add_storages(d);
}

/* --- where they are --------------------------------------------------------------------------- */

/* Where the room of a member ends: at its descriptor, or at the next record when only what is too
 * short for anything lies between. */
static uint64_t room_end(const struct zip_save *z, const struct member *m)
{
	uint64_t end = zip_member_end(m), next = z->box->dir_off;

	for (uint32_t i = 0; i < z->box->n; i++)
		if (z->box->at[i].header_off > m->header_off && z->box->at[i].header_off < next)
			next = z->box->at[i].header_off;
	return next > end && next - end < z->align ? next : end;
}

/* Places r so that it lies in [r->header_off, end), its payload as far behind as can be. */
static bool fits(const struct zip_save *z, struct zip_rec *r, uint64_t end)
{
	struct zip_rec t = *r;
	uint64_t low, high, bare;

	/* Without padding: no field for it, and payload and descriptor right behind. */
	low = zip_payload_off(r->header_off, r->name.n, r->size, 1);
	bare = low - ZIP_FB_SIZE;
	t.data_off = bare;
	if (zip_rec_end(&t) > end)
		return false;
	high = bare + (end - zip_rec_end(&t));
	if (high - r->header_off - ZIP_LOCAL_SIZE - r->name.n > ZIP_EXTRA_MAX)
		high = r->header_off + ZIP_LOCAL_SIZE + r->name.n + ZIP_EXTRA_MAX;
	if (high < low)
		r->data_off = bare;
	else if (high - high % z->align >= low)
		r->data_off = high - high % z->align;
	else
		r->data_off = high;
	return true;
}

static void append(struct edit *d, struct zip_rec *r, uint64_t *at)
{
	r->header_off = *at;
	r->data_off = zip_payload_off(*at, r->name.n, r->size, d->z->align);
	*at = zip_rec_end(r);
}

static int place_pickle(struct edit *d, uint64_t *at)
{
	struct zip_save *z = d->z;
	struct zip_rec *r = &z->rec.at[z->data_pkl];
	const struct member *m = &z->box->at[z->data_pkl];
	uint64_t end = room_end(z, m);
	struct patch p = {.off = m->header_off, .rec = z->data_pkl};

	if (fits(z, r, end)) {
		p.len = zip_rec_end(r) - p.off;
		return add_patch(d, &p);
	}
	if (end == z->box->dir_off)
		*at = d->tail_off = m->header_off;
	append(d, r, at);
	z->rep->pickle_moved = r->header_off != m->header_off;
	return 0;
}

static int place(struct edit *d)
{
	struct zip_save *z = d->z;
	uint64_t at = z->box->dir_off;
	int rc = 0;

	d->tail_off = at;
	if (z->new_pickle)
		rc = place_pickle(d, &at);
	for (size_t i = 0; i < z->rec.n && rc == 0; i++) {
		struct zip_rec *r = &z->rec.at[i];

		if (r->fresh && r->from == FROM_STORAGE)
			append(d, r, &at);
	}
	return rc;
}

/* After everything has its place. */
static int keep_rule(struct edit *d)
{
	struct zip_save *z = d->z;
	uint32_t at = zip_member(z, ".format_version");
	int holds = !d->moved || at == ZIP_NONE ? 1 : zip_rule_holds(z);

	if (holds != 0)
		return holds < 0 ? holds : 0;
	z->rec.at[at].gone = true;
	z->rep->format_version = true;
	return 0;
}

int zip_save_edit(struct zip_save *z, struct plan *p)
{
	struct edit d = {.z = z};
	int rc = collect(&d);

	if (rc == 0)
		rc = place(&d);
	if (rc == 0)
		rc = keep_rule(&d);
	if (rc == 0)
		rc = patch_serial(&d);
	if (rc == 0)
		rc = zip_edit_realize(&d, p);
	vec_release(&d.patches);
	return rc;
}
