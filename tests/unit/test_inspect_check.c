/* What inspect_check() finds in archives that are wrong in one place each. */
#include "ckpt.h"

#include <pthfs/inspect.h>
#include <unistd.h>

#define MAX_SEEN 64

/* Text as torch writes it, so that weights_only takes it; shorter than 256 bytes. */
#define WTEXT(len, text) "X" len "\0\0\0" text
#define WSTORAGE(key, numel)                                                                       \
	"(" WTEXT("\7", "storage") "ctorch\nFloatStorage\n" WTEXT("\1", key) WTEXT("\3", "cpu") "K" numel "tQ"
#define WTENSOR(key, numel, shape)                                                                 \
	"ctorch._utils\n_rebuild_tensor_v2\n(" WSTORAGE(key, numel) "K\0K" shape "\x85K\1\x85\x89" HOOKS "tR"
/* {"w": sixteen floats, ...} */
#define GOOD "\x80\2}" WTEXT("\1", "w") WTENSOR("0", "\x10", "\x10") "s"

struct seen {
	enum severity severity;
	char kind[16], name[128], message[400];
	uint64_t offset;
};

static struct seen seen[MAX_SEEN];
static unsigned n_seen, stop_after;
static struct check_result result;
static char why[8192]; /* result.weights_only_why */

static int collect(void *ctx, const struct check_finding *f)
{
	struct seen *s = &seen[n_seen];

	if (n_seen == MAX_SEEN)
		return 99;
	s->severity = f->severity;
	s->offset = f->offset;
	snprintf(s->kind, sizeof s->kind, "%s", f->kind);
	snprintf(s->name, sizeof s->name, "%.*s", STR_FMT(f->name));
	snprintf(s->message, sizeof s->message, "%.*s", STR_FMT(f->message));
	n_seen++;
	return stop_after && n_seen >= stop_after ? 42 : 0;
}

/* Checks the n bytes as a file of their own. */
static int check_bytes(const void *p, size_t n, bool quick)
{
	char path[] = "/tmp/pthfs-check-XXXXXX";
	int fd = mkstemp(path), rc;
	struct volume_opts vo = {0};
	struct check_opts o = {.quick = quick, .engine = engine_cpu()};
	struct volume *v = NULL;
	struct err e = {0};

	n_seen = 0;
	why[0] = 0;
	result = (struct check_result){0};
	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		return -1000;
	close(fd);
	rc = volume_open(path, &vo, &v, &e);
	if (rc == 0)
		rc = inspect_check(v, &o, collect, NULL, &result, &e);
	else
		printf("# %s\n", e.text);
	if (rc == 0) {
		snprintf(why, sizeof why, "%.*s", STR_FMT(buf_view(&result.weights_only_why)));
		check_result_release(&result);
	}
	volume_close(v);
	unlink(path);
	return rc;
}

static void good_records(struct mkzip *z, const char *pickle, size_t n)
{
	float w[16];

	for (int i = 0; i < 16; i++)
		w[i] = (float)i;
	mkzip_add(z, "a/data.pkl", pickle, n);
	mkzip_add(z, "a/data/0", w, sizeof w);
	mkzip_add(z, "a/version", "3\n", 2);
}

static int check_zip(struct mkzip *z, bool quick)
{
	int rc = check_bytes(z->p, z->n, quick);

	mkzip_free(z);
	return rc;
}

/* A good archive around another pickle. */
static int check_pickle(const char *pickle, size_t n)
{
	struct mkzip z = {0};

	good_records(&z, pickle, n);
	mkzip_finish(&z);
	return check_zip(&z, false);
}

static const struct seen *only(void)
{
	static const struct seen none = {.kind = "(none)"};

	EQ_I64(n_seen, 1);
	return n_seen == 1 ? &seen[0] : &none;
}

/* --- records ------------------------------------------------------------------------------------ */

static void what_torch_would_write_is_clean(void)
{
	EQ_I64(check_pickle(LIT(GOOD ".")), 0);
	EQ_I64(n_seen, 0);
	EQ_I64(result.findings, 0);
	EQ_I64(result.records, 3);
	EQ_I64(result.bytes, sizeof GOOD + 64 + 2);
	OK(result.weights_only);
}

static void a_flipped_bit_is_a_crc_that_does_not_match(void)
{
	struct mkzip z = {0};

	good_records(&z, LIT(GOOD "."));
	mkzip_finish(&z);
	z.p[z.rec[1].data + 17] ^= 1;
	EQ_I64(check_zip(&z, false), 0);
	EQ_STR(only()->kind, "crc");
	EQ_STR(only()->name, "a/data/0");
	EQ_I64(only()->severity, SEVERITY_DAMAGE);
	HAS(only()->message, "does not match its CRC");
	OK(result.weights_only);
}

static void quick_reads_no_storage(void)
{
	struct mkzip z = {0};

	good_records(&z, LIT(GOOD "."));
	mkzip_finish(&z);
	z.p[z.rec[1].data + 17] ^= 1;
	EQ_I64(check_zip(&z, true), 0);
	EQ_I64(result.findings, 0);
	EQ_I64(result.records, 2);
	EQ_STR(only()->kind, "unverified");
}

/* Chunks of 16 MiB are joined: the last byte of the third one is the wrong one. */
static void a_record_of_several_chunks_has_one_crc(void)
{
	struct mkzip z = {0};
	size_t n = 33u << 20;
	char *big = calloc(1, n);

	good_records(&z, LIT(GOOD "."));
	mkzip_add(&z, "a/data/9", big, n);
	mkzip_finish(&z);
	EQ_I64(check_bytes(z.p, z.n, false), 0);
	EQ_I64(result.records, 4);
	EQ_I64(result.findings, 1); /* dead: more than 1 MiB, and most of the file */
	EQ_STR(only()->kind, "dead");
	z.p[z.rec[3].data + n - 1] = 1;
	EQ_I64(check_zip(&z, false), 0);
	EQ_STR(n_seen ? seen[n_seen - 1].kind : "", "crc");
	EQ_I64(result.findings, 2);
	free(big);
}

static void a_descriptor_that_was_not_updated_is_named(void)
{
	struct mkzip z = {0};

	good_records(&z, LIT(GOOD "."));
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[1].desc + 4, 0x12345678);
	EQ_I64(check_zip(&z, false), 0);
	EQ_STR(only()->kind, "crc");
	EQ_I64(only()->severity, SEVERITY_WARNING);
	HAS(only()->message, "descriptor");
}

/* set_crc32_options(False): it is no damage, and it is said. */
static void a_record_without_a_crc_is_a_note(void)
{
	struct mkzip z = {0};

	good_records(&z, LIT(GOOD "."));
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[1].desc + 4, 0);
	mkzip_set32(&z, z.rec[1].central + 16, 0);
	EQ_I64(check_zip(&z, false), 0);
	EQ_STR(only()->kind, "unverified");
	EQ_I64(result.findings, 0);
	EQ_I64(result.records, 2);
}

static void a_record_that_is_a_folder_too_cannot_be_unpacked(void)
{
	struct mkzip z = {0};

	good_records(&z, LIT(GOOD "."));
	mkzip_add(&z, "a/extra", "x", 1);
	mkzip_add(&z, "a/extra/file", "x", 1);
	mkzip_finish(&z);
	EQ_I64(check_zip(&z, false), 0);
	EQ_STR(only()->kind, "ambiguous");
	EQ_STR(only()->name, "a/extra/file");
}

/* torch takes .format_version for a promise that nothing lies between the storages. */
static void a_computed_layout_that_does_not_hold_is_named(void)
{
	struct mkzip z = {0};
	float w[16] = {0};

	mkzip_add(&z, "a/data.pkl", LIT(GOOD WTEXT("\1", "v") WTENSOR("1", "\x10", "\x10") "s."));
	mkzip_add(&z, "a/.format_version", "1", 1);
	mkzip_add(&z, "a/data/0", w, sizeof w);
	mkzip_add(&z, "a/between", w, sizeof w);
	mkzip_add(&z, "a/data/1", w, sizeof w);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	EQ_I64(check_zip(&z, false), 0);
	EQ_STR(only()->kind, "layout");
	EQ_STR(only()->name, "a/data/1");
}

/* --- tensors ------------------------------------------------------------------------------------ */

static void nan_and_inf_are_counted_and_the_first_is_found(void)
{
	struct mkzip z = {0};
	uint32_t w[16] = {0};

	w[5] = 0x7fc00000;
	w[9] = 0xff800000;
	w[11] = 0x7f800001;
	mkzip_add(&z, "a/data.pkl", LIT(GOOD "."));
	mkzip_add(&z, "a/data/0", w, sizeof w);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	EQ_I64(check_bytes(z.p, z.n, false), 0);
	EQ_STR(only()->kind, "nan");
	EQ_STR(only()->name, "w");
	EQ_STR(only()->message, "w: 2 NaN, 1 -Inf among 16 elements, the first at index 5");
	EQ_I64(only()->offset, z.rec[1].data + 20);
	EQ_I64(only()->severity, SEVERITY_WARNING);
	mkzip_free(&z);
}

/* Of a record without a CRC nothing is screened: the engine has to see it. */
static void nan_is_found_where_no_crc_is_computed(void)
{
	struct mkzip z = {0};
	uint32_t w[16] = {[15] = 0x7f800000};

	mkzip_add(&z, "a/data.pkl", LIT(GOOD "."));
	mkzip_add(&z, "a/data/0", w, sizeof w);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	mkzip_set32(&z, z.rec[1].desc + 4, 0);
	mkzip_set32(&z, z.rec[1].central + 16, 0);
	EQ_I64(check_zip(&z, false), 0);
	EQ_I64(result.findings, 1);
	EQ_STR(n_seen ? seen[n_seen - 1].kind : "", "inf");
}

/* data/0 holds bytes like NaN behind what the tensor shows: that is nobody's NaN. */
static void odd_bytes_outside_of_every_tensor_are_none(void)
{
	struct mkzip z = {0};
	uint32_t w[16] = {[15] = 0x7f800000};

	mkzip_add(&z, "a/data.pkl", LIT("\x80\2}" WTEXT("\1", "w") WTENSOR("0", "\x10", "\4") "s."));
	mkzip_add(&z, "a/data/0", w, sizeof w);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	EQ_I64(check_zip(&z, false), 0);
	EQ_I64(n_seen, 0);
}

static void a_tensor_beyond_its_storage_is_damage(void)
{
	EQ_I64(check_pickle(LIT("\x80\2}" WTEXT("\1", "w") WTENSOR("0", "\x10", "\x11") "s.")), 0);
	EQ_STR(only()->kind, "tensor");
	EQ_STR(only()->name, "w");
	OK(!result.weights_only);
	HAS(why, "a tensor that cannot be made");
}

/* --- the pickle --------------------------------------------------------------------------------- */

static void dangerous_globals_come_with_the_reason(void)
{
	EQ_I64(check_pickle(LIT("\x80\2}" WTEXT("\1", "x") "cos\nsystem\n" WTEXT("\2", "id") "\x85Rs.")),
			0);
	const struct seen *s = n_seen ? &seen[n_seen - 1] : only();

	EQ_I64(s->severity, SEVERITY_DANGER);
	EQ_STR(s->kind, "global");
	EQ_STR(s->name, "os.system");
	HAS(s->message, "runs programs and removes files");
	OK(!result.weights_only);
	HAS(why, "GLOBAL os.system is not on torch's list");
	HAS(why, "at byte 9 of the pickle");
}

static void unknown_globals_are_warnings(void)
{
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") "cmodels\nNet\n)\x81s.")), 0);
	EQ_STR(only()->kind, "global");
	EQ_I64(only()->severity, SEVERITY_WARNING);
	EQ_STR(only()->name, "models.Net");
}

static void an_opcode_that_weights_only_lacks_is_named_with_its_place(void)
{
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") "I5\ns.")), 0);
	EQ_I64(n_seen, 0);
	OK(!result.weights_only);
	HAS(why, "opcode INT (0x49)");
}

/* Each of these Python would do, and torch's unpickler does not. */
static void what_is_done_to_objects_counts_for_weights_only(void)
{
	static const struct {
		const char *pickle;
		size_t n;
		const char *why;
	} cases[] = {
		{LIT(GOOD WTEXT("\1", "x") "c__builtin__\nset\n)RK\1as."), "APPEND"},
		{LIT(GOOD WTEXT("\1", "x") "c__builtin__\nset\n)RK\1K\2ss."), "SETITEM"},
		{LIT(GOOD WTEXT("\1", "x") "c__builtin__\nset\n)R}K\1K\2sbs."), "BUILD"},
		{LIT(GOOD WTEXT("\1", "x") "ctorch\nfloat32\n)Rs."), "neither a function nor a class"},
		{LIT(GOOD WTEXT("\1", "x") "K\5Qs."), "BINPERSID"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		EQ_I64(check_pickle(cases[i].pickle, cases[i].n), 0);
		OK(!result.weights_only);
		HAS(why, cases[i].why);
	}
}

static void build_of_nothing_on_a_dict_is_not_taken(void)
{
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") "})bs.")), 0);
	OK(!result.weights_only);
	HAS(why, "BUILD");
}

static void what_its_classes_take_is_taken(void)
{
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") "ccollections\nCounter\n)RK\1K\2ss"
				WTEXT("\1", "y") "ccollections\nOrderedDict\n)RK\1K\2s}K\1K\2sbs."
				)), 0);
	OK(result.weights_only);
	EQ_STR(why, "");
}

static void text_that_is_not_utf8_is_damage_but_surrogates_are_not(void)
{
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") WTEXT("\1", "\xff") "s.")), 0);
	EQ_STR(only()->kind, "pickle");
	OK(!result.weights_only);
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") WTEXT("\3", "\xed\xa0\x80") "s.")), 0);
	EQ_I64(n_seen, 0);
	OK(result.weights_only);
}

static void a_key_that_cannot_be_hashed_is_damage(void)
{
	EQ_I64(check_pickle(LIT(GOOD "K\1]\x86K\2s.")), 0);
	EQ_STR(only()->kind, "pickle");
	HAS(only()->message, "cannot be hashed");
	OK(!result.weights_only);
}

static void a_plain_pickle_is_nothing_that_torch_load_takes(void)
{
	EQ_I64(check_bytes(LIT("\x80\2}" WTEXT("\1", "x") "K\1s."), false), 0);
	EQ_STR(only()->kind, "unverified");
	EQ_I64(result.findings, 0);
	OK(!result.weights_only);
	HAS(why, "plain pickle");
}

static void the_callback_ends_it(void)
{
	stop_after = 1;
	EQ_I64(check_pickle(LIT(GOOD WTEXT("\1", "x") "cmodels\nNet\n)\x81s"
				WTEXT("\1", "y") "cmodels\nOther\n)\x81s.")), 42);
	EQ_I64(n_seen, 1);
	stop_after = 0;
}

int main(void)
{
	TEST(what_torch_would_write_is_clean);
	TEST(a_flipped_bit_is_a_crc_that_does_not_match);
	TEST(quick_reads_no_storage);
	TEST(a_record_of_several_chunks_has_one_crc);
	TEST(a_descriptor_that_was_not_updated_is_named);
	TEST(a_record_without_a_crc_is_a_note);
	TEST(a_record_that_is_a_folder_too_cannot_be_unpacked);
	TEST(a_computed_layout_that_does_not_hold_is_named);
	TEST(nan_and_inf_are_counted_and_the_first_is_found);
	TEST(nan_is_found_where_no_crc_is_computed);
	TEST(odd_bytes_outside_of_every_tensor_are_none);
	TEST(a_tensor_beyond_its_storage_is_damage);
	TEST(dangerous_globals_come_with_the_reason);
	TEST(unknown_globals_are_warnings);
	TEST(an_opcode_that_weights_only_lacks_is_named_with_its_place);
	TEST(what_is_done_to_objects_counts_for_weights_only);
	TEST(build_of_nothing_on_a_dict_is_not_taken);
	TEST(what_its_classes_take_is_taken);
	TEST(text_that_is_not_utf8_is_damage_but_surrogates_are_not);
	TEST(a_key_that_cannot_be_hashed_is_damage);
	TEST(a_plain_pickle_is_nothing_that_torch_load_takes);
	TEST(the_callback_ends_it);
	return tap_done();
}
