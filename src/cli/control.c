/* control.c - `echo commit > MNT/.pthfs/commit`, with everything around it.
 *
 *	syncfs(root)       what programs stored through mmap goes to the daemon
 *	write, close       a thread does it: it lasts as long as the commit
 *	FS_IOC_PROGRESS    meanwhile, once a second
 *	read               the result as a sentence, also of a failure
 */
#include "control.h"

#include "cli.h"
#include "progress.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthfs/cleanup.h>
#include <pthfs/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct act {
	const struct control *c;
	char *path;
	int error; /* errno of the act, 0 when it is done */
	bool opened;
};

/* Every error counts, that of close too. */
static void *act(void *ctx)
{
	struct act *a = ctx;
	int fd = open(a->path, O_WRONLY | O_CLOEXEC);
	a->opened = fd >= 0;
	if (fd < 0 || write(fd, a->c->word, strlen(a->c->word)) < 0)
		a->error = errno;
	if (fd >= 0 && close(fd) < 0 && !a->error)
		a->error = errno;
	return NULL;
}

static void ask_progress(int root, struct progress *p)
{
	struct fs_progress at = {0};
	if (ioctl(root, FS_IOC_PROGRESS, &at) == 0)
		progress_tell(p, at.done, at.total);
}

static void act_and_watch(struct act *a, int root)
{
	struct progress p;
	struct timespec until;
	pthread_t thread;
	progress_begin(&p, a->c->doing);
	if (!p.tty || pthread_create(&thread, NULL, act, a) != 0) {
		act(a);
		return;
	}
	do {
		ask_progress(root, &p);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
	} while (pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT);
	progress_end(&p);
}

/* The last result, without its newline; "" when there is none. */
static void result(const struct mount *m, const struct control *c, struct buf *out)
{
	if (server_read(m, c->file, out, NULL) < 0)
		out->n = 0;
	while (out->n && out->p[out->n - 1] == '\n')
		out->n--;
	buf_putc(out, '\0');
}

#define SUSPICIOUS "suspicious: "

static bool is_suspect(const char *line)
{
	return strncmp(line, SUSPICIOUS, strlen(SUSPICIOUS)) == 0;
}

static size_t count_suspects(const char *said)
{
	size_t n = 0;
	for (const char *line = said; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		n += is_suspect(line);
	}
	return n;
}

/* Those lines of a result, on standard error. */
static void say_suspects(const struct mount *m, const char *said)
{
	while (said) {
		size_t n = strcspn(said, "\n");
		if (is_suspect(said))
			cli_error("%s: %.*s", m->point, (int)n, said);
		said = said[n] ? said + n + 1 : NULL;
	}
}

static int say_failed(const struct mount *m, const struct act *a)
{
	bool unsafe = false;
	struct buf said;
	buf_init(&said, 64 << 20);
	if (a->opened && a->error != ENOTCONN && a->error != ECONNABORTED)
		result(m, a->c, &said);
	if (a->error == ENOTCONN || a->error == ECONNABORTED)
		cli_error("%s: the process that served it has ended; its edits are in the journal "
			  "(pthfs recover %s)", m->point, m->source);
	else if (!said.failed && said.n > 1) {
		const char *why = said.p + (strncmp(said.p, "failed: ", 8) == 0 ? 8 : 0);
		size_t n = a->error == EPERM ? count_suspects(said.p) : 0;
		unsafe = n > 0;
		if (n > 1) /* the first is in the sentence */
			say_suspects(m, said.p);
		cli_error("%s: %.*s", m->point, (int)strcspn(why, "\n"), why);
	} else
		cli_error("%s: %s: %s", m->point, a->c->doing, strerror(a->error));
	buf_release(&said);
	if (a->c->advice)
		cli_error("%s: %s", m->point, a->c->advice);
	return unsafe && !a->c->if_dirty ? CLI_DIFFERENT : CLI_ERROR;
}

static int say_done(const struct mount *m, const struct control *c)
{
	struct buf said;
	buf_init(&said, 64 << 20);
	result(m, c, &said);
	say_suspects(m, said.failed ? NULL : said.p);
	char *rest = said.failed ? NULL : said.p, *line;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line && !is_suspect(line))
			cli_line(stdout, line);
	buf_release(&said);
	return cli_finish(CLI_SAME);
}

/* Of a mount that cannot tell, it is assumed that there are edits. */
static bool is_clean(const struct mount *m)
{
	struct buf text;
	buf_init(&text, 64 << 20);
	bool clean = server_read(m, ".pthfs/status", &text, NULL) == 0 &&
		     str_starts(buf_view(&text), STR("clean"));
	buf_release(&text);
	return clean;
}

static int in_child(const struct mount *m, void *ctx)
{
	struct act a = {.c = ctx};
	_cleanup_(freep) char *path = NULL;
	signal(SIGPIPE, SIG_IGN);
	_cleanup_(closep) int root = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 && errno == ENOTCONN && a.c->if_dirty)
		return CLI_DIFFERENT;
	/* What cannot be written back would be lost silently; a revert drops it anyway. */
	if (root >= 0 && syncfs(root) < 0 && strcmp(a.c->file, ".pthfs/revert") != 0)
		a.error = errno;
	if (root < 0)
		a.error = errno;
	if (a.error)
		return say_failed(m, &a);
	if (a.c->if_dirty && is_clean(m))
		return CLI_SAME;
	if (asprintf(&path, "%s/%s", m->point, a.c->file) < 0) {
		a.error = ENOMEM;
		return say_failed(m, &a);
	}
	a.path = path;
	act_and_watch(&a, root);
	return a.error ? say_failed(m, &a) : say_done(m, a.c);
}

static int clean_in_child(const struct mount *m, void *ctx)
{
	_cleanup_(closep) int root = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root >= 0 && syncfs(root) == 0 && is_clean(m) ? CLI_SAME : CLI_DIFFERENT;
}

bool control_is_clean(const struct mount *m)
{
	return server_run(m, clean_in_child, NULL) == CLI_SAME;
}

int control_mount(const struct mount *m, const struct control *c)
{
	struct control copy = *c;
	if (mount_is_rw(m))
		return server_run(m, in_child, &copy);
	if (c->if_dirty)
		return CLI_SAME;
	cli_error("%s is mounted read-only: there are no edits in it", m->point);
	return CLI_ERROR;
}
