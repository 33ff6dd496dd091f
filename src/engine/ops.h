/* ops.h - what an engine is made of. Private to the engine room.
 *
 * engine_open() (engine.c) picks the ops by the name of the device; each engine embeds a struct
 * engine as its first member and frees it in close(). open() fills name with what engine_name()
 * says. run() is called by one thread at a time, except that of the CPU, and leaves *ret alone when
 * it fails.
 */
#ifndef PTHFS_ENGINE_OPS_H
#define PTHFS_ENGINE_OPS_H

#include <pthfs/engine.h>

struct engine_ops {
	const char *name; /* "cpu", "cuda" */
	int (*open)(unsigned ordinal, struct engine **ret, struct err *e);
	int (*run)(struct engine *g, const struct content *c, enum dtype dt, struct stats *ret,
			struct err *e);
	void (*close)(struct engine *g);
};

struct engine {
	const struct engine_ops *ops;
	char name[128];
};

extern const struct engine_ops engine_cpu_ops;  /* cpu.c */
extern const struct engine_ops engine_cuda_ops; /* cuda.c; open() is ERR_ABSENT where there is none */

#endif
