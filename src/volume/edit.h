/* edit.h - the editing side of a volume; only src/volume includes it.
 *
 *	stage.c     what a program writes into a file, until it is closed
 *	put.c       ... taking effect: bytes, values, .meta, .npy, .json
 *	dirty.c     storages with bytes written over them
 *	scratch.c   names that are no keys (yet)
 *	keys.c      names that come, go and change: the tree
 *	key_names.c which key a name stands for
 *	twins.c     a dict under two keys: what `rm -r` of one of them means
 *	ops.c       the same, told to the journal; replay.c: taken up from it again
 *	apply.c     tree and values -> object graph, before the pickle is written
 *	gate.c      what was edited, judged by its numbers before it is committed
 *	commit.c    object graph and dirty storages -> plan -> file
 *	rebase.c    the file that was written becomes what the volume shows
 *	changes.c   what differs from the checkpoint, in words
 *
 * Locks, in this order: edit.mutex (one editor at a time, also for the length of a commit), then
 * volume.lock for writing (nobody reads meanwhile). "Editor" below: holds both.
 */
#ifndef PTHFS_VOLUME_EDIT_H
#define PTHFS_VOLUME_EDIT_H

#include "internal.h"
#include <pthfs/change.h>
#include <pthfs/check.h>
#include <pthfs/journal.h>
#include <pthfs/overlay.h>
#include <pthfs/parse.h>
#include <pthfs/save.h>

/* A storage that is written over: its data is a source over the blob. */
struct dirty {
	uint32_t storage;
	struct blob *blob;
	struct extent base; /* data before, and the source that it is in, for taking it back */
	struct source *shown;
	struct timespec changed;
	bool told;    /* the journal knows what its blob's number stands for */
	bool unnamed; /* written to when no name led there: the journal has bytes of a blob unknown to it */
};

/* What is being written into a file. */
struct stage {
	uint64_t ino;
	struct blob *blob;
	unsigned writers; /* open files that may write */
	bool dirty;       /* something was written that has not taken effect */
};

enum scratch_kind { SCRATCH_PLAIN, SCRATCH_META, SCRATCH_NPY, SCRATCH_JSON };

/* A file that is no key of the checkpoint. Never committed. */
struct scratch {
	uint32_t dir;    /* tree node */
	struct str name; /* in the directory itself (not in a view), malloc */
	struct blob *blob;
	uint8_t kind; /* by the end of its name: enum scratch_kind */
	_Atomic unsigned open; /* files */
	bool gone;    /* removed, or became a key: open files still know it */
	uint64_t became; /* inode; 0: nothing, it was removed. See stage_now() */
	struct timespec changed;
};

/* NAME.meta of a key that left: ghost.c. */
#define GHOSTS 1024 /* a NAME.meta can stand far behind NAME in a sorted list */
struct ghost {
	uint16_t n;
	bool hides; /* something that is there: not shown to who removed it */
	uint64_t dir; /* inode */
	char name[256];
};

/* A name that a node has left: a file that comes back there has its type again. */
struct left {
	uint32_t dir, node;
	struct str name; /* malloc */
	uint32_t when;   /* names removed by then */
	oref key;        /* that it had; OREF_NIL: a list item, or there was a commit since */
};

/* A node that was removed through one name of a directory that has others: twins.c. */
struct parted {
	uint32_t node;
	pid_t pid; /* who did */
};

/* An edited tensor that the validation finds suspicious. */
struct suspect {
	uint32_t tensor;
	unsigned what; /* enum suspicion */
	bool fresh;    /* there is no former content: was is not set */
	struct stats was, now;
};

struct gate {
	struct engine *engine;        /* NULL: not needed so far */
	VEC(struct suspect) suspects; /* that the last commit, or the last try, found; the first of them */
	uint64_t count;               /* all of them */
	struct timespec when;         /* the last edit that was judged */
	bool refused;                 /* the edits come from a journal that VALIDATE_STRICT did not commit */
};

struct edit {
	bool on;      /* open for editing */
	bool replay;  /* edits come from the journal: they are not told to it again */
	bool finished; /* opening has finished a commit in place: an error after it has to say so */
	pthread_mutex_t mutex;
	pthread_mutex_t refresh;  /* open files that were made before an edit are made again under it */
	int lock_fd;              /* the checkpoint, flocked; -1 */
	struct journal *journal;  /* NULL: one command's edits, or none needed yet */
	uint32_t next_blob;       /* number of the next blob in the journal */
	VEC(struct dirty) dirty;
	struct u32map dirty_of;   /* storage -> its place in dirty */
	VEC(struct stage *) stages;
	VEC(struct scratch) scratch;
	VEC(uint32_t) live;       /* those of scratch that are not gone */
	uint64_t dead_bytes;      /* of those that went, in the journal: scratch_trim() */
	VEC(struct left) left;
	struct ghost ghosts[GHOSTS];
	pid_t ghost_pid[GHOSTS]; /* who took it away; 0: nobody. Apart, to be looked through quickly */
	unsigned next_ghost;
	VEC(struct parted) parted; /* since the last commit */
	struct u32map renamed;    /* node -> its key (oref) at the last commit, when that is another */
	struct u32map home;       /* node -> its directory at the last commit, when that is another */
	struct u32map made;       /* value -> its object, of those made here: keys_value() */
	struct u32map raw;        /* node -> the object of the graph that is there: see keys_raw() */
	struct u32map raw_before; /* the same as of the last commit */
	struct u32map entries_of; /* directory -> where in entries the objects of its children begin */
	VEC(oref) entries;
	struct u32map asked;      /* nodes that would go with their directory: names_edit.c */
	uint32_t asked_in;        /* the directory that the log was told about last */
	struct u32map retyped;    /* tensor -> the one that has its names now: stage_now() */
	struct u32map lost;       /* nodes that were removed before the last commit */
	struct u32map changed;    /* tree node -> its place in times */
	VEC(struct timespec) times;
	struct timespec last;     /* of the last edit: times are different and ascend */
	uint64_t generation;      /* contents that were opened before are made again */
	size_t base_storages, base_tensors, base_values, base_entries; /* in the model as loaded */
	struct buf notice;
	struct buf result; /* of the last commit or revert, in words */
	struct gate gate;
	_Atomic uint64_t done, total;
	_Atomic bool committing;
};

/* --- edit.c ----------------------------------------------------------------------------------- */

/* For opts.mode other than VOLUME_READ. Before the checkpoint is loaded: locks, and finishes what a
 * crash left half done. After it is loaded and the tree built: edits are taken up. */
int edit_prepare(struct volume *v, const char *path, struct err *e);
int edit_start(struct volume *v, struct err *e);
void edit_close(struct volume *v);
/* journal_sync(); without room, what removed files have in the journal goes first. Editor. */
int edit_sync(struct volume *v, struct err *e);
/* Around every edit: EROFS when the volume is not open for it. */
int edit_begin(struct volume *v, struct err *e);
void edit_end(struct volume *v);
/* A time later than that of every edit before. */
struct timespec edit_now(struct volume *v);
void edit_changed_node(struct volume *v, uint32_t node);
/* The blob's number in the journal. */
uint32_t edit_blob_id(struct volume *v);
/* The identity of the file at v->st, for the journal. */
int edit_bind(const struct volume *v, struct journal_bind *ret, struct err *e);
int edit_bind_source(const struct stat *st, struct source *s, struct journal_bind *ret,
		struct err *e);
/* journal_open() and journal_create() by the checkpoint's path. */
int vol_journal_open(const char *path, bool readonly, struct journal **ret, uint64_t *cut,
		struct err *e);
int vol_journal_create(const char *path, const struct journal_bind *b, struct journal **ret,
		struct err *e);
/* State PATCHING: makes the file at path what the commit wanted. The journal stays. */
int edit_finish_patch(struct journal *j, const char *path, struct err *e);
/* Was the journal made for the file at path, as it is now? ERR_REFUSED says how not. */
int edit_belongs(struct journal *j, const char *path, struct err *e);

/* --- dirty.c ------------------------------------------------------------------------------------ */

/* The dirty storage, made when it is not one yet. */
int dirty_get(struct volume *v, uint32_t storage, struct dirty **ret, struct err *e);
const struct dirty *dirty_find(const struct volume *v, uint32_t storage);
/* n bytes of tensor t's file at off become these. Whole elements, or any when no fix is needed. */
int dirty_write(struct volume *v, uint32_t tensor, const void *buf, size_t n, uint64_t off,
		struct err *e);
/* All bytes of tensor t's file become those of blob b. */
int dirty_replace(struct volume *v, uint32_t tensor, struct blob *b, struct err *e);
void dirty_release(struct volume *v);

/* --- stage.c -------------------------------------------------------------------------------------- */

/* volume_file_edit() for an editor. */
int stage_open(struct volume *v, uint64_t ino, bool trunc, struct vfile **ret, struct err *e);
/* Of a file whose content cannot change: 0 when b is what it shows. */
int stage_same(struct volume *v, uint64_t ino, const struct blob *b, bool *is_fixed, struct err *e);
/* What a file shows instead of what it is, because somebody is writing it; NULL: nothing. Scratch:
 * its bytes. */
const struct blob *stage_shown(const struct volume *v, uint64_t ino);
/* What the file of an inode is by now: a new file has become a key, a tensor another one. Files that
 * are open go on as that. */
uint64_t stage_now(const struct volume *v, uint64_t ino);
/* The journal can make the blob again; it may be another one then. */
int stage_retell(struct volume *v, struct blob **b, struct err *e);
/* The names of tensor `was` are those of tensor `now`. */
int stage_retyped(struct volume *v, uint32_t was, uint32_t now, struct err *e);
/* The last close of a file that wrote. */
void stage_leave(struct vfile *f);
/* Nothing written so far is to take effect. */
void stage_drop_all(struct volume *v);

/* --- put.c -------------------------------------------------------------------------------------- */

/* What a name is that content is put into. */
struct target {
	enum ino_what what; /* INO_TENSOR, INO_LEAF, INO_META, INO_NPY, INO_JSON */
	uint32_t node;      /* the tree node it belongs to; TREE_NONE: a new name */
	uint32_t dir;       /* of the new name */
	struct str name;    /* the new name, without .npy, .json or .meta */
};
/* The whole content of blob b takes effect there. Editor. ERR_INVALID: it does not fit. */
int put_content(struct volume *v, const struct target *t, struct blob *b, struct err *e);
/* The target of an inode; ERR_SYS (EACCES, EISDIR ...) when nothing can be written there. */
int put_target(struct volume *v, uint64_t ino, struct target *ret, struct err *e);
/* Can this file be written at all? Asked at open. */
int put_ok(struct volume *v, const struct target *t, struct err *e);
/* Is this what the value's file shows now? Then there is nothing to write, whatever it is. */
bool put_is_shown(struct volume *v, const struct target *t, struct str text);
int put_value(struct volume *v, uint32_t node, oref obj, struct err *e);
/* put_meta.c: t->node TREE_NONE: bytes get the type and the name; otherwise bytes is NULL, or what
 * the tensor's were (replay.c). */
int put_meta(struct volume *v, const struct target *t, struct blob *bytes, struct str meta,
		struct err *e);
/* A key that was removed, or moved away (node was), has this content under its old name again. */
int put_again(struct volume *v, const struct target *t, uint32_t was, struct blob *b,
		struct err *e);
/* The tensor n, with these bytes (NULL: n says where they are), in the place of t or as it. */
int put_retype(struct volume *v, const struct target *t, struct new_tensor *n, struct blob *bytes,
		struct err *e);
/* The end of an edit of names and values, told to the journal with rc: taken back when it was not. mark:
 * tree.undo.n before it. */
int unless_told(struct volume *v, size_t mark, int rc);
int vol_blob_text(const struct blob *b, struct buf *out, struct err *e); /* appends */

/* --- scratch.c ---------------------------------------------------------------------------------- */

uint32_t scratch_find(const struct volume *v, uint32_t dir, struct str name); /* TREE_NONE */
int scratch_add(struct volume *v, uint32_t dir, struct str name, struct blob *b, uint32_t *ret,
		struct err *e);
void scratch_remove(struct volume *v, uint32_t i);
void scratch_restore(struct volume *v, uint32_t i); /* right after another one was removed */
/* Keys of dir have other names now: files that are called so get "NAME~2" and so on. */
int scratch_step_aside(struct volume *v, uint32_t dir, struct err *e);
/* It was closed, or got another name: becomes what it can. 0 also when it stays scratch. */
int scratch_settle(struct volume *v, uint32_t i, struct err *e);
int scratch_retell(struct volume *v, uint32_t i, struct err *e); /* stage_retell() of its blob */
/* There is none, and no name has been left. */
void scratch_forget(struct volume *v);
void scratch_release(struct volume *v);
/* Gives back what removed files have in the journal, as far as it can be, and nobody has them open. all:
 * however little it is. Editor. */
void scratch_trim(struct volume *v, bool all);
/* A file of this inode, scratch or not, is open; is closed. Reader or editor; nobody. */
void scratch_opened(struct volume *v, uint64_t ino);
void scratch_closed(struct volume *v, uint64_t ino);
bool scratch_in(const struct volume *v, uint32_t dir);
/* The node whose type a file of this name has again, or TREE_NONE. */
uint32_t scratch_typed(const struct volume *v, uint32_t dir, struct str name);

/* --- ghost.c ---------------------------------------------------------------------------------------- */

void ghost_add(struct volume *v, uint64_t dir, struct str name);
bool ghost_find(const struct volume *v, uint64_t dir, struct str name, uint64_t *ret);
void ghost_remove(struct volume *v, uint64_t ino);
/* The caller makes the key anew: its .meta is there again. */
void ghost_over(struct volume *v, uint64_t dir, struct str name);
/* The caller removed what stays all the same; has it; it is there again. */
void ghost_hide(struct volume *v, uint64_t dir, struct str name);
bool ghost_hides(const struct volume *v, uint64_t dir, struct str name);
void ghost_show(struct volume *v, uint64_t dir, struct str name);
pid_t ghost_caller(void); /* of volume_caller(); 0: nobody */

/* --- twins.c ---------------------------------------------------------------------------------------- */

/* edit_remove_node() for a caller who may be in the middle of `rm -r`; of a directory (which is empty
 * by now): what he has removed through this name is there again under its other ones. */
int twins_remove(struct volume *v, uint32_t node, struct err *e);
int twins_remove_dir(struct volume *v, uint32_t node, struct err *e);
/* A removed name is there again, in this directory alone; told to the journal. */
int twins_restore(struct volume *v, uint32_t node, struct err *e);

/* --- keys.c, key_names.c: on nodes of the tree, for every node that shows the same container ----- */

/* The directory behind an inode and the key that a name in it stands for, as the name that the
 * directory itself has for it. */
int keys_place(struct volume *v, uint64_t dir, struct str name, uint32_t *ret_dir, struct buf *out,
		struct err *e);
/* The key object of a name in dir that is free: of the key that had it until now, or a new one.
 * OREF_NIL in a list, where items have numbers for names. node: what it is for, when that is there. */
int keys_new(struct volume *v, uint32_t dir, struct str name, uint32_t node, oref *ret,
		struct err *e);
/* The object in the graph that stands at this node's place: what it was loaded from (a leaf's own
 * object may be a simpler one, that is shown), or what was put there. OREF_NIL: none (a part). Fails
 * for want of memory only. */
int keys_raw(struct volume *v, uint32_t node, oref *ret, struct err *e);
/* A value that holds this object. */
int keys_value(struct volume *v, oref obj, uint32_t *ret, struct err *e);
/* Is the top object itself a tensor or a value, shown as the file `value`? */
bool vol_is_lone(const struct volume *v);
int keys_add(struct volume *v, uint32_t dir, struct str name, uint32_t value, uint32_t *ret,
		struct err *e);
int keys_remove(struct volume *v, uint32_t node, struct err *e);
int keys_move(struct volume *v, uint32_t node, uint32_t dir, struct str name, struct err *e);
int keys_set(struct volume *v, uint32_t node, uint32_t value, struct err *e);
int keys_link(struct volume *v, uint32_t node, uint32_t dir, struct str name, uint32_t *ret,
		struct err *e);
int keys_restore(struct volume *v, uint32_t node, uint32_t value, struct err *e);
int keys_mkdir(struct volume *v, uint32_t dir, struct str name, uint32_t *ret, struct err *e);
/* dir's pickled object has to be written anew. */
void keys_touch(struct volume *v, uint32_t dir);

/* --- ops.c, replay.c ------------------------------------------------------------------------------- */

/* Each edit is told to the journal after it has been made in memory; when that fails, the caller
 * takes it back. Nothing is done while replaying, or without a journal. */
int ops_rename(struct volume *v, struct str from, struct str to, struct err *e);
int ops_remove(struct volume *v, struct str path, struct err *e);
int ops_mkdir(struct volume *v, struct str path, struct err *e);
int ops_back(struct volume *v, struct str path, struct err *e);
int ops_link(struct volume *v, struct str from, struct str to, struct err *e);
int ops_put(struct volume *v, const struct target *t, const struct blob *b, struct err *e);
int ops_again(struct volume *v, const struct target *t, const struct blob *b, struct err *e);
/* bytes NULL: of the tensor that is there. */
int ops_meta(struct volume *v, const struct target *t, const struct blob *bytes, struct str meta,
		struct err *e);
int ops_value(struct volume *v, const struct target *t, oref obj, struct err *e);
/* Blob `to` is n bytes of `from`. */
int ops_copy(struct volume *v, const struct blob *to, const struct blob *from, uint64_t off,
		uint64_t n, struct err *e);
int ops_storage(struct volume *v, uint32_t tensor_node, const struct blob *b, struct err *e);
/* Between begin and end, all or nothing; what stands before abort is not taken up. */
enum ops_edge { OPS_BEGIN, OPS_END, OPS_ABORT };
int ops_group(struct volume *v, enum ops_edge edge, struct err *e);
int replay_journal(struct volume *v, struct err *e); /* takes up the edits of the journal */

/* --- names_edit.c: with the journal. Editor ----------------------------------------------------------- */
int edit_remove_node(struct volume *v, uint32_t node, struct err *e);
int edit_link_node(struct volume *v, uint32_t node, uint32_t dir, struct str name, struct err *e);
int edit_move_node(struct volume *v, uint32_t node, uint32_t dir, struct str name, struct err *e);

/* --- control.c ------------------------------------------------------------------------------------- */

/* What was written into .pthfs/commit or .pthfs/revert: acts. No lock is held. */
int volume_control(struct volume *v, bool commit, struct str words, struct err *e);

/* --- gate.c, gate_tell.c ----------------------------------------------------------------------------- */

#define GATE_WORD "suspicious: "
#define GATE_REFUSED "-o validate=strict" /* how the sentence begins: replay.c knows it again */
/* Judges every edited tensor against its content at the last commit; *suspects: how many are
 * suspicious. ERR_REFUSED: validation is strict, and not forced. edit.mutex is held, volume.lock not. */
int gate_judge(struct volume *v, const struct commit_opts *o, uint64_t *suspects, struct err *e);
void gate_one_text(const struct volume *v, const struct suspect *s, struct buf *out);
/* A line each, behind these words. */
void gate_text(const struct volume *v, const char *front, struct buf *out);
void gate_json(const struct volume *v, struct json *j); /* a list */
void gate_forget(struct volume *v); /* locked for writing */
void gate_release(struct volume *v);

/* --- apply.c, commit.c, rebase.c ------------------------------------------------------------------- */

int apply_tree(struct volume *v, bool *pickle, struct err *e);
/* Only dicts, lists and attributes, for one who reads the objects; the commit does it again. */
int apply_keys(struct volume *v, struct err *e);
/* The file at v->path is what the plan said: places (of checkpoint_save). */
int rebase(struct volume *v, const uint64_t *places, const struct stat *now, struct err *e);
int edit_revert(struct volume *v, struct err *e); /* editor */

/* --- verify.c ------------------------------------------------------------------------------------- */

/* Would the file that the plan describes show what is shown now? No tensor is read. */
int verify_plan(struct volume *v, const struct plan *plan, struct err *e);

/* --- changes.c --------------------------------------------------------------------------------------- */

enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_RENAMED, CHANGE_VALUE, CHANGE_BYTES };
struct change {
	enum change_kind kind;
	struct str path, was; /* was: the old path of what was renamed */
	uint64_t bytes;       /* CHANGE_BYTES */
};
typedef bool change_fn(void *ctx, const struct change *c);
int changes_each(struct volume *v, change_fn *fn, void *ctx, struct err *e);
uint64_t changes_count(struct volume *v);
/* "renamed a -> b", "changed w (4.0 MB)" */
void change_text(const struct change *c, struct buf *out);

#endif
