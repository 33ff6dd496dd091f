/* heat_kernels.c - convolution filters (out, in, height, width) as a grid of small pictures.
 *
 *	o0i0 o0i1 o0i2   o1i0 o1i1 o1i2   ...
 *	o4i0 o4i1 o4i2   o5i0 ...
 *
 * A row of the grid is some output channels, each with its input channels; between kernels there is
 * a gap of a cell, between output channels of two.
 *
 * Kernels are shown as they are: means over several of them would show nothing of any. Where there
 * is no room for all, as many as fit are taken evenly over the channels. So little of a large
 * tensor is looked at, and there is no pass over all of it.
 */
#include "heat.h"
#include "svg.h"

#include <stdio.h>

#define KERNEL_MAX 16 /* larger ones are pictures of their own: shown as a matrix */

struct grid {
	uint64_t out, in;       /* channels there are */
	unsigned high, wide;    /* of a kernel */
	unsigned rows, blocks;  /* of output channels: `blocks` of them in each of `rows` */
	unsigned shown_out, shown_in;
	unsigned block_gap;
};

bool heat_wants_kernels(const int64_t *shape, unsigned ndim)
{
	return ndim == 4 && shape[2] <= KERNEL_MAX && shape[3] <= KERNEL_MAX &&
			shape[2] * shape[3] > 1;
}

static unsigned grid_width(const struct grid *g)
{
	return g->blocks * (g->shown_in * (g->wide + 1) + g->block_gap) - g->block_gap - 1;
}

static unsigned grid_height(const struct grid *g)
{
	return g->rows * (g->high + 1) - 1;
}

static unsigned at_most(uint64_t n, unsigned limit)
{
	return n < limit ? (unsigned)n : limit;
}

/* As few blocks side by side as make it no higher than wide, if they fit. */
static void lay_out(struct grid *g)
{
	unsigned max_rows = (HEAT_SIDE + 1) / (g->high + 1), max_blocks;

	g->shown_in = at_most(g->in, (HEAT_SIDE + 1) / (g->wide + 1));
	g->block_gap = g->in > 1;
	max_blocks = (HEAT_SIDE + 1 + g->block_gap) / (g->shown_in * (g->wide + 1) + g->block_gap);
	for (g->blocks = 1;; g->blocks++) {
		uint64_t rows = (g->out - 1) / g->blocks + 1;

		g->rows = at_most(rows, max_rows);
		if (g->blocks >= max_blocks || g->blocks >= g->out)
			break;
		if (rows <= max_rows && grid_height(g) <= grid_width(g))
			break;
	}
	g->shown_out = at_most(g->out, g->rows * g->blocks);
}

static void grid_caption(const struct grid *g, struct heat *h)
{
	struct svg_num a, b;
	int n = snprintf(h->caption, sizeof h->caption, "%s × %s kernels of %u × %u",
			svg_count(g->out, &a), svg_count(g->in, &b), g->high, g->wide);

	if (g->shown_out < g->out || g->shown_in < g->in)
		snprintf(h->caption + n, sizeof h->caption - (size_t)n,
				", of which %u × %u are shown, evenly spaced", g->shown_out,
				g->shown_in);
}

/* Which of `all` channels is the k-th of `shown`. */
static uint64_t spread(unsigned k, unsigned shown, uint64_t all)
{
	return all / shown * k + all % shown * k / shown;
}

/* Where kernel (o, i) of those that are shown has its first cell. */
static struct heat_cell *kernel_cell(const struct grid *g, struct heat *h, unsigned o, unsigned i)
{
	unsigned x = o % g->blocks * (g->shown_in * (g->wide + 1) + g->block_gap) +
			i * (g->wide + 1);
	unsigned y = o / g->blocks * (g->high + 1);

	return &h->cell[y * h->width + x];
}

static int one_kernel(const struct content *c, const struct decoder *d, const struct grid *g,
		uint64_t number, struct heat_cell *to, unsigned width, struct err *e)
{
	_Alignas(16) char raw[KERNEL_MAX * KERNEL_MAX * 16] = {0};
	double x[KERNEL_MAX * KERNEL_MAX + DECODE_GROUP];
	size_t n = (size_t)g->high * g->wide, got = 0;
	int rc = content_read(c, raw, n * d->size, number * n * d->size, &got, e);

	if (rc < 0)
		return rc;
	decode(d, raw, whole_groups(n), x);
	for (size_t k = 0; k < got / d->size; k++)
		heat_add(to + k / g->wide * width + k % g->wide, x + k, 1);
	return 0;
}

int heat_kernels(const struct content *c, enum dtype dt, const int64_t *shape, struct heat *h,
		struct err *e)
{
	struct grid g = {.out = (uint64_t)shape[0], .in = (uint64_t)shape[1],
		.high = (unsigned)shape[2], .wide = (unsigned)shape[3]};
	struct decoder d;
	int rc = 0;

	decoder_init(&d, dt);
	lay_out(&g);
	h->square = true;
	h->width = grid_width(&g);
	h->height = grid_height(&g);
	grid_caption(&g, h);
	for (unsigned o = 0; o < g.shown_out && rc == 0; o++) {
		for (unsigned i = 0; i < g.shown_in && rc == 0; i++) {
			uint64_t number = spread(o, g.shown_out, g.out) * g.in +
					spread(i, g.shown_in, g.in);

			rc = one_kernel(c, &d, &g, number, kernel_cell(&g, h, o, i), h->width, e);
		}
	}
	return rc;
}
