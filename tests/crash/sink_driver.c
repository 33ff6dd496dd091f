/* sink_driver.c - one process that replaces a file through the sink, to be killed and failed.
 *
 *	sink_driver make FILE        the old content: 300 000 bytes that repeat nowhere
 *	sink_driver replace FILE     a longer file, of runs in place, moved runs and fresh bytes
 *	sink_driver shorten FILE     a shorter one
 *	sink_driver sweep FILE       prints how many temporaries were removed
 *
 * and the same replacement done wrong, which the tests that use this must notice:
 *
 *	sink_driver in-place FILE    written over the file itself, without a journal
 *	sink_driver deaf FILE        temporary and rename, but nobody looks at what write says
 *	sink_driver no-fsync FILE    temporary and rename, nothing synced
 *
 * Prints "committed WAY" when the file is replaced; otherwise one sentence on standard error and
 * exit status 1.
 */
#include <errno.h>
#include <pthfs/sink.h>
#include <pthfs/source.h>
#include <pthfs/sys.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define OLD_SIZE 300000u

static int fail(const char *what)
{
	fprintf(stderr, "sink_driver: %s\n", what);
	return 1;
}

static int make(const char *path)
{
	static uint64_t words[OLD_SIZE / 8];
	uint64_t x = 88172645463325252u;
	FILE *f = fopen(path, "w");
	int ok;

	for (size_t i = 0; i < OLD_SIZE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
	if (!f)
		return fail("cannot make the file");
	ok = fwrite(words, 1, OLD_SIZE, f) == OLD_SIZE;
	return fclose(f) == 0 && ok ? 0 : fail("cannot make the file");
}

/* Every kind of piece: in place, moved, fresh, filled, and one that has to be read. */
static int draw(struct plan *p, struct source *old, bool shorter, struct err *e)
{
	struct source *swapped = source_swap(old, 4);
	char fresh[5000];
	int r = swapped ? 0 : err_nomem(e);

	for (size_t i = 0; i < sizeof fresh; i++)
		fresh[i] = (char)(i * 7);
	if (r == 0)
		r = plan_run(p, old, 0, 100000, e);
	if (r == 0)
		r = plan_bytes(p, fresh, sizeof fresh, e);
	if (r == 0)
		r = plan_run(p, old, 105000, 70000, e);
	if (r == 0 && !shorter)
		r = plan_run(p, old, 175000, 45000, e);
	if (r == 0)
		r = plan_fill(p, 0xfb, 3000, e);
	if (r == 0 && !shorter)
		r = plan_run(p, old, 20000, 100000, e);
	if (r == 0)
		r = plan_run(p, swapped, 0, 40000, e);
	if (r == 0)
		r = plan_bytes(p, "the end", 7, e);
	source_unref(swapped);
	return r;
}

static int replace(const char *path, const struct plan *p, struct source *old)
{
	static const char *const ways[] = {"clone", "copy-range", "copy"};
	struct sink_opts o = {0};
	struct sink_result done;
	struct stat st;
	struct err e;
	uint64_t off;

	if (fstat(source_raw(old, 0, 0, &off), &st) < 0)
		return fail("cannot look at the file");
	o.expect = &st;
	if (sink_replace(path, p, &o, &done, &e) < 0)
		return fail(e.text);
	printf("committed %s\n", ways[done.way]);
	return 0;
}

/* All of the plan in memory: the wrong ways need no finesse. */
static char *read_all(const struct plan *p)
{
	char *all = malloc(p->size);
	struct source *s = NULL;

	if (!all || source_plan(p, &s, NULL) < 0 || source_read(s, all, p->size, 0, NULL) < 0) {
		free(all);
		all = NULL;
	}
	source_unref(s);
	return all;
}

/* In 64 KiB pieces. deaf: errors are not looked at. */
static int write_all(int fd, const char *all, size_t size, bool deaf)
{
	for (size_t at = 0; at < size; at += 65536) {
		size_t n = size - at < 65536 ? size - at : 65536;

		if (sys_pwrite(fd, all + at, n, (off_t)at) != (ssize_t)n && !deaf)
			return fail(strerror(errno));
	}
	return 0;
}

static int replace_wrongly(const char *mode, const char *path, const char *all, size_t size)
{
	bool in_place = !strcmp(mode, "in-place"), deaf = !strcmp(mode, "deaf");
	char temp[4096];
	int fd;

	snprintf(temp, sizeof temp, "%s.tmp", path);
	fd = in_place ? open(path, O_WRONLY | O_CLOEXEC)
		      : sys_create(AT_FDCWD, temp, O_WRONLY | O_TRUNC, 0600);
	if (fd < 0)
		return fail(strerror(errno));
	if (write_all(fd, all, size, deaf) || ((in_place || deaf) && sys_fsync(fd) < 0 && !deaf))
		return 1;
	sys_close(fd);
	if (!in_place && sys_rename(AT_FDCWD, temp, path, 0) < 0)
		return fail(strerror(errno));
	printf("committed %s\n", mode);
	return 0;
}

static int run(const char *mode, const char *path)
{
	bool shorter = !strcmp(mode, "shorten"), right = shorter || !strcmp(mode, "replace");
	struct source *old = NULL;
	struct plan p;
	struct err e;
	char *all;
	int r;

	plan_init(&p);
	if (source_file_open(path, &old, &e) < 0 || draw(&p, old, shorter, &e) < 0) {
		r = fail(e.text);
	} else if (right) {
		r = replace(path, &p, old);
	} else {
		all = read_all(&p);
		r = all ? replace_wrongly(mode, path, all, p.size) : fail("cannot read the plan");
		free(all);
	}
	plan_release(&p);
	source_unref(old);
	return r;
}

int main(int argc, char **argv)
{
	static const char modes[] = " replace shorten in-place deaf no-fsync ";
	char word[32];

	signal(SIGXFSZ, SIG_IGN);
	if (argc != 3)
		return fail("usage: sink_driver MODE FILE");
	if (!strcmp(argv[1], "make"))
		return make(argv[2]);
	if (!strcmp(argv[1], "sweep"))
		return printf("%d\n", sink_sweep(argv[2])) < 0;
	snprintf(word, sizeof word, " %s ", argv[1]);
	return strstr(modes, word) ? run(argv[1], argv[2]) : fail("no such mode");
}
