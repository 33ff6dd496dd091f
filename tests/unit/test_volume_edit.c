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
	TEST(keys_that_would_become_one_are_refused_before_any_is_renamed);
	TEST(an_edit_that_is_taken_back_is_none);
	TEST(revert_shows_the_checkpoint_again);
	TEST(nothing_can_be_edited_below_object_and_pthfs);
	return tap_done();
}
