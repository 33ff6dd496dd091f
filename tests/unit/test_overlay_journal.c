/* The journal: what it keeps, where it ends, and whose it is. */
#include <pthfs/crc.h>
#include <pthfs/reader.h>

#include "journal_kit.h"

static void what_is_written_is_there_when_it_is_opened_again(void)
{
	EQ_I64(make_journal(&kit_bind), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_EMPTY);
	put(3, 100, "hello");
	EQ_I64(journal_op(kit_j, "rename", 6, &kit_err), 0);
	put(4, 1ull << 40, "0123456789abcdef");
	EQ_I64(journal_op(kit_j, NULL, 0, &kit_err), 0);
	EQ_I64(journal_note(kit_j, "the disk is full", &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 0);
	EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
	OK(memcmp(journal_bind(kit_j), &kit_bind, sizeof kit_bind) == 0);
	EQ_STR(frames(), "write 3 100+5 hello; op rename; write 4 0+16 0123456789abcdef; op ; "
			 "note the disk is full; ");
	close_journal();
}

static int stop_at_op(void *ctx, const struct frame *f)
{
	++*(int *)ctx;
	return f->kind == FRAME_OP ? 42 : 0;
}

static void each_stops_when_it_is_told_to(void)
{
	int seen = 0;

	EQ_I64(open_journal(true), 0);
	EQ_I64(journal_each(kit_j, stop_at_op, &seen, NULL), 42);
	EQ_I64(seen, 2);
	close_journal();
}

static void only_the_owner_can_read_it(void)
{
	mode_t mask = umask(0);

	EQ_I64(make_journal(&kit_bind), 0);
	umask(mask);
	EQ_I64(stat_of("j").st_mode & 07777, 0600);
	close_journal();
}

static void it_stands_beside_the_file_that_a_link_leads_to(void)
{
	char *real = NULL, *path;
	char want[600];

	put_file("model.pth", "x");
	EQ_I64(symlink("model.pth", in_dir("link")), 0);
	path = journal_path(in_dir("link"));
	real = realpath(in_dir("model.pth"), NULL);
	snprintf(want, sizeof want, "%s.pthfs-journal", real);
	EQ_STR(path, want);
	free(path);
	free(real);
	path = journal_path("no such file");
	EQ_STR(path, "no such file.pthfs-journal");
	free(path);
	unlink(in_dir("link"));
}

static void bytes_are_readable_before_they_are_written_out(void)
{
	struct source *s;
	char buf[8] = {0};
	uint64_t at, off;

	EQ_I64(make_journal(&kit_bind), 0);
	at = put(1, 0, "abcdefgh");
	s = journal_source(kit_j);
	EQ_I64(stat_of("j").st_size, KIT_HEADER);
	EQ_I64(source_read(s, buf, 5, at + 2, &kit_err), 0);
	EQ_MEM(buf, 5, "cdefg", 5);
	EQ_I64(source_raw(s, at, 8, &off), -1);
	EQ_I64(source_read(s, buf, 8, at + 1, &kit_err), ERR_TRUNCATED);
	HAS(kit_err.text, "has nothing at offset");
	OK(journal_synced(kit_j) < journal_size(kit_j));
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	EQ_I64(journal_synced(kit_j), journal_size(kit_j));
	EQ_I64(stat_of("j").st_size, journal_size(kit_j));
	OK(source_raw(s, at, 8, &off) >= 0 && off == at);
	EQ_I64(source_read(s, buf, 8, at, &kit_err), 0);
	EQ_MEM(buf, 8, "abcdefgh", 8);
	close_journal();
}

/* 1 MiB and more goes past the buffer; 4 MiB in small pieces go through it. */
static void large_writes_and_many_are_kept_in_order(void)
{
	size_t n = (1u << 20) + 3;
	char *big = malloc(n), *got = malloc(n);
	uint64_t first, at[40], where;

	memset(big, 'b', n);
	EQ_I64(make_journal(&kit_bind), 0);
	first = put(1, 0, "first");
	EQ_I64(journal_write(kit_j, 2, 5, big, n, &where, &kit_err), 0);
	for (int i = 0; i < 40; i++) {
		memset(big, 'A' + i, 200000);
		EQ_I64(journal_write(kit_j, 3, 0, big, 200000, &at[i], &kit_err), 0);
	}
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 0);
	EQ_I64(source_read(journal_source(kit_j), got, 5, first, NULL), 0);
	EQ_MEM(got, 5, "first", 5);
	memset(big, 'b', n);
	EQ_I64(source_read(journal_source(kit_j), got, n, where, NULL), 0);
	OK(memcmp(big, got, n) == 0);
	for (int i = 0; i < 40; i++) {
		memset(big, 'A' + i, 200000);
		EQ_I64(source_read(journal_source(kit_j), got, 200000, at[i], NULL), 0);
		OK(memcmp(big, got, 200000) == 0);
	}
	close_journal();
	free(big);
	free(got);
}

/* --- where it ends --------------------------------------------------------------------------- */

static int count(void *ctx, const struct frame *f)
{
	++*(int *)ctx;
	return 0;
}

/* The frames that are before byte n, and no others. */
static void prefix_only(size_t n, size_t size)
{
	int want = 0, seen = 0;

	while (want + 1 < whole.frames && whole.ends[want + 1] <= n)
		want++;
	EQ_I64(open_journal(true), 0);
	if (!kit_j)
		return;
	EQ_I64(journal_each(kit_j, count, &seen, NULL), 0);
	EQ_I64(seen, want);
	EQ_I64(kit_cut, size - whole.ends[want]);
	EQ_I64(journal_size(kit_j), whole.ends[want]);
	close_journal();
}

static void cut_at_every_length_it_is_the_frames_before(void)
{
	for (size_t n = 0; n <= whole.n; n++) {
		spill("j", whole.p, n);
		if (n >= KIT_HEADER) {
			prefix_only(n, n);
		} else {
			EQ_I64(open_journal(true), ERR_ABSENT);
			HAS(kit_err.text, "holds nothing");
		}
	}
}

/* What a power loss leaves of a file that had grown: its size, and zeros. */
static void cut_and_filled_with_zeros_it_is_the_frames_before(void)
{
	char *p = malloc(whole.n);
	uint64_t end;
	int i;

	for (size_t n = KIT_HEADER; n < whole.n; n += 3) {
		memset(p, 0, whole.n);
		memcpy(p, whole.p, n);
		spill("j", p, whole.n);
		EQ_I64(open_journal(true), 0);
		end = journal_size(kit_j);
		for (i = 0; whole.ends[i] != end && i + 1 < whole.frames;)
			i++;
		EQ_I64(end, whole.ends[i]);
		/* One more than before n only when what was cut off it was zero, too. */
		OK(end <= n || memcmp(p, whole.p, end) == 0);
		close_journal();
	}
	memset(p, 0, whole.n);
	spill("j", p, whole.n);
	EQ_I64(open_journal(true), ERR_ABSENT);
	free(p);
}

static void a_flipped_byte_ends_it_there(void)
{
	for (size_t n = 0; n < whole.n; n++) {
		for (int bit = 1; bit < 256; bit <<= 3) {
			whole.p[n] ^= (char)bit;
			spill("j", whole.p, whole.n);
			if (n < KIT_HEADER) {
				EQ_I64(open_journal(true), ERR_DAMAGED);
				HAS(kit_err.text, "header is damaged");
			} else {
				prefix_only(n, whole.n);
			}
			whole.p[n] ^= (char)bit;
		}
	}
}

static void a_frame_out_of_its_place_ends_it(void)
{
	size_t a = whole.ends[0], b = whole.ends[1], n = whole.n - (b - a);
	char *p = malloc(whole.n);

	/* the first frame is missing */
	memcpy(p, whole.p, a);
	memcpy(p + a, whole.p + b, whole.n - b);
	spill("j", p, n);
	prefix_only(a, n);
	free(p);
}

/* Sums are right, only the number is not: what a hostile file would have. */
static void lengths_beyond_the_end_end_it(void)
{
	static const uint64_t lengths[] = {9, 1000, 1u << 31, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
	char p[KIT_HEADER + 40] = {0};
	uint32_t v;

	memcpy(p, whole.p, KIT_HEADER);
	for (size_t i = 0; i < 6; i++) {
		for (uint32_t kind = 0; kind < 8; kind++) {
			v = htole32(kind);
			memcpy(p + KIT_HEADER, &v, 4);
			memcpy(p + KIT_HEADER + 16, &lengths[i], 8);
			v = crc32_bytes(le32(p + KIT_HEADER - 4), p + KIT_HEADER, 28);
			v = htole32(v);
			memcpy(p + KIT_HEADER + 28, &v, 4);
			spill("j", p, sizeof p);
			EQ_I64(open_journal(true), 0);
			EQ_I64(kit_cut, 40);
			close_journal();
		}
	}
}

static void a_bad_end_is_cut_off_by_the_next_write_and_not_before(void)
{
	spill("j", whole.p, whole.ends[2] + 5);
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 5);
	close_journal();
	EQ_I64(stat_of("j").st_size, whole.ends[2] + 5);
	EQ_I64(open_journal(false), 0);
	put(9, 9, "more");
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 0);
	EQ_STR(frames(), "write 3 100+5 hello; op an operation; write 9 9+4 more; ");
	close_journal();
}

/* --- versions, binding, states --------------------------------------------------------------- */

static void another_version_is_refused_and_kept(void)
{
	char p[256] = {0}, *now;
	uint32_t v = htole32(2), size;
	size_t n;

	memcpy(p, whole.p, KIT_HEADER);
	memcpy(p + 8, &v, 4);
	for (size = KIT_HEADER; size <= 192; size += 64) { /* its header may be longer, too */
		v = htole32(size);
		memcpy(p + 12, &v, 4);
		v = htole32(crc32_bytes(0, p, size - 4));
		memcpy(p + size - 4, &v, 4);
		spill("j", p, sizeof p);
		EQ_I64(open_journal(false), ERR_UNSUPPORTED);
		HAS(kit_err.text, "version 2");
		EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), ERR_UNSUPPORTED);
		now = slurp("j", &n);
		EQ_MEM(now, n, p, sizeof p);
		free(now);
	}
}

static void frames_of_an_older_life_are_not_taken_up(void)
{
	struct journal_bind other = kit_bind;
	char *now, *both = malloc(whole.n);
	size_t n;

	other.ino = 8;
	spill("j", whole.p, whole.n);
	EQ_I64(open_journal(false), 0);
	EQ_I64(journal_reset(kit_j, &other, &kit_err), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_EMPTY);
	EQ_STR(frames(), "");
	close_journal();
	now = slurp("j", &n);
	EQ_I64(n, KIT_HEADER);
	/* The new header is on the disk, that the file is shorter is not. */
	memcpy(both, whole.p, whole.n);
	memcpy(both, now, KIT_HEADER);
	spill("j", both, whole.n);
	EQ_I64(open_journal(false), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_EMPTY);
	EQ_I64(journal_bind(kit_j)->ino, 8);
	EQ_I64(kit_cut, whole.n - KIT_HEADER);
	put(1, 1, "new");
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_STR(frames(), "write 1 1+3 new; ");
	EQ_I64(kit_cut, 0);
	close_journal();
	free(now);
	free(both);
}

static void a_reset_for_the_same_file_has_another_salt(void)
{
	char *one, *two;
	size_t n;

	EQ_I64(make_journal(&kit_bind), 0);
	one = slurp("j", &n);
	EQ_I64(journal_reset(kit_j, &kit_bind, &kit_err), 0);
	two = slurp("j", &n);
	OK(memcmp(one + 16, two + 16, 8) != 0);
	OK(memcmp(one + 24, two + 24, 100) == 0);
	close_journal();
	free(one);
	free(two);
}

static void the_coming_file_is_known_by_all_four_numbers(void)
{
	struct stat st = {.st_ino = 5, .st_size = 6, .st_mtim = {7, 8}}, other = st;

	EQ_I64(make_journal(&kit_bind), 0);
	put(1, 0, "edit");
	OK(!journal_coming_is(kit_j, &st));
	EQ_I64(journal_coming(kit_j, &st, &kit_err), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_RENAMING);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_RENAMING);
	OK(journal_coming_is(kit_j, &st));
	other.st_ino++;
	OK(!journal_coming_is(kit_j, &other));
	other = st, other.st_size++;
	OK(!journal_coming_is(kit_j, &other));
	other = st, other.st_mtim.tv_sec++;
	OK(!journal_coming_is(kit_j, &other));
	other = st, other.st_mtim.tv_nsec++;
	OK(!journal_coming_is(kit_j, &other));
	EQ_I64(journal_note(kit_j, "the rename failed", &kit_err), 0);
	OK(journal_coming_is(kit_j, &st)); /* it may have been the syncing of the folder */
	put(1, 4, "more");
	EQ_I64(journal_state(kit_j), JOURNAL_EDITS);
	OK(!journal_coming_is(kit_j, &st)); /* these edits are not in that file */
	close_journal();
}

static void a_note_alone_is_no_edit(void)
{
	char longer[5000];

	memset(longer, 'n', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	EQ_I64(make_journal(&kit_bind), 0);
	EQ_I64(journal_note(kit_j, longer, &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(journal_state(kit_j), JOURNAL_EMPTY);
	EQ_I64(journal_size(kit_j), KIT_HEADER + 32 + 4096);
	close_journal();
}

int main(void)
{
	make_dir();
	TEST(what_is_written_is_there_when_it_is_opened_again);
	TEST(each_stops_when_it_is_told_to);
	TEST(only_the_owner_can_read_it);
	TEST(it_stands_beside_the_file_that_a_link_leads_to);
	TEST(bytes_are_readable_before_they_are_written_out);
	TEST(large_writes_and_many_are_kept_in_order);
	make_whole();
	TEST(cut_at_every_length_it_is_the_frames_before);
	TEST(cut_and_filled_with_zeros_it_is_the_frames_before);
	TEST(a_flipped_byte_ends_it_there);
	TEST(a_frame_out_of_its_place_ends_it);
	TEST(lengths_beyond_the_end_end_it);
	TEST(a_bad_end_is_cut_off_by_the_next_write_and_not_before);
	TEST(another_version_is_refused_and_kept);
	TEST(frames_of_an_older_life_are_not_taken_up);
	TEST(a_reset_for_the_same_file_has_another_salt);
	TEST(the_coming_file_is_known_by_all_four_numbers);
	TEST(a_note_alone_is_no_edit);
	free(whole.p);
	remove_dir();
	return tap_done();
}
