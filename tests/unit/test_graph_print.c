/* Objects as text: repr, the text of a value file, JSON, type names. What Python prints for the
 * same pickle is the measure, unless the comment says otherwise. */
#include "tap.h"
#include "unpickled.h"

#include <stdlib.h>

static char text[4096];

static const char *print_as(char how, const void *bytes, size_t n)
{
	struct unpickled u;
	struct buf out;
	struct json j;

	unpickle(&u, bytes, n);
	buf_init(&out, sizeof text - 1);
	json_init(&j, &out);
	if (u.rc == 0)
		u.rc = graph_dedupe(&u.g);
	if (u.rc == 0 && how == 'v')
		u.rc = obj_value_text(&u.g, u.top, &out, &u.e);
	else if (u.rc == 0 && how == 'j')
		u.rc = obj_json(&u.g, u.top, NULL, NULL, &j, &u.e);
	else if (u.rc == 0)
		obj_type_name(&u.g, u.top, &out);
	snprintf(text, sizeof text, "%.*s", u.rc ? (int)sizeof u.e.text : (int)out.n,
		u.rc    ? u.e.text
		: out.n ? out.p
			: "");
	buf_release(&out);
	unpickled_release(&u);
	return text;
}

#define VALUE(literal) print_as('v', literal, sizeof(literal) - 1)
#define JSON(literal) print_as('j', literal, sizeof(literal) - 1)
#define TYPE(literal) print_as('t', literal, sizeof(literal) - 1)

/* bytes in the spelling of protocol 2; latin1 is the UTF-8 of the bytes as characters. */
#define ENCODED(count, latin1) "c_codecs\nencode\nX" count "\0\0\0" latin1 "X\6\0\0\0latin1\x86R"

static void quotes_and_escapes_of_text(void)
{
	EQ_STR(REPR("\x8c\x02it."), "'it'");
	EQ_STR(REPR("\x8c\x01'."), "\"'\"");
	EQ_STR(REPR("\x8c\x02'\"."), "'\\'\"'");
	EQ_STR(REPR("\x8c\x05\n\r\t\\\x01."), "'\\n\\r\\t\\\\\\x01'");
	EQ_STR(REPR("\x8c\x01\x7f."), "'\\x7f'");
	EQ_STR(REPR("\x8c\x01\0."), "'\\x00'");
	EQ_STR(REPR("\x8c\x00."), "''");
}

static void text_beyond_ascii(void)
{
	EQ_STR(REPR("\x8c\x02\xc3\xa9."), "'\xc3\xa9'");
	EQ_STR(REPR("\x8c\x02\xc2\xa0."), "'\\xa0'");
	EQ_STR(REPR("\x8c\x03\xe2\x80\x8b."), "'\\u200b'");
	EQ_STR(REPR("\x8c\x04\xf0\x9f\x98\x80."), "'\xf0\x9f\x98\x80'");
	EQ_STR(REPR("\x8c\x04\xf3\xa0\x80\x81."), "'\\U000e0001'");
	EQ_STR(REPR("\x8c\x03\xed\xa0\x80."), "'\\ud800'"); /* a lone surrogate */
	EQ_STR(REPR("\x8c\x02\xc3q."), "'\\udcc3q'");       /* not UTF-8: surrogateescape */
	EQ_STR(REPR("\x8c\x01\xf0."), "'\\udcf0'");
}

static void bytes_are_escaped_bytewise(void)
{
	EQ_STR(REPR("C\x04'\xc3\xa9\n."), "b\"'\\xc3\\xa9\\n\"");
	EQ_STR(REPR("C\x02'\"."), "b'\\'\"'");
	EQ_STR(REPR("\x96\x01\0\0\0\0\0\0\0x."), "bytearray(b'x')");
}

static void protocol_2_spellings_of_builtins(void)
{
	EQ_STR(REPR("c__builtin__\nset\n]K\1a\x85R."), "{1}");
	EQ_STR(REPR("c__builtin__\nset\n]\x85R."), "set()");
	EQ_STR(REPR("c__builtin__\nfrozenset\n]K\1a\x85R."), "frozenset({1})");
	EQ_STR(REPR("c__builtin__\nset\n)R."), "set()");
	EQ_STR(REPR(ENCODED("\3", "h\xc3\xbf") "."), "b'h\\xff'");
	EQ_STR(REPR("c__builtin__\nbytes\n)R."), "b''");
	EQ_STR(REPR("c__builtin__\nbytearray\n)R."), "bytearray(b'')");
	EQ_STR(REPR("c__builtin__\nbytearray\n" ENCODED("\1", "x") "\x85R."), "bytearray(b'x')");
	EQ_STR(REPR("c__builtin__\nbytearray\n\x8c\2\xc3\xbf\x8c\7latin-1\x86R."),
		"bytearray(b'\\xff')");
	EQ_STR(REPR("c__builtin__\ncomplex\nF1\nF-2\n\x86R."), "(1-2j)");
}

/* What only looks like a builtin stays a call. */
static void odd_builtin_calls_stay_calls(void)
{
	EQ_STR(REPR("c__builtin__\nset\nK\1\x85R."), "builtins.set(1)");
	EQ_STR(REPR("c__builtin__\nbytes\nK\1\x85R."), "builtins.bytes(1)");
	EQ_STR(REPR("c__builtin__\nbytearray\n)RK\1a."), "builtins.bytearray([1])");
	EQ_STR(REPR("cm\nset\n]\x85R."), "m.set([])");
	EQ_STR(REPR("c_codecs\nencode\n\x8c\1x\x8c\4utf8\x86R."), "_codecs.encode('x', 'utf8')");
}

static void nested_containers(void)
{
	EQ_STR(REPR("](((K\1K\2tK\3l}K\4)se."), "[[(1, 2), 3], {4: ()}]");
	EQ_STR(REPR("})]s."), "{(): []}");
	EQ_STR(REPR("cm\nf\n]\x85R\x85."), "(m.f([]),)");
}

static void calls_of_calls(void)
{
	EQ_STR(REPR("c__builtin__\ngetattr\ncm\nC\n\x8c\1x\x86R)R."),
		"builtins.getattr(m.C, 'x')()");
	EQ_STR(REPR("\x82\1)R."), "<extension 1>()");
	EQ_STR(REPR("ccollections\nCounter\n}\x8c\1aK\2s\x85R."), "Counter({'a': 2})");
	EQ_STR(REPR("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\1K\2s."),
		"defaultdict(builtins.list, {1: 2})");
}

/* Printed again, but only for the cycle, not for sharing. */
static void cycles_and_sharing(void)
{
	EQ_STR(REPR("]q\1h\1h\1\x87."), "([], [], [])");
	EQ_STR(REPR("cm\nC\n)\x81q\0}\x8c\1xh\0sb."), "m.C(x=...)");
	EQ_STR(REPR("}q\0\x8c\1x]h\0as."), "{'x': [{...}]}");
	EQ_STR(JSON("]q\0h\0a."), "[\"[...]\"]");
	EQ_STR(JSON("}q\0\x8c\1xh\0s."), "{\"x\": \"{...}\"}");
}

/* Also where the path is long enough for the bit set. */
static void a_cycle_through_200_lists(void)
{
	char pickle[700], wanted[500];
	size_t n = 0;
	struct unpickled u;
	struct buf out;

	memcpy(pickle, "]q\0", 3);
	for (n = 3; n < 203; n++)
		pickle[n] = ']';
	memcpy(pickle + n, "h\0", 2);
	n += 2;
	memset(pickle + n, 'a', 201);
	n += 201;
	pickle[n++] = '.';
	unpickle(&u, pickle, n);
	EQ_I64(u.rc, 0);
	buf_init(&out, 4096);
	EQ_I64(obj_repr(&u.g, u.top, &out, &u.e), 0);
	memset(wanted, '[', 201);
	memcpy(wanted + 201, "[...]", 5);
	memset(wanted + 206, ']', 201);
	EQ_MEM(out.p, out.n, wanted, 407);
	buf_release(&out);
	unpickled_release(&u);
}

static void values_of_scalars(void)
{
	EQ_STR(VALUE("\x8c\5it's\n."), "it's\n"); /* text is itself, without quotes */
	EQ_STR(VALUE("U\2hi."), "hi");
	EQ_STR(VALUE("K\7."), "7");
	EQ_STR(VALUE("F1e-5\n."), "1e-05");
	EQ_STR(VALUE("N."), "None");
	EQ_STR(VALUE("\x88."), "True");
	EQ_STR(VALUE("ctorch\nfloat32\n."), "torch.float32");
	EQ_STR(VALUE("c__builtin__\nlong\n."), "builtins.int");
	EQ_STR(VALUE("cmy.module\nf\n."), "my.module.f");
	EQ_STR(VALUE("L340282366920938463463374607431768211456L\n."),
		"340282366920938463463374607431768211456");
}

static void values_of_devices(void)
{
	EQ_STR(VALUE("ctorch\ndevice\n\x8c\4cuda"
		     "K\1\x86R."),
		"cuda:1");
	EQ_STR(VALUE("ctorch\ndevice\n\x8c\3cpu\x85R."), "cpu");
	EQ_STR(VALUE("ctorch\ndevice\n)R."), "torch.device()");
}

static void values_of_dates(void)
{
	EQ_STR(VALUE("cdatetime\ndatetime\n" ENCODED(
		       "\013", "\7\303\250\5\6\7\10\11\0\0\0") "\x85R."),
		"2024-05-06T07:08:09");
	EQ_STR(VALUE("cdatetime\ndatetime\nC\012\7\350\5\6\7\10\11\0\0\012"
		     "cdatetime\ntimezone\ncdatetime\ntimedelta\nJ\377\377\377\377J(\4\1\0"
		     "K\0\207R\205R\206R."),
		"2024-05-06T07:08:09.000010-05:30");
	EQ_STR(VALUE("cdatetime\ndate\nC\4\7\350\014\037\x85R."), "2024-12-31");
	EQ_STR(VALUE("cdatetime\ntime\nC\6\027;\1\0\0\5\x85R."), "23:59:01.000005");
	EQ_STR(VALUE("cdatetime\ntimedelta\nJ\377\377\377\377K\3K\0\207R."), "-1 day, 0:00:03");
	EQ_STR(VALUE("cdatetime\ntimedelta\nK\0M\330\034K\5\207R."), "2:03:04.000005");
}

/* A 13th month, or bytes of another length: the call is shown. */
static void dates_that_do_not_exist(void)
{
	EQ_STR(VALUE("cdatetime\ndate\nC\4\7\350\015\037\x85R."),
		"datetime.date(b'\\x07\\xe8\\r\\x1f')");
	EQ_STR(VALUE("cdatetime\ndate\nC\3\7\350\1\x85R."), "datetime.date(b'\\x07\\xe8\\x01')");
	EQ_STR(VALUE("cdatetime\ntime\nC\6\031;\1\0\0\5\x85R."),
		"datetime.time(b'\\x19;\\x01\\x00\\x00\\x05')");
}

static void values_of_paths(void)
{
	EQ_STR(VALUE("cpathlib\nPosixPath\n\x8c\1/\x8c\1a\x8c\1b\x87R."), "/a/b");
	EQ_STR(VALUE("cpathlib\nPosixPath\n\x8c\1a\x8c\1b\x86R."), "a/b");
	EQ_STR(VALUE("cpathlib\nPosixPath\n)R."), ".");
	EQ_STR(VALUE("cpathlib\nWindowsPath\n\x8c\3c:\\\x8c\1b\x86R."), "c:\\b");
	EQ_STR(VALUE("cpathlib\nPosixPath\n\x8c\1a\x8c\2/b\x86R."), "/b");
}

static void values_of_numbers_that_are_calls(void)
{
	EQ_STR(VALUE("c__builtin__\ncomplex\nF1\nF2\n\x86R."), "(1+2j)");
	EQ_STR(VALUE("c__builtin__\ncomplex\nF0\nF2\n\x86R."), "2j");
	EQ_STR(VALUE("c__builtin__\ncomplex\nF-0.0\nF1e20\n\x86R."), "(-0+1e+20j)");
	EQ_STR(VALUE("c__builtin__\ncomplex\nFnan\nFinf\n\x86R."), "(nan+infj)");
	EQ_STR(VALUE("cdecimal\nDecimal\n\x8c\4"
		     "1.50\x85R."),
		"1.50");
	EQ_STR(VALUE("cfractions\nFraction\nK\1K\2\x86R."), "1/2");
	EQ_STR(VALUE("cfractions\nFraction\n\x8c\3"
		     "1/2\x85R."),
		"1/2");
}

static void values_of_enum_members(void)
{
	EQ_STR(VALUE("c__builtin__\ngetattr\ncm\nColor\n\x8c\3RED\x86R."), "m.Color.RED");
	EQ_STR(VALUE("cm\nColor\nK\1\x85R."), "m.Color(1)");
}

static void values_of_sequences_are_json(void)
{
	EQ_STR(VALUE("F0.9\nF0.999\n\x86."), "[0.9, 0.999]");
	EQ_STR(VALUE("ctorch\nSize\nK\2K\3\x86\x85R."), "[2, 3]");
	EQ_STR(VALUE("c__builtin__\nset\n]K\1a\x85R."), "[1]");
	EQ_STR(VALUE("ccollections\ndeque\n)K\5\x86R(K\1K\2e."), "[1, 2]");
	EQ_STR(VALUE("ccollections\ndeque\n)K\5\x86R."), "[]");
	EQ_STR(VALUE("}K\1K\2s."), "{\"1\": 2}");
}

static void json_of_scalars(void)
{
	EQ_STR(JSON("N."), "null");
	EQ_STR(JSON("\x88."), "true");
	EQ_STR(JSON("\x8c\2a\"."), "\"a\\\"\"");
	EQ_STR(JSON("Fnan\n."), "NaN");
	EQ_STR(JSON("L340282366920938463463374607431768211456L\n."),
		"340282366920938463463374607431768211456");
	EQ_STR(JSON("C\1x."), "\"b'x'\"");
	EQ_STR(JSON("ctorch\nfloat32\n."), "\"torch.float32\"");
	EQ_STR(JSON("ctorch\ndevice\n\x8c\3cpu\x85R."), "\"cpu\"");
	EQ_STR(JSON("cm\nf\nK\1\x85R."), "\"m.f(1)\"");
	EQ_STR(JSON("\x8c\2\xc3q."), "\"\\udcc3q\"");
}

static void json_of_objects(void)
{
	EQ_STR(JSON("}(\x8c\1aK\1K\2)\x8c\1bNu."), "{\"a\": 1, \"2\": [], \"b\": null}");
	EQ_STR(JSON("}K\0K\1\x86Ns."), "{\"(0, 1)\": null}");
	EQ_STR(JSON("ccollections\nOrderedDict\n)R\x8c\1aK\1s}b."), "{\"a\": 1}");
	EQ_STR(JSON("ccollections\nOrderedDict\n)R."), "{}");
	EQ_STR(JSON("ccollections\nCounter\n}\x8c\1aK\2s\x85R."), "{\"a\": 2}");
	EQ_STR(JSON("cargparse\nNamespace\n)\x81}\x8c\2lrK\1sb."), "{\"lr\": 1}");
	EQ_STR(JSON("cargparse\nNamespace\n)\x81."), "{}");
	EQ_STR(JSON("cm\nC\n)\x81}\x8c\1aK\1s}\x8c\1bK\2s\x86"
		    "b."),
		"{\"a\": 1, \"b\": 2}");
	EQ_STR(JSON("cm\nPoint\nK\1K\2\x86\x81."), "\"m.Point(1, 2)\"");
}

/* A hook that takes every symbol. */
static int hook_symbols(void *ctx, oref r, struct json *j, struct err *e)
{
	const struct unpickled *u = ctx;

	if (obj_kind(&u->g, r) != OBJ_KIND_GLOBAL)
		return 0;
	if (obj_is_global(&u->g, r, "bad", "bad"))
		return err_set(e, ERR_DAMAGED, "hooked");
	json_open(j, '{');
	json_key(j, "symbol");
	json_bool(j, true);
	json_close(j, '}');
	return 1;
}

static void a_hook_prints_in_its_own_way(void)
{
	struct unpickled u;
	struct buf out;
	struct json j;

	buf_init(&out, 1000);
	json_init(&j, &out);
	UNPICKLE(&u, "(K\1cm\nf\nK\2t.");
	EQ_I64(obj_json(&u.g, u.top, hook_symbols, &u, &j, &u.e), 0);
	EQ_MEM(out.p, out.n, "[1, {\"symbol\": true}, 2]", 24);
	unpickled_release(&u);
	UNPICKLE(&u, "](K\1cbad\nbad\ne.");
	EQ_I64(obj_json(&u.g, u.top, hook_symbols, &u, &j, &u.e), ERR_DAMAGED);
	HAS(u.e.text, "hooked");
	unpickled_release(&u);
	buf_release(&out);
}

static void names_of_types(void)
{
	EQ_STR(TYPE("N."), "NoneType");
	EQ_STR(TYPE("K\1."), "int");
	EQ_STR(TYPE("U\1x."), "str");
	EQ_STR(TYPE("ctorch\nfloat32\n."), "dtype");
	EQ_STR(TYPE("cm\nf\n."), "global");
	EQ_STR(TYPE("ccollections\nOrderedDict\n)R."), "OrderedDict");
	EQ_STR(TYPE("cargparse\nNamespace\n)\x81."), "Namespace");
	EQ_STR(TYPE("cm\nOuter.Inner\n)\x81."), "Inner");
	EQ_STR(TYPE(ENCODED("\1", "x") "."), "bytes");
	EQ_STR(TYPE("c__builtin__\nbytearray\n)R."), "bytearray");
	EQ_STR(TYPE("c__builtin__\nset\n]\x85R."), "set");
	EQ_STR(TYPE("c__builtin__\ngetattr\ncm\nColor\n\x8c\3RED\x86R."), "Color");
	EQ_STR(TYPE("ccopy_reg\n_reconstructor\ncm\nC\nc__builtin__\nobject\nN\x87R."), "C");
	EQ_STR(TYPE("ctorch._utils\n_rebuild_tensor_v2\n)R."), "Tensor");
}

static void long_integers(void)
{
	EQ_STR(REPR("\x8a\x09\0\0\0\0\0\0\0\0\xff."), "-18446744073709551616");
	EQ_STR(REPR("\x8a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80."),
		"-170141183460469231731687303715884105728");
	EQ_STR(REPR("\x8a\x09\x01\0\0\0\0\0\0\0\x01."), "18446744073709551617");
	EQ_STR(REPR("\x8a\x0d\0\0\0\0\xca\x9a\x3b\0\0\0\0\0\x01."),
		"79228162514281114809543950336");
}

/* 4,300 digits are decimal, as in Python; more are hexadecimal. */
static void very_long_integers(void)
{
	static char bytes[2000];
	struct buf out;

	buf_init(&out, 8000);
	memset(bytes, 0xff, 1785);
	EQ_I64(long_text((struct str){bytes, 1786}, &out), 0); /* 2^14280 - 1 */
	EQ_I64(out.n, 4299);
	EQ_MEM(out.p, 12, "510902563325", 12);
	EQ_MEM(out.p + 4293, 6, "938175", 6);
	buf_release(&out);
	buf_init(&out, 8000);
	memset(bytes, 0, sizeof bytes);
	bytes[1898] = 1;
	bytes[0] = 2;
	EQ_I64(long_text((struct str){bytes, 1900}, &out), 0);
	EQ_I64(out.n, 2 + 1 + 2 * 1898);
	EQ_MEM(out.p, 6, "0x1000", 6);
	EQ_MEM(out.p + out.n - 2, 2, "02", 2);
	buf_release(&out);
	buf_init(&out, 8000);
	memset(bytes, 0xff, sizeof bytes);
	bytes[0] = 0;
	bytes[1899] = (char)0x80;
	EQ_I64(long_text((struct str){bytes, 1900}, &out), 0);
	EQ_MEM(out.p, 7, "-0x7f00", 7);
	EQ_MEM(out.p + out.n - 4, 4, "0100", 4);
	buf_release(&out);
}

static void bytes_that_objects_stand_for(void)
{
	struct unpickled u;
	struct source *src = NULL;
	char back[4];

	UNPICKLE(&u, ENCODED("\3", "h\xc3\xbf") ".");
	EQ_I64(obj_bytes_source(&u.g, u.top, &src, &u.e), 0);
	EQ_I64(src->size, 2);
	EQ_I64(source_read(src, back, 2, 0, &u.e), 0);
	EQ_MEM(back, 2, "h\xff", 2);
	source_unref(src);
	unpickled_release(&u);
	UNPICKLE(&u, "c__builtin__\nbytearray\n)R.");
	EQ_I64(obj_bytes_source(&u.g, u.top, &src, &u.e), 0);
	EQ_I64(src->size, 0);
	source_unref(src);
	unpickled_release(&u);
	UNPICKLE(&u, "\x8c\1x.");
	EQ_I64(obj_bytes_source(&u.g, u.top, &src, &u.e), ERR_ABSENT);
	unpickled_release(&u);
	/* U+0100 is no byte. */
	UNPICKLE(&u, ENCODED("\2", "\xc4\x80") ".");
	EQ_I64(obj_bytes_source(&u.g, u.top, &src, &u.e), ERR_DAMAGED);
	unpickled_release(&u);
}

/* The same out of a span: nothing is in memory until it is read. */
static void long_bytes_are_decoded_as_they_are_read(void)
{
	enum { N = 80000 };
	static char pickle[N * 2 + 64];
	struct unpickled u;
	struct source *src = NULL;
	unsigned char back[2];
	uint32_t len = N * 2;
	size_t n = 0;

	n += (size_t)sprintf(pickle, "c_codecs\nencode\nX");
	memcpy(pickle + n, &len, 4);
	n += 4;
	for (int i = 0; i < N; i++, n += 2)
		memcpy(pickle + n, i + 1 == N ? "\xc2\x80" : "\xc3\xbf", 2);
	memcpy(pickle + n, "X\6\0\0\0latin1\x86R.", 14);
	unpickle(&u, pickle, n + 14);
	EQ_I64(u.rc, 0);
	EQ_I64(obj_bytes_source(&u.g, u.top, &src, &u.e), 0);
	EQ_I64(src->size, N);
	EQ_I64(source_read(src, back, 2, N - 2, &u.e), 0);
	EQ_MEM(back, 2, "\xff\x80", 2);
	source_unref(src);
	unpickled_release(&u);
}

/* Spans print when there is room, and are refused in words when there is not. */
static void spans_print_up_to_the_limit(void)
{
	enum { N = 70000 };
	static char pickle[N + 6];
	struct unpickled u;
	struct buf out;
	uint32_t len = N;

	pickle[0] = 'X';
	memcpy(pickle + 1, &len, 4);
	memset(pickle + 5, 'a', N);
	pickle[N + 5] = '.';
	unpickle(&u, pickle, sizeof pickle);
	buf_init(&out, 100000);
	EQ_I64(obj_repr(&u.g, u.top, &out, &u.e), 0);
	EQ_I64(out.n, N + 2);
	buf_release(&out);
	buf_init(&out, 60000);
	EQ_I64(obj_value_text(&u.g, u.top, &out, &u.e), ERR_LIMIT);
	HAS(u.e.text, "70000 bytes");
	buf_release(&out);
	unpickled_release(&u);
}

static void output_that_does_not_fit_is_an_error(void)
{
	struct unpickled u;
	struct buf out;
	struct json j;

	UNPICKLE(&u, "(K\1K\2K\3t.");
	for (size_t max = 0; max < 9; max++) {
		buf_init(&out, max);
		EQ_I64(obj_repr(&u.g, u.top, &out, &u.e), ERR_LIMIT);
		buf_release(&out);
		buf_init(&out, max);
		json_init(&j, &out);
		EQ_I64(obj_json(&u.g, u.top, NULL, NULL, &j, &u.e), ERR_LIMIT);
		buf_release(&out);
	}
	buf_init(&out, 9);
	EQ_I64(obj_repr(&u.g, u.top, &out, &u.e), 0);
	buf_release(&out);
	unpickled_release(&u);
}

int main(void)
{
	TEST(quotes_and_escapes_of_text);
	TEST(text_beyond_ascii);
	TEST(bytes_are_escaped_bytewise);
	TEST(protocol_2_spellings_of_builtins);
	TEST(odd_builtin_calls_stay_calls);
	TEST(nested_containers);
	TEST(calls_of_calls);
	TEST(cycles_and_sharing);
	TEST(a_cycle_through_200_lists);
	TEST(values_of_scalars);
	TEST(values_of_devices);
	TEST(values_of_dates);
	TEST(dates_that_do_not_exist);
	TEST(values_of_paths);
	TEST(values_of_numbers_that_are_calls);
	TEST(values_of_enum_members);
	TEST(values_of_sequences_are_json);
	TEST(json_of_scalars);
	TEST(json_of_objects);
	TEST(a_hook_prints_in_its_own_way);
	TEST(names_of_types);
	TEST(long_integers);
	TEST(very_long_integers);
	TEST(bytes_that_objects_stand_for);
	TEST(long_bytes_are_decoded_as_they_are_read);
	TEST(spans_print_up_to_the_limit);
	TEST(output_that_does_not_fit_is_an_error);
	return tap_done();
}
