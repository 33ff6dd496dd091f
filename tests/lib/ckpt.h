/* ckpt.h - checkpoints out of pickles in C strings, and looking into what was loaded.
 *
 *	struct ckpt k;
 *	ckpt_zip(&k, LIT("}" TEXT("\1", "a") TENSOR(FLOATS("0", "\4"), "\0", "K\2\x85", "K\1\x85")
 *"s.")); ckpt_tensor(&k, "a")->nbytes ckpt_release(&k);
 *
 * The pickles are written with opcodes whose arguments are easy to read in C: lines for names,
 * one byte for numbers. TEXT's first argument is its length. The zip has the storages 0 (64
 * bytes: 0, 1, 2, ...) and 1 (16 bytes: 100, 101, ...).
 */
#ifndef CKPT_H
#define CKPT_H

#include "mkzip.h"
#include "tap.h"

#include <pthfs/content.h>
#include <pthfs/format.h>
#include <pthfs/print.h>

#define LIT(s) (s), sizeof(s) - 1
#define TEXT(len, text) "\x8c" len text
#define CPU TEXT("\3", "cpu")
/* (storage, class, key, location, numel) as a persistent id. Keys are one character. */
#define STORAGE(cls, key, numel)                                                                   \
	"(" TEXT("\7", "storage") "ctorch\n" cls "\n" TEXT("\1", key) CPU "K" numel "tQ"
#define FLOATS(key, numel) STORAGE("FloatStorage", key, numel)
#define HOOKS "ccollections\nOrderedDict\n)R"
/* offset: one byte; size and stride: any pickle of a tuple. */
#define TENSOR(storage, offset, size, stride)                                                      \
	"ctorch._utils\n_rebuild_tensor_v2\n(" storage "K" offset size stride "\x89" HOOKS "tR"
/* Four floats of storage 0, from element `offset` on. */
#define FOUR(offset) TENSOR(FLOATS("0", "\x10"), offset, "K\4\x85", "K\1\x85")
#define PARAMETER(tensor) "ctorch._utils\n_rebuild_parameter\n(" tensor "\x88" HOOKS "tR"

struct ckpt {
	struct source *src;
	struct checkpoint *c;
	struct err e;
	int rc;
};

static inline void ckpt_source(struct ckpt *k, struct source *src, const struct format_opts *o)
{
	*k = (struct ckpt){.src = src};
	k->rc = checkpoint_load(src, o, &k->c, &k->e);
}

/* The bytes as they are: a plain pickle, a legacy stream, anything. */
static inline void ckpt_file(struct ckpt *k, const void *bytes, size_t n)
{
	ckpt_source(k, source_mem_borrow(bytes, n), NULL);
}

/* A zip is ended, loaded and dropped. */
static inline void ckpt_mkzip(struct ckpt *k, struct mkzip *z, const struct format_opts *o)
{
	mkzip_finish(z);
	ckpt_source(k, source_mem_take(z->p, z->n), o);
	z->p = NULL;
	mkzip_free(z);
}

static inline void ckpt_records(struct mkzip *z, const char *pickle, size_t n)
{
	char data[64];

	for (int i = 0; i < 64; i++)
		data[i] = (char)i;
	mkzip_add(z, "a/data.pkl", pickle, n);
	mkzip_add(z, "a/data/0", data, 64);
	for (int i = 0; i < 16; i++)
		data[i] = (char)(100 + i);
	mkzip_add(z, "a/data/1", data, 16);
	mkzip_add(z, "a/version", "3\n", 2);
}

static inline void ckpt_zip(struct ckpt *k, const char *pickle, size_t n)
{
	struct mkzip z = {0};

	ckpt_records(&z, pickle, n);
	ckpt_mkzip(k, &z, NULL);
}

static inline void ckpt_release(struct ckpt *k)
{
	checkpoint_free(k->c);
	source_unref(k->src);
}

/* The entry of directory v whose key reads as name; MODEL_NONE: none. */
static inline uint32_t ckpt_entry(const struct model *m, uint32_t v, struct str name)
{
	struct buf key;

	for (uint32_t i = 0; i < m->values.at[v].n; i++) {
		const struct entry *en = &m->entries.at[m->values.at[v].first + i];
		bool same;

		buf_init(&key, 4096);
		obj_value_text(&m->graph, en->key, &key, NULL);
		same = str_eq(buf_view(&key), name);
		buf_release(&key);
		if (same)
			return en->value;
	}
	return MODEL_NONE;
}

/* The value at "a/b/0"; "" is the root. NULL when there is none (or nothing was loaded). */
static inline const struct value *ckpt_at(const struct ckpt *k, const char *path)
{
	uint32_t v = k->c ? k->c->model.root : MODEL_NONE;

	while (v != MODEL_NONE && *path) {
		size_t n = strcspn(path, "/");

		v = ckpt_entry(&k->c->model, v, (struct str){path, n});
		path += n + (path[n] == '/');
	}
	return v == MODEL_NONE ? NULL : &k->c->model.values.at[v];
}

static inline int ckpt_kind(const struct ckpt *k, const char *path)
{
	const struct value *v = ckpt_at(k, path);

	return v ? v->kind : -1;
}

static inline const struct tensor *ckpt_tensor(const struct ckpt *k, const char *path)
{
	static const struct tensor none = {.broken = "(no tensor there)"};
	const struct value *v = ckpt_at(k, path);

	return v && v->kind == VALUE_TENSOR ? &k->c->model.tensors.at[v->tensor] : &none;
}

static inline const char *ckpt_broken(const struct ckpt *k, const char *path)
{
	const char *why = ckpt_tensor(k, path)->broken;

	return why ? why : "";
}

/* The text of a leaf. One at a time. */
static inline const char *ckpt_text(const struct ckpt *k, const char *path)
{
	static char text[4096];
	const struct value *v = ckpt_at(k, path);
	struct buf out;

	buf_init(&out, sizeof text - 1);
	if (!v || v->kind != VALUE_LEAF)
		return "(no leaf there)";
	obj_value_text(&k->c->model.graph, v->obj, &out, NULL);
	snprintf(text, sizeof text, "%.*s", (int)out.n, out.n ? out.p : "");
	buf_release(&out);
	return text;
}

/* The bytes of a tensor in hex. One at a time; "" when it cannot be read. */
static inline const char *ckpt_hex(const struct ckpt *k, const char *path)
{
	static char hex[1024];
	const struct value *v = ckpt_at(k, path);
	unsigned char raw[500];
	struct content c;
	size_t got = 0;

	hex[0] = 0;
	if (!v || v->kind != VALUE_TENSOR || content_tensor(&k->c->model, v->tensor, &c, NULL) < 0)
		return hex;
	if (c.size <= sizeof raw && content_read(&c, raw, sizeof raw, 0, &got, NULL) == 0)
		for (size_t i = 0; i < got; i++)
			snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	content_release(&c);
	return hex;
}

/* "a b c": the keys of a directory in order. */
static inline const char *ckpt_keys(const struct ckpt *k, const char *path)
{
	static char text[4096];
	const struct value *v = ckpt_at(k, path);
	struct buf out;

	buf_init(&out, sizeof text - 1);
	for (uint32_t i = 0; v && i < v->n; i++) {
		if (i)
			buf_putc(&out, ' ');
		obj_value_text(&k->c->model.graph, k->c->model.entries.at[v->first + i].key, &out,
				NULL);
	}
	snprintf(text, sizeof text, "%.*s", (int)out.n, out.n ? out.p : "");
	buf_release(&out);
	return text;
}

/* The first finding of that kind, or "". */
static inline const char *ckpt_finding(const struct ckpt *k, const char *kind)
{
	for (size_t i = 0; k->c && i < k->c->model.findings.n; i++)
		if (strcmp(k->c->model.findings.at[i].kind, kind) == 0)
			return k->c->model.findings.at[i].message.p;
	return "";
}

#endif
