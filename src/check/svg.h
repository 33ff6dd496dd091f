/* svg.h - words and numbers of the picture. Private to the check room. */
#ifndef PTHFS_CHECK_SVG_H
#define PTHFS_CHECK_SVG_H

#include <pthfs/str.h>

/* s as the text of an XML element or attribute: markup escaped, what XML cannot hold (control
 * characters, bytes that are not UTF-8) as U+FFFD; of more than `columns` columns the last ones,
 * behind "…" - the end of a name tells more than its beginning. */
void svg_escape(struct str s, unsigned columns, struct buf *out);

/* Numbers for people, in out: 1,234,567 (or 1.2346e+12 from 13 digits on), -0.012346 with as many
 * significant digits as asked for, 0.031 %. */
struct svg_num {
	char text[32];
};
const char *svg_count(uint64_t n, struct svg_num *out);
const char *svg_real(double v, bool whole, int digits, struct svg_num *out);
const char *svg_share(uint64_t part, uint64_t all, struct svg_num *out);

/* <text> at x, y of a class (see the style of the picture); anchor: "start", "middle", "end". */
void svg_text(struct buf *out, double x, double y, const char *cls, const char *anchor,
		const char *text);

#endif
