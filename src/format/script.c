/* script.c - TorchScript objects as the state_dict they would give.
 *
 *	class Linear(Module):
 *	  __parameters__ = ["weight", "bias", ]
 *	  __buffers__ = []
 *
 * The object of class __torch__.a.b.Linear has its source in code/__torch__/a/b.py. The two lists
 * say which tensor attributes belong to the state_dict, and a base other than Module that the
 * object is an attribute and no child. Where the source is missing, too large or not as simple as
 * that: every tensor attribute in the order of the pickle. (formats/torchscript.md section 3)
 *
 * Not done: the rest of TorchScript. The source is data; no more of it is parsed than this.
 */
#include "script.h"

#include <stdio.h>
#include <string.h>

#include <pthfs/cleanup.h>

#include "module.h"

#define CODE_MAX (4u << 20)
#define NAMES_MAX 65536u

/* What the source says of one class. */
struct script_class {
	bool known, is_module;
	VEC(struct str) names; /* parameters, then buffers */
	size_t n_params;
	struct idmap by_name;
};

struct script {
	struct box *box; /* borrowed */
	struct str folder;
	struct arena names;
	VEC(struct script_class) classes;
	struct u32map by_global;
};

struct script *script_new(struct box *box, struct str folder)
{
	struct script *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->box = box;
	s->folder = folder;
	arena_init(&s->names, 0);
	return s;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->classes.n; i++) {
		vec_release(&s->classes.at[i].names);
		idmap_release(&s->classes.at[i].by_name);
	}
	vec_release(&s->classes);
	u32map_release(&s->by_global);
	arena_release(&s->names);
	free(s);
}

/* --- source
 * ------------------------------------------------------------------------------------------ */

/* code/__torch__/a/b.py as a terminated text, or NULL when it cannot be had. */
static char *read_code(struct script *s, struct str module, size_t *ret_n)
{
	char path[600], *text;
	int n = snprintf(path, sizeof path, "%.*s/code/%.*s", STR_FMT(s->folder), STR_FMT(module));
	const struct member *m;
	struct source *src;

	if (n < 0 || (size_t)n + 4 > sizeof path)
		return NULL;
	for (char *p = path + s->folder.n + 6; *p; p++)
		if (*p == '.')
			*p = '/';
	memcpy(path + n, ".py", 4);
	m = box_find(s->box, str_of(path));
	if (!m || m->size > CODE_MAX || m->flags & MEMBER_MISSING ||
			box_source(s->box, m, &src, NULL) < 0)
		return NULL;
	text = malloc(src->size + 1);
	if (text && source_read(src, text, src->size, 0, NULL) < 0) {
		free(text);
		text = NULL;
	}
	*ret_n = src->size;
	if (text)
		text[src->size] = 0;
	source_unref(src);
	return text;
}

/* The next line, without its end; false behind the last. */
static bool next_line(struct str *rest, struct str *line)
{
	const char *nl;

	if (!rest->n)
		return false;
	nl = memchr(rest->p, '\n', rest->n);
	*line = str_cut(*rest, nl ? (size_t)(nl - rest->p) : rest->n);
	*rest = str_skip(*rest, line->n + (nl ? 1 : 0));
	return true;
}

static bool same_name(const void *ctx, const void *key, uint32_t id)
{
	const struct script_class *c = ctx;

	return str_eq(c->names.at[id], *(const struct str *)key);
}

static bool add_name(struct script *s, struct script_class *c, struct str name)
{
	struct str copy = arena_str(&s->names, name);

	return copy.p && c->names.n < NAMES_MAX && vec_room(&c->names, 1) == 0 &&
	       idmap_add(&c->by_name, str_hash(copy), (uint32_t)c->names.n) == 0 &&
	       vec_push(&c->names, copy) == 0;
}

static struct str skip_commas(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == ','))
		s = str_skip(s, 1);
	return s;
}

/* ["a", "b", ]: names without escapes. False when it is anything else. */
static bool parse_names(struct script *s, struct str list, struct script_class *c)
{
	const char *end;
	struct str name;

	for (list = skip_commas(list); list.n && list.p[0] == '"'; list = skip_commas(list)) {
		list = str_skip(list, 1);
		end = list.n ? memchr(list.p, '"', list.n) : NULL;
		if (!end)
			return false;
		name = str_cut(list, (size_t)(end - list.p));
		if (!name.n || memchr(name.p, '\\', name.n) || !add_name(s, c, name))
			return false;
		list = str_skip(list, name.n + 1);
	}
	return list.n == 1 && list.p[0] == ']';
}

/* The class body that begins behind its first line; the source has parameters first. */
static void parse_class(struct script *s, struct str rest, struct script_class *c)
{
	static const char params[] = "  __parameters__ = [", buffers[] = "  __buffers__ = [";
	struct str line;
	bool ok = true;

	while (ok && next_line(&rest, &line) && (!line.n || line.p[0] == ' ')) {
		if (str_starts(line, STR(params))) {
			ok = c->names.n == 0 && parse_names(s, str_skip(line, strlen(params)), c);
			c->n_params = c->names.n;
		} else if (str_starts(line, STR(buffers))) {
			ok = parse_names(s, str_skip(line, strlen(buffers)), c);
		}
	}
	c->known = ok;
}

static void look_up_class(
		struct script *s, struct str module, struct str name, struct script_class *c)
{
	size_t n = 0;
	_cleanup_(freep) char *text = read_code(s, module, &n);
	struct str rest = {text, n}, line, after;

	while (text && next_line(&rest, &line)) {
		if (!str_starts(line, STR("class ")))
			continue;
		after = str_skip(line, 6);
		if (!str_starts(after, name) || after.n <= name.n || after.p[name.n] != '(')
			continue;
		c->is_module = str_starts(str_skip(after, name.n), STR("(Module)"));
		parse_class(s, rest, c);
		return;
	}
}

/* What is known of an object's class; NULL: nothing. */
static const struct script_class *class_of(const struct loader *l, oref r)
{
	struct script *s = l->script;
	struct script_class c = {0};
	struct str module, name;
	oref fn, args;
	uint32_t at;

	if (!obj_call(l->g, r, &fn, &args) || !obj_global(l->g, fn, &module, &name))
		return NULL;
	if (!u32map_get(&s->by_global, fn, &at)) {
		at = (uint32_t)s->classes.n;
		look_up_class(s, module, name, &c);
		if (vec_push(&s->classes, c) < 0 || u32map_set(&s->by_global, fn, at) < 0)
			return NULL;
	}
	return s->classes.at[at].known ? &s->classes.at[at] : NULL;
}

/* --- objects
 * ------------------------------------------------------------------------------------------ */

bool script_is_object(const struct loader *l, oref r)
{
	struct str module, name;
	oref fn, args, state;

	if (obj_kind(l->g, r) != OBJ_KIND_NEW || !obj_call(l->g, r, &fn, &args) ||
			!obj_global(l->g, fn, &module, &name))
		return false;
	state = obj_state(l->g, r);
	return (str_is(module, "__torch__") || str_starts(module, STR("__torch__."))) &&
	       (state == OREF_NIL || obj_kind(l->g, state) == OBJ_KIND_DICT);
}

static bool is_child(const struct loader *l, oref r)
{
	const struct script_class *c;

	if (!script_is_object(l, r))
		return false;
	c = class_of(l, r);
	return !c || c->is_module;
}

/* Where the listed names are among the attributes: index + 1, 0 for those that are not there. */
static uint32_t *find_listed(const struct loader *l, oref dict, const struct script_class *c)
{
	uint32_t *place = calloc(c->names.n + 1, sizeof *place), n, id;
	const oref *at = obj_pairs(l->g, dict, &n);
	struct str text;

	for (uint32_t i = 0; place && i < n; i++) {
		if (!obj_text(l->g, at[2 * (size_t)i], &text))
			continue;
		id = idmap_find(&c->by_name, str_hash(text), same_name, c, &text);
		if (id != IDMAP_NONE)
			place[id] = i + 1;
	}
	return place;
}

static int add_listed(struct flat *f, oref dict, const struct script_class *c)
{
	_cleanup_(freep) uint32_t *place = find_listed(f->l, dict, c);
	size_t n = c->names.n, n_params = c->n_params;
	oref key, value;
	int rc = place ? 0 : err_nomem(f->l->e);

	for (size_t k = 0; k < n && rc == 0; k++) {
		rc = flat_count(f);
		if (rc < 0 || !place[k] || !dict_at(f->l, dict, place[k] - 1, &key, &value) ||
				value == OBJ_NONE)
			continue;
		rc = interpret_flagged(
				f->l, value, k < n_params ? TENSOR_PARAMETER : TENSOR_BUFFER);
		if (rc == 0)
			rc = flat_add(f, key, value);
	}
	return rc;
}

static int add_all_tensors(struct flat *f, oref dict)
{
	struct call k;
	oref key, value;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && dict_at(f->l, dict, i, &key, &value); i++) {
		rc = flat_count(f);
		peel(f->l, value, &k);
		if (rc == 0 && (is_tensor_call(&k) || is_parts_call(&k)))
			rc = flat_add(f, key, value);
	}
	return rc;
}

static int script_own(struct flat *f, oref r, oref *ret_children)
{
	const struct script_class *c = class_of(f->l, r);
	oref state = obj_state(f->l->g, r);

	*ret_children = state;
	if (state == OREF_NIL)
		return 0;
	return c ? add_listed(f, state, c) : add_all_tensors(f, state);
}

int script_flatten(struct loader *l, oref r, uint32_t v)
{
	static const struct flat_ops ops = {script_own, is_child, false};

	return flatten(l, r, v, &ops);
}
