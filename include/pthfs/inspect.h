/* inspect.h - whole checkpoints judged: the numbers of their tensors, what is wrong with them, how two
 * differ. What `pthfs stats`, `check` and `diff` print, before it is printed.
 *
 * Everything here reads, and hands out what it finds one at a time: memory does not grow with the
 * tensors. A callback that returns non-zero stops the call, which returns that.
 *
 * Thread rule: one thread a call; engines and comparisons start threads of their own.
 */
#ifndef PTHFS_INSPECT_H
#define PTHFS_INSPECT_H

#include <pthfs/engine.h>
#include <pthfs/volume.h>

/* Told how many bytes have been looked at of how many; at most every 100 ms. NULL: nobody. */
struct inspect_progress {
	void (*fn)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

/* --- stats -------------------------------------------------------------------------------------- */

struct stats_item {
	const struct vitem *item;
	const struct stats *stats; /* NULL: it cannot be read (item->broken, or why) */
	const char *why;
};
typedef int stats_fn(void *ctx, const struct stats_item *it);
struct stats_opts {
	const char *glob;  /* as volume_walk() */
	bool hist;         /* fill the histograms too */
	struct engine *engine;
	struct inspect_progress progress;
};
/* Every tensor once (its first name), in tree order. *total: all their elements together (counts,
 * min, max, mean and std joined; sum 0). Errors of the engine end it; a tensor that cannot be read does
 * not. */
int inspect_stats(struct volume *v, const struct stats_opts *o, stats_fn *fn, void *ctx,
		struct stats *total, struct err *e);

/* --- check -------------------------------------------------------------------------------------- */

enum severity {
	SEVERITY_NOTE,    /* worth knowing; the file is clean */
	SEVERITY_WARNING, /* a finding: exit 1 (NaN, dead space, ambiguity, unknown global) */
	SEVERITY_DAMAGE,  /* a finding: bytes are missing or wrong */
	SEVERITY_DANGER,  /* a finding: unpickling it in Python can run code */
};
struct check_finding {
	enum severity severity;
	const char *kind;  /* a static word: "crc", "record", "container", "pickle", "tensor", "nan", "inf",
	                    * "dead", "ambiguous", "layout", "global", "journal", "unverified", ...: the
	                    * manual page lists them */
	struct str name;   /* key, record or global; may be empty */
	uint64_t offset;   /* in the file; UINT64_MAX: none */
	struct str message; /* a sentence, with what to do where something can be done */
};
typedef int check_fn(void *ctx, const struct check_finding *f);
struct check_opts {
	bool quick;             /* nothing that reads tensor data */
	struct engine *engine;  /* NaN and Inf */
	struct inspect_progress progress;
};
struct check_result {
	uint64_t findings;       /* those that count: above SEVERITY_NOTE */
	uint64_t records, bytes; /* that were verified */
	bool weights_only;       /* torch.load(weights_only=True) takes it */
	struct buf weights_only_why; /* if not: which global or opcode stands in the way, and where */
};
/* A file that cannot be opened at all is the error of volume_open(). */
int inspect_check(struct volume *v, const struct check_opts *o, check_fn *fn, void *ctx,
		struct check_result *ret, struct err *e);
void check_result_release(struct check_result *r);

/* --- diff --------------------------------------------------------------------------------------- */

enum diff_status {
	DIFF_SAME,
	DIFF_ADDED,
	DIFF_REMOVED,
	DIFF_RENAMED,
	DIFF_CHANGED,
	DIFF_TROUBLE, /* one of the two cannot be read: diff_item.trouble says why */
};
enum diff_what { /* of DIFF_CHANGED and DIFF_RENAMED, a set */
	DIFF_TYPE = 1, DIFF_DTYPE = 2, DIFF_SHAPE = 4,
	DIFF_VALUES = 8, /* tensors: other bytes, or what compare says; values: another text */
	DIFF_ATTRS = 16, /* what .meta says besides: kind, requires_grad, ... */
};

/* A member of the two .meta that is not the same: JSON, empty where it does not stand. */
struct diff_attr {
	struct str name, a, b;
};
struct diff_item {
	enum diff_status status;
	unsigned what;             /* enum diff_what */
	struct str name, was;      /* path in the tree of b (removed: of a); renamed: was in a */
	const struct vitem *a, *b; /* NULL: it is not there */
	const struct compared *compared; /* tensors whose values were compared; else NULL */
	bool same_bytes;           /* tensors: byte for byte, in one dtype */
	const int64_t *first;      /* [first_n] index of the first element that differs; NULL: none */
	unsigned first_n;
	const struct diff_attr *attrs; /* [n_attrs], of DIFF_ATTRS */
	size_t n_attrs;
	struct str text_a, text_b; /* values: as the files show them, cut to 200 characters */
	const char *trouble;
};
typedef int diff_fn(void *ctx, const struct diff_item *it);
struct diff_opts {
	const char *glob;
	const struct str *strip; /* [n_strip] each is taken off the keys of both, where they have it */
	unsigned n_strip;        /* ("module."); keys are the parts of a path */
	struct compare_opts compare;
	/* By the numbers, as compare says: elements that are equal are the same, whatever their bytes.
	 * Otherwise the bytes are compared, and compare is for what is told of those that differ. */
	bool by_value;
	bool values_only; /* dtype and the other members of .meta are not compared, but the shape is */
	bool types;       /* values of another type that look the same differ (1 and "1") */
	bool trust_crc;   /* records of one size and CRC are the same, those of another CRC are not */
	bool brief;       /* -q: stop at the first difference; nothing is measured */
	bool same_too;    /* tell DIFF_SAME as well */
	struct inspect_progress progress;
};
struct diff_result {
	uint64_t same, added, removed, renamed, changed, trouble;
};
/* What differs, in the order of b's tree, what was removed where it stood in a. Added and removed
 * tensors of the same bytes, dtype and shape are one that was renamed. Directories count where
 * they are empty, or one in a and none in b. Something differs exactly when `diff -r` of the two
 * mounts finds a difference (as long as no option says otherwise). ERR_ABSENT: the glob matches
 * nothing; ERR_EXISTS: two keys are one without the prefixes. */
int inspect_diff(struct volume *a, struct volume *b, const struct diff_opts *o, diff_fn *fn, void *ctx,
		struct diff_result *ret, struct err *e);

#endif
