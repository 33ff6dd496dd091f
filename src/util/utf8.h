/* utf8.h - one step of a UTF-8 decoder, for str.c, json.c and json_read.c, and of an encoder.
 *
 * Surrogates (U+D800..U+DFFF in three bytes) are decoded, since Python writes such text with
 * "surrogatepass"; whoever wants none looks at the value.
 */
#ifndef UTIL_UTF8_H
#define UTIL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length 1..4 of the character at p, of which n > 0 bytes are left; 0 when it is none (a stray or
 * missing continuation, an overlong form, above U+10FFFF). */
static inline size_t utf8_step(const char *p, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)p;
	size_t len = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	uint32_t c;

	if (len == 1) {
		*ret = u[0];
		return 1;
	}
	if (len == 0 || len > n || u[0] > 0xf4)
		return 0;
	c = u[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff)
		return 0;
	*ret = c;
	return len;
}

/* The 1..4 bytes of c, at most U+10FFFF, surrogates too. Returns how many. */
static inline size_t utf8_put(uint32_t c, char out[4])
{
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = len; i > 1; i--, c >>= 6)
		out[i - 1] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[len] | c);
	return len;
}

#endif
