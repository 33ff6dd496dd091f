/* How objects are written: every rule of formats/pickle.md sections 3 and 4, byte for byte.
 * tests/oracle/pickle_roundtrip.py holds the same against CPython's pickler and real files. */
#include "resaved.h"

#include <stdlib.h>

/* --- values --------------------------------------------------------------------------------------
 */

static void constants_have_an_opcode_each(void)
{
	SAVES("N", "N");
	SAVES("I01\n", "\x88");
	SAVES("\x89", "\x89");
	SAVES(")", ")");
}

static void integers_take_the_shortest_form(void)
{
	SAVES("I0\n", "K\x00");
	SAVES("J\xff\x00\x00\x00", "K\xff");
	SAVES("I256\n", "M\x00\x01");
	SAVES("I65535\n", "M\xff\xff");
	SAVES("I65536\n", "J\x00\x00\x01\x00");
	SAVES("I2147483647\n", "J\xff\xff\xff\x7f");
	SAVES("I-1\n", "J\xff\xff\xff\xff"); /* negative ones never take less */
	SAVES("I-2147483648\n", "J\x00\x00\x00\x80");
}

static void integers_beyond_32_bits_are_long1(void)
{
	SAVES("L2147483648L\n", "\x8a\x05\x00\x00\x00\x80\x00");
	SAVES("L-2147483649L\n", "\x8a\x05\xff\xff\xff\x7f\xff");
	SAVES("L549755813887L\n", "\x8a\x05\xff\xff\xff\xff\x7f");
	SAVES("L549755813888L\n", "\x8a\x06\x00\x00\x00\x00\x80\x00");
	SAVES("L-549755813888L\n", "\x8a\x05\x00\x00\x00\x00\x80");
	SAVES("L9223372036854775807L\n", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f");
	SAVES("L-9223372036854775808L\n", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80");
	SAVES("L9223372036854775808L\n", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00");
	/* TorchScript always writes eight bytes. */
	SAVES("\x8a\x08\x01\x00\x00\x00\x00\x00\x00\x00", "K\x01");
}

static void integers_over_255_bytes_are_long4(void)
{
	char in[2 + 255 + 1] = "\x8a\xff", in4[5 + 256 + 1] = "\x8b\x00\x01\x00\x00";
	struct str got;
	int rc;

	memset(in + 2, 0x11, 255);
	in[257] = '.';
	got = resave(in, 258, &rc);
	EQ_MEM(got.p, got.n < 4 ? got.n : 4, "\x80\x02\x8a\xff", 4);
	EQ_I64(got.n, 2 + 258);
	memset(in4 + 5, 0x11, 256);
	in4[261] = '.';
	got = resave(in4, 262, &rc);
	EQ_MEM(got.p, got.n < 7 ? got.n : 7, "\x80\x02\x8b\x00\x01\x00\x00", 7);
	EQ_I64(got.n, 2 + 262);
}

static void floats_keep_their_bits(void)
{
	SAVES("F0.5\n", "G?\xe0\x00\x00\x00\x00\x00\x00");
	SAVES("F-0.0\n", "G\x80\x00\x00\x00\x00\x00\x00\x00");
	SAVES_AS_IT_WAS("G\xff\xf8\x00\x00\x00\x00\x01\x23"); /* a NaN with a message in it */
	SAVES_AS_IT_WAS("G\x7f\xf0\x00\x00\x00\x00\x00\x01"); /* a signalling one */
}

static void text_is_binunicode_with_a_put(void)
{
	SAVES("\x8c\x01"
	      "a",
			"X\x01\x00\x00\x00"
			"aq\x00");
	SAVES("V\\u20ac\n", "X\x03\x00\x00\x00\xe2\x82\xacq\x00");
	SAVES("X\x00\x00\x00\x00", "X\x00\x00\x00\x00q\x00");
	SAVES_AS_IT_WAS("X\x03\x00\x00\x00\xed\xa0\x80q\x00"); /* a lone surrogate */
	SAVES_AS_IT_WAS("X\x03\x00\x00\x00\n\x00.q\x00");
}

static void python_2_strings_stay_what_they_are(void)
{
	SAVES_AS_IT_WAS("U\x02\xff\x00q\x00");
	SAVES("S'ab'\n", "U\x02"
			 "abq\x00");
	SAVES("T\x01\x00\x00\x00"
	      "a",
			"U\x01"
			"aq\x00");
}

static void bytes_are_a_call_of_codecs_encode(void)
{
	SAVES("C\x03"
	      "a\x80\xff",
			"c_codecs\nencode\nq\x00X\x05\x00\x00\x00"
			"a\xc2\x80\xc3\xbfq\x01X\x06\x00\x00\x00latin1q\x02\x86q\x03Rq\x04");
	SAVES("C\x00", "c__builtin__\nbytes\nq\x00)Rq\x01");
	SAVES("\x96\x00\x00\x00\x00\x00\x00\x00\x00", "c__builtin__\nbytearray\nq\x00)Rq\x01");
	SAVES("\x96\x01\x00\x00\x00\x00\x00\x00\x00"
	      "a",
			"c__builtin__\nbytearray\nq\x00"
			"c_codecs\nencode\nq\x01X\x01\x00\x00\x00"
			"aq\x02X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05\x85q\x06Rq\x07");
}

/* The symbol and "latin1" are objects that Python has once. */
static void helpers_are_put_once(void)
{
	SAVES("C\x01"
	      "aC\x01"
	      "b\x86",
			"c_codecs\nencode\nq\x00X\x01\x00\x00\x00"
			"aq\x01X\x06\x00\x00\x00latin1q\x02\x86q\x03Rq\x04"
			"h\x00X\x01\x00\x00\x00"
			"bq\x05h\x02\x86q\x06Rq\x07\x86q\x08");
	/* The graph's own are taken where it has them. */
	SAVES("c_codecs\nencode\n(X\x01\x00\x00\x00zX\x06\x00\x00\x00latin1tRC\x01"
	      "b\x86",
			"c_codecs\nencode\nq\x00X\x01\x00\x00\x00zq\x01X\x06\x00\x00\x00latin1q\x02"
			"\x86q\x03Rq\x04h\x00X\x01\x00\x00\x00"
			"bq\x05h\x02\x86q\x06Rq\x07\x86q\x08");
}

static void sets_are_calls_with_a_list(void)
{
	SAVES("\x8f(K\x01K\x02\x90", "c__builtin__\nset\nq\x00]q\x01(K\x01K\x02"
				     "e\x85q\x02Rq\x03");
	SAVES("(K\x01\x91", "c__builtin__\nfrozenset\nq\x00]q\x01K\x01"
			    "a\x85q\x02Rq\x03");
	SAVES("\x8f", "c__builtin__\nset\nq\x00]q\x01\x85q\x02Rq\x03");
}

/* --- memo ----------------------------------------------------------------------------------------
 */

static void containers_are_put_before_and_tuples_behind_their_items(void)
{
	SAVES("(lK\x01"
	      "a",
			"]q\x00K\x01"
			"a");
	SAVES("(dNNs", "}q\x00NNs");
	SAVES("(K\x01t", "K\x01\x85q\x00");
	SAVES("(K\x01K\x02t", "K\x01K\x02\x86q\x00");
	SAVES("(K\x01K\x02K\x03t", "K\x01K\x02K\x03\x87q\x00");
	SAVES("(K\x01K\x02K\x03K\x04t", "(K\x01K\x02K\x03K\x04tq\x00");
}

/* Equal is not the same: only one object that is met again becomes a get. */
static void identity_decides_what_is_a_get(void)
{
	SAVES_AS_IT_WAS("X\x01\x00\x00\x00"
			"aq\x00h\x00\x86q\x01");
	SAVES_AS_IT_WAS("X\x01\x00\x00\x00"
			"aq\x00X\x01\x00\x00\x00"
			"aq\x01\x86q\x02");
	SAVES_AS_IT_WAS("cm\nC\nq\x00"
			"cm\nC\nq\x01h\x00\x87q\x02");
	SAVES("]2\x86", "]q\x00h\x00\x86q\x01");
}

static void numbers_and_the_empty_tuple_are_never_put(void)
{
	SAVES("G\x3f\xf0\x00\x00\x00\x00\x00\x00q\x00h\x00\x86",
			"G\x3f\xf0\x00\x00\x00\x00\x00\x00G\x3f\xf0\x00\x00\x00\x00\x00\x00\x86q"
			"\x00");
	SAVES(")q\x00h\x00\x86", "))\x86q\x00");
	SAVES("Nq\x00h\x00\x86", "NN\x86q\x00");
	SAVES("L99999999999999999999L\nq\x00h\x00\x86",
			"\x8a\x09\xff\xff\x0f\x63\x2d\x5e\xc7\x6b\x05"
			"\x8a\x09\xff\xff\x0f\x63\x2d\x5e\xc7\x6b\x05\x86q\x00");
}

/* Adds n new empty lists to the list r. */
static void add_lists(struct graph *g, oref r, int n)
{
	oref inner;

	while (n--) {
		inner = obj_new(g, OBJ_KIND_LIST, 0);
		EQ_I64(obj_append(g, r, &inner, 1), 0);
	}
}

static void memo_numbers_take_four_bytes_from_256_on(void)
{
	static const char tail[] = "]q\xff]r\x00\x01\x00\x00X\x01\x00\x00\x00tr\x01\x01\x00\x00"
				   "j\x01\x01\x00\x00"
				   "e.";
	struct unpickled u;
	struct buf out;
	oref text;

	UNPICKLE(&u, "].");
	add_lists(&u.g, u.top, 256);
	text = obj_new_text(&u.g, OBJ_KIND_STR, STR("t"), 0);
	EQ_I64(obj_append(&u.g, u.top, (oref[]){text, text}, 2), 0);
	buf_init(&out, SIZE_MAX);
	EQ_I64(pickle_save_buf(&u.g, u.top, NULL, &out, &u.e), 0);
	OK(out.n > sizeof tail);
	EQ_MEM(out.p + out.n - (sizeof tail - 1), sizeof tail - 1, tail, sizeof tail - 1);
	buf_release(&out);
	unpickled_release(&u);
}

/* --- calls ---------------------------------------------------------------------------------------
 */

static void calls_are_put_before_what_is_added_to_them(void)
{
	SAVES_AS_IT_WAS("ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00"
			"aq\x02K\x01s}q\x03h\x02K\x02sb");
	SAVES_AS_IT_WAS("cargparse\nNamespace\nq\x00)\x81q\x01}q\x02X\x01\x00\x00\x00"
			"aq\x03K\x01sb");
	SAVES_AS_IT_WAS("ccollections\ndefaultdict\nq\x00"
			"c__builtin__\nlist\nq\x01\x85q\x02Rq\x03K\x01K\x02s");
}

/* Items, then pairs, then state, in whatever order they came. */
static void list_items_come_before_pairs_and_state(void)
{
	SAVES("cm\nC\n)\x81}bK\x02K\x03sK\x01"
	      "a",
			"cm\nC\nq\x00)\x81q\x01K\x01"
			"aK\x02K\x03s}q\x02"
			"b");
}

/* Python 3 makes these with cls.__new__(cls): no __init__. */
static void inst_and_obj_become_reduce_or_newobj(void)
{
	SAVES("(im\nC\n", "cm\nC\nq\x00)\x81q\x01");
	SAVES("(cm\nC\no", "cm\nC\nq\x00)\x81q\x01");
	SAVES("(K\x01im\nC\n", "cm\nC\nq\x00K\x01\x85q\x01Rq\x02");
	SAVES("cm\nC\n)R", "cm\nC\nq\x00)Rq\x01");
}

static void newobj_ex_without_keywords_is_newobj(void)
{
	SAVES("cm\nC\n)}\x92", "cm\nC\nq\x00)\x81q\x01");
	SAVE_FAILS("cm\nC\n)}\x8c\x01kNs\x92.", ERR_UNSUPPORTED, "keyword arguments");
}

static void persistent_ids_are_put_and_their_results_are_not(void)
{
	SAVES_AS_IT_WAS("X\x01\x00\x00\x00"
			"aq\x00K\x01\x86q\x01Q");
	SAVES("Pid\n", "X\x02\x00\x00\x00idq\x00Q");
	SAVES("X\x01\x00\x00\x00"
	      "aQ2\x86", /* one that is met again is asked for again */
			"X\x01\x00\x00\x00"
			"aq\x00Qh\x00Q\x86q\x01");
}

static void globals_keep_their_text(void)
{
	SAVES_AS_IT_WAS("c__builtin__\nlong\nq\x00");
	SAVES_AS_IT_WAS("c m \xff\na b.c\nq\x00");
	SAVES("\x82\x05", "\x82\x05"); /* extension codes are never put */
	SAVES("\x84\x00\x01\x00\x00", "\x83\x00\x01");
}

/* Protocols 3 and up name builtins as Python 3 does; readers of protocol 2 translate. */
static void names_of_python_3_become_those_of_python_2(void)
{
	SAVES("\x80\x04\x8c\x08"
	      "builtins\x8c\x05range\x93",
			"c__builtin__\nxrange\nq\x00");
	SAVES("\x80\x03"
	      "cbuiltins\nset\n",
			"c__builtin__\nset\nq\x00");
	SAVES("\x80\x03"
	      "ccopyreg\nf\n",
			"ccopy_reg\nf\nq\x00");
	SAVES_AS_IT_WAS("cbuiltins\nset\nq\x00");
}

static void names_that_would_be_taken_for_others_are_refused(void)
{
	SAVE_FAILS("\x80\x03"
		   "ccommands\nrun\n.",
			ERR_UNSUPPORTED, "\"commands\"");
	SAVE_FAILS("\x80\x04\x8c\x01m\x8c\x03"
		   "A.B\x93.",
			ERR_UNSUPPORTED, "m.A.B");
	SAVE_FAILS("\x8c\x01m\x8c\x03"
		   "A\nB\x93.",
			ERR_UNSUPPORTED, "line breaks");
	SAVES_AS_IT_WAS("ccommands\nrun\nq\x00");
}

static void what_protocol_2_lacks_is_refused(void)
{
	SAVE_FAILS("\x97.", ERR_UNSUPPORTED, "out-of-band");
	SAVE_FAILS("]\x96\x01\x00\x00\x00\x00\x00\x00\x00"
		   "a\x98"
		   "a.",
			ERR_UNSUPPORTED, "read-only bytearrays (made at byte 1 ");
}

/* --- recursion -----------------------------------------------------------------------------------
 */

static void lists_and_dicts_may_hold_themselves(void)
{
	SAVES_AS_IT_WAS("]q\x00h\x00"
			"a");
	SAVES_AS_IT_WAS("}q\x00K\x01h\x00s");
	SAVES_AS_IT_WAS("cm\nC\nq\x00)\x81q\x01}q\x02K\x01h\x01sb");
}

/* t = ([t],): the inner one is put, the outer one dropped in its favour (section 3). */
static void a_tuple_in_itself_is_popped_and_got(void)
{
	SAVES_AS_IT_WAS("]q\x00h\x00\x85q\x01"
			"a0h\x01");
	SAVES_AS_IT_WAS("]q\x00h\x00K\x05\x86q\x01"
			"aK\x05"
			"00h\x01");
	SAVES_AS_IT_WAS("]q\x00h\x00K\x05K\x06\x87q\x01"
			"aK\x05K\x06"
			"000h\x01");
	SAVES_AS_IT_WAS("(]q\x00(h\x00K\x05K\x06K\x07tq\x01"
			"aK\x05K\x06K\x07"
			"1h\x01");
}

/* Python makes a new tuple of arguments each time it gets to the object. */
static void a_call_in_its_own_arguments_is_popped_and_got(void)
{
	SAVES_AS_IT_WAS("cm\nC\nq\x00]q\x01h\x00h\x01\x85q\x02Rq\x03"
			"a\x85q\x04R0h\x03");
}

/* And a new list of a set's items, so that the inner one does not find the outer one's, empty. */
static void a_set_in_itself_has_its_items_twice(void)
{
	SAVES_AS_IT_WAS("c__builtin__\nset\nq\x00]q\x01"
			"cm\nC\nq\x02)\x81q\x03}q\x04X\x01\x00\x00\x00sq\x05h\x00]q\x06h\x03"
			"a\x85q\x07Rq\x08sba\x85q\tR0h\x08");
}

/* Tuples of lists of the same tuple: n deep costs n * n, and Python ends at 1000. */
static void nesting_beyond_pythons_own_limit_is_refused(void)
{
	struct unpickled u;
	oref lists[2000], tuple;
	struct buf out;

	UNPICKLE(&u, "N.");
	for (int i = 0; i < 2000; i++)
		lists[i] = obj_new(&u.g, OBJ_KIND_LIST, 0);
	tuple = obj_new_seq(&u.g, OBJ_KIND_TUPLE, lists, 2000, 0);
	for (int i = 0; i < 2000; i++)
		EQ_I64(obj_append(&u.g, lists[i], &tuple, 1), 0);
	buf_init(&out, SIZE_MAX);
	EQ_I64(pickle_save_buf(&u.g, tuple, NULL, &out, &u.e), ERR_LIMIT);
	buf_release(&out);
	unpickled_release(&u);
}

/* A persistent result inside the id of the next, each of them named by a long list: without a
 * limit, 100,000 * 100,000 opcodes. */
static void repeating_without_end_is_a_limit(void)
{
	struct unpickled u;
	struct buf out;
	oref id;

	UNPICKLE(&u, "].");
	id = OBJ_NONE;
	for (int i = 0; i < 100000; i++)
		id = obj_new_persid(&u.g, id, 0);
	for (int i = 0; i < 100000; i++)
		EQ_I64(obj_append(&u.g, u.top, &id, 1), 0);
	buf_init(&out, SIZE_MAX);
	EQ_I64(pickle_save_buf(&u.g, u.top, NULL, &out, &u.e), ERR_LIMIT);
	HAS(u.e.text, "repeat");
	buf_release(&out);
	unpickled_release(&u);
}

/* Deeper than any stack: nothing here recurses. */
static void depth_is_no_limit(void)
{
	struct unpickled u;
	struct buf out;
	oref r;

	UNPICKLE(&u, "].");
	r = u.top;
	for (int i = 0; i < 300000; i++)
		r = obj_new_seq(&u.g, i % 2 ? OBJ_KIND_TUPLE : OBJ_KIND_LIST, &r, 1, 0);
	buf_init(&out, SIZE_MAX);
	EQ_I64(pickle_save_buf(&u.g, r, NULL, &out, &u.e), 0);
	buf_release(&out);
	unpickled_release(&u);
}

/* --- batches (section 4) -------------------------------------------------------------------------
 */

/* The batches of a pickle of zeros in words: "(1000e 1a", marks, how many items, what took them. */
static const char *batches_in(struct str p)
{
	static char text[256];
	size_t n = 0, at = 0;

	text[0] = 0;
	for (size_t i = 0; i < p.n; i++) {
		if (p.p[i] == 'K' && ++i)
			n++;
		else if (p.p[i] == '(')
			at += (size_t)snprintf(text + at, sizeof text - at, "(");
		else if (memchr("aesu", p.p[i], 4)) {
			at += (size_t)snprintf(text + at, sizeof text - at, "%zu%c", n, p.p[i]);
			n = 0;
		}
	}
	return text;
}

/* What is written for n zeros (pairs of them) in the object of that pickle. */
static const char *batches_of(const char *pickle, bool pairs, uint32_t n)
{
	static oref zeros[4002];
	const char *text;
	struct unpickled u;
	struct buf out;

	unpickle(&u, pickle, strlen(pickle));
	for (uint32_t i = 0; i < 2 * n; i++)
		zeros[i] = obj_new_int(&u.g, 0, 0);
	EQ_I64(pairs ? obj_set_pairs(&u.g, u.top, zeros, n) : obj_append(&u.g, u.top, zeros, n), 0);
	buf_init(&out, SIZE_MAX);
	EQ_I64(pickle_save_buf(&u.g, u.top, NULL, &out, &u.e), 0);
	text = batches_in(str_skip(buf_view(&out), 2));
	buf_release(&out);
	unpickled_release(&u);
	return text;
}

struct batch_case {
	uint32_t n;
	const char *list, *dict, *sub_list, *sub_dict;
};

static void batches_of_1000(void)
{
	static const struct batch_case cases[] = {
			{0, "", "", "", ""},
			{1, "1a", "2s", "1a", "2s"},
			{2, "(2e", "(4u", "(2e", "(4u"},
			{999, "(999e", "(1998u", "(999e", "(1998u"},
			{1000, "(1000e", "(2000u(0u", "(1000e", "(2000u"},
			{1001, "(1000e(1e", "(2000u(2u", "(1000e1a", "(2000u2s"},
			{1002, "(1000e(2e", "(2000u(4u", "(1000e(2e", "(2000u(4u"},
			{1999, "(1000e(999e", "(2000u(1998u", "(1000e(999e", "(2000u(1998u"},
			{2000, "(1000e(1000e", "(2000u(2000u(0u", "(1000e(1000e", "(2000u(2000u"},
			{2001, "(1000e(1000e(1e", "(2000u(2000u(2u", "(1000e(1000e1a",
					"(2000u(2000u2s"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		EQ_STR(batches_of("].", false, cases[i].n), cases[i].list);
		EQ_STR(batches_of("}.", true, cases[i].n), cases[i].dict);
		EQ_STR(batches_of("cm\nC\n)R.", false, cases[i].n), cases[i].sub_list);
		EQ_STR(batches_of("cm\nO\n)R.", true, cases[i].n), cases[i].sub_dict);
	}
}

/* --- long text -----------------------------------------------------------------------------------
 */

struct counted {
	uint64_t bytes, runs, run_bytes;
	int fail; /* answered at the first run */
};

static int count_bytes(void *ctx, const void *p, size_t n, struct err *e)
{
	((struct counted *)ctx)->bytes += n;
	return 0;
}

static int count_run(void *ctx, struct source *src, uint64_t off, uint64_t len, struct err *e)
{
	struct counted *c = ctx;

	c->runs++;
	c->run_bytes += len;
	return c->fail ? err_set(e, c->fail, "no more") : 0;
}

static void long_text_goes_out_as_a_run(void)
{
	static char text[LONG_TEXT];
	struct counted c = {0};
	struct pickle_out to = {.bytes = count_bytes, .run = count_run, .ctx = &c};
	struct unpickled u;
	struct str got;
	int rc;

	resaved_long(text);
	unpickle(&u, text, sizeof text);
	EQ_I64(pickle_save(&u.g, u.top, NULL, &to, &u.e), 0);
	EQ_I64(c.runs, 1);
	EQ_I64(c.run_bytes, 100000);
	EQ_I64(c.bytes, LONG_TEXT - 100000);
	c.fail = ERR_SYS; /* what the taker answers is handed on */
	EQ_I64(pickle_save(&u.g, u.top, NULL, &to, &u.e), ERR_SYS);
	EQ_STR(u.e.text, "no more");
	got = resave(text, sizeof text, &rc); /* a taker without runs */
	EQ_MEM(got.p, got.n, text, sizeof text);
	unpickled_release(&u);
}

/* Bytes that are not in memory are turned into text piece by piece. */
static void long_bytes_become_text(void)
{
	static char in[5 + 100000 + 1];
	struct str got;
	int rc;

	memcpy(in, "B\xa0\x86\x01\x00", 5);
	for (int i = 0; i < 100000; i++)
		in[5 + i] = (char)(i % 2 ? 0xff : 'x');
	in[sizeof in - 1] = '.';
	got = resave(in, sizeof in, &rc);
	EQ_I64(rc, 0);
	EQ_I64(got.n, 2 + 18 + 5 + 150000 + 2 + 11 + 2 + 3 + 3 + 1);
	EQ_MEM(got.p + 20, 12, "X\xf0\x49\x02\x00x\xc3\xbfx\xc3\xbfx", 12);
}

int main(void)
{
	TEST(constants_have_an_opcode_each);
	TEST(integers_take_the_shortest_form);
	TEST(integers_beyond_32_bits_are_long1);
	TEST(integers_over_255_bytes_are_long4);
	TEST(floats_keep_their_bits);
	TEST(text_is_binunicode_with_a_put);
	TEST(python_2_strings_stay_what_they_are);
	TEST(bytes_are_a_call_of_codecs_encode);
	TEST(helpers_are_put_once);
	TEST(sets_are_calls_with_a_list);
	TEST(containers_are_put_before_and_tuples_behind_their_items);
	TEST(identity_decides_what_is_a_get);
	TEST(numbers_and_the_empty_tuple_are_never_put);
	TEST(memo_numbers_take_four_bytes_from_256_on);
	TEST(calls_are_put_before_what_is_added_to_them);
	TEST(list_items_come_before_pairs_and_state);
	TEST(inst_and_obj_become_reduce_or_newobj);
	TEST(newobj_ex_without_keywords_is_newobj);
	TEST(persistent_ids_are_put_and_their_results_are_not);
	TEST(globals_keep_their_text);
	TEST(names_of_python_3_become_those_of_python_2);
	TEST(names_that_would_be_taken_for_others_are_refused);
	TEST(what_protocol_2_lacks_is_refused);
	TEST(lists_and_dicts_may_hold_themselves);
	TEST(a_tuple_in_itself_is_popped_and_got);
	TEST(a_call_in_its_own_arguments_is_popped_and_got);
	TEST(a_set_in_itself_has_its_items_twice);
	TEST(nesting_beyond_pythons_own_limit_is_refused);
	TEST(repeating_without_end_is_a_limit);
	TEST(depth_is_no_limit);
	TEST(batches_of_1000);
	TEST(long_text_goes_out_as_a_run);
	TEST(long_bytes_become_text);
	return tap_done();
}
