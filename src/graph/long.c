/* long.c - decimal text of integers beyond 64 bits, and back.
 *
 * Converting is quadratic, so, like Python since 3.11, only integers of up to 4,300 digits are
 * written in decimal; longer ones in hexadecimal, which takes one pass.
 */
#include <stdlib.h>

#include <pthfs/print.h>

#include "parse_in.h"

#define MAX_DIGITS LONG_DIGITS
#define MAX_BYTES 1786 /* 10^4300 - 1 takes 14,285 bits and the sign */
#define CHUNK 1000000000u
#define LIMBS (MAX_BYTES / 4 + 1)

/* limb[0..n) = |number|. Returns n without leading zeros. */
static unsigned magnitude(struct str s, bool negative, uint32_t limb[LIMBS])
{
	unsigned n = 0;
	uint64_t carry = 1;

	for (size_t i = 0; i < s.n; i += 4, n++) {
		uint32_t v = negative ? UINT32_MAX : 0;

		for (size_t k = 0; k < 4 && i + k < s.n; k++) {
			v &= ~(0xffu << 8 * k);
			v |= (uint32_t)(unsigned char)s.p[i + k] << 8 * k;
		}
		if (negative) {
			carry += (uint32_t)~v;
			v = (uint32_t)carry;
			carry >>= 32;
		}
		limb[n] = v;
	}
	while (n && limb[n - 1] == 0)
		n--;
	return n;
}

static uint32_t divide(uint32_t *limb, unsigned *n)
{
	uint64_t rest = 0;

	for (unsigned i = *n; i-- > 0;) {
		rest = rest << 32 | limb[i];
		limb[i] = (uint32_t)(rest / CHUNK);
		rest %= CHUNK;
	}
	while (*n && limb[*n - 1] == 0)
		--*n;
	return (uint32_t)rest;
}

static void put_decimal(struct str s, bool negative, struct buf *out)
{
	char text[MAX_DIGITS + 32], *p = text + sizeof text;
	uint32_t limb[LIMBS], chunk;
	unsigned n = magnitude(s, negative, limb);

	do {
		chunk = divide(limb, &n);
		for (int digit = 0; n ? digit < 9 : digit == 0 || chunk; digit++) {
			*--p = (char)('0' + chunk % 10);
			chunk /= 10;
		}
	} while (n);
	if (negative)
		*--p = '-';
	buf_put(out, p, (size_t)(text + sizeof text - p));
}

/* The bytes of |number| from the top, as hexadecimal digits. */
static void put_hex(struct str s, bool negative, struct buf *out)
{
	size_t low = 0;
	bool begun = false;

	buf_puts(out, negative ? "-0x" : "0x");
	/* -x is ~x + 1: the zeros at the bottom stay, the first other byte is negated. */
	while (low < s.n && s.p[low] == 0)
		low++;
	for (size_t i = s.n; i-- > 0 && !out->failed;) {
		unsigned char c = (unsigned char)s.p[i];

		if (negative)
			c = (unsigned char)(i > low ? ~c : -c);
		if (!begun && c == 0 && i)
			continue;
		buf_printf(out, begun ? "%02x" : "%x", c);
		begun = true;
	}
}

int long_text(struct str le_bytes, struct buf *out)
{
	bool negative = le_bytes.n && le_bytes.p[le_bytes.n - 1] & 0x80;

	if (le_bytes.n <= MAX_BYTES)
		put_decimal(le_bytes, negative, out);
	else
		put_hex(le_bytes, negative, out);
	return out->failed ? ERR_LIMIT : 0;
}

/* limb[0..n) = limb * 10^9 + chunk. Returns n. */
static unsigned multiply(uint32_t limb[LIMBS], unsigned n, uint32_t factor, uint32_t chunk)
{
	uint64_t carry = chunk;

	for (unsigned i = 0; i < n; i++) {
		carry += (uint64_t)limb[i] * factor;
		limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry)
		limb[n++] = (uint32_t)carry;
	return n;
}

size_t long_bytes(struct str digits, bool negative, char out[LONG_BYTES])
{
	uint32_t limb[LIMBS] = {0}, chunk = 0, factor = 1;
	uint64_t carry = 1;
	unsigned n = 0;
	size_t len;

	for (size_t i = 0; i < digits.n; i++) {
		chunk = chunk * 10 + (uint32_t)(digits.p[i] - '0');
		factor *= 10;
		if (factor < CHUNK && i + 1 < digits.n)
			continue;
		n = multiply(limb, n, factor, chunk);
		chunk = 0;
		factor = 1;
	}
	for (unsigned i = 0; negative && i < n; i++) {
		carry += (uint32_t)~limb[i];
		limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	for (len = 0; len < 4 * (size_t)n; len++)
		out[len] = (char)(limb[len / 4] >> 8 * (len % 4));
	out[len++] = (char)(negative && n ? 0xff : 0);
	/* As few bytes as keep the sign. */
	while (len > 1 && (unsigned char)out[len - 1] == ((out[len - 2] & 0x80) ? 0xff : 0))
		len--;
	return len;
}
