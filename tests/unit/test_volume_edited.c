/* What a volume shows when the names in its tree have changed. The tree is edited directly here: how
 * edits get there is another matter.
 */
#include "volume_kit.h"

#include "../../src/volume/internal.h"

static uint32_t node_at(const char *path)
{
	struct str rest = str_of(path);
	uint32_t node = 0;

	while (rest.n && node != TREE_NONE) {
		size_t n = 0;

		while (n < rest.n && rest.p[n] != '/')
			n++;
		node = tree_find(&vol->tree, node, str_cut(rest, n));
		rest = str_skip(rest, n + (n < rest.n));
	}
	OK(node != TREE_NONE);
	return node == TREE_NONE ? 0 : node;
}

static oref key_of(const char *text)
{
	return obj_new_text(&vol->ck->model.graph, OBJ_KIND_STR, str_of(text), 0);
}

static void rename_to(const char *path, const char *dir, const char *name)
{
	uint32_t node = node_at(path), to = node_at(dir);

	EQ_I64(tree_move(&vol->tree, node, to, key_of(name), str_of(name), NULL), 0);
}

static void take_away(const char *path)
{
	EQ_I64(tree_remove(&vol->tree, node_at(path)), 0);
}

static void add(const char *dir, const char *name, uint32_t value)
{
	uint32_t node;

	EQ_I64(tree_add(&vol->tree, node_at(dir), key_of(name), str_of(name), value, &node, NULL), 0);
}

/* The value that stands for tensor t, as a new tensor of the same bytes. */
static uint32_t new_tensor(const char *like, const int64_t *shape, unsigned ndim)
{
	struct model *m = &vol->ck->model;
	struct tensor n = m->tensors.at[node_value(&vol->tree, node_at(like))->tensor];
	struct value v = {.kind = VALUE_TENSOR, .obj = OREF_NIL};
	uint32_t id = 0;

	n.shape = shape;
	n.stride = NULL;
	n.ndim = (uint8_t)ndim;
	EQ_I64(model_add_tensor(m, &n, &v.tensor, NULL), 0);
	EQ_I64(model_add_value(m, &v, &id, NULL), 0);
	return id;
}

/* --- listings ----------------------------------------------------------------------------------- */

/* As rm -r does: some names are read, removed, the next are read from where the first ended. */
static void removing_what_was_listed_skips_nobody(void)
{
	uint64_t dir, cursor = 2;
	size_t listed = 0, pieces = 0, all;
	struct list *l;

	open_data("demo.pth");
	dir = ino_at("model");
	l = list_dir(dir);
	all = l->n;
	free(l);
	for (;; pieces++) {
		l = list_from(dir, cursor, false, 7);
		for (size_t i = 0; i < l->n; i++) {
			uint32_t node = tree_find(&vol->tree, node_at("model"), str_of(l->name[i]));

			if (node != TREE_NONE)
				EQ_I64(tree_remove(&vol->tree, node), 0);
			cursor = l->next[i];
		}
		listed += l->n;
		if (l->n == 0)
			break;
		free(l);
	}
	free(l);
	OK(pieces > 2);
	/* the .meta of a name that went in the piece before goes with it */
	OK(listed > all - pieces - 1 && listed <= all);
	l = list_dir(dir);
	EQ_I64(l->n, 0);
	free(l);
	close_data();
}

static void hidden_names_stay_where_they_are_in_a_listing(void)
{
	struct list *l, *again;
	uint64_t dir;
	size_t module;

	open_with("demo.pth", &(struct volume_opts){.show_hidden = true});
	dir = ino_at("model");
	l = list_dir(dir);
	module = list_find(l, "module");
	OK(module < l->n);
	add("model", "late", 0);
	again = list_from(dir, l->next[module], false, LIST_MAX);
	EQ_I64(again->n, 1);
	EQ_STR(again->name[0], ".pthfs");
	free(again);
	free(l);
	close_data();
}

static void a_removed_directory_is_empty_and_answers_to_no_name(void)
{
	struct list *l;
	struct vattr a;
	uint64_t dir, leaf, json;

	open_data("demo.pth");
	dir = ino_at("optimizer");
	leaf = ino_at("epoch");
	json = ino_at("optimizer.json");
	take_away("optimizer");
	take_away("epoch");
	EQ_I64(resolve("optimizer"), ERR_ABSENT);
	EQ_I64(resolve("optimizer.json"), ERR_ABSENT);
	EQ_I64(lookup_in(dir, "state"), ERR_ABSENT);
	l = list_dir(dir);
	EQ_I64(l->n, 0);
	free(l);
	EQ_I64(volume_getattr(vol, dir, &a, NULL), 0); /* who holds it open can still ask */
	EQ_I64(a.nlink, 0);
	EQ_I64(volume_getattr(vol, leaf, &a, NULL), 0);
	EQ_I64(a.nlink, 0);
	EQ_I64(volume_getattr(vol, json, &a, NULL), 0);
	EQ_I64(a.nlink, 0);
	close_data();
}

static void links_of_a_directory_are_those_that_are_there(void)
{
	uint32_t links;

	open_data("demo.pth");
	links = attr_at("").nlink;
	take_away("optimizer");
	EQ_I64(attr_at("").nlink, links - 1);
	rename_to("model", "args", "model");
	EQ_I64(attr_at("").nlink, links - 2);
	EQ_I64(attr_at("args").nlink, 3);
	close_data();
}

/* --- tensors ------------------------------------------------------------------------------------ */

static void a_tied_tensor_keeps_its_inode_until_its_last_name(void)
{
	struct vattr a;
	uint64_t ino, meta;

	open_data("demo.pth");
	ino = ino_at("model/module.fc.weight");
	meta = ino_at("model/module.fc.weight.meta");
	EQ_I64(attr_at("model/module.fc.weight").nlink, 2);
	take_away("model/module.embed.weight");
	EQ_I64(attr_at("model/module.fc.weight").nlink, 1);
	EQ_STR(TEXT("model/module.fc.weight.meta"),
			"{\"dtype\": \"float32\", \"shape\": [64, 32], \"nbytes\": 8192}\n");
	rename_to("model/module.fc.weight", "args", "w");
	EQ_I64(ino_at("args/w"), ino);
	EQ_I64(ino_at("args/w.meta"), meta);
	take_away("args/w");
	EQ_I64(volume_getattr(vol, ino, &a, NULL), 0);
	EQ_I64(a.nlink, 0);
	EQ_I64(volume_getattr(vol, meta, &a, NULL), 0);
	EQ_I64(a.nlink, 0);
	close_data();
}

static void shared_with_tells_the_names_of_now(void)
{
	uint32_t tied;

	open_data("demo.pth");
	tied = vol->tree.nodes.at[node_at("model/module.fc.weight")].value;
	add("args", "third", tied);
	rename_to("model/module.embed.weight", "model", "first");
	HAS(TEXT("args/third.meta"), "\"shared_with\": [\"model/first\", \"model/module.fc.weight\", "
				     "\"args/third\"]");
	EQ_I64(attr_at("model/first").nlink, 3);
	close_data();
	open_data("good-views.pt"); /* tensors that overlap without being the same */
	HAS(TEXT("row1.meta"), "\"shared_with\": [\"base\", \"rows12\", \"transposed\", \"every2nd\", "
			       "\"column\", \"flat\", \"overlapping\"]");
	take_away("transposed");
	take_away("base");
	rename_to("flat", "", "FLAT");
	HAS(TEXT("row1.meta"), "\"shared_with\": [\"same\", \"rows12\", \"every2nd\", \"column\", "
			       "\"FLAT\", \"overlapping\"]");
	close_data();
}

static void a_tensor_that_came_later_is_a_file_like_the_others(void)
{
	static const int64_t shape[] = {32, 64};
	uint32_t value;

	open_data("demo.pth");
	value = new_tensor("model/module.fc.weight", shape, 2);
	add("model", "module.new", value);
	EQ_STR(TEXT("model/module/new.meta"),
			"{\"dtype\": \"float32\", \"shape\": [32, 64], \"nbytes\": 8192}\n");
	EQ_I64(attr_at("model/module.new").nlink, 1);
	EQ_I64(attr_at("model/module.new").size, 8192);
	EQ_I64(ino_at("model/module/new.npy"), ino_at("model/module.new.npy"));
	take_away("model/module.new");
	EQ_I64(resolve("model/module.new"), ERR_ABSENT);
	close_data();
}

static int add_name(void *ctx, const struct vitem *item)
{
	struct buf *b = ctx;

	buf_printf(b, "%.*s%s%.*s\n", STR_FMT(item->name), item->tied_to.n ? " = " : "",
			STR_FMT(item->tied_to));
	return 0;
}

static void commands_walk_the_names_of_now_in_their_order(void)
{
	struct buf b;

	open_data("demo.pth");
	take_away("optimizer");
	rename_to("model/module.embed.weight", "args", "w");
	rename_to("epoch", "", "e");
	buf_init(&b, 1 << 20);
	EQ_I64(volume_walk(vol, "*", add_name, &b, NULL), 0);
	buf_putc(&b, 0);
	EQ_I64(strncmp(b.p, "e\narch\nmodel\n", 13), 0);
	OK(!strstr(b.p, "optimizer"));
	HAS(b.p, "\nmodel/module.fc.weight = args/w\n");
	HAS(b.p, "\nargs/w\n");
	buf_release(&b);
	close_data();
}

/* --- texts -------------------------------------------------------------------------------------- */

static void json_shows_the_names_of_now(void)
{
	open_data("demo.pth");
	for (const char *const *gone = (const char *const[]){"optimizer", "model", "args", NULL}; *gone;
			gone++)
		take_away(*gone);
	rename_to("epoch", "", "a\"b");
	struct buf b;
	buf_init(&b, 1 << 16);
	EQ_I64(vol_json(vol, 0, &b, NULL), 0); /* the root's: it has no name */
	buf_putc(&b, 0);
	EQ_I64(strncmp(b.p, "{\"a\\\"b\": ", 9), 0);
	HAS(b.p, "\"arch\": ");
	OK(!strstr(b.p, "\"optimizer\":") && !strstr(b.p, "\"epoch\":"));
	buf_release(&b);
	close_data();
}

static void totals_and_info_follow(void)
{
	struct volume_totals before, now;
	uint64_t bytes, names;
	struct buf b;

	open_data("demo.pth");
	volume_totals(vol, &before);
	bytes = volume_bytes(vol);
	names = volume_names(vol);
	take_away("model/module.embed.weight"); /* a name of two */
	volume_totals(vol, &now);
	EQ_I64(now.tensors, before.tensors);
	EQ_I64(now.tied, before.tied - 1);
	EQ_I64(volume_bytes(vol), bytes);
	EQ_I64(volume_names(vol), names - 1);
	take_away("model/module.fc.weight");
	take_away("epoch");
	volume_totals(vol, &now);
	EQ_I64(now.tensors, before.tensors - 1);
	EQ_I64(now.values, before.values - 1);
	EQ_I64(volume_bytes(vol), bytes - 8192);
	take_away("model");
	buf_init(&b, 1 << 20);
	volume_info_text(vol, &b);
	buf_putc(&b, 0);
	OK(!strstr(b.p, "state_dicts     model"));
	buf_release(&b);
	close_data();
}

static void names_in_messages_are_those_of_now(void)
{
	struct buf b;

	open_data("demo.pth");
	buf_init(&b, 4096);
	uint64_t ino = ino_at("model/module.fc.bias"), dir = ino_at("args");
	rename_to("args", "model", "inner");
	rename_to("model/module.fc.bias", "model/inner", "bias");
	volume_name_of(vol, ino, &b);
	buf_putc(&b, ' ');
	volume_name_of(vol, dir, &b);
	buf_putc(&b, 0);
	EQ_STR(b.p, "model/inner/bias model/inner");
	b.n = 0;
	EQ_I64(volume_getxattr(vol, ino, STR("user.key"), &b, NULL), 0);
	EQ_MEM(b.p, b.n, "bias", 4);
	buf_release(&b);
	close_data();
}

/* --- views -------------------------------------------------------------------------------------- */

/* Otherwise stripping the last prefix would turn module/ round, under the feet of mv. */
static void module_does_as_it_did_when_the_checkpoint_was_opened(void)
{
	struct list *l;
	size_t dots = 0;

	open_data("demo.pth");
	for (uint32_t i = 0; i < tree_slots(&vol->tree, node_at("model")); i++) {
		uint32_t node = tree_child(&vol->tree, node_at("model"), i);
		struct str name = node_name(&vol->tree, node);
		char path[300], stripped[300];

		snprintf(path, sizeof path, "model/%.*s", STR_FMT(name));
		snprintf(stripped, sizeof stripped, "%.*s", STR_FMT(str_skip(name, 7)));
		if (i == 3)
			EQ_I64(resolve("model/module/fc.bias"), 0); /* and is stale next */
		rename_to(path, "model", stripped);
	}
	l = list_dir(ino_at("model/module"));
	OK(l->n > 20);
	for (size_t i = 0; i < l->n; i++)
		dots += strncmp(l->name[i], "module.", 7) == 0;
	EQ_I64(dots, 0);
	EQ_I64(ino_at("model/module/fc.bias"), ino_at("model/fc.bias"));
	free(l);
	close_data();
}

static void a_view_that_is_known_shows_the_names_of_now(void)
{
	uint64_t view;

	open_data("demo.pth");
	view = ino_at("model/.pthfs/strip/module");
	EQ_I64(lookup_in(view, "fc.bias"), 0);
	rename_to("model/module.fc.bias", "model", "module.head.bias");
	EQ_I64(lookup_in(view, "fc.bias"), ERR_ABSENT);
	EQ_I64(lookup_in(view, "head.bias"), 0);
	EQ_I64(ino_at("model/.pthfs/strip/module"), view);
	take_away("model");
	EQ_I64(lookup_in(view, "head.bias"), ERR_ABSENT);
	volume_forget(vol, view, 2);
	close_data();
}

int main(void)
{
	TEST(removing_what_was_listed_skips_nobody);
	TEST(hidden_names_stay_where_they_are_in_a_listing);
	TEST(a_removed_directory_is_empty_and_answers_to_no_name);
	TEST(links_of_a_directory_are_those_that_are_there);
	TEST(a_tied_tensor_keeps_its_inode_until_its_last_name);
	TEST(shared_with_tells_the_names_of_now);
	TEST(a_tensor_that_came_later_is_a_file_like_the_others);
	TEST(commands_walk_the_names_of_now_in_their_order);
	TEST(json_shows_the_names_of_now);
	TEST(totals_and_info_follow);
	TEST(names_in_messages_are_those_of_now);
	TEST(module_does_as_it_did_when_the_checkpoint_was_opened);
	TEST(a_view_that_is_known_shows_the_names_of_now);
	return tap_done();
}
