/* Every opcode of protocols 0 to 5, from bytes to Python's repr. */
#include "tap.h"
#include "unpickled.h"

static void constants_and_short_integers(void)
{
	EQ_STR(REPR("N."), "None");
	EQ_STR(REPR("\x88."), "True");
	EQ_STR(REPR("\x89."), "False");
	EQ_STR(REPR("K\xff."), "255");
	EQ_STR(REPR("M\xff\xff."), "65535");
	EQ_STR(REPR("J\xff\xff\xff\xff."), "-1");
	EQ_STR(REPR("J\xff\xff\xff\x7f."), "2147483647");
	EQ_STR(REPR("J\x00\x00\x00\x80."), "-2147483648");
}

/* In-place integers have 31 bits; both sides of the border. */
static void integers_around_the_in_place_limit(void)
{
	EQ_STR(REPR("J\xff\xff\xff\x3f."), "1073741823");
	EQ_STR(REPR("J\x00\x00\x00\x40."), "1073741824");
	EQ_STR(REPR("J\x00\x00\x00\xc0."), "-1073741824");
	EQ_STR(REPR("J\xff\xff\xff\xbf."), "-1073741825");
}

static void long1_and_long4(void)
{
	EQ_STR(REPR("\x8a\x00."), "0");
	EQ_STR(REPR("\x8a\x01\xff."), "-1");
	EQ_STR(REPR("\x8a\x02\xff\x00."), "255");
	EQ_STR(REPR("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."), "9223372036854775807");
	EQ_STR(REPR("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."), "9223372036854775808");
	EQ_STR(REPR("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff."), "-9223372036854775809");
	EQ_STR(REPR("\x8b\x03\x00\x00\x00\x01\x02\x03."), "197121");
	/* More bytes than needed are the same number. */
	EQ_STR(REPR("\x8a\x0c\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00."), "5");
}

static void floats(void)
{
	EQ_STR(REPR("G\x3f\xb9\x99\x99\x99\x99\x99\x9a."), "0.1");
	EQ_STR(REPR("G\x80\x00\x00\x00\x00\x00\x00\x00."), "-0.0");
	EQ_STR(REPR("F0.1\n."), "0.1");
	EQ_STR(REPR("F-1e-5\n."), "-1e-05");
	EQ_STR(REPR("Finf\n."), "inf");
	EQ_STR(REPR("Fnan\n."), "nan");
}

static void protocol_0_integers(void)
{
	EQ_STR(REPR("I00\n."), "False");
	EQ_STR(REPR("I01\n."), "True");
	EQ_STR(REPR("I-12\n."), "-12");
	EQ_STR(REPR("I0\n."), "0");
	EQ_STR(REPR("L12L\n."), "12");
	EQ_STR(REPR("L12\n."), "12");
	EQ_STR(REPR("L123456789012345678901234567890L\n."), "123456789012345678901234567890");
	EQ_STR(REPR("L-123456789012345678901234567890L\n."), "-123456789012345678901234567890");
	EQ_STR(REPR("I18446744073709551616\n."), "18446744073709551616");
}

static void texts(void)
{
	EQ_STR(REPR("X\x03\x00\x00\x00"
		    "a\xc3\xa9."),
		"'a\xc3\xa9'");
	EQ_STR(REPR("\x8c\x04it's."), "\"it's\"");
	EQ_STR(REPR("\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi."), "'hi'");
	EQ_STR(REPR("V\\u00e9\\U0001f600\n."), "'\xc3\xa9\xf0\x9f\x98\x80'");
	EQ_STR(REPR("V\xe9\n."), "'\xc3\xa9'");
	/* A pair of backslashes stays, and hides the u behind it. */
	EQ_STR(REPR("V\\\\u0041\n."), "'\\\\\\\\u0041'");
	EQ_STR(REPR("V\\q\\\n."), "'\\\\q\\\\'");
}

static void python_2_strings(void)
{
	EQ_STR(REPR("S'a\\x41\\101\\q\\n\\''\n."), "\"aAA\\\\q\\n'\"");
	EQ_STR(REPR("S\"\\0\"\n."), "'\\x00'");
	EQ_STR(REPR("T\x02\x00\x00\x00hi."), "'hi'");
	EQ_STR(REPR("U\x02hi."), "'hi'");
}

static void bytes_and_bytearrays(void)
{
	EQ_STR(REPR("B\x02\x00\x00\x00h\xff."), "b'h\\xff'");
	EQ_STR(REPR("C\x02hi."), "b'hi'");
	EQ_STR(REPR("\x8e\x02\x00\x00\x00\x00\x00\x00\x00hi."), "b'hi'");
	EQ_STR(REPR("\x96\x02\x00\x00\x00\x00\x00\x00\x00hi."), "bytearray(b'hi')");
}

static void tuples(void)
{
	EQ_STR(REPR(")."), "()");
	EQ_STR(REPR("(t."), "()");
	EQ_STR(REPR("K\x01\x85."), "(1,)");
	EQ_STR(REPR("K\x01K\x02\x86."), "(1, 2)");
	EQ_STR(REPR("K\x01K\x02K\x03\x87."), "(1, 2, 3)");
	EQ_STR(REPR("(K\x01K\x02K\x03K\x04t."), "(1, 2, 3, 4)");
	EQ_STR(REPR("(K\x01K\x02t."), "(1, 2)");
}

static void lists(void)
{
	EQ_STR(REPR("]."), "[]");
	EQ_STR(REPR("(l."), "[]");
	EQ_STR(REPR("(K\x01K\x02l."), "[1, 2]");
	EQ_STR(REPR("]K\x01"
		    "a(K\x02K\x03"
		    "e(e(K\x04"
		    "e."),
		"[1, 2, 3, 4]");
}

static void dicts(void)
{
	EQ_STR(REPR("}."), "{}");
	EQ_STR(REPR("(d."), "{}");
	EQ_STR(REPR("(K\x01K\x02"
		    "d."),
		"{1: 2}");
	EQ_STR(REPR("}K\x01K\x02s(K\x03K\x04K\x05K\x06u(u."), "{1: 2, 3: 4, 5: 6}");
}

static void sets(void)
{
	EQ_STR(REPR("\x8f."), "set()");
	EQ_STR(REPR("\x8f(K\x01K\x02\x90."), "{1, 2}");
	EQ_STR(REPR("(\x91."), "frozenset()");
	EQ_STR(REPR("(K\x01\x91."), "frozenset({1})");
}

static void symbols_are_only_named(void)
{
	EQ_STR(REPR("cos\nsystem\n."), "os.system");
	EQ_STR(REPR("\x8c\x02os\x8c\x06system\x93."), "os.system");
	EQ_STR(REPR("c__builtin__\nlong\n."), "builtins.int");
	EQ_STR(REPR("cm\nA.B c\n."), "m.A.B c");
}

/* The five ways to make an object, none of which runs anything. */
static void calls_are_never_made(void)
{
	EQ_STR(REPR("cos\nsystem\n\x8c\x02id\x85R."), "os.system('id')");
	EQ_STR(REPR("cm\nC\nK\x01\x85\x81."), "m.C(1)");
	EQ_STR(REPR("(K\x01K\x02im\nC\n."), "m.C(1, 2)");
	EQ_STR(REPR("(cm\nC\nK\x01o."), "m.C(1)");
	EQ_STR(REPR("(cm\nC\no."), "m.C()");
	EQ_STR(REPR("cm\nC\nK\x01\x85}\x8c\x01kK\x02s\x92."), "m.C(1, k=2)");
}

static void things_added_to_calls(void)
{
	EQ_STR(REPR("cm\nC\n)RK\x01"
		    "a(K\x02"
		    "e."),
		"m.C([1, 2])");
	EQ_STR(REPR("cm\nC\n)R(K\x01\x90."), "m.C([1])");
	EQ_STR(REPR("cm\nC\n)\x81K\x01K\x02s."), "m.C({1: 2})");
	EQ_STR(REPR("cm\nC\n)\x81}\x8c\x01xK\x02sb."), "m.C(x=2)");
	EQ_STR(REPR("cm\nC\n)\x81K\x07"
		    "b."),
		"m.C(state=7)");
	EQ_STR(REPR("ccollections\nOrderedDict\n)RK\x01K\x02s."), "OrderedDict({1: 2})");
	EQ_STR(REPR("ccollections\nOrderedDict\n)R}\x8c\x01xK\x02sb."), "OrderedDict()");
}

/* Python updates __dict__, so the second state adds to the first; others replace. */
static void a_second_state_adds_to_a_dict(void)
{
	EQ_STR(REPR("cm\nC\n)\x81}\x8c\x01xK\x01sb}\x8c\x01yK\x02sb."), "m.C(x=1, y=2)");
	EQ_STR(REPR("cm\nC\n)\x81K\x01"
		    "bK\x02"
		    "b."),
		"m.C(state=2)");
}

static void dicts_keep_a_state(void)
{
	struct unpickled u;
	int64_t v = 0;
	uint32_t n;

	UNPICKLE(&u, "}K\x01K\x02sK\x07"
		     "bK\x03K\x04s.");
	OK(u.rc == 0 && obj_int(&u.g, obj_state(&u.g, u.top), &v));
	EQ_I64(v, 7);
	obj_pairs(&u.g, u.top, &n);
	EQ_I64(n, 2);
	unpickled_release(&u);
}

static void persistent_ids(void)
{
	EQ_STR(REPR("P12\n."), "persistent_load('12')");
	EQ_STR(REPR("K\x01\x85Q."), "persistent_load((1,))");
}

static void extensions_and_buffers_stay_opaque(void)
{
	EQ_STR(REPR("\x82\x01."), "<extension 1>");
	EQ_STR(REPR("\x83\x01\x02."), "<extension 513>");
	EQ_STR(REPR("\x84\x01\x00\x00\x00."), "<extension 1>");
	EQ_STR(REPR("\x97."), "<buffer>");
	EQ_STR(REPR("\x97\x98."), "<buffer>");
}

static void stack_opcodes(void)
{
	EQ_STR(REPR("K\x01K\x02"
		    "0."),
		"1");
	EQ_STR(REPR("K\x01(0."), "1"); /* POP takes a mark that is on top */
	EQ_STR(REPR("K\x01(K\x02K\x03"
		    "1."),
		"1");
	EQ_STR(REPR("K\x01"
		    "2\x86."),
		"(1, 1)");
}

static void memo_opcodes(void)
{
	EQ_STR(REPR("]q\x05h\x05\x86."), "([], [])");
	EQ_STR(REPR("]r\xff\xff\xff\xffj\xff\xff\xff\xff\x86."), "([], [])");
	EQ_STR(REPR("]p7\ng7\n\x86."), "([], [])");
	EQ_STR(REPR("]\x94h\x00\x86."), "([], [])");
	/* A later put of the same number counts. */
	EQ_STR(REPR("K\x01q\x00"
		    "0K\x02q\x00"
		    "0h\x00."),
		"2");
}

/* MEMOIZE takes the number of entries, wild ones included, as CPython does. */
static void memoize_counts_entries(void)
{
	EQ_STR(REPR("K\x01r\x00\x00\x00\x70"
		    "0K\x02\x94"
		    "0h\x01."),
		"2");
}

static void protocol_and_frame(void)
{
	struct unpickled u;

	UNPICKLE(&u, "\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00N.x");
	EQ_I64(u.rc, 0);
	EQ_I64(u.info.protocol, 4);
	EQ_I64(u.info.length, 13); /* what lies behind STOP does not belong to it */
	EQ_I64(u.info.opcodes, 4);
	EQ_I64(u.reader.pos, 13);
	unpickled_release(&u);
}

static void names_the_first_opcode_that_weights_only_refuses(void)
{
	struct unpickled u;

	UNPICKLE(&u, "\x80\x02]q\x00K\x01"
		     "a.");
	OK(u.rc == 0 && u.info.weights_only);
	unpickled_release(&u);
	UNPICKLE(&u, "\x80\x04]\x94N0.");
	OK(u.rc == 0 && !u.info.weights_only);
	EQ_I64(u.info.bad_op, 0x94);
	EQ_I64(u.info.bad_off, 3);
	unpickled_release(&u);
}

int main(void)
{
	TEST(constants_and_short_integers);
	TEST(integers_around_the_in_place_limit);
	TEST(long1_and_long4);
	TEST(floats);
	TEST(protocol_0_integers);
	TEST(texts);
	TEST(python_2_strings);
	TEST(bytes_and_bytearrays);
	TEST(tuples);
	TEST(lists);
	TEST(dicts);
	TEST(sets);
	TEST(symbols_are_only_named);
	TEST(calls_are_never_made);
	TEST(things_added_to_calls);
	TEST(a_second_state_adds_to_a_dict);
	TEST(dicts_keep_a_state);
	TEST(persistent_ids);
	TEST(extensions_and_buffers_stay_opaque);
	TEST(stack_opcodes);
	TEST(memo_opcodes);
	TEST(memoize_counts_entries);
	TEST(protocol_and_frame);
	TEST(names_the_first_opcode_that_weights_only_refuses);
	return tap_done();
}
