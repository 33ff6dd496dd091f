/* legacy.c - what torch.save wrote until 1.5: five pickles in a row, then raw storages.
 *
 *	magic | 1001 | system info | object | storage keys | count, data | count, data ...
 *
 * A pickle ends at its STOP; nothing says where. A storage's count is in elements of the dtype
 * under which its key was first named, so the object has to be read before the offsets are known:
 *
 *	offset(k + 1) = offset(k) + 8 + count(k) * element size(k)
 *
 * Refused, because every later offset would be a guess: a key that is listed twice or that nothing
 * names, a count that is not what the pickle says. A key that is named but not listed breaks its
 * tensors only. Data are little-endian whatever the system info says; it is not looked at, as in
 * torch. (formats/torch-legacy.md sections 1 to 3, 5 and 8)
 */
#include "legacy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "containers.h"

#define MAGIC "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
#define MAGIC_TEXT "L119547037146038801333356L\n."

static int legacy_bid(const unsigned char *head, size_t n, uint64_t size)
{
	size_t at = 2;

	if (n >= strlen(MAGIC_TEXT) && memcmp(head, MAGIC_TEXT, strlen(MAGIC_TEXT)) == 0)
		return 100;
	if (n < 2 || head[0] != 0x80 || head[1] > 5)
		return 0;
	if (n > 2 && head[2] == 0x95)
		at += 9; /* FRAME */
	if (n < at + 12 || memcmp(head + at, "\x8a\x0a" MAGIC, 12) != 0)
		return 0;
	return 112;
}

/* One pickle of the row. */
static int next_pickle(struct reader *r, struct graph *g, const char *what, oref *ret,
		struct pickle_info *info, struct err *e)
{
	uint64_t at = r->pos;
	int rc = pickle_load(r, g, ret, info, e);

	if (rc == ERR_TRUNCATED)
		return err_set(e, rc,
				"the file is truncated: its %" PRIu64
				" bytes end inside the pickle of %s, "
				"which begins at offset %" PRIu64 "; get it again",
				r->end, what, at);
	if (rc < 0)
		err_prefix(e, "the pickle of %s at offset %" PRIu64, what, at);
	return rc;
}

/* Where torch.load(weights_only=True) stops in one of the row, it stops. */
static void join_info(struct pickle_info *first, const struct pickle_info *next)
{
	if (!first->weights_only || next->weights_only)
		return;
	first->weights_only = false;
	first->bad_op = next->bad_op;
	first->bad_name = next->bad_name;
	first->bad_off = UINT64_MAX; /* not in the pickle that first speaks of */
}

/* Magic number, protocol version, system info. */
static int read_head(struct reader *r, struct graph *g, struct pickle_info *info, struct err *e)
{
	struct str text;
	int64_t version;
	oref got;
	int rc = next_pickle(r, g, "the magic number", &got, NULL, e);

	if (rc < 0)
		return rc;
	if (obj_kind(g, got) != OBJ_KIND_LONG || !obj_text(g, got, &text) || text.n != 10 ||
			memcmp(text.p, MAGIC, 10) != 0)
		return err_set(e, ERR_DAMAGED, "the magic number of a legacy stream is not there");
	rc = next_pickle(r, g, "the protocol version", &got, NULL, e);
	if (rc < 0)
		return rc;
	if (!obj_int(g, got, &version) || version != 1001)
		return err_set(e, ERR_DAMAGED,
				"the protocol version of the legacy stream is not 1001, as all "
				"have it");
	return next_pickle(r, g, "the system info", &got, info, e);
}

/* The count in front of a storage's data, checked against what the pickle says. */
static int read_count(struct reader *r, const struct storage *s, uint64_t *ret, struct err *e)
{
	uint64_t count, bytes, at = r->pos;
	int rc = reader_u64(r, &count, e);

	if (rc < 0)
		return rc;
	if (count > INT64_MAX)
		return err_set(e, ERR_DAMAGED,
				"storage \"%s\" at offset %" PRIu64 " has a negative element count",
				STR_SHOW(s->key), at);
	if (__builtin_mul_overflow(count, dtype_info((enum dtype)s->dtype)->size, &bytes) ||
			bytes != s->nbytes)
		return err_set(e, ERR_DAMAGED,
				"storage \"%s\" at offset %" PRIu64 " has a count of %" PRIu64
				" elements of %s, but the pickle says %" PRIu64 " bytes",
				STR_SHOW(s->key), at, count, dtype_info((enum dtype)s->dtype)->name,
				s->nbytes);
	*ret = bytes;
	return 0;
}

/* --- a whole file ---------------------------------------------------------------------------- */

struct stream {
	struct loader *l;
	struct reader r;
	uint64_t object_off, object_len, keys_off, keys_len, need;
	oref object, keys;
};

static int add_member(struct stream *s, struct str name, uint64_t off, uint64_t len)
{
	return box_add(s->l->c->box, name, off, len, s->l->e);
}

static int add_storage_member(struct stream *s, const struct storage *st, uint64_t len)
{
	struct buf name;
	int rc;

	buf_init(&name, 1u << 17);
	buf_puts(&name, "data/");
	buf_str(&name, st->key);
	rc = name.failed ? err_nomem(s->l->e) : add_member(s, buf_view(&name), st->file_off, len);
	buf_release(&name);
	return rc;
}

static int cut_here(struct stream *s, uint32_t at)
{
	struct loader *l = s->l;
	const struct storage *st = &l->m->storages.at[at];
	uint64_t size = l->c->file->size;

	if (!l->o->salvage)
		return err_set(l->e, ERR_TRUNCATED,
				"the file is truncated in storage \"%s\": it has %" PRIu64
				" bytes and needs %" PRIu64
				", so %s are missing; get it again, or mount what is there with -o "
				"salvage",
				STR_SHOW(st->key), size, s->need, STR_SIZE(s->need - size));
	l->c->truncated = true;
	return model_find(l->m, "damaged", st->key, s->r.pos, l->e,
			"the file ends in storage \"%s\": %" PRIu64 " of %" PRIu64
			" bytes are there",
			STR_SHOW(st->key), size, s->need);
}

/* The storage whose turn it is. */
static int place_storage(struct stream *s, uint32_t at)
{
	struct loader *l = s->l;
	struct storage *st = &l->m->storages.at[at];
	uint64_t bytes, left;
	int rc;

	if (reader_left(&s->r) < 8) {
		st->broken = "the file ends before its storage";
		s->r.pos = s->r.end;
		return l->c->truncated ? 0 : cut_here(s, at);
	}
	rc = read_count(&s->r, st, &bytes, l->e);
	if (rc < 0)
		return rc;
	left = reader_left(&s->r);
	st->broken = NULL;
	st->file_off = s->r.pos;
	st->data = (struct extent){l->c->file, s->r.pos, bytes < left ? bytes : left};
	rc = add_storage_member(s, st, st->data.len);
	if (rc == 0 && bytes > left)
		rc = cut_here(s, at);
	return rc < 0 ? rc : reader_skip(&s->r, st->data.len, l->e);
}

/* The storage that key i of the list names; each once. */
static int listed_storage(struct stream *s, oref key, uint8_t *seen, uint32_t *ret)
{
	struct loader *l = s->l;
	struct str text;

	if (!obj_text(l->g, key, &text))
		return err_set(l->e, ERR_DAMAGED, "the list of storage keys holds what is no text");
	*ret = persid_find(l, text);
	if (*ret == MODEL_NONE)
		return err_set(l->e, ERR_DAMAGED,
				"the list of storage keys names \"%s\", which the object does not "
				"use: its "
				"element size is unknown, and so is the place of all that follows",
				STR_SHOW(text));
	if (seen[*ret]++)
		return err_set(l->e, ERR_DAMAGED, "the list of storage keys names \"%s\" twice",
				STR_SHOW(text));
	return 0;
}

static int count_need(struct stream *s, uint32_t at)
{
	uint64_t n;

	if (__builtin_add_overflow(s->l->m->storages.at[at].nbytes, 8, &n) ||
			__builtin_add_overflow(s->need, n, &s->need))
		return err_set(s->l->e, ERR_DAMAGED, "its storages are larger than any file");
	return 0;
}

static int place_storages(struct stream *s)
{
	struct loader *l = s->l;
	uint8_t *seen = calloc(1, l->m->storages.n + 1);
	VEC(uint32_t) order = {0};
	uint32_t n, at = 0;
	const oref *keys = obj_items(l->g, s->keys, &n);
	int rc = seen ? 0 : err_nomem(l->e);

	s->need = s->r.pos;
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = listed_storage(s, keys[i], seen, &at);
		if (rc == 0)
			rc = vec_push(&order, at) < 0 ? err_nomem(l->e) : count_need(s, at);
	}
	for (uint32_t i = 0; i < order.n && rc == 0; i++)
		rc = place_storage(s, order.at[i]);
	for (uint32_t i = 0; i < l->m->storages.n && rc == 0; i++)
		if (!seen[i])
			l->m->storages.at[i].broken = model_sentence(l->m,
					"its storage key \"%s\" is missing in the file's list of "
					"storages",
					STR_SHOW(l->m->storages.at[i].key));
	vec_release(&order);
	free(seen);
	return rc;
}

static int note_trailing(struct stream *s)
{
	uint64_t left = reader_left(&s->r);

	if (!left)
		return 0;
	return model_find(s->l->m, "note", STR(""), s->r.pos, s->l->e,
			"%" PRIu64 " bytes stand after the last storage: torch ignores them", left);
}

static int read_pickles(struct stream *s)
{
	struct loader *l = s->l;
	uint64_t info_off;
	struct pickle_info head, keys;
	int rc = read_head(&s->r, l->g, &head, l->e);

	if (rc < 0)
		return rc;
	info_off = s->r.pos;
	rc = next_pickle(&s->r, l->g, "the object", &s->object, &l->c->pickle, l->e);
	s->object_off = info_off;
	s->object_len = s->r.pos - info_off;
	s->keys_off = s->r.pos;
	if (rc == 0)
		rc = next_pickle(&s->r, l->g, "the storage keys", &s->keys, &keys, l->e);
	if (rc == 0) {
		join_info(&l->c->pickle, &head);
		join_info(&l->c->pickle, &keys);
	}
	s->keys_len = s->r.pos - s->keys_off;
	if (rc == 0 && obj_kind(l->g, s->keys) != OBJ_KIND_LIST)
		rc = err_set(l->e, ERR_DAMAGED,
				"the fifth pickle, at offset %" PRIu64
				", is not the list of storage keys",
				s->keys_off);
	return rc;
}

static int load_stream(struct stream *s)
{
	struct loader *l = s->l;
	int rc = read_pickles(s);

	if (rc == 0)
		rc = box_new("legacy", l->c->file, &l->c->box, l->e);
	if (rc == 0)
		rc = add_member(s, STR("sys_info.pkl"), 0, s->object_off);
	if (rc == 0)
		rc = add_member(s, STR("data.pkl"), s->object_off, s->object_len);
	if (rc == 0)
		rc = add_member(s, STR("keys.pkl"), s->keys_off, s->keys_len);
	if (rc == 0)
		rc = loader_graph(l);
	if (rc == 0)
		rc = place_storages(s);
	if (rc == 0)
		rc = note_trailing(s);
	return rc < 0 ? rc : loader_finish(l, s->object);
}

static int legacy_load(struct source *file, const struct format_opts *o, struct checkpoint *c,
		struct err *e)
{
	struct loader l;
	struct stream s = {.l = &l};
	int rc = reader_init(&s.r, file, 0, file->size, e);

	if (rc < 0)
		return rc;
	loader_init(&l, c, o, e);
	l.persid_items = 6;
	c->version = STR("1001");
	c->producer = STR("torch up to 1.5, or later in the old format");
	rc = load_stream(&s);
	reader_release(&s.r);
	loader_release(&l);
	return rc;
}

const struct format_ops torch_legacy_ops = {"torch legacy", legacy_bid, legacy_load};

/* --- one storage inside of a plain pickle
 * ----------------------------------------------------------- */

/* A stream whose object is a bare storage. NULL and *s filled, or a sentence. */
static const char *embedded_storage(
		struct loader *l, struct reader *r, struct graph *g, struct storage *s)
{
	struct persid p;
	struct err e;
	const char *why;
	uint64_t bytes;
	oref object, keys, id;
	uint32_t n;

	if (read_head(r, g, NULL, &e) < 0 || next_pickle(r, g, "the object", &object, NULL, &e) < 0 ||
			next_pickle(r, g, "the storage keys", &keys, NULL, &e) < 0)
		return model_sentence(l->m, "its embedded storage: %s", e.text);
	if (!obj_persid(g, object, &id))
		return "its embedded storage holds more than a storage";
	why = persid_parse(g, id, 6, &p);
	if (why)
		return why;
	obj_items(g, keys, &n);
	if (n != 1 || p.view != OREF_NIL)
		return "its embedded storage holds more than one storage";
	*s = (struct storage){
			.nbytes = p.nbytes, .dtype = (uint8_t)p.dtype, .file_off = UINT64_MAX};
	/* every stream has keys of its own, and addresses repeat: number them */
	s->key = str_of(model_sentence(l->m, "%zu", l->m->storages.n));
	s->location = arena_str(&l->m->arena, p.location);
	if (!s->location.p)
		return "out of memory";
	if (read_count(r, s, &bytes, &e) < 0)
		return model_sentence(l->m, "its embedded storage: %s", e.text);
	if (bytes > reader_left(r))
		return "its embedded storage is shorter than it says";
	s->data = (struct extent){r->src, r->pos, bytes};
	return NULL;
}

static int embed(struct loader *l, oref args, struct source *src, uint32_t *ret,
		const char **why)
{
	struct storage s;
	struct graph g;
	struct reader r;
	uint64_t raw;
	uint32_t n;
	int rc = graph_init(&g, l->e);

	if (rc < 0)
		return rc;
	rc = reader_init(&r, src, 0, src->size, l->e);
	if (rc == 0) {
		*why = embedded_storage(l, &r, &g, &s);
		reader_release(&r);
	}
	graph_release(&g);
	if (rc < 0 || *why)
		return rc;
	if (s.nbytes && source_raw(src, s.data.off, s.nbytes, &raw) >= 0)
		s.file_off = raw;
	else if (s.nbytes && plain_bytes_place(l, obj_items(l->g, args, &n)[0], &raw))
		s.file_off = raw + s.data.off;
	s.inside = args;
	s.item = 0;
	if (model_keep(l->m, source_ref(src)) < 0) {
		source_unref(src);
		return err_nomem(l->e);
	}
	return model_add_storage(l->m, &s, ret, l->e);
}

int legacy_embedded(struct loader *l, oref args, uint32_t *ret, const char **why)
{
	struct source *src = NULL;
	struct err e = {0};
	uint32_t n;
	const oref *at = args_of(l, args, 1, &n);
	int rc;

	*why = "the bytes of its embedded storage are not there";
	if (!at)
		return 0;
	rc = obj_bytes_source(l->g, at[0], &src, &e);
	if (rc < 0)
		return rc == ERR_NOMEM ? err_nomem(l->e) : 0;
	rc = embed(l, args, src, ret, why);
	source_unref(src);
	return rc;
}

int legacy_embedded_data(struct source *stream, uint64_t *ret, struct err *e)
{
	struct graph g;
	struct reader r;
	uint64_t count;
	oref got;
	int rc = graph_init(&g, e);

	if (rc < 0)
		return rc;
	rc = reader_init(&r, stream, 0, stream->size, e);
	if (rc == 0) {
		rc = read_head(&r, &g, NULL, e);
		if (rc == 0)
			rc = next_pickle(&r, &g, "the object", &got, NULL, e);
		if (rc == 0)
			rc = next_pickle(&r, &g, "the storage keys", &got, NULL, e);
		if (rc == 0)
			rc = reader_u64(&r, &count, e);
		if (rc == 0)
			*ret = r.pos;
		reader_release(&r);
	}
	graph_release(&g);
	return rc;
}
