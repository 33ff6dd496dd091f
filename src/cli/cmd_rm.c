/* cmd_rm.c - pthfs rm CHECKPOINT GLOB...: removes keys, without a mount. */
#include "cli.h"
#include "oneshot.h"
#include "near.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char rm_help[] =
		"usage: pthfs rm [OPTION...] CHECKPOINT GLOB...\n\n"
		"Removes everything that the patterns match, without a mount: tensors, values, and\n"
		"directories with all that is in them. '*' stays within a directory, '**' does not. A\n"
		"pattern that matches nothing is an error, and nothing is removed. What the tensors used\n"
		"stays in the file as dead space until it is compacted.\n\n" ONESHOT_HELP
		"  --compact     give the space back: write the file in torch's own order\n" ONESHOT_HELP_END;

static int remove_all(struct oneshot *ed, char **globs, uint64_t *sum, struct err *e)
{
	int rc = 0;
	for (; rc == 0 && *globs; globs++) {
		uint64_t n = 0;
		rc = volume_remove(ed->v, *globs, &n, e);
		if (rc == 0 && n == 0)
			rc = err_set(e, ERR_ABSENT, "%s: no such name", *globs);
		if (!strpbrk(*globs, "*?["))
			rc = near_hint(ed->v, *globs, rc, e);
		*sum += n;
	}
	return rc;
}

int cmd_rm(int argc, char **argv)
{
	static const struct option longs[] = {ONESHOT_LONGS, {0}};
	struct oneshot ed = {.q = {"rm", rm_help, ONESHOT_SHORTS, longs, 2, INT_MAX, {0}, 0}};
	struct err e = {0};
	char did[64];
	uint64_t n = 0;
	int c;
	while ((c = oneshot_next(&ed, argc, argv)) > 0)
		;
	if (c == 0 || oneshot_open(&ed, argv[optind]) < 0)
		return ed.q.code;
	int rc = remove_all(&ed, argv + optind + 1, &n, &e);
	snprintf(did, sizeof did, "removed %llu %s from", (unsigned long long)n,
			n == 1 ? "name" : "names");
	return oneshot_close(&ed, rc, did, &e);
}
