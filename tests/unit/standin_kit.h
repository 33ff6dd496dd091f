/* standin_kit.h - the engine on the stand-in's card (tests/standin), with small chunks. */
#ifndef STANDIN_KIT_H
#define STANDIN_KIT_H

#include "card_kit.h"

#include <dlfcn.h>
#include <standin.h>

#include "../../src/engine/cuda.h"
#include "../../src/engine/fatbin.h"

#define SMALL_CHUNK CARD_SPAN

static struct standin *kit_standin;
static void (*kit_standin_forget)(void);

/* Keeps the library loaded, so that what it is told outlives the engine. */
static inline bool kit_load_standin(void)
{
	void *library = dlopen(STANDIN, RTLD_NOW | RTLD_LOCAL), *p;
	struct standin *(*get)(void);

	if (!library) {
		printf("# %s\n", dlerror());
		return false;
	}
	p = dlsym(library, "standin");
	memcpy(&get, &p, sizeof p);
	p = dlsym(library, "standin_reset");
	memcpy(&kit_standin_forget, &p, sizeof p);
	kit_standin = get();
	cuda_library = STANDIN;
	cuda_chunk = SMALL_CHUNK;
	fatbin = (struct fatbin){"kernels", 75, "13.0"};
	return true;
}

/* After each test: all was given back, and nothing done that a driver would not stand. */
static inline void kit_standin_clean(void)
{
	EQ_I64(kit_standin->live, 0);
	if (kit_standin->misuse)
		EQ_STR(kit_standin->misuse, "");
	kit_standin_forget();
}

static inline struct engine *kit_card(void)
{
	struct engine *g = NULL;
	struct err e = {0};

	if (engine_open("cuda", &g, NULL, &e) < 0)
		EQ_STR(e.text, "");
	return g;
}

#endif
