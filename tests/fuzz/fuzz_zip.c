/* fuzz_zip.c - any bytes as a zip, opened plainly and salvaged; every member is read a bit.
 *
 * Beyond "no crash": what is opened lies inside the file, is found under its name, and in a plain
 * box no two members share a byte.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <pthfs/box.h>
#include <pthfs/source.h>

static void read_member(struct box *b, const struct member *m)
{
	struct source *s = NULL;
	struct err e = {0};
	char buf[256];
	size_t n;

	if (box_source(b, m, &s, &e) < 0) {
		assert(e.code != 0 && e.text[0]);
		return;
	}
	assert(s->size == m->size);
	n = s->size < sizeof buf ? (size_t)s->size : sizeof buf;
	/* Stored bytes are there; deflated ones may turn out damaged, which must be said. */
	if (source_read(s, buf, n, s->size - n, &e) < 0 || source_read(s, buf, n, 0, &e) < 0 ||
		source_read(s, buf, n, (s->size - n) / 2, &e) < 0)
		assert(m->method != 0 && e.code != 0 && e.text[0]);
	source_unref(s);
}

static int by_place(const void *a, const void *b)
{
	const struct member *x = *(struct member *const *)a, *y = *(struct member *const *)b;

	return x->header_off < y->header_off ? -1 : x->header_off > y->header_off;
}

static void check_disjoint(const struct box *b)
{
	const struct member **order = calloc(b->n, sizeof *order);
	uint64_t end = 0;

	if (!order)
		return;
	for (uint32_t i = 0; i < b->n; i++)
		order[i] = &b->at[i];
	qsort(order, b->n, sizeof *order, by_place);
	for (uint32_t i = 0; i < b->n; i++) {
		assert(order[i]->header_off >= end);
		assert(order[i]->data_off > order[i]->header_off);
		end = order[i]->data_off + order[i]->stored;
	}
	assert(end <= b->dir_off);
	free(order);
}

static void check(struct source *file, bool salvage)
{
	struct box *b = NULL;
	struct err e = {0};

	if (box_zip_open(file, &(struct box_opts){.salvage = salvage}, &b, &e) < 0) {
		assert(!b && e.code != 0 && e.text[0]);
		return;
	}
	assert(b->n > 0 && b->dead <= file->size && (salvage || !b->salvaged));
	if (!b->salvaged)
		check_disjoint(b);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct member *m = &b->at[i];
		assert(m->data_off <= file->size && m->stored <= file->size - m->data_off);
		assert(m->name.n > 0 && box_find(b, m->name) == m);
		assert(m->method == 8 || m->size == m->stored);
		if (i < 64)
			read_member(b, m);
	}
	box_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source *file = source_mem_borrow(data, size);

	if (!file)
		return 0;
	check(file, false);
	check(file, true);
	source_unref(file);
	return 0;
}
