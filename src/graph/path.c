/* path.c - the explicit stack of the printers.
 *
 * Hostile nesting may be a million deep, so nothing recurses. Whether a container is its own
 * ancestor is asked for every container met: by looking through the frames while there are few,
 * by a bit per node once the path is longer than SHORT.
 */
#include <stdlib.h>

#include "node.h"
#include "print.h"

#define SHORT 64

bool path_has(const struct path *p, oref r)
{
	if (p->on)
		return r < p->g->nodes.n && (p->on[r / 64] >> r % 64 & 1);
	for (size_t i = 0; i < p->at.n; i++)
		if (p->at.at[i].r == r)
			return true;
	return false;
}

static void mark(struct path *p, oref r, bool on)
{
	if (r >= p->g->nodes.n)
		return;
	p->on[r / 64] &= ~((uint64_t)1 << r % 64);
	p->on[r / 64] |= (uint64_t)on << r % 64;
}

static int use_bits(struct path *p)
{
	p->on = calloc(p->g->nodes.n / 64 + 1, sizeof *p->on);
	if (!p->on)
		return ERR_NOMEM;
	for (size_t i = 0; i < p->at.n; i++)
		mark(p, p->at.at[i].r, true);
	return 0;
}

int path_push(struct path *p, oref r, uint8_t shape)
{
	struct frame f = {.r = r, .shape = shape};

	if (!p->on && p->at.n >= SHORT && use_bits(p) < 0)
		return ERR_NOMEM;
	if (vec_push(&p->at, f) < 0)
		return ERR_NOMEM;
	if (p->on)
		mark(p, r, true);
	return 0;
}

/* A call and its items or pairs are frames of one object: only the outer one takes the bit away. */
void path_pop(struct path *p)
{
	oref r = p->at.at[--p->at.n].r;

	if (p->on && (p->at.n == 0 || p->at.at[p->at.n - 1].r != r))
		mark(p, r, false);
}

void path_release(struct path *p)
{
	vec_release(&p->at);
	free(p->on);
	p->on = NULL;
}
