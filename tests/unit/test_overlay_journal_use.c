/* The journal: who may have it, when it breaks, and readers in other threads. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "journal_kit.h"

#define NOBODY 65534

static void one_writer_at_a_time_and_any_number_of_readers(void)
{
	struct journal *writer;

	EQ_I64(make_journal(&kit_bind), 0);
	put(1, 0, "edit");
	journal_sync(kit_j, NULL);
	writer = kit_j;
	EQ_I64(open_journal(false), ERR_REFUSED);
	HAS(kit_err.text, "another pthfs is editing");
	EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), ERR_REFUSED);
	EQ_I64(open_journal(true), 0);
	EQ_STR(frames(), "write 1 0+4 edit; ");
	close_journal();
	journal_close(writer);
	EQ_I64(open_journal(false), 0);
	close_journal();
}

/* The lock is gone with the journal, also while a blob still holds the bytes. */
static void bytes_stay_readable_after_it_is_removed(void)
{
	struct source *s;
	char buf[4];
	uint64_t at;

	EQ_I64(make_journal(&kit_bind), 0);
	at = put(1, 0, "edit");
	EQ_I64(journal_sync(kit_j, NULL), 0);
	s = source_ref(journal_source(kit_j));
	EQ_I64(journal_remove(kit_j, &kit_err), 0);
	OK(access(in_dir("j"), F_OK) < 0);
	EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), 0);
	EQ_I64(source_read(s, buf, 4, at, &kit_err), 0);
	EQ_MEM(buf, 4, "edit", 4);
	source_unref(s);
	close_journal();
}

static void what_took_its_name_is_not_removed(void)
{
	EQ_I64(make_journal(&kit_bind), 0);
	EQ_I64(unlink(in_dir("j")), 0);
	put_file("j", "theirs");
	EQ_I64(journal_remove(kit_j, &kit_err), ERR_REFUSED);
	file_is("j", "theirs");
}

static void read_only_changes_nothing(void)
{
	size_t n;
	char *now;
	struct stat st = {0}, was, is;
	uint64_t where;

	spill("j", whole.p, whole.n - 1);
	was = stat_of("j");
	EQ_I64(open_journal(true), 0);
	EQ_I64(journal_write(kit_j, 1, 0, "x", 1, &where, &kit_err), ERR_REFUSED);
	EQ_I64(journal_op(kit_j, "x", 1, &kit_err), ERR_REFUSED);
	EQ_I64(journal_note(kit_j, "x", &kit_err), ERR_REFUSED);
	EQ_I64(journal_coming(kit_j, &st, &kit_err), ERR_REFUSED);
	EQ_I64(journal_sync(kit_j, &kit_err), ERR_REFUSED);
	EQ_I64(journal_reset(kit_j, &kit_bind, &kit_err), ERR_REFUSED);
	EQ_I64(journal_remove(kit_j, &kit_err), ERR_REFUSED);
	HAS(kit_err.text, "read only");
	now = slurp("j", &n);
	EQ_MEM(now, n, whole.p, whole.n - 1);
	free(now);
	is = stat_of("j");
	OK(was.st_mtim.tv_nsec == is.st_mtim.tv_nsec && was.st_ctim.tv_nsec == is.st_ctim.tv_nsec);
}

static void a_second_one_is_not_made_over_the_first(void)
{
	spill("j", whole.p, whole.n);
	EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), ERR_REFUSED);
	HAS(kit_err.text, "journal with edits");
	spill("j", "somebody's notes about journals", 31);
	EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), ERR_DAMAGED);
	EQ_I64(open_journal(false), ERR_DAMAGED);
	file_is("j", "somebody's notes about journals");
}

/* What a crash while it was made can leave. */
static void one_that_holds_nothing_is_taken_over_or_removed(void)
{
	static const size_t lengths[] = {0, 1, 7, 8, 100, 127, 128, 300};
	char p[300] = {0};

	for (size_t i = 0; i < 8; i++) {
		memcpy(p, whole.p, 60); /* a piece of the header, zeros */
		spill("j", p, lengths[i]);
		EQ_I64(open_journal(true), ERR_ABSENT);
		EQ_I64(stat_of("j").st_size, lengths[i]);
		EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), 0);
		put(1, 0, "edit");
		close_journal();
		EQ_I64(open_journal(false), 0);
		EQ_I64(kit_cut, 0);
		EQ_STR(frames(), "write 1 0+4 edit; ");
		close_journal();
		spill("j", p, lengths[i]);
		EQ_I64(open_journal(false), ERR_ABSENT);
		OK(access(in_dir("j"), F_OK) < 0);
	}
	p[299] = 1; /* could be a frame's */
	spill("j", p, 300);
	EQ_I64(open_journal(false), ERR_DAMAGED);
}

static void links_and_folders_in_its_place_are_refused(void)
{
	unlink(in_dir("j"));
	put_file("victim", "precious");
	EQ_I64(symlink("victim", in_dir("j")), 0);
	EQ_I64(open_journal(false), ERR_REFUSED);
	HAS(kit_err.text, "symbolic link");
	EQ_I64(open_journal(true), ERR_REFUSED);
	EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), ERR_REFUSED);
	file_is("victim", "precious");
	unlink(in_dir("j"));
	EQ_I64(mkfifo(in_dir("j"), 0600), 0);
	EQ_I64(open_journal(true), ERR_REFUSED);
	HAS(kit_err.text, "no regular file");
	unlink(in_dir("j"));
	EQ_I64(open_journal(false), ERR_ABSENT);
	EQ_I64(journal_open("no/such/j", false, &kit_j, &kit_cut, &kit_err), ERR_ABSENT);
}

static void what_another_user_put_there_is_not_taken_up(void)
{
	spill("j", whole.p, whole.n);
	EQ_I64(chmod(in_dir("j"), 0666), 0);
	EQ_I64(seteuid(NOBODY), 0);
	EQ_I64(open_journal(false), ERR_REFUSED);
	HAS(kit_err.text, "another user (0)");
	EQ_I64(seteuid(0), 0);
}

static void a_folder_where_nothing_can_be_created_is_said(void)
{
	unlink(in_dir("j"));
	EQ_I64(seteuid(NOBODY), 0);
	EQ_I64(journal_create(in_dir("j"), &kit_bind, &kit_j, &kit_err), ERR_SYS);
	EQ_I64(seteuid(0), 0);
	EQ_I64(kit_err.sys, EACCES);
	HAS(kit_err.text, "mount read-only");
}

/* --- when it breaks -------------------------------------------------------------------------- */

/* What other failures do is tests/crash's to see: they cannot be made here. */
static void without_room_a_write_fails_and_can_be_tried_again(void)
{
	struct rlimit was, low;
	uint64_t where = 77;
	char *big = calloc(1, 2 << 20);

	EQ_I64(make_journal(&kit_bind), 0);
	put(1, 0, "synced");
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	put(1, 6, "buffered");
	getrlimit(RLIMIT_FSIZE, &was);
	low = was;
	low.rlim_cur = 1000000;
	EQ_I64(setrlimit(RLIMIT_FSIZE, &low), 0);
	EQ_I64(journal_write(kit_j, 2, 0, big, 2 << 20, &where, &kit_err), ERR_SYS);
	EQ_I64(setrlimit(RLIMIT_FSIZE, &was), 0);
	EQ_I64(kit_err.sys, EFBIG);
	EQ_I64(where, 77);
	HAS(kit_err.text, "free some space and try again");
	EQ_STR(frames(), "write 1 0+6 synced; write 1 6+8 buffered; ");
	put(1, 14, "again");
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 0);
	EQ_STR(frames(), "write 1 0+6 synced; write 1 6+8 buffered; write 1 14+5 again; ");
	EQ_I64(journal_write(kit_j, 2, 0, big, 2 << 20, &where, &kit_err), 0);
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	EQ_I64(journal_remove(kit_j, &kit_err), 0);
	free(big);
}

static bool is_two_or_three(void *ctx, uint32_t blob)
{
	return blob == 2 || blob == 3;
}

/* Buffered or written, synced or not: only what stands behind everything else goes. */
static void bytes_of_the_dead_are_taken_off_the_end(void)
{
	const char *left = "write 2 0+4 kept; op abc; write 1 0+5 alive; ";
	bool trimmed;
	char *big = calloc(1, 2 << 20);
	uint64_t where, size;

	EQ_I64(make_journal(&kit_bind), 0);
	put(2, 0, "kept");
	EQ_I64(journal_op(kit_j, "abc", 3, &kit_err), 0);
	put(1, 0, "alive");
	size = journal_size(kit_j);
	EQ_I64(journal_trim(kit_j, is_two_or_three, NULL, &trimmed, &kit_err), 0);
	OK(!trimmed);
	put(3, 0, "dead");
	EQ_I64(journal_write(kit_j, 2, 0, big, 2 << 20, &where, &kit_err), 0);
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	put(3, 4, "waits");
	EQ_I64(journal_trim(kit_j, is_two_or_three, NULL, &trimmed, &kit_err), 0);
	OK(trimmed);
	EQ_I64(journal_size(kit_j), size);
	EQ_STR(frames(), left);
	put(1, 5, "again");
	EQ_I64(journal_sync(kit_j, &kit_err), 0);
	close_journal();
	EQ_I64(open_journal(false), 0);
	EQ_I64(kit_cut, 0);
	EQ_STR(frames(), "write 2 0+4 kept; op abc; write 1 0+5 alive; write 1 5+5 again; ");
	close_journal();
	free(big);
}

static void an_operation_over_the_limit_breaks_nothing(void)
{
	size_t n = JOURNAL_OP_MAX + 1;
	char *p = calloc(1, n);

	EQ_I64(make_journal(&kit_bind), 0);
	EQ_I64(journal_op(kit_j, p, n, &kit_err), ERR_LIMIT);
	EQ_I64(journal_write(kit_j, 1, UINT64_MAX - 1, p, 8, &(uint64_t){0}, &kit_err), ERR_LIMIT);
	put(1, 0, "fine");
	EQ_STR(frames(), "write 1 0+4 fine; ");
	close_journal();
	free(p);
}

/* --- readers in other threads ---------------------------------------------------------------- */

#define ROUNDS 3000
static atomic_ullong written; /* records that are there, 1000 bytes each */
static uint64_t places[ROUNDS];

static void *read_along(void *bad)
{
	char buf[1000];
	uint64_t seen, i = 0;

	while ((seen = atomic_load(&written)) < ROUNDS || i < ROUNDS) {
		if (i >= seen)
			continue;
		if (source_read(journal_source(kit_j), buf, sizeof buf, places[i], NULL) < 0 ||
				buf[0] != (char)i || memcmp(buf, buf + 1, sizeof buf - 1) != 0)
			++*(int *)bad;
		i++;
	}
	return NULL;
}

static void readers_in_other_threads_see_what_was_appended(void)
{
	pthread_t t[2];
	int bad[2] = {0};
	char buf[1000];

	EQ_I64(make_journal(&kit_bind), 0);
	atomic_store(&written, 0);
	for (int i = 0; i < 2; i++)
		EQ_I64(pthread_create(&t[i], NULL, read_along, &bad[i]), 0);
	for (int i = 0; i < ROUNDS; i++) {
		memset(buf, (char)i, sizeof buf);
		journal_write(kit_j, 1, 0, buf, sizeof buf, &places[i], NULL);
		if (i % 1000 == 999)
			journal_sync(kit_j, NULL);
		atomic_store(&written, (unsigned long long)i + 1);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		EQ_I64(bad[i], 0);
	}
	close_journal();
}

int main(void)
{
	signal(SIGXFSZ, SIG_IGN);
	make_dir();
	make_whole();
	TEST(one_writer_at_a_time_and_any_number_of_readers);
	TEST(bytes_stay_readable_after_it_is_removed);
	TEST(what_took_its_name_is_not_removed);
	TEST(read_only_changes_nothing);
	TEST(a_second_one_is_not_made_over_the_first);
	TEST(one_that_holds_nothing_is_taken_over_or_removed);
	TEST(links_and_folders_in_its_place_are_refused);
	if (geteuid() == 0) {
		TEST(what_another_user_put_there_is_not_taken_up);
		TEST(a_folder_where_nothing_can_be_created_is_said);
	} else {
		SKIPPED("other users' journals and forbidden folders", "needs root");
	}
	TEST(without_room_a_write_fails_and_can_be_tried_again);
	TEST(bytes_of_the_dead_are_taken_off_the_end);
	TEST(an_operation_over_the_limit_breaks_nothing);
	TEST(readers_in_other_threads_see_what_was_appended);
	free(whole.p);
	remove_dir();
	return tap_done();
}
