/* ops_stack.c - opcodes that move values: marks, POP, DUP, and the memo.
 *
 * POP takes the mark away when nothing is above it, as CPython's machine does; everything else
 * stops at the mark. Follows formats/pickle.md sections 2 and 3 (recursion through tuples).
 */
#include "machine.h"

#include <inttypes.h>

static void drop_mark(struct machine *m)
{
	m->marks.n--;
	m->floor = m->marks.n ? m->marks.at[m->marks.n - 1] : 0;
}

int op_mark(struct machine *m)
{
	if (vec_push(&m->marks, (uint32_t)m->stack.n) < 0)
		return err_nomem(m->e);
	m->floor = (uint32_t)m->stack.n;
	return 0;
}

int op_pop(struct machine *m)
{
	if (m->marks.n && m->stack.n == m->floor) {
		drop_mark(m);
		return 0;
	}
	if (need(m, 1) < 0)
		return ERR_DAMAGED;
	m->stack.n--;
	return 0;
}

int op_pop_mark(struct machine *m)
{
	if (!m->marks.n)
		return op_err(m, ERR_DAMAGED, "there is no mark");
	m->stack.n = m->floor;
	drop_mark(m);
	return 0;
}

int op_dup(struct machine *m)
{
	if (need(m, 1) < 0)
		return ERR_DAMAGED;
	return push(m, top(m, 0));
}

static int put(struct machine *m, uint32_t key)
{
	if (need(m, 1) < 0)
		return ERR_DAMAGED;
	return memo_put(&m->memo, key, top(m, 0)) < 0 ? err_nomem(m->e) : 0;
}

static int get(struct machine *m, uint32_t key)
{
	oref r = memo_get(&m->memo, key);

	if (r == OREF_NIL)
		return op_err(m, ERR_DAMAGED, "memo entry %" PRIu32 " was never put", key);
	return push(m, r);
}

int op_put(struct machine *m)
{
	return put(m, (uint32_t)m->arg);
}

int op_get(struct machine *m)
{
	return get(m, (uint32_t)m->arg);
}

int op_memoize(struct machine *m)
{
	m->arg = m->memo.count;
	return put(m, (uint32_t)m->arg);
}

/* A memo number in decimal, into m->arg. */
static int text_key(struct machine *m)
{
	uint64_t v = 0;

	if (m->text.n == 0)
		return op_err(m, ERR_DAMAGED, "no number");
	for (size_t i = 0; i < m->text.n; i++) {
		if (m->text.p[i] < '0' || m->text.p[i] > '9')
			return op_err(m, ERR_DAMAGED, "\"%s\" is not a number", STR_SHOW(m->text));
		v = v * 10 + (unsigned)(m->text.p[i] - '0');
		if (v > UINT32_MAX)
			return op_err(m, ERR_DAMAGED, "%s is no memo number below 2^32",
				STR_SHOW(m->text));
	}
	m->arg = v;
	return 0;
}

int op_put_text(struct machine *m)
{
	return text_key(m) < 0 ? ERR_DAMAGED : put(m, (uint32_t)m->arg);
}

int op_get_text(struct machine *m)
{
	return text_key(m) < 0 ? ERR_DAMAGED : get(m, (uint32_t)m->arg);
}
