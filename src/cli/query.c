/* query.c - option handling of the commands that only ask. */
#include "query.h"

#include "cli.h"
#include "opts.h"
#include <stdio.h>

static int volume_option(struct query *q, const char *list)
{
	struct mount_opts o;
	struct err e = {0};
	opts_init(&o);
	o.volume = q->volume;
	int rc = opts_parse(&o, list, &e);
	q->volume = o.volume;
	opts_release(&o);
	if (rc < 0)
		q->code = cli_fail(CLI_ERROR, q->cmd, &e);
	return rc;
}

int query_next(struct query *q, int argc, char **argv)
{
	int c;
	while ((c = getopt_long(argc, argv, q->shorts, q->longs, NULL)) == 'o')
		if (volume_option(q, optarg) < 0)
			return 0;
	if (c == 'h') {
		fputs(q->help, stdout);
		q->code = cli_finish(CLI_SAME);
		return 0;
	}
	if (c == '?') {
		q->code = cli_bad_option(CLI_ERROR, q->cmd, argv);
		return 0;
	}
	int words = argc - optind;
	if (c == -1 && (words < q->min_args || words > q->max_args)) {
		cli_error("%s: %s (pthfs %s --help)", q->cmd,
				words < q->min_args ? "something is missing" : "too many words", q->cmd);
		q->code = CLI_ERROR;
		return 0;
	}
	return c;
}
