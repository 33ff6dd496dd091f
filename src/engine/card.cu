/* card.cu - a kernel for each kind of element. Which arithmetic, and in which order: card.h.
 *
 * pthfs_KIND<<<blocks of 64 KiB, CARD_THREADS>>>(bytes, parts, job): parts[block] is what the block
 * saw. Compiled by the Makefile to a fat binary, which fatbin.c holds; loaded by cuda_open.c.
 */
#include "card.h"

template <enum card_kind KIND>
static __device__ __forceinline__ void judge(const struct card_word *data,
		struct card_part *parts, struct card_job job)
{
	__shared__ struct card_part part[CARD_THREADS];
	const uint32_t me = threadIdx.x;
	struct card_part mine;

	card_thread(KIND, data, job, blockIdx.x, me, &mine);
	part[me] = mine;
	for (uint32_t step = CARD_THREADS / 2; step; step /= 2) {
		__syncthreads();
		if (me < step)
			card_join(&part[me], &part[me + step]);
	}
	if (me == 0)
		parts[blockIdx.x] = part[0];
}

#define X(name, size)                                                                              \
	extern "C" __global__ void __launch_bounds__(CARD_THREADS)                               \
			pthfs_##name(const struct card_word *data, struct card_part *parts,    \
					struct card_job job)                                     \
	{                                                                                          \
		judge<CARD_##name>(data, parts, job);                                            \
	}
CARD_KINDS(X)
#undef X
