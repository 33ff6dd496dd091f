/* second.c - libzip as the second reader of an archive.
 *
 * libzip opens the same file by itself (through our source, so memory and windows will do) and
 * must see what we see: as many records, in the same order, with the same names, sizes and
 * methods. Where it does not, the archive is refused (formats/torch-zip.md section 10: programs
 * differ). It is opened only for boxes with deflated members, at the first of them.
 *
 * Thread rule: zip_t is for one thread; the caller holds the lock of the inflater.
 */
#include "second.h"

#include <pthfs/source.h>

void second_init(struct second *s, struct box *b)
{
	zip_error_init(&s->za_err);
	s->box = b;
}

void second_release(struct second *s)
{
	if (s->za)
		zip_discard(s->za);
	zip_error_fini(&s->za_err);
}

/* The file as libzip sees it: a seekable source over ours. */
static zip_int64_t feed_read(struct second *s, void *data, zip_uint64_t len)
{
	uint64_t left = s->box->file->size - s->pos;

	if (len > left)
		len = left;
	if (source_read(s->box->file, data, (size_t)len, s->pos, &s->io) < 0) {
		zip_error_set(&s->za_err, ZIP_ER_READ, s->io.sys);
		return -1;
	}
	s->pos += len;
	return (zip_int64_t)len;
}

static zip_int64_t feed_seek(struct second *s, void *data, zip_uint64_t len)
{
	zip_int64_t to =
		zip_source_seek_compute_offset(s->pos, s->box->file->size, data, len, &s->za_err);

	if (to < 0)
		return -1;
	s->pos = (uint64_t)to;
	return 0;
}

static zip_int64_t feed_stat(struct second *s, void *data, zip_uint64_t len)
{
	zip_stat_t *st = data;

	if (len < sizeof *st)
		return -1;
	zip_stat_init(st);
	st->size = s->box->file->size;
	st->valid = ZIP_STAT_SIZE;
	return sizeof *st;
}

static zip_int64_t feed(void *ctx, void *data, zip_uint64_t len, zip_source_cmd_t cmd)
{
	struct second *s = ctx;

	switch (cmd) {
	case ZIP_SOURCE_SUPPORTS:
		return ZIP_SOURCE_SUPPORTS_SEEKABLE;
	case ZIP_SOURCE_OPEN:
		s->pos = 0;
		return 0;
	case ZIP_SOURCE_READ:
		return feed_read(s, data, len);
	case ZIP_SOURCE_SEEK:
		return feed_seek(s, data, len);
	case ZIP_SOURCE_TELL:
		return (zip_int64_t)s->pos;
	case ZIP_SOURCE_STAT:
		return feed_stat(s, data, len);
	case ZIP_SOURCE_ERROR:
		return zip_error_to_data(&s->za_err, data, len);
	case ZIP_SOURCE_CLOSE:
	case ZIP_SOURCE_FREE:
		return 0;
	default:
		zip_error_set(&s->za_err, ZIP_ER_OPNOTSUPP, 0);
		return -1;
	}
}

/* Does libzip list what we list? */
static int compare(zip_t *za, const struct box *b, struct err *e)
{
	const struct member *m;
	zip_stat_t st;

	if (zip_get_num_entries(za, 0) != b->n)
		return err_set(e, ERR_REFUSED,
			"libzip sees %lld records where the directory has %u",
			(long long)zip_get_num_entries(za, 0), b->n);
	for (uint32_t i = 0; i < b->n; i++) {
		m = &b->at[i];
		if (zip_stat_index(za, i, ZIP_FL_ENC_RAW, &st) == 0 &&
			str_eq(str_of(st.name), m->name) && st.size == m->size &&
			st.comp_size == m->stored && st.comp_method == m->method)
			continue;
		err_set(e, ERR_REFUSED, "libzip sees another record there");
		return box_at(e, ERR_REFUSED, m->name, "local header", m->header_off);
	}
	return 0;
}

int second_open(struct second *s, struct err *e)
{
	zip_error_t ze;
	zip_source_t *src;
	zip_t *za = NULL;
	int err;

	if (s->za)
		return 0;
	zip_error_init(&ze);
	s->io.code = 0;
	src = zip_source_function_create(feed, s, &ze);
	if (src)
		za = zip_open_from_source(src, ZIP_RDONLY, &ze);
	if (!za) {
		err = s->io.code;
		if (err && e)
			*e = s->io;
		else if (!err)
			err = err_set(e, ERR_REFUSED, "libzip does not open this archive: %s",
				zip_error_strerror(&ze));
		zip_source_free(src);
		zip_error_fini(&ze);
		return err;
	}
	zip_error_fini(&ze);
	err = compare(za, s->box, e);
	if (err < 0) {
		zip_discard(za);
		return err;
	}
	s->za = za;
	return 0;
}
