/* check_records.c - the records of a zip beyond what opening it has compared.
 *
 * The box has held every local header against the directory and refused overlaps, names that readers
 * take for the same, and second archives (formats/torch-zip.md sections 10 and 13). Left for here,
 * since a mount can live with it:
 *
 *	descriptor   [payload] PK 7 8, CRC, sizes: a second CRC, which in-place editors forget
 *	names        "extra" and "extra/file" cannot both be unpacked
 *	dead space   bytes between records, and data/ records of no storage
 *	layout       .format_version promises that offsets can be computed (section 11)
 *
 * The layout is torch's own: storages in the order of first use, from data/0 on, one right behind
 * the other, each padded to the alignment.
 */
#include "check_in.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>
#include <pthfs/reader.h>

#define DESCRIPTOR 0x08074b50

/* --- who is who --------------------------------------------------------------------------------- */

static struct str folder_of(struct str name)
{
	const char *slash = memchr(name.p, '/', name.n);

	return slash ? str_cut(name, (size_t)(slash - name.p) + 1) : STR("");
}

static bool is_pickle(const struct check *k, const struct member *m)
{
	if (!check_is_zip(k))
		return str_is(m->name, "data.pkl") || str_is(m->name, "pickle");
	return str_eq_case(str_skip(m->name, folder_of(m->name).n), STR("data.pkl")) &&
			(k->c->box->salvaged ||
					str_eq(folder_of(m->name), folder_of(k->c->box->at[0].name)));
}

static bool same_name(const void *ctx, const void *key, uint32_t id)
{
	const struct box *b = ctx;

	return str_eq_case(b->at[id].name, *(const struct str *)key);
}

/* Which member holds which storage. */
static int match_storages(struct check *k, const struct idmap *by_name)
{
	const struct box *b = k->c->box;
	const struct model *m = &k->c->model;
	struct buf name;
	struct str s;
	uint32_t at;

	buf_init(&name, 1u << 20);
	for (uint32_t i = 0; i < m->storages.n; i++) {
		name.n = 0;
		buf_str(&name, k->folder);
		buf_puts(&name, "data/");
		buf_str(&name, m->storages.at[i].key);
		s = buf_view(&name);
		at = name.failed ? IDMAP_NONE
				 : idmap_find(by_name, str_hash_case(s), same_name, b, &s);
		name.failed = false; /* a key of a megabyte has no record */
		k->member_of[i] = at == IDMAP_NONE ? MODEL_NONE : at;
		if (at != IDMAP_NONE)
			k->storage_of[at] = i;
	}
	buf_release(&name);
	return 0;
}

static int index_zip(struct check *k)
{
	const struct box *b = k->c->box;
	size_t n = k->c->model.storages.n;
	struct idmap by_name = {0};
	int rc = 0;

	k->folder = folder_of(k->pickle->name);
	k->storage_of = malloc((b->n + (size_t)1) * sizeof *k->storage_of);
	k->member_of = malloc((n + 1) * sizeof *k->member_of);
	if (!k->storage_of || !k->member_of)
		return err_nomem(k->e);
	for (uint32_t i = 0; i < b->n && rc == 0; i++) {
		k->storage_of[i] = MODEL_NONE;
		rc = idmap_add(&by_name, str_hash_case(b->at[i].name), i);
	}
	rc = rc < 0 ? err_nomem(k->e) : match_storages(k, &by_name);
	idmap_release(&by_name);
	return rc;
}

int check_records_index(struct check *k)
{
	const struct box *b = k->c->box;

	for (uint32_t i = 0; b && i < b->n && !k->pickle; i++)
		if (is_pickle(k, &b->at[i]))
			k->pickle = &b->at[i];
	return check_is_zip(k) && k->pickle ? index_zip(k) : 0;
}

void check_records_release(struct check *k)
{
	free(k->storage_of);
	free(k->member_of);
	free(k->screen);
	free(k->clear);
}

/* --- one record --------------------------------------------------------------------------------- */

static int descriptor(struct check *k, const struct member *m)
{
	uint64_t at = m->data_off + m->stored;
	char p[8];
	struct err e;

	if (!(m->flags & MEMBER_DESCRIPTOR) || m->flags & MEMBER_MISSING)
		return 0;
	if (source_read(k->c->box->file, p, sizeof p, at, &e) < 0)
		return check_say(k, SEVERITY_DAMAGE, "record", m->name, at,
				"the descriptor of record \"%s\" cannot be read: %s",
				STR_SHOW(m->name), e.text);
	if (le32(p) != DESCRIPTOR || le32(p + 4) == m->crc)
		return 0;
	return check_say(k, SEVERITY_WARNING, "crc", m->name, at + 4,
			"the descriptor behind record \"%s\" says CRC %08x, the directory says %08x: "
			"one of them was not updated",
			STR_SHOW(m->name), le32(p + 4), m->crc);
}

struct named {
	struct str name;
	uint32_t index;
};

static int by_text(const void *a, const void *b)
{
	const struct str *x = &((const struct named *)a)->name, *y = &((const struct named *)b)->name;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = n ? memcmp(x->p, y->p, n) : 0;

	return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* The shortest of the names in stack that is a folder of `name`; each begins as the ones below it,
 * and name as all of them do. */
static uint32_t folder_in(const struct named *stack, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (stack[i].name.n < name.n && name.p[stack[i].name.n] == '/')
			return stack[i].index;
	return MODEL_NONE;
}

/* ret[i]: the record that is a folder of record i. One pass over the names in order, and not a search
 * for each folder of each name: names may have 65535 bytes that are nearly all slashes. */
static void find_folders(const struct box *b, struct named *sorted, struct named *stack, uint32_t *ret)
{
	size_t depth = 0;

	for (uint32_t i = 0; i < b->n; i++)
		sorted[i] = (struct named){b->at[i].name, i};
	qsort(sorted, b->n, sizeof *sorted, by_text);
	for (uint32_t i = 0; i < b->n; i++) {
		while (depth && !str_starts(sorted[i].name, stack[depth - 1].name))
			depth--;
		ret[sorted[i].index] = folder_in(stack, depth, sorted[i].name);
		stack[depth++] = sorted[i];
	}
}

/* Is there a record with the name of a folder that another one lies in? */
static int names(struct check *k)
{
	const struct box *b = k->c->box;
	_cleanup_(freep) struct named *sorted = calloc(b->n + (size_t)1, 2 * sizeof *sorted);
	_cleanup_(freep) uint32_t *folder = malloc((b->n + (size_t)1) * sizeof *folder);
	int rc = 0;

	if (!sorted || !folder)
		return err_nomem(k->e);
	find_folders(b, sorted, sorted + b->n, folder);
	for (uint32_t i = 0; i < b->n && rc == 0; i++)
		if (folder[i] != MODEL_NONE)
			rc = check_say(k, SEVERITY_WARNING, "ambiguous", b->at[i].name, NO_OFFSET,
					"record \"%s\" lies in a folder that is itself a record, "
					"\"%s\": only one of the two can be unpacked",
					STR_SHOW(b->at[i].name), STR_SHOW(b->at[folder[i]].name));
	return rc;
}

/* --- what nobody uses --------------------------------------------------------------------------- */

static int dead_space(struct check *k)
{
	const struct box *b = k->c->box;
	uint64_t unused = 0;
	uint32_t n = 0;
	struct str first = STR(""), data = STR("data/");
	enum severity sev;

	for (uint32_t i = 0; i < b->n; i++) {
		if (k->storage_of[i] != MODEL_NONE || !str_starts(b->at[i].name, k->folder) ||
				!str_starts(str_skip(b->at[i].name, k->folder.n), data))
			continue;
		if (n++ == 0)
			first = b->at[i].name;
		unused += b->at[i].stored;
	}
	if (!n && !b->dead)
		return 0;
	sev = check_much(k, unused + b->dead) ? SEVERITY_WARNING : SEVERITY_NOTE;
	if (!n)
		return check_say(k, sev, "dead", STR(""), NO_OFFSET,
				"%s belong to no record; pthfs compact gives them back",
				STR_SIZE(b->dead));
	return check_say(k, sev, "dead", first, NO_OFFSET,
			"%u data record%s (%s, the first is \"%s\") belong%s to no tensor, and %s to "
			"no record; pthfs compact gives them back",
			n, n == 1 ? "" : "s", STR_SIZE(unused), STR_SHOW(first), n == 1 ? "s" : "",
			STR_SIZE(b->dead));
}

/* --- computed offsets --------------------------------------------------------------------------- */

static const struct member *record(const struct check *k, const char *name)
{
	const struct box *b = k->c->box;

	for (uint32_t i = 0; i < b->n; i++)
		if (str_starts(b->at[i].name, k->folder) &&
				str_is(str_skip(b->at[i].name, k->folder.n), name))
			return &b->at[i];
	return NULL;
}

/* The first bytes of a small record; empty when it is not there. */
static struct str record_text(const struct check *k, const char *name, char text[16])
{
	const struct member *m = record(k, name);
	struct source *src;
	struct str s = {text, 0};

	if (!m || box_source(k->c->box, m, &src, NULL) < 0)
		return s;
	s.n = src->size < 16 ? (size_t)src->size : 16;
	if (source_read(src, text, s.n, 0, NULL) < 0)
		s.n = 0;
	source_unref(src);
	return s;
}

static uint64_t alignment(const struct check *k)
{
	char text[16];
	struct str s = record_text(k, ".storage_alignment", text);
	uint64_t n = 0;

	if (!s.n || s.n > 5)
		return 64;
	for (size_t i = 0; i < s.n; i++)
		n = s.p[i] >= '0' && s.p[i] <= '9' ? n * 10 + (uint64_t)(s.p[i] - '0') : 0;
	return n ? n : 64;
}

/* Where torch computes the payload of m to be, when its header is at `head`. */
static uint64_t computed(const struct member *m, uint64_t head, uint64_t align)
{
	uint64_t start = head + 30 + m->name.n + 4;

	if (m->size >= UINT32_MAX || head >= UINT32_MAX)
		start += 4u + (m->size >= UINT32_MAX ? 16u : 0u) + (head >= UINT32_MAX ? 8u : 0u);
	return start + (align - start % align) % align;
}

/* Behind the payload and descriptor of m, whose header is at `head`. */
static uint64_t computed_end(const struct member *m, uint64_t payload, uint64_t head)
{
	if (!m->size)
		return payload;
	return payload + m->size + (head >= UINT32_MAX || m->size >= UINT32_MAX ? 24 : 16);
}

/* The first storage that does not lie where it is computed to be; NULL: all do, or one is missing. */
static const struct member *misplaced(const struct check *k)
{
	const struct model *m = &k->c->model;
	const struct member *at;
	uint64_t align = alignment(k), head = 0, payload;

	for (size_t i = 0; i < m->storages.n; i++) {
		if (k->member_of[i] == MODEL_NONE)
			return NULL;
		at = &k->c->box->at[k->member_of[i]];
		if (i == 0 && !str_is(m->storages.at[0].key, "0"))
			return at;
		head = i ? head : at->header_off;
		payload = i ? computed(at, head, align) : at->data_off;
		if (at->data_off != payload || at->method)
			return at;
		head = computed_end(at, payload, head);
	}
	return NULL;
}

static int layout(struct check *k)
{
	char text[16];
	struct str version = record_text(k, ".format_version", text);
	const struct member *at;

	if (!version.n || version.p[0] < '1' || k->c->box->salvaged)
		return 0;
	at = misplaced(k);
	if (!at)
		return 0;
	return check_say(k, SEVERITY_WARNING, "layout", at->name, at->data_off,
			"the archive has a .format_version, by which torch may compute where storages "
			"lie, but record \"%s\" lies elsewhere: FakeTensorMode and "
			"calculate_storage_offsets read wrong bytes; pthfs compact puts it right",
			STR_SHOW(at->name));
}

int check_records(struct check *k)
{
	const struct box *b = k->c->box;
	int rc = 0;

	if (!k->storage_of)
		return 0;
	for (uint32_t i = 0; i < b->n && rc == 0; i++)
		rc = descriptor(k, &b->at[i]);
	if (rc == 0)
		rc = names(k);
	if (rc == 0)
		rc = dead_space(k);
	return rc == 0 ? layout(k) : rc;
}
