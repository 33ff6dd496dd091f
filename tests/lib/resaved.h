/* resaved.h - what pickle_save() makes of a pickle in a C string, for tests. */
#ifndef RESAVED_H
#define RESAVED_H

#include "tap.h"
#include "unpickled.h"

/* What was written, or the sentence that says why not; until the next call. */
static inline struct str resave(const void *bytes, size_t n, int *rc)
{
	static struct buf out;
	static struct err e;
	struct pickle_save_opts o;
	struct unpickled u;

	buf_release(&out);
	buf_init(&out, SIZE_MAX);
	unpickle(&u, bytes, n);
	e = u.e;
	o.protocol = u.info.protocol;
	*rc = u.rc ? u.rc : pickle_save_buf(&u.g, u.top, &o, &out, &e);
	unpickled_release(&u);
	return *rc ? str_of(e.text) : buf_view(&out);
}

static inline void resave_check(const char *file, int line, const char *in, size_t in_n,
		const char *want, size_t want_n, int code)
{
	int rc = 0;
	struct str got = resave(in, in_n, &rc);
	bool same = code ? strstr(got.p, want) != NULL
			 : got.n == want_n && memcmp(got.p, want, want_n) == 0;

	if (rc == code && same)
		return;
	tap_bad++;
	printf("# %s:%d: %d \"", file, line, rc);
	for (size_t i = 0; i < got.n; i++)
		printf(got.p[i] >= ' ' && got.p[i] < 127 ? "%c" : "\\x%02x", (uint8_t)got.p[i]);
	printf("\"\n");
}

/* String literals of opcodes, without PROTO 2 and STOP. */
#define SAVES(in, want)                                                                            \
	resave_check(__FILE__, __LINE__, in ".", sizeof(in), "\x80\x02" want ".",                  \
			sizeof("\x80\x02" want ".") - 1, 0)
#define SAVES_AS_IT_WAS(in) SAVES("\x80\x02" in, in)
/* Whole pickles that are refused, with these words. */
#define SAVE_FAILS(in, code, words)                                                                \
	resave_check(__FILE__, __LINE__, in, sizeof(in) - 1, words, sizeof(words) - 1, code)

/* A text of 100,000 letters, which is too long for memory, and a second value: a pickle that comes
 * out as it was. */
#define LONG_TEXT (7 + 100000 + 7 + 1)

static inline void resaved_long(char out[LONG_TEXT])
{
	memcpy(out, "\x80\x02X\xa0\x86\x01\x00", 7);
	memset(out + 7, 'x', 100000);
	memcpy(out + 100007, "q\x00K\x05\x86q\x01", 7);
	out[LONG_TEXT - 1] = '.';
}

#endif
