/* zip_save_bytes.c - headers, descriptors, directory entries and end records, byte for byte as
 * torch writes them.
 *
 *	local header (30) | name | [zip64] | FB padding | payload | [descriptor 16 or 24]
 *	entry (46) | name | [zip64]
 *	zip64 end record (56) | locator (20) | end record (22) | comment
 *
 * zip64 begins at FFFFFFFF, not above it; the stored size in a local zip64 field is 0; an offset
 * can stand there alone. The padding field is not there when there is no room for it, which only
 * happens where a record was put into another one's place. (formats/torch-zip.md sections 4 to 6)
 */
#include "zip_save.h"

#include <endian.h>

static void put_le(struct buf *b, uint64_t v, unsigned bytes)
{
	v = htole64(v);
	buf_put(b, &v, bytes);
}

bool zip_is64(uint64_t header_off, uint64_t size)
{
	return size >= ZIP_BIG || header_off >= ZIP_BIG;
}

/* The zip64 field of a header, its own 4 bytes included. */
static unsigned field_size(uint64_t header_off, uint64_t size)
{
	if (!zip_is64(header_off, size))
		return 0;
	return 4 + (size >= ZIP_BIG ? 16 : 0) + (header_off >= ZIP_BIG ? 8 : 0);
}

uint64_t zip_payload_off(uint64_t header_off, size_t name, uint64_t size, uint64_t align)
{
	uint64_t start = header_off + ZIP_LOCAL_SIZE + name + field_size(header_off, size) +
			 ZIP_FB_SIZE;

	return start + (align - start % align) % align;
}

static unsigned descriptor_size(uint64_t header_off, uint64_t size)
{
	if (size == 0)
		return 0;
	return zip_is64(header_off, size) ? 24 : 16;
}

uint64_t zip_rec_end(const struct zip_rec *r)
{
	return r->data_off + r->size + descriptor_size(r->header_off, r->size);
}

static uint16_t flags_of(const struct zip_rec *r)
{
	return r->size ? 0x0808 : 0x0800;
}

/* `stored` is 0 in a local header. */
static void put_field(struct buf *b, const struct zip_rec *r, uint64_t stored)
{
	unsigned n = field_size(r->header_off, r->size);

	if (!n)
		return;
	put_le(b, 1, 2);
	put_le(b, n - 4, 2);
	if (r->size >= ZIP_BIG) {
		put_le(b, r->size, 8);
		put_le(b, stored, 8);
	}
	if (r->header_off >= ZIP_BIG)
		put_le(b, r->header_off, 8);
}

static void put_padding(struct buf *b, size_t n)
{
	static const char z[256] = {[0 ... 255] = 'Z'};
	size_t part;

	if (n < ZIP_FB_SIZE)
		return;
	buf_puts(b, "FB");
	put_le(b, n - ZIP_FB_SIZE, 2);
	for (n -= ZIP_FB_SIZE; n; n -= part) {
		part = n < sizeof z ? n : sizeof z;
		buf_put(b, z, part);
	}
}

void zip_put_local(struct buf *b, const struct zip_rec *r)
{
	size_t extra = (size_t)(r->data_off - r->header_off) - ZIP_LOCAL_SIZE - r->name.n;

	buf_put(b, "PK\3\4", 4);
	put_le(b, 0, 2);
	put_le(b, flags_of(r), 2);
	put_le(b, 0, 8); /* method, time, date; half of the CRC */
	put_le(b, 0, 8); /* the other half, stored size, and half of the size */
	put_le(b, 0, 2);
	put_le(b, r->name.n, 2);
	put_le(b, extra, 2);
	buf_str(b, r->name);
	put_field(b, r, 0);
	put_padding(b, extra - field_size(r->header_off, r->size));
}

void zip_put_descriptor(struct buf *b, const struct zip_rec *r)
{
	unsigned n = descriptor_size(r->header_off, r->size), width = n == 24 ? 8 : 4;

	if (!n)
		return;
	buf_put(b, "PK\7\10", 4);
	put_le(b, r->crc, 4);
	put_le(b, r->size, width);
	put_le(b, r->size, width);
}

static uint32_t clamp32(uint64_t v)
{
	return v >= ZIP_BIG ? UINT32_MAX : (uint32_t)v;
}

void zip_put_central(struct buf *b, const struct zip_rec *r)
{
	buf_put(b, "PK\1\2", 4);
	put_le(b, 0, 4); /* made by, needed */
	put_le(b, flags_of(r), 2);
	put_le(b, 0, 6); /* method, time, date */
	put_le(b, r->crc, 4);
	put_le(b, clamp32(r->size), 4);
	put_le(b, clamp32(r->size), 4);
	put_le(b, r->name.n, 2);
	put_le(b, field_size(r->header_off, r->size), 2);
	put_le(b, 0, 8); /* comment, disk, attributes */
	put_le(b, 0, 2);
	put_le(b, clamp32(r->header_off), 4);
	buf_str(b, r->name);
	put_field(b, r, r->size);
}

void zip_put_tail(struct buf *b, uint64_t n, uint64_t dir_off, uint64_t dir_size,
		struct str comment)
{
	uint64_t end64 = dir_off + dir_size, small = n > UINT16_MAX ? UINT16_MAX : n;

	buf_put(b, "PK\6\6", 4);
	put_le(b, 44, 8);
	put_le(b, 0x002d031e, 4);
	put_le(b, 0, 8);
	put_le(b, n, 8);
	put_le(b, n, 8);
	put_le(b, dir_size, 8);
	put_le(b, dir_off, 8);
	buf_put(b, "PK\6\7", 4);
	put_le(b, 0, 4);
	put_le(b, end64, 8);
	put_le(b, 1, 4);
	buf_put(b, "PK\5\6", 4);
	put_le(b, 0, 4);
	put_le(b, small, 2);
	put_le(b, small, 2);
	put_le(b, clamp32(dir_size), 4);
	put_le(b, clamp32(dir_off), 4);
	put_le(b, comment.n, 2);
	buf_str(b, comment);
}
