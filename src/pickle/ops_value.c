/* ops_value.c - opcodes that push one value: numbers, text, bytes, symbols, opaque things.
 *
 * Text and bytes up to OBJ_INLINE_MAX are copied into the graph; longer ones stay in the source as
 * spans, unread. So their UTF-8 is not checked here. Numbers of LONG1 and LONG4 are brought to
 * their shortest form, and to an INT when they fit.
 */
#include "machine.h"

#include <inttypes.h>
#include <string.h>

int op_none(struct machine *m)
{
	return push(m, OBJ_NONE);
}

int op_true(struct machine *m)
{
	return push(m, OBJ_TRUE);
}

int op_false(struct machine *m)
{
	return push(m, OBJ_FALSE);
}

int op_int(struct machine *m)
{
	return push(m, obj_new_int(m->g, (int64_t)m->arg, op_off(m)));
}

int op_float(struct machine *m)
{
	double v;

	memcpy(&v, &m->arg, sizeof v);
	return push(m, obj_new_float(m->g, v, op_off(m)));
}

/* The m->arg bytes at the reader, which are known to be there. */
static int push_counted(struct machine *m, enum obj_kind kind, uint8_t flags)
{
	const char *p;
	oref r;
	int rc;

	if (m->arg > OBJ_INLINE_MAX) {
		r = obj_new_span(m->g, kind, m->r->src, m->r->pos, m->arg, op_off(m));
		rc = reader_skip(m->r, m->arg, m->e);
	} else {
		rc = reader_bytes(m->r, (size_t)m->arg, &p, m->e);
		if (rc < 0)
			return op_read_err(m, rc);
		r = obj_new_text(m->g, kind, (struct str){p, (size_t)m->arg}, op_off(m));
	}
	if (rc < 0)
		return op_read_err(m, rc);
	if (flags)
		obj_add_flags(m->g, r, flags);
	return push(m, r);
}

int op_str(struct machine *m)
{
	return push_counted(m, OBJ_KIND_STR, 0);
}

int op_bytes(struct machine *m)
{
	return push_counted(m, OBJ_KIND_BYTES, 0);
}

int op_bytearray(struct machine *m)
{
	return push_counted(m, OBJ_KIND_BYTEARRAY, 0);
}

int op_py2str(struct machine *m)
{
	return push_counted(m, OBJ_KIND_BYTES, OBJ_PY2STR);
}

oref make_long(struct machine *m, const char *bytes, size_t n)
{
	const unsigned char *u = (const unsigned char *)bytes;
	unsigned char fill = n && u[n - 1] & 0x80 ? 0xff : 0;
	uint64_t v;

	while (n > 1 && u[n - 1] == fill && (u[n - 2] & 0x80) == (fill & 0x80))
		n--;
	if (n > 8)
		return obj_new_text(m->g, OBJ_KIND_LONG, (struct str){bytes, n}, op_off(m));
	v = fill ? UINT64_MAX : 0;
	for (size_t i = n; i-- > 0;)
		v = v << 8 | u[i];
	return obj_new_int(m->g, (int64_t)v, op_off(m));
}

int op_long(struct machine *m)
{
	const char *p;
	int rc;

	if (m->arg > OBJ_INLINE_MAX)
		return push_counted(m, OBJ_KIND_LONG, 0);
	rc = reader_bytes(m->r, (size_t)m->arg, &p, m->e);
	if (rc < 0)
		return op_read_err(m, rc);
	return push(m, make_long(m, p, (size_t)m->arg));
}

int op_persid(struct machine *m)
{
	if (need(m, 1) < 0)
		return ERR_DAMAGED;
	m->stack.n--;
	return push(m, obj_new_persid(m->g, m->stack.at[m->stack.n], op_off(m)));
}

/* One line as a text of the graph. */
static int read_line(struct machine *m, oref *ret)
{
	struct str line;
	int rc = reader_line(m->r, READER_WINDOW, &line, m->e);

	if (rc < 0)
		return op_read_err(m, rc);
	*ret = obj_new_text(m->g, OBJ_KIND_STR, line, op_off(m));
	return *ret == OREF_NIL ? op_make_err(m) : 0;
}

int op_global(struct machine *m)
{
	oref module, name;
	int rc = read_line(m, &module);

	if (rc == 0)
		rc = read_line(m, &name);
	return rc < 0 ? rc : push(m, obj_new_global(m->g, module, name, op_off(m)));
}

int op_stack_global(struct machine *m)
{
	oref part[2];
	struct str s;

	if (need(m, 2) < 0)
		return ERR_DAMAGED;
	for (int i = 0; i < 2; i++) {
		part[i] = top(m, 1 - (uint32_t)i);
		if (obj_kind(m->g, part[i]) != OBJ_KIND_STR || !obj_text(m->g, part[i], &s))
			return op_err(m, ERR_DAMAGED, "the %s is not a text of at most %d bytes",
				i ? "name" : "module", OBJ_INLINE_MAX);
	}
	m->stack.n -= 2;
	return push(m, obj_new_global(m->g, part[0], part[1], op_off(m)));
}

int op_ext(struct machine *m)
{
	if ((int64_t)m->arg <= 0)
		return op_err(m, ERR_DAMAGED, "extension code %" PRId64 " is not positive",
			(int64_t)m->arg);
	return push(m, obj_new_index(m->g, OBJ_KIND_EXT, (int64_t)m->arg, op_off(m)));
}

int op_next_buffer(struct machine *m)
{
	return push(m, obj_new_index(m->g, OBJ_KIND_EXT, -1, op_off(m)));
}

int op_readonly_buffer(struct machine *m)
{
	enum obj_kind kind;

	if (need(m, 1) < 0)
		return ERR_DAMAGED;
	kind = obj_kind(m->g, top(m, 0));
	if (kind != OBJ_KIND_EXT && kind != OBJ_KIND_BYTES && kind != OBJ_KIND_BYTEARRAY)
		return op_err(m, ERR_DAMAGED, "the top of the stack is not a buffer");
	obj_add_flags(m->g, top(m, 0), OBJ_READONLY);
	return 0;
}
