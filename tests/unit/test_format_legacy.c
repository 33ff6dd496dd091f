/* The legacy stream: five pickles and storages behind them; and streams inside of pickles. */
#include "ckpt.h"

#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define VERSION "\x80\2M\xe9\x03."
#define INFO "\x80\2}."
#define HEAD MAGIC VERSION INFO
/* Six items: the last is None or a view. */
#define ROOT(cls, key, numel, view)                                                                \
	"(" TEXT("\7", "storage") "ctorch\n" cls "\n" TEXT("\1", key) CPU "K" numel view "tQ"
#define WINDOW(offset, size) TEXT("\1", "w") "K" offset "K" size "\x87"
#define VIEW(storage) TENSOR(storage, "\0", "K\2\x85", "K\1\x85")
#define COUNT(n) n "\0\0\0\0\0\0\0"
#define FLOATS2 "\0\0\x80\x3f\0\0\0\x40"
#define ONE_KEY "\x80\4]" TEXT("\1", "k") "a."

static void storages_are_found_behind_the_pickles(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(HEAD "\x80\4}(" TEXT("\1", "a") VIEW(ROOT("FloatStorage", "k", "\2",
				      "N")) TEXT("\1", "b") VIEW(ROOT("ByteStorage", "j", "\2",
				      "N")) "u."
					    "\x80\4](" TEXT("\1", "j") TEXT("\1", "k") "e." COUNT(
							    "\2") "\x07\x08" COUNT("\2") FLOATS2));
	EQ_STR(k.c ? k.c->format : k.e.text, "torch legacy");
	EQ_STR(ckpt_hex(&k, "a"), "0000803f00000040");
	EQ_STR(ckpt_hex(&k, "b"), "0708");
	EQ_I64(k.c->box->n, 5); /* sys_info.pkl data.pkl keys.pkl data/j data/k */
	ckpt_release(&k);
}

static void window_is_a_part_of_its_root(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(HEAD "\x80\4" TENSOR(ROOT("FloatStorage", "k", "\2", WINDOW("\1", "\1")),
				      "\0", "K\1\x85", "K\1\x85") "." ONE_KEY COUNT("\2") FLOATS2));
	EQ_STR(ckpt_hex(&k, ""), "00000040");
	EQ_I64(ckpt_tensor(&k, "")->offset, 1);
	ckpt_release(&k);
}

static void window_outside_of_its_root_breaks_the_tensor(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(HEAD "\x80\4" VIEW(ROOT("FloatStorage", "k", "\2",
				      WINDOW("\1", "\2"))) "." ONE_KEY COUNT("\2") FLOATS2));
	HAS(ckpt_broken(&k, ""), "outside");
	ckpt_release(&k);
}

static void module_ids_are_their_class(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(HEAD "\x80\4(" TEXT("\6", "module") "clib\nNet\nNNtQ)\x81}" TEXT(
				      "\1", "a") "K\1sb.\x80\2]."));
	EQ_I64(ckpt_kind(&k, ""), VALUE_OBJECT);
	EQ_STR(ckpt_text(&k, "a"), "1");
	ckpt_release(&k);
}

#define ONE(keys, data) HEAD "\x80\4" VIEW(ROOT("FloatStorage", "k", "\2", "N")) "." keys data

static void truncated_stream_says_what_is_missing(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(ONE(ONE_KEY, COUNT("\2") "\0\0\x80\x3f\0")));
	EQ_I64(k.rc, ERR_TRUNCATED);
	HAS(k.e.text, "3 B are missing");
	HAS(k.e.text, "-o salvage");
	ckpt_release(&k);
}

static void salvage_keeps_the_tensors_that_are_whole(void)
{
	static const struct format_opts o = {.salvage = true};
	struct ckpt k;

	ckpt_source(&k,
			source_mem_borrow(LIT(HEAD "\x80\4}(" TEXT("\1", "a") VIEW(
					ROOT("FloatStorage", "k", "\2", "N")) TEXT("\1",
					"b") VIEW(ROOT("FloatStorage", "j", "\2",
					"N")) "u."
					      "\x80\4](" TEXT("\1", "k") TEXT("\1", "j") "e." COUNT(
							      "\2")
							      FLOATS2 COUNT("\2") "\0\0\x80")),
			&o);
	EQ_STR(ckpt_hex(&k, "a"), "0000803f00000040");
	HAS(ckpt_broken(&k, "b"), "3 of its 8 bytes");
	OK(k.c->truncated);
	HAS(ckpt_finding(&k, "damaged"), "the file ends in storage");
	ckpt_release(&k);
}

static void refused(const void *bytes, size_t n, int code, const char *words)
{
	struct ckpt k;

	ckpt_file(&k, bytes, n);
	EQ_I64(k.rc, code);
	HAS(k.e.text, words);
	ckpt_release(&k);
}

static void keys_and_counts_must_be_what_the_pickle_says(void)
{
	refused(LIT(ONE("\x80\4](" TEXT("\1", "k") TEXT("\1", "k") "e.",
				COUNT("\2") FLOATS2 COUNT("\2") FLOATS2)),
			ERR_DAMAGED, "twice");
	refused(LIT(ONE("\x80\4](" TEXT("\1", "k") TEXT("\1", "z") "e.", COUNT("\2") FLOATS2)),
			ERR_DAMAGED, "does not use");
	refused(LIT(ONE(ONE_KEY, COUNT("\3") FLOATS2 FLOATS2)), ERR_DAMAGED, "count of 3 elements");
	refused(LIT(ONE(ONE_KEY, "\xff\xff\xff\xff\xff\xff\xff\xff")), ERR_DAMAGED, "negative");
	refused(LIT(ONE("\x80\2K\1.", "")), ERR_DAMAGED, "list of storage keys");
	refused(LIT(MAGIC "\x80\2M\xea\x03." INFO), ERR_DAMAGED, "1001");
}

static void key_that_is_not_listed_breaks_its_tensor(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(ONE("\x80\2].", "")));
	HAS(ckpt_broken(&k, ""), "missing in the file's list");
	ckpt_release(&k);
}

static void cut_inside_a_pickle_names_the_pickle(void)
{
	refused(LIT(MAGIC VERSION), ERR_TRUNCATED, "system info");
	refused(LIT(HEAD "\x80\2}"), ERR_TRUNCATED, "object");
	refused(LIT(HEAD "\x80\2}."), ERR_TRUNCATED, "storage keys");
}

static void bytes_behind_the_last_storage_are_a_note(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT(ONE(ONE_KEY, COUNT("\2") FLOATS2 "xyz")));
	HAS(ckpt_finding(&k, "note"), "3 bytes");
	ckpt_release(&k);
}

#define EMBEDDED HEAD "\x80\4" ROOT("FloatStorage", "k", "\2", "N") "." ONE_KEY COUNT("\2") FLOATS2

static void storage_embedded_in_a_plain_pickle(void)
{
	struct ckpt k;
	char p[400] = "\x80\4", *at = p + 2;
	static const char head[] =
			"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\nC";
	static const char tail[] = "\x85RK\0K\2\x85K\1\x85\x89N"
				   "tR.";

	memcpy(at, head, sizeof head - 1);
	at += sizeof head - 1;
	*at++ = (char)(sizeof EMBEDDED - 1);
	memcpy(at, EMBEDDED, sizeof EMBEDDED - 1);
	at += sizeof EMBEDDED - 1;
	memcpy(at, tail, sizeof tail - 1);
	at += sizeof tail - 1;
	ckpt_file(&k, p, (size_t)(at - p));
	EQ_STR(ckpt_hex(&k, ""), "0000803f00000040");
	ckpt_release(&k);
}

static void embedded_rubbish_breaks_its_tensor(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4"
			  "ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_"
			  "bytes\nC\3abc\x85R"
			  "K\0K\2\x85K\1\x85\x89NtR."));
	HAS(ckpt_broken(&k, ""), "embedded storage");
	ckpt_release(&k);
}

static void persistent_ids_of_a_plain_pickle_lead_nowhere(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("\x80\4" FOUR("\0") "."));
	HAS(ckpt_broken(&k, ""), "no place for the bytes");
	ckpt_release(&k);
}

int main(void)
{
	TEST(storages_are_found_behind_the_pickles);
	TEST(window_is_a_part_of_its_root);
	TEST(window_outside_of_its_root_breaks_the_tensor);
	TEST(module_ids_are_their_class);
	TEST(truncated_stream_says_what_is_missing);
	TEST(salvage_keeps_the_tensors_that_are_whole);
	TEST(keys_and_counts_must_be_what_the_pickle_says);
	TEST(key_that_is_not_listed_breaks_its_tensor);
	TEST(cut_inside_a_pickle_names_the_pickle);
	TEST(bytes_behind_the_last_storage_are_a_note);
	TEST(storage_embedded_in_a_plain_pickle);
	TEST(embedded_rubbish_breaks_its_tensor);
	TEST(persistent_ids_of_a_plain_pickle_lead_nowhere);
	return tap_done();
}
