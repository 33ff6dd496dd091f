/* cmd_diff.c - pthfs diff A B [GLOB]: how two checkpoints differ, as `diff -r` of two mounts would
 * find it, without a mount.
 *
 * A mount point of ours stands for what it shows: its checkpoint with the edits that wait in the
 * journal, which are synced there first. A checkpoint stands for itself, committed.
 */
#include "cli.h"
#include "diff_out.h"
#include "keymap.h"
#include "query.h"
#include "term.h"
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthfs/cleanup.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRIPS 16 /* prefixes */

enum { OPT_STRIP = 256, OPT_ATOL, OPT_RTOL, OPT_NAN, OPT_TRUST, OPT_VALUES, OPT_TYPES, OPT_JSON,
	OPT_QUIET, OPT_COLOUR };
enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct words {
	struct diff_opts diff;
	struct keymap strip[STRIPS];
	struct str strip_text[STRIPS];
	bool json, all, brief, quiet;
	enum colour colour;
};

static const char diff_help[] =
		"usage: pthfs diff [OPTIONS] A B [GLOB]\n\n"
		"Says how two checkpoints differ, whatever their formats: keys that were added, removed,\n"
		"renamed (the same tensor under another name), and what has changed in the others. Two\n"
		"that are the same print nothing. A mount point stands for what it shows.\n\n"
		"  -q, --brief        only whether they differ; stops at the first difference\n"
		"      --quiet        as -q, and says nothing\n"
		"  -a, --all          list what is the same too, and each renamed key\n"
		"      --json         one JSON document with everything\n"
		"      --strip-prefix P   take P off the keys of both, where they have it\n"
		"      --atol X --rtol Y  the same where |a - b| <= X + Y * |b|\n"
		"      --nan-equal    NaN is equal to NaN, whatever its bits\n"
		"      --values       compare shapes and values: neither dtype, nor the rest of .meta\n"
		"      --types        a number and a string that look the same differ\n"
		"      --trust-crc    believe the CRCs of zip records instead of reading them\n"
		"      --color WHEN   auto (on a terminal), always, never\n"
		"  -o salvage         compare what is there of truncated files\n\n"
		"Tensors are compared by their bytes, or with --atol, --rtol, --nan-equal by value.\n"
		"Exit codes: 0 the same, 1 different, 2 something could not be read.\n";

/* --- options --------------------------------------------------------------------------------------- */

static int usage(const char *what, const char *word)
{
	cli_error("diff: %s: %s (pthfs diff --help)", word, what);
	return CLI_ERROR;
}

static int tolerance(struct words *w, const char *text, double *ret)
{
	char *end;
	errno = 0;
	double x = strtod(text, &end);
	if (end == text || *end || !(x >= 0) || isinf(x))
		return usage("not a number of 0 or more", text);
	*ret = x;
	w->diff.by_value = true;
	return 0;
}

static int strip_option(struct words *w, const char *prefix)
{
	struct err e = {0};
	unsigned n = w->diff.n_strip;
	if (n == STRIPS)
		return usage("too many prefixes", prefix);
	if (keymap_prefix(&w->strip[n], KEYMAP_STRIP, prefix, &e) < 0)
		return cli_fail(CLI_ERROR, "diff", &e);
	w->strip_text[n] = str_of(w->strip[n].text);
	w->diff.strip = w->strip_text;
	w->diff.n_strip++;
	return 0;
}

static int colour_option(struct words *w, const char *when)
{
	static const char *const names[] = {"auto", "always", "never"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(when, names[i]) == 0)
			return w->colour = (enum colour)i, 0;
	return usage("auto, always or never", when);
}

/* 0, or the exit code. */
static int option(struct words *w, int c)
{
	switch (c) {
	case OPT_STRIP:
		return strip_option(w, optarg);
	case OPT_ATOL:
		return tolerance(w, optarg, &w->diff.compare.atol);
	case OPT_RTOL:
		return tolerance(w, optarg, &w->diff.compare.rtol);
	case OPT_COLOUR:
		return colour_option(w, optarg);
	case OPT_NAN:
		w->diff.compare.nan_equal = w->diff.by_value = true;
		break;
	case OPT_TRUST:
		w->diff.trust_crc = true;
		break;
	case OPT_VALUES:
		w->diff.values_only = true;
		break;
	case OPT_TYPES:
		w->diff.types = true;
		break;
	case OPT_JSON:
		w->json = true;
		break;
	case OPT_QUIET:
		w->quiet = true;
		break;
	case 'q':
		w->brief = true;
		break;
	case 'a':
		w->all = true;
		break;
	}
	return 0;
}

static bool coloured(const struct words *w)
{
	if (w->colour != COLOUR_AUTO)
		return w->colour == COLOUR_ALWAYS;
	return term_colour();
}

/* --- what the two words mean ----------------------------------------------------------------------- */

/* Pages that are not written back come to the mount, and all edits into its journal, where they are
 * seen from here. */
static int settle(const struct mount *m, struct err *e)
{
	int fd = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || syncfs(fd) < 0 || fsync(fd) < 0 ? err_sys(e, errno, "%s", m->point) : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int open_mount(const struct mount *m, const struct volume_opts *o, struct volume **ret,
		struct err *e)
{
	struct volume_opts shown = *o;
	shown.mode = mount_is_rw(m) ? VOLUME_PEEK : VOLUME_READ;
	int rc = mount_is_rw(m) ? settle(m, e) : 0;
	return rc < 0 ? rc : volume_open(m->source, &shown, ret, e);
}

static int open_directory(const char *word, const struct volume_opts *o, struct volume **ret,
		struct err *e)
{
	struct mount_table table;
	char *path = path_resolve(word);
	if (!path)
		return err_sys(e, errno, "%s", word);
	int rc = mount_table_load(&table, e);
	if (rc == 0) {
		const struct mount *m = mount_at(&table, path);
		const struct mount *in = mount_holding(&table, path);
		if (m && mount_is_ours(m))
			rc = open_mount(m, o, ret, e);
		else if (in && mount_is_ours(in))
			rc = err_set(e, ERR_USAGE, "%s lies in the mount at %s: name that, with a "
					"GLOB, or compare directories with diff -r", word, in->point);
		else
			rc = err_set(e, ERR_USAGE, "%s is a directory, neither a checkpoint nor a "
					"mount point of one", word);
		mount_table_release(&table);
	}
	free(path);
	return rc;
}

static int open_word(const char *word, const struct volume_opts *o, struct volume **ret,
		struct err *e)
{
	struct stat st;
	if (stat(word, &st) == 0 && S_ISDIR(st.st_mode))
		return open_directory(word, o, ret, e);
	return volume_open(word, o, ret, e);
}

/* --- comparing ------------------------------------------------------------------------------------- */

static int nothing(void *ctx, const struct diff_item *it)
{
	if (it->status == DIFF_TROUBLE)
		cli_error("%s: %s", STR_SHOW(it->name), it->trouble);
	return 0;
}

static int run(struct diff_out *out, struct words *w, struct diff_result *r, struct err *e)
{
	bool brief = w->brief || w->quiet;
	diff_fn *fn = w->json ? diff_json_item : brief ? nothing : diff_text_item;
	w->diff.brief = brief && !w->json;
	w->diff.same_too = w->json || w->all;
	if (w->json)
		diff_json_begin(out);
	else if (!brief)
		diff_text_begin(out);
	int rc = inspect_diff(out->a, out->b, &w->diff, fn, out, r, e);
	progress_end(out->progress);
	if (rc == 0 && w->json)
		rc = diff_json_end(out, r);
	else if (rc == 0 && !brief)
		rc = diff_text_end(out, r);
	return rc == ERR_NOMEM && !e->code ? err_nomem(e) : rc;
}

/* As diff -q; both names may hold what a terminal obeys. */
static void say_differ(const char *a, const char *b)
{
	char shown_a[4200], shown_b[4200];
	printf("Files %s and %s differ\n", str_show(str_of(a), shown_a, sizeof shown_a),
			str_show(str_of(b), shown_b, sizeof shown_b));
}

static int verdict(const struct words *w, const struct diff_result *r, char **argv)
{
	bool differ = r->added || r->removed || r->renamed || r->changed;
	if (w->brief && !w->quiet && !w->json && differ)
		say_differ(argv[optind], argv[optind + 1]);
	return cli_finish(r->trouble ? CLI_ERROR : differ ? CLI_DIFFERENT : CLI_SAME);
}

static int compare(struct words *w, const struct volume_opts *o, char **argv)
{
	struct progress progress;
	struct diff_out out = {.progress = &progress, .all = w->all, .colour = coloured(w)};
	struct diff_result r = {0};
	struct err e = {0};
	progress_begin(&progress, "comparing");
	arena_init(&out.names, 0);
	if (progress.tty)
		w->diff.progress = (struct inspect_progress){progress_tell, &progress};
	int rc = open_word(argv[optind], o, &out.a, &e);
	if (rc == 0)
		rc = open_word(argv[optind + 1], o, &out.b, &e);
	if (rc == 0)
		rc = run(&out, w, &r, &e);
	volume_close(out.a);
	volume_close(out.b);
	vec_release(&out.renamed);
	arena_release(&out.names);
	buf_release(&out.out);
	return rc < 0 ? cli_fail(CLI_ERROR, NULL, &e) : verdict(w, &r, argv);
}

int cmd_diff(int argc, char **argv)
{
	static const struct option longs[] = {
		{"brief", no_argument, NULL, 'q'},
		{"quiet", no_argument, NULL, OPT_QUIET},
		{"all", no_argument, NULL, 'a'},
		{"json", no_argument, NULL, OPT_JSON},
		{"strip-prefix", required_argument, NULL, OPT_STRIP},
		{"atol", required_argument, NULL, OPT_ATOL},
		{"rtol", required_argument, NULL, OPT_RTOL},
		{"nan-equal", no_argument, NULL, OPT_NAN},
		{"values", no_argument, NULL, OPT_VALUES},
		{"types", no_argument, NULL, OPT_TYPES},
		{"trust-crc", no_argument, NULL, OPT_TRUST},
		{"color", required_argument, NULL, OPT_COLOUR},
		{"colour", required_argument, NULL, OPT_COLOUR},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"diff", diff_help, "qaho:", longs, 2, 3, {0}, 0};
	struct words w = {0};
	int c, code = 0;
	while (code == 0 && (c = query_next(&q, argc, argv)) > 0)
		code = option(&w, c);
	if (code == 0 && c == 0)
		code = q.code;
	else if (code == 0) {
		w.diff.glob = argv[optind + 2];
		code = compare(&w, &q.volume, argv);
	}
	for (unsigned i = 0; i < w.diff.n_strip; i++)
		keymap_release(&w.strip[i]);
	return code;
}
