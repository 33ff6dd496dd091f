/* Regular files, and what is none. */
#include <errno.h>
#include <fcntl.h>
#include <pthfs/source.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tap.h"

static char dir[] = "/tmp/pthfs-test-XXXXXX";
static char path[128];

static const char *named(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const void *p, size_t n)
{
	int fd = open(named(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	OK(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

static void a_file_is_read_at_any_offset(void)
{
	struct source *s = NULL;
	char buf[8] = {0};

	write_file("a", "0123456789", 10);
	EQ_I64(source_file_open(named("a"), &s, NULL), 0);
	EQ_I64(s->size, 10);
	EQ_I64(source_read(s, buf, 4, 6, NULL), 0);
	EQ_MEM(buf, 4, "6789", 4);
	EQ_I64(source_read(s, buf, 4, 0, NULL), 0);
	EQ_MEM(buf, 4, "0123", 4);
	EQ_I64(source_read(s, buf, 1, 10, NULL), ERR_TRUNCATED);
	source_unref(s);
}

static void an_empty_file_is_a_source_too(void)
{
	struct source *s = NULL;

	write_file("empty", "", 0);
	EQ_I64(source_file_open(named("empty"), &s, NULL), 0);
	EQ_I64(s->size, 0);
	source_unref(s);
}

static void raw_is_the_descriptor_itself(void)
{
	struct source *s = NULL;
	uint64_t off = 0;
	int fd, flags;

	write_file("a", "0123456789", 10);
	EQ_I64(source_file_open(named("a"), &s, NULL), 0);
	fd = source_raw(s, 3, 7, &off);
	OK(fd >= 0);
	EQ_I64(off, 3);
	flags = fcntl(fd, F_GETFL);
	EQ_I64(flags & O_ACCMODE, O_RDONLY);
	EQ_I64(flags & O_NONBLOCK, 0);
	EQ_I64(fcntl(fd, F_GETFD), FD_CLOEXEC);
	source_unref(s);
	OK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
}

static void a_file_that_shrinks_is_truncated_not_a_crash(void)
{
	static char page[8192];
	struct source *s = NULL;
	struct err e;

	write_file("shrinks", page, sizeof page);
	EQ_I64(source_file_open(named("shrinks"), &s, NULL), 0);
	EQ_I64(truncate(path, 5000), 0);
	EQ_I64(s->size, 8192);
	EQ_I64(source_read(s, page, 5000, 0, &e), 0);
	EQ_I64(source_read(s, page, 8192, 0, &e), ERR_TRUNCATED);
	EQ_STR(e.text, "nothing at offset 5000 of 8192: "
		       "the file has become shorter since it was opened");
	EQ_I64(source_read(s, page, 1, 6000, &e), ERR_TRUNCATED);
	HAS(e.text, "offset 6000");
	source_unref(s);
}

static void a_file_that_grows_keeps_its_size(void)
{
	struct source *s = NULL;
	char buf[1];

	write_file("grows", "ab", 2);
	EQ_I64(source_file_open(named("grows"), &s, NULL), 0);
	EQ_I64(truncate(path, 100), 0);
	EQ_I64(source_read(s, buf, 1, 2, NULL), ERR_TRUNCATED);
	source_unref(s);
}

static void a_missing_file_is_absent(void)
{
	struct source *s = NULL;
	struct err e;

	EQ_I64(source_file_open(named("missing"), &s, &e), ERR_ABSENT);
	EQ_I64(e.sys, ENOENT);
	OK(s == NULL);
}

static void what_is_no_regular_file_is_named(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct source *s = NULL;
	struct err e;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	EQ_I64(source_file_open(dir, &s, &e), ERR_NOT_CKPT);
	EQ_STR(e.text, "is a directory");
	/* Must not wait for somebody to write into it. */
	EQ_I64(mkfifo(named("fifo"), 0600), 0);
	EQ_I64(source_file_open(path, &s, &e), ERR_NOT_CKPT);
	EQ_STR(e.text, "is a FIFO, not a regular file");
	EQ_I64(source_file_open("/dev/null", &s, &e), ERR_NOT_CKPT);
	EQ_STR(e.text, "is a character device, not a regular file");
	snprintf(sa.sun_path, sizeof sa.sun_path, "%.90s", named("sock"));
	EQ_I64(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	EQ_I64(source_file_open(path, &s, &e), ERR_NOT_CKPT);
	EQ_STR(e.text, "is a socket, not a regular file");
	close(fd);
	OK(s == NULL);
}

static void a_path_through_a_file_cannot_be_opened(void)
{
	struct source *s = NULL;
	struct err e;

	write_file("a", "x", 1);
	EQ_I64(source_file_open(named("a/b"), &s, &e), ERR_SYS);
	EQ_I64(e.sys, ENOTDIR);
	EQ_STR(e.text, "cannot open: Not a directory");
}

static void a_descriptor_is_taken_over_even_on_failure(void)
{
	struct source *s = NULL;
	struct err e;
	int fd;

	fd = open(dir, O_RDONLY | O_DIRECTORY);
	EQ_I64(source_file_fd(fd, &s, &e), ERR_NOT_CKPT);
	OK(fcntl(fd, F_GETFD) < 0);
	write_file("a", "xyz", 3);
	fd = open(named("a"), O_RDONLY);
	EQ_I64(source_file_fd(fd, &s, &e), 0);
	EQ_I64(s->size, 3);
	source_unref(s);
	OK(fcntl(fd, F_GETFD) < 0);
	EQ_I64(source_file_fd(-1, &s, &e), ERR_SYS);
	EQ_I64(e.sys, EBADF);
}

/* Above 4 GiB: a sparse file costs nothing. */
static void offsets_above_32_bits_work(void)
{
	struct source *s = NULL;
	const uint64_t far = (5ull << 30) + 7;
	char buf[3] = {0};
	int fd = open(named("sparse"), O_RDWR | O_CREAT, 0600);

	EQ_I64(pwrite(fd, "xyz", 3, (off_t)far), 3);
	EQ_I64(source_file_fd(fd, &s, NULL), 0);
	EQ_I64(s->size, far + 3);
	EQ_I64(source_read(s, buf, 3, far, NULL), 0);
	EQ_MEM(buf, 3, "xyz", 3);
	source_unref(s);
}

int main(void)
{
	static const char *const left[] = {
		"a", "empty", "shrinks", "grows", "fifo", "sock", "sparse"};

	if (!mkdtemp(dir))
		return 1;
	TEST(a_file_is_read_at_any_offset);
	TEST(an_empty_file_is_a_source_too);
	TEST(raw_is_the_descriptor_itself);
	TEST(a_file_that_shrinks_is_truncated_not_a_crash);
	TEST(a_file_that_grows_keeps_its_size);
	TEST(a_missing_file_is_absent);
	TEST(what_is_no_regular_file_is_named);
	TEST(a_path_through_a_file_cannot_be_opened);
	TEST(a_descriptor_is_taken_over_even_on_failure);
	TEST(offsets_above_32_bits_work);
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		unlink(named(left[i]));
	rmdir(dir);
	return tap_done();
}
