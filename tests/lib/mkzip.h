/* mkzip.h - zip archives in memory, byte by byte as torch.save lays them out.
 *
 *	struct mkzip z = {0};
 *	mkzip_add(&z, "a/data.pkl", "...", 3);
 *	mkzip_finish(&z);                       z.p, z.n is the archive
 *	mkzip_free(&z);
 *
 * FB padding to 64, descriptors, zip64 fields and end records are torch's (formats/torch-zip.md
 * sections 4 to 6). Every place is remembered, so that a test can lie about one field:
 * mkzip_set16(&z, z.rec[1].central + 8, 0x0801).
 *
 * One record may be a hole of any size (mkzip_hole): its zeros are not in memory, but count in
 * all offsets; write the two halves around z.hole_at, or use mkzip_memfd().
 */
#ifndef MKZIP_H
#define MKZIP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum mkzip_how {
	MKZIP_DEFLATE = 1,
	MKZIP_SIZES_FIRST = 2, /* no descriptor: CRC and sizes in the local header */
	MKZIP_NO_FB = 4,       /* no padding field */
	MKZIP_ZIP64 = 8,       /* zip64 fields although nothing needs them */
};

struct mkzip_rec {
	uint64_t header, data, desc; /* offsets in the file; desc is one past the payload */
	uint64_t stored, size;
	size_t central; /* offset in the file, after mkzip_dir() */
	uint32_t crc;
	uint16_t flags, method, name;
	bool zip64;
	char *text; /* the name */
};

struct mkzip {
	char *p;
	size_t n, cap;
	struct mkzip_rec *rec;
	size_t nrec, reccap;
	uint64_t dir, end64, locator, end; /* offsets in the file */
	uint64_t hole, hole_at;            /* zeros, and where they belong in p */
	bool no_end64;                     /* set before mkzip_end() */
};

static inline void mkzip_put(struct mkzip *z, const void *data, size_t n)
{
	if (n > z->cap - z->n) {
		z->cap = (z->n + n) * 2;
		z->p = realloc(z->p, z->cap);
		if (!z->p)
			abort();
	}
	if (n)
		memcpy(z->p + z->n, data, n);
	z->n += n;
}

static inline void mkzip_le(struct mkzip *z, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		mkzip_put(z, &(char){(char)(i < 8 ? v >> 8 * i : 0)}, 1);
}

/* Where the next byte goes, as the file counts. */
static inline uint64_t mkzip_pos(const struct mkzip *z)
{
	return z->n + z->hole;
}

static inline char *mkzip_at(struct mkzip *z, uint64_t off)
{
	return z->p + (z->hole && off >= z->hole_at + z->hole ? off - z->hole : off);
}

static inline void mkzip_set(struct mkzip *z, uint64_t off, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		mkzip_at(z, off)[i] = (char)(v >> 8 * i);
}
#define mkzip_set16(z, off, v) mkzip_set((z), (off), (v), 2)
#define mkzip_set32(z, off, v) mkzip_set((z), (off), (v), 4)
#define mkzip_set64(z, off, v) mkzip_set((z), (off), (v), 8)

static inline struct mkzip_rec *mkzip_new_rec(struct mkzip *z, const void *name, size_t n)
{
	struct mkzip_rec *r;

	if (z->nrec == z->reccap) {
		z->reccap = z->reccap ? z->reccap * 2 : 8;
		z->rec = realloc(z->rec, z->reccap * sizeof *z->rec);
		if (!z->rec)
			abort();
	}
	r = &z->rec[z->nrec++];
	*r = (struct mkzip_rec){.name = (uint16_t)n, .text = malloc(n + 1)};
	if (!r->text)
		abort();
	memcpy(r->text, name, n);
	r->text[n] = 0;
	return r;
}

/* The local header with its extra fields, as torch computes them; sets r->data. */
static inline void mkzip_local(struct mkzip *z, struct mkzip_rec *r, int how)
{
	bool big = r->size >= 0xffffffff, far = mkzip_pos(z) >= 0xffffffff;
	bool first = how & MKZIP_SIZES_FIRST, forced = how & MKZIP_ZIP64;
	uint64_t start;
	unsigned extra = 0, field = 0, pad = 0;

	r->header = mkzip_pos(z);
	r->zip64 = big || far || forced;
	if (r->zip64)
		field = forced ? 16 : (big ? 16 : 0) + (far ? 8 : 0);
	start = r->header + 30 + r->name + 4 + (r->zip64 ? 4 + field : 0);
	if (!(how & MKZIP_NO_FB)) {
		pad = (unsigned)((64 - start % 64) % 64);
		extra = 4 + pad;
	}
	if (r->zip64)
		extra += 4 + field;
	mkzip_le(z, 0x04034b50, 4);
	mkzip_le(z, r->method ? 20 : 0, 2);
	mkzip_le(z, r->flags, 2);
	mkzip_le(z, r->method, 2);
	mkzip_le(z, 0, 4);
	mkzip_le(z, first ? r->crc : 0, 4);
	mkzip_le(z, forced ? 0xffffffff : first ? r->stored : 0, 4);
	mkzip_le(z, forced ? 0xffffffff : first ? r->size : 0, 4);
	mkzip_le(z, r->name, 2);
	mkzip_le(z, extra, 2);
	mkzip_put(z, r->text, r->name);
	if (r->zip64) {
		mkzip_le(z, 1, 2);
		mkzip_le(z, field, 2);
		if (big || forced) {
			mkzip_le(z, r->size, 8);
			mkzip_le(z, forced ? r->stored : 0, 8); /* 0: torch's own oddity */
		}
		if (far && !forced)
			mkzip_le(z, r->header, 8);
	}
	if (!(how & MKZIP_NO_FB)) {
		mkzip_le(z, 0x4246, 2);
		mkzip_le(z, pad, 2);
		for (unsigned i = 0; i < pad; i++)
			mkzip_put(z, "Z", 1);
	}
	r->data = mkzip_pos(z);
}

static inline void mkzip_descriptor(struct mkzip *z, struct mkzip_rec *r)
{
	r->desc = mkzip_pos(z);
	if (!(r->flags & 8))
		return;
	mkzip_le(z, 0x08074b50, 4);
	mkzip_le(z, r->crc, 4);
	mkzip_le(z, r->stored, r->zip64 ? 8 : 4);
	mkzip_le(z, r->size, r->zip64 ? 8 : 4);
}

static inline void *mkzip_squeeze(const void *data, size_t n, size_t *ret)
{
	z_stream s = {0};
	size_t room;
	void *out;

	if (deflateInit2(&s, 6, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	room = deflateBound(&s, n) + 16;
	out = malloc(room);
	s.next_in = (void *)(uintptr_t)data;
	s.avail_in = (unsigned)n;
	s.next_out = out;
	s.avail_out = (unsigned)room;
	if (!out || deflate(&s, Z_FINISH) != Z_STREAM_END)
		abort();
	*ret = room - s.avail_out;
	deflateEnd(&s);
	return out;
}

/* A record with a name of nname bytes; returns its index in z->rec. */
static inline size_t mkzip_add_as(
	struct mkzip *z, const void *name, size_t nname, const void *data, size_t n, int how)
{
	struct mkzip_rec *r = mkzip_new_rec(z, name, nname);
	void *small = NULL;
	size_t stored = n;

	if (how & MKZIP_DEFLATE) {
		small = mkzip_squeeze(data, n, &stored);
		r->method = 8;
	}
	r->size = n;
	r->stored = stored;
	r->crc = n ? (uint32_t)crc32(0, data, (unsigned)n) : 0;
	r->flags = stored && !(how & MKZIP_SIZES_FIRST) ? 0x0808 : 0x0800;
	mkzip_local(z, r, how);
	mkzip_put(z, small ? small : data, stored);
	mkzip_descriptor(z, r);
	free(small);
	return z->nrec - 1;
}

static inline size_t mkzip_add(struct mkzip *z, const char *name, const void *data, size_t n)
{
	return mkzip_add_as(z, name, strlen(name), data, n, 0);
}

/* The last record will have no directory entry: its bytes become dead space. */
static inline void mkzip_forget(struct mkzip *z)
{
	free(z->rec[--z->nrec].text);
}

/* A record of `size` zeros that are not in memory; its CRC is left 0. At most one. */
static inline size_t mkzip_hole(struct mkzip *z, const char *name, uint64_t size)
{
	struct mkzip_rec *r = mkzip_new_rec(z, name, strlen(name));

	r->size = r->stored = size;
	r->flags = 0x0808;
	mkzip_local(z, r, 0);
	z->hole_at = z->n;
	z->hole = size;
	mkzip_descriptor(z, r);
	return z->nrec - 1;
}

static inline void mkzip_central(struct mkzip *z, struct mkzip_rec *r)
{
	bool big = r->size >= 0xffffffff, far = r->header >= 0xffffffff;
	unsigned field = (big ? 16 : 0) + (far ? 8 : 0);

	r->central = mkzip_pos(z);
	mkzip_le(z, 0x02014b50, 4);
	mkzip_le(z, 0, 2);
	mkzip_le(z, r->method ? 20 : 0, 2);
	mkzip_le(z, r->flags, 2);
	mkzip_le(z, r->method, 2);
	mkzip_le(z, 0, 4);
	mkzip_le(z, r->crc, 4);
	mkzip_le(z, big ? 0xffffffff : r->stored, 4);
	mkzip_le(z, big ? 0xffffffff : r->size, 4);
	mkzip_le(z, r->name, 2);
	mkzip_le(z, field ? 4 + field : 0, 2);
	mkzip_le(z, 0, 2 + 2 + 2 + 4);
	mkzip_le(z, far ? 0xffffffff : r->header, 4);
	mkzip_put(z, r->text, r->name);
	if (!field)
		return;
	mkzip_le(z, 1, 2);
	mkzip_le(z, field, 2);
	if (big) {
		mkzip_le(z, r->size, 8);
		mkzip_le(z, r->stored, 8);
	}
	if (far)
		mkzip_le(z, r->header, 8);
}

static inline void mkzip_dir(struct mkzip *z)
{
	z->dir = mkzip_pos(z);
	for (size_t i = 0; i < z->nrec; i++)
		mkzip_central(z, &z->rec[i]);
}

/* End records for the directory [z->dir, dir_end). */
static inline void mkzip_end_at(struct mkzip *z, uint64_t dir_end)
{
	uint64_t size = dir_end - z->dir;
	uint64_t n16 = z->nrec > 0xffff ? 0xffff : z->nrec;

	z->end64 = mkzip_pos(z);
	if (!z->no_end64) {
		mkzip_le(z, 0x06064b50, 4);
		mkzip_le(z, 44, 8);
		mkzip_le(z, 0x1e | 3 << 8 | 0x2d << 16, 4);
		mkzip_le(z, 0, 8);
		mkzip_le(z, z->nrec, 8);
		mkzip_le(z, z->nrec, 8);
		mkzip_le(z, size, 8);
		mkzip_le(z, z->dir, 8);
		z->locator = mkzip_pos(z);
		mkzip_le(z, 0x07064b50, 4);
		mkzip_le(z, 0, 4);
		mkzip_le(z, z->end64, 8);
		mkzip_le(z, 1, 4);
	}
	z->end = mkzip_pos(z);
	mkzip_le(z, 0x06054b50, 4);
	mkzip_le(z, 0, 4);
	mkzip_le(z, n16, 2);
	mkzip_le(z, n16, 2);
	mkzip_le(z, size > 0xffffffff ? 0xffffffff : size, 4);
	mkzip_le(z, z->dir > 0xffffffff ? 0xffffffff : z->dir, 4);
	mkzip_le(z, 0, 2);
}

static inline void mkzip_finish(struct mkzip *z)
{
	mkzip_dir(z);
	mkzip_end_at(z, mkzip_pos(z));
}

static inline void mkzip_comment(struct mkzip *z, const void *text, uint16_t n)
{
	mkzip_set16(z, z->end + 20, n);
	mkzip_put(z, text, n);
}

static inline void mkzip_free(struct mkzip *z)
{
	for (size_t i = 0; i < z->nrec; i++)
		free(z->rec[i].text);
	free(z->rec);
	free(z->p);
	*z = (struct mkzip){0};
}

/* The archive as a file in memory, holes and all; -1 when there is none to be had. */
static inline int mkzip_memfd(const struct mkzip *z)
{
	size_t first = z->hole ? (size_t)z->hole_at : z->n;
	int fd = memfd_create("mkzip", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)mkzip_pos(z)) < 0 ||
		pwrite(fd, z->p, first, 0) != (ssize_t)first ||
		pwrite(fd, z->p + first, z->n - first, (off_t)(first + z->hole)) !=
			(ssize_t)(z->n - first)) {
		close(fd);
		return -1;
	}
	return fd;
}

#endif
