/* cmd_revert.c - pthfs revert MOUNTPOINT|CHECKPOINT: edits that are not committed are dropped. */
#include "cli.h"
#include "control.h"
#include "oneshot.h"
#include "query.h"
#include "target.h"

#include <stdio.h>

static const char revert_help[] =
		"usage: pthfs revert MOUNTPOINT|CHECKPOINT\n\n"
		"Drops every edit that is not committed: of a mount, which then shows the checkpoint\n"
		"again; or those that a crash has left in the journal of a checkpoint.\n\n"
		"Exit codes: 0 (also when there was nothing to drop), or 2 for an error.\n";

static int revert_file(const char *file)
{
	struct err e = {0};
	uint64_t n = 0;
	oneshot_signals();
	if (volume_revert_file(file, &n, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	if (n)
		printf("dropped %llu %s\n", (unsigned long long)n, n == 1 ? "edit" : "edits");
	else
		puts("nothing to revert");
	return cli_finish(CLI_SAME);
}

int cmd_revert(int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
	static const struct control revert = {
		.file = ".pthfs/revert",
		.word = "revert\n",
		.doing = "reverting",
	};
	struct query q = {"revert", revert_help, "h", longs, 1, 1, {0}, 0};
	struct target t;
	struct err e = {0};
	if (query_next(&q, argc, argv) == 0)
		return q.code;
	if (target_find(argv[optind], &t, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	int code = t.m ? control_mount(t.m, &revert) : revert_file(argv[optind]);
	target_release(&t);
	return code;
}
