/* inplace_in.h - a commit in place, between inplace.c (the list is made) and inplace_redo.c (it is
 * carried out).
 */
#ifndef INPLACE_IN_H
#define INPLACE_IN_H

#include "journal_in.h"

struct inplace {
	struct journal *j;
	int fd;               /* the checkpoint */
	char *buf;            /* PIECE bytes, owned */
	uint64_t written;     /* bytes, to the journal and the file */
	uint64_t done, total; /* for progress */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	int64_t told; /* ns, monotonic */
};

int inplace_init(struct inplace *w, struct journal *j, int fd, struct err *e);
void inplace_moved(struct inplace *w, uint64_t n);
/* Everything that the complete list says, to the file; then its size, and fsync. */
int inplace_apply(struct inplace *w, struct err *e);

#endif
