/* key_names.c - which key a name in a directory stands for.
 *
 *	a key that is there, or a companion of it    whatever it is called: long keys have names that
 *	                                             were cut, from which nothing can be told
 *	one that left, or was removed, since the     the very key: mv x t; mv t x changes nothing, also
 *	last commit                                  where x is (0, 1), None or 7
 *	otherwise                                    text (name_to_text()); an int where keys are ints;
 *	                                             in a list a place, and no key
 *
 * In a view a name stands for the key without its prefix, or with it.
 */
#include "edit.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad_name(struct str name, struct err *e)
{
	if (name.n > NAME_LIMIT)
		return err_sys(e, ENAMETOOLONG, "%s: names have at most %d bytes", STR_SHOW(name), NAME_LIMIT);
	return err_set(e, ERR_INVALID, "%s: no key is called so (%% stands for bytes that a file name "
				       "cannot have)", STR_SHOW(name));
}

/* The key that had this name since the last commit, or OREF_NIL. */
static oref former_key(const struct volume *v, uint32_t dir, struct str name)
{
	const struct edit *d = v->edit;
	uint32_t gone = tree_find_gone(&v->tree, dir, name), ignored;
	if (gone != TREE_NONE && !u32map_get(&d->lost, gone, &ignored))
		return v->tree.nodes.at[gone].key;
	for (size_t i = d->left.n; i-- > 0;)
		if (d->left.at[i].dir == dir && d->left.at[i].key != OREF_NIL &&
				str_eq(d->left.at[i].name, name))
			return d->left.at[i].key;
	return OREF_NIL;
}

/* Names that are there answer also when no key could be made from them. */
static bool place_known(struct volume *v, uint64_t dir, const struct dir_ref *d, struct str name,
		struct buf *out)
{
	struct name_lookup names = vol_dir_names(d);
	uint32_t node = names.find(d, name);
	enum derived which;
	uint64_t ghost;
	if (node != TREE_NONE)
		buf_str(out, node_name(&v->tree, node));
	else if (ghost_find(v, dir, name, &ghost) ||
			derived_find(&v->tree, &names, name, &which) != TREE_NONE ||
			(!d->view && name.n <= NAME_LIMIT && former_key(v, d->node, name) != OREF_NIL))
		buf_str(out, name);
	else
		return false;
	return true;
}

int keys_place(struct volume *v, uint64_t dir, struct str name, uint32_t *ret_dir, struct buf *out,
		struct err *e)
{
	enum ino_what what = ino_what(dir);
	struct dir_ref d;
	struct buf text, key;
	if (what != INO_DIR && what != INO_VIEW && what != INO_MODULE)
		return err_sys(e, EACCES, "what is in .pthfs/ is made up: it cannot be changed");
	int rc = views_dir(v, dir, &d, e);
	if (rc < 0)
		return rc;
	if (v->tree.nodes.at[d.node].flags & NODE_OBJECT)
		return err_set(e, ERR_UNSUPPORTED, "below object/ nothing can be changed");
	buf_init(&text, 4096);
	buf_init(&key, 4096);
	if (name.n > NAME_MAX || !name_to_text(name, &text) || text.failed)
		rc = place_known(v, dir, &d, name, out) ? 0 : bad_name(name, e);
	else if (!d.view)
		buf_str(out, name);
	else if (view_key(d.view->steps, d.view->n_steps, buf_view(&text), &key))
		name_of_text(buf_view(&key), out);
	else
		rc = err_set(e, ERR_INVALID, "%s: every name here begins with the prefix that this view puts on",
				STR_SHOW(name));
	if (rc == 0 && out->failed)
		rc = err_nomem(e);
	buf_release(&text);
	buf_release(&key);
	*ret_dir = d.node;
	return rc;
}

/* --- the key of a new name ------------------------------------------------------------------------ */

static bool is_kind(const struct volume *v, oref key, enum obj_kind kind)
{
	return key != OREF_NIL && obj_kind(&vol_model(v)->graph, key) == kind;
}

static bool is_number(struct str name, int64_t *ret)
{
	char text[24] = "", again[24];
	if (name.n == 0 || name.n > 18)
		return false;
	memcpy(text, name.p, name.n);
	*ret = strtoll(text, NULL, 10);
	snprintf(again, sizeof again, "%" PRId64, *ret);
	return strcmp(text, again) == 0;
}

/* Optimizers number their state: where keys are ints, a number is one. */
static bool wants_int(const struct volume *v, uint32_t dir, uint32_t node)
{
	const struct node *at = v->tree.nodes.at;
	uint32_t slots = tree_slots(&v->tree, dir);
	if (node != TREE_NONE && at[node].parent == dir && is_kind(v, at[node].key, OBJ_KIND_INT))
		return true;
	for (uint32_t i = 0; i < slots; i++) {
		uint32_t child = tree_child(&v->tree, dir, i);
		if (child != TREE_NONE && child != node)
			return is_kind(v, at[child].key, OBJ_KIND_INT);
	}
	return false;
}

/* Python takes 1, True and 1.0 for one key: is the number there in another spelling? */
static uint32_t spelled_otherwise(const struct volume *v, uint32_t dir, int64_t number)
{
	char text[24];
	struct str same;
	uint32_t node = TREE_NONE;
	if (number == 0 || number == 1)
		node = tree_find(&v->tree, dir, number ? STR("True") : STR("False"));
	snprintf(text, sizeof text, "%" PRId64 ".0", number);
	if (node == TREE_NONE || is_kind(v, v->tree.nodes.at[node].key, OBJ_KIND_STR))
		node = tree_find(&v->tree, dir, str_of(text));
	if (node == TREE_NONE || key_text(&vol_model(v)->graph, v->tree.nodes.at[node].key, &same))
		return TREE_NONE;
	return node;
}

static oref text_key(struct volume *v, struct str name)
{
	struct buf text;
	buf_init(&text, 4096);
	oref key = name_to_text(name, &text) && !text.failed
				   ? obj_new_text(&v->ck->model.graph, OBJ_KIND_STR, buf_view(&text), UINT32_MAX)
				   : OREF_NIL;
	buf_release(&text);
	return key;
}

/* The next child beside a slot, or TREE_NONE. */
static uint32_t beside(const struct volume *v, uint32_t dir, uint32_t slot, int step, uint32_t node)
{
	for (uint32_t slots = tree_slots(&v->tree, dir); (slot += (uint32_t)step) < slots;) {
		uint32_t child = tree_child(&v->tree, dir, slot);
		if (child != TREE_NONE && child != node)
			return child;
	}
	return TREE_NONE;
}

/* In a list items have numbers for names, and no keys. Its order is that of the slots, which has to be
 * that of the numbers: what is shown as 0 is what torch finds there. */
static int list_name_ok(struct volume *v, uint32_t dir, struct str name, uint32_t node, struct err *e)
{
	bool stays = node != TREE_NONE && v->tree.nodes.at[node].parent == dir;
	uint32_t slot = stays ? tree_slot(&v->tree, node) : tree_slots(&v->tree, dir);
	uint32_t before = beside(v, dir, slot, -1, node), after = beside(v, dir, slot, 1, node);
	int64_t number, other;
	if (!is_number(name, &number) || number < 0)
		return err_set(e, ERR_INVALID, "%s: the items of a list are called 0, 1, 2, ...", STR_SHOW(name));
	if ((before != TREE_NONE && is_number(node_name(&v->tree, before), &other) && other > number) ||
			(after != TREE_NONE && is_number(node_name(&v->tree, after), &other) && other < number))
		return err_set(e, ERR_UNSUPPORTED, "%s: the items of a list keep their order: none can pass "
					           "another one, and what is new comes behind the last",
				STR_SHOW(name));
	return 0;
}

int keys_new(struct volume *v, uint32_t dir, struct str name, uint32_t node, oref *ret, struct err *e)
{
	int64_t number;
	*ret = OREF_NIL;
	if (name.n > NAME_LIMIT)
		return bad_name(name, e);
	if (node_value(&v->tree, dir)->kind == VALUE_LIST)
		return list_name_ok(v, dir, name, node, e);
	*ret = former_key(v, dir, name);
	if (*ret != OREF_NIL)
		return 0;
	if (is_number(name, &number) && wants_int(v, dir, node)) {
		uint32_t other = spelled_otherwise(v, dir, number);
		if (other != TREE_NONE && other != node)
			return err_set(e, ERR_UNSUPPORTED, "%s: there is %s already, which is the same key in Python",
					STR_SHOW(name), STR_SHOW(node_name(&v->tree, other)));
		*ret = obj_new_int(&v->ck->model.graph, number, UINT32_MAX);
	} else {
		*ret = text_key(v, name);
	}
	return *ret == OREF_NIL ? err_nomem(e) : 0;
}
