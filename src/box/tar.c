/* tar.c - uncompressed tar archives: what torch wrote before 0.1.7 (formats/torch-legacy.md
 * section 6).
 *
 *	header (512) | data, padded to 512 | header | ... | 512 zero bytes, or the end of the file
 *
 *	off size          off size               off size
 *	  0 100 name      148   8 checksum       257   6 "ustar" NUL (POSIX), "ustar " (GNU), else
 *v7 124  12 size      156   1 type           345 155 prefix of the name (POSIX only)
 *
 * Numbers are octal text, or base 256 where the first byte is 80. Regular files only: links,
 * folders, pax and GNU long-name headers are refused in words, since torch's own four members need
 * none of them. The first zero block ends the archive, as for Python's tarfile.
 *
 * Not done: salvage. box.dead stays 0: padding behind the end is how tar is.
 */
#include "box_in.h"

#include <string.h>

#include <pthfs/box.h>

#define BLOCK 512u

enum { SIZE_AT = 124, SUM_AT = 148, TYPE_AT = 156, MAGIC_AT = 257, PREFIX_AT = 345 };

/* Octal text, blanks before it, a blank or NUL (or the end of the field) after it. */
static bool octal(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0, digits = 0;

	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++, digits++) {
		if (v >> 61)
			return false;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	if (digits == 0 || (i < n && p[i] != ' ' && p[i] != 0))
		return false;
	*ret = v;
	return true;
}

static bool number(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if (!(p[0] & 0x80))
		return octal(p, n, ret);
	if ((uint8_t)p[0] != 0x80) /* negative, or over 2^88 */
		return false;
	for (size_t i = 1; i < n; i++) {
		if (v >> 55)
			return false; /* sizes stay below 2^63 */
		v = v << 8 | (uint8_t)p[i];
	}
	*ret = v;
	return true;
}

/* The sum of all bytes, those of the checksum itself as blanks; old programs summed signed. */
static bool sum_is_right(const char *p)
{
	uint64_t want;
	int64_t with_sign = 0, without = 0;

	if (!octal(p + SUM_AT, 8, &want))
		return false;
	for (size_t i = 0; i < BLOCK; i++) {
		char c = i >= SUM_AT && i < SUM_AT + 8 ? ' ' : p[i];
		with_sign += (signed char)c;
		without += (unsigned char)c;
	}
	return (int64_t)want == without || (int64_t)want == with_sign;
}

static bool is_zero(const char *p)
{
	return p[0] == 0 && memcmp(p, p + 1, BLOCK - 1) == 0;
}

static struct str field(const char *p, size_t n)
{
	return (struct str){p, strnlen(p, n)};
}

/* "prefix/name" in out, which has room for 256 bytes. */
static struct str member_name(const char *p, char *out)
{
	struct str name = field(p, 100), prefix = {"", 0};
	size_t n = 0;

	if (memcmp(p + MAGIC_AT, "ustar", 6) == 0) /* with its NUL */
		prefix = field(p + PREFIX_AT, 155);
	if (prefix.n) {
		memcpy(out, prefix.p, prefix.n);
		n = prefix.n;
		out[n++] = '/';
	}
	memcpy(out + n, name.p, name.n);
	return (struct str){out, n + name.n};
}

static const char *type_word(char type)
{
	switch (type) {
	case '1':
	case '2':
		return "a link";
	case '3':
	case '4':
	case '6':
		return "a device or pipe";
	case '5':
		return "a folder";
	case 'x':
	case 'g':
		return "a pax header";
	case 'L':
	case 'K':
		return "a GNU long name";
	default:
		return "of an unknown type";
	}
}

/* p: the header at m->header_off, its sum checked. */
static int check_member(
	const char *p, struct str name, uint64_t file_size, struct member *m, struct err *e)
{
	uint64_t left = file_size - m->header_off - BLOCK;

	if (p[TYPE_AT] != '0' && p[TYPE_AT] != 0)
		return err_set(e, ERR_UNSUPPORTED, "it is %s; only plain files are read",
			type_word(p[TYPE_AT]));
	if (name.n && name.p[name.n - 1] == '/')
		return err_set(e, ERR_UNSUPPORTED, "it is a folder; only plain files are read");
	if (!number(p + SIZE_AT, 12, &m->size))
		return err_set(e, ERR_DAMAGED, "its size is not a number");
	if (m->size > left)
		return err_set(e, ERR_TRUNCATED, "it has %llu bytes, of which the file holds %llu",
			(unsigned long long)m->size, (unsigned long long)left);
	m->stored = m->size;
	m->data_off = m->header_off + BLOCK;
	return 0;
}

static int add_member(
	struct box_build *w, const char *p, uint64_t off, uint64_t *ret_next, struct err *e)
{
	struct member m = {.header_off = off};
	uint64_t size = w->box->file->size, end;
	char full[256];
	struct str name = member_name(p, full);
	int err = check_member(p, name, size, &m, e);

	if (err == 0)
		err = box_keep_name(w, name, &m.name, e);
	if (err == 0 && box_lookup(w, m.name) != IDMAP_NONE)
		err = err_set(e, ERR_REFUSED, "two members have this name");
	if (err == 0)
		err = box_push(w, &m, e);
	if (err < 0) {
		err_prefix(e, "tar member \"%s\" at offset %llu", STR_SHOW(name),
			(unsigned long long)off);
		return err;
	}
	/* The padding of the last member may be missing. */
	end = m.data_off + m.size;
	end += -end % BLOCK;
	*ret_next = end < size ? end : size;
	return 0;
}

static int load(struct box_build *w, struct err *e)
{
	uint64_t off = 0, size = w->box->file->size;
	char p[BLOCK];
	int err;

	while (size - off >= BLOCK) {
		err = source_read(w->box->file, p, BLOCK, off, e);
		if (err < 0)
			return err;
		if (is_zero(p))
			return 0;
		if (!sum_is_right(p))
			return err_set(e, ERR_DAMAGED,
				"no tar header at offset %llu (its checksum is wrong)",
				(unsigned long long)off);
		err = add_member(w, p, off, &off, e);
		if (err < 0)
			return err;
	}
	if (off < size)
		return err_set(e, ERR_TRUNCATED, "the tar header at offset %llu is cut off",
			(unsigned long long)off);
	return 0;
}

int box_tar_open(struct source *file, const struct box_opts *o, struct box **ret, struct err *e)
{
	struct box_build w;
	char p[BLOCK];
	int err;

	(void)o;
	if (file->size < BLOCK)
		return err_set(e, ERR_NOT_CKPT, "not a tar: only %llu bytes",
			(unsigned long long)file->size);
	err = source_read(file, p, BLOCK, 0, e);
	if (err < 0)
		return err;
	if (p[0] == 0 || !sum_is_right(p))
		return err_set(e, ERR_NOT_CKPT, "not a tar: no header at the start of the file");
	err = box_build_init(&w, file, "tar", e);
	if (err < 0)
		return err;
	err = load(&w, e);
	if (err == 0)
		return box_seal(&w, ret, e);
	box_build_drop(&w);
	return err;
}
