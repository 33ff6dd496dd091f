/* Keys of any bytes: every name is a legal file name, leads back to its key unless it was cut, and
 * is given once. The first byte of the input separates the keys in the rest.
 */
#include <stdlib.h>
#include <string.h>

#include <pthfs/tree.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
	if (!fine)
		abort();
}

static bool is_file_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == '/')
			return false;
	return s.n > 0 && s.n <= NAME_LIMIT && str_utf8(s) && !str_is(s, ".") && !str_is(s, "..");
}

static void leads_back(struct str key, struct str name)
{
	struct buf back;

	buf_init(&back, NAME_LIMIT);
	if (name_to_text(name, &back) && !str_is(key, "%"))
		check(str_eq(buf_view(&back), key));
	else if (!str_is(key, "%")) /* only a cut name does not */
		check(name.n >= NAME_LIMIT - 3 && name.p[name.n - 17] == '~');
	buf_release(&back);
}

/* The key read as a name: whatever it stands for must be called so. */
static void stands_for_one_key(struct str name)
{
	struct buf text, again;

	buf_init(&text, 4096);
	buf_init(&again, 4096);
	if (name_to_text(name, &text)) {
		name_of_text(buf_view(&text), &again);
		check(str_eq(buf_view(&again), name));
	} else {
		check(text.n == 0);
	}
	buf_release(&text);
	buf_release(&again);
}

static void add_key(struct name_set *set, struct arena *a, struct str key)
{
	struct buf name;

	buf_init(&name, 4096);
	name_of_text(key, &name);
	check(!name.failed && is_file_name(buf_view(&name)));
	leads_back(key, buf_view(&name));
	stands_for_one_key(key);
	check(name_set_add(set, a, buf_view(&name)) == 0);
	buf_release(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct name_set set = {0};
	struct arena arena;

	arena_init(&arena, 0);
	for (rest = str_skip(rest, 1); rest.n;) {
		const char *end = memchr(rest.p, data[0], rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		add_key(&set, &arena, str_cut(rest, n));
		rest = str_skip(rest, n + 1);
	}
	check(name_set_number(&set, &arena) == 0);
	for (uint32_t i = 0; i < set.at.n; i++) {
		check(is_file_name(set.at.at[i]));
		check(name_set_find(&set, set.at.at[i]) == i);
	}
	name_set_release(&set);
	arena_release(&arena);
	return 0;
}
