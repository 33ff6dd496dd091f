/* map.h - a hash table of 32-bit ids; keys stay where they are.
 *
 * The table stores ids only; the caller says what the hash of a key is and whether an id has that
 * key. So a table over 100,000 names costs 2 MB and no copies. Open addressing, at most 2/3 full.
 * Out of memory is an error, never an exit. An id of IDMAP_NONE cannot be stored.
 */
#ifndef PTHFS_MAP_H
#define PTHFS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDMAP_NONE UINT32_MAX

struct idmap {
	uint32_t *slot; /* id + 1, 0 = empty */
	uint32_t *tag;  /* upper half of the hash, so that growing needs no keys */
	uint32_t n, cap;
};

typedef bool idmap_eq(const void *ctx, const void *key, uint32_t id);

void idmap_release(struct idmap *m);
/* The id whose key is `key`, or IDMAP_NONE. */
uint32_t idmap_find(const struct idmap *m, uint64_t hash, idmap_eq *eq, const void *ctx,
		const void *key);
/* Adds an id (the caller has looked first). 0 or ERR_NOMEM. */
int idmap_add(struct idmap *m, uint64_t hash, uint32_t id);

/* A map from u32 to u32, for what is sparse. */
struct u32map {
	uint32_t *key; /* key + 1 stored as 64 bits would be wasteful: UINT32_MAX is not a key */
	uint32_t *value;
	uint32_t n, cap;
};
void u32map_release(struct u32map *m);
bool u32map_get(const struct u32map *m, uint32_t key, uint32_t *ret);
int u32map_set(struct u32map *m, uint32_t key, uint32_t value);

#endif
