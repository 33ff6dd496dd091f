/* zip_save_kit.h - zips as torch writes them, changed and saved, for tests of zip_save*.c.
 *
 *	struct zs a, b;
 *	zs_young(&a, THREE);                      pickle and storages 0, 1, 2 of 16, 32, 48 bytes
 *	zs_write(&a, 1, 5, "xyz", 3);             bytes of a storage
 *	zs_save(&a, &b, (struct save){0});        into a plan, which is loaded again as b
 *	zs_release(&b); zs_release(&a);
 *
 * Files are in memory, but have a descriptor, so that plan_cost() tells what is in its place. Every
 * file that comes out is looked at by zs_save(): one end record, no findings, right CRCs.
 */
#ifndef ZIP_SAVE_KIT_H
#define ZIP_SAVE_KIT_H

#include "ckpt.h"

#include <pthfs/pickle.h>
#include <pthfs/save.h>

#define ZS_RUNS 4

struct zs {
	struct ckpt k;
	struct mkzip z;         /* the first file: its offsets */
	struct plan p;          /* a saved one */
	uint64_t *places;
	struct save_report rep;
	struct save_run run[ZS_RUNS]; /* of storage .changed */
	size_t n_runs;
	uint32_t changed;
	int rc;                 /* of checkpoint_save() */
	struct err e;
	bool damaged;           /* CRCs are wrong, and shall be */
};

/* A tensor over all of storage `key`: n floats (a pickle number, as "\4"). */
#define ALL(key, n) TENSOR(FLOATS(key, n), "\0", "K" n "\x85", "K\1\x85")
#define ENTRY(name, key, n) TEXT("\1", name) ALL(key, n)
/* a, b, c over the storages 0, 1, 2. */
#define THREE "\x80\4}(" ENTRY("a", "0", "\4") ENTRY("b", "1", "\x8") ENTRY("c", "2", "\xc") "u."
#define KEYED(a, b, c)                                                                             \
	"\x80\4}(" ENTRY("a", a, "\4") ENTRY("b", b, "\x8") ENTRY("c", c, "\xc") "u."

static inline void zs_open(struct zs *f)
{
	int fd = mkzip_memfd(&f->z);
	struct source *src = NULL;

	if (fd < 0 || source_file_fd(fd, &src, NULL) < 0)
		abort();
	ckpt_source(&f->k, src, NULL);
	if (!f->k.c) {
		printf("# does not load: %s\n", f->k.e.text);
		tap_bad++;
		abort();
	}
}

/* The pickle as torch would have written it: protocol 2. */
static inline void zs_canon(const char *pickle, size_t n, struct buf *out)
{
	struct graph g;
	struct reader r;
	struct source *src = source_mem_borrow(pickle, n);
	oref root;

	buf_init(out, 1u << 20);
	if (graph_init(&g, NULL) < 0 || reader_init(&r, src, 0, n, NULL) < 0 ||
			pickle_load(&r, &g, &root, NULL, NULL) < 0 ||
			pickle_save_buf(&g, root, NULL, out, NULL) < 0)
		abort();
	reader_release(&r);
	graph_release(&g);
	source_unref(src);
}

static inline uint64_t zs_fold(const struct mkzip *z)
{
	uint64_t h = 0;

	for (size_t i = 0; i < z->nrec; i++)
		if (z->rec[i].size && !strstr(z->rec[i].text, "serialization_id"))
			h ^= z->rec[i].crc + UINT64_C(0x9e3779b9) + (h << 6) + (h >> 2);
	return h;
}

static inline void zs_serial(struct mkzip *z, const char *name)
{
	char id[64];

	snprintf(id, sizeof id, "12345678901234567890%020" PRIu64, zs_fold(z));
	mkzip_add(z, name, id, 40);
}

/* n bytes that tell where they are from. */
static inline void zs_fill(char *p, size_t n, char from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(from + (char)i);
}

static inline void zs_pickle(struct mkzip *z, const char *pickle, size_t n)
{
	struct buf b;

	zs_canon(pickle, n, &b);
	mkzip_add(z, "a/data.pkl", b.p, b.n);
	buf_release(&b);
}

static inline void zs_storage(struct mkzip *z, const char *name, size_t n, char from, int how)
{
	char data[256];

	zs_fill(data, n, from);
	mkzip_add_as(z, name, strlen(name), data, n, how);
}

/* A file of torch 2.7 or later, still open for more. */
static inline void zs_young_head(struct mkzip *z, const char *pickle, size_t n)
{
	*z = (struct mkzip){0};
	zs_pickle(z, pickle, n);
	mkzip_add(z, "a/.format_version", "1", 1);
	mkzip_add(z, "a/.storage_alignment", "64", 2);
	mkzip_add(z, "a/byteorder", "little", 6);
}

static inline void zs_tail(struct mkzip *z)
{
	mkzip_add(z, "a/version", "3\n", 2);
	zs_serial(z, "a/.data/serialization_id");
	mkzip_finish(z);
}

static inline void zs_young(struct zs *f, const char *pickle, size_t n)
{
	*f = (struct zs){0};
	zs_young_head(&f->z, pickle, n);
	zs_storage(&f->z, "a/data/0", 16, 0, 0);
	zs_storage(&f->z, "a/data/1", 32, 50, 0);
	zs_storage(&f->z, "a/data/2", 48, 100, 0);
	zs_tail(&f->z);
	zs_open(f);
}

/* One of torch 1.13: no small records but the version. */
static inline void zs_old(struct zs *f, const char *pickle, size_t n)
{
	*f = (struct zs){0};
	zs_pickle(&f->z, pickle, n);
	zs_storage(&f->z, "a/data/0", 16, 0, 0);
	zs_storage(&f->z, "a/data/1", 32, 50, 0);
	zs_storage(&f->z, "a/data/2", 48, 100, 0);
	mkzip_add(&f->z, "a/version", "3\n", 2);
	mkzip_finish(&f->z);
	zs_open(f);
}

static inline void zs_file(struct zs *f, const char *path)
{
	struct source *src = NULL;

	*f = (struct zs){0};
	if (source_file_open(path, &src, NULL) < 0)
		abort();
	ckpt_source(&f->k, src, NULL);
}

static inline void zs_release(struct zs *f)
{
	ckpt_release(&f->k);
	plan_release(&f->p);
	free(f->places);
	for (size_t i = 0; i < f->n_runs; i++)
		source_unref(f->run[i].from.src);
	mkzip_free(&f->z);
}

/* --- changes ---------------------------------------------------------------------------------- */

static inline const struct save_run *zs_runs(void *ctx, uint32_t storage, size_t *n)
{
	struct zs *f = ctx;

	*n = storage == f->changed ? f->n_runs : 0;
	return *n ? f->run : NULL;
}

/* Bytes of one storage, in ascending order. */
static inline void zs_write(struct zs *f, uint32_t storage, uint64_t off, const char *p, size_t n)
{
	char *copy = malloc(n);

	memcpy(copy, p, n);
	f->changed = storage;
	f->run[f->n_runs++] = (struct save_run){off, {source_mem_take(copy, n), 0, n}};
}

/* What the storage has now as a whole, where it cannot be patched. */
static inline void zs_data(struct zs *f, uint32_t storage, const void *p, size_t n)
{
	char *copy = malloc(n);
	struct source *src;

	memcpy(copy, p, n);
	src = source_mem_take(copy, n);
	model_keep(&f->k.c->model, src);
	f->k.c->model.storages.at[storage].data = (struct extent){src, 0, n};
}

static inline struct graph *zs_graph(struct zs *f)
{
	return &f->k.c->model.graph;
}

static inline oref zs_root(struct zs *f)
{
	return f->k.c->model.values.at[f->k.c->model.root].obj;
}

static inline oref zs_text(struct zs *f, const char *text)
{
	return obj_new_text(zs_graph(f), OBJ_KIND_STR, str_of(text), 0);
}

/* Another key for pair i of the root. */
static inline void zs_rename(struct zs *f, uint32_t i, const char *to)
{
	oref pairs[64], key = zs_text(f, to);
	uint32_t n;
	const oref *at = obj_pairs(zs_graph(f), zs_root(f), &n);

	memcpy(pairs, at, 2 * n * sizeof *pairs);
	pairs[2 * i] = key;
	OK(obj_replace_pairs(zs_graph(f), zs_root(f), pairs, n) == 0);
}

/* Takes pair i of the root away. */
static inline void zs_remove(struct zs *f, uint32_t i)
{
	oref pairs[64];
	uint32_t n, kept = 0;
	const oref *at = obj_pairs(zs_graph(f), zs_root(f), &n);

	for (uint32_t k = 0; k < n; k++)
		if (k != i) {
			pairs[2 * kept] = at[2 * k];
			pairs[2 * kept++ + 1] = at[2 * k + 1];
		}
	OK(obj_replace_pairs(zs_graph(f), zs_root(f), pairs, kept) == 0);
}

/* A new storage of n floats under `key`, and a tensor over it as another pair of the root. It is
 * put together from pieces of the first tensor of the root. */
static inline uint32_t zs_new_source(
		struct zs *f, const char *name, const char *key, struct source *src, int64_t floats)
{
	struct graph *g = zs_graph(f);
	uint32_t n, n_args, n_id, at;
	oref pairs[64], items[8], id[5], args, fn, shape, was = OREF_NIL;
	struct storage st = {.nbytes = src->size,
			.data = {src, 0, src->size},
			.file_off = UINT64_MAX,
			.location = STR("cpu"),
			.dtype = DTYPE_FLOAT32};
	const oref *p = obj_pairs(g, zs_root(f), &n);

	memcpy(pairs, p, 2 * n * sizeof *pairs);
	OK(obj_call(g, pairs[1], &fn, &args));
	p = obj_items(g, args, &n_args);
	memcpy(items, p, n_args * sizeof *items);
	OK(n_args < 8 && obj_persid(g, items[0], &was));
	p = obj_items(g, was, &n_id);
	OK(n_id == 5);
	memcpy(id, p, sizeof id);
	st.key = arena_str(&f->k.c->model.arena, str_of(key));
	model_keep(&f->k.c->model, src);
	model_add_storage(&f->k.c->model, &st, &at, NULL);
	id[2] = zs_text(f, key);
	id[4] = obj_new_int(g, floats, 0);
	items[0] = obj_new_persid(g, obj_new_seq(g, OBJ_KIND_TUPLE, id, 5, 0), 0);
	shape = id[4];
	items[2] = obj_new_seq(g, OBJ_KIND_TUPLE, &shape, 1, 0);
	args = obj_new_seq(g, OBJ_KIND_TUPLE, items, n_args, 0);
	pairs[2 * n] = zs_text(f, name);
	pairs[2 * n + 1] = obj_new_call(g, OBJ_KIND_CALL, fn, args, 0);
	OK(obj_replace_pairs(g, zs_root(f), pairs, n + 1) == 0);
	return at;
}

static inline uint32_t zs_new_storage(
		struct zs *f, const char *name, const char *key, const void *p, size_t n)
{
	char *copy = malloc(n);

	memcpy(copy, p, n);
	return zs_new_source(f, name, key, source_mem_take(copy, n), (int64_t)(n / 4));
}

/* --- saving, and what comes out --------------------------------------------------------------- */

/* All of the saved file (malloc). */
static inline char *zs_bytes(const struct zs *f, size_t *n)
{
	char *p = malloc((size_t)f->k.src->size + 1);

	*n = (size_t)f->k.src->size;
	if (source_read(f->k.src, p, *n, 0, NULL) < 0)
		abort();
	return p;
}

/* How often a signature stands in the file. */
static inline unsigned zs_count(const struct zs *f, const char *magic)
{
	unsigned found = 0;
	size_t n;
	char *p = zs_bytes(f, &n);

	for (size_t i = 0; i + 4 <= n; i++)
		found += memcmp(p + i, magic, 4) == 0;
	free(p);
	return found;
}

static inline const struct member *zs_member(const struct zs *f, const char *name)
{
	return f->k.c ? box_find(f->k.c->box, str_of(name)) : NULL;
}

/* CRC-32 of what a member really holds. */
static inline uint32_t zs_real_crc(const struct zs *f, const struct member *m)
{
	uint32_t crc = 0;
	struct source *src;
	char *p = malloc((size_t)m->size + 1);

	if (box_source(f->k.c->box, m, &src, NULL) == 0) {
		if (source_read(src, p, (size_t)m->size, 0, NULL) == 0)
			crc = crc32_bytes(0, p, (size_t)m->size);
		source_unref(src);
	}
	free(p);
	return crc;
}

static inline uint32_t zs_le32(const struct zs *f, uint64_t off)
{
	char b[4] = {0};

	OK(source_read(f->k.src, b, 4, off, NULL) == 0);
	return le32(b);
}

/* Every CRC is right, in the directory and in the descriptor. */
static inline void zs_check_crcs(const struct zs *f)
{
	for (uint32_t i = 0; i < f->k.c->box->n; i++) {
		const struct member *m = &f->k.c->box->at[i];

		if (m->size > 1u << 20)
			continue;
		EQ_I64(m->crc, zs_real_crc(f, m));
		if (m->flags & MEMBER_DESCRIPTOR)
			EQ_I64(zs_le32(f, m->data_off + m->stored + 4), m->crc);
		if (m->flags & MEMBER_LOCAL_CRC)
			EQ_I64(zs_le32(f, m->header_off + 14), m->crc);
	}
}

/* Each storage lies where places says. */
static inline void zs_check_places(const struct zs *f, const struct zs *made)
{
	const struct model *m = &f->k.c->model;

	for (size_t i = 0; i < m->storages.n; i++) {
		const struct storage *st = &m->storages.at[i];
		char a[256], b[256];

		if (made->places[i] == UINT64_MAX || st->data.len > sizeof a)
			continue;
		if (f->n_runs && f->changed == i && st->data.src == f->k.c->file)
			continue; /* storage.data is as it was */
		OK(source_read(st->data.src, a, (size_t)st->data.len, st->data.off, NULL) == 0);
		OK(source_read(made->k.src, b, (size_t)st->data.len, made->places[i], NULL) == 0);
		EQ_MEM(b, (size_t)st->data.len, a, (size_t)st->data.len);
	}
}

/* Saves f and loads what comes out as *ret. s.ck, root and runs are filled in. */
static inline void zs_save(struct zs *f, struct zs *ret, struct save s)
{
	struct source *src = NULL;

	*ret = (struct zs){0};
	s.ck = f->k.c;
	s.root = s.root ? s.root : zs_root(f);
	s.runs = f->n_runs ? zs_runs : NULL;
	s.ctx = f;
	plan_init(&ret->p);
	ret->rc = checkpoint_save(&s, &ret->p, &ret->places, &ret->rep, &ret->e);
	if (ret->rc < 0 || source_plan(&ret->p, &src, NULL) < 0)
		return;
	ckpt_source(&ret->k, src, NULL);
	EQ_STR(ret->k.c ? "" : ret->k.e.text, "");
	if (!ret->k.c)
		return;
	EQ_STR(ckpt_finding(&ret->k, "damaged"), ckpt_finding(&f->k, "damaged"));
	EQ_STR(ckpt_finding(&ret->k, "ambiguous"), ckpt_finding(&f->k, "ambiguous"));
	EQ_I64(ret->rep.dead, ret->k.c->box->dead);
	if (!f->damaged)
		zs_check_crcs(ret);
	zs_check_places(f, ret);
}

static inline uint64_t zs_cost(const struct zs *f, const struct zs *made)
{
	return plan_cost(&made->p, f->k.src);
}

/* Is the last half of the id what torch would have made? */
static inline bool zs_serial_ok(const struct zs *f)
{
	const struct member *m = zs_member(f, "a/.data/serialization_id");
	const struct box *b = f->k.c->box;
	char id[41] = {0}, want[41];
	uint64_t h = 0, last = 0;

	for (uint32_t done = 0; done < b->n; done++) {
		const struct member *next = NULL;

		for (uint32_t i = 0; i < b->n; i++)
			if ((!done || b->at[i].header_off > last) &&
					(!next || b->at[i].header_off < next->header_off))
				next = &b->at[i];
		last = next->header_off;
		if (next != m && next->size)
			h ^= next->crc + UINT64_C(0x9e3779b9) + (h << 6) + (h >> 2);
	}
	if (!m || source_read(f->k.src, id, 40, m->data_off, NULL) < 0)
		return false;
	snprintf(want, sizeof want, "12345678901234567890%020" PRIu64, h);
	return strcmp(want, id) == 0;
}

#endif
