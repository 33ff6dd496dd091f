/* Nodes: making, growing, looking at them. */
#include "tap.h"

#include <pthfs/obj.h>
#include <stdlib.h>

static struct graph g;

static void begin(void)
{
	OK(graph_init(&g, NULL) == 0);
}

static void fixed_nodes_are_there(void)
{
	int64_t v = 9;

	begin();
	EQ_I64(obj_kind(&g, OBJ_NONE), OBJ_KIND_NONE);
	OK(obj_int(&g, OBJ_FALSE, &v) && v == 0);
	OK(obj_int(&g, OBJ_TRUE, &v) && v == 1);
	EQ_I64(obj_kind(&g, OBJ_EMPTY_TUPLE), OBJ_KIND_TUPLE);
	OK(obj_new_seq(&g, OBJ_KIND_TUPLE, NULL, 0, 5) == OBJ_EMPTY_TUPLE);
	graph_release(&g);
}

static void small_integers_cost_no_node(void)
{
	static const int64_t small[] = {0, 1, -1, 1073741823, -1073741824};
	static const int64_t large[] = {1073741824, -1073741825, INT64_MAX, INT64_MIN};
	size_t before;
	int64_t v;

	begin();
	before = g.nodes.n;
	for (int i = 0; i < 5; i++) {
		v = 99;
		OK(obj_int(&g, obj_new_int(&g, small[i], 1), &v));
		EQ_I64(v, small[i]);
	}
	EQ_I64(g.nodes.n, before);
	for (int i = 0; i < 4; i++) {
		v = 99;
		OK(obj_int(&g, obj_new_int(&g, large[i], 1), &v));
		EQ_I64(v, large[i]);
	}
	EQ_I64(g.nodes.n, before + 4);
	graph_release(&g);
}

static void a_node_has_20_bytes(void)
{
	EQ_I64(sizeof(struct obj), 20);
}

/* Every getter takes any reference, and says no. */
static void getters_refuse_other_kinds(void)
{
	oref odd[] = {OREF_NIL, 12345, OBJ_NONE, OBJ_EMPTY_TUPLE, 0xffffffff};
	struct str s, t;
	oref a, b;
	double d;
	uint32_t n;

	begin();
	for (int i = 0; i < 5; i++) {
		OK(!obj_float(&g, odd[i], &d));
		OK(!obj_text(&g, odd[i], &s));
		OK(!obj_global(&g, odd[i], &s, &t));
		OK(!obj_call(&g, odd[i], &a, &b));
		OK(!obj_persid(&g, odd[i], &a));
		OK(obj_state(&g, odd[i]) == OREF_NIL && obj_kwargs(&g, odd[i]) == OREF_NIL);
		OK(obj_items(&g, odd[i], &n) == NULL && n == 0);
		OK(obj_pairs(&g, odd[i], &n) == NULL && n == 0);
		OK(obj_get(&g, odd[i], "x") == OREF_NIL);
		OK(!obj_is_text(&g, odd[i], ""));
		EQ_I64(obj_text_len(&g, odd[i]), 0);
		obj_add_flags(&g, OREF_NIL, OBJ_READONLY);
	}
	graph_release(&g);
}

/* 1..3 items lie in the node, more in the pool. */
static void tuples_of_all_lengths(void)
{
	oref items[6], r;
	const oref *back;
	uint32_t n;

	begin();
	for (int i = 0; i < 6; i++)
		items[i] = obj_new_int(&g, 10 + i, 0);
	for (uint32_t len = 0; len <= 6; len++) {
		r = obj_new_seq(&g, OBJ_KIND_TUPLE, items, len, 0);
		back = obj_items(&g, r, &n);
		EQ_I64(n, len);
		OK(len == 0 || memcmp(back, items, len * sizeof *items) == 0);
	}
	EQ_I64(g.pool.n, 4 + 5 + 6);
	graph_release(&g);
}

/* Two lists that grow by turns move past each other and lose nothing. */
static void lists_that_grow_in_turns(void)
{
	oref list[2], v;
	const oref *items;
	uint32_t n;
	int64_t got;

	begin();
	list[0] = obj_new(&g, OBJ_KIND_LIST, 0);
	list[1] = obj_new_seq(&g, OBJ_KIND_LIST, NULL, 0, 0);
	for (int i = 0; i < 1000; i++) {
		v = obj_new_int(&g, i, 0);
		OK(obj_append(&g, list[i % 2], &v, 1) == 0);
	}
	for (int k = 0; k < 2; k++) {
		items = obj_items(&g, list[k], &n);
		EQ_I64(n, 500);
		for (uint32_t i = 0; i < n; i++)
			OK(obj_int(&g, items[i], &got) && got == 2 * i + k);
	}
	OK(g.pool.n < 5000); /* holes are bounded */
	graph_release(&g);
}

/* A list may be extended by items that lie in the pool, its own included. */
static void appending_from_the_pool(void)
{
	oref list, four[4] = {OBJ_NONE, OBJ_TRUE, OBJ_FALSE, OBJ_NONE};
	const oref *items;
	uint32_t n;

	begin();
	list = obj_new_seq(&g, OBJ_KIND_LIST, four, 4, 0);
	for (int i = 0; i < 8; i++) {
		items = obj_items(&g, list, &n);
		OK(obj_append(&g, list, items, n) == 0);
	}
	items = obj_items(&g, list, &n);
	EQ_I64(n, 1024);
	OK(items[1021] == OBJ_TRUE && items[1022] == OBJ_FALSE);
	graph_release(&g);
}

static void a_dict_finds_its_text_keys(void)
{
	oref dict, pair[2];

	begin();
	dict = obj_new(&g, OBJ_KIND_DICT, 0);
	for (int i = 0; i < 5; i++) {
		pair[0] = obj_new_text(&g, OBJ_KIND_STR, (struct str){&"abcde"[i], 1}, 0);
		pair[1] = obj_new_int(&g, i, 0);
		OK(obj_set_pairs(&g, dict, pair, 1) == 0);
	}
	OK(obj_get(&g, dict, "d") == obj_new_int(&g, 3, 0));
	OK(obj_get(&g, dict, "x") == OREF_NIL);
	graph_release(&g);
}

static void a_call_takes_everything_later(void)
{
	oref name, cls, call, one;
	const oref *at;
	uint32_t n;

	begin();
	one = obj_new_int(&g, 1, 0);
	name = obj_new_text(&g, OBJ_KIND_STR, STR("m"), 0);
	cls = obj_new_global(&g, name, name, 0);
	call = obj_new_call(&g, OBJ_KIND_CALL, cls, OBJ_EMPTY_TUPLE, 0);
	OK(obj_is_global(&g, cls, "m", "m") && !obj_is_global(&g, cls, "m", "n"));
	OK(obj_state(&g, call) == OREF_NIL);
	OK(obj_append(&g, call, &one, 1) == 0);
	OK(obj_set_pairs(&g, call, (oref[]){OBJ_NONE, OBJ_TRUE}, 1) == 0);
	OK(obj_set_state(&g, call, OBJ_TRUE) == 0 && obj_set_kwargs(&g, call, OBJ_FALSE) == 0);
	EQ_I64(g.extra.n, 1);
	at = obj_items(&g, call, &n);
	OK(n == 1 && at[0] == one);
	at = obj_pairs(&g, call, &n);
	OK(n == 1 && at[0] == OBJ_NONE && at[1] == OBJ_TRUE);
	OK(obj_state(&g, call) == OBJ_TRUE && obj_kwargs(&g, call) == OBJ_FALSE);
	graph_trim(&g);
	OK(obj_state(&g, call) == OBJ_TRUE);
	graph_release(&g);
}

static void text_is_copied_and_checked(void)
{
	char text[] = "caf\xc3\xa9";
	struct str s;
	oref r;

	begin();
	r = obj_new_text(&g, OBJ_KIND_STR, str_of(text), 7);
	text[0] = 'X';
	OK(obj_text(&g, r, &s) && str_is(s, "caf\xc3\xa9"));
	OK(!(obj_flags(&g, r) & OBJ_BAD_UTF8));
	EQ_I64(obj_off(&g, r), 7);
	r = obj_new_text(&g, OBJ_KIND_STR, STR("\xc3"), 0);
	OK(obj_flags(&g, r) & OBJ_BAD_UTF8);
	r = obj_new_text(&g, OBJ_KIND_BYTES, STR("\xc3"), 0);
	OK(!(obj_flags(&g, r) & OBJ_BAD_UTF8));
	graph_release(&g);
}

/* A source outlives the graph whose text it gives. */
static void text_sources_own_their_bytes(void)
{
	struct source *src = NULL;
	char back[3];

	begin();
	OK(obj_text_source(&g, obj_new_text(&g, OBJ_KIND_STR, STR("abc"), 0), &src, NULL) == 0);
	graph_release(&g);
	OK(source_read(src, back, 3, 0, NULL) == 0);
	EQ_MEM(back, 3, "abc", 3);
	source_unref(src);
	begin();
	EQ_I64(obj_text_source(&g, OBJ_NONE, &src, NULL), ERR_ABSENT);
	graph_release(&g);
}

static void tensors_and_extensions_carry_a_number(void)
{
	int64_t v = 0;

	begin();
	OK(obj_int(&g, obj_new_index(&g, OBJ_KIND_TENSOR, 70000, 0), &v) && v == 70000);
	OK(obj_int(&g, obj_new_index(&g, OBJ_KIND_EXT, -1, 0), &v) && v == -1);
	graph_release(&g);
}

int main(void)
{
	TEST(fixed_nodes_are_there);
	TEST(small_integers_cost_no_node);
	TEST(a_node_has_20_bytes);
	TEST(getters_refuse_other_kinds);
	TEST(tuples_of_all_lengths);
	TEST(lists_that_grow_in_turns);
	TEST(appending_from_the_pool);
	TEST(a_dict_finds_its_text_keys);
	TEST(a_call_takes_everything_later);
	TEST(text_is_copied_and_checked);
	TEST(text_sources_own_their_bytes);
	TEST(tensors_and_extensions_carry_a_number);
	return tap_done();
}
