/* engine.h - the numbers of a run of elements, and how two runs differ. The CPU engine is the
 * reference; the CUDA engine has to agree with it.
 *
 * One pass over a content in pieces, constant memory. Counts, min, max, abs_max and sum are exact
 * and the same from every engine, bit for bit. min, max, mean and std are over the finite elements
 * (NaN and Inf aside); std is torch's default (unbiased, n - 1). mean and std are sums of doubles
 * whose order is the engine's own; what they may be off by stands in src/engine/README.md.
 *
 * Thread rule: an engine is used by one thread at a time, except engine_cpu(), which any number may
 * use. stats_of() and numbers_compare() are pure. Engines start threads of their own and join them
 * before they return.
 */
#ifndef PTHFS_ENGINE_H
#define PTHFS_ENGINE_H

#include <pthfs/content.h>
#include <pthfs/json.h>

#define HIST_BINS 64

struct stats {
	uint64_t count, nan, pos_inf, neg_inf, zeros;
	uint64_t finite;          /* elements that min .. abs_max speak of */
	double min, max, mean, std, abs_max;
	uint64_t sum;             /* checksum of the bytes: sum.h */
	bool has_numbers;         /* false: a dtype without order (complex, raw bytes), or none finite */
	bool whole;               /* integers and bool: min and max are written without ".0" */
	unsigned bins;            /* of hist that are used; 0: no histogram (check.h fills it) */
	uint64_t hist[HIST_BINS]; /* finite elements by value between hist_min and hist_max */
	double hist_min, hist_max;
};

/* What the engines are held against: one thread, plain C, block by block. Elements of dtype dt in c.
 * Complex types count each element once (NaN when a part is, otherwise pos_inf when a part is
 * infinite) and have min, max, mean, std null; abs_max is the largest modulus. Types that pack
 * several elements in a byte, and raw bits, are counted by their bytes. */
int stats_of(const struct content *c, enum dtype dt, struct stats *ret, struct err *e);

/* {"count": ..., "nan": ..., "pos_inf": ..., "neg_inf": ..., "zeros": ..., "min": ..., "max": ...,
 * "mean": ..., "std": ..., "abs_max": ...}; null where there is none. The members only. */
void stats_members(const struct stats *s, struct json *j);

/* --- engines ---------------------------------------------------------------------------------- */

struct engine;

/* Vectorised, on as many threads as the machine has processors. Always there. */
struct engine *engine_cpu(void);

/* device: "cpu", "cuda", "cuda:N" or "auto" (a card when there is one that works, else the CPU).
 * Anything else is ERR_USAGE. cuda: ERR_ABSENT (no driver, no such card, built without nvcc),
 * ERR_UNSUPPORTED (driver or card too old), ERR_LIMIT (too little memory on it), each with a
 * sentence. auto: that sentence goes to why (which may be NULL), and the engine is the CPU's. */
int engine_open(const char *device, struct engine **ret, struct buf *why, struct err *e);
void engine_close(struct engine *g); /* NULL and engine_cpu() are fine */

/* "cpu (avx2, 16 threads)", "cuda:0 (NVIDIA H200, 139 GiB)" */
const char *engine_name(const struct engine *g);

/* The numbers of c. An error of the card (ERR_SYS, EIO, naming the call) leaves the engine unusable;
 * so does a checksum of what arrived there that is not the one of what was sent (ERR_DAMAGED). */
int engine_stats(struct engine *g, const struct content *c, enum dtype dt, struct stats *ret,
		struct err *e);

/* --- two runs of the same number of elements ------------------------------------------------------ */

struct compare_opts {
	double atol, rtol; /* |a - b| <= atol + rtol * |b| is equal; both 0: the values must be equal */
	bool nan_equal;    /* NaN and NaN are equal */
};

struct compared {
	uint64_t count;
	uint64_t differ;    /* elements that are not equal, by the options */
	uint64_t first;     /* index of the first that differs (C order); UINT64_MAX: none */
	double max_abs;     /* largest |a - b|; where one of the two is NaN or infinite alone: Inf */
	double max_rel;     /* largest |a - b| / max(|a|, |b|) */
	double cosine;      /* of the two as vectors, finite pairs only; NaN: one of them is all zeros */
	bool same_bytes;    /* byte for byte, with the same dtype */
	bool has_numbers;   /* false: raw bits; only differ and first tell something */
};

/* The dtypes may differ: elements are compared as doubles (64-bit integers, and pairs of one dtype,
 * exactly). Complex elements are compared by their parts, |a - b| is the modulus. ERR_INVALID: not
 * the same number of elements. On all processors, constant memory. */
int numbers_compare(const struct content *a, enum dtype da, const struct content *b, enum dtype db,
		const struct compare_opts *o, struct compared *ret, struct err *e);
/* Are the bytes the same? Reads both to the first difference, on all processors. */
int bytes_equal(const struct content *a, const struct content *b, bool *ret, struct err *e);

#endif
