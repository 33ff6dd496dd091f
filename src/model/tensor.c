/* tensor.c - takes tensors into the model, after checking every number of them.
 *
 * formats/torch-objects.md sections 3 and 11. A pickle may claim any shape, stride and offset. The
 * checks here are the only place where they meet the size of the storage: afterwards a tensor that
 * is not broken reads no byte outside [0, storage.nbytes), and nbytes fits an off_t. What does not
 * hold is a sentence in tensor.broken, never an error.
 *
 * A dimension of 0 makes a tensor of no bytes, whatever its offset and other dimensions are: torch
 * loads those. Expansions by stride 0 are legal too, but a storage of 24 bytes may claim 2^60
 * elements: beyond 1 GiB and 64 times its storage, such a dimension counts once.
 *
 * Equal tensors are one, found by a hash of all their properties. Two without a storage (meta)
 * share nothing, so they are one only if they are one object in the pickle.
 */
#include "shown.h"

#include <inttypes.h>
#include <string.h>

#define EXPANDED_BYTES (UINT64_C(1) << 30)
#define EXPANDED_TIMES 64

unsigned dtype_packed(enum dtype t)
{
	switch (t) {
	case DTYPE_QUINT4X2:
		return 2;
	case DTYPE_QUINT2X4:
		return 4;
	default:
		return 0; /* float4_e2m1fn_x2 and the bits types: their shapes count whole bytes */
	}
}

bool shape_contiguous(unsigned ndim, const int64_t *shape, const int64_t *stride)
{
	int64_t want = 1;

	for (unsigned k = 0; k < ndim; k++)
		if (shape[k] == 0)
			return true;
	for (unsigned k = ndim; k-- > 0;) {
		if (shape[k] == 1)
			continue;
		if (stride[k] != want)
			return false;
		if (__builtin_mul_overflow(want, shape[k], &want))
			return false;
	}
	return true;
}

/* Product of the sizes; with `once`, dimensions of stride 0 count once. False: over 63 bits. */
static bool count_elements(const struct tensor *t, bool once, int64_t *ret)
{
	int64_t n = 1;
	bool fits = true;

	for (unsigned k = 0; k < t->ndim; k++) {
		if (t->shape[k] == 0) {
			*ret = 0;
			return true;
		}
		if (once && t->stride[k] == 0)
			continue;
		if (__builtin_mul_overflow(n, t->shape[k], &n))
			fits = false; /* a 0 may still come */
	}
	if (fits)
		*ret = n;
	return fits;
}

/* The bytes [*first, *end) of the storage that lie between its first and last element. */
static bool span_bytes(const struct tensor *t, unsigned esize, int64_t *first, int64_t *end)
{
	int64_t at = (int64_t)t->offset, step;

	if (__builtin_mul_overflow(at, (int64_t)esize, first))
		return false;
	for (unsigned k = 0; k < t->ndim; k++)
		if (__builtin_mul_overflow(t->shape[k] - 1, t->stride[k], &step) ||
				__builtin_add_overflow(at, step, &at))
			return false;
	return !__builtin_add_overflow(at, 1, &at) &&
			!__builtin_mul_overflow(at, (int64_t)esize, end);
}

static const char *check_signs(struct model *m, const struct tensor *t)
{
	for (unsigned k = 0; k < t->ndim; k++) {
		if (t->shape[k] < 0)
			return model_sentence(m, "dimension %u has the negative size %" PRId64, k,
					t->shape[k]);
		if (t->stride[k] < 0)
			return model_sentence(m, "dimension %u has the negative stride %" PRId64
					", which torch does not know", k, t->stride[k]);
	}
	if (t->offset > INT64_MAX)
		return model_sentence(m, "its offset in the storage is negative (%" PRId64 ")",
				(int64_t)t->offset);
	return NULL;
}

/* Where the tensor's elements lie, against what the storage has. */
static const char *check_span(struct model *m, const struct tensor *t, const struct storage *s)
{
	unsigned packed = dtype_packed(t->dtype), esize = dtype_info(t->dtype)->size;
	int64_t first, end;

	if (!span_bytes(t, esize, &first, &end))
		return model_sentence(m, "its offset (%" PRIu64 "), shape and strides lead beyond "
				"2^63 bytes", t->offset);
	if (packed) {
		first /= packed;
		end = end / packed + (end % packed != 0);
	}
	if ((uint64_t)end <= s->nbytes)
		return NULL;
	return model_sentence(m,
			"needs bytes %" PRId64 "..%" PRId64 " of storage %s, which has %" PRIu64,
			first, end, s->key.n ? STR_SHOW(s->key) : "without a key", s->nbytes);
}

/* Sets nbytes, and EXPANDED when the logical size is out of all proportion. */
static const char *settle_size(struct model *m, struct tensor *t, const struct storage *s,
		uint64_t bytes)
{
	uint64_t esize = dtype_info(t->dtype)->size;
	int64_t once = 0;

	if (dtype_packed(t->dtype)) {
		t->nbytes = s->nbytes;
		return NULL;
	}
	t->nbytes = bytes;
	if (bytes <= EXPANDED_BYTES || bytes / EXPANDED_TIMES <= s->nbytes)
		return NULL;
	if (!count_elements(t, true, &once))
		once = INT64_MAX / 16; /* cannot be: the count with all dimensions did fit */
	t->nbytes = (uint64_t)once * esize;
	t->flags |= TENSOR_EXPANDED;
	if (t->nbytes <= EXPANDED_BYTES || t->nbytes / EXPANDED_TIMES <= s->nbytes)
		return NULL;
	t->flags &= (uint16_t)~TENSOR_EXPANDED;
	return model_sentence(m,
			"its overlapping strides make %" PRIu64 " bytes out of the %" PRIu64
			" of storage %s: not shown", bytes, s->nbytes,
			s->key.n ? STR_SHOW(s->key) : "without a key");
}

/* All of section 11 for one tensor: NULL and nbytes set, or the sentence. */
static const char *judge(struct model *m, struct tensor *t)
{
	const struct storage *s;
	const char *why = t->broken ? t->broken : check_signs(m, t);
	int64_t numel, bytes;

	if (why)
		return why;
	if (t->dtype == DTYPE_NONE || t->dtype >= DTYPE_COUNT)
		return "its dtype is not known";
	if (!count_elements(t, false, &numel) ||
			__builtin_mul_overflow(numel, (int64_t)dtype_info(t->dtype)->size, &bytes))
		return "its shape has more than 2^63 bytes";
	t->flags |= shape_contiguous(t->ndim, t->shape, t->stride) ? TENSOR_CONTIGUOUS : 0;
	if (t->flags & TENSOR_META)
		return NULL;
	if (t->storage >= m->storages.n)
		return "it has no storage";
	s = &m->storages.at[t->storage];
	if (s->broken)
		return s->broken;
	if (numel == 0)
		return NULL;
	why = check_span(m, t, s);
	return why ? why : settle_size(m, t, s, (uint64_t)bytes);
}

/* Of a storage that is cut short: does the tensor need what is missing? */
static void judge_missing(struct model *m, struct tensor *t)
{
	const struct storage *s;
	uint64_t first, end;

	if (t->nbytes == 0 || t->storage >= m->storages.n)
		return;
	s = &m->storages.at[t->storage];
	tensor_span(m, t, &first, &end);
	if (end <= s->data.len)
		return;
	t->broken = model_sentence(m,
			"storage \"%s\" has %" PRIu64 " of its %" PRIu64 " bytes, the tensor needs %" PRIu64
			"..%" PRIu64,
			STR_SHOW(s->key), s->data.len, s->nbytes, first, end);
	t->flags |= TENSOR_PARTIAL;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t tensor_hash(const struct tensor *t)
{
	uint64_t h = mix(t->storage, t->offset);

	h = mix(h, (uint64_t)t->dtype << 32 | (uint64_t)t->ndim << 16 | t->flags);
	for (unsigned k = 0; k < t->ndim; k++)
		h = mix(mix(h, (uint64_t)t->shape[k]), (uint64_t)t->stride[k]);
	if (t->storage == MODEL_NONE)
		h = mix(h, t->obj);
	return h;
}

static bool same_sentence(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_words(const struct tensor_words *a, const struct tensor_words *b)
{
	if (!a || !b)
		return a == b;
	return str_eq(a->cls, b->cls) && str_eq(a->device, b->device);
}

static bool same_tensor(const void *ctx, const void *key, uint32_t id)
{
	const struct model *m = ctx;
	const struct tensor *a = key, *b = &m->tensors.at[id];
	size_t n = a->ndim * sizeof *a->shape;

	if (a->storage == MODEL_NONE && (a->obj != b->obj || a->obj == OREF_NIL))
		return false;
	return a->storage == b->storage && a->offset == b->offset && a->dtype == b->dtype &&
			a->ndim == b->ndim && a->flags == b->flags &&
			(n == 0 || (memcmp(a->shape, b->shape, n) == 0 &&
						   memcmp(a->stride, b->stride, n) == 0)) &&
			same_words(a->words, b->words) &&
			same_sentence(a->broken, b->broken);
}

/* C order strides for a shape that comes without; an empty dimension counts as 1, as in torch. */
static void fill_strides(const struct tensor *t, int64_t *stride)
{
	int64_t n = 1;

	for (unsigned k = t->ndim; k-- > 0;) {
		stride[k] = n;
		if (t->shape[k] > 1 && __builtin_mul_overflow(n, t->shape[k], &n))
			n = INT64_MAX; /* then the shape is broken as well, or has a 0 */
	}
}

static int keep_words(struct model *m, struct tensor *t)
{
	struct tensor_words *copy = t->words ? arena_alloc(&m->arena, sizeof *copy) : NULL;

	if (t->words && !copy)
		return ERR_NOMEM;
	if (copy)
		*copy = *t->words;
	t->words = copy;
	return 0;
}

static int store(struct model *m, struct tensor *t, uint64_t hash, uint32_t *ret, struct err *e)
{
	uint32_t id = (uint32_t)m->tensors.n;
	int64_t *copy = arena_alloc(&m->arena, (t->ndim ? t->ndim : 1) * 2 * sizeof *copy);

	if (!copy || keep_words(m, t) < 0 || vec_room(&m->tensors, 1) < 0 || idmap_add(&m->tensor_ids, hash, id) < 0)
		return err_nomem(e);
	if (t->ndim) {
		memcpy(copy, t->shape, t->ndim * sizeof *copy);
		memcpy(copy + t->ndim, t->stride, t->ndim * sizeof *copy);
	}
	t->shape = copy;
	t->stride = copy + t->ndim;
	m->tensors.at[m->tensors.n++] = *t;
	if (t->storage < m->storages.n)
		m->storages.at[t->storage].users++;
	*ret = id;
	return 0;
}

int model_add_tensor(struct model *m, const struct tensor *t, uint32_t *ret, struct err *e)
{
	struct tensor c = *t;
	int64_t stride[MODEL_MAX_NDIM];
	uint64_t hash;
	uint32_t id;

	c.nbytes = 0;
	if (c.words && !c.words->cls.n && !c.words->device.n)
		c.words = NULL;
	c.flags &= (uint16_t)~(TENSOR_CONTIGUOUS | TENSOR_EXPANDED | TENSOR_PARTIAL);
	if (c.ndim > MODEL_MAX_NDIM) {
		if (!c.broken)
			c.broken = model_sentence(m, "it has %u dimensions; torch has at most %d",
					c.ndim, MODEL_MAX_NDIM);
		c.ndim = 0;
	}
	if (!c.stride && c.ndim) {
		fill_strides(&c, stride);
		c.stride = stride;
	}
	c.broken = judge(m, &c);
	if (c.broken) {
		c.nbytes = 0;
		c.flags &= (uint16_t)~TENSOR_EXPANDED;
	}
	judge_missing(m, &c);
	hash = tensor_hash(&c);
	id = idmap_find(&m->tensor_ids, hash, same_tensor, m, &c);
	if (id == IDMAP_NONE)
		return store(m, &c, hash, ret, e);
	*ret = id;
	return 0;
}
