/* card_dtype.c - which kernel reads the elements of a dtype. (formats/torch-objects.md section 2) */
#include "card_dtype.h"

/* Those that are not listed are raw8: bool, and packs of several elements, by their bytes. */
static const struct card_dtype by_dtype[DTYPE_COUNT] = {
	[DTYPE_UINT8] = {CARD_u8, 0},
	[DTYPE_INT8] = {CARD_i8, 0},
	[DTYPE_UINT16] = {CARD_u16, 0},
	[DTYPE_INT16] = {CARD_i16, 0},
	[DTYPE_UINT32] = {CARD_u32, 0},
	[DTYPE_INT32] = {CARD_i32, 0},
	[DTYPE_UINT64] = {CARD_u64, 0},
	[DTYPE_INT64] = {CARD_i64, 0},
	[DTYPE_QINT8] = {CARD_i8, 0},
	[DTYPE_QUINT8] = {CARD_u8, 0},
	[DTYPE_QINT32] = {CARD_i32, 0},
	[DTYPE_FLOAT16] = {CARD_half, 0},
	[DTYPE_BFLOAT16] = {CARD_bfloat16, 0},
	[DTYPE_FLOAT32] = {CARD_f32, 0},
	[DTYPE_FLOAT64] = {CARD_f64, 0},
	[DTYPE_FLOAT8_E5M2] = {CARD_small, SMALL_E5M2},
	[DTYPE_FLOAT8_E4M3FN] = {CARD_small, SMALL_E4M3FN},
	[DTYPE_FLOAT8_E5M2FNUZ] = {CARD_small, SMALL_E5M2FNUZ},
	[DTYPE_FLOAT8_E4M3FNUZ] = {CARD_small, SMALL_E4M3FNUZ},
	[DTYPE_FLOAT8_E8M0FNU] = {CARD_small, SMALL_E8M0},
	[DTYPE_COMPLEX32] = {CARD_chalf, 0},
	[DTYPE_COMPLEX64] = {CARD_cfloat, 0},
	[DTYPE_COMPLEX128] = {CARD_cdouble, 0},
	[DTYPE_BITS16] = {CARD_raw16, 0},
};

struct card_dtype card_dtype(enum dtype dt)
{
	return by_dtype[(unsigned)dt < DTYPE_COUNT ? dt : DTYPE_NONE];
}

void card_tally(struct tally *t, const struct card_part *p)
{
	struct part finite = {.n = p->finite, .zeros = p->zeros, .min = p->min, .max = p->max,
		.sum = p->sum, .m2 = p->m2};

	t->count += p->elements;
	t->nan += p->nan;
	t->pos_inf += p->pos_inf;
	t->neg_inf += p->neg_inf;
	if (!p->finite)
		return;
	finite.mean = p->sum / (double)p->finite;
	tally_part(t, &finite);
}
