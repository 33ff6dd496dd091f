/* load.c - the loop: opcode, argument, handler, until STOP.
 *
 * A pickle is a program for a stack machine; here its calls become nodes and are never made. Each
 * opcode's argument is decoded by kind (opcode.def), with every count checked against what is left
 * before anything is allocated; then its handler runs. Memory is bounded by the opcodes read, at
 * most 64 bytes of it a byte: one node (20 bytes), one stack slot and one memo entry each, with
 * half as much again for growing.
 *
 * Not done: finding out what lies behind STOP; callers compare info.length with the size.
 * Follows formats/pickle.md sections 1, 2 and 8.
 */
#include "machine.h"

#include <inttypes.h>
#include <stdio.h>

#define X(byte, opname, kind, since, wo, handler)                                                  \
	[byte] = {.name = #opname,                                                                 \
		.run = handler,                                                                    \
		.arg = ARG_##kind,                                                                 \
		.proto = since,                                                                    \
		.weights_only = wo},
const struct op_info op_table[256] = {
#include "opcode.def"
};
#undef X

int op_err(struct machine *m, int code, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(m->e, code, "%s at byte %" PRIu64 " of the pickle: %s", op_table[m->op].name,
		m->at, text);
}

int op_read_err(struct machine *m, int code)
{
	if (code == ERR_EOF)
		return op_err(m, ERR_TRUNCATED,
			"the argument is cut off, %" PRIu64 " bytes are left", reader_left(m->r));
	err_prefix(m->e, "%s at byte %" PRIu64 " of the pickle", op_table[m->op].name, m->at);
	return code;
}

int op_make_err(struct machine *m)
{
	if (m->g->nodes.n >= 1u << 30)
		return op_err(m, ERR_LIMIT, "over 2^30 objects");
	return err_nomem(m->e);
}

int op_underflow(struct machine *m, uint32_t k)
{
	return op_err(m, ERR_DAMAGED, "%u values wanted, %zu are there%s", k, m->stack.n - m->floor,
		m->marks.n ? " above the mark" : "");
}

void op_not_weights_only(struct machine *m)
{
	if (!m->info.weights_only)
		return;
	m->info.weights_only = false;
	m->info.bad_op = m->op;
	m->info.bad_name = op_table[m->op].name;
	m->info.bad_off = m->at;
}

/* A count of bytes, which must be there. */
static int counted(struct machine *m, uint64_t n)
{
	if (n > reader_left(m->r))
		return op_err(m, ERR_TRUNCATED, "%" PRIu64 " bytes announced, %" PRIu64 " are left",
			n, reader_left(m->r));
	m->arg = n;
	return 0;
}

static int counted_signed(struct machine *m, uint32_t n)
{
	if (n > INT32_MAX)
		return op_err(m, ERR_DAMAGED, "the length is negative (%" PRId32 ")", (int32_t)n);
	return counted(m, n);
}

/* Bytes that hold the argument or its count; 0 for none and for lines. */
static const uint8_t arg_width[] = {
	[ARG_U1] = 1,
	[ARG_U2] = 2,
	[ARG_U4] = 4,
	[ARG_U8] = 8,
	[ARG_I4] = 4,
	[ARG_F8] = 8,
	[ARG_N1] = 1,
	[ARG_N4] = 4,
	[ARG_N8] = 8,
	[ARG_NI] = 4,
	[ARG_LINE] = 0,
	[ARG_LINES] = 0,
	[ARG_NONE] = 0,
};

static uint64_t little(const char *p, unsigned width)
{
	switch (width) {
	case 1:
		return (uint8_t)*p;
	case 2:
		return le16(p);
	case 4:
		return le32(p);
	default:
		return le64(p);
	}
}

static int decode_arg(struct machine *m, enum op_arg kind)
{
	unsigned width = arg_width[kind];
	const char *p;
	int rc;

	if (kind == ARG_LINE) {
		rc = reader_line(m->r, READER_WINDOW, &m->text, m->e);
		return rc < 0 ? op_read_err(m, rc) : 0;
	}
	if (width == 0)
		return 0;
	rc = reader_bytes(m->r, width, &p, m->e);
	if (rc < 0)
		return op_read_err(m, rc);
	m->arg = little(p, width);
	if (kind == ARG_F8)
		m->arg = __builtin_bswap64(m->arg);
	else if (kind == ARG_I4)
		m->arg = (uint64_t)(int64_t)(int32_t)(uint32_t)m->arg;
	else if (kind == ARG_NI)
		return counted_signed(m, (uint32_t)m->arg);
	else if (kind >= ARG_N1)
		return counted(m, m->arg);
	return 0;
}

int machine_step(struct machine *m)
{
	const struct op_info *op;
	int rc;

	m->at = m->r->pos - m->base;
	rc = reader_u8(m->r, &m->op, m->e);
	if (rc == ERR_EOF)
		return err_set(m->e, ERR_TRUNCATED,
			"the pickle ends at byte %" PRIu64 " without STOP", m->at);
	if (rc < 0)
		return rc;
	op = &op_table[m->op];
	if (!op->name)
		return err_set(m->e, ERR_DAMAGED,
			"byte %" PRIu64 " of the pickle (0x%02x) is not an opcode", m->at, m->op);
	m->info.opcodes++;
	if (!op->weights_only)
		op_not_weights_only(m);
	if (op->arg != ARG_NONE) {
		rc = decode_arg(m, op->arg);
		if (rc < 0)
			return rc;
	}
	return op->run(m);
}

int op_stop(struct machine *m)
{
	if (m->marks.n)
		return op_err(m, ERR_DAMAGED, "%zu marks are still open", m->marks.n);
	if (m->stack.n != 1)
		return op_err(m, ERR_DAMAGED, "%zu values on the stack, one expected", m->stack.n);
	m->stopped = true;
	m->info.length = m->at + 1;
	return 0;
}

int op_proto(struct machine *m)
{
	if (m->arg > 5)
		return op_err(
			m, ERR_UNSUPPORTED, "protocol %u, only 0 to 5 are known", (unsigned)m->arg);
	if (m->info.protocol < (int)m->arg)
		m->info.protocol = (int)m->arg;
	return 0;
}

/* A hint for readers that buffer; it has to be true all the same. */
int op_frame(struct machine *m)
{
	if (m->arg > reader_left(m->r))
		return op_err(m, ERR_TRUNCATED,
			"a frame of %" PRIu64 " bytes announced, %" PRIu64 " are left", m->arg,
			reader_left(m->r));
	return 0;
}

int machine_init(struct machine *m, struct reader *r, struct graph *g, struct err *e)
{
	*m = (struct machine){.r = r, .g = g, .e = e, .base = r->pos};
	m->info.weights_only = true;
	memo_init(&m->memo);
	/* So that it is never a null pointer. */
	return vec_room(&m->stack, 64) < 0 ? err_nomem(e) : 0;
}

void machine_release(struct machine *m)
{
	vec_release(&m->stack);
	vec_release(&m->marks);
	memo_release(&m->memo);
}

int pickle_load(
	struct reader *r, struct graph *g, oref *ret, struct pickle_info *info, struct err *e)
{
	struct machine m;
	int rc = machine_init(&m, r, g, e);

	while (rc == 0 && !m.stopped)
		rc = machine_step(&m);
	if (rc == 0) {
		*ret = m.stack.at[0];
		if (info)
			*info = m.info;
	}
	machine_release(&m);
	return rc;
}
