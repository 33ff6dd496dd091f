/* save_embedded.c - storages whose bytes lie inside of the pickle, and those that lie in a stretch
 * of the old file.
 *
 *	numpy    BUILD (1, shape, dtype, fortran, BYTES)     _frombuffer(BYTES, dtype, shape, order)
 *	torch    _load_from_bytes(BYTES): a whole legacy stream, the data near its end
 *
 *	BYTES    _codecs.encode(text, 'latin1')   protocol 2: another text
 *	         BINBYTES, BINBYTES8              protocol 3 and more: such a call, as protocol 2
 *has bytearray(...), BYTEARRAY8       bytearray(such a call) BINSTRING Python 2: stays one
 *
 * Where BYTES stands (storage.inside, item) the tuple gets a new object. Its text is a source over
 * the storage's content, never in memory. (formats/pickle.md section 3, formats/torch-legacy.md
 * section 5, formats/torch-objects.md section 10)
 */
#include "save_in.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>

#include "legacy.h"

static void sourcep(struct source **s)
{
	source_unref(*s);
}

/* --- the bytes -------------------------------------------------------------------------------- */

/* The content of a storage in the order in which the pickle has it. */
static int content(const struct storage *st, struct source **ret, struct err *e)
{
	unsigned width = dtype_info((enum dtype)st->dtype)->swap;
	struct source *window, *swapped;

	if (!st->data.src || st->data.len != st->nbytes)
		return err_set(e, ERR_DAMAGED, "the bytes of storage \"%s\" are not all there",
				STR_SHOW(st->key));
	window = source_window(st->data.src, st->data.off, st->data.len);
	if (window && st->big_endian && width > 1) {
		swapped = source_swap(window, width);
		source_unref(window);
		window = swapped;
	}
	if (!window)
		return err_nomem(e);
	*ret = window;
	return 0;
}

/* The same with what stands around it: a legacy stream is `old` but for its data. */
static int whole_content(const struct graph *g, const struct storage *st, oref old, bool stream,
		struct source **ret, struct err *e)
{
	_cleanup_(sourcep) struct source *data = NULL, *base = NULL;
	uint64_t off;
	int rc = content(st, &data, e);

	if (rc < 0)
		return rc;
	if (!stream) {
		*ret = steal_ptr(&data);
		return 0;
	}
	rc = obj_bytes_source(g, old, &base, e);
	if (rc == 0)
		rc = legacy_embedded_data(base, &off, e);
	return rc < 0 ? rc : source_splice(base, off, data, ret, e);
}

/* --- the object ------------------------------------------------------------------------------- */

static oref new_global(struct graph *g, const char *module, const char *name)
{
	oref m = obj_new_text(g, OBJ_KIND_STR, str_of(module), UINT32_MAX);
	oref n = obj_new_text(g, OBJ_KIND_STR, str_of(name), UINT32_MAX);

	return m == OREF_NIL || n == OREF_NIL ? OREF_NIL : obj_new_global(g, m, n, UINT32_MAX);
}

static oref call_with(struct graph *g, oref fn, const oref *at, uint32_t n)
{
	oref args;

	for (uint32_t i = 0; i < n; i++)
		if (at[i] == OREF_NIL)
			return OREF_NIL;
	args = obj_new_seq(g, OBJ_KIND_TUPLE, at, n, UINT32_MAX);
	return args == OREF_NIL || fn == OREF_NIL
			       ? OREF_NIL
			       : obj_new_call(g, OBJ_KIND_CALL, fn, args, UINT32_MAX);
}

static bool is_call_of(const struct graph *g, oref r, const char *name, oref *fn, oref *args)
{
	struct str module, have;

	return obj_call(g, r, fn, args) && obj_global(g, *fn, &module, &have) &&
	       str_is(have, name) &&
	       (str_is(module, "_codecs") || str_is(module, "builtins") ||
			       str_is(module, "__builtin__"));
}

/* _codecs.encode(text, 'latin1'), with the parts of an old one where there is one. */
static oref encoded(struct graph *g, oref old, struct source *bytes, struct err *e)
{
	_cleanup_(sourcep) struct source *text = NULL;
	oref fn, args, at[2];
	const oref *have;
	uint32_t n = 0;

	if (source_utf8(bytes, &text, e) < 0)
		return OREF_NIL;
	at[0] = obj_new_span(g, OBJ_KIND_STR, text, 0, text->size, UINT32_MAX);
	if (is_call_of(g, old, "encode", &fn, &args))
		obj_items(g, args, &n);
	if (n == 2) {
		have = obj_items(g, args, &n);
		at[1] = have[1];
		return call_with(g, fn, at, 2);
	}
	fn = new_global(g, "_codecs", "encode");
	at[1] = obj_new_text(g, OBJ_KIND_STR, STR("latin1"), UINT32_MAX);
	return call_with(g, fn, at, 2);
}

/* Protocol 2 calls it __builtin__; a graph of a later one is translated when it is written. */
static oref bytearray_symbol(const struct save *s)
{
	bool late = s->ck->pickle.protocol >= 3;

	return new_global(&s->ck->model.graph, late ? "builtins" : "__builtin__", "bytearray");
}

static oref new_bytes(const struct save *s, oref old, struct source *bytes, struct err *e)
{
	struct graph *g = &s->ck->model.graph;
	const oref *at;
	oref r, fn, args;
	uint32_t n;

	if (obj_flags(g, old) & OBJ_PY2STR) {
		r = obj_new_span(g, OBJ_KIND_BYTES, bytes, 0, bytes->size, UINT32_MAX);
		obj_add_flags(g, r, OBJ_PY2STR);
		return r;
	}
	if (obj_kind(g, old) == OBJ_KIND_BYTEARRAY) {
		r = encoded(g, OREF_NIL, bytes, e);
		return r == OREF_NIL ? r : call_with(g, bytearray_symbol(s), &r, 1);
	}
	if (is_call_of(g, old, "bytearray", &fn, &args)) {
		at = obj_items(g, args, &n);
		r = encoded(g, n ? at[0] : OREF_NIL, bytes, e);
		return r == OREF_NIL ? r : call_with(g, fn, &r, 1);
	}
	return encoded(g, old, bytes, e);
}

/* Puts the new object in the place of the old one. */
static int put_bytes(const struct save *s, const struct storage *st, struct err *e)
{
	_cleanup_(sourcep) struct source *bytes = NULL;
	_cleanup_(freep) oref *items = NULL;
	struct graph *g = &s->ck->model.graph;
	struct err why = {0};
	uint32_t n;
	const oref *at = obj_items(g, st->inside, &n);
	oref made;
	int rc;

	if (st->item >= n)
		return err_set(e, ERR_USAGE, "the object of a storage is not there any more");
	items = malloc(n * sizeof *items);
	if (!items)
		return err_nomem(e);
	memcpy(items, at, n * sizeof *items);
	rc = whole_content(g, st, items[st->item], n == 1, &bytes, e);
	if (rc < 0)
		return rc;
	made = new_bytes(s, items[st->item], bytes, &why);
	if (made == OREF_NIL && why.code && e)
		*e = why;
	if (made == OREF_NIL)
		return why.code ? why.code : err_nomem(e);
	items[st->item] = made;
	rc = obj_replace_items(g, st->inside, items, n);
	if (rc == ERR_NOMEM)
		return err_nomem(e);
	return rc < 0 ? err_set(e, rc, "the object of a storage cannot be changed") : 0;
}

static bool changed_inside(const struct save *s, uint32_t i)
{
	size_t n;

	return s->ck->model.storages.at[i].inside != OBJ_NONE && save_runs(s, i, &n) && n;
}

int save_embedded(const struct save *s, bool in_place, bool *pickle, struct err *e)
{
	const struct model *m = &s->ck->model;
	bool write = *pickle;
	int rc = 0;

	for (uint32_t i = 0; i < m->storages.n && !write; i++)
		write = changed_inside(s, i) &&
			(!in_place || m->storages.at[i].file_off == UINT64_MAX);
	for (uint32_t i = 0; i < m->storages.n && write && rc == 0; i++)
		if (changed_inside(s, i))
			rc = put_bytes(s, &m->storages.at[i], e);
	if (rc == 0)
		*pickle = write;
	return rc;
}

/* --- a stretch of the old file ---------------------------------------------------------------- */

static int run_order(const void *a, const void *b)
{
	const struct save_run *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

int save_stretch(const struct save *s, uint64_t off, uint64_t end, struct plan *p, struct err *e)
{
	const struct model *m = &s->ck->model;
	VEC(struct save_run) all = {0};
	int rc = 0;

	for (uint32_t i = 0; i < m->storages.n && rc == 0; i++) {
		uint64_t at = m->storages.at[i].file_off;
		size_t n = 0;
		const struct save_run *runs = at < off || at >= end ? NULL : save_runs(s, i, &n);

		rc = vec_room(&all, n) < 0 ? err_nomem(e) : 0;
		for (size_t k = 0; runs && k < n && rc == 0; k++)
			all.at[all.n++] = (struct save_run){at - off + runs[k].off, runs[k].from};
	}
	if (rc == 0 && all.n)
		qsort(all.at, all.n, sizeof *all.at, run_order);
	if (rc == 0)
		rc = save_patched(s, off, end - off, all.at, all.n, p, e);
	vec_release(&all);
	return rc;
}

void save_places(const struct save *s, uint64_t *places)
{
	for (uint32_t i = 0; i < s->ck->model.storages.n; i++)
		places[i] = s->ck->model.storages.at[i].file_off;
}
