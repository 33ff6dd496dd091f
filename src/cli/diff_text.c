/* diff_text.c - a line for each difference, and one that adds them up.
 *
 *	+ head.bias        float32 [10]
 *	- fc.bias          float32 [1000]
 *	~ epoch            12 -> 13
 *	~ conv1.weight     float32 [64, 3, 7, 7]: 12 of 9408 differ, max 0.01, rel 0.5, cosine 0.99999,
 *	                   first [3, 0, 7, 1]                                     (on one line)
 *	> 318 keys         renamed: module.* -> *
 *	2 changed, 318 renamed, 1 added, 1 removed, 0 same
 *
 * Two that are the same print nothing. What cannot be read is said on standard error.
 */
#include "cli.h"
#include "diff_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 48 /* names longer than this push the rest of their line to the right */
#define SHOW 72  /* bytes of a value on a line */

static int widen(void *ctx, const struct vitem *it)
{
	struct diff_out *o = ctx;
	if (!it->is_dir && it->name.n > (size_t)o->width)
		o->width = it->name.n < WIDTH ? (int)it->name.n : WIDTH;
	return 0;
}

void diff_text_begin(struct diff_out *o)
{
	o->width = 8;
	volume_walk(o->a, NULL, widen, o, NULL);
	volume_walk(o->b, NULL, widen, o, NULL);
}

static const char *colour_of(char mark)
{
	switch (mark) {
	case '+':
		return "\033[32m";
	case '-':
	case '!':
		return "\033[31m";
	case '~':
		return "\033[33m";
	case '>':
		return "\033[36m";
	default:
		return "";
	}
}

void diff_line(const struct diff_out *o, char mark, struct str name)
{
	char shown[1200];
	str_show(name, shown, sizeof shown);
	printf("%s%c %s%s", o->colour ? colour_of(mark) : "", mark, shown,
			o->colour ? "\033[0m" : "");
	for (int n = (int)strlen(shown); n < o->width; n++)
		putchar(' ');
	fputs("  ", stdout);
}

/* --- values ---------------------------------------------------------------------------------------- */

static size_t same_begin(struct str a, struct str b)
{
	size_t n = 0;
	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

/* Text from `skip` on. */
static void value(struct str s, size_t skip)
{
	char shown[4 * SHOW + 8];
	struct str part = str_cut(str_skip(s, skip), SHOW);
	if (skip)
		fputs("...", stdout);
	fputs(str_show(part, shown, sizeof shown), stdout);
	if (skip + part.n < s.n)
		fputs("...", stdout);
}

/* Of long texts, what stands around the first difference. */
static size_t skipped(struct str a, struct str b)
{
	size_t n = same_begin(a, b), skip = n > SHOW / 2 ? n - SHOW / 4 : 0;
	while (skip && skip < a.n && ((unsigned char)a.p[skip] & 0xc0) == 0x80)
		skip--; /* not within a character */
	return skip;
}

static void two_values(const struct diff_item *it)
{
	size_t skip = skipped(it->text_a, it->text_b);
	bool types = it->what & DIFF_TYPE;
	if (str_eq(it->text_a, it->text_b) && !types) {
		printf("differs after its first %zu bytes", it->text_a.n);
		return;
	}
	value(it->text_a, skip);
	if (types)
		printf(" (%.*s)", STR_FMT(it->a->type));
	fputs(" -> ", stdout);
	value(it->text_b, skip);
	if (types)
		printf(" (%.*s)", STR_FMT(it->b->type));
}

/* --- tensors --------------------------------------------------------------------------------------- */

static void index_text(const struct diff_item *it)
{
	putchar('[');
	for (unsigned i = 0; i < it->first_n; i++)
		printf("%s%" PRId64, i ? ", " : "", it->first[i]);
	putchar(']');
}

static void numbers(const struct diff_item *it)
{
	const struct compared *c = it->compared;
	if (c->differ == 0) {
		fputs(it->what & DIFF_VALUES ? "equal values, other bytes" : "equal values", stdout);
		return;
	}
	printf("%" PRIu64 " of %" PRIu64 " differ", c->differ, c->count);
	if (c->has_numbers) {
		printf(", max %.4g, rel %.4g", c->max_abs, c->max_rel);
		if (!isnan(c->cosine))
			printf(", cosine %.9g", c->cosine);
	}
	if (it->first) {
		fputs(", first ", stdout);
		index_text(it);
	}
}

static void change(struct str a, struct str b)
{
	printf("%.*s", STR_FMT(a));
	if (!str_eq(a, b))
		printf(" -> %.*s", STR_FMT(b));
}

static void attrs(const struct diff_item *it)
{
	for (size_t i = 0; i < it->n_attrs; i++) {
		const struct diff_attr *x = &it->attrs[i];
		printf(", %.*s ", STR_FMT(x->name));
		printf("%s", x->a.n ? STR_SHOW(x->a) : "(none)");
		printf(" -> %s", x->b.n ? STR_SHOW(x->b) : "(none)");
	}
}

static void two_tensors(const struct diff_item *it)
{
	change(it->a->dtype, it->b->dtype);
	putchar(' ');
	change(it->a->shape, it->b->shape);
	attrs(it);
	if (it->compared) {
		fputs(": ", stdout);
		numbers(it);
	} else if (it->same_bytes && it->what & DIFF_SHAPE) {
		fputs(": the same bytes", stdout);
	}
}

/* --- items ----------------------------------------------------------------------------------------- */

static void one(const struct vitem *x, struct str text)
{
	if (x->dtype.n)
		printf("%.*s %.*s", STR_FMT(x->dtype), STR_FMT(x->shape));
	else if (x->is_dir)
		printf("%.*s", STR_FMT(x->type));
	else
		value(text, 0);
	if (x->tied_to.n)
		printf("  = %s", STR_SHOW(x->tied_to));
	putchar('\n');
}

static void changed(struct diff_out *o, const struct diff_item *it)
{
	diff_line(o, '~', it->name);
	bool value_a = !it->a->is_dir && !it->a->is_tensor, value_b = !it->b->is_dir && !it->b->is_tensor;
	if (value_a && value_b)
		two_values(it);
	else if (it->a->dtype.n && it->b->dtype.n)
		two_tensors(it);
	else
		printf("%.*s -> %.*s", STR_FMT(it->a->type), STR_FMT(it->b->type));
	putchar('\n');
}

static bool renamed(struct diff_out *o, const struct diff_item *it)
{
	if (!o->all && !it->n_attrs)
		return diff_renamed_keep(o, it->was, it->name);
	diff_line(o, '>', it->name);
	printf("was %s", STR_SHOW(it->was));
	attrs(it);
	putchar('\n');
	return true;
}

int diff_text_item(void *ctx, const struct diff_item *it)
{
	struct diff_out *o = ctx;
	bool fine = true;
	progress_end(o->progress);
	switch (it->status) {
	case DIFF_SAME:
		diff_line(o, '=', it->name);
		one(it->b, it->text_b);
		break;
	case DIFF_ADDED:
		diff_line(o, '+', it->name);
		one(it->b, it->text_b);
		break;
	case DIFF_REMOVED:
		diff_line(o, '-', it->name);
		one(it->a, it->text_a);
		break;
	case DIFF_RENAMED:
		fine = renamed(o, it);
		break;
	case DIFF_CHANGED:
		changed(o, it);
		break;
	case DIFF_TROUBLE:
		cli_error("%s: %s", STR_SHOW(it->name), it->trouble);
		break;
	}
	return fine ? 0 : ERR_NOMEM;
}

int diff_text_end(struct diff_out *o, const struct diff_result *r)
{
	progress_end(o->progress);
	diff_renamed_print(o);
	if (!o->all && !(r->changed || r->renamed || r->added || r->removed || r->trouble))
		return 0;
	printf("%" PRIu64 " changed, %" PRIu64 " renamed, %" PRIu64 " added, %" PRIu64
	       " removed, %" PRIu64 " same", r->changed, r->renamed, r->added, r->removed, r->same);
	if (r->trouble)
		printf(", %" PRIu64 " could not be read", r->trouble);
	putchar('\n');
	return 0;
}
