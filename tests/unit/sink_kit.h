/* sink_kit.h - a folder of its own for tests of the sink, and short words for what they do. */
#ifndef SINK_KIT_H
#define SINK_KIT_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthfs/sink.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

#define SKIPPED(name, why) tap_run(name " # SKIP " why, nothing)

static char kit_dir[64] = "/tmp/pthfs-test-XXXXXX";
static struct err kit_err;          /* of the last replace() */
static struct sink_result kit_done; /* likewise, when it was 0 */

static inline void nothing(void)
{
}

/* A path in the folder; good until the fourth next call. */
static inline const char *in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *p = paths[turn++ % 4];

	snprintf(p, sizeof paths[0], "%s/%s", kit_dir, name);
	return p;
}

static inline void put_file(const char *name, const char *text)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	OK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static inline void file_is(const char *name, const char *text)
{
	char buf[512] = {0};
	int fd = open(in_dir(name), O_RDONLY);

	OK(fd >= 0 && read(fd, buf, sizeof buf - 1) >= 0);
	EQ_STR(buf, text);
	close(fd);
}

static inline struct stat stat_of(const char *name)
{
	struct stat st = {0};

	EQ_I64(lstat(in_dir(name), &st), 0);
	return st;
}

static inline int temporaries(void)
{
	DIR *d = opendir(kit_dir);
	const struct dirent *x;
	int n = 0;

	while (d && (x = readdir(d)))
		n += strstr(x->d_name, ".pthfs-") != NULL;
	if (d)
		closedir(d);
	return n;
}

/* Makes `name` hold text. o may be NULL: replace what is there now. Leaves nothing behind. */
static inline int replace(const char *name, const char *text, const struct sink_opts *o)
{
	struct sink_opts now = {0};
	struct plan p;
	struct stat st;
	int r;

	if (!o) {
		EQ_I64(stat(in_dir(name), &st), 0);
		now.expect = &st;
		o = &now;
	}
	plan_init(&p);
	EQ_I64(plan_bytes(&p, text, strlen(text), NULL), 0);
	kit_err.text[0] = 0;
	r = sink_replace(in_dir(name), &p, o, &kit_done, &kit_err);
	plan_release(&p);
	EQ_I64(temporaries(), 0);
	return r;
}

static inline void make_dir(void)
{
	if (!mkdtemp(kit_dir) || chmod(kit_dir, 0755) < 0)
		abort();
}

static inline void remove_dir(void)
{
	DIR *d = opendir(kit_dir);
	const struct dirent *x;

	while (d && (x = readdir(d)))
		unlink(in_dir(x->d_name));
	if (d)
		closedir(d);
	rmdir(kit_dir);
}

#endif
