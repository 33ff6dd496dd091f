/* change_meta.c - the _metadata of a state_dict, carried along when keys are called otherwise.
 *
 *	OrderedDict([("module.fc.weight", ...)])    BUILD {"_metadata": OrderedDict(
 *	    "": {version}, "module": {version}, "module.fc": {version}, "module.relu": {version})}
 *
 * The keys of _metadata are modules: what stands before the last dot of a key, and everything above
 * it. What becomes of one is read off the keys below it:
 *
 *	all of M.x became N.x    M is N now ("module" becomes "", in the place of the old one). M
 *	                         stays as well where keys are below it still, and "" always stays
 *	none of them changed     M stays, and wins over another that would be called like it
 *	some                     M stays; a module that got a parameter of M's own has a copy
 *	there are none (ReLU)    M goes with the nearest module above it that has keys
 *
 * The order stays. For a prefix that is stripped this gives what torch's
 * consume_prefix_in_state_dict_if_present() gives. (formats/torch-objects.md section 6)
 */
#include "change_in.h"

#include <string.h>

/* Who wins when two are called the same. */
enum claim { CLAIM_COPY, CLAIM_STAYS, CLAIM_MOVED, CLAIM_SAME };

struct moved {
	struct str was, now;
};

struct entry_out {
	struct str path;
	oref key, value; /* key OREF_NIL: to be made */
	enum claim claim;
};

struct meta {
	struct loader l;
	struct moved *by_was; /* [n], sorted by was */
	struct str *by_now;   /* [n], sorted */
	size_t n;
	VEC(struct entry_out) out;
	struct idmap ids; /* of out, by path */
	struct arena paths;
};

/* --- keys below a module ---------------------------------------------------------------------- */

static int str_order(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : a.n < b.n ? -1 : a.n > b.n;
}

static int moved_order(const void *a, const void *b)
{
	return str_order(((const struct moved *)a)->was, ((const struct moved *)b)->was);
}

static int now_order(const void *a, const void *b)
{
	return str_order(*(const struct str *)a, *(const struct str *)b);
}

/* "a.b" is below "a"; everything is below "". */
static bool below(struct str key, struct str module)
{
	return module.n == 0 || (key.n > module.n && key.p[module.n] == '.' &&
						memcmp(key.p, module.p, module.n) == 0);
}

/* Does key come before all that begins with "module."? */
static bool before(struct str key, struct str module)
{
	struct str head = str_cut(key, module.n);
	int d = str_order(head, module);

	if (d)
		return d < 0;
	return key.n == module.n || (unsigned char)key.p[module.n] < '.';
}

static size_t first_was(const struct meta *w, struct str module)
{
	size_t low = 0, high = w->n, mid;

	while (module.n && low < high) {
		mid = low + (high - low) / 2;
		if (before(w->by_was[mid].was, module))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Is a key below the module as they are called now? */
static bool in_use(const struct meta *w, struct str module)
{
	size_t low = 0, high = w->n, mid;

	while (module.n && low < high) {
		mid = low + (high - low) / 2;
		if (before(w->by_now[mid], module))
			low = mid + 1;
		else
			high = mid;
	}
	return low < w->n && below(w->by_now[low], module);
}

/* The module that key m is below now as it was below `module`: false, it has another end. */
static bool target_of(const struct moved *m, struct str module, struct str *ret)
{
	struct str rest = module.n ? str_skip(m->was, module.n + 1) : m->was;

	if (!str_ends(m->now, rest))
		return false;
	if (m->now.n == rest.n) {
		*ret = STR("");
		return true;
	}
	if (m->now.p[m->now.n - rest.n - 1] != '.')
		return false;
	*ret = str_cut(m->now, m->now.n - rest.n - 1);
	return true;
}

enum fate { FATE_KEYLESS, FATE_WHOLE, FATE_MIXED };

/* What became of a module; of one that is whole, *ret is its name now. */
static enum fate fate_of(const struct meta *w, struct str module, struct str *ret)
{
	size_t i = first_was(w, module);
	struct str first, next;

	if (i >= w->n || !below(w->by_was[i].was, module))
		return FATE_KEYLESS;
	if (!target_of(&w->by_was[i], module, &first))
		return FATE_MIXED;
	for (i++; i < w->n && below(w->by_was[i].was, module); i++)
		if (!target_of(&w->by_was[i], module, &next) || !str_eq(first, next))
			return FATE_MIXED;
	*ret = first;
	return FATE_WHOLE;
}

/* --- the new entries -------------------------------------------------------------------------- */

static bool same_path(const void *ctx, const void *key, uint32_t id)
{
	const struct meta *w = ctx;

	return str_eq(w->out.at[id].path, *(const struct str *)key);
}

static int put(struct meta *w, struct entry_out x)
{
	uint32_t at = idmap_find(&w->ids, str_hash(x.path), same_path, w, &x.path);

	if (at != IDMAP_NONE) {
		if (x.claim > w->out.at[at].claim) {
			w->out.at[at].value = x.value;
			w->out.at[at].claim = x.claim;
		}
		return 0;
	}
	if (idmap_add(&w->ids, str_hash(x.path), (uint32_t)w->out.n) < 0)
		return ERR_NOMEM;
	return vec_push(&w->out, x);
}

static int put_moved(struct meta *w, struct entry_out x, struct str path, enum claim claim)
{
	x.path = path;
	x.key = OREF_NIL;
	x.claim = claim;
	return put(w, x);
}

static int put_stays(struct meta *w, struct entry_out x, enum claim claim)
{
	x.claim = claim;
	return put(w, x);
}

/* "above.rest" */
static bool join(struct meta *w, struct str above, struct str rest, struct str *ret)
{
	size_t n = above.n ? above.n + 1 + rest.n : rest.n;
	char *p = arena_bytes(&w->paths, n + 1);

	if (!p)
		return false;
	if (above.n) {
		memcpy(p, above.p, above.n);
		p[above.n] = '.';
	}
	memcpy(p + n - rest.n, rest.p, rest.n);
	*ret = (struct str){p, n};
	return true;
}

static struct str above(struct str path)
{
	const char *dot = path.n ? memrchr(path.p, '.', path.n) : NULL;

	return dot ? str_cut(path, (size_t)(dot - path.p)) : STR("");
}

/* A module without keys. */
static int put_keyless(struct meta *w, struct entry_out x)
{
	struct str up = x.path, to, path, rest;
	enum fate fate = FATE_KEYLESS;

	while (up.n && fate == FATE_KEYLESS) {
		up = above(up);
		fate = fate_of(w, up, &to);
	}
	if (fate != FATE_WHOLE || str_eq(to, up))
		return put_stays(w, x, CLAIM_STAYS);
	rest = up.n ? str_skip(x.path, up.n + 1) : x.path;
	if (!join(w, to, rest, &path))
		return ERR_NOMEM;
	return put_moved(w, x, path, CLAIM_MOVED);
}

static bool is_parameter_of(const struct moved *m, struct str module)
{
	struct str rest = module.n ? str_skip(m->was, module.n + 1) : m->was;

	return rest.n == 0 || !memchr(rest.p, '.', rest.n);
}

/* A module of which some keys went elsewhere. */
static int put_mixed(struct meta *w, struct entry_out x)
{
	size_t copies = 0;
	struct str to;
	int rc = 0;

	if (x.path.n == 0 || in_use(w, x.path))
		rc = put_stays(w, x, CLAIM_STAYS);
	for (size_t i = first_was(w, x.path);
			i < w->n && below(w->by_was[i].was, x.path) && rc == 0; i++) {
		if (!is_parameter_of(&w->by_was[i], x.path) ||
				!target_of(&w->by_was[i], x.path, &to) || str_eq(to, x.path))
			continue;
		copies++;
		rc = put_moved(w, x, to, CLAIM_COPY);
	}
	return rc == 0 && copies == 0 ? put_stays(w, x, CLAIM_STAYS) : rc;
}

static int put_module(struct meta *w, struct entry_out x)
{
	struct str to;
	int rc = 0;

	switch (fate_of(w, x.path, &to)) {
	case FATE_KEYLESS:
		return put_keyless(w, x);
	case FATE_MIXED:
		return put_mixed(w, x);
	default:
		break;
	}
	if (str_eq(to, x.path))
		return put_stays(w, x, CLAIM_SAME);
	if (x.path.n == 0 || in_use(w, x.path))
		rc = put_stays(w, x, CLAIM_STAYS);
	return rc < 0 ? rc : put_moved(w, x, to, CLAIM_MOVED);
}

/* --- all of it -------------------------------------------------------------------------------- */

struct rename_ids {
	const struct renamed *at;
	struct idmap ids;
};

static bool same_now(const void *ctx, const void *key, uint32_t id)
{
	return str_eq(((const struct rename_ids *)ctx)->at[id].now, *(const struct str *)key);
}

/* Every key as it was and as it is. */
static int sort_keys(struct meta *w, const struct renamed *renames, size_t n,
		const struct str *keys, size_t n_keys)
{
	struct rename_ids r = {.at = renames};
	uint32_t at;
	int rc = 0;

	w->by_was = calloc(n_keys + 1, sizeof *w->by_was);
	w->by_now = calloc(n_keys + 1, sizeof *w->by_now);
	if (!w->by_was || !w->by_now)
		return ERR_NOMEM;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = idmap_add(&r.ids, str_hash(renames[i].now), (uint32_t)i);
	for (size_t i = 0; i < n_keys && rc == 0; i++) {
		at = idmap_find(&r.ids, str_hash(keys[i]), same_now, &r, &keys[i]);
		w->by_was[i].was = at == IDMAP_NONE ? keys[i] : renames[at].was;
		w->by_was[i].now = w->by_now[i] = keys[i];
	}
	idmap_release(&r.ids);
	w->n = n_keys;
	qsort(w->by_was, n_keys, sizeof *w->by_was, moved_order);
	qsort(w->by_now, n_keys, sizeof *w->by_now, now_order);
	return rc;
}

/* The new pairs into w->out. Keys that are no text stay. */
static int carry(struct meta *w, const struct pairs *old)
{
	int rc = 0;

	for (size_t i = 0; i + 1 < old->at.n && rc == 0; i += 2) {
		struct entry_out x = {.key = old->at.at[i], .value = old->at.at[i + 1]};
		enum obj_kind kind = obj_kind(w->l.g, x.key);

		if ((kind == OBJ_KIND_STR || kind == OBJ_KIND_BYTES) &&
				obj_text(w->l.g, x.key, &x.path))
			rc = put_module(w, x);
		else
			rc = vec_push(&w->out, x);
	}
	return rc;
}

static bool is_same(const struct meta *w, const struct pairs *old)
{
	if (w->out.n * 2 != old->at.n)
		return false;
	for (size_t i = 0; i < w->out.n; i++)
		if (w->out.at[i].key != old->at.at[2 * i] ||
				w->out.at[i].value != old->at.at[2 * i + 1])
			return false;
	return true;
}

/* An empty mapping of the same kind. The old one may be shared with another state_dict. */
static oref empty_like(struct graph *g, oref r)
{
	oref fn, args, made;

	if (!obj_call(g, r, &fn, &args))
		return obj_new(g, OBJ_KIND_DICT, UINT32_MAX);
	made = obj_new_call(g, obj_kind(g, r), fn, OBJ_EMPTY_TUPLE, UINT32_MAX);
	if (made != OREF_NIL && obj_state(g, r) != OREF_NIL &&
			obj_set_state(g, made, obj_state(g, r)) < 0)
		return OREF_NIL;
	return made;
}

static oref new_metadata(struct meta *w, oref like)
{
	struct graph *g = w->l.g;
	oref made = empty_like(g, like);

	for (size_t i = 0; i < w->out.n && made != OREF_NIL; i++) {
		const struct entry_out *x = &w->out.at[i];
		oref pair[2] = {x->key, x->value};

		if (x->key == OREF_NIL)
			pair[0] = obj_new_text(g, OBJ_KIND_STR, x->path, UINT32_MAX);
		if (pair[0] == OREF_NIL || obj_set_pairs(g, made, pair, 1) < 0)
			return OREF_NIL;
	}
	return made;
}

/* The dict of attributes of a mapping, OREF_NIL: it has none. */
static oref attributes(struct loader *l, oref r)
{
	oref state = obj_state(l->g, r);
	uint32_t n;
	const oref *at = args_of(l, state, 2, &n);

	if (at && n == 2 && obj_kind(l->g, state) == OBJ_KIND_TUPLE)
		state = at[0];
	return obj_kind(l->g, state) == OBJ_KIND_DICT ? state : OREF_NIL;
}

static oref metadata_key(const struct graph *g, oref dict)
{
	uint32_t n;
	const oref *at = obj_pairs(g, dict, &n);

	for (uint32_t i = 0; i < n; i++)
		if (obj_is_text(g, at[2 * (size_t)i], "_metadata"))
			return at[2 * (size_t)i];
	return OREF_NIL;
}

static int change_with(struct meta *w, oref dict, oref old)
{
	struct pairs was = {0};
	oref made;
	int rc = mapping_pairs(&w->l, old, &was) ? carry(w, &was) : ERR_NOMEM;

	if (rc == 0 && !is_same(w, &was)) {
		made = new_metadata(w, old);
		rc = made == OREF_NIL ? ERR_NOMEM
				      : pairs_set(w->l.g, dict, metadata_key(w->l.g, dict), made);
	}
	vec_release(&was.at);
	return rc < 0 ? err_nomem(w->l.e) : 0;
}

int change_metadata(struct checkpoint *ck, uint32_t dir, const struct renamed *renames, size_t n,
		const struct str *keys, size_t n_keys, struct err *e)
{
	struct graph *g = &ck->model.graph;
	struct meta w = {0};
	oref dict, old = OREF_NIL;
	int rc = 0;

	if (n == 0 || dir >= ck->model.values.n || ck->model.values.at[dir].kind != VALUE_DICT)
		return 0;
	change_loader(&w.l, ck, e);
	arena_init(&w.paths, 0);
	dict = attributes(&w.l, ck->model.values.at[dir].obj);
	if (dict != OREF_NIL)
		old = obj_get(g, dict, "_metadata");
	if (obj_kind(g, old) == OBJ_KIND_DICT || obj_kind(g, old) == OBJ_KIND_CALL ||
			obj_kind(g, old) == OBJ_KIND_NEW) {
		rc = sort_keys(&w, renames, n, keys, n_keys);
		rc = rc < 0 ? err_nomem(e) : change_with(&w, dict, old);
	}
	free(w.by_was);
	free(w.by_now);
	vec_release(&w.out);
	idmap_release(&w.ids);
	arena_release(&w.paths);
	loader_release(&w.l);
	return rc;
}
