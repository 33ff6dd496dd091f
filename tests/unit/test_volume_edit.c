/* Editing a checkpoint without a mount: what a program writes, and what is shown then. */
#include "edit_kit.h"

#include <errno.h>

#define BIAS "model/module.conv1.bias"

/* --- tensors ---------------------------------------------------------------------------------------- */

static void bytes_are_shown_at_once_under_every_name(void)
{
	open_copy("demo.pth");
	EQ_I64(write_at(BIAS, "abcd", 4, 8), 0);
	OK(memcmp(BYTES("model/module/conv1.bias") + 8, "abcd", 4) == 0);
	OK(memcmp(BYTES(BIAS ".npy") + 128 + 8, "abcd", 4) == 0);
	close_copy();
}

static void a_tied_tensor_is_written_through_both_names(void)
{
	open_copy("demo.pth");
	EQ_I64(write_at("model/module.fc.weight", "abcd", 4, 0), 0);
	OK(memcmp(BYTES("model/module.embed.weight"), "abcd", 4) == 0);
	close_copy();
}

/* projection_t is projection transposed: its element 1 is the other's element 32. */
static void a_strided_tensor_is_scattered_into_its_storage(void)
{
	open_copy("demo.pth");
	EQ_I64(write_at("projection_t", "abcd", 4, 4), 0);
	OK(memcmp(BYTES("projection") + 4 * 32, "abcd", 4) == 0);
	close_copy();
}

static void what_is_written_past_the_end_is_refused(void)
{
	struct vfile *f = NULL;
	struct err e = {0};
	open_copy("demo.pth");
	OK(volume_file_edit(vol, ino_at(BIAS), false, &f, &e) == 0);
	EQ_I64(volume_file_write(f, "abcd", 4, 62, &e), ERR_SYS);
	EQ_I64(e.sys, EFBIG);
	volume_file_close(f);
	close_copy();
}

static void the_old_content_is_back_when_the_size_is_wrong(void)
{
	char old[64];
	open_copy("demo.pth");
	memcpy(old, BYTES(BIAS), 64);
	EQ_I64(write_all(BIAS, "short", 5), ERR_INVALID);
	EQ_I64(attr_at(BIAS).size, 64);
	EQ_MEM(BYTES(BIAS), 64, old, 64);
	EQ_I64(volume_edits(vol), 0);
	close_copy();
}

static void a_meta_gives_the_same_bytes_another_type(void)
{
	open_copy("demo.pth");
	EQ_I64(write_text(BIAS ".meta", "{\"dtype\": \"int64\", \"shape\": [2, 4]}"), 0);
	HAS(TEXT(BIAS ".meta"), "\"dtype\": \"int64\", \"shape\": [2, 4], \"nbytes\": 64");
	EQ_I64(write_text(BIAS ".meta", "{\"dtype\": \"int64\", \"shape\": [3, 4]}"), ERR_INVALID);
	close_copy();
}

static void a_tensor_that_is_called_otherwise_still_shares_its_bytes(void)
{
	struct vattr a;
	open_copy("demo.pth");
	EQ_I64(write_text("projection_t.meta", "{\"requires_grad\": true}"), 0);
	HAS(TEXT("projection_t.meta"), "\"shared_with\": [\"projection\"]");
	HAS(TEXT("projection.meta"), "\"shared_with\": [\"projection_t\"]");
	EQ_I64(volume_resolve(vol, "projection_t", &a, NULL), 0);
	OK(a.shared);
	EQ_I64(write_text("projection_t.meta", "{\"requires_grad\": false}"), 0);
	HAS(TEXT("projection_t.meta"), "\"shared_with\": [\"projection\"]");
	EQ_I64(write_text("projection_t.meta", "{\"requires_grad\": true}"), 0);
	EQ_I64(remove_name("projection_t"), 0);
	OK(strstr(TEXT("projection.meta"), "shared_with") == NULL);
	close_copy();
}

/* --- values --------------------------------------------------------------------------------------------- */

static void a_value_keeps_its_type(void)
{
	open_copy("demo.pth");
	EQ_I64(write_text("epoch", "13\n"), 0);
	EQ_STR(TEXT("epoch"), "13\n");
	EQ_I64(write_text("epoch", "twelve\n"), ERR_INVALID);
	EQ_STR(TEXT("epoch"), "13\n");
	EQ_I64(write_text("epoch.json", "\"twelve\""), 0);
	EQ_STR(TEXT("epoch"), "twelve\n");
	close_copy();
}

/* --- names -------------------------------------------------------------------------------------------------- */

static void a_rename_through_the_view_changes_the_key(void)
{
	open_copy("demo.pth");
	EQ_I64(move("model/module/conv1.bias", "model/conv1.bias"), 0);
	OK(is_there("model/conv1.bias") && !is_there(BIAS));
	OK(is_there("model/module/conv1.bias"));
	close_copy();
}

static void a_tensor_is_not_moved_onto_another_one(void)
{
	open_copy("demo.pth");
	EQ_I64(move(BIAS, "model/module.bn1.bias"), ERR_EXISTS);
	OK(is_there(BIAS));
	close_copy();
}

static void a_name_that_comes_back_has_its_type_again(void)
{
	open_copy("demo.pth");
	EQ_I64(remove_name(BIAS), 0);
	OK(!is_there(BIAS));
	char bytes[64];
	memset(bytes, 'x', sizeof bytes);
	EQ_I64(write_all(BIAS, bytes, 64), 0);
	HAS(TEXT(BIAS ".meta"), "\"shape\": [16]");
	EQ_MEM(BYTES(BIAS), 64, bytes, 64);
	close_copy();
}

static void a_new_file_is_scratch_until_its_meta_types_it(void)
{
	open_copy("demo.pth");
	EQ_I64(write_all("model/new", "abcdefgh", 8), 0);
	EQ_I64(volume_edits(vol), 0);
	EQ_I64(write_text("model/new.meta", "{\"dtype\": \"float32\", \"shape\": [2]}"), 0);
	EQ_I64(volume_edits(vol), 1);
	HAS(TEXT("model/new.meta"), "\"shape\": [2], \"nbytes\": 8}");
	EQ_STR(TEXT("model/new"), "abcdefgh");
	close_copy();
}

/* An editor's file beside it: the old name is no second name of the tensor. */
static void a_new_file_is_typed_when_it_is_renamed_to_where_a_meta_waits(void)
{
	open_copy("demo.pth");
	EQ_I64(write_text("model/new.meta", "{\"dtype\": \"float32\", \"shape\": [2]}"), 0);
	EQ_I64(write_all("model/tmp", "abcdefgh", 8), 0);
	EQ_I64(move("model/tmp", "model/new"), 0);
	EQ_STR(TEXT("model/new"), "abcdefgh");
	EQ_I64(attr_at("model/new").nlink, 1);
	OK(!is_there("model/tmp"));
	close_copy();
}

/* In whichever order .meta and bytes arrive where a tensor was. */
static void a_meta_that_waits_types_a_name_that_comes_back(void)
{
	open_copy("demo.pth");
	EQ_I64(remove_name(BIAS), 0);
	EQ_I64(write_text(BIAS ".meta", "{\"dtype\": \"int32\", \"shape\": [4, 4]}"), 0);
	char bytes[64];
	memset(bytes, 'x', sizeof bytes);
	EQ_I64(write_all(BIAS, bytes, 64), 0);
	HAS(TEXT(BIAS ".meta"), "\"int32\", \"shape\": [4, 4]");
	EQ_MEM(BYTES(BIAS), 64, bytes, 64);
	close_copy();
}

/* rm -r asks for NAME.meta after NAME: a file that is really there is what goes. */
static void who_removes_a_key_can_remove_a_file_called_as_its_meta(void)
{
	open_copy("demo.pth");
	volume_caller(4711);
	EQ_I64(write_text("args/lr.meta", "notes"), 0);
	EQ_I64(remove_name("args/lr"), 0);
	EQ_STR(TEXT("args/lr.meta"), "notes");
	EQ_I64(remove_name("args/lr.meta"), 0);
	volume_caller(0);
	OK(!is_there("args/lr.meta"));
	close_copy();
}

static void a_json_is_held_against_what_the_directory_is_now(void)
{
	open_copy("demo.pth");
	EQ_I64(move("optimizer/param_groups/0/lr", "lr"), 0);
	EQ_I64(commit_now(false), 0);
	char now[4096];
	snprintf(now, sizeof now, "%s", TEXT("optimizer/param_groups/0.json"));
	EQ_I64(write_text("optimizer/param_groups/0/more.json", "{\"a\": 1}"), 0);
	EQ_I64(write_text("optimizer/param_groups/0.json", now), 0);
	OK(!is_there("optimizer/param_groups/0/more"));
	OK(!is_there("optimizer/param_groups/0/lr"));
	EQ_STR(TEXT("optimizer/param_groups/0.json"), now);
	close_copy();
}

/* For a .json the objects are brought up to date before the commit. */
static void keys_that_come_back_after_a_json_was_written_are_committed(void)
{
	open_copy("demo.pth");
	EQ_I64(remove_name("lr_scheduler/eta_min"), 0);
	EQ_I64(remove_name("optimizer/state/0/exp_avg"), 0);
	EQ_I64(remove_name("optimizer/state/0/exp_avg_sq"), 0);
	EQ_I64(remove_name("optimizer/state/0/step"), 0);
	EQ_I64(move("optimizer/param_groups/0/lr", "lr"), 0);
	EQ_I64(write_text("optimizer/param_groups/0.json", "{\"eps\": 1}"), 0);
	EQ_I64(write_all("optimizer/state/0/step", "abcd", 4), 0);
	EQ_I64(write_text("lr_scheduler/eta_min", "5"), 0);
	EQ_STR(TEXT("lr_scheduler/eta_min"), "5.0\n");
	EQ_I64(commit_now(true), 0);
	volume_close(vol);
	EQ_I64(open_again(VOLUME_READ), 0);
	OK(vol && is_there("optimizer/state/0/step") && !is_there("optimizer/state/0/exp_avg"));
	EQ_STR(TEXT("optimizer/state/0/step"), "abcd");
	close_copy();
}

static void a_json_keeps_the_type_of_a_key_that_was_renamed_before(void)
{
	struct err e = {0};
	struct buf type;
	buf_init(&type, 64);
	open_copy("demo.pth");
	EQ_I64(move("optimizer/param_groups/0/betas", "optimizer/param_groups/0/pair"), 0);
	EQ_I64(write_text("optimizer/param_groups/0.json", "{\"pair\": [0.5, 0.25]}"), 0);
	EQ_I64(volume_getxattr(vol, ino_at("optimizer/param_groups/0/pair"), STR("user.type"), &type, &e), 0);
	OK(str_is(buf_view(&type), "tuple"));
	close_copy();
	buf_release(&type);
}

static void keys_that_would_become_one_are_refused_before_any_is_renamed(void)
{
	open_copy("demo.pth");
	EQ_I64(move(BIAS, "model/conv1.bias"), 0);
	EQ_I64(write_all("model/module.conv1.bias.tmp", "x", 1), 0);
	EQ_I64(volume_edits(vol), 1);
	EQ_I64(move("model/conv1.bias", "model/module.bn1.bias"), ERR_EXISTS);
	EQ_I64(volume_edits(vol), 1);
	close_copy();
}

static void an_edit_that_is_taken_back_is_none(void)
{
	open_copy("demo.pth");
	EQ_I64(move(BIAS, "model/other"), 0);
	EQ_I64(volume_edits(vol), 1);
	EQ_I64(move("model/other", BIAS), 0);
	EQ_I64(volume_edits(vol), 0);
	close_copy();
}

static void revert_shows_the_checkpoint_again(void)
{
	struct err e = {0};
	char old[64];
	open_copy("demo.pth");
	memcpy(old, BYTES(BIAS), 64);
	EQ_I64(write_at(BIAS, "abcd", 4, 0), 0);
	EQ_I64(move("arch", "model/arch"), 0);
	EQ_I64(write_text("epoch", "77"), 0);
	EQ_I64(volume_revert(vol, &e), 0);
	EQ_MEM(BYTES(BIAS), 64, old, 64);
	EQ_STR(TEXT("epoch"), "12\n");
	OK(is_there("arch") && !is_there("model/arch"));
	EQ_I64(volume_edits(vol), 0);
	close_copy();
}

static void nothing_can_be_edited_below_object_and_pthfs(void)
{
	struct err e = {0};
	struct vfile *f;
	open_copy("demo.pth");
	EQ_I64(volume_file_edit(vol, ino_at(".pthfs/info"), true, &f, &e), ERR_SYS);
	EQ_I64(write_text(".pthfs/new", "x"), ERR_SYS);
	close_copy();
}

int main(void)
{
	TEST(bytes_are_shown_at_once_under_every_name);
	TEST(a_tied_tensor_is_written_through_both_names);
	TEST(a_strided_tensor_is_scattered_into_its_storage);
	TEST(what_is_written_past_the_end_is_refused);
	TEST(the_old_content_is_back_when_the_size_is_wrong);
	TEST(a_meta_gives_the_same_bytes_another_type);
	TEST(a_tensor_that_is_called_otherwise_still_shares_its_bytes);
	TEST(a_value_keeps_its_type);
	TEST(a_rename_through_the_view_changes_the_key);
	TEST(a_tensor_is_not_moved_onto_another_one);
	TEST(a_name_that_comes_back_has_its_type_again);
	TEST(a_new_file_is_scratch_until_its_meta_types_it);
	TEST(a_new_file_is_typed_when_it_is_renamed_to_where_a_meta_waits);
	TEST(a_meta_that_waits_types_a_name_that_comes_back);
	TEST(who_removes_a_key_can_remove_a_file_called_as_its_meta);
	TEST(a_json_is_held_against_what_the_directory_is_now);
	TEST(keys_that_come_back_after_a_json_was_written_are_committed);
	TEST(a_json_keeps_the_type_of_a_key_that_was_renamed_before);
	TEST(keys_that_would_become_one_are_refused_before_any_is_renamed);
	TEST(an_edit_that_is_taken_back_is_none);
	TEST(revert_shows_the_checkpoint_again);
	TEST(nothing_can_be_edited_below_object_and_pthfs);
	return tap_done();
}
