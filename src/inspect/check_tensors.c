/* check_tensors.c - tensors against their storages, and what their elements are.
 *
 * Whether offset, shape and strides stay inside the storage was found out when the tensor was read
 * (formats/torch-objects.md section 11); a sentence in .broken is a finding under the tensor's own
 * name. Of the others the floating ones are read, unless reading them for the CRC has shown that there
 * is nothing to count (check_screen.c): NaN and Inf are findings with their counts, since no trained
 * weight should be either. The first of them is looked for afterwards, in
 * the first quarter of a gigabyte, which costs next to nothing where it matters.
 *
 * Tensors that no path of the tree shows (raw attributes of modules) come last.
 */
#include "check_in.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <pthfs/cleanup.h>
#include <pthfs/decode.h>

#define FIRST_MAX ((uint64_t)256 << 20)
#define PIECE (64u << 10) /* a multiple of every element's size */

bool check_has_nan(const struct tensor *t)
{
	unsigned flags = dtype_info((enum dtype)t->dtype)->flags;

	return flags & (DT_FLOAT | DT_COMPLEX) && !(flags & DT_SUBBYTE) && !t->broken &&
			!(t->flags & TENSOR_META) && t->nbytes;
}

static bool is_screened(const struct check *k, const struct tensor *t)
{
	return k->storage_of && t->storage < k->c->model.storages.n && k->screen[t->storage];
}

/* Its storage has been screened, and there is nothing to count. */
static bool is_clear(const struct check *k, const struct tensor *t)
{
	return is_screened(k, t) && k->clear[t->storage];
}

uint64_t check_numbers_bytes(const struct check *k)
{
	const struct model *m = &k->c->model;
	uint64_t n = 0;

	for (uint32_t i = 0; !k->o->quick && i < m->tensors.n; i++)
		if (check_has_nan(&m->tensors.at[i]) && !is_screened(k, &m->tensors.at[i]) &&
				__builtin_add_overflow(n, m->tensors.at[i].nbytes, &n))
			return UINT64_MAX / 2;
	return n;
}

/* The index in C order of the first element that is NaN or infinite; UINT64_MAX: not among the
 * first. */
static uint64_t first_odd(const struct content *c, enum dtype dt)
{
	_cleanup_(freep) double *x = aligned_alloc(64, BLOCK * sizeof *x);
	_cleanup_(freep) char *buf = aligned_alloc(64, PIECE + 1024);
	struct decoder d;
	size_t got = 0, n;

	if (!x || !buf)
		return UINT64_MAX;
	decoder_init(&d, dt);
	for (uint64_t at = 0; at < c->size && at < FIRST_MAX; at += got) {
		if (content_read(c, buf, PIECE, at, &got, NULL) < 0 || got < d.size)
			break;
		memset(buf + got, 0, 1024); /* whole groups are decoded */
		for (size_t i = 0; i < got / d.size; i += BLOCK) {
			n = got / d.size - i < BLOCK ? got / d.size - i : BLOCK;
			decode(&d, buf + i * d.size, whole_groups(n), x);
			for (size_t j = 0; j < n; j++)
				if (!isfinite(x[j]))
					return at / d.size + i + j;
		}
	}
	return UINT64_MAX;
}

static void count(struct buf *out, uint64_t n, const char *what)
{
	if (n)
		buf_printf(out, "%s%" PRIu64 " %s", out->n ? ", " : "", n, what);
}

static int say_numbers(struct check *k, struct str name, uint32_t t, const struct content *c,
		const struct stats *s)
{
	const struct tensor *x = &k->c->model.tensors.at[t];
	uint64_t first = first_odd(c, (enum dtype)x->dtype), off;
	struct buf text;
	int rc;

	buf_init(&text, 200);
	count(&text, s->nan, "NaN");
	count(&text, s->pos_inf, "Inf");
	count(&text, s->neg_inf, "-Inf");
	buf_printf(&text, " among %" PRIu64 " elements", s->count);
	if (first != UINT64_MAX)
		buf_printf(&text, ", the first at index %" PRIu64, first);
	if (first == UINT64_MAX || !tensor_file_range(&k->c->model, x, &off))
		off = NO_OFFSET;
	else
		off += first * dtype_info((enum dtype)x->dtype)->size;
	rc = text.failed ? err_nomem(k->e)
			 : check_say(k, SEVERITY_WARNING, s->nan ? "nan" : "inf", name, off,
					   "%.*s: %.*s", STR_FMT(name), STR_FMT(buf_view(&text)));
	buf_release(&text);
	return rc;
}

static int numbers(struct check *k, struct str name, uint32_t t)
{
	const struct tensor *x = &k->c->model.tensors.at[t];
	struct content c = {0};
	struct stats s = {0};
	struct err e = {0};
	int rc = content_tensor(&k->c->model, t, &c, &e);

	if (rc == 0)
		rc = engine_stats(k->o->engine, &c, (enum dtype)x->dtype, &s, &e);
	if (rc < 0 && (rc == ERR_NOMEM || (k->o->engine != engine_cpu() && rc == ERR_SYS))) {
		if (k->e)
			*k->e = e;
	} else if (rc < 0) {
		rc = check_say(k, SEVERITY_DAMAGE, "tensor", name, NO_OFFSET,
				"%.*s cannot be read: %s", STR_FMT(name), e.text);
	} else if (s.nan || s.pos_inf || s.neg_inf) {
		rc = say_numbers(k, name, t, &c, &s);
	}
	content_release(&c);
	if (rc == 0)
		check_progress(k, k->done + x->nbytes);
	return rc;
}

static int tensor(struct check *k, struct str name, uint32_t t)
{
	const struct tensor *x = &k->c->model.tensors.at[t];

	if (x->broken)
		return check_say(k, SEVERITY_DAMAGE, "tensor", name, NO_OFFSET, "%.*s: %s",
				STR_FMT(name), x->broken);
	return k->o->quick || !check_has_nan(x) || is_clear(k, x) ? 0 : numbers(k, name, t);
}

static int item(void *ctx, const struct vitem *it)
{
	struct check *k = ctx;
	uint32_t t = volume_item_tensor(k->v, it);

	if (t != MODEL_NONE)
		return it->tied_to.n ? 0 : tensor(k, it->name, t);
	if (!it->broken.n)
		return 0;
	return check_say(k, SEVERITY_DAMAGE, "tensor", it->name, NO_OFFSET, "%.*s: %.*s",
			STR_FMT(it->name), STR_FMT(it->broken));
}

static int hidden(struct check *k, uint32_t t)
{
	const struct tree *tree = volume_tree(k->v);
	uint32_t node = tree_first(tree, t);
	struct buf path;
	int rc;

	buf_init(&path, 1u << 20);
	buf_puts(&path, ".pthfs/object/");
	if (node != TREE_NONE)
		tree_path(tree, node, &path);
	else
		buf_printf(&path, "(tensor %u, which no name shows)", t);
	rc = path.failed ? err_nomem(k->e) : tensor(k, buf_view(&path), t);
	buf_release(&path);
	return rc;
}

int check_tensors(struct check *k)
{
	int rc = volume_walk(k->v, NULL, item, k, k->e);

	for (uint32_t i = 0; i < k->c->model.tensors.n && rc == 0; i++)
		if (tree_nlink(volume_tree(k->v), i) == 0)
			rc = hidden(k, i);
	return rc;
}
