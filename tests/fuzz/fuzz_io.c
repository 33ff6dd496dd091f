/* Sources and the reader over any bytes.
 *
 * The input as Latin-1 in UTF-8: the indexed source must agree with a plain loop, and must refuse
 * what the loop refuses. The input as a stream: the reader, driven by the bytes it reads, must
 * never leave its range.
 */
#include <stdlib.h>
#include <string.h>

#include <pthfs/reader.h>
#include <pthfs/source.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
	if (!fine)
		abort();
}

/* Characters decoded to out, or SIZE_MAX when the text is bad. */
static size_t decode_plainly(const uint8_t *p, size_t n, char *out)
{
	size_t c = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80) {
			out[c++] = (char)p[i];
			continue;
		}
		if ((p[i] != 0xc2 && p[i] != 0xc3) || i + 1 == n || (p[i + 1] & 0xc0) != 0x80)
			return SIZE_MAX;
		out[c++] = (char)((p[i] == 0xc3 ? 0xc0 : 0x80) | (p[i + 1] & 0x3f));
		i++;
	}
	return c;
}

static void latin1_agrees(const uint8_t *data, size_t size)
{
	struct source *m = source_mem_borrow(data, size), *s = NULL;
	char *want = malloc(size + 1), *got = malloc(size + 1);
	size_t n = decode_plainly(data, size, want);
	int r;

	check(m && want && got);
	r = source_latin1(m, UINT64_MAX, &s, NULL);
	check((r == 0) == (n != SIZE_MAX));
	if (r == 0) {
		check(s->size == n);
		check(source_read(s, got, n - n / 3, n / 3, NULL) == 0);
		check(memcmp(got, want + n / 3, n - n / 3) == 0);
		source_unref(s);
	}
	source_unref(m);
	free(want);
	free(got);
}

static void reader_stays_inside(const uint8_t *data, size_t size)
{
	struct source *m = source_mem_borrow(data, size);
	struct reader r;
	struct str line;
	const char *p;
	uint64_t before;
	uint8_t op;
	int err = 0;

	check(m && reader_init(&r, m, 0, size, NULL) == 0);
	while (err == 0 && reader_u8(&r, &op, NULL) == 0) {
		before = r.pos;
		if (op < 100) {
			err = reader_bytes(&r, op, &p, NULL);
			check(err < 0 || memcmp(p, data + before, op) == 0);
		} else if (op < 200) {
			err = reader_line(&r, op, &line, NULL);
			check(err < 0 || (line.n <= op && data[r.pos - 1] == '\n' &&
						 memcmp(line.p, data + before, line.n) == 0));
		} else {
			err = reader_skip(&r, op, NULL);
		}
		check(r.pos >= before && r.pos <= r.end);
		check(err == 0 || r.pos == before);
	}
	reader_release(&r);
	source_unref(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	latin1_agrees(data, size);
	reader_stays_inside(data, size);
	return 0;
}
