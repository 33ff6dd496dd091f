/* Where written bytes of a tensor's file go: the exact inverse of content_tensor(). */
#include "model_kit.h"

#include <glob.h>

#include <pthfs/format.h>

static struct model m;

static void begin(uint64_t storage)
{
	kit_model(&m);
	kit_storage(&m, "0", kit_source(storage + 96), 96, storage);
}

/* --- the runs ----------------------------------------------------------------------------------- */

struct seen {
	char text[512];
	uint64_t at;
	unsigned n, stop_after;
};

static int see(void *ctx, uint64_t storage_off, uint64_t at, uint64_t n)
{
	struct seen *s = ctx;
	size_t len = strlen(s->text);

	EQ_I64(at, s->at); /* one after the other */
	s->at += n;
	snprintf(s->text + len, sizeof s->text - len, "%s%d+%d", len ? " " : "", (int)storage_off,
			(int)n);
	return ++s->n == s->stop_after ? 42 : 0;
}

/* "12+4 20+4": offsets in the storage and lengths. */
static const char *runs(uint32_t id, uint64_t off, uint64_t len)
{
	static struct seen s;

	s = (struct seen){.n = 0};
	EQ_I64(tensor_scatter(&m, id, off, len, see, &s, NULL), 0);
	EQ_I64(s.at, len);
	return s.text;
}

static void a_contiguous_tensor_is_one_run(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 3, SHAPE(2, 3, 4), NULL);
	uint32_t id;

	begin(1000);
	t.offset = 5;
	id = kit_add(&m, t);
	EQ_STR(runs(id, 0, 96), "20+96");
	EQ_STR(runs(id, 3, 50), "23+50");
	EQ_STR(runs(id, 96, 0), "");
	model_release(&m);
}

static void a_transposed_tensor_is_a_run_for_each_element(void)
{
	struct tensor t = kit_tensor(0, DTYPE_INT16, 2, SHAPE(2, 3), SHAPE(1, 2));
	uint32_t id;

	begin(1000);
	id = kit_add(&m, t);
	EQ_STR(runs(id, 0, 12), "0+2 4+2 8+2 2+2 6+2 10+2");
	EQ_STR(runs(id, 3, 4), "5+1 8+2 2+1"); /* parts of elements */
	EQ_STR(runs(id, 11, 1), "11+1");
	model_release(&m);
}

static void rows_of_a_slice_are_runs(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 3, SHAPE(2, 2, 3), SHAPE(40, 10, 1));
	uint32_t id;

	begin(1000);
	t.offset = 2;
	id = kit_add(&m, t);
	EQ_STR(runs(id, 0, 48), "8+12 48+12 168+12 208+12");
	EQ_STR(runs(id, 13, 24), "49+11 168+12 208+1");
	model_release(&m);
}

/* Windows that slide: (4, 2) over 5 elements, and the end of one is the beginning of the next. */
static void elements_that_overlap_come_in_file_order(void)
{
	struct tensor t = kit_tensor(0, DTYPE_UINT8, 2, SHAPE(4, 2), SHAPE(1, 1));

	begin(100);
	EQ_STR(runs(kit_add(&m, t), 0, 8), "0+2 1+2 2+2 3+2");
	t = kit_tensor(0, DTYPE_UINT8, 2, SHAPE(3, 2), SHAPE(0, 1));
	EQ_STR(runs(kit_add(&m, t), 0, 6), "0+2 0+2 0+2");
	model_release(&m);
}

/* The second index is not the next element of one dimension, but of the next row it is. */
static void runs_that_touch_by_chance_are_one(void)
{
	struct tensor t = kit_tensor(0, DTYPE_UINT8, 2, SHAPE(3, 2), SHAPE(5, 4));

	begin(100);
	EQ_STR(runs(kit_add(&m, t), 0, 6), "0+1 4+2 9+2 14+1");
	model_release(&m);
}

static void what_is_shown_once_is_one_place(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 2, SHAPE(INT64_C(1) << 40, 5), SHAPE(0, 1));
	uint32_t id;

	begin(1000);
	id = kit_add(&m, t);
	OK(m.tensors.at[id].flags & TENSOR_EXPANDED);
	EQ_STR(runs(id, 0, 20), "0+20");
	model_release(&m);
}

static void a_packed_tensor_is_its_storage(void)
{
	struct tensor t = kit_tensor(0, DTYPE_QUINT4X2, 2, SHAPE(3, 3), NULL);

	begin(16);
	EQ_STR(runs(kit_add(&m, t), 1, 15), "1+15");
	model_release(&m);
}

static void nothing_is_called_for_a_tensor_without_bytes(void)
{
	struct tensor t = kit_tensor(MODEL_NONE, DTYPE_FLOAT32, 1, SHAPE(7), NULL);
	struct seen s = {.n = 0};
	uint32_t id;

	begin(16);
	t.flags = TENSOR_META;
	id = kit_add(&m, t);
	EQ_STR(runs(id, 0, 0), "");
	EQ_I64(tensor_scatter(&m, id, 0, 1, see, &s, NULL), ERR_INVALID);
	EQ_STR(runs(kit_add(&m, kit_tensor(0, DTYPE_FLOAT32, 2, SHAPE(3, 0), NULL)), 0, 0), "");
	model_release(&m);
}

static void what_fn_returns_ends_it(void)
{
	struct tensor t = kit_tensor(0, DTYPE_INT16, 2, SHAPE(2, 3), SHAPE(1, 2));

	begin(1000);
	for (unsigned k = 1; k <= 6; k++) {
		struct seen s = {.stop_after = k};

		EQ_I64(tensor_scatter(&m, kit_add(&m, t), 0, 12, see, &s, NULL), 42);
		EQ_I64(s.n, k);
	}
	model_release(&m);
}

static void what_cannot_be_is_said(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 1, SHAPE(4), NULL);
	struct seen s = {.n = 0};
	struct err e = {0};
	uint32_t id;

	begin(1000);
	id = kit_add(&m, t);
	EQ_I64(tensor_scatter(&m, id, 8, 9, see, &s, &e), ERR_INVALID);
	HAS(e.text, "9 bytes at offset 8 of a tensor that has 16");
	EQ_I64(tensor_scatter(&m, id, UINT64_MAX, 2, see, &s, &e), ERR_INVALID);
	EQ_I64(tensor_scatter(&m, id, 2, UINT64_MAX, see, &s, &e), ERR_INVALID);
	EQ_I64(tensor_scatter(&m, 99, 0, 0, see, &s, &e), ERR_ABSENT);
	t.shape = SHAPE(1000);
	EQ_I64(tensor_scatter(&m, kit_add(&m, t), 0, 0, see, &s, &e), ERR_DAMAGED);
	HAS(e.text, "needs bytes");
	EQ_I64(s.n, 0);
	model_release(&m);
}

/* --- signs -------------------------------------------------------------------------------------- */

static void signs_take_whole_elements(void)
{
	struct tensor t = kit_tensor(0, DTYPE_COMPLEX64, 1, SHAPE(4), NULL);
	struct seen s = {.n = 0};
	struct err e = {0};
	uint32_t id;

	begin(1000);
	t.flags = TENSOR_CONJ;
	id = kit_add(&m, t);
	EQ_I64(tensor_scatter_fix(&m.tensors.at[id]), SCATTER_CONJ);
	EQ_STR(runs(id, 8, 16), "8+16");
	EQ_I64(tensor_scatter(&m, id, 4, 8, see, &s, &e), ERR_INVALID);
	EQ_I64(tensor_scatter(&m, id, 8, 4, see, &s, &e), ERR_INVALID);
	HAS(e.text, "whole elements");
	EQ_I64(s.n, 0);
	model_release(&m);
}

/* As reading it is: there is nothing to conjugate. */
static void a_conjugated_real_needs_no_fix(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 1, SHAPE(4), NULL);

	t.flags = TENSOR_CONJ;
	EQ_I64(tensor_scatter_fix(&t), 0);
	t.flags = TENSOR_CONJ | TENSOR_NEG;
	EQ_I64(tensor_scatter_fix(&t), SCATTER_NEG);
	t.dtype = DTYPE_COMPLEX32;
	EQ_I64(tensor_scatter_fix(&t), SCATTER_CONJ | SCATTER_NEG);
}

static void a_sign_without_meaning_is_refused_as_in_reading(void)
{
	struct tensor t = kit_tensor(0, DTYPE_BOOL, 1, SHAPE(4), NULL);
	struct seen s = {.n = 0};

	begin(1000);
	t.flags = TENSOR_NEG;
	EQ_I64(tensor_scatter(&m, kit_add(&m, t), 0, 4, see, &s, NULL), ERR_UNSUPPORTED);
	model_release(&m);
}

static void conjugation_flips_the_signs_of_imaginary_parts(void)
{
	float z[4] = {1, 2, -3, -4}, conj[4] = {1, -2, -3, 4}, both[4] = {-1, 2, 3, -4};

	scatter_fix(DTYPE_COMPLEX64, SCATTER_CONJ, z, 2);
	EQ_MEM((char *)z, 16, (char *)conj, 16);
	scatter_fix(DTYPE_COMPLEX64, SCATTER_NEG, z, 2);
	EQ_MEM((char *)z, 16, (char *)both, 16);
	scatter_fix(DTYPE_COMPLEX64, 0, z, 2);
	EQ_MEM((char *)z, 16, (char *)both, 16);
}

static void integers_are_negated(void)
{
	int16_t v[4] = {0, 5, -7, INT16_MIN}, want[4] = {0, -5, 7, INT16_MIN};

	scatter_fix(DTYPE_INT16, SCATTER_NEG, v, 4);
	EQ_MEM((char *)v, 8, (char *)want, 8);
}

/* What a source over the elements shows is what scatter_fix() makes of them, and back. */
static void a_fix_is_its_own_inverse_and_that_of_reading(void)
{
	unsigned char raw[240], fixed[240], shown[240];
	struct source *plain = kit_source(240), *signs;

	OK(source_read(plain, raw, 240, 0, NULL) == 0);
	for (unsigned dt = DTYPE_NONE + 1; dt < DTYPE_COUNT; dt++)
		for (unsigned fix = 1; fix <= 3; fix++) {
			size_t n = 240 / dtype_info((enum dtype)dt)->size;

			if (source_signs(plain, (enum dtype)dt, fix & SCATTER_CONJ,
					    fix & SCATTER_NEG, &signs, NULL) < 0)
				continue;
			OK(source_read(signs, shown, 240, 0, NULL) == 0);
			memcpy(fixed, raw, 240);
			scatter_fix((enum dtype)dt, fix, fixed, n);
			OK(memcmp(fixed, shown, 240) == 0);
			scatter_fix((enum dtype)dt, fix, fixed, n);
			OK(memcmp(fixed, raw, 240) == 0);
			source_unref(signs);
		}
	source_unref(plain);
}

/* --- against content_tensor() ------------------------------------------------------------------- */

struct back {
	const struct storage *s;
	unsigned char *to;
	uint64_t at, runs;
	uint64_t last_end;
	bool fine;
};

static int read_back(void *ctx, uint64_t storage_off, uint64_t at, uint64_t n)
{
	struct back *b = ctx;
	struct extent x = b->s->data;

	b->fine &= at == b->at && n > 0;
	b->fine &= b->runs == 0 || storage_off != b->last_end; /* else they were one */
	b->at += n;
	b->runs++;
	b->last_end = storage_off + n;
	b->fine &= extents_read(&x, 1, b->to + at, n, storage_off, NULL) == 0;
	return 0;
}

/* [off, off + len) of the file, put together from the places that scatter names. */
static void same_range(const struct model *mm, uint32_t id, const unsigned char *want, uint64_t off,
		uint64_t len)
{
	const struct tensor *t = &mm->tensors.at[id];
	unsigned char *got = malloc(len + 1);
	struct back b = {.to = got, .fine = true};
	unsigned size = dtype_info(t->dtype)->size;

	b.s = t->storage < mm->storages.n ? &mm->storages.at[t->storage] : NULL;
	OK(tensor_scatter(mm, id, off, len, read_back, &b, NULL) == 0);
	OK(b.fine && b.at == len);
	scatter_fix(t->dtype, tensor_scatter_fix(t), got, len / size);
	OK(memcmp(got, want + off, len) == 0);
	if (t->flags & TENSOR_CONTIGUOUS && len)
		EQ_I64(b.runs, 1);
	free(got);
}

static void same_tensor(const struct model *mm, uint32_t id, uint64_t *state)
{
	const struct tensor *t = &mm->tensors.at[id];
	uint64_t step = tensor_scatter_fix(t) ? dtype_info(t->dtype)->size : 1;
	struct content c;
	unsigned char *want;
	size_t got = 0;

	if (content_tensor(mm, id, &c, NULL) < 0) {
		OK(tensor_scatter(mm, id, 0, 0, read_back, NULL, NULL) < 0);
		return;
	}
	want = malloc(c.size + 1);
	OK(c.size < 64 << 20 && content_read(&c, want, c.size, 0, &got, NULL) == 0);
	EQ_I64(c.size, t->nbytes);
	same_range(mm, id, want, 0, c.size);
	for (int i = 0; i < 8 && c.size; i++) {
		uint64_t off = kit_random(state) % c.size / step * step;

		same_range(mm, id, want, off, kit_random(state) % (c.size - off + 1) / step * step);
	}
	free(want);
	content_release(&c);
}

static void every_tensor_of_every_good_file_is_found_again(void)
{
	const char *root = getenv("PTHFS_SRC");
	uint64_t state = 12345;
	unsigned tensors = 0, strided = 0, fixed = 0;
	char pattern[4096];
	glob_t files = {0};

	snprintf(pattern, sizeof pattern, "%s/tests/data/good-*", root ? root : ".");
	OK(glob(pattern, 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct checkpoint *c;
		int bad = tap_bad;

		if (checkpoint_open(files.gl_pathv[i], NULL, &c, NULL) < 0)
			continue;
		for (uint32_t t = 0; t < c->model.tensors.n; t++, tensors++) {
			strided += !(c->model.tensors.at[t].flags & TENSOR_CONTIGUOUS);
			fixed += tensor_scatter_fix(&c->model.tensors.at[t]) != 0;
			same_tensor(&c->model, t, &state);
		}
		if (tap_bad != bad)
			printf("# %s\n", files.gl_pathv[i]);
		checkpoint_free(c);
	}
	globfree(&files);
	OK(tensors > 100 && strided > 5 && fixed > 2);
}

/* Random views: slices, permutations, windows, expansions. */
static void random_view(uint64_t *state, struct tensor *t, int64_t *shape, int64_t *stride)
{
	t->ndim = (uint8_t)(kit_random(state) % 6);
	t->offset = kit_random(state) % 50;
	for (unsigned k = 0; k < t->ndim; k++) {
		shape[k] = 1 + (int64_t)(kit_random(state) % 5);
		stride[k] = (int64_t)(kit_random(state) % 3 ? kit_random(state) % 40
							   : kit_random(state) % 4);
	}
	t->shape = shape;
	t->stride = stride;
}

static void every_random_view_is_found_again(void)
{
	static const enum dtype types[] = {DTYPE_UINT8, DTYPE_BFLOAT16, DTYPE_INT32, DTYPE_COMPLEX64};
	int64_t shape[8], stride[8];
	uint64_t state = 777;

	begin(30000);
	for (int i = 0; i < 500; i++) {
		struct tensor t = kit_tensor(0, types[i % 4], 0, NULL, NULL);

		random_view(&state, &t, shape, stride);
		t.flags = (uint16_t)(i % 3 == 0 ? TENSOR_NEG | TENSOR_CONJ : 0);
		same_tensor(&m, kit_add(&m, t), &state);
	}
	model_release(&m);
}

/* Writes through fn into the storage itself. */
struct into {
	unsigned char *storage;
	const unsigned char *from;
};

static int write_into(void *ctx, uint64_t storage_off, uint64_t at, uint64_t n)
{
	struct into *to = ctx;

	memcpy(to->storage + storage_off, to->from + at, n);
	return 0;
}

/* An odometer over the elements, last index fastest: what a loop in C order would do. */
static void write_in_a_loop(unsigned char *storage, const struct tensor *t,
		const unsigned char *from)
{
	unsigned size = dtype_info(t->dtype)->size;
	uint64_t numel = tensor_numel(t);

	for (uint64_t i = 0; i < numel; i++) {
		uint64_t left = i, at = t->offset;

		for (unsigned k = t->ndim; k-- > 0;) {
			at += left % (uint64_t)t->shape[k] * (uint64_t)t->stride[k];
			left /= (uint64_t)t->shape[k];
		}
		memcpy(storage + at * size, from + i * size, size);
	}
}

static void writing_is_what_a_loop_over_the_elements_does(void)
{
	static unsigned char bytes[30000], want[30000], from[30000];
	int64_t shape[8], stride[8];
	uint64_t state = 4711;

	kit_model(&m);
	kit_storage(&m, "0", source_mem_borrow(bytes, sizeof bytes), 0, sizeof bytes);
	for (size_t i = 0; i < sizeof from; i++)
		from[i] = (unsigned char)kit_random(&state);
	for (int i = 0; i < 300; i++) {
		struct tensor t = kit_tensor(0, i % 2 ? DTYPE_FLOAT32 : DTYPE_UINT8, 0, NULL, NULL);
		struct into to = {bytes, from};
		uint32_t id;

		random_view(&state, &t, shape, stride);
		id = kit_add(&m, t);
		memcpy(want, bytes, sizeof want);
		write_in_a_loop(want, &m.tensors.at[id], from);
		OK(m.tensors.at[id].nbytes <= sizeof from);
		OK(tensor_scatter(&m, id, 0, m.tensors.at[id].nbytes, write_into, &to, NULL) == 0);
		OK(memcmp(bytes, want, sizeof want) == 0);
	}
	model_release(&m);
}

int main(void)
{
	TEST(a_contiguous_tensor_is_one_run);
	TEST(a_transposed_tensor_is_a_run_for_each_element);
	TEST(rows_of_a_slice_are_runs);
	TEST(elements_that_overlap_come_in_file_order);
	TEST(runs_that_touch_by_chance_are_one);
	TEST(what_is_shown_once_is_one_place);
	TEST(a_packed_tensor_is_its_storage);
	TEST(nothing_is_called_for_a_tensor_without_bytes);
	TEST(what_fn_returns_ends_it);
	TEST(what_cannot_be_is_said);
	TEST(signs_take_whole_elements);
	TEST(a_conjugated_real_needs_no_fix);
	TEST(a_sign_without_meaning_is_refused_as_in_reading);
	TEST(conjugation_flips_the_signs_of_imaginary_parts);
	TEST(integers_are_negated);
	TEST(a_fix_is_its_own_inverse_and_that_of_reading);
	TEST(every_tensor_of_every_good_file_is_found_again);
	TEST(every_random_view_is_found_again);
	TEST(writing_is_what_a_loop_over_the_elements_does);
	return tap_done();
}
