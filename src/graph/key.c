/* key.c - Python's equality of dict keys, and dicts without duplicates.
 *
 * Follows the language: 1 == 1.0 == True, text by its characters, tuples by their items, symbols
 * by their names, everything else by identity; an object equals itself, NaN too.
 *
 * Not done: frozensets, and bytes in the spelling of protocol 2, are compared by identity. Tuples
 * deeper than KEY_DEPTH, or that take more than KEY_VISITS to tell apart, count as different:
 * keys are hostile, and tuples of shared tuples have 2^60 leaves in 240 bytes.
 *
 * For the same reason graph_dedupe() counts its work (one unit: a leaf, or 64 bytes of text) and
 * gives up after WORK_PER_WORD units for each word of the graph; honest ones need two or three.
 */
#include <pthfs/map.h>
#include <pthfs/obj.h>

#include <math.h>

#include "node.h"

#define KEY_DEPTH 32
#define KEY_VISITS 4096
#define HASH_VISITS 64
#define SMALL_DICT 8 /* pairs; up to here comparing all beats a table */
#define WORK_PER_WORD 16

/* A tuple that is being walked, its partner (for comparing), and the next item. */
struct key_frame {
	oref a, b;
	uint32_t i;
};

static void spend(uint64_t *work, uint64_t units)
{
	*work = *work > units ? *work - units : 0;
}

/* A leaf: numbers and symbols count 1, text by its length. */
static void spend_leaf(const struct graph *g, oref r, uint64_t *work)
{
	spend(work, 1 + (obj_flags(g, r) & OBJ_SPAN ? 0 : obj_text_len(g, r) / 64));
}

static uint64_t hash_u64(uint64_t kind, uint64_t v)
{
	uint64_t word[2] = {kind, v};

	return str_hash((struct str){(const char *)word, sizeof word});
}

/* v, which is a whole number beyond 64 bits, as a LONG would hold it. Returns the bytes used. */
static unsigned float_bytes(double v, unsigned char out[136])
{
	int exp;
	uint64_t m = (uint64_t)ldexp(frexp(fabs(v), &exp), 53);
	unsigned shift = (unsigned)exp - 53, carry = 1, n = 136;

	memset(out, 0, 136);
	for (unsigned i = 0; i < 64; i++)
		if (m >> i & 1)
			out[(shift + i) / 8] |= (unsigned char)(1u << (shift + i) % 8);
	for (unsigned i = 0; v < 0 && i < 136; i++) {
		carry += (unsigned char)~out[i];
		out[i] = (unsigned char)carry;
		carry >>= 8;
	}
	while (n > 1 && (out[n - 1] == 0 || out[n - 1] == 0xff) && (out[n - 1] ^ out[n - 2]) < 0x80)
		n--;
	return n;
}

/* A number that is whole and fits, whatever its type. */
static bool key_int(const struct graph *g, oref r, int64_t *ret)
{
	double d;

	if (obj_float(g, r, &d)) {
		if (!(d >= -0x1p63 && d < 0x1p63) || d != floor(d))
			return false;
		*ret = (int64_t)d;
		return true;
	}
	return (obj_kind(g, r) == OBJ_KIND_INT || obj_kind(g, r) == OBJ_KIND_BOOL) &&
	       obj_int(g, r, ret);
}

static uint64_t hash_float(double d)
{
	unsigned char bytes[136];
	uint64_t bits;

	if (isfinite(d) && d == floor(d))
		return str_hash((struct str){(char *)bytes, float_bytes(d, bytes)});
	memcpy(&bits, &d, sizeof bits);
	return hash_u64(OBJ_KIND_FLOAT, bits);
}

static bool key_is_str(const struct graph *g, oref r)
{
	return obj_kind(g, r) == OBJ_KIND_STR || (obj_flags(g, r) & OBJ_PY2STR);
}

/* Everything but tuples. */
static uint64_t hash_leaf(const struct graph *g, oref r)
{
	struct str s, name;
	int64_t i;
	double d;

	if (key_int(g, r, &i))
		return hash_u64(OBJ_KIND_INT, (uint64_t)i);
	switch (obj_kind(g, r)) {
	case OBJ_KIND_FLOAT:
		return obj_float(g, r, &d) ? hash_float(d) : 0;
	case OBJ_KIND_STR:
	case OBJ_KIND_BYTES:
	case OBJ_KIND_LONG:
		return obj_text(g, r, &s) ? str_hash(s) : obj_text_len(g, r);
	case OBJ_KIND_GLOBAL:
		return obj_global(g, r, &s, &name) ? str_hash(s) * 31 + str_hash(name) : 0;
	default:
		return hash_u64(OBJ_KIND_CALL, r);
	}
}

static uint64_t key_hash(const struct graph *g, oref r, uint64_t *work)
{
	struct key_frame at[KEY_DEPTH];
	unsigned depth = 0, visits = 0;
	uint64_t h = 0;
	const oref *items;
	uint32_t n;

	spend_leaf(g, r, work);
	if (obj_kind(g, r) != OBJ_KIND_TUPLE)
		return hash_leaf(g, r);
	at[depth++] = (struct key_frame){.a = r};
	while (depth && visits++ < HASH_VISITS) {
		struct key_frame *f = &at[depth - 1];

		items = obj_items(g, f->a, &n);
		if (f->i == n) {
			h = hash_u64(h, n);
			depth--;
			continue;
		}
		r = items[f->i++];
		spend_leaf(g, r, work);
		if (obj_kind(g, r) != OBJ_KIND_TUPLE)
			h = hash_u64(h, hash_leaf(g, r));
		else if (depth < KEY_DEPTH)
			at[depth++] = (struct key_frame){.a = r};
	}
	return h;
}

uint64_t obj_key_hash(const struct graph *g, oref r)
{
	return key_hash(g, r, &(uint64_t){0});
}

static bool eq_text(const struct graph *g, oref a, oref b)
{
	struct str s, t;

	return obj_text(g, a, &s) && obj_text(g, b, &t) && str_eq(s, t);
}

static bool eq_long_float(const struct graph *g, oref l, oref f)
{
	unsigned char bytes[136];
	struct str s;
	double d;

	return obj_text(g, l, &s) && obj_float(g, f, &d) && isfinite(d) && fabs(d) >= 0x1p63 &&
	       str_eq(s, (struct str){(char *)bytes, float_bytes(d, bytes)});
}

static bool eq_leaf(const struct graph *g, oref a, oref b)
{
	enum obj_kind ka = obj_kind(g, a), kb = obj_kind(g, b);
	struct str ma, na, mb, nb;
	int64_t i, j;
	double d, f;

	if (a == b)
		return true;
	if (key_is_str(g, a) || key_is_str(g, b))
		return key_is_str(g, a) && key_is_str(g, b) && eq_text(g, a, b);
	if (key_int(g, a, &i))
		return key_int(g, b, &j) && i == j;
	if (ka == OBJ_KIND_LONG && kb == OBJ_KIND_FLOAT)
		return eq_long_float(g, a, b);
	if (ka == OBJ_KIND_FLOAT && kb == OBJ_KIND_LONG)
		return eq_long_float(g, b, a);
	if (ka != kb)
		return false;
	switch (ka) {
	case OBJ_KIND_FLOAT:
		return obj_float(g, a, &d) && obj_float(g, b, &f) && d == f;
	case OBJ_KIND_LONG:
	case OBJ_KIND_BYTES:
		return eq_text(g, a, b);
	case OBJ_KIND_GLOBAL:
		return obj_global(g, a, &ma, &na) && obj_global(g, b, &mb, &nb) && str_eq(na, nb) &&
		       str_eq(ma, mb);
	default:
		return false;
	}
}

static bool key_eq(const struct graph *g, oref a, oref b, uint64_t *work)
{
	struct key_frame at[KEY_DEPTH];
	unsigned depth = 0, visits = 0;
	const oref *ia, *ib;
	uint32_t n, m;

	for (;;) {
		bool tuple = obj_kind(g, a) == OBJ_KIND_TUPLE && obj_kind(g, b) == OBJ_KIND_TUPLE;

		spend_leaf(g, a, work);
		if (a != b && !tuple && !eq_leaf(g, a, b))
			return false;
		if (a != b && tuple) {
			obj_items(g, a, &n);
			obj_items(g, b, &m);
			if (n != m || depth == KEY_DEPTH)
				return false;
			at[depth++] = (struct key_frame){.a = a, .b = b};
		}
		for (;; depth--) {
			if (depth == 0)
				return true;
			ia = obj_items(g, at[depth - 1].a, &n);
			ib = obj_items(g, at[depth - 1].b, &m);
			if (at[depth - 1].i < n)
				break;
		}
		if (++visits > KEY_VISITS)
			return false;
		a = ia[at[depth - 1].i];
		b = ib[at[depth - 1].i++];
	}
}

bool obj_key_eq(const struct graph *g, oref a, oref b)
{
	return key_eq(g, a, b, &(uint64_t){0});
}

/* The dict that is being cleaned: the pairs kept so far are at the front of pairs. */
struct dedupe {
	const struct graph *g;
	oref *pairs;
	uint64_t *work;
};

static bool dedupe_eq(const void *ctx, const void *key, uint32_t id)
{
	const struct dedupe *d = ctx;

	return *d->work && key_eq(d->g, d->pairs[2 * (size_t)id], *(const oref *)key, d->work);
}

/* Where the key is among the first n pairs; n when it is not. */
static uint32_t find_small(const struct dedupe *d, oref key, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (key_eq(d->g, d->pairs[2 * i], key, d->work))
			return i;
	return n;
}

/* As find_small(), and notes the key as number n when it is new. Negative: out of memory. */
static int64_t find_large(const struct dedupe *d, struct idmap *table, oref key, uint32_t n)
{
	uint64_t hash = key_hash(d->g, key, d->work);
	uint32_t at = idmap_find(table, hash, dedupe_eq, d, &key);

	if (at != IDMAP_NONE)
		return at;
	return idmap_add(table, hash, n) < 0 ? ERR_NOMEM : (int64_t)n;
}

static int dedupe_pairs(struct dedupe *d, uint32_t *n)
{
	struct idmap table = {0};
	bool large = *n > SMALL_DICT;
	uint32_t kept = 0;
	int64_t at = 0;

	for (uint32_t i = 0; i < *n && at >= 0 && *d->work; i++) {
		const oref *pair = d->pairs + 2 * (size_t)i;
		oref key = pair[0], value = pair[1];

		at = large ? find_large(d, &table, key, kept) : find_small(d, key, kept);
		if (at < 0)
			break;
		d->pairs[2 * (size_t)at + 1] = value;
		if (at == kept)
			d->pairs[2 * (size_t)kept++] = key;
	}
	idmap_release(&table);
	if (at < 0 || *d->work == 0)
		return at < 0 ? ERR_NOMEM : ERR_LIMIT;
	*n = kept;
	return 0;
}

int graph_dedupe(struct graph *g)
{
	uint64_t work = (uint64_t)(g->nodes.n + g->pool.n) * WORK_PER_WORD + 1000;
	struct dedupe d = {.g = g, .work = &work};
	uint32_t *n;
	int rc;

	for (size_t r = 0; r < g->nodes.n; r++) {
		d.pairs = node_pairs(g, (oref)r, &n);
		if (!d.pairs || *n <= 1)
			continue;
		rc = dedupe_pairs(&d, n);
		if (rc < 0)
			return rc;
	}
	return 0;
}
