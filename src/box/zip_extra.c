/* zip_extra.c - extra fields: zip64 numbers, and second names.
 *
 *	id (2) | length (2) | content ...     repeated; up to 3 bytes of padding may remain
 *
 * A zip64 field (0x0001) holds, in this order, only the numbers whose 32-bit partner is all ones:
 * size, stored size, offset of the local header, disk (formats/torch-zip.md section 6). The
 * Info-ZIP field 0x7075 gives a record a second name, which some readers prefer: it is accepted
 * only where it says the same. All other fields (torch's FB padding, times, owners) are skipped.
 */
#include "zip_in.h"

#include <pthfs/reader.h>

enum { EXTRA_ZIP64 = 0x0001, EXTRA_UTF8_NAME = 0x7075 };

int zip_extra_parse(struct str extra, struct zip_extra *ret, struct err *e)
{
	struct zip_extra x = {0};
	struct str *slot, content;
	uint16_t id, len;

	while (extra.n >= 4) {
		id = le16(extra.p);
		len = le16(extra.p + 2);
		extra = str_skip(extra, 4);
		if (len > extra.n)
			return err_set(e, ERR_DAMAGED,
				"extra field 0x%04x says %u bytes where %zu are left", id, len,
				extra.n);
		content = str_cut(extra, len);
		extra = str_skip(extra, len);
		slot = id == EXTRA_ZIP64 ? &x.zip64 : id == EXTRA_UTF8_NAME ? &x.utf8name : NULL;
		if (!slot)
			continue;
		if (slot->p)
			return err_set(e, ERR_REFUSED, "extra field 0x%04x occurs twice", id);
		*slot = content;
	}
	*ret = x;
	return 0;
}

int zip64_take(struct str *field, uint32_t partner, uint64_t *ret, struct err *e)
{
	if (partner != UINT32_MAX) {
		*ret = partner;
		return 0;
	}
	if (field->n < 8)
		return err_set(
			e, ERR_DAMAGED, "a field is FFFFFFFF but its zip64 number is not there");
	*ret = le64(field->p);
	*field = str_skip(*field, 8);
	return 0;
}

/* Content: version 1 (1 byte), CRC-32 of the first name (4), the name in UTF-8. A field whose CRC
 * does not match is out of date and ignored by everybody. */
int zip_extra_name(const struct zip_extra *x, struct str name, struct err *e)
{
	struct str second;

	if (x->utf8name.n < 5 || x->utf8name.p[0] != 1)
		return 0;
	second = str_skip(x->utf8name, 5);
	if (le32(x->utf8name.p + 1) != crc32_bytes(0, name.p, name.n) || str_eq(second, name))
		return 0;
	return err_set(e, ERR_REFUSED, "it has a second name, \"%s\"", STR_SHOW(second));
}
