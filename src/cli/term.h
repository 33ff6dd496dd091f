/* term.h - tables and colours on standard output. */
#ifndef PTHFS_CLI_TERM_H
#define PTHFS_CLI_TERM_H

#include <pthfs/str.h>
#include <stdbool.h>

/* A terminal that is not dumb, and NO_COLOR is not set (or empty). */
bool term_colour(void);
/* *w: at least the characters of s (columns, near enough), but no more than most. */
void term_widen(size_t *w, struct str s, size_t most);
/* s, and spaces up to w characters. */
void term_pad(struct str s, size_t w);

#endif
