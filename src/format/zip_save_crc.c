/* zip_save_crc.c - CRCs of what changed, from nothing but what changed.
 *
 * CRC-32 is linear: of two records of one length that differ in [off, off + n) only,
 *
 *	crc(A) ^ crc(B) = shift(crc(a) ^ crc(b), bytes behind the range)
 *
 * where shift(x, k) is what k zero bytes do to x: crc32_combine(x, 0, k). So gigabytes that stay as
 * they are need not be read, and a record whose CRC was wrong has a wrong one afterwards. Of a record
 * that is replaced from end to end only the new bytes are read, and its CRC is right afterwards.
 *
 * .data/serialization_id is two numbers of 20 digits: a hash of the names, which is kept, and a
 * fold over the CRCs of all records with data, in file order, itself not counted (section 9; so
 * done by torch 1.13 to 2.13). Where the fold is not what the file had, somebody else made the
 * number, and it stays.
 */
#include "zip_save.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <pthfs/cleanup.h>

/* Do the runs, which are in order, cover all of `size` bytes? */
static bool replace_all(const struct save_run *runs, size_t n, uint64_t size)
{
	uint64_t at = 0;

	for (size_t i = 0; i < n; at += runs[i++].from.len)
		if (runs[i].off != at || runs[i].from.len > size - at)
			return false;
	return n && at == size;
}

static int change_all(struct zip_save *z, const struct member *m, const struct save_run *runs,
		size_t n, uint32_t *ret)
{
	uint32_t now = 0;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = save_crc_extent(&runs[i].from, &now, z->e);
	if (rc == 0)
		*ret = m->crc ^ now;
	return rc;
}

int zip_crc_change(struct zip_save *z, const struct member *m, uint32_t storage, uint32_t *ret)
{
	uint64_t first = z->ck->model.storages.at[storage].file_off - m->data_off;
	uint32_t change = 0, was, now;
	size_t n;
	const struct save_run *runs = save_runs(z->s, storage, &n);
	int rc = 0;

	if (first == 0 && replace_all(runs, n, m->stored))
		return change_all(z, m, runs, n, ret);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct save_run *r = &runs[i];
		uint64_t at = first + r->off, left = m->stored - at;
		struct extent old = {z->ck->file, m->data_off + at, r->from.len};

		if (r->off > m->stored || at > m->stored || r->from.len > left)
			return err_set(z->e, ERR_USAGE,
					"changed bytes [%" PRIu64 ", +%" PRIu64
					") of record \"%s\", which has %" PRIu64,
					at, r->from.len, STR_SHOW(m->name), m->stored);
		was = now = 0;
		rc = save_crc_extent(&old, &was, z->e);
		if (rc == 0)
			rc = save_crc_extent(&r->from, &now, z->e);
		change ^= (uint32_t)crc32_combine(was ^ now, 0, (z_off_t)(left - r->from.len));
	}
	if (rc == 0)
		*ret = change;
	return rc;
}

/* --- .data/serialization_id ------------------------------------------------------------------- */

#define DIGITS 20
#define SERIAL (2 * DIGITS)

struct part {
	uint64_t off; /* of the header */
	uint32_t crc;
};

static int by_offset(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Sorts at[0..n) and folds their CRCs. */
static uint64_t fold(struct part *at, size_t n)
{
	uint64_t h = 0;

	qsort(at, n, sizeof *at, by_offset);
	for (size_t i = 0; i < n; i++)
		h ^= at[i].crc + UINT64_C(0x9e3779b9) + (h << 6) + (h >> 2);
	return h;
}

static uint64_t old_fold(const struct zip_save *z, struct part *at, uint32_t own)
{
	size_t n = 0;

	for (uint32_t i = 0; i < z->box->n; i++)
		if (i != own && z->box->at[i].size)
			at[n++] = (struct part){z->box->at[i].header_off, z->box->at[i].crc};
	return fold(at, n);
}

static uint64_t new_fold(const struct zip_save *z, struct part *at, const struct zip_rec *own)
{
	size_t n = 0;

	for (size_t i = 0; i < z->rec.n; i++) {
		const struct zip_rec *r = &z->rec.at[i];

		if (r != own && !r->gone && r->size)
			at[n++] = (struct part){r->header_off, r->crc};
	}
	return fold(at, n);
}

int zip_serial(struct zip_save *z, struct zip_rec *r, struct str *text, uint32_t *change)
{
	size_t most = z->rec.n > z->box->n ? z->rec.n : z->box->n;
	_cleanup_(freep) struct part *at = malloc((most + 1) * sizeof *at);
	const struct member *m = &z->box->at[r->old];
	char old[SERIAL], now[SERIAL + 1], *kept = arena_bytes(&z->text, SERIAL);

	int rc = !at || !kept ? err_nomem(z->e) : 0;

	if (rc == 0 && (m->method || m->size != SERIAL))
		return 0;
	if (rc == 0)
		rc = source_read(z->ck->file, old, SERIAL, m->data_off, z->e);
	if (rc < 0)
		return rc;
	snprintf(now, sizeof now, "%.*s%020" PRIu64, DIGITS, old, old_fold(z, at, r->old));
	if (memcmp(now, old, SERIAL) != 0)
		return 0;
	snprintf(now, sizeof now, "%.*s%020" PRIu64, DIGITS, old, new_fold(z, at, r));
	if (memcmp(now, old, SERIAL) == 0)
		return 0;
	*text = (struct str){memcpy(kept, now, SERIAL), SERIAL};
	*change = crc32_bytes(0, old, SERIAL) ^ crc32_bytes(0, now, SERIAL);
	return 1;
}
