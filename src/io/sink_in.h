/* sink_in.h - the parts of a sink, between its files: sink.c is the protocol, sink_name.c the
 * names, sink_copy.c the bytes, sink_attrs.c the attributes.
 */
#ifndef SINK_IN_H
#define SINK_IN_H

#include <limits.h>
#include <pthfs/sink.h>

struct sink {
	int dir;                 /* the folder that the file is in; owned */
	char dir_name[PATH_MAX]; /* for sentences */
	char base[NAME_MAX + 1]; /* the file in it, no link */
	char temp[NAME_MAX + 1]; /* ours; "" when there is none (any more) */
	int fd;                  /* of temp, locked as long as it is open; owned; -1: none */
	int old;                 /* what is replaced, or what the new file is like; owned; -1: none */
	struct stat old_st;
	enum sink_way way;
	uint64_t written; /* bytes */
};

/* Resolves path, links too, to dir and base; neither need exist but for the folder. */
int sink_find(struct sink *s, const char *path, struct err *e);
/* Creates temp, and locks it. */
int sink_create_temp(struct sink *s, struct err *e);

/* Makes the content of fd that of the plan; after a clone, only where it differs. */
int sink_fill(struct sink *s, const struct plan *p, const struct sink_opts *o, struct err *e);

/* Gives fd the owner, mode, xattrs and ACL of old; without one, what a new file gets. */
int sink_copy_attrs(struct sink *s, struct err *e);

#endif
