/* cmd_check.c - pthfs check: what is wrong with a checkpoint, the worst first.
 *
 *	FILE: 2 findings (1 danger, 1 warning); 12 tensors, 1.2 GB, 20 records verified
 *	FILE: weights_only: no: GLOBAL os.system is not on torch's list (...), at byte 123 of the pickle
 *	FILE: danger: global: the pickle names os.system, which ... (offset 123)
 *	FILE: warning: nan: fc.weight: 3 NaN among 100 elements ...
 *
 * Findings come one at a time and the verdict stands first, so they are kept, at most SHOWN a kind;
 * the rest is a number ("and 900 more"). --json hands them through as they come and keeps none.
 */
#include "cli.h"
#include "progress.h"
#include "query.h"
#include "term.h"

#include <pthfs/inspect.h>
#include <pthfs/vec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 100

struct line {
	enum severity severity;
	const char *kind;
	uint64_t offset;
	char *text;
	size_t n;
};

/* One severity of one kind. */
struct group {
	enum severity severity;
	const char *kind;
	uint64_t n;
};

struct report {
	const char *path;
	bool colour;
	VEC(struct line) lines;
	VEC(struct group) groups;
	uint64_t count[SEVERITY_DANGER + 1];
	struct json j;
	struct buf out;
};

static const char *const words[] = {"note", "warning", "damage", "danger"};

/* --- JSON --------------------------------------------------------------------------------------- */

static void flush_json(struct report *r)
{
	fwrite(r->out.p, 1, r->out.n, stdout);
	r->out.n = 0;
}

static void json_finding(struct json *j, const struct check_finding *f)
{
	json_newline(j);
	json_open(j, '{');
	json_key(j, "severity");
	json_cstr(j, words[f->severity]);
	json_key(j, "kind");
	json_cstr(j, f->kind);
	json_key(j, "name");
	if (f->name.n)
		json_str(j, f->name);
	else
		json_null(j);
	json_key(j, "offset");
	if (f->offset == UINT64_MAX)
		json_null(j);
	else
		json_u64(j, f->offset);
	json_key(j, "message");
	json_str(j, f->message);
	json_close(j, '}');
}

static int tell_json(void *ctx, const struct check_finding *f)
{
	struct report *r = ctx;
	json_finding(&r->j, f);
	flush_json(r);
	return r->out.failed ? ERR_NOMEM : 0;
}

static void json_begin(struct report *r, const struct volume *v)
{
	buf_init(&r->out, 64u << 20);
	json_init(&r->j, &r->out);
	json_open(&r->j, '{');
	json_key(&r->j, "file");
	json_cstr(&r->j, volume_path(v));
	json_key(&r->j, "format");
	json_cstr(&r->j, volume_format(v));
	json_key(&r->j, "findings");
	json_open(&r->j, '[');
}

static void json_number(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_u64(j, n);
}

static void json_end(struct report *r, const struct volume *v, const struct check_result *c)
{
	struct volume_totals t;
	struct json *j = &r->j;
	volume_totals(v, &t);
	json_close(j, ']');
	json_key(j, "clean");
	json_bool(j, c->findings == 0);
	json_number(j, "tensors", t.tensors);
	json_number(j, "nbytes", t.bytes);
	json_number(j, "records_verified", c->records);
	json_number(j, "bytes_verified", c->bytes);
	json_key(j, "weights_only");
	json_bool(j, c->weights_only);
	json_key(j, "weights_only_why");
	if (c->weights_only)
		json_null(j);
	else
		json_str(j, buf_view(&c->weights_only_why));
	json_close(j, '}');
	buf_putc(&r->out, '\n');
	flush_json(r);
}

/* --- text --------------------------------------------------------------------------------------- */

static struct group *group_of(struct report *r, const struct check_finding *f)
{
	struct group g = {f->severity, f->kind, 0};
	for (size_t i = 0; i < r->groups.n; i++)
		if (r->groups.at[i].severity == f->severity &&
				strcmp(r->groups.at[i].kind, f->kind) == 0)
			return &r->groups.at[i];
	return vec_push(&r->groups, g) < 0 ? NULL : &r->groups.at[r->groups.n - 1];
}

static int keep(void *ctx, const struct check_finding *f)
{
	struct report *r = ctx;
	struct group *g = group_of(r, f);
	struct line l = {f->severity, f->kind, f->offset, NULL, 0};
	if (!g)
		return ERR_NOMEM;
	r->count[f->severity]++;
	if (g->n++ >= SHOWN)
		return 0;
	l.text = strndup(f->message.p, f->message.n);
	if (!l.text || vec_push(&r->lines, l) < 0) {
		free(l.text);
		return ERR_NOMEM;
	}
	return 0;
}

static const char *paint(const struct report *r, const char *code)
{
	return r->colour ? code : "";
}

static const char *paint_of(const struct report *r, enum severity s)
{
	static const char *const codes[] = {"", "\033[33m", "\033[31m", "\033[1;31m"};
	return paint(r, codes[s]);
}

static void say_group(const struct report *r, const struct group *g)
{
	uint64_t told = 0;
	for (size_t i = 0; i < r->lines.n; i++) {
		const struct line *l = &r->lines.at[i];
		if (l->severity != g->severity || strcmp(l->kind, g->kind) != 0)
			continue;
		told++;
		printf("%s: %s%s%s: %s: %s", r->path, paint_of(r, l->severity), words[l->severity],
				paint(r, "\033[0m"), l->kind, l->text);
		if (l->offset != UINT64_MAX)
			printf(" (offset %llu)", (unsigned long long)l->offset);
		putchar('\n');
	}
	if (g->n > told)
		printf("%s: %s: %s: and %llu more (--json has all)\n", r->path, words[g->severity],
				g->kind, (unsigned long long)(g->n - told));
}

static void say_counts(const struct report *r, uint64_t findings)
{
	const char *before = " (";
	if (!findings) {
		printf("%sclean%s", paint(r, "\033[32m"), paint(r, "\033[0m"));
		return;
	}
	printf("%s%llu finding%s%s", paint(r, "\033[1m"), (unsigned long long)findings,
			findings == 1 ? "" : "s", paint(r, "\033[0m"));
	for (int s = SEVERITY_DANGER; s > SEVERITY_NOTE; s--) {
		if (!r->count[s])
			continue;
		printf("%s%llu %s%s", before, (unsigned long long)r->count[s], words[s],
				s == SEVERITY_WARNING && r->count[s] > 1 ? "s" : "");
		before = ", ";
	}
	putchar(')');
}

static void say(const struct report *r, const struct volume *v, const struct check_result *c)
{
	struct volume_totals t;
	volume_totals(v, &t);
	printf("%s: ", r->path);
	say_counts(r, c->findings);
	printf("%s %llu tensor%s, %s, %llu record%s verified\n", c->findings ? ";" : ":",
			(unsigned long long)t.tensors, t.tensors == 1 ? "" : "s", STR_SIZE(t.bytes),
			(unsigned long long)c->records, c->records == 1 ? "" : "s");
	if (c->weights_only)
		printf("%s: weights_only: yes, torch.load(weights_only=True) takes it\n", r->path);
	else
		printf("%s: weights_only: no: %.*s\n", r->path,
				STR_FMT(buf_view(&c->weights_only_why)));
	for (int s = SEVERITY_DANGER; s >= SEVERITY_NOTE; s--)
		for (size_t i = 0; i < r->groups.n; i++)
			if (r->groups.at[i].severity == (enum severity)s)
				say_group(r, &r->groups.at[i]);
}

static void report_release(struct report *r)
{
	for (size_t i = 0; i < r->lines.n; i++)
		free(r->lines.at[i].text);
	vec_release(&r->lines);
	vec_release(&r->groups);
	buf_release(&r->out);
}

/* --- the command -------------------------------------------------------------------------------- */

static const char check_help[] =
		"usage: pthfs check [-q] [--quick] [--json] [--device D] [-o OPTIONS] CHECKPOINT\n\n"
		"Verifies everything that can be verified without running the file: the container, the\n"
		"CRC of every record, the pickle and the names in it, every tensor against its storage,\n"
		"dead space, NaN and Inf, edits that wait, and whether torch.load(weights_only=True)\n"
		"takes it.\n\n"
		"  --quick      read no data of tensors\n"
		"  -q, --quiet  say nothing: the exit code tells\n"
		"  --json       one JSON document with everything\n"
		"  --device D   where NaN and Inf are counted: cpu (the default), cuda, cuda:N, auto\n"
		"  -o salvage   check what is there of a truncated file\n\n"
		"Exit codes: 0 clean, 1 findings (notes are none), 2 it cannot be read.\n";

enum how { HOW_TEXT, HOW_JSON, HOW_QUIET };

static int run(struct volume *v, const struct check_opts *o, struct report *r, enum how how)
{
	struct check_result c;
	struct err e = {0};
	if (how == HOW_JSON)
		json_begin(r, v);
	int rc = inspect_check(v, o, how == HOW_JSON ? tell_json : keep, r, &c, &e);
	if (o->progress.ctx)
		progress_end(o->progress.ctx);
	if (rc == ERR_NOMEM && !e.code)
		err_nomem(&e);
	if (rc) {
		err_prefix(&e, "%s", r->path);
		return cli_fail(CLI_ERROR, NULL, &e);
	}
	if (how == HOW_JSON)
		json_end(r, v, &c);
	else if (how == HOW_TEXT)
		say(r, v, &c);
	int code = c.findings ? CLI_DIFFERENT : CLI_SAME;
	check_result_release(&c);
	return cli_finish(code);
}

int cmd_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{"quick", no_argument, NULL, 'Q'},
		{"quiet", no_argument, NULL, 'q'},
		{"json", no_argument, NULL, 'j'},
		{"device", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"check", check_help, "qho:", longs, 1, 1, {0}, 0};
	char shown[4200];
	struct report r = {.path = shown, .colour = term_colour()};
	struct progress p;
	struct check_opts o = {.progress = {progress_tell, &p}};
	const char *device = "cpu";
	enum how how = HOW_TEXT;
	struct volume *v;
	struct err e = {0};
	int c;
	while ((c = query_next(&q, argc, argv)) > 0) {
		o.quick = o.quick || c == 'Q';
		how = c == 'j' ? HOW_JSON : c == 'q' && how != HOW_JSON ? HOW_QUIET : how;
		device = c == 'd' ? optarg : device;
	}
	if (c == 0)
		return q.code;
	const char *path = argv[optind];
	str_show(str_of(path), shown, sizeof shown);
	if (engine_open(device, &o.engine, NULL, &e) < 0)
		return cli_fail(CLI_ERROR, "check", &e);
	if (volume_open(path, &q.volume, &v, &e) < 0) {
		engine_close(o.engine);
		return cli_fail(CLI_ERROR, NULL, &e);
	}
	progress_begin(&p, "checking");
	int code = run(v, &o, &r, how);
	report_release(&r);
	volume_close(v);
	engine_close(o.engine);
	return code;
}
