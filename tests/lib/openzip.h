/* openzip.h - opening the archives of mkzip.h as boxes, in tests. */
#ifndef OPENZIP_H
#define OPENZIP_H

#include "mkzip.h"
#include "tap.h"

#include <pthfs/box.h>
#include <pthfs/source.h>

/* z must outlive the box. *b is NULL on failure. */
static inline int open_zip_as(const struct mkzip *z, bool salvage, struct box **b, struct err *e)
{
	struct source *s = source_mem_borrow(z->p, z->n);
	int err;

	*b = NULL;
	*e = (struct err){0};
	err = box_zip_open(s, &(struct box_opts){.salvage = salvage}, b, e);
	source_unref(s);
	return err;
}

static inline int open_zip(const struct mkzip *z, struct box **b, struct err *e)
{
	return open_zip_as(z, false, b, e);
}

/* The archive is turned away with that code and a sentence that has these words. Frees it. */
#define TURNS_AWAY(z, code, words)                                                                 \
	do {                                                                                       \
		struct box *box_;                                                                  \
		struct err err_;                                                                   \
		EQ_I64(open_zip((z), &box_, &err_), (code));                                       \
		HAS(err_.text, (words));                                                           \
		OK(!box_);                                                                         \
		box_free(box_);                                                                    \
		mkzip_free(z);                                                                     \
	} while (0)

/* The archive is taken. Frees it. */
#define TAKES(z)                                                                                   \
	do {                                                                                       \
		struct box *box_;                                                                  \
		struct err err_;                                                                   \
		EQ_I64(open_zip((z), &box_, &err_), 0);                                            \
		EQ_STR(err_.text, "");                                                             \
		box_free(box_);                                                                    \
		mkzip_free(z);                                                                     \
	} while (0)

/* Member i of an open box has this name and these bytes. */
static inline void holds(struct box *b, uint32_t i, const char *name, const void *data, size_t n)
{
	struct source *s = NULL;
	struct err e = {0};
	char *got = malloc(n + 1);

	OK(i < b->n && str_is(b->at[i].name, name));
	OK(i < b->n && b->at[i].size == n);
	if (i < b->n && b->at[i].size == n && box_source(b, &b->at[i], &s, &e) == 0 &&
		source_read(s, got, n, 0, &e) == 0)
		EQ_MEM(got, n, (const char *)data, n);
	EQ_STR(e.text, "");
	source_unref(s);
	free(got);
}

/* What torch.save writes for two storages, without end records. */
static inline struct mkzip torch_records(void)
{
	struct mkzip z = {0};

	mkzip_add(&z, "sd/data.pkl", "\x80\x02}q\0.", 6);
	mkzip_add(&z, "sd/byteorder", "little", 6);
	mkzip_add(&z, "sd/data/0", "0123456789abcdef", 16);
	mkzip_add(&z, "sd/data/1", "", 0);
	mkzip_add(&z, "sd/version", "3\n", 2);
	return z;
}

static inline struct mkzip torch_zip(void)
{
	struct mkzip z = torch_records();

	mkzip_finish(&z);
	return z;
}

#endif
