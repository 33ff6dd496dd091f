/* Other insides for objects that are there, and taking it back: exactly what was, words, extras,
 * identity. */
#include "tap.h"

#include <pthfs/print.h>

static struct graph g;
static struct err e;

static oref text(const char *s)
{
	return obj_new_text(&g, OBJ_KIND_STR, str_of(s), 0);
}

static oref symbol(void)
{
	return obj_new_global(&g, text("m"), text("f"), 0);
}

static oref one(oref item)
{
	return obj_new_seq(&g, OBJ_KIND_TUPLE, &item, 1, 0);
}

static oref number(int v)
{
	return obj_new_int(&g, v, 0);
}

static void numbers(oref *ret, int first, int n)
{
	for (int i = 0; i < n; i++)
		ret[i] = number(first + i);
}

static const char *repr(oref r)
{
	static char out[4][512];
	static int turn;
	struct buf b;

	turn = (turn + 1) % 4;
	buf_init(&b, sizeof out[0] - 1);
	if (obj_repr(&g, r, &b, &e) < 0)
		return e.text;
	snprintf(out[turn], sizeof out[turn], "%.*s", (int)b.n, b.p ? b.p : "");
	buf_release(&b);
	return out[turn];
}

static void begin(void)
{
	OK(graph_init(&g, &e) == 0);
}

static void pairs_of_a_dict_are_replaced(void)
{
	oref kv[6], dict, holder;

	begin();
	numbers(kv, 1, 6);
	dict = obj_new(&g, OBJ_KIND_DICT, 0);
	OK(obj_set_pairs(&g, dict, kv, 2) == 0);
	holder = one(dict);
	OK(obj_replace_pairs(&g, dict, kv + 2, 2) == 0);
	EQ_STR(repr(holder), "({3: 4, 5: 6},)"); /* identity: the holder sees it */
	OK(obj_replace_pairs(&g, dict, kv, 3) == 0);
	EQ_STR(repr(dict), "{1: 2, 3: 4, 5: 6}");
	OK(obj_replace_pairs(&g, dict, NULL, 0) == 0);
	EQ_STR(repr(dict), "{}");
	OK(obj_set_pairs(&g, dict, kv, 1) == 0);
	EQ_STR(repr(dict), "{1: 2}");
	graph_release(&g);
}

static void pairs_may_be_the_ones_that_are_there(void)
{
	oref kv[6], dict;
	const oref *own;
	uint32_t n;

	begin();
	numbers(kv, 1, 6);
	dict = obj_new(&g, OBJ_KIND_DICT, 0);
	OK(obj_set_pairs(&g, dict, kv, 3) == 0);
	own = obj_pairs(&g, dict, &n);
	OK(obj_replace_pairs(&g, dict, own + 2, 2) == 0); /* overlapping, in place */
	EQ_STR(repr(dict), "{3: 4, 5: 6}");
	graph_record_undo(&g);
	for (int i = 0; i < 20; i++) { /* the pool moves while they are copied */
		own = obj_pairs(&g, dict, &n);
		OK(obj_replace_pairs(&g, dict, own, n) == 0);
	}
	EQ_STR(repr(dict), "{3: 4, 5: 6}");
	graph_release(&g);
}

static void a_dict_with_a_state_keeps_it(void)
{
	oref kv[2], dict;

	begin();
	numbers(kv, 1, 2);
	dict = obj_new(&g, OBJ_KIND_DICT, 0);
	OK(obj_set_state(&g, dict, OBJ_TRUE) == 0);
	OK(obj_replace_pairs(&g, dict, kv, 1) == 0);
	EQ_STR(repr(dict), "{1: 2}");
	EQ_I64(obj_state(&g, dict), OBJ_TRUE);
	graph_release(&g);
}

static void tuples_cross_the_border_of_three_items(void)
{
	oref at[8], tuple;

	begin();
	numbers(at, 1, 8);
	tuple = obj_new_seq(&g, OBJ_KIND_TUPLE, at, 2, 0);
	OK(obj_replace_items(&g, tuple, at, 5) == 0);
	EQ_STR(repr(tuple), "(1, 2, 3, 4, 5)");
	OK(obj_replace_items(&g, tuple, at + 4, 4) == 0);
	EQ_STR(repr(tuple), "(5, 6, 7, 8)");
	OK(obj_replace_items(&g, tuple, at, 3) == 0);
	EQ_STR(repr(tuple), "(1, 2, 3)");
	OK(obj_replace_items(&g, tuple, NULL, 0) == 0);
	EQ_STR(repr(tuple), "()");
	OK(obj_replace_items(&g, tuple, at, 1) == 0);
	EQ_STR(repr(tuple), "(1,)");
	graph_release(&g);
}

static void lists_and_sets_take_other_items(void)
{
	static const enum obj_kind kinds[] = {OBJ_KIND_LIST, OBJ_KIND_SET, OBJ_KIND_FROZENSET};
	static const char *const wanted[] = {"[3, 4, 5, 6]", "{3, 4, 5, 6}", "frozenset({3, 4, 5, 6})"};
	oref at[6], r;

	begin();
	numbers(at, 1, 6);
	for (int i = 0; i < 3; i++) {
		r = obj_new_seq(&g, kinds[i], at, 2, 0);
		OK(obj_replace_items(&g, r, at + 2, 4) == 0);
		EQ_STR(repr(r), wanted[i]);
	}
	graph_release(&g);
}

static void calls_take_arguments_state_items_and_pairs(void)
{
	oref at[4], call;

	begin();
	numbers(at, 1, 4);
	call = obj_new_call(&g, OBJ_KIND_CALL, symbol(), OBJ_EMPTY_TUPLE, 0);
	OK(obj_replace_args(&g, call, one(at[0])) == 0);
	EQ_STR(repr(call), "m.f(1)");
	/* Nothing where nothing was: no extra is made. */
	OK(obj_replace_items(&g, call, NULL, 0) == 0 && obj_replace_pairs(&g, call, NULL, 0) == 0 &&
			obj_replace_state(&g, call, OREF_NIL) == 0);
	EQ_I64(g.extra.n, 0);
	OK(obj_replace_items(&g, call, at, 2) == 0);
	OK(obj_replace_pairs(&g, call, at, 2) == 0);
	OK(obj_replace_state(&g, call, number(9)) == 0);
	EQ_STR(repr(call), "m.f(1, [1, 2], {1: 2, 3: 4}, state=9)");
	OK(obj_replace_items(&g, call, at + 3, 1) == 0);
	OK(obj_replace_pairs(&g, call, NULL, 0) == 0);
	OK(obj_replace_state(&g, call, OREF_NIL) == 0);
	EQ_STR(repr(call), "m.f(1, [4])");
	graph_release(&g);
}

static void what_cannot_hold_it_is_invalid(void)
{
	oref at[2], list, dict;

	begin();
	numbers(at, 1, 2);
	list = obj_new_seq(&g, OBJ_KIND_LIST, at, 2, 0);
	dict = obj_new(&g, OBJ_KIND_DICT, 0);
	EQ_I64(obj_replace_pairs(&g, list, at, 1), ERR_INVALID);
	EQ_I64(obj_replace_items(&g, dict, at, 1), ERR_INVALID);
	EQ_I64(obj_replace_args(&g, list, OBJ_EMPTY_TUPLE), ERR_INVALID);
	EQ_I64(obj_replace_state(&g, list, OBJ_NONE), ERR_INVALID);
	EQ_I64(obj_replace_items(&g, OBJ_EMPTY_TUPLE, at, 1), ERR_INVALID); /* everybody's */
	EQ_I64(obj_replace_items(&g, OREF_NIL, at, 1), ERR_INVALID);
	EQ_I64(obj_replace_pairs(&g, at[0], at, 1), ERR_INVALID);
	EQ_STR(repr(list), "[1, 2]");
	graph_release(&g);
}

/* A graph with every kind of thing that can change. */
enum { DICT, STATEFUL, SHORT, LONGER, LIST, SET, CALL, RICH, THINGS };

static void make_things(oref r[THINGS], const oref at[8])
{
	r[DICT] = obj_new(&g, OBJ_KIND_DICT, 0);
	OK(obj_set_pairs(&g, r[DICT], at, 2) == 0);
	r[STATEFUL] = obj_new(&g, OBJ_KIND_DICT, 0);
	OK(obj_set_pairs(&g, r[STATEFUL], at, 1) == 0 &&
			obj_set_state(&g, r[STATEFUL], at[7]) == 0);
	r[SHORT] = obj_new_seq(&g, OBJ_KIND_TUPLE, at, 2, 0);
	r[LONGER] = obj_new_seq(&g, OBJ_KIND_TUPLE, at, 6, 0);
	r[LIST] = obj_new_seq(&g, OBJ_KIND_LIST, at, 3, 0);
	r[SET] = obj_new_seq(&g, OBJ_KIND_SET, at, 3, 0);
	r[CALL] = obj_new_call(&g, OBJ_KIND_CALL, symbol(), OBJ_EMPTY_TUPLE, 0);
	r[RICH] = obj_new_call(&g, OBJ_KIND_NEW, symbol(), one(at[0]), 0);
	OK(obj_append(&g, r[RICH], at, 2) == 0 && obj_set_pairs(&g, r[RICH], at, 1) == 0 &&
			obj_set_state(&g, r[RICH], at[5]) == 0);
}

/* Pseudo-random, so that a failure comes again. */
static unsigned next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void change_something(const oref r[THINGS], const oref at[8], unsigned *seed)
{
	oref who = r[next(seed) % THINGS];
	const oref *from = at + next(seed) % 3;
	uint32_t n = next(seed) % 3;

	switch (next(seed) % 6) {
	case 0:
		obj_replace_pairs(&g, who, from, n);
		break;
	case 1:
		obj_replace_items(&g, who, from, n * 2);
		break;
	case 2:
		obj_replace_args(&g, who, one(from[0]));
		break;
	case 3:
		obj_replace_state(&g, who, n ? from[0] : OREF_NIL);
		break;
	case 4: /* new objects want room in the pool, and grow */
		who = obj_new_seq(&g, OBJ_KIND_LIST, at, 5, 0);
		obj_append(&g, who, at, 8);
		break;
	default: /* what was replaced may grow as well */
		if (obj_kind(&g, who) == OBJ_KIND_LIST && obj_replace_items(&g, who, at, 2) == 0)
			obj_append(&g, who, at, 7);
	}
}

static void undo_gives_the_very_same_objects(void)
{
	oref r[THINGS], at[8];
	struct obj was[THINGS];
	struct obj_extra extra[8];
	oref pool[256];
	size_t words, extras;
	unsigned seed = 7;

	begin();
	numbers(at, 1, 8);
	make_things(r, at);
	for (int i = 0; i < THINGS; i++)
		was[i] = g.nodes.at[r[i]];
	words = g.pool.n;
	extras = g.extra.n;
	OK(words <= 256 && extras <= 8);
	memcpy(pool, g.pool.at, words * sizeof *pool);
	memcpy(extra, g.extra.at, extras * sizeof *extra);
	for (int round = 0; round < 200; round++) {
		graph_record_undo(&g);
		for (unsigned k = next(&seed) % 40; k; k--)
			change_something(r, at, &seed);
		graph_undo(&g);
		EQ_I64(g.undo.n, 0);
		/* Nodes and extras bit for bit, and not one of their words has changed. */
		for (int i = 0; i < THINGS; i++)
			OK(memcmp(&was[i], &g.nodes.at[r[i]], sizeof *was) == 0);
		OK(memcmp(extra, g.extra.at, extras * sizeof *extra) == 0);
		OK(memcmp(pool, g.pool.at, words * sizeof *pool) == 0);
	}
	EQ_STR(repr(r[CALL]), "m.f()");
	EQ_I64(g.nodes.at[r[CALL]].c, 0); /* it had no extra and has none */
	EQ_STR(repr(r[RICH]), "m.f(1, [1, 2], {1: 2}, state=6)");
	EQ_STR(repr(r[STATEFUL]), "{1: 2}");
	graph_release(&g);
}

/* A hole that was there before may be filled: nobody needs its words. */
static void an_old_hole_is_filled_while_recording(void)
{
	oref at[8], list, other;
	size_t words;

	begin();
	numbers(at, 1, 8);
	list = obj_new_seq(&g, OBJ_KIND_LIST, at, 4, 0);
	other = obj_new_seq(&g, OBJ_KIND_LIST, at, 4, 0);
	OK(obj_append(&g, list, at, 4) == 0); /* moves away and leaves a hole of 4 */
	EQ_I64(g.hole_n, 4);
	graph_record_undo(&g);
	words = g.pool.n;
	OK(obj_replace_items(&g, other, at + 4, 4) == 0);
	EQ_I64(g.pool.n, words);
	EQ_STR(repr(other), "[5, 6, 7, 8]");
	graph_undo(&g);
	EQ_STR(repr(other), "[1, 2, 3, 4]");
	EQ_STR(repr(list), "[1, 2, 3, 4, 1, 2, 3, 4]");
	graph_release(&g);
}

static void what_is_forgotten_stays(void)
{
	oref at[4], list;

	begin();
	numbers(at, 1, 4);
	list = obj_new_seq(&g, OBJ_KIND_LIST, at, 4, 0);
	graph_record_undo(&g);
	OK(obj_replace_items(&g, list, at, 1) == 0);
	graph_forget_undo(&g);
	graph_undo(&g);
	EQ_STR(repr(list), "[1]");
	OK(obj_replace_items(&g, list, at, 2) == 0); /* noting goes on */
	graph_undo(&g);
	EQ_STR(repr(list), "[1]");
	graph_release(&g);
}

/* Without recording, insides that fit take the old place: a thousand edits cost no memory. */
static void without_recording_the_pool_does_not_grow(void)
{
	oref at[8], list;
	size_t words;

	begin();
	numbers(at, 1, 8);
	list = obj_new_seq(&g, OBJ_KIND_LIST, at, 8, 0);
	words = g.pool.n;
	for (int i = 0; i < 1000; i++)
		OK(obj_replace_items(&g, list, at, (uint32_t)i % 9) == 0);
	EQ_I64(g.pool.n, words);
	EQ_I64(g.undo.n, 0);
	graph_release(&g);
}

int main(void)
{
	TEST(pairs_of_a_dict_are_replaced);
	TEST(pairs_may_be_the_ones_that_are_there);
	TEST(a_dict_with_a_state_keeps_it);
	TEST(tuples_cross_the_border_of_three_items);
	TEST(lists_and_sets_take_other_items);
	TEST(calls_take_arguments_state_items_and_pairs);
	TEST(what_cannot_hold_it_is_invalid);
	TEST(undo_gives_the_very_same_objects);
	TEST(an_old_hole_is_filled_while_recording);
	TEST(what_is_forgotten_stays);
	TEST(without_recording_the_pool_does_not_grow);
	return tap_done();
}
