/* Blobs against an array of bytes that is written alike, and what many runs cost. */
#include "blob_kit.h"

#include <time.h>

#define ROOM 6000

struct twin {
	struct blob *b;
	struct journal *j;
	struct source *noise; /* of ROOM bytes */
	unsigned char noise_bytes[ROOM], want[2 * ROOM];
	uint64_t size, state;
	size_t peak; /* runs */
};

static uint64_t below(struct twin *t, uint64_t n)
{
	return kit_random(&t->state) % n;
}

/* What a write at off means for the array: it grows, with zeros. */
static void twin_put(struct twin *t, uint64_t off, const void *p, uint64_t n)
{
	if (n == 0)
		return;
	if (off > t->size)
		memset(t->want + t->size, 0, off - t->size);
	memmove(t->want + off, p, n);
	if (off + n > t->size)
		t->size = off + n;
}

/* One change of any kind, of at most `most` bytes. */
static void twin_step(struct twin *t, uint64_t most)
{
	uint64_t off = below(t, t->size + 20), n = below(t, most), from = below(t, ROOM - most);

	if (off + n > ROOM)
		off = 0;
	switch (below(t, 16)) {
	case 0:
		if (below(t, 1000) > most) /* many runs need time to come about */
			return;
		off = below(t, ROOM);
		if (off > t->size)
			memset(t->want + t->size, 0, off - t->size);
		t->size = off;
		OK(blob_truncate(t->b, off, NULL) == 0);
		return;
	case 1:
	case 2:
		if (n > t->size)
			n = t->size;
		from = below(t, t->size - n + 1);
		OK(blob_adopt(t->b, off, t->b, from, n, NULL) == 0);
		twin_put(t, off, t->want + from, n);
		return;
	case 3:
	case 4:
	case 5:
		if (below(t, 2)) /* what lies at its own place joins its neighbours */
			from = off + n <= ROOM ? off : from;
		OK(map(t->b, off, t->noise, from, n) == 0);
		twin_put(t, off, t->noise_bytes + from, n);
		return;
	default:
		OK(blob_write(t->b, t->j, t->noise_bytes + from, n, off, NULL) == 0);
		twin_put(t, off, t->noise_bytes + from, n);
	}
}

static void twin_same(struct twin *t)
{
	static char got[2 * ROOM];
	uint64_t off = below(t, t->size + 1), n = below(t, t->size - off + 1);

	EQ_I64(blob_size(t->b), t->size);
	OK(blob_read(t->b, got, t->size, 0, NULL) == 0);
	OK(memcmp(got, t->want, t->size) == 0);
	OK(blob_read(t->b, got, n, off, NULL) == 0);
	OK(memcmp(got, t->want + off, n) == 0);
}

/* Ascending, apart or not to be joined, and what is in none of them is the base's. */
static void twin_runs(struct twin *t, const unsigned char *base, uint64_t base_n)
{
	size_t n;
	const struct blob_run *r = blob_runs(t->b, &n);
	uint64_t end = 0, dirty = 0;
	bool fine = true;

	for (size_t i = 0; i <= n; i++) {
		uint64_t off = i < n ? r[i].off : t->size;

		fine &= off >= end;
		for (uint64_t k = end; k < off; k++)
			fine &= t->want[k] == (k < base_n ? base[k] : 0);
		if (i == n)
			break;
		if (i && off == end && r[i].from.src == r[i - 1].from.src)
			fine &= r[i].from.off != r[i - 1].from.off + r[i - 1].len;
		end = off + r[i].len;
		dirty += r[i].len;
	}
	t->peak = n > t->peak ? n : t->peak;
	OK(fine);
	OK(end <= t->size);
	EQ_I64(blob_dirty(t->b), dirty);
}

/* Returns how many runs there were when there were most. */
static size_t one_twin(uint64_t seed, uint64_t most, int steps)
{
	struct source *base = kit_source(3000);
	unsigned char base_bytes[3000];
	struct journal j;
	struct twin *t = calloc(1, sizeof *t);
	int bad = tap_bad;
	size_t peak;

	fake_init(&j);
	t->j = &j;
	t->state = seed * 0x9e3779b97f4a7c15u;
	t->size = 3200;
	for (size_t i = 0; i < ROOM; i++)
		t->noise_bytes[i] = (unsigned char)(kit_random(&t->state) | 1);
	t->noise = source_mem_borrow(t->noise_bytes, ROOM);
	OK(source_read(base, base_bytes, 3000, 0, NULL) == 0);
	memcpy(t->want, base_bytes, 3000);
	OK(blob_new(1, (struct extent){base, 0, 3000}, t->size, &t->b, NULL) == 0);
	source_unref(base);
	for (int i = 0; i < steps && tap_bad == bad; i++) {
		twin_step(t, most);
		if (i % 8 == 0 || i == steps - 1) {
			twin_same(t);
			twin_runs(t, base_bytes, 3000);
		}
	}
	if (tap_bad != bad)
		printf("# seed %d, at most %d bytes\n", (int)seed, (int)most);
	blob_unref(t->b);
	EQ_I64(atomic_load(&t->noise->refs), 1);
	source_unref(t->noise);
	fake_release(&j);
	peak = t->peak;
	free(t);
	return peak;
}

static void random_changes_are_what_they_are_in_an_array(void)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		one_twin(seed, 400, 300);
}

/* Thousands of runs: many leaves, which are split, cut and dropped. */
static void so_are_thousands_of_tiny_ones(void)
{
	for (uint64_t seed = 1; seed <= 6; seed++)
		OK(one_twin(seed, seed % 2 ? 3 : 6, 12000) > 4 * 256);
}

/* Neither may take time in proportion to the runs that are there. */
static void a_quarter_of_a_million_runs_stay_cheap(void)
{
	enum { N = 250000, PAGE = 4096 };
	struct source *one = kit_source(1 << 20);
	struct timespec a, z;
	struct blob *b;
	uint64_t state = 1;
	const struct blob_run *r;
	size_t n;
	bool fine = true;

	OK(blob_new(1, (struct extent){0}, (uint64_t)N * PAGE, &b, NULL) == 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (uint64_t i = 0; i < N; i++) /* a prime: every page once */
		OK(map(b, i * 104729 % N * PAGE, one, kit_random(&state) % 1000 * 8, 4000) == 0);
	for (uint64_t i = 0; i < N; i++)
		OK(map(b, (N + i) * (uint64_t)PAGE, one, 8 * (i % 1000), 4000) == 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &z);
	r = blob_runs(b, &n);
	EQ_I64(n, 2 * N);
	for (size_t i = 0; r && i < n; i++)
		fine &= r[i].off == i * PAGE && r[i].len == 4000;
	OK(fine);
	EQ_I64(blob_dirty(b), (uint64_t)2 * N * 4000);
	OK(z.tv_sec - a.tv_sec < 10); /* about 0.2 s; a flat array takes a minute */
	printf("# %d ms\n", (int)((z.tv_sec - a.tv_sec) * 1000 + (z.tv_nsec - a.tv_nsec) / 1000000));
	OK(blob_truncate(b, 10, NULL) == 0);
	blob_runs(b, &n);
	EQ_I64(n, 1);
	blob_unref(b);
	source_unref(one);
}

int main(void)
{
	TEST(random_changes_are_what_they_are_in_an_array);
	TEST(so_are_thousands_of_tiny_ones);
	TEST(a_quarter_of_a_million_runs_stay_cheap);
	return tap_done();
}
