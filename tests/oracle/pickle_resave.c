/* pickle_resave.c - for pickle_roundtrip.py: reads pickles (4 bytes of length, little-endian, then
 * the bytes) from standard input and prints a line for each. "same" when pickle_save() writes it as
 * it was; "differs AT LENGTH" with the offset of the first difference, followed by the LENGTH bytes
 * that are written instead; "no SENTENCE" when it cannot be read or written. */
#include <pthfs/pickle.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int answer(const struct graph *g, oref top, const struct pickle_info *info,
		struct source *src, struct err *e)
{
	struct pickle_save_opts o = {.protocol = info->protocol};
	struct buf out;
	uint64_t diff = 0;
	bool same = false;
	int rc;

	buf_init(&out, SIZE_MAX);
	rc = pickle_save_buf(g, top, &o, &out, e);
	if (rc == 0)
		rc = pickle_same(g, top, &o, src, 0, info->length, &same, &diff, e);
	if (rc == 0 && same)
		puts("same");
	else if (rc == 0)
		printf("differs %" PRIu64 " %zu\n", diff, out.n);
	if (rc == 0 && !same)
		fwrite(out.p, 1, out.n, stdout);
	buf_release(&out);
	return rc;
}

static void one(const void *bytes, size_t n)
{
	struct source *src = source_mem_borrow(bytes, n);
	struct pickle_info info;
	struct reader r;
	struct graph g;
	struct err e = {0};
	oref top;

	if (!src || reader_init(&r, src, 0, n, &e) < 0 || graph_init(&g, &e) < 0)
		exit(2);
	if (pickle_load(&r, &g, &top, &info, &e) < 0 || graph_dedupe(&g) < 0 ||
			answer(&g, top, &info, src, &e) < 0)
		printf("no %s\n", e.text);
	graph_release(&g);
	reader_release(&r);
	source_unref(src);
}

int main(void)
{
	unsigned char head[4];

	while (fread(head, 1, 4, stdin) == 4) {
		size_t n = le32(head);
		char *bytes = malloc(n + 1);

		if (!bytes || fread(bytes, 1, n, stdin) != n)
			return 2;
		one(bytes, n);
		free(bytes);
	}
	return 0;
}
