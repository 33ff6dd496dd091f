/* cmd_info.c - pthfs info [--json] CHECKPOINT: format, producer, counts, prefixes, globals. */
#include "cli.h"
#include "query.h"

#include <stdio.h>

static const char info_help[] =
		"usage: pthfs info [--json] [-o OPTIONS] CHECKPOINT\n\n"
		"Says what a checkpoint is: format, version, who wrote it, tensors by dtype, state_dicts\n"
		"and their prefixes, shared storages, dead space, every symbol that its pickle names (no\n"
		"code of it is run), and what is damaged. The same as .pthfs/info of a mount.\n\n"
		"  --json       one JSON document\n"
		"  -o salvage   look at what is there of a truncated file\n\n"
		"Exit codes: 0, or 2 for an error.\n";

static int print(struct volume *v, bool json)
{
	struct buf out;
	buf_init(&out, 256u << 20);
	if (json)
		volume_info_json(v, &out);
	else
		volume_info_text(v, &out);
	fwrite(out.p, 1, out.n, stdout);
	bool failed = out.failed;
	buf_release(&out);
	if (failed)
		cli_error("info: out of memory");
	return failed ? CLI_ERROR : cli_finish(CLI_SAME);
}

int cmd_info(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"info", info_help, "ho:", longs, 1, 1, {0}, 0};
	struct volume *v;
	struct err e = {0};
	bool json = false;
	int c;
	while ((c = query_next(&q, argc, argv)) > 0)
		json = json || c == 'j';
	if (c == 0)
		return q.code;
	if (volume_open(argv[optind], &q.volume, &v, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	int code = print(v, json);
	volume_close(v);
	return code;
}
