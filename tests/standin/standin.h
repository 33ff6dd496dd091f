/* standin.h - a driver that plays cards with the processor, for tests: what it can be told.
 *
 * The library is built as libcuda.so.1 and has the calls of src/engine/cuda_driver.h. It does
 * everything as late as a driver may: what is put on a stream is done when somebody waits for it, so
 * a buffer that is filled again too early, or read too early, shows in the numbers. It refuses what
 * a driver refuses (no current context, unknown pointers) and counts what must not happen.
 *
 * A test calls standin(), by dlsym(), and changes what it gets. A program that finds the library by
 * LD_LIBRARY_PATH is told by the environment: STANDIN_DEVICES, STANDIN_FAIL_AT, STANDIN_CORRUPT,
 * STANDIN_VERSION, STANDIN_MEMORY.
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stddef.h>

struct standin {
	/* How it is. */
	int devices;         /* cards */
	int version;         /* of CUDA that the driver knows: 13000 */
	int capability;      /* of the cards: 75 is 7.5 */
	size_t memory;       /* bytes free on a card */
	int init_result;     /* of cuInit() */
	int load_result;     /* of cuModuleLoadData() */

	/* What goes wrong. Numbers count from 1, from the last standin_reset(). */
	unsigned fail_at;    /* the n-th call; 0: none */
	int fail_with;       /* the result of that */
	int lost;            /* and all calls after it fail too, as when a card is lost */
	unsigned corrupt;    /* the n-th copy to the card flips a bit */
	unsigned short_run;  /* the n-th launch does nothing */

	/* What happened. */
	unsigned calls, copies, launches;
	const char *failed;  /* name of the call that failed */
	int live;            /* contexts, modules, streams, events and memory that are not given back */
	int pending;         /* works on streams that are not done yet */
	int busiest;         /* streams that had such work at once, at most */
	const char *misuse;  /* the first thing that a program must not do; NULL: none */
};

struct standin *standin(void);
void standin_reset(void); /* as it was when it was loaded; what is live stays so */

#endif
