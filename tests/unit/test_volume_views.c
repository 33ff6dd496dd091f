/* module/, .pthfs/strip/ and .pthfs/add/ of a mounted checkpoint: other names, the same inodes. */
#include "volume_kit.h"

/* Every name of `view` must be a name of `dir` with `off` taken off and `on` put on. */
static void same_inodes(const char *dir, const char *view, const char *off, const char *on)
{
	struct list *a = list_dir(ino_at(dir)), *b = list_dir(ino_at(view));
	char want[512];

	EQ_I64(a->n, b->n);
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		const char *name = a->name[i];

		if (strncmp(name, off, strlen(off)) == 0)
			name += strlen(off);
		snprintf(want, sizeof want, "%s%s", on, name);
		EQ_STR(b->name[i], want);
		EQ_I64(b->ino[i], a->ino[i]);
	}
	free(a);
	free(b);
}

static void module_takes_the_prefix_off_where_the_keys_have_it(void)
{
	open_data("demo.pth");
	same_inodes("model", "model/module", "module.", "");
	EQ_I64(ino_at("model/module/fc.bias"), ino_at("model/module.fc.bias"));
	EQ_I64(ino_at("model/module/fc.bias.meta"), ino_at("model/module.fc.bias.meta"));
	EQ_I64(ino_at("model/module/fc.bias.npy"), ino_at("model/module.fc.bias.npy"));
	EQ_I64(resolve("model/module/module.fc.bias"), ERR_ABSENT);
	EQ_I64(attr_at("model/module").mode, S_IFDIR | 0555);
	close_data();
}

static void module_puts_the_prefix_on_where_the_keys_lack_it(void)
{
	open_data("good-state-dict.pth");
	same_inodes("", "module", "", "module.");
	close_data();
}

static void strip_and_add_take_any_prefix(void)
{
	open_data("demo.pth");
	same_inodes("model", "model/.pthfs/strip/module", "module.", "");
	same_inodes("model", "model/.pthfs/strip/module.fc", "module.fc.", "");
	same_inodes("model", "model/.pthfs/strip/nothing", "", "");
	same_inodes("model", "model/.pthfs/add/net.0", "", "net.0.");
	same_inodes("model", "model/.pthfs/add/module", "", ""); /* all of them have it */
	same_inodes("model", "model/.pthfs/strip/module/.pthfs/add/net", "module.", "net.");
	close_data();
}

static void stripped_prefixes_nest_where_keys_have_the_next_one(void)
{
	open_data("demo.pth");
	same_inodes("model/module", "model/.pthfs/strip/module/fc", "fc.", "");
	same_inodes("model/module", "model/module/fc", "fc.", "");
	EQ_I64(resolve("model/.pthfs/strip/module/nothing"), ERR_ABSENT);
	EQ_I64(resolve("model/.pthfs/strip/module/module"), ERR_ABSENT);
	EQ_I64(resolve("model/.pthfs/add/module/fc"), ERR_ABSENT);
	close_data();
}

static void a_prefix_is_spelled_like_a_key(void)
{
	open_data("demo.pth");
	same_inodes("model", "model/.pthfs/add/a%2Fb", "", "a%2Fb.");
	EQ_I64(resolve("model/.pthfs/add/%41"), ERR_ABSENT); /* no key is called so */
	EQ_I64(resolve("model/.pthfs/add/%"), ERR_ABSENT);   /* the empty one */
	close_data();
}

static void more_than_eight_prefixes_are_refused_in_words(void)
{
	char path[512] = "model/.pthfs/add/a";
	struct vattr a;
	struct err e = {0};

	open_data("demo.pth");
	for (int i = 0; i < 7; i++)
		strcat(path, "/.pthfs/add/a");
	EQ_I64(volume_resolve(vol, path, &a, &e), 0);
	strcat(path, "/.pthfs/add/a");
	EQ_I64(volume_resolve(vol, path, &a, &e), ERR_LIMIT);
	HAS(e.text, "prefixes");
	close_data();
}

static void strip_lists_the_prefix_that_the_keys_share(void)
{
	struct list *l;

	open_data("demo.pth");
	l = list_from(ino_at("model/.pthfs/strip"), 2, true, 10);
	EQ_I64(l->n, 1);
	EQ_STR(l->name[0], "module");
	EQ_I64(l->ino[0], ino_at("model/.pthfs/strip/module"));
	free(l);
	l = list_dir(ino_at("model/.pthfs/add"));
	EQ_I64(l->n, 0);
	free(l);
	close_data();
}

static void a_view_is_the_same_inode_as_long_as_it_is_known(void)
{
	uint64_t strip, module, add, again;

	open_data("demo.pth");
	strip = ino_at("model/.pthfs/strip");
	module = ino_at("model/.pthfs/strip/module"); /* known once by this */
	add = ino_at("model/.pthfs/add/module");
	OK(module != add);
	EQ_I64(ino_at("model/.pthfs/strip/module"), module); /* twice */
	volume_forget(vol, module, 1);
	EQ_I64(lookup_in(module, "fc.bias"), 0);
	EQ_I64(lookup_in(strip, "other"), 0);
	volume_forget(vol, module, 1);
	EQ_I64(lookup_in(module, "fc.bias"), ERR_ABSENT);
	again = ino_at("model/.pthfs/strip/backbone");
	EQ_I64(again, module); /* its place is used again */
	EQ_I64(resolve("model/.pthfs/strip/module/fc.bias"), 0);
	close_data();
}

/* 3,000 prefixes one after the other, as a shell loop asks for them, need no more than one place. */
static void forgetting_frees_the_places_of_views(void)
{
	uint64_t strip, first = 0;
	char name[32];

	open_data("demo.pth");
	strip = ino_at("model/.pthfs/strip");
	for (int i = 0; i < 3000; i++) {
		struct vattr a = {0};

		snprintf(name, sizeof name, "prefix%d", i);
		EQ_I64(volume_lookup(vol, strip, str_of(name), &a, NULL), 0);
		if (i == 0)
			first = a.ino;
		EQ_I64(a.ino, first);
		volume_forget(vol, a.ino, 1);
	}
	close_data();
}

static void forgetting_other_inodes_and_too_often_does_nothing(void)
{
	uint64_t file, view;

	open_data("demo.pth");
	file = ino_at("model/module.fc.bias");
	view = ino_at("model/.pthfs/strip/module");
	volume_forget(vol, file, 100);
	volume_forget(vol, VOLUME_ROOT, 1);
	volume_forget(vol, ino_at("model/module"), 5);
	volume_forget(vol, view, 100);
	volume_forget(vol, view, 100);
	volume_forget(vol, view + (UINT64_C(1000) << 6), 1);
	EQ_I64(ino_at("model/module.fc.bias"), file);
	EQ_I64(resolve("model/module/fc.bias"), 0);
	close_data();
}

static void a_listing_counts_only_the_views_it_told(void)
{
	struct list *l;
	uint64_t strip;

	open_data("demo.pth");
	strip = ino_at("model/.pthfs/strip");
	l = list_from(strip, 2, false, 10); /* without attributes nobody knows it */
	EQ_I64(lookup_in(l->ino[0], "fc.bias"), ERR_ABSENT);
	free(l);
	l = list_from(strip, 2, true, 0); /* refused by the reader */
	free(l);
	l = list_from(strip, 2, true, 10);
	EQ_I64(lookup_in(l->ino[0], "fc.bias"), 0);
	volume_forget(vol, l->ino[0], 1);
	EQ_I64(lookup_in(l->ino[0], "fc.bias"), ERR_ABSENT);
	free(l);
	close_data();
}

static void only_state_dicts_have_views(void)
{
	open_data("demo.pth");
	EQ_I64(resolve("module"), ERR_ABSENT);
	EQ_I64(resolve("optimizer/module"), ERR_ABSENT);
	EQ_I64(resolve("optimizer/.pthfs/strip"), ERR_ABSENT);
	EQ_I64(resolve("args/.pthfs"), ERR_ABSENT);
	close_data();
}

static void a_view_has_a_pthfs_of_its_own(void)
{
	open_data("demo.pth");
	EQ_I64(resolve("model/module/.pthfs/strip/fc/weight"), 0);
	EQ_STR(TEXT("model/module/.pthfs/metadata.json"), TEXT("model/.pthfs/metadata.json"));
	EQ_I64(resolve("model/module/.pthfs/info"), ERR_ABSENT);
	EQ_I64(resolve("model/module/module"), ERR_ABSENT);
	close_data();
}

static void the_summary_names_the_keys_that_share_module(void)
{
	struct buf b;

	buf_init(&b, 4096);
	open_data("demo.pth");
	volume_summary(vol, "mnt", &b);
	buf_putc(&b, 0);
	HAS(b.p, "tensors, ");
	HAS(b.p, ", read-only; keys of model begin with \"module.\" "
		 "(mnt/model/module/ has them without)");
	close_data();
	b.n = 0;
	open_data("good-dataparallel.pth");
	volume_summary(vol, "mnt", &b);
	buf_putc(&b, 0);
	HAS(b.p, "; keys begin with \"module.\" (mnt/module/ has them without)");
	close_data();
	b.n = 0;
	open_data("good-state-dict.pth");
	volume_summary(vol, "mnt", &b);
	buf_putc(&b, 0);
	OK(!strstr(b.p, "module"));
	close_data();
	buf_release(&b);
}

int main(void)
{
	TEST(module_takes_the_prefix_off_where_the_keys_have_it);
	TEST(module_puts_the_prefix_on_where_the_keys_lack_it);
	TEST(strip_and_add_take_any_prefix);
	TEST(stripped_prefixes_nest_where_keys_have_the_next_one);
	TEST(a_prefix_is_spelled_like_a_key);
	TEST(more_than_eight_prefixes_are_refused_in_words);
	TEST(strip_lists_the_prefix_that_the_keys_share);
	TEST(a_view_is_the_same_inode_as_long_as_it_is_known);
	TEST(forgetting_frees_the_places_of_views);
	TEST(forgetting_other_inodes_and_too_often_does_nothing);
	TEST(a_listing_counts_only_the_views_it_told);
	TEST(only_state_dicts_have_views);
	TEST(a_view_has_a_pthfs_of_its_own);
	TEST(the_summary_names_the_keys_that_share_module);
	return tap_done();
}
