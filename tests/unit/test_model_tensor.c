/* Taking tensors into a model: what is broken, what is one, what is said. */
#include "model_kit.h"

static struct model m;
static uint32_t st; /* a storage "3" of 1024 bytes */

static void begin(void)
{
	kit_model(&m);
	st = kit_storage(&m, "3", kit_source(1024), 0, 1024);
}

static void end(void)
{
	model_release(&m);
}

static struct tensor f32(unsigned ndim, const int64_t *shape, const int64_t *stride)
{
	return kit_tensor(st, DTYPE_FLOAT32, ndim, shape, stride);
}

/* Adds t, which must turn out broken with a sentence that has `part` in it. */
static void broken(struct tensor t, const char *part)
{
	const struct tensor *b = kit_get(&m, t);

	OK(b->broken != NULL);
	if (b->broken)
		HAS(b->broken, part);
	EQ_I64(b->nbytes, 0);
	OK(!(b->flags & TENSOR_EXPANDED));
}

static void a_plain_tensor_gets_its_size_and_is_contiguous(void)
{
	const struct tensor *t;

	begin();
	t = kit_get(&m, f32(2, SHAPE(16, 16), SHAPE(16, 1)));
	OK(!t->broken);
	EQ_I64(t->nbytes, 1024);
	OK(t->flags & TENSOR_CONTIGUOUS);
	EQ_I64(m.storages.at[st].users, 1);
	end();
}

static void shape_and_stride_are_copied(void)
{
	int64_t shape[] = {4}, stride[] = {2};
	const struct tensor *t;

	begin();
	t = kit_get(&m, f32(1, shape, stride));
	shape[0] = stride[0] = 99;
	EQ_I64(t->shape[0], 4);
	EQ_I64(t->stride[0], 2);
	OK(!(t->flags & TENSOR_CONTIGUOUS));
	end();
}

static void without_strides_it_is_c_order(void)
{
	const struct tensor *t;

	begin();
	t = kit_get(&m, f32(3, SHAPE(2, 3, 4), NULL));
	EQ_I64(t->stride[0], 12);
	EQ_I64(t->stride[1], 4);
	EQ_I64(t->stride[2], 1);
	OK(t->flags & TENSOR_CONTIGUOUS);
	end();
}

static void a_dimension_of_one_may_have_any_stride(void)
{
	const struct tensor *t;

	begin();
	t = kit_get(&m, f32(3, SHAPE(4, 1, 4), SHAPE(4, 777, 1)));
	OK(t->flags & TENSOR_CONTIGUOUS);
	end();
}

static void what_ends_behind_the_storage_is_said_with_numbers(void)
{
	struct tensor t;

	begin();
	broken(f32(1, SHAPE(1024), SHAPE(1)), "needs bytes 0..4096 of storage 3, which has 1024");
	t = f32(1, SHAPE(4), SHAPE(1));
	t.offset = 253;
	broken(t, "needs bytes 1012..1028 of storage 3, which has 1024");
	t.offset = 252;
	OK(!kit_get(&m, t)->broken);
	broken(f32(2, SHAPE(2, 2), SHAPE(255, 1)), "0..1028");
	end();
}

static void negative_numbers_are_broken(void)
{
	struct tensor t;

	begin();
	broken(f32(2, SHAPE(2, -1), SHAPE(1, 1)), "dimension 1 has the negative size -1");
	broken(f32(2, SHAPE(2, 2), SHAPE(-2, 1)), "dimension 0 has the negative stride -2");
	broken(f32(2, SHAPE(0, -1), SHAPE(1, 1)), "negative size"); /* also of an empty one */
	t = f32(1, SHAPE(2), SHAPE(1));
	t.offset = (uint64_t)-3;
	broken(t, "negative (-3)");
	end();
}

static void sums_and_products_beyond_63_bits_are_broken(void)
{
	const int64_t big = INT64_C(1) << 40;
	struct tensor t;

	begin();
	broken(f32(2, SHAPE(big, big), SHAPE(0, 0)), "more than 2^63 bytes");
	broken(f32(1, SHAPE(INT64_C(1) << 61), SHAPE(0)), "more than 2^63 bytes");
	broken(f32(1, SHAPE(big), SHAPE(big)), "beyond 2^63 bytes");
	broken(f32(2, SHAPE(2, 2), SHAPE(INT64_MAX, INT64_MAX)), "beyond 2^63 bytes");
	broken(f32(1, SHAPE(2), SHAPE(INT64_MAX / 4)), "beyond 2^63 bytes"); /* times four */
	t = f32(1, SHAPE(2), SHAPE(1));
	t.offset = INT64_MAX;
	broken(t, "beyond 2^63 bytes");
	end();
}

static void more_than_64_dimensions_are_broken_and_not_kept(void)
{
	int64_t shape[65], stride[65];
	const struct tensor *t;

	begin();
	for (int k = 0; k < 65; k++)
		shape[k] = stride[k] = 1;
	OK(!kit_get(&m, f32(64, shape, stride))->broken);
	t = kit_get(&m, f32(65, shape, stride));
	HAS(t->broken, "65 dimensions");
	EQ_I64(t->ndim, 0);
	end();
}

static void an_empty_tensor_may_have_a_huge_offset_and_dimension(void)
{
	struct tensor t;
	const struct tensor *r;

	begin();
	t = f32(3, SHAPE(INT64_MAX, 0, INT64_MAX), SHAPE(INT64_MAX, 3, 1));
	t.offset = INT64_MAX;
	r = kit_get(&m, t);
	OK(!r->broken);
	EQ_I64(r->nbytes, 0);
	OK(r->flags & TENSOR_CONTIGUOUS);
	end();
}

static void the_sentence_of_a_broken_storage_is_the_tensors(void)
{
	struct storage s = {.key = STR("9"), .nbytes = 4, .broken = "its record is missing"};
	uint32_t id;

	begin();
	OK(model_add_storage(&m, &s, &id, NULL) == 0);
	broken(kit_tensor(id, DTYPE_FLOAT32, 1, SHAPE(1), SHAPE(1)), "its record is missing");
	broken(kit_tensor(77, DTYPE_FLOAT32, 1, SHAPE(1), SHAPE(1)), "no storage");
	broken(kit_tensor(MODEL_NONE, DTYPE_FLOAT32, 1, SHAPE(1), SHAPE(1)), "no storage");
	end();
}

static void an_unknown_dtype_is_broken(void)
{
	begin();
	broken(kit_tensor(st, DTYPE_NONE, 1, SHAPE(1), SHAPE(1)), "dtype");
	broken(kit_tensor(st, DTYPE_COUNT, 1, SHAPE(1), SHAPE(1)), "dtype");
	end();
}

static void what_the_format_found_broken_stays_so(void)
{
	struct tensor t;

	begin();
	t = f32(1, SHAPE(4), SHAPE(1));
	t.broken = "its arguments are no tuple";
	broken(t, "arguments");
	end();
}

static void a_meta_tensor_has_no_bytes(void)
{
	struct tensor t = kit_tensor(MODEL_NONE, DTYPE_FLOAT32, 2, SHAPE(1000, 1000), NULL);
	const struct tensor *r;

	begin();
	t.flags = TENSOR_META;
	r = kit_get(&m, t);
	OK(!r->broken);
	EQ_I64(r->nbytes, 0);
	OK(str_is(tensor_device(&m, r), "meta"));
	end();
}

static void equal_tensors_are_one(void)
{
	uint32_t a, b;

	begin();
	a = kit_add(&m, f32(2, SHAPE(2, 3), SHAPE(3, 1)));
	b = kit_add(&m, f32(2, SHAPE(2, 3), NULL));
	EQ_I64(a, b);
	EQ_I64(m.tensors.n, 1);
	EQ_I64(m.storages.at[st].users, 1);
	end();
}

/* A tied pair must agree in everything that its .meta says. */
static void one_different_property_makes_another_tensor(void)
{
	struct tensor t[9];
	uint32_t other;

	begin();
	other = kit_storage(&m, "4", kit_source(1024), 0, 1024);
	t[0] = f32(2, SHAPE(2, 3), SHAPE(3, 1));
	for (int i = 1; i < 9; i++)
		t[i] = t[0];
	t[1].storage = other;
	t[2].dtype = DTYPE_INT32;
	t[3].offset = 1;
	t[4].shape = SHAPE(3, 2);
	t[5].stride = SHAPE(4, 1);
	t[6].flags = TENSOR_REQUIRES_GRAD;
	t[7].words = &(struct tensor_words){STR("my.Tensor"), STR("")};
	t[8].words = &(struct tensor_words){STR(""), STR("cuda:0")};
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 9; i++)
			EQ_I64(kit_add(&m, t[i]), i);
	EQ_I64(m.tensors.n, 9);
	EQ_I64(m.storages.at[st].users, 8);
	end();
}

static void meta_tensors_are_one_only_as_one_object(void)
{
	struct tensor t = kit_tensor(MODEL_NONE, DTYPE_FLOAT32, 1, SHAPE(5), NULL);
	uint32_t a;

	begin();
	t.flags = TENSOR_META;
	t.obj = 40;
	a = kit_add(&m, t);
	EQ_I64(kit_add(&m, t), a);
	t.obj = 41;
	OK(kit_add(&m, t) != a);
	t.obj = OREF_NIL;
	OK(kit_add(&m, t) != kit_add(&m, t));
	end();
}

static void a_huge_expansion_counts_its_stride_zero_dimensions_once(void)
{
	const struct tensor *t;
	int64_t shape[MODEL_MAX_NDIM];

	begin();
	t = kit_get(&m, f32(3, SHAPE(6, INT64_C(1) << 40, 2), SHAPE(2, 0, 1)));
	OK(!t->broken);
	OK(t->flags & TENSOR_EXPANDED);
	EQ_I64(t->nbytes, 6 * 2 * 4);
	EQ_I64(t->shape[1], INT64_C(1) << 40); /* .meta says what it is */
	EQ_I64(tensor_shown_shape(t, shape), 3);
	EQ_I64(shape[1], 1);
	end();
}

static void a_moderate_expansion_is_shown_whole(void)
{
	const struct tensor *t;

	begin();
	t = kit_get(&m, f32(2, SHAPE(1 << 20, 4), SHAPE(0, 1)));
	OK(!(t->flags & TENSOR_EXPANDED));
	EQ_I64(t->nbytes, 16 << 20);
	end();
}

/* as_strided can claim as much without any stride of 0. */
static void overlapping_strides_beyond_all_proportion_are_not_shown(void)
{
	begin();
	broken(f32(6, SHAPE(40, 40, 40, 40, 40, 40), SHAPE(1, 1, 1, 1, 1, 1)), "overlapping");
	end();
}

static void packed_types_show_their_whole_storage(void)
{
	int64_t shape[MODEL_MAX_NDIM];
	const struct tensor *t;
	uint32_t s4;

	begin();
	s4 = kit_storage(&m, "q", kit_source(4), 0, 4);
	t = kit_get(&m, kit_tensor(s4, DTYPE_QUINT4X2, 2, SHAPE(2, 3), SHAPE(3, 1)));
	OK(!t->broken);
	EQ_I64(t->nbytes, 4);
	EQ_I64(tensor_shown_shape(t, shape), 1);
	EQ_I64(shape[0], 4);
	broken(kit_tensor(s4, DTYPE_QUINT4X2, 1, SHAPE(9), SHAPE(1)), "0..5 of storage q");
	/* torch counts bytes in the shape of this one */
	t = kit_get(&m, kit_tensor(s4, DTYPE_FLOAT4_E2M1FN_X2, 1, SHAPE(3), SHAPE(1)));
	EQ_I64(t->nbytes, 3);
	end();
}

static void overlap_is_a_matter_of_ranges_in_one_storage(void)
{
	struct tensor t;
	uint32_t low, high, all, empty, elsewhere;

	begin();
	t = f32(1, SHAPE(8), SHAPE(1));
	low = kit_add(&m, t);
	t.offset = 8;
	high = kit_add(&m, t);
	all = kit_add(&m, f32(2, SHAPE(16, 16), SHAPE(16, 1)));
	empty = kit_add(&m, f32(1, SHAPE(0), SHAPE(1)));
	t.storage = kit_storage(&m, "4", kit_source(1024), 0, 1024);
	elsewhere = kit_add(&m, t);
	OK(!tensor_overlap(&m, low, high));
	OK(tensor_overlap(&m, low, all));
	OK(tensor_overlap(&m, high, all));
	OK(tensor_overlap(&m, low, low));
	OK(!tensor_overlap(&m, empty, all));
	OK(!tensor_overlap(&m, elsewhere, all));
	end();
}

static void words_about_a_tensor(void)
{
	struct tensor t;
	struct buf b;

	begin();
	buf_init(&b, 1000);
	t = f32(3, SHAPE(64, 3, 7), NULL);
	tensor_shape_text(&t, &b);
	EQ_MEM(b.p, b.n, "[64, 3, 7]", 10);
	buf_release(&b);
	EQ_I64(tensor_numel(&t), 64 * 3 * 7);
	OK(tensor_kind(&t) == NULL);
	t.flags = TENSOR_PARAMETER;
	EQ_STR(tensor_kind(&t), "parameter");
	OK(str_is(tensor_device(&m, &t), "cpu"));
	t.words = &(struct tensor_words){STR(""), STR("cuda:0")};
	OK(str_is(tensor_device(&m, &t), "cuda:0"));
	t = f32(2, SHAPE(INT64_MAX, INT64_MAX), NULL);
	OK(tensor_numel(&t) == UINT64_MAX);
	t = f32(3, SHAPE(INT64_MAX, INT64_MAX, 0), NULL);
	EQ_I64(tensor_numel(&t), 0);
	end();
}

static void bytes_stand_in_the_checkpoint_only_when_shown_as_they_are(void)
{
	struct tensor t;
	uint64_t off = 0;

	begin();
	t = f32(1, SHAPE(8), SHAPE(1));
	t.offset = 2;
	OK(tensor_file_range(&m, kit_get(&m, t), &off));
	EQ_I64(off, 1008);
	t.flags = TENSOR_NEG;
	OK(!tensor_file_range(&m, kit_get(&m, t), &off));
	OK(!tensor_file_range(&m, kit_get(&m, f32(1, SHAPE(8), SHAPE(2))), &off));
	m.storages.at[st].file_off = UINT64_MAX;
	t.flags = 0;
	OK(!tensor_file_range(&m, kit_get(&m, t), &off));
	EQ_I64(off, 1008);
	end();
}

static void sealing_keeps_everything_but_the_tables_of_loading(void)
{
	begin();
	for (int64_t i = 1; i < 100; i++)
		kit_add(&m, f32(1, &i, NULL));
	model_seal(&m);
	EQ_I64(m.tensors.n, 99);
	EQ_I64(m.tensors.cap, 99);
	OK(m.tensor_ids.cap == 0);
	EQ_I64(m.tensors.at[98].nbytes, 396);
	end();
}

static void findings_are_bounded_and_say_that_there_are_more(void)
{
	begin();
	for (int i = 0; i < 5000; i++)
		OK(model_find(&m, "note", STR("k"), (uint64_t)i, NULL, "the %dth", i) == 0);
	EQ_I64(m.findings.n, 1001);
	OK(str_is(m.findings.at[999].message, "the 999th"));
	OK(str_starts(m.findings.at[1000].message, STR("there are more")));
	end();
}

static bool dense(struct tensor t)
{
	uint32_t id;
	OK(model_add_tensor(&m, &t, &id, NULL) == 0);
	return tensor_is_dense(&m.tensors.at[id]);
}

/* [2, 2, 2] over strides 1, 1, 5 has as many elements as places between its ends, too. */
static void a_transposed_tensor_fills_its_range_and_an_overlapping_one_does_not(void)
{
	begin();
	OK(dense(f32(2, SHAPE(2, 3), SHAPE(3, 1))));
	OK(dense(f32(2, SHAPE(2, 3), SHAPE(1, 2))));
	OK(dense(f32(3, SHAPE(2, 1, 3), SHAPE(1, 7, 2))));
	OK(dense(f32(0, NULL, NULL)));
	OK(!dense(f32(2, SHAPE(2, 3), SHAPE(4, 1))));
	OK(!dense(f32(2, SHAPE(2, 3), SHAPE(0, 1))));
	OK(!dense(f32(3, SHAPE(2, 2, 2), SHAPE(1, 1, 5))));
	end();
}

int main(void)
{
	TEST(a_plain_tensor_gets_its_size_and_is_contiguous);
	TEST(shape_and_stride_are_copied);
	TEST(without_strides_it_is_c_order);
	TEST(a_dimension_of_one_may_have_any_stride);
	TEST(what_ends_behind_the_storage_is_said_with_numbers);
	TEST(negative_numbers_are_broken);
	TEST(sums_and_products_beyond_63_bits_are_broken);
	TEST(more_than_64_dimensions_are_broken_and_not_kept);
	TEST(an_empty_tensor_may_have_a_huge_offset_and_dimension);
	TEST(the_sentence_of_a_broken_storage_is_the_tensors);
	TEST(an_unknown_dtype_is_broken);
	TEST(what_the_format_found_broken_stays_so);
	TEST(a_meta_tensor_has_no_bytes);
	TEST(equal_tensors_are_one);
	TEST(one_different_property_makes_another_tensor);
	TEST(meta_tensors_are_one_only_as_one_object);
	TEST(a_huge_expansion_counts_its_stride_zero_dimensions_once);
	TEST(a_moderate_expansion_is_shown_whole);
	TEST(overlapping_strides_beyond_all_proportion_are_not_shown);
	TEST(packed_types_show_their_whole_storage);
	TEST(overlap_is_a_matter_of_ranges_in_one_storage);
	TEST(words_about_a_tensor);
	TEST(bytes_stand_in_the_checkpoint_only_when_shown_as_they_are);
	TEST(sealing_keeps_everything_but_the_tables_of_loading);
	TEST(findings_are_bounded_and_say_that_there_are_more);
	TEST(a_transposed_tensor_fills_its_range_and_an_overlapping_one_does_not);
	return tap_done();
}
