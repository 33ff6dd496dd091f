/* patch.c - other values in the bytes that are there (formats/pickle.md section 6).
 *
 *	X a q0 ... h0 ... h0      the first one becomes "b":
 *	X b q0 ... X a q0 ... h0
 *
 * A value is replaced at the opcode that pushes it; puts behind it stay, so that numbers which are
 * counted (MEMOIZE) stay, too. Where others get it, the old opcode is repeated in the place of the
 * first of them, and put again. FRAME lengths follow. Everything else keeps its bytes.
 *
 * All opcodes used are ones that every reader takes, TorchScript's included: whose LONG1 has
 * always eight bytes.
 */
#include "patch.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#define PUT_SIZE 5

void pickle_patch_release(struct pickle_patch *p)
{
	for (size_t i = 0; i < p->at.n; i++)
		free(p->at.at[i].bytes);
	vec_release(&p->at);
}

static void put_op(struct buf *b, uint8_t op, uint64_t arg, unsigned width)
{
	arg = htole64(arg);
	buf_putc(b, (char)op);
	buf_put(b, &arg, width);
}

static void put_int(struct buf *b, int64_t v)
{
	if (v >= 0 && v < 256)
		put_op(b, OP_BININT1, (uint64_t)v, 1);
	else if (v >= 0 && v < 65536)
		put_op(b, OP_BININT2, (uint64_t)v, 2);
	else if (v >= INT32_MIN && v <= INT32_MAX)
		put_op(b, OP_BININT, (uint64_t)v, 4);
	else {
		put_op(b, OP_LONG1, 8, 1);
		v = (int64_t)htole64((uint64_t)v);
		buf_put(b, &v, sizeof v);
	}
}

static void put_float(struct buf *b, double f)
{
	uint64_t bits;

	memcpy(&bits, &f, sizeof bits);
	bits = htobe64(bits);
	buf_putc(b, OP_BINFLOAT);
	buf_put(b, &bits, sizeof bits);
}

/* The text in the place of the opcode `old`: Python 2's strings stay such. */
static int put_str(struct buf *b, struct str s, uint8_t old, struct err *e)
{
	bool py2 = old == OP_STRING || old == OP_BINSTRING || old == OP_SHORT_BINSTRING;

	if (s.n > INT32_MAX)
		return err_set(e, ERR_UNSUPPORTED, "a text of %zu bytes", s.n);
	if (py2 && s.n < 256)
		put_op(b, OP_SHORT_BINSTRING, s.n, 1);
	else
		put_op(b, py2 ? OP_BINSTRING : OP_BINUNICODE, s.n, 4);
	buf_str(b, s);
	return 0;
}

static int put_value(struct buf *b, const struct pickle_edit *edit, uint8_t old, struct err *e)
{
	switch (edit->kind) {
	case OBJ_KIND_NONE:
		buf_putc(b, OP_NONE);
		return 0;
	case OBJ_KIND_BOOL:
		buf_putc(b, (char)(edit->v ? OP_NEWTRUE : OP_NEWFALSE));
		return 0;
	case OBJ_KIND_INT:
		put_int(b, edit->v);
		return 0;
	case OBJ_KIND_FLOAT:
		put_float(b, edit->f);
		return 0;
	case OBJ_KIND_STR:
		return put_str(b, edit->s, old, e);
	default:
		return err_set(e, ERR_UNSUPPORTED,
				"only None, bools, numbers and text are put into a pickle");
	}
}

/* What is there now; OREF_NIL: nothing. Of PICKLE_TOP g does not know. */
static oref old_value(const struct graph *g, const struct pickle_edit *edit)
{
	bool pairs = edit->part != PICKLE_ITEM;
	uint32_t n;
	const oref *at = pairs ? obj_pairs(g, edit->holder, &n) : obj_items(g, edit->holder, &n);

	if (edit->i >= n)
		return OREF_NIL;
	return pairs ? at[2 * (size_t)edit->i + (edit->part == PICKLE_VALUE)] : at[edit->i];
}

int patch_check_old(const struct graph *g, oref r, struct err *e)
{
	switch (obj_kind(g, r)) {
	case OBJ_KIND_NONE:
	case OBJ_KIND_BOOL:
	case OBJ_KIND_INT:
	case OBJ_KIND_LONG:
	case OBJ_KIND_FLOAT:
	case OBJ_KIND_STR:
		return 0;
	case OBJ_KIND_BYTES:
		if (!(obj_flags(g, r) & OBJ_READONLY))
			return 0;
		break;
	default:
		break;
	}
	return err_set(e, ERR_UNSUPPORTED,
			"only None, bools, numbers and text are replaced in a pickle, not what was "
			"made at byte %" PRIu32,
			obj_off(g, r));
}

static int check_edit(const struct graph *g, const struct pickle_edit *edit, struct err *e)
{
	oref r;

	if (edit->part == PICKLE_TOP)
		return 0;
	r = old_value(g, edit);
	if (r != OREF_NIL)
		return patch_check_old(g, r, e);
	return err_set(e, ERR_ABSENT,
			"the object made at byte %" PRIu32 " of the pickle has no part %" PRIu32,
			obj_off(g, edit->holder), edit->i);
}

/* One opcode that pushes a value by itself. */
static bool replaceable(uint8_t op)
{
	static const uint8_t ops[] = {OP_FLOAT, OP_BINFLOAT, OP_INT, OP_BININT, OP_BININT1, OP_LONG,
			OP_BININT2, OP_NONE, OP_STRING, OP_BINSTRING, OP_SHORT_BINSTRING,
			OP_UNICODE, OP_BINUNICODE, OP_GET, OP_BINGET, OP_LONG_BINGET, OP_NEWTRUE,
			OP_NEWFALSE, OP_LONG1, OP_LONG4, OP_BINBYTES, OP_SHORT_BINBYTES,
			OP_SHORT_BINUNICODE, OP_BINUNICODE8, OP_BINBYTES8, OP_DUP};

	return memchr(ops, op, sizeof ops) != NULL;
}

/* Takes b's bytes over. */
static int add_change(struct pickle_patch *p, struct origin where, struct buf *b, struct err *e)
{
	struct pickle_change c = {.off = where.at, .len = where.end - where.at};

	if (b->failed)
		return err_nomem(e);
	c.bytes = buf_steal(b, &c.n);
	if (vec_push(&p->at, c) == 0)
		return 0;
	free(c.bytes);
	return err_nomem(e);
}

/* The old opcode of a spot, in the place of the first get, and its put. */
static int define_again(const struct spot *spot, struct source *src, uint64_t off,
		struct pickle_patch *p, struct buf *b, struct err *e)
{
	uint32_t n = spot->from.end - spot->from.at;
	char *old = malloc(n);
	int rc = old ? source_read(src, old, n, off + spot->from.at, e) : err_nomem(e);

	if (rc == 0 && (old[0] == OP_GET || old[0] == OP_BINGET || old[0] == OP_LONG_BINGET ||
				       old[0] == OP_DUP))
		rc = err_set(e, ERR_UNSUPPORTED,
				"the value at byte %" PRIu32
				" of the pickle is got from elsewhere and put again",
				spot->from.at);
	if (rc == 0) {
		buf_put(b, old, n);
		if (spot->number < 256)
			put_op(b, OP_BINPUT, spot->number, 1);
		else
			put_op(b, OP_LONG_BINPUT, spot->number, 4);
		rc = add_change(p, spot->use, b, e);
	}
	free(old);
	return rc;
}

static int change_spot(const struct spot *spot, struct source *src, uint64_t off,
		struct pickle_patch *p, struct err *e)
{
	char op = 0;
	struct buf b;
	int rc = source_read(src, &op, 1, off + spot->from.at, e);

	if (rc < 0)
		return rc;
	if (!replaceable((uint8_t)op))
		return err_set(e, ERR_UNSUPPORTED,
				"the value at byte %" PRIu32 " of the pickle (%s) is more than one "
				"opcode",
				spot->from.at, op_table[(uint8_t)op].name);
	buf_init(&b, SIZE_MAX);
	rc = put_value(&b, spot->edit, (uint8_t)op, e);
	if (rc == 0)
		rc = add_change(p, spot->from, &b, e);
	if (rc == 0 && spot->used)
		rc = define_again(spot, src, off, p, &b, e);
	buf_release(&b);
	return rc;
}

/* New lengths for the frames in which something changes. */
static int change_frames(const struct spots *s, struct pickle_patch *p, struct err *e)
{
	size_t n = p->at.n;
	struct buf b;
	int rc = 0;

	for (size_t i = 0; i < s->frames.n && rc == 0; i++) {
		struct origin f = s->frames.at[i], arg = {f.at + 1, f.at + 9};
		uint64_t len = f.end - arg.end;
		bool touched = false;

		for (size_t k = 0; k < n; k++) {
			const struct pickle_change *c = &p->at.at[k];

			if (c->off < arg.end || c->off >= f.end)
				continue;
			if (c->len > f.end - c->off)
				return err_set(e, ERR_UNSUPPORTED,
						"the frame at byte %" PRIu32
						" of the pickle ends within an opcode",
						f.at);
			len += c->n - c->len; /* wraps and comes back */
			touched = true;
		}
		if (!touched)
			continue;
		len = htole64(len);
		buf_init(&b, 8);
		buf_put(&b, &len, 8);
		rc = add_change(p, arg, &b, e);
		buf_release(&b);
	}
	return rc;
}

static int by_offset(const void *a, const void *b)
{
	const struct pickle_change *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static int make_patch(const struct spots *s, struct source *src, uint64_t off,
		struct pickle_patch *p, struct err *e)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->n && rc == 0; i++)
		rc = change_spot(&s->at[i], src, off, p, e);
	if (rc == 0)
		rc = change_frames(s, p, e);
	if (rc == 0 && p->at.n)
		qsort(p->at.at, p->at.n, sizeof *p->at.at, by_offset);
	return rc;
}

int pickle_patch(struct source *src, uint64_t off, uint64_t len, const struct graph *g,
		const struct pickle_edit *edits, uint32_t n, struct pickle_patch *ret,
		struct err *e)
{
	struct spots s = {.n = n, .g = g};
	struct pickle_patch p = {0};
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = check_edit(g, &edits[i], e);
	if (rc < 0)
		return rc;
	s.at = calloc(n ? n : 1, sizeof *s.at);
	if (!s.at)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		s.at[i].edit = &edits[i];
		s.at[i].holder_off = edits[i].part == PICKLE_TOP ? UINT32_MAX
								 : obj_off(g, edits[i].holder);
	}
	rc = spots_find(&s, src, off, len, e);
	if (rc == 0)
		rc = make_patch(&s, src, off, &p, e);
	if (rc == 0)
		*ret = p;
	else
		pickle_patch_release(&p);
	vec_release(&s.frames);
	free(s.at);
	return rc;
}

/* [from, to) of the old bytes. */
static int copy(struct source *src, uint64_t from, uint64_t to, const struct pickle_out *out,
		struct err *e)
{
	char piece[4096];
	size_t n;
	int rc = 0;

	if (out->run && from < to)
		return out->run(out->ctx, src, from, to - from, e);
	for (; from < to && rc == 0; from += n) {
		n = to - from < sizeof piece ? (size_t)(to - from) : sizeof piece;
		rc = source_read(src, piece, n, from, e);
		if (rc == 0)
			rc = out->bytes(out->ctx, piece, n, e);
	}
	return rc;
}

int pickle_patch_write(const struct pickle_patch *p, struct source *src, uint64_t off, uint64_t len,
		const struct pickle_out *out, struct err *e)
{
	uint64_t at = 0;
	int rc = 0;

	for (size_t i = 0; i < p->at.n && rc == 0; i++) {
		const struct pickle_change *c = &p->at.at[i];

		rc = copy(src, off + at, off + c->off, out, e);
		if (rc == 0 && c->n)
			rc = out->bytes(out->ctx, c->bytes, c->n, e);
		at = c->off + c->len;
	}
	return rc < 0 ? rc : copy(src, off + at, off + len, out, e);
}
