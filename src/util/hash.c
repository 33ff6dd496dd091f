/* hash.c - hashes of names for tables that check equality.
 *
 * Eight bytes at a time: h = fold((h ^ word) * K), where fold adds the upper half of the 128-bit
 * product into the lower. Names come from files that strangers wrote, so h starts from a seed
 * drawn once per process: whoever chooses the names cannot choose where they collide. For the same
 * reason the values must never reach a file or decide an order.
 */
#include <pthfs/str.h>

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define K0 0x9e3779b97f4a7c15u
#define K1 0xd6e8feb86659fd93u

/* Drawn on first use; threads that meet here agree on the first value stored. 0: not drawn. */
static _Atomic uint64_t seed_drawn;

static uint64_t draw_seed(void)
{
	uint64_t fresh, none = 0;

	/* Early in boot or in a strict sandbox there may be no entropy: an address must do then. */
	if (getrandom(&fresh, sizeof fresh, GRND_NONBLOCK) != (ssize_t)sizeof fresh)
		fresh = (uint64_t)(uintptr_t)&fresh * K1;
	fresh |= 1;
	if (atomic_compare_exchange_strong(&seed_drawn, &none, fresh))
		return fresh;
	return none;
}

static uint64_t seed(void)
{
	uint64_t s = atomic_load_explicit(&seed_drawn, memory_order_relaxed);

	return s ? s : draw_seed();
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The last 1..7 bytes as a word; the length is mixed in apart, so zeros need no marking. */
static uint64_t tail(const char *p, size_t n)
{
	uint64_t w = 0;

	memcpy(&w, p, n);
	return w;
}

uint64_t str_hash(struct str s)
{
	uint64_t h = seed() ^ s.n * K0, w;
	size_t i = 0;

	for (; s.n - i >= 8; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = mix(h ^ w, K1);
	}
	if (i < s.n)
		h = mix(h ^ tail(s.p + i, s.n - i), K1);
	return mix(h, K0);
}

/* Sets bit 0x20 in every byte of w that is 'A'..'Z'. */
static uint64_t lower_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
	uint64_t low = w & ~high;
	uint64_t from_a = low + (0x80 - 'A') * ones, after_z = low + (0x7f - 'Z') * ones;

	return w | ((from_a ^ after_z) & ~w & high) >> 2;
}

uint64_t str_hash_case(struct str s)
{
	uint64_t h = seed() ^ s.n * K0, w;
	size_t i = 0;

	for (; s.n - i >= 8; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = mix(h ^ lower_word(w), K1);
	}
	if (i < s.n)
		h = mix(h ^ lower_word(tail(s.p + i, s.n - i)), K1);
	return mix(h, K0);
}
