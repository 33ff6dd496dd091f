/* The torch zip: folder, small records, byte order, truncation; TorchScript; other zips. */
#include "ckpt.h"

#define STATE "\x80\4}" TEXT("\1", "x") FOUR("\0") "s."

static void two_records(struct mkzip *z)
{
	ckpt_records(z, LIT(STATE));
}

static void load(struct ckpt *k, struct mkzip *z)
{
	ckpt_mkzip(k, z, NULL);
}

static void storage_is_an_extent_of_the_file_itself(void)
{
	struct ckpt k;
	struct mkzip z = {0};
	uint64_t at;

	two_records(&z);
	at = z.rec[1].data;
	load(&k, &z);
	EQ_STR(k.c ? k.c->format : k.e.text, "torch zip");
	EQ_I64(k.c->model.storages.at[0].file_off, at);
	OK(k.c->model.storages.at[0].data.src == k.c->file);
	EQ_STR(k.c->version.p, "3");
	ckpt_release(&k);
}

static void records_tell_who_wrote_it(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	two_records(&z);
	mkzip_add(&z, "a/byteorder", "little", 6);
	load(&k, &z);
	EQ_STR(k.c->producer.p, "torch 2.1 to 2.6");
	ckpt_release(&k);
	z = (struct mkzip){0};
	two_records(&z);
	mkzip_add(&z, "a/.format_version", "1", 1);
	load(&k, &z);
	EQ_STR(k.c->producer.p, "torch 2.7 or later");
	ckpt_release(&k);
}

static void typed_storages_of_a_big_endian_file_are_swapped(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	ckpt_records(&z, LIT("\x80\4}(" TEXT("\1", "f") TENSOR(
					 FLOATS("0", "\x10"), "\0", "K\1\x85", "K\1\x85") TEXT("\1",
					 "u") TENSOR(STORAGE("UntypedStorage", "1", "\x10"), "\0",
					 "K\4\x85", "K\1\x85") "u."));
	mkzip_add(&z, "a/byteorder", "big", 3);
	load(&k, &z);
	EQ_STR(ckpt_hex(&k, "f"), "03020100");
	EQ_STR(ckpt_hex(&k, "u"), "64656667");
	EQ_I64(k.c->model.storages.at[0].file_off, -1);
	ckpt_release(&k);
}

static void record_outside_of_the_folder_is_refused(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	two_records(&z);
	mkzip_add(&z, "b/data/0", "xxxx", 4);
	load(&k, &z);
	EQ_I64(k.rc, ERR_REFUSED);
	HAS(k.e.text, "outside of the archive's folder");
	ckpt_release(&k);
}

static void crc_of_the_pickle_is_checked(void)
{
	static const struct format_opts salvage = {.salvage = true};
	struct ckpt k;

	for (int with = 0; with < 2; with++) {
		struct mkzip z = {0};

		two_records(&z);
		mkzip_finish(&z);
		/* The letter of the key; both CRCs stay. */
		*(char *)memchr(z.p + z.rec[0].data, 'x', 20) = 'y';
		ckpt_source(&k, source_mem_take(z.p, z.n), with ? &salvage : NULL);
		z.p = NULL;
		mkzip_free(&z);
		EQ_I64(k.rc, with ? 0 : ERR_DAMAGED);
		HAS(with ? ckpt_finding(&k, "damaged") : k.e.text, "CRC");
		ckpt_release(&k);
	}
}

static void crc_of_zero_means_none(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	two_records(&z);
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[0].desc + 4, 0);
	mkzip_set32(&z, z.rec[0].central + 16, 0);
	ckpt_source(&k, source_mem_take(z.p, z.n), NULL);
	z.p = NULL;
	mkzip_free(&z);
	EQ_I64(k.rc, 0);
	ckpt_release(&k);
}

static int code_of(const char *name, const char *text, size_t n, const char *words)
{
	struct ckpt k;
	struct mkzip z = {0};
	int rc;

	mkzip_add(&z, "a/data.pkl", LIT("\x80\2N."));
	if (name)
		mkzip_add(&z, name, text, n);
	load(&k, &z);
	rc = k.rc;
	if (rc < 0)
		HAS(k.e.text, words);
	ckpt_release(&k);
	return rc;
}

static void version_must_be_there_and_from_1_to_10(void)
{
	EQ_I64(code_of(NULL, NULL, 0, "no record \"a/version\""), ERR_DAMAGED);
	EQ_I64(code_of("a/version", LIT("99\n"), "torch takes 1 to 10"), ERR_UNSUPPORTED);
	EQ_I64(code_of("a/version", LIT("x"), "torch takes 1 to 10"), ERR_UNSUPPORTED);
	EQ_I64(code_of("a/version", LIT(" 7x"), ""), 0);
	EQ_I64(code_of("a/.data/version", LIT("6\n"), ""), 0);
}

static void second_pickle_behind_the_first_is_a_finding(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\2N.\x80\2K\1."));
	EQ_I64(k.rc, 0);
	HAS(ckpt_finding(&k, "ambiguous"), "5 bytes");
	ckpt_release(&k);
}

static void deflated_storage_is_read_through_the_box(void)
{
	struct ckpt k;
	struct mkzip z = {0};
	char data[64] = {1, 2, 3};

	mkzip_add(&z, "a/data.pkl", LIT(STATE));
	mkzip_add_as(&z, "a/data/0", 8, data, 64, MKZIP_DEFLATE);
	mkzip_add(&z, "a/version", "3\n", 2);
	load(&k, &z);
	EQ_STR(ckpt_hex(&k, "x"), "01020300000000000000000000000000");
	EQ_I64(k.c->model.storages.at[0].file_off, -1);
	ckpt_release(&k);
}

static void truncated_zip_says_how_much_is_missing(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	two_records(&z);
	mkzip_finish(&z);
	ckpt_source(&k, source_mem_borrow(z.p, z.rec[1].data + 20), NULL);
	EQ_I64(k.rc, ERR_TRUNCATED);
	HAS(k.e.text, "announces 64 B of tensors");
	HAS(k.e.text, "-o salvage");
	ckpt_release(&k);
	mkzip_free(&z);
}

static void salvage_shows_what_is_there(void)
{
	static const struct format_opts o = {.salvage = true};
	struct ckpt k;
	struct mkzip z = {0};

	ckpt_records(&z, LIT("\x80\4}(" TEXT("\1", "a") FOUR("\0") TEXT("\1", "b") FOUR("\4") TEXT(
					 "\1", "c") TENSOR(FLOATS("1", "\4"), "\0", "K\4\x85",
					 "K\1\x85") "u."));
	mkzip_finish(&z);
	ckpt_source(&k, source_mem_borrow(z.p, z.rec[1].data + 20), &o);
	EQ_STR(ckpt_broken(&k, "a"), "");
	EQ_I64(ckpt_tensor(&k, "a")->nbytes, 16);
	HAS(ckpt_broken(&k, "b"), "20 of its 64 bytes");
	HAS(ckpt_broken(&k, "c"), "missing");
	OK(k.c->truncated);
	ckpt_release(&k);
	mkzip_free(&z);
}

static const char *why(const char *name, const char *text)
{
	static char said[500];
	struct ckpt k;
	struct mkzip z = {0};

	mkzip_add(&z, name, text, strlen(text));
	load(&k, &z);
	EQ_I64(k.rc, ERR_NOT_CKPT);
	snprintf(said, sizeof said, "%s", k.e.text);
	ckpt_release(&k);
	return said;
}

static void other_zips_are_named(void)
{
	HAS(why("arr_0.npy", "x"), "numpy.load");
	HAS(why("[Content_Types].xml", "x"), "Office");
	HAS(why("p/.data/extern_modules", "x"), "PackageImporter");
	HAS(why("model/weights.pth", "x"), "unpack it and mount its \"model/weights.pth\"");
	HAS(why("data.pkl", "N."), "no folder");
	HAS(why("readme/text", "x"), "without data.pkl");
}

#define SCRIPT_STATE                                                                               \
	"\x80\2"                                                                                   \
	"c__torch__\nNet\n)\x81}(" TEXT("\1", "n") "K\1" TEXT("\1", "m") FOUR("\1") TEXT(          \
			"\1", "p") FOUR("\0") TEXT("\1", "t") FOUR("\2")                           \
			TEXT("\2", "fc") "c__torch__.nn\nLinear\n)\x81}" TEXT("\1", "w")           \
					FOUR("\3") "sbub."

static void script_archive(struct mkzip *z)
{
	ckpt_records(z, LIT(SCRIPT_STATE));
	mkzip_add(z, "a/constants.pkl", ")", 1);
}

static void script_without_source_shows_every_tensor_attribute(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	script_archive(&z);
	load(&k, &z);
	EQ_STR(k.c ? k.c->format : k.e.text, "torchscript");
	EQ_I64(ckpt_kind(&k, ""), VALUE_MODULE);
	EQ_STR(ckpt_keys(&k, ""), "m p t fc.w");
	ckpt_release(&k);
}

static void script_source_tells_parameters_from_other_tensors(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	script_archive(&z);
	mkzip_add(&z, "a/code/__torch__.py",
			LIT("class Network(Module):\n  __parameters__ = [\"zz\", ]\nclass "
			    "Net(Module):\n"
			    "  __parameters__ = [\"p\", ]\n  __buffers__ = [\"m\", ]\n  p : "
			    "Tensor\n"));
	load(&k, &z);
	EQ_STR(ckpt_keys(&k, ""), "p m fc.w");
	OK(ckpt_tensor(&k, "p")->flags & TENSOR_PARAMETER);
	OK(ckpt_tensor(&k, "m")->flags & TENSOR_BUFFER);
	ckpt_release(&k);
}

static void script_object_that_is_no_module_is_an_attribute(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	script_archive(&z);
	mkzip_add(&z, "a/code/__torch__/nn.py", LIT("class Linear(object):\n  w : Tensor\n"));
	load(&k, &z);
	EQ_STR(ckpt_keys(&k, ""), "m p t");
	ckpt_release(&k);
}

int main(void)
{
	TEST(storage_is_an_extent_of_the_file_itself);
	TEST(records_tell_who_wrote_it);
	TEST(typed_storages_of_a_big_endian_file_are_swapped);
	TEST(record_outside_of_the_folder_is_refused);
	TEST(crc_of_the_pickle_is_checked);
	TEST(crc_of_zero_means_none);
	TEST(version_must_be_there_and_from_1_to_10);
	TEST(second_pickle_behind_the_first_is_a_finding);
	TEST(deflated_storage_is_read_through_the_box);
	TEST(truncated_zip_says_how_much_is_missing);
	TEST(salvage_shows_what_is_there);
	TEST(other_zips_are_named);
	TEST(script_without_source_shows_every_tensor_attribute);
	TEST(script_source_tells_parameters_from_other_tensors);
	TEST(script_object_that_is_no_module_is_an_attribute);
	return tap_done();
}
