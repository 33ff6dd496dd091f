/* rebuild_parts.c - tensors that are directories of their parts: sparse, quantized, nested.
 *
 *	_rebuild_sparse_tensor      (layout, (indices, values, size[, is_coalesced]))        COO
 *	                            (layout, (crow_indices, col_indices, values, size))      CSR,
 *BSR (layout, (ccol_indices, row_indices, values, size))      CSC, BSC TorchScript, flat (1, size,
 *requires_grad, indices, values, hooks) (2, size, requires_grad, crow, col, values, hooks)
 *	_rebuild_sparse_csr_tensor  (layout, (crow_indices, col_indices, values, size))      1.x
 *	_rebuild_qtensor            (storage, offset, size, stride, qparams, requires_grad, hooks)
 *	_rebuild_nested_tensor      (buffer, sizes, strides, storage_offsets)
 *
 * Each part is an entry of its own; what is wrong with the whole stands in parts.broken and the
 * parts are shown all the same. A part that is itself quantized or sparse is no honest one and is
 * shown as a value. (formats/torch-objects.md section 3, formats/torchscript.md section 2)
 */
#include "interpret.h"

#include <string.h>

bool is_parts_call(const struct call *k)
{
	return k->row->role == ROLE_SPARSE || k->row->role == ROLE_SPARSE_CSR ||
	       k->row->role == ROLE_QUANTIZED || k->row->role == ROLE_NESTED;
}

/* One part under its name: a tensor where it is one, otherwise a value. */
static int add_part(struct loader *l, uint32_t v, enum made_key name, oref r, uint16_t flag,
		bool *is_tensor)
{
	struct call k;
	uint32_t tensor, value;
	oref key = loader_key(l, name);
	int rc;

	if (key == OREF_NIL)
		return err_nomem(l->e);
	peel(l, r, &k);
	*is_tensor = is_tensor_call(&k) || k.wrapped;
	if (*is_tensor) {
		k.flags |= flag;
		rc = rebuild_tensor(l, &k, r, &tensor);
		if (rc == 0)
			rc = tensor_value(l, tensor, r, &value);
	} else {
		rc = leaf_value(l, r, &value);
	}
	return rc < 0 ? rc : add_entry(l, v, key, value);
}

/* The tensor of the last entry. */
static const struct tensor *last_tensor(const struct loader *l)
{
	const struct value *v = &l->m->values.at[l->m->entries.at[l->m->entries.n - 1].value];

	return v->kind == VALUE_TENSOR ? &l->m->tensors.at[v->tensor] : NULL;
}

static int set_shape(struct loader *l, struct parts *p, const int64_t *shape, int n)
{
	int64_t *copy;

	if (n < 0) {
		p->broken = n == -1 ? "its size is not a tuple of numbers"
				    : "it has more than 64 dimensions";
		return 0;
	}
	copy = arena_alloc(&l->m->arena, (size_t)n * sizeof *copy + 1);
	if (!copy)
		return err_nomem(l->e);
	memcpy(copy, shape, (size_t)n * sizeof *copy);
	p->shape = copy;
	p->ndim = (uint8_t)n;
	for (int i = 0; i < n; i++)
		if (shape[i] < 0)
			p->broken = "its size has a negative dimension";
	return 0;
}

static int read_size(struct loader *l, struct parts *p, oref size)
{
	int64_t shape[MODEL_MAX_NDIM];

	return set_shape(l, p, shape, ints_of(l, size, shape));
}

/* "torch.sparse_coo": torch.serialization._get_layout(text), a symbol, or TorchScript's number. */
static struct str layout_name(struct loader *l, oref r)
{
	static const char *const numbered[] = {
			"torch.strided", "torch.sparse_coo", "torch.sparse_csr"};
	struct str text;
	oref fn, args;
	uint32_t n;
	const oref *at;
	int64_t number;

	if (obj_call(l->g, r, &fn, &args)) {
		at = args_of(l, args, 1, &n);
		return at && obj_text(l->g, at[0], &text) ? text : STR("");
	}
	if (obj_kind(l->g, r) == OBJ_KIND_GLOBAL)
		return dotted_name(l, r);
	if (obj_int(l->g, r, &number) && number >= 0 && number <= 2)
		return str_of(numbered[number]);
	return STR("");
}

/* What the layout calls its two (or one) index tensors. */
static unsigned index_keys(struct str layout, enum made_key ret[2])
{
	if (str_is(layout, "torch.sparse_coo")) {
		ret[0] = KEY_INDICES;
		return 1;
	}
	if (str_is(layout, "torch.sparse_csr") || str_is(layout, "torch.sparse_bsr")) {
		ret[0] = KEY_CROW;
		ret[1] = KEY_COL;
		return 2;
	}
	if (str_is(layout, "torch.sparse_csc") || str_is(layout, "torch.sparse_bsc")) {
		ret[0] = KEY_CCOL;
		ret[1] = KEY_ROW;
		return 2;
	}
	return 0;
}

static int add_sparse_parts(struct loader *l, struct parts *p, uint32_t v,
		const enum made_key keys[2], unsigned n, const oref part[3])
{
	bool is_tensor;
	int rc;

	for (unsigned i = 0; i <= n; i++) {
		rc = add_part(l, v, i < n ? keys[i] : KEY_VALUES, part[i], TENSOR_SPARSE_PART,
				&is_tensor);
		if (rc < 0)
			return rc;
		if (!is_tensor && !p->broken)
			p->broken = "one of its parts is not a tensor";
	}
	if (last_tensor(l))
		p->dtype = last_tensor(l)->dtype;
	return 0;
}

/* Where the parts stand: in a tuple of their own, or flat (TorchScript). */
static int sparse(struct loader *l, const struct call *k, struct parts *p, uint32_t v)
{
	enum made_key keys[2];
	oref size, part[3];
	uint32_t n, m;
	const oref *at = args_of(l, k->args, 2, &n), *data;
	unsigned index;
	int64_t grad;
	int rc;

	if (!at) {
		p->broken = "its rebuild function has too few arguments";
		return 0;
	}
	p->layout = layout_name(l, at[0]);
	index = index_keys(p->layout, keys);
	data = args_of(l, at[1], index + 2, &m);
	if (index && n >= index + 5) {
		size = at[1];
		memcpy(part, at + 3, (index + 1) * sizeof *part);
		p->requires_grad = obj_int(l->g, at[2], &grad) && grad;
	} else if (index && data) {
		size = data[index + 1];
		memcpy(part, data, (index + 1) * sizeof *part);
	} else {
		p->broken = index ? "its parts are not a tuple of tensors and a size"
				  : "its layout is unknown";
		return 0;
	}
	rc = read_size(l, p, size);
	return rc < 0 ? rc : add_sparse_parts(l, p, v, keys, index, part);
}

/* int_repr: the elements in the integer type they are stored in. Packed types are raw bytes. */
static int add_int_repr(struct loader *l, struct parts *p, uint32_t v, const oref four[4])
{
	struct draft d;
	const struct storage *s;
	enum dtype dt;
	uint32_t tensor, value;
	int rc;

	draft_init(&d, &(struct tensor){.storage = MODEL_NONE, .flags = TENSOR_QUANTIZED_PART});
	rc = draft_view(l, &d, four, DTYPE_NONE);
	if (rc < 0)
		return rc;
	p->dtype = d.t.dtype;
	dt = dtype_int_repr((enum dtype)d.t.dtype);
	rc = set_shape(l, p, d.shape, d.t.ndim);
	if (rc < 0)
		return rc;
	if (dtype_info((enum dtype)d.t.dtype)->flags & DT_SUBBYTE && d.t.storage != MODEL_NONE) {
		s = &l->m->storages.at[d.t.storage];
		d.t.ndim = 1;
		d.t.offset = 0;
		d.shape[0] = (int64_t)s->nbytes;
		d.stride[0] = 1;
		dt = DTYPE_UINT8;
	}
	if (dt != DTYPE_NONE)
		d.t.dtype = (uint8_t)dt;
	rc = draft_add(l, &d, OREF_NIL, &tensor);
	if (rc == 0)
		rc = tensor_value(l, tensor, OREF_NIL, &value);
	return rc < 0 ? rc : add_entry(l, v, loader_key(l, KEY_INT_REPR), value);
}

static int add_qparams(struct loader *l, struct parts *p, uint32_t v, oref qparams)
{
	static const enum made_key tensor_keys[] = {KEY_SCALE, KEY_ZERO_POINT};
	static const enum made_key channel_keys[] = {KEY_SCALES, KEY_ZERO_POINTS, KEY_AXIS};
	uint32_t n;
	const oref *at = args_of(l, qparams, 3, &n);
	const enum made_key *keys;
	oref part[3];
	bool is_tensor;
	int rc = 0;

	if (!at) {
		p->broken = "its quantization parameters are not a tuple";
		return 0;
	}
	part[0] = at[1], part[1] = at[2], part[2] = n > 3 ? at[3] : OREF_NIL;
	p->layout = dotted_name(l, at[0]);
	keys = n > 3 ? channel_keys : tensor_keys;
	for (unsigned i = 0; i < (n > 3 ? 3 : 2) && rc == 0; i++)
		rc = add_part(l, v, keys[i], part[i], TENSOR_QUANTIZED_PART, &is_tensor);
	return rc;
}

static int quantized(struct loader *l, const struct call *k, struct parts *p, uint32_t v)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 5, &n);
	oref four[4], qparams;
	int64_t grad;
	int rc;

	if (!at) {
		p->broken = "_rebuild_qtensor has too few arguments";
		return 0;
	}
	memcpy(four, at, sizeof four);
	qparams = at[4];
	p->requires_grad = n > 5 && obj_int(l->g, at[5], &grad) && grad;
	if (loader_key(l, KEY_INT_REPR) == OREF_NIL)
		return err_nomem(l->e);
	rc = add_int_repr(l, p, v, four);
	return rc < 0 ? rc : add_qparams(l, p, v, qparams);
}

static int nested(struct loader *l, const struct call *k, struct parts *p, uint32_t v)
{
	static const enum made_key keys[4] = {KEY_BUFFER, KEY_SIZES, KEY_STRIDES, KEY_OFFSETS};
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);
	oref part[4];
	bool is_tensor;
	int rc;

	if (!at) {
		p->broken = "_rebuild_nested_tensor has too few arguments";
		return 0;
	}
	memcpy(part, at, sizeof part);
	for (unsigned i = 0; i < 4; i++) {
		rc = add_part(l, v, keys[i], part[i], TENSOR_NESTED_PART, &is_tensor);
		if (rc < 0)
			return rc;
		if (!is_tensor && !p->broken)
			p->broken = "one of its parts is not a tensor";
		if (i == 0 && last_tensor(l))
			p->dtype = last_tensor(l)->dtype;
	}
	return 0;
}

int rebuild_parts(struct loader *l, const struct call *k, uint32_t v)
{
	struct parts p = {.layout = STR(""), .broken = k->broken};
	int rc;

	if (k->row->role == ROLE_QUANTIZED) {
		p.kind = "quantized";
		rc = quantized(l, k, &p, v);
	} else if (k->row->role == ROLE_NESTED) {
		p.kind = "nested";
		rc = nested(l, k, &p, v);
	} else {
		p.kind = "sparse";
		rc = sparse(l, k, &p, v);
	}
	if (rc < 0)
		return rc;
	if (k->grad >= 0)
		p.requires_grad = k->grad;
	l->m->values.at[v].parts = (uint32_t)l->m->parts.n;
	return vec_push(&l->m->parts, p) < 0 ? err_nomem(l->e) : 0;
}
