/* npy_read.c - what the header of a NumPy file says.
 *
 *	"\x93NUMPY"  major minor  length (u16 in format 1, u32 in 2 and 3)
 *	{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   a Python dict, and white space
 *
 * The dict is read by a grammar of its own, no wider than what numpy takes: exactly the three keys,
 * each once, in any order, strings without escapes in either quotes. What numpy evaluates and this
 * does not: sums, sets, named types ('float32'). Python 2's long numbers (3L) are read in the
 * formats in which it wrote them.
 *
 * Types that numpy lacks are opaque in these files ('<V2', as npy.c and the package ml_dtypes write
 * them) or integers, as people convert them: the caller says which type is meant. Only float8_e5m2
 * has a name of its own in ml_dtypes, '<f1'. Bytes behind the last element are nobody's, as for
 * numpy.
 *
 * formats/safetensors-gguf-onnx.md, section E
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pthfs/content.h>
#include <pthfs/reader.h>

#define HEADER_MAX 65536
#define PREFIX_MAX 12

struct header {
	const char *p;
	size_t n, at;
	uint64_t begin; /* where p lies in the file: for sentences */
	bool longs;     /* 3L is a number */
};

static const uint16_t one = 1;

static int bad(const struct header *h, struct err *e, const char *wanted)
{
	char found[8] = "its end";

	if (h->at < h->n)
		str_show((struct str){h->p + h->at, 1}, found, sizeof found);
	return err_set(e, ERR_DAMAGED, "the .npy header has %s at byte %" PRIu64 ", where %s is "
			"wanted", found, h->begin + h->at, wanted);
}

static void skip_space(struct header *h)
{
	while (h->at < h->n && strchr(" \t\n\r\f", h->p[h->at]) && h->p[h->at])
		h->at++;
}

/* The next character that is no space, if it is c. */
static bool take(struct header *h, char c)
{
	skip_space(h);
	if (h->at == h->n || h->p[h->at] != c)
		return false;
	h->at++;
	return true;
}

static bool take_word(struct header *h, const char *word)
{
	size_t n = strlen(word);

	skip_space(h);
	if (n > h->n - h->at || memcmp(h->p + h->at, word, n) != 0)
		return false;
	h->at += n;
	return true;
}

/* A string in either quotes, of printable ASCII without escapes. */
static int string(struct header *h, struct str *ret, struct err *e)
{
	size_t begin;
	char quote;

	skip_space(h);
	if (h->at == h->n || (h->p[h->at] != '\'' && h->p[h->at] != '"'))
		return bad(h, e, "a string");
	quote = h->p[h->at++];
	begin = h->at;
	while (h->at < h->n && h->p[h->at] != quote) {
		if (h->p[h->at] < ' ' || h->p[h->at] > '~' || h->p[h->at] == '\\')
			return bad(h, e, "a plain character");
		h->at++;
	}
	if (h->at == h->n)
		return bad(h, e, "the end of a string");
	*ret = (struct str){h->p + begin, h->at - begin};
	h->at++;
	return 0;
}

static bool digit(const struct header *h)
{
	return h->at < h->n && h->p[h->at] >= '0' && h->p[h->at] <= '9';
}

static int size_of_dimension(struct header *h, int64_t *ret, struct err *e)
{
	int64_t v = 0;
	size_t begin;

	skip_space(h);
	if (!digit(h))
		return bad(h, e, "the size of a dimension");
	begin = h->at;
	for (; digit(h); h->at++)
		if (__builtin_mul_overflow(v, INT64_C(10), &v) ||
				__builtin_add_overflow(v, (int64_t)(h->p[h->at] - '0'), &v))
			return err_set(e, ERR_DAMAGED, "the .npy header has a dimension of more "
					"than 2^63 at byte %" PRIu64, h->begin + begin);
	if (h->p[begin] == '0' && h->at - begin > 1) {
		h->at = begin;
		return bad(h, e, "a number without leading zeros");
	}
	if (h->longs && h->at < h->n && h->p[h->at] == 'L')
		h->at++;
	*ret = v;
	return 0;
}

/* A tuple: () or (3,) or (3, 4) or (3, 4,), but not (3). */
static int shape(struct header *h, struct npy *ret, struct err *e)
{
	int rc;

	if (!take(h, '('))
		return bad(h, e, "a tuple");
	ret->ndim = 0;
	while (!take(h, ')')) {
		if (ret->ndim == MODEL_MAX_NDIM)
			return err_set(e, ERR_UNSUPPORTED, "the .npy has more than %d dimensions, "
					"which torch does not know", MODEL_MAX_NDIM);
		rc = size_of_dimension(h, &ret->shape[ret->ndim], e);
		if (rc < 0)
			return rc;
		ret->ndim++;
		if (take(h, ','))
			continue;
		if (ret->ndim == 1 || !take(h, ')'))
			return bad(h, e, "a comma");
		return 0;
	}
	return 0;
}

static int fortran(struct header *h, struct npy *ret, struct err *e)
{
	ret->fortran = take_word(h, "True");
	if (!ret->fortran && !take_word(h, "False"))
		return bad(h, e, "True or False");
	return 0;
}

/* --- types -------------------------------------------------------------------------------------- */

static int unsupported(struct str descr, const char *why, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "the .npy has elements of type '%s'%s", STR_SHOW(descr),
			why);
}

/* Types whose elements numpy sees as bytes only. */
static bool opaque(enum dtype t)
{
	return t != DTYPE_NONE && dtype_info(t)->npy[1] == 'V';
}

/* Is `like` what elements of the plain type t stand for? */
static bool stands_for(enum dtype t, enum dtype like)
{
	if (opaque(like))
		return dtype_info(t)->flags & DT_INT &&
				dtype_info(t)->size == dtype_info(like)->size;
	return dtype_info(like)->flags & DT_QUANT && dtype_int_repr(like) == t;
}

/* "V2": as many bytes as an element of `like` has. */
static bool void_of(struct str kind_size, enum dtype like)
{
	static const char *const sizes[] = {"V1", "V2", "V4", "V8", "V16"};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (str_is(kind_size, sizes[i]))
			return like != DTYPE_NONE && dtype_info(like)->size == 1u << i;
	return false;
}

static int type(struct header *h, enum dtype like, struct npy *ret, struct err *e)
{
	struct str descr, kind;
	bool big = *(const unsigned char *)&one != 1;
	char order = '=';
	int rc;

	skip_space(h);
	if (h->at < h->n && (h->p[h->at] == '[' || h->p[h->at] == '('))
		return err_set(e, ERR_UNSUPPORTED, "the .npy has records (several values an "
				"element), which torch does not have");
	rc = string(h, &descr, e);
	if (rc < 0)
		return rc;
	kind = descr;
	if (kind.n && strchr("<>=|", kind.p[0])) {
		order = kind.p[0];
		kind = str_skip(kind, 1);
	}
	if (kind.n && kind.p[0] == 'O')
		return unsupported(descr, ": pickled objects, which are not looked into", e);
	ret->dtype = str_is(kind, "f1") ? DTYPE_FLOAT8_E5M2 : dtype_by_npy(kind);
	if (kind.n && kind.p[0] == 'V') {
		if (!void_of(kind, like))
			return unsupported(descr, ", which may be anything of that size: write it "
					"over a tensor of the type that is meant", e);
		ret->dtype = like;
	} else if (ret->dtype == DTYPE_NONE) {
		return unsupported(descr, ", which torch does not have", e);
	} else if (stands_for(ret->dtype, like)) {
		ret->dtype = like;
	}
	ret->swap = (order == '<' ? big : order == '>' ? !big : false) &&
			dtype_info(ret->dtype)->swap > 1;
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static int member(struct header *h, unsigned *has, enum dtype like, struct npy *ret, struct err *e)
{
	struct str key;
	unsigned this;
	int rc = string(h, &key, e);

	if (rc < 0)
		return rc;
	this = str_is(key, "descr")           ? HAS_DESCR
	       : str_is(key, "fortran_order") ? HAS_ORDER
	       : str_is(key, "shape")         ? HAS_SHAPE
					      : 0;
	if (!this || *has & this)
		return err_set(e, ERR_DAMAGED, "the .npy header has the key '%s'%s", STR_SHOW(key),
				this ? " twice" : ", which is none of descr, fortran_order, shape");
	*has |= this;
	if (!take(h, ':'))
		return bad(h, e, "a colon");
	return this == HAS_DESCR   ? type(h, like, ret, e)
	       : this == HAS_ORDER ? fortran(h, ret, e)
				   : shape(h, ret, e);
}

static int dict(struct header *h, enum dtype like, struct npy *ret, struct err *e)
{
	unsigned has = 0;
	bool more = true;

	if (!take(h, '{'))
		return bad(h, e, "a brace");
	while (!take(h, '}')) {
		int rc = more ? member(h, &has, like, ret, e) : bad(h, e, "a comma or brace");

		if (rc < 0)
			return rc;
		more = take(h, ',');
	}
	skip_space(h);
	if (h->at < h->n)
		return bad(h, e, "its end");
	if (has != HAS_ALL)
		return err_set(e, ERR_DAMAGED, "the .npy header does not say '%s'",
				!(has & HAS_DESCR)   ? "descr"
				: !(has & HAS_ORDER) ? "fortran_order"
						     : "shape");
	return 0;
}

/* A size of 0 makes no bytes, whatever the others are. False: more than 2^63. */
static bool count_bytes(struct npy *v)
{
	int64_t n = dtype_info(v->dtype)->size;
	bool fits = true;

	for (unsigned k = 0; k < v->ndim; k++) {
		if (v->shape[k] == 0) {
			v->nbytes = 0;
			return true;
		}
		fits = fits && !__builtin_mul_overflow(n, v->shape[k], &n);
	}
	v->nbytes = (uint64_t)n;
	return fits;
}

/* Magic, version, length: where the dict begins and how long it is. */
static int prefix(struct source *s, struct header *h, struct err *e)
{
	unsigned char p[PREFIX_MAX] = {0};
	size_t have = s->size < PREFIX_MAX ? (size_t)s->size : PREFIX_MAX;
	int rc = source_read(s, p, have, 0, e);

	if (rc < 0)
		return rc;
	if (have < 6 || memcmp(p, "\x93NUMPY", 6) != 0)
		return err_set(e, ERR_DAMAGED, "not a .npy file: it does not begin with \\x93NUMPY");
	if (have > 7 && (p[6] < 1 || p[6] > 3 || p[7] != 0))
		return err_set(e, ERR_UNSUPPORTED, "a .npy file of format %u.%u; 1.0, 2.0 and 3.0 "
				"are known", p[6], p[7]);
	h->begin = p[6] == 1 ? 10 : 12;
	h->n = p[6] == 1 ? le16(p + 8) : le32(p + 8);
	h->longs = p[6] < 3;
	if (s->size < h->begin || h->n > s->size - h->begin)
		return err_set(e, ERR_DAMAGED, "the .npy file is cut short: its header takes %" PRIu64
				" bytes, the file has %" PRIu64,
				s->size < h->begin ? h->begin : h->begin + h->n, s->size);
	if (h->n > HEADER_MAX)
		return err_set(e, ERR_LIMIT, "the .npy header has %zu bytes; at most %d are read",
				h->n, HEADER_MAX);
	return 0;
}

int npy_read(struct source *s, enum dtype like, struct npy *ret, struct err *e)
{
	struct header h = {0};
	struct npy v = {0};
	char *text;
	int rc = prefix(s, &h, e);

	if (rc < 0)
		return rc;
	text = malloc(h.n + 1);
	if (!text)
		return err_nomem(e);
	h.p = text;
	rc = source_read(s, text, h.n, h.begin, e);
	if (rc == 0)
		rc = dict(&h, like, &v, e);
	free(text);
	if (rc < 0)
		return rc;
	v.data_off = h.begin + h.n;
	if (!count_bytes(&v))
		return err_set(e, ERR_DAMAGED, "the .npy header's shape has more than 2^63 bytes");
	if (v.nbytes > s->size - v.data_off)
		return err_set(e, ERR_DAMAGED, "the .npy file is cut short: its elements take %" PRIu64
				" bytes from byte %" PRIu64 " on, and %" PRIu64 " are there", v.nbytes,
				v.data_off, s->size - v.data_off);
	*ret = v;
	return 0;
}
