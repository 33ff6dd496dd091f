/* Typed vectors. */
#include <pthfs/vec.h>

#include "tap.h"

static void pushes_stay_in_order(void)
{
	VEC(uint32_t) v = {0};
	int wrong = 0;

	for (uint32_t i = 0; i < 100000; i++)
		OK(vec_push(&v, i * 3) == 0);
	EQ_I64(v.n, 100000);
	for (uint32_t i = 0; i < 100000; i++)
		wrong += v.at[i] != i * 3;
	EQ_I64(wrong, 0);
	OK(v.cap <= 100000 + 50000 + 1024);
	vec_release(&v);
	OK(v.at == NULL && v.n == 0 && v.cap == 0);
}

static void room_is_made_for_many_at_once(void)
{
	VEC(struct { char c[24]; }) v = {0};
	void *before;

	EQ_I64(vec_room(&v, 1000), 0);
	OK(v.cap >= 1000);
	EQ_I64(v.n, 0);
	before = v.at;
	v.n = 1000;
	EQ_I64(vec_room(&v, v.cap - v.n), 0);
	OK(v.at == before);
	vec_release(&v);
}

static void more_than_two_to_the_32_is_over_the_limit(void)
{
	char *p = NULL;
	size_t cap = 0;

	EQ_I64(vec_grow((void **)&p, &cap, 0, (size_t)UINT32_MAX, 1), ERR_LIMIT);
	EQ_I64(vec_grow((void **)&p, &cap, 10, SIZE_MAX - 4, 1), ERR_LIMIT);
	EQ_I64(vec_grow((void **)&p, &cap, (size_t)UINT32_MAX - 1, 1, 1), ERR_LIMIT);
	OK(p == NULL && cap == 0);
}

static void a_size_that_overflows_is_no_memory(void)
{
	char *p = NULL;
	size_t cap = 0;

	EQ_I64(vec_grow((void **)&p, &cap, 0, 1u << 30, SIZE_MAX / 1024), ERR_NOMEM);
	OK(p == NULL && cap == 0);
}

static void a_failed_growth_keeps_what_was_there(void)
{
	VEC(uint64_t) v = {0};

	OK(vec_push(&v, 7) == 0);
	EQ_I64(vec_room(&v, (size_t)UINT32_MAX), ERR_LIMIT);
	EQ_I64(v.n, 1);
	EQ_I64(v.at[0], 7);
	vec_release(&v);
}

int main(void)
{
	TEST(pushes_stay_in_order);
	TEST(room_is_made_for_many_at_once);
	TEST(more_than_two_to_the_32_is_over_the_limit);
	TEST(a_size_that_overflows_is_no_memory);
	TEST(a_failed_growth_keeps_what_was_there);
	return tap_done();
}
