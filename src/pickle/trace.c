/* trace.c - runs the machine opcode by opcode and keeps, for each value on the stack, where it
 * was pushed.
 *
 *	stack   ] 1 2 ( 3 4        from   ] at 2, 1 at 3, 2 at 5, 3 at 8, 4 at 10
 *
 * The opcode is looked at before it runs, while what it takes is still there; whether it may is
 * for the machine to say. The offsets of what it took stay in place until something is pushed.
 */
#include "trace.h"

static oref slot(const struct machine *m, size_t i)
{
	return i < m->stack.n ? m->stack.at[i] : OREF_NIL;
}

/* What the k topmost values are for: an object below them. */
static struct fill into(const struct trace *t, uint32_t k, enum pickle_part part)
{
	const struct machine *m = &t->m;
	uint32_t n = (uint32_t)m->stack.n;
	struct fill f = {.part = part, .n = k};

	if (k >= n)
		return (struct fill){0};
	f.from = t->from.at + (n - k);
	f.holder = slot(m, n - k - 1);
	if (part == PICKLE_KEY)
		obj_pairs(m->g, f.holder, &f.first);
	else
		obj_items(m->g, f.holder, &f.first);
	return f;
}

/* They make a new object. */
static struct fill new_of(const struct trace *t, uint32_t k, enum pickle_part part)
{
	uint32_t n = (uint32_t)t->m.stack.n;

	if (k > n)
		return (struct fill){0};
	return (struct fill){
			.holder = OREF_NIL, .part = part, .n = k, .from = t->from.at + (n - k)};
}

static struct fill before(const struct trace *t, uint8_t op)
{
	uint32_t marked = (uint32_t)t->m.stack.n - t->m.floor;

	switch (op) {
	case OP_APPEND:
		return into(t, 1, PICKLE_ITEM);
	case OP_APPENDS:
	case OP_ADDITEMS:
		return into(t, marked, PICKLE_ITEM);
	case OP_SETITEM:
		return into(t, 2, PICKLE_KEY);
	case OP_SETITEMS:
		return into(t, marked, PICKLE_KEY);
	case OP_TUPLE:
	case OP_LIST:
	case OP_FROZENSET:
	case OP_INST:
		return new_of(t, marked, PICKLE_ITEM);
	case OP_OBJ:
		return new_of(t, marked ? marked - 1 : 0, PICKLE_ITEM);
	case OP_DICT:
		return new_of(t, marked, PICKLE_KEY);
	case OP_TUPLE1:
	case OP_TUPLE2:
	case OP_TUPLE3:
		return new_of(t, op - OP_TUPLE1 + 1u, PICKLE_ITEM);
	case OP_STOP:
		return new_of(t, 1, PICKLE_TOP);
	default:
		return (struct fill){0};
	}
}

/* A new object is on top now; INST's and OBJ's is a call, its arguments are the tuple. */
static oref made_now(const struct machine *m)
{
	oref r = slot(m, m->stack.n - 1), callable, args;

	if ((m->op == OP_INST || m->op == OP_OBJ) && obj_call(m->g, r, &callable, &args))
		return args;
	return r;
}

static bool pushes(uint8_t op)
{
	switch (op) {
	case OP_MARK:
	case OP_STOP:
	case OP_POP:
	case OP_POP_MARK:
	case OP_APPEND:
	case OP_APPENDS:
	case OP_ADDITEMS:
	case OP_SETITEM:
	case OP_SETITEMS:
	case OP_BUILD:
	case OP_PUT:
	case OP_BINPUT:
	case OP_LONG_BINPUT:
	case OP_MEMOIZE:
	case OP_PROTO:
	case OP_FRAME:
	case OP_READONLY_BUFFER:
		return false;
	default:
		return true;
	}
}

static int note_push(struct trace *t)
{
	struct origin o = {.at = (uint32_t)t->m.at, .end = trace_end(t)};
	size_t n = t->m.stack.n;

	while (t->from.n < n)
		if (vec_push(&t->from, o) < 0)
			return err_nomem(t->m.e);
	t->from.at[n - 1] = o;
	return 0;
}

static int trace_step(struct trace *t)
{
	struct machine *m = &t->m;
	struct fill f;
	uint8_t op = OP_STOP;
	int rc;

	if (reader_u8(m->r, &op, m->e) == 0)
		m->r->pos--; /* it is still in the window */
	f = before(t, op);
	rc = machine_step(m);
	if (rc < 0)
		return rc;
	if (f.n && f.holder == OREF_NIL)
		f.holder = made_now(m);
	rc = t->see(t, &f);
	return rc == 0 && pushes(op) ? note_push(t) : rc;
}

int trace_run(struct trace *t, struct reader *r, struct graph *g, struct err *e)
{
	int rc = machine_init(&t->m, r, g, e);

	if (rc == 0 && reader_left(r) > UINT32_MAX)
		rc = err_set(e, ERR_UNSUPPORTED, "a pickle of over 4 GiB is not patched");
	if (rc == 0 && vec_room(&t->from, 64) < 0)
		rc = err_nomem(e);
	while (rc == 0 && !t->m.stopped)
		rc = trace_step(t);
	vec_release(&t->from);
	machine_release(&t->m);
	return rc;
}
