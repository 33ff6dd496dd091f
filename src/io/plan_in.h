/* plan_in.h - what plans are made of, between plan.c, plan_piece.c and the sink. */
#ifndef PLAN_IN_H
#define PLAN_IN_H

#include <pthfs/plan.h>
#include <sys/stat.h>

/* Fresh bytes, copied; they can grow while nobody else holds them. NULL when out of memory. */
struct source *piece_bytes(const void *bytes, size_t n);
/* Whether s is one of these, n more bytes are still a small piece, and they were appended. */
bool piece_append(struct source *s, const void *bytes, size_t n);
/* n times the same byte; NULL when out of memory. */
struct source *piece_fill(unsigned char byte, uint64_t n);

/* Tells which pieces already lie where they belong in one file. Remembers the last descriptor, so
 * that a plan of many runs of one file asks the system once. */
struct in_place {
	const struct stat *old; /* that file; NULL: there is none */
	int fd;                 /* last asked about; -1: none yet */
	bool same;
};

bool in_place_test(struct in_place *t, const struct extent *piece, uint64_t at);

#endif
