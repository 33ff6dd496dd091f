/* plain_save.c - a plain pickle back as a plain pickle.
 *
 * Bytes that lie in the file as they are (BINBYTES of protocols 3 to 5) are patched in place, as
 * long as nothing else changed. Otherwise the pickle is written anew, in protocol 2, which every
 * reader takes; changed arrays and storages get new objects (save_embedded.c). What stands behind
 * the STOP stays, unless the file is to be compact: Python does not read it.
 * (formats/pickle.md sections 1 and 3, formats/torch-legacy.md section 5)
 */
#include "save_in.h"

int plain_save(const struct save *s, struct plan *p, uint64_t *places, struct save_report *rep,
		struct err *e)
{
	uint64_t size = s->ck->file->size, end = s->ck->pickle.length;
	bool pickle = s->pickle;
	int rc = save_embedded(s, true, &pickle, e);

	if (rc < 0)
		return rc;
	if (pickle) {
		rc = save_pickle(s, s->root, p, NULL, e);
	} else {
		save_places(s, places);
		rc = save_stretch(s, 0, end, p, e);
	}
	if (rc < 0 || s->compact)
		return rc;
	rep->dead = size - end;
	return plan_run(p, s->ck->file, end, size - end, e);
}

int plain_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e)
{
	const struct storage *st = &ck->model.storages.at[storage];
	const struct graph *g = &ck->model.graph;
	uint32_t n;
	const oref *at = obj_items(g, st->inside, &n);

	if (st->broken)
		return err_set(e, ERR_DAMAGED, "its bytes cannot be changed: %s", st->broken);
	if (st->inside == OBJ_NONE || st->item >= n)
		return err_set(e, ERR_UNSUPPORTED,
				"its bytes are in no place of the file that could be written");
	if (obj_flags(g, at[st->item]) & OBJ_READONLY)
		return err_set(e, ERR_UNSUPPORTED,
				"the bytes of this array are read-only in the pickle, which only "
				"protocol 5 can say and pthfs cannot write");
	return 0;
}
