/* internal.h - between the files of the stand-in. */
#ifndef STANDIN_INTERNAL_H
#define STANDIN_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../src/engine/card.h"
#include "../../src/engine/cuda_driver.h"
#include "standin.h"

extern struct standin standin_state;

/* Results, as CUDA numbers them, that the engine does not tell apart. */
enum { INVALID_VALUE = 1, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_HANDLE = 400,
	NOT_FOUND = 500, UNKNOWN = 999 };

/* The calls, with the signatures that the engine believes they have. */
#pragma GCC visibility push(default)
#define X(member, symbol, ...) int symbol(__VA_ARGS__);
CUDA_CALLS(X)
#undef X
struct standin *standin(void);
void standin_reset(void);
#pragma GCC visibility pop

/* Counts a call. Its result, when it is its turn to fail. */
int standin_call(const char *name);
/* The same, for calls that need a context. */
int standin_call_in_context(const char *name);
void standin_misuse(const char *what);

/* Which kernel a function is. */
bool standin_kernel(const void *function, enum card_kind *ret);
/* Are n bytes at `at` memory that is there, of the card or page-locked? */
bool memory_has(bool on_card, uint64_t at, size_t n);
/* Does work that is not done yet touch them? (stream.c) */
bool stream_pending(uint64_t at, size_t n);

/* All blocks of a launch. */
void standin_launch(enum card_kind kind, const struct card_word *data, struct card_part *parts,
		struct card_job job, unsigned blocks);

#endif
