/* memo.c - numbers to objects.
 *
 * Picklers count from 0, so nearly every key is the next index of a vector. A key beyond twice the
 * number of entries goes to a map: "]r<ff ff ff ff>" is ten bytes and costs no gigabytes (CPython:
 * CVE-2018-20406). A key that is dense once stays dense, so a lookup asks the vector first and
 * sees the latest put.
 *
 * Keys of the map are scrambled with a seed of this run: chosen keys must not meet in one slot.
 */
#include "machine.h"

#define SLACK 1024 /* entries */
#define NO_KEY UINT32_MAX

void memo_init(struct memo *memo)
{
	*memo = (struct memo){.last = OREF_NIL, .seed = (uint32_t)str_hash(STR("memo"))};
}

void memo_release(struct memo *memo)
{
	vec_release(&memo->at);
	u32map_release(&memo->wild);
}

/* One to one. */
static uint32_t scramble(const struct memo *memo, uint32_t key)
{
	key = (key ^ memo->seed) * 0x9e3779b1u;
	key ^= key >> 15;
	key *= 0x85ebca77u;
	return key ^ key >> 13;
}

static oref wild_get(const struct memo *memo, uint32_t key)
{
	uint32_t r;

	key = scramble(memo, key);
	if (key == NO_KEY)
		return memo->last;
	return u32map_get(&memo->wild, key, &r) ? r : OREF_NIL;
}

oref memo_get(const struct memo *memo, uint32_t key)
{
	if (key < memo->at.n && memo->at.at[key] != OREF_NIL)
		return memo->at.at[key];
	return memo->wild.n || memo->last != OREF_NIL ? wild_get(memo, key) : OREF_NIL;
}

static int wild_put(struct memo *memo, uint32_t key, oref r)
{
	key = scramble(memo, key);
	if (key != NO_KEY)
		return u32map_set(&memo->wild, key, r);
	memo->last = r;
	return 0;
}

int memo_put(struct memo *memo, uint32_t key, oref r)
{
	bool fresh;

	if (key == memo->at.n && memo->wild.n == 0 && memo->last == OREF_NIL) {
		memo->count++;
		return vec_push(&memo->at, r);
	}
	fresh = memo_get(memo, key) == OREF_NIL;
	if (key >= (uint64_t)memo->count * 2 + SLACK && key >= memo->at.n) {
		memo->count += fresh;
		return wild_put(memo, key, r);
	}
	while (memo->at.n <= key)
		if (vec_push(&memo->at, OREF_NIL) < 0)
			return ERR_NOMEM;
	memo->at.at[key] = r;
	memo->count += fresh;
	return 0;
}
