/* Before a commit: what was edited is judged against what it was, and nothing else is read. */
#include "edit_kit.h"

#include <math.h>
#include <sys/stat.h>

#define BIAS "model/module.conv1.bias"   /* float32 [16] */
#define CONV "model/module.conv2.weight" /* float32 [32, 16, 3, 3] */
#define STEPS "model/module.bn1.num_batches_tracked"

static void open_validated(const char *name, enum validate how)
{
	edit_validate = how;
	open_copy(name);
}

static const float nan_bytes[16] = {NAN, 1, INFINITY, -INFINITY};

/* The lines of volume_suspects(). */
static const char *suspects(void)
{
	static char text[8192];
	struct buf b;
	buf_init(&b, sizeof text - 1);
	volume_suspects(vol, &b);
	if (b.n)
		memcpy(text, b.p, b.n);
	text[b.n] = 0;
	buf_release(&b);
	return text;
}

static int try_commit(struct commit_opts o, struct commit_result *r, struct err *e)
{
	*e = (struct err){0};
	*r = (struct commit_result){.suspects = 77};
	return volume_commit(vol, &o, r, e);
}

/* Commits, and says how many suspects there were. */
static int64_t committed(void)
{
	struct commit_result r;
	struct err e;
	EQ_I64(try_commit((struct commit_opts){0}, &r, &e), 0);
	EQ_STR(e.text, "");
	return (int64_t)r.suspects;
}

static int64_t refused(void)
{
	struct commit_result r;
	struct err e;
	int rc = try_commit((struct commit_opts){0}, &r, &e);
	if (rc != ERR_REFUSED)
		printf("# %d: %s\n", rc, e.text);
	return rc == ERR_REFUSED;
}

static const char *log_of(void)
{
	static char text[1 << 16];
	struct buf b;
	buf_init(&b, sizeof text - 1);
	log_text(volume_log(vol), &b);
	if (b.n)
		memcpy(text, b.p, b.n);
	text[b.n] = 0;
	buf_release(&b);
	return text;
}

static const char *status_of(bool json)
{
	static char text[1 << 16];
	struct buf b;
	buf_init(&b, sizeof text - 1);
	volume_status(vol, json, &b);
	if (b.n)
		memcpy(text, b.p, b.n);
	text[b.n] = 0;
	buf_release(&b);
	return text;
}

static void warn_commits_and_tells(void)
{
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(write_at(BIAS, nan_bytes, 16, 16), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), BIAS ": 1 NaN (was 0), 2 Inf (was 0)\n");
	HAS(log_of(), "suspicious: " BIAS ": 1 NaN (was 0)");
	HAS(status_of(false), "suspicious: " BIAS ": 1 NaN (was 0)");
	HAS(TEXT(".pthfs/commit"), "suspicious: " BIAS);
	EQ_I64(volume_edits(vol), 0);
	close_copy();
}

static void strict_refuses_and_changes_nothing(void)
{
	struct commit_result r;
	struct stat before, after;
	struct err e;
	open_validated("demo.pth", VALIDATE_STRICT);
	stat(edit_file, &before);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	EQ_I64(write_at(CONV, nan_bytes, 4, 400), 0);
	EQ_I64(try_commit((struct commit_opts){0}, &r, &e), ERR_REFUSED);
	HAS(e.text, BIAS ": 1 NaN (was 0) and 1 more tensor");
	HAS(e.text, "pthfs commit --force");
	EQ_I64(r.suspects, 77);
	stat(edit_file, &after);
	OK(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	EQ_I64(volume_edits(vol), 2);
	EQ_STR(suspects(), BIAS ": 1 NaN (was 0)\n" CONV ": 1 NaN (was 0)\n");
	HAS(status_of(false), "dirty: 2 edits");
	close_copy();
}

static void the_status_as_json_has_key_what_and_both_numbers(void)
{
	open_validated("demo.pth", VALIDATE_STRICT);
	HAS(status_of(true), "\"suspects\": []");
	EQ_I64(write_at(BIAS, (float[]){-1e30f}, 4, 0), 0);
	OK(refused());
	HAS(status_of(true), "\"suspects\": [{\"name\": \"" BIAS "\", \"key\": \"module.conv1.bias\", "
			     "\"what\": [\"range\"], \"message\": \"largest modulus 1e+30 (was ");
	HAS(status_of(true), "\"was\": {\"count\": 16, \"nan\": 0,");
	HAS(status_of(true), "\"now\": {\"count\": 16, \"nan\": 0,");
	HAS(status_of(true), "\"min\": -1.0000000150474662e+30,");
	close_copy();
}

static void what_is_forced_is_committed_and_told(void)
{
	struct commit_result r;
	struct err e;
	open_validated("demo.pth", VALIDATE_STRICT);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(refused());
	EQ_I64(try_commit((struct commit_opts){.force = true}, &r, &e), 0);
	EQ_I64(r.suspects, 1);
	EQ_STR(suspects(), BIAS ": 1 NaN (was 0)\n");
	EQ_I64(volume_edits(vol), 0);
	/* Once: the next one is refused again. */
	EQ_I64(write_at(CONV, nan_bytes, 4, 0), 0);
	OK(refused());
	close_copy();
}

static void off_looks_at_nothing(void)
{
	open_validated("demo.pth", VALIDATE_OFF);
	EQ_I64(write_at(BIAS, nan_bytes, 16, 0), 0);
	EQ_I64(committed(), 0);
	EQ_STR(suspects(), "");
	OK(!strstr(log_of(), "suspicious"));
	close_copy();
}

static void a_dry_run_is_judged_too(void)
{
	struct commit_result r;
	struct err e;
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	EQ_I64(try_commit((struct commit_opts){.dry_run = true}, &r, &e), 0);
	EQ_I64(r.suspects, 1);
	EQ_STR(suspects(), BIAS ": 1 NaN (was 0)\n");
	close_copy();
	open_validated("demo.pth", VALIDATE_STRICT);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	EQ_I64(try_commit((struct commit_opts){.dry_run = true}, &r, &e), ERR_REFUSED);
	close_copy();
}

static void what_was_put_right_is_no_suspect_any_more(void)
{
	char old[4];
	open_validated("demo.pth", VALIDATE_STRICT);
	memcpy(old, BYTES(BIAS), 4);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(refused());
	EQ_I64(write_at(BIAS, old, 4, 0), 0);
	EQ_STR(suspects(), "");
	OK(!strstr(status_of(false), "suspicious: "));
	EQ_I64(committed(), 0);
	close_copy();
}

static void a_revert_clears_the_suspects(void)
{
	struct err e = {0};
	open_validated("demo.pth", VALIDATE_STRICT);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(refused());
	EQ_I64(volume_revert(vol, &e), 0);
	EQ_STR(suspects(), "");
	HAS(status_of(true), "\"suspects\": []");
	close_copy();
}

static void a_removed_suspect_is_none(void)
{
	open_validated("demo.pth", VALIDATE_STRICT);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(refused());
	EQ_I64(remove_name(BIAS), 0);
	EQ_STR(suspects(), "");
	EQ_I64(committed(), 0);
	close_copy();
}

static void zeros_and_range_are_seen_and_counters_may_grow(void)
{
	static const char zeros[18432];
	int64_t many = 1ll << 40;
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(write_all(CONV, zeros, 18432), 0);
	EQ_I64(write_at(STEPS, &many, 8, 0), 0);
	EQ_I64(write_at(BIAS, (float[]){77777}, 4, 60), 0);
	EQ_I64(committed(), 2);
	HAS(suspects(), BIAS ": largest modulus 77777 (was 0.");
	HAS(suspects(), CONV ": all zeros (0 of 4608 were)\n");
	close_copy();
}

/* No bytes are touched: nothing is read, and NaN that was there is not found. */
static void names_and_values_are_not_judged(void)
{
	open_validated("demo.pth", VALIDATE_OFF);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	EQ_I64(committed(), 0);
	volume_close(vol);
	edit_validate = VALIDATE_STRICT;
	EQ_I64(open_again(VOLUME_RW), 0);
	EQ_I64(move(BIAS, "model/bias"), 0);
	EQ_I64(write_text("epoch", "15"), 0);
	EQ_I64(remove_name(CONV), 0);
	EQ_I64(committed(), 0);
	/* And what is written beside that NaN is judged against it. */
	EQ_I64(write_at("model/bias", (float[]){0.25f}, 4, 4), 0);
	EQ_I64(committed(), 0);
	close_copy();
}

/* embed.weight and fc.weight are one tensor: one suspect, by its first name. */
static void a_tied_tensor_is_judged_once(void)
{
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(write_at("model/module.fc.weight", nan_bytes, 4, 8), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), "model/module.embed.weight: 1 NaN (was 0)\n");
	close_copy();
}

/* row1 is row 1 of base: what else looks at its bytes is judged, rows12 too, the column is (it has an
 * element of every row), every2nd has only rows 0 and 2. */
static void views_are_judged_when_their_own_bytes_were_written(void)
{
	open_validated("good-views.pt", VALIDATE_WARN);
	EQ_I64(write_at("row1", (float[]){NAN, NAN, NAN, NAN, NAN, NAN}, 24, 0), 0);
	committed();
	HAS(suspects(), "base: 6 NaN (was 0)\n");
	HAS(suspects(), "row1: 6 NaN (was 0)\n");
	HAS(suspects(), "rows12: 6 NaN (was 0)\n");
	HAS(suspects(), "transposed: 6 NaN (was 0)\n");
	HAS(suspects(), "column: 1 NaN (was 0)\n");
	OK(!strstr(suspects(), "every2nd"));
	OK(!strstr(suspects(), "expanded"));
	OK(!strstr(suspects(), "same") && !strstr(suspects(), "alias"));
	close_copy();
}

/* The first row is written: those that do not look at it are not. */
static void a_view_that_does_not_look_at_the_written_bytes_is_not_judged(void)
{
	open_validated("good-views.pt", VALIDATE_WARN);
	EQ_I64(write_at("base", (float[]){NAN}, 4, 0), 0);
	committed();
	HAS(suspects(), "base: 1 NaN (was 0)\n");
	OK(!strstr(suspects(), "row1") && !strstr(suspects(), "rows12"));
	close_copy();
}

/* The bytes of 16 float32 as 16 values of half the size, twice as many. */
static void a_retyped_tensor_is_judged_against_the_one_it_was(void)
{
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(write_text(BIAS ".meta", "{\"dtype\": \"float16\", \"shape\": [32]}"), 0);
	OK(committed() >= 1);
	HAS(suspects(), "32 elements (was 16)\n");
	close_copy();
}

/* It was written to, and got another type then: what it was is what the checkpoint holds. */
static void a_tensor_that_was_written_and_then_retyped_is_too(void)
{
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	EQ_I64(write_text(BIAS ".meta", "{\"dtype\": \"float32\", \"shape\": [4, 4]}"), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), BIAS ": 1 NaN (was 0)\n");
	/* The new one has a storage of its own: written to after the commit it is one like any other. */
	EQ_I64(write_at(BIAS, nan_bytes, 4, 4), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), BIAS ": 2 NaN (was 1)\n");
	close_copy();
}

static void a_key_that_was_removed_and_made_anew_is_judged_against_the_old_one(void)
{
	static const char zeros[64];
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(remove_name(BIAS), 0);
	EQ_I64(write_all(BIAS, zeros, 64), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), BIAS ": all zeros (0 of 16 were)\n");
	EQ_I64(remove_name(CONV), 0);
	EQ_I64(write_all("model/x", zeros, 8), 0);
	EQ_I64(write_text("model/x.meta", "{\"dtype\": \"float32\", \"shape\": [2]}"), 0);
	EQ_I64(move("model/x", CONV), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), CONV ": all zeros (0 of 4608 were), 2 elements (was 4608)\n");
	close_copy();
}

/* Kept under another name, and written anew under its own. */
static void a_backup_does_not_hide_what_the_name_was(void)
{
	static const char zeros[64];
	open_validated("demo.pth", VALIDATE_WARN);
	EQ_I64(move(BIAS, "model/old"), 0);
	EQ_I64(write_all(BIAS, zeros, 64), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), BIAS ": all zeros (0 of 16 were)\n");
	close_copy();
}

static void a_new_tensor_is_judged_by_itself(void)
{
	static const char zeros[64];
	open_validated("demo.pth", VALIDATE_STRICT);
	EQ_I64(write_all("model/new", zeros, 8), 0);
	EQ_I64(write_text("model/new.meta", "{\"dtype\": \"float32\", \"shape\": [2]}"), 0);
	EQ_I64(committed(), 0);
	EQ_I64(write_all("model/nan", nan_bytes, 16), 0);
	EQ_I64(write_text("model/nan.meta", "{\"dtype\": \"float32\", \"shape\": [4]}"), 0);
	OK(refused());
	EQ_STR(suspects(), "model/nan: 1 NaN, 2 Inf\n");
	HAS(status_of(true), "\"was\": null, \"now\": {\"count\": 4, \"nan\": 1,");
	close_copy();
}

static void every_dtype_is_judged_as_what_it_is(void)
{
	open_validated("good-dtypes.pt", VALIDATE_WARN);
	EQ_I64(write_at("float16", "\x00\x7c", 2, 0), 0);       /* Inf */
	EQ_I64(write_at("bfloat16", "\xc0\x7f", 2, 0), 0);      /* NaN */
	EQ_I64(write_at("float8_e4m3fn", "\x7f", 1, 0), 0);     /* NaN */
	EQ_I64(write_at("float8_e5m2", "\xfc", 1, 0), 0);       /* -Inf */
	EQ_I64(write_at("complex64", "\0\0\xc0\x7f", 4, 4), 0); /* NaN in the imaginary part */
	EQ_I64(write_at("complex128", "\0\0\0\0\0\0\xf0\xff", 8, 0), 0);
	EQ_I64(write_at("bits8", "\x7f", 1, 0), 0); /* no numbers */
	EQ_I64(write_all("bool", "\0\0\0\0\0\0", 6), 0);
	EQ_I64(committed(), 7);
	HAS(suspects(), "float16: 1 Inf (was 0)\n");
	HAS(suspects(), "bfloat16: 1 NaN (was 0)\n");
	HAS(suspects(), "float8_e4m3fn: 1 NaN (was 0)\n");
	HAS(suspects(), "float8_e5m2: 1 Inf (was 0)\n");
	HAS(suspects(), "complex64: 1 NaN (was 0)\n");
	HAS(suspects(), "complex128: 1 Inf (was 0)\n");
	HAS(suspects(), "bool: all zeros (");
	close_copy();
}

/* The daemon dies without another word: the journal stays, and with it the refusal. */
static void what_was_refused_stays_refused_after_a_crash(void)
{
	struct commit_result r;
	struct err e;
	struct buf b;
	bool clean = true;
	open_validated("demo.pth", VALIDATE_STRICT);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(refused());
	crash();
	buf_init(&b, 1 << 20);
	EQ_I64(volume_status_of(edit_file, false, &b, &clean, &e), 0);
	OK(!clean);
	buf_putc(&b, 0);
	HAS(b.p, "the last commit failed: -o validate=strict");
	HAS(b.p, "suspicious: " BIAS ": 1 NaN (was 0)\n");
	b.n = 0;
	EQ_I64(volume_status_of(edit_file, true, &b, &clean, &e), 0);
	buf_putc(&b, 0);
	HAS(b.p, "\"suspects\": [{\"name\": \"" BIAS "\"");
	buf_release(&b);
	edit_validate = VALIDATE_WARN;
	EQ_I64(open_again(VOLUME_RW), 0);
	OK(refused());
	EQ_I64(try_commit((struct commit_opts){.force = true}, &r, &e), 0);
	EQ_I64(write_at(CONV, nan_bytes, 4, 0), 0);
	EQ_I64(committed(), 1); /* warn: this is another edit */
	close_copy();
}

static void one_commands_edit_is_judged_and_refused(void)
{
	struct stat before, after;
	open_validated("demo.pth", VALIDATE_STRICT);
	volume_close(vol);
	stat(edit_file, &before);
	EQ_I64(open_again(VOLUME_EDIT), 0);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(refused());
	volume_close(vol);
	stat(edit_file, &after);
	OK(before.st_ino == after.st_ino);
	edit_validate = VALIDATE_WARN;
	EQ_I64(open_again(VOLUME_EDIT), 0);
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	EQ_I64(committed(), 1);
	EQ_STR(suspects(), BIAS ": 1 NaN (was 0)\n");
	close_copy();
}

/* It would be an error of every commit; edits stay. */
static void a_card_that_is_not_there_is_an_error_when_it_was_asked_for(void)
{
	struct volume_opts o = {.mode = VOLUME_RW, .device = "cuda:254"};
	struct commit_result r;
	struct err e = {0};
	open_validated("demo.pth", VALIDATE_WARN);
	volume_close(vol);
	EQ_I64(volume_open(edit_file, &o, &vol, &e), 0);
	EQ_I64(write_text("epoch", "15"), 0);
	EQ_I64(try_commit((struct commit_opts){0}, &r, &e), 0); /* no tensor: nobody asks for it */
	EQ_I64(write_at(BIAS, nan_bytes, 4, 0), 0);
	OK(try_commit((struct commit_opts){0}, &r, &e) < 0);
	HAS(e.text, "-o device=cuda:254: ");
	EQ_I64(volume_edits(vol), 1);
	close_copy();
}

int main(void)
{
	TEST(warn_commits_and_tells);
	TEST(strict_refuses_and_changes_nothing);
	TEST(the_status_as_json_has_key_what_and_both_numbers);
	TEST(what_is_forced_is_committed_and_told);
	TEST(off_looks_at_nothing);
	TEST(a_dry_run_is_judged_too);
	TEST(what_was_put_right_is_no_suspect_any_more);
	TEST(a_revert_clears_the_suspects);
	TEST(a_removed_suspect_is_none);
	TEST(zeros_and_range_are_seen_and_counters_may_grow);
	TEST(names_and_values_are_not_judged);
	TEST(a_tied_tensor_is_judged_once);
	TEST(views_are_judged_when_their_own_bytes_were_written);
	TEST(a_view_that_does_not_look_at_the_written_bytes_is_not_judged);
	TEST(a_retyped_tensor_is_judged_against_the_one_it_was);
	TEST(a_tensor_that_was_written_and_then_retyped_is_too);
	TEST(a_key_that_was_removed_and_made_anew_is_judged_against_the_old_one);
	TEST(a_backup_does_not_hide_what_the_name_was);
	TEST(a_new_tensor_is_judged_by_itself);
	TEST(every_dtype_is_judged_as_what_it_is);
	TEST(what_was_refused_stays_refused_after_a_crash);
	TEST(one_commands_edit_is_judged_and_refused);
	TEST(a_card_that_is_not_there_is_an_error_when_it_was_asked_for);
	return tap_done();
}
