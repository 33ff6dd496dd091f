/* fuzz_journal.c - any bytes as a journal beside a checkpoint of 10 000 bytes.
 *
 * The first byte says whether sums are put right first (odd), so that what is behind them is
 * reached too: then the header is made to fit, and every frame that fits into what is left gets its
 * CRCs. Beyond "no crash": all that is handed out lies inside the file; reading only changes
 * nothing; what is appended is there afterwards, behind what was good; a redo gives what was
 * shown before it.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pthfs/crc.h>
#include <pthfs/journal.h>
#include <pthfs/reader.h>

#define HEADER 128
#define HEAD 32
#define CHECKPOINT 10000
#define MOST (1u << 20) /* a redo of more is not waited for */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/pthfs-fuzz-XXXXXX", name[64], ck_name[64];

static void leave(void)
{
	unlink(name);
	unlink(ck_name);
	rmdir(dir);
}

static void spill(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

static void setup(void)
{
	if (name[0])
		return;
	assert(mkdtemp(dir));
	snprintf(name, sizeof name, "%s/j", dir);
	snprintf(ck_name, sizeof ck_name, "%s/ck", dir);
	atexit(leave);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, 4);
}

static void repair(uint8_t *p, size_t size)
{
	static const uint8_t start[] = {0x89, 'p', 't', 'h', 'f', 's', 'J', '\n', 1, 0, 0, 0, HEADER,
		0, 0, 0};
	size_t at = HEADER, n;
	struct stat st;
	uint64_t len;
	uint32_t crc;

	if (size < HEADER)
		return;
	memcpy(p, start, sizeof start);
	assert(stat(ck_name, &st) == 0);
	put32(p + 24, (uint32_t)st.st_ino);
	put32(p + 28, (uint32_t)((uint64_t)st.st_ino >> 32));
	crc = crc32_bytes(0, p, HEADER - 4);
	put32(p + HEADER - 4, crc);
	while (size - at >= HEAD) {
		len = le64(p + at + 16);
		if (len > size - at - HEAD)
			break;
		n = (size_t)(len + (-len & 7));
		if (n > size - at - HEAD)
			break;
		put32(p + at + 24, crc32_bytes(0, p + at + HEAD, n));
		crc = crc32_bytes(crc, p + at, HEAD - 4);
		put32(p + at + HEAD - 4, crc);
		at += HEAD + n;
	}
}

struct seen {
	struct journal *j;
	uint64_t n, last;
};

static int look(void *ctx, const struct frame *f)
{
	struct seen *s = ctx;
	char byte;

	assert(f->where >= s->last && f->where + f->n <= journal_size(s->j));
	assert(f->kind != FRAME_PATCH && f->kind != FRAME_PATCH_END);
	assert(f->kind == FRAME_WRITE ? !f->payload.p : f->payload.n == f->n);
	if (f->n)
		assert(source_read(journal_source(s->j), &byte, 1, f->where + f->n - 1, NULL) == 0);
	s->last = f->where + f->n;
	s->n++;
	return 0;
}

static uint64_t count(struct journal *j)
{
	struct seen s = {.j = j};

	assert(journal_each(j, look, &s, NULL) == 0);
	return s.n;
}

static void try_append(struct journal *j, uint64_t n)
{
	struct err e = {0};
	uint64_t where, cut = 99;
	char got[6];

	if (journal_write(j, 5, 6, "append", 6, &where, &e) < 0) {
		assert(journal_state(j) == JOURNAL_PATCHING && e.code == ERR_REFUSED);
		journal_close(j);
		return;
	}
	journal_close(j);
	assert(journal_open(name, false, &j, &cut, &e) == 0 && cut == 0);
	assert(count(j) == n + 1 && journal_state(j) == JOURNAL_EDITS);
	assert(source_read(journal_source(j), got, 6, where, &e) == 0 && !memcmp(got, "append", 6));
	journal_close(j);
}

/* What it is to be, in memory; NULL: refused, or too much. */
static char *shown(struct journal *j, size_t *n)
{
	struct source *file = NULL, *s = NULL;
	struct err e = {0};
	char *p = NULL;

	assert(source_file_open(ck_name, &file, NULL) == 0);
	if (inplace_source(j, file, &s, &e) < 0) {
		assert(!s && e.code != 0 && e.text[0]);
	} else if (s->size <= MOST) {
		*n = (size_t)s->size;
		p = malloc(*n + 1);
		assert(source_read(s, p, *n, 0, &e) == 0);
	}
	source_unref(s);
	source_unref(file);
	return p;
}

static void try_redo(struct journal *j)
{
	size_t n;
	char *want = shown(j, &n), *now;
	int fd = open(ck_name, O_RDWR);

	if (want) {
		for (int i = 0; i < 2; i++) {
			assert(inplace_redo(j, fd, NULL) == 0);
			now = malloc(n + 1);
			assert(pread(fd, now, n + 1, 0) == (ssize_t)n && !memcmp(now, want, n));
			free(now);
		}
		free(want);
	}
	close(fd);
}

static void check(size_t size)
{
	struct journal *j = NULL;
	struct err e = {0};
	uint64_t cut, n, good;

	if (journal_open(name, true, &j, &cut, &e) < 0) {
		assert(!j && e.code != 0 && e.text[0]);
		return;
	}
	good = journal_size(j);
	assert(good >= HEADER && good <= size && cut <= size - good);
	n = count(j);
	journal_close(j);
	assert(journal_open(name, false, &j, &cut, &e) == 0);
	assert(journal_size(j) == good && count(j) == n);
	if (journal_state(j) == JOURNAL_PATCHING)
		try_redo(j);
	try_append(j, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char ck[CHECKPOINT];
	uint8_t *p;

	if (size == 0)
		return 0;
	setup();
	for (size_t i = 0; i < sizeof ck; i++)
		ck[i] = (char)(i * 7);
	spill(ck_name, ck, sizeof ck);
	p = malloc(size);
	memcpy(p, data + 1, size - 1);
	if (data[0] & 1)
		repair(p, size - 1);
	spill(name, p, size - 1);
	free(p);
	check(size - 1);
	return 0;
}
