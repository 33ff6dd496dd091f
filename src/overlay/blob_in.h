/* blob_in.h - what the files of a blob share. Private to the overlay room. */
#ifndef PTHFS_OVERLAY_BLOB_IN_H
#define PTHFS_OVERLAY_BLOB_IN_H

#include <pthread.h>
#include <pthfs/overlay.h>
#include <pthfs/vec.h>

#define RUN_LEN_MAX ((UINT64_C(1) << 48) - 1)
#define RUN_SRC_MAX 65535u

/* [off, off + len) lies at `from` of the source in slot `src` of the blob. */
struct run {
	uint64_t off, from;
	uint64_t len : 48, src : 16;
};

/* A stretch of the table; never empty. */
struct leaf {
	uint64_t off; /* of its first run: what a search looks at */
	struct run *at;
	uint32_t n, cap;
};

/* Runs in ascending order, apart. */
struct table {
	struct leaf *at;
	size_t n, cap; /* leaves */
	size_t runs;   /* in all of them */
};

/* A run, or the end: leaf == table.n, k == 0. */
struct place {
	size_t leaf, k;
};

/* The runs [from, to) are to be replaced by in[0..n), which fit between their neighbours. */
struct splice {
	struct place from, to;
	const struct run *in; /* borrowed until it is done; .from and .src may change until then */
	size_t n;
	struct leaf *fresh; /* leaves that take the place of those that are cut; NULL: one is enough */
	size_t n_fresh;
};

void table_release(struct table *t);
/* The first run that ends behind off: the one off lies in, or the next. */
struct place table_find(const struct table *t, uint64_t off);
/* NULL at the end. */
const struct run *table_run(const struct table *t, struct place p);
struct place table_next(const struct table *t, struct place p);

/* Gets all the memory that s needs, and changes no run. Then either _commit, which cannot fail, or
 * _drop. */
int splice_prepare(struct table *t, struct splice *s);
void splice_commit(struct table *t, struct splice *s);
void splice_drop(struct splice *s);

/* A source that runs point at. */
struct slot {
	struct source *src; /* a reference; NULL: free */
	uint64_t runs;
};

struct blob {
	atomic_uint refs;
	uint32_t id;
	struct extent base; /* a reference on .src */
	uint64_t size, dirty;
	struct table table;
	VEC(struct slot) slots;
	size_t last_slot; /* where the next search begins */
	bool cut;         /* has been shorter than it was */
	pthread_mutex_t lock;
	struct blob_run *flat; /* protected by lock; blob_runs() as of now, or NULL */
};

/* What b has at off, up to `end` at most. .src NULL: zeros. *p is where table_find() has off, and is
 * moved on. */
struct extent blob_look(const struct blob *b, struct place *p, uint64_t off, uint64_t end);
/* The error of a range that is not. */
int blob_inside(const struct blob *b, uint64_t off, uint64_t len, struct err *e);
/* Where all of a range lies, when it lies in one place; false: it does not, or is zeros. */
bool blob_where(const struct blob *b, uint64_t off, uint64_t len, struct extent *ret);

/* Bytes that are all 0, without end. Static: references are counted, but nothing is freed. */
struct source *blob_zeros(void);

#endif
