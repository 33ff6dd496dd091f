/* machine.h - the pickle machine, shared by the files of this room.
 *
 *	stack   a b | c d | e          values (orefs)
 *	marks   2, 4                   stack heights; floor is the topmost, or 0
 *	memo    number -> oref         dense for numbers in sequence, a map for wild ones
 *
 * No opcode may take a value from below the floor. Handlers run with their argument decoded;
 * what they return is 0 or an error that names opcode and offset. Nothing recurses.
 */
#ifndef PICKLE_MACHINE_H
#define PICKLE_MACHINE_H

#include <pthfs/map.h>
#include <pthfs/pickle.h>

enum op_arg {
	ARG_NONE,
	ARG_U1,
	ARG_U2,
	ARG_U4,
	ARG_U8,
	ARG_I4,
	ARG_F8,
	ARG_LINE,
	ARG_LINES,
	ARG_N1,
	ARG_N4,
	ARG_N8,
	ARG_NI
};

#define X(byte, name, arg, proto, wo, handler) OP_##name = byte,
enum op {
#include "opcode.def"
};
#undef X

struct memo {
	VEC(oref) at;       /* OREF_NIL: a gap */
	struct u32map wild; /* keys beyond what is dense, scrambled: a stranger chose them */
	oref last;          /* the one key the map cannot hold */
	uint32_t count;     /* distinct keys */
	uint32_t seed;
};

struct machine {
	struct reader *r;
	struct graph *g;
	struct err *e;
	VEC(oref) stack;
	VEC(uint32_t) marks;
	uint32_t floor;
	struct memo memo;
	uint64_t base; /* offset in the source of the pickle's first byte */
	uint64_t at;   /* offset in the pickle of the opcode that runs */
	uint8_t op;    /* enum op */
	bool stopped;
	uint64_t arg;
	struct str text; /* of a LINE; borrowed from the reader */
	uint64_t merged; /* pairs copied by second BUILDs */
	struct pickle_info info;
};

struct op_info {
	const char *name; /* NULL: no such opcode */
	int (*run)(struct machine *m);
	uint8_t arg, proto, weights_only;
};
extern const struct op_info op_table[256];

#define X(byte, name, arg, proto, wo, handler) int handler(struct machine *m);
#include "opcode.def"
#undef X

int machine_init(struct machine *m, struct reader *r, struct graph *g, struct err *e);
void machine_release(struct machine *m);
/* The next opcode. m->stopped is set when it was STOP. */
int machine_step(struct machine *m);

/* "NAME at byte N: " and the sentence. Returns code. */
int op_err(struct machine *m, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What the reader answered, in words: the end of the data is a truncated pickle. */
int op_read_err(struct machine *m, int code);
/* torch.load(weights_only=True) ends at the opcode that runs. */
void op_not_weights_only(struct machine *m);
/* A maker gave OREF_NIL: out of memory, or over the limit of nodes. */
int op_make_err(struct machine *m);
/* Fewer than k values above the floor. */
int op_underflow(struct machine *m, uint32_t k);

int memo_put(struct memo *memo, uint32_t key, oref r);
oref memo_get(const struct memo *memo, uint32_t key); /* OREF_NIL: undefined */
void memo_init(struct memo *memo);
void memo_release(struct memo *memo);

/* May r get items (APPEND, ADDITEMS), pairs (SETITEM) or state (BUILD)? target.c */
int check_takes_items(struct machine *m, oref r, enum obj_kind seq);
int check_takes_pairs(struct machine *m, oref r);
int set_state(struct machine *m, oref r, oref state);

/* The number in minimal two's complement, little-endian: INT when it fits, else LONG. */
oref make_long(struct machine *m, const char *bytes, size_t n);

static inline uint32_t op_off(const struct machine *m)
{
	return m->at < UINT32_MAX ? (uint32_t)m->at : UINT32_MAX;
}

static inline int need(struct machine *m, uint32_t k)
{
	return m->stack.n - m->floor >= k ? 0 : op_underflow(m, k);
}

static inline oref top(const struct machine *m, uint32_t below)
{
	return m->stack.at[m->stack.n - 1 - below];
}

/* Pushes what a maker returned. */
static inline int push(struct machine *m, oref r)
{
	if (r == OREF_NIL || vec_push(&m->stack, r) < 0)
		return op_make_err(m);
	return 0;
}

#endif
