/* pickle.h - bytes to object graph. Executes nothing, imports nothing, never recurses.
 *
 * Every opcode of protocols 0 to 5 (formats/pickle.md section 2). What cannot be understood
 * without running code becomes an inert node. Rejected, with the offset: truncated arguments,
 * a missing STOP, stack underflow, pops past a mark, undefined memo entries, odd SETITEMS,
 * protocol > 5, items set on what cannot take them (a tensor, a number). (section 8)
 *
 * Memory: at most 64 bytes a byte of pickle. Long text (OBJ_INLINE_MAX) stays in the source, so
 * a pickle with gigabytes of embedded arrays costs no memory.
 */
#ifndef PTHFS_PICKLE_H
#define PTHFS_PICKLE_H

#include <pthfs/obj.h>
#include <pthfs/reader.h>

struct pickle_info {
	int protocol;      /* highest PROTO seen; 0 when there is none */
	uint64_t length;   /* bytes up to and including STOP */
	uint64_t opcodes;
	bool weights_only; /* only opcodes that torch.load(weights_only=True) takes (torch 2.x) */
	uint8_t bad_op;    /* the first that it does not take */
	uint64_t bad_off;
};

/* Reads one pickle from r (which stands behind its STOP afterwards) into g.
 * ERR_DAMAGED, ERR_TRUNCATED, ERR_LIMIT, ERR_NOMEM, ERR_UNSUPPORTED (protocol > 5), and what the
 * source gives. Call graph_dedupe() once all pickles are in. info may be NULL. */
int pickle_load(struct reader *r, struct graph *g, oref *ret, struct pickle_info *info,
		struct err *e);

#endif
