/* Strided views against a nested loop over the same bytes. */
#include "model_kit.h"

#include <pthread.h>

#define K128 (128 * 1024)

struct view {
	enum dtype dt;
	uint64_t offset;
	unsigned ndim;
	int64_t shape[MODEL_MAX_NDIM], stride[MODEL_MAX_NDIM];
};

/* A memory source that counts what is asked of it. */
struct counting {
	struct source s;
	struct source *from;
	atomic_ullong reads, bytes;
	atomic_bool fails;
};

static int counting_read_at(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct counting *c = (struct counting *)s;

	c->reads++;
	c->bytes += len;
	if (c->fails && off >= s->size / 2)
		return err_set(e, ERR_TRUNCATED, "the second half is gone");
	return source_read(c->from, buf, len, off, e);
}

static void counting_close(struct source *s)
{
	source_unref(((struct counting *)s)->from);
	free(s);
}

static const struct source_ops counting_ops = {"counting", counting_read_at, NULL, counting_close};

static struct counting *counting(size_t n)
{
	struct counting *c = calloc(1, sizeof *c);

	source_init(&c->s, &counting_ops, n);
	c->from = kit_source(n);
	return c;
}

/* What every byte of the view is, the slow way. */
static char *oracle(struct source *storage, const struct view *v, uint64_t *size)
{
	uint64_t es = dtype_info(v->dt)->size, n = es;
	int64_t idx[MODEL_MAX_NDIM] = {0};
	char *all = malloc(storage->size), *out;

	OK(source_read(storage, all, storage->size, 0, NULL) == 0);
	for (unsigned k = 0; k < v->ndim; k++)
		n *= (uint64_t)v->shape[k];
	out = malloc(n ? n : 1);
	for (uint64_t at = 0; at < n; at += es) {
		uint64_t el = v->offset;

		for (unsigned k = 0; k < v->ndim; k++)
			el += (uint64_t)(idx[k] * v->stride[k]);
		memcpy(out + at, all + el * es, es);
		for (unsigned k = v->ndim; k-- > 0;) {
			if (++idx[k] < v->shape[k])
				break;
			idx[k] = 0;
		}
	}
	free(all);
	*size = n;
	return out;
}

static struct source *open_view(struct source *storage, const struct view *v)
{
	struct extent x = {storage, 0, storage->size};
	struct source *s = NULL;

	OK(source_strided(x, v->dt, v->offset, v->ndim, v->shape, v->stride, &s, NULL) == 0);
	return s;
}

static bool same(struct source *s, const char *want, uint64_t off, size_t len)
{
	char *got = malloc(len + 1);
	bool ok;

	got[len] = 'x';
	ok = source_read(s, got, len, off, NULL) == 0 && memcmp(got, want + off, len) == 0 &&
			got[len] == 'x';
	if (!ok)
		printf("# %zu bytes at %" PRIu64 " differ\n", len, off);
	free(got);
	return ok;
}

/* From begin to end in pieces, then here and there. Takes storage over. */
static void check_view(struct source *storage, const struct view *v, size_t piece, uint64_t seed)
{
	struct source *s = open_view(storage, v);
	uint64_t size;
	char *want = oracle(storage, v, &size);

	EQ_I64(s->size, size);
	for (uint64_t off = 0; off < size; off += piece)
		OK(same(s, want, off, size - off < piece ? size - off : piece));
	for (int i = 0; i < 20 && size; i++) {
		uint64_t off = kit_random(&seed) % size, len = kit_random(&seed) % (size - off) + 1;

		OK(same(s, want, off, len));
	}
	source_unref(s);
	source_unref(storage);
	free(want);
}

/* Random shape and strides; returns the bytes of storage it takes. */
static size_t random_view(struct view *v, uint64_t *seed)
{
	static const enum dtype types[] = {DTYPE_UINT8, DTYPE_FLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64,
			DTYPE_COMPLEX128};
	uint64_t last;

	v->dt = types[kit_random(seed) % 5];
	v->ndim = (unsigned)(kit_random(seed) % 6);
	v->offset = last = kit_random(seed) % 9;
	for (unsigned k = 0; k < v->ndim; k++) {
		v->shape[k] = (int64_t)(kit_random(seed) % 7 + 1);
		v->stride[k] = (int64_t)(kit_random(seed) % (kit_random(seed) % 4 ? 12 : 500));
		last += (uint64_t)((v->shape[k] - 1) * v->stride[k]);
	}
	return (last + 1) * dtype_info(v->dt)->size;
}

static void random_views_are_what_a_nested_loop_gives(void)
{
	uint64_t seed = 20240607;

	for (int round = 0; round < 1500; round++) {
		struct view v;
		size_t n = random_view(&v, &seed);

		tap_bad = 0;
		check_view(kit_source(n), &v, kit_random(&seed) % 300 + 1, seed);
		if (tap_bad) {
			printf("# round %d\n", round);
			return;
		}
	}
}

/* A permutation of a contiguous tensor: what .permute(), .T and channels_last save. */
static void permuted_tensors_are_what_a_nested_loop_gives(void)
{
	uint64_t seed = 77;

	for (int round = 0; round < 200; round++) {
		struct view v = {.dt = DTYPE_FLOAT32, .ndim = 4};
		int64_t n = 1;
		unsigned order[4] = {0, 1, 2, 3};

		for (unsigned k = 0; k < 4; k++) {
			unsigned j = (unsigned)(kit_random(&seed) % (k + 1));

			order[k] = order[j];
			order[j] = k;
		}
		for (unsigned k = 0; k < 4; k++) {
			v.shape[order[k]] = (int64_t)(kit_random(&seed) % 17 + 1);
			v.stride[order[k]] = n;
			n *= v.shape[order[k]];
		}
		check_view(kit_source((size_t)n * 4), &v, 5000, seed);
	}
}

static void a_transposed_matrix_beyond_one_panel(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 2, {700, 901}, {1, 700}};

	check_view(kit_source(700 * 901 * 4), &v, K128, 1);
	check_view(kit_source(700 * 901 * 4), &v, 99991, 2); /* pieces that cross windows */
}

static void rows_that_are_far_apart_are_not_read_along(void)
{
	struct view v = {DTYPE_FLOAT64, 1, 2, {40, 3000}, {1, 900}};
	struct view cols = {DTYPE_UINT8, 3, 2, {50, 60}, {3000 * 60, 3000}};

	check_view(kit_source(8 * (1 + 39 + 2999 * 900 + 1)), &v, K128, 3);
	check_view(kit_source(3 + 49 * 180000 + 59 * 3000 + 1), &cols, 1000, 4);
}

static void a_span_longer_than_the_scratch_is_cut(void)
{
	struct view v = {DTYPE_UINT8, 0, 3, {5, 400, 300}, {1, 1500, 5}};

	check_view(kit_source(4 + 399 * 1500 + 299 * 5 + 1), &v, 600000, 5);
}

static void long_runs_are_read_in_place(void)
{
	struct view v = {DTYPE_FLOAT32, 7, 3, {3, 20, 2000}, {50000, 2048, 1}};

	check_view(kit_source(4 * (7 + 2 * 50000 + 19 * 2048 + 2000)), &v, 30011, 6);
}

static void expanded_dimensions_repeat(void)
{
	struct view v = {DTYPE_FLOAT32, 2, 4, {3, 50, 4, 60}, {0, 1, 0, 50}};

	check_view(kit_source(4 * (2 + 49 + 59 * 50 + 1)), &v, 4099, 7);
}

static void a_scalar_and_an_empty_view_have_their_size(void)
{
	struct view scalar = {.dt = DTYPE_FLOAT64, .offset = 3};
	struct view empty = {DTYPE_FLOAT64, 99999, 2, {0, INT64_MAX}, {5, 5}};

	check_view(kit_source(32), &scalar, 3, 8);
	check_view(kit_source(32), &empty, 3, 9);
}

static void what_does_not_fit_is_refused(void)
{
	struct source *storage = kit_source(100), *s = NULL;
	struct extent x = {storage, 0, 100};
	struct err e = {0};

	EQ_I64(source_strided(x, DTYPE_FLOAT32, 1, 1, SHAPE(25), SHAPE(1), &s, &e), ERR_DAMAGED);
	HAS(e.text, "100 bytes");
	EQ_I64(source_strided(x, DTYPE_UINT8, 0, 1, SHAPE(-1), SHAPE(1), &s, NULL), ERR_DAMAGED);
	EQ_I64(source_strided(x, DTYPE_UINT8, 0, 2, SHAPE(INT64_MAX, INT64_MAX), SHAPE(0, 0), &s,
			NULL), ERR_DAMAGED);
	EQ_I64(source_strided(x, DTYPE_UINT8, 0, 2, SHAPE(3, 3), SHAPE(INT64_MAX, INT64_MAX), &s,
			NULL), ERR_DAMAGED);
	OK(s == NULL);
	source_unref(storage);
}

/* Reads all of v in 128 KiB pieces and reports how much of the storage that took. */
static struct counting *sweep(const struct view *v, size_t storage)
{
	struct counting *c = counting(storage);
	struct source *s = open_view(&c->s, v);
	static char buf[K128];

	for (uint64_t off = 0; off < s->size; off += K128)
		OK(source_read(s, buf, s->size - off < K128 ? s->size - off : K128, off, NULL) ==
				0);
	source_unref(s);
	return c;
}

static void reading_a_transposed_matrix_through_reads_each_byte_about_once(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 2, {2048, 2048}, {1, 2048}};
	struct counting *c = sweep(&v, 16 << 20);

	OK(c->bytes < UINT64_C(20) << 20);
	OK(c->reads < 40000);
	source_unref(&c->s);
}

static void reading_channels_last_through_reads_few_long_spans(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 4, {2, 64, 112, 112},
			{64 * 112 * 112, 1, 64 * 112, 64}};
	struct counting *c = sweep(&v, (size_t)2 * 64 * 112 * 112 * 4);

	OK(c->reads < 2000);
	OK(c->bytes < UINT64_C(8) * 2 * 64 * 112 * 112 * 4);
	source_unref(&c->s);
}

/* Here a panel would read 1 MiB for every page. */
static void reads_here_and_there_take_no_more_than_they_need(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 2, {2048, 2048}, {1, 2048}};
	struct counting *c = counting(16 << 20);
	struct source *s = open_view(&c->s, &v);
	char page[4096];

	for (uint64_t off = 8 << 20; off > (5 << 20); off -= 300 * 1024)
		OK(source_read(s, page, sizeof page, off, NULL) == 0);
	OK(c->bytes < 400 * 1024);
	source_unref(s);
	source_unref(&c->s);
}

static void missing_bytes_fail_only_the_requests_that_need_them(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 2, {512, 1024}, {1, 512}};
	struct counting *c = counting(512 * 1024 * 4);
	struct source *s = open_view(&c->s, &v);
	struct err e = {0};
	char buf[2048];

	c->fails = true;
	OK(source_read(s, buf, 2048, 0, NULL) == 0); /* the first half of the first row */
	EQ_I64(source_read(s, buf, 2048, 2048, &e), ERR_TRUNCATED);
	HAS(e.text, "second half");
	OK(source_read(s, buf, 2048, 4096, NULL) == 0);
	source_unref(s);
	source_unref(&c->s);
}

struct job {
	struct source *s;
	const char *want;
	uint64_t seed;
	bool ok;
};

static void *read_about(void *arg)
{
	struct job *j = arg;

	j->ok = true;
	for (int i = 0; i < 60; i++) {
		uint64_t off = kit_random(&j->seed) % 4 ? (uint64_t)i * 60000 % j->s->size
							: kit_random(&j->seed) % j->s->size;
		uint64_t len = j->s->size - off < 60000 ? j->s->size - off : 60000;

		j->ok = j->ok && same(j->s, j->want, off, len);
	}
	return NULL;
}

static void many_threads_may_read_one_view(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 2, {700, 901}, {1, 700}};
	struct source *storage = kit_source(700 * 901 * 4), *s = open_view(storage, &v);
	uint64_t size;
	char *want = oracle(storage, &v, &size);
	struct job job[4];
	pthread_t id[4];

	for (int i = 0; i < 4; i++) {
		job[i] = (struct job){s, want, (uint64_t)i + 1, false};
		OK(pthread_create(&id[i], NULL, read_about, &job[i]) == 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(id[i], NULL);
		OK(job[i].ok);
	}
	free(want);
	source_unref(s);
	source_unref(storage);
}

/* More views than there are panels: the rest is slower, not wrong. */
static void any_number_of_views_may_be_open(void)
{
	struct view v = {DTYPE_FLOAT32, 0, 2, {300, 400}, {1, 300}};
	struct source *storage = kit_source(300 * 400 * 4), *s[40];
	uint64_t size;
	char *want = oracle(storage, &v, &size);

	for (int i = 0; i < 40; i++) {
		s[i] = open_view(storage, &v);
		OK(same(s[i], want, 0, 10000));
	}
	for (int i = 0; i < 40; i++) {
		OK(same(s[i], want, 10000, 20000));
		source_unref(s[i]);
	}
	free(want);
	source_unref(storage);
}

int main(void)
{
	TEST(random_views_are_what_a_nested_loop_gives);
	TEST(permuted_tensors_are_what_a_nested_loop_gives);
	TEST(a_transposed_matrix_beyond_one_panel);
	TEST(rows_that_are_far_apart_are_not_read_along);
	TEST(a_span_longer_than_the_scratch_is_cut);
	TEST(long_runs_are_read_in_place);
	TEST(expanded_dimensions_repeat);
	TEST(a_scalar_and_an_empty_view_have_their_size);
	TEST(what_does_not_fit_is_refused);
	TEST(reading_a_transposed_matrix_through_reads_each_byte_about_once);
	TEST(reading_channels_last_through_reads_few_long_spans);
	TEST(reads_here_and_there_take_no_more_than_they_need);
	TEST(missing_bytes_fail_only_the_requests_that_need_them);
	TEST(many_threads_may_read_one_view);
	TEST(any_number_of_views_may_be_open);
	return tap_done();
}
