/* check_screen.c - is there anything like NaN or Inf in these bytes? Asked while they are in the cache.
 *
 * An element that is not finite has a fixed pattern in some of its bits:
 *
 *	float32   s 11111111 mmm...	x & 0x7f800000 == 0x7f800000
 *	e4m3fn    s 1111 111		x & 0x7f == 0x7f
 *	..fnuz    1 0000 000		x == 0x80
 *
 * so one AND and one comparison an element, many at a time, tell that there is none: and then no tensor
 * of that storage has to be read a second time to be counted. Where the answer is yes, the engine
 * counts. Only what lies in the file as it is (native order) and is looked at as one dtype by all its
 * floating tensors is screened; all else the engine reads.
 */
#include "check_in.h"

#include <stdlib.h>
#include <string.h>

#define MIXED UINT8_MAX

struct pattern {
	uint8_t width; /* bytes; 0: not screened */
	uint64_t mask, bits;
};

static struct pattern pattern_of(enum dtype dt)
{
	switch (dt) {
	case DTYPE_FLOAT64:
	case DTYPE_COMPLEX128:
		return (struct pattern){8, UINT64_C(0x7ff0000000000000), UINT64_C(0x7ff0000000000000)};
	case DTYPE_FLOAT32:
	case DTYPE_COMPLEX64:
		return (struct pattern){4, 0x7f800000, 0x7f800000};
	case DTYPE_FLOAT16:
	case DTYPE_COMPLEX32:
		return (struct pattern){2, 0x7c00, 0x7c00};
	case DTYPE_BFLOAT16:
		return (struct pattern){2, 0x7f80, 0x7f80};
	case DTYPE_FLOAT8_E5M2:
		return (struct pattern){1, 0x7c, 0x7c};
	case DTYPE_FLOAT8_E4M3FN:
		return (struct pattern){1, 0x7f, 0x7f};
	case DTYPE_FLOAT8_E4M3FNUZ:
	case DTYPE_FLOAT8_E5M2FNUZ:
		return (struct pattern){1, 0xff, 0x80};
	case DTYPE_FLOAT8_E8M0FNU:
		return (struct pattern){1, 0xff, 0xff};
	default:
		return (struct pattern){0};
	}
}

/* Vectors of 16 bytes: every processor has them, and four at a time are faster than memory. */
#define SCREEN(bits, name)                                                                         \
	typedef uint##bits##_t vec##bits __attribute__((vector_size(16)));                         \
	static bool name(const char *p, size_t n, uint##bits##_t mask, uint##bits##_t want)        \
	{                                                                                          \
		vec##bits any = {0}, v[4], m = mask - (vec##bits){0}, w = want - (vec##bits){0};   \
		uint##bits##_t x;                                                                  \
		bool odd = false;                                                                  \
		size_t i = 0;                                                                      \
		for (; i + sizeof v <= n; i += sizeof v) {                                         \
			memcpy(v, p + i, sizeof v);                                                \
			any |= (vec##bits)((v[0] & m) == w) | (vec##bits)((v[1] & m) == w) |       \
					(vec##bits)((v[2] & m) == w) |                             \
					(vec##bits)((v[3] & m) == w);                              \
		}                                                                                  \
		for (size_t j = 0; j < sizeof any / sizeof x; j++)                                 \
			odd = odd || any[j];                                                       \
		for (; i + sizeof x <= n; i += sizeof x) {                                         \
			memcpy(&x, p + i, sizeof x);                                               \
			odd = odd || (x & mask) == want;                                           \
		}                                                                                  \
		return odd;                                                                        \
	}
SCREEN(8, screen8)
SCREEN(16, screen16)
SCREEN(32, screen32)
SCREEN(64, screen64)
#undef SCREEN

bool check_screen(enum dtype dt, const char *p, size_t n)
{
	struct pattern t = pattern_of(dt);

	switch (t.width) {
	case 1:
		return screen8(p, n, (uint8_t)t.mask, (uint8_t)t.bits);
	case 2:
		return screen16(p, n, (uint16_t)t.mask, (uint16_t)t.bits);
	case 4:
		return screen32(p, n, (uint32_t)t.mask, (uint32_t)t.bits);
	case 8:
		return screen64(p, n, t.mask, t.bits);
	default:
		return true;
	}
}

int check_screen_init(struct check *k)
{
	const struct model *m = &k->c->model;

	k->screen = calloc(m->storages.n + 1, 1);
	k->clear = calloc(m->storages.n + 1, sizeof *k->clear);
	if (!k->screen || !k->clear)
		return err_nomem(k->e);
	for (size_t i = 0; i < m->tensors.n; i++) {
		const struct tensor *t = &m->tensors.at[i];
		uint8_t *s;

		if (!check_has_nan(t) || t->storage >= m->storages.n)
			continue;
		s = &k->screen[t->storage];
		if (m->storages.at[t->storage].file_off == UINT64_MAX || (*s && *s != t->dtype) ||
				!pattern_of((enum dtype)t->dtype).width)
			*s = MIXED;
		else if (!*s)
			*s = t->dtype;
	}
	for (size_t i = 0; i < m->storages.n; i++)
		if (k->screen[i] == MIXED)
			k->screen[i] = DTYPE_NONE;
	return 0;
}
