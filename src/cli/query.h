/* query.h - what the commands that only ask have in common: -o salvage, --help, wrong options. */
#ifndef PTHFS_CLI_QUERY_H
#define PTHFS_CLI_QUERY_H

#include <getopt.h>
#include <pthfs/volume.h>

struct query {
	const char *cmd, *help;
	const char *shorts;         /* getopt's, with "ho:" among them */
	const struct option *longs; /* with help among them */
	int min_args, max_args;     /* words after the options */
	struct volume_opts volume;
	int code; /* when query_next() gave 0: the exit code */
};

/* The next option that the command itself must handle; -1 after the last, when the number of words
 * is right; 0 when all has been said and the command returns q->code. */
int query_next(struct query *q, int argc, char **argv);

#endif
