/* cmd_ls.c - pthfs ls [-l] [--json] [-o salvage] CHECKPOINT [GLOB]: every tensor and value.
 *
 *	ls         name, dtype, shape, size; one line each, tab separated when it is not a terminal
 *	ls -l      the same, aligned, with marks and a total
 *	ls --json  one document with everything that is known
 *
 * Marks: "= NAME" the same tensor as NAME (tied); "~" shares bytes with another; "!" cannot be
 * read, and why.
 */
#include "cli.h"
#include "query.h"
#include "term.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ls {
	struct volume *v;
	bool aligned;
	size_t w_name, w_dtype, w_shape;
	uint64_t shown, bytes;
	struct json j;
	struct buf out;
};

static struct str item_kind(const struct vitem *it)
{
	return it->dtype.n ? it->dtype : it->type;
}

/* Plain directories are in the names of what lies in them. */
static bool skip(const struct vitem *it)
{
	return it->is_dir && !it->dtype.n;
}

static int measure(void *ctx, const struct vitem *it)
{
	struct ls *ls = ctx;
	if (skip(it))
		return 0;
	term_widen(&ls->w_name, it->name, 72);
	term_widen(&ls->w_dtype, item_kind(it), 24);
	term_widen(&ls->w_shape, it->shape, 32);
	return 0;
}

static void marks(const struct vitem *it)
{
	if (it->tied_to.n)
		printf("  = %.*s", STR_FMT(it->tied_to));
	else if (it->view)
		printf("  ~ shares bytes");
	if (it->broken.n)
		printf("  ! %.*s", STR_FMT(it->broken));
}

static void count(struct ls *ls, const struct vitem *it)
{
	ls->shown++;
	if (it->is_tensor && !it->tied_to.n)
		ls->bytes += it->attr.size;
}

static int print_item(void *ctx, const struct vitem *it)
{
	struct ls *ls = ctx;
	if (skip(it))
		return 0;
	count(ls, it);
	if (!ls->aligned) {
		printf("%.*s\t%.*s\t%.*s\t%llu", STR_FMT(it->name), STR_FMT(item_kind(it)),
				STR_FMT(it->shape), (unsigned long long)it->attr.size);
		marks(it);
		putchar('\n');
		return 0;
	}
	term_pad(it->name, ls->w_name);
	printf("  ");
	term_pad(item_kind(it), ls->w_dtype);
	printf("  ");
	term_pad(it->shape, ls->w_shape);
	printf("  %9s", it->is_dir ? "" : STR_SIZE(it->attr.size));
	marks(it);
	putchar('\n');
	return 0;
}

static int json_item(void *ctx, const struct vitem *it)
{
	struct ls *ls = ctx;
	count(ls, it);
	json_newline(&ls->j);
	json_open(&ls->j, '{');
	volume_item_json(ls->v, it, &ls->j);
	json_close(&ls->j, '}');
	fwrite(ls->out.p, 1, ls->out.n, stdout); /* entry by entry: memory stays small */
	ls->out.n = 0;
	return ls->out.failed ? ERR_NOMEM : 0;
}

static int list_json(struct ls *ls, const char *glob, struct err *e)
{
	struct volume_totals t;
	struct json *j = &ls->j;
	volume_totals(ls->v, &t);
	buf_init(&ls->out, 256u << 20);
	json_init(j, &ls->out);
	json_open(j, '{');
	json_key(j, "file");
	json_cstr(j, volume_path(ls->v));
	json_key(j, "format");
	json_cstr(j, volume_format(ls->v));
	json_key(j, "entries");
	json_open(j, '[');
	int rc = volume_walk(ls->v, glob, json_item, ls, e);
	json_close(j, ']');
	json_key(j, "total");
	json_open(j, '{');
	json_key(j, "names");
	json_u64(j, ls->shown);
	json_key(j, "tensors");
	json_u64(j, t.tensors);
	json_key(j, "nbytes");
	json_u64(j, ls->bytes);
	json_close(j, '}');
	json_close(j, '}');
	buf_putc(&ls->out, '\n');
	fwrite(ls->out.p, 1, ls->out.n, stdout);
	buf_release(&ls->out);
	return rc;
}

static void count_word(uint64_t n, const char *one, const char *many, const char *after)
{
	printf("%llu %s%s", (unsigned long long)n, n == 1 ? one : many, after);
}

static void totals(const struct ls *ls)
{
	struct volume_totals t;
	volume_totals(ls->v, &t);
	count_word(t.tensors, "tensor", "tensors", " (");
	count_word(t.tied, "further name tied", "further names tied", ", ");
	count_word(t.views, "shares bytes", "share bytes", "), ");
	count_word(t.values, "value", "values", ", ");
	printf("%s\n", STR_SIZE(t.bytes));
}

static int list_text(struct ls *ls, const char *glob, struct err *e)
{
	int rc = ls->aligned ? volume_walk(ls->v, glob, measure, ls, e) : 0;
	if (rc == 0)
		rc = volume_walk(ls->v, glob, print_item, ls, e);
	if (rc == 0 && ls->aligned && !glob)
		totals(ls);
	else if (rc == 0 && ls->aligned)
		printf("%llu names, %s\n", (unsigned long long)ls->shown, STR_SIZE(ls->bytes));
	return rc;
}

static const char ls_help[] =
		"usage: pthfs ls [-l] [--json] [-o OPTIONS] CHECKPOINT [GLOB]\n\n"
		"Lists every tensor and value: name, dtype, shape, bytes.\n\n"
		"  -l, --long   aligned for people, with a total (the default on a terminal)\n"
		"  --json       one JSON document with everything that is known\n"
		"  -o salvage   list what is there of a truncated file\n\n"
		"GLOB is a shell pattern over the name; '*' stays within a directory, '**' does not.\n"
		"Marks: \"= NAME\" the same tensor as NAME, \"~\" shares bytes, \"!\" cannot be read.\n"
		"Exit codes: 0, or 2 for an error (nothing matches, no checkpoint).\n";

int cmd_ls(int argc, char **argv)
{
	static const struct option longs[] = {
		{"long", no_argument, NULL, 'l'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"ls", ls_help, "lho:", longs, 1, 2, {0}, 0};
	struct ls ls = {.aligned = isatty(STDOUT_FILENO)};
	bool json = false;
	struct err e = {0};
	int c;
	while ((c = query_next(&q, argc, argv)) > 0) {
		ls.aligned = ls.aligned || c == 'l';
		json = json || c == 'j';
	}
	if (c == 0)
		return q.code;
	const char *path = argv[optind], *glob = argv[optind + 1]; /* NULL when there is none */
	if (volume_open(path, &q.volume, &ls.v, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	int rc = json ? list_json(&ls, glob, &e) : list_text(&ls, glob, &e);
	if (rc == 0 && glob && ls.shown == 0)
		rc = err_set(&e, ERR_ABSENT, "%s: nothing is called %s", path, glob);
	volume_close(ls.v);
	return rc < 0 ? cli_fail(CLI_ERROR, NULL, &e) : cli_finish(CLI_SAME);
}
