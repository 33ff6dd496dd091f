/* What the machine turns down, and with which words (formats/pickle.md section 8). */
#include "tap.h"
#include "unpickled.h"

static void reject(const char *file, int line, const void *p, size_t n, int code, const char *says)
{
	struct unpickled u;

	unpickle(&u, p, n);
	if (u.rc != code || !strstr(u.e.text, says)) {
		tap_bad++;
		printf("# %s:%d: %d \"%s\", wanted %d \"%s\"\n", file, line, u.rc,
			u.rc ? u.e.text : "", code, says);
	}
	OK(u.top == OREF_NIL); /* outputs are untouched on failure */
	unpickled_release(&u);
}

#define REJECT(literal, code, says)                                                                \
	reject(__FILE__, __LINE__, literal, sizeof(literal) - 1, code, says)

static void nothing_and_garbage(void)
{
	REJECT("", ERR_TRUNCATED, "ends at byte 0 without STOP");
	REJECT("N", ERR_TRUNCATED, "ends at byte 1 without STOP");
	REJECT("N\xee.", ERR_DAMAGED, "byte 1 of the pickle (0xee) is not an opcode");
	REJECT("N\x00.", ERR_DAMAGED, "not an opcode");
}

static void truncated_arguments_name_opcode_and_offset(void)
{
	REJECT("NJ\x01\x02", ERR_TRUNCATED, "BININT at byte 1");
	REJECT("K", ERR_TRUNCATED, "BININT1 at byte 0");
	REJECT("G\x00", ERR_TRUNCATED, "BINFLOAT");
	REJECT("cmodule", ERR_TRUNCATED, "GLOBAL at byte 0");
	REJECT("cmodule\nname", ERR_TRUNCATED, "GLOBAL at byte 0");
	REJECT("I12", ERR_TRUNCATED, "INT");
	REJECT("X\x05\x00\x00\x00"
	       "abcd",
		ERR_TRUNCATED, "5 bytes announced, 4 are left");
	REJECT("X\x05\x00", ERR_TRUNCATED, "BINUNICODE");
	REJECT("\x8a\x03\x01", ERR_TRUNCATED, "LONG1");
}

/* Length fields beyond what is there: refused before anything is allocated. */
static void lengths_beyond_the_end(void)
{
	REJECT("X\xff\xff\xff\xff.", ERR_TRUNCATED, "4294967295 bytes announced");
	REJECT("B\xff\xff\xff\xff.", ERR_TRUNCATED, "BINBYTES");
	REJECT("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", ERR_TRUNCATED, "18446744073709551615");
	REJECT("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", ERR_TRUNCATED, "BINBYTES8");
	REJECT("\x96\x00\x00\x00\x00\x00\x00\x00\x01.", ERR_TRUNCATED, "BYTEARRAY8");
	REJECT("\x8b\xff\xff\xff\x7f.", ERR_TRUNCATED, "LONG4");
	REJECT("\x95\x03\x00\x00\x00\x00\x00\x00\x00N.", ERR_TRUNCATED, "a frame of 3 bytes");
}

static void negative_lengths(void)
{
	REJECT("T\xff\xff\xff\xff.", ERR_DAMAGED, "negative (-1)");
	REJECT("\x8b\x00\x00\x00\x80.", ERR_DAMAGED, "negative");
}

static void stack_underflow(void)
{
	REJECT(".", ERR_DAMAGED, "STOP at byte 0 of the pickle: 0 values");
	REJECT("0.", ERR_DAMAGED, "POP");
	REJECT("2.", ERR_DAMAGED, "DUP");
	REJECT("N\x86.", ERR_DAMAGED, "2 values wanted, 1 are there");
	REJECT("NR.", ERR_DAMAGED, "REDUCE");
	REJECT("N\x81.", ERR_DAMAGED, "NEWOBJ");
	REJECT("}Ns.", ERR_DAMAGED, "SETITEM");
	REJECT("]a.", ERR_DAMAGED, "APPEND");
	REJECT("Nb.", ERR_DAMAGED, "BUILD");
	REJECT("Q.", ERR_DAMAGED, "BINPERSID");
	REJECT("q\x01N.", ERR_DAMAGED, "BINPUT");
	REJECT("\x94N.", ERR_DAMAGED, "MEMOIZE");
	REJECT("\x98.", ERR_DAMAGED, "READONLY_BUFFER");
	REJECT("\x8c\x01m\x93.", ERR_DAMAGED, "STACK_GLOBAL");
	REJECT("cm\nC\n)\x92.", ERR_DAMAGED, "NEWOBJ_EX");
	REJECT("(N\x90.", ERR_DAMAGED, "ADDITEMS");
}

/* Nothing reaches below a mark. */
static void pops_past_a_mark(void)
{
	REJECT("N(\x85.", ERR_DAMAGED, "1 values wanted, 0 are there above the mark");
	REJECT("N(2.", ERR_DAMAGED, "DUP");
	REJECT("NN(s.", ERR_DAMAGED, "SETITEM");
	REJECT("N(q\x00.", ERR_DAMAGED, "BINPUT");
	REJECT("](Na.", ERR_DAMAGED, "APPEND");
	REJECT("]((Ne.", ERR_DAMAGED, "APPENDS");
}

static void marks_that_are_not_there(void)
{
	REJECT("Nt.", ERR_DAMAGED, "there is no mark");
	REJECT("1.", ERR_DAMAGED, "there is no mark");
	REJECT("]Ne.", ERR_DAMAGED, "APPENDS");
	REJECT("}NNu.", ERR_DAMAGED, "SETITEMS");
	REJECT("Nd.", ERR_DAMAGED, "DICT");
	REJECT("Nl.", ERR_DAMAGED, "LIST");
	REJECT("No.", ERR_DAMAGED, "OBJ");
	REJECT("im\nC\n.", ERR_DAMAGED, "INST");
	REJECT("(o.", ERR_DAMAGED, "no class above the mark");
}

static void stop_with_too_much(void)
{
	REJECT("NN.", ERR_DAMAGED, "2 values on the stack");
	REJECT("N(.", ERR_DAMAGED, "1 marks are still open");
}

static void undefined_memo_entries(void)
{
	REJECT("h\x00.", ERR_DAMAGED, "memo entry 0 was never put");
	REJECT("]q\x02h\x01.", ERR_DAMAGED, "memo entry 1");
	REJECT("]q\x00j\xff\xff\xff\xff.", ERR_DAMAGED, "memo entry 4294967295");
	REJECT("]r\x00\x00\x00\x70j\x01\x00\x00\x70.", ERR_DAMAGED, "memo entry");
	REJECT("g0\n.", ERR_DAMAGED, "memo entry 0");
}

static void memo_numbers_in_text(void)
{
	REJECT("Np-1\n.", ERR_DAMAGED, "not a number");
	REJECT("Np\n.", ERR_DAMAGED, "no number");
	REJECT("Np4294967296\n.", ERR_DAMAGED, "below 2^32");
	REJECT("Ng99999999999999999999999999\n.", ERR_DAMAGED, "below 2^32");
}

static void odd_pairs(void)
{
	REJECT("}(NNNu.", ERR_DAMAGED, "3 items are no pairs");
	REJECT("(Nd.", ERR_DAMAGED, "1 items are no pairs");
}

static void unknown_protocols(void)
{
	REJECT("\x80\x06N.", ERR_UNSUPPORTED, "protocol 6");
	REJECT("\x80\x63N.", ERR_UNSUPPORTED, "protocol 99");
}

static void items_on_what_cannot_take_them(void)
{
	REJECT("NNNs.", ERR_DAMAGED, "None cannot take that");
	REJECT("K\x01(NNu.", ERR_DAMAGED, "an int");
	REJECT("]NNs.", ERR_DAMAGED, "a list");
	REJECT("}Na.", ERR_DAMAGED, "a dict");
	REJECT(")(Ne.", ERR_DAMAGED, "a tuple");
	REJECT("\x8fNa.", ERR_DAMAGED, "a set");
	REJECT("](N\x90.", ERR_DAMAGED, "a list");
	REJECT("(\x91(N\x90.", ERR_DAMAGED, "a frozenset");
	REJECT("cm\nf\nNNs.", ERR_DAMAGED, "a class or function");
	REJECT("NQNNs.", ERR_DAMAGED, "a persistent object");
	REJECT("]Nb.", ERR_DAMAGED, "a list");
	REJECT("cm\nf\nNb.", ERR_DAMAGED, "a class or function");
}

/* CVE-2026-24747: SETITEM on a tensor overwrites its elements while it "loads safely". */
static void items_on_tensors(void)
{
	REJECT("ctorch._utils\n_rebuild_tensor_v2\n)RK\x00K\x01s.", ERR_DAMAGED,
		"torch._utils._rebuild_tensor_v2");
	REJECT("ctorch._utils\n_rebuild_tensor_v2\n)R(K\x00K\x01u.", ERR_DAMAGED, "SETITEMS");
	REJECT("ctorch._tensor\n_rebuild_from_type_v2\n)RN"
	       "a.",
		ERR_DAMAGED, "APPEND");
	REJECT("ctorch\nFloatTensor\n)\x81NNs.", ERR_DAMAGED, "torch.FloatTensor");
	REJECT("cnumpy.core.multiarray\n_reconstruct\n)RNNs.", ERR_DAMAGED, "_reconstruct");
}

static void calls_of_what_is_no_callable(void)
{
	REJECT("N)R.", ERR_DAMAGED, "neither a class nor a function");
	REJECT("\x8c\x01m)\x81.", ERR_DAMAGED, "neither a class nor a function");
	REJECT("(No.", ERR_DAMAGED, "neither a class nor a function");
	REJECT("cm\nf\n]R.", ERR_DAMAGED, "arguments are not a tuple");
	REJECT("cm\nf\n))\x92.", ERR_DAMAGED, "a tuple and a dict");
}

static void broken_texts_of_protocol_0(void)
{
	REJECT("I\n.", ERR_DAMAGED, "not a number");
	REJECT("I0x10\n.", ERR_DAMAGED, "not a number");
	REJECT("I010\n.", ERR_DAMAGED, "not a number");
	REJECT("I1_0\n.", ERR_DAMAGED, "not a number");
	REJECT("I 1\n.", ERR_DAMAGED, "not a number");
	REJECT("LL\n.", ERR_DAMAGED, "not a number");
	REJECT("F\n.", ERR_DAMAGED, "not a number");
	REJECT("F0x1p3\n.", ERR_DAMAGED, "not a number");
	REJECT("F1.5 \n.", ERR_DAMAGED, "not a number");
	REJECT("F1e\n.", ERR_DAMAGED, "not a number");
	REJECT("Sabc\n.", ERR_DAMAGED, "quotes");
	REJECT("S'\n.", ERR_DAMAGED, "quotes");
	REJECT("S'a\"\n.", ERR_DAMAGED, "quotes");
	REJECT("S'\\x4'\n.", ERR_DAMAGED, "broken escape");
	REJECT("V\\u12\n.", ERR_DAMAGED, "broken escape");
	REJECT("V\\U00110000\n.", ERR_DAMAGED, "broken escape");
}

/* The limit that Python has, too: converting is quadratic. */
static void integers_of_too_many_digits(void)
{
	char text[4400];
	struct unpickled u;

	memset(text, '7', sizeof text);
	text[0] = 'I';
	memcpy(text + 4302, "\n.", 2);
	unpickle(&u, text, 4304);
	EQ_I64(u.rc, ERR_LIMIT);
	HAS(u.e.text, "4301 digits");
	unpickled_release(&u);
	memcpy(text + 4301, "\n.", 2);
	unpickle(&u, text, 4303);
	EQ_I64(u.rc, 0);
	unpickled_release(&u);
}

static void other_opaque_things(void)
{
	REJECT("\x82\x00.", ERR_DAMAGED, "extension code 0");
	REJECT("\x84\xff\xff\xff\xff.", ERR_DAMAGED, "extension code -1");
	REJECT("N\x98.", ERR_DAMAGED, "not a buffer");
	REJECT("\x8c\x01mK\x01\x93.", ERR_DAMAGED, "the name is not a text");
	REJECT("K\x01\x8c\x01m\x93.", ERR_DAMAGED, "the module is not a text");
}

/* "h0 b" over and over would copy a large state for three bytes. */
static void states_that_are_merged_as_a_bomb(void)
{
	char text[400];
	struct unpickled u;
	int n = snprintf(text, sizeof text, "cm\nC\n)\x81}(");

	for (int i = 0; i < 20; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "K%cN", 'a' + i);
	n += snprintf(text + n, sizeof text - (size_t)n, "uq%cb", 1);
	for (int i = 0; i < 40; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "h%cb", 1);
	text[n++] = '.';
	unpickle(&u, text, (size_t)n);
	EQ_I64(u.rc, ERR_LIMIT);
	HAS(u.e.text, "BUILD");
	unpickled_release(&u);
}

int main(void)
{
	TEST(nothing_and_garbage);
	TEST(truncated_arguments_name_opcode_and_offset);
	TEST(lengths_beyond_the_end);
	TEST(negative_lengths);
	TEST(stack_underflow);
	TEST(pops_past_a_mark);
	TEST(marks_that_are_not_there);
	TEST(stop_with_too_much);
	TEST(undefined_memo_entries);
	TEST(memo_numbers_in_text);
	TEST(odd_pairs);
	TEST(unknown_protocols);
	TEST(items_on_what_cannot_take_them);
	TEST(items_on_tensors);
	TEST(calls_of_what_is_no_callable);
	TEST(broken_texts_of_protocol_0);
	TEST(integers_of_too_many_digits);
	TEST(other_opaque_things);
	TEST(states_that_are_merged_as_a_bomb);
	return tap_done();
}
