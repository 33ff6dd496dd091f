/* Other values in the bytes that are there: one opcode changes, and nobody else's value does. */
#include "tap.h"
#include "unpickled.h"

#include <stdlib.h>

/* The object at a path: digits are items, letters the values of pairs (a is the first), '.' the
 * state, '(' the arguments. */
static oref at_path(const struct graph *g, oref r, const char *path)
{
	oref callable;
	const oref *at;
	uint32_t n;

	for (; *path; path++) {
		if (*path == '.')
			r = obj_state(g, r);
		else if (*path == '(')
			obj_call(g, r, &callable, &r);
		else if (*path >= 'a' && (at = obj_pairs(g, r, &n)))
			r = at[2 * (*path - 'a') + 1];
		else if (*path < 'a' && (at = obj_items(g, r, &n)))
			r = at[*path - '0'];
	}
	return r;
}

static int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	buf_put(ctx, p, n);
	return 0;
}

/* Makes the edit in the object at path; the new pickle, or the sentence why not. */
static struct str patched(
		const char *in, size_t n, const char *path, struct pickle_edit edit, int *rc)
{
	static struct buf out;
	static struct err e;
	struct pickle_out to = {.bytes = to_buf, .ctx = &out};
	struct pickle_patch patch = {0};
	struct unpickled u;

	unpickle(&u, in, n);
	EQ_I64(u.rc, 0);
	EQ_I64(graph_dedupe(&u.g), 0);
	edit.holder = at_path(&u.g, u.top, path);
	e = (struct err){0};
	*rc = pickle_patch(u.src, 0, n, &u.g, &edit, 1, &patch, &e);
	buf_release(&out);
	buf_init(&out, SIZE_MAX);
	if (*rc == 0)
		EQ_I64(pickle_patch_write(&patch, u.src, 0, n, &to, &e), 0);
	pickle_patch_release(&patch);
	unpickled_release(&u);
	return *rc ? str_of(e.text) : buf_view(&out);
}

static void check(int line, const char *in, size_t n, const char *path, struct pickle_edit edit,
		const char *want, size_t want_n)
{
	int rc;
	struct str got = patched(in, n, path, edit, &rc);

	if (rc == 0 && got.n == want_n && memcmp(got.p, want, want_n) == 0)
		return;
	tap_bad++;
	printf("# %s:%d: %d \"", __FILE__, line, rc);
	for (size_t i = 0; i < got.n; i++)
		printf(got.p[i] >= ' ' && got.p[i] < 127 ? "%c" : "\\x%02x", (uint8_t)got.p[i]);
	printf("\"\n");
}

static void check_refused(int line, const char *in, size_t n, const char *path,
		struct pickle_edit edit, int code, const char *words)
{
	int rc;
	struct str got = patched(in, n, path, edit, &rc);

	if (rc == code && strstr(got.p, words))
		return;
	tap_bad++;
	printf("# %s:%d: %d %.*s\n", __FILE__, line, rc, rc ? (int)got.n : 0, got.p);
}

#define BECOMES(in, path, edit, want)                                                              \
	check(__LINE__, in, sizeof(in) - 1, path, (struct pickle_edit)edit, want, sizeof(want) - 1)
#define REFUSES(in, path, edit, code, words)                                                       \
	check_refused(__LINE__, in, sizeof(in) - 1, path, (struct pickle_edit)edit, code, words)
#define NUMBER(where, nth, number)                                                                 \
	{                                                                                          \
		.part = PICKLE_##where, .i = (nth), .kind = OBJ_KIND_INT, .v = (number)            \
	}
#define WORD(where, nth, text)                                                                     \
	{                                                                                          \
		.part = PICKLE_##where, .i = (nth), .kind = OBJ_KIND_STR, .s = STR(text)           \
	}

static void numbers_change_in_place(void)
{
	BECOMES("](K\x01K\x02"
		"e.",
			"", NUMBER(ITEM, 1, 3),
			"](K\x01K\x03"
			"e.");
	BECOMES("K\x01K\x02\x86.", "", NUMBER(ITEM, 0, 70000), "J\x70\x11\x01\x00K\x02\x86.");
	BECOMES("}X\x01\x00\x00\x00nI7\ns.", "", NUMBER(VALUE, 0, -1),
			"}X\x01\x00\x00\x00nJ\xff\xff\xff\xffs.");
	BECOMES("(dNG\x00\x00\x00\x00\x00\x00\x00\x00s.", "", NUMBER(VALUE, 0, 0), "(dNK\x00s.");
}

/* TorchScript reads no other LONG1. */
static void large_numbers_take_eight_bytes(void)
{
	BECOMES("K\x01\x85.", "", NUMBER(ITEM, 0, 1LL << 40),
			"\x8a\x08\x00\x00\x00\x00\x00\x01\x00\x00\x85.");
}

static void any_plain_value_for_any_other(void)
{
	struct pickle_edit none = {.part = PICKLE_ITEM, .kind = OBJ_KIND_NONE},
			   yes = {.part = PICKLE_ITEM, .kind = OBJ_KIND_BOOL, .v = 1},
			   half = {.part = PICKLE_ITEM, .kind = OBJ_KIND_FLOAT, .f = 0.5};

	BECOMES("C\x01z\x85.", "", none, "N\x85.");
	BECOMES("N\x85.", "", yes, "\x88\x85.");
	BECOMES("S'a'\n\x85.", "", half, "G\x3f\xe0\x00\x00\x00\x00\x00\x00\x85.");
	BECOMES("N\x85.", "", WORD(ITEM, 0, "ab"),
			"X\x02\x00\x00\x00"
			"ab\x85.");
	BECOMES("N.", "", WORD(TOP, 0, "ab"),
			"X\x02\x00\x00\x00"
			"ab.");
}

static void python_2_text_stays_python_2_text(void)
{
	BECOMES("U\x01z\x85.", "", WORD(ITEM, 0, "ab"),
			"U\x02"
			"ab\x85.");
	BECOMES("S'z'\n\x85.", "", WORD(ITEM, 0, "ab"),
			"U\x02"
			"ab\x85.");
}

static void deep_inside(void)
{
	BECOMES("cm\nC\n(](K\x01K\x02"
		"etR}X\x01\x00\x00\x00nK\x05sb.",
			"(0", NUMBER(ITEM, 0, 9),
			"cm\nC\n(](K\x09K\x02"
			"etR}X\x01\x00\x00\x00nK\x05sb.");
	BECOMES("cm\nC\n)R}X\x01\x00\x00\x00nK\x05sb.", ".", NUMBER(VALUE, 0, 9),
			"cm\nC\n)R}X\x01\x00\x00\x00nK\x09sb.");
	BECOMES("(K\x05im\nC\n.", "(", NUMBER(ITEM, 0, 9), "(K\x09im\nC\n.");
	BECOMES("(cm\nC\nK\x05o.", "(", NUMBER(ITEM, 0, 9), "(cm\nC\nK\x09o.");
}

/* Batches: counting goes on over all that fill one container. */
static void items_that_come_in_several_batches(void)
{
	BECOMES("](K\x01K\x02"
		"eK\x03"
		"a(K\x04"
		"e.",
			"", NUMBER(ITEM, 3, 9),
			"](K\x01K\x02"
			"eK\x03"
			"a(K\x09"
			"e.");
	BECOMES("}(K\x01NK\x02NuK\x03Ns.", "", NUMBER(KEY, 2, 9), "}(K\x01NK\x02NuK\x09Ns.");
}

/* The put stays, harmless: nobody gets it. */
static void text_that_is_put_but_not_got(void)
{
	BECOMES("X\x01\x00\x00\x00zq\x00\x85q\x01.", "", WORD(ITEM, 0, "ab"),
			"X\x02\x00\x00\x00"
			"abq\x00\x85q\x01.");
}

/* The heart of it: 'z' is defined where it is got first. */
static void text_that_others_get_is_defined_again_there(void)
{
	BECOMES("(X\x01\x00\x00\x00zq\x05h\x05h\x05t.", "", WORD(ITEM, 0, "ab"),
			"(X\x02\x00\x00\x00"
			"abq\x05X\x01\x00\x00\x00zq\x05h\x05t.");
	BECOMES("(X\x01\x00\x00\x00zr\x00\x01\x00\x00j\x00\x01\x00\x00t.", "", NUMBER(ITEM, 0, 1),
			"(K\x01r\x00\x01\x00\x00X\x01\x00\x00\x00zr\x00\x01\x00\x00t.");
	/* Numbers that are counted: the second object keeps number 1. */
	BECOMES("(\x8c\x01z\x94]\x94h\x00h\x01t.", "", WORD(ITEM, 0, "ab"),
			"(X\x02\x00\x00\x00"
			"ab\x94]\x94\x8c\x01zq\x00h\x01t.");
}

static void one_use_changes_and_the_definition_does_not(void)
{
	BECOMES("(X\x01\x00\x00\x00zq\x05h\x05h\x05t.", "", WORD(ITEM, 1, "ab"),
			"(X\x01\x00\x00\x00zq\x05X\x02\x00\x00\x00"
			"abh\x05t.");
}

/* A number that is put again for something else is not a use. */
static void a_reused_number_is_somebody_elses(void)
{
	BECOMES("(X\x01\x00\x00\x00zq\x05]q\x05h\x05t.", "", WORD(ITEM, 0, "ab"),
			"(X\x02\x00\x00\x00"
			"abq\x05]q\x05h\x05t.");
}

static void frames_get_new_lengths(void)
{
	BECOMES("\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00(\x8c\x01z\x94h\x00t\x94.", "",
			WORD(ITEM, 0, "ab"),
			"\x80\x04\x95\x11\x00\x00\x00\x00\x00\x00\x00(X\x02\x00\x00\x00"
			"ab\x94\x8c\x01zq\x00t\x94.");
	BECOMES("\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00K\x01\x85.", "", NUMBER(ITEM, 0, 2),
			"\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00K\x02\x85.");
}

static void containers_and_calls_are_refused(void)
{
	REFUSES("]\x85.", "", NUMBER(ITEM, 0, 1), ERR_UNSUPPORTED, "only None");
	REFUSES("cm\nC\n)R\x85.", "", NUMBER(ITEM, 0, 1), ERR_UNSUPPORTED, "byte 6");
	REFUSES("].", "", NUMBER(TOP, 0, 1), ERR_UNSUPPORTED, "only None");
	REFUSES("K\x01\x85.", "", NUMBER(ITEM, 1, 1), ERR_ABSENT, "no part 1");
	REFUSES("K\x01\x85.", "0", NUMBER(ITEM, 0, 1), ERR_ABSENT, "no part 0");
}

static void what_the_bytes_do_not_say_is_refused(void)
{
	REFUSES("}(K\x01NK\x02NK\x01K\x05u.", "", NUMBER(VALUE, 0, 9), ERR_UNSUPPORTED, "twice");
	REFUSES("X\x01\x00\x00\x00z2\x86.", "", NUMBER(ITEM, 0, 9), ERR_UNSUPPORTED, "DUP");
	REFUSES("(X\x01\x00\x00\x00zq\x01q\x02h\x01h\x02t.", "", NUMBER(ITEM, 0, 9),
			ERR_UNSUPPORTED, "two memo numbers");
	/* A state that is built in two steps is a dict that no opcode made. */
	REFUSES("cm\nC\n)R}K\x01K\x02sb}K\x03K\x04sb.", ".", NUMBER(VALUE, 0, 9), ERR_UNSUPPORTED,
			"does not say where");
}

/* Edits that touch each other's definition: the first get is replaced itself, so that the second
 * one takes over. */
static void several_edits_at_once(void)
{
	static const char in[] = "(X\x01\x00\x00\x00zq\x05h\x05h\x05K\x07t.",
			  want[] = "(K\x01q\x05K\x02X\x01\x00\x00\x00zq\x05K\x03t.";
	struct pickle_patch patch = {0};
	struct pickle_edit edits[3] = {NUMBER(ITEM, 3, 3), NUMBER(ITEM, 0, 1), NUMBER(ITEM, 1, 2)};
	struct pickle_out to = {.bytes = to_buf};
	struct unpickled u;
	struct buf out;

	UNPICKLE(&u, in);
	for (int i = 0; i < 3; i++)
		edits[i].holder = u.top;
	buf_init(&out, SIZE_MAX);
	to.ctx = &out;
	EQ_I64(pickle_patch(u.src, 0, sizeof in - 1, &u.g, edits, 3, &patch, &u.e), 0);
	EQ_I64(pickle_patch_write(&patch, u.src, 0, sizeof in - 1, &to, &u.e), 0);
	EQ_MEM(out.p, out.n, want, sizeof want - 1);
	pickle_patch_release(&patch);
	edits[2].i = 0; /* the same as edits[1] */
	EQ_I64(pickle_patch(u.src, 0, sizeof in - 1, &u.g, edits, 3, &patch, &u.e), ERR_USAGE);
	buf_release(&out);
	unpickled_release(&u);
}

int main(void)
{
	TEST(numbers_change_in_place);
	TEST(large_numbers_take_eight_bytes);
	TEST(any_plain_value_for_any_other);
	TEST(python_2_text_stays_python_2_text);
	TEST(deep_inside);
	TEST(items_that_come_in_several_batches);
	TEST(text_that_is_put_but_not_got);
	TEST(text_that_others_get_is_defined_again_there);
	TEST(one_use_changes_and_the_definition_does_not);
	TEST(a_reused_number_is_somebody_elses);
	TEST(frames_get_new_lengths);
	TEST(containers_and_calls_are_refused);
	TEST(what_the_bytes_do_not_say_is_refused);
	TEST(several_edits_at_once);
	return tap_done();
}
