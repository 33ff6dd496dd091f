/* Rebuild functions to tensors: dtype, place, properties, and what makes one broken. */
#include "ckpt.h"

/* {'x': VALUE} in a zip. */
#define X(value) "\x80\4}" TEXT("\1", "x") value "s."
#define TRUE4 "\x88"

static void v2_reads_its_part_of_the_storage(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(TENSOR(FLOATS("0", "\x10"), "\2", "K\2\x85", "K\1\x85"))));
	EQ_I64(ckpt_tensor(&k, "x")->dtype, DTYPE_FLOAT32);
	EQ_STR(ckpt_hex(&k, "x"), "08090a0b0c0d0e0f");
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_CONTIGUOUS);
	ckpt_release(&k);
}

static void strides_are_gathered_into_c_order(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(TENSOR(STORAGE("ByteStorage", "0", "\x40"), "\0", "K\2K\3\x86",
				     "K\1K\2\x86"))));
	EQ_STR(ckpt_hex(&k, "x"), "000204010305");
	ckpt_release(&k);
}

static void v3_counts_elements_of_its_own_dtype(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE("UntypedStorage", "0",
				     "\x40") "K\3K\2\x85K\1\x85\x89" HOOKS "ctorch\nuint16\ntR")));
	EQ_I64(ckpt_tensor(&k, "x")->dtype, DTYPE_UINT16);
	EQ_STR(ckpt_hex(&k, "x"), "06070809");
	ckpt_release(&k);
}

static void parameter_decides_requires_grad(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(PARAMETER(FOUR("\0")))));
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_REQUIRES_GRAD);
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_PARAMETER);
	ckpt_release(&k);
	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_parameter_with_state\n(" FOUR("\0") "\x89" HOOKS
											"}tR")));
	OK(!(ckpt_tensor(&k, "x")->flags & TENSOR_REQUIRES_GRAD));
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_PARAMETER);
	ckpt_release(&k);
}

#define ARGS4 "(" FLOATS("0", "\x10") "K\0K\4\x85K\1\x85\x89" HOOKS "t"
#define FROM_TYPE(type, state)                                                                     \
	"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\n" type ARGS4   \
			state "tR"

static void subclass_keeps_the_name_of_its_class(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(FROM_TYPE("clib\nQuiet\n", "}"))));
	EQ_MEM(tensor_class(ckpt_tensor(&k, "x")).p, tensor_class(ckpt_tensor(&k, "x")).n, "lib.Quiet", 9);
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_SUBCLASS);
	EQ_I64(ckpt_tensor(&k, "x")->nbytes, 16);
	ckpt_release(&k);
}

static void plain_tensor_with_attributes_is_no_subclass(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(FROM_TYPE("ctorch\nTensor\n", "}" TEXT("\1", "a") "K\1s"))));
	EQ_I64(ckpt_tensor(&k, "x")->flags, TENSOR_CONTIGUOUS);
	ckpt_release(&k);
}

static void wrapper_subclass_is_a_directory_of_its_inner_tensors(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_"
			   "wrapper_subclass\n"
			   "cd\nDTensor\n)}" TEXT("\6", "_local") FOUR("\0") "stR")));
	EQ_I64(ckpt_kind(&k, "x"), VALUE_OBJECT);
	EQ_I64(ckpt_kind(&k, "x/_local"), VALUE_TENSOR);
	ckpt_release(&k);
}

static void old_tensor_class_has_its_view_in_the_state(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch\nFloatTensor\n)R(" FLOATS("0", "\x10") "K\1K\2\x85K\1\x85tb")));
	EQ_STR(ckpt_hex(&k, "x"), "0405060708090a0b");
	ckpt_release(&k);
}

static void old_parameter_wraps_its_data(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch.nn.parameter\nParameter\n)\x81(" FOUR("\0") "N" HOOKS TRUE4
									       "\x89tb")));
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_PARAMETER);
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_REQUIRES_GRAD);
	EQ_I64(ckpt_tensor(&k, "x")->nbytes, 16);
	ckpt_release(&k);
}

static void conjugate_and_negative_bits_come_with_the_metadata(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_tensor_v2\n(" FLOATS(
				     "0", "\x10") "K\0K\1\x85K\1\x85\x89" HOOKS
						  "}" TEXT("\3", "neg") "\x88stR")));
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_NEG);
	EQ_STR(ckpt_hex(&k, "x"), "00010283");
	ckpt_release(&k);
}

static void bare_storage_is_a_tensor_of_all_its_elements(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(STORAGE("ShortStorage", "1", "\x8"))));
	EQ_I64(ckpt_tensor(&k, "x")->dtype, DTYPE_INT16);
	EQ_I64(ckpt_tensor(&k, "x")->nbytes, 16);
	ckpt_release(&k);
}

static void meta_tensor_has_a_shape_and_no_bytes(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_meta_tensor_no_storage\n("
			   "ctorch\nfloat16\nK\3\x85K\1\x85\x89tR")));
	EQ_STR(ckpt_broken(&k, "x"), "");
	EQ_I64(ckpt_tensor(&k, "x")->nbytes, 0);
	EQ_I64(ckpt_tensor(&k, "x")->shape[0], 3);
	OK(ckpt_tensor(&k, "x")->flags & TENSOR_META);
	ckpt_release(&k);
}

static void equal_tensors_are_one_and_views_are_not(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4}(" TEXT("\1", "a") FOUR("\0") TEXT("\1", "b") FOUR("\0")
						     TEXT("\1", "c") FOUR("\1") "u."));
	OK(ckpt_tensor(&k, "a") == ckpt_tensor(&k, "b"));
	OK(ckpt_tensor(&k, "a") != ckpt_tensor(&k, "c"));
	EQ_I64(ckpt_tensor(&k, "a")->storage, ckpt_tensor(&k, "c")->storage);
	ckpt_release(&k);
}

static void what_is_wrong_breaks_one_tensor_only(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4}(" TEXT("\1",
				     "a") "ctorch._utils\n_rebuild_tensor_v2\nK\1\x85R" TEXT("\1",
				     "b") TENSOR("K\5", "\0", "K\1\x85", "K\1\x85") TEXT("\1",
				     "c") TENSOR(FLOATS("0", "\x10"), "\0", "K\1\x85",
				     "K\1K\1\x86") TEXT("\1", "d") TENSOR(FLOATS("9", "\x10"), "\0",
				     "K\1\x85", "K\1\x85") TEXT("\1",
				     "e") TENSOR(STORAGE("NoStorage", "0", "\1"), "\0", "K\1\x85",
				     "K\1\x85") TEXT("\1", "f") FOUR("\0") "u."));
	HAS(ckpt_broken(&k, "a"), "too few arguments");
	HAS(ckpt_broken(&k, "b"), "no storage");
	HAS(ckpt_broken(&k, "c"), "different lengths");
	HAS(ckpt_broken(&k, "d"), "\"a/data/9\" of its storage is missing");
	HAS(ckpt_broken(&k, "e"), "class is unknown");
	EQ_STR(ckpt_broken(&k, "f"), "");
	ckpt_release(&k);
}

/* Storage 1 has 16 bytes in the file, the pickle says 20. */
static void short_record_breaks_what_reaches_behind_it(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4}(" TEXT("\1", "a") TENSOR(FLOATS("1", "\5"), "\0", "K\4\x85",
				     "K\1\x85") TEXT("\1", "b") TENSOR(FLOATS("1", "\5"), "\4",
				     "K\1\x85", "K\1\x85") "u."));
	EQ_STR(ckpt_broken(&k, "a"), "");
	EQ_I64(ckpt_tensor(&k, "a")->nbytes, 16);
	HAS(ckpt_broken(&k, "b"), "16 of its 20 bytes");
	HAS(ckpt_finding(&k, "damaged"), "record of 16 bytes, the pickle says 20");
	ckpt_release(&k);
}

static void first_persistent_id_decides_the_dtype(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT("\x80\4}(" TEXT("\1", "a") TENSOR(STORAGE("HalfStorage", "1", "\x8"), "\0",
				     "K\2\x85", "K\1\x85") TEXT("\1", "b") TENSOR(FLOATS("1", "\4"),
				     "\0", "K\2\x85", "K\1\x85") "u."));
	EQ_I64(ckpt_tensor(&k, "b")->dtype, DTYPE_FLOAT16);
	HAS(ckpt_finding(&k, "ambiguous"), "float16 and again as 16 bytes of float32");
	ckpt_release(&k);
}

static void endless_wrappers_are_given_up(void)
{
	char p[8192], *at = p;
	struct ckpt k;
	static const char head[] = "ctorch._utils\n_rebuild_parameter\n(";

	at += sprintf(at, "\x80\2");
	for (int i = 0; i < 100; i++)
		at += sprintf(at, "%s", head);
	*at++ = 'N';
	for (int i = 0; i < 100; i++)
		at += sprintf(at, "\x88NtR");
	*at++ = '.';
	ckpt_file(&k, p, (size_t)(at - p));
	HAS(ckpt_broken(&k, ""), "wrappers");
	ckpt_release(&k);
}

#define QPARAMS(scheme, rest) "(ctorch\n" scheme "\n" rest "t"
#define QTENSOR(qparams)                                                                           \
	"ctorch._utils\n_rebuild_qtensor\n(" STORAGE("QInt8Storage", "1",                          \
			"\x10") "K\0K\2K\2\x86K\2K\1\x86" qparams "\x89" HOOKS "tR"

static void quantized_tensor_is_integers_scale_and_zero_point(void)
{
	struct ckpt k;
	const struct value *v;

	ckpt_zip(&k, LIT(X(QTENSOR(QPARAMS("per_tensor_affine", "G?\xe0\0\0\0\0\0\0K\3")))));
	EQ_STR(ckpt_keys(&k, "x"), "int_repr scale zero_point");
	EQ_I64(ckpt_tensor(&k, "x/int_repr")->dtype, DTYPE_INT8);
	EQ_STR(ckpt_hex(&k, "x/int_repr"), "64656667");
	EQ_STR(ckpt_text(&k, "x/scale"), "0.5");
	v = ckpt_at(&k, "x");
	EQ_I64(v->kind, VALUE_PARTS);
	EQ_I64(k.c->model.parts.at[v->parts].dtype, DTYPE_QINT8);
	EQ_I64(k.c->model.parts.at[v->parts].ndim, 2);
	ckpt_release(&k);
}

static void per_channel_parameters_are_tensors(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X(QTENSOR(QPARAMS("per_channel_affine", FOUR("\0") FOUR("\1") "K\1")))));
	EQ_STR(ckpt_keys(&k, "x"), "int_repr scales zero_points axis");
	OK(ckpt_tensor(&k, "x/scales")->flags & TENSOR_QUANTIZED_PART);
	EQ_STR(ckpt_text(&k, "x/axis"), "1");
	ckpt_release(&k);
}

#define LAYOUT(len, name) "ctorch.serialization\n_get_layout\n" TEXT(len, name) "\x85R"

static void sparse_coo_is_indices_and_values(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_sparse_tensor\n(" LAYOUT(
				     "\x10", "torch.sparse_coo") "(" FOUR("\0")
						     FOUR("\1") "K\5K\6\x86\x88ttR")));
	EQ_STR(ckpt_keys(&k, "x"), "indices values");
	EQ_I64(k.c->model.parts.at[0].shape[1], 6);
	OK(ckpt_tensor(&k, "x/values")->flags & TENSOR_SPARSE_PART);
	ckpt_release(&k);
}

static void sparse_csr_of_1_x_has_a_function_of_its_own(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_sparse_csr_tensor\n(" LAYOUT(
				     "\x10", "torch.sparse_csr") "(" FOUR("\0") FOUR("\1")
						     FOUR("\2") "K\5K\6\x86ttR")));
	EQ_STR(ckpt_keys(&k, "x"), "crow_indices col_indices values");
	ckpt_release(&k);
}

static void sparse_part_that_is_no_tensor_breaks_the_whole(void)
{
	struct ckpt k;

	ckpt_zip(&k, LIT(X("ctorch._utils\n_rebuild_sparse_tensor\n(" LAYOUT(
				     "\x10", "torch.sparse_coo") "(K\1" FOUR("\1") "K\5\x85ttR")));
	HAS(k.c->model.parts.at[0].broken, "not a tensor");
	EQ_I64(ckpt_kind(&k, "x/values"), VALUE_TENSOR);
	ckpt_release(&k);
}

int main(void)
{
	TEST(v2_reads_its_part_of_the_storage);
	TEST(strides_are_gathered_into_c_order);
	TEST(v3_counts_elements_of_its_own_dtype);
	TEST(parameter_decides_requires_grad);
	TEST(subclass_keeps_the_name_of_its_class);
	TEST(plain_tensor_with_attributes_is_no_subclass);
	TEST(wrapper_subclass_is_a_directory_of_its_inner_tensors);
	TEST(old_tensor_class_has_its_view_in_the_state);
	TEST(old_parameter_wraps_its_data);
	TEST(conjugate_and_negative_bits_come_with_the_metadata);
	TEST(bare_storage_is_a_tensor_of_all_its_elements);
	TEST(meta_tensor_has_a_shape_and_no_bytes);
	TEST(equal_tensors_are_one_and_views_are_not);
	TEST(what_is_wrong_breaks_one_tensor_only);
	TEST(short_record_breaks_what_reaches_behind_it);
	TEST(first_persistent_id_decides_the_dtype);
	TEST(endless_wrappers_are_given_up);
	TEST(quantized_tensor_is_integers_scale_and_zero_point);
	TEST(per_channel_parameters_are_tensors);
	TEST(sparse_coo_is_indices_and_values);
	TEST(sparse_csr_of_1_x_has_a_function_of_its_own);
	TEST(sparse_part_that_is_no_tensor_breaks_the_whole);
	return tap_done();
}
