/* dtype.c - the table of element types and the names by which files call them.
 *
 * formats/torch-objects.md section 2. The rows are dtype.def; what stands here are the searches,
 * which are linear: the table has 32 rows and is asked once a storage, not once an element.
 *
 * Storage classes have two spellings: the seventeen typed classes of eager files, which dtype.def
 * lists, and those that TorchScript archives make up for the other types (ScalarType's name and
 * "Storage": Float8_e4m3fnStorage, UInt16Storage), which differ from our names by case only.
 */
#include <pthfs/dtype.h>

#include <pthfs/cleanup.h>

static const struct dtype_info table[] = {
	/* Size 1, so that nobody divides by zero; a tensor of this type is always broken. */
	[DTYPE_NONE] = {"unknown", 1, 1, "|V1", "", -1, 0},
#define X(id, name, size, swap, npy, storage, scalar, flags)                                       \
	[DTYPE_##id] = {name, size, swap, npy, storage, scalar, flags},
#include <pthfs/dtype.def>
#undef X
};

/* torch's second names for the same types. */
static const struct {
	const char *name;
	enum dtype t;
} aliases[] = {
	{"half", DTYPE_FLOAT16},
	{"float", DTYPE_FLOAT32},
	{"double", DTYPE_FLOAT64},
	{"chalf", DTYPE_COMPLEX32},
	{"cfloat", DTYPE_COMPLEX64},
	{"cdouble", DTYPE_COMPLEX128},
	{"short", DTYPE_INT16},
	{"int", DTYPE_INT32},
	{"long", DTYPE_INT64},
};

const struct dtype_info *dtype_info(enum dtype t)
{
	return &table[(unsigned)t < DTYPE_COUNT ? t : DTYPE_NONE];
}

enum dtype dtype_by_name(struct str name)
{
	for (unsigned t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
		if (str_is(name, table[t].name))
			return (enum dtype)t;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (str_is(name, aliases[i].name))
			return aliases[i].t;
	return DTYPE_NONE;
}

enum dtype dtype_by_storage(struct str name)
{
	const struct str tail = STR("Storage");

	if (str_is(name, "UntypedStorage"))
		return DTYPE_UINT8;
	for (unsigned t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
		if (table[t].storage[0] && str_is(name, table[t].storage))
			return (enum dtype)t;
	if (!str_ends(name, tail))
		return DTYPE_NONE;
	name = str_cut(name, name.n - tail.n);
	for (unsigned t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
		if (!table[t].storage[0] && str_eq_case(name, str_of(table[t].name)))
			return (enum dtype)t;
	return DTYPE_NONE;
}

enum dtype dtype_by_npy(struct str kind_size)
{
	for (unsigned t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++)
		if (table[t].npy[1] != 'V' && !(table[t].flags & DT_QUANT) &&
				str_is(kind_size, table[t].npy + 1))
			return (enum dtype)t;
	return DTYPE_NONE;
}

enum dtype dtype_int_repr(enum dtype t)
{
	switch (t) {
	case DTYPE_QINT8:
		return DTYPE_INT8;
	case DTYPE_QINT32:
		return DTYPE_INT32;
	case DTYPE_QUINT8:
	case DTYPE_QUINT4X2:
	case DTYPE_QUINT2X4:
		return DTYPE_UINT8;
	default:
		return t;
	}
}
