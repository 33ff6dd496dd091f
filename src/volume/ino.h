/* ino.h - what an inode number says: an index and what it is an index of.
 *
 * Computed, not stored: the same file gives the same numbers at every mount, and nothing has to be
 * remembered between a lookup and a read. Inode 1, the root, is node 0 as INO_DIR.
 */
#ifndef PTHFS_VOLUME_INO_H
#define PTHFS_VOLUME_INO_H

#include <stdint.h>

enum ino_what {
	INO_DIR = 1,    /* tree node */
	INO_LEAF,       /* tree node: a value */
	INO_TENSOR,     /* tensor: one inode for all its names */
	INO_META,       /* tensor */
	INO_NPY,        /* tensor */
	INO_STATS,      /* tensor */
	INO_SVG,        /* tensor */
	INO_PARTS_META, /* tree node */
	INO_JSON,       /* tree node */
	INO_VIEW,       /* slot of the view table */
	INO_MODULE,     /* tree node of a state_dict: its module/ view */
	INO_CTL,        /* base: a .pthfs directory */
	INO_STRIP,      /* base: .pthfs/strip */
	INO_ADD,        /* base: .pthfs/add */
	INO_METADATA,   /* base: .pthfs/metadata.json */
	INO_INFO,       /* 0 */
	INO_STATUS,     /* 0 */
	INO_GLOBALS,    /* 0 */
	INO_LOG,        /* 0 */
	INO_ARCHIVE,    /* node of the archive tree */
	INO_SCRATCH,    /* place in edit.scratch */
	INO_GHOST,      /* place in edit.ghosts: see ghost.c */
	INO_COMMIT,     /* 0: write to commit, read the last result */
	INO_REVERT,     /* 0 */
	INO_STATUS_JSON, /* 0 */
};

#define INO_BITS 6
/* A base is what a .pthfs directory belongs to: a tree node, or a view. */
#define BASE_VIEW (UINT64_C(1) << 40)   /* + slot */
#define BASE_MODULE (UINT64_C(1) << 41) /* + tree node */

static inline uint64_t ino_make(uint64_t index, enum ino_what what)
{
	return index << INO_BITS | what;
}
static inline enum ino_what ino_what(uint64_t ino)
{
	return (enum ino_what)(ino & ((1u << INO_BITS) - 1));
}
static inline uint64_t ino_index(uint64_t ino)
{
	return ino >> INO_BITS;
}

#endif
