/* Commit, journal and crash without a mount: what the file holds then, and what the next one who
 * opens it finds. */
#include "edit_kit.h"

#include <sys/stat.h>

#define BIAS "model/module.conv1.bias"

static void edit_some(void)
{
	EQ_I64(write_at(BIAS, "abcd", 4, 8), 0);
	EQ_I64(move("model/module/conv1.weight", "model/conv1.weight"), 0);
	EQ_I64(write_text("epoch", "15"), 0);
	EQ_I64(remove_name("arch"), 0);
	EQ_I64(write_text("note.json", "{\"a\": [1, 2.5, null]}"), 0);
	EQ_I64(write_all("model/new", "abcdefgh", 8), 0);
	EQ_I64(write_text("model/new.meta", "{\"dtype\": \"float32\", \"shape\": [2]}"), 0);
}

static void check_some(void)
{
	OK(memcmp(BYTES(BIAS) + 8, "abcd", 4) == 0);
	OK(is_there("model/conv1.weight") && !is_there("model/module.conv1.weight"));
	EQ_STR(TEXT("epoch"), "15\n");
	OK(!is_there("arch"));
	EQ_STR(TEXT("note.json"), "{\"a\": [1, 2.5, null]}\n");
	EQ_STR(TEXT("model/new"), "abcdefgh");
}

static void reopen(enum volume_mode mode)
{
	volume_close(vol);
	if (open_again(mode) < 0)
		exit(1);
}

static bool journal_there(void)
{
	char path[4300];
	struct stat st;
	snprintf(path, sizeof path, "%s.pthfs-journal", edit_file);
	return stat(path, &st) == 0;
}

static void a_commit_makes_the_file_hold_the_edits(void)
{
	open_copy("demo.pth");
	edit_some();
	EQ_I64(commit_now(true), 0);
	reopen(VOLUME_READ);
	check_some();
	OK(!journal_there());
	close_copy();
}

/* The mount goes on: what it shows then comes from the new file. */
static void editing_goes_on_after_a_commit(void)
{
	open_copy("demo.pth");
	edit_some();
	EQ_I64(commit_now(false), 0);
	check_some();
	EQ_I64(volume_edits(vol), 0);
	EQ_I64(write_text("epoch", "13"), 0);
	EQ_I64(write_at("model/new", "XY", 2, 0), 0);
	EQ_I64(move("model/conv1.weight", "model/again"), 0);
	EQ_I64(commit_now(true), 0);
	reopen(VOLUME_READ);
	EQ_STR(TEXT("epoch"), "13\n");
	EQ_STR(TEXT("model/new"), "XYcdefgh");
	OK(is_there("model/again"));
	close_copy();
}

/* Its storage has no record in the file any more. */
static void what_is_written_to_a_removed_file_that_is_open_is_seen_there_alone(void)
{
	struct vfile *f = NULL;
	struct err e = {0};
	char got[8];
	size_t n;
	open_copy("demo.pth");
	OK(volume_file_edit(vol, ino_at(BIAS), false, &f, &e) == 0);
	EQ_I64(remove_name(BIAS), 0);
	EQ_I64(commit_now(false), 0);
	EQ_I64(volume_file_write(f, "abcd", 4, 0, &e), 0);
	EQ_I64(write_text("epoch", "16"), 0);
	EQ_I64(commit_now(false), 0);
	EQ_I64(volume_file_read(f, got, 4, 0, &n, &e), 0);
	EQ_MEM(got, n, "abcd", 4);
	EQ_I64(volume_file_write(f, "xy", 2, 1, &e), 0);
	EQ_I64(volume_file_flush(f, &e), 0);
	EQ_I64(commit_now(false), 0);
	EQ_I64(volume_file_read(f, got, 4, 0, &n, &e), 0);
	EQ_MEM(got, n, "axyd", 4);
	volume_file_close(f);
	reopen(VOLUME_READ);
	EQ_STR(TEXT("epoch"), "16\n");
	OK(!is_there(BIAS));
	close_copy();
}

/* Its bytes have gone with the journal. */
static void a_new_tensor_that_was_taken_back_does_not_keep_a_commit_from_being_shown(void)
{
	open_copy("demo.pth");
	EQ_I64(write_text("projection_t.meta", "{\"dtype\": \"int32\"}"), 0); /* gathered */
	HAS(TEXT("projection_t.meta"), "int32");
	EQ_I64(volume_revert(vol, NULL), 0);
	HAS(TEXT("projection_t.meta"), "float32");
	EQ_I64(write_text("epoch", "17"), 0);
	EQ_I64(commit_now(false), 0);
	EQ_STR(TEXT("epoch"), "17\n");
	EQ_I64(write_at(BIAS, "efgh", 4, 0), 0);
	EQ_I64(commit_now(false), 0);
	close_copy();
}

static void a_legacy_stream_stays_one(void)
{
	open_copy("good-legacy-checkpoint.pth.tar");
	EQ_I64(write_text("note.json", "1"), 0);
	EQ_I64(commit_now(true), 0);
	reopen(VOLUME_READ);
	EQ_STR(volume_format(vol), "torch legacy");
	EQ_STR(TEXT("note"), "1\n");
	close_copy();
}

static void edits_that_were_synced_outlive_a_crash(void)
{
	open_copy("demo.pth");
	edit_some();
	crash();
	EQ_I64(open_again(VOLUME_RW), 0);
	HAS(volume_notice(vol), "took up");
	check_some();
	EQ_I64(write_text("epoch", "14"), 0);
	crash();
	EQ_I64(open_again(VOLUME_RW), 0);
	EQ_STR(TEXT("epoch"), "14\n");
	EQ_I64(commit_now(true), 0);
	close_copy();
}

/* Bytes that are written after edits were taken up go to the same storages. */
static void what_is_written_after_a_crash_is_journalled_too(void)
{
	char npy[160];
	open_copy("demo.pth");
	EQ_I64(write_at(BIAS, "abcd", 4, 8), 0);
	snprintf(npy, sizeof npy, "%.10s%-117s\nabcdefgh", "\x93NUMPY\x01?v?",
			"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }");
	npy[7] = npy[9] = 0;
	EQ_I64(write_all("model/new.npy", npy, 136), 0);
	crash();
	EQ_I64(open_again(VOLUME_RW), 0);
	EQ_I64(write_at(BIAS, "efgh", 4, 12), 0);
	EQ_I64(write_at("model/new", "XY", 2, 2), 0);
	crash();
	EQ_I64(open_again(VOLUME_RW), 0);
	OK(memcmp(BYTES(BIAS) + 8, "abcdefgh", 8) == 0);
	EQ_STR(TEXT("model/new"), "abXYefgh");
	close_copy();
}

static void one_command_does_not_pass_over_edits_that_wait(void)
{
	struct volume_opts o = {.mode = VOLUME_EDIT};
	struct volume *other;
	struct err e = {0};
	open_copy("demo.pth");
	edit_some();
	crash();
	EQ_I64(volume_open(edit_file, &o, &other, &e), ERR_REFUSED);
	HAS(e.text, "pthfs commit");
	EQ_I64(open_again(VOLUME_READ), 0);
	EQ_STR(TEXT("epoch"), "12\n");
	close_copy();
}

/* projection_t is projection transposed: one storage, also where there is no journal to write to. */
static void a_command_sets_a_strided_tensor_where_it_lies(void)
{
	static char npy[128 + 4 * 32 * 64];
	char path[4300];
	struct err e = {0};
	FILE *f;
	open_copy("demo.pth");
	reopen(VOLUME_EDIT);
	snprintf(npy, sizeof npy, "%.10s%-117s\n", "\x93NUMPY\x01?v?",
			"{'descr': '<f4', 'fortran_order': False, 'shape': (32, 64), }");
	npy[7] = npy[9] = 0;
	memcpy(npy + 128 + 4, "abcd", 4);
	snprintf(path, sizeof path, "%s/new.npy", edit_dir);
	f = fopen(path, "w");
	OK(f && fwrite(npy, sizeof npy, 1, f) == 1 && fclose(f) == 0);
	EQ_I64(volume_set_npy(vol, "projection_t", path, &e), 0);
	OK(memcmp(BYTES("projection") + 4 * 32, "abcd", 4) == 0);
	EQ_I64(commit_now(true), 0);
	reopen(VOLUME_READ);
	OK(memcmp(BYTES("projection") + 4 * 32, "abcd", 4) == 0);
	HAS(TEXT("projection_t.meta"), "\"stride\": [1, 32]");
	close_copy();
}

/* A layout cannot be written as text, but what is there needs no writing. */
static void a_value_that_is_set_to_what_it_shows_is_no_edit(void)
{
	struct err e = {0};
	open_copy("good-values.pt");
	EQ_I64(volume_set(vol, "layout", STR("torch.strided\n"), &e), 0);
	EQ_I64(volume_edits(vol), 0);
	EQ_I64(volume_set(vol, "layout", STR("torch.sparse_coo\n"), &e), ERR_UNSUPPORTED);
	close_copy();
}

static void a_second_editor_is_refused(void)
{
	struct volume_opts o = {.mode = VOLUME_RW};
	struct volume *other;
	struct err e = {0};
	open_copy("demo.pth");
	EQ_I64(volume_open(edit_file, &o, &other, &e), ERR_REFUSED);
	HAS(e.text, "edited already");
	close_copy();
}

static void a_file_that_somebody_else_changed_is_not_replaced(void)
{
	char command[4300];
	open_copy("demo.pth");
	edit_some();
	snprintf(command, sizeof command, "printf x >> '%s'", edit_file);
	run_shell(command);
	EQ_I64(commit_now(false), ERR_REFUSED);
	check_some();
	crash();
	EQ_I64(open_again(VOLUME_RW), ERR_REFUSED);
	close_copy();
}

static void a_dry_run_writes_nothing(void)
{
	struct commit_opts o = {.dry_run = true};
	struct commit_result r;
	struct err e = {0};
	struct stat before, after;
	open_copy("demo.pth");
	edit_some();
	stat(edit_file, &before);
	EQ_I64(volume_commit(vol, &o, &r, &e), 0);
	OK(r.written > 0 && r.edits >= 5);
	stat(edit_file, &after);
	OK(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	check_some();
	EQ_I64(commit_now(true), 0);
	close_copy();
}

int main(void)
{
	TEST(a_commit_makes_the_file_hold_the_edits);
	TEST(editing_goes_on_after_a_commit);
	TEST(what_is_written_to_a_removed_file_that_is_open_is_seen_there_alone);
	TEST(a_new_tensor_that_was_taken_back_does_not_keep_a_commit_from_being_shown);
	TEST(a_legacy_stream_stays_one);
	TEST(edits_that_were_synced_outlive_a_crash);
	TEST(what_is_written_after_a_crash_is_journalled_too);
	TEST(one_command_does_not_pass_over_edits_that_wait);
	TEST(a_command_sets_a_strided_tensor_where_it_lies);
	TEST(a_value_that_is_set_to_what_it_shows_is_no_edit);
	TEST(a_second_editor_is_refused);
	TEST(a_file_that_somebody_else_changed_is_not_replaced);
	TEST(a_dry_run_writes_nothing);
	return tap_done();
}
