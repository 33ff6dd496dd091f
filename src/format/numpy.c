/* numpy.c - arrays in a pickle: each is a tensor over a storage of its own.
 *
 *	numpy.core.multiarray._reconstruct(class, (0,), b'b')
 *	    + BUILD (1, shape, dtype, fortran order?, bytes | list of objects)
 *	numpy.core.numeric._frombuffer(bytes, dtype, shape, 'C' | 'F')            protocol 5
 *	numpy.ma.core._mareconstruct(...) + BUILD (1, shape, dtype, fortran?, data, mask, fill)
 *
 *	b i u f c            the torch dtype of that name; big-endian ones are swapped when read
 *	M m                  int64, class numpy.datetime64 or numpy.timedelta64
 *	S U V, records, longdouble
 *	                     uint8 with one more dimension (the bytes of an item)
 *	O                    a directory of the objects
 *
 * The length of the bytes must be what shape and dtype say. (formats/torch-objects.md section 10)
 * Not done: fields of records, which would be strided views of their own.
 */
#include "numpy_type.h"

#include <pthfs/cleanup.h>

/* An array as it was pickled. */
struct pickled {
	oref cls, shape, dtype, data;
	bool fortran;
	oref inside; /* data is item `item` of this */
	uint8_t item;
};

static void sourcep(struct source **s)
{
	source_unref(*s);
}

static bool read_state(struct loader *l, const struct call *k, uint32_t min, struct pickled *ret)
{
	uint32_t n, n_args;
	const oref *at = args_of(l, k->state, min, &n), *args = args_of(l, k->args, 1, &n_args);
	int64_t fortran;

	if (!at || !args || !obj_int(l->g, at[3], &fortran))
		return false;
	*ret = (struct pickled){args[0], at[1], at[2], at[4], fortran != 0, k->state, 4};
	return true;
}

static bool read_buffer_call(struct loader *l, const struct call *k, struct pickled *ret)
{
	uint32_t n;
	const oref *at = args_of(l, k->args, 4, &n);

	if (!at)
		return false;
	*ret = (struct pickled){
			OREF_NIL, at[2], at[1], at[0], obj_is_text(l->g, at[3], "F"), k->args, 0};
	return true;
}

/* Elements of a shape; false when that overflows or a dimension is negative. */
static bool count_items(const struct draft *d, uint64_t *ret)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < d->t.ndim; i++)
		if (d->shape[i] < 0 || __builtin_mul_overflow(n, (uint64_t)d->shape[i], &n))
			return false;
	*ret = n;
	return true;
}

static void set_strides(struct draft *d, bool fortran)
{
	unsigned n = d->t.ndim;
	int64_t step = 1;

	for (unsigned i = 0; i < n; i++) {
		unsigned dim = fortran ? i : n - 1 - i;

		d->stride[dim] = step;
		/* Wraps only where some dimension is 0, as numpy's own do. */
		if (__builtin_mul_overflow(step, d->shape[dim] > 0 ? d->shape[dim] : 1, &step))
			step = 1;
	}
}

/* The storage of an array: takes src over. */
static int array_storage(struct loader *l, const struct pickled *p, struct source *src,
		enum dtype dt, bool big, uint32_t *ret)
{
	unsigned width = dtype_info(dt)->swap;
	struct storage s = {
			.key = STR(""),
			.nbytes = src->size,
			.file_off = UINT64_MAX,
			.location = STR("cpu"),
			.dtype = (uint8_t)dt,
			.big_endian = big,
			.inside = p->inside,
			.item = p->item,
	};
	struct source *swapped;
	uint64_t off;
	int rc;

	if (big && width > 1) {
		swapped = source_swap(src, width);
		source_unref(src);
		if (!swapped)
			return err_nomem(l->e);
		src = swapped;
	} else if (src->size && (source_raw(src, 0, src->size, &off) >= 0 ||
						plain_bytes_place(l, p->data, &off))) {
		s.file_off = off;
	}
	s.data = (struct extent){src, 0, src->size};
	rc = model_keep(l->m, src);
	if (rc < 0) {
		source_unref(src);
		return err_nomem(l->e);
	}
	return model_add_storage(l->m, &s, ret, l->e);
}

/* Bytes of one item as a dimension of their own. */
static bool add_item_dimension(struct draft *d, const struct npy_type *t)
{
	if (d->t.ndim >= MODEL_MAX_NDIM)
		return false;
	for (unsigned i = 0; i < d->t.ndim; i++)
		if (__builtin_mul_overflow(d->stride[i], (int64_t)t->size, &d->stride[i]))
			return false;
	d->shape[d->t.ndim] = t->size;
	d->stride[d->t.ndim++] = 1;
	return true;
}

static struct str array_class(struct loader *l, const struct npy_type *t, oref cls)
{
	if (t->kind == 'M')
		return STR("numpy.datetime64");
	if (t->kind == 'm')
		return STR("numpy.timedelta64");
	if (t->kind == 'S')
		return STR("numpy.bytes_");
	if (t->kind == 'U')
		return STR("numpy.str_");
	if (t->kind == 'V')
		return STR("numpy.void");
	if (t->kind == 'f' && t->dtype == DTYPE_NONE)
		return STR("numpy.longdouble");
	if (t->kind == 'c' && t->dtype == DTYPE_NONE)
		return STR("numpy.clongdouble");
	if (cls == OREF_NIL || obj_is_global(l->g, cls, "numpy", "ndarray"))
		return STR("");
	return dotted_name(l, cls);
}

/* Shape, strides, dtype and bytes of an array that is shown as a tensor. Takes src over. */
static int array_tensor(struct loader *l, const struct pickled *p, const struct npy_type *t,
		struct source *src, struct draft *d)
{
	enum dtype dt = t->dtype ? t->dtype : DTYPE_UINT8;

	set_strides(d, p->fortran);
	d->t.dtype = (uint8_t)dt;
	d->t.flags |= TENSOR_NUMPY;
	d->words.cls = array_class(l, t, p->cls);
	if (d->words.cls.n)
		d->t.flags |= TENSOR_SUBCLASS;
	if (!t->dtype && !add_item_dimension(d, t)) {
		d->t.broken = "it has more than 64 dimensions";
		source_unref(src);
		return 0;
	}
	return array_storage(l, p, src, dt, t->big, &d->t.storage);
}

static int break_array(struct array *a, const char *why)
{
	a->d.t.broken = why;
	return 0;
}

/* The bytes of p as numeric tensor or texts. */
static int array_bytes(struct loader *l, const struct pickled *p, const struct npy_type *t,
		struct array *a)
{
	_cleanup_(sourcep) struct source *src = NULL;
	struct err why = {0};
	uint64_t items, bytes;
	int rc = obj_bytes_source(l->g, p->data, &src, &why);

	if (rc == ERR_NOMEM)
		return err_nomem(l->e);
	if (rc < 0)
		return break_array(a, "the data of the array are not bytes");
	if (!count_items(&a->d, &items) || __builtin_mul_overflow(items, t->size, &bytes))
		return break_array(a, "the shape of the array is impossible");
	if (bytes != src->size)
		return break_array(a, model_sentence(l->m,
						      "the array has %llu bytes, its shape and "
						      "dtype need %llu",
						      (unsigned long long)src->size,
						      (unsigned long long)bytes));
	return array_tensor(l, p, t, steal_ptr(&src), &a->d);
}

static int make_array(struct loader *l, const struct pickled *p, struct array *a)
{
	struct npy_type t;
	int n = ints_of(l, p->shape, a->d.shape);

	if (n < 0)
		return break_array(a, "the shape of the array is not a tuple of numbers");
	a->d.t.ndim = (uint8_t)n;
	if (!npy_type_of(l, p->dtype, &t))
		return break_array(a, "the dtype of the array is not known");
	if (t.kind == 'O' && obj_kind(l->g, p->data) == OBJ_KIND_LIST) {
		a->objects = p->data;
		return 0;
	}
	if (t.kind == 'O')
		return break_array(a, "the array holds Python objects without a list of them");
	return array_bytes(l, p, &t, a);
}

static void init_array(struct array *a)
{
	draft_init(&a->d, &(struct tensor){.storage = MODEL_NONE});
	a->objects = OREF_NIL;
}

int numpy_array(struct loader *l, const struct call *k, struct array *ret)
{
	struct pickled p;
	bool ok;

	init_array(ret);
	ok = k->row->role == ROLE_BUFFER_ARRAY
			     ? read_buffer_call(l, k, &p)
			     : k->row->role == ROLE_ARRAY && read_state(l, k, 5, &p);
	if (!ok)
		return break_array(ret, "the array is not pickled as numpy does it");
	return make_array(l, &p, ret);
}

/* The mask: one byte an item, in the order of the data. */
static int make_mask(struct loader *l, struct pickled p, oref mask, struct array *a)
{
	struct npy_type t = {.kind = 'b', .size = 1, .dtype = DTYPE_BOOL};
	int n = ints_of(l, p.shape, a->d.shape);

	if (n < 0)
		return break_array(a, "the shape of the array is not a tuple of numbers");
	a->d.t.ndim = (uint8_t)n;
	p.data = mask;
	p.item = 5;
	p.cls = OREF_NIL;
	return array_bytes(l, &p, &t, a);
}

int numpy_masked(struct loader *l, const struct call *k, oref obj, uint32_t ret[2])
{
	struct array a, mask;
	struct pickled p;
	uint32_t n;
	const oref *at;
	int rc = 0;

	init_array(&a);
	init_array(&mask);
	if (!read_state(l, k, 6, &p)) {
		break_array(&a, "the array is not pickled as numpy does it");
		break_array(&mask, a.d.t.broken);
	} else {
		at = args_of(l, k->state, 6, &n);
		rc = make_mask(l, p, at[5], &mask);
		p.cls = OREF_NIL;
		if (rc == 0)
			rc = make_array(l, &p, &a);
	}
	if (rc == 0 && a.objects != OREF_NIL)
		break_array(&a, "masked arrays of objects are not shown");
	if (rc == 0)
		rc = draft_add(l, &a.d, obj, &ret[0]);
	return rc < 0 ? rc : draft_add(l, &mask.d, OREF_NIL, &ret[1]);
}
