/* zip_load.c - opening a zip: end record, directory, local headers; or what is left of one.
 *
 *	zip_tail_find()    one end record, zip64 included          zip_end.c
 *	zip_dir_load()     members from the central directory      zip_dir.c, zip_extra.c
 *	zip_local_check()  payload offsets, agreement, overlap     zip_local.c
 *	zip_salvage()      members from local headers alone        zip_salvage.c
 *
 * The rule is that of formats/torch-zip.md sections 10 and 13: exactly what torch would read, or a
 * sentence. Reading is done when this returns; payloads have not been touched.
 */
#include "zip_in.h"

#include <pthfs/reader.h>

static int load_comment(struct box_build *w, const struct zip_tail *t, struct err *e)
{
	char *p;
	int err;

	if (!t->comment)
		return 0;
	p = arena_bytes(&w->box->names, t->comment);
	if (!p)
		return err_nomem(e);
	err = source_read(w->box->file, p, t->comment, t->end_off + ZIP_END_SIZE, e);
	w->box->comment = (struct str){p, t->comment};
	return err;
}

static int load(struct source *file, struct box **ret, struct err *e)
{
	struct box_build w;
	struct zip_tail t;
	int err = zip_tail_find(file, &t, e);

	if (err < 0)
		return err;
	err = box_build_init(&w, file, "zip", e);
	if (err < 0)
		return err;
	w.box->dir_off = t.dir_off;
	err = zip_dir_load(&w, &t, e);
	if (err == 0)
		err = zip_local_check(&w, &t, e);
	if (err == 0)
		err = load_comment(&w, &t, e);
	if (err == 0)
		return box_seal(&w, ret, e);
	box_build_drop(&w);
	return err;
}

static int salvage(struct source *file, struct box **ret, struct err *e)
{
	struct box_build w;
	int err = box_build_init(&w, file, "zip", e);

	if (err < 0)
		return err;
	w.box->salvaged = true;
	err = zip_salvage(&w, e);
	if (err == 0)
		return box_seal(&w, ret, e);
	box_build_drop(&w);
	return err;
}

int box_zip_open(struct source *file, const struct box_opts *o, struct box **ret, struct err *e)
{
	struct err first = {0};
	char magic[4];
	int err;

	if (file->size < sizeof magic)
		return err_set(e, ERR_NOT_CKPT, "not a zip: only %llu bytes",
			(unsigned long long)file->size);
	err = source_read(file, magic, sizeof magic, 0, e);
	if (err < 0)
		return err;
	if (le32(magic) != ZIP_LOCAL)
		return err_set(e, ERR_NOT_CKPT, "not a zip: the file does not begin with PK 3 4");
	err = load(file, ret, &first);
	/* What is refused stays refused: salvage is for files that are broken. */
	if (o && o->salvage && (err == ERR_TRUNCATED || err == ERR_DAMAGED))
		return salvage(file, ret, e);
	if (err < 0 && e)
		*e = first;
	return err;
}
