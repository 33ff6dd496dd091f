/* kernels.c - what card.cu does, block after block, thread after thread. */
#include "internal.h"

static inline __attribute__((always_inline)) void judge(enum card_kind kind,
		const struct card_word *data, struct card_part *parts, struct card_job job,
		unsigned blocks)
{
	struct card_part part[CARD_THREADS];

	for (unsigned b = 0; b < blocks; b++) {
		for (unsigned me = 0; me < CARD_THREADS; me++)
			card_thread(kind, data, job, b, me, &part[me]);
		for (unsigned step = CARD_THREADS / 2; step; step /= 2)
			for (unsigned me = 0; me < step; me++)
				card_join(&part[me], &part[me + step]);
		parts[b] = part[0];
	}
}

void standin_launch(enum card_kind kind, const struct card_word *data, struct card_part *parts,
		struct card_job job, unsigned blocks)
{
	switch (kind) {
#define X(name, size)                                                                              \
	case CARD_##name:                                                                          \
		judge(CARD_##name, data, parts, job, blocks);                                      \
		break;
		CARD_KINDS(X)
#undef X
	default:
		break;
	}
}
