/* New tensors and values in torch's own spelling. */
#include "change_kit.h"

/* What a tensor is made of, as opcodes, in a pickle of its own. */
static const char *spelled(struct ckpt *k, uint32_t value)
{
	static char text[4096];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	obj_repr(&k->c->model.graph, k->c->model.values.at[value].obj, &out, NULL);
	snprintf(text, sizeof text, "%.*s", (int)out.n, out.n ? out.p : "");
	buf_release(&out);
	return text;
}

static struct new_tensor two_by_two(struct source *bytes)
{
	static const int64_t shape[] = {2, 2};

	return (struct new_tensor){
			.dtype = DTYPE_FLOAT32,
			.ndim = 2,
			.shape = shape,
			.data = {bytes, 0, bytes->size},
			.storage = MODEL_NONE,
			.like = MODEL_NONE,
	};
}

static struct source *sixteen(void)
{
	static const char bytes[] = "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40";

	return source_mem_borrow(bytes, 16);
}

#define ONE_TENSOR "}" TEXT("\1", "a") FOUR("\0") "s."

static void new_tensor_is_spelled_as_torch_does(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	uint32_t v = 0;
	struct ckpt k;

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	EQ_STR(spelled(&k, v), "torch._utils._rebuild_tensor_v2(persistent_load(('storage', "
			       "torch.FloatStorage, '2', 'cpu', 4)), 0, (2, 2), (2, 1), False, "
			       "OrderedDict())");
	EQ_I64(k.c->model.values.at[v].kind, VALUE_TENSOR);
	ckpt_release(&k);
	source_unref(src);
}

static void parameter_is_wrapped_and_holds_the_gradient(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	uint32_t v = 0;
	struct ckpt k;

	t.parameter = t.requires_grad = true;
	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "torch._utils._rebuild_parameter(torch._utils._rebuild_tensor_v2(");
	HAS(spelled(&k, v), "(2, 1), False, OrderedDict()), True, OrderedDict())");
	ckpt_release(&k);
	source_unref(src);
}

static void dtype_without_a_class_is_untyped(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	uint32_t v = 0;
	struct ckpt k;

	t.dtype = DTYPE_UINT32;
	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "_rebuild_tensor_v3(");
	HAS(spelled(&k, v), "('storage', torch.storage.UntypedStorage, '2', 'cpu', 16)");
	HAS(spelled(&k, v), "OrderedDict(), torch.uint32)");
	ckpt_release(&k);
	source_unref(src);
}

static void tensor_over_a_storage_that_is_there_names_it_again(void)
{
	static const int64_t shape[] = {8}, stride[] = {2};
	struct new_tensor t = {.dtype = DTYPE_FLOAT32,
			.ndim = 1,
			.shape = shape,
			.stride = stride,
			.like = MODEL_NONE,
			.offset = 1};
	struct ckpt k;
	uint32_t v = 0;

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "'0', 'cpu', 16)), 1, (8,), (2,), False");
	EQ_I64(k.c->model.storages.n, 1);
	t.dtype = DTYPE_FLOAT16;
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "_rebuild_tensor_v3(persistent_load(('storage', torch.FloatStorage,");
	ckpt_release(&k);
}

/* _rebuild_tensor_v3() fills a tensor that requires gradients, and torch refuses to. */
static void what_torch_could_not_load_again_is_refused(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	uint32_t v = 0;
	struct ckpt k;

	t.dtype = DTYPE_FLOAT8_E4M3FN;
	t.data.len = 4;
	t.requires_grad = true;
	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), ERR_INVALID);
	HAS(k.e.text, "unless it is a Parameter");
	EQ_I64(k.c->model.storages.n, 1);
	t.parameter = true;
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "_rebuild_parameter(torch._utils._rebuild_tensor_v3(");
	ckpt_release(&k);
	source_unref(src);
}

static void tensor_beyond_its_storage_is_refused(void)
{
	static const int64_t shape[] = {17};
	struct new_tensor t = {
			.dtype = DTYPE_FLOAT32, .ndim = 1, .shape = shape, .like = MODEL_NONE};
	struct ckpt k;
	uint32_t v;

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), ERR_INVALID);
	HAS(k.e.text, "needs bytes 0..68");
	ckpt_release(&k);
}

static void new_keys_are_those_of_no_storage_and_no_record(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct mkzip z = {0};
	struct ckpt k;
	uint32_t v = 0;

	ckpt_records(&z, LIT(ONE_TENSOR));
	mkzip_add(&z, "a/data/41", "", 0);
	ckpt_mkzip(&k, &z, NULL);
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "'42'");
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "'43'");
	ckpt_release(&k);
	source_unref(src);
}

static void symbols_and_words_are_the_objects_that_are_there(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct ckpt k;
	uint32_t v = 0;
	size_t before;
	oref pair[4];

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	before = k.c->model.graph.nodes.n;
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	/* key, id, PERSID, shape, stride, hooks, arguments, call */
	EQ_I64(k.c->model.graph.nodes.n - before, 8);
	pair[0] = text_object(&k, "a");
	pair[1] = object_at(&k, "a");
	pair[2] = text_object(&k, "b");
	pair[3] = k.c->model.values.at[v].obj;
	EQ_I64(change_pairs(k.c, k.c->model.root, pair, 2, &k.e), 0);
	ckpt_release(&k);
	source_unref(src);
}

static void added_tensor_is_loaded_again(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct ckpt k, now;
	uint32_t v = 0;
	oref pair[4];

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	pair[0] = text_object(&k, "b");
	pair[1] = k.c->model.values.at[v].obj;
	pair[2] = text_object(&k, "a");
	pair[3] = object_at(&k, "a");
	EQ_I64(change_pairs(k.c, k.c->model.root, pair, 2, &k.e), 0);
	ckpt_again(&k, &now);
	EQ_STR(ckpt_keys(&now, ""), "b a");
	EQ_STR(ckpt_hex(&now, "b"), "0000803f000000400000404000008040");
	EQ_STR(ckpt_hex(&now, "a"), ckpt_hex(&k, "a"));
	OK(now.c && now.c->pickle.weights_only);
	ckpt_release(&now);
	ckpt_release(&k);
	source_unref(src);
}

static void legacy_streams_name_storages_in_six_items(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct ckpt k;
	uint32_t v = 0;

	ckpt_data(&k, "good-legacy-state-dict.pth");
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "'cpu', 4, None)), 0, (2, 2)");
	ckpt_release(&k);
	source_unref(src);
}

/* torch 2.13 reads no legacy stream with an UntypedStorage in it. */
static void legacy_streams_have_no_untyped_storages(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct ckpt k;
	uint32_t v = 0;

	t.dtype = DTYPE_UINT32;
	ckpt_data(&k, "good-legacy-state-dict.pth");
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	HAS(spelled(&k, v), "_rebuild_tensor_v3(");
	HAS(spelled(&k, v), "torch.ByteStorage");
	ckpt_release(&k);
	source_unref(src);
}

static void formats_without_a_place_for_storages_say_so(void)
{
	static const char *const files[] = {"good-plain-tensors-p2.pkl", "good-old-format.tar",
			"unsupported-torchscript.pt"};
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct ckpt k;
	uint32_t v;

	for (unsigned i = 0; i < 3; i++) {
		ckpt_data(&k, files[i]);
		EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), ERR_UNSUPPORTED);
		HAS(k.e.text, "t"); /* a sentence */
		ckpt_release(&k);
	}
	source_unref(src);
}

static void integers_that_require_gradients_are_refused(void)
{
	struct source *src = sixteen();
	struct new_tensor t = two_by_two(src);
	struct ckpt k;
	uint32_t v;

	t.dtype = DTYPE_INT32;
	t.requires_grad = true;
	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), ERR_INVALID);
	HAS(k.e.text, "int32");
	ckpt_release(&k);
	source_unref(src);
}

/* --- values ----------------------------------------------------------------------------------- */

static void new_text_is_a_leaf(void)
{
	struct ckpt k;
	uint32_t v = 0;

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_value(k.c, text_object(&k, "hello"), &v, &k.e), 0);
	EQ_I64(k.c->model.values.at[v].kind, VALUE_LEAF);
	EQ_I64(change_new_value(k.c, OBJ_NONE, &v, &k.e), 0);
	EQ_I64(k.c->model.values.at[v].kind, VALUE_LEAF);
	ckpt_release(&k);
}

static void new_empty_dict_is_a_directory(void)
{
	struct ckpt k;
	uint32_t v = 0;

	ckpt_zip(&k, LIT(ONE_TENSOR));
	EQ_I64(change_new_value(k.c, obj_new(&k.c->model.graph, OBJ_KIND_DICT, UINT32_MAX), &v,
			       &k.e),
			0);
	EQ_I64(k.c->model.values.at[v].kind, VALUE_DICT);
	EQ_I64(k.c->model.values.at[v].n, 0);
	ckpt_release(&k);
}

/* {"x": [tensor a, {"y": 1}]} */
static void old_tensor_in_a_new_dict_stays_the_value_that_it_is(void)
{
	struct ckpt k;
	uint32_t v = 0, list;
	oref pair[2], items[2], dict;
	struct graph *g;

	ckpt_zip(&k, LIT(ONE_TENSOR));
	g = &k.c->model.graph;
	pair[0] = text_object(&k, "y");
	pair[1] = obj_new_int(g, 1, UINT32_MAX);
	items[0] = object_at(&k, "a");
	items[1] = obj_new(g, OBJ_KIND_DICT, UINT32_MAX);
	obj_set_pairs(g, items[1], pair, 1);
	pair[0] = text_object(&k, "x");
	pair[1] = obj_new_seq(g, OBJ_KIND_LIST, items, 2, UINT32_MAX);
	dict = obj_new(g, OBJ_KIND_DICT, UINT32_MAX);
	obj_set_pairs(g, dict, pair, 1);
	EQ_I64(change_new_value(k.c, dict, &v, &k.e), 0);
	EQ_I64(k.c->model.values.at[v].kind, VALUE_DICT);
	list = k.c->model.entries.at[k.c->model.values.at[v].first].value;
	EQ_I64(k.c->model.values.at[list].kind, VALUE_LIST);
	EQ_I64(k.c->model.entries.at[k.c->model.values.at[list].first].value, value_at(&k, "a"));
	ckpt_release(&k);
}

int main(void)
{
	TEST(new_tensor_is_spelled_as_torch_does);
	TEST(parameter_is_wrapped_and_holds_the_gradient);
	TEST(dtype_without_a_class_is_untyped);
	TEST(tensor_over_a_storage_that_is_there_names_it_again);
	TEST(what_torch_could_not_load_again_is_refused);
	TEST(tensor_beyond_its_storage_is_refused);
	TEST(new_keys_are_those_of_no_storage_and_no_record);
	TEST(symbols_and_words_are_the_objects_that_are_there);
	TEST(added_tensor_is_loaded_again);
	TEST(legacy_streams_name_storages_in_six_items);
	TEST(legacy_streams_have_no_untyped_storages);
	TEST(formats_without_a_place_for_storages_say_so);
	TEST(integers_that_require_gradients_are_refused);
	TEST(new_text_is_a_leaf);
	TEST(new_empty_dict_is_a_directory);
	TEST(old_tensor_in_a_new_dict_stays_the_value_that_it_is);
	return tap_done();
}
