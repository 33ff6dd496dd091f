/* signs.c - elements whose sign bits are flipped: torch's conjugate and negative views.
 *
 * formats/torch-objects.md section 3 ("metadata"). Floats are a matter of one bit of the byte that
 * holds the sign, wherever a request begins. Integers are negated as two's complement, for which
 * the whole element is read. conj of a real type changes nothing. float8 fnuz types have no
 * negative zero: that pattern is their NaN, and stays what it is, as 0 does.
 *
 * A type of which nobody knows what negative means is refused when the source is made: unsigned
 * floats, bits, bool, packed types. torch makes no such views.
 */
#include "signs.h"

#include <stdlib.h>
#include <string.h>

#include <pthfs/content.h>

enum how { BY_SIGN_BIT, BY_NEGATION, BY_FNUZ, BY_NOTHING };

struct signs {
	struct source s;
	struct source *from;
	enum how how;
	unsigned width;       /* bytes of a real */
	bool complex;         /* reals come in pairs: real part, imaginary part */
	bool flip_re, flip_im;
};

static const uint16_t one = 1;

/* Which byte of a real holds the sign, and in which order carries go. */
static bool little_endian(void)
{
	return *(const unsigned char *)&one == 1;
}

static void flip_bits(const struct signs *st, unsigned char *p, size_t len, uint64_t off)
{
	uint64_t w = st->width, at = little_endian() ? w - 1 : 0;
	/* first byte of a sign at or behind off */
	uint64_t i = (off % w <= at ? at - off % w : at + w - off % w);

	for (; i < len; i += w) {
		bool im = st->complex && (off + i) / w % 2;

		if (im ? st->flip_im : st->flip_re)
			p[i] ^= 0x80;
	}
}

static void flip_fnuz(unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] & 0x7f)
			p[i] ^= 0x80;
}

static void negate(unsigned char *p, unsigned w)
{
	unsigned carry = 1;

	for (unsigned i = 0; i < w; i++) {
		unsigned char *b = little_endian() ? p + i : p + w - 1 - i;
		unsigned v = (unsigned char)~*b + carry;

		*b = (unsigned char)v;
		carry = v >> 8;
	}
}

/* Whole integers where they are in buf; one that is cut is read on its own. */
static int negate_range(struct signs *st, unsigned char *p, size_t len, uint64_t off, struct err *e)
{
	unsigned w = st->width;

	while (len > 0) {
		unsigned char whole[16];
		size_t skip = off % w, n = w - skip;
		int rc;

		n = n < len ? n : len;
		if (n == w) {
			negate(p, w);
		} else {
			rc = source_read(st->from, whole, w, off - skip, e);
			if (rc < 0)
				return rc;
			negate(whole, w);
			memcpy(p, whole + skip, n);
		}
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int signs_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct signs *st = (struct signs *)s;
	int rc = source_read(st->from, buf, len, off, e);

	if (rc < 0)
		return rc;
	if (st->how == BY_NEGATION)
		return negate_range(st, buf, len, off, e);
	if (st->how == BY_SIGN_BIT)
		flip_bits(st, buf, len, off);
	else if (st->how == BY_FNUZ)
		flip_fnuz(buf, len);
	return 0;
}

static void signs_close(struct source *s)
{
	struct signs *st = (struct signs *)s;

	source_unref(st->from);
	free(st);
}

static const struct source_ops signs_ops = {
	.name = "signs",
	.read_at = signs_read_at,
	.close = signs_close,
};

/* How a type is negated; false: nobody knows. */
static bool negation_of(enum dtype dt, enum how *ret)
{
	unsigned flags = dtype_info(dt)->flags;

	if (flags & DT_SUBBYTE)
		return false;
	if (dt == DTYPE_FLOAT8_E5M2FNUZ || dt == DTYPE_FLOAT8_E4M3FNUZ)
		*ret = BY_FNUZ;
	else if (flags & (DT_FLOAT | DT_COMPLEX) && flags & DT_SIGNED)
		*ret = BY_SIGN_BIT;
	else if (flags & DT_INT)
		*ret = BY_NEGATION;
	else
		return false;
	return true;
}

/* Sets all but the source. */
static int setup(struct signs *st, enum dtype dt, bool conj, bool neg, struct err *e)
{
	const struct dtype_info *info = dtype_info(dt);

	st->complex = info->flags & DT_COMPLEX;
	st->how = BY_NOTHING;
	if ((neg || (conj && st->complex)) && !negation_of(dt, &st->how))
		return err_set(e, ERR_UNSUPPORTED, "a negative view of %s has no known meaning",
				info->name);
	st->width = st->complex ? info->size / 2u : info->size;
	st->flip_re = neg;
	st->flip_im = neg != conj;
	return 0;
}

int source_signs(struct source *s, enum dtype dt, bool conj, bool neg, struct source **ret,
		struct err *e)
{
	struct signs *st = calloc(1, sizeof *st);
	int rc;

	if (!st)
		return err_nomem(e);
	rc = setup(st, dt, conj, neg, e);
	if (rc < 0) {
		free(st);
		return rc;
	}
	source_init(&st->s, &signs_ops, s->size - s->size % dtype_info(dt)->size);
	st->from = source_ref(s);
	*ret = &st->s;
	return 0;
}

int signs_known(enum dtype dt, bool conj, bool neg, struct err *e)
{
	struct signs st;

	return setup(&st, dt, conj, neg, e);
}

void signs_apply(enum dtype dt, bool conj, bool neg, void *elements, size_t n)
{
	size_t len = n * dtype_info(dt)->size;
	unsigned char *p = elements;
	struct signs st;

	if (setup(&st, dt, conj, neg, NULL) < 0)
		return;
	if (st.how == BY_SIGN_BIT)
		flip_bits(&st, p, len, 0);
	else if (st.how == BY_FNUZ)
		flip_fnuz(p, len);
	else if (st.how == BY_NEGATION)
		for (size_t i = 0; i < len; i += st.width)
			negate(p + i, st.width);
}
