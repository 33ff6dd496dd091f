/* On a real card, where there is one: every dtype has the reference's numbers, and mean and std are
 * to the bit what the same arithmetic gives on the host. Prints the card's name. */
#include "card_kit.h"

#include "../../src/engine/card_dtype.h"
#include "../standin/kernels.c"

#define LARGEST (40u << 20) /* three chunks */

static struct engine *card;
static uint8_t *bytes;

/* As on the card, in blocks that do not depend on chunks. */
static struct stats on_the_host(enum dtype dt, const uint8_t *p, size_t n)
{
	static struct card_word room[CARD_SPAN_WORDS];
	struct card_dtype as = card_dtype(dt);
	struct card_part part;
	struct stats s = {0};
	struct tally t;

	tally_init(&t);
	for (size_t off = 0; off < n; off += sizeof room) {
		size_t len = n - off < sizeof room ? n - off : sizeof room;

		memset(room, 0, sizeof room);
		memcpy(room, p + off, len);
		standin_launch(as.kind, room, &part,
				(struct card_job){(uint32_t)len, (uint32_t)(off / 4), as.format}, 1);
		card_tally(&t, &part);
	}
	tally_finish(&t, decoded_kind(dt), &s);
	return s;
}

static bool agrees(const char *what, enum dtype dt, const uint8_t *p, size_t n)
{
	struct content c = kit_content(p, n);
	struct stats got = {0}, want = {0}, same = on_the_host(dt, p, n);
	struct err e = {0};
	bool ok;

	if (engine_stats(card, &c, dt, &got, &e) < 0)
		EQ_STR(e.text, "");
	OK(stats_of(&c, dt, &want, NULL) == 0);
	ok = kit_agree(what, &c, dt, &got, &want);
	OK(kit_same_bits(got.mean, same.mean));
	OK(kit_same_bits(got.std, same.std));
	content_release(&c);
	return ok;
}

static void every_dtype_has_the_reference_s_numbers(void)
{
	static const size_t sizes[] = {0, 1, 31, 1000, 65535, 65537, 1u << 20, (3u << 20) + 13};

	for (unsigned dt = 0; dt < DTYPE_COUNT; dt++) {
		for (unsigned f = 0; f < KIT_FLAVOURS; f++) {
			kit_fill((enum dtype)dt, (enum kit_flavour)f, bytes, 4u << 20);
			for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++)
				if (!agrees(kit_flavour_name((enum kit_flavour)f), (enum dtype)dt,
						    bytes, sizes[k]))
					return;
		}
	}
}

static void contents_of_several_chunks(void)
{
	static const enum dtype dts[] = {DTYPE_UINT8, DTYPE_FLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64,
		DTYPE_COMPLEX128, DTYPE_BITS16};

	for (unsigned k = 0; k < ARRAY_SIZE(dts); k++) {
		kit_fill(dts[k], KIT_RANDOM, bytes, LARGEST);
		agrees("large", dts[k], bytes, LARGEST);
		agrees("large", dts[k], bytes, LARGEST - 4097);
	}
}

int main(void)
{
	struct err e = {0};

	if (engine_open("cuda", &card, NULL, &e) < 0) {
		printf("ok 1 - every dtype on a real card # SKIP %s\n1..1\n", e.text);
		return 0;
	}
	printf("# on %s\n", engine_name(card));
	bytes = malloc(LARGEST);
	if (!bytes)
		return 1;
	TEST(every_dtype_has_the_reference_s_numbers);
	TEST(contents_of_several_chunks);
	engine_close(card);
	free(bytes);
	return tap_done();
}
