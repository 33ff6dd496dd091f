/* term.c - what commands that print tables share. Characters are counted, not bytes. */
#include "term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static size_t width(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void term_widen(size_t *w, struct str s, size_t most)
{
	size_t n = width(s);

	if (n > *w)
		*w = n < most ? n : most;
}

void term_pad(struct str s, size_t w)
{
	if (s.n)
		fwrite(s.p, 1, s.n, stdout);
	for (size_t n = width(s); n < w; n++)
		putchar(' ');
}
