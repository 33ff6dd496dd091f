/* diff_bytes.c - are two tensors the same, and how much do they differ?
 *
 * What costs nothing comes first: one place of one file is the same; records whose CRC differs are
 * not, which --trust-crc believes and otherwise only decides in what order to go on. Then bytes to
 * the first difference, and only of what differs the numbers. A CRC is what the file claims, so that
 * without --trust-crc the verdict never hangs on one.
 */
#include "diff.h"

#include <string.h>

#define PIECE (64u << 10) /* of values */

/* --- tensors that stand under several names --------------------------------------------------------- */

struct pair {
	uint32_t a, b;
};

static uint64_t pair_hash(const struct pair *p)
{
	return ((uint64_t)p->a << 32 | p->b) * 0x9e3779b97f4a7c15u;
}

static bool pair_is(const void *ctx, const void *key, uint32_t id)
{
	const struct diff *d = ctx;
	const struct pair *p = key;
	return d->kept.at[id].a == p->a && d->kept.at[id].b == p->b;
}

static const struct diff_verdict *kept(const struct diff *d, struct pair p)
{
	uint32_t id = idmap_find(&d->kept_ids, pair_hash(&p), pair_is, d, &p);
	return id == IDMAP_NONE ? NULL : &d->kept.at[id];
}

static int keep(struct diff *d, const struct diff_verdict *v, struct err *e)
{
	struct pair p = {v->a, v->b};
	if (tree_nlink(side_tree(&d->a), v->a) < 2 || tree_nlink(side_tree(&d->b), v->b) < 2)
		return 0;
	if (vec_push(&d->kept, *v) < 0 ||
			idmap_add(&d->kept_ids, pair_hash(&p), (uint32_t)d->kept.n - 1) < 0)
		return err_nomem(e);
	return 0;
}

/* --- two contents ------------------------------------------------------------------------------------ */

struct two {
	const struct tensor *ta, *tb;
	struct content a, b;
	uint32_t crc_a, crc_b;
	bool crcs;  /* both are known */
	bool place; /* both lie at one place of one file */
};

static void two_release(struct two *t)
{
	content_release(&t->a);
	content_release(&t->b);
}

static bool same_file(const struct volume *a, const struct volume *b)
{
	const struct stat *x = volume_stat(a), *y = volume_stat(b);
	return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_size == y->st_size &&
	       x->st_mtim.tv_sec == y->st_mtim.tv_sec && x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

static bool one_place(const struct diff *d, const struct two *t)
{
	uint64_t x, y;
	return t->a.n == 1 && t->b.n == 1 && t->a.size == t->b.size && d->a.fd >= 0 &&
	       d->b.fd >= 0 && extents_raw(t->a.at, 1, 0, t->a.size, &x) == d->a.fd &&
	       extents_raw(t->b.at, 1, 0, t->b.size, &y) == d->b.fd && x == y &&
	       same_file(d->a.v, d->b.v);
}

static int broken(const struct diff_side *s, const struct tensor *t, struct err *e)
{
	return t->broken ? err_set(e, ERR_DAMAGED, "in %s: %s", volume_path(s->v), t->broken) : 0;
}

static int two_open(struct diff *d, uint32_t ta, uint32_t tb, struct two *ret, struct err *e)
{
	const struct model *ma = side_model(&d->a), *mb = side_model(&d->b);
	struct two t = {.ta = &ma->tensors.at[ta], .tb = &mb->tensors.at[tb]};
	int rc = broken(&d->a, t.ta, e);
	if (rc == 0)
		rc = broken(&d->b, t.tb, e);
	if (rc == 0)
		rc = content_tensor(ma, ta, &t.a, e);
	if (rc < 0)
		return rc;
	rc = content_tensor(mb, tb, &t.b, e);
	if (rc < 0) {
		content_release(&t.a);
		return rc;
	}
	t.place = one_place(d, &t);
	t.crcs = side_crc(&d->a, &t.a, &t.crc_a) && side_crc(&d->b, &t.b, &t.crc_b);
	*ret = t;
	return 0;
}

/* From here on, what is read is counted. */
static int two_count(struct diff *d, struct two *t, struct err *e)
{
	int rc = meter_wrap(&d->meter, &t->a, e);
	if (rc == 0)
		rc = meter_wrap(&d->meter, &t->b, e);
	return rc;
}

/* The answer that needs no reading. */
static bool known(const struct diff *d, const struct two *t, bool *equal)
{
	if (t->a.size != t->b.size) {
		*equal = false;
		return true;
	}
	if (t->place || t->a.size == 0) {
		*equal = true;
		return true;
	}
	if (!d->o->trust_crc || !t->crcs)
		return false;
	*equal = t->crc_a == t->crc_b;
	return true;
}

/* Not worth the engine's threads and pieces. */
static int small_same(struct diff *d, const struct two *t, bool *equal, struct err *e)
{
	char *a = d->small, *b = a + DIFF_SMALL;
	size_t n = (size_t)t->a.size, got;
	int rc = content_read(&t->a, a, n, 0, &got, e);
	if (rc == 0)
		rc = content_read(&t->b, b, n, 0, &got, e);
	if (rc == 0)
		*equal = memcmp(a, b, n) == 0;
	return rc;
}

static int bytes_same(struct diff *d, const struct two *t, bool *equal, struct err *e)
{
	if (known(d, t, equal))
		return 0;
	if (t->a.size <= DIFF_SMALL)
		return small_same(d, t, equal, e);
	return bytes_equal(&t->a, &t->b, equal, e);
}

/* --- numbers ----------------------------------------------------------------------------------------- */

static bool is_number(const struct tensor *t)
{
	unsigned flags = dtype_info((enum dtype)t->dtype)->flags;
	return flags & (DT_FLOAT | DT_COMPLEX | DT_INT | DT_BOOL) && !(flags & DT_SUBBYTE);
}

static uint64_t elements(const struct tensor *t, const struct content *c)
{
	return c->size / dtype_info((enum dtype)t->dtype)->size;
}

static bool comparable(const struct two *t)
{
	return elements(t->ta, &t->a) == elements(t->tb, &t->b) &&
	       (t->ta->dtype == t->tb->dtype || (is_number(t->ta) && is_number(t->tb)));
}

/* Equal bytes of one dtype are the same, NaN or not; other bytes may be the same value. */
static int judge(struct diff *d, struct two *t, struct diff_verdict *v, struct err *e)
{
	bool one_dtype = t->ta->dtype == t->tb->dtype, differs = t->crcs && t->crc_a != t->crc_b;
	int rc = 0;
	/* Where the CRC says that bytes differ, looking for it first would only read them twice. */
	if (one_dtype && (d->o->brief || d->o->trust_crc || !differs || !comparable(t)))
		rc = bytes_same(d, t, &v->equal, e);
	v->same = v->equal;
	v->comparable = comparable(t);
	if (rc < 0 || v->equal || !v->comparable || (d->o->brief && !d->o->by_value && one_dtype))
		return rc;
	rc = numbers_compare(&t->a, (enum dtype)t->ta->dtype, &t->b, (enum dtype)t->tb->dtype,
			&d->o->compare, &v->c, e);
	if (rc < 0)
		return rc;
	v->equal = one_dtype && v->c.same_bytes;
	v->measured = !v->equal;
	v->same = v->equal || (v->c.differ == 0 && (d->o->by_value || !one_dtype));
	return 0;
}

int diff_tensors(struct diff *d, uint32_t ta, uint32_t tb, struct diff_verdict *ret, struct err *e)
{
	const struct diff_verdict *old = kept(d, (struct pair){ta, tb});
	struct diff_verdict v = {.a = ta, .b = tb};
	struct two t;
	if (old) {
		*ret = *old;
		return 0;
	}
	int rc = two_open(d, ta, tb, &t, e);
	if (rc < 0)
		return rc;
	meter_begin(&d->meter, t.a.size + t.b.size);
	rc = two_count(d, &t, e);
	if (rc == 0)
		rc = judge(d, &t, &v, e);
	meter_end(&d->meter, true);
	two_release(&t);
	if (rc == 0)
		rc = keep(d, &v, e);
	if (rc == 0)
		*ret = v;
	return rc;
}

int diff_equal(struct diff *d, uint32_t ta, uint32_t tb, bool *ret, struct err *e)
{
	const struct diff_verdict *old = kept(d, (struct pair){ta, tb});
	struct diff_verdict v = {.a = ta, .b = tb};
	struct two t;
	if (old) {
		*ret = old->equal;
		return 0;
	}
	int rc = two_open(d, ta, tb, &t, e);
	if (rc < 0)
		return rc;
	meter_begin(&d->meter, t.a.size + t.b.size);
	if (!t.crcs || t.crc_a == t.crc_b) {
		rc = two_count(d, &t, e);
		if (rc == 0)
			rc = bytes_same(d, &t, &v.equal, e);
	}
	meter_end(&d->meter, v.equal);
	two_release(&t);
	if (rc == 0 && v.equal) {
		v.same = true;
		rc = keep(d, &v, e);
	}
	if (rc == 0)
		*ret = v.equal;
	return rc;
}

bool diff_crc_differs(struct diff *d, uint32_t ta, uint32_t tb)
{
	struct two t;
	if (two_open(d, ta, tb, &t, NULL) < 0)
		return false;
	bool differs = t.crcs && !t.place && t.crc_a != t.crc_b;
	two_release(&t);
	return differs;
}

/* --- values ------------------------------------------------------------------------------------------ */

static int open_value(const struct diff_side *s, uint32_t i, struct vfile **ret, struct err *e)
{
	struct vitem_text text;
	struct vitem item;
	vitem_text_init(&text);
	int rc = volume_item(s->v, s->at.at[i].node, &text, &item, e);
	vitem_text_release(&text);
	return rc < 0 ? rc : volume_file_open(s->v, item.ino, ret, e);
}

static int files_same(struct vfile *a, struct vfile *b, char *buf, bool *same, struct err *e)
{
	uint64_t size = volume_file_size(a);
	size_t got_a = 1, got_b = 1;
	*same = size == volume_file_size(b);
	for (uint64_t off = 0; *same && off < size; off += got_a) {
		int rc = volume_file_read(a, buf, PIECE, off, &got_a, e);
		if (rc == 0)
			rc = volume_file_read(b, buf + PIECE, PIECE, off, &got_b, e);
		if (rc < 0)
			return rc;
		if (got_a == 0 || got_b == 0)
			break;
		*same = got_a == got_b && memcmp(buf, buf + PIECE, got_a) == 0;
	}
	return 0;
}

int diff_values(struct diff *d, uint32_t a, uint32_t b, bool *same, struct err *e)
{
	struct vfile *fa, *fb;
	int rc = open_value(&d->a, a, &fa, e);
	if (rc < 0)
		return rc;
	rc = open_value(&d->b, b, &fb, e);
	if (rc == 0) {
		char *buf = malloc(2 * PIECE);
		rc = buf ? files_same(fa, fb, buf, same, e) : err_nomem(e);
		free(buf);
		volume_file_close(fb);
	}
	volume_file_close(fa);
	return rc;
}
