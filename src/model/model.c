/* model.c - the model's tables: made empty, filled by a format, sealed, dropped.
 *
 * Everything a format decodes for one checkpoint hangs here and goes with it: names and sentences
 * in one arena, rows in vectors, sources as references that the storages borrow. Tensors have
 * checks of their own: tensor.c.
 *
 * Findings are for people, so their number is bounded: a hostile file may have one for each of a
 * million keys. The row after the last one says that there are more.
 */
#include <pthfs/model.h>

#include <stdio.h>
#include <string.h>

#define FINDINGS_MAX 1000
#define SENTENCE_MAX 480

int model_init(struct model *m, struct err *e)
{
	int rc;

	memset(m, 0, sizeof *m);
	m->root = MODEL_NONE;
	rc = graph_init(&m->graph, e);
	if (rc < 0)
		return rc;
	arena_init(&m->arena, 0);
	return 0;
}

void model_release(struct model *m)
{
	for (size_t i = 0; i < m->sources.n; i++)
		source_unref(m->sources.at[i]);
	vec_release(&m->sources);
	vec_release(&m->storages);
	vec_release(&m->tensors);
	vec_release(&m->values);
	vec_release(&m->entries);
	vec_release(&m->parts);
	vec_release(&m->findings);
	idmap_release(&m->tensor_ids);
	arena_release(&m->arena);
	graph_release(&m->graph);
}

/* Gives back what growing left over. Failing to shrink is no failure. */
static void trim(void **at, size_t *cap, size_t n, size_t size)
{
	void *p;

	if (n == *cap)
		return;
	if (n == 0) {
		free(*at);
		*at = NULL;
		*cap = 0;
		return;
	}
	p = realloc(*at, n * size);
	if (p) {
		*at = p;
		*cap = n;
	}
}

#define TRIM(v) trim((void **)&(v)->at, &(v)->cap, (v)->n, sizeof *(v)->at)

void model_seal(struct model *m)
{
	TRIM(&m->sources);
	TRIM(&m->storages);
	TRIM(&m->tensors);
	TRIM(&m->values);
	TRIM(&m->entries);
	TRIM(&m->parts);
	TRIM(&m->findings);
	idmap_release(&m->tensor_ids);
	graph_trim(&m->graph);
}

int model_keep(struct model *m, struct source *s)
{
	int rc = vec_push(&m->sources, s);

	if (rc < 0)
		source_unref(s);
	return rc;
}

int model_add_storage(struct model *m, const struct storage *s, uint32_t *ret, struct err *e)
{
	if (vec_push(&m->storages, *s) < 0)
		return err_nomem(e);
	m->storages.at[m->storages.n - 1].users = 0;
	*ret = (uint32_t)(m->storages.n - 1);
	return 0;
}

int model_add_value(struct model *m, const struct value *v, uint32_t *ret, struct err *e)
{
	if (vec_push(&m->values, *v) < 0)
		return err_nomem(e);
	*ret = (uint32_t)(m->values.n - 1);
	return 0;
}

int model_find(struct model *m, const char *kind, struct str name, uint64_t offset, struct err *e,
		const char *fmt, ...)
{
	struct finding f = {.kind = kind, .offset = offset};
	char text[SENTENCE_MAX];
	va_list ap;

	if (m->findings.n > FINDINGS_MAX)
		return 0;
	if (m->findings.n == FINDINGS_MAX) {
		f = (struct finding){.kind = "note", .offset = UINT64_MAX};
		f.message = STR("there are more findings, which are left out");
		return vec_push(&m->findings, f) < 0 ? err_nomem(e) : 0;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f.message = arena_str(&m->arena, str_of(text));
	f.name = arena_str(&m->arena, name);
	if (!f.message.p || !f.name.p || vec_push(&m->findings, f) < 0)
		return err_nomem(e);
	return 0;
}

const char *model_sentence(struct model *m, const char *fmt, ...)
{
	char text[SENTENCE_MAX];
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s = arena_str(&m->arena, str_of(text));
	return s.p ? s.p : "damaged (no memory was left to say how)";
}
