/* info.c - what a checkpoint is, told to a person (aligned text) or a script (JSON).
 *
 * The facts are gathered once into struct facts; the two writers only spell them.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#define MAX_DICTS 64
#define MAX_LISTED 20

struct dict_fact {
	uint32_t node;
	struct str prefix[VIEW_MAX_STEPS];
	unsigned n_prefix;
};

struct facts {
	uint64_t count[DTYPE_COUNT], bytes[DTYPE_COUNT]; /* distinct tensors */
	struct dict_fact dicts[MAX_DICTS];
	unsigned n_dicts, more_dicts;
	uint64_t storage_bytes, shared_storages, storages;
	uint32_t known, unknown, dangerous;
};

static void gather_dicts(const struct volume *v, struct facts *f)
{
	for (uint32_t i = 0; i < v->tree.nodes.n; i++) {
		if (v->tree.nodes.at[i].flags & NODE_OBJECT || !(v->tree.nodes.at[i].flags & NODE_DIR) ||
				!vol_is_state_dict(v, i) || !tree_alive(&v->tree, i))
			continue;
		if (f->n_dicts == MAX_DICTS) {
			f->more_dicts++;
			continue;
		}
		struct dict_fact *d = &f->dicts[f->n_dicts++];
		d->node = i;
		d->n_prefix = view_prefixes(&v->tree, i, d->prefix, VIEW_MAX_STEPS);
	}
}

static void gather(const struct volume *v, struct facts *f)
{
	const struct model *m = vol_model(v);
	memset(f, 0, sizeof *f);
	for (uint32_t i = 0; i < m->tensors.n; i++) {
		if (tree_nlink(&v->tree, i) == 0)
			continue;
		f->count[m->tensors.at[i].dtype]++;
		f->bytes[m->tensors.at[i].dtype] += m->tensors.at[i].nbytes;
	}
	for (uint32_t i = 0; i < m->storages.n; i++) {
		f->storages++;
		f->storage_bytes += m->storages.at[i].nbytes;
		f->shared_storages += m->storages.at[i].users > 1;
	}
	for (size_t i = 0; i < v->ck->globals.n; i++) {
		uint8_t verdict = v->ck->globals.at[i].verdict;
		f->known += verdict == GLOBAL_KNOWN;
		f->unknown += verdict == GLOBAL_UNKNOWN;
		f->dangerous += verdict == GLOBAL_DANGEROUS;
	}
	gather_dicts(v, f);
}

static const char *verdict_word(const struct global_use *g)
{
	static const char *const words[] = {"known", "unknown", "DANGEROUS"};
	return words[g->verdict];
}

void vol_globals_text(const struct volume *v, struct buf *out)
{
	for (size_t i = 0; i < v->ck->globals.n; i++) {
		const struct global_use *g = &v->ck->globals.at[i];
		buf_printf(out, "%-9s  %6u  %s.%s%s\n", verdict_word(g), g->uses,
				STR_SHOW(g->module), STR_SHOW(g->name),
				g->weights_only ? "" : "  (not allowed with weights_only=True)");
	}
}

/* --- text -------------------------------------------------------------------------------------- */

static void line(struct buf *out, const char *label, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

static void line(struct buf *out, const char *label, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(out, "%-15s %s\n", label, text);
}

static void dtypes_text(const struct facts *f, struct buf *out)
{
	const char *label = "dtypes";
	for (int i = 0; i < DTYPE_COUNT; i++) {
		if (!f->count[i])
			continue;
		line(out, label, "%-16s %8llu tensor%s %12s", dtype_info((enum dtype)i)->name,
				(unsigned long long)f->count[i], f->count[i] == 1 ? " " : "s",
				STR_SIZE(f->bytes[i]));
		label = "";
	}
}

static void dicts_text(const struct volume *v, const struct facts *f, struct buf *out)
{
	const char *label = "state_dicts";
	struct buf path;
	buf_init(&path, 1 << 20);
	for (unsigned i = 0; i < f->n_dicts && i < MAX_LISTED; i++) {
		const struct dict_fact *d = &f->dicts[i];
		path.n = 0;
		tree_path(&v->tree, d->node, &path);
		buf_printf(out, "%-15s %.*s/ (%u keys", label, STR_FMT(buf_view(&path)),
				tree_count(&v->tree, d->node));
		for (unsigned k = 0; k < d->n_prefix; k++)
			buf_printf(out, "%s%s.", k ? "" : ", prefix ", STR_SHOW(d->prefix[k]));
		buf_puts(out, ")\n");
		label = "";
	}
	unsigned more = f->more_dicts + (f->n_dicts > MAX_LISTED ? f->n_dicts - MAX_LISTED : 0);
	if (more)
		line(out, label, "... and %u more", more);
	buf_release(&path);
}

/* Tensors that cannot be read, each with its sentence. */
static void broken_text(const struct volume *v, struct buf *out)
{
	const struct model *m = vol_model(v);
	unsigned shown = 0;
	struct buf path;
	buf_init(&path, 1 << 20);
	for (uint32_t i = 0; i < m->tensors.n; i++) {
		const struct tensor *t = &m->tensors.at[i];
		uint32_t node = tree_first(&v->tree, i);
		if (!t->broken || node == TREE_NONE || shown++ >= MAX_LISTED)
			continue;
		path.n = 0;
		tree_path(&v->tree, node, &path);
		buf_printf(out, "%-15s %s: %s\n", "unreadable", STR_SHOW(buf_view(&path)), t->broken);
	}
	if (shown > MAX_LISTED)
		line(out, "unreadable", "... and %u more", shown - MAX_LISTED);
	buf_release(&path);
}

static void findings_text(const struct volume *v, struct buf *out)
{
	const struct model *m = vol_model(v);
	for (size_t i = 0; i < m->findings.n; i++) {
		const struct finding *f = &m->findings.at[i];
		buf_printf(out, "%-15s %.*s\n", f->kind, STR_FMT(f->message));
	}
}

static void pickle_text(const struct volume *v, struct buf *out)
{
	const struct pickle_info *p = &v->ck->pickle;
	line(out, "pickle", "protocol %d, %s, %llu opcodes", p->protocol, STR_SIZE(p->length),
			(unsigned long long)p->opcodes);
}

static void globals_summary(const struct volume *v, const struct facts *f, struct buf *out)
{
	line(out, "globals", "%u known, %u unknown, %u dangerous%s", f->known, f->unknown,
			f->dangerous, v->ck->globals.n ? ":" : "");
	for (size_t i = 0; i < v->ck->globals.n; i++) {
		const struct global_use *g = &v->ck->globals.at[i];
		char name[300];
		snprintf(name, sizeof name, "%s.%s", STR_SHOW(g->module), STR_SHOW(g->name));
		line(out, "", "%-9s %s", verdict_word(g), name);
	}
}

void volume_info_text(struct volume *v, struct buf *out)
{
	struct facts *f = malloc(sizeof *f);
	const struct checkpoint *c = v->ck;
	const struct totals totals = vol_totals(v);
	const struct volume_totals *t = &totals.sum;
	if (!f) {
		out->failed = true;
		return;
	}
	gather(v, f);
	buf_printf(out, "%-15s %s\n", "file", v->path);
	line(out, "size", "%s (%llu bytes)", STR_SIZE((uint64_t)v->st.st_size),
			(unsigned long long)v->st.st_size);
	line(out, "format", "%s%s%.*s%s", c->format, c->version.n ? ", version " : "",
			STR_FMT(c->version), c->big_endian ? ", big-endian" : "");
	if (c->producer.n)
		line(out, "written by", "%.*s", STR_FMT(c->producer));
	pickle_text(v, out);
	line(out, "tensors", "%llu (%s as shown), %llu further names of tied ones, %llu overlap others",
			(unsigned long long)t->tensors, STR_SIZE(t->bytes),
			(unsigned long long)t->tied, (unsigned long long)t->views);
	line(out, "values", "%llu", (unsigned long long)t->values);
	dtypes_text(f, out);
	line(out, "storages", "%llu (%s), %llu used by several tensors",
			(unsigned long long)f->storages, STR_SIZE(f->storage_bytes),
			(unsigned long long)f->shared_storages);
	if (c->box)
		line(out, "dead space", "%s", STR_SIZE(c->box->dead));
	dicts_text(v, f, out);
	globals_summary(v, f, out);
	broken_text(v, out);
	findings_text(v, out);
	free(f);
}

/* --- JSON --------------------------------------------------------------------------------------- */

static void u64_member(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_u64(j, n);
}

static void str_member(struct json *j, const char *key, struct str s)
{
	json_key(j, key);
	if (s.n)
		json_str(j, s);
	else
		json_null(j);
}

static void dtypes_json(const struct facts *f, struct json *j)
{
	json_key(j, "dtypes");
	json_open(j, '{');
	for (int i = 0; i < DTYPE_COUNT; i++) {
		if (!f->count[i])
			continue;
		json_key(j, dtype_info((enum dtype)i)->name);
		json_open(j, '{');
		u64_member(j, "tensors", f->count[i]);
		u64_member(j, "nbytes", f->bytes[i]);
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void dicts_json(const struct volume *v, const struct facts *f, struct json *j)
{
	struct buf path;
	buf_init(&path, 1 << 20);
	json_key(j, "state_dicts");
	json_open(j, '[');
	for (unsigned i = 0; i < f->n_dicts; i++) {
		const struct dict_fact *d = &f->dicts[i];
		path.n = 0;
		tree_path(&v->tree, d->node, &path);
		json_open(j, '{');
		json_key(j, "name");
		json_str(j, buf_view(&path));
		u64_member(j, "keys", tree_count(&v->tree, d->node));
		json_key(j, "prefixes");
		json_open(j, '[');
		for (unsigned k = 0; k < d->n_prefix; k++)
			json_str(j, d->prefix[k]);
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
	buf_release(&path);
}

static void globals_json(const struct volume *v, struct json *j)
{
	static const char *const words[] = {"known", "unknown", "dangerous"};
	json_key(j, "globals");
	json_open(j, '[');
	for (size_t i = 0; i < v->ck->globals.n; i++) {
		const struct global_use *g = &v->ck->globals.at[i];
		json_open(j, '{');
		json_key(j, "module");
		json_str(j, g->module);
		json_key(j, "name");
		json_str(j, g->name);
		json_key(j, "verdict");
		json_cstr(j, words[g->verdict]);
		json_key(j, "weights_only");
		json_bool(j, g->weights_only);
		u64_member(j, "uses", g->uses);
		u64_member(j, "offset", g->offset);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void findings_json(const struct volume *v, struct json *j)
{
	const struct model *m = vol_model(v);
	json_key(j, "findings");
	json_open(j, '[');
	for (size_t i = 0; i < m->findings.n; i++) {
		const struct finding *f = &m->findings.at[i];
		json_open(j, '{');
		json_key(j, "kind");
		json_cstr(j, f->kind);
		str_member(j, "name", f->name);
		json_key(j, "offset");
		if (f->offset == UINT64_MAX)
			json_null(j);
		else
			json_u64(j, f->offset);
		json_key(j, "message");
		json_str(j, f->message);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void volume_info_json(struct volume *v, struct buf *out)
{
	struct facts *f = malloc(sizeof *f);
	const struct checkpoint *c = v->ck;
	const struct totals totals = vol_totals(v);
	struct json j;
	if (!f) {
		out->failed = true;
		return;
	}
	gather(v, f);
	json_init(&j, out);
	json_open(&j, '{');
	str_member(&j, "file", str_of(v->path));
	u64_member(&j, "size", (uint64_t)v->st.st_size);
	str_member(&j, "format", str_of(c->format));
	str_member(&j, "version", c->version);
	str_member(&j, "producer", c->producer);
	json_key(&j, "byteorder");
	json_cstr(&j, c->big_endian ? "big" : "little");
	u64_member(&j, "protocol", (uint64_t)c->pickle.protocol);
	u64_member(&j, "tensors", totals.sum.tensors);
	u64_member(&j, "tied", totals.sum.tied);
	u64_member(&j, "views", totals.sum.views);
	u64_member(&j, "broken", totals.sum.broken);
	u64_member(&j, "values", totals.sum.values);
	u64_member(&j, "nbytes", totals.sum.bytes);
	u64_member(&j, "storages", f->storages);
	u64_member(&j, "storage_nbytes", f->storage_bytes);
	u64_member(&j, "shared_storages", f->shared_storages);
	json_key(&j, "dead");
	if (c->box)
		json_u64(&j, c->box->dead);
	else
		json_null(&j);
	dtypes_json(f, &j);
	dicts_json(v, f, &j);
	globals_json(v, &j);
	findings_json(v, &j);
	json_close(&j, '}');
	buf_putc(out, '\n');
	free(f);
}
