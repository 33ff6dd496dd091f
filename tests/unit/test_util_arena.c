/* The bump allocator. */
#include <pthfs/arena.h>

#include "tap.h"

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void memory_is_zeroed_and_aligned(void)
{
	struct arena a;

	arena_init(&a, 0);
	for (size_t n = 0; n < 200; n++) {
		char *odd = arena_bytes(&a, n | 1), *p = arena_alloc(&a, n);

		OK(p && odd);
		OK((uintptr_t)p % 8 == 0);
		OK(all_zero(p, n));
		memset(p, 0xff, n);
		memset(odd, 0xff, n | 1);
	}
	arena_release(&a);
	OK(a.head == NULL && a.used == 0);
}

/* Large and small requests in turn, written over at once: none may overlap another. */
static void pieces_do_not_overlap(void)
{
	enum { N = 400 };
	struct arena a;
	unsigned char *at[N];
	size_t len[N];
	int wrong = 0;

	arena_init(&a, 0);
	for (int i = 0; i < N; i++) {
		len[i] = i % 7 == 0 ? 5000u * (unsigned)(i % 11) + 3 : 17u * (unsigned)(i % 13);
		at[i] = i % 2 ? arena_alloc(&a, len[i]) : arena_bytes(&a, len[i]);
		OK(at[i] != NULL);
		memset(at[i], i & 0xff, len[i]);
	}
	for (int i = 0; i < N; i++)
		for (size_t k = 0; k < len[i]; k++)
			wrong += at[i][k] != (i & 0xff);
	EQ_I64(wrong, 0);
	arena_release(&a);
}

static void the_limit_counts_what_was_handed_out(void)
{
	struct arena a;

	arena_init(&a, 1000);
	OK(arena_alloc(&a, 600) != NULL);
	OK(arena_alloc(&a, 401) == NULL);
	OK(arena_bytes(&a, 400) != NULL);
	EQ_I64(a.used, 1000);
	OK(arena_bytes(&a, 1) == NULL);
	OK(arena_bytes(&a, 0) != NULL);
	arena_release(&a);
	EQ_I64(a.limit, 1000);
	OK(arena_alloc(&a, 1000) != NULL);
	arena_release(&a);
}

static void an_absurd_size_is_no_memory(void)
{
	struct arena a;

	arena_init(&a, 0);
	OK(arena_alloc(&a, SIZE_MAX) == NULL);
	OK(arena_alloc(&a, SIZE_MAX - 16) == NULL);
	OK(arena_str(&a, (struct str){"", SIZE_MAX}).p == NULL);
	EQ_I64(a.used, 0);
	arena_release(&a);
}

static void a_copied_string_is_terminated(void)
{
	struct arena a;
	char text[] = "weight";
	struct str s;

	arena_init(&a, 0);
	s = arena_str(&a, (struct str){text, 6});
	memset(text, 'x', 6);
	EQ_I64(s.n, 6);
	EQ_STR(s.p, "weight");
	s = arena_str(&a, (struct str){NULL, 0});
	OK(s.p && s.n == 0 && s.p[0] == 0);
	arena_release(&a);
}

int main(void)
{
	TEST(memory_is_zeroed_and_aligned);
	TEST(pieces_do_not_overlap);
	TEST(the_limit_counts_what_was_handed_out);
	TEST(an_absurd_size_is_no_memory);
	TEST(a_copied_string_is_terminated);
	return tap_done();
}
