/* diff_out.h - how `pthfs diff` says what it finds: as text, or as one JSON document. */
#ifndef PTHFS_CLI_DIFF_OUT_H
#define PTHFS_CLI_DIFF_OUT_H

#include "progress.h"

#include <pthfs/arena.h>
#include <pthfs/inspect.h>
#include <pthfs/vec.h>

/* A key that was renamed: what it begins with was `from` and is `to`, the rest is the same. */
struct renamed {
	struct str was, name;
	size_t rest; /* bytes of the end that both share, whole keys */
};

struct diff_out {
	struct volume *a, *b;
	struct progress *progress; /* its line goes before anything is printed */
	bool colour, all;
	int width; /* of names */
	VEC(struct renamed) renamed; /* that wait for the end, where those of one rule are one line */
	struct arena names;
	struct json j;
	struct buf out;
};

/* diff_text.c: a diff_fn; what is said last. */
void diff_text_begin(struct diff_out *o);
int diff_text_item(void *ctx, const struct diff_item *it);
int diff_text_end(struct diff_out *o, const struct diff_result *r);
/* One line: a mark in its colour, the name, and what is said of it. */
void diff_line(const struct diff_out *o, char mark, struct str name);

/* diff_renamed.c: keeps one for the end; NULL memory: false. Prints them. */
bool diff_renamed_keep(struct diff_out *o, struct str was, struct str name);
void diff_renamed_print(struct diff_out *o);

/* diff_json.c */
void diff_json_begin(struct diff_out *o);
int diff_json_item(void *ctx, const struct diff_item *it);
int diff_json_end(struct diff_out *o, const struct diff_result *r);

#endif
