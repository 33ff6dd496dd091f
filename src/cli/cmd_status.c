/* cmd_status.c - pthfs status [--json] CHECKPOINT|MOUNTPOINT: clean or dirty, and why.
 *
 * A mount is asked itself (.pthfs/status), since edits of the last second are in its memory only.
 * Of a file that no mount edits, its journal is read, and the mounts that show it are listed.
 */
#include "cli.h"
#include "query.h"
#include "server.h"
#include "target.h"

#include <limits.h>
#include <pthfs/json.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static const char status_help[] =
		"usage: pthfs status [--json] CHECKPOINT|MOUNTPOINT\n\n"
		"Says whether edits wait that are not in the checkpoint yet, and lists them: of a mount\n"
		"with -o rw, or of a checkpoint whose journal was left behind by a crash. Of a checkpoint\n"
		"also where it is mounted, and by whom.\n\n"
		"  --json       one JSON document\n\n"
		"Exit codes: 0 clean, 1 dirty, 2 error.\n";

static const char *user_of(const struct mount *m, char *number, size_t size)
{
	long uid = mount_number(m, "user_id=");
	const struct passwd *pw = uid < 0 ? NULL : getpwuid((uid_t)uid);
	snprintf(number, size, "%ld", uid);
	return pw ? pw->pw_name : number;
}

static void mount_text(const struct mount *m, struct buf *out)
{
	char number[24], point[PATH_MAX];
	uint32_t pid = server_pid(m);
	buf_printf(out, "mounted read-%s at %s by %s", mount_is_rw(m) ? "write" : "only",
			str_show(str_of(m->point), point, sizeof point),
			user_of(m, number, sizeof number));
	if (pid)
		buf_printf(out, " (process %u)", pid);
	buf_putc(out, '\n');
}

static void mount_json(const struct mount *m, struct json *j)
{
	char number[24];
	uint32_t pid = server_pid(m);
	json_open(j, '{');
	json_key(j, "mountpoint");
	json_cstr(j, m->point);
	json_key(j, "read_only");
	json_bool(j, !mount_is_rw(m));
	json_key(j, "user");
	json_cstr(j, user_of(m, number, sizeof number));
	json_key(j, "pid");
	if (pid)
		json_u64(j, pid);
	else
		json_null(j);
	json_close(j, '}');
}

static bool shows(const struct mount *m, const char *path)
{
	return mount_is_ours(m) && strcmp(m->source, path) == 0;
}

static void mounts_text(const struct target *t, struct buf *out)
{
	for (size_t i = 0; i < t->table.n; i++)
		if (shows(&t->table.at[i], t->path))
			mount_text(&t->table.at[i], out);
}

/* One more member of the document that is there: "mounts": [...]. */
static void mounts_json(const struct target *t, struct buf *out)
{
	struct json j;
	while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == ' '))
		out->n--;
	if (!out->n || out->p[out->n - 1] != '}')
		return;
	out->n--;
	buf_puts(out, ", \"mounts\": ");
	json_init(&j, out);
	json_open(&j, '[');
	for (size_t i = 0; i < t->table.n; i++)
		if (shows(&t->table.at[i], t->path))
			mount_json(&t->table.at[i], &j);
	json_close(&j, ']');
	buf_puts(out, "}\n");
}

/* Prints it, with the mounts of t. */
static int show(const struct target *t, bool json, bool clean, struct buf *out)
{
	if (t && json)
		mounts_json(t, out);
	else if (t)
		mounts_text(t, out);
	if (out->failed) {
		cli_error("status: out of memory");
		return CLI_ERROR;
	}
	fwrite(out->p, 1, out->n, stdout);
	return cli_finish(clean ? CLI_SAME : CLI_DIFFERENT);
}

struct asking {
	const struct target *t; /* NULL: the mount point itself was named */
	bool json;
};

/* In a child of the mount's user. */
static int show_mount(const struct mount *m, void *ctx)
{
	const struct asking *a = ctx;
	struct err e = {0};
	struct buf out;
	buf_init(&out, 256u << 20);
	int rc = server_read(m, ".pthfs/status", &out, &e);
	bool clean = str_starts(buf_view(&out), STR("clean"));
	if (rc == 0 && a->json) {
		out.n = 0;
		rc = server_read(m, ".pthfs/status.json", &out, &e);
	}
	int code = rc < 0 ? cli_fail(CLI_ERROR, NULL, &e) : show(a->t, a->json, clean, &out);
	buf_release(&out);
	return code;
}

static int show_file(const struct target *t, bool json)
{
	struct err e = {0};
	struct buf out;
	bool clean = false;
	buf_init(&out, 256u << 20);
	int rc = volume_status_of(t->path, json, &out, &clean, &e);
	int code = rc < 0 ? cli_fail(CLI_ERROR, NULL, &e) : show(t, json, clean, &out);
	buf_release(&out);
	return code;
}

int cmd_status(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"status", status_help, "h", longs, 1, 1, {0}, 0};
	struct target t;
	struct err e = {0};
	struct asking asking = {0};
	int c;
	while ((c = query_next(&q, argc, argv)) > 0)
		asking.json = true;
	if (c == 0)
		return q.code;
	if (target_find(argv[optind], &t, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	asking.t = t.named ? NULL : &t;
	int code = t.m ? server_run(t.m, show_mount, &asking) : show_file(&t, asking.json);
	target_release(&t);
	return code;
}
