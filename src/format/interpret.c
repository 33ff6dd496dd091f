/* interpret.c - objects to values: the walk over the graph of a pickle.
 *
 * Depth first with a stack of our own. A directory's entries are made when it is met, one behind
 * the other, and hold the child's oref until the walk comes to it and puts the child's value
 * there:
 *
 *	frames   dict ----> entry 0  value 7        (done)
 *	                    entry 1  value 9  ----> frame of value 9, open
 *	                    entry 2  an oref        (to come)
 *
 * Containers and objects are one value however many refer to them (loader.memo); what is
 * met again while it is still open closes a cycle and becomes a leaf with VALUE_CYCLE. Scalars and
 * tensors are values of their own each time (equal tensors are one in the model). (design.md "The
 *tree")
 *
 * A module has two faces: its state_dict (VALUE_MODULE) and, behind .raw, its attributes; below
 * those every module shows its attributes only, so that a model of many layers is flattened once.
 */
#include "interpret.h"

#include <pthfs/cleanup.h>

#define OPEN 1 /* in value.pad while its frame is on the stack */

struct frame {
	uint32_t value, next;
	bool raw;      /* below a module's attributes */
	bool raw_done; /* a module: its attributes have been visited */
};

struct walk {
	struct loader *l;
	VEC(struct frame) frames;
};

/* --- values ---------------------------------------------------------------------------------- */

static int new_value(struct loader *l, enum value_kind kind, oref obj, uint32_t *ret)
{
	struct value v = {.kind = (uint8_t)kind, .obj = obj, .first = (uint32_t)l->m->entries.n};

	if (kind == VALUE_MODULE)
		v.raw = MODEL_NONE;
	return model_add_value(l->m, &v, ret, l->e);
}

int add_entry(struct loader *l, uint32_t v, oref key, uint32_t value)
{
	struct entry en = {.key = key, .value = value};

	if (vec_push(&l->m->entries, en) < 0)
		return err_nomem(l->e);
	l->m->values.at[v].n++;
	return 0;
}

int tensor_value(struct loader *l, uint32_t tensor, oref r, uint32_t *ret)
{
	int rc = new_value(l, VALUE_TENSOR, r, ret);

	if (rc == 0)
		l->m->values.at[*ret].tensor = tensor;
	return rc;
}

static bool is_bytes(struct loader *l, oref r)
{
	oref fn, args;

	switch (obj_kind(l->g, r)) {
	case OBJ_KIND_BYTES:
		return !(obj_flags(l->g, r) & OBJ_PY2STR);
	case OBJ_KIND_BYTEARRAY:
		return true;
	case OBJ_KIND_CALL:
		return obj_call(l->g, r, &fn, &args) && role_of(l, fn)->role == ROLE_BYTES;
	default:
		return false;
	}
}

int leaf_value(struct loader *l, oref r, uint32_t *ret)
{
	oref shown;
	int rc = plain_leaf(l, r, &shown);

	if (rc == 0)
		rc = new_value(l, VALUE_LEAF, shown, ret);
	if (rc == 0 && is_bytes(l, shown))
		l->m->values.at[*ret].flags |= VALUE_DATA;
	return rc;
}

static int remember(struct loader *l, oref r, uint32_t value)
{
	switch (obj_kind(l->g, r)) {
	case OBJ_KIND_LIST:
	case OBJ_KIND_TUPLE:
	case OBJ_KIND_SET:
	case OBJ_KIND_FROZENSET:
	case OBJ_KIND_DICT:
	case OBJ_KIND_CALL:
	case OBJ_KIND_NEW:
		return u32map_set(&l->memo, r, value) < 0 ? err_nomem(l->e) : 0;
	default:
		return 0;
	}
}

static bool remembered(const struct loader *l, oref r, uint32_t *ret)
{
	return u32map_get(&l->memo, r, ret);
}

/* --- entries of directories
 * ------------------------------------------------------------------------ */

/* Appends the pairs of object r; nothing may make nodes meanwhile. */
static int add_pairs(struct loader *l, uint32_t v, oref r)
{
	uint32_t n;
	const oref *at = obj_pairs(l->g, r, &n);
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = add_entry(l, v, at[2 * i], at[2 * i + 1]);
	return rc;
}

static int add_items(struct loader *l, uint32_t v, oref r)
{
	uint32_t n;
	const oref *at;
	oref key, item;
	int rc = 0;

	obj_items(l->g, r, &n);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		at = obj_items(l->g, r, &n); /* a key may be a new node */
		item = at[i];
		key = obj_new_int(l->g, i, UINT32_MAX);
		rc = key == OREF_NIL ? err_nomem(l->e) : add_entry(l, v, key, item);
	}
	return rc;
}

static int add_made(struct loader *l, uint32_t v, enum made_key key, oref r)
{
	oref k = loader_key(l, key);

	return k == OREF_NIL ? err_nomem(l->e) : add_entry(l, v, k, r);
}

/* OrderedDict([[k, v], ...]) of Python 2, dict(...), Counter({...}): what the argument brings. */
static int add_dict_argument(struct loader *l, uint32_t v, oref args)
{
	uint32_t n, pair_n;
	const oref *at = args_of(l, args, 1, &n), *pair;
	oref first;
	int rc = 0;

	if (!at)
		return 0;
	first = at[0];
	if (obj_kind(l->g, first) == OBJ_KIND_DICT)
		return add_pairs(l, v, first);
	at = args_of(l, first, 1, &n);
	for (uint32_t i = 0; at && i < n && rc == 0; i++) {
		pair = args_of(l, at[i], 2, &pair_n);
		if (pair)
			rc = add_entry(l, v, pair[0], pair[1]);
	}
	return rc;
}

static int expand_dict(struct loader *l, uint32_t v, const struct call *k, oref r)
{
	int rc = k->row->role == ROLE_DICT ? add_dict_argument(l, v, k->args) : 0;

	return rc < 0 ? rc : add_pairs(l, v, r);
}

/* A state: a dict, or (dict or None, dict of slots), or anything else. */
static int add_state(struct loader *l, uint32_t v, oref state)
{
	uint32_t n;
	const oref *at = args_of(l, state, 2, &n);
	oref part[2];
	bool both;
	int rc;

	if (state == OREF_NIL || state == OBJ_NONE)
		return 0;
	if (obj_kind(l->g, state) == OBJ_KIND_DICT)
		return add_pairs(l, v, state);
	both = at && n == 2 && obj_kind(l->g, state) == OBJ_KIND_TUPLE;
	for (unsigned i = 0; i < 2 && both; i++) {
		part[i] = at[i];
		both = at[i] == OBJ_NONE || obj_kind(l->g, at[i]) == OBJ_KIND_DICT;
	}
	if (!both || (part[0] == OBJ_NONE && part[1] == OBJ_NONE))
		return add_made(l, v, KEY_STATE, state);
	rc = add_pairs(l, v, part[0]);
	return rc < 0 ? rc : add_pairs(l, v, part[1]);
}

/* copyreg._reconstructor(cls, base, state of the base) */
static int add_base(struct loader *l, uint32_t v, oref args)
{
	uint32_t n;
	const oref *at = args_of(l, args, 3, &n);
	oref base = at ? at[2] : OBJ_NONE;

	if (obj_kind(l->g, base) == OBJ_KIND_DICT)
		return add_pairs(l, v, base);
	return obj_kind(l->g, base) == OBJ_KIND_LIST ? add_items(l, v, base) : 0;
}

static int expand_object(struct loader *l, uint32_t v, const struct call *k)
{
	unsigned holds = 0;
	uint32_t n;
	int rc = add_state(l, v, k->state);

	if (rc == 0 && k->row->role == ROLE_RECONSTRUCT)
		rc = add_base(l, v, k->args);
	else if (rc == 0 && k->row->role == ROLE_UNKNOWN)
		rc = structure_in(l, k->args, &holds);
	if (rc == 0 && holds & HOLDS_STRUCTURE)
		rc = add_made(l, v, KEY_ARGS, k->args);
	if (rc == 0 && k->obj != OREF_NIL)
		rc = add_items(l, v, k->obj);
	if (rc == 0 && k->obj != OREF_NIL)
		rc = add_pairs(l, v, k->obj);
	if (rc < 0 || k->obj == OREF_NIL || obj_kwargs(l->g, k->obj) == OREF_NIL)
		return rc;
	obj_pairs(l->g, obj_kwargs(l->g, k->obj), &n);
	return n ? add_made(l, v, KEY_KWARGS, obj_kwargs(l->g, k->obj)) : 0;
}

/* --- the walk
 * ---------------------------------------------------------------------------------------- */

static int push_frame(struct walk *w, uint32_t value, bool raw)
{
	struct frame f = {.value = value, .raw = raw};

	if (vec_push(&w->frames, f) < 0)
		return err_nomem(w->l->e);
	w->l->m->values.at[value].pad = OPEN;
	return 0;
}

static bool is_module(const struct loader *l, oref r)
{
	return l->script ? script_is_object(l, r) : module_is(l, r);
}

/* A directory whose entries hold orefs: made, remembered, filled, and put on the stack. */
static int open_dir(struct walk *w, enum value_kind kind, oref r, const struct call *k, bool raw,
		uint32_t *ret)
{
	struct loader *l = w->l;
	int rc = new_value(l, kind, r, ret);

	if (rc < 0)
		return rc;
	if (!raw || !is_module(l, r))
		rc = remember(l, r, *ret);
	else
		rc = u32map_set(&l->raw, r, *ret) < 0 ? err_nomem(l->e) : 0;
	if (rc < 0)
		return rc;
	if (kind == VALUE_DICT)
		rc = expand_dict(l, *ret, k, r);
	else if (kind == VALUE_LIST)
		rc = add_items(l, *ret, k->obj);
	else if (kind == VALUE_MODULE)
		rc = l->script ? script_flatten(l, r, *ret) : module_flatten(l, r, *ret);
	else
		rc = expand_object(l, *ret, k);
	return rc < 0 ? rc : push_frame(w, *ret, raw);
}

static int visit_parts(struct walk *w, oref r, const struct call *k, uint32_t *ret)
{
	int rc = new_value(w->l, VALUE_PARTS, r, ret);

	if (rc == 0)
		rc = remember(w->l, r, *ret);
	return rc < 0 ? rc : rebuild_parts(w->l, k, *ret);
}

static int visit_tensor(struct loader *l, oref r, const struct call *k, uint32_t *ret)
{
	uint32_t tensor;
	int rc = rebuild_tensor(l, k, r, &tensor);

	return rc < 0 ? rc : tensor_value(l, tensor, r, ret);
}

static int visit_array(struct walk *w, oref r, const struct call *k, uint32_t *ret)
{
	struct loader *l = w->l;
	struct array array;
	struct call items = *k;
	uint32_t tensor;
	int rc = numpy_array(l, k, &array);

	if (rc < 0)
		return rc;
	if (array.objects != OREF_NIL) {
		items.obj = array.objects;
		return open_dir(w, VALUE_LIST, r, &items, false, ret);
	}
	rc = draft_add(l, &array.d, r, &tensor);
	if (rc == 0)
		rc = tensor_value(l, tensor, r, ret);
	return rc < 0 ? rc : remember(l, r, *ret);
}

static int visit_masked(struct loader *l, oref r, const struct call *k, uint32_t *ret)
{
	static const enum made_key keys[2] = {KEY_DATA, KEY_MASK};
	uint32_t tensor[2], value[2];
	int rc = numpy_masked(l, k, r, tensor);

	for (unsigned i = 0; i < 2 && rc == 0; i++)
		rc = tensor_value(l, tensor[i], OREF_NIL, &value[i]);
	if (rc == 0)
		rc = new_value(l, VALUE_OBJECT, r, ret);
	for (unsigned i = 0; i < 2 && rc == 0; i++)
		rc = add_made(l, *ret, keys[i], value[i]);
	return rc < 0 ? rc : remember(l, r, *ret);
}

/* A CALL or NEW of something that no table knows. */
static int visit_object(struct walk *w, oref r, const struct call *k, bool raw, uint32_t *ret)
{
	struct loader *l = w->l;
	bool module = is_module(l, r);
	unsigned holds;
	int rc;

	if (module && !raw)
		return open_dir(w, VALUE_MODULE, r, k, false, ret);
	if (!module && k->row->role == ROLE_UNKNOWN) {
		uint32_t n, items, pairs;

		obj_items(l->g, k->args, &n);
		obj_items(l->g, r, &items);
		obj_pairs(l->g, r, &pairs);
		rc = structure_in(l, k->args, &holds);
		if (rc < 0)
			return rc;
		if (n && !items && !pairs && k->state == OREF_NIL && !(holds & HOLDS_STRUCTURE) &&
				obj_kwargs(l->g, r) == OREF_NIL) {
			rc = leaf_value(l, r, ret);
			return rc < 0 ? rc : remember(l, r, *ret);
		}
	}
	return open_dir(w, VALUE_OBJECT, r, k, raw, ret);
}

static int visit_list(struct walk *w, oref r, const struct call *k, bool raw, uint32_t *ret)
{
	unsigned holds;
	int rc = structure_in(w->l, r, &holds);

	if (rc < 0)
		return rc;
	if (holds & HOLDS_STRUCTURE)
		return open_dir(w, VALUE_LIST, r, k, raw, ret);
	rc = leaf_value(w->l, r, ret);
	return rc < 0 ? rc : remember(w->l, r, *ret);
}

static int visit_call(struct walk *w, oref r, const struct call *k, bool raw, uint32_t *ret)
{
	switch (k->row->role) {
	case ROLE_DICT:
		return open_dir(w, VALUE_DICT, r, k, raw, ret);
	case ROLE_ARRAY:
	case ROLE_BUFFER_ARRAY:
		return visit_array(w, r, k, ret);
	case ROLE_MASKED:
		return visit_masked(w->l, r, k, ret);
	case ROLE_LEAF:
	case ROLE_BYTES:
	case ROLE_SCALAR:
	case ROLE_LAYOUT:
		return leaf_value(w->l, r, ret);
	default:
		return visit_object(w, r, k, raw, ret);
	}
}

/* A tensor of the tar format, named by its id. */
static bool is_tar_tensor(const struct loader *l, const struct call *k)
{
	return l->tensors_by_id && k->obj != OREF_NIL && obj_kind(l->g, k->obj) == OBJ_KIND_PERSID;
}

static int visit_new(struct walk *w, oref r, const struct call *k, bool raw, uint32_t *ret)
{
	if (is_parts_call(k))
		return visit_parts(w, r, k, ret);
	if (k->row->role == ROLE_SUBCLASS)
		return open_dir(w, VALUE_OBJECT, r, k, raw, ret);
	if (is_tensor_call(k) || k->wrapped || is_tar_tensor(w->l, k))
		return visit_tensor(w->l, r, k, ret);
	switch (obj_kind(w->l->g, k->obj)) {
	case OBJ_KIND_DICT:
		return open_dir(w, VALUE_DICT, k->obj, k, raw, ret);
	case OBJ_KIND_LIST:
	case OBJ_KIND_TUPLE:
		return visit_list(w, k->obj, k, raw, ret);
	case OBJ_KIND_CALL:
	case OBJ_KIND_NEW:
		return visit_call(w, k->obj, k, raw, ret);
	default:
		return leaf_value(w->l, k->obj, ret);
	}
}

/* A value that is there already: itself, or a leaf where it closes a cycle. */
static int visit_known(struct loader *l, oref r, uint32_t known, uint32_t *ret)
{
	int rc;

	if (l->m->values.at[known].pad != OPEN) {
		*ret = known;
		return 0;
	}
	rc = new_value(l, VALUE_LEAF, r, ret);
	if (rc == 0)
		l->m->values.at[*ret].flags |= VALUE_CYCLE;
	return rc;
}

/* The value that r has already. Below a module's attributes other modules show theirs. */
static bool visited(const struct loader *l, oref r, bool raw, uint32_t *ret)
{
	if (raw && u32map_get(&l->raw, r, ret))
		return true;
	return remembered(l, r, ret) && !(raw && l->m->values.at[*ret].kind == VALUE_MODULE);
}

/* The value of r: the one it has, or a new one (then on the stack, if it is a directory). */
static int visit(struct walk *w, oref r, bool raw, uint32_t *ret)
{
	struct loader *l = w->l;
	uint32_t known;
	struct call k;

	if (visited(l, r, raw, &known))
		return visit_known(l, r, known, ret);
	peel(l, r, &k);
	/* What only stands for another object is that object. */
	if (!k.wrapped && k.obj != r && visited(l, k.obj, raw, &known))
		return visit_known(l, k.obj, known, ret);
	return visit_new(w, r, &k, raw, ret);
}

int interpret_flagged(struct loader *l, oref r, uint16_t flag)
{
	struct call k;
	uint32_t value;
	int rc;

	if (remembered(l, r, &value))
		return 0;
	peel(l, r, &k);
	if (!is_tensor_call(&k) && !is_tar_tensor(l, &k))
		return 0;
	k.flags |= flag;
	rc = visit_tensor(l, r, &k, &value);
	return rc < 0 ? rc : remember(l, r, value);
}

static bool is_text(const struct graph *g, oref key)
{
	return obj_kind(g, key) == OBJ_KIND_STR || obj_flags(g, key) & OBJ_PY2STR;
}

/* Text keys, and at least half of the values are tensors (parts count as tensors). */
static bool is_state_dict(const struct loader *l, const struct value *v)
{
	uint32_t tensors = 0;

	if (v->kind != VALUE_DICT && v->kind != VALUE_MODULE)
		return false;
	for (uint32_t i = v->first; i < v->first + v->n; i++) {
		const struct entry *en = &l->m->entries.at[i];
		uint8_t kind = l->m->values.at[en->value].kind;

		if (!is_text(l->g, en->key))
			return false;
		tensors += kind == VALUE_TENSOR || kind == VALUE_PARTS;
	}
	return tensors && tensors >= v->n - tensors;
}

/* One step of the topmost frame: its next entry, a module's attributes, or its end. */
static int step(struct walk *w)
{
	struct model *m = w->l->m;
	struct frame *f = &w->frames.at[w->frames.n - 1];
	struct value *v = &m->values.at[f->value];
	uint32_t at = v->first + f->next, value = f->value, child;
	int rc;

	if (f->next < v->n) {
		f->next++;
		rc = visit(w, m->entries.at[at].value, f->raw, &child);
		if (rc == 0)
			m->entries.at[at].value = child;
		return rc;
	}
	if (v->kind == VALUE_MODULE && !f->raw_done) {
		f->raw_done = true;
		rc = visit(w, v->obj, true, &child);
		if (rc == 0)
			m->values.at[value].raw = child;
		return rc;
	}
	v->pad = 0;
	if (is_state_dict(w->l, v))
		v->flags |= VALUE_STATE_DICT;
	w->frames.n--;
	return 0;
}

int interpret(struct loader *l, oref root, uint32_t *ret)
{
	struct walk w = {.l = l};
	int rc = visit(&w, root, false, ret);

	while (rc == 0 && w.frames.n)
		rc = step(&w);
	vec_release(&w.frames);
	return rc;
}
