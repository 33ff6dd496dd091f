/* Text that a user wrote, as objects: what a file shows must read back as what it shows, and what
 * has not changed must be the very same object. */
#include "parse_kit.h"

/* --- what a file shows reads back --------------------------------------------------------------- */

struct sample {
	const char *bytes;
	size_t n;
};
#define S(literal) {(literal), sizeof(literal) - 1}

/* Of each kind two or more. Every one is shown, and read back where each other of its kind was. */
static const struct sample *const kinds[] = {
		(const struct sample[]){S("K\0."), S("J\xff\xff\xff\xff."), S("K\x0c."),
				S("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."),
				S("\x8a\x08\0\0\0\0\0\0\0\x80."), S("\x8a\x09\0\0\0\0\0\0\0\x80\0."),
				S("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff."),
				S("\x8a\x0b\1\2\3\4\5\6\7\x08\x09\x0a\x0b."), {0}},
		(const struct sample[]){S("I00\n."), S("I01\n."), {0}},
		(const struct sample[]){S("N."), {0}},
		(const struct sample[]){S("X\0\0\0\0."), S("X\4\0\0\0None."), S("X\5\0\0\0a\nb\n\n."),
				S("X\3\0\0\0 1 ."), S("X\2\0\0\0\xc3\xa9."), S("X\1\0\0\0\0."), {0}},
		(const struct sample[]){S("U\0."), S("U\3a b."), {0}}, /* Python 2 */
		(const struct sample[]){S("C\0."), S("C\3\0\n\xff."), S("B\1\0\0\0\n."),
				S(LATIN("\3", "h\xc3\xbf") "."), S("c__builtin__\nbytes\n)R."), {0}},
		(const struct sample[]){S("\x96\2\0\0\0\0\0\0\0\n\n."),
				S("c__builtin__\nbytearray\n" LATIN("\1", "x") "\x85R."), {0}},
		(const struct sample[]){S("]."), S("]K\1a."), S("](K\1K\2]K\3ae."),
				S("](X\1\0\0\0aNI01\nG\x3f\xf8\0\0\0\0\0\0e."), {0}},
		(const struct sample[]){S(")."), S("K\1\x85."), S("K\1]K\2a\x86."),
				S("(K\1K\2K\3K\4t."), {0}},
		(const struct sample[]){S("\x8f."), S("\x8f(K\1K\2\x90."), {0}},
		(const struct sample[]){S("(\x91."), S("(K\1K\2\x91."), {0}},
		(const struct sample[]){S("c__builtin__\nset\n]\x85R."),
				S("c__builtin__\nset\n](K\1K\2e\x85R."), {0}},
		(const struct sample[]){S("ctorch\nSize\n)\x85R."),
				S("ctorch\nSize\n(K\2K\3K\4K\5t\x85R."), {0}},
		(const struct sample[]){S("ctorch\nfloat32\n."), S("ctorch\nbfloat16\n."), {0}},
		(const struct sample[]){S("ctorch\ndevice\nX\3\0\0\0cpu\x85R."),
				S("ctorch\ndevice\nX\4\0\0\0cudaK\1\x86R."),
				S("ctorch\ndevice\nX\4\0\0\0cudaK\0\x86R."), {0}},
		(const struct sample[]){S("cpathlib\nPosixPath\nX\4\0\0\0/a/b\x85R."),
				S("cpathlib\nPosixPath\nX\1\0\0\0c\x85R."), {0}},
		(const struct sample[]){S("ccollections\ndeque\n)R(K\1K\2e."),
				S("ccollections\ndeque\n)RK\3a."), {0}},
};

static void what_is_shown_reads_back_for_every_kind(void)
{
	const char *wanted;
	oref x, was, back;

	begin();
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
		for (const struct sample *a = kinds[k]; a->bytes; a++)
			for (const struct sample *b = kinds[k]; b->bytes; b++) {
				struct buf shown;

				x = load(a->bytes, a->n);
				was = load(b->bytes, b->n);
				wanted = say('r', x);
				buf_init(&shown, 1 << 16);
				if (k == 5 || k == 6) { /* bytes are shown as they are */
					struct source *src = NULL;
					OK(obj_bytes_source(&g, x, &src, &e) == 0);
					char raw[16];
					OK(source_read(src, raw, src->size, 0, &e) == 0);
					buf_put(&shown, raw, src->size);
					source_unref(src);
				} else {
					OK(obj_value_text(&g, x, &shown, &e) == 0);
					buf_putc(&shown, '\n');
				}
				back = parse_str(was, buf_view(&shown));
				EQ_STR(say('r', back), wanted);
				if (a == b) /* the same content: nothing has changed */
					EQ_I64(back, was);
				buf_release(&shown);
			}
	graph_release(&g);
}

static void unchanged_text_of_any_object_is_no_edit(void)
{
	static const struct sample odd[] = {
			S("cm\nf\n."), /* a function */
			S("cdatetime\ndatetime\n" LATIN("\x0b", "\7\xc3\xa8\5\6\7\x08\x09\0\0\x0a")
					"\x85R."),
			S("c__builtin__\ngetattr\ncm\nC\nX\1\0\0\0x\x86R."),
			S("c__builtin__\ncomplex\nF1\nF2\n\x86R."),
			S("]q\0h\0a."), /* a list in itself */
	};

	begin();
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		oref was = load(odd[i].bytes, odd[i].n);
		const char *shown = say('v', was);

		EQ_I64(parse(was, shown), was);
		refused(i == 4 ? ERR_INVALID : ERR_UNSUPPORTED, was, "1");
	}
	graph_release(&g);
}

/* --- numbers ------------------------------------------------------------------------------------ */

static unsigned next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* Pseudo-random numbers of 1 to 1786 bytes: 4,300 digits are as many as are shown in decimal. */
static void ints_of_any_size(void)
{
	char bytes[1786], text[4400];
	unsigned seed = 1;
	struct str s;

	begin();
	for (unsigned round = 0; round < 300; round++) {
		size_t n = 1 + (round % 20 ? next(&seed) % 40 : next(&seed) % sizeof bytes);
		struct buf shown;
		int64_t v = 0;
		oref r;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)(round % 3 ? next(&seed) : round % 2 ? 0xff : 0);
		bytes[n - 1] = (char)(next(&seed) | 1);
		if (n > 1 && ((unsigned char)bytes[n - 1] == 0xff || bytes[n - 1] == 0))
			bytes[n - 1] = 0x55; /* as few bytes as there can be */
		buf_init(&shown, sizeof text);
		OK(long_text((struct str){bytes, n}, &shown) == 0);
		r = parse_str(obj_new_int(&g, 77, 0), buf_view(&shown));
		if (n <= 8) {
			OK(obj_kind(&g, r) == OBJ_KIND_INT && obj_int(&g, r, &v));
			for (size_t i = 0; i < n; i++)
				EQ_I64((char)(v >> 8 * i), bytes[i]);
			EQ_I64(v >> (8 * n - 1), bytes[n - 1] < 0 ? -1 : 0);
		} else {
			OK(obj_kind(&g, r) == OBJ_KIND_LONG && obj_text(&g, r, &s));
			EQ_MEM(s.p, s.n, bytes, n);
		}
		buf_release(&shown);
	}
	graph_release(&g);
}

static void ints_beyond_the_digits_of_python_are_refused(void)
{
	char text[4400];
	oref was;

	begin();
	was = obj_new_int(&g, 1, 0);
	memset(text, '9', sizeof text);
	text[4300] = 0;
	OK(obj_kind(&g, parse(was, text)) == OBJ_KIND_LONG);
	EQ_STR(say('v', parse(was, text)), text);
	memset(text, '9', sizeof text);
	text[4302] = 0;
	HAS(refused(ERR_LIMIT, was, text), "4300 digits");
	graph_release(&g);
}

static void blanks_signs_and_zeros_around_ints(void)
{
	oref was;

	begin();
	was = obj_new_int(&g, 5, 0);
	EQ_STR(say('v', parse(was, "  12\n")), "12");
	EQ_STR(say('v', parse(was, "\t-3\r\n")), "-3");
	EQ_STR(say('v', parse(was, "+7")), "7");
	EQ_STR(say('v', parse(was, "007")), "7");
	EQ_I64(parse(was, " 5 \n\n"), was);
	EQ_I64(parse(was, "+05"), was);
	graph_release(&g);
}

static void what_is_no_int_is_refused_in_words(void)
{
	static const char *const bad[] = {"1e-3", "0x10", "1_000", "1.0", "", "-", "1 2", "True",
			"one", "\xd9\xa3"};
	oref was;

	begin();
	was = obj_new_int(&g, 5, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused(ERR_INVALID, was, bad[i]);
	EQ_STR(refused(ERR_INVALID, was, "abc\n"), "expected an int, as it was; found \"abc\"");
	graph_release(&g);
}

static void every_float_reads_back_bit_for_bit(void)
{
	static const uint64_t edges[] = {0, 1ull << 63, 1, 0x000fffffffffffff, 0x0010000000000000,
			0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000,
			0x3fb999999999999a, 0x4340000000000000, 0x3d30000000000000};
	unsigned seed = 2;
	char text[32];
	oref was;

	begin();
	was = obj_new_float(&g, 77.5, 0);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t bits = i < 11 ? edges[i] : 0, back = 0;
		double v, w = 0;

		for (int k = 0; i >= 11 && k < 4; k++)
			bits = bits << 16 | (next(&seed) & 0xffff);
		memcpy(&v, &bits, sizeof v);
		if (isnan(v))
			continue;
		OK(obj_float(&g, parse(was, float_repr(v, text)), &w));
		memcpy(&back, &w, sizeof back);
		OK(back == bits);
	}
	graph_release(&g);
}

static void floats_as_python_reads_them(void)
{
	static const struct {
		const char *text, *value;
	} good[] = {{"1", "1.0"}, {"1e-3", "0.001"}, {".5", "0.5"}, {"5.", "5.0"}, {"-0", "-0.0"},
			{"+1E+2\n", "100.0"}, {" inf ", "inf"}, {"-Infinity", "-inf"}, {"NaN", "nan"},
			{"-nan", "nan"}, {"1e999", "inf"}, {"00.10", "0.1"}};
	static const char *const bad[] = {"0x1p3", "1_0.0", "1,5", "e5", ".", "1e", "1e+", "infin",
			"nan(1)", "", "--1", "1.0f", "1 .0", "True"};
	oref was, nan;

	begin();
	was = obj_new_float(&g, 77.5, 0);
	nan = obj_new_float(&g, -NAN, 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		EQ_STR(say('v', parse(was, good[i].text)), good[i].value);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		HAS(refused(ERR_INVALID, was, bad[i]), "expected a float, as it was");
	EQ_I64(parse(was, "77.50"), was);
	EQ_I64(parse(nan, "NAN"), nan); /* whatever its sign and payload */
	graph_release(&g);
}

static void bools_and_none(void)
{
	begin();
	EQ_I64(parse(OBJ_TRUE, "False"), OBJ_FALSE);
	EQ_I64(parse(OBJ_TRUE, "false\n"), OBJ_FALSE);
	EQ_I64(parse(OBJ_FALSE, " 1"), OBJ_TRUE);
	EQ_I64(parse(OBJ_FALSE, "0"), OBJ_FALSE);
	EQ_I64(parse(OBJ_NONE, "None\n"), OBJ_NONE);
	EQ_STR(refused(ERR_INVALID, OBJ_TRUE, "yes"),
			"expected True or False, as it was; found \"yes\"");
	EQ_STR(refused(ERR_INVALID, OBJ_NONE, "1"), "expected None, as it was; found \"1\"");
	graph_release(&g);
}

/* --- text and bytes ----------------------------------------------------------------------------- */

static void one_newline_is_taken_off_a_str(void)
{
	oref was, r;

	begin();
	was = LOAD("X\1\0\0\0a.");
	EQ_I64(parse(was, "a"), was);
	EQ_I64(parse(was, "a\n"), was);
	EQ_STR(say('v', parse(was, "a\n\n")), "a\n");
	EQ_STR(say('v', parse(was, "")), "");
	EQ_STR(say('v', parse(was, " 1 ")), " 1 ");
	r = parse(LOAD("U\3old."), "new"); /* a Python 2 string stays one */
	OK(obj_kind(&g, r) == OBJ_KIND_BYTES && obj_flags(&g, r) == OBJ_PY2STR);
	graph_release(&g);
}

/* Text beyond what is kept in memory: compared where it lies. */
static void long_text_that_has_not_changed_is_no_edit(void)
{
	size_t n = OBJ_INLINE_MAX + 100;
	char *text = malloc(n + 1), *pickle = malloc(n + 6);
	oref was, r;

	begin();
	memset(text, 'x', n);
	text[n] = '\n';
	memcpy(pickle, (char[]){'X', (char)n, (char)(n >> 8), (char)(n >> 16), 0}, 5);
	memcpy(pickle + 5, text, n);
	pickle[n + 5] = '.';
	was = load(pickle, n + 6);
	OK(obj_flags(&g, was) & OBJ_SPAN);
	EQ_I64(parse_str(was, (struct str){text, n + 1}), was);
	text[n / 2] = 'y';
	r = parse_str(was, (struct str){text, n + 1});
	OK(r != was && obj_kind(&g, r) == OBJ_KIND_STR && obj_text_len(&g, r) == n);
	free(text);
	graph_release(&g);
	free(pickle);
}

static void text_that_is_not_utf8_is_refused_unless_it_was_so(void)
{
	oref was;

	begin();
	was = LOAD("X\2\0\0\0\xffz.");
	EQ_I64(parse(was, "\xffz\n"), was);
	HAS(refused(ERR_INVALID, was, "\xfez"), "expected text in UTF-8; found \"\\xfez\"");
	refused(ERR_INVALID, LOAD("X\1\0\0\0a."), "\xed\xa0\x80");
	graph_release(&g);
}

static void bytes_are_taken_as_they_are(void)
{
	oref was, r;

	begin();
	was = LOAD(LATIN("\2", "a\n") ".");
	EQ_I64(parse(was, "a\n"), was);
	r = parse(was, "a");
	EQ_STR(say('r', r), "b'a'");
	EQ_STR(say('r', parse_str(LOAD("\x96\1\0\0\0\0\0\0\0x."), STR("\0\xff\n"))),
			"bytearray(b'\\x00\\xff\\n')");
	EQ_I64(obj_kind(&g, r), OBJ_KIND_BYTES);
	graph_release(&g);
}

/* --- symbols and calls -------------------------------------------------------------------------- */

static void devices(void)
{
	static const char *const bad[] = {"gpu", "cuda:", "cuda:01", "cuda:-1", "cuda:+1", "cuda:128", "cuda:1:2",
			"cpu:x", "", ":1", "CPU"};
	oref was, r;

	begin();
	was = LOAD("ctorch\ndevice\nX\4\0\0\0cudaK\1\x86R.");
	r = parse(was, "cpu\n");
	EQ_STR(say('r', r), "torch.device('cpu')");
	EQ_STR(say('r', parse(was, "cuda:3")), "torch.device('cuda', 3)");
	EQ_STR(say('r', parse(was, "cpu:0")), "torch.device('cpu', 0)");
	EQ_I64(parse(was, " cuda:1"), was);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		HAS(refused(ERR_INVALID, was, bad[i]), "expected a device");
	graph_release(&g);
}

static void dtypes(void)
{
	oref was;

	begin();
	was = LOAD("ctorch\nfloat32\n.");
	EQ_STR(say('r', parse(was, "torch.float8_e4m3fn")), "torch.float8_e4m3fn");
	EQ_I64(obj_kind(&g, parse(was, "torch.int64")), OBJ_KIND_GLOBAL);
	HAS(refused(ERR_INVALID, was, "torch.float33"), "expected a dtype as torch.float32, as it was");
	refused(ERR_INVALID, was, "float16");
	refused(ERR_INVALID, was, "torch.nn");
	graph_release(&g);
}

/* Bits as numpy itself makes them of the same text. */
static void numpy_scalars_keep_their_dtype(void)
{
	oref f8, f4, f2, i8, u1, b1;

	begin();
	f8 = LOAD(NP("f8", "C\x08\0\0\0\0\0\0\xf8\x3f"));
	f4 = LOAD(NP("f4", "C\4\0\0\xc0\x3f"));
	f2 = LOAD(NP("f2", "C\2\0\x3c"));
	i8 = LOAD(NP("i8", "C\x08\1\0\0\0\0\0\0\0"));
	u1 = LOAD(NP("u1", "C\1\1"));
	b1 = LOAD(NP("b1", "C\1\1"));
	EQ_STR(scalar_hex(parse(f8, "0.001\n")), "fca9f1d24d62503f");
	EQ_I64(parse(f8, "1.5"), f8);
	EQ_I64(parse(f8, "15e-1"), f8);
	EQ_STR(scalar_hex(parse(f4, "0.1")), "cdcccc3d");
	EQ_STR(scalar_hex(parse(f4, "0.10000000149011612")), "cdcccc3d"); /* as it is shown */
	EQ_STR(scalar_hex(parse(f2, "0.1")), "662e");
	EQ_STR(scalar_hex(parse(f2, "65504")), "ff7b");
	EQ_STR(scalar_hex(parse(f2, "65519.99")), "ff7b");
	EQ_STR(scalar_hex(parse(f2, "5.960464477539063e-08")), "0100");
	EQ_STR(scalar_hex(parse(f2, "2.98e-8")), "0000");
	EQ_STR(scalar_hex(parse(f2, "6.1035156e-05")), "0004");
	EQ_STR(scalar_hex(parse(f2, "2049")), "0068"); /* ties to even */
	EQ_STR(scalar_hex(parse(f2, "-inf")), "00fc");
	EQ_STR(scalar_hex(parse(i8, "-9223372036854775808")), "0000000000000080");
	EQ_STR(scalar_hex(parse(u1, "255")), "ff");
	EQ_STR(scalar_hex(parse(b1, "False")), "00");
	HAS(refused(ERR_INVALID, f2, "65520"), "65520 does not fit a numpy float16");
	HAS(refused(ERR_INVALID, f4, "1e39"), "does not fit a numpy float32");
	HAS(refused(ERR_INVALID, i8, "9223372036854775808"), "does not fit a numpy int64");
	HAS(refused(ERR_INVALID, u1, "256"), "does not fit a numpy uint8");
	HAS(refused(ERR_INVALID, u1, "-1"), "does not fit");
	HAS(refused(ERR_INVALID, i8, "1.5"), "expected a numpy int64, as it was; found \"1.5\"");
	HAS(refused(ERR_INVALID, b1, "2"), "expected a numpy bool");
	graph_release(&g);
}

static void big_endian_scalars_stay_big_endian(void)
{
	oref was;

	begin();
	was = LOAD("cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(X\2\0\0\0i4"
		   "I00\nI01\ntR(K\3X\1\0\0\0>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
		   "C\4\0\0\0\1tR.");
	EQ_I64(parse(was, "1"), was);
	EQ_STR(scalar_hex(parse(was, "258")), "00000102");
	graph_release(&g);
}

static void opaque_numpy_scalars_say_why_not(void)
{
	begin();
	HAS(refused(ERR_UNSUPPORTED, LOAD(NP("M8", "C\x08\0\0\0\0\0\0\0\0")), "2024-01-01"),
			"stays as it was");
	HAS(refused(ERR_UNSUPPORTED, LOAD("cm\nf\n."), "cm.g"), "type global cannot be written");
	graph_release(&g);
}

/* --- lists as text ------------------------------------------------------------------------------ */

static void items_keep_the_kind_of_those_that_were_there(void)
{
	oref betas, pairs;

	begin();
	betas = LOAD("G\x3f\xec\xcc\xcc\xcc\xcc\xcc\xcdG\x3f\xf0\0\0\0\0\0\0\x86.");
	EQ_STR(say('r', parse(betas, "[0, 1]")), "(0.0, 1.0)");
	EQ_STR(say('r', parse(betas, "[0.9, 1, 2]")), "(0.9, 1.0, 2.0)");
	EQ_I64(parse(betas, "[0.9,1]\n"), betas);
	pairs = LOAD("](K\0K\1\x86K\2K\3\x86" "e.");
	EQ_STR(say('r', parse(pairs, "[[0, 1], [2, 3], [4, 5]]")), "[(0, 1), (2, 3), (4, 5)]");
	EQ_STR(say('r', parse(LOAD("]."), "[1, 2.5, \"x\", null, [true]]")),
			"[1, 2.5, 'x', None, [True]]");
	graph_release(&g);
}

/* A further item is a new object, never the last one a second time. */
static void a_further_item_is_nobody_else(void)
{
	oref was, r;
	uint32_t n;

	begin();
	was = LOAD("]]K\1aa.");
	r = parse(was, "[[1], [1]]");
	const oref *at = obj_items(&g, r, &n);
	OK(n == 2 && at[0] == obj_items(&g, was, &(uint32_t){0})[0] && at[1] != at[0]);
	graph_release(&g);
}

static void lists_of_other_things_are_refused(void)
{
	oref list, set, size;

	begin();
	list = LOAD("]K\1a.");
	set = LOAD("c__builtin__\nset\n]K\1a\x85R.");
	size = LOAD("ctorch\nSize\nK\1\x85\x85R.");
	EQ_STR(refused(ERR_INVALID, list, "1, 2"), "expected a JSON list, as it was; found \"1, 2\"");
	EQ_STR(refused(ERR_INVALID, list, "[1, 2"),
			"not JSON: byte 5: expected ',' or ']', found the end of the text");
	HAS(refused(ERR_INVALID, list, "[{\"a\": 1}]"), "found a dict");
	HAS(refused(ERR_INVALID, set, "[1, [2]]"), "what a set can hold");
	HAS(refused(ERR_INVALID, set, "[1, 2, 1.0]"), "stands twice");
	HAS(refused(ERR_INVALID, size, "[2, 3.5]"), "torch.Size");
	graph_release(&g);
}

/* --- guessing ------------------------------------------------------------------------------------ */

static void a_new_value_is_what_it_looks_like(void)
{
	static const struct {
		const char *text, *value;
	} cases[] = {{"True", "True"}, {"False", "False"}, {"None", "None"}, {"12", "12"},
			{" -3\n", "-3"}, {"1e-3", "0.001"}, {"0.5", "0.5"}, {"nan", "nan"},
			{"-inf", "-inf"}, {"Infinity", "'Infinity'"}, {"true", "'true'"},
			{"0x10", "'0x10'"}, {"1_000", "'1_000'"}, {"[1, 2.0]", "[1, 2.0]"},
			{"{\"a\": null}", "{'a': None}"}, {"[1,", "'[1,'"}, {"{x}-log", "'{x}-log'"},
			{"", "''"}, {"hello ", "'hello '"}, {"a\n\n", "'a\\n'"}, {"1.2.3", "'1.2.3'"}};
	oref r;

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		r = OREF_NIL;
		EQ_I64(obj_parse_guess(&g, str_of(cases[i].text), &r, &e), 0);
		EQ_STR(say('r', r), cases[i].value);
	}
	EQ_I64(obj_parse_guess(&g, STR("\xff"), &r, &e), ERR_INVALID);
	graph_release(&g);
}

int main(void)
{
	TEST(what_is_shown_reads_back_for_every_kind);
	TEST(unchanged_text_of_any_object_is_no_edit);
	TEST(ints_of_any_size);
	TEST(ints_beyond_the_digits_of_python_are_refused);
	TEST(blanks_signs_and_zeros_around_ints);
	TEST(what_is_no_int_is_refused_in_words);
	TEST(every_float_reads_back_bit_for_bit);
	TEST(floats_as_python_reads_them);
	TEST(bools_and_none);
	TEST(one_newline_is_taken_off_a_str);
	TEST(long_text_that_has_not_changed_is_no_edit);
	TEST(text_that_is_not_utf8_is_refused_unless_it_was_so);
	TEST(bytes_are_taken_as_they_are);
	TEST(devices);
	TEST(dtypes);
	TEST(numpy_scalars_keep_their_dtype);
	TEST(big_endian_scalars_stay_big_endian);
	TEST(opaque_numpy_scalars_say_why_not);
	TEST(items_keep_the_kind_of_those_that_were_there);
	TEST(a_further_item_is_nobody_else);
	TEST(lists_of_other_things_are_refused);
	TEST(a_new_value_is_what_it_looks_like);
	return tap_done();
}
