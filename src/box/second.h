/* second.h - libzip as the second reader of a box. */
#ifndef BOX_SECOND_H
#define BOX_SECOND_H

#include "box_in.h"

#include <zip.h>

struct second {
	struct box *box;    /* the owner */
	zip_t *za;          /* NULL until second_open() */
	uint64_t pos;       /* of libzip in the file */
	zip_error_t za_err; /* for libzip, when reading the file failed */
	struct err io;      /* for us, in that case; clear .code before calling libzip */
};

void second_init(struct second *s, struct box *b);
void second_release(struct second *s);
/* Opens the archive and compares; nothing when that was done before. */
int second_open(struct second *s, struct err *e);

#endif
