/* Element types: names, storage classes, NumPy descriptors. */
#include "model_kit.h"

static void every_name_and_storage_class_finds_its_own_row(void)
{
	for (unsigned t = 1; t < DTYPE_COUNT; t++) {
		const struct dtype_info *i = dtype_info((enum dtype)t);

		EQ_I64(dtype_by_name(str_of(i->name)), t);
		if (i->storage[0])
			EQ_I64(dtype_by_storage(str_of(i->storage)), t);
		OK(i->size % i->swap == 0);
	}
}

static void second_names_of_torch_are_known(void)
{
	EQ_I64(dtype_by_name(STR("half")), DTYPE_FLOAT16);
	EQ_I64(dtype_by_name(STR("long")), DTYPE_INT64);
	EQ_I64(dtype_by_name(STR("cdouble")), DTYPE_COMPLEX128);
	EQ_I64(dtype_by_name(STR("float31")), DTYPE_NONE);
	EQ_I64(dtype_by_name(STR("")), DTYPE_NONE);
}

static void storage_classes_of_torchscript_are_known(void)
{
	EQ_I64(dtype_by_storage(STR("UntypedStorage")), DTYPE_UINT8);
	EQ_I64(dtype_by_storage(STR("Float8_e4m3fnStorage")), DTYPE_FLOAT8_E4M3FN);
	EQ_I64(dtype_by_storage(STR("UInt16Storage")), DTYPE_UINT16);
	EQ_I64(dtype_by_storage(STR("Bits1x8Storage")), DTYPE_BITS1X8);
	EQ_I64(dtype_by_storage(STR("floatstorage")), DTYPE_NONE);
	EQ_I64(dtype_by_storage(STR("float32Storage")), DTYPE_NONE); /* torch has no such class */
	EQ_I64(dtype_by_storage(STR("Storage")), DTYPE_NONE);
}

static void numpy_descriptors_never_become_quantized_or_opaque_types(void)
{
	EQ_I64(dtype_by_npy(STR("f4")), DTYPE_FLOAT32);
	EQ_I64(dtype_by_npy(STR("i1")), DTYPE_INT8);
	EQ_I64(dtype_by_npy(STR("u1")), DTYPE_UINT8);
	EQ_I64(dtype_by_npy(STR("u8")), DTYPE_UINT64);
	EQ_I64(dtype_by_npy(STR("b1")), DTYPE_BOOL);
	EQ_I64(dtype_by_npy(STR("c16")), DTYPE_COMPLEX128);
	EQ_I64(dtype_by_npy(STR("V2")), DTYPE_NONE);
	EQ_I64(dtype_by_npy(STR("O8")), DTYPE_NONE);
}

static void quantized_types_have_an_integer_type(void)
{
	EQ_I64(dtype_int_repr(DTYPE_QINT8), DTYPE_INT8);
	EQ_I64(dtype_int_repr(DTYPE_QUINT8), DTYPE_UINT8);
	EQ_I64(dtype_int_repr(DTYPE_QINT32), DTYPE_INT32);
	EQ_I64(dtype_int_repr(DTYPE_QUINT4X2), DTYPE_UINT8);
	EQ_I64(dtype_int_repr(DTYPE_FLOAT32), DTYPE_FLOAT32);
}

static void a_number_that_is_no_type_is_unknown_and_has_a_size(void)
{
	EQ_STR(dtype_info(DTYPE_NONE)->name, "unknown");
	EQ_STR(dtype_info((enum dtype)200)->name, "unknown");
	OK(dtype_info(DTYPE_NONE)->size > 0);
}

int main(void)
{
	TEST(every_name_and_storage_class_finds_its_own_row);
	TEST(second_names_of_torch_are_known);
	TEST(storage_classes_of_torchscript_are_known);
	TEST(numpy_descriptors_never_become_quantized_or_opaque_types);
	TEST(quantized_types_have_an_integer_type);
	TEST(a_number_that_is_no_type_is_unknown_and_has_a_size);
	return tap_done();
}
