/* pickle_dump.c - for pickle_diff.py: reads pickles (4 bytes of length, little-endian, then the
 * bytes) from standard input and prints a line for each: "ok OPCODES LENGTH REPR" or "no ERROR". */
#include <pthfs/pickle.h>
#include <pthfs/print.h>

#include <stdio.h>
#include <stdlib.h>

static int show(struct graph *g, oref top, const struct pickle_info *info)
{
	struct buf out;
	struct err e;
	int rc = graph_dedupe(g);

	buf_init(&out, 1 << 20);
	if (rc == 0)
		rc = obj_repr(g, top, &out, &e);
	if (rc == 0)
		printf("ok %llu %llu %.*s\n", (unsigned long long)info->opcodes,
			(unsigned long long)info->length, (int)out.n, out.p);
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
	if (pickle_load(&r, &g, &top, &info, &e) < 0)
		printf("no %s\n", e.text);
	else if (show(&g, top, &info) < 0)
		printf("no printing\n");
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
