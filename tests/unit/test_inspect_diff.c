/* How two checkpoints differ: pairs, renames, what is compared by what, and what is not read. */
#include "ckpt.h"

#include <pthfs/inspect.h>
#include <stdlib.h>
#include <unistd.h>

/* A checkpoint: a pickle over storages of four floats each, called 0, 1, ... */
struct file {
	const char *pickle;
	size_t n;
	float s[3][4];
	bool wrong_crc; /* of storage 0, as the file claims it */
};

#define KEY(c) TEXT("\1", c)
#define T(key) TENSOR(FLOATS(key, "\4"), "\0", "K\4\x85", "K\1\x85")
#define SQUARE(key) TENSOR(FLOATS(key, "\4"), "\0", "K\2K\2\x86", "K\2K\1\x86")
#define INTS(key) TENSOR(STORAGE("IntStorage", key, "\4"), "\0", "K\4\x85", "K\1\x85")
#define OUT(key) TENSOR(FLOATS(key, "\4"), "\2", "K\4\x85", "K\1\x85") /* beyond its end */
#define ONE {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}

static void put_zip(const struct file *f, struct mkzip *z)
{
	mkzip_add(z, "a/data.pkl", f->pickle, f->n);
	for (int i = 0; i < 3; i++) {
		char name[16];
		snprintf(name, sizeof name, "a/data/%d", i);
		mkzip_add(z, name, f->s[i], sizeof f->s[i]);
		if (i == 0 && f->wrong_crc) {
			struct mkzip_rec *r = &z->rec[z->nrec - 1];
			mkzip_set32(z, r->desc + 4, r->crc ^ 1);
			r->crc ^= 1;
		}
	}
	mkzip_add(z, "a/version", "3\n", 2);
	mkzip_finish(z);
}

static struct volume *opened(const struct file *f)
{
	char path[] = "diff-XXXXXX";
	struct mkzip z = {0};
	struct volume *v = NULL;
	struct err e = {0};
	int fd = mkstemp(path);

	put_zip(f, &z);
	if (fd < 0 || write(fd, z.p, z.n) != (ssize_t)z.n || volume_open(path, NULL, &v, &e) < 0) {
		printf("Bail out! %s: %s\n", path, e.text);
		exit(1);
	}
	close(fd);
	unlink(path);
	mkzip_free(&z);
	return v;
}

/* "~a V 1/4 [2]; +b; >new<old": mark, name, what (Type Dtype Shape Values Attrs), elements, first; "=": another shape of
 * the same bytes. */
static int note(void *ctx, const struct diff_item *it)
{
	struct buf *out = ctx;
	if (out->n)
		buf_puts(out, "; ");
	buf_putc(out, "=+->~!"[it->status]);
	buf_str(out, it->name);
	if (it->was.n)
		buf_printf(out, "<%.*s", STR_FMT(it->was));
	if (it->what)
		buf_putc(out, ' ');
	for (unsigned i = 0; i < 5; i++)
		if (it->what & 1u << i)
			buf_putc(out, "TDSVA"[i]);
	if (it->compared)
		buf_printf(out, " %" PRIu64 "/%" PRIu64, it->compared->differ, it->compared->count);
	if (it->what & DIFF_SHAPE && it->same_bytes)
		buf_puts(out, " =");
	for (unsigned i = 0; it->first && i < it->first_n; i++)
		buf_printf(out, "%s%" PRId64 "%s", i ? "," : " [", it->first[i],
				i + 1 == it->first_n ? "]" : "");
	return 0;
}

static struct err last_error;
static struct diff_result last;

/* What is noted; "error" for one. Static. */
static const char *diff_with(const struct file *a, const struct file *b, const struct diff_opts *o)
{
	static char text[4096];
	struct volume *va = opened(a), *vb = opened(b);
	struct buf out;
	last = (struct diff_result){0};
	buf_init(&out, sizeof text - 1);
	if (inspect_diff(va, vb, o, note, &out, &last, &last_error) < 0)
		buf_puts(&out, "error");
	snprintf(text, sizeof text, "%.*s", (int)out.n, out.n ? out.p : "");
	buf_release(&out);
	volume_close(va);
	volume_close(vb);
	return text;
}

static const char *diff_of(const struct file *a, const struct file *b)
{
	return diff_with(a, b, &(struct diff_opts){0});
}

#define TWO "}" KEY("a") T("0") "s" KEY("b") SQUARE("1") "s."

static void equal_checkpoints_tell_nothing(void)
{
	struct file a = {LIT(TWO), ONE, false};

	EQ_STR(diff_of(&a, &a), "");
	EQ_I64(last.same, 2);
	EQ_STR(diff_with(&a, &a, &(struct diff_opts){.same_too = true}), "=a; =b");
}

static void an_element_is_found_by_its_index_in_the_shape(void)
{
	struct file a = {LIT(TWO), ONE, false}, b = a;

	b.s[1][2] = -1;
	EQ_STR(diff_of(&a, &b), "~b V 1/4 [1,0]");
	EQ_I64(last.changed, 1);
	EQ_I64(last.same, 1);
}

static void names_come_in_the_order_of_b_and_removed_ones_where_they_stood(void)
{
	struct file a = {LIT("}" KEY("x") "K\1s" KEY("a") "K\1s" KEY("y") "K\1s" KEY("b") "K\1s."),
			ONE, false};
	struct file b = {LIT("}" KEY("b") "K\2s" KEY("n") "K\1s" KEY("a") "K\1s."), ONE, false};

	EQ_STR(diff_of(&a, &b), "-x; ~b V; +n; -y");
}

static void dtype_shape_and_type_are_told_apart(void)
{
	struct file a = {LIT("}" KEY("a") T("0") "s" KEY("b") T("1") "s" KEY("c") T("2") "s."), ONE,
			false};
	struct file b = {LIT("}" KEY("a") SQUARE("0") "s" KEY("b") INTS("1") "s" KEY("c") "K\1s."),
			ONE, false};

	EQ_STR(diff_of(&a, &b), "~a S =; ~b DV 4/4 [0]; ~c T");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.values_only = true}),
			"~a S =; ~b V 4/4 [0]; ~c T");
}

static void other_members_of_meta_are_told(void)
{
	struct file a = {LIT("}" KEY("a") T("0") "s."), ONE, false};
	struct file b = {LIT("}" KEY("a") PARAMETER(T("0")) "s."), ONE, false};

	EQ_STR(diff_of(&a, &b), "~a A");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.values_only = true}), "");
}

static void zeros_of_two_signs_have_other_bytes_and_equal_values(void)
{
	struct file a = {LIT(TWO), ONE, false}, b;

	a.s[0][1] = 0;
	b = a;
	b.s[0][1] = -0.0f;
	EQ_STR(diff_of(&a, &b), "~a V 0/4");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.by_value = true}), "");
}

static void equal_bytes_are_the_same_with_nan_in_them_too(void)
{
	struct file a = {LIT(TWO), ONE, false}, b;

	a.s[0][1] = __builtin_nanf("");
	EQ_STR(diff_of(&a, &a), "");
	b = a;
	b.s[0][3] = 0;
	EQ_STR(diff_of(&a, &b), "~a V 2/4 [1]");
	EQ_STR(diff_with(&a, &b,
			&(struct diff_opts){.by_value = true, .compare = {.nan_equal = true}}),
			"~a V 1/4 [3]");
}

static void a_tolerance_makes_near_values_the_same(void)
{
	struct file a = {LIT(TWO), ONE, false}, b = a;
	struct diff_opts o = {.by_value = true, .compare = {.atol = 0.125}};

	b.s[0][1] += 0.125f;
	EQ_STR(diff_with(&a, &b, &o), "");
	b.s[0][2] += 0.25f;
	EQ_STR(diff_with(&a, &b, &o), "~a V 1/4 [2]");
}

/* --- other names ---------------------------------------------------------------------------------- */

static void a_tensor_under_another_name_is_renamed(void)
{
	struct file a = {LIT(TWO), ONE, false};
	struct file b = {LIT("}" KEY("c") T("0") "s" KEY("b") SQUARE("1") "s."), ONE, false};

	EQ_STR(diff_of(&a, &b), ">c<a");
	EQ_I64(last.renamed, 1);
	b.s[0][3] = 0; /* other bytes: no rename */
	EQ_STR(diff_of(&a, &b), "-a; +c");
}

static void equal_bytes_of_another_shape_are_no_rename(void)
{
	struct file a = {LIT("}" KEY("a") T("0") "s."), ONE, false};
	struct file b = {LIT("}" KEY("c") SQUARE("0") "s."), ONE, false};

	EQ_STR(diff_of(&a, &b), "-a; +c");
}

/* Which of many equal ones is which, the names say. */
static void equal_tensors_are_matched_by_the_ends_of_their_names(void)
{
	struct file a = {LIT("}" TEXT("\3", "p.x") T("0") "s" TEXT("\3", "p.y") T("1") "s" TEXT("\3", "p.z")
			T("2") "s."), {{1}, {1}, {1}}, false};
	struct file b = {LIT("}" TEXT("\3", "q.z") T("0") "s" TEXT("\3", "q.y") T("1") "s" TEXT("\3", "q.x")
			T("2") "s."), {{1}, {1}, {1}}, false};

	EQ_STR(diff_of(&a, &b), ">q.z<p.z; >q.y<p.y; >q.x<p.x");
}

static void of_more_names_than_before_the_others_are_added(void)
{
	struct file a = {LIT("}" KEY("a") T("0") "s."), ONE, false};
	struct file b = {LIT("}" KEY("c") T("0") "s" KEY("d") T("0") "s."), ONE, false};

	EQ_STR(diff_of(&a, &b), ">c<a; +d");
	EQ_STR(diff_of(&b, &a), "-d; >a<c");
}

/* Its tie's .meta names a tensor that is told itself. */
static void what_shares_with_a_renamed_tensor_has_not_changed(void)
{
	struct file a = {LIT("}" KEY("a") T("0") "s" KEY("b") SQUARE("0") "s."), ONE, false};
	struct file b = {LIT("}" KEY("a") T("0") "s" KEY("c") SQUARE("0") "s."), ONE, false};

	EQ_STR(diff_of(&a, &b), ">c<b");
}

static void tied_and_equal_are_not_the_same(void)
{
	struct file a = {LIT("}" KEY("a") T("0") "s" KEY("b") T("0") "s."), {{1}, {1}, {1}}, false};
	struct file b = {LIT("}" KEY("a") T("0") "s" KEY("b") T("1") "s."), {{1}, {1}, {1}}, false};

	EQ_STR(diff_of(&a, &b), "~a A; ~b A");
}

static void prefixes_are_taken_off_the_keys_of_both(void)
{
	struct file a = {LIT("}" TEXT("\3", "m.a") T("0") "s" KEY("d") "}" TEXT("\3", "m.k") "K\1ss."), ONE,
			false};
	struct file b = {LIT("}" KEY("a") T("0") "s" KEY("d") "}" TEXT("\3", "n.k") "K\2ss."), ONE, false};
	const struct str strip[] = {STR("m."), STR("n.")};

	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.strip = strip, .n_strip = 2}), "~d/k V");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.strip = strip, .n_strip = 2, .glob = "a"}), "");
}

static void keys_that_become_one_are_refused(void)
{
	struct file a = {LIT("}" TEXT("\3", "m.a") "K\1s" KEY("a") "K\1s."), ONE, false};

	EQ_STR(diff_with(&a, &a, &(struct diff_opts){.strip = &STR("m."), .n_strip = 1}), "error");
	EQ_I64(last_error.code, ERR_EXISTS);
}

/* --- values ---------------------------------------------------------------------------------------- */

static void values_differ_by_their_text_and_on_request_by_their_type(void)
{
	struct file a = {LIT("}" KEY("i") "K\1s" KEY("l") "]K\1as."), ONE, false};
	struct file b = {LIT("}" KEY("i") TEXT("\1", "1") "s" KEY("l") "K\1\x85s."), ONE, false};

	EQ_STR(diff_of(&a, &b), "");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.types = true}), "~i T; ~l T");
}

static void an_empty_directory_counts_and_a_full_one_by_what_is_in_it(void)
{
	struct file a = {LIT("}" KEY("e") "}s" KEY("d") "}" KEY("k") "K\1ss."), ONE, false};
	struct file b = {LIT("}."), ONE, false};

	EQ_STR(diff_of(&a, &b), "-e; -d/k");
}

/* --- what is read ---------------------------------------------------------------------------------- */

static void what_cannot_be_read_is_trouble_and_the_rest_is_compared(void)
{
	struct file a = {LIT("}" KEY("a") OUT("0") "s" KEY("b") T("1") "s."), ONE, false}, b = a;

	b.s[1][0] = 0;
	EQ_STR(diff_of(&a, &b), "!a; ~b V 1/4 [0]");
	EQ_I64(last.trouble, 1);
	/* with another sentence in its .meta, it is no difference */
	a = (struct file){LIT("}" KEY("a") OUT("0") "s."), ONE, false};
	b = (struct file){LIT("}" KEY("a") T("7") "s."), ONE, false};
	EQ_STR(diff_of(&a, &b), "!a");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.brief = true}), "!a");
}

static void a_crc_that_lies_is_believed_only_on_request(void)
{
	struct file a = {LIT(TWO), ONE, false}, b = a, c = a;

	b.wrong_crc = true;
	EQ_STR(diff_of(&a, &b), "");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.brief = true}), "");
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.brief = true, .trust_crc = true}), "~a V");
	EQ_STR(diff_with(&c, &a, &(struct diff_opts){.trust_crc = true}), "");
}

static void brief_stops_at_the_first_difference(void)
{
	struct file a = {LIT(TWO), ONE, false}, b = a;

	b.s[0][0] = b.s[1][0] = 0;
	EQ_STR(diff_with(&a, &b, &(struct diff_opts){.brief = true}), "~a V");
	EQ_STR(diff_with(&a, &a, &(struct diff_opts){.brief = true}), "");
}

static void a_glob_that_matches_nothing_is_an_error(void)
{
	struct file a = {LIT(TWO), ONE, false};

	EQ_STR(diff_with(&a, &a, &(struct diff_opts){.glob = "no*"}), "error");
	EQ_I64(last_error.code, ERR_ABSENT);
}

static int stop(void *ctx, const struct diff_item *it)
{
	++*(int *)ctx;
	return 7;
}

static void a_callback_that_is_not_zero_ends_it(void)
{
	struct file a = {LIT(TWO), ONE, false}, b = a;
	struct volume *va, *vb;
	int calls = 0;

	b.s[0][0] = b.s[1][0] = 0;
	va = opened(&a);
	vb = opened(&b);
	EQ_I64(inspect_diff(va, vb, &(struct diff_opts){0}, stop, &calls, &last, &last_error), 7);
	EQ_I64(calls, 1);
	volume_close(va);
	volume_close(vb);
}

static uint64_t told_total;

static void count_bytes(void *ctx, uint64_t done, uint64_t total)
{
	told_total = total;
	OK(done <= total);
}

static void progress_is_told_in_bytes_of_both(void)
{
	struct file a = {LIT(TWO), ONE, false}, b = a;
	struct diff_opts o = {.progress = {count_bytes, NULL}};

	b.s[0][0] = 0;
	told_total = 0;
	EQ_STR(diff_with(&a, &b, &o), "~a V 1/4 [0]");
	EQ_I64(told_total, 4 * 16);
}

int main(void)
{
	TEST(equal_checkpoints_tell_nothing);
	TEST(an_element_is_found_by_its_index_in_the_shape);
	TEST(names_come_in_the_order_of_b_and_removed_ones_where_they_stood);
	TEST(dtype_shape_and_type_are_told_apart);
	TEST(other_members_of_meta_are_told);
	TEST(zeros_of_two_signs_have_other_bytes_and_equal_values);
	TEST(equal_bytes_are_the_same_with_nan_in_them_too);
	TEST(a_tolerance_makes_near_values_the_same);
	TEST(a_tensor_under_another_name_is_renamed);
	TEST(equal_bytes_of_another_shape_are_no_rename);
	TEST(equal_tensors_are_matched_by_the_ends_of_their_names);
	TEST(of_more_names_than_before_the_others_are_added);
	TEST(what_shares_with_a_renamed_tensor_has_not_changed);
	TEST(tied_and_equal_are_not_the_same);
	TEST(prefixes_are_taken_off_the_keys_of_both);
	TEST(keys_that_become_one_are_refused);
	TEST(values_differ_by_their_text_and_on_request_by_their_type);
	TEST(an_empty_directory_counts_and_a_full_one_by_what_is_in_it);
	TEST(what_cannot_be_read_is_trouble_and_the_rest_is_compared);
	TEST(a_crc_that_lies_is_believed_only_on_request);
	TEST(brief_stops_at_the_first_difference);
	TEST(a_glob_that_matches_nothing_is_an_error);
	TEST(a_callback_that_is_not_zero_ends_it);
	TEST(progress_is_told_in_bytes_of_both);
	return tap_done();
}
