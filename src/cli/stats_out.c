/* stats_out.c - the table of `pthfs stats`, and its JSON.
 *
 *	name       dtype    shape        count  nan  inf  zeros     min    max      mean    std  abs_max
 *	fc.weight  float32  [10, 4]         40    .    .      .  -0.499  0.488  -0.00934  0.286    0.499
 *
 * A dot is "none": what is to be seen at a glance is where there is something. Numbers have four
 * digits; JSON has all of them.
 */
#include "stats_out.h"

#include "cli.h"
#include "term.h"

#include <math.h>
#include <pthfs/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- order ------------------------------------------------------------------------------------ */

/* Not there: last, whichever way. */
static double or_last(bool there, double v)
{
	return there ? v : NAN;
}
static double by_count(const struct stats *s) { return (double)s->count; }
static double by_nan(const struct stats *s) { return (double)s->nan; }
static double by_inf(const struct stats *s) { return (double)(s->pos_inf + s->neg_inf); }
static double by_zeros(const struct stats *s) { return (double)s->zeros; }
static double by_min(const struct stats *s) { return or_last(s->has_numbers, s->min); }
static double by_max(const struct stats *s) { return or_last(s->has_numbers, s->max); }
static double by_mean(const struct stats *s) { return or_last(s->has_numbers, s->mean); }
static double by_std(const struct stats *s) { return or_last(s->has_numbers, s->std); }
static double by_abs_max(const struct stats *s) { return or_last(s->finite > 0, s->abs_max); }

static const struct stats_sort sorts[] = {
	{"name", NULL, false}, {"-name", NULL, true},
	{"count", by_count, false}, {"-count", by_count, true},
	{"nan", by_nan, false}, {"-nan", by_nan, true},
	{"inf", by_inf, false}, {"-inf", by_inf, true},
	{"zeros", by_zeros, false}, {"-zeros", by_zeros, true},
	{"min", by_min, false}, {"-min", by_min, true},
	{"max", by_max, false}, {"-max", by_max, true},
	{"mean", by_mean, false}, {"-mean", by_mean, true},
	{"std", by_std, false}, {"-std", by_std, true},
	{"abs_max", by_abs_max, false}, {"-abs_max", by_abs_max, true},
};

const struct stats_sort *stats_sort_by(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (strcmp(word, sorts[i].name) == 0)
			return &sorts[i];
	return NULL;
}

/* The largest first, what has no such number last; names break a tie. */
static int compare_rows(const void *pa, const void *pb, void *ctx)
{
	const struct stats_row *a = pa, *b = pb;
	const struct stats_sort *sort = ctx;
	double x = sort->by && a->stats ? sort->by(a->stats) : NAN;
	double y = sort->by && b->stats ? sort->by(b->stats) : NAN;
	int names = strcmp(a->name, b->name);

	if (!sort->by)
		return sort->turned ? -names : names;
	if (isnan(x) || isnan(y))
		return isnan(x) && isnan(y) ? names : isnan(x) ? 1 : -1;
	if (x == y)
		return names;
	return (x < y) != sort->turned ? 1 : -1;
}

/* --- the table -------------------------------------------------------------------------------- */

static void pad(const char *s, size_t w)
{
	term_pad(str_of(s), w);
	fputs("  ", stdout);
}

static void put_count(const struct stats_out *o, uint64_t n, int w, bool alarm)
{
	if (n == 0)
		printf("  %*s", w, ".");
	else
		printf("%s  %*llu%s", alarm && o->colour ? "\033[1;31m" : "", w, (unsigned long long)n,
				alarm && o->colour ? "\033[0m" : "");
}

static void put_number(bool there, double v)
{
	if (there)
		printf("  %10.4g", v + 0.0);
	else
		printf("  %10s", "-");
}

static void put_numbers(const struct stats_out *o, const struct stats *s)
{
	bool n = s->has_numbers;

	printf("%12llu", (unsigned long long)s->count);
	put_count(o, s->nan, 8, true);
	put_count(o, s->pos_inf + s->neg_inf, 8, true);
	put_count(o, s->zeros, 12, false);
	put_number(n, s->min);
	put_number(n, s->max);
	put_number(n, s->mean);
	put_number(n && s->finite > 1, s->std);
	put_number(s->finite > 0, s->abs_max);
	putchar('\n');
}

static void put_head(const struct stats_out *o)
{
	pad("name", o->w_name);
	pad("dtype", o->w_dtype);
	pad("shape", o->w_shape);
	printf("%12s  %8s  %8s  %12s  %10s  %10s  %10s  %10s  %10s\n", "count", "nan", "inf", "zeros",
			"min", "max", "mean", "std", "abs_max");
}

/* A bar for each bin. One element is seen, too: the lowest bar is for that. */
static void put_hist(const struct stats_out *o, const struct stats *s)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
	uint64_t most = 1;

	if (!s->bins)
		return;
	for (unsigned k = 0; k < s->bins; k++)
		most = s->hist[k] > most ? s->hist[k] : most;
	printf("    %10.4g ", s->hist_min);
	for (unsigned k = 0; k < s->bins; k++) {
		double high = (double)s->hist[k] / (double)most * 8;
		unsigned bar = s->hist[k] == 0 ? 0 : high < 1 ? 1 : (unsigned)high;

		fputs((o->utf8 ? blocks : plain)[bar], stdout);
	}
	printf(" %.4g\n", s->hist_max);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void hist_members(const struct stats *s, struct json *j)
{
	json_key(j, "hist_min");
	json_f64(j, s->hist_min);
	json_key(j, "hist_max");
	json_f64(j, s->hist_max);
	json_key(j, "hist");
	json_open(j, '[');
	for (unsigned k = 0; k < s->bins; k++)
		json_u64(j, s->hist[k]);
	json_close(j, ']');
}

/* An item by itself, into o->item. */
static void json_item(struct stats_out *o, const struct stats_item *it)
{
	struct json item, *j = &item;

	o->item.n = 0;
	json_init(j, &o->item);
	json_open(j, '{');
	volume_item_json(o->v, it->item, j);
	if (it->stats)
		stats_members(it->stats, j);
	else if (!it->item->broken.n) {
		json_key(j, "broken");
		json_cstr(j, it->why);
	}
	if (it->stats && it->stats->bins)
		hist_members(it->stats, j);
	json_close(j, '}');
}

/* ... into the document, which is printed as far as it goes. */
static void json_put(struct stats_out *o, struct str item)
{
	json_newline(&o->j);
	json_raw(&o->j, item);
	fwrite(o->text.p, 1, o->text.n, stdout);
	o->text.failed |= o->item.failed;
	o->text.n = 0;
}

static void json_head(struct stats_out *o)
{
	struct json *j = &o->j;

	buf_init(&o->text, 64u << 20);
	buf_init(&o->item, 64u << 20);
	json_init(j, &o->text);
	json_open(j, '{');
	json_key(j, "file");
	json_cstr(j, volume_path(o->v));
	json_key(j, "device");
	json_cstr(j, o->device);
	json_key(j, "tensors");
	json_open(j, '[');
}

static void json_tail(struct stats_out *o, const struct stats *total)
{
	json_close(&o->j, ']');
	json_key(&o->j, "total");
	json_open(&o->j, '{');
	json_key(&o->j, "tensors");
	json_u64(&o->j, o->tensors);
	stats_members(total, &o->j);
	json_close(&o->j, '}');
	json_close(&o->j, '}');
	buf_putc(&o->text, '\n');
}

static void put_row(struct stats_out *o, const struct stats_row *r)
{
	if (o->json) {
		json_put(o, str_of(r->json));
		return;
	}
	pad(r->name, o->w_name);
	pad(r->dtype, o->w_dtype);
	pad(r->shape, o->w_shape);
	if (!r->stats) {
		printf("! %s\n", r->json);
		return;
	}
	put_numbers(o, r->stats);
	if (o->hist)
		put_hist(o, r->stats);
}

/* --- as they come ------------------------------------------------------------------------------ */

/* For the eye: keys may hold what a terminal obeys (U+009B, U+202E). malloc()ed; NULL: no memory. */
static char *for_eyes(struct str s)
{
	size_t n = 4 * s.n + 1;
	char *p = malloc(n);

	if (p)
		str_show(s, p, n);
	return p;
}

static int measure(void *ctx, const struct vitem *item)
{
	struct stats_out *o = ctx;

	if (!item->is_tensor || item->tied_to.n)
		return 0;
	char *name = for_eyes(item->name);
	if (!name)
		return ERR_NOMEM;
	term_widen(&o->w_name, str_of(name), 72);
	free(name);
	term_widen(&o->w_dtype, item->dtype, 24);
	term_widen(&o->w_shape, item->shape, 32);
	return 0;
}

static bool says_utf8(void)
{
	const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *at = getenv(names[i]);

		if (at && *at)
			return strstr(at, "UTF-8") || strstr(at, "utf8") || strstr(at, "UTF8");
	}
	return false;
}

void stats_out_begin(struct stats_out *o, const char *glob)
{
	o->w_name = 5, o->w_dtype = 5, o->w_shape = 5;
	o->colour = term_colour();
	o->utf8 = says_utf8();
	if (o->json) {
		json_head(o);
		return;
	}
	volume_walk(o->v, glob, measure, o, NULL); /* what fails here fails again */
}

static void row_release(struct stats_row *r)
{
	free(r->name);
	free(r->dtype);
	free(r->shape);
	free(r->json);
	free(r->stats);
}

/* The row of a tensor; json is its JSON, or why it was not read. */
static int make_row(struct stats_out *o, const struct stats_item *it, struct stats_row *r)
{
	const struct vitem *item = it->item;
	struct str json = o->json ? buf_view(&o->item) : str_of(it->stats ? "" : it->why);

	*r = (struct stats_row){.name = for_eyes(item->name),
		.dtype = strndup(item->dtype.p ? item->dtype.p : "", item->dtype.n),
		.shape = strndup(item->shape.p ? item->shape.p : "", item->shape.n),
		.json = strndup(json.p ? json.p : "", json.n)};
	if (it->stats && (r->stats = malloc(sizeof *r->stats)))
		*r->stats = *it->stats;
	if (r->name && r->dtype && r->shape && r->json && (!it->stats || r->stats))
		return 0;
	row_release(r);
	return ERR_NOMEM;
}

int stats_out_item(void *ctx, const struct stats_item *it)
{
	struct stats_out *o = ctx;
	struct stats_row row;

	if (o->tensors == 0 && !o->json)
		put_head(o);
	o->tensors++;
	o->unread += !it->stats;
	if (o->json)
		json_item(o, it);
	if (make_row(o, it, &row) < 0)
		return ERR_NOMEM;
	if (o->sort)
		return vec_push(&o->rows, row) < 0 ? ERR_NOMEM : 0;
	put_row(o, &row);
	fflush(stdout);
	row_release(&row);
	return 0;
}

int stats_out_end(struct stats_out *o, const struct stats *total, struct err *e)
{
	if (o->rows.n)
		qsort_r(o->rows.at, o->rows.n, sizeof *o->rows.at, compare_rows, (void *)o->sort);
	for (size_t i = 0; i < o->rows.n; i++)
		put_row(o, &o->rows.at[i]);
	if (o->json) {
		json_tail(o, total);
		fwrite(o->text.p, 1, o->text.n, stdout);
	} else if (o->tensors > 1) {
		pad("total", o->w_name + o->w_dtype + o->w_shape + 4);
		put_numbers(o, total);
	}
	return o->text.failed ? err_nomem(e) : 0;
}

void stats_out_release(struct stats_out *o)
{
	for (size_t i = 0; i < o->rows.n; i++)
		row_release(&o->rows.at[i]);
	vec_release(&o->rows);
	if (o->json) {
		buf_release(&o->text);
		buf_release(&o->item);
	}
}
