/* trace.h - the machine, watched: which bytes pushed the values that a container gets. */
#ifndef PICKLE_TRACE_H
#define PICKLE_TRACE_H

#include "machine.h"

/* The opcode that pushed a value, with its argument: offsets in the pickle. */
struct origin {
	uint32_t at, end;
};

/* What an opcode has put where. n is 0 for those that fill nothing. */
struct fill {
	oref holder;
	enum pickle_part part; /* ITEM; KEY: keys and values in turn; TOP */
	uint32_t first;        /* items or pairs that were there before */
	uint32_t n;            /* values */
	const struct origin *from;
};

struct trace {
	struct machine m;
	VEC(struct origin) from; /* by stack slot */
	/* After each opcode. m.op, m.at and m.arg say which (of puts and gets the number); from
	 * is that of the stack before it pushed. 0 or an error that ends it. */
	int (*see)(struct trace *t, const struct fill *f);
	void *ctx;
};

/* Runs the whole pickle, which is at most 4 GiB. g is empty. */
int trace_run(struct trace *t, struct reader *r, struct graph *g, struct err *e);

/* Where the opcode ends that was run last. */
static inline uint32_t trace_end(const struct trace *t)
{
	return (uint32_t)(t->m.r->pos - t->m.base);
}

#endif
