/* content.h - the bytes of one file of the mount: at most two extents, and what they keep alive.
 *
 * A contiguous tensor is one extent of its storage: source_raw() on it gives the checkpoint's own
 * descriptor. A strided, conjugated, negated or swapped one is an extent of a source made here. A
 * .npy has a small memory extent in front. Text (.meta, values) is one memory extent.
 *
 * Ownership: content_release() drops what was made for it. The model must outlive it.
 * Thread rule: content_read() from any number of threads.
 */
#ifndef PTHFS_CONTENT_H
#define PTHFS_CONTENT_H

#include <pthfs/model.h>

struct content {
	struct extent at[2];
	unsigned n;
	uint64_t size;
	struct source *own[2]; /* references */
};

void content_release(struct content *c);
/* Up to len bytes at off; *got is short only at the end. */
int content_read(const struct content *c, void *buf, size_t len, uint64_t off, size_t *got,
		struct err *e);

/* The elements of tensor t, C order, native byte order, conj and neg resolved. A broken tensor is
 * ERR_DAMAGED with its sentence. */
int content_tensor(const struct model *m, uint32_t t, struct content *ret, struct err *e);
/* The same behind a NumPy header (format 1.0: all 64 dimensions fit in it). */
int content_npy(const struct model *m, uint32_t t, struct content *ret, struct err *e);
uint64_t npy_header_len(const struct tensor *t);
/* Takes the text of b over. */
int content_text(struct buf *b, struct content *ret, struct err *e);
/* Takes the reference s over. */
int content_source(struct source *s, struct content *ret);

/* The elements of a strided view as a source of its own (reads gather through a bounded buffer).
 * `storage` describes all bytes of the storage; shape and stride are borrowed. */
int source_strided(struct extent storage, enum dtype dt, uint64_t offset, unsigned ndim,
		const int64_t *shape, const int64_t *stride, struct source **ret, struct err *e);
/* Elements with sign bits flipped: conj (imaginary parts), neg (all). */
int source_signs(struct source *s, enum dtype dt, bool conj, bool neg, struct source **ret,
		struct err *e);

/* One element as text, shortest digits that read back; types without numbers as hex. */
void element_text(enum dtype dt, const void *p, struct buf *out);
/* One element of a real floating type as a double; false for other types. */
bool element_float(enum dtype dt, const void *p, double *ret);

/* --- the other way: bytes that somebody writes into a tensor's file ---------------------------- */

/* Where element bytes of a tensor's file lie in its storage. Calls fn for each run of the storage
 * that [off, off + len) of the file stands for, in file order: `storage_off` bytes in the storage,
 * `at` bytes from off, n bytes; stops when fn is not 0, with that. Where elements overlap, the later
 * one wins. Elements that are conjugated or negated are not places but values:
 * tensor_scatter_fix() says what must be done to them (0: nothing), and off and len must then be
 * whole elements. Expanded dimensions, that are shown once, are one place. A contiguous tensor is
 * one run; one that is transposed is a run for each element. ERR_INVALID: outside the file. Of a
 * TENSOR_PARTIAL, runs may lie behind what its storage has. */
enum scatter_fix { SCATTER_CONJ = 1, SCATTER_NEG = 2 };
typedef int scatter_fn(void *ctx, uint64_t storage_off, uint64_t at, uint64_t n);
int tensor_scatter(const struct model *m, uint32_t t, uint64_t off, uint64_t len,
		scatter_fn *fn, void *ctx, struct err *e);
/* What must be done to elements before they go into the storage: enum scatter_fix. */
unsigned tensor_scatter_fix(const struct tensor *t);
/* Does it, in place, to n whole elements. */
void scatter_fix(enum dtype dt, unsigned fix, void *elements, size_t n);

/* What the header of a .npy file says. */
struct npy {
	enum dtype dtype; /* numpy's; bfloat16 and float8 as ml_dtypes and content_npy() spell them */
	bool swap;        /* big-endian elements */
	bool fortran;     /* stride is column-major */
	unsigned ndim;
	int64_t shape[MODEL_MAX_NDIM];
	uint64_t data_off, nbytes; /* of the elements */
};
/* Reads format 1.0 to 3.0. ERR_DAMAGED: no .npy, or one cut short; ERR_UNSUPPORTED: objects,
 * records, types that torch does not have, with the type's name. `like`: the dtype that was there;
 * a void or integer type of the same size ("<V2", "<u2" for bfloat16) is taken for it. */
int npy_read(struct source *s, enum dtype like, struct npy *ret, struct err *e);

#endif
