/* cmd_rename.c - pthfs rename: one name, or the keys of state_dicts by a rule.
 *
 *	pthfs rename CHECKPOINT OLD NEW
 *	pthfs rename --strip PREFIX | --add PREFIX | --regex S/R/ [--in PATH] CHECKPOINT
 */
#include "cli.h"
#include "oneshot.h"
#include "keymap.h"
#include "near.h"

#include <stdio.h>
#include <string.h>

static const char rename_help[] =
		"usage: pthfs rename [OPTION...] CHECKPOINT OLD NEW\n"
		"       pthfs rename --strip PREFIX [--in PATH] [OPTION...] CHECKPOINT\n"
		"       pthfs rename --add PREFIX [--in PATH] [OPTION...] CHECKPOINT\n"
		"       pthfs rename --regex S/R/ [--in PATH] [OPTION...] CHECKPOINT\n\n"
		"Renames a key or a directory, without a mount; OLD and NEW are paths as ls shows them,\n"
		"in one dict or in two. With a rule, the keys of every state_dict. Tensors do not move,\n"
		"so that a prefix is taken off 10 GB in a blink where the file system can clone.\n\n"
		"  --strip PREFIX  take PREFIX (\"module\" or \"module.\") off the keys that have it\n"
		"  --add PREFIX    put it on those that lack it\n"
		"  --regex S/R/    replace the first match of S, an extended regular expression, by R,\n"
		"                  which may hold & and \\1 to \\9; S/R/g every match. Any punctuation\n"
		"                  may stand in the place of /\n"
		"  --in PATH       only the dict at PATH (without it what an optimizer keeps under\n"
		"                  numbers is left alone)\n" ONESHOT_HELP
		"  --compact       write the file in torch's own order\n" ONESHOT_HELP_END;

struct rename {
	struct oneshot ed;
	struct keymap map;
	const char *in, *rule;
};

static int one_name(struct rename *r, const char *from, const char *to, struct err *e)
{
	struct volume *v = r->ed.v;
	struct vattr a;
	struct str name, new_name;
	uint64_t dir, new_dir;
	int rc = near_hint(v, from, volume_resolve(v, from, &a, e), e);
	if (rc == 0)
		rc = volume_parent(v, from, &dir, &name, e);
	if (rc == 0)
		rc = volume_parent(v, to, &new_dir, &new_name, e);
	if (rc == 0)
		rc = volume_rename(v, dir, name, new_dir, new_name, true, e);
	if (rc < 0 && !strstr(e->text, rc == ERR_EXISTS ? to : from))
		err_prefix(e, "%s", rc == ERR_EXISTS ? to : from);
	return rc;
}

static int by_rule(struct rename *r, uint64_t *n, struct err *e)
{
	int rc = volume_rename_keys(r->ed.v, r->in, keymap_apply, &r->map, n, e);
	if (rc < 0 || *n)
		return rc;
	return err_set(e, ERR_ABSENT, "no such name: %s of a state_dict %s%s%s",
			r->map.kind == KEYMAP_ADD ? "every key" : "no key",
			r->map.kind == KEYMAP_ADD     ? "has the prefix " :
			r->map.kind == KEYMAP_STRIP   ? "begins with " :
							"is changed by ",
			r->map.kind == KEYMAP_REGEX ? r->rule : r->map.text,
			r->in ? " there" : "");
}

static int take_rule(struct rename *r, int c)
{
	struct err e = {0};
	int rc;
	if (r->map.kind != KEYMAP_NONE)
		rc = err_set(&e, ERR_USAGE, "--strip, --add and --regex exclude each other");
	else if (c == 'x')
		rc = keymap_regex(&r->map, optarg, &e);
	else
		rc = keymap_prefix(&r->map, c == 's' ? KEYMAP_STRIP : KEYMAP_ADD, optarg, &e);
	r->rule = optarg;
	r->ed.q.max_args = 1;
	r->ed.q.min_args = 1;
	if (rc < 0)
		r->ed.q.code = cli_fail(CLI_ERROR, "rename", &e);
	return rc;
}

static int run(struct rename *r, char **words)
{
	struct err e = {0};
	struct buf did;
	uint64_t n = 0;
	if (oneshot_open(&r->ed, words[0]) < 0)
		return r->ed.q.code;
	buf_init(&did, 1 << 20);
	int rc = r->map.kind == KEYMAP_NONE ? one_name(r, words[1], words[2], &e) :
					      by_rule(r, &n, &e);
	if (r->map.kind == KEYMAP_NONE)
		buf_printf(&did, "renamed %s to %s in", words[1], words[2]);
	else
		buf_printf(&did, "renamed %llu %s in", (unsigned long long)n,
				n == 1 ? "key" : "keys");
	buf_putc(&did, '\0');
	if (rc == 0 && did.failed)
		rc = err_nomem(&e);
	int code = oneshot_close(&r->ed, rc, did.p, &e);
	buf_release(&did);
	return code;
}

int cmd_rename(int argc, char **argv)
{
	static const struct option longs[] = {
		ONESHOT_LONGS,
		{"strip", required_argument, NULL, 's'},
		{"add", required_argument, NULL, 'a'},
		{"regex", required_argument, NULL, 'x'},
		{"in", required_argument, NULL, 'i'},
		{0},
	};
	struct rename r = {.ed.q = {"rename", rename_help, ONESHOT_SHORTS, longs, 3, 3, {0}, 0}};
	int c, code;
	while ((c = oneshot_next(&r.ed, argc, argv)) > 0) {
		if (c == 'i')
			r.in = optarg;
		else if (take_rule(&r, c) < 0)
			break;
	}
	if (c == -1 && r.in && r.map.kind == KEYMAP_NONE) {
		cli_error("rename: --in goes with --strip, --add or --regex");
		return CLI_ERROR;
	}
	code = c == -1 ? run(&r, argv + optind) : r.ed.q.code;
	keymap_release(&r.map);
	return code;
}
