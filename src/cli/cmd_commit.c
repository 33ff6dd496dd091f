/* cmd_commit.c - pthfs commit MOUNTPOINT|CHECKPOINT: the edits of a mount, or those that wait in a
 * journal, become part of the checkpoint now.
 */
#include "cli.h"
#include "control.h"
#include "oneshot.h"
#include "query.h"
#include "target.h"

#include <stdio.h>

static const char commit_help[] =
		"usage: pthfs commit [OPTION...] MOUNTPOINT|CHECKPOINT\n\n"
		"Makes the checkpoint contain the edits of a mount, which stays; or those that a crash has\n"
		"left in its journal. All or nothing: the checkpoint is the old or the new one, whole, at\n"
		"every instant.\n\n"
		"  --dry-run    change nothing, say what would be written\n"
		"  --inplace    patch the file itself, instead of replacing it (a mount does that by itself\n"
		"               when it has -o inplace)\n"
		"  --compact    write the file in torch's own order, without dead space\n"
		"  --force      also edits that -o validate=strict refuses: this once\n"
		"  -o OPTION    of a checkpoint: validate=off|warn|strict, device=cpu|cuda[:N]|auto\n\n"
		"Edited tensors that look suspicious (NaN, Inf, all zeros, a range that grew) are told on\n"
		"standard error.\n\n"
		"Exit codes: 0 (also when there was nothing to commit), 1 when the validation refuses the\n"
		"edits, or 2 for an error: they are still there then.\n";

static void say(const char *file, bool dry_run, const struct commit_result *r)
{
	struct buf line;
	if (!r->edits && !r->written) {
		puts("nothing to commit");
		return;
	}
	buf_init(&line, 1 << 20);
	buf_printf(&line, "%s %llu %s%s ", dry_run ? "would commit" : "committed",
			(unsigned long long)r->edits, r->edits == 1 ? "edit" : "edits",
			dry_run ? " and write" : ", wrote");
	oneshot_cost(&line, r, NULL);
	if (r->dead && !dry_run)
		buf_printf(&line, "; %s are dead space: pthfs compact %s gives them back",
				STR_SIZE(r->dead), file);
	buf_putc(&line, '\0');
	if (!line.failed)
		cli_line(stdout, line.p);
	buf_release(&line);
}

static int commit_file(const char *file, bool inplace, const struct volume_opts *said,
		struct commit_opts *o)
{
	struct volume_opts vo = *said;
	bool unsafe;
	struct commit_result r = {0};
	struct progress p;
	struct volume *v;
	struct err e = {0};
	vo.mode = VOLUME_RW;
	vo.inplace = inplace;
	vo.compact = o->compact;
	oneshot_signals();
	if (volume_open(file, &vo, &v, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	oneshot_say_notice(v);
	o->unmounting = !o->dry_run;
	o->progress = progress_tell;
	o->ctx = &p;
	progress_begin(&p, "committing");
	int rc = volume_commit(v, o, &r, &e);
	progress_end(&p);
	unsafe = oneshot_say_suspects(v, file, rc) && rc == ERR_REFUSED && !o->force;
	volume_close(v);
	if (rc < 0)
		return cli_fail(unsafe ? CLI_DIFFERENT : CLI_ERROR, NULL, &e);
	say(file, o->dry_run, &r);
	return cli_finish(CLI_SAME);
}

static int commit_mount(const struct mount *m, bool inplace, const struct commit_opts *o)
{
	const char *word = o->compact ? "compact\n" : o->force ? "force\n" : "commit\n";
	struct control c = {
		.file = ".pthfs/commit",
		.word = o->dry_run ? "dry-run\n" : word,
		.doing = "committing",
	};
	if (inplace) {
		cli_error("commit: --inplace is for a checkpoint that is not mounted; a mount is told by "
			  "-o inplace");
		return CLI_ERROR;
	}
	if (o->dry_run + o->compact + o->force > 1) {
		cli_error("commit: of a mount, --dry-run, --compact and --force exclude each other");
		return CLI_ERROR;
	}
	return control_mount(m, &c);
}

int cmd_commit(int argc, char **argv)
{
	static const struct option longs[] = {
		{"dry-run", no_argument, NULL, 'D'},
		{"inplace", no_argument, NULL, 'I'},
		{"compact", no_argument, NULL, 'C'},
		{"force", no_argument, NULL, 'F'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"commit", commit_help, "ho:", longs, 1, 1, {0}, 0};
	struct commit_opts o = {0};
	struct target t;
	struct err e = {0};
	bool inplace = false;
	int c;
	while ((c = query_next(&q, argc, argv)) > 0)
		*(c == 'D' ? &o.dry_run : c == 'I' ? &inplace : c == 'F' ? &o.force : &o.compact) = true;
	if (c == 0)
		return q.code;
	if (target_find(argv[optind], &t, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	int code;
	if (t.m && (q.volume.validate || q.volume.device)) {
		cli_error("commit: -o is for a checkpoint that is not mounted: a mount has options of its own");
		code = CLI_ERROR;
	} else if (t.m) {
		code = commit_mount(t.m, inplace, &o);
	} else {
		code = commit_file(argv[optind], inplace, &q.volume, &o);
	}
	target_release(&t);
	return code;
}
