/* box_in.h - what the files of this room share: a box being built, and the table of names.
 *
 * A box is built in a struct box_build; nobody outside sees it before box_seal(). Every failure
 * on the way ends in box_build_drop().
 */
#ifndef BOX_IN_H
#define BOX_IN_H

#include <pthfs/box.h>
#include <pthfs/source.h>
#include <pthfs/vec.h>

struct box_build {
	struct box *box;
	VEC(struct member) list;
};

int box_build_init(struct box_build *w, struct source *file, const char *kind, struct err *e);
void box_build_drop(struct box_build *w);

/* Checks a name (a name that every reader takes for the same, and that cannot lead out of a
 * folder) and copies it into the box. */
int box_keep_name(struct box_build *w, struct str name, struct str *ret, struct err *e);

/* Puts *m at the end. Its name is from box_keep_name() and new. */
int box_push(struct box_build *w, const struct member *m, struct err *e);

/* The member of that name, or IDMAP_NONE. */
uint32_t box_lookup(const struct box_build *w, struct str name);

/* Gives the finished box to *ret; the build is empty afterwards. */
int box_seal(struct box_build *w, struct box **ret, struct err *e);

/* Puts the record and the place ("local header" and its offset) in front of the sentence in e;
 * returns code. */
int box_at(struct err *e, int code, struct str name, const char *place, uint64_t off);

/* inflate.c */
struct inflater;
int inflater_new(struct box *b, struct err *e);
void inflater_free(struct inflater *f);
int inflater_source(struct box *b, const struct member *m, struct source **ret, struct err *e);

#endif
