/* svg.c - one self-contained picture of a tensor: what it is, its numbers, a histogram, a heat map.
 *
 *	title                                       640 wide; the height is what is needed
 *	dtype, shape, elements, bytes
 *	min  max  mean  std  |max|                  numbers of the finite elements
 *	zeros  share  NaN  +Inf  -Inf
 *	histogram                                   counts, and behind them their logarithms
 *	heat map, colour bar                        from two dimensions on
 *
 * The background is its own, and a media query makes it dark where the reader is. Fonts are generic
 * ones, so places are computed for wide letters. Everything is read before anything is written.
 */
#include "heat.h"
#include <pthfs/check.h>
#include <pthfs/decode.h>
#include "svg.h"

#include <inttypes.h>
#include <math.h>
#include <pthfs/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 640
#define PAD 24
#define INNER (WIDTH - 2 * PAD)
#define HIST_TOP 198
#define HIST_HEIGHT 120
#define HIST_BASE (HIST_TOP + HIST_HEIGHT)
#define HEAT_TOP 384
#define HEAT_MAX_HEIGHT 512
#define BAR_CELL 7   /* pixels a colour in the colour bar */
#define NUM_WIDE 7.9 /* pixels a letter of class num */

/* The dark colours are of text and paper; the heat map stays as it is. */
static const char style[] =
	"<style>\n"
	"text{font:12px system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\n"
	".name,.num,.bad{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}\n"
	".name{font-size:16px;font-weight:bold}.num,.bad{font-size:13px}\n"
	".bad{fill:#b3261e;font-weight:bold}.dim{fill:#656d76}\n"
	".paper{fill:#fbfbfa}.bars{fill:#4f7cac}.logs{fill:#d3dce6}.axis{stroke:#8c959f}\n"
	"@media (prefers-color-scheme:dark){text{fill:#e6e8eb}.bad{fill:#ff8a80}\n"
	".dim{fill:#9aa3ad}.paper{fill:#17191c}.bars{fill:#7ba7d6}.logs{fill:#353f4b}\n"
	".axis{stroke:#5b636c}}\n"
	"</style>\n";

struct picture {
	struct stats s;
	enum decoded kind;
	struct heat *heat; /* or NULL */
	double cell_wide, cell_high;
	int height;
	uint64_t nbytes;
};

/* --- head and numbers ----------------------------------------------------------------------- */

static void put_head(const struct picture *p, enum dtype dt, const int64_t *shape, unsigned ndim,
		struct str title, struct buf *out)
{
	struct svg_num n;
	struct buf line;

	buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
			"viewBox=\"0 0 %d %d\">\n<title>", WIDTH, p->height, WIDTH, p->height);
	svg_escape(title, 4096, out);
	buf_puts(out, "</title>\n");
	buf_puts(out, style);
	buf_printf(out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", WIDTH, p->height);
	buf_printf(out, "<text class=\"name\" x=\"%d\" y=\"38\">", PAD);
	svg_escape(title, 60, out);
	buf_puts(out, "</text>\n");

	const struct tensor t = {.ndim = (uint8_t)ndim, .shape = shape};

	buf_init(&line, 8192);
	tensor_shape_text(&t, &line);
	buf_printf(out, "<text class=\"dim\" x=\"%d\" y=\"60\">%s &#160;", PAD,
			dtype_info(dt)->name);
	svg_escape(buf_view(&line), 48, out);
	buf_printf(out, " &#160;%s elements &#160;%s</text>\n", svg_count(p->s.count, &n),
			STR_SIZE(p->nbytes));
	buf_release(&line);
}

static void put_number(struct buf *out, unsigned place, const char *label, const char *text,
		bool bad)
{
	double x = PAD + place % 5 * (INNER / 5.0), y = 92 + place / 5 * 44;

	svg_text(out, x, y, "dim", "start", label);
	svg_text(out, x, y + 18, bad ? "bad" : "num", "start", text);
}

/* More of them where min and max would look the same. */
static int digits_of(const struct stats *s)
{
	double apart = s->max - s->min;

	return apart > 0 && apart < 1e-4 * s->abs_max ? 9 : 5;
}

static void put_real(struct buf *out, unsigned place, const char *label, bool there, double v,
		bool whole, int digits)
{
	struct svg_num n;

	put_number(out, place, label, there ? svg_real(v, whole, digits, &n) : "–", false);
}

static void put_numbers(const struct stats *s, struct buf *out)
{
	bool real = s->has_numbers;
	int digits = digits_of(s);
	struct svg_num n;

	put_real(out, 0, "min", real, s->min, s->whole, digits);
	put_real(out, 1, "max", real, s->max, s->whole, digits);
	put_real(out, 2, "mean", real, s->mean, false, digits);
	put_real(out, 3, "std", real && s->finite > 1, s->std, false, 5);
	put_real(out, 4, "largest magnitude", s->finite > 0, s->abs_max, s->whole, digits);
	put_number(out, 5, "zeros", svg_count(s->zeros, &n), false);
	put_number(out, 6, "zeros, of all", svg_share(s->zeros, s->count, &n), false);
	put_number(out, 7, "NaN", svg_count(s->nan, &n), s->nan > 0);
	put_number(out, 8, "+Inf", svg_count(s->pos_inf, &n), s->pos_inf > 0);
	put_number(out, 9, "−Inf", svg_count(s->neg_inf, &n), s->neg_inf > 0);
}

/* --- histogram ------------------------------------------------------------------------------ */

static uint64_t tallest(const struct stats *s)
{
	uint64_t most = 0;

	for (unsigned k = 0; k < s->bins; k++)
		if (s->hist[k] > most)
			most = s->hist[k];
	return most;
}

/* Pixels from the left of value v. */
static double place_of(const struct stats *s, double v)
{
	double half = isinf(s->hist_max - s->hist_min) ? 0.5 : 1;

	return PAD + (v * half - s->hist_min * half) /
			(s->hist_max * half - s->hist_min * half) * INNER;
}

/* All bars as one path; counts below what can be seen still get a line. */
static void put_bars(const struct stats *s, const char *cls, bool logs, struct buf *out)
{
	double most = (double)tallest(s), wide = (double)INNER / s->bins;

	buf_printf(out, "<path class=\"%s\" d=\"", cls);
	for (unsigned k = 0; k < s->bins; k++) {
		double n = (double)s->hist[k], high = logs ? log1p(n) / log1p(most) : n / most;

		high *= HIST_HEIGHT;
		if (s->hist[k])
			buf_printf(out, "M%.1f %dv-%.1fh%.1fV%dz", PAD + k * wide + 0.5, HIST_BASE,
					high < 0.7 ? 0.7 : high, wide - 1, HIST_BASE);
	}
	buf_puts(out, "\"/>\n");
}

/* Under its place, or as near as the edge allows. *from and *to: what it covers, with a space. */
static void put_label(const struct stats *s, double v, double *from, double *to, struct buf *out)
{
	struct svg_num n;
	const char *label = svg_real(v, s->whole, digits_of(s), &n);
	double x = place_of(s, v), half = (double)strlen(label) * NUM_WIDE / 2;
	const char *anchor = x - half < PAD ? "start" : x + half > PAD + INNER ? "end" : "middle";

	buf_printf(out, "<path class=\"axis\" d=\"M%.1f %dv5\"/>", x, HIST_BASE);
	x = *anchor == 's' ? PAD : *anchor == 'e' ? PAD + INNER : x;
	svg_text(out, x, HIST_BASE + 19, "num", anchor, label);
	*from = (*anchor == 's' ? x : *anchor == 'e' ? x - 2 * half : x - half) - NUM_WIDE;
	*to = *from + 2 * half + 2 * NUM_WIDE;
}

/* min and max, and 0 where it is between; its label where that does not run into the others. */
static void put_axis(const struct stats *s, struct buf *out)
{
	double zero = place_of(s, 0), from, to, min_to, max_from;

	buf_printf(out, "<path class=\"axis\" d=\"M%d %d.5h%d\"/>\n", PAD, HIST_BASE, INNER);
	put_label(s, s->min, &from, &min_to, out);
	if (s->min == s->max)
		return;
	put_label(s, s->max, &max_from, &to, out);
	if (s->min >= 0 || s->max <= 0)
		return;
	buf_printf(out, "<path class=\"axis\" stroke-dasharray=\"2 3\" d=\"M%.1f %dv%d\"/>\n", zero,
			HIST_TOP, HIST_HEIGHT);
	if (zero - NUM_WIDE / 2 > min_to && zero + NUM_WIDE / 2 < max_from)
		put_label(s, 0, &from, &to, out);
}

static void put_legend(const struct picture *p, struct buf *out)
{
	struct svg_num share, most;
	uint64_t n = tallest(&p->s);
	char text[120];
	int y = HIST_TOP - 12;

	snprintf(text, sizeof text, "%s; the highest bar is %s (%s)",
			p->kind == DECODED_MODULUS        ? "moduli"
			: p->s.finite < p->s.count ? "finite elements"
						   : "values",
			svg_count(n, &most), svg_share(n, p->s.finite, &share));
	svg_text(out, PAD, y, "dim", "start", text);
	buf_printf(out, "<rect class=\"bars\" x=\"%d\" y=\"%d\" width=\"10\" height=\"10\"/>",
			PAD + INNER - 164, y - 9);
	svg_text(out, PAD + INNER - 150, y, "dim", "start", "count");
	buf_printf(out, "<rect class=\"logs\" x=\"%d\" y=\"%d\" width=\"10\" height=\"10\"/>",
			PAD + INNER - 104, y - 9);
	svg_text(out, PAD + INNER - 90, y, "dim", "start", "on a log scale");
}

static void put_hist(const struct picture *p, struct buf *out)
{
	if (p->s.bins) {
		put_legend(p, out);
		put_bars(&p->s, "logs", true, out);
		put_bars(&p->s, "bars", false, out);
		put_axis(&p->s, out);
		return;
	}
	svg_text(out, PAD, HIST_TOP, "dim", "start",
			p->s.count == 0             ? "There are no elements."
			: p->kind == DECODED_RAW ? "Bits that are not numbers: counted by bytes."
						 : "No element is finite.");
}

/* --- heat map ------------------------------------------------------------------------------- */

static double between(double v, double low, double high)
{
	return v < low ? low : v > high ? high : v;
}

/* Pixels of a cell: whole ones, and at most four times as long as wide. */
static void size_cells(struct picture *p)
{
	double wide = between(INNER / p->heat->width, 1, 24);
	double high = between(HEAT_MAX_HEIGHT / p->heat->height, 1, 24);
	double times = p->heat->square ? 1 : 4;

	p->cell_wide = between(wide, 1, times * high);
	p->cell_high = between(high, 1, times * wide);
}

static double heat_bottom(const struct picture *p)
{
	return HEAT_TOP + p->cell_high * p->heat->height;
}

static void put_cells(double x, double y, double wide, double high, struct buf *out)
{
	buf_printf(out, "<g transform=\"translate(%g %g) scale(%g %g) translate(0 .5)\" "
			"fill=\"none\" shape-rendering=\"crispEdges\">\n", x, y, wide, high);
}

static void put_colours(const struct heat *h, double y, struct buf *out)
{
	double wide = HEAT_LEVELS * BAR_CELL;
	struct svg_num n;
	char text[64];

	put_cells(PAD, y, BAR_CELL, 10, out);
	heat_draw_bar(out);
	buf_puts(out, "</g>\n");
	svg_real(h->scale, false, 5, &n);
	snprintf(text, sizeof text, "%s-%s", h->clipped ? "≤ " : "", n.text);
	svg_text(out, PAD, y + 25, "num", "start", text);
	svg_text(out, PAD + wide / 2, y + 25, "num", "middle", "0");
	snprintf(text, sizeof text, "%s%s", h->clipped ? "≥ " : "", n.text);
	svg_text(out, PAD + wide, y + 25, "num", "end", text);
	if (!h->odd)
		return;
	buf_printf(out, "<rect fill=\"%s\" x=\"%g\" y=\"%g\" width=\"10\" height=\"10\"/>",
			HEAT_ODD_COLOUR, PAD + wide + 32, y);
	svg_text(out, PAD + wide + 48, y + 9.5, "dim", "start", "NaN or Inf in it");
}

static void put_heat(const struct picture *p, struct buf *out)
{
	char caption[220];

	snprintf(caption, sizeof caption, "%s%s", p->heat->caption,
			p->kind == DECODED_MODULUS ? ", moduli" : "");
	svg_text(out, PAD, HEAT_TOP - 12, "dim", "start", caption);
	put_cells(PAD, HEAT_TOP, p->cell_wide, p->cell_high, out);
	heat_draw(p->heat, out);
	buf_puts(out, "</g>\n");
	put_colours(p->heat, heat_bottom(p) + 16, out);
}

int svg_of(const struct content *c, enum dtype dt, const int64_t *shape, unsigned ndim,
		struct str title, struct buf *out, struct err *e)
{
	struct picture p = {.kind = decoded_kind(dt), .nbytes = c->size};
	int rc = engine_stats(engine_cpu(), c, dt, &p.s, e);

	if (rc == 0)
		rc = hist_fill(c, dt, &p.s, e);
	if (rc == 0)
		rc = heat_of(c, dt, shape, ndim, &p.heat, e);
	if (rc < 0)
		return rc;
	p.height = p.s.bins ? HIST_BASE + 42 : HIST_TOP + 24;
	if (p.heat) {
		size_cells(&p);
		p.height = (int)heat_bottom(&p) + 64;
	}
	put_head(&p, dt, shape, ndim, title, out);
	put_numbers(&p.s, out);
	put_hist(&p, out);
	if (p.heat)
		put_heat(&p, out);
	buf_puts(out, "</svg>\n");
	free(p.heat);
	return 0;
}
