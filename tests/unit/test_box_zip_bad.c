/* Zips that must be turned away: every way in which two readers could see two archives, and every
 * lie about a length. The sentence names the record and the offset. */
#include "openzip.h"

#include <stdio.h>

/* Places in a directory entry and in a local header. */
enum { C_FLAGS = 8, C_METHOD = 10, C_CRC = 16, C_STORED = 20, C_SIZE = 24, C_NAMELEN = 28 };
enum { C_EXTRALEN = 30, C_COMMENTLEN = 32, C_DISK = 34, C_OFFSET = 42, C_NAME = 46 };
enum { L_FLAGS = 6, L_METHOD = 8, L_CRC = 14, L_STORED = 18, L_SIZE = 22, L_NAMELEN = 26 };
enum { L_EXTRALEN = 28, L_NAME = 30 };
enum { DATA_PKL, BYTEORDER, DATA_0, DATA_1, VERSION };

static void set_both(struct mkzip *z, int rec, int central, int local, uint16_t v)
{
	mkzip_set16(z, z->rec[rec].central + central, v);
	mkzip_set16(z, z->rec[rec].header + local, v);
}

static void set_name(struct mkzip *z, int rec, const char *name)
{
	memcpy(z->p + z->rec[rec].central + C_NAME, name, z->rec[rec].name);
	memcpy(z->p + z->rec[rec].header + L_NAME, name, z->rec[rec].name);
}

static void is_no_zip_when_it_does_not_begin_as_one(void)
{
	struct mkzip z = {0}, empty = {0}, small = {0}, in = torch_zip();

	/* Bytes before the first header: torch does not take it for a zip, so it is none. */
	mkzip_put(&z, "prefix", 6);
	mkzip_put(&z, in.p, in.n);
	mkzip_free(&in);
	TURNS_AWAY(&z, ERR_NOT_CKPT, "does not begin with PK");
	mkzip_finish(&empty);
	TURNS_AWAY(&empty, ERR_NOT_CKPT, "not a zip");
	mkzip_put(&small, "PK\3", 3);
	TURNS_AWAY(&small, ERR_NOT_CKPT, "only 3 bytes");
}

static void is_truncated_without_its_last_byte(void)
{
	struct mkzip z = torch_zip();

	z.n--;
	TURNS_AWAY(&z, ERR_TRUNCATED, "before its directory: the end of the file is missing");
}

static void is_truncated_wherever_it_is_cut(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	while (--z.n >= 4) {
		EQ_I64(open_zip(&z, &b, &e), ERR_TRUNCATED);
		HAS(e.text, "file ends after");
	}
	mkzip_free(&z);
}

static void is_truncated_inside_its_comment(void)
{
	struct mkzip z = torch_zip();

	mkzip_comment(&z, "a comment", 9);
	z.n -= 4;
	TURNS_AWAY(&z, ERR_TRUNCATED, "inside its archive comment: 4 bytes are missing");
}

static void refuses_bytes_after_the_end_record(void)
{
	struct mkzip z = torch_zip();

	mkzip_put(&z, "tail", 4);
	TURNS_AWAY(&z, ERR_REFUSED, "4 bytes follow the end record");
}

/* The new archive behind the whole old one: both can be read. */
static void refuses_two_end_records(void)
{
	struct mkzip z = torch_zip();

	mkzip_add(&z, "sd/more", "more", 4);
	mkzip_finish(&z);
	TURNS_AWAY(&z, ERR_REFUSED, "two end records");
}

/* libzip takes the first that fits, torch and Python the last signature. */
static void refuses_a_second_end_record_in_the_comment(void)
{
	struct mkzip z = torch_zip();
	char fake[22];

	memcpy(fake, z.p + z.end, 22);
	mkzip_comment(&z, fake, 22);
	mkzip_set16(&z, z.end + 22 + 8, z.nrec);
	TURNS_AWAY(&z, ERR_REFUSED, "two end records");
}

/* It leads nowhere, but it is the one that torch takes, which then fails. */
static void refuses_a_comment_that_ends_in_an_end_record(void)
{
	struct mkzip z = torch_zip();
	char fake[4 + 22] = "see PK\5\6";

	fake[12] = fake[14] = 1;
	mkzip_comment(&z, fake, sizeof fake);
	TURNS_AWAY(&z, ERR_REFUSED, "two end records");
}

/* Python's zipfile would read it: it moves all offsets when the directory stands elsewhere. */
static void refuses_a_whole_archive_in_the_comment(void)
{
	struct mkzip z = torch_zip(), in = torch_zip();

	mkzip_comment(&z, in.p, (uint16_t)in.n);
	mkzip_free(&in);
	TURNS_AWAY(&z, ERR_REFUSED, "two end records");
}

/* A second directory where readers look that take the end records' neighbour for the directory. */
static void refuses_two_directories(void)
{
	struct mkzip z = torch_records();
	uint64_t first, end;

	mkzip_dir(&z);
	first = z.dir;
	end = mkzip_pos(&z);
	mkzip_dir(&z);
	z.dir = first;
	mkzip_end_at(&z, end);
	TURNS_AWAY(&z, ERR_REFUSED, "two directories");
}

static void refuses_a_wrong_count(void)
{
	struct mkzip low = torch_zip(), high = torch_zip(), none = torch_zip();
	struct mkzip *all[] = {&low, &high, &none};
	const uint64_t count[] = {4, 6, 0};

	for (int i = 0; i < 3; i++) {
		mkzip_set64(all[i], all[i]->end64 + 24, count[i]);
		mkzip_set64(all[i], all[i]->end64 + 32, count[i]);
		mkzip_set16(all[i], all[i]->end + 8, (uint16_t)count[i]);
		mkzip_set16(all[i], all[i]->end + 10, (uint16_t)count[i]);
	}
	TURNS_AWAY(&low, ERR_DAMAGED, "goes on for");
	/* 6 entries of 46 bytes would fit: the names leave room. */
	TURNS_AWAY(&high, ERR_DAMAGED, "the directory ends in entry 6");
	TURNS_AWAY(&none, ERR_DAMAGED, "counts 0 records");
}

static void refuses_a_count_that_cannot_fit(void)
{
	struct mkzip z = torch_zip();

	mkzip_set64(&z, z.end64 + 24, 1ull << 62);
	mkzip_set64(&z, z.end64 + 32, 1ull << 62);
	mkzip_set16(&z, z.end + 10, 0xffff);
	TURNS_AWAY(&z, ERR_DAMAGED, "counts 4611686018427387904 records");
}

static void refuses_a_directory_outside_the_file(void)
{
	struct mkzip far = torch_zip(), over = torch_zip(), wrong = torch_zip();

	mkzip_set64(&far, far.end64 + 48, far.n + 1);
	mkzip_set32(&far, far.end + 16, 0xffffffff);
	TURNS_AWAY(&far, ERR_DAMAGED, "does not lie before it");
	/* offset + size wraps around to something small */
	mkzip_set64(&over, over.end64 + 40, UINT64_MAX - 10);
	mkzip_set32(&over, over.end + 12, 0xffffffff);
	TURNS_AWAY(&over, ERR_DAMAGED, "does not lie before it");
	mkzip_set64(&wrong, wrong.end64 + 48, wrong.dir - 1);
	mkzip_set32(&wrong, wrong.end + 16, (uint32_t)wrong.dir - 1);
	TURNS_AWAY(&wrong, ERR_DAMAGED, "no directory at offset");
}

static void refuses_a_bogus_zip64_record(void)
{
	struct mkzip outside = torch_zip(), nothing = torch_zip(), big = torch_zip();

	mkzip_set64(&outside, outside.locator + 8, UINT64_MAX);
	TURNS_AWAY(&outside, ERR_DAMAGED, "zip64 locator");
	mkzip_set32(&nothing, nothing.end64, 0);
	TURNS_AWAY(&nothing, ERR_DAMAGED, "no zip64 end record stands");
	mkzip_set64(&big, big.end64 + 4, 45);
	TURNS_AWAY(&big, ERR_UNSUPPORTED, "instead of 44");
}

/* A reader that ignores zip64 would go elsewhere. */
static void refuses_end_records_that_disagree(void)
{
	struct mkzip z = torch_zip();

	mkzip_set16(&z, z.end + 8, 3);
	mkzip_set16(&z, z.end + 10, 3);
	TURNS_AWAY(&z, ERR_REFUSED, "different directories");
}

static void refuses_several_disks(void)
{
	struct mkzip z = torch_zip(), plain = torch_records(), entry = torch_zip();

	mkzip_set32(&z, z.locator + 16, 2);
	TURNS_AWAY(&z, ERR_UNSUPPORTED, "2 disks");
	plain.no_end64 = true;
	mkzip_finish(&plain);
	mkzip_set16(&plain, plain.end + 4, 1);
	TURNS_AWAY(&plain, ERR_UNSUPPORTED, "several disks");
	mkzip_set16(&entry, entry.rec[DATA_0].central + C_DISK, 1);
	TURNS_AWAY(&entry, ERR_UNSUPPORTED, "it lies on disk 1");
}

static void refuses_two_records_of_one_name(void)
{
	struct mkzip z = torch_records(), other_case = torch_records();

	mkzip_add(&z, "sd/data/0", "fedcba9876543210", 16);
	mkzip_finish(&z);
	TURNS_AWAY(&z, ERR_REFUSED, "record \"sd/data/0\" (directory entry");
	mkzip_add(&other_case, "SD/DATA.pkl", "other", 5);
	mkzip_finish(&other_case);
	TURNS_AWAY(&other_case, ERR_REFUSED, "upper and lower case count as one");
}

static void refuses_names_that_lead_astray(void)
{
	static const struct {
		const char *name, *words;
	} bad[] = {
		{"../../x", "\"..\""},
		{"sd/../x", "\"..\""},
		{"sd/xx/..", "\"..\""},
		{"sd\\..\\x", "\"..\""},
		{"..\\../x", "\"..\""},
		{"..", "\"..\""},
		{"/etc/pw", "absolute"},
		{"\\etc/pw", "absolute"},
		{"C:\\x", "absolute"},
		{"c:/x", "absolute"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mkzip z = torch_records();
		mkzip_add(&z, bad[i].name, "x", 1);
		mkzip_finish(&z);
		TURNS_AWAY(&z, ERR_REFUSED, bad[i].words);
	}
}

static void refuses_empty_names_and_names_with_nul(void)
{
	struct mkzip nul = torch_records(), empty = torch_records();

	mkzip_add_as(&nul, "sd/a\0b", 6, "x", 1, 0);
	mkzip_finish(&nul);
	TURNS_AWAY(&nul, ERR_REFUSED, "NUL");
	mkzip_add(&empty, "", "x", 1);
	mkzip_finish(&empty);
	TURNS_AWAY(&empty, ERR_REFUSED, "no name");
}

static void refuses_a_second_name_in_the_extra_field(void)
{
	struct mkzip z = torch_records();
	uint32_t crc = crc32_bytes(0, "sd/version", 10);
	uint64_t last, size;

	mkzip_dir(&z);
	/* The last entry gets an Info-ZIP Unicode path field. */
	last = z.rec[VERSION].central;
	mkzip_set16(&z, last + C_EXTRALEN, 4 + 5 + 7);
	mkzip_le(&z, 0x7075, 2);
	mkzip_le(&z, 5 + 7, 2);
	mkzip_le(&z, 1, 1);
	mkzip_le(&z, crc, 4);
	mkzip_put(&z, "sd/evil", 7);
	size = mkzip_pos(&z);
	mkzip_end_at(&z, size);
	TURNS_AWAY(&z, ERR_REFUSED, "second name, \"sd/evil\"");
}

static void refuses_encryption_and_unknown_flags(void)
{
	static const uint16_t bad[] = {0x0801, 0x0840, 0x2808, 0x0828, 0x080a, 0x8808};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mkzip z = torch_zip();
		set_both(&z, DATA_0, C_FLAGS, L_FLAGS, bad[i]);
		TURNS_AWAY(&z, ERR_REFUSED, i < 3 ? "encrypted" : "flags 0x");
	}
}

static void refuses_other_methods(void)
{
	struct mkzip z = torch_zip();

	set_both(&z, DATA_0, C_METHOD, L_METHOD, 12);
	TURNS_AWAY(&z, ERR_UNSUPPORTED, "\"sd/data/0\"");
	z = torch_zip();
	set_both(&z, DATA_0, C_METHOD, L_METHOD, 93);
	TURNS_AWAY(&z, ERR_UNSUPPORTED, "compression method 93");
}

static void refuses_sizes_that_cannot_be(void)
{
	struct mkzip stored = torch_zip(), bomb = torch_zip(), none = {0};

	mkzip_set32(&stored, stored.rec[DATA_0].central + C_SIZE, 1 << 20);
	TURNS_AWAY(&stored, ERR_DAMAGED, "stored bytes 16, but a size of 1048576");
	/* 16 bytes of deflate hold 16,512 at most. */
	set_both(&bomb, DATA_0, C_METHOD, L_METHOD, 8);
	mkzip_set32(&bomb, bomb.rec[DATA_0].central + C_SIZE, 20000);
	TURNS_AWAY(&bomb, ERR_REFUSED, "cannot inflate to 20000");
	mkzip_add(&none, "a/data.pkl", "x", 1);
	mkzip_add_as(&none, "a/b", 3, "", 0, MKZIP_SIZES_FIRST);
	mkzip_finish(&none);
	set_both(&none, 1, C_METHOD, L_METHOD, 8);
	mkzip_set32(&none, none.rec[1].central + C_SIZE, 100);
	TURNS_AWAY(&none, ERR_DAMAGED, "no stored bytes");
}

static void refuses_a_record_past_the_end(void)
{
	struct mkzip z = torch_zip(), head = torch_zip(), max = torch_zip();

	mkzip_set32(&z, z.rec[VERSION].central + C_STORED, 0x7fffffff);
	mkzip_set32(&z, z.rec[VERSION].central + C_SIZE, 0x7fffffff);
	TURNS_AWAY(&z, ERR_DAMAGED, "reach into the directory");
	mkzip_set32(&head, head.rec[VERSION].central + C_OFFSET, 0x7fffffff);
	TURNS_AWAY(&head, ERR_DAMAGED, "does not lie before the directory");
	/* FFFFFFFF means zip64, and there is no such field. */
	mkzip_set32(&max, max.rec[VERSION].central + C_OFFSET, 0xffffffff);
	TURNS_AWAY(&max, ERR_DAMAGED, "zip64 number is not there");
}

/* One byte too many: the payload would begin to eat the directory. */
static void refuses_a_payload_that_reaches_into_the_directory(void)
{
	struct mkzip z = {0};

	mkzip_add_as(&z, "a/data.pkl", 10, "pickle", 6, MKZIP_SIZES_FIRST);
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[0].central + C_STORED, 7);
	mkzip_set32(&z, z.rec[0].central + C_SIZE, 7);
	mkzip_set32(&z, z.rec[0].header + L_STORED, 7);
	mkzip_set32(&z, z.rec[0].header + L_SIZE, 7);
	TURNS_AWAY(&z, ERR_DAMAGED, "reach into the directory");
}

static void refuses_zip64_numbers_that_overflow(void)
{
	struct mkzip z = torch_records();
	uint64_t at;

	mkzip_dir(&z);
	at = z.rec[VERSION].central;
	mkzip_set32(&z, at + C_STORED, 0xffffffff);
	mkzip_set32(&z, at + C_SIZE, 0xffffffff);
	mkzip_set16(&z, at + C_EXTRALEN, 20);
	mkzip_le(&z, 1, 2);
	mkzip_le(&z, 16, 2);
	mkzip_le(&z, UINT64_MAX - 64, 8);
	mkzip_le(&z, UINT64_MAX - 64, 8);
	mkzip_end_at(&z, mkzip_pos(&z));
	TURNS_AWAY(&z, ERR_DAMAGED, "reach into the directory");
}

static void refuses_broken_extra_fields(void)
{
	struct mkzip z = torch_records();
	uint64_t at;

	mkzip_dir(&z);
	at = z.rec[VERSION].central;
	mkzip_set16(&z, at + C_EXTRALEN, 4);
	mkzip_le(&z, 1, 2);
	mkzip_le(&z, 16, 2);
	mkzip_end_at(&z, mkzip_pos(&z));
	TURNS_AWAY(&z, ERR_DAMAGED, "extra field 0x0001 says 16 bytes where 0 are left");
}

static void refuses_lengths_that_leave_the_directory(void)
{
	static const int field[] = {C_NAMELEN, C_EXTRALEN, C_COMMENTLEN};

	for (int i = 0; i < 3; i++) {
		struct mkzip z = torch_zip();
		mkzip_set16(&z, z.rec[VERSION].central + field[i], 0xffff);
		TURNS_AWAY(&z, ERR_DAMAGED, "the directory ends in entry 5");
	}
}

static void refuses_a_directory_entry_without_its_signature(void)
{
	struct mkzip z = torch_zip();

	mkzip_set32(&z, z.rec[DATA_0].central, 0x02014b51);
	TURNS_AWAY(&z, ERR_DAMAGED, "no directory entry at offset");
}

static void refuses_a_local_header_that_is_none(void)
{
	struct mkzip z = torch_zip();

	mkzip_set32(&z, z.rec[DATA_0].header, 0);
	TURNS_AWAY(&z, ERR_DAMAGED, "record \"sd/data/0\" (local header at offset");
	z = torch_zip();
	mkzip_set32(&z, z.rec[DATA_0].central + C_OFFSET, (uint32_t)z.rec[DATA_0].header + 1);
	TURNS_AWAY(&z, ERR_DAMAGED, "no local header there");
}

static void refuses_a_local_header_with_another_name(void)
{
	struct mkzip z = torch_zip();

	memcpy(z.p + z.rec[DATA_0].header + L_NAME, "sd/data/9", 9);
	TURNS_AWAY(&z, ERR_REFUSED, "another name");
	/* Equal but for case is not equal. */
	z = torch_zip();
	memcpy(z.p + z.rec[DATA_0].header + L_NAME, "SD/DATA/0", 9);
	TURNS_AWAY(&z, ERR_REFUSED, "another name");
	z = torch_zip();
	mkzip_set16(&z, z.rec[DATA_0].header + L_NAMELEN, 8);
	TURNS_AWAY(&z, ERR_REFUSED, "another name");
}

static void refuses_a_local_header_with_another_method_or_flags(void)
{
	struct mkzip z = torch_zip();

	mkzip_set16(&z, z.rec[DATA_0].header + L_METHOD, 8);
	TURNS_AWAY(&z, ERR_REFUSED, "the method is 8 here and 0 in the directory");
	z = torch_zip();
	mkzip_set16(&z, z.rec[DATA_0].header + L_FLAGS, 0x0809);
	TURNS_AWAY(&z, ERR_REFUSED, "flags are 0x0809 here and 0x0808 in the directory");
}

static void refuses_a_local_header_with_other_sizes(void)
{
	struct mkzip z = torch_zip();

	/* With a descriptor the local sizes may be 0 or right, not wrong. */
	mkzip_set32(&z, z.rec[DATA_0].header + L_SIZE, 16);
	mkzip_set32(&z, z.rec[DATA_0].header + L_STORED, 17);
	TURNS_AWAY(&z, ERR_REFUSED, "the stored size is 17 here and 16 in the directory");
	z = torch_zip();
	mkzip_set32(&z, z.rec[DATA_0].header + L_CRC, 1);
	TURNS_AWAY(&z, ERR_REFUSED, "the CRC is 1 here");
	/* Without one they must be right. */
	z = (struct mkzip){0};
	mkzip_add_as(&z, "a/data.pkl", 10, "pickle", 6, MKZIP_SIZES_FIRST);
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[0].header + L_SIZE, 0);
	TURNS_AWAY(&z, ERR_REFUSED, "the size is 0 here and 6 in the directory");
}

static void refuses_a_local_zip64_field_with_other_sizes(void)
{
	struct mkzip z = {0};

	mkzip_add_as(&z, "a/data.pkl", 10, "pickle", 6, MKZIP_ZIP64 | MKZIP_SIZES_FIRST);
	mkzip_finish(&z);
	mkzip_set64(&z, z.rec[0].header + L_NAME + 10 + 4, 1ull << 62);
	TURNS_AWAY(&z, ERR_REFUSED, "the size is 4611686018427387904 here");
}

static void refuses_a_descriptor_with_other_sizes(void)
{
	struct mkzip z = torch_zip();

	mkzip_set32(&z, z.rec[DATA_0].desc + 12, 15);
	TURNS_AWAY(&z, ERR_REFUSED, "descriptor behind its data");
}

static void refuses_two_entries_for_one_payload(void)
{
	struct mkzip z = torch_records();

	mkzip_dir(&z);
	z.rec[DATA_1].header = z.rec[DATA_0].header;
	mkzip_set32(&z, z.rec[DATA_1].central + C_OFFSET, (uint32_t)z.rec[DATA_0].header);
	mkzip_end_at(&z, mkzip_pos(&z));
	TURNS_AWAY(&z, ERR_REFUSED, "it overlaps the record before it");
}

/* Quoted overlap: the payload of one record holds the headers of the next ones. */
static void refuses_records_inside_a_payload(void)
{
	struct mkzip in = torch_records(), z = {0};
	size_t outer;
	char name[16];

	outer = mkzip_add_as(&z, "a/quote", 7, in.p, in.n, MKZIP_SIZES_FIRST);
	for (size_t i = 0; i < in.nrec; i++) {
		struct mkzip_rec *r = mkzip_new_rec(&z, in.rec[i].text, in.rec[i].name);
		char *text = r->text;
		*r = in.rec[i];
		r->text = text;
		r->header += z.rec[outer].data;
	}
	mkzip_finish(&z);
	mkzip_free(&in);
	snprintf(name, sizeof name, "%s", "sd/data.pkl");
	TURNS_AWAY(&z, ERR_REFUSED, name);
}

static void refuses_a_name_changed_in_both_places(void)
{
	struct mkzip z = torch_zip();

	set_name(&z, DATA_0, "sd/../../");
	TURNS_AWAY(&z, ERR_REFUSED, "\"..\"");
}

/* What torch does not look at must not stop a mount: the CRC is for verifying. */
static void takes_a_wrong_crc_and_a_crc_of_zero(void)
{
	struct mkzip z = torch_zip();

	mkzip_set32(&z, z.rec[DATA_0].central + C_CRC, 12345);
	TAKES(&z);
	z = torch_zip();
	mkzip_set32(&z, z.rec[DATA_0].central + C_CRC, 0);
	mkzip_set32(&z, z.rec[DATA_0].desc + 4, 0);
	TAKES(&z);
}

static void damage_is_not_salvaged_unless_asked_and_refusal_never(void)
{
	struct mkzip z = torch_zip();
	struct box *b;
	struct err e;

	mkzip_add(&z, "sd/more", "more", 4);
	mkzip_finish(&z);
	EQ_I64(open_zip_as(&z, true, &b, &e), ERR_REFUSED);
	OK(!b);
	mkzip_free(&z);
}

int main(void)
{
	TEST(is_no_zip_when_it_does_not_begin_as_one);
	TEST(is_truncated_without_its_last_byte);
	TEST(is_truncated_wherever_it_is_cut);
	TEST(is_truncated_inside_its_comment);
	TEST(refuses_bytes_after_the_end_record);
	TEST(refuses_two_end_records);
	TEST(refuses_a_second_end_record_in_the_comment);
	TEST(refuses_a_comment_that_ends_in_an_end_record);
	TEST(refuses_a_whole_archive_in_the_comment);
	TEST(refuses_two_directories);
	TEST(refuses_a_wrong_count);
	TEST(refuses_a_count_that_cannot_fit);
	TEST(refuses_a_directory_outside_the_file);
	TEST(refuses_a_bogus_zip64_record);
	TEST(refuses_end_records_that_disagree);
	TEST(refuses_several_disks);
	TEST(refuses_two_records_of_one_name);
	TEST(refuses_names_that_lead_astray);
	TEST(refuses_empty_names_and_names_with_nul);
	TEST(refuses_a_second_name_in_the_extra_field);
	TEST(refuses_encryption_and_unknown_flags);
	TEST(refuses_other_methods);
	TEST(refuses_sizes_that_cannot_be);
	TEST(refuses_a_record_past_the_end);
	TEST(refuses_a_payload_that_reaches_into_the_directory);
	TEST(refuses_zip64_numbers_that_overflow);
	TEST(refuses_broken_extra_fields);
	TEST(refuses_lengths_that_leave_the_directory);
	TEST(refuses_a_directory_entry_without_its_signature);
	TEST(refuses_a_local_header_that_is_none);
	TEST(refuses_a_local_header_with_another_name);
	TEST(refuses_a_local_header_with_another_method_or_flags);
	TEST(refuses_a_local_header_with_other_sizes);
	TEST(refuses_a_local_zip64_field_with_other_sizes);
	TEST(refuses_a_descriptor_with_other_sizes);
	TEST(refuses_two_entries_for_one_payload);
	TEST(refuses_records_inside_a_payload);
	TEST(refuses_a_name_changed_in_both_places);
	TEST(takes_a_wrong_crc_and_a_crc_of_zero);
	TEST(damage_is_not_salvaged_unless_asked_and_refusal_never);
	return tap_done();
}
