/* oneshot.c - one edit from the command line: open, change, commit, tell.
 *
 * Nothing is journalled before the commit, so that a command that is killed leaves the checkpoint
 * as it was, or (--inplace) a journal that the next command finishes.
 */
#include "oneshot.h"

#include "cli.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

void oneshot_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

void oneshot_say_notice(const struct volume *v)
{
	struct str rest = str_of(volume_notice(v));
	while (rest.n) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		if (n)
			cli_error("%.*s", (int)n, rest.p);
		rest = str_skip(rest, end ? n + 1 : n);
	}
}

/* A refusal names the first itself. */
bool oneshot_say_suspects(struct volume *v, const char *file, int rc)
{
	struct buf lines;
	buf_init(&lines, 64 << 20);
	volume_suspects(v, &lines);
	bool any = lines.n > 0;
	bool one = any && memchr(lines.p, '\n', lines.n) == lines.p + lines.n - 1;
	buf_putc(&lines, 0);
	char *rest = lines.failed || (rc < 0 && (rc != ERR_REFUSED || one)) ? NULL : lines.p, *line;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			cli_error("%s: suspicious: %s", file, line);
	buf_release(&lines);
	return any;
}

/* What contradicts itself: "" when nothing does. */
static const char *contradiction(const struct oneshot *ed)
{
	if (ed->q.volume.salvage)
		return "a salvaged file cannot be edited";
	if (ed->commit.output && ed->q.volume.inplace)
		return "--output and --inplace exclude each other";
	return "";
}

int oneshot_next(struct oneshot *ed, int argc, char **argv)
{
	int c;
	while ((c = query_next(&ed->q, argc, argv)) > 0) {
		if (c == 'O')
			ed->commit.output = optarg;
		else if (c == 'D')
			ed->commit.dry_run = true;
		else if (c == 'I')
			ed->q.volume.inplace = true;
		else if (c == 'C')
			ed->commit.compact = true;
		else if (c == 'v')
			ed->verbose = true;
		else
			return c;
	}
	ed->commit.compact = ed->commit.compact || ed->q.volume.compact;
	if (c == -1 && *contradiction(ed)) {
		cli_error("%s: %s", ed->q.cmd, contradiction(ed));
		ed->q.code = CLI_ERROR;
		return 0;
	}
	return c;
}

int oneshot_open(struct oneshot *ed, const char *file)
{
	struct err e = {0};
	oneshot_signals();
	ed->file = file;
	ed->q.volume.mode = VOLUME_EDIT;
	ed->q.volume.compact = ed->commit.compact;
	int rc = volume_open(file, &ed->q.volume, &ed->v, &e);
	if (rc < 0) {
		ed->q.code = cli_fail(CLI_ERROR, NULL, &e);
		return rc;
	}
	oneshot_say_notice(ed->v);
	return 0;
}

void oneshot_cost(struct buf *out, const struct commit_result *r, const char *to)
{
	buf_puts(out, STR_SIZE(r->written));
	if (to)
		buf_printf(out, " to %s", to);
	if (r->way && *r->way)
		buf_printf(out, " (%s)", r->way);
}

/* The lines of the status behind its first one: an edit each. */
static void list_edits(struct volume *v)
{
	struct buf text;
	buf_init(&text, 256u << 20);
	volume_status(v, false, &text);
	const char *line = text.n ? memchr(text.p, '\n', text.n) : NULL;
	if (line)
		fwrite(line + 1, 1, text.n - (size_t)(line + 1 - text.p), stdout);
	buf_release(&text);
}

/* Dead space is worth a word from a tenth of the file on. */
static void say(const struct oneshot *ed, const char *did, const struct commit_result *r)
{
	bool dry = ed->commit.dry_run;
	struct buf line;
	buf_init(&line, 1 << 20);
	buf_printf(&line, "%s%s %s", dry ? "dry run: " : "", did, ed->file);
	if (!r->edits && !r->written) {
		buf_puts(&line, ": nothing to change");
	} else {
		buf_puts(&line, dry ? " would write " : ", wrote ");
		oneshot_cost(&line, r, ed->commit.output);
	}
	if (!dry && r->dead > r->size / 10 && r->dead >= 1 << 16)
		buf_printf(&line, "; %s are dead space: pthfs compact gives them back",
				STR_SIZE(r->dead));
	buf_putc(&line, '\0');
	if (!line.failed)
		cli_line(stdout, line.p);
	buf_release(&line);
}

int oneshot_close(struct oneshot *ed, int rc, const char *did, struct err *e)
{
	struct commit_result r = {0};
	bool suspects = false;
	if (rc < 0) {
		err_prefix(e, "%s", ed->file);
	} else {
		if (ed->verbose)
			list_edits(ed->v);
		progress_begin(&ed->progress, "writing");
		ed->commit.unmounting = !ed->commit.dry_run && !ed->commit.output;
		ed->commit.progress = progress_tell;
		ed->commit.ctx = &ed->progress;
		rc = volume_commit(ed->v, &ed->commit, &r, e);
		progress_end(&ed->progress);
		suspects = oneshot_say_suspects(ed->v, ed->file, rc);
	}
	if (rc == 0)
		say(ed, did, &r);
	volume_close(ed->v);
	if (suspects && rc == ERR_REFUSED && ed->q.volume.validate == VALIDATE_STRICT)
		return cli_fail(CLI_DIFFERENT, NULL, e);
	return rc < 0 ? cli_fail(CLI_ERROR, NULL, e) : cli_finish(CLI_SAME);
}
