/* fuzz_format.c - any bytes as a checkpoint, with and without salvage.
 *
 * What has to hold beyond the sanitizers: a refusal has a sentence; a model that is handed out has
 * every index in range, no directory left open, no tensor that reads outside of its storage.
 */
#include <pthfs/content.h>
#include <pthfs/format.h>
#include <pthfs/print.h>

#include <stdlib.h>
#include <string.h>

#define READ_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int cond)
{
	if (!cond)
		abort();
}

static void check_values(const struct model *m)
{
	require(m->root < m->values.n);
	for (size_t i = 0; i < m->values.n; i++) {
		const struct value *v = &m->values.at[i];

		require(v->pad == 0);
		require(v->first <= m->entries.n && v->n <= m->entries.n - v->first);
		if (v->kind == VALUE_TENSOR)
			require(v->tensor < m->tensors.n && v->n == 0);
		if (v->kind == VALUE_PARTS)
			require(v->parts < m->parts.n);
		if (v->kind == VALUE_MODULE)
			require(v->raw < m->values.n);
	}
	for (size_t i = 0; i < m->entries.n; i++)
		require(m->entries.at[i].value < m->values.n);
}

static void read_tensor(const struct model *m, uint32_t id)
{
	struct content c;
	struct err e;
	size_t got;
	char *buf;

	require(m->tensors.at[id].broken || m->tensors.at[id].dtype);
	if (m->tensors.at[id].nbytes > READ_MAX || content_tensor(m, id, &c, &e) < 0)
		return;
	require(c.size == m->tensors.at[id].nbytes);
	buf = malloc(c.size + 1);
	if (content_read(&c, buf, c.size, 0, &got, &e) == 0)
		require(got == c.size);
	free(buf);
	content_release(&c);
}

static void print_leaves(const struct model *m)
{
	struct buf out;
	struct err e;

	for (size_t i = 0; i < m->values.n; i++) {
		if (m->values.at[i].kind != VALUE_LEAF)
			continue;
		buf_init(&out, 4096);
		obj_value_text(&m->graph, m->values.at[i].obj, &out, &e);
		buf_release(&out);
	}
}

static void load(const uint8_t *data, size_t size, bool salvage)
{
	struct format_opts o = {.salvage = salvage, .max_names = 10000};
	struct source *s = source_mem_borrow(data, size);
	struct checkpoint *c = NULL;
	struct err e = {0};
	int rc = s ? checkpoint_load(s, &o, &c, &e) : 0;

	source_unref(s);
	if (rc < 0)
		require(e.code == rc && e.text[0] && !c);
	if (!c)
		return;
	check_values(&c->model);
	for (uint32_t i = 0; i < c->model.tensors.n && i < 200; i++)
		read_tensor(&c->model, i);
	if (c->model.values.n < 200)
		print_leaves(&c->model);
	checkpoint_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load(data, size, false);
	load(data, size, true);
	return 0;
}
