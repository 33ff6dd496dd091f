/* model_kit.h - small models by hand, for the tests of the model room. */
#ifndef MODEL_KIT_H
#define MODEL_KIT_H

#include "tap.h"

#include <stdlib.h>

#include <pthfs/content.h>

static inline uint64_t kit_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A memory source of n bytes that differ from their neighbours. */
static inline struct source *kit_source(size_t n)
{
	unsigned char *p = malloc(n ? n : 1);
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)kit_random(&state);
	return source_mem_take(p, n);
}

static inline void kit_model(struct model *m)
{
	OK(model_init(m, NULL) == 0);
}

/* A storage of n bytes called key, over s (taken over) from offset off on. */
static inline uint32_t kit_storage(struct model *m, const char *key, struct source *s, uint64_t off,
		uint64_t n)
{
	struct storage st = {.key = str_of(key), .data = {s, off, n}, .nbytes = n,
			.file_off = 1000, .location = STR("cpu"), .dtype = DTYPE_FLOAT32};
	uint32_t id = MODEL_NONE;

	if (s)
		OK(model_keep(m, s) == 0);
	OK(model_add_storage(m, &st, &id, NULL) == 0);
	return id;
}

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})

static inline struct tensor kit_tensor(uint32_t storage, enum dtype dt, unsigned ndim,
		const int64_t *shape, const int64_t *stride)
{
	return (struct tensor){.storage = storage, .dtype = (uint8_t)dt, .ndim = (uint8_t)ndim,
			.shape = shape, .stride = stride, .obj = OREF_NIL};
}

static inline uint32_t kit_add(struct model *m, struct tensor t)
{
	uint32_t id = MODEL_NONE;

	OK(model_add_tensor(m, &t, &id, NULL) == 0);
	return id;
}

/* Adds and returns it; valid until the next one. */
static inline const struct tensor *kit_get(struct model *m, struct tensor t)
{
	uint32_t id = kit_add(m, t); /* moves the tensors */

	return &m->tensors.at[id];
}

#endif
