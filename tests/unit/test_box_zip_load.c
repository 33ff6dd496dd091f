/* Zips that must open: torch's own layout, and everything that torch tolerates. */
#include "openzip.h"

#include <malloc.h>
#include <stdio.h>

static void opens_what_torch_writes(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	EQ_I64(open_zip(&z, &b, &e), 0);
	EQ_STR(e.text, "");
	if (!b)
		return;
	EQ_I64(b->n, 5);
	EQ_STR(b->kind, "zip");
	EQ_I64(b->dead, 0);
	EQ_I64(b->dir_off, z.dir);
	OK(!b->salvaged);
	holds(b, 0, "sd/data.pkl", "\x80\x02}q\0.", 6);
	holds(b, 1, "sd/byteorder", "little", 6);
	holds(b, 2, "sd/data/0", "0123456789abcdef", 16);
	holds(b, 3, "sd/data/1", "", 0);
	holds(b, 4, "sd/version", "3\n", 2);
	for (uint32_t i = 0; i < b->n; i++) {
		EQ_I64(b->at[i].data_off, z.rec[i].data);
		EQ_I64(b->at[i].data_off % 64, 0);
		EQ_I64(b->at[i].header_off, z.rec[i].header);
		EQ_I64(b->at[i].crc, z.rec[i].crc);
		/* An empty record has no descriptor. */
		EQ_I64(b->at[i].flags, i == 3 ? MEMBER_LOCAL_CRC : MEMBER_DESCRIPTOR);
	}
	box_free(b);
	mkzip_free(&z);
}

static void finds_names_whatever_their_case(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	open_zip(&z, &b, &e);
	OK(b && box_find(b, STR("sd/data.pkl")) == &b->at[0]);
	OK(b && box_find(b, STR("SD/Data.PKL")) == &b->at[0]);
	OK(b && !box_find(b, STR("sd/data.pk")));
	OK(b && !box_find(b, STR("")));
	box_free(b);
	mkzip_free(&z);
}

static void stored_members_are_windows_of_the_file(void)
{
	struct mkzip z = torch_zip();
	struct source *file, *s = NULL;
	struct box *b = NULL;
	uint64_t off = 0;
	struct err e = {0};
	int fd = mkzip_memfd(&z);

	EQ_I64(source_file_fd(fd, &file, &e), 0);
	EQ_I64(box_zip_open(file, NULL, &b, &e), 0);
	source_unref(file);
	EQ_I64(box_source(b, &b->at[2], &s, &e), 0);
	EQ_I64(source_raw(s, 3, 5, &off), fd);
	EQ_I64(off, z.rec[2].data + 3);
	/* The source keeps the file alive, not the box. */
	box_free(b);
	char got[16];
	EQ_I64(source_read(s, got, 16, 0, &e), 0);
	EQ_MEM(got, 16, "0123456789abcdef", 16);
	source_unref(s);
	mkzip_free(&z);
}

static void takes_other_writers_layouts(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;

	mkzip_add_as(&z, "a/data.pkl", 10, "pickle", 6, MKZIP_SIZES_FIRST);
	mkzip_add_as(&z, "a/b", 3, "bytes", 5, MKZIP_SIZES_FIRST | MKZIP_NO_FB);
	mkzip_add_as(&z, "a/c", 3, "more bytes", 10, MKZIP_NO_FB);
	mkzip_add_as(&z, "a/d", 3, "zip64", 5, MKZIP_ZIP64);
	mkzip_add_as(&z, "a/e", 3, "zip64 first", 11, MKZIP_ZIP64 | MKZIP_SIZES_FIRST);
	mkzip_add_as(&z, "a/", 2, "", 0, MKZIP_SIZES_FIRST | MKZIP_NO_FB);
	z.no_end64 = true;
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	EQ_STR(e.text, "");
	if (b) {
		holds(b, 1, "a/b", "bytes", 5);
		holds(b, 2, "a/c", "more bytes", 10);
		holds(b, 3, "a/d", "zip64", 5);
		holds(b, 4, "a/e", "zip64 first", 11);
		EQ_I64(b->at[1].flags, MEMBER_LOCAL_CRC);
		EQ_I64(b->at[2].flags, MEMBER_DESCRIPTOR);
		EQ_I64(b->at[3].flags, MEMBER_DESCRIPTOR | MEMBER_ZIP64);
		EQ_I64(b->dead, 0);
	}
	box_free(b);
	mkzip_free(&z);
}

static void takes_and_counts_dead_space_anywhere(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;
	uint64_t dir_end;
	char *dead = calloc(1, 100000);

	mkzip_add(&z, "a/old.pkl", "the old pickle, of which no entry tells", 39);
	mkzip_forget(&z);
	uint64_t gone = z.n;
	mkzip_add(&z, "a/0", "zero", 4);
	mkzip_put(&z, dead, 1000);
	mkzip_add(&z, "a/data.pkl", "new", 3);
	mkzip_put(&z, dead, 100000);
	mkzip_dir(&z);
	dir_end = mkzip_pos(&z);
	mkzip_put(&z, dead, 77);
	mkzip_end_at(&z, dir_end);
	EQ_I64(open_zip(&z, &b, &e), 0);
	EQ_STR(e.text, "");
	if (b) {
		EQ_I64(b->dead, gone + 1000 + 100000 + 77);
		holds(b, 0, "a/0", "zero", 4);
		holds(b, 1, "a/data.pkl", "new", 3);
	}
	box_free(b);
	free(dead);
	mkzip_free(&z);
}

static void takes_a_directory_in_any_order(void)
{
	struct mkzip z = torch_records();
	struct mkzip_rec first = z.rec[0];
	struct box *b;
	struct err e;

	z.rec[0] = z.rec[4];
	z.rec[4] = first;
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	if (b) {
		holds(b, 4, "sd/data.pkl", "\x80\x02}q\0.", 6);
		holds(b, 0, "sd/version", "3\n", 2);
		EQ_I64(b->dead, 0);
	}
	box_free(b);
	mkzip_free(&z);
}

static void keeps_the_archive_comment(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;
	char *long_one = malloc(65535);

	memset(long_one, 'c', 65535);
	mkzip_comment(&z, long_one, 65535);
	EQ_I64(open_zip(&z, &b, &e), 0);
	if (b)
		EQ_MEM(b->comment.p, b->comment.n, long_one, (size_t)65535);
	box_free(b);
	free(long_one);
	mkzip_free(&z);
}

static void a_signature_by_chance_is_no_second_archive(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;

	mkzip_add(&z, "a/data.pkl", "PK\5\6 and then tensor data of no meaning", 39);
	mkzip_finish(&z);
	mkzip_comment(&z, "a comment with PK\5\6 in it, and quite some words behind", 54);
	EQ_I64(open_zip(&z, &b, &e), 0);
	EQ_STR(e.text, "");
	if (b)
		EQ_I64(b->comment.n, 54);
	box_free(b);
	mkzip_free(&z);
}

/* A tensor of bytes that happens to be a zip: readable by itself, not as this file's archive. */
static void an_archive_inside_a_tensor_is_data(void)
{
	struct mkzip in = torch_zip(), z = {0};

	mkzip_add(&z, "a/data.pkl", "pickle", 6);
	mkzip_add(&z, "a/data/0", in.p, in.n);
	mkzip_finish(&z);
	mkzip_free(&in);
	TAKES(&z);
}

static void keeps_long_and_odd_names(void)
{
	struct mkzip z = {0};
	char *name = malloc(60000);
	struct box *b;
	struct err e;

	memset(name, 'n', 60000);
	memcpy(name, "a/", 2);
	mkzip_add_as(&z, name, 60000, "long", 4, 0);
	mkzip_add(&z, "a/f", "a file", 6);
	mkzip_add(&z, "a/f/g", "below it", 8);
	mkzip_add(&z, "a/..b", "no climbing", 11);
	mkzip_add(&z, "a/\xc3\xa9\xff", "not all UTF-8", 13);
	mkzip_add(&z, "a/back\\slash", "a character", 11);
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	EQ_STR(e.text, "");
	if (b) {
		EQ_I64(b->at[0].name.n, 60000);
		holds(b, 1, "a/f", "a file", 6);
		holds(b, 2, "a/f/g", "below it", 8);
		holds(b, 3, "a/..b", "no climbing", 11);
	}
	box_free(b);
	free(name);
	mkzip_free(&z);
}

/* Both thresholds of zip64: a size of 0xFFFFFFFF, and headers behind it. */
static void opens_storages_over_4_gib(void)
{
	struct mkzip z = {0};
	struct source *file = NULL;
	struct box *b = NULL;
	struct err e = {0};
	int fd;

	mkzip_add(&z, "a/data.pkl", "pickle", 6);
	mkzip_hole(&z, "a/data/0", 0x100000005);
	mkzip_add(&z, "a/data/1", "behind", 6);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	fd = mkzip_memfd(&z);
	OK(fd >= 0);
	EQ_I64(source_file_fd(fd, &file, &e), 0);
	EQ_I64(box_zip_open(file, NULL, &b, &e), 0);
	EQ_STR(e.text, "");
	source_unref(file);
	if (b) {
		EQ_I64(b->at[1].size, 0x100000005);
		EQ_I64(b->at[1].flags, MEMBER_DESCRIPTOR | MEMBER_ZIP64);
		EQ_I64(b->at[2].flags, MEMBER_DESCRIPTOR | MEMBER_ZIP64);
		EQ_I64(b->at[2].header_off, z.rec[2].header);
		OK(b->at[2].header_off > 0xffffffff);
		EQ_I64(b->dead, 0);
		holds(b, 2, "a/data/1", "behind", 6);
		holds(b, 3, "a/version", "3\n", 2);
	}
	box_free(b);
	mkzip_free(&z);
}

static void opens_more_than_65535_records(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;
	char name[32];

	for (int i = 0; i < 70002; i++) {
		snprintf(name, sizeof name, "archive/data/%d", i);
		mkzip_add(&z, name, name, strlen(name));
	}
	mkzip_finish(&z);
	EQ_I64(open_zip(&z, &b, &e), 0);
	if (b) {
		EQ_I64(b->n, 70002);
		EQ_I64(b->dead, 0);
		holds(b, 70001, "archive/data/70001", "archive/data/70001", 18);
		OK(box_find(b, STR("archive/data/65536")) == &b->at[65536]);
	}
	box_free(b);
	mkzip_free(&z);
}

/* 65,535 is both a count and the mark for "see zip64". */
static void opens_65535_records_without_zip64(void)
{
	struct mkzip z = {.no_end64 = true};
	char name[32];

	for (int i = 0; i < 65535; i++) {
		snprintf(name, sizeof name, "a/%d", i);
		mkzip_add(&z, name, "", 0);
	}
	mkzip_finish(&z);
	TAKES(&z);
}

/* A box costs its members and their names: no copy of the directory stays behind. 11,000 is just
 * past a doubling of the index, its worst case. */
static size_t bytes_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void a_member_costs_at_most_80_bytes_and_its_name(void)
{
	enum { N = 11000, NAME = 12 };
	struct mkzip z = {0};
	struct source *file;
	struct box *b = NULL;
	char name[32];
	size_t before;

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "a/data/%05d", i);
		mkzip_add(&z, name, "", 0);
	}
	mkzip_finish(&z);
	file = source_mem_borrow(z.p, z.n);
	before = bytes_in_use();
	EQ_I64(box_zip_open(file, NULL, &b, NULL), 0);
	OK(bytes_in_use() - before > N * sizeof(struct member));
	/* The arena of the names grows by doubling. */
	OK(bytes_in_use() - before <= N * (80 + 2 * (NAME + 1)) + 16 * 1024);
	box_free(b);
	source_unref(file);
	mkzip_free(&z);
}

/* The malloc of a sanitizer does not count. */
static bool malloc_counts(void)
{
	size_t before = bytes_in_use();
	char *volatile p = malloc(100000);
	bool counts = bytes_in_use() > before;

	free(p);
	return counts;
}

int main(void)
{
	TEST(opens_what_torch_writes);
	TEST(finds_names_whatever_their_case);
	TEST(stored_members_are_windows_of_the_file);
	TEST(takes_other_writers_layouts);
	TEST(takes_and_counts_dead_space_anywhere);
	TEST(takes_a_directory_in_any_order);
	TEST(keeps_the_archive_comment);
	TEST(a_signature_by_chance_is_no_second_archive);
	TEST(an_archive_inside_a_tensor_is_data);
	TEST(keeps_long_and_odd_names);
	TEST(opens_storages_over_4_gib);
	TEST(opens_more_than_65535_records);
	TEST(opens_65535_records_without_zip64);
	if (malloc_counts())
		TEST(a_member_costs_at_most_80_bytes_and_its_name);
	return tap_done();
}
