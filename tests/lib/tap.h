/* tap.h - unit tests in one header: TAP on standard output, plain main().
 *
 *	int main(void) { TEST(parses_empty_dict); TEST(refuses_protocol_6); return tap_done(); }
 *
 * A check that fails prints what it saw and lets the test go on; a test passes when none failed.
 */
#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed, tap_bad;

#define OK(cond)                                                                                   \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			tap_bad++;                                                                 \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                        \
		}                                                                                  \
	} while (0)

#define EQ_I64(a, b)                                                                               \
	do {                                                                                       \
		int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                      \
		if (a_ != b_) {                                                                    \
			tap_bad++;                                                                 \
			printf("# %s:%d: %s is %" PRId64 ", wanted %" PRId64 "\n", __FILE__,       \
					__LINE__, #a, a_, b_);                                     \
		}                                                                                  \
	} while (0)

#define EQ_STR(a, b) tap_eq_mem(__FILE__, __LINE__, #a, (a), strlen(a), (b), strlen(b))
#define EQ_MEM(a, an, b, bn) tap_eq_mem(__FILE__, __LINE__, #a, (a), (an), (b), (bn))
#define HAS(text, part)                                                                            \
	do {                                                                                       \
		if (!strstr((text), (part))) {                                                     \
			tap_bad++;                                                                 \
			printf("# %s:%d: \"%s\" does not say \"%s\"\n", __FILE__, __LINE__,        \
					(text), (part));                                           \
		}                                                                                  \
	} while (0)

static inline void tap_eq_mem(const char *file, int line, const char *what, const void *a, size_t an,
		const void *b, size_t bn)
{
	if (an == bn && (an == 0 || memcmp(a, b, an) == 0))
		return;
	tap_bad++;
	printf("# %s:%d: %s is \"%.*s\", wanted \"%.*s\"\n", file, line, what, (int)an,
			(const char *)a, (int)bn, (const char *)b);
}

#define TEST(fn) tap_run(#fn, fn)
static inline void tap_run(const char *name, void (*fn)(void))
{
	tap_bad = 0;
	fn();
	tap_count++;
	tap_failed += tap_bad != 0;
	printf("%sok %d - %s\n", tap_bad ? "not " : "", tap_count, name);
	fflush(stdout);
}

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
