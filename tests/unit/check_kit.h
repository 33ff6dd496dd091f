/* check_kit.h - contents by hand, for the tests of the check room. */
#ifndef CHECK_KIT_H
#define CHECK_KIT_H

#include "tap.h"

#include <math.h>
#include <stdlib.h>

#include <pthfs/check.h>

/* A content that borrows n bytes. */
static inline struct content kit_content(const void *p, size_t n)
{
	struct content c = {0};

	if (n)
		OK(content_source(source_mem_borrow(p, n), &c) == 0);
	return c;
}

static inline struct stats kit_stats(enum dtype dt, const void *p, size_t n, bool hist)
{
	struct content c = kit_content(p, n);
	struct stats s = {0};

	OK(stats_of(&c, dt, &s, NULL) == 0);
	OK(!hist || hist_fill(&c, dt, &s, NULL) == 0);
	content_release(&c);
	return s;
}

#define STATS(dt, array) kit_stats((dt), (array), sizeof(array), false)
#define HIST(dt, array) kit_stats((dt), (array), sizeof(array), true)

/* Equal doubles; NaN is equal to NaN. */
#define EQ_F64(a, b)                                                                               \
	do {                                                                                       \
		double a_ = (a), b_ = (b);                                                         \
		if (a_ != b_ && !(isnan(a_) && isnan(b_))) {                                       \
			tap_bad++;                                                                 \
			printf("# %s:%d: %s is %.17g, wanted %.17g\n", __FILE__, __LINE__, #a, a_, \
					b_);                                                       \
		}                                                                                  \
	} while (0)

#define NEAR(a, b, tolerance)                                                                      \
	do {                                                                                       \
		double a_ = (a), b_ = (b);                                                         \
		if (!(fabs(a_ - b_) <= (tolerance))) {                                             \
			tap_bad++;                                                                 \
			printf("# %s:%d: %s is %.17g, wanted %.17g\n", __FILE__, __LINE__, #a, a_, \
					b_);                                                       \
		}                                                                                  \
	} while (0)

/* Bytes that can be read up to `good`: from there on every read fails. */
struct kit_torn {
	struct source s;
	uint64_t good;
};

static inline int kit_torn_read(struct source *s, void *buf, size_t len, uint64_t off,
		struct err *e)
{
	const struct kit_torn *t = (const struct kit_torn *)s;

	if (off + len > t->good)
		return err_set(e, ERR_TRUNCATED, "the file ends at %" PRIu64, t->good);
	memset(buf, 1, len);
	return 0;
}

static inline void kit_torn_close(struct source *s)
{
	free(s);
}

static inline struct content kit_torn_content(uint64_t size, uint64_t good)
{
	static const struct source_ops ops = {"torn", kit_torn_read, NULL, kit_torn_close};
	struct kit_torn *t = malloc(sizeof *t);
	struct content c;

	source_init(&t->s, &ops, size);
	t->good = good;
	OK(content_source(&t->s, &c) == 0);
	return c;
}

#endif
