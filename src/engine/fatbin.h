/* fatbin.h - the compiled kernels that this program carries. Private to the engine room. */
#ifndef PTHFS_ENGINE_FATBIN_H
#define PTHFS_ENGINE_FATBIN_H

struct fatbin {
	const void *image;   /* for cuModuleLoadData(); NULL: built without nvcc */
	unsigned oldest;     /* the least capable card that there is code for: 75 is 7.5 */
	const char *toolkit; /* "13.0": the CUDA that they were compiled with */
};

/* Nobody changes it but tests, that have a stand-in for a card and maybe no nvcc. */
extern struct fatbin fatbin;

#endif
