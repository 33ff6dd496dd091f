/* JSON that a user wrote, held against what was there: what differs is new, and what holds it; all
 * the rest is the very same object. */
#include "parse_kit.h"

/* {'a': 1, 'b': [1.5, (2, 3)], 3: None, 'f': m.f, 't': m.rebuild(7)} */
#define DOCUMENT                                                                                   \
	"}(X\1\0\0\0aK\1X\1\0\0\0b](G\x3f\xf8\0\0\0\0\0\0K\2K\3\x86" "eK\3NX\1\0\0\0fcm\nf\n"      \
	"X\1\0\0\0tcm\nrebuild\nK\7\x85Ru."
#define SHOWN "{\"a\": 1, \"b\": [1.5, [2, 3]], \"3\": null, \"f\": \"m.f\", \"t\": \"m.rebuild(7)\"}"

static void an_unchanged_document_is_the_same_object(void)
{
	oref was;
	size_t nodes;

	begin();
	was = LOAD(DOCUMENT);
	EQ_STR(say('j', was), SHOWN);
	nodes = g.nodes.n;
	EQ_I64(json(was, SHOWN), was);
	EQ_I64(json(was, " {\n\"a\":1,\"b\":[1.50,[2,3]],\"3\":null,\"f\":\"m.f\","
			 "\"t\":{\"dtype\":\"float32\",\"shape\":[{}]}}"),
			was);
	EQ_I64(g.nodes.n, nodes); /* and nothing was made */
	graph_release(&g);
}

static void what_has_not_changed_stays_the_same_object(void)
{
	oref was, r;

	begin();
	was = LOAD(DOCUMENT);
	r = json(was, "{\"a\": 2, \"b\": [1.5, [2, 3]], \"3\": null, \"f\": \"m.f\", \"t\": {}}");
	OK(r != was);
	EQ_STR(say('r', r), "{'a': 2, 'b': [1.5, (2, 3)], 3: None, 'f': m.f, 't': m.rebuild(7)}");
	EQ_I64(obj_get(&g, r, "b"), obj_get(&g, was, "b"));
	EQ_I64(obj_get(&g, r, "t"), obj_get(&g, was, "t"));
	EQ_STR(say('r', was), "{'a': 1, 'b': [1.5, (2, 3)], 3: None, 'f': m.f, 't': m.rebuild(7)}");
	r = json(was, "{\"b\": [1, [2, 4, 5]], \"new\": {\"x\": [1]}}");
	EQ_STR(say('r', r), "{'b': [1.0, (2, 4, 5)], 'new': {'x': [1]}}");
	graph_release(&g);
}

static void keys_in_another_order_are_found(void)
{
	oref was, r;

	begin();
	was = LOAD(DOCUMENT);
	r = json(was, "{\"t\": {\"dtype\": 1}, \"3\": null, \"b\": [1.5, [2, 3]], \"a\": 1}");
	EQ_STR(say('r', r), "{'t': m.rebuild(7), 3: None, 'b': [1.5, (2, 3)], 'a': 1}");
	EQ_I64(obj_get(&g, r, "b"), obj_get(&g, was, "b"));
	/* New keys of a dict whose keys are numbers are numbers. */
	EQ_STR(say('r', json(LOAD("}(K\0K\1K\1K\2u."), "{\"0\": 1, \"2\": 3, \"x\": 4}")),
			"{0: 1, 2: 3, 'x': 4}");
	/* One spelling, two keys. */
	was = LOAD("}(K\1K\2X\1\0\0\0" "1K\3u.");
	EQ_I64(json(was, "{\"1\": 2, \"1\": 3}"), was);
	graph_release(&g);
}

static void a_key_that_stands_twice_is_refused(void)
{
	begin();
	HAS(refused_json(ERR_INVALID, OREF_NIL, "{\"a\": 1, \"b\": 2, \"a\": 3}"),
			"\"a\" stands twice");
	HAS(refused_json(ERR_INVALID, LOAD(DOCUMENT), "{\"a\": 1, \"a\": 1}"), "stands twice");
	graph_release(&g);
}

static void an_ordered_dict_stays_one_with_its_state(void)
{
	oref was, r;

	begin();
	was = LOAD("ccollections\nOrderedDict\n)R(X\1\0\0\0aK\1u}X\1\0\0\0mK\5sb.");
	r = json(was, "{\"a\": 1, \"b\": 2}");
	EQ_STR(say('r', r), "OrderedDict({'a': 1, 'b': 2})");
	OK(r != was && obj_state(&g, r) == obj_state(&g, was));
	r = json(was, "{}");
	EQ_STR(say('r', r), "OrderedDict()");
	EQ_I64(obj_state(&g, r), obj_state(&g, was));
	/* Python 2's spelling, and Counter's: pairs as an argument. */
	was = LOAD("ccollections\nOrderedDict\n(](](X\1\0\0\0aK\1eetR.");
	EQ_I64(json(was, "{\"a\": 1}"), was);
	EQ_STR(say('r', json(was, "{\"a\": 2}")), "OrderedDict({'a': 2})");
	EQ_STR(say('j', was), "{\"a\": 1}");
	was = LOAD("ccollections\nCounter\n}X\1\0\0\0aK\2s\x85R.");
	EQ_I64(json(was, "{\"a\": 2}"), was);
	EQ_STR(say('r', json(was, "{\"a\": 2, \"b\": 1}")), "Counter({'a': 2, 'b': 1})");
	was = LOAD("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(X\1\0\0\0aK\2u.");
	EQ_STR(say('r', json(was, "{\"a\": 3}")), "defaultdict(builtins.list, {'a': 3})");
	graph_release(&g);
}

/* Of an object values can change; what it is, and which attributes it has, stays. */
static void attributes_of_an_object_change_their_values(void)
{
	oref was, r;

	begin();
	was = LOAD("cargparse\nNamespace\n)\x81}(X\2\0\0\0lrG\x3f\xf8\0\0\0\0\0\0X\1\0\0\0nK\1ub.");
	EQ_I64(json(was, "{\"lr\": 1.5, \"n\": 1}"), was);
	r = json(was, "{\"lr\": 2, \"n\": 1}");
	EQ_STR(say('r', r), "argparse.Namespace(lr=2.0, n=1)");
	EQ_STR(say('r', was), "argparse.Namespace(lr=1.5, n=1)");
	HAS(refused_json(ERR_UNSUPPORTED, was, "{\"lr\": 2}"), "none can come or go");
	HAS(refused_json(ERR_UNSUPPORTED, was, "{\"lr\": 2, \"n\": 1, \"x\": 1}"), "none can come");
	/* A module shows its state_dict, not its attributes: nothing there is to be changed here. */
	EQ_I64(json(was, "{\"fc.weight\": {\"dtype\": \"float32\"}}"), was);
	graph_release(&g);
}

static void types_can_change(void)
{
	oref was;

	begin();
	was = LOAD(DOCUMENT);
	EQ_STR(say('r', json(was, "{\"a\": \"x\", \"b\": {\"c\": 1}, \"3\": [1], \"t\": null}")),
			"{'a': 'x', 'b': {'c': 1}, 3: [1], 't': None}");
	EQ_STR(say('r', json(was, "[1, 2]")), "[1, 2]");
	EQ_STR(say('r', json(was, "7")), "7");
	/* But a symbol is not a text. */
	HAS(refused_json(ERR_UNSUPPORTED, was, "{\"f\": \"m.g\"}"), "stays as it was");
	graph_release(&g);
}

static void values_of_special_kinds_within_json(void)
{
	oref was, r;

	begin();
	was = LOAD("}(X\1\0\0\0dctorch\ndevice\nX\3\0\0\0cpu\x85RX\1\0\0\0tctorch\nfloat32\n"
		   "X\1\0\0\0bC\2\0\xffX\1\0\0\0sctorch\nSize\nK\2\x85\x85Ru.");
	EQ_I64(json(was, say('j', was)), was);
	r = json(was, "{\"d\": \"cuda:1\", \"t\": \"torch.int8\", \"b\": \"b'\\\\x00\\\\xff'\", "
		      "\"s\": [3, 4]}");
	EQ_STR(say('r', r), "{'d': torch.device('cuda', 1), 't': torch.int8, 'b': b'\\x00\\xff', "
			    "'s': torch.Size((3, 4))}");
	HAS(refused_json(ERR_UNSUPPORTED, was, "{\"b\": \"b''\"}"), "bytes cannot be written as JSON");
	HAS(refused_json(ERR_INVALID, was, "{\"d\": \"gpu\"}"), "expected a device");
	was = LOAD("]" "cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(X\2\0\0\0f8I00\nI01\ntR"
		   "C\x08\0\0\0\0\0\0\xf8\x3ftRa.");
	EQ_I64(json(was, "[1.5]"), was);
	r = json(was, "[2, 3]"); /* a further one is a numpy scalar, too */
	EQ_STR(scalar_hex(obj_items(&g, r, &(uint32_t){0})[0]), "0000000000000040");
	EQ_STR(scalar_hex(obj_items(&g, r, &(uint32_t){0})[1]), "0000000000000840");
	graph_release(&g);
}

/* Escapes, surrogates and bytes that are no UTF-8: JSON shows them in one way. */
static void strange_text_that_has_not_changed_is_no_edit(void)
{
	oref was;

	begin();
	was = LOAD("](X\2\0\0\0\xffzX\3\0\0\0\xed\xa0\x80X\1\0\0\0\0X\2\0\0\0\xc3\xa9" "e.");
	EQ_STR(say('j', was), "[\"\\udcffz\", \"\\ud800\", \"\\u0000\", \"\xc3\xa9\"]");
	EQ_I64(json(was, say('j', was)), was);
	EQ_I64(obj_flags(&g, obj_items(&g, json(LOAD("]U\1aa."), "[\"b\"]"), &(uint32_t){0})[0]),
			OBJ_PY2STR);
	EQ_I64(json(was, "[\"\\udcff\\u007a\", \"\\uD800\", \"\\u0000\", \"\\u00e9\"]"), was);
	graph_release(&g);
}

static void what_holds_itself(void)
{
	oref was;

	begin();
	was = LOAD("}q\0(X\1\0\0\0aK\1X\2\0\0\0meh\0u.");
	EQ_STR(say('j', was), "{\"a\": 1, \"me\": \"{...}\"}");
	EQ_I64(json(was, "{\"a\": 1, \"me\": \"{...}\"}"), was);
	HAS(refused_json(ERR_UNSUPPORTED, was, "{\"a\": 2, \"me\": \"{...}\"}"), "holds itself");
	EQ_STR(say('r', json(OREF_NIL, "[\"[...]\"]")), "['[...]']");
	graph_release(&g);
}

static void without_anything_before_it_json_is_plain_python(void)
{
	begin();
	EQ_STR(say('r', json(OREF_NIL, "{\"a\": [1, -0, 1.0, NaN, -Infinity, true, null, "
				       "18446744073709551616], \"\": {}}")),
			"{'a': [1, 0, 1.0, nan, -inf, True, None, 18446744073709551616], '': {}}");
	EQ_STR(refused_json(ERR_INVALID, OREF_NIL, "{\"a\": True}"),
			"not JSON: byte 6: expected a value, found \"True\"");
	graph_release(&g);
}

/* The depth is the reader's; every level of it is built and let go again. */
static void deep_documents_end_at_the_limit(void)
{
	char text[1024];

	begin();
	memset(text, '[', 256);
	memset(text + 256, ']', 256);
	text[512] = 0;
	OK(json(OREF_NIL, text) != OREF_NIL);
	memset(text, '[', 257);
	text[257] = 0;
	HAS(refused_json(ERR_LIMIT, OREF_NIL, text), "nested over 256 deep");
	graph_release(&g);
}

static void a_thousand_keys_in_reverse(void)
{
	struct buf text;
	oref was, r, kv[2];

	begin();
	buf_init(&text, 1 << 20);
	was = obj_new(&g, OBJ_KIND_DICT, 0);
	for (int i = 0; i < 1000; i++) {
		char key[16];

		snprintf(key, sizeof key, "k%d", i);
		kv[0] = obj_new_text(&g, OBJ_KIND_STR, str_of(key), 0);
		kv[1] = LOAD("]K\1a.");
		OK(obj_set_pairs(&g, was, kv, 1) == 0);
		buf_printf(&text, "%c\"k%d\": [1]", i ? ',' : '{', 999 - i);
	}
	buf_puts(&text, "}");
	OK(parse_as(obj_parse_json, was, buf_view(&text), &r) == 0 && r != was);
	EQ_I64(obj_get(&g, r, "k17"), obj_get(&g, was, "k17"));
	OK(obj_is_text(&g, obj_pairs(&g, r, &(uint32_t){0})[0], "k999"));
	buf_release(&text);
	graph_release(&g);
}

int main(void)
{
	TEST(an_unchanged_document_is_the_same_object);
	TEST(what_has_not_changed_stays_the_same_object);
	TEST(keys_in_another_order_are_found);
	TEST(a_key_that_stands_twice_is_refused);
	TEST(an_ordered_dict_stays_one_with_its_state);
	TEST(attributes_of_an_object_change_their_values);
	TEST(types_can_change);
	TEST(values_of_special_kinds_within_json);
	TEST(strange_text_that_has_not_changed_is_no_edit);
	TEST(what_holds_itself);
	TEST(without_anything_before_it_json_is_plain_python);
	TEST(deep_documents_end_at_the_limit);
	TEST(a_thousand_keys_in_reverse);
	return tap_done();
}
