/* get.c - looking at nodes. Nothing here allocates, but the sources that are asked for.
 *
 * Every function takes any oref, also one of the wrong kind or none at all, and answers "no".
 */
#include <pthfs/obj.h>

#include "node.h"

enum obj_kind obj_kind(const struct graph *g, oref r)
{
	const struct obj *o = node_of(g, r);

	if (oref_small(r))
		return OBJ_KIND_INT;
	return o ? (enum obj_kind)o->kind : OBJ_KIND_NONE;
}

uint8_t obj_flags(const struct graph *g, oref r)
{
	const struct obj *o = node_of(g, r);

	return o ? o->flags : 0;
}

uint32_t obj_off(const struct graph *g, oref r)
{
	const struct obj *o = node_of(g, r);

	return o ? o->off : 0;
}

bool obj_int(const struct graph *g, oref r, int64_t *ret)
{
	const struct obj *o = node_of(g, r);

	if (oref_small(r)) {
		*ret = small_value(r);
		return true;
	}
	if (!o)
		return false;
	switch (o->kind) {
	case OBJ_KIND_BOOL:
		*ret = r == OBJ_TRUE;
		return true;
	case OBJ_KIND_INT:
	case OBJ_KIND_TENSOR:
	case OBJ_KIND_EXT:
		*ret = (int64_t)node_u64(o);
		return true;
	default:
		return false;
	}
}

bool obj_float(const struct graph *g, oref r, double *ret)
{
	const struct obj *o = node_of(g, r);
	uint64_t bits;

	if (!o || o->kind != OBJ_KIND_FLOAT)
		return false;
	bits = node_u64(o);
	memcpy(ret, &bits, sizeof *ret);
	return true;
}

bool obj_text(const struct graph *g, oref r, struct str *ret)
{
	const struct obj *o = node_of(g, r);

	if (!o || !kind_is_text(o->kind) || (o->flags & OBJ_SPAN))
		return false;
	*ret = (struct str){(const char *)(uintptr_t)node_u64(o), o->a};
	return true;
}

uint64_t obj_text_len(const struct graph *g, oref r)
{
	const struct obj *o = node_of(g, r);

	if (!o || !kind_is_text(o->kind))
		return 0;
	return o->flags & OBJ_SPAN ? g->spans.at[o->a].len : o->a;
}

bool obj_span(const struct graph *g, oref r, struct source **src, uint64_t *off, uint64_t *len)
{
	const struct obj *o = node_of(g, r);
	const struct obj_span *span;

	if (!o || !kind_is_text(o->kind) || !(o->flags & OBJ_SPAN))
		return false;
	span = &g->spans.at[o->a];
	*src = g->srcs.at[span->src];
	*off = span->off;
	*len = span->len;
	return true;
}

int obj_text_source(const struct graph *g, oref r, struct source **ret, struct err *e)
{
	const struct obj *o = node_of(g, r);
	const struct obj_span *span;
	struct source *s;
	struct str text;
	char *copy;

	if (!o || !kind_is_text(o->kind))
		return err_set(e, ERR_ABSENT, "the object is neither text nor bytes");
	if (o->flags & OBJ_SPAN) {
		span = &g->spans.at[o->a];
		s = source_window(g->srcs.at[span->src], span->off, span->len);
	} else {
		obj_text(g, r, &text);
		copy = malloc(text.n ? text.n : 1);
		if (copy && text.n)
			memcpy(copy, text.p, text.n);
		s = copy ? source_mem_take(copy, text.n) : NULL;
	}
	if (!s)
		return err_nomem(e);
	*ret = s;
	return 0;
}

bool obj_is_text(const struct graph *g, oref r, const char *cstr)
{
	const struct obj *o = node_of(g, r);
	struct str text;

	if (!o || (o->kind != OBJ_KIND_STR && !(o->flags & OBJ_PY2STR)))
		return false;
	return obj_text(g, r, &text) && str_is(text, cstr);
}

bool obj_global(const struct graph *g, oref r, struct str *module, struct str *name)
{
	const struct obj *o = node_of(g, r);
	struct str m, n;

	if (!o || o->kind != OBJ_KIND_GLOBAL || !obj_text(g, o->a, &m) || !obj_text(g, o->b, &n))
		return false;
	*module = m;
	*name = n;
	return true;
}

bool obj_is_global(const struct graph *g, oref r, const char *module, const char *name)
{
	struct str m, n;

	return obj_global(g, r, &m, &n) && str_is(n, name) && str_is(m, module);
}

const oref *obj_items(const struct graph *g, oref r, uint32_t *n)
{
	const struct obj *o = node_of(g, r);
	const struct obj_extra *x;

	*n = 0;
	if (!o)
		return NULL;
	if (o->kind == OBJ_KIND_TUPLE && o->aux) {
		*n = o->aux;
		return o->abc;
	}
	if (kind_is_seq(o->kind)) {
		*n = o->b;
		return o->b ? g->pool.at + o->a : NULL;
	}
	x = kind_is_call(o->kind) ? node_extra(g, r) : NULL;
	if (!x || !x->n_items)
		return NULL;
	*n = x->n_items;
	return g->pool.at + x->items;
}

const oref *obj_pairs(const struct graph *g, oref r, uint32_t *n)
{
	const struct obj *o = node_of(g, r);
	const struct obj_extra *x = node_extra(g, r);
	uint32_t at = 0, count = 0;

	if (x) {
		at = x->pairs;
		count = x->n_pairs;
	} else if (o && o->kind == OBJ_KIND_DICT) {
		at = o->a;
		count = o->b;
	}
	*n = count;
	return count ? g->pool.at + at : NULL;
}

bool obj_call(const struct graph *g, oref r, oref *callable, oref *args)
{
	const struct obj *o = node_of(g, r);

	if (!o || !kind_is_call(o->kind))
		return false;
	*callable = o->a;
	*args = o->b;
	return true;
}

oref obj_state(const struct graph *g, oref r)
{
	const struct obj_extra *x = node_extra(g, r);

	return x ? x->state : OREF_NIL;
}

oref obj_kwargs(const struct graph *g, oref r)
{
	const struct obj_extra *x = node_extra(g, r);

	return x ? x->kwargs : OREF_NIL;
}

bool obj_persid(const struct graph *g, oref r, oref *id)
{
	const struct obj *o = node_of(g, r);

	if (!o || o->kind != OBJ_KIND_PERSID)
		return false;
	*id = o->a;
	return true;
}

oref obj_get(const struct graph *g, oref r, const char *key)
{
	uint32_t n;
	const oref *pairs = obj_pairs(g, r, &n);

	for (uint32_t i = 0; i < n; i++)
		if (obj_is_text(g, pairs[2 * i], key))
			return pairs[2 * i + 1];
	return OREF_NIL;
}
