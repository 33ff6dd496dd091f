/* cmd_recover.c - pthfs recover CHECKPOINT: puts right what a crash has left behind.
 *
 * Opening for editing does all of it: a half-done commit in place is finished, temporaries are
 * swept, the journal is read. Edits that wait in it go on waiting, for a mount, commit or revert.
 */
#include "cli.h"
#include "oneshot.h"
#include "query.h"

#include <pthfs/cleanup.h>
#include <stdio.h>
#include <string.h>

static const char recover_help[] =
		"usage: pthfs recover CHECKPOINT\n\n"
		"Puts right what a crash has left behind: finishes a half-done commit of -o inplace,\n"
		"removes temporary files, and says which edits wait in the journal. These stay there, for\n"
		"the next mount with -o rw, for pthfs commit or pthfs revert.\n\n"
		"Exit codes: 0, or 2 for an error.\n";

/* A line each on standard output: here they are the result. */
static void say_notice(const struct volume *v)
{
	_cleanup_(freep) char *text = strdup(volume_notice(v));
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			cli_line(stdout, line);
}

int cmd_recover(int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct query q = {"recover", recover_help, "ho:", longs, 1, 1, {0}, 0};
	struct volume *v;
	struct err e = {0};
	if (query_next(&q, argc, argv) == 0)
		return q.code;
	const char *file = argv[optind];
	oneshot_signals();
	q.volume.mode = VOLUME_RW;
	if (volume_open(file, &q.volume, &v, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	uint64_t waiting = volume_edits(v);
	if (*volume_notice(v))
		say_notice(v);
	else
		puts("nothing to recover");
	volume_close(v);
	if (waiting)
		printf("%llu %s: pthfs commit writes them, pthfs revert drops them\n",
				(unsigned long long)waiting,
				waiting == 1 ? "edit waits" : "edits wait");
	return cli_finish(CLI_SAME);
}
