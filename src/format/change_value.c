/* change_value.c - values of objects that are new: as loading would make them.
 *
 * The walk of interpret.c runs over the new object. It is told beforehand of every object that has
 * a value (loader.memo), so what is old in it, a tensor in a list that somebody wrote as JSON for
 * one, stays the value that it is. Leaves are made anew: None, True and numbers are one object
 * wherever they stand.
 */
#include "change_in.h"

void change_loader(struct loader *l, struct checkpoint *ck, struct err *e)
{
	static const struct format_opts none = {0};

	loader_init(l, ck, &none, e);
	l->tensors_by_id = format_is(ck, "torch tar");
	l->persid_items = format_is(ck, "torch legacy") ? 6 : 5;
}

/* Objects that have a value. A module has two, one for its attributes. */
static int know_values(struct loader *l)
{
	const struct model *m = l->m;
	int rc = 0;

	for (uint32_t i = 0; i < m->values.n && rc == 0; i++) {
		const struct value *v = &m->values.at[i];

		if (v->kind == VALUE_LEAF || v->obj == OREF_NIL || v->flags & VALUE_PAST)
			continue;
		rc = u32map_set(&l->memo, v->obj, i);
	}
	for (uint32_t i = 0; i < m->values.n && rc == 0; i++) {
		const struct value *v = &m->values.at[i];

		if (v->kind != VALUE_MODULE)
			continue;
		rc = u32map_set(&l->memo, v->obj, i);
		if (rc == 0 && v->raw != MODEL_NONE)
			rc = u32map_set(&l->raw, v->obj, v->raw);
	}
	return rc < 0 ? err_nomem(l->e) : 0;
}

/* Can r hold objects that have values? */
static bool may_hold(struct loader *l, oref r)
{
	oref fn, args;

	switch (obj_kind(l->g, r)) {
	case OBJ_KIND_LIST:
	case OBJ_KIND_TUPLE:
	case OBJ_KIND_DICT:
	case OBJ_KIND_NEW:
	case OBJ_KIND_PERSID:
		return true;
	case OBJ_KIND_CALL:
		obj_call(l->g, r, &fn, &args);
		switch (role_of(l, fn)->role) {
		case ROLE_LEAF:
		case ROLE_BYTES:
		case ROLE_SCALAR:
		case ROLE_LAYOUT:
			return false;
		default:
			return true;
		}
	default:
		return false;
	}
}

int change_new_value(struct checkpoint *ck, oref obj, uint32_t *ret_value, struct err *e)
{
	struct loader l;
	uint32_t value;
	int rc = 0;

	change_loader(&l, ck, e);
	if (may_hold(&l, obj))
		rc = know_values(&l);
	if (rc == 0)
		rc = interpret(&l, obj, &value);
	loader_release(&l);
	if (rc == 0)
		*ret_value = value;
	return rc;
}
