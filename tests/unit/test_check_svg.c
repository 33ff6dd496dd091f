/* The picture: well-formed whatever the tensor and its name are, bounded, showing what is there. */
#include "check_kit.h"

#include <float.h>

#define LIMIT (256u << 10)

static struct buf svg; /* the last picture, with a NUL behind it */

/* --- is it XML? ----------------------------------------------------------------------------- */

static bool entity_ok(const char *p)
{
	static const char *const known[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#160;"};

	for (unsigned k = 0; k < sizeof known / sizeof *known; k++)
		if (strncmp(p, known[k], strlen(known[k])) == 0)
			return true;
	return false;
}

/* Tags are balanced, attributes quoted, text has no bare '<' or '&', bytes are UTF-8. A subset of
 * XML, but svg.c writes no more than that. */
static bool well_formed(void)
{
	const char *open[32];
	size_t len[32];
	unsigned depth = 0;
	const char *p = svg.p;

	if (!str_utf8(str_of(p)))
		return false;
	for (; *p; p++) {
		if ((unsigned char)*p < 0x20 && *p != '\n')
			return false;
		if (*p == '&' && !entity_ok(p))
			return false;
		if (*p != '<')
			continue;
		bool end = p[1] == '/';
		const char *name = p + 1 + end;
		size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
		unsigned quotes = 0;

		for (p = name + n; *p && *p != '>'; p++) {
			quotes += *p == '"';
			if (*p == '<' || (*p == '&' && !entity_ok(p)))
				return false;
		}
		if (!*p || n == 0 || quotes % 2)
			return false;
		if (end) {
			if (depth-- == 0 || len[depth] != n || memcmp(open[depth], name, n) != 0)
				return false;
		} else if (p[-1] != '/') {
			if (depth == 32)
				return false;
			open[depth] = name;
			len[depth++] = n;
		}
	}
	return depth == 0;
}

/* --- drawing -------------------------------------------------------------------------------- */

#define SHAPE(...)                                                                                 \
	(const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static void draw(enum dtype dt, const void *p, size_t n, struct str title, const int64_t *shape,
		unsigned ndim)
{
	struct content c = kit_content(p, n);

	buf_release(&svg);
	buf_init(&svg, 1 << 20);
	OK(svg_of(&c, dt, shape, ndim, title, &svg, NULL) == 0);
	OK(svg.n > 0 && svg.n < LIMIT);
	buf_putc(&svg, '\0');
	OK(!svg.failed);
	OK(well_formed());
	OK(strncmp(svg.p, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39) == 0);
	content_release(&c);
}

static void shows_name_dtype_shape_and_numbers(void)
{
	const float v[] = {-1, 0, 2, 7, NAN, NAN};

	draw(DTYPE_FLOAT32, v, sizeof v, STR("fc.bias"), SHAPE(6));
	HAS(svg.p, ">fc.bias</text>");
	HAS(svg.p, "float32 &#160;[6] &#160;6 elements &#160;24 B<");
	HAS(svg.p, ">-1</text>");
	HAS(svg.p, ">3.559</text>");
	HAS(svg.p, ">16.7 %</text>"); /* zeros */
	HAS(svg.p, "class=\"bad\"");   /* NaN */
	HAS(svg.p, "finite elements; the highest bar is 1 (25 %)");
	OK(!strstr(svg.p, "scale("));  /* no heat map of one dimension */
}

static void healthy_tensors_raise_no_alarm(void)
{
	const float v[] = {-1, 0, 2, 7};

	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(2, 2));
	OK(!strstr(svg.p, "class=\"bad\""));
	OK(!strstr(svg.p, "NaN or Inf in it"));
}

/* 1 and 1 as the ends of an axis would be no help. */
static void nearly_equal_numbers_have_more_digits(void)
{
	const double v[] = {1, 1.0000005};

	draw(DTYPE_FLOAT64, v, sizeof v, STR("w"), SHAPE(2));
	HAS(svg.p, ">1.0000005</text>");
	HAS(svg.p, ">1.00000025</text>");
}

/* Keys are anybody's text: markup, control characters, bytes that are not UTF-8. */
static void any_name_is_escaped(void)
{
	const float v[] = {1, 2};
	const struct str names[] = {STR("<script>&\"'</script>"), STR("a\0b\nc\x1b\x7f"),
		STR("\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80"),
		STR("\xef\xbf\xbf\xef\xbf\xbe"),
		STR("gr\xc3\xb6\xc3\x9f" "e \xe9\x87\x8d\xe3\x81\xbf \xf0\x9f\xa7\xa0"), STR("")};

	for (unsigned k = 0; k < sizeof names / sizeof *names; k++) {
		draw(DTYPE_FLOAT32, v, sizeof v, names[k], SHAPE(2));
		OK(!strstr(svg.p, "<script"));
		OK(!strstr(svg.p, "\xef\xbf\xbf") && !strstr(svg.p, "\xef\xbf\xbe"));
	}
	draw(DTYPE_FLOAT32, v, sizeof v, names[0], SHAPE(2));
	HAS(svg.p, ">&lt;script&gt;&amp;&quot;'&lt;/script&gt;</text>");
	draw(DTYPE_FLOAT32, v, sizeof v, names[4], SHAPE(2));
	HAS(svg.p, ">gr\xc3\xb6\xc3\x9f" "e \xe9\x87\x8d\xe3\x81\xbf \xf0\x9f\xa7\xa0</text>");
}

static void of_a_long_name_the_end_is_shown(void)
{
	const float v[] = {1, 2};
	static char name[100000];

	memset(name, 'a', sizeof name);
	memcpy(name + sizeof name - 7, ".weight", 7);
	draw(DTYPE_FLOAT32, v, sizeof v, (struct str){name, sizeof name}, SHAPE(2));
	HAS(svg.p, "y=\"38\">…aaa");
	HAS(svg.p, "aaa.weight</text>");
}

static void tensors_without_numbers_say_so(void)
{
	const float v[] = {NAN, INFINITY};
	const uint8_t raw[4] = {0};

	draw(DTYPE_FLOAT32, "", 0, STR("w"), SHAPE(0, 3));
	HAS(svg.p, "There are no elements.");
	draw(DTYPE_FLOAT32, "", 0, STR("meta"), SHAPE(4, 3));
	HAS(svg.p, "There are no elements.");
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(2));
	HAS(svg.p, "No element is finite.");
	draw(DTYPE_BITS8, raw, sizeof raw, STR("w"), SHAPE(2, 2));
	HAS(svg.p, "Bits that are not numbers");
	OK(!strstr(svg.p, "scale("));
}

static void a_scalar_has_a_picture(void)
{
	const int64_t v[] = {12};

	draw(DTYPE_INT64, v, sizeof v, STR("num_batches_tracked"), NULL, 0);
	HAS(svg.p, "int64 &#160;[] &#160;1 elements");
}

/* --- heat map ------------------------------------------------------------------------------- */

#define RED "#9e2028"
#define WHITE "#f3f3f1"
#define BLUE "#214b8c"
#define AMBER "#e3a008"

/* Cells one by one: paths are in the order of the levels, moves relative to the end of the last. */
static void four_cells_in_the_colours_of_their_values(void)
{
	const float v[] = {2, -2, NAN, 0};

	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(2, 2));
	HAS(svg.p, "<path stroke=\"" BLUE "\" d=\"M0 0m1 0h1\"/>");
	HAS(svg.p, "<path stroke=\"" WHITE "\" d=\"M0 0m1 1h1\"/>");
	HAS(svg.p, "<path stroke=\"" RED "\" d=\"M0 0m0 0h1\"/>");
	HAS(svg.p, "<path stroke=\"" AMBER "\" d=\"M0 0m0 1h1\"/>");
	HAS(svg.p, "2 rows × 2 columns<");
	HAS(svg.p, ">-2</text>");
	HAS(svg.p, "NaN or Inf in it");
}

/* 256 x 256 into 128 x 128: each cell is the mean of 2 x 2; the +1 and -1 of a checkerboard cancel,
 * and one block of four stands out. */
static void large_matrices_are_shown_by_block_means(void)
{
	static float v[256][256];

	for (int i = 0; i < 256; i++)
		for (int j = 0; j < 256; j++)
			v[i][j] = (i + j) % 2 ? 1 : -1;
	v[10][20] = v[10][21] = v[11][20] = v[11][21] = 4;
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(256, 256));
	HAS(svg.p, "256 rows × 256 columns, each cell the mean of 2 × 2 elements");
	HAS(svg.p, "<path stroke=\"" RED "\" d=\"M0 0m10 5h1\"/>");
	OK(!strstr(svg.p, BLUE "\" d=\"M0 0m"));
}

/* 200 does not divide into 128 cells evenly: every element must fall into exactly one of them. The
 * matrix is 1 throughout, so every cell's mean is, but for the one with the last element. */
static void uneven_blocks_cover_everything_once(void)
{
	static float v[200 * 300];

	for (int i = 0; i < 200 * 300; i++)
		v[i] = 1;
	v[200 * 300 - 1] = -100;
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(200, 300));
	HAS(svg.p, "<path stroke=\"" RED "\" d=\"M0 0m0 0h128m-128 1h128");
	HAS(svg.p, "m-128 1h127\"/>");
	HAS(svg.p, "<path stroke=\"" BLUE "\" d=\"M0 0m127 127h1\"/>");
	OK(!strstr(svg.p, WHITE "\" d=\"M0 0m"));
}

/* The scale is that of the 9,999 others. */
static void one_outlier_does_not_make_all_others_white(void)
{
	static float v[100][100];

	for (int i = 0; i < 100; i++)
		for (int j = 0; j < 100; j++)
			v[i][j] = (j % 2 ? 1.0f : -1.0f);
	v[50][50] = 1e6f;
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(100, 100));
	HAS(svg.p, ">≥ 1</text>");
	HAS(svg.p, ">≤ -1</text>");
}

static void three_dimensions_are_cut_where_it_is_most_nearly_square(void)
{
	static float v[3 * 20 * 50];

	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(3, 20, 50));
	HAS(svg.p, "60 rows × 50 columns");
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(50, 20, 3));
	HAS(svg.p, "50 rows × 60 columns");
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(1, 1, 3000));
	HAS(svg.p, "1 row × 3,000 columns");
}

/* A 2 x 1 x 2 x 2: two kernels side by side, a gap of one cell between them. */
static void filters_are_a_grid_of_kernels(void)
{
	const float v[] = {1, -1, -1, 1, -1, 1, 1, -1};

	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(2, 1, 2, 2));
	HAS(svg.p, "2 × 1 kernels of 2 × 2<");
	HAS(svg.p, "<path stroke=\"" RED "\" d=\"M0 0m0 0h1m3 0h1m-4 1h1m1 0h1\"/>");
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(1, 2, 2, 2));
	HAS(svg.p, "1 × 2 kernels of 2 × 2<");
	HAS(svg.p, "<path stroke=\"" RED "\" d=\"M0 0m0 0h1m3 0h1m-4 1h1m1 0h1\"/>");
}

/* 1 x 1 filters are the matrix they are. */
static void one_by_one_filters_are_a_matrix(void)
{
	static float v[60 * 30];

	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(60, 30, 1, 1));
	HAS(svg.p, "60 rows × 30 columns");
}

static void of_many_filters_some_are_shown_as_they_are(void)
{
	float *v = calloc(512 * 512, 9 * sizeof *v);

	v[9 * 512 * 16 + 4] = 1; /* filter 16, input 0: the second row of 32 that are shown */
	draw(DTYPE_FLOAT32, v, 512 * 512 * 9 * sizeof *v, STR("w"),
			SHAPE(512, 512, 3, 3));
	HAS(svg.p, "512 × 512 kernels of 3 × 3, of which 32 × 32 are shown, evenly spaced");
	HAS(svg.p, "<path stroke=\"" RED "\" d=\"M0 0m1 5h1\"/>");
	free(v);
}

/* --- bounds --------------------------------------------------------------------------------- */

/* Noise: neighbours nearly never share a colour, so nothing is saved. */
static void the_noisiest_pictures_are_below_256_kib(void)
{
	static const int64_t shapes[][4] = {{128, 128, 1, 1}, {8, 8, 16, 16}, {16, 4, 15, 15},
		{1, 64, 16, 16}, {64, 64, 1, 2}, {64, 64, 2, 1}, {16384, 1, 1, 1}};
	static float v[128 * 128];
	uint32_t state = 1;

	for (unsigned i = 0; i < 128 * 128; i++) {
		state = state * 1664525 + 1013904223;
		v[i] = (float)(int32_t)state;
	}
	for (unsigned k = 0; k < sizeof shapes / sizeof *shapes; k++) {
		const int64_t *s = shapes[k];
		size_t n = (size_t)(s[0] * s[1] * s[2] * s[3]) * sizeof *v;

		OK(n <= sizeof v);
		draw(DTYPE_FLOAT32, v, n, STR("noise"), s, 4);
	}
}

static void extreme_values_do_not_break_it(void)
{
	const double v[] = {DBL_MAX, -DBL_MAX, DBL_MAX, DBL_MAX, 0, 0x1p-1074};
	const double tiny[] = {0, 0x1p-1074, 0x1p-1073, 0};
	const uint64_t big[] = {UINT64_MAX, 0, 1, UINT64_MAX};

	draw(DTYPE_FLOAT64, v, sizeof v, STR("w"), SHAPE(2, 3));
	OK(!strstr(svg.p, "nan"));
	draw(DTYPE_FLOAT64, v, sizeof *v, STR("w"), SHAPE(1));
	OK(!strstr(svg.p, "nan"));
	draw(DTYPE_FLOAT64, tiny, sizeof tiny, STR("w"), SHAPE(2, 2));
	OK(!strstr(svg.p, "nan"));
	draw(DTYPE_UINT64, big, sizeof big, STR("w"), SHAPE(2, 2));
	HAS(svg.p, ">1.8447e+19</text>");
}

static void sixty_four_dimensions_are_shown(void)
{
	int64_t shape[64];
	const float v[] = {1, 2, 3, 4};

	for (int i = 0; i < 64; i++)
		shape[i] = i == 5 || i == 40 ? 2 : 1;
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), shape, 64);
	HAS(svg.p, "2 rows × 2 columns");
}

/* Must not read beyond what is there when somebody hands in a shape that is not the content's. */
static void a_shape_that_does_not_fit_gets_no_heat_map(void)
{
	const float v[] = {1, 2, 3, 4, 5};

	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(2, 2));
	OK(!strstr(svg.p, "scale("));
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(5, 2));
	OK(!strstr(svg.p, "scale("));
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(-1, -5));
	OK(!strstr(svg.p, "scale("));
	draw(DTYPE_FLOAT32, v, sizeof v, STR("w"), SHAPE(INT64_MAX, INT64_MAX));
	OK(!strstr(svg.p, "scale("));
}

static void a_read_error_writes_nothing(void)
{
	struct content c = kit_torn_content(400, 100);
	struct err e = {0};
	struct buf out;

	buf_init(&out, 1000);
	EQ_I64(svg_of(&c, DTYPE_FLOAT32, SHAPE(10, 10), STR("w"), &out, &e), ERR_TRUNCATED);
	EQ_I64(out.n, 0);
	buf_release(&out);
	content_release(&c);
}

int main(void)
{
	TEST(shows_name_dtype_shape_and_numbers);
	TEST(healthy_tensors_raise_no_alarm);
	TEST(nearly_equal_numbers_have_more_digits);
	TEST(any_name_is_escaped);
	TEST(of_a_long_name_the_end_is_shown);
	TEST(tensors_without_numbers_say_so);
	TEST(a_scalar_has_a_picture);
	TEST(four_cells_in_the_colours_of_their_values);
	TEST(large_matrices_are_shown_by_block_means);
	TEST(uneven_blocks_cover_everything_once);
	TEST(one_outlier_does_not_make_all_others_white);
	TEST(three_dimensions_are_cut_where_it_is_most_nearly_square);
	TEST(filters_are_a_grid_of_kernels);
	TEST(one_by_one_filters_are_a_matrix);
	TEST(of_many_filters_some_are_shown_as_they_are);
	TEST(the_noisiest_pictures_are_below_256_kib);
	TEST(extreme_values_do_not_break_it);
	TEST(sixty_four_dimensions_are_shown);
	TEST(a_shape_that_does_not_fit_gets_no_heat_map);
	TEST(a_read_error_writes_nothing);
	buf_release(&svg);
	return tap_done();
}
