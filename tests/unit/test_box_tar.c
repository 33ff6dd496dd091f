/* Tar archives: what old torch wrote, and what must be turned away. */
#include "tap.h"

#include <pthfs/box.h>
#include <pthfs/source.h>
#include <stdlib.h>

struct tarball {
	char p[16 * 1024];
	size_t n;
};

enum { SIZE = 124, SUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345 };

static void seal(char *h)
{
	unsigned sum = 0;

	memset(h + SUM, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	snprintf(h + SUM, 8, "%06o", sum);
}

/* A member; returns its header, to be changed and sealed again. */
static char *add(struct tarball *t, const char *name, const char *data, size_t n)
{
	char *h = t->p + t->n;

	memset(h, 0, 512);
	memcpy(h, name, strlen(name));
	memcpy(h + 100, "0000644", 8);
	snprintf(h + SIZE, 12, "%011o", (unsigned)n);
	h[TYPE] = '0';
	memcpy(h + MAGIC, "ustar\00000", 8);
	seal(h);
	memcpy(h + 512, data, n);
	t->n += 512 + (n + 511) / 512 * 512;
	return h;
}

static void end(struct tarball *t)
{
	memset(t->p + t->n, 0, 1024);
	t->n += 1024;
}

static int open_tar(const struct tarball *t, struct box **b, struct err *e)
{
	struct source *s = source_mem_borrow(t->p, t->n);
	int err;

	*b = NULL;
	*e = (struct err){0};
	err = box_tar_open(s, NULL, b, e);
	source_unref(s);
	return err;
}

#define TURNS_AWAY(t, wanted, words)                                                               \
	do {                                                                                       \
		struct box *box_;                                                                  \
		struct err err_;                                                                   \
		EQ_I64(open_tar((t), &box_, &err_), (wanted));                                     \
		HAS(err_.text, (words));                                                           \
		box_free(box_);                                                                    \
	} while (0)

static bool holds(struct box *b, uint32_t i, const char *name, const char *data)
{
	struct source *s = NULL;
	char got[64] = {0};
	bool ok = b && i < b->n && str_is(b->at[i].name, name) && b->at[i].size == strlen(data) &&
		  box_source(b, &b->at[i], &s, NULL) == 0 &&
		  source_read(s, got, strlen(data), 0, NULL) == 0 && strcmp(got, data) == 0;

	source_unref(s);
	return ok;
}

static void opens_what_old_torch_wrote(void)
{
	struct tarball t = {0};
	struct box *b;
	struct err e;

	add(&t, "sys_info", "info", 4);
	add(&t, "pickle", "the pickle", 10);
	add(&t, "tensors", "", 0);
	add(&t, "storages", "bytes", 5);
	end(&t);
	EQ_I64(open_tar(&t, &b, &e), 0);
	EQ_STR(e.text, "");
	OK(b && b->n == 4 && strcmp(b->kind, "tar") == 0);
	OK(holds(b, 0, "sys_info", "info"));
	OK(holds(b, 1, "pickle", "the pickle"));
	OK(holds(b, 2, "tensors", ""));
	OK(holds(b, 3, "storages", "bytes"));
	OK(b && box_find(b, STR("tensors")) == &b->at[2]);
	box_free(b);
}

static void opens_v7_and_gnu_headers_and_prefixes(void)
{
	struct tarball t = {0};
	struct box *b;
	struct err e;
	char *h;

	h = add(&t, "v7", "a", 1);
	memset(h + MAGIC, 0, 8);
	h[TYPE] = 0;
	seal(h);
	h = add(&t, "gnu", "b", 1);
	memcpy(h + MAGIC, "ustar  ", 8);
	memcpy(h + PREFIX, "times, not a prefix", 19);
	seal(h);
	h = add(&t, "posix", "c", 1);
	memcpy(h + PREFIX, "some/folder", 11);
	seal(h);
	end(&t);
	EQ_I64(open_tar(&t, &b, &e), 0);
	EQ_STR(e.text, "");
	OK(holds(b, 0, "v7", "a"));
	OK(holds(b, 1, "gnu", "b"));
	OK(holds(b, 2, "some/folder/posix", "c"));
	box_free(b);
}

static void reads_sizes_in_base_256(void)
{
	struct tarball t = {0};
	struct box *b;
	struct err e;
	char *h = add(&t, "pickle", "seven..", 7);

	memcpy(h + SIZE, "\x80\0\0\0\0\0\0\0\0\0\0\7", 12);
	seal(h);
	EQ_I64(open_tar(&t, &b, &e), 0);
	OK(holds(b, 0, "pickle", "seven.."));
	box_free(b);
	memcpy(h + SIZE, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	seal(h);
	TURNS_AWAY(&t, ERR_TRUNCATED, "9223372036854775807 bytes, of which the file holds 512");
	memset(h + SIZE, 0xff, 12);
	seal(h);
	TURNS_AWAY(&t, ERR_DAMAGED, "its size is not a number");
	memset(h + SIZE, '9', 11);
	seal(h);
	TURNS_AWAY(&t, ERR_DAMAGED, "its size is not a number");
}

static void ends_at_a_zero_block_or_at_the_end_of_the_file(void)
{
	struct tarball t = {0};
	struct box *b;
	struct err e;

	add(&t, "pickle", "x", 1);
	EQ_I64(open_tar(&t, &b, &e), 0);
	EQ_I64(b ? b->n : 0, 1);
	box_free(b);
	/* The padding of the last member may be missing. */
	t.n = 513;
	EQ_I64(open_tar(&t, &b, &e), 0);
	OK(holds(b, 0, "pickle", "x"));
	box_free(b);
	t.n = 1024;
	end(&t);
	add(&t, "behind", "y", 1);
	EQ_I64(open_tar(&t, &b, &e), 0);
	EQ_I64(b ? b->n : 0, 1);
	box_free(b);
}

static void other_files_are_no_tar(void)
{
	struct tarball t = {.n = 1024}, text = {.n = 1024}, small = {.n = 511};

	TURNS_AWAY(&t, ERR_NOT_CKPT, "no header at the start");
	memset(text.p, 'x', 1024);
	TURNS_AWAY(&text, ERR_NOT_CKPT, "no header at the start");
	TURNS_AWAY(&small, ERR_NOT_CKPT, "only 511 bytes");
}

static void a_wrong_checksum_is_damage(void)
{
	struct tarball t = {0};
	char *h;

	add(&t, "pickle", "x", 1);
	h = add(&t, "storages", "x", 1);
	h[0] = 'S';
	TURNS_AWAY(&t, ERR_DAMAGED, "no tar header at offset 1024");
}

static void accepts_the_signed_checksum_of_old_programs(void)
{
	struct tarball t = {0};
	struct box *b;
	struct err e;
	char *h = add(&t, "pickle\xe9", "x", 1);
	unsigned sum = (unsigned)strtoul(h + SUM, NULL, 8) - 256;

	snprintf(h + SUM, 8, "%06o", sum);
	EQ_I64(open_tar(&t, &b, &e), 0);
	box_free(b);
}

static void only_plain_files_are_members(void)
{
	static const struct {
		char type;
		const char *words;
	} bad[] = {{'1', "a link"}, {'2', "a link"}, {'3', "device"}, {'5', "a folder"},
		{'x', "pax"}, {'L', "GNU long name"}, {'S', "unknown type"}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct tarball t = {0};
		char *h = add(&t, "pickle", "x", 1);
		h[TYPE] = bad[i].type;
		seal(h);
		TURNS_AWAY(&t, ERR_UNSUPPORTED, bad[i].words);
		TURNS_AWAY(&t, ERR_UNSUPPORTED, "tar member \"pickle\" at offset 0");
	}
	struct tarball t = {0};
	add(&t, "dir/", "", 0);
	TURNS_AWAY(&t, ERR_UNSUPPORTED, "a folder");
}

static void refuses_unsafe_and_double_names(void)
{
	struct tarball up = {0}, abs = {0}, twice = {0};

	add(&up, "../x", "x", 1);
	TURNS_AWAY(&up, ERR_REFUSED, "\"..\"");
	add(&abs, "/x", "x", 1);
	TURNS_AWAY(&abs, ERR_REFUSED, "absolute");
	add(&twice, "pickle", "x", 1);
	add(&twice, "pickle", "y", 1);
	TURNS_AWAY(&twice, ERR_REFUSED, "two members");
}

static void members_past_the_end_are_truncation(void)
{
	struct tarball t = {0};

	add(&t, "pickle", "0123456789", 10);
	t.n = 512 + 9;
	TURNS_AWAY(&t, ERR_TRUNCATED, "10 bytes, of which the file holds 9");
	t.n = 1024 + 100;
	memset(t.p + 1024, 'x', 100);
	TURNS_AWAY(&t, ERR_TRUNCATED, "the tar header at offset 1024 is cut off");
}

int main(void)
{
	TEST(opens_what_old_torch_wrote);
	TEST(opens_v7_and_gnu_headers_and_prefixes);
	TEST(reads_sizes_in_base_256);
	TEST(ends_at_a_zero_block_or_at_the_end_of_the_file);
	TEST(other_files_are_no_tar);
	TEST(a_wrong_checksum_is_damage);
	TEST(accepts_the_signed_checksum_of_old_programs);
	TEST(only_plain_files_are_members);
	TEST(refuses_unsafe_and_double_names);
	TEST(members_past_the_end_are_truncation);
	return tap_done();
}
