/* change.c - tensors that were not in the file, in torch's own spelling.
 *
 *	_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
 *	_rebuild_tensor_v3(... the same six, dtype)      dtypes without a storage class, and dtypes
 *	                                                 that are not those of the storage
 *	_rebuild_parameter(tensor, requires_grad, hooks) around it
 *	storage   ('storage', class, key, location, numel)          zip
 *	          ('storage', class, key, location, numel, None)    legacy
 *
 * Each piece is an object of its own where torch makes one for each tensor (hooks, tuples), and the
 * one that is there where Python has one (symbols, the word 'storage', locations); a legacy stream
 * repeats its keys. So the pickle comes out as torch would write it.
 * (formats/torch-objects.md sections 1 to 4, formats/torch-legacy.md section 2)
 *
 * Not done: tensors in plain pickles and tars, which have no place for a new storage; quantized and
 * packed ones, which torch rebuilds from more than bytes.
 */
#include "change_in.h"

#include <string.h>

/* --- what cannot be --------------------------------------------------------------------------- */

static int check_format(const struct checkpoint *ck, struct err *e)
{
	if (format_is(ck, "torchscript"))
		return err_set(e, ERR_UNSUPPORTED,
				"TorchScript: its code refers to the tensors it has; none can be "
				"added or get another shape or dtype");
	if (format_is(ck, "pickle"))
		return err_set(e, ERR_UNSUPPORTED,
				"a plain pickle has no place for the bytes of a new tensor: save "
				"it with torch.save() to have one");
	if (format_is(ck, "torch tar"))
		return err_set(e, ERR_UNSUPPORTED,
				"the tar format of torch before 0.1.7 takes no new tensors: load "
				"it and save it with torch.save() to have one that does");
	return 0;
}

static int check_dtype(const struct new_tensor *t, struct err *e)
{
	const struct dtype_info *dt = dtype_info(t->dtype);

	if (t->dtype == DTYPE_NONE || t->dtype >= DTYPE_COUNT)
		return err_set(e, ERR_INVALID, "the dtype of the new tensor is not known");
	if (dt->flags & DT_QUANT)
		return err_set(e, ERR_UNSUPPORTED,
				"a tensor of %s is made from more than its bytes (scale and zero "
				"point): torch has to make it",
				dt->name);
	if (t->requires_grad && !(dt->flags & (DT_FLOAT | DT_COMPLEX)))
		return err_set(e, ERR_INVALID,
				"a tensor of %s cannot require gradients: torch knows that for "
				"floating point and complex dtypes only",
				dt->name);
	if (t->ndim > MODEL_MAX_NDIM)
		return err_set(e, ERR_INVALID, "%u dimensions; torch has at most %d", t->ndim,
				MODEL_MAX_NDIM);
	return 0;
}

/* --- the storage ------------------------------------------------------------------------------ */

static bool is_untyped(enum dtype dt)
{
	return dtype_info(dt)->flags & DT_UNTYPED || !*dtype_info(dt)->storage;
}

static struct str location_of(const struct checkpoint *ck, const struct new_tensor *t)
{
	const struct model *m = &ck->model;
	struct str location = t->location;

	if (!location.n && t->like < m->tensors.n && m->tensors.at[t->like].storage < m->storages.n)
		location = m->storages.at[m->tensors.at[t->like].storage].location;
	return location.n && !str_is(location, "meta") ? location : STR("cpu");
}

static int new_storage(
		struct checkpoint *ck, const struct new_tensor *t, uint32_t *ret, struct err *e)
{
	struct model *m = &ck->model;
	enum dtype dt = is_untyped(t->dtype) ? DTYPE_UINT8 : t->dtype;
	struct storage s = {
			.key = names_new_key(ck),
			.data = t->data,
			.nbytes = t->data.len,
			.file_off = UINT64_MAX,
			.location = arena_str(&m->arena, location_of(ck, t)),
			.dtype = (uint8_t)dt,
			.big_endian = ck->big_endian,
	};

	if (!s.key.p || !s.location.p)
		return err_nomem(e);
	if (s.nbytes % dtype_info(t->dtype)->size)
		return err_set(e, ERR_INVALID, "%llu bytes are no whole number of %s elements",
				(unsigned long long)s.nbytes, dtype_info(t->dtype)->name);
	if (t->data.src && model_keep(m, source_ref(t->data.src)) < 0)
		return err_nomem(e);
	return model_add_storage(m, &s, ret, e);
}

/* ('storage', class, key, location, numel[, None]) as a persistent id. */
static oref new_persid(struct checkpoint *ck, const oref five[5])
{
	struct graph *g = &ck->model.graph;
	oref at[6], id;

	memcpy(at, five, 5 * sizeof *at);
	at[5] = OBJ_NONE;
	for (unsigned i = 0; i < 5; i++)
		if (at[i] == OREF_NIL)
			return OREF_NIL;
	id = obj_new_seq(g, OBJ_KIND_TUPLE, at, format_is(ck, "torch legacy") ? 6 : 5, UINT32_MAX);
	return id == OREF_NIL ? OREF_NIL : obj_new_persid(g, id, UINT32_MAX);
}

/* torch writes legacy streams with UntypedStorage, but reads none: bytes are a ByteStorage there.
 */
static oref class_of_new(struct checkpoint *ck, enum dtype dt)
{
	if (!is_untyped(dt))
		return names_class(ck, dt);
	return format_is(ck, "torch legacy") ? names_class(ck, DTYPE_UINT8)
					     : names_symbol(ck, SYM_UNTYPED);
}

static oref persid_of_new(struct checkpoint *ck, const struct new_tensor *t, uint32_t storage)
{
	struct graph *g = &ck->model.graph;
	const struct storage *s = &ck->model.storages.at[storage];
	uint64_t numel = s->nbytes / dtype_info((enum dtype)s->dtype)->size;
	oref at[5] = {names_word(ck)};

	at[1] = class_of_new(ck, t->dtype);
	at[2] = obj_new_text(g, OBJ_KIND_STR, s->key, UINT32_MAX);
	at[3] = names_location(ck, s->location);
	at[4] = obj_new_int(g, (int64_t)numel, UINT32_MAX);
	return new_persid(ck, at);
}

/* Another name for a storage that `like` names: a legacy stream spells its key anew each time. */
static oref persid_again(struct checkpoint *ck, oref like)
{
	struct graph *g = &ck->model.graph;
	struct str key;
	oref at[5], id = OREF_NIL;
	uint32_t n;

	obj_persid(g, like, &id);
	memcpy(at, obj_items(g, id, &n), sizeof at);
	if (format_is(ck, "torch legacy") && obj_text(g, at[2], &key))
		at[2] = obj_new_text(g, obj_kind(g, at[2]), key, UINT32_MAX);
	return new_persid(ck, at);
}

/* Is the class that a PERSID names one for elements of dt? */
static bool class_is(const struct graph *g, oref persid, enum dtype dt)
{
	struct str module, name;
	oref id = OREF_NIL;
	uint32_t n;
	const oref *at;

	obj_persid(g, persid, &id);
	at = obj_items(g, id, &n);
	return n > 1 && obj_global(g, at[1], &module, &name) && !is_untyped(dt) &&
	       str_is(name, dtype_info(dt)->storage);
}

/* --- the tensor ------------------------------------------------------------------------------- */

static oref ints(struct graph *g, const int64_t *v, unsigned n)
{
	oref at[MODEL_MAX_NDIM];

	for (unsigned i = 0; i < n; i++) {
		at[i] = obj_new_int(g, v[i], UINT32_MAX);
		if (at[i] == OREF_NIL)
			return OREF_NIL;
	}
	return obj_new_seq(g, OBJ_KIND_TUPLE, at, n, UINT32_MAX);
}

static oref no_hooks(struct checkpoint *ck)
{
	oref fn = names_symbol(ck, SYM_ORDERED_DICT);

	return fn == OREF_NIL ? OREF_NIL
			      : obj_new_call(&ck->model.graph, OBJ_KIND_CALL, fn, OBJ_EMPTY_TUPLE,
						UINT32_MAX);
}

/* The hooks of a tensor that has some, else none at all. */
static oref hooks_like(struct checkpoint *ck, uint32_t like)
{
	const struct graph *g = &ck->model.graph;
	oref r = like < ck->model.tensors.n ? ck->model.tensors.at[like].obj : OREF_NIL, fn, args;
	const oref *at;
	uint32_t n, pairs;

	if (obj_call(g, r, &fn, &args) &&
			obj_is_global(g, fn, "torch._utils", "_rebuild_parameter")) {
		at = obj_items(g, args, &n);
		r = n ? at[0] : OREF_NIL;
	}
	if (!obj_call(g, r, &fn, &args) ||
			(!obj_is_global(g, fn, "torch._utils", "_rebuild_tensor_v2") &&
					!obj_is_global(g, fn, "torch._utils",
							"_rebuild_tensor_v3")))
		return no_hooks(ck);
	at = obj_items(g, args, &n);
	if (n < 6)
		return no_hooks(ck);
	obj_pairs(g, at[5], &pairs);
	return pairs ? at[5] : no_hooks(ck);
}

static oref new_call(struct graph *g, oref fn, const oref *at, uint32_t n)
{
	oref args;

	for (uint32_t i = 0; i < n; i++)
		if (at[i] == OREF_NIL)
			return OREF_NIL;
	args = obj_new_seq(g, OBJ_KIND_TUPLE, at, n, UINT32_MAX);
	return args == OREF_NIL || fn == OREF_NIL
			       ? OREF_NIL
			       : obj_new_call(g, OBJ_KIND_CALL, fn, args, UINT32_MAX);
}

static oref tensor_object(struct checkpoint *ck, const struct new_tensor *t,
		const struct tensor *checked, oref persid)
{
	struct graph *g = &ck->model.graph;
	bool v3 = !class_is(g, persid, t->dtype), grad = t->requires_grad && !t->parameter;
	oref at[7] = {persid};

	at[1] = obj_new_int(g, (int64_t)t->offset, UINT32_MAX);
	at[2] = ints(g, checked->shape, t->ndim);
	at[3] = ints(g, checked->stride, t->ndim);
	at[4] = grad ? OBJ_TRUE : OBJ_FALSE;
	at[5] = hooks_like(ck, t->like);
	at[6] = v3 ? names_dtype(ck, t->dtype) : OBJ_NONE;
	return new_call(g, names_symbol(ck, v3 ? SYM_V3 : SYM_V2), at, v3 ? 7 : 6);
}

static oref parameter_object(struct checkpoint *ck, const struct new_tensor *t, oref tensor)
{
	oref at[3] = {tensor, t->requires_grad ? OBJ_TRUE : OBJ_FALSE, no_hooks(ck)};

	return new_call(&ck->model.graph, names_symbol(ck, SYM_PARAMETER), at, 3);
}

/* The tensor in the model, which checks it against its storage. */
static int add_tensor(struct checkpoint *ck, const struct new_tensor *t, uint32_t storage,
		uint32_t *ret, struct err *e)
{
	struct tensor c = {
			.storage = storage,
			.dtype = (uint8_t)t->dtype,
			.ndim = (uint8_t)t->ndim,
			.offset = t->offset,
			.shape = t->shape,
			.stride = t->stride,
			.obj = OREF_NIL,
	};
	int rc;

	c.flags = (uint16_t)((t->requires_grad ? TENSOR_REQUIRES_GRAD : 0) |
			     (t->parameter ? TENSOR_PARAMETER : 0));
	rc = model_add_tensor(&ck->model, &c, ret, e);
	if (rc == 0 && ck->model.tensors.at[*ret].broken)
		return err_set(e, ERR_INVALID, "the new tensor: %s",
				ck->model.tensors.at[*ret].broken);
	return rc;
}

static int add_object(struct checkpoint *ck, const struct new_tensor *t, uint32_t tensor,
		oref persid, uint32_t *ret, struct err *e)
{
	struct model *m = &ck->model;
	struct value v = {.kind = VALUE_TENSOR, .tensor = tensor};

	v.first = (uint32_t)m->entries.n;
	v.obj = persid == OREF_NIL ? OREF_NIL
				   : tensor_object(ck, t, &m->tensors.at[tensor], persid);
	if (v.obj != OREF_NIL && t->parameter)
		v.obj = parameter_object(ck, t, v.obj);
	if (v.obj == OREF_NIL)
		return err_nomem(e);
	if (m->tensors.at[tensor].obj == OREF_NIL)
		m->tensors.at[tensor].obj = v.obj;
	return model_add_value(m, &v, ret, e);
}

static int known_storage(const struct checkpoint *ck, uint32_t storage, struct err *e)
{
	if (storage >= ck->model.storages.n)
		return err_set(e, ERR_USAGE, "there is no storage %u", storage);
	if (names_persid(ck, storage) == OREF_NIL)
		return err_set(e, ERR_UNSUPPORTED,
				"its bytes lie in the pickle itself, where only what they are now "
				"(a numpy array) can name them");
	return 0;
}

/* torch's _rebuild_tensor_v3 makes an empty tensor that requires gradients and then fills it, which
 * torch refuses: it cannot load what it saves so. (seen with 2.13; a Parameter around it is fine) */
static int check_grad(const struct checkpoint *ck, const struct new_tensor *t, struct err *e)
{
	bool v3 = t->storage == MODEL_NONE
				  ? is_untyped(t->dtype)
				  : !class_is(&ck->model.graph, names_persid(ck, t->storage), t->dtype);

	if (!v3 || !t->requires_grad || t->parameter)
		return 0;
	return err_set(e, ERR_INVALID,
			"torch cannot load a tensor of %s that requires gradients, unless it is a "
			"Parameter: leave \"requires_grad\" out",
			dtype_info(t->dtype)->name);
}

int change_new_tensor(struct checkpoint *ck, const struct new_tensor *t, uint32_t *ret_value,
		struct err *e)
{
	uint32_t storage = t->storage, tensor;
	int rc = check_format(ck, e);

	if (rc == 0)
		rc = check_dtype(t, e);
	if (rc < 0)
		return rc;
	if (!change_names(ck, e))
		return ERR_NOMEM;
	if (storage != MODEL_NONE)
		rc = known_storage(ck, storage, e);
	if (rc == 0)
		rc = check_grad(ck, t, e);
	if (rc == 0 && storage == MODEL_NONE)
		rc = new_storage(ck, t, &storage, e);
	if (rc == 0)
		rc = add_tensor(ck, t, storage, &tensor, e);
	if (rc < 0)
		return rc;
	return add_object(ck, t, tensor,
			t->storage == MODEL_NONE ? persid_of_new(ck, t, storage)
						 : persid_again(ck, names_persid(ck, storage)),
			ret_value, e);
}
