/* numpy arrays as tensors, numpy scalars as numbers. */
#include "ckpt.h"

#define DTYPE(len, text, order)                                                                    \
	"cnumpy\ndtype\n" TEXT(len, text) "\x89\x88\x87R(K\3" TEXT(                                \
			"\1", order) "NNNJ\xff\xff\xff\xff"                                        \
				     "J\xff\xff\xff\xffK\0tb"
/* shape: a pickled tuple; fortran: \x88 or \x89; data: C, a length, bytes. */
#define ARRAY(shape, dtype, fortran, data)                                                         \
	"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"                           \
	"C\1b\x87R(K\1" shape dtype fortran data "tb"

static void array_is_a_tensor_over_its_own_storage(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY("K\2\x85", DTYPE("\2", "i2", "<"), "\x89",
				      "C\4\1\2\3\4") "."));
	EQ_I64(ckpt_tensor(&k, "")->dtype, DTYPE_INT16);
	EQ_STR(ckpt_hex(&k, ""), "01020304");
	OK(ckpt_tensor(&k, "")->flags & TENSOR_NUMPY);
	EQ_I64(tensor_class(ckpt_tensor(&k, "")).n, 0);
	ckpt_release(&k);
}

static void numpy_2_spells_its_modules_with_an_underscore(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
			  "C\1b\x87R(K\1K\1\x85" DTYPE("\2", "u1", "|") "\x89"
									"C\1\x2atb."));
	EQ_STR(ckpt_hex(&k, ""), "2a");
	ckpt_release(&k);
}

static void fortran_order_is_strides(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY("K\2K\3\x86", DTYPE("\2", "u1", "|"), "\x88",
				      "C\6\0\1\2\3\4\5") "."));
	EQ_I64(ckpt_tensor(&k, "")->stride[0], 1);
	EQ_I64(ckpt_tensor(&k, "")->stride[1], 2);
	EQ_STR(ckpt_hex(&k, ""), "000204010305");
	ckpt_release(&k);
}

static void big_endian_array_is_read_swapped(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY("K\2\x85", DTYPE("\2", "i2", ">"), "\x89",
				      "C\4\1\2\3\4") "."));
	EQ_STR(ckpt_hex(&k, ""), "02010403");
	OK(k.c->model.storages.at[0].big_endian);
	ckpt_release(&k);
}

static void bytes_in_the_spelling_of_protocol_2(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY("K\2\x85", DTYPE("\2", "u1", "|"), "\x89",
				      "c_codecs\nencode\n" TEXT("\3", "a\xc3\xbf")
						      TEXT("\6", "latin1") "\x86R") "."));
	EQ_STR(ckpt_hex(&k, ""), "61ff");
	ckpt_release(&k);
}

static void length_of_the_data_must_agree(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY("K\3\x85", DTYPE("\2", "i2", "<"), "\x89",
				      "C\4\1\2\3\4") "."));
	HAS(ckpt_broken(&k, ""), "has 4 bytes, its shape and dtype need 6");
	ckpt_release(&k);
	/* 2^62 times 2 times 8 */
	ckpt_file(&k, LIT("\x80\4" ARRAY("\x8a\x08\0\0\0\0\0\0\0\x40K\2\x86",
				      DTYPE("\2", "f8", "<"), "\x89", "C\0") "."));
	HAS(ckpt_broken(&k, ""), "impossible");
	ckpt_release(&k);
}

static void records_and_texts_are_bytes_with_one_more_dimension(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY(
				      "K\2\x85", DTYPE("\2", "V3", "|"), "\x89", "C\6abcdef") "."));
	EQ_I64(ckpt_tensor(&k, "")->dtype, DTYPE_UINT8);
	EQ_I64(ckpt_tensor(&k, "")->ndim, 2);
	EQ_I64(ckpt_tensor(&k, "")->shape[1], 3);
	ckpt_release(&k);
	ckpt_file(&k, LIT("\x80\4" ARRAY("K\1\x85", DTYPE("\2", "U1", "<"), "\x89",
				      "C\4a\0\0\0") "."));
	EQ_MEM(tensor_class(ckpt_tensor(&k, "")).p, tensor_class(ckpt_tensor(&k, "")).n, "numpy.str_", 10);
	EQ_I64(ckpt_tensor(&k, "")->nbytes, 4);
	ckpt_release(&k);
}

static void dates_are_int64_with_a_class(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY("K\1\x85", DTYPE("\2", "M8", "<"), "\x89",
				      "C\x08\1\0\0\0\0\0\0\0") "."));
	EQ_I64(ckpt_tensor(&k, "")->dtype, DTYPE_INT64);
	EQ_MEM(tensor_class(ckpt_tensor(&k, "")).p, tensor_class(ckpt_tensor(&k, "")).n, "numpy.datetime64", 16);
	ckpt_release(&k);
}

static void array_of_objects_is_a_directory_of_them(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" ARRAY(
				      "K\2\x85", DTYPE("\2", "O8", "|"), "\x89", "](}K\5e") "."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_LIST);
	EQ_STR(ckpt_keys(&k, ""), "0 1");
	EQ_STR(ckpt_text(&k, "1"), "5");
	ckpt_release(&k);
}

static void one_array_under_two_keys_is_one_tensor(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4}(" TEXT("\1", "a") ARRAY("K\1\x85", DTYPE("\2", "u1", "|"),
				      "\x89", "C\1x") "q\1" TEXT("\1", "b") "h\1u."));
	OK(ckpt_tensor(&k, "a") == ckpt_tensor(&k, "b"));
	EQ_I64(k.c->model.storages.n, 1);
	ckpt_release(&k);
}

static void masked_array_is_data_and_mask(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "cnumpy.ma.core\n_mareconstruct\n(cnumpy.ma."
			  "core\nMaskedArray\ncnumpy\nndarray\nK\0\x85"
			  "C\1btR(K\1K\2\x85" DTYPE("\2", "u1", "|") "\x89"
								     "C\2\x07\x08"
								     "C\2\0\1Ntb."));
	EQ_STR(ckpt_keys(&k, ""), "data mask");
	EQ_STR(ckpt_hex(&k, "data"), "0708");
	EQ_STR(ckpt_hex(&k, "mask"), "0001");
	EQ_I64(ckpt_tensor(&k, "mask")->dtype, DTYPE_BOOL);
	ckpt_release(&k);
}

static void array_of_protocol_5(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\5"
			  "cnumpy.core.numeric\n_frombuffer\n(C\4\1\2\3\4" DTYPE(
					  "\2", "i2", "<") "K\2\x85" TEXT("\1", "C") "tR."));
	EQ_STR(ckpt_hex(&k, ""), "01020304");
	ckpt_release(&k);
}

#define SCALAR(dtype, data)                                                                        \
	"\x80\4"                                                                                   \
	"cnumpy.core.multiarray\nscalar\n" dtype data "\x86R."

static const char *scalar(const void *bytes, size_t n)
{
	static char text[4096];
	struct ckpt k;

	ckpt_file(&k, bytes, n);
	snprintf(text, sizeof text, "%s", ckpt_text(&k, ""));
	ckpt_release(&k);
	return text;
}

static void scalars_are_plain_numbers(void)
{
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "f8", "<"), "C\x08\0\0\0\0\0\0\xe0\x3f"))), "0.5");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "f8", ">"), "C\x08\x3f\xe0\0\0\0\0\0\0"))), "0.5");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "f2", "<"), "C\2\0\x3c"))), "1.0");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "f2", "<"), "C\2\1\x80"))), "-5.960464477539063e-08");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "i1", "|"), "C\1\xfe"))), "-2");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "u8", "<"), "C\x08\xff\xff\xff\xff\xff\xff\xff\xff"))),
			"18446744073709551615");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "b1", "|"), "C\1\1"))), "True");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "U2", "<"), "C\x08h\0\0\0\xfc\0\0\0"))), "h\xc3\xbc");
	EQ_STR(scalar(LIT(SCALAR(DTYPE("\2", "c8", "<"), "C\x08\0\0\x80\x3f\0\0\0\x40"))),
			"(1+2j)");
}

/* Not enough bytes for the dtype: shown as the call it is, never read past the end. */
static void scalar_with_too_few_bytes_stays_a_call(void)
{
	HAS(scalar(LIT(SCALAR(DTYPE("\2", "f8", "<"), "C\2\0\0"))), "scalar(");
}

int main(void)
{
	TEST(array_is_a_tensor_over_its_own_storage);
	TEST(numpy_2_spells_its_modules_with_an_underscore);
	TEST(fortran_order_is_strides);
	TEST(big_endian_array_is_read_swapped);
	TEST(bytes_in_the_spelling_of_protocol_2);
	TEST(length_of_the_data_must_agree);
	TEST(records_and_texts_are_bytes_with_one_more_dimension);
	TEST(dates_are_int64_with_a_class);
	TEST(array_of_objects_is_a_directory_of_them);
	TEST(one_array_under_two_keys_is_one_tensor);
	TEST(masked_array_is_data_and_mask);
	TEST(array_of_protocol_5);
	TEST(scalars_are_plain_numbers);
	TEST(scalar_with_too_few_bytes_stays_a_call);
	return tap_done();
}
