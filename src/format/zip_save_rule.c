/* zip_save_rule.c - may the file carry a .format_version?
 *
 * A reader that sees one may compute where storages are instead of looking them up. It starts at
 * the record of the first storage that it meets in the pickle, which must have the key "0", and
 * goes on in the order of first use: payload, descriptor as torch writes it, and the next header
 * right behind, padded as torch pads. (formats/torch-zip.md section 11)
 *
 * So this does the same sum and compares: whatever was moved, left out or put behind shows.
 */
#include "zip_save.h"

#include <stdlib.h>

#include <pthfs/cleanup.h>

uint32_t *zip_by_storage(const struct zip_save *z)
{
	size_t n = z->ck->model.storages.n;
	uint32_t *at = malloc((n + 1) * sizeof *at);

	for (size_t i = 0; at && i < n; i++)
		at[i] = ZIP_NONE;
	for (size_t i = 0; at && i < z->rec.n; i++)
		if (!z->rec.at[i].gone && z->rec.at[i].storage != MODEL_NONE)
			at[z->rec.at[i].storage] = (uint32_t)i;
	return at;
}

static bool is_first(const struct zip_save *z, const struct zip_rec *r)
{
	struct str rest = str_skip(r->name, z->folder.n);

	return str_is(rest, "/data/0");
}

int zip_rule_holds(const struct zip_save *z)
{
	_cleanup_(freep) uint32_t *rec = zip_by_storage(z);
	uint64_t at = 0; /* where the next header is thought to be */

	if (!rec)
		return err_nomem(z->e);
	for (uint32_t i = 0; i < z->n_used; i++) {
		const struct storage *st = &z->ck->model.storages.at[z->used[i]];
		struct zip_rec as = {.size = st->nbytes};
		const struct zip_rec *r;

		if (rec[z->used[i]] == ZIP_NONE)
			return 0;
		r = &z->rec.at[rec[z->used[i]]];
		if (i == 0 && !is_first(z, r))
			return 0;
		as.header_off = i ? at : r->header_off;
		as.data_off = i ? zip_payload_off(at, r->name.n, st->nbytes, z->align)
				: r->data_off;
		if (as.data_off != r->data_off)
			return 0;
		at = zip_rec_end(&as);
	}
	return 1;
}
