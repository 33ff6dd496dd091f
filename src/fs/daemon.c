/* daemon.c - a process without a terminal: where messages go, and the kernel's read-ahead.
 *
 * libfuse prints by itself. Before the mount stands, its last line is caught and becomes part of
 * our one error sentence; after that it goes where the volume's log goes: syslog, or stderr in the
 * foreground.
 */
#include "in.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static char caught[400];

static void catch_line(enum fuse_log_level level, const char *fmt, va_list ap)
		__attribute__((format(printf, 2, 0)));
static void fuse_to_syslog(enum fuse_log_level level, const char *fmt, va_list ap)
		__attribute__((format(printf, 2, 0)));

static void catch_line(enum fuse_log_level level, const char *fmt, va_list ap)
{
	if (level <= FUSE_LOG_WARNING) {
		vsnprintf(caught, sizeof caught, fmt, ap);
		caught[strcspn(caught, "\n")] = '\0';
	}
}

void fs_log_catch(void)
{
	caught[0] = '\0';
	fuse_set_log_func(catch_line);
}

const char *fs_log_caught(void)
{
	return strncmp(caught, "fuse: ", 6) == 0 ? caught + 6 : caught;
}

static void fuse_to_syslog(enum fuse_log_level level, const char *fmt, va_list ap)
{
	vsyslog((int)level, fmt, ap); /* the levels are syslog's */
}

static void line_to_syslog(const char *line)
{
	syslog(LOG_WARNING, "%s", line);
}

static void line_to_stderr(const char *line)
{
	fprintf(stderr, "pthfs: %s\n", line);
}

void fs_log_to(struct volume *v, const struct fs_opts *o)
{
	if (o->foreground || o->debug) {
		fuse_set_log_func(NULL);
		if (!o->quiet)
			log_sink(volume_log(v), line_to_stderr);
		return;
	}
	openlog("pthfs", LOG_PID, LOG_DAEMON);
	fuse_set_log_func(fuse_to_syslog);
	log_sink(volume_log(v), line_to_syslog);
}

/* One line that is written over, as commands show it too. */
void fs_say_progress(time_t *last, uint64_t done, uint64_t total)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!*last)
		*last = now.tv_sec;
	if (now.tv_sec == *last || !total || !isatty(2))
		return;
	*last = now.tv_sec;
	fprintf(stderr, "\rcommitting: %u%% of %s\033[K",
			(unsigned int)((double)done * 100 / (double)total), STR_SIZE(total));
	fflush(stderr);
}

void fs_say_progress_over(const time_t *last)
{
	if (*last && isatty(2))
		fputs("\r\033[K", stderr);
}

void fs_detach_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* Without this the kernel reads ahead 128 KiB. Only root may; others go without. The mount does not
 * answer yet: statx is asked for nothing but the device, which the kernel knows by itself. */
void fs_raise_readahead(const char *mnt)
{
	char path[80];
	struct statx st;
	int fd;

	if (statx(AT_FDCWD, mnt, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st) < 0)
		return;
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major,
			st.stx_dev_minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(path, sizeof path, "%u\n", FS_REQUEST / 1024);
	if (write(fd, path, strlen(path)) < 0) {
		/* as above */
	}
	close(fd);
}

/* fusermount3 writes its reason to our stderr. It is taken aside, so that it can be told once. */
int fs_stderr_aside(int *saved)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);

	*saved = fd < 0 ? -1 : fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (*saved >= 0)
		dup2(fd, 2);
	return fd;
}

/* The first line that came, without "fusermount3: ", or "". */
void fs_stderr_back(int fd, int saved, char *line, size_t size)
{
	char text[512];
	ssize_t n;

	line[0] = '\0';
	if (saved >= 0) {
		dup2(saved, 2);
		close(saved);
	}
	if (fd < 0)
		return;
	n = pread(fd, text, sizeof text - 1, 0);
	close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	snprintf(line, size, "%s", strncmp(text, "fusermount3: ", 13) == 0 ? text + 13 : text);
}
