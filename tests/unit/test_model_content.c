/* What the bytes of a tensor file are made of. */
#include "model_kit.h"

#include <unistd.h>

static struct model m;

static void begin(void)
{
	kit_model(&m);
	kit_storage(&m, "0", kit_source(4096), 96, 1000);
}

static void a_contiguous_tensor_is_an_extent_of_its_storage(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 1, SHAPE(10), NULL);
	struct content c;

	begin();
	t.offset = 3;
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	EQ_I64(c.n, 1);
	OK(c.at[0].src == m.storages.at[0].data.src);
	EQ_I64(c.at[0].off, 96 + 12);
	EQ_I64(c.size, 40);
	OK(c.own[0] == NULL);
	content_release(&c);
	model_release(&m);
}

/* It must also keep reading inside the storage, which begins at byte 96 of its source. */
static void a_strided_and_negated_tensor_is_a_source_made_for_it(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 2, SHAPE(5, 4), SHAPE(1, 10));
	unsigned char got[80], want[80], all[1000];
	struct content c;
	size_t n;

	begin();
	t.flags = TENSOR_NEG;
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	OK(content_read(&c, got, 80, 0, &n, NULL) == 0);
	OK(source_read(m.storages.at[0].data.src, all, 1000, 96, NULL) == 0);
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 4; j++) {
			memcpy(want + 16 * i + 4 * j, all + 4 * (i + 10 * j), 4);
			want[16 * i + 4 * j + 3] ^= 0x80;
		}
	EQ_MEM((char *)got, 80, (char *)want, 80);
	content_release(&c);
	model_release(&m);
}

static void reading_ends_at_the_end(void)
{
	struct tensor t = kit_tensor(0, DTYPE_UINT8, 1, SHAPE(10), NULL);
	struct content c;
	char buf[20];
	size_t n = 99;

	begin();
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	OK(content_read(&c, buf, 20, 7, &n, NULL) == 0);
	EQ_I64(n, 3);
	OK(content_read(&c, buf, 20, 10, &n, NULL) == 0);
	EQ_I64(n, 0);
	OK(content_read(&c, buf, 20, UINT64_MAX, &n, NULL) == 0);
	EQ_I64(n, 0);
	content_release(&c);
	model_release(&m);
}

static void a_broken_tensor_is_damaged_with_its_sentence(void)
{
	struct content c;
	struct err e = {0};
	uint32_t id;

	begin();
	id = kit_add(&m, kit_tensor(0, DTYPE_FLOAT32, 1, SHAPE(1000), NULL));
	EQ_I64(content_tensor(&m, id, &c, &e), ERR_DAMAGED);
	HAS(e.text, "needs bytes 0..4000 of storage 0, which has 1000");
	EQ_I64(content_npy(&m, id, &c, &e), ERR_DAMAGED);
	EQ_I64(content_tensor(&m, 55, &c, &e), ERR_ABSENT);
	model_release(&m);
}

static void tensors_without_bytes_are_empty(void)
{
	struct tensor meta = kit_tensor(MODEL_NONE, DTYPE_FLOAT32, 1, SHAPE(7), NULL);
	struct content c;

	begin();
	meta.flags = TENSOR_META | TENSOR_CONJ;
	OK(content_tensor(&m, kit_add(&m, meta), &c, NULL) == 0);
	EQ_I64(c.size, 0);
	content_release(&c);
	OK(content_tensor(&m, kit_add(&m, kit_tensor(0, DTYPE_FLOAT32, 1, SHAPE(0), NULL)), &c,
			NULL) == 0);
	EQ_I64(c.size, 0);
	content_release(&c);
	model_release(&m);
}

static void an_expanded_tensor_shows_what_is_there_once(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 3, SHAPE(3, INT64_C(1) << 36, 2),
			SHAPE(1, 0, 3));
	char got[24], all[24];
	struct content c;
	size_t n;

	begin();
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	EQ_I64(c.size, 24);
	OK(content_read(&c, got, 24, 0, &n, NULL) == 0);
	OK(source_read(m.storages.at[0].data.src, all, 24, 96, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		EQ_MEM(got + 8 * i, 4, all + 4 * i, 4);
		EQ_MEM(got + 8 * i + 4, 4, all + 4 * (i + 3), 4);
	}
	content_release(&c);
	model_release(&m);
}

/* Salvage: of 1000 bytes the file still has 600. */
static void of_a_torn_storage_what_is_there_can_be_read(void)
{
	struct tensor t = kit_tensor(0, DTYPE_FLOAT32, 1, SHAPE(250), NULL);
	struct content c;
	struct err e = {0};
	char buf[1000];
	size_t n;

	begin();
	m.storages.at[0].data.len = 600;
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	EQ_I64(c.size, 1000);
	OK(content_read(&c, buf, 600, 0, &n, NULL) == 0);
	EQ_I64(content_read(&c, buf, 601, 0, &n, &e), ERR_TRUNCATED);
	HAS(e.text, "600");
	content_release(&c);
	t = kit_tensor(0, DTYPE_FLOAT32, 2, SHAPE(50, 5), SHAPE(1, 50));
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	OK(content_read(&c, buf, 12, 0, &n, NULL) == 0); /* columns 0, 1, 2 of the first row */
	EQ_I64(content_read(&c, buf, 20, 0, &n, &e), ERR_TRUNCATED);
	content_release(&c);
	model_release(&m);
}

/* Whoever serves a torn storage may still hand out what is there. */
static void of_a_torn_storage_what_is_there_has_a_descriptor(void)
{
	char path[] = "/tmp/pthfs-test-XXXXXX";
	int fd = mkstemp(path);
	struct source *file;
	struct content c;
	uint64_t at = 0;
	uint32_t id;

	OK(fd >= 0 && ftruncate(fd, 700) == 0 && unlink(path) == 0);
	kit_model(&m);
	OK(source_file_fd(fd, &file, NULL) == 0);
	kit_storage(&m, "0", file, 100, 1000);
	m.storages.at[0].data.len = 600;
	id = kit_add(&m, kit_tensor(0, DTYPE_UINT8, 1, SHAPE(1000), NULL));
	OK(content_tensor(&m, id, &c, NULL) == 0);
	OK(extents_raw(c.at, c.n, 8, 592, &at) >= 0);
	EQ_I64(at, 108);
	OK(extents_raw(c.at, c.n, 8, 593, &at) < 0);
	content_release(&c);
	model_release(&m);
}

/* Two elements from the middle of a storage: signs work on a window of it. */
static void a_contiguous_conjugate_is_flipped_where_it_lies(void)
{
	struct tensor t = kit_tensor(0, DTYPE_COMPLEX64, 1, SHAPE(2), NULL);
	unsigned char got[16], want[16];
	struct content c;
	size_t n;

	begin();
	t.offset = 5;
	t.flags = TENSOR_CONJ;
	OK(content_tensor(&m, kit_add(&m, t), &c, NULL) == 0);
	OK(content_read(&c, got, 16, 0, &n, NULL) == 0);
	OK(source_read(m.storages.at[0].data.src, want, 16, 96 + 40, NULL) == 0);
	want[7] ^= 0x80;
	want[15] ^= 0x80;
	EQ_MEM((char *)got, 16, (char *)want, 16);
	content_release(&c);
	model_release(&m);
}

static void a_storage_without_bytes_and_a_sign_without_meaning_are_errors(void)
{
	struct tensor t = kit_tensor(0, DTYPE_BITS8, 1, SHAPE(5), NULL);
	struct content c;
	struct err e = {0};

	begin();
	t.flags = TENSOR_NEG;
	EQ_I64(content_tensor(&m, kit_add(&m, t), &c, &e), ERR_UNSUPPORTED);
	EQ_I64(content_npy(&m, kit_add(&m, t), &c, &e), ERR_UNSUPPORTED);
	m.storages.at[0].data.src = NULL;
	EQ_I64(content_tensor(&m, kit_add(&m, t), &c, &e), ERR_DAMAGED);
	HAS(e.text, "cannot be read");
	model_release(&m);
}

static void texts_and_sources_are_taken_over(void)
{
	struct content c;
	struct buf b;
	char got[8];
	size_t n;

	buf_init(&b, 100);
	buf_puts(&b, "12\n");
	OK(content_text(&b, &c, NULL) == 0);
	OK(content_read(&c, got, 8, 0, &n, NULL) == 0);
	EQ_MEM(got, n, "12\n", 3);
	content_release(&c);
	buf_init(&b, 100);
	OK(content_text(&b, &c, NULL) == 0); /* an empty text is an empty file */
	EQ_I64(c.size, 0);
	content_release(&c);
	buf_init(&b, 2);
	buf_puts(&b, "123");
	EQ_I64(content_text(&b, &c, NULL), ERR_NOMEM);
	OK(content_source(kit_source(5), &c) == 0);
	EQ_I64(c.size, 5);
	content_release(&c);
}

int main(void)
{
	TEST(a_contiguous_tensor_is_an_extent_of_its_storage);
	TEST(a_strided_and_negated_tensor_is_a_source_made_for_it);
	TEST(reading_ends_at_the_end);
	TEST(a_broken_tensor_is_damaged_with_its_sentence);
	TEST(tensors_without_bytes_are_empty);
	TEST(an_expanded_tensor_shows_what_is_there_once);
	TEST(of_a_torn_storage_what_is_there_can_be_read);
	TEST(of_a_torn_storage_what_is_there_has_a_descriptor);
	TEST(a_contiguous_conjugate_is_flipped_where_it_lies);
	TEST(a_storage_without_bytes_and_a_sign_without_meaning_are_errors);
	TEST(texts_and_sources_are_taken_over);
	return tap_done();
}
