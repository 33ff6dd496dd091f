/* diff.h - the inside of inspect_diff(); only src/inspect/diff*.c includes it. */
#ifndef PTHFS_INSPECT_DIFF_H
#define PTHFS_INSPECT_DIFF_H

#include <pthfs/inside.h>
#include <pthfs/inspect.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define DIFF_SMALL (64u << 10)

/* A shown name. Entry 0 is the root. */
struct diff_name {
	struct str key;  /* the last part of its path, without the prefixes; the tree's own memory */
	uint32_t node, parent; /* parent: an entry */
	uint32_t other;  /* the same name in the other; TREE_NONE */
	uint32_t moved;  /* what has this tensor under another name there; TREE_NONE */
	bool wanted;     /* the glob matches */
};

struct diff_side {
	struct volume *v;
	VEC(struct diff_name) at; /* in tree order */
	uint64_t wanted;
	struct idmap by_name;     /* (parent, key) */
	uint32_t *records; /* [n_records] stored members of a zip, by where their bytes begin */
	uint32_t n_records;
	int fd;            /* of the checkpoint itself; -1: unknown */
	struct vitem item; /* of the entry that is told, with its texts */
	struct vitem_text text;
	struct buf meta, shown; /* of the entry: JSON; the first bytes of a value */
};

/* How the contents of two tensors differ; kept for those that stand under several names. */
struct diff_verdict {
	uint32_t a, b; /* tensors */
	bool same;     /* for the exit code */
	bool equal;    /* byte for byte */
	bool comparable; /* element by element */
	bool measured;   /* c is filled */
	struct compared c;
};

/* What has been read of what there is to read. */
struct diff_meter {
	struct inspect_progress to;
	uint64_t total, base; /* bytes; base: of pairs that are done */
	_Atomic uint64_t read; /* of the pair that is being read */
	uint64_t most;         /* of it */
	pthread_mutex_t lock;  /* over next, and the call of to.fn */
	struct timespec next;
};

struct diff {
	const struct diff_opts *o;
	struct diff_side a, b;
	diff_fn *fn;
	void *ctx;
	struct diff_result sum;
	struct diff_meter meter;
	VEC(struct diff_verdict) kept;
	struct idmap kept_ids;
	VEC(struct diff_attr) attrs; /* of the entry that is told */
	struct buf name, was;
	char *small; /* two tensors of at most DIFF_SMALL bytes */
	struct arena scratch;        /* of the same: names in shared_with */
	bool strips;
};

static inline const struct tree *side_tree(const struct diff_side *s)
{
	return volume_tree(s->v);
}
static inline const struct model *side_model(const struct diff_side *s)
{
	return &volume_checkpoint(s->v)->model;
}
static inline const struct value *side_value(const struct diff_side *s, uint32_t i)
{
	return node_value(side_tree(s), s->at.at[i].node);
}
static inline bool side_is_dir(const struct diff_side *s, uint32_t i)
{
	return side_tree(s)->nodes.at[s->at.at[i].node].flags & NODE_DIR;
}
/* The tensor that an entry is, or NULL. */
static inline const struct tensor *side_tensor(const struct diff_side *s, uint32_t i)
{
	const struct value *x = side_value(s, i);
	return x->kind == VALUE_TENSOR ? &side_model(s)->tensors.at[x->tensor] : NULL;
}

/* diff_side.c */
int side_init(struct diff_side *s, struct volume *v, const struct diff_opts *o, struct err *e);
void side_release(struct diff_side *s);
/* TREE_NONE: not there. */
uint32_t side_child(const struct diff_side *s, uint32_t parent, struct str key);
/* Of a path as the tree spells it. */
uint32_t side_find(const struct diff_side *s, const struct diff_opts *o, struct str path);
/* The path of an entry, without the prefixes; the middle of very deep ones is left out. */
void side_name(const struct diff_side *s, const struct diff_opts *o, uint32_t i, struct buf *out);
/* The CRC of what c is, when that is a whole record as it lies in the file. */
bool side_crc(const struct diff_side *s, const struct content *c, uint32_t *ret);
/* Fills item and meta; shown, when it is a value. */
int side_tell(struct diff_side *s, uint32_t i, struct err *e);

/* diff_meta.c: what the .meta of two entries, as side_tell() has left them, do not share: fills
 * d->attrs and adds to *what. moved: under another name, so that names do not count. */
int diff_meta(struct diff *d, bool moved, unsigned *what, struct err *e);

/* diff_bytes.c */
/* Are the tensors ta of a and tb of b the same, and if not, how much? ERR_DAMAGED and other errors:
 * one of them cannot be read. */
int diff_tensors(struct diff *d, uint32_t ta, uint32_t tb, struct diff_verdict *ret, struct err *e);
/* Byte for byte (or by the CRC, as the options say); nothing is measured. */
int diff_equal(struct diff *d, uint32_t ta, uint32_t tb, bool *ret, struct err *e);
/* By the CRC of their records, which may lie: they cannot be the same. */
bool diff_crc_differs(struct diff *d, uint32_t ta, uint32_t tb);
/* Two values, by what their files hold. */
int diff_values(struct diff *d, uint32_t a, uint32_t b, bool *same, struct err *e);

/* diff_meter.c */
void meter_init(struct diff_meter *m, const struct inspect_progress *to);
void meter_release(struct diff_meter *m);
/* c, but what is read of it is counted; m must outlive it. Takes c over, also when it fails. */
int meter_wrap(struct diff_meter *m, struct content *c, struct err *e);
/* Between the two, at most `most` bytes are read; done: they are part of the total. */
void meter_begin(struct diff_meter *m, uint64_t most);
void meter_end(struct diff_meter *m, bool done);

/* diff_rename.c: fills .moved of both sides. */
int diff_renames(struct diff *d, struct err *e);

#endif
