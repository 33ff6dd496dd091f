/* fatbin.c - holds the kernels as nvcc compiled them (card.cu), where there was one.
 *
 * The Makefile names the file (PTHFS_FATBIN), the oldest card in it and the version of nvcc; the
 * assembler puts the bytes into the program's read-only data. They need an alignment of 8.
 */
#include "fatbin.h"

#include <stddef.h>

#ifdef PTHFS_FATBIN

__asm__(".pushsection .rodata, \"a\"\n"
	".balign 64\n"
	".hidden pthfs_fatbin\n"
	".globl pthfs_fatbin\n"
	"pthfs_fatbin:\n"
	".incbin \"" PTHFS_FATBIN "\"\n"
	".popsection\n");

extern const unsigned char pthfs_fatbin[];

struct fatbin fatbin = {pthfs_fatbin, PTHFS_FATBIN_OLDEST, PTHFS_FATBIN_TOOLKIT};

#else

struct fatbin fatbin = {NULL, 0, NULL};

#endif
