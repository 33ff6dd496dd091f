/* The checksum of bytes (sum.h): what it sees, and that it can be made of pieces. */
#include "engine_kit.h"

#include <pthfs/sum.h>

#define WORDS 5000

static uint32_t words[WORDS];

static uint64_t sum_now(void)
{
	return sum_of(words, sizeof words);
}

static void fresh_words(void)
{
	for (unsigned i = 0; i < WORDS; i++)
		words[i] = (uint32_t)kit_random();
}

/* By hand: the definition at the top of sum.h. */
static void three_words_by_hand(void)
{
	const uint32_t w[] = {7, 0, 0xffffffff};
	const uint8_t five[] = {1, 0, 0, 0, 2};
	uint64_t weight = SUM_WEIGHT;

	EQ_I64(sum_of("", 0), 0);
	EQ_I64(sum_of(w, 4), 7 * weight + 4 * SUM_LENGTH);
	EQ_I64(sum_of(w, 12), 7 * weight + 0xffffffffull * (uint32_t)(5 * weight) +
			12 * SUM_LENGTH);
	EQ_I64(sum_of(five, 5), weight + 2ull * (uint32_t)(3 * weight) + 5 * SUM_LENGTH);
}

static void any_one_word_that_changes_is_seen(void)
{
	uint64_t sum;

	fresh_words();
	sum = sum_now();
	for (unsigned i = 0; i < WORDS; i++) {
		uint32_t was = words[i];

		words[i] ^= 1u << kit_random() % 32;
		OK(sum_now() != sum);
		words[i] = (uint32_t)kit_random();
		OK(sum_now() != sum || words[i] == was);
		words[i] = was;
	}
}

static void two_words_that_change_places_are_seen(void)
{
	uint64_t sum;

	fresh_words();
	sum = sum_now();
	for (unsigned k = 0; k < 2000; k++) {
		size_t i = kit_random() % WORDS, j = kit_random() % WORDS;
		uint32_t was = words[i], other = words[j];

		words[i] = other;
		words[j] = was;
		OK(sum_now() != sum || was == other);
		words[i] = was;
		words[j] = other;
	}
}

/* A weight of 2 i + 1 alone would not see blocks change places that are each other's
 * permutation. */
static void blocks_that_change_places_or_are_stale_are_seen(void)
{
	uint32_t other[64];
	uint64_t sum;

	fresh_words();
	for (unsigned i = 0; i < 64; i++)
		words[1024 + i] = words[512 + (i + 1) % 64];
	sum = sum_now();
	memcpy(other, words + 512, sizeof other);
	memcpy(words + 512, words + 1024, sizeof other);
	OK(sum_now() != sum);
	memcpy(words + 1024, other, sizeof other);
	OK(sum_now() != sum);
	memmove(words + 1, words, sizeof words - 4);
	OK(sum_now() != sum);
}

static void zeros_at_the_end_count(void)
{
	static const uint8_t zeros[100];
	uint64_t seen[101];

	for (unsigned n = 0; n <= 100; n++) {
		seen[n] = sum_of(zeros, n);
		for (unsigned k = 0; k < n; k++)
			OK(seen[k] != seen[n]);
	}
}

static void pieces_in_any_order_make_the_whole(void)
{
	const uint8_t *p = (const uint8_t *)words;
	size_t bytes = sizeof words - 3;
	uint64_t back = 0;
	const struct kernels *k[3];

	fresh_words();
	for (size_t end = bytes, from; end > 0; end = from) {
		from = (end - 1) / 4 * 4;
		from -= from > 400 ? kit_random() % 100 * 4 : from;
		back += sum_piece(p + from, end - from, from / 4);
	}
	EQ_I64(sum_finish(back, bytes), sum_of(p, bytes));
	for (unsigned i = 0, n = kit_kernels(k); i < n; i++)
		for (unsigned len = 0; len < 200; len++)
			EQ_I64(k[i]->sum(p + 4, len, 0xfffffff0u + len),
					sum_piece(p + 4, 4 * len, 0xfffffff0u + len));
}

int main(void)
{
	TEST(three_words_by_hand);
	TEST(any_one_word_that_changes_is_seen);
	TEST(two_words_that_change_places_are_seen);
	TEST(blocks_that_change_places_or_are_stale_are_seen);
	TEST(zeros_at_the_end_count);
	TEST(pieces_in_any_order_make_the_whole);
	return tap_done();
}
