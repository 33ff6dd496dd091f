/* change_dir.c - directories whose children come, go, and get other names or values.
 *
 *	DICT                                  its pairs
 *	OrderedDict(), defaultdict(f), ...    what was SETITEMSed into the call
 *	OrderedDict([[k, v], ...])            Python 2: the list in its argument
 *	dict({...}), Counter({...})           the dict in its argument
 *	LIST, TUPLE                           its items
 *	objects                               single values of their attributes only
 *
 * What interpret.c shows as the entries of a directory is looked up here in the same places, in
 * the same order. (formats/torch-objects.md section 6, formats/torch-legacy.md section 7)
 *
 * Not done: attributes of objects that come, go or are renamed (nobody but the class knows what
 * that means), parts of tensors, and the state_dict of a whole module, which is made from it.
 */
#include "change_in.h"

/* --- what can be changed ---------------------------------------------------------------------- */

static int refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_UNSUPPORTED, "%s", why);
}

static const struct value *dir_value(const struct checkpoint *ck, uint32_t dir)
{
	return dir < ck->model.values.n ? &ck->model.values.at[dir] : NULL;
}

static bool is_list(const struct graph *g, oref r)
{
	return obj_kind(g, r) == OBJ_KIND_LIST || obj_kind(g, r) == OBJ_KIND_TUPLE;
}

/* What neither names nor values of can be changed. */
static int check_kind(const struct checkpoint *ck, const struct value *v, struct err *e)
{
	if (format_is(ck, "torchscript"))
		return refuse(e, "TorchScript: its code refers to these names and values, only "
				 "the bytes of tensors can be changed");
	if (!v)
		return err_set(e, ERR_USAGE, "there is no such value");
	if (v->kind == VALUE_PARTS)
		return refuse(e, "the parts of a sparse, quantized or nested tensor belong "
				 "together: their bytes can be changed, not what they are");
	if (v->kind == VALUE_MODULE)
		return refuse(e, "this is a whole module, not its state_dict: what is shown is "
				 "made from it, and only the bytes of its tensors can be changed");
	if (v->kind == VALUE_LIST && !is_list(&ck->model.graph, v->obj))
		return refuse(e, "the items of a numpy array of objects are kept as they are");
	return v->kind == VALUE_LEAF || v->kind == VALUE_TENSOR
			       ? err_set(e, ERR_INVALID, "this is no directory")
			       : 0;
}

int change_dir_ok(const struct checkpoint *ck, uint32_t dir, struct err *e)
{
	const struct value *v = dir_value(ck, dir);
	int rc = check_kind(ck, v, e);

	if (rc == 0 && v->kind == VALUE_OBJECT)
		return refuse(e, "an object's attributes are kept as they are: none can be added, "
				 "removed or renamed, only their values changed");
	return rc;
}

int change_child_ok(const struct checkpoint *ck, uint32_t dir, struct err *e)
{
	const struct value *v = dir_value(ck, dir);
	int rc = check_kind(ck, v, e);
	oref fn, args;

	if (rc == 0 && v->kind == VALUE_OBJECT && obj_call(&ck->model.graph, v->obj, &fn, &args) &&
			obj_is_global(&ck->model.graph, fn, "numpy.ma.core", "_mareconstruct"))
		return refuse(e, "data and mask of a masked array belong together: their bytes can "
				 "be changed, not what they are");
	return rc;
}

/* --- mappings --------------------------------------------------------------------------------- */

/* The argument of a call that brings pairs: a DICT, or a list of lists of two. OREF_NIL: none. */
static oref pairs_argument(struct loader *l, oref r)
{
	oref fn, args;
	uint32_t n;
	const oref *at;

	if (!obj_call(l->g, r, &fn, &args) || role_of(l, fn)->role != ROLE_DICT)
		return OREF_NIL;
	at = args_of(l, args, 1, &n);
	return at && (obj_kind(l->g, at[0]) == OBJ_KIND_DICT || is_list(l->g, at[0])) ? at[0]
										      : OREF_NIL;
}

static bool add_words(struct pairs *out, const oref *words, size_t n)
{
	if (vec_room(&out->at, n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		out->at.at[out->at.n++] = words[i];
	return true;
}

bool mapping_pairs(struct loader *l, oref r, struct pairs *out)
{
	oref arg = pairs_argument(l, r);
	uint32_t n, two;
	const oref *at, *pair;

	if (arg != OREF_NIL && !is_list(l->g, arg)) {
		at = obj_pairs(l->g, arg, &n);
		if (!add_words(out, at, 2 * (size_t)n))
			return false;
	} else if (arg != OREF_NIL) {
		at = obj_items(l->g, arg, &n);
		for (uint32_t i = 0; i < n; i++) {
			pair = args_of(l, at[i], 2, &two);
			if (pair && !add_words(out, pair, 2))
				return false;
		}
	}
	at = obj_pairs(l->g, r, &n);
	return add_words(out, at, 2 * (size_t)n);
}

/* The list of two that had this key and value, or a new one. */
static oref pair_object(struct graph *g, struct u32map *old, const oref *pair)
{
	const oref *at;
	uint32_t r, n;

	if (u32map_get(old, pair[0], &r)) {
		at = obj_items(g, r, &n);
		if (n == 2 && at[1] == pair[1])
			return r;
	}
	return obj_new_seq(g, OBJ_KIND_LIST, pair, 2, UINT32_MAX);
}

/* [[k, v], ...] with these pairs. */
static int replace_pair_list(struct graph *g, oref list, const oref *pairs, uint32_t n_pairs)
{
	struct u32map old = {0};
	VEC(oref) made = {0};
	uint32_t n, two;
	const oref *at = obj_items(g, list, &n), *pair;
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		pair = obj_items(g, at[i], &two);
		if (two == 2)
			rc = u32map_set(&old, pair[0], at[i]);
	}
	if (rc == 0)
		rc = vec_room(&made, n_pairs) < 0 ? ERR_NOMEM : 0;
	for (uint32_t i = 0; i < n_pairs && rc == 0; i++) {
		made.at[made.n++] = pair_object(g, &old, pairs + 2 * (size_t)i);
		if (made.at[i] == OREF_NIL)
			rc = ERR_NOMEM;
	}
	if (rc == 0)
		rc = obj_replace_items(g, list, made.at, n_pairs);
	u32map_release(&old);
	vec_release(&made);
	return rc;
}

static int replace_pairs(struct loader *l, oref r, const oref *pairs, uint32_t n)
{
	oref arg = pairs_argument(l, r);
	uint32_t own;
	int rc;

	obj_pairs(l->g, r, &own);
	/* An empty list is no home yet: torch of today sets items. */
	if (arg != OREF_NIL && is_list(l->g, arg)) {
		obj_items(l->g, arg, &own);
		if (own == 0)
			arg = OREF_NIL;
	}
	if (arg == OREF_NIL)
		return obj_replace_pairs(l->g, r, pairs, n);
	rc = is_list(l->g, arg) ? replace_pair_list(l->g, arg, pairs, n)
				: obj_replace_pairs(l->g, arg, pairs, n);
	if (rc < 0)
		return rc;
	obj_pairs(l->g, r, &own);
	return own ? obj_replace_pairs(l->g, r, NULL, 0) : 0;
}

/* The sentence for a code of obj_replace_*(). */
static int replaced(int rc, struct err *e)
{
	if (rc == ERR_NOMEM)
		return err_nomem(e);
	return rc < 0 ? err_set(e, rc, "the object cannot be changed") : 0;
}

int change_pairs(struct checkpoint *ck, uint32_t dir, const oref *pairs, uint32_t n_pairs,
		struct err *e)
{
	struct loader l;
	int rc = change_dir_ok(ck, dir, e);

	if (rc < 0)
		return rc;
	if (ck->model.values.at[dir].kind != VALUE_DICT)
		return err_set(e, ERR_INVALID, "this is a list: its items have no keys");
	change_loader(&l, ck, e);
	rc = replaced(replace_pairs(&l, ck->model.values.at[dir].obj, pairs, n_pairs), e);
	loader_release(&l);
	return rc;
}

int change_items(struct checkpoint *ck, uint32_t dir, const oref *items, uint32_t n, struct err *e)
{
	int rc = change_dir_ok(ck, dir, e);

	if (rc < 0)
		return rc;
	if (ck->model.values.at[dir].kind != VALUE_LIST)
		return err_set(e, ERR_INVALID, "this is no list");
	return replaced(obj_replace_items(&ck->model.graph, ck->model.values.at[dir].obj, items, n),
			e);
}

/* --- attributes ------------------------------------------------------------------------------- */

/* Puts the value under the key into r's own pairs: 1 done, 0 no such key. */
int pairs_set(struct graph *g, oref r, oref key, oref value)
{
	struct pairs copy = {0};
	uint32_t n;
	const oref *at = obj_pairs(g, r, &n);
	int rc = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!obj_key_eq(g, at[2 * (size_t)i], key))
			continue;
		if (!add_words(&copy, at, 2 * (size_t)n))
			return ERR_NOMEM;
		copy.at.at[2 * (size_t)i + 1] = value;
		rc = obj_replace_pairs(g, r, copy.at.at, n);
		vec_release(&copy.at);
		return rc < 0 ? rc : 1;
	}
	return 0;
}

static int set_in_items(struct graph *g, oref r, oref key, oref value)
{
	struct pairs copy = {0};
	uint32_t n;
	const oref *at = obj_items(g, r, &n);
	int64_t i;
	int rc;

	if (obj_kind(g, key) != OBJ_KIND_INT || !obj_int(g, key, &i) || i < 0 || i >= n)
		return 0;
	if (!add_words(&copy, at, n))
		return ERR_NOMEM;
	copy.at.at[i] = value;
	rc = obj_replace_items(g, r, copy.at.at, n);
	vec_release(&copy.at);
	return rc < 0 ? rc : 1;
}

static bool is_dict(const struct graph *g, oref r)
{
	return obj_kind(g, r) == OBJ_KIND_DICT;
}

/* A state: a dict, or (dict or None, dict of slots). */
static int set_in_state(struct loader *l, oref state, oref key, oref value)
{
	uint32_t n;
	const oref *at = args_of(l, state, 2, &n);
	oref part[2];
	int rc = 0;

	if (is_dict(l->g, state))
		return pairs_set(l->g, state, key, value);
	if (!at || n != 2 || obj_kind(l->g, state) != OBJ_KIND_TUPLE)
		return 0;
	part[0] = at[0], part[1] = at[1];
	for (unsigned i = 0; i < 2 && rc == 0; i++)
		if (is_dict(l->g, part[i]))
			rc = pairs_set(l->g, part[i], key, value);
	return rc;
}

static int set_in_base(struct loader *l, oref args, oref key, oref value)
{
	uint32_t n;
	const oref *at = args_of(l, args, 3, &n);
	oref base = at ? at[2] : OREF_NIL;

	if (is_dict(l->g, base))
		return pairs_set(l->g, base, key, value);
	return obj_kind(l->g, base) == OBJ_KIND_LIST ? set_in_items(l->g, base, key, value) : 0;
}

static int set_attribute(struct loader *l, oref r, oref key, oref value)
{
	struct call k;
	int rc;

	peel(l, r, &k);
	rc = k.state == OREF_NIL ? 0 : set_in_state(l, k.state, key, value);
	if (rc == 0 && k.row->role == ROLE_RECONSTRUCT)
		rc = set_in_base(l, k.args, key, value);
	if (rc == 0 && k.obj != OREF_NIL)
		rc = set_in_items(l->g, k.obj, key, value);
	if (rc == 0 && k.obj != OREF_NIL)
		rc = pairs_set(l->g, k.obj, key, value);
	if (rc == 0 && k.obj != OREF_NIL && k.state != OREF_NIL && !is_dict(l->g, k.state) &&
			obj_is_text(l->g, key, "state")) {
		rc = obj_replace_state(l->g, k.obj, value);
		rc = rc < 0 ? rc : 1;
	}
	return rc;
}

int change_attribute(struct checkpoint *ck, uint32_t dir, oref key, oref value, struct err *e)
{
	struct loader l;
	int rc = change_child_ok(ck, dir, e);

	if (rc < 0)
		return rc;
	if (ck->model.values.at[dir].kind != VALUE_OBJECT)
		return err_set(e, ERR_INVALID, "this is no object with attributes");
	change_loader(&l, ck, e);
	rc = set_attribute(&l, ck->model.values.at[dir].obj, key, value);
	loader_release(&l);
	if (rc == 0)
		return refuse(e, "the arguments that an object was made with are kept as they are");
	return rc < 0 ? replaced(rc, e) : 0;
}
