/* fuzz_npy.c - a .npy file of hostile bytes: what is read of it holds for the file (its elements lie
 * inside, as many as the shape says), and what is not leaves the result as it was.
 *
 * Input: the type that was there (1 byte), then the file.
 */
#include <stdlib.h>
#include <string.h>

#include <pthfs/content.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct npy *v, uint64_t size)
{
	uint64_t bytes = dtype_info(v->dtype)->size;
	bool empty = false;

	if (v->dtype == DTYPE_NONE || v->dtype >= DTYPE_COUNT || v->ndim > MODEL_MAX_NDIM)
		abort();
	if (v->data_off > size || v->nbytes > size - v->data_off)
		abort();
	for (unsigned k = 0; k < v->ndim; k++) {
		if (v->shape[k] < 0)
			abort();
		empty |= v->shape[k] == 0;
	}
	for (unsigned k = 0; k < v->ndim && !empty; k++)
		if (__builtin_mul_overflow(bytes, (uint64_t)v->shape[k], &bytes))
			abort();
	if (v->nbytes != (empty ? 0 : bytes))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct npy v, before;
	struct err e = {0};
	struct source *s;

	if (size < 1)
		return 0;
	memset(&v, 0x5a, sizeof v);
	before = v;
	s = source_mem_borrow(data + 1, size - 1);
	if (!s)
		return 0;
	if (npy_read(s, (enum dtype)(data[0] % DTYPE_COUNT), &v, &e) == 0)
		check(&v, size - 1);
	else if (!e.text[0] || memcmp(&v, &before, sizeof v) != 0)
		abort();
	source_unref(s);
	return 0;
}
