/* The card's arithmetic (src/engine/card.h), compiled for the host: every element is what the
 * reference says it is, and blocks that are joined as on a card have its numbers. */
#include "card_kit.h"

#include "../../src/engine/card_dtype.h"
#include "../standin/kernels.c"

#define LARGEST (3 * CARD_SPAN)

/* In chunks of two spans, so that most contents have several. */
static struct stats judged(enum dtype dt, const uint8_t *p, size_t n)
{
	static struct card_word room[2 * CARD_SPAN_WORDS];
	struct card_part parts[2];
	struct card_dtype as = card_dtype(dt);
	struct stats s = {0};
	struct tally t;
	uint64_t sum = 0;

	tally_init(&t);
	for (size_t off = 0; off < n; off += sizeof room) {
		size_t len = n - off < sizeof room ? n - off : sizeof room;
		struct card_job job = {(uint32_t)len, (uint32_t)(off / 4), as.format};

		memset(room, 0, sizeof room);
		memcpy(room, p + off, len);
		standin_launch(as.kind, room, parts, job, card_blocks(job.bytes));
		for (unsigned b = 0; b < card_blocks(job.bytes); b++) {
			card_tally(&t, &parts[b]);
			sum += parts[b].check;
		}
	}
	tally_finish(&t, decoded_kind(dt), &s);
	s.sum = sum_finish(sum, n);
	return s;
}

static bool agrees(const char *what, enum dtype dt, const uint8_t *p, size_t n)
{
	struct content c = kit_content(p, n);
	struct stats got = judged(dt, p, n), want = {0};
	bool ok;

	OK(stats_of(&c, dt, &want, NULL) == 0);
	ok = kit_agree(what, &c, dt, &got, &want);
	content_release(&c);
	return ok;
}

/* --- elements --------------------------------------------------------------------------------- */

static double card_value_of(enum dtype dt, const void *element)
{
	struct card_dtype as = card_dtype(dt);
	struct card_word w = {{0}};

	memcpy(&w, element, card_size(as.kind));
	return card_value(as.kind, as.format, &w, 0);
}

static double reference_value_of(enum dtype dt, const void *element)
{
	struct decoder d;
	double x[DECODE_GROUP];
	_Alignas(16) char raw[DECODE_GROUP * 16] = {0};

	decoder_init(&d, dt);
	memcpy(raw, element, d.size);
	decode(&d, raw, DECODE_GROUP, x);
	return x[0];
}

static void every_code_of_a_byte_or_two_is_what_the_reference_says(void)
{
	for (unsigned dt = 0; dt < DTYPE_COUNT; dt++) {
		unsigned size = card_size(card_dtype((enum dtype)dt).kind);

		for (unsigned code = 0; size <= 2 && code < 1u << 8 * size; code++) {
			uint16_t bits = (uint16_t)code;

			if (!kit_same_bits(card_value_of((enum dtype)dt, &bits),
					    reference_value_of((enum dtype)dt, &bits))) {
				OK(!"another value");
				printf("# %s, code 0x%x\n", dtype_info((enum dtype)dt)->name, code);
				return;
			}
		}
	}
}

static void wide_elements_are_what_the_reference_says(void)
{
	for (unsigned dt = 0; dt < DTYPE_COUNT; dt++) {
		for (unsigned f = 0; f < KIT_FLAVOURS; f++) {
			uint8_t p[64 * 16];

			kit_fill((enum dtype)dt, (enum kit_flavour)f, p, sizeof p);
			for (unsigned k = 0; k < 64; k++)
				OK(kit_same_bits(card_value_of((enum dtype)dt, p + 16 * k),
						reference_value_of((enum dtype)dt, p + 16 * k)));
		}
	}
}

/* Decoders read whole elements: their size must be the reference's, or counts would differ. */
static void elements_have_the_size_that_the_reference_gives_them(void)
{
	for (unsigned dt = 0; dt < DTYPE_COUNT; dt++) {
		struct decoder d;

		decoder_init(&d, (enum dtype)dt);
		EQ_I64(card_size(card_dtype((enum dtype)dt).kind), d.size);
	}
}

static void a_modulus_is_right_to_an_ulp_wherever_its_parts_lie(void)
{
	uint64_t state = 7;

	for (unsigned k = 0; k < 20000; k++) {
		double re = ldexp((double)(kit_random(&state) >> 11), (int)(k % 2000) - 1076);
		double im = ldexp((double)(kit_random(&state) >> 11), (int)(k % 2000) - 1080);
		long double want = hypotl(re, im);

		if (want > DBL_MAX)
			EQ_F64(modulus(re, im), DBL_MAX);
		else
			NEAR(modulus(re, im), (double)want, (double)(want * 0x1p-52L) + 0x1p-1074);
	}
	EQ_F64(modulus(3, -4), 5);
	EQ_F64(modulus(0, -0x1p-1074), 0x1p-1074);
	EQ_F64(modulus(-INFINITY, 1), INFINITY);
	EQ_F64(modulus(INFINITY, NAN), NAN);
	EQ_F64(modulus(DBL_MAX, DBL_MAX), DBL_MAX);
}

/* --- runs of them ------------------------------------------------------------------------------ */

static void every_dtype_has_the_reference_s_numbers(void)
{
	static const size_t sizes[] = {0, 1, 7, 16, 1000, CARD_SPAN - 1, 2 * CARD_SPAN + 13, LARGEST};
	static uint8_t p[LARGEST];

	for (unsigned dt = 0; dt < DTYPE_COUNT; dt++) {
		for (unsigned f = 0; f < KIT_FLAVOURS; f++) {
			kit_fill((enum dtype)dt, (enum kit_flavour)f, p, sizeof p);
			for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++)
				if (!agrees(kit_flavour_name((enum kit_flavour)f), (enum dtype)dt,
						    p, sizes[k]))
					return;
		}
	}
}

/* A marker at the end: each border of words, rounds of a block and spans, and a byte around them. */
static void no_byte_is_lost_or_seen_twice_at_any_border(void)
{
	static const size_t borders[] = {16, 32, 16 * CARD_THREADS, 32 * CARD_THREADS, CARD_SPAN,
		2 * CARD_SPAN};
	static uint8_t p[LARGEST];

	for (unsigned k = 0; k < ARRAY_SIZE(borders); k++) {
		for (size_t n = borders[k] - 9; n < borders[k] + 9; n++) {
			memset(p, 1, sizeof p);
			p[n - 1] = 200;
			p[n] = 250; /* behind the end: nobody may see it */
			agrees("a border", DTYPE_UINT8, p, n);
			agrees("a border", DTYPE_FLOAT16, p, n);
			agrees("a border", DTYPE_COMPLEX128, p, n);
		}
	}
}

/* Sums and squares of them are over the range, and that of two are none: still no element is. */
static void the_largest_numbers_are_not_infinite(void)
{
	const double v[] = {DBL_MAX, 1, -DBL_MAX, DBL_MAX, DBL_MAX, INFINITY, -INFINITY, NAN};
	const double c[] = {DBL_MAX, DBL_MAX, -DBL_MAX, 0, INFINITY, NAN, INFINITY, 1};
	struct stats s = judged(DTYPE_FLOAT64, (const uint8_t *)v, sizeof v);

	EQ_I64(s.pos_inf, 1);
	EQ_I64(s.neg_inf, 1);
	EQ_I64(s.finite, 5);
	EQ_F64(s.max, DBL_MAX);
	EQ_F64(s.min, -DBL_MAX);
	EQ_F64(s.std, INFINITY);
	agrees("largest", DTYPE_FLOAT64, (const uint8_t *)v, sizeof v);
	agrees("largest", DTYPE_COMPLEX128, (const uint8_t *)c, sizeof c);
	s = judged(DTYPE_COMPLEX128, (const uint8_t *)c, sizeof c);
	EQ_I64(s.finite, 2);
	EQ_F64(s.abs_max, DBL_MAX);
}

/* 1e9 and a half: a sum of squares minus the square of the sum would be noise. */
static void std_does_not_cancel(void)
{
	static double v[LARGEST / 8];
	struct stats s;

	for (unsigned i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = 1e9 + (i % 2 ? 0.5 : -0.5);
	s = judged(DTYPE_FLOAT64, (const uint8_t *)v, sizeof v);
	EQ_F64(s.mean, 1e9);
	NEAR(s.std, 0.5 * sqrt(1.0 * ARRAY_SIZE(v) / (ARRAY_SIZE(v) - 1)), 1e-12);
}

/* What src/engine/README.md promises of the mean, against sums of 64 bits of mantissa. */
static void the_mean_keeps_its_bound(void)
{
	static uint8_t p[LARGEST];
	static const enum dtype dts[] = {DTYPE_FLOAT64, DTYPE_FLOAT32, DTYPE_BFLOAT16,
		DTYPE_FLOAT16, DTYPE_INT64};

	for (unsigned k = 0; k < ARRAY_SIZE(dts); k++) {
		struct content c = kit_content(p, sizeof p);
		struct stats s;
		struct decoder d;
		long double sum = 0;
		double x[DECODE_GROUP];

		kit_fill(dts[k], dts[k] == DTYPE_INT64 ? KIT_RANDOM : KIT_WEIGHTS, p, sizeof p);
		decoder_init(&d, dts[k]);
		for (size_t i = 0; i < sizeof p; i += DECODE_GROUP * d.size) {
			decode(&d, p + i, DECODE_GROUP, x);
			for (unsigned j = 0; j < DECODE_GROUP; j++)
				sum += x[j];
		}
		s = judged(dts[k], p, sizeof p);
		NEAR(s.mean, (double)(sum / s.finite),
				48 * UNIT_ROUNDING * kit_mean_abs(&c, dts[k], s.finite));
		content_release(&c);
	}
}

/* The checksum tells a place from another: the same bytes later in the run have another part. */
static void the_checksum_of_a_chunk_depends_on_where_it_lies(void)
{
	static struct card_word w[4] = {{{1, 2, 3, 4}}};
	struct card_part at_0, at_4;

	standin_launch(CARD_u8, w, &at_0, (struct card_job){16, 0, 0}, 1);
	standin_launch(CARD_u8, w, &at_4, (struct card_job){16, 4, 0}, 1);
	OK(at_0.check == sum_piece(w, 16, 0));
	OK(at_4.check == sum_piece(w, 16, 4));
	OK(at_0.check != at_4.check);
}

int main(void)
{
	TEST(every_code_of_a_byte_or_two_is_what_the_reference_says);
	TEST(wide_elements_are_what_the_reference_says);
	TEST(elements_have_the_size_that_the_reference_gives_them);
	TEST(a_modulus_is_right_to_an_ulp_wherever_its_parts_lie);
	TEST(every_dtype_has_the_reference_s_numbers);
	TEST(no_byte_is_lost_or_seen_twice_at_any_border);
	TEST(the_largest_numbers_are_not_infinite);
	TEST(std_does_not_cancel);
	TEST(the_mean_keeps_its_bound);
	TEST(the_checksum_of_a_chunk_depends_on_where_it_lies);
	return tap_done();
}
