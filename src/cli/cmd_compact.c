/* cmd_compact.c - pthfs compact CHECKPOINT: torch's own layout, without dead space. */
#include "cli.h"
#include "oneshot.h"

#include <stdio.h>

static const char compact_help[] =
		"usage: pthfs compact [OPTION...] CHECKPOINT\n\n"
		"Writes the checkpoint anew as torch would: its order, its padding, no dead space. Nothing\n"
		"in it changes.\n\n"
		"  --output OUT  write OUT, which must not exist, and leave CHECKPOINT alone\n"
		"  --dry-run     change nothing, say what would be written\n\n"
		"All or nothing: CHECKPOINT is the old or the new one, whole, at every instant.\n"
		"Exit codes: 0, or 2 for an error.\n";

int cmd_compact(int argc, char **argv)
{
	static const struct option longs[] = {
		{"output", required_argument, NULL, 'O'},
		{"dry-run", no_argument, NULL, 'D'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct oneshot ed = {
		.q = {"compact", compact_help, "ho:", longs, 1, 1, {0}, 0},
		.commit.compact = true,
	};
	struct err e = {0};
	int c;
	while ((c = oneshot_next(&ed, argc, argv)) > 0)
		;
	if (c == 0 || oneshot_open(&ed, argv[optind]) < 0)
		return ed.q.code;
	return oneshot_close(&ed, 0, "compacted", &e);
}
