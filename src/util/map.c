/* map.c - open addressing over 32-bit ids.
 *
 *	position = tag & (cap - 1), then the next slot and so on, around the end
 *	slot[i] == 0   empty          slot[i] == id + 1, tag[i] == upper half of the mixed hash
 *
 * cap is a power of two and at most 2/3 of it is taken, so a search always meets an empty slot.
 * Position and comparison use the same 32 bits, hence growing needs no keys, and a key is looked
 * at only when all 32 agree. There is no removal: what pthfs loads does not change.
 */
#include <pthfs/map.h>

#include <pthfs/err.h>
#include <stdlib.h>

#define CAP_MIN 16u
#define CAP_MAX (1u << 31)

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)((hash ^ hash >> 29) * 0x9e3779b97f4a7c15u >> 32);
}

static bool full(uint32_t n, uint32_t cap)
{
	return n >= cap / 3 * 2;
}

void idmap_release(struct idmap *m)
{
	free(m->slot);
	free(m->tag);
	*m = (struct idmap){0};
}

uint32_t idmap_find(
	const struct idmap *m, uint64_t hash, idmap_eq *eq, const void *ctx, const void *key)
{
	uint32_t tag = tag_of(hash), mask = m->cap - 1;

	if (m->n == 0)
		return IDMAP_NONE;
	for (uint32_t i = tag & mask; m->slot[i]; i = (i + 1) & mask)
		if (m->tag[i] == tag && eq(ctx, key, m->slot[i] - 1))
			return m->slot[i] - 1;
	return IDMAP_NONE;
}

static void idmap_place(struct idmap *m, uint32_t tag, uint32_t slot)
{
	uint32_t mask = m->cap - 1, i = tag & mask;

	while (m->slot[i])
		i = (i + 1) & mask;
	m->slot[i] = slot;
	m->tag[i] = tag;
}

static int idmap_grow(struct idmap *m)
{
	struct idmap big = {.n = m->n, .cap = m->cap ? m->cap * 2 : CAP_MIN};

	if (m->cap >= CAP_MAX)
		return ERR_NOMEM;
	big.slot = calloc(big.cap, sizeof *big.slot);
	big.tag = malloc((size_t)big.cap * sizeof *big.tag);
	if (!big.slot || !big.tag) {
		idmap_release(&big);
		return ERR_NOMEM;
	}
	for (uint32_t i = 0; i < m->cap; i++)
		if (m->slot[i])
			idmap_place(&big, m->tag[i], m->slot[i]);
	idmap_release(m);
	*m = big;
	return 0;
}

int idmap_add(struct idmap *m, uint64_t hash, uint32_t id)
{
	if (id == IDMAP_NONE)
		return ERR_LIMIT;
	if (full(m->n, m->cap) && idmap_grow(m) < 0)
		return ERR_NOMEM;
	idmap_place(m, tag_of(hash), id + 1);
	m->n++;
	return 0;
}

/* The map of numbers: UINT32_MAX in key[] marks an empty slot. */
#define EMPTY UINT32_MAX

void u32map_release(struct u32map *m)
{
	free(m->key);
	free(m->value);
	*m = (struct u32map){0};
}

/* Where the key is, or the empty slot where it would be. */
static uint32_t u32map_at(const struct u32map *m, uint32_t key)
{
	uint32_t mask = m->cap - 1, i = tag_of(key) & mask;

	while (m->key[i] != EMPTY && m->key[i] != key)
		i = (i + 1) & mask;
	return i;
}

bool u32map_get(const struct u32map *m, uint32_t key, uint32_t *ret)
{
	uint32_t i;

	if (m->n == 0 || key == EMPTY)
		return false;
	i = u32map_at(m, key);
	if (m->key[i] == EMPTY)
		return false;
	*ret = m->value[i];
	return true;
}

static int u32map_grow(struct u32map *m)
{
	struct u32map big = {.n = m->n, .cap = m->cap ? m->cap * 2 : CAP_MIN};
	uint32_t at;

	if (m->cap >= CAP_MAX)
		return ERR_NOMEM;
	big.key = malloc((size_t)big.cap * sizeof *big.key);
	big.value = malloc((size_t)big.cap * sizeof *big.value);
	if (!big.key || !big.value) {
		u32map_release(&big);
		return ERR_NOMEM;
	}
	for (uint32_t i = 0; i < big.cap; i++)
		big.key[i] = EMPTY;
	for (uint32_t i = 0; i < m->cap; i++) {
		if (m->key[i] == EMPTY)
			continue;
		at = u32map_at(&big, m->key[i]);
		big.key[at] = m->key[i];
		big.value[at] = m->value[i];
	}
	u32map_release(m);
	*m = big;
	return 0;
}

int u32map_set(struct u32map *m, uint32_t key, uint32_t value)
{
	uint32_t i;

	if (key == EMPTY)
		return ERR_LIMIT;
	if (full(m->n, m->cap) && u32map_grow(m) < 0)
		return ERR_NOMEM;
	i = u32map_at(m, key);
	m->n += m->key[i] == EMPTY;
	m->key[i] = key;
	m->value[i] = value;
	return 0;
}
