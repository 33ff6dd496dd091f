/* describe.c - what readers ask about a tensor: its size, its words, where it lies.
 *
 * All of these are pure. They are for tensors that model_add_tensor() has checked, but hold for
 * broken ones too, whose shapes may be anything: numel saturates, ranges are empty.
 */
#include "shown.h"

#include <inttypes.h>
#include <string.h>

void tensor_shown(const struct tensor *t, struct shown *ret)
{
	if (t->nbytes == 0 ? tensor_numel(t) != 0 : dtype_packed(t->dtype) != 0) {
		ret->ndim = 1;
		ret->shape[0] = (int64_t)(t->nbytes / dtype_info(t->dtype)->size);
		ret->stride[0] = 1;
		ret->offset = 0;
		ret->contiguous = true;
		return;
	}
	ret->ndim = t->ndim;
	ret->offset = t->offset;
	for (unsigned k = 0; k < t->ndim; k++) {
		bool once = t->flags & TENSOR_EXPANDED && t->stride[k] == 0;

		ret->shape[k] = once ? 1 : t->shape[k];
		ret->stride[k] = t->stride[k];
	}
	ret->contiguous = shape_contiguous(ret->ndim, ret->shape, ret->stride);
}

unsigned tensor_shown_shape(const struct tensor *t, int64_t *shape)
{
	struct shown s;

	tensor_shown(t, &s);
	memcpy(shape, s.shape, s.ndim * sizeof *shape);
	return s.ndim;
}

uint64_t tensor_numel(const struct tensor *t)
{
	uint64_t n = 1;

	for (unsigned k = 0; k < t->ndim; k++)
		if (t->shape[k] <= 0)
			return 0;
	for (unsigned k = 0; k < t->ndim; k++)
		if (__builtin_mul_overflow(n, (uint64_t)t->shape[k], &n))
			return UINT64_MAX;
	return n;
}

void tensor_shape_text(const struct tensor *t, struct buf *out)
{
	buf_putc(out, '[');
	for (unsigned k = 0; k < t->ndim; k++)
		buf_printf(out, "%s%" PRId64, k ? ", " : "", t->shape[k]);
	buf_putc(out, ']');
}

/* Cannot overflow: the tensor was checked. */
void tensor_span(const struct model *m, const struct tensor *t, uint64_t *first, uint64_t *end)
{
	uint64_t esize = dtype_info(t->dtype)->size, last = t->offset;

	*first = *end = 0;
	if (t->nbytes == 0 || t->storage >= m->storages.n)
		return;
	if (dtype_packed(t->dtype)) {
		*end = t->nbytes;
		return;
	}
	for (unsigned k = 0; k < t->ndim; k++)
		last += (uint64_t)(t->shape[k] - 1) * (uint64_t)t->stride[k];
	*first = t->offset * esize;
	*end = (last + 1) * esize;
}

bool tensor_is_dense(const struct tensor *t)
{
	uint64_t filled = 1; /* elements that the dimensions so far fill without a gap */
	bool used[MODEL_MAX_NDIM] = {false};

	if (t->nbytes == 0 || dtype_packed(t->dtype))
		return t->flags & TENSOR_CONTIGUOUS;
	for (unsigned n = 0; n < t->ndim; n++) {
		unsigned k = 0;

		while (k < t->ndim && (used[k] || (t->shape[k] != 1 && (uint64_t)t->stride[k] != filled)))
			k++;
		if (k == t->ndim)
			return false;
		used[k] = true;
		filled *= (uint64_t)t->shape[k];
	}
	return true;
}

bool tensor_overlap(const struct model *m, uint32_t a, uint32_t b)
{
	const struct tensor *ta = &m->tensors.at[a], *tb = &m->tensors.at[b];
	uint64_t a0, a1, b0, b1;

	if (ta->storage != tb->storage)
		return false;
	tensor_span(m, ta, &a0, &a1);
	tensor_span(m, tb, &b0, &b1);
	return a0 < b1 && b0 < a1;
}

struct str tensor_device(const struct model *m, const struct tensor *t)
{
	if (t->words && t->words->device.n)
		return t->words->device;
	if (t->storage < m->storages.n && m->storages.at[t->storage].location.n)
		return m->storages.at[t->storage].location;
	return t->flags & TENSOR_META ? STR("meta") : STR("cpu");
}

const char *tensor_kind(const struct tensor *t)
{
	static const struct {
		unsigned flag;
		const char *word;
	} kinds[] = {
		{TENSOR_SPARSE_PART, "sparse part"},
		{TENSOR_QUANTIZED_PART, "quantized part"},
		{TENSOR_NESTED_PART, "nested part"},
		{TENSOR_NUMPY, "numpy"},
		{TENSOR_PARAMETER, "parameter"},
		{TENSOR_BUFFER, "buffer"},
		{TENSOR_SUBCLASS, "subclass"},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (t->flags & kinds[i].flag)
			return kinds[i].word;
	return NULL;
}

bool tensor_file_range(const struct model *m, const struct tensor *t, uint64_t *off)
{
	const struct storage *s;
	struct shown v;

	if (t->broken || t->nbytes == 0 || t->storage >= m->storages.n ||
			t->flags & (TENSOR_CONJ | TENSOR_NEG))
		return false;
	s = &m->storages.at[t->storage];
	tensor_shown(t, &v);
	if (s->file_off == UINT64_MAX || !v.contiguous)
		return false;
	*off = s->file_off + v.offset * dtype_info(t->dtype)->size;
	return true;
}
