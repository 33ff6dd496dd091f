/* crc.c - CRC-32 by libdeflate, which uses the processor's carry-less multiplication: gigabytes a
 * second, so that sums are never what takes time.
 */
#include <pthfs/crc.h>

#include <libdeflate.h>

uint32_t crc32_bytes(uint32_t crc, const void *p, size_t n)
{
	/* libdeflate takes a null pointer for "give me the initial value". */
	return n ? libdeflate_crc32(crc, p, n) : crc;
}
