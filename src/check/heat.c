/* heat.c - a matrix in at most 128 x 128 cells, each the mean of what falls into it.
 *
 * A tensor of more than two dimensions is cut into leading ones (rows) and trailing ones (columns)
 * where that makes it most nearly a square. Cell k of n covers the rows [k * rows / n, (k + 1) *
 * rows / n), so that cells differ by one row at most. One pass in file order.
 *
 * Colours: 33 levels, 0 in the middle. They end at the largest mean, or, when few cells are far
 * out, at the 99.5th percentile: one outlier must not make all others white.
 */
#include "heat.h"
#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- cells -------------------------------------------------------------------------------- */

struct walk {
	struct heat *h;
	uint64_t row, col;     /* of the element that is next */
	unsigned cell_row, cell_col;
	uint64_t row_edge[HEAT_SIDE + 1], col_edge[HEAT_SIDE + 1];
};

void heat_add(struct heat_cell *cell, const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (isfinite(x[i])) {
			cell->sum += x[i];
			cell->n++;
		} else {
			cell->odd = true;
		}
	}
}

/* The edges of n cells over `total` rows or columns; n is set to at most HEAT_SIDE. */
static unsigned edges(uint64_t total, uint64_t *edge)
{
	unsigned n = total < HEAT_SIDE ? (unsigned)total : HEAT_SIDE;

	for (unsigned k = 0; k <= n; k++)
		edge[k] = total / n * k + total % n * k / n;
	return n;
}

/* To the next column cell, and at the end of a row to the next row. */
static void advance(struct walk *w)
{
	if (++w->cell_col < w->h->width)
		return;
	w->cell_col = 0;
	w->col = 0;
	if (++w->row == w->row_edge[w->cell_row + 1])
		w->cell_row++;
}

static void heat_block(void *ctx, double *x, size_t n)
{
	struct walk *w = ctx;

	while (n) {
		uint64_t left = w->col_edge[w->cell_col + 1] - w->col;
		size_t run = n < left ? n : (size_t)left;

		if (w->cell_row == w->h->height)
			return; /* cannot be: rows * cols was compared with the elements */
		heat_add(&w->h->cell[w->cell_row * w->h->width + w->cell_col], x, run);
		x += run;
		n -= run;
		w->col += run;
		if (run == left)
			advance(w);
	}
}

/* --- how to lay a tensor out ---------------------------------------------------------------- */

/* Where to cut the dimensions; false when there are not two of them, or not `elements` elements. */
static bool as_matrix(const int64_t *shape, unsigned ndim, uint64_t elements, uint64_t *rows,
		uint64_t *cols)
{
	uint64_t left = elements, best = 0;
	double best_ratio = INFINITY;

	if (elements == 0)
		return false;
	for (unsigned k = 0; k < ndim; k++) {
		if (shape[k] <= 0 || left % (uint64_t)shape[k])
			return false;
		left /= (uint64_t)shape[k];
		double ratio = fabs(log((double)(elements / left)) - log((double)left));

		if (k + 1 < ndim && ratio < best_ratio) {
			best_ratio = ratio;
			best = left;
		}
	}
	if (left != 1 || best == 0)
		return false;
	*rows = elements / best;
	*cols = best;
	return true;
}

static void matrix_caption(struct heat *h, uint64_t rows, uint64_t cols)
{
	struct svg_num a, b;
	int n = snprintf(h->caption, sizeof h->caption, "%s row%s × %s column%s",
			svg_count(rows, &a), rows == 1 ? "" : "s", svg_count(cols, &b),
			cols == 1 ? "" : "s");

	if (rows != h->height || cols != h->width)
		snprintf(h->caption + n, sizeof h->caption - (size_t)n,
				", each cell the mean of %.3g × %.3g elements",
				(double)rows / h->height, (double)cols / h->width);
}

static int heat_matrix(const struct content *c, enum dtype dt, uint64_t rows, uint64_t cols,
		struct heat *h, struct err *e)
{
	struct walk w = {.h = h};

	h->height = edges(rows, w.row_edge);
	h->width = edges(cols, w.col_edge);
	matrix_caption(h, rows, cols);
	return blocks_each(c, dt, heat_block, &w, e);
}

/* --- colours ------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double cell_mean(const struct heat_cell *cell)
{
	return cell->sum / (double)cell->n;
}

/* The scale; work has room for all cells. */
static void choose_scale(struct heat *h, double *work)
{
	size_t n = 0;

	for (unsigned i = 0; i < h->width * h->height; i++)
		if (h->cell[i].n && !isnan(h->cell[i].sum)) /* Inf - Inf, of huge doubles */
			work[n++] = fabs(cell_mean(&h->cell[i]));
	if (n == 0)
		return;
	qsort(work, n, sizeof *work, ascending);
	h->scale = work[n - 1];
	double most = work[(size_t)((double)(n - 1) * 0.995)];

	if (most > 0 && (!isfinite(h->scale) || h->scale > 1.5 * most)) {
		h->scale = most;
		h->clipped = true;
	}
}

static uint8_t level_of(const struct heat *h, const struct heat_cell *cell)
{
	double at;

	if (cell->odd)
		return HEAT_ODD;
	if (cell->n == 0)
		return HEAT_EMPTY;
	at = h->scale > 0 ? cell_mean(cell) / h->scale : 0;
	at = at > 1 ? 1 : at < -1 ? -1 : at;
	return (uint8_t)(HEAT_LEVELS / 2 + (int)lround((isnan(at) ? 0 : at) * (HEAT_LEVELS / 2)));
}

static int choose_levels(struct heat *h, struct err *e)
{
	double *work = malloc(sizeof h->cell / sizeof *h->cell * sizeof *work);

	if (!work)
		return err_nomem(e);
	choose_scale(h, work);
	free(work);
	for (unsigned i = 0; i < h->width * h->height; i++) {
		h->level[i] = level_of(h, &h->cell[i]);
		h->odd |= h->level[i] == HEAT_ODD;
	}
	return 0;
}

int heat_of(const struct content *c, enum dtype dt, const int64_t *shape, unsigned ndim,
		struct heat **ret, struct err *e)
{
	uint64_t rows, cols;
	struct heat *h;
	int rc;

	*ret = NULL;
	if (decoded_kind(dt) == DECODED_RAW ||
			!as_matrix(shape, ndim, c->size / dtype_info(dt)->size, &rows, &cols))
		return 0;
	h = calloc(1, sizeof *h);
	if (!h)
		return err_nomem(e);
	rc = heat_wants_kernels(shape, ndim) ? heat_kernels(c, dt, shape, h, e)
					     : heat_matrix(c, dt, rows, cols, h, e);
	if (rc == 0)
		rc = choose_levels(h, e);
	if (rc < 0)
		free(h);
	else
		*ret = h;
	return rc;
}

/* --- drawing ------------------------------------------------------------------------------ */

/* Blue below 0, nearly white, red above; between these five the colours are mixed. */
static void put_colour(unsigned level, struct buf *out)
{
	static const uint8_t stop[5][3] = {
		{33, 75, 140}, {107, 160, 207}, {243, 243, 241}, {229, 140, 110}, {158, 32, 40},
	};
	double at = (double)level / (HEAT_LEVELS - 1) * 4;
	unsigned k = at >= 4 ? 3 : (unsigned)at;

	if (level == HEAT_ODD) {
		buf_puts(out, HEAT_ODD_COLOUR);
		return;
	}
	buf_putc(out, '#');
	for (unsigned rgb = 0; rgb < 3; rgb++)
		buf_printf(out, "%02x", (unsigned)lround(stop[k][rgb] +
				(at - k) * (stop[k + 1][rgb] - stop[k][rgb])));
}

/* Horizontal strokes of width 1, neighbours of one colour in one, each relative to the end of the
 * last: some 7 bytes a cell. */
static void put_level(const struct heat *h, unsigned level, struct buf *out)
{
	int from_x = 0, from_y = 0;
	bool any = false;

	for (unsigned y = 0; y < h->height; y++) {
		const uint8_t *row = h->level + y * h->width;

		for (unsigned x = 0, run; x < h->width; x += run) {
			for (run = 1; x + run < h->width && row[x + run] == row[x];)
				run++;
			if (row[x] != level)
				continue;
			if (!any) {
				buf_puts(out, "<path stroke=\"");
				put_colour(level, out);
				buf_puts(out, "\" d=\"M0 0");
			}
			buf_printf(out, "m%d %dh%u", (int)x - from_x, (int)y - from_y, run);
			from_x = (int)(x + run);
			from_y = (int)y;
			any = true;
		}
	}
	if (any)
		buf_puts(out, "\"/>\n");
}

void heat_draw(const struct heat *h, struct buf *out)
{
	for (unsigned level = 0; level <= HEAT_ODD; level++)
		put_level(h, level, out);
}

void heat_draw_bar(struct buf *out)
{
	for (unsigned level = 0; level < HEAT_LEVELS; level++) {
		buf_puts(out, "<path stroke=\"");
		put_colour(level, out);
		buf_printf(out, "\" d=\"M%u 0h1\"/>", level);
	}
	buf_putc(out, '\n');
}
