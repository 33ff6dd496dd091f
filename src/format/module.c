/* module.c - a whole nn.Module, pickled as an object, as the state_dict() it would give.
 *
 *	__dict__ of every module:  _parameters  name -> Parameter or None
 *	                           _buffers     name -> tensor or None
 *	                           _non_persistent_buffers_set
 *	                           _modules     name -> module or None
 *
 * Whatever has the first, second and fourth is a module; its class is not needed. Parameters, then
 * persistent buffers, then the children in order, names joined by dots. The same child under two
 * names gives its keys twice. (formats/torch-objects.md section 7)
 *
 * What torch.compile() makes is no such object but a call, OptimizedModule(module, compiler): its
 * keys are the module's behind "_orig_mod.".
 *
 * Not done, because it is code: extra state, state_dict hooks (FSDP), the packed weights of
 * quantized modules; those are told of in a note.
 */
#include "module.h"

#include <string.h>

#define MAX_DEPTH 1000u
#define MAX_NAME 65536u
/* Module.__init__ sets its dicts first, so they are found without reading a hostile heap of
 * attributes over and over. */
#define LOOK_AT 256u

bool dict_at(const struct loader *l, oref dict, uint32_t i, oref *key, oref *value)
{
	uint32_t n;
	oref fn, args;
	const oref *at;

	if (obj_call(l->g, dict, &fn, &args) && (at = args_of(l, args, 1, &n)) &&
			obj_kind(l->g, at[0]) == OBJ_KIND_LIST) {
		at = obj_items(l->g, at[0], &n);
		if (i < n) {
			at = args_of(l, at[i], 2, &n);
			*key = at ? at[0] : OBJ_NONE;
			*value = at ? at[1] : OBJ_NONE;
			return true;
		}
		i -= n;
	}
	at = obj_pairs(l->g, dict, &n);
	if (i >= n)
		return false;
	*key = at[2 * (size_t)i];
	*value = at[2 * (size_t)i + 1];
	return true;
}

static oref early_attribute(const struct loader *l, oref dict, const char *name)
{
	uint32_t n;
	const oref *at = obj_pairs(l->g, dict, &n);

	for (uint32_t i = 0; i < n && i < LOOK_AT; i++)
		if (obj_is_text(l->g, at[2 * i], name))
			return at[2 * i + 1];
	return OREF_NIL;
}

static bool is_mapping(const struct loader *l, oref r)
{
	return obj_kind(l->g, r) == OBJ_KIND_DICT || obj_kind(l->g, r) == OBJ_KIND_CALL;
}

oref module_attributes(const struct loader *l, oref r)
{
	static const char *const needed[] = {"_parameters", "_buffers", "_modules"};
	enum obj_kind kind = obj_kind(l->g, r);
	uint32_t n;
	const oref *at;
	oref state;

	if (kind != OBJ_KIND_CALL && kind != OBJ_KIND_NEW)
		return OREF_NIL;
	state = obj_state(l->g, r);
	at = state == OREF_NIL ? NULL : args_of(l, state, 2, &n);
	if (at && n == 2)
		state = at[0];
	if (obj_kind(l->g, state) != OBJ_KIND_DICT)
		return OREF_NIL;
	for (unsigned i = 0; i < 3; i++)
		if (!is_mapping(l, early_attribute(l, state, needed[i])))
			return OREF_NIL;
	return state;
}

/* The module in what torch.compile() makes, or OREF_NIL. */
static oref compiled_module(const struct loader *l, oref r)
{
	struct str module, name;
	const oref *at;
	oref fn, args;
	uint32_t n;

	if (!obj_call(l->g, r, &fn, &args) || !obj_global(l->g, fn, &module, &name) ||
			!str_is(name, "OptimizedModule") ||
			!str_is(module, "torch._dynamo.eval_frame"))
		return OREF_NIL;
	at = args_of(l, args, 1, &n);
	return at && module_attributes(l, at[0]) != OREF_NIL ? at[0] : OREF_NIL;
}

bool module_is(const struct loader *l, oref r)
{
	return module_attributes(l, r) != OREF_NIL || compiled_module(l, r) != OREF_NIL;
}

/* --- the walk
 * --------------------------------------------------------------------------------------- */

int flat_count(struct flat *f)
{
	uint32_t max = f->l->o->max_names ? f->l->o->max_names : FORMAT_MAX_NAMES;

	if (f->names++ < max)
		return 0;
	return err_set(f->l->e, ERR_LIMIT,
			"its modules hold each other so that they expand to more than %u names; "
			"-o max_names=N allows more",
			max);
}

int flat_add(struct flat *f, oref name, oref tensor)
{
	struct graph *g = f->l->g;
	struct str text;
	oref key = name;
	size_t n = f->prefix.n;

	if (n && obj_text(g, name, &text)) {
		buf_str(&f->prefix, text);
		if (f->prefix.failed)
			return err_nomem(f->l->e);
		key = obj_new_text(g, OBJ_KIND_STR, buf_view(&f->prefix), UINT32_MAX);
		f->prefix.n = n;
	}
	return key == OREF_NIL ? err_nomem(f->l->e) : add_entry(f->l, f->v, key, tensor);
}

static bool on_stack(const struct flat *f, oref module)
{
	for (size_t i = f->frames.n; i-- > 0;)
		if (f->frames.at[i].module == module)
			return true;
	return false;
}

static int enter(struct flat *f, const struct flat_ops *ops, oref module)
{
	struct flat_frame frame = {.module = module};
	int rc = ops->own(f, module, &frame.children);

	if (rc < 0)
		return rc;
	frame.prefix = (uint32_t)f->prefix.n; /* own() may have made it longer */
	return vec_push(&f->frames, frame) < 0 ? err_nomem(f->l->e) : 0;
}

/* A child that cannot be shown by dotted names: the rest stays. */
static int skip_child(struct flat *f, oref key, const char *why)
{
	struct str name = STR("?");

	obj_text(f->l->g, key, &name);
	return model_find(f->l->m, "note", name, UINT64_MAX, f->l->e,
			"the module \"%s%s\" is left out: %s", STR_SHOW(buf_view(&f->prefix)),
			STR_SHOW(name), why);
}

static int enter_child(struct flat *f, const struct flat_ops *ops, oref key, oref child)
{
	struct str name;

	if (!obj_text(f->l->g, key, &name))
		return skip_child(f, key, "its name is no text");
	if (on_stack(f, child))
		return skip_child(f, key, "it holds itself");
	if (f->frames.n >= MAX_DEPTH || name.n > MAX_NAME || f->prefix.n + name.n > MAX_NAME)
		return skip_child(f, key, "it lies too deep");
	buf_str(&f->prefix, name);
	buf_putc(&f->prefix, '.');
	return f->prefix.failed ? err_nomem(f->l->e) : enter(f, ops, child);
}

static int flat_step(struct flat *f, const struct flat_ops *ops)
{
	struct flat_frame *top = &f->frames.at[f->frames.n - 1];
	oref key, child;
	int rc = flat_count(f);

	if (rc < 0)
		return rc;
	f->prefix.n = top->prefix;
	if (!dict_at(f->l, top->children, top->next++, &key, &child)) {
		f->frames.n--;
		return 0;
	}
	if (ops->is_module(f->l, child))
		return enter_child(f, ops, key, child);
	if (ops->only_modules && child != OBJ_NONE)
		return skip_child(f, key,
				"it does not pickle its parameters as torch.nn.Module does");
	return 0;
}

int flatten(struct loader *l, oref module, uint32_t v, const struct flat_ops *ops)
{
	struct flat f = {.l = l, .v = v};
	int rc;

	buf_init(&f.prefix, 2 * MAX_NAME + 16);
	rc = enter(&f, ops, module);
	while (rc == 0 && f.frames.n)
		rc = flat_step(&f, ops);
	vec_release(&f.frames);
	buf_release(&f.prefix);
	return rc;
}

/* --- pickled modules
 * ---------------------------------------------------------------------------------- */

/* The names in a set(), in either spelling. NULL: none. */
static const oref *set_items(const struct loader *l, oref set, uint32_t *n)
{
	oref fn, args;
	const oref *at;

	*n = 0;
	if (obj_kind(l->g, set) == OBJ_KIND_SET)
		return obj_items(l->g, set, n);
	if (!obj_call(l->g, set, &fn, &args))
		return NULL;
	at = args_of(l, args, 1, n);
	return at ? obj_items(l->g, at[0], n) : NULL;
}

static bool in_set(const struct loader *l, oref set, oref name)
{
	uint32_t n;
	const oref *at = set_items(l, set, &n);

	for (uint32_t i = 0; i < n && i < LOOK_AT; i++)
		if (obj_key_eq(l->g, at[i], name))
			return true;
	return false;
}

static int add_tensors(struct flat *f, oref dict, oref skip, bool buffers)
{
	oref key, value;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && dict_at(f->l, dict, i, &key, &value); i++) {
		rc = flat_count(f);
		if (rc < 0)
			return rc;
		if (value == OBJ_NONE || (buffers && in_set(f->l, skip, key)))
			continue;
		if (buffers)
			rc = interpret_flagged(f->l, value, TENSOR_BUFFER);
		if (rc == 0)
			rc = flat_add(f, key, value);
	}
	return rc;
}

/* Quantized layers hold their weights packed, and only code of theirs takes them out. */
static int note_quantized(struct flat *f, oref module)
{
	struct str path, name;
	oref fn, args;

	if (f->packed || !obj_call(f->l->g, module, &fn, &args) ||
			!obj_global(f->l->g, fn, &path, &name) ||
			!memmem(path.p, path.n, ".nn.quantized.", 14) ||
			(!str_ends(name, STR("PackedParams")) && !str_starts(name, STR("Conv"))))
		return 0;
	f->packed = true;
	return model_find(f->l->m, "note", STR(""), UINT64_MAX, f->l->e,
			"the packed weights of quantized layers are not among the keys, they are "
			"below .pthfs/object/: only the code of those layers could unpack them");
}

static int module_own(struct flat *f, oref module, oref *ret_children)
{
	oref inner = compiled_module(f->l, module);
	oref state = module_attributes(f->l, inner == OREF_NIL ? module : inner);
	oref skip = early_attribute(f->l, state, "_non_persistent_buffers_set");
	int rc;

	if (inner != OREF_NIL)
		buf_puts(&f->prefix, "_orig_mod.");
	if (f->prefix.failed)
		return err_nomem(f->l->e);
	rc = note_quantized(f, module);
	if (rc == 0)
		rc = add_tensors(f, early_attribute(f->l, state, "_parameters"), OREF_NIL, false);
	if (rc == 0)
		rc = add_tensors(f, early_attribute(f->l, state, "_buffers"), skip, true);
	*ret_children = early_attribute(f->l, state, "_modules");
	return rc;
}

int module_flatten(struct loader *l, oref r, uint32_t v)
{
	static const struct flat_ops ops = {module_own, module_is, true};

	return flatten(l, r, v, &ops);
}
