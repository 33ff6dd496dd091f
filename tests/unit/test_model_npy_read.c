/* NumPy headers read back: those that we write, those that others write, and those that lie. */
#include "model_kit.h"

static struct model m;
static struct err why;

/* A file of a prefix, a dict and `data` bytes. */
static struct source *file(int version, const char *dict, size_t data)
{
	size_t n = strlen(dict), begin = version == 1 ? 10 : 12;
	unsigned char *p = calloc(1, begin + n + data + 1);

	memcpy(p, "\x93NUMPY", 6);
	p[6] = (unsigned char)version;
	p[8] = n & 0xff;
	p[9] = (n >> 8) & 0xff;
	if (version > 1)
		p[10] = (n >> 16) & 0xff;
	memcpy(p + begin, dict, n);
	return source_mem_take(p, begin + n + data);
}

static int read_as(enum dtype like, int version, const char *dict, size_t data, struct npy *ret)
{
	struct source *s = file(version, dict, data);
	int rc;

	memset(&why, 0, sizeof why);
	rc = npy_read(s, like, ret, &why);
	source_unref(s);
	return rc;
}

/* Reads a header of that type over 16 bytes; DTYPE_NONE and a sentence in why when it fails. */
static enum dtype dtype_of(const char *descr, enum dtype like)
{
	char dict[256];
	struct npy v = {0};

	snprintf(dict, sizeof dict, "{'descr': %s, 'fortran_order': False, 'shape': (1,), }\n", descr);
	return read_as(like, 1, dict, 16, &v) < 0 ? DTYPE_NONE : v.dtype;
}

/* The error of a header that differs from a good one by its shape. */
static int shape_error(const char *text)
{
	char dict[1024];
	struct npy v = {.ndim = 99};
	int rc;

	snprintf(dict, sizeof dict, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }\n", text);
	rc = read_as(DTYPE_NONE, 1, dict, 16, &v);
	OK(rc == 0 || v.ndim == 99); /* untouched */
	return rc;
}

/* The error of a whole dict that is read as format 1. */
static int dict_error(const char *dict)
{
	struct npy v = {.ndim = 99};
	int rc = read_as(DTYPE_NONE, 1, dict, 16, &v);

	OK(rc == 0 || v.ndim == 99);
	return rc;
}

/* --- what we write ------------------------------------------------------------------------------ */

static void round_trip(enum dtype dt, unsigned ndim, const int64_t *shape)
{
	struct tensor t = kit_tensor(0, dt, ndim, shape, NULL);
	uint32_t id = kit_add(&m, t);
	int64_t shown[MODEL_MAX_NDIM];
	struct content c;
	struct npy v = {0};
	unsigned char *p;
	struct source *s;
	size_t got = 0;
	unsigned n = tensor_shown_shape(&m.tensors.at[id], shown);

	if (content_npy(&m, id, &c, &why) < 0) {
		OK(false);
		return;
	}
	p = malloc(c.size + 1);
	OK(content_read(&c, p, c.size, 0, &got, NULL) == 0 && got == c.size);
	s = source_mem_take(p, c.size);
	OK(npy_read(s, dt, &v, &why) == 0);
	EQ_I64(v.dtype, dt);
	OK(!v.swap && !v.fortran);
	EQ_I64(v.ndim, n);
	OK(memcmp(v.shape, shown, n * sizeof *shown) == 0);
	EQ_I64(v.data_off, npy_header_len(&m.tensors.at[id]));
	EQ_I64(v.nbytes, m.tensors.at[id].nbytes);
	source_unref(s);
	content_release(&c);
}

static void what_content_npy_writes_is_read_back_in_every_type(void)
{
	kit_model(&m);
	kit_storage(&m, "0", kit_source(4096), 0, 4096);
	for (unsigned dt = DTYPE_NONE + 1; dt < DTYPE_COUNT; dt++) {
		round_trip((enum dtype)dt, 0, NULL);
		round_trip((enum dtype)dt, 1, SHAPE(7));
		round_trip((enum dtype)dt, 3, SHAPE(2, 3, 4));
		round_trip((enum dtype)dt, 2, SHAPE(0, 5));
	}
	model_release(&m);
}

static void the_longest_header_is_read_back(void)
{
	int64_t shape[64];

	kit_model(&m);
	kit_storage(&m, "0", kit_source(64), 0, 64);
	for (int k = 0; k < 64; k++)
		shape[k] = INT64_MAX;
	shape[63] = 0;
	round_trip(DTYPE_FLOAT32, 64, shape);
	model_release(&m);
}

/* --- what others write -------------------------------------------------------------------------- */

static void types_of_numpy(void)
{
	EQ_I64(dtype_of("'<f4'", DTYPE_NONE), DTYPE_FLOAT32);
	EQ_I64(dtype_of("'>f8'", DTYPE_NONE), DTYPE_FLOAT64);
	EQ_I64(dtype_of("'<f2'", DTYPE_NONE), DTYPE_FLOAT16);
	EQ_I64(dtype_of("'|b1'", DTYPE_NONE), DTYPE_BOOL);
	EQ_I64(dtype_of("'|u1'", DTYPE_NONE), DTYPE_UINT8);
	EQ_I64(dtype_of("'|i1'", DTYPE_NONE), DTYPE_INT8);
	EQ_I64(dtype_of("'<c8'", DTYPE_NONE), DTYPE_COMPLEX64);
	EQ_I64(dtype_of("'<c16'", DTYPE_NONE), DTYPE_COMPLEX128);
	EQ_I64(dtype_of("'=u8'", DTYPE_NONE), DTYPE_UINT64);
	EQ_I64(dtype_of("\"<i2\"", DTYPE_NONE), DTYPE_INT16);
	EQ_I64(dtype_of("'f4'", DTYPE_NONE), DTYPE_FLOAT32);
}

/* By numpy 2.4 and ml_dtypes 0.5. */
static void types_of_ml_dtypes(void)
{
	EQ_I64(dtype_of("'<V2'", DTYPE_BFLOAT16), DTYPE_BFLOAT16);
	EQ_I64(dtype_of("'|V2'", DTYPE_BFLOAT16), DTYPE_BFLOAT16);
	EQ_I64(dtype_of("'<V1'", DTYPE_FLOAT8_E4M3FN), DTYPE_FLOAT8_E4M3FN);
	EQ_I64(dtype_of("'<f1'", DTYPE_FLOAT8_E5M2), DTYPE_FLOAT8_E5M2);
	EQ_I64(dtype_of("'<f1'", DTYPE_FLOAT32), DTYPE_FLOAT8_E5M2);
}

static void void_is_taken_for_what_was_there_if_the_size_is_right(void)
{
	EQ_I64(dtype_of("'<V4'", DTYPE_COMPLEX32), DTYPE_COMPLEX32);
	EQ_I64(dtype_of("'|V8'", DTYPE_FLOAT64), DTYPE_FLOAT64);
	EQ_I64(dtype_of("'|V16'", DTYPE_COMPLEX128), DTYPE_COMPLEX128);
	EQ_I64(dtype_of("'<V2'", DTYPE_FLOAT32), DTYPE_NONE);
	EQ_I64(why.code, ERR_UNSUPPORTED);
	HAS(why.text, "'<V2'");
	EQ_I64(dtype_of("'|V1'", DTYPE_NONE), DTYPE_NONE);
	EQ_I64(dtype_of("'|V300'", DTYPE_UINT8), DTYPE_NONE);
	EQ_I64(dtype_of("'|V'", DTYPE_UINT8), DTYPE_NONE);
}

static void integers_stand_for_types_that_numpy_lacks(void)
{
	EQ_I64(dtype_of("'<u2'", DTYPE_BFLOAT16), DTYPE_BFLOAT16);
	EQ_I64(dtype_of("'<i2'", DTYPE_BFLOAT16), DTYPE_BFLOAT16);
	EQ_I64(dtype_of("'|u1'", DTYPE_FLOAT8_E5M2), DTYPE_FLOAT8_E5M2);
	EQ_I64(dtype_of("'|u1'", DTYPE_QUINT8), DTYPE_QUINT8);
	EQ_I64(dtype_of("'<i4'", DTYPE_QINT32), DTYPE_QINT32);
	EQ_I64(dtype_of("'|u1'", DTYPE_QUINT2X4), DTYPE_QUINT2X4);
}

/* Whoever writes an int32 array over a float32 tensor means an int32 tensor. */
static void but_not_for_those_that_it_has(void)
{
	EQ_I64(dtype_of("'<i4'", DTYPE_FLOAT32), DTYPE_INT32);
	EQ_I64(dtype_of("'<u2'", DTYPE_FLOAT16), DTYPE_UINT16);
	EQ_I64(dtype_of("'<f2'", DTYPE_BFLOAT16), DTYPE_FLOAT16);
	EQ_I64(dtype_of("'<u4'", DTYPE_BFLOAT16), DTYPE_UINT32);
	EQ_I64(dtype_of("'|i1'", DTYPE_QUINT8), DTYPE_INT8);
	EQ_I64(dtype_of("'|b1'", DTYPE_FLOAT8_E5M2), DTYPE_BOOL);
}

static void types_that_torch_lacks_are_unsupported_by_their_names(void)
{
	static const char *const names[] = {"'<f16'", "'<c32'", "'|S5'", "'<U3'", "'<M8[ns]'",
			"'<m8'", "'<q9'", "''", "'<'", "'float32'", "'<f4x'", "'<<f4'"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		EQ_I64(dtype_of(names[i], DTYPE_FLOAT32), DTYPE_NONE);
		EQ_I64(why.code, ERR_UNSUPPORTED);
		HAS(why.text, names[i]);
	}
	EQ_I64(dtype_of("'|O'", DTYPE_FLOAT32), DTYPE_NONE);
	HAS(why.text, "objects");
	EQ_I64(why.code, ERR_UNSUPPORTED);
	EQ_I64(dtype_of("[('a', '<f4'), ('b', '<i8')]", DTYPE_FLOAT32), DTYPE_NONE);
	EQ_I64(why.code, ERR_UNSUPPORTED);
	HAS(why.text, "records");
}

static bool swapped(const char *descr, enum dtype like)
{
	char dict[256];
	struct npy v = {0};

	snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (1,), }\n", descr);
	OK(read_as(like, 1, dict, 16, &v) == 0);
	return v.swap;
}

static void the_other_byte_order_is_to_be_swapped(void)
{
	const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	OK(swapped(">f4", DTYPE_NONE) == !big);
	OK(swapped("<f4", DTYPE_NONE) == big);
	OK(swapped(">c8", DTYPE_NONE) == !big);
	OK(swapped(">V2", DTYPE_BFLOAT16) == !big);
	OK(!swapped("=f4", DTYPE_NONE));
	OK(!swapped("f4", DTYPE_NONE));
	OK(!swapped("|V2", DTYPE_BFLOAT16));
	OK(!swapped(">u1", DTYPE_NONE));
	OK(!swapped("<b1", DTYPE_NONE));
}

static void fortran_order_is_told(void)
{
	struct npy v = {0};

	OK(read_as(DTYPE_NONE, 1,
			"{'descr': '<c8', 'fortran_order': True, 'shape': (2, 3), }          \n", 48,
			&v) == 0);
	OK(v.fortran);
	EQ_I64(v.ndim, 2);
	EQ_I64(v.shape[0], 2);
	EQ_I64(v.shape[1], 3);
	EQ_I64(v.data_off, 10 + strlen("{'descr': '<c8', 'fortran_order': True, 'shape': (2, 3), }"
				       "          \n"));
	EQ_I64(v.nbytes, 48);
}

static void formats_2_and_3_have_a_longer_length(void)
{
	static char dict[60000];
	struct npy v = {0};

	for (int version = 1; version <= 3; version++) {
		OK(read_as(DTYPE_NONE, version,
				"{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }\n", 5,
				&v) == 0);
		EQ_I64(v.data_off, (version == 1 ? 10 : 12) + 58);
	}
	snprintf(dict, sizeof dict, "%59998s\n", "{'descr':'|u1','fortran_order':False,'shape':()}");
	OK(read_as(DTYPE_NONE, 2, dict, 1, &v) == 0);
	EQ_I64(v.ndim, 0);
	EQ_I64(v.nbytes, 1);
}

static void keys_come_in_any_order_with_any_space(void)
{
	EQ_I64(dict_error("{\"shape\":(4,),'fortran_order':False,'descr':'<f4'}"), 0);
	EQ_I64(dict_error("  {  'fortran_order' : True ,\n\t'shape' : ( 2 , 2 , ) , 'descr' : "
			  "\"<f4\" }\n  \n"), 0);
	EQ_I64(dict_error("{'descr':'|u1','fortran_order':False,'shape':(2L, 8L)}"), 0);
	EQ_I64(shape_error("()"), 0);
	EQ_I64(shape_error("( )"), 0);
	EQ_I64(shape_error("(16,)"), 0);
	EQ_I64(shape_error("(4,4)"), 0);
	EQ_I64(shape_error("(4, 4,)"), 0);
	EQ_I64(shape_error("(0,)"), 0);
}

static void long_numbers_are_python_2s(void)
{
	struct npy v;

	EQ_I64(read_as(DTYPE_NONE, 3, "{'descr':'|u1','fortran_order':False,'shape':(2L,)}", 16, &v),
			ERR_DAMAGED);
	HAS(why.text, "has L at byte 59");
}

/* As numpy has it: a file may go on with another array. */
static void bytes_behind_the_elements_are_not_looked_at(void)
{
	struct npy v = {0};

	OK(read_as(DTYPE_NONE, 1, "{'descr':'<f4','fortran_order':False,'shape':(2,)}", 100, &v) == 0);
	EQ_I64(v.nbytes, 8);
}

/* --- what lies ---------------------------------------------------------------------------------- */

static void shapes_that_are_none(void)
{
	static const char *const shapes[] = {"(3)", "3", "[3]", "(,)", "(3,,)", "(3 4)", "(-1,)",
			"(+3,)", "(1_0,)", "(03,)", "(00,)", "(0x3,)", "(True,)", "(3.0,)", "('3',)",
			"((3,),)", "(3,", "None", "(3, 4", "(9223372036854775808,)", "(2LL,)", ""};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		EQ_I64(shape_error(shapes[i]), ERR_DAMAGED);
		if (why.code != ERR_DAMAGED)
			printf("# %s\n", shapes[i]);
	}
	EQ_I64(shape_error("(3)"), ERR_DAMAGED);
	HAS(why.text, "has ) at byte 62, where a comma is wanted");
}

static void dicts_that_are_none(void)
{
	static const char *const dicts[] = {"", "{", "{}", "None", "[]", "{'descr'}",
			"{'descr': '<f4'}", "{'descr': '<f4', 'shape': ()}",
			"{'fortran_order': False, 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': False}",
			"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': false, 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': Falsey, 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': False 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': False,, 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}",
			"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'shape': ()}",
			"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x",
			"{'descr': '<f4', 'fortran_order': False, 'shape': ()}}",
			"{'descr': '<f4', 'fortran_order': False, 'shape': ()",
			"{'descr': '<f4', 'fortran_order: False, 'shape': ()}",
			"{'descr': '<f4', 'fortran_order\": False, 'shape': ()}",
			"{'desc\\x72': '<f4', 'fortran_order': False, 'shape': ()}",
			"{'descr\n': '<f4', 'fortran_order': False, 'shape': ()}",
			"{descr: '<f4', 'fortran_order': False, 'shape': ()}",
			"{'descr': <f4, 'fortran_order': False, 'shape': ()}",
			"{'descr': '<f4'; 'fortran_order': False, 'shape': ()}",
			"{,'descr': '<f4', 'fortran_order': False, 'shape': ()}",
			"{'descr': '<f\xff', 'fortran_order': False, 'shape': ()}",
			"# {'descr': '<f4', 'fortran_order': False, 'shape': ()}"};

	for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++) {
		EQ_I64(dict_error(dicts[i]), ERR_DAMAGED);
		if (why.code != ERR_DAMAGED)
			printf("# %s\n", dicts[i]);
	}
	EQ_I64(dict_error("{'descr': '<f4', 'shape': ()}"), ERR_DAMAGED);
	HAS(why.text, "does not say 'fortran_order'");
	EQ_I64(dict_error("{'descr': '<f4', 'descr': '<f4'}"), ERR_DAMAGED);
	HAS(why.text, "'descr' twice");
}

/* The string functions of C stop at them. */
static void a_nul_byte_is_no_space(void)
{
	char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': ()}  ";
	struct npy v = {.ndim = 99};
	struct source *s = file(1, dict, 4);
	char *p = malloc(s->size);
	uint64_t n = s->size;

	OK(source_read(s, p, n, 0, NULL) == 0);
	source_unref(s);
	p[n - 5] = 0;
	s = source_mem_take(p, n);
	EQ_I64(npy_read(s, DTYPE_NONE, &v, &why), ERR_DAMAGED);
	EQ_I64(v.ndim, 99);
	source_unref(s);
}

static void sizes_that_overflow(void)
{
	EQ_I64(shape_error("(4294967296, 4294967296)"), ERR_DAMAGED);
	HAS(why.text, "2^63");
	EQ_I64(shape_error("(9223372036854775807,)"), ERR_DAMAGED);
	HAS(why.text, "9223372036854775807 bytes from byte");
	EQ_I64(shape_error("(4294967296, 4294967296, 0)"), 0);
	EQ_I64(shape_error("(17,)"), ERR_DAMAGED);
	HAS(why.text, "take 17 bytes");
	HAS(why.text, "16 are there");
}

static void at_most_64_dimensions(void)
{
	char text[512] = "(";

	for (int k = 0; k < 64; k++)
		memcpy(text + 1 + 2 * k, "1,", 3);
	memcpy(text + 129, ")", 2);
	EQ_I64(shape_error(text), 0);
	memcpy(text + 129, "1)", 3);
	EQ_I64(shape_error(text), ERR_UNSUPPORTED);
	HAS(why.text, "64");
}

/* Every length of a good file but its own. */
static void a_file_cut_short_anywhere_is_damaged(void)
{
	struct source *s = file(2, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", 16);

	for (uint64_t n = 0; n <= s->size; n++) {
		struct source *cut = source_window(s, 0, n);
		struct npy v = {.ndim = 99};
		struct err e = {0};

		EQ_I64(npy_read(cut, DTYPE_NONE, &v, &e), n < s->size ? ERR_DAMAGED : 0);
		EQ_I64(v.ndim, n < s->size ? 99 : 1);
		if (n < 6)
			HAS(e.text, "not a .npy file");
		else if (n < s->size)
			HAS(e.text, "cut short");
		source_unref(cut);
	}
	source_unref(s);
}

static void other_files_and_other_formats(void)
{
	static const char *const files[] = {"\x93NUMPZ\1\0\0\0", "\x93NUMPY\0\0\0\0",
			"\x93NUMPY\4\0\0\0\0\0", "\x93NUMPY\1\1\0\0"};
	static const int want[] = {ERR_DAMAGED, ERR_UNSUPPORTED, ERR_UNSUPPORTED, ERR_UNSUPPORTED};

	for (size_t i = 0; i < 4; i++) {
		struct source *s = source_mem_borrow(files[i], 10);
		struct npy v;

		EQ_I64(npy_read(s, DTYPE_NONE, &v, &why), want[i]);
		source_unref(s);
	}
	HAS(why.text, "1.1");
}

static void a_header_over_64_kib_is_not_read(void)
{
	size_t n = 70000;
	char *dict = malloc(n + 1);
	struct npy v;

	memset(dict, ' ', n);
	dict[n] = 0;
	EQ_I64(read_as(DTYPE_NONE, 2, dict, 0, &v), ERR_LIMIT);
	HAS(why.text, "70000");
	free(dict);
}

static int fails(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	return err_set(e, ERR_SYS, "the cable is out");
}

static void an_error_of_the_source_is_its_own(void)
{
	static const struct source_ops ops = {.name = "fails", .read_at = fails};
	struct source s;
	struct npy v;

	source_init(&s, &ops, 1000);
	EQ_I64(npy_read(&s, DTYPE_NONE, &v, &why), ERR_SYS);
}

int main(void)
{
	TEST(what_content_npy_writes_is_read_back_in_every_type);
	TEST(the_longest_header_is_read_back);
	TEST(types_of_numpy);
	TEST(types_of_ml_dtypes);
	TEST(void_is_taken_for_what_was_there_if_the_size_is_right);
	TEST(integers_stand_for_types_that_numpy_lacks);
	TEST(but_not_for_those_that_it_has);
	TEST(types_that_torch_lacks_are_unsupported_by_their_names);
	TEST(the_other_byte_order_is_to_be_swapped);
	TEST(fortran_order_is_told);
	TEST(formats_2_and_3_have_a_longer_length);
	TEST(keys_come_in_any_order_with_any_space);
	TEST(long_numbers_are_python_2s);
	TEST(bytes_behind_the_elements_are_not_looked_at);
	TEST(shapes_that_are_none);
	TEST(dicts_that_are_none);
	TEST(a_nul_byte_is_no_space);
	TEST(sizes_that_overflow);
	TEST(at_most_64_dimensions);
	TEST(a_file_cut_short_anywhere_is_damaged);
	TEST(other_files_and_other_formats);
	TEST(a_header_over_64_kib_is_not_read);
	TEST(an_error_of_the_source_is_its_own);
	return tap_done();
}
