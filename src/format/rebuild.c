/* rebuild.c - the rebuild functions of torch: arguments to tensors. None of them is called.
 *
 *	_rebuild_tensor_v2  (storage, offset, size, stride, requires_grad, hooks[, metadata])
 *	_rebuild_tensor_v3  (the same six, dtype[, metadata]): counts elements of that dtype
 *	_rebuild_meta_tensor_no_storage  (dtype, size, stride, requires_grad)
 *	_rebuild_device_tensor_from_numpy  (array, dtype, device, requires_grad)
 *
 * What is wrong with one tensor (arguments of a wrong type, a view beyond its storage) makes that
 * tensor broken, with a sentence; the rest of the checkpoint stays readable. The arithmetic is
 * checked by model_add_tensor(). Backward hooks are ignored: they cannot be shown or kept without
 * running code. (formats/torch-objects.md sections 3 and 11)
 */
#include "interpret.h"

const oref *args_of(const struct loader *l, oref args, uint32_t min, uint32_t *n)
{
	enum obj_kind kind = obj_kind(l->g, args);
	const oref *at = obj_items(l->g, args, n);

	return (kind == OBJ_KIND_TUPLE || kind == OBJ_KIND_LIST) && *n >= min && *n ? at : NULL;
}

int ints_of(struct loader *l, oref r, int64_t out[MODEL_MAX_NDIM])
{
	const oref *at;
	uint32_t n;
	oref fn, args;

	if (obj_kind(l->g, r) == OBJ_KIND_CALL && obj_call(l->g, r, &fn, &args) &&
			(obj_is_global(l->g, fn, "torch", "Size") ||
					role_of(l, fn)->role == ROLE_ALIAS)) {
		at = args_of(l, args, 1, &n);
		if (!at)
			return -1;
		r = at[0];
	}
	if (obj_kind(l->g, r) != OBJ_KIND_TUPLE && obj_kind(l->g, r) != OBJ_KIND_LIST)
		return -1;
	at = obj_items(l->g, r, &n);
	if (n > MODEL_MAX_NDIM)
		return -2;
	for (uint32_t i = 0; i < n; i++)
		if (obj_kind(l->g, at[i]) != OBJ_KIND_INT || !obj_int(l->g, at[i], &out[i]))
			return -1;
	return (int)n;
}

enum dtype dtype_of(const struct loader *l, oref global)
{
	struct str module, name;

	if (!obj_global(l->g, global, &module, &name) || !str_is(module, "torch"))
		return DTYPE_NONE;
	return dtype_by_name(name);
}

static void break_draft(struct draft *d, const char *why)
{
	if (!d->t.broken)
		d->t.broken = why;
}

/* offset, size, stride; the storage has been seen to. */
static void draft_geometry(struct loader *l, struct draft *d, oref offset, oref size, oref stride)
{
	int64_t off = 0;
	int n = ints_of(l, size, d->shape), m = ints_of(l, stride, d->stride);

	if (!obj_int(l->g, offset, &off))
		return break_draft(d, "its offset is not a number of 64 bits");
	if (off < 0)
		return break_draft(d, "its offset in the storage is negative");
	if (n == -2 || m == -2)
		return break_draft(d, "it has more than 64 dimensions");
	if (n < 0 || m < 0)
		return break_draft(d, "its size or its stride is not a tuple of numbers");
	if (n != m)
		return break_draft(d, "its size and its stride have different lengths");
	d->t.ndim = (uint8_t)n;
	if (__builtin_add_overflow(d->t.offset, (uint64_t)off, &d->t.offset))
		break_draft(d, "its offset is beyond 2^64");
}

/* Offsets of windows count elements of the storage; d->t.offset counts those of the tensor. */
static void draft_shift(struct draft *d, const struct storage *s, uint64_t shift)
{
	uint64_t bytes;
	unsigned size = dtype_info((enum dtype)d->t.dtype)->size;

	if (__builtin_mul_overflow(shift, dtype_info((enum dtype)s->dtype)->size, &bytes) ||
			bytes % size)
		return break_draft(d, "the view of its storage begins inside an element");
	d->t.offset = bytes / size;
}

/* Storage, dtype and where a window begins. DTYPE_NONE: the storage's own dtype. */
static int draft_storage(struct loader *l, struct draft *d, oref r, enum dtype dt)
{
	struct storage_ref ref;
	const struct storage *s;
	int rc = persid_resolve(l, r, &ref);

	if (rc < 0)
		return rc;
	d->t.dtype = (uint8_t)dt;
	if (ref.why || ref.storage == MODEL_NONE) {
		break_draft(d, ref.why ? ref.why : "its storage is not known");
		return 0;
	}
	s = &l->m->storages.at[ref.storage];
	d->t.storage = ref.storage;
	if (dt == DTYPE_NONE)
		d->t.dtype = s->dtype;
	if (ref.shift)
		draft_shift(d, s, ref.shift);
	if (str_is(s->location, "meta")) {
		d->t.storage = MODEL_NONE;
		d->t.flags |= TENSOR_META;
		d->words.device = s->location;
	}
	return 0;
}

int draft_view(struct loader *l, struct draft *d, const oref four[4], enum dtype dt)
{
	oref storage = four[0], offset = four[1], size = four[2], stride = four[3];
	int rc = draft_storage(l, d, storage, dt);

	if (rc == 0)
		draft_geometry(l, d, offset, size, stride);
	return rc;
}

static void draft_grad(struct loader *l, struct draft *d, oref r)
{
	int64_t v;

	if (obj_int(l->g, r, &v) && v)
		d->t.flags |= TENSOR_REQUIRES_GRAD;
}

/* {'conj': True, 'neg': True} */
static void draft_metadata(struct loader *l, struct draft *d, oref r)
{
	int64_t v;

	if (obj_kind(l->g, r) != OBJ_KIND_DICT)
		return;
	if (obj_int(l->g, obj_get(l->g, r, "conj"), &v) && v)
		d->t.flags |= TENSOR_CONJ;
	if (obj_int(l->g, obj_get(l->g, r, "neg"), &v) && v)
		d->t.flags |= TENSOR_NEG;
}

int rebuild_v2(struct loader *l, struct draft *d, const struct call *k)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);
	oref grad, metadata;
	int rc;

	if (!at) {
		break_draft(d, "its rebuild function has too few arguments");
		return 0;
	}
	grad = n > 4 ? at[4] : OREF_NIL;
	metadata = n > 6 ? at[6] : OREF_NIL;
	rc = draft_view(l, d, at, DTYPE_NONE);
	draft_grad(l, d, grad);
	draft_metadata(l, d, metadata);
	return rc;
}

int rebuild_v3(struct loader *l, struct draft *d, const struct call *k)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 7, &n);
	oref grad, metadata;
	enum dtype dt;
	int rc;

	if (!at) {
		break_draft(d, "_rebuild_tensor_v3 has too few arguments");
		return 0;
	}
	dt = dtype_of(l, at[6]);
	if (!dt) {
		break_draft(d, "its dtype is unknown");
		return 0;
	}
	grad = at[4];
	metadata = n > 7 ? at[7] : OREF_NIL;
	rc = draft_view(l, d, at, dt);
	draft_grad(l, d, grad);
	draft_metadata(l, d, metadata);
	return rc;
}

int rebuild_meta(struct loader *l, struct draft *d, const struct call *k)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);
	oref zero = OBJ_FALSE; /* reads as the offset 0 */

	if (!at) {
		break_draft(d, "_rebuild_meta_tensor_no_storage has too few arguments");
		return 0;
	}
	d->t.dtype = (uint8_t)dtype_of(l, at[0]);
	if (!d->t.dtype)
		break_draft(d, "its dtype is unknown");
	d->t.flags |= TENSOR_META;
	d->words.device = STR("meta");
	draft_grad(l, d, at[3]);
	draft_geometry(l, d, zero, at[1], at[2]);
	return 0;
}

/* The array as it was pickled: torch would convert it to the dtype named beside it, which differs
 * only for what numpy lacks (bfloat16 is carried as float32). */
int rebuild_from_numpy(struct loader *l, struct draft *d, const struct call *k)
{
	struct array array;
	struct call inner;
	struct str device;
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);
	uint16_t flags;
	int rc;

	if (!at) {
		break_draft(d, "its rebuild function has too few arguments");
		return 0;
	}
	if (!obj_text(l->g, at[2], &device))
		device = STR("");
	draft_grad(l, d, at[3]);
	flags = d->t.flags;
	peel(l, at[0], &inner);
	rc = numpy_array(l, &inner, &array);
	if (rc < 0)
		return rc;
	*d = array.d;
	d->t.shape = d->shape;
	d->t.stride = d->stride;
	d->t.flags = (uint16_t)((d->t.flags & ~TENSOR_NUMPY) | flags);
	d->words.device = device;
	if (array.objects != OREF_NIL)
		break_draft(d, "the array it is made of is not numeric");
	return 0;
}

/* A storage by itself: all of its elements. */
int rebuild_storage(struct loader *l, struct draft *d, const struct call *k)
{
	const struct storage *s;
	int rc = draft_storage(l, d, k->obj, DTYPE_NONE);

	if (rc < 0 || d->t.storage == MODEL_NONE)
		return rc;
	s = &l->m->storages.at[d->t.storage];
	d->t.ndim = 1;
	d->stride[0] = 1;
	d->shape[0] = (int64_t)(s->nbytes / dtype_info((enum dtype)s->dtype)->size - d->t.offset);
	return 0;
}

bool is_tensor_call(const struct call *k)
{
	return k->row->role == ROLE_TENSOR;
}

void draft_init(struct draft *d, const struct tensor *t)
{
	d->t = *t;
	d->words = t->words ? *t->words : (struct tensor_words){STR(""), STR("")};
}

int draft_add(struct loader *l, struct draft *d, oref obj, uint32_t *ret)
{
	d->t.shape = d->shape;
	d->t.stride = d->stride;
	d->t.words = &d->words;
	d->t.obj = obj;
	return model_add_tensor(l->m, &d->t, ret, l->e);
}

int broken_tensor(struct loader *l, oref obj, const char *why, uint32_t *ret)
{
	struct draft d;

	draft_init(&d, &(struct tensor){.storage = MODEL_NONE, .broken = why});
	return draft_add(l, &d, obj, ret);
}

/* A tensor of the tar format with what stands around it. */
static int rewrap(struct loader *l, const struct call *k, struct draft *d)
{
	const struct tensor *t;
	uint32_t at = persid_lookup(l, k->obj);

	if (at == PERSID_NONE) {
		break_draft(d, "its persistent id names no tensor of this file");
		return 0;
	}
	t = &l->m->tensors.at[at];
	draft_init(d, t);
	for (unsigned i = 0; i < t->ndim; i++) {
		d->shape[i] = t->shape[i];
		d->stride[i] = t->stride[i];
	}
	return 0;
}

int rebuild_tensor(struct loader *l, const struct call *k, oref obj, uint32_t *ret)
{
	struct draft d;
	int rc = 0;

	draft_init(&d, &(struct tensor){.storage = MODEL_NONE});
	if (k->broken)
		d.t.broken = k->broken;
	else if (k->row->tensor)
		rc = k->row->tensor(l, &d, k);
	else if (obj_kind(l->g, k->obj) == OBJ_KIND_PERSID)
		rc = rewrap(l, k, &d);
	else
		d.t.broken = "what is wrapped as a tensor is none";
	if (rc < 0)
		return rc;
	d.t.flags |= k->flags;
	if (k->grad >= 0)
		d.t.flags = (uint16_t)((d.t.flags & ~TENSOR_REQUIRES_GRAD) |
				       (k->grad ? TENSOR_REQUIRES_GRAD : 0));
	if (k->cls.n)
		d.words.cls = k->cls;
	if (k->device.n && !(d.t.flags & TENSOR_META))
		d.words.device = k->device;
	return draft_add(l, &d, obj, ret);
}
