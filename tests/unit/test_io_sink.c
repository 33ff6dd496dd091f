/* Replacing a file: what it keeps, what is refused, what is left behind. */
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <signal.h>

#include "sink_kit.h"

#define ACL "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"
#define NOBODY 65534

static void the_content_is_new_and_mode_and_attributes_stay(void)
{
	char value[16];

	put_file("a", "old");
	EQ_I64(chmod(in_dir("a"), 04751), 0);
	EQ_I64(setxattr(in_dir("a"), "user.note", "hello", 5, 0), 0);
	EQ_I64(setxattr(in_dir("a"), "user.empty", "", 0, 0), 0);
	EQ_I64(replace("a", "the new one", NULL), 0);
	file_is("a", "the new one");
	EQ_I64(stat_of("a").st_mode & 07777, 04751);
	EQ_I64(getxattr(in_dir("a"), "user.note", value, sizeof value), 5);
	EQ_MEM(value, 5, "hello", 5);
	EQ_I64(getxattr(in_dir("a"), "user.empty", value, sizeof value), 0);
	EQ_I64(kit_done.written, 11);
	EQ_I64(kit_done.now.st_ino, stat_of("a").st_ino);
	EQ_I64(kit_done.now.st_size, 11);
	OK(kit_done.now.st_mtim.tv_nsec == stat_of("a").st_mtim.tv_nsec);
}

/* Attributes are set before the mode, or this would be refused to who is not root. */
static void a_file_that_its_owner_may_not_write_is_replaced(void)
{
	put_file("a", "old");
	EQ_I64(setxattr(in_dir("a"), "user.note", "hello", 5, 0), 0);
	EQ_I64(chmod(in_dir("a"), 0444), 0);
	EQ_I64(replace("a", "new", NULL), 0);
	file_is("a", "new");
	EQ_I64(stat_of("a").st_mode & 07777, 0444);
	unlink(in_dir("a"));
}

static void the_owner_stays_when_root_writes(void)
{
	put_file("a", "old");
	EQ_I64(chown(in_dir("a"), 1234, 2345), 0);
	EQ_I64(chmod(in_dir("a"), 06755), 0);
	EQ_I64(replace("a", "new", NULL), 0);
	EQ_I64(stat_of("a").st_uid, 1234);
	EQ_I64(stat_of("a").st_gid, 2345);
	EQ_I64(stat_of("a").st_mode & 07777, 06755);
}

/* As with every editor: the file becomes the writer's, quietly, but never with setuid bits. */
static void who_may_not_give_files_away_owns_the_new_one(void)
{
	put_file("a", "old");
	EQ_I64(chmod(in_dir("a"), 06754), 0);
	EQ_I64(chown(in_dir("a"), 1234, 2345), 0);
	EQ_I64(chmod(in_dir("a"), 06754), 0);
	EQ_I64(chmod(kit_dir, 0777), 0);
	EQ_I64(seteuid(NOBODY), 0);
	EQ_I64(replace("a", "new", NULL), 0);
	EQ_I64(seteuid(0), 0);
	EQ_I64(chmod(kit_dir, 0755), 0);
	file_is("a", "new");
	EQ_I64(stat_of("a").st_uid, NOBODY);
	EQ_I64(stat_of("a").st_mode & 07777, 0754);
}

static void a_folder_where_nothing_can_be_created_is_named(void)
{
	put_file("a", "old");
	EQ_I64(seteuid(NOBODY), 0);
	EQ_I64(replace("a", "new", NULL), ERR_SYS);
	EQ_I64(seteuid(0), 0);
	EQ_I64(kit_err.sys, EACCES);
	HAS(kit_err.text, "make the directory writable");
	HAS(kit_err.text, kit_dir);
	file_is("a", "old");
}

/* Version 2, then tag, permissions and id of: owner, one user (uid 7), group, mask, others. */
static size_t acl(unsigned char *out, unsigned char user_perm)
{
	const unsigned char text[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, user_perm, 0,
		7, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, user_perm | 4, 0, 255, 255, 255,
		255, 32, 0, 0, 0, 255, 255, 255, 255};

	memcpy(out, text, sizeof text);
	return sizeof text;
}

static void an_acl_stays(void)
{
	unsigned char rw[64], now[128];
	size_t n = acl(rw, 6);

	put_file("a", "old");
	EQ_I64(setxattr(in_dir("a"), ACL, rw, n, 0), 0);
	EQ_I64(stat_of("a").st_mode & 07777, 0660);
	EQ_I64(replace("a", "new", NULL), 0);
	EQ_I64(getxattr(in_dir("a"), ACL, now, sizeof now), n);
	EQ_MEM(now, n, rw, n);
	EQ_I64(stat_of("a").st_mode & 07777, 0660);
}

/* The temporary inherits it; fchmod() alone would let user 7 in. */
static void the_folders_default_acl_does_not_get_in(void)
{
	unsigned char rw[64];
	size_t n = acl(rw, 6);

	unlink(in_dir("a")); /* has an ACL from above */
	put_file("a", "old");
	EQ_I64(chmod(in_dir("a"), 0664), 0);
	EQ_I64(setxattr(kit_dir, ACL_DEFAULT, rw, n, 0), 0);
	EQ_I64(replace("a", "new", NULL), 0);
	EQ_I64(removexattr(kit_dir, ACL_DEFAULT), 0);
	OK(getxattr(in_dir("a"), ACL, NULL, 0) < 0 && errno == ENODATA);
	EQ_I64(stat_of("a").st_mode & 07777, 0664);
}

static void a_symbolic_link_is_followed_and_stays(void)
{
	put_file("real", "old");
	EQ_I64(symlink("real", in_dir("link")), 0);
	EQ_I64(symlink("link", in_dir("link2")), 0);
	EQ_I64(replace("link2", "new", NULL), 0);
	file_is("real", "new");
	OK(S_ISLNK(stat_of("link").st_mode) && S_ISLNK(stat_of("link2").st_mode));
	unlink(in_dir("link2"));
}

static void a_link_to_nothing_is_refused(void)
{
	struct sink_opts o = {0};

	EQ_I64(symlink("nowhere", in_dir("loose")), 0);
	EQ_I64(replace("loose", "new", &o), ERR_REFUSED);
	HAS(kit_err.text, "symbolic link to something that is not there");
	OK(access(in_dir("nowhere"), F_OK) < 0);
}

static void another_hard_link_keeps_the_old_content(void)
{
	put_file("a", "old");
	EQ_I64(link(in_dir("a"), in_dir("b")), 0);
	EQ_I64(replace("a", "new", NULL), 0);
	file_is("a", "new");
	file_is("b", "old");
	unlink(in_dir("b"));
}

static void a_file_that_somebody_changed_is_refused(void)
{
	struct stat was;
	struct sink_opts o = {.expect = &was};

	put_file("a", "old");
	was = stat_of("a");
	put_file("a", "longer");
	EQ_I64(replace("a", "new", &o), ERR_REFUSED);
	HAS(kit_err.text, "its size has changed");
	HAS(kit_err.text, "open it again");
	was = stat_of("a");
	was.st_mtim.tv_nsec ^= 1; /* one nanosecond is enough */
	EQ_I64(replace("a", "new", &o), ERR_REFUSED);
	HAS(kit_err.text, "it has been written to");
	was = stat_of("a");
	put_file("b", "longer");
	EQ_I64(rename(in_dir("b"), in_dir("a")), 0);
	EQ_I64(replace("a", "new", &o), ERR_REFUSED);
	HAS(kit_err.text, "another file has taken its place");
	file_is("a", "longer");
	unlink(in_dir("a"));
	EQ_I64(replace("a", "new", &o), ERR_REFUSED);
	HAS(kit_err.text, "is gone");
	EQ_I64(mkdir(in_dir("a"), 0755), 0);
	EQ_I64(replace("a", "new", &o), ERR_REFUSED);
	HAS(kit_err.text, "no regular file");
	rmdir(in_dir("a"));
}

static int change_it(void *ctx, const struct stat *coming, struct err *e)
{
	int fd = open(in_dir("a"), O_WRONLY | O_APPEND);

	OK(write(fd, " and theirs", 11) == 11);
	close(fd);
	return 0;
}

/* ready() is called when everything is done but the rename. */
static void a_change_while_it_was_written_is_refused_too(void)
{
	struct stat was;
	struct sink_opts o = {.expect = &was, .ready = change_it};

	put_file("a", "old");
	was = stat_of("a");
	EQ_I64(replace("a", "new", &o), ERR_REFUSED);
	file_is("a", "old and theirs");
}

static int create_it(void *ctx, const struct stat *coming, struct err *e)
{
	put_file("fresh", "theirs");
	return 0;
}

static void a_file_that_turns_up_meanwhile_is_not_overwritten(void)
{
	struct sink_opts o = {.ready = create_it};

	EQ_I64(replace("fresh", "ours", &o), ERR_REFUSED);
	HAS(kit_err.text, "is there already");
	file_is("fresh", "theirs");
	unlink(in_dir("fresh"));
}

static int note(void *ctx, const struct stat *coming, struct err *e)
{
	*(struct stat *)ctx = *coming;
	return coming->st_size == 6 ? err_set(e, ERR_USAGE, "no sixes") : 0;
}

static void ready_is_told_what_the_path_will_be_and_may_say_no(void)
{
	struct stat was, coming = {0}, now;
	struct sink_opts o = {.expect = &was, .ready = note, .ctx = &coming};

	put_file("a", "old");
	was = stat_of("a");
	EQ_I64(replace("a", "sixsix", &o), ERR_USAGE);
	EQ_STR(kit_err.text, "no sixes");
	file_is("a", "old");
	EQ_I64(replace("a", "seven77", &o), 0);
	now = stat_of("a");
	EQ_I64(coming.st_ino, now.st_ino);
	EQ_I64(coming.st_size, now.st_size);
	EQ_I64(coming.st_mtim.tv_sec, now.st_mtim.tv_sec);
	EQ_I64(coming.st_mtim.tv_nsec, now.st_mtim.tv_nsec);
}

static void a_new_file_is_like_the_one_it_was_made_from(void)
{
	char like[512];
	struct sink_opts o = {.like = like};

	put_file("a", "old");
	EQ_I64(chmod(in_dir("a"), 0604), 0);
	EQ_I64(setxattr(in_dir("a"), "user.note", "hello", 5, 0), 0);
	snprintf(like, sizeof like, "%s", in_dir("a"));
	EQ_I64(replace("fresh", "new", &o), 0);
	file_is("fresh", "new");
	EQ_I64(stat_of("fresh").st_mode & 07777, 0604);
	EQ_I64(getxattr(in_dir("fresh"), "user.note", NULL, 0), 5);
	EQ_I64(replace("fresh", "newer", &o), ERR_REFUSED);
	HAS(kit_err.text, "is there already");
	file_is("fresh", "new");
	unlink(in_dir("fresh"));
}

static void a_new_file_like_no_other_gets_what_the_umask_leaves(void)
{
	struct sink_opts o = {0};
	mode_t mask = umask(027);

	EQ_I64(replace("fresh", "new", &o), 0);
	EQ_I64(stat_of("fresh").st_mode & 07777, 0640);
	umask(mask);
	unlink(in_dir("fresh"));
}

static void a_place_that_cannot_be_is_refused(void)
{
	struct sink_opts o = {0};

	EQ_I64(replace("no/such", "new", &o), ERR_ABSENT);
	HAS(kit_err.text, "there is no directory");
	EQ_I64(replace("..", "new", &o), ERR_REFUSED);
	EQ_I64(replace("fresh/", "new", &o), ERR_USAGE);
}

static void the_longest_name_has_room_for_a_temporary(void)
{
	char name[256];

	memset(name, 'n', 255);
	memcpy(name + 240, "\xc3\xa9", 2); /* a character across the place where it is cut */
	name[255] = 0;
	put_file(name, "old");
	EQ_I64(replace(name, "new", NULL), 0);
	file_is(name, "new");
	unlink(in_dir(name));
}

static void stale_temporaries_are_swept_and_nothing_else(void)
{
	static const char *const others[] = {".a.pthfs-12345", ".a.pthfs-1234567", ".a.pthfs-12_456",
		".b.pthfs-123456", "a.pthfs-journal"};
	int held;

	put_file("a", "old");
	put_file(".a.pthfs-abcdef", "stale");
	put_file(".a.pthfs-ABC123", "stale");
	put_file(".a.pthfs-living", "somebody is writing it");
	EQ_I64(mkdir(in_dir(".a.pthfs-folder"), 0755), 0);
	EQ_I64(symlink("a", in_dir(".a.pthfs-linked")), 0);
	for (size_t i = 0; i < 5; i++)
		put_file(others[i], "not ours");
	held = open(in_dir(".a.pthfs-living"), O_RDONLY);
	EQ_I64(flock(held, LOCK_EX | LOCK_NB), 0);
	EQ_I64(sink_sweep(in_dir("a")), 2);
	EQ_I64(temporaries(), 8);
	close(held);
	EQ_I64(sink_sweep(in_dir("a")), 1);
	EQ_I64(sink_sweep(in_dir("a")), 0);
	file_is("a", "old");
	for (size_t i = 0; i < 5; i++)
		EQ_I64(unlink(in_dir(others[i])), 0);
	EQ_I64(unlink(in_dir(".a.pthfs-linked")), 0);
	EQ_I64(rmdir(in_dir(".a.pthfs-folder")), 0);
}

static int sweep_now(void *ctx, const struct stat *coming, struct err *e)
{
	EQ_I64(sink_sweep(in_dir("a")), 0);
	return 0;
}

static void a_temporary_in_use_is_not_swept(void)
{
	struct stat was;
	struct sink_opts o = {.expect = &was, .ready = sweep_now};

	put_file("a", "old");
	was = stat_of("a");
	EQ_I64(replace("a", "new", &o), 0);
	file_is("a", "new");
}

/* A real limit; SIGXFSZ is ignored as the program does. */
static void a_limit_on_file_size_leaves_the_old_file(void)
{
	struct rlimit was, low;
	struct stat st;
	struct sink_opts o = {.expect = &st};
	struct plan p;

	put_file("a", "old");
	st = stat_of("a");
	getrlimit(RLIMIT_FSIZE, &was);
	low = was;
	low.rlim_cur = 100000;
	plan_init(&p);
	EQ_I64(plan_fill(&p, 1, 3000000, NULL), 0);
	EQ_I64(setrlimit(RLIMIT_FSIZE, &low), 0);
	EQ_I64(sink_replace(in_dir("a"), &p, &o, &kit_done, &kit_err), ERR_SYS);
	EQ_I64(setrlimit(RLIMIT_FSIZE, &was), 0);
	EQ_I64(kit_err.sys, EFBIG);
	HAS(kit_err.text, "at offset 100000");
	file_is("a", "old");
	EQ_I64(temporaries(), 0);
	plan_release(&p);
}

/* More than any disk of today: known before anything is written. */
static void a_plan_that_cannot_fit_is_refused_at_once(void)
{
	struct stat st;
	struct sink_opts o = {.expect = &st};
	struct plan p;

	put_file("a", "old");
	st = stat_of("a");
	plan_init(&p);
	EQ_I64(plan_fill(&p, 1, (uint64_t)1 << 60, NULL), 0);
	EQ_I64(sink_replace(in_dir("a"), &p, &o, &kit_done, &kit_err), ERR_SYS);
	EQ_I64(kit_err.sys, ENOSPC);
	HAS(kit_err.text, "are needed beside the old file");
	file_is("a", "old");
	EQ_I64(temporaries(), 0);
	plan_release(&p);
}

int main(void)
{
	unsigned char rw[64];
	size_t n = acl(rw, 6);

	signal(SIGXFSZ, SIG_IGN);
	make_dir();
	TEST(the_content_is_new_and_mode_and_attributes_stay);
	TEST(a_file_that_its_owner_may_not_write_is_replaced);
	if (geteuid() == 0) {
		TEST(the_owner_stays_when_root_writes);
		TEST(who_may_not_give_files_away_owns_the_new_one);
		TEST(a_folder_where_nothing_can_be_created_is_named);
	} else {
		SKIPPED("owners and forbidden folders", "needs root");
	}
	put_file("a", "");
	if (setxattr(in_dir("a"), ACL, rw, n, 0) == 0) {
		TEST(an_acl_stays);
		TEST(the_folders_default_acl_does_not_get_in);
	} else {
		SKIPPED("ACLs", "the file system has none");
	}
	unlink(in_dir("a"));
	TEST(a_symbolic_link_is_followed_and_stays);
	TEST(a_link_to_nothing_is_refused);
	TEST(another_hard_link_keeps_the_old_content);
	TEST(a_file_that_somebody_changed_is_refused);
	TEST(a_change_while_it_was_written_is_refused_too);
	TEST(a_file_that_turns_up_meanwhile_is_not_overwritten);
	TEST(ready_is_told_what_the_path_will_be_and_may_say_no);
	TEST(a_new_file_is_like_the_one_it_was_made_from);
	TEST(a_new_file_like_no_other_gets_what_the_umask_leaves);
	TEST(a_place_that_cannot_be_is_refused);
	TEST(the_longest_name_has_room_for_a_temporary);
	TEST(stale_temporaries_are_swept_and_nothing_else);
	TEST(a_temporary_in_use_is_not_swept);
	TEST(a_limit_on_file_size_leaves_the_old_file);
	TEST(a_plan_that_cannot_fit_is_refused_at_once);
	remove_dir();
	return tap_done();
}
