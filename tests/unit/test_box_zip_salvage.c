/* Salvage: what is left of a zip whose directory is gone. */
#include "openzip.h"

#include <stdio.h>

/* The archive cut to n bytes, salvaged. */
static struct box *salvage(struct mkzip *z, size_t n, struct err *e)
{
	struct box *b;

	z->n = n;
	open_zip_as(z, true, &b, e);
	EQ_STR(e->text, "");
	return b;
}

static void a_whole_file_is_not_salvaged(void)
{
	struct mkzip z = torch_zip();
	struct err e;
	struct box *b = salvage(&z, z.n, &e);

	OK(b && !b->salvaged);
	box_free(b);
	mkzip_free(&z);
}

static void finds_all_records_without_the_directory(void)
{
	struct mkzip z = torch_zip();
	struct err e;
	/* Cut between records and directory, inside the directory, inside the end record. */
	const size_t cut[] = {z.dir, z.dir + 50, z.end64 + 3, z.end + 21};

	for (int i = 0; i < 4; i++) {
		struct box *b = salvage(&z, cut[i], &e);
		OK(b && b->salvaged);
		if (b) {
			EQ_I64(b->n, 5);
			EQ_I64(b->dead, cut[i] - z.dir);
			EQ_I64(b->dir_off, z.dir);
			holds(b, 0, "sd/data.pkl", "\x80\x02}q\0.", 6);
			holds(b, 2, "sd/data/0", "0123456789abcdef", 16);
			holds(b, 3, "sd/data/1", "", 0);
			holds(b, 4, "sd/version", "3\n", 2);
			EQ_I64(b->at[2].flags, MEMBER_DESCRIPTOR);
			EQ_I64(b->at[2].crc, z.rec[2].crc);
			OK(box_find(b, STR("SD/version")) == &b->at[4]);
		}
		box_free(b);
	}
	mkzip_free(&z);
}

static void a_cut_record_has_what_is_left_and_says_so(void)
{
	struct mkzip z = torch_zip();
	struct err e;
	struct box *b = salvage(&z, z.rec[2].data + 7, &e);

	if (b) {
		EQ_I64(b->n, 3);
		holds(b, 2, "sd/data/0", "0123456", 7);
		EQ_I64(b->at[2].flags, MEMBER_MISSING);
		EQ_I64(b->at[1].flags, MEMBER_DESCRIPTOR);
		EQ_I64(b->dead, 0);
	}
	box_free(b);
	mkzip_free(&z);
}

/* Without its descriptor nobody knows whether all of it is there. */
static void a_record_whose_descriptor_is_cut_is_not_proven(void)
{
	struct mkzip z = torch_zip();
	struct err e;
	struct box *b = salvage(&z, z.rec[2].desc + 15, &e);

	if (b) {
		EQ_I64(b->n, 3);
		EQ_I64(b->at[2].stored, 16 + 15);
		EQ_I64(b->at[2].flags, MEMBER_MISSING);
	}
	box_free(b);
	b = salvage(&z, z.rec[2].desc + 16, &e);
	if (b)
		holds(b, 2, "sd/data/0", "0123456789abcdef", 16);
	box_free(b);
	mkzip_free(&z);
}

static void every_cut_gives_a_box_or_a_sentence(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	for (z.n = z.dir; z.n >= 4; z.n--) {
		int err = open_zip_as(&z, true, &b, &e);
		/* The first header and its name must be there. */
		EQ_I64(err, z.n >= z.rec[0].data ? 0 : ERR_TRUNCATED);
		if (b)
			OK(b->at[b->n - 1].data_off + b->at[b->n - 1].stored <= z.n);
		box_free(b);
	}
	mkzip_free(&z);
}

static void descriptors_by_chance_or_design_do_not_end_a_record(void)
{
	struct mkzip z = {0};
	char data[200] = {0};
	struct box *b;
	struct err e;

	/* A wrong distance before a header; the right distance before something else. */
	memcpy(data + 20, "PK\7\10crc.\x15\0\0\0\x15\0\0\0PK\3\4", 20);
	memcpy(data + 60, "PK\7\10crc.\x3c\0\0\0\x3c\0\0\0PK..", 20);
	memcpy(data + 100, "PK\7\10PK\7\10PK\7\10", 12);
	mkzip_add(&z, "a/data.pkl", data, sizeof data);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	b = salvage(&z, z.dir, &e);
	if (b) {
		EQ_I64(b->n, 2);
		holds(b, 0, "a/data.pkl", data, sizeof data);
	}
	box_free(b);
	mkzip_free(&z);
}

static void a_stored_archive_inside_a_record_stays_one_record(void)
{
	struct mkzip in = torch_zip(), z = {0};
	struct box *b;
	struct err e;

	mkzip_add(&z, "a/data/0", in.p, in.n);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	b = salvage(&z, z.dir, &e);
	if (b) {
		EQ_I64(b->n, 2);
		holds(b, 0, "a/data/0", in.p, in.n);
	}
	box_free(b);
	mkzip_free(&in);
	mkzip_free(&z);
}

/* A flipped bit in one small record must not hide those behind it. */
static void a_wrong_crc_does_not_end_the_walk(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	z.p[z.rec[0].data] ^= 1;
	b = salvage(&z, z.dir, &e);
	if (b)
		EQ_I64(b->n, 5);
	box_free(b);
	mkzip_free(&z);
}

static void of_two_records_of_one_name_the_later_whole_one_counts(void)
{
	struct mkzip z = torch_records();
	struct box *b;
	struct err e;

	mkzip_add(&z, "sd/data.pkl", "appended", 8);
	mkzip_add(&z, "sd/data.pkl", "appended again", 14);
	b = salvage(&z, z.rec[6].data + 3, &e);
	if (b) {
		EQ_I64(b->n, 5);
		holds(b, 0, "sd/data.pkl", "appended", 8);
	}
	box_free(b);
	mkzip_free(&z);
}

static void reads_sizes_from_the_header_where_they_are(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;

	mkzip_add_as(&z, "a/b", 3, "sizes first", 11, MKZIP_SIZES_FIRST);
	mkzip_add_as(&z, "a/c", 3, "zip64", 5, MKZIP_SIZES_FIRST | MKZIP_ZIP64);
	mkzip_add_as(&z, "a/d", 3, "long descriptor", 15, MKZIP_ZIP64);
	mkzip_add_as(&z, "a/e", 3, "this one is cut", 15, MKZIP_SIZES_FIRST);
	b = salvage(&z, z.n - 4, &e);
	if (b) {
		EQ_I64(b->n, 4);
		holds(b, 0, "a/b", "sizes first", 11);
		holds(b, 1, "a/c", "zip64", 5);
		holds(b, 2, "a/d", "long descriptor", 15);
		EQ_I64(b->at[2].flags, MEMBER_DESCRIPTOR | MEMBER_ZIP64);
		holds(b, 3, "a/e", "this one is", 11);
		EQ_I64(b->at[3].flags, MEMBER_MISSING);
	}
	box_free(b);
	mkzip_free(&z);
}

/* Descriptors at every place around the edges of the 1 MiB windows of the search. */
static void finds_descriptors_across_windows(void)
{
	enum { MIB = 1 << 20 };
	char *data = malloc(2 * MIB);

	memset(data, 'P', 2 * MIB);
	for (size_t n = MIB - 140; n < MIB - 60; n++) {
		struct mkzip z = {0};
		struct box *b;
		struct err e;

		mkzip_add(&z, "a/0", data, n);
		mkzip_add(&z, "a/1", data, MIB + 3);
		mkzip_add(&z, "a/2", "end", 3);
		b = salvage(&z, z.n, &e);
		EQ_I64(b ? b->n : 0, 3);
		if (b) {
			EQ_I64(b->at[0].stored, n);
			EQ_I64(b->at[1].stored, MIB + 3);
			EQ_I64(b->at[2].flags, MEMBER_DESCRIPTOR);
		}
		box_free(b);
		mkzip_free(&z);
	}
	free(data);
}

static void inflating_from_a_salvaged_file_is_unsupported(void)
{
	struct mkzip z = {0};
	struct source *s = NULL;
	struct box *b;
	struct err e;

	mkzip_add_as(&z, "a/code", 6, "text text text text text", 24, MKZIP_DEFLATE);
	b = salvage(&z, z.n, &e);
	if (b) {
		EQ_I64(b->at[0].size, 24);
		EQ_I64(box_source(b, &b->at[0], &s, &e), ERR_UNSUPPORTED);
		HAS(e.text, "a/code");
	}
	box_free(b);
	mkzip_free(&z);
}

static void a_file_without_one_whole_header_is_truncated(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	z.n = 40;
	EQ_I64(open_zip_as(&z, true, &b, &e), ERR_TRUNCATED);
	HAS(e.text, "before its first record does");
	mkzip_free(&z);
}

static void many_small_records_take_one_pass(void)
{
	struct mkzip z = {0};
	struct box *b;
	struct err e;
	char name[32];

	for (int i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "a/data/%d", i);
		mkzip_add(&z, name, name, strlen(name));
	}
	b = salvage(&z, z.n, &e);
	EQ_I64(b ? b->n : 0, 50000);
	if (b)
		holds(b, 49999, "a/data/49999", "a/data/49999", 12);
	box_free(b);
	mkzip_free(&z);
}

int main(void)
{
	TEST(a_whole_file_is_not_salvaged);
	TEST(finds_all_records_without_the_directory);
	TEST(a_cut_record_has_what_is_left_and_says_so);
	TEST(a_record_whose_descriptor_is_cut_is_not_proven);
	TEST(every_cut_gives_a_box_or_a_sentence);
	TEST(descriptors_by_chance_or_design_do_not_end_a_record);
	TEST(a_stored_archive_inside_a_record_stays_one_record);
	TEST(a_wrong_crc_does_not_end_the_walk);
	TEST(of_two_records_of_one_name_the_later_whole_one_counts);
	TEST(reads_sizes_from_the_header_where_they_are);
	TEST(finds_descriptors_across_windows);
	TEST(inflating_from_a_salvaged_file_is_unsupported);
	TEST(a_file_without_one_whole_header_is_truncated);
	TEST(many_small_records_take_one_pass);
	return tap_done();
}
