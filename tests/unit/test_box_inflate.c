/* Deflated members: read forwards, backwards, anywhere, by two threads; and the ones that lie. */
#include "openzip.h"

#include <pthread.h>

enum { BIG = 1000 * 1000 + 7, CHUNK = 10007 };

/* Text that deflates to about a tenth, different everywhere. */
static char *text(size_t n)
{
	char *p = malloc(n + 16);
	uint32_t x = 1;

	for (size_t i = 0; i < n;) {
		x = x * 1664525 + 1013904223;
		i += (size_t)sprintf(p + i, "%06u line ", (unsigned)(x >> 12) % 100000) & 15;
		x ^= (uint32_t)i;
	}
	return p;
}

struct opened {
	struct mkzip z;
	struct box *b;
	struct source *s; /* of the deflated member */
	char *want;
	struct err e;
};

static struct opened open_big(void)
{
	struct opened o = {.want = text(BIG)};

	mkzip_add(&o.z, "a/data.pkl", "pickle", 6);
	mkzip_add_as(&o.z, "a/code/x.py", 11, o.want, BIG, MKZIP_DEFLATE);
	mkzip_add(&o.z, "a/version", "3\n", 2);
	mkzip_finish(&o.z);
	EQ_I64(open_zip(&o.z, &o.b, &o.e), 0);
	if (o.b)
		EQ_I64(box_source(o.b, &o.b->at[1], &o.s, &o.e), 0);
	EQ_STR(o.e.text, "");
	OK(o.s && o.s->size == BIG && source_raw(o.s, 0, 1, &(uint64_t){0}) == -1);
	return o;
}

static void close_big(struct opened *o)
{
	source_unref(o->s);
	box_free(o->b);
	mkzip_free(&o->z);
	free(o->want);
}

/* One stretch is right. */
static bool right(struct opened *o, size_t off, size_t len)
{
	char *got = malloc(len + 1);
	bool ok = o->s && source_read(o->s, got, len, off, &o->e) == 0 &&
		  memcmp(got, o->want + off, len) == 0;

	free(got);
	return ok;
}

static void reads_forwards(void)
{
	struct opened o = open_big();
	size_t bad = 0;

	for (size_t off = 0; off < BIG; off += CHUNK)
		bad += !right(&o, off, off + CHUNK < BIG ? CHUNK : BIG - off);
	EQ_I64(bad, 0);
	OK(right(&o, 0, BIG));
	close_big(&o);
}

static void reads_backwards(void)
{
	struct opened o = open_big();
	size_t bad = 0;

	for (size_t off = BIG; off >= 50021; off -= 50021)
		bad += !right(&o, off - 50021, 50021);
	EQ_I64(bad, 0);
	close_big(&o);
}

static void reads_anywhere(void)
{
	struct opened o = open_big();
	uint32_t x = 7;
	size_t bad = 0;

	for (int i = 0; i < 60; i++) {
		x = x * 1664525 + 1013904223;
		size_t off = x % BIG, len = x % 40000;
		bad += !right(&o, off, len < BIG - off ? len : BIG - off);
	}
	EQ_I64(bad, 0);
	OK(right(&o, BIG - 1, 1));
	OK(right(&o, 0, 1));
	close_big(&o);
}

struct job {
	struct opened *o;
	bool backwards;
	size_t bad;
};

static void *run_job(void *arg)
{
	struct job *j = arg;
	struct opened mine = *j->o; /* its own struct err */

	for (size_t i = 0; i < 50; i++) {
		size_t k = j->backwards ? 49 - i : i;
		j->bad += !right(&mine, k * 20000, 20000);
	}
	return NULL;
}

static void two_threads_read_at_once(void)
{
	struct opened o = open_big();
	struct job up = {.o = &o}, down = {.o = &o, .backwards = true};
	pthread_t a, b;

	pthread_create(&a, NULL, run_job, &up);
	pthread_create(&b, NULL, run_job, &down);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EQ_I64(up.bad + down.bad, 0);
	close_big(&o);
}

/* More members than the pool has places. */
static void many_members_share_the_pool(void)
{
	struct mkzip z = {0};
	struct source *s[30] = {0};
	struct box *b;
	struct err e;
	char name[8] = "a/00", *want = text(200000), got[100];
	size_t bad = 0;

	for (int i = 0; i < 30; i++) {
		name[2] = (char)('0' + i / 10);
		name[3] = (char)('0' + i % 10);
		mkzip_add_as(&z, name, 4, want + i, 150000, MKZIP_DEFLATE);
	}
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	for (uint32_t i = 0; b && i < 30; i++)
		bad += box_source(b, &b->at[i], &s[i], &e) != 0;
	for (size_t off = 0; b && bad == 0 && off < 150000; off += 50000)
		for (size_t i = 0; i < 30; i++)
			bad += source_read(s[i], got, 100, off, &e) != 0 ||
			       memcmp(got, want + i + off, 100) != 0;
	EQ_I64(bad, 0);
	for (int i = 0; i < 30; i++)
		source_unref(s[i]);
	box_free(b);
	free(want);
	mkzip_free(&z);
}

static void an_empty_deflated_member_is_empty(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;

	mkzip_add(&z, "a/data.pkl", "pickle", 6);
	mkzip_add_as(&z, "a/empty", 7, "", 0, MKZIP_DEFLATE);
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	if (b)
		holds(b, 1, "a/empty", "", 0);
	box_free(b);
	mkzip_free(&z);
}

/* Opens an archive with one deflated member of 6,000 bytes whose directory entry and descriptor
 * claim another size and CRC, and reads all that is claimed. */
static int read_liar(uint32_t size, bool wrong_crc, uint32_t crc, struct err *e)
{
	struct mkzip z = {0};
	char data[6000], got[9000];
	struct source *s = NULL;
	struct box *b;
	int err;

	memset(data, 'x', sizeof data);
	mkzip_add(&z, "a/data.pkl", "pickle", 6);
	mkzip_add_as(&z, "a/liar", 6, data, sizeof data, MKZIP_DEFLATE);
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[1].central + 24, size);
	mkzip_set32(&z, z.rec[1].desc + 12, size);
	if (wrong_crc) {
		mkzip_set32(&z, z.rec[1].central + 16, crc);
		mkzip_set32(&z, z.rec[1].desc + 4, crc);
	}
	EQ_I64(open_zip(&z, &b, e), 0);
	err = b ? box_source(b, &b->at[1], &s, e) : 1;
	if (err == 0)
		err = source_read(s, got, size, 0, e);
	source_unref(s);
	box_free(b);
	mkzip_free(&z);
	return err;
}

static void a_member_longer_than_declared_is_damaged(void)
{
	struct err e = {0};

	EQ_I64(read_liar(5999, false, 0, &e), ERR_DAMAGED);
	HAS(e.text, "record \"a/liar\"");
	HAS(e.text, "more than the 5999 bytes");
	EQ_I64(read_liar(0, false, 0, &e), ERR_DAMAGED);
}

static void a_member_shorter_than_declared_is_damaged(void)
{
	struct err e = {0};

	EQ_I64(read_liar(6001, false, 0, &e), ERR_DAMAGED);
	HAS(e.text, "record \"a/liar\"");
}

/* A CRC of zero means that the writer left it out. */
static void a_wrong_crc_is_found_when_all_was_read(void)
{
	struct err e = {0};

	EQ_I64(read_liar(6000, true, 12345, &e), ERR_DAMAGED);
	HAS(e.text, "CRC");
	e = (struct err){0};
	EQ_I64(read_liar(6000, true, 0, &e), 0);
	EQ_STR(e.text, "");
}

static void bytes_that_are_no_deflate_are_damaged(void)
{
	struct mkzip z = {0};
	struct source *s = NULL;
	struct box *b;
	struct err e;
	char *data = text(5000), got[5000];

	mkzip_add(&z, "a/data.pkl", "pickle", 6);
	mkzip_add_as(&z, "a/bad", 5, data, 5000, MKZIP_DEFLATE);
	mkzip_finish(&z);
	memset(z.p + z.rec[1].data + 100, 0xff, 50);
	EQ_I64(open_zip(&z, &b, &e), 0);
	EQ_I64(b ? box_source(b, &b->at[1], &s, &e) : 1, 0);
	if (s) {
		EQ_I64(source_read(s, got, 5000, 0, &e), ERR_DAMAGED);
		HAS(e.text, "record \"a/bad\"");
	}
	source_unref(s);
	box_free(b);
	free(data);
	mkzip_free(&z);
}

/* The file has changed since: libzip, which reads it later, sees another archive. */
static void a_second_reader_that_sees_another_archive_is_refused(void)
{
	struct mkzip z = {0};
	struct source *s = NULL;
	struct box *b;
	struct err e;

	mkzip_add(&z, "a/data.pkl", "pickle", 6);
	mkzip_add_as(&z, "a/code", 6, "text text text text text", 24, MKZIP_DEFLATE);
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	mkzip_set32(&z, z.rec[1].central + 24, 25);
	EQ_I64(b ? box_source(b, &b->at[1], &s, &e) : 1, ERR_REFUSED);
	HAS(e.text, "libzip sees another record");
	/* The stored ones do not need it. */
	if (b)
		holds(b, 0, "a/data.pkl", "pickle", 6);
	box_free(b);
	mkzip_free(&z);
}

/* libzip must see torch's zip64 fields as we do. */
static void inflates_behind_4_gib(void)
{
	struct mkzip z = {0};
	struct source *file = NULL;
	struct box *b = NULL;
	struct err e = {0};

	mkzip_hole(&z, "a/data/0", 0x100000005);
	mkzip_add_as(&z, "a/code", 6, "text text text text text", 24, MKZIP_DEFLATE);
	mkzip_finish(&z);
	EQ_I64(source_file_fd(mkzip_memfd(&z), &file, &e), 0);
	EQ_I64(box_zip_open(file, NULL, &b, &e), 0);
	EQ_STR(e.text, "");
	source_unref(file);
	if (b)
		holds(b, 1, "a/code", "text text text text text", 24);
	box_free(b);
	mkzip_free(&z);
}

int main(void)
{
	TEST(reads_forwards);
	TEST(reads_backwards);
	TEST(reads_anywhere);
	TEST(two_threads_read_at_once);
	TEST(many_members_share_the_pool);
	TEST(an_empty_deflated_member_is_empty);
	TEST(a_member_longer_than_declared_is_damaged);
	TEST(a_member_shorter_than_declared_is_damaged);
	TEST(a_wrong_crc_is_found_when_all_was_read);
	TEST(bytes_that_are_no_deflate_are_damaged);
	TEST(inflates_behind_4_gib);
	TEST(a_second_reader_that_sees_another_archive_is_refused);
	return tap_done();
}
