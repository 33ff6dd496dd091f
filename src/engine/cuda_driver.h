/* cuda_driver.h - what is used of the NVIDIA driver's library, found at run time. Private.
 *
 * Nothing of CUDA is linked, and no header of it is needed: the driver interface has kept its
 * signatures since CUDA 3.2 (where a call changed, its new name ends in _v2), so the few that are
 * used are declared here. A context, stream, event, module or function is a pointer that only the
 * driver looks into; memory on the card is a 64-bit number; results are an int, 0 when all is well.
 */
#ifndef PTHFS_ENGINE_CUDA_DRIVER_H
#define PTHFS_ENGINE_CUDA_DRIVER_H

#include <pthfs/err.h>
#include <stddef.h>
#include <stdint.h>

/* X(member, symbol, parameters...) */
#define CUDA_CALLS(X)                                                                              \
	X(init, cuInit, unsigned flags)                                                            \
	X(version, cuDriverGetVersion, int *ret)                                                   \
	X(error_name, cuGetErrorName, int result, const char **ret)                                \
	X(error_text, cuGetErrorString, int result, const char **ret)                              \
	X(device_count, cuDeviceGetCount, int *ret)                                                \
	X(device, cuDeviceGet, int *ret, int ordinal)                                              \
	X(device_name, cuDeviceGetName, char *ret, int len, int device)                            \
	X(device_attribute, cuDeviceGetAttribute, int *ret, int which, int device)                 \
	X(device_memory, cuDeviceTotalMem_v2, size_t *ret, int device)                             \
	X(context_retain, cuDevicePrimaryCtxRetain, void **ret, int device)                        \
	X(context_release, cuDevicePrimaryCtxRelease_v2, int device)                               \
	X(context_use, cuCtxSetCurrent, void *context)                                             \
	X(memory_info, cuMemGetInfo_v2, size_t *ret_free, size_t *ret_total)                       \
	X(module_load, cuModuleLoadData, void **ret, const void *image)                            \
	X(module_unload, cuModuleUnload, void *module)                                             \
	X(module_function, cuModuleGetFunction, void **ret, void *module, const char *name)        \
	X(alloc, cuMemAlloc_v2, uint64_t *ret, size_t n)                                           \
	X(free, cuMemFree_v2, uint64_t at)                                                         \
	X(host_alloc, cuMemHostAlloc, void **ret, size_t n, unsigned flags)                        \
	X(host_free, cuMemFreeHost, void *p)                                                       \
	X(stream_create, cuStreamCreate, void **ret, unsigned flags)                               \
	X(stream_wait, cuStreamSynchronize, void *stream)                                          \
	X(stream_destroy, cuStreamDestroy_v2, void *stream)                                        \
	X(event_create, cuEventCreate, void **ret, unsigned flags)                                 \
	X(event_record, cuEventRecord, void *event, void *stream)                                  \
	X(event_wait, cuEventSynchronize, void *event)                                             \
	X(event_destroy, cuEventDestroy_v2, void *event)                                           \
	X(to_card, cuMemcpyHtoDAsync_v2, uint64_t to, const void *from, size_t n, void *stream)    \
	X(to_host, cuMemcpyDtoHAsync_v2, void *to, uint64_t from, size_t n, void *stream)          \
	X(launch, cuLaunchKernel, void *function, unsigned grid_x, unsigned grid_y,                \
			unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,     \
			unsigned shared_bytes, void *stream, void **args, void **extra)

struct cuda_driver {
	void *library;
#define X(member, symbol, ...) int (*member)(__VA_ARGS__);
	CUDA_CALLS(X)
#undef X
};

/* Results and numbers of the interface that are told apart here. */
enum {
	CUDA_OUT_OF_MEMORY = 2,
	CUDA_NO_DEVICE = 100,
	CUDA_BAD_IMAGE = 200,
	CUDA_NO_CODE_FOR_CARD = 209,
	CUDA_BAD_PTX = 218,
	CUDA_PTX_TOO_NEW = 222,
	CUDA_CAPABILITY_MAJOR = 75, /* attributes of a device */
	CUDA_CAPABILITY_MINOR = 76,
	CUDA_STREAM_NON_BLOCKING = 1, /* flags: not ordered with the default stream */
	CUDA_EVENT_BLOCKING = 1,      /* who waits sleeps */
	CUDA_EVENT_NO_TIMING = 2,
};

/* "libcuda.so.1", where the loader finds it. Tests put the path of the stand-in here; nobody else
 * may, and no environment variable of ours: a daemon of root's must not load what a user names. */
extern const char *cuda_library;

/* ERR_ABSENT: no library. ERR_UNSUPPORTED: one that lacks a call. */
int cuda_driver_open(struct cuda_driver *ret, struct err *e);
void cuda_driver_close(struct cuda_driver *d);

/* 0 when result is 0; otherwise ERR_SYS: "cuMemAlloc_v2: CUDA_ERROR_... (text)". */
int cuda_check(const struct cuda_driver *d, const char *call, int result, struct err *e);

#endif
