/* Names of a mounted checkpoint: what answers, what is listed, and in which order. */
#include "volume_kit.h"

#include <errno.h>

static void the_root_is_inode_1_and_a_directory(void)
{
	open_data("demo.pth");
	EQ_I64(ino_at(""), VOLUME_ROOT);
	EQ_I64(ino_at("/"), VOLUME_ROOT);
	EQ_I64(attr_at("").mode, S_IFDIR | 0555);
	EQ_I64(attr_at("").nlink, 2 + 4); /* model, optimizer, lr_scheduler, args */
	close_data();
}

static void paths_are_resolved_from_the_root(void)
{
	open_data("demo.pth");
	EQ_I64(ino_at("model/module.fc.bias"), ino_at("//model//module.fc.bias/"));
	EQ_I64(resolve("model/nothing"), ERR_ABSENT);
	EQ_I64(resolve("nothing/module.fc.bias"), ERR_ABSENT);
	EQ_I64(resolve("epoch/x"), ERR_SYS); /* not a directory */
	EQ_I64(lookup_in(ino_at("epoch"), "x"), ERR_SYS);
	EQ_I64(lookup_in(VOLUME_ROOT, ""), ERR_ABSENT);
	close_data();
}

static void an_error_names_the_path(void)
{
	struct err e = {0};
	struct vattr a;

	open_data("demo.pth");
	EQ_I64(volume_resolve(vol, "model/nothing", &a, &e), ERR_ABSENT);
	HAS(e.text, "model/nothing");
	EQ_I64(err_errno(e.code, &e), ENOENT);
	EQ_I64(volume_resolve(vol, "epoch/x", &a, &e), ERR_SYS);
	EQ_I64(err_errno(e.code, &e), ENOTDIR);
	close_data();
}

static void inode_numbers_are_the_same_at_every_opening(void)
{
	uint64_t file, meta, view;

	open_data("demo.pth");
	file = ino_at("model/module.fc.bias");
	meta = ino_at("model/module.fc.bias.meta");
	view = ino_at("model/module");
	close_data();
	open_data("demo.pth");
	EQ_I64(ino_at("model/module"), view);
	EQ_I64(ino_at("model/module.fc.bias.meta"), meta);
	EQ_I64(ino_at("model/module.fc.bias"), file);
	close_data();
}

static void tied_tensors_are_one_inode_with_two_links(void)
{
	open_data("demo.pth");
	EQ_I64(ino_at("model/module.fc.weight"), ino_at("model/module.embed.weight"));
	EQ_I64(attr_at("model/module.fc.weight").nlink, 2);
	EQ_I64(ino_at("model/module.fc.weight.meta"), ino_at("model/module.embed.weight.meta"));
	EQ_I64(attr_at("model/module.fc.weight.meta").nlink, 2);
	EQ_I64(attr_at("model/module.fc.bias").nlink, 1);
	OK(ino_at("projection") != ino_at("projection_t")); /* a view is a file of its own */
	EQ_I64(attr_at("projection").nlink, 1);
	close_data();
}

static void a_directory_lists_its_keys_in_order_each_tensor_with_its_meta(void)
{
	static const char *const wanted[] = {"epoch", "arch", "model", "optimizer", "lr_scheduler",
		"projection", "projection.meta", "projection_t", "projection_t.meta", "best_acc", "args"};
	struct list *l;

	open_data("demo.pth");
	l = list_dir(VOLUME_ROOT);
	EQ_I64(l->n, sizeof wanted / sizeof *wanted);
	for (size_t i = 0; i < l->n && i < sizeof wanted / sizeof *wanted; i++)
		EQ_STR(l->name[i], wanted[i]);
	EQ_I64(l->mode[0], S_IFREG | 0444);
	EQ_I64(l->mode[2], S_IFDIR | 0555);
	free(l);
	close_data();
}

static void dots_are_the_first_two_entries(void)
{
	struct list *l;

	open_data("demo.pth");
	l = list_from(VOLUME_ROOT, 0, false, 3);
	EQ_STR(l->name[0], ".");
	EQ_STR(l->name[1], "..");
	EQ_STR(l->name[2], "epoch");
	EQ_I64(l->next[0], 1);
	EQ_I64(l->next[1], 2);
	free(l);
	l = list_from(VOLUME_ROOT, 1, false, 1);
	EQ_STR(l->name[0], "..");
	free(l);
	close_data();
}

/* Reads a directory in pieces of n entries, as a kernel with a small buffer does. */
static void same_in_pieces(uint64_t dir, size_t pieces, const struct list *whole)
{
	uint64_t cursor = 0;
	size_t seen = 0;

	for (;;) {
		struct list *l = list_from(dir, cursor, true, pieces);

		for (size_t i = 0; i < l->n && seen < whole->n; i++, seen++) {
			EQ_STR(l->name[i], whole->name[seen]);
			EQ_I64(l->ino[i], whole->ino[seen]);
		}
		if (l->n == 0) {
			free(l);
			break;
		}
		cursor = l->next[l->n - 1];
		free(l);
	}
	EQ_I64(seen, whole->n);
}

/* ... and from the cursor behind any entry goes on with the next one. */
static void resumes_anywhere(uint64_t dir, const struct list *whole)
{
	for (size_t i = 0; i < whole->n; i++) {
		struct list *l = list_from(dir, whole->next[i], false, 1);

		EQ_I64(l->n, i + 1 < whole->n);
		if (l->n)
			EQ_STR(l->name[0], whole->name[i + 1]);
		free(l);
	}
}

static void each_name_once(const struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		EQ_I64(list_find(l, l->name[i]), i);
}

/* Every listed name is found and has the listed inode and kind. */
static void listed_is_found(uint64_t dir, const struct list *l)
{
	for (size_t i = 2; i < l->n; i++) {
		struct vattr a = {0};

		EQ_I64(volume_lookup(vol, dir, str_of(l->name[i]), &a, NULL), 0);
		if (a.ino != l->ino[i])
			printf("# %s\n", l->name[i]);
		EQ_I64(a.ino, l->ino[i]);
		EQ_I64(a.mode, l->mode[i]);
		volume_forget(vol, a.ino, 1);
	}
}

static void check_listing(uint64_t dir)
{
	struct list *l = list_from(dir, 0, false, LIST_MAX);

	each_name_once(l);
	listed_is_found(dir, l);
	same_in_pieces(dir, 1, l);
	same_in_pieces(dir, 7, l);
	resumes_anywhere(dir, l);
	free(l);
}

static void listings_resume_anywhere_give_each_name_once_and_lie_never(void)
{
	static const char *const dirs[] = {"", "model", "model/module", "optimizer/state/0",
		".pthfs", ".pthfs/archive", ".pthfs/archive/data", "model/.pthfs",
		"model/.pthfs/strip", "model/.pthfs/add", "model/.pthfs/strip/module"};

	for (int hidden = 0; hidden < 2; hidden++) {
		open_with("demo.pth", &(struct volume_opts){.show_hidden = hidden});
		for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
			check_listing(ino_at(dirs[i]));
		close_data();
	}
}

static void so_do_listings_of_odd_keys_parts_and_modules(void)
{
	static const char *const files[] = {"good-weird-keys.pt", "good-quantized.pt",
		"good-sparse.pt", "good-module.pt", "good-module-dataparallel.pth",
		"bad-name-reserved.pt", "bad-name-percent.pt", "bad-name-long.pt",
		"bad-name-surrogate.pt", "bad-name-escape-seq.pt", "good-top-tensor.pt",
		"good-top-quantized.pt", "good-empty-dict.pt"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		for (int hidden = 0; hidden < 2; hidden++) {
			open_with(files[i], &(struct volume_opts){.show_hidden = hidden});
			check_listing(VOLUME_ROOT);
			close_data();
		}
	}
}

static void attributes_in_a_listing_are_those_of_the_name(void)
{
	struct list *l;

	open_data("demo.pth");
	l = list_from(ino_at("model"), 2, true, LIST_MAX);
	for (size_t i = 0; i < l->n; i++) {
		struct vattr a = {0};

		EQ_I64(volume_getattr(vol, l->ino[i], &a, NULL), 0);
		EQ_I64(l->attr[i].size, a.size);
		EQ_I64(l->attr[i].nlink, a.nlink);
	}
	free(l);
	close_data();
}

/* What is counted wrong makes find pass directories over; 1 stands for "not counted". */
static void directories_that_are_made_up_have_one_link(void)
{
	open_data("demo.pth");
	EQ_I64(attr_at(".pthfs").nlink, 1);
	EQ_I64(attr_at(".pthfs/archive").nlink, 1);
	EQ_I64(attr_at("model/.pthfs/strip").nlink, 1);
	close_data();
}

static void name_is(const char *path, const char *name)
{
	struct buf b;

	buf_init(&b, 4096);
	volume_name_of(vol, ino_at(path), &b);
	buf_putc(&b, 0);
	EQ_STR(b.p, name);
	buf_release(&b);
}

static void an_inode_can_be_named_in_messages(void)
{
	open_data("demo.pth");
	name_is("epoch", "epoch");
	name_is("model/module.fc.bias", "model/module.fc.bias");
	name_is("model/module/fc.bias", "model/module.fc.bias");
	name_is("model/module.fc.bias.npy", "model/module.fc.bias.npy");
	name_is("model/module.fc.bias.meta", "model/module.fc.bias.meta");
	name_is("model/module.fc.bias.stats", "model/module.fc.bias.stats");
	name_is("optimizer/param_groups.json", "optimizer/param_groups.json");
	name_is("args", "args");
	name_is("", "inode 1");
	close_data();
}

static void hidden_names_answer_and_are_not_listed(void)
{
	static const char *const root[] = {".pthfs", "projection.npy", "projection.stats",
		"projection.svg", "model.json", "epoch.json", "args.json"};
	static const char *const model[] = {".pthfs", "module", "module.fc.bias.npy"};
	struct list *l;

	open_data("demo.pth");
	l = list_dir(VOLUME_ROOT);
	for (size_t i = 0; i < sizeof root / sizeof *root; i++) {
		EQ_I64(lookup_in(VOLUME_ROOT, root[i]), 0);
		EQ_I64(list_find(l, root[i]), l->n);
	}
	EQ_I64(lookup_in(VOLUME_ROOT, "module"), ERR_ABSENT); /* the root is no state_dict */
	free(l);
	l = list_dir(ino_at("model"));
	for (size_t i = 0; i < sizeof model / sizeof *model; i++) {
		EQ_I64(lookup_in(ino_at("model"), model[i]), 0);
		EQ_I64(list_find(l, model[i]), l->n);
	}
	free(l);
	EQ_I64(lookup_in(ino_at("args"), ".pthfs"), ERR_ABSENT);
	EQ_I64(lookup_in(ino_at("args"), "module"), ERR_ABSENT);
	EQ_I64(lookup_in(VOLUME_ROOT, "epoch.npy"), ERR_ABSENT);
	EQ_I64(lookup_in(VOLUME_ROOT, "epoch.meta"), ERR_ABSENT);
	close_data();
}

static void show_hidden_lists_them(void)
{
	static const char *const names[] = {"module", ".pthfs", "module.fc.bias.meta",
		"module.fc.bias.npy", "module.fc.bias.stats", "module.fc.bias.svg"};
	struct list *l;

	open_with("demo.pth", &(struct volume_opts){.show_hidden = true});
	l = list_dir(ino_at("model"));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		OK(list_find(l, names[i]) < l->n);
	free(l);
	l = list_dir(VOLUME_ROOT);
	OK(list_find(l, "epoch.json") < l->n);
	OK(list_find(l, ".pthfs") < l->n);
	EQ_I64(list_find(l, "module"), l->n);
	free(l);
	close_data();
}

static void real_keys_win_over_every_name_that_is_made_up(void)
{
	open_data("good-weird-keys.pt");
	EQ_I64(attr_at("module").mode, S_IFREG | 0444); /* keys, all of these */
	EQ_I64(attr_at(".pthfs").mode, S_IFREG | 0444);
	EQ_I64(attr_at("a.npy").size, 8);
	EQ_I64(attr_at("a.meta").size, 8);
	EQ_I64(attr_at("a.meta~").size, 8);
	HAS(TEXT("a.meta~~"), "\"dtype\": \"float32\"");
	EQ_I64(attr_at("a.npy~").size, 128 + 8);
	EQ_I64(resolve("a.meta~~~"), ERR_ABSENT);
	close_data();
}

static void pthfs_has_what_belongs_to_its_directory(void)
{
	open_data("demo.pth");
	EQ_I64(resolve(".pthfs/info"), 0);
	EQ_I64(resolve(".pthfs/status"), 0);
	EQ_I64(resolve(".pthfs/globals"), 0);
	EQ_I64(resolve(".pthfs/log"), 0);
	EQ_I64(resolve(".pthfs/archive"), 0);
	EQ_I64(resolve(".pthfs/strip"), ERR_ABSENT); /* the root is no state_dict here */
	EQ_I64(resolve(".pthfs/object"), ERR_ABSENT);
	EQ_I64(resolve("model/.pthfs/strip"), 0);
	EQ_I64(resolve("model/.pthfs/add"), 0);
	EQ_I64(resolve("model/.pthfs/metadata.json"), 0);
	EQ_I64(resolve("model/.pthfs/info"), ERR_ABSENT);
	EQ_I64(resolve(".pthfs/nothing"), ERR_ABSENT);
	close_data();
}

static void the_archive_shows_the_containers_members_without_their_folder(void)
{
	struct list *l;

	open_data("demo.pth");
	l = list_dir(ino_at(".pthfs/archive"));
	OK(list_find(l, "data.pkl") < l->n);
	OK(list_find(l, "version") < l->n);
	OK(list_find(l, "data") < l->n);
	EQ_I64(l->mode[list_find(l, "data")], S_IFDIR | 0555);
	free(l);
	EQ_STR(TEXT(".pthfs/archive/version"), "3\n");
	EQ_I64(attr_at(".pthfs/archive/data/0").size, 1728);
	EQ_I64(resolve(".pthfs/archive/data/9999"), ERR_ABSENT);
	EQ_I64(lookup_in(ino_at(".pthfs/archive/version"), "x"), ERR_ABSENT);
	close_data();
}

static void members_that_are_file_and_folder_both_get_names(void)
{
	open_data("bad-zip-file-and-dir.pt");
	EQ_I64(attr_at(".pthfs/archive/extra").mode, S_IFREG | 0444);
	EQ_I64(attr_at(".pthfs/archive/extra~2").mode, S_IFDIR | 0555);
	EQ_I64(attr_at(".pthfs/archive/extra~2/file").mode, S_IFREG | 0444);
	close_data();
}

static void a_module_has_its_attributes_below_object(void)
{
	struct list *l;

	open_data("good-module.pt");
	l = list_dir(ino_at(".pthfs/object"));
	OK(list_find(l, "_modules") < l->n);
	OK(list_find(l, "training") < l->n);
	free(l);
	EQ_STR(TEXT(".pthfs/object/training"), "True\n");
	/* the same tensor, reached the other way, is the same inode and no further link */
	EQ_I64(ino_at("conv.weight"), ino_at(".pthfs/object/_modules/conv/_parameters/weight"));
	EQ_I64(attr_at("conv.weight").nlink, 1);
	close_data();
}

static void a_lone_object_is_called_value(void)
{
	open_data("good-top-tensor.pt");
	EQ_I64(attr_at("value").size, 24);
	EQ_I64(attr_at("value").nlink, 1);
	EQ_I64(resolve(".pthfs/info"), 0);
	close_data();
	open_data("good-top-int.bin");
	EQ_I64(attr_at("value").mode, S_IFREG | 0444);
	close_data();
	open_data("good-top-quantized.pt");
	EQ_I64(attr_at("value").mode, S_IFDIR | 0555);
	EQ_I64(resolve("value/int_repr"), 0);
	EQ_I64(resolve("value.meta"), 0);
	close_data();
}

static void inodes_that_nobody_gave_out_are_refused(void)
{
	struct vattr a;

	open_data("demo.pth");
	for (uint64_t what = 0; what < 64; what++)
		for (uint64_t index = 1; index < UINT64_C(1) << 58; index *= 1021)
			volume_getattr(vol, index * 1000003 << 6 | what, &a, NULL); /* no crash */
	EQ_I64(volume_getattr(vol, UINT64_C(1) << 40 | 1, &a, NULL), ERR_ABSENT);
	EQ_I64(volume_getattr(vol, 0, &a, NULL), ERR_ABSENT);
	close_data();
}

/* --- the walk of commands ------------------------------------------------------------------------ */

struct walked {
	char names[8192];
	size_t used;
	int stop_after;
};

static int note(void *ctx, const struct vitem *it)
{
	struct walked *w = ctx;

	w->used += (size_t)snprintf(w->names + w->used, sizeof w->names - w->used, "%.*s ",
			STR_FMT(it->name));
	return --w->stop_after == 0 ? 7 : 0;
}

static const char *walk(const char *glob)
{
	static struct walked w;

	memset(&w, 0, sizeof w);
	EQ_I64(volume_walk(vol, glob, note, &w, NULL), 0);
	return w.names;
}

static void a_walk_goes_depth_first_and_leaves_metas_out(void)
{
	open_data("demo.pth");
	HAS(walk(NULL), "epoch arch model model/module.conv1.weight model/module.conv1.bias ");
	HAS(walk(NULL), "optimizer/param_groups optimizer/param_groups/0 ");
	OK(!strstr(walk(NULL), ".meta"));
	close_data();
}

static void a_pattern_chooses_and_directories_take_what_is_below(void)
{
	open_data("demo.pth");
	EQ_STR(walk("epoch"), "epoch ");
	EQ_STR(walk("*/module.fc.*"), "model/module.fc.weight model/module.fc.bias ");
	EQ_STR(walk("optimizer/state/9"), "optimizer/state/9 optimizer/state/9/step "
			"optimizer/state/9/exp_avg optimizer/state/9/exp_avg_sq ");
	EQ_STR(walk("**/lr"), "optimizer/param_groups/0/lr args/lr ");
	EQ_STR(walk("nothing*"), "");
	close_data();
}

static void a_walk_stops_when_it_is_told_to(void)
{
	struct walked w = {.stop_after = 2};

	open_data("demo.pth");
	EQ_I64(volume_walk(vol, NULL, note, &w, NULL), 7);
	EQ_STR(w.names, "epoch arch ");
	close_data();
}

int main(void)
{
	TEST(the_root_is_inode_1_and_a_directory);
	TEST(paths_are_resolved_from_the_root);
	TEST(an_error_names_the_path);
	TEST(inode_numbers_are_the_same_at_every_opening);
	TEST(tied_tensors_are_one_inode_with_two_links);
	TEST(a_directory_lists_its_keys_in_order_each_tensor_with_its_meta);
	TEST(dots_are_the_first_two_entries);
	TEST(listings_resume_anywhere_give_each_name_once_and_lie_never);
	TEST(so_do_listings_of_odd_keys_parts_and_modules);
	TEST(attributes_in_a_listing_are_those_of_the_name);
	TEST(directories_that_are_made_up_have_one_link);
	TEST(an_inode_can_be_named_in_messages);
	TEST(hidden_names_answer_and_are_not_listed);
	TEST(show_hidden_lists_them);
	TEST(real_keys_win_over_every_name_that_is_made_up);
	TEST(pthfs_has_what_belongs_to_its_directory);
	TEST(the_archive_shows_the_containers_members_without_their_folder);
	TEST(members_that_are_file_and_folder_both_get_names);
	TEST(a_module_has_its_attributes_below_object);
	TEST(a_lone_object_is_called_value);
	TEST(inodes_that_nobody_gave_out_are_refused);
	TEST(a_walk_goes_depth_first_and_leaves_metas_out);
	TEST(a_pattern_chooses_and_directories_take_what_is_below);
	TEST(a_walk_stops_when_it_is_told_to);
	return tap_done();
}
