/* NumPy headers: the exact bytes, and that the shape is that of the bytes behind them. */
#include "model_kit.h"

static struct model m;

/* The header of t, NUL-terminated, without its ten bytes of prefix; checks the frame of it. */
static const char *header(struct tensor t)
{
	static char text[4096];
	struct content c = {0};
	uint32_t id = kit_add(&m, t);
	size_t len = npy_header_len(&m.tensors.at[id]), got = 0;

	OK(content_npy(&m, id, &c, NULL) == 0);
	EQ_I64(c.size, len + m.tensors.at[id].nbytes);
	EQ_I64(len % 64, 0);
	OK(content_read(&c, text, len, 0, &got, NULL) == 0);
	EQ_I64(got, len);
	EQ_MEM(text, 8, "\x93NUMPY\x01\x00", 8);
	EQ_I64((unsigned char)text[8] | (unsigned char)text[9] << 8, len - 10);
	EQ_I64(text[len - 1], '\n');
	text[len - 1] = '\0';
	for (size_t i = len - 2; text[i] == ' '; i--)
		text[i] = '\0';
	content_release(&c);
	return text + 10;
}

static void begin(void)
{
	kit_model(&m);
	kit_storage(&m, "0", kit_source(4096), 0, 4096);
}

static struct tensor of(enum dtype dt, unsigned ndim, const int64_t *shape)
{
	return kit_tensor(0, dt, ndim, shape, NULL);
}

static void shapes_of_no_one_and_two_dimensions(void)
{
	begin();
	EQ_STR(header(of(DTYPE_FLOAT32, 0, NULL)),
			"{'descr': '<f4', 'fortran_order': False, 'shape': (), }");
	EQ_STR(header(of(DTYPE_INT64, 1, SHAPE(3))),
			"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }");
	EQ_STR(header(of(DTYPE_BOOL, 2, SHAPE(3, 4))),
			"{'descr': '|b1', 'fortran_order': False, 'shape': (3, 4), }");
	model_release(&m);
}

static void types_that_numpy_lacks_are_opaque_or_integers(void)
{
	begin();
	HAS(header(of(DTYPE_BFLOAT16, 1, SHAPE(3))), "'<V2'");
	HAS(header(of(DTYPE_QINT8, 1, SHAPE(3))), "'|i1'");
	HAS(header(of(DTYPE_FLOAT8_E5M2, 1, SHAPE(3))), "'|V1'");
	model_release(&m);
}

static void the_longest_header_fits_format_1(void)
{
	int64_t shape[64];
	struct tensor t;

	begin();
	for (int k = 0; k < 64; k++)
		shape[k] = INT64_MAX;
	shape[63] = 0;
	t = of(DTYPE_COMPLEX128, 64, shape);
	OK(strlen(header(t)) > 1200);
	model_release(&m);
}

static void the_shape_is_that_of_the_bytes_shown(void)
{
	struct tensor t;

	begin();
	t = kit_tensor(0, DTYPE_FLOAT32, 2, SHAPE(INT64_C(1) << 40, 5), SHAPE(0, 1));
	HAS(header(t), "'shape': (1, 5)");
	HAS(header(of(DTYPE_QUINT4X2, 2, SHAPE(2, 3))), "'|u1', 'fortran_order': False, "
			"'shape': (4096,)");
	t = kit_tensor(MODEL_NONE, DTYPE_FLOAT32, 1, SHAPE(7), NULL);
	t.flags = TENSOR_META;
	HAS(header(t), "'shape': (0,)");
	model_release(&m);
}

static void the_elements_follow_the_header(void)
{
	struct tensor t;
	char whole[256], plain[24];
	struct content c = {0};
	uint32_t id;
	size_t got;

	begin();
	t = kit_tensor(0, DTYPE_FLOAT32, 2, SHAPE(2, 3), SHAPE(1, 2));
	id = kit_add(&m, t);
	OK(content_tensor(&m, id, &c, NULL) == 0);
	OK(content_read(&c, plain, 24, 0, &got, NULL) == 0);
	content_release(&c);
	OK(content_npy(&m, id, &c, NULL) == 0);
	OK(content_read(&c, whole, sizeof whole, 0, &got, NULL) == 0);
	EQ_I64(got, 128 + 24);
	EQ_MEM(whole + 128, 24, plain, 24);
	content_release(&c);
	model_release(&m);
}

int main(void)
{
	TEST(shapes_of_no_one_and_two_dimensions);
	TEST(types_that_numpy_lacks_are_opaque_or_integers);
	TEST(the_longest_header_fits_format_1);
	TEST(the_shape_is_that_of_the_bytes_shown);
	TEST(the_elements_follow_the_header);
	return tap_done();
}
