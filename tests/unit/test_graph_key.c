/* Python's equality of keys, and dicts without duplicates. */
#include "tap.h"
#include "unpickled.h"

#include <math.h>
#include <stdlib.h>

/* Are the two items of a pickled pair one key? Equal ones must have one hash. */
static bool same_key(const void *bytes, size_t n)
{
	struct unpickled u;
	const oref *items;
	uint32_t n_items;
	bool same = false;

	unpickle(&u, bytes, n);
	items = obj_items(&u.g, u.top, &n_items);
	if (u.rc != 0 || n_items != 2) {
		tap_bad++;
		printf("# %s\n", u.e.text);
	} else {
		same = obj_key_eq(&u.g, items[0], items[1]);
		OK(same == obj_key_eq(&u.g, items[1], items[0]));
		OK(!same || obj_key_hash(&u.g, items[0]) == obj_key_hash(&u.g, items[1]));
	}
	unpickled_release(&u);
	return same;
}

#define SAME(literal) OK(same_key(literal, sizeof(literal) - 1))
#define DIFFER(literal) OK(!same_key(literal, sizeof(literal) - 1))

static void numbers_are_equal_across_types(void)
{
	SAME("K\x01"
	     "F1.0\n\x86.");
	SAME("K\x01\x88\x86.");
	SAME("\x89"
	     "F-0.0\n\x86.");
	SAME("F0.0\nF-0.0\n\x86.");
	SAME("L9223372036854775808\nF9223372036854775808\n\x86.");
	SAME("L-36893488147419103232\nF-36893488147419103232\n\x86.");
	SAME("I-9223372036854775808\nF-9223372036854775808\n\x86.");
	SAME("L340282366920938463463374607431768211456\n"
	     "L340282366920938463463374607431768211456\n\x86.");
	DIFFER("K\x01"
	       "F1.5\n\x86.");
	DIFFER("I9007199254740993\nF9007199254740992\n\x86."); /* exact, not rounded */
	DIFFER("L9223372036854775809\nF9223372036854775808\n\x86.");
	DIFFER("NK\x00\x86.");
	DIFFER("Finf\nF-inf\n\x86.");
	DIFFER("L9223372036854775808\nFinf\n\x86.");
}

static void the_largest_floats_are_integers(void)
{
	char text[800];
	int n = snprintf(text, sizeof text, "L%.0f\nF%.17g\n\x86.", 0x1.fffffffffffffp1023,
		0x1.fffffffffffffp1023);

	OK(same_key(text, (size_t)n));
	n = snprintf(text, sizeof text, "L%.0f\nF%.17g\n\x86.", -0x1p1023, -0x1p1023);
	OK(same_key(text, (size_t)n));
	n = snprintf(text, sizeof text, "L%.0f\nF%.17g\n\x86.", 0x1p127, -0x1p127);
	OK(!same_key(text, (size_t)n));
}

/* NaN is not equal to another NaN, but it is the same object as itself. */
static void nan_is_equal_by_identity(void)
{
	DIFFER("Fnan\nFnan\n\x86.");
	SAME("Fnan\n2\x86.");
}

static void texts_and_bytes(void)
{
	SAME("\x8c\x01"
	     "aX\x01\x00\x00\x00"
	     "a\x86.");
	SAME("\x8c\x01"
	     "aU\x01"
	     "a\x86."); /* Python 3 reads Python 2 strings as text */
	DIFFER("\x8c\x01"
	       "aC\x01"
	       "a\x86.");
	DIFFER("\x8c\x01"
	       "a\x8c\x01"
	       "b\x86.");
	SAME("C\x01"
	     "aC\x01"
	     "a\x86.");
}

static void symbols_by_name_and_calls_by_identity(void)
{
	SAME("cm\nf\n\x8c\x01m\x8c\x01"
	     "f\x93\x86.");
	DIFFER("cm\nf\ncm\ng\n\x86.");
	DIFFER("cm\nf\n)Rcm\nf\n)R\x86.");
	SAME("cm\nf\n)R2\x86.");
}

static void tuples_by_their_items(void)
{
	SAME("K\x01K\x02\x86K\x01"
	     "F2.0\n\x86\x86.");
	SAME("))\x86.");
	SAME("K\x01\x85\x85K\x01\x85\x85\x86.");
	DIFFER("K\x01\x85\x85K\x01\x85\x86.");
	DIFFER("K\x01K\x02\x86K\x01\x85\x86.");
	DIFFER("K\x01K\x02\x86K\x02K\x01\x86\x86.");
}

/* Two separate DAGs of 2^40 leaves: told apart by budget, not by patience. */
static void hostile_tuples_end(void)
{
	char text[600];
	int n = 0, key = 1;

	for (int half = 0; half < 2; half++) {
		text[n++] = ')';
		for (int i = 0; i < 40; i++, key++)
			n += snprintf(text + n, sizeof text - (size_t)n, "q%ch%c\x86", key, key);
	}
	memcpy(text + n, "\x86.", 2);
	OK(!same_key(text, (size_t)n + 2));
}

static const char *deduped(const void *bytes, size_t n)
{
	static char text[256];
	struct unpickled u;
	struct buf out;

	unpickle(&u, bytes, n);
	buf_init(&out, 255);
	if (u.rc == 0)
		u.rc = graph_dedupe(&u.g);
	if (u.rc == 0)
		u.rc = obj_repr(&u.g, u.top, &out, &u.e);
	snprintf(text, sizeof text, "%.*s", (int)out.n, u.rc ? "error" : out.p);
	buf_release(&out);
	unpickled_release(&u);
	return text;
}

#define DEDUPED(literal) deduped(literal, sizeof(literal) - 1)

/* As Python: the value is the last, key and position are the first. */
static void later_values_replace_in_place(void)
{
	EQ_STR(DEDUPED("}(K\x01NK\x02NK\x01\x88u."), "{1: True, 2: None}");
	EQ_STR(DEDUPED("}(K\x01N\x88NF1.0\nK\x07u."), "{1: 7}");
	EQ_STR(DEDUPED("}(K\x01N\x8c\x01"
		       "1Nu."),
		"{1: None, '1': None}");
	EQ_STR(DEDUPED("cm\nC\n)R(NK\x01NK\x02u."), "m.C({None: 2})");
	EQ_STR(DEDUPED("}(K\x01NK\x01NuK\x05"
		       "b."),
		"{1: None}");
}

/* Above eight pairs a table is used; the answer is the same. */
static void large_dicts(void)
{
	enum { N = 20000 };
	char *text = malloc(N * 16 + 8);
	size_t n = 0;
	struct unpickled u;
	const oref *pairs;
	uint32_t n_pairs;
	int64_t key, value;

	memcpy(text, "}(", 2);
	n = 2;
	for (unsigned i = 0; i < N; i++) {
		unsigned k = i % (N / 2);

		if (i < N / 2)
			n += (size_t)sprintf(text + n, "I%u\n", k);
		else
			n += (size_t)sprintf(text + n, "F%u\n", k);
		text[n++] = 'M';
		text[n++] = (char)i;
		text[n++] = (char)(i >> 8);
	}
	memcpy(text + n, "u.", 2);
	unpickle(&u, text, n + 2);
	EQ_I64(u.rc, 0);
	EQ_I64(graph_dedupe(&u.g), 0);
	pairs = obj_pairs(&u.g, u.top, &n_pairs);
	EQ_I64(n_pairs, N / 2);
	for (uint32_t i = 0; i < n_pairs; i++)
		if (!obj_int(&u.g, pairs[2 * i], &key) || key != i ||
			!obj_int(&u.g, pairs[2 * i + 1], &value) || value != i + N / 2)
			tap_bad++;
	unpickled_release(&u);
	free(text);
}

/* Thousands of pairs of long equal tuples in small dicts: work is counted, and ends. */
static void keys_made_to_be_slow(void)
{
	enum { ITEMS = 4000, DICTS = 20000 };
	char *text = malloc(2 * (ITEMS * 2 + 8) + DICTS * 16);
	struct unpickled u;
	size_t n = 0;

	text[n++] = '(';
	for (int t = 0; t < 2; t++) {
		text[n++] = '(';
		for (int i = 0; i < ITEMS; i++, n += 2)
			memcpy(text + n, i + 1 == ITEMS && t ? "K\x02" : "K\x01", 2);
		text[n++] = 't';
		text[n++] = 'q';
		text[n++] = (char)t;
	}
	for (int i = 0; i < DICTS; i++, n += 9)
		memcpy(text + n, "}(h\0Nh\1Nu", 9);
	memcpy(text + n, "t.", 2);
	unpickle(&u, text, n + 2);
	EQ_I64(u.rc, 0);
	EQ_I64(graph_dedupe(&u.g), ERR_LIMIT);
	unpickled_release(&u);
	free(text);
}

int main(void)
{
	TEST(numbers_are_equal_across_types);
	TEST(the_largest_floats_are_integers);
	TEST(nan_is_equal_by_identity);
	TEST(texts_and_bytes);
	TEST(symbols_by_name_and_calls_by_identity);
	TEST(tuples_by_their_items);
	TEST(hostile_tuples_end);
	TEST(later_values_replace_in_place);
	TEST(large_dicts);
	TEST(keys_made_to_be_slow);
	return tap_done();
}
