/* tree_in.h - what the files of this room share. */
#ifndef TREE_IN_H
#define TREE_IN_H

#include <pthfs/tree.h>

/* --- build.c ---------------------------------------------------------------------------------- */

uint64_t tree_place_hash(uint32_t parent, struct str name);
/* The text that stands as it is may be borrowed from the graph: most names cost no copy. */
bool tree_plain_name(const struct graph *g, oref key, struct str name, struct str *ret);
bool tree_value_is_dir(const struct model *m, uint32_t value);
/* A node can be found by the name that it has now. */
int tree_index(struct tree *t, uint32_t id);
/* Appends a node below dir, in no slot yet. One whose name is taken sets *taken and cannot be found
 * before tree_number_rest(). */
int tree_append(struct tree *t, uint32_t dir, oref key, struct str name, uint32_t value,
		bool *taken, struct err *e);
/* The later of two names gets "~2", once it is known which names are real keys' own. */
int tree_number_rest(struct tree *t, uint32_t dir, struct err *e);
/* Expands every directory from node `from` on, and those they bring. */
int tree_expand_all(struct tree *t, uint32_t from, struct err *e);
/* The entries of dir's value, as children that came later; not what is below them. */
int tree_expand_late(struct tree *t, uint32_t dir, struct err *e);

/* --- slots.c ---------------------------------------------------------------------------------- */

/* Gives a node a slot in dir: the one that it had there, or a new one. */
int tree_attach(struct tree *t, uint32_t dir, uint32_t node);
/* Takes the slots back that were given since late.n was that. */
void tree_detach(struct tree *t, size_t late);
/* As tree_next(), below (and with) top. */
uint32_t tree_next_in(const struct tree *t, uint32_t top, uint32_t i);
void tree_slots_release(struct tree *t);

/* --- rings.c ---------------------------------------------------------------------------------- */

/* The rings are there, and have room for every node, tensor and value. */
int tree_rings_room(struct tree *t, struct err *e);
/* A node, and all that is below it, is counted, or no longer. Both leave alone what is so. */
void tree_rings_add(struct tree *t, uint32_t top);
void tree_rings_drop(struct tree *t, uint32_t top);
/* All anew. */
void tree_rings_remake(struct tree *t);
void tree_rings_release(struct tree *t);

#endif
