/* fuzz_model.c - a tensor made of hostile numbers over a small storage: adding it never fails, and
 * what is not broken can be read at any place, in one go and in two, with the same bytes.
 *
 * Input: dtype, ndim, flags (1 byte each), offset (8), then size and stride of each dimension (8
 * each), little-endian; what lacks is 0.
 */
#include <stdlib.h>
#include <string.h>

#include <pthfs/content.h>
#include <pthfs/reader.h>

#define STORAGE 5000
#define SHOWN 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t take(const uint8_t **p, size_t *left)
{
	uint8_t raw[8] = {0};
	size_t n = *left < 8 ? *left : 8;

	memcpy(raw, *p, n);
	*p += n;
	*left -= n;
	return le64(raw);
}

static void read_about(const struct content *c)
{
	static char whole[SHOWN], parts[SHOWN];
	uint64_t off = c->size / 3;
	size_t got, a, b;

	if (content_read(c, whole, SHOWN, off, &got, NULL) < 0)
		abort();
	if (got == 0)
		return;
	if (content_read(c, parts, got / 3, off, &a, NULL) < 0 ||
			content_read(c, parts + a, got - a, off + a, &b, NULL) < 0)
		abort();
	if (a + b != got || memcmp(whole, parts, got) != 0)
		abort();
}

static void try_tensor(struct model *m, const struct tensor *t)
{
	struct content c;
	uint32_t id, again;

	if (model_add_tensor(m, t, &id, NULL) < 0 || model_add_tensor(m, t, &again, NULL) < 0 ||
			id != again)
		abort();
	if (content_tensor(m, id, &c, NULL) == 0) {
		if (c.size != m->tensors.at[id].nbytes)
			abort();
		read_about(&c);
		content_release(&c);
	}
	if (content_npy(m, id, &c, NULL) == 0) {
		if (c.size != m->tensors.at[id].nbytes + npy_header_len(&m->tensors.at[id]))
			abort();
		content_release(&c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char bytes[STORAGE];
	int64_t shape[255], stride[255];
	struct storage st = {.key = STR("0"), .nbytes = STORAGE, .data = {NULL, 0, STORAGE}};
	struct tensor t = {.shape = shape, .stride = stride};
	struct model m;
	uint32_t id;

	if (size < 3)
		return 0;
	for (size_t i = 0; i < STORAGE; i++)
		bytes[i] = (char)(i * 37 >> 3);
	t.dtype = data[0];
	t.ndim = data[1];
	t.flags = data[2] & (TENSOR_CONJ | TENSOR_NEG | TENSOR_META);
	data += 3;
	size -= 3;
	t.offset = take(&data, &size);
	for (unsigned k = 0; k < t.ndim; k++) {
		shape[k] = (int64_t)take(&data, &size);
		stride[k] = (int64_t)take(&data, &size);
	}
	if (model_init(&m, NULL) < 0)
		return 0;
	st.data.src = source_mem_borrow(bytes, STORAGE);
	if (st.data.src && model_keep(&m, st.data.src) == 0 &&
			model_add_storage(&m, &st, &id, NULL) == 0)
		try_tensor(&m, &t);
	model_release(&m);
	return 0;
}
