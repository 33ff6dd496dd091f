/* The names beside a name: .meta, .npy, .stats, .svg, .json. */
#include "tree_kit.h"

static struct model m;
static struct tree t;
static uint32_t root, tensor;

static uint32_t find(const void *ctx, struct str name)
{
	return tree_find(&t, *(const uint32_t *)ctx, name);
}

static const uint32_t at_root = 0;
static const struct name_lookup names = {find, &at_root};

static void begin(void)
{
	kit_model(&m);
	root = m.root = kit_dir(&m, VALUE_DICT);
	tensor = kit_tensor_file(&m, kit_floats(&m, 4));
}

static void end(void)
{
	tree_release(&t);
	model_release(&m);
}

/* What a made-up name stands for: "a+meta", or "". */
static const char *stands_for(const char *name)
{
	static const char *const words[] = {"meta", "npy", "stats", "svg", "json"};
	static char out[300];
	enum derived which;
	uint32_t node = derived_find(&t, &names, str_of(name), &which);

	out[0] = 0;
	if (node != TREE_NONE)
		snprintf(out, sizeof out, "%.*s+%s", STR_FMT(node_name(&t, node)), words[which]);
	return out;
}

static const char *meta_of(const char *name)
{
	static char out[300];
	struct buf b;

	buf_init(&b, 512);
	buf_puts(&b, "x"); /* it appends */
	derived_name(&names, str_of(name), DERIVED_META, &b);
	snprintf(out, sizeof out, "%.*s", (int)b.n - 1, b.p + 1);
	buf_release(&b);
	return out;
}

static void a_tensor_has_meta_npy_stats_and_svg(void)
{
	begin();
	kit_put(&m, root, "w", tensor);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	EQ_STR(stands_for("w.meta"), "w+meta");
	EQ_STR(stands_for("w.npy"), "w+npy");
	EQ_STR(stands_for("w.stats"), "w+stats");
	EQ_STR(stands_for("w.svg"), "w+svg");
	EQ_STR(stands_for("w.json"), "");
	EQ_STR(stands_for("w"), "");
	EQ_STR(stands_for(".meta"), "");
	EQ_STR(stands_for("v.meta"), "");
	EQ_STR(stands_for("w.meta~"), "");
	EQ_STR(stands_for("w.meta.meta"), "");
	EQ_STR(meta_of("w"), "w.meta");
	end();
}

static void values_and_directories_have_json_and_parts_a_meta_besides(void)
{
	uint32_t dir, parts;

	begin();
	dir = kit_value(&m, (struct value){.kind = VALUE_DICT, .obj = OREF_NIL});
	parts = kit_value(&m, (struct value){.kind = VALUE_PARTS, .obj = OREF_NIL});
	kit_put(&m, root, "epoch", kit_leaf(&m, 3));
	kit_put(&m, root, "model", dir);
	kit_put(&m, root, "q", parts);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	EQ_STR(stands_for("epoch.json"), "epoch+json");
	EQ_STR(stands_for("model.json"), "model+json");
	EQ_STR(stands_for("q.json"), "q+json");
	EQ_STR(stands_for("q.meta"), "q+meta");
	EQ_STR(stands_for("epoch.meta"), "");
	EQ_STR(stands_for("model.npy"), "");
	EQ_STR(stands_for("q.npy"), "");
	end();
}

static void a_real_key_that_is_called_so_wins_and_the_meta_gets_tildes(void)
{
	begin();
	kit_put(&m, root, "a", tensor);
	kit_put(&m, root, "a.meta", tensor);
	kit_put(&m, root, "a.meta~", tensor);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	EQ_STR(meta_of("a"), "a.meta~~");
	EQ_STR(meta_of("a.meta"), "a.meta.meta");
	EQ_STR(meta_of("a.meta~"), "a.meta~.meta");
	EQ_STR(stands_for("a.meta~~"), "a+meta");
	EQ_STR(stands_for("a.meta~~~"), "");
	EQ_STR(stands_for("a.meta.meta"), "a.meta+meta");
	EQ_STR(stands_for("a.meta~.meta"), "a.meta~+meta");
	EQ_STR(stands_for("a.npy"), "a+npy");
	end();
}

/* A tilde is only ours when a real name stands in the way of the form without it. */
static void a_gap_in_the_tildes_ends_them(void)
{
	begin();
	kit_put(&m, root, "a", tensor);
	kit_put(&m, root, "a.meta~", tensor);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	EQ_STR(meta_of("a"), "a.meta");
	EQ_STR(stands_for("a.meta"), "a+meta");
	EQ_STR(stands_for("a.meta~~"), "");
	end();
}

static void every_listed_meta_is_found_whatever_keys_there_are(void)
{
	static const char *const parts[] = {"a", ".meta", "~", ".npy", "~2", ".json"};
	uint64_t state = 7;
	char key[300];

	for (int round = 0; round < 50; round++) {
		begin();
		for (int i = 0; i < 40; i++) {
			key[0] = 0;
			for (uint64_t n = 1 + kit_random(&state) % 5; n; n--)
				strcat(key, parts[kit_random(&state) % 6]);
			kit_put(&m, root, key, tensor); /* often one that was there */
		}
		OK(tree_build(&m, 0, &t, NULL) == 0);
		for (uint32_t i = 1; i < t.nodes.n; i++) {
			enum derived which = DERIVED_JSON;
			struct buf b;

			buf_init(&b, 512);
			derived_name(&names, node_name(&t, i), DERIVED_META, &b);
			EQ_I64(tree_find(&t, 0, buf_view(&b)), TREE_NONE);
			EQ_I64(derived_find(&t, &names, buf_view(&b), &which), i);
			EQ_I64(which, DERIVED_META);
			OK(b.n <= 255);
			buf_release(&b);
		}
		end();
	}
}

static void any_number_of_tildes_is_minded(void)
{
	char key[64] = "a.meta";

	begin();
	kit_put(&m, root, "a", tensor);
	for (int i = 0; i < 30; i++) {
		kit_put(&m, root, key, tensor);
		strcat(key, "~");
	}
	OK(tree_build(&m, 0, &t, NULL) == 0);
	EQ_STR(meta_of("a"), key);
	EQ_STR(stands_for(key), "a+meta");
	end();
}

static void the_longest_name_has_a_meta_of_255_bytes(void)
{
	char key[256] = {0};

	begin();
	memset(key, 'k', 255);
	kit_put(&m, root, key, tensor);
	OK(tree_build(&m, 0, &t, NULL) == 0);
	snprintf(key, sizeof key, "%.*s", STR_FMT(node_name(&t, 1)));
	EQ_I64(strlen(meta_of(key)), 255);
	OK(stands_for(meta_of(key))[0] != 0);
	end();
}

int main(void)
{
	TEST(a_tensor_has_meta_npy_stats_and_svg);
	TEST(values_and_directories_have_json_and_parts_a_meta_besides);
	TEST(a_real_key_that_is_called_so_wins_and_the_meta_gets_tildes);
	TEST(a_gap_in_the_tildes_ends_them);
	TEST(every_listed_meta_is_found_whatever_keys_there_are);
	TEST(any_number_of_tildes_is_minded);
	TEST(the_longest_name_has_a_meta_of_255_bytes);
	return tap_done();
}
