/* Hash tables of ids. */
#include <pthfs/err.h>
#include <pthfs/map.h>
#include <pthfs/str.h>
#include <stdlib.h>

#include "tap.h"

enum { KEYS = 100000 };

static char names[KEYS][16];
static unsigned compared;

static bool same_name(const void *ctx, const void *key, uint32_t id)
{
	const char(*table)[16] = ctx;

	compared++;
	return str_is(*(const struct str *)key, table[id]);
}

static uint32_t find(const struct idmap *m, const char *name)
{
	struct str s = str_of(name);

	return idmap_find(m, str_hash(s), same_name, names, &s);
}

static void an_empty_map_has_nothing(void)
{
	struct idmap m = {0};
	struct u32map u = {0};
	uint32_t v = 5;

	EQ_I64(find(&m, "x"), IDMAP_NONE);
	OK(!u32map_get(&u, 0, &v));
	EQ_I64(v, 5);
	idmap_release(&m);
	u32map_release(&u);
}

static void a_hundred_thousand_names_are_found_again(void)
{
	struct idmap m = {0};
	int wrong = 0;

	for (uint32_t i = 0; i < KEYS; i++) {
		snprintf(names[i], sizeof names[i], "key.%u", i);
		wrong += idmap_add(&m, str_hash(str_of(names[i])), i) != 0;
	}
	EQ_I64(m.n, KEYS);
	OK((m.cap & (m.cap - 1)) == 0);
	OK(m.n <= m.cap / 3 * 2 + 2);
	compared = 0;
	for (uint32_t i = 0; i < KEYS; i++)
		wrong += find(&m, names[i]) != i;
	EQ_I64(wrong, 0);
	/* The tags keep all but a handful of needless comparisons away. */
	OK(compared < KEYS + 100);
	EQ_I64(find(&m, "key.100000"), IDMAP_NONE);
	EQ_I64(find(&m, ""), IDMAP_NONE);
	idmap_release(&m);
	OK(m.slot == NULL && m.cap == 0);
}

static bool same_id(const void *ctx, const void *key, uint32_t id)
{
	return *(const uint32_t *)key == id;
}

/* All keys with one hash: slow, but right. */
static void keys_with_the_same_hash_stay_apart(void)
{
	struct idmap m = {0};
	uint32_t key;

	for (uint32_t i = 0; i < 500; i++)
		EQ_I64(idmap_add(&m, 42, i), 0);
	for (key = 0; key < 500; key++)
		EQ_I64(idmap_find(&m, 42, same_id, NULL, &key), key);
	EQ_I64(idmap_find(&m, 42, same_id, NULL, &key), IDMAP_NONE);
	idmap_release(&m);
}

static void the_highest_id_can_be_stored_and_none_cannot(void)
{
	struct idmap m = {0};
	uint32_t key = IDMAP_NONE - 1;

	EQ_I64(idmap_add(&m, 1, key), 0);
	EQ_I64(idmap_find(&m, 1, same_id, NULL, &key), key);
	OK(idmap_add(&m, 1, IDMAP_NONE) < 0);
	EQ_I64(m.n, 1);
	idmap_release(&m);
}

static void numbers_map_to_numbers(void)
{
	struct u32map m = {0};
	uint32_t v = 0;
	int wrong = 0;

	for (uint32_t i = 0; i < 50000; i++)
		wrong += u32map_set(&m, i * 64, i) != 0;
	for (uint32_t i = 0; i < 50000; i++)
		wrong += !u32map_get(&m, i * 64, &v) || v != i;
	EQ_I64(wrong, 0);
	EQ_I64(m.n, 50000);
	OK(!u32map_get(&m, 1, &v));
	EQ_I64(u32map_set(&m, 64, 999), 0);
	OK(u32map_get(&m, 64, &v) && v == 999);
	EQ_I64(m.n, 50000);
	u32map_release(&m);
}

static void zero_is_a_key_and_the_largest_number_is_not(void)
{
	struct u32map m = {0};
	uint32_t v = 7;

	EQ_I64(u32map_set(&m, 0, UINT32_MAX), 0);
	OK(u32map_get(&m, 0, &v) && v == UINT32_MAX);
	OK(u32map_set(&m, UINT32_MAX, 1) < 0);
	OK(!u32map_get(&m, UINT32_MAX, &v));
	u32map_release(&m);
}

int main(void)
{
	TEST(an_empty_map_has_nothing);
	TEST(a_hundred_thousand_names_are_found_again);
	TEST(keys_with_the_same_hash_stay_apart);
	TEST(the_highest_id_can_be_stored_and_none_cannot);
	TEST(numbers_map_to_numbers);
	TEST(zero_is_a_key_and_the_largest_number_is_not);
	return tap_done();
}
