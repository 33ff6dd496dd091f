/* zip_records.c - the small records of a torch zip, and where its storages lie.
 *
 *	version              decimal; torch takes 1 to 10 (.data/version comes first)
 *	byteorder            "little" or "big"                              2.1 and later
 *	.format_version      "1"                                            about 2.7 and later
 *	.storage_alignment   decimal                                        about 2.7 and later
 *	.data/serialization_id                                              2.1 and later
 *	data/KEY             the bytes of storage KEY
 *
 * A stored record is an extent of the checkpoint itself. Deflated ones and those of a big-endian
 * file go through a source that is kept by the model. As in torch, only storages of a typed class
 * are swapped: what is saved as UntypedStorage has the bytes of the machine that wrote it.
 * (formats/torch-zip.md sections 2 and 8 to 10)
 */
#include "containers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct member *zip_record(const struct box *b, struct str folder, const char *name)
{
	char path[640];
	int n = snprintf(path, sizeof path, "%.*s/%s", STR_FMT(folder), name);

	if (n < 0 || (size_t)n >= sizeof path)
		return NULL;
	return box_find(b, (struct str){path, (size_t)n});
}

/* The text of a record of at most 63 bytes; false when it is not there or longer. */
static bool read_text(struct loader *l, struct str folder, const char *name, char text[64],
		struct str *ret)
{
	const struct member *m = zip_record(l->c->box, folder, name);
	struct source *src;
	bool ok;

	if (!m || m->size > 63 || m->flags & MEMBER_MISSING ||
			box_source(l->c->box, m, &src, NULL) < 0)
		return false;
	ok = source_read(src, text, src->size, 0, NULL) == 0;
	*ret = (struct str){text, src->size};
	text[src->size] = 0;
	source_unref(src);
	return ok;
}

/* As C++ stoull: blanks, digits, anything. */
static bool parse_version(struct str s, unsigned *ret)
{
	unsigned v = 0;

	while (s.n && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r')))
		s = str_skip(s, 1);
	if (!s.n || s.p[0] < '0' || s.p[0] > '9')
		return false;
	for (; s.n && s.p[0] >= '0' && s.p[0] <= '9' && v < 1000; s = str_skip(s, 1))
		v = v * 10 + (unsigned)(s.p[0] - '0');
	*ret = v;
	return true;
}

static int read_version(struct loader *l, struct str folder)
{
	char tmp[64], number[16];
	struct str text;
	unsigned v;

	if (!read_text(l, folder, ".data/version", tmp, &text) &&
			!read_text(l, folder, "version", tmp, &text)) {
		if (l->c->box->salvaged)
			return 0; /* it comes last: cut off */
		return err_set(l->e, ERR_DAMAGED,
				"the archive has no record \"%s/version\": torch refuses such a "
				"file",
				STR_SHOW(folder));
	}
	if (!parse_version(text, &v) || v < 1 || v > 10)
		return err_set(l->e, ERR_UNSUPPORTED,
				"the version record says \"%s\", torch takes 1 to 10",
				STR_SHOW(text));
	snprintf(number, sizeof number, "%u", v);
	l->c->version = arena_str(&l->m->arena, str_of(number));
	return l->c->version.p ? 0 : err_nomem(l->e);
}

static int read_byteorder(struct loader *l, struct str folder)
{
	char tmp[64];
	struct str text;

	if (!zip_record(l->c->box, folder, "byteorder"))
		return 0;
	if (read_text(l, folder, "byteorder", tmp, &text)) {
		l->c->big_endian = str_is(text, "big");
		if (l->c->big_endian || str_is(text, "little"))
			return 0;
	} else {
		text = STR("(unreadable)");
	}
	if (l->c->box->salvaged)
		return 0;
	return err_set(l->e, ERR_DAMAGED,
			"the byteorder record says \"%s\", only \"little\" and \"big\" are known",
			STR_SHOW(text));
}

int zip_read_records(struct loader *l, struct str folder)
{
	struct checkpoint *c = l->c;
	int rc = read_version(l, folder);

	if (rc == 0)
		rc = read_byteorder(l, folder);
	if (rc < 0)
		return rc;
	if (l->script)
		c->producer = zip_record(c->box, folder, ".data/serialization_id")
					      ? STR("TorchScript of torch 2.1 or later")
					      : STR("TorchScript of torch 1.4 to 2.0");
	else if (zip_record(c->box, folder, ".format_version") ||
			zip_record(c->box, folder, ".storage_alignment"))
		c->producer = STR("torch 2.7 or later");
	else if (zip_record(c->box, folder, "byteorder") ||
			zip_record(c->box, folder, ".data/serialization_id"))
		c->producer = STR("torch 2.1 to 2.6");
	return 0;
}

int zip_guess_producer(struct loader *l)
{
	struct str key;

	if (l->c->producer.n || !l->m->storages.n)
		return 0;
	key = l->m->storages.at[0].key;
	l->c->producer = key.n >= 9 ? STR("torch 1.6 to 1.7") : STR("torch 1.8 to 2.0");
	return 0;
}

/* Bytes that must pass through a source: inflated, swapped. Keeps the source. */
static int made_bytes(struct loader *l, const struct member *m, struct storage *s, bool swap)
{
	unsigned width = dtype_info((enum dtype)s->dtype)->swap;
	struct source *src, *front, *swapped;
	uint64_t have = m->size < s->nbytes ? m->size : s->nbytes;
	int rc = box_source(l->c->box, m, &src, l->e);

	if (rc < 0)
		return rc;
	if (swap) {
		have -= have % width;
		front = source_window(src, 0, have);
		source_unref(src);
		swapped = front ? source_swap(front, width) : NULL;
		source_unref(front);
		src = swapped;
	}
	if (!src)
		return err_nomem(l->e);
	if (model_keep(l->m, src) < 0) {
		source_unref(src);
		return err_nomem(l->e);
	}
	s->data = (struct extent){src, 0, have};
	return 0;
}

static int note_length(struct loader *l, const struct storage *s, const struct member *m)
{
	if (m->size == s->nbytes || m->flags & MEMBER_MISSING)
		return 0;
	return model_find(l->m, m->size < s->nbytes ? "damaged" : "note", m->name, m->data_off,
			l->e,
			"storage \"%s\" has a record of %" PRIu64
			" bytes, the pickle says %" PRIu64,
			STR_SHOW(s->key), m->size, s->nbytes);
}

static int find_storage(struct loader *l, struct storage *s, const struct member *m)
{
	/* An UntypedStorage counts as uint8: never swapped. */
	bool swap = l->c->big_endian && dtype_info((enum dtype)s->dtype)->swap > 1;
	int rc;

	s->broken = NULL;
	s->big_endian = l->c->big_endian;
	rc = note_length(l, s, m);
	if (rc < 0)
		return rc;
	if (m->method || swap)
		return made_bytes(l, m, s, swap);
	s->data = (struct extent){
			l->c->file, m->data_off, m->size < s->nbytes ? m->size : s->nbytes};
	s->file_off = m->data_off;
	return 0;
}

int zip_find_storages(struct loader *l, struct str folder)
{
	struct buf path;
	size_t base;
	int rc = 0;

	buf_init(&path, 1u << 20);
	buf_str(&path, folder);
	buf_puts(&path, "/data/");
	base = path.n;
	for (size_t i = 0; i < l->m->storages.n && rc == 0 && !path.failed; i++) {
		struct storage *s = &l->m->storages.at[i];
		const struct member *m;

		path.n = base;
		buf_str(&path, s->key);
		m = path.failed ? NULL : box_find(l->c->box, buf_view(&path));
		if (m)
			rc = find_storage(l, s, m);
		else if (s->nbytes == 0 && l->script)
			s->broken = NULL;
		else
			s->broken = model_sentence(l->m,
					"the record \"%s\" of its storage is missing",
					STR_SHOW(buf_view(&path)));
	}
	if (path.failed)
		rc = err_nomem(l->e);
	buf_release(&path);
	return rc;
}
