/* diff_meta.c - what two .meta do not share, member by member.
 *
 * The text of the two is what `diff -r` of two mounts compares, so equal texts are the end of it. The
 * members of texts that differ are laid side by side as JSON; what somebody adds to .meta is seen here
 * without a change. What follows from something else is not told twice: nbytes from dtype and shape,
 * strides from the shape, and shared_with from names that one of the two does not have, since that
 * name itself is told.
 */
#include "diff.h"

#include <pthfs/json_read.h>
#include <string.h>

#define MEMBERS 32 /* of one .meta; there are at most 13 */

struct member_text {
	struct str name, value;
};

struct members {
	struct member_text at[MEMBERS];
	unsigned n;
};

static struct str copy(struct diff *d, struct str s, struct err *e)
{
	struct str c = arena_str(&d->scratch, s);
	if (!c.p)
		err_nomem(e);
	return c;
}

static int read_members(struct diff *d, struct str text, struct members *ret, struct err *e)
{
	struct json_reader r;
	enum json_token t;
	ret->n = 0;
	if (!text.n)
		return 0;
	json_reader_init(&r, text);
	int rc = json_next(&r, &t, e); /* the brace */
	while (rc == 0 && ret->n < MEMBERS) {
		struct member_text *m = &ret->at[ret->n];
		rc = json_next(&r, &t, e);
		if (rc < 0 || t != JSON_KEY)
			break;
		m->name = copy(d, r.text, e);
		rc = m->name.p ? json_next(&r, &t, e) : ERR_NOMEM;
		size_t at = r.at;
		if (rc == 0)
			rc = json_skip(&r, t, e);
		if (rc < 0)
			break;
		m->value = (struct str){text.p + at, r.pos - at};
		ret->n++;
	}
	json_reader_release(&r);
	return rc;
}

static struct str member(const struct members *m, struct str name)
{
	for (unsigned i = 0; i < m->n; i++)
		if (str_eq(m->at[i].name, name))
			return m->at[i].value;
	return STR("");
}

/* --- shared_with --------------------------------------------------------------------------------- */

/* The names in a list that the other one has too, as its entries: equal ones are equal bytes. */
static int known_names(struct diff *d, const struct diff_side *own, bool is_b, struct str list,
		struct buf *out, struct err *e)
{
	struct json_reader r;
	enum json_token t;
	int rc = 0;
	if (!list.n)
		return 0;
	json_reader_init(&r, list);
	while (rc == 0) {
		rc = json_next(&r, &t, e);
		if (rc < 0 || t == JSON_END)
			break;
		uint32_t i = t == JSON_STRING ? side_find(own, d->o, r.text) : TREE_NONE;
		uint32_t k = i == TREE_NONE ? TREE_NONE : own->at.at[i].other;
		if (k != TREE_NONE)
			buf_put(out, is_b ? &i : &k, sizeof i);
	}
	json_reader_release(&r);
	return rc < 0 ? rc : out->failed ? err_nomem(e) : 0;
}

static int shared_same(struct diff *d, struct str a, struct str b, bool *same, struct err *e)
{
	struct buf x, y;
	buf_init(&x, 16 << 20);
	buf_init(&y, 16 << 20);
	int rc = known_names(d, &d->a, false, a, &x, e);
	if (rc == 0)
		rc = known_names(d, &d->b, true, b, &y, e);
	*same = rc == 0 && str_eq(buf_view(&x), buf_view(&y));
	buf_release(&x);
	buf_release(&y);
	return rc;
}

/* --- members ------------------------------------------------------------------------------------- */

/* What a difference of this member is; 0: none of its own. */
static unsigned kind_of(const struct diff *d, struct str name, bool moved, unsigned what)
{
	if (str_is(name, "dtype"))
		return DIFF_DTYPE;
	if (str_is(name, "shape"))
		return DIFF_SHAPE;
	if (str_is(name, "nbytes") && what & (DIFF_DTYPE | DIFF_SHAPE))
		return 0;
	if (str_is(name, "stride") && what & DIFF_SHAPE)
		return 0;
	if (str_is(name, "key") && (moved || d->strips))
		return 0;
	if (str_is(name, "shared_with") && moved)
		return 0;
	return DIFF_ATTRS;
}

static int add_attr(struct diff *d, struct str name, struct str a, struct str b, bool moved,
		unsigned *what, struct err *e)
{
	unsigned kind = kind_of(d, name, moved, *what);
	bool same = false;
	int rc = 0;
	if (kind == DIFF_ATTRS && str_is(name, "shared_with"))
		rc = shared_same(d, a, b, &same, e);
	if (rc < 0 || !kind || same)
		return rc;
	*what |= kind;
	if (kind == DIFF_ATTRS && vec_push(&d->attrs, ((struct diff_attr){name, a, b})) < 0)
		return err_nomem(e);
	return 0;
}

int diff_meta(struct diff *d, bool moved, unsigned *what, struct err *e)
{
	struct members a, b;
	d->attrs.n = 0;
	arena_release(&d->scratch);
	if (str_eq(buf_view(&d->a.meta), buf_view(&d->b.meta)))
		return 0;
	int rc = read_members(d, buf_view(&d->a.meta), &a, e);
	if (rc == 0)
		rc = read_members(d, buf_view(&d->b.meta), &b, e);
	/* dtype and shape stand first in both */
	for (unsigned i = 0; rc == 0 && i < a.n; i++) {
		struct str other = member(&b, a.at[i].name);
		if (!str_eq(a.at[i].value, other))
			rc = add_attr(d, a.at[i].name, a.at[i].value, other, moved, what, e);
	}
	for (unsigned i = 0; rc == 0 && i < b.n; i++)
		if (!member(&a, b.at[i].name).n)
			rc = add_attr(d, b.at[i].name, STR(""), b.at[i].value, moved, what, e);
	return rc;
}
