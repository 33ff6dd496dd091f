/* Text of any bytes: what is made of it must be printable, valid, and of the promised size.
 *
 * The input as a string through json_str (must come out as valid UTF-8 without control bytes),
 * str_show, and the two ways of finding out whether text is UTF-8; its first 8 bytes as a double
 * through float_repr (must read back).
 */
#include <stdlib.h>
#include <string.h>

#include <pthfs/json.h>
#include <pthfs/str.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
	if (!fine)
		abort();
}

static void json_is_valid(struct str s)
{
	struct buf b;
	struct json j;

	buf_init(&b, 6 * s.n + 2); /* \u00XX is the longest a byte becomes */
	json_init(&j, &b);
	json_str(&j, s);
	check(!b.failed && b.n >= 2 && b.p[0] == '"' && b.p[b.n - 1] == '"');
	check(str_utf8(buf_view(&b)));
	for (size_t i = 0; i < b.n; i++)
		check((unsigned char)b.p[i] >= 0x20);
	buf_release(&b);
}

static void shown_is_printable(struct str s)
{
	char out[40];

	for (size_t n = 1; n <= sizeof out; n += 13) {
		str_show(s, out, n);
		check(strlen(out) < n);
		check(str_utf8(str_of(out))); /* also where it was cut */
		for (const unsigned char *p = (const unsigned char *)out; *p; p++)
			check(*p >= 0x20 && *p != 0x7f && !(*p == 0xc2 && p[1] < 0xa0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = {(const char *)data, size};
	char text[32];
	double v;

	json_is_valid(s);
	shown_is_printable(s);
	check(str_hash(s) == str_hash(s) && str_eq_case(s, s));
	if (size >= sizeof v) {
		memcpy(&v, data, sizeof v);
		float_repr(v, text);
		check(v != v || strtod(text, NULL) == v);
	}
	return 0;
}
