/* tar_save.c - the tar of torch before 0.1.7 back as such a tar.
 *
 *	header (512) | data, padded to 512 | header | ... | zero blocks
 *
 * Bytes only: patched in their storages. When the object changed, the member `pickle` gets its new
 * bytes, its size and its checksum, and what is behind it follows; `storages` and `tensors` stay as
 * they are, also what nothing names any more (torch reads all of it and needs none).
 * (formats/torch-legacy.md section 6)
 *
 * Not done: new tensors (change_new_tensor() says so).
 */
#include "save_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512u
#define SIZE_MAX_OCTAL (UINT64_C(1) << 33) /* 11 octal digits */

enum { SIZE_AT = 124, SUM_AT = 148 };

/* The header h for a member of `size` bytes. */
static void set_size(unsigned char h[BLOCK], uint64_t size)
{
	char text[16];
	unsigned sum = 0;

	snprintf(text, sizeof text, "%011" PRIo64, size);
	memcpy(h + SIZE_AT, text, 12);
	memset(h + SUM_AT, ' ', 8);
	for (unsigned i = 0; i < BLOCK; i++)
		sum += h[i];
	snprintf(text, sizeof text, "%06o", sum);
	memcpy(h + SUM_AT, text, 7);
}

static uint64_t padded(uint64_t n)
{
	return n + -n % BLOCK;
}

/* Header, pickle, padding. The size is known when the pickle is written: it goes to a plan of its
 * own first. */
static int put_pickle(const struct save *s, const struct member *m, struct plan *p, struct err *e)
{
	unsigned char header[BLOCK];
	struct plan pickle;
	int rc = source_read(s->ck->file, header, BLOCK, m->header_off, e);

	if (rc < 0)
		return rc;
	plan_init(&pickle);
	rc = save_pickle(s, s->root, &pickle, NULL, e);
	if (rc == 0 && pickle.size >= SIZE_MAX_OCTAL)
		rc = err_set(e, ERR_LIMIT,
				"a tar member holds at most 8 GiB, the pickle is longer");
	if (rc == 0) {
		set_size(header, pickle.size);
		rc = plan_bytes(p, header, BLOCK, e);
	}
	for (size_t i = 0; i < pickle.at.n && rc == 0; i++)
		rc = plan_run(p, pickle.at.at[i].src, pickle.at.at[i].off, pickle.at.at[i].len, e);
	if (rc == 0)
		rc = plan_fill(p, 0, padded(pickle.size) - pickle.size, e);
	plan_release(&pickle);
	return rc;
}

static int write_anew(const struct save *s, struct plan *p, uint64_t *places, struct err *e)
{
	const struct member *m = box_find(s->ck->box, STR("pickle"));
	uint64_t size = s->ck->file->size, end, moved;
	int rc;

	if (!m)
		return err_set(e, ERR_USAGE, "the member \"pickle\" is not known");
	end = padded(m->data_off + m->stored);
	if (end > size)
		end = size;
	rc = save_stretch(s, 0, m->header_off, p, e);
	if (rc == 0)
		rc = put_pickle(s, m, p, e);
	moved = p->size;
	if (rc == 0)
		rc = save_stretch(s, end, size, p, e);
	for (uint32_t i = 0; i < s->ck->model.storages.n && rc == 0; i++) {
		const struct storage *st = &s->ck->model.storages.at[i];

		if (st->inside != OBJ_NONE || st->file_off == UINT64_MAX)
			continue;
		places[i] = st->file_off < end ? st->file_off : st->file_off - end + moved;
	}
	return rc;
}

int tar_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e)
{
	bool pickle = s->pickle;
	int rc = save_embedded(s, true, &pickle, e);

	(void)rep;
	if (rc < 0)
		return rc;
	if (pickle)
		return write_anew(s, p, places, e);
	save_places(s, places);
	return save_stretch(s, 0, s->ck->file->size, p, e);
}

int tar_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e)
{
	const struct storage *st = &ck->model.storages.at[storage];

	if (st->inside != OBJ_NONE)
		return plain_may_write(ck, storage, e);
	if (st->broken)
		return err_set(e, ERR_DAMAGED, "its bytes cannot be changed: %s", st->broken);
	return 0;
}
