/* heat.h - a tensor as a picture of at most 128 x 128 coloured cells. Private to the check room. */
#ifndef PTHFS_CHECK_HEAT_H
#define PTHFS_CHECK_HEAT_H

#include <pthfs/decode.h>

#define HEAT_SIDE 128                    /* cells in a row and in a column, gaps included */
#define HEAT_LEVELS 33                   /* colours; the one in the middle is 0 */
#define HEAT_ODD HEAT_LEVELS             /* a NaN or an Inf falls into this cell */
#define HEAT_EMPTY (HEAT_LEVELS + 1)     /* nothing does: a gap between kernels */

struct heat_cell {
	double sum; /* of its finite elements */
	uint64_t n;
	bool odd;
};

struct heat {
	unsigned width, height; /* cells */
	bool square;            /* cells have to be squares */
	bool odd;               /* there are cells that are HEAT_ODD */
	bool clipped;           /* a few cells are beyond the scale */
	double scale;           /* the value of the last colour; the first one is -scale */
	char caption[200];
	struct heat_cell cell[HEAT_SIDE * HEAT_SIDE]; /* row by row, `width` each */
	uint8_t level[HEAT_SIDE * HEAT_SIDE];
};

/* *ret is NULL, and that is no error, for what has no two dimensions or no numbers. free() it. */
int heat_of(const struct content *c, enum dtype dt, const int64_t *shape, unsigned ndim,
		struct heat **ret, struct err *e);

/* heat_kernels.c: convolution filters. h is zeroed; width, height, square, caption and cells are
 * filled in. */
bool heat_wants_kernels(const int64_t *shape, unsigned ndim);
int heat_kernels(const struct content *c, enum dtype dt, const int64_t *shape, struct heat *h,
		struct err *e);

void heat_add(struct heat_cell *cell, const double *x, size_t n);

/* The cells as SVG paths, one a colour, in units of a cell; the colours as a bar of HEAT_LEVELS
 * cells. */
void heat_draw(const struct heat *h, struct buf *out);
void heat_draw_bar(struct buf *out);
#define HEAT_ODD_COLOUR "#e3a008"

#endif
