/* crc.h - CRC-32 as zip and gzip have it: of records, and of the journal's frames. */
#ifndef PTHFS_CRC_H
#define PTHFS_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of n further bytes, continuing crc (0 to begin). */
uint32_t crc32_bytes(uint32_t crc, const void *p, size_t n);

#endif
