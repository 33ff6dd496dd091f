/* Where a checkpoint is mounted when nobody says where, and what the table of mounts says. */
#include "../../src/cli/mountinfo.h"
#include "../../src/cli/mountpoint.h"

#include "tap.h"

#include <stdlib.h>

static void name_is(const char *checkpoint, const char *want)
{
	char *name = mountpoint_name(checkpoint);

	EQ_STR(name, want);
	free(name);
}

static void the_extension_goes(void)
{
	name_is("model.pth", "model");
	name_is("dir.d/model.pt", "model");
	name_is("a.b.ckpt", "a.b");
	name_is("weights.tar", "weights");
}

static void of_a_double_extension_both_go(void)
{
	name_is("net.pth.tar", "net");
	name_is("net.ckpt.tar", "net");
	name_is(".pth.tar", ".pth");
}

static void without_an_extension_the_name_cannot_be_the_same(void)
{
	name_is("model", "model.mnt");
	name_is("dir.d/model", "model.mnt");
	name_is("dir/model/", "model.mnt");
	name_is(".hidden", ".hidden.mnt");
}

static void the_root_is_in_the_table_of_mounts(void)
{
	struct mount_table t;
	struct err e = {0};
	const struct mount *m;

	EQ_I64(mount_table_load(&t, &e), 0);
	m = mount_at(&t, "/");
	OK(m && !mount_is_ours(m) && mount_by_id(&t, m->id) == m);
	OK(mount_at(&t, "/no/such/mount") == NULL);
	OK(mount_holding(&t, "/no/such/path") == NULL);
	OK(mount_holding(&t, "/") != NULL);
	mount_table_release(&t);
}

static void numbers_are_found_among_the_super_options(void)
{
	struct mount m = {.super = "rw,my_user_id=3,user_id=1000,group_id=7"};

	EQ_I64(mount_number(&m, "user_id="), 1000);
	EQ_I64(mount_number(&m, "group_id="), 7);
	EQ_I64(mount_number(&m, "max_read="), -1);
}

static void what_is_not_there_has_no_path(void)
{
	char *path = path_resolve("/proc/self/no-such-file");

	OK(path == NULL);
	path = path_resolve("/proc/../proc/");
	OK(path != NULL);
	EQ_STR(path ? path : "", "/proc");
	free(path);
}

int main(void)
{
	TEST(the_extension_goes);
	TEST(of_a_double_extension_both_go);
	TEST(without_an_extension_the_name_cannot_be_the_same);
	TEST(the_root_is_in_the_table_of_mounts);
	TEST(numbers_are_found_among_the_super_options);
	TEST(what_is_not_there_has_no_path);
	return tap_done();
}
