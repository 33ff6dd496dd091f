/* card_dtype.h - between dtypes and tallies and what a card knows of them. Private to the engine room. */
#ifndef PTHFS_ENGINE_CARD_DTYPE_H
#define PTHFS_ENGINE_CARD_DTYPE_H

#include <pthfs/dtype.h>

#include "card.h"
#include "tally.h"

struct card_dtype {
	enum card_kind kind;
	enum card_small format; /* of small */
};

struct card_dtype card_dtype(enum dtype dt);

/* What comes behind t in order. */
void card_tally(struct tally *t, const struct card_part *p);

#endif
