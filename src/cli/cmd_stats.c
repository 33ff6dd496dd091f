/* cmd_stats.c - pthfs stats [--json] [--hist] [--sort BY] [--device D] CHECKPOINT [GLOB]: the numbers
 * of tensors.
 *
 * A line for each tensor as it is read, so that a long run shows something at once; --sort has to
 * wait for the last. Names are as wide as the widest, which needs no tensor read.
 */
#include "cli.h"
#include "progress.h"
#include "query.h"
#include "stats_out.h"

#include <pthfs/inspect.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct words {
	bool json, hist;
	const char *device;
	const struct stats_sort *sort;
};

static const char stats_help[] =
		"usage: pthfs stats [OPTIONS] CHECKPOINT [GLOB]\n\n"
		"Reads tensors and tells their numbers: elements, NaN, infinities, zeros, and of those that\n"
		"are finite min, max, mean, std and the largest modulus; then of all of them together.\n\n"
		"  --hist       a histogram of each as a line of 64 bars, from min to max\n"
		"  --sort BY    name, count, nan, inf, zeros, min, max, mean, std or abs_max (the\n"
		"               largest first; names from a to z); -BY turns the order round\n"
		"  --device D   cpu (the default), cuda, cuda:N, or auto: a card when there is one\n"
		"  --json       one JSON document\n"
		"  -o salvage   look at what is there of a truncated file\n\n"
		"GLOB is a shell pattern over the name; '*' stays within a directory, '**' does not.\n"
		"Exit codes: 0, or 2 for an error (also when a tensor could not be read).\n";

static int take_option(struct words *w, int c)
{
	if (c == 'j')
		w->json = true;
	else if (c == 'H')
		w->hist = true;
	else if (c == 'd')
		w->device = optarg;
	else if (c == 's') {
		w->sort = stats_sort_by(optarg);
		if (!w->sort) {
			cli_error("stats: --sort %s: it is name, count, nan, inf, zeros, min, max, mean, "
				  "std or abs_max", optarg);
			return -1;
		}
	}
	return 0;
}

/* Every tensor through one of the ways of printing. */
static int run(struct volume *v, struct stats_out *out, const struct stats_opts *o, struct err *e)
{
	struct stats total;
	int rc;

	out->v = v;
	out->device = engine_name(o->engine);
	stats_out_begin(out, o->glob);
	rc = inspect_stats(v, o, stats_out_item, out, &total, e);
	if (rc == 0)
		rc = stats_out_end(out, &total, e);
	if (rc == 0 && out->tensors == 0)
		rc = o->glob ? err_set(e, ERR_ABSENT, "%s: no tensor is called %s", volume_path(v),
						o->glob)
			     : 0;
	return rc;
}

static int stats(struct words *w, const struct volume_opts *vo, const char *path, const char *glob)
{
	struct stats_opts o = {.glob = glob, .hist = w->hist};
	struct stats_out out = {.json = w->json, .hist = w->hist, .sort = w->sort};
	struct volume *v = NULL;
	struct progress p;
	struct err e = {0};
	int rc = engine_open(w->device, &o.engine, NULL, &e);

	if (rc < 0)
		return cli_fail(CLI_ERROR, "stats: --device", &e);
	rc = volume_open(path, vo, &v, &e);
	if (rc == 0) {
		progress_begin(&p, "reading");
		if (!isatty(STDOUT_FILENO) || w->sort)
			o.progress = (struct inspect_progress){progress_tell, &p};
		rc = run(v, &out, &o, &e);
		progress_end(&p);
		volume_close(v);
	}
	engine_close(o.engine);
	stats_out_release(&out);
	if (rc < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	if (out.unread)
		cli_error("%s: %llu tensor%s could not be read", path, (unsigned long long)out.unread,
				out.unread == 1 ? "" : "s");
	return cli_finish(out.unread ? CLI_ERROR : CLI_SAME);
}

int cmd_stats(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"hist", no_argument, NULL, 'H'},
		{"sort", required_argument, NULL, 's'},
		{"device", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"stats", stats_help, "ho:", longs, 1, 2, {0}, 0};
	struct words w = {.device = "cpu"};
	int c;

	while ((c = query_next(&q, argc, argv)) > 0)
		if (take_option(&w, c) < 0)
			return CLI_ERROR;
	if (c == 0)
		return q.code;
	return stats(&w, &q.volume, argv[optind], argv[optind + 1]);
}
