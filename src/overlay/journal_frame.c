/* journal_frame.c - the format: a header, and frames that each continue the one before.
 *
 *	header   128 bytes: magic, version, size, salt, what it belongs to, CRC-32
 *	frame    32 bytes: kind, blob, offset, length, CRC of the payload, CRC of all heads so far
 *	         payload, zeros up to a multiple of 8
 *
 * README.md has every byte. The chain begins with the header's CRC, and so with its salt: a frame
 * of an older life of the file continues another chain. The rules for what may follow what are in
 * frame_take(), which those who write go through as well as those who read.
 *
 * A bad frame is an end, not an error; that the disk cannot be read is an error, not an end.
 */
#include "journal_in.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include <pthfs/crc.h>

static const unsigned char magic[8] = {0x89, 'p', 't', 'h', 'f', 's', 'J', '\n'};
static const char zeros[8];

#define AT_VERSION 8
#define AT_SIZE 12
#define AT_SALT 16
#define AT_BIND 24
#define HEADER_MAX 4096u          /* of any version, to come */
#define LOOK_FOR_ZEROS (1u << 20) /* bytes */

int journal_header(unsigned char out[HEADER], const struct journal_bind *b, struct err *e)
{
	unsigned char *p = out + AT_BIND;

	memset(out, 0, HEADER);
	memcpy(out, magic, sizeof magic);
	put32(out + AT_VERSION, JOURNAL_VERSION);
	put32(out + AT_SIZE, HEADER);
	if (getrandom(out + AT_SALT, 8, 0) != 8)
		return err_sys(e, errno, "cannot get random numbers for a journal");
	put64(p, b->ino);
	put64(p + 8, b->size);
	put64(p + 16, (uint64_t)b->mtime_sec);
	put64(p + 24, (uint64_t)b->mtime_nsec);
	put64(p + 32, b->content);
	put64(p + 40, b->layout);
	put32(out + HEADER - 4, crc32_bytes(0, out, HEADER - 4));
	return 0;
}

struct journal_end journal_start(const unsigned char header[HEADER])
{
	return (struct journal_end){.end = HEADER, .crc = le32(header + HEADER - 4),
		.coming = {0, UINT64_MAX}};
}

static void bind_decode(const unsigned char *p, struct journal_bind *b)
{
	b->ino = le64(p);
	b->size = le64(p + 8);
	b->mtime_sec = (int64_t)le64(p + 16);
	b->mtime_nsec = (int64_t)le64(p + 24);
	b->content = le64(p + 32);
	b->layout = le64(p + 40);
}

static bool is_zero(const void *p, size_t n)
{
	const char *c = p;

	return n == 0 || (c[0] == 0 && memcmp(c, c + 1, n - 1) == 0);
}

/* 1: all of [HEADER, size) is zero; a header without frames is what a power loss may leave. */
static int is_zero_behind(struct journal_file *f, struct err *e)
{
	struct reader r;
	const char *p;
	size_t n;
	int err, zero = 1;

	if (f->flushed <= HEADER)
		return 1;
	if (f->flushed > LOOK_FOR_ZEROS)
		return 0;
	err = reader_init(&r, &f->head, HEADER, f->flushed - HEADER, e);
	if (err < 0)
		return err;
	while (err == 0 && zero && reader_left(&r)) {
		n = reader_left(&r) < READER_WINDOW ? (size_t)reader_left(&r) : READER_WINDOW;
		err = reader_bytes(&r, n, &p, e);
		zero = err == 0 && is_zero(p, n);
	}
	reader_release(&r);
	return err < 0 ? err : zero;
}

/* A header that was being written when the power went, of a journal that has no frames. */
static int is_nothing(struct journal_file *f, const unsigned char *h, size_t n, struct err *e)
{
	size_t known = n < sizeof magic ? n : sizeof magic;

	if (memcmp(h, magic, known) != 0 && !is_zero(h, n))
		return 0;
	return is_zero_behind(f, e);
}

/* Whether it is another version's header, whole: size and CRC are where they are in this one. */
static bool is_foreign(struct journal_file *f, const unsigned char *h)
{
	uint32_t size = le32(h + AT_SIZE);
	unsigned char all[HEADER_MAX];

	if (memcmp(h, magic, sizeof magic) != 0 || le32(h + AT_VERSION) == JOURNAL_VERSION)
		return false;
	if (size < AT_SALT + 4 || size > sizeof all || size > f->flushed ||
			source_read(&f->head, all, size, 0, NULL) < 0)
		return false;
	return le32(all + size - 4) == crc32_bytes(0, all, size - 4);
}

int journal_header_read(struct journal_file *f, struct journal_bind *b, struct journal_end *at,
		struct err *e)
{
	unsigned char h[HEADER] = {0};
	size_t n = f->flushed < HEADER ? (size_t)f->flushed : HEADER;
	uint32_t sum;
	int r = source_read(&f->head, h, n, 0, e);

	if (r < 0)
		return r;
	sum = crc32_bytes(0, h, HEADER - 4);
	if (n >= AT_SALT + 4 && is_foreign(f, h))
		return err_set(e, ERR_UNSUPPORTED,
			"the journal is of version %" PRIu32 ", and this pthfs knows version %d; "
			"finish what is in it with the pthfs that made it",
			le32(h + AT_VERSION), JOURNAL_VERSION);
	if (n == HEADER && !memcmp(h, magic, sizeof magic) && sum == le32(h + HEADER - 4) &&
			le32(h + AT_VERSION) == JOURNAL_VERSION && le32(h + AT_SIZE) == HEADER) {
		bind_decode(h + AT_BIND, b);
		*at = journal_start(h);
		return 0;
	}
	r = is_nothing(f, h, n, e);
	if (r < 0)
		return r;
	if (r)
		return err_set(e, ERR_ABSENT, "the journal holds nothing yet");
	return err_set(e, ERR_DAMAGED,
		"is no journal of pthfs, or its header is damaged (CRC %08" PRIx32 " at offset %u, "
		"should be %08" PRIx32 "); move it away to go on without the edits in it",
		le32(h + HEADER - 4), HEADER - 4, sum);
}

void frame_encode(struct frame_head *h, uint32_t before, const void *payload,
		unsigned char out[HEAD])
{
	h->sum = crc32_bytes(0, payload, (size_t)h->n);
	h->sum = crc32_bytes(h->sum, zeros, padding(h->n));
	put32(out, h->kind);
	put32(out + 4, h->blob);
	put64(out + 8, h->off);
	put64(out + 16, h->n);
	put32(out + 24, h->sum);
	h->crc = crc32_bytes(before, out, HEAD - 4);
	put32(out + HEAD - 4, h->crc);
}

struct patch patch_decode(const struct frame_head *h, uint64_t payload_at, const void *payload)
{
	struct patch p = {.how = (enum patch_how)h->blob, .off = h->off};

	p.len = p.how == PATCH_BYTES ? h->n : le64(payload);
	p.arg = p.how == PATCH_BYTES ? payload_at : le64((const char *)payload + 8);
	return p;
}

static bool take_patch(struct journal_end *t, const struct frame_head *h, const void *payload)
{
	struct patch p;

	if (t->list.n == 0) {
		t->list.at = t->end;
		t->list.crc = t->crc;
	}
	if (h->blob > PATCH_KEEP || (h->blob != PATCH_BYTES && h->n != 16))
		return false;
	p = patch_decode(h, 0, payload);
	if (p.len == 0 || p.off < t->list.next || p.off > INT64_MAX || p.len > INT64_MAX - p.off)
		return false;
	if (p.how == PATCH_PLACE && (p.arg < HEADER || p.arg > t->list.at ||
					    p.len > t->list.at - p.arg))
		return false;
	if ((p.how == PATCH_FILL && p.arg > 255) ||
			(p.how == PATCH_KEEP && (p.arg > UINT32_MAX || p.len > KEEP_MAX)))
		return false;
	t->list.n++;
	t->list.next = p.off + p.len;
	return true;
}

static bool take_list_end(struct journal_end *t, const struct frame_head *h, const void *payload)
{
	if (h->n != 8 || le64(payload) != t->list.n || h->off < t->list.next || h->off > INT64_MAX)
		return false;
	if (t->list.n == 0) {
		t->list.at = t->end;
		t->list.crc = t->crc;
	}
	t->list.size = h->off;
	t->state = JOURNAL_PATCHING;
	return true;
}

static bool take_edit(struct journal_end *t, const struct frame_head *h)
{
	if (h->kind == FRAME_OP ? h->n > JOURNAL_OP_MAX
				: h->off > INT64_MAX || h->n > INT64_MAX - h->off)
		return false;
	t->state = JOURNAL_EDITS;
	t->coming[1] = UINT64_MAX;
	return true;
}

static bool take_coming(struct journal_end *t, const struct frame_head *h, const char *payload)
{
	if (h->n != sizeof t->coming)
		return false;
	for (size_t i = 0; i < 4; i++)
		t->coming[i] = le64(payload + 8 * i);
	t->state = JOURNAL_RENAMING;
	return true;
}

static bool take_kind(struct journal_end *t, const struct frame_head *h, const void *payload)
{
	/* Behind a list there are only notes; within one, only patches. */
	if (h->kind == FRAME_NOTE)
		return h->n <= NOTE_MAX && (t->list.n == 0 || t->state == JOURNAL_PATCHING);
	if (t->state == JOURNAL_PATCHING)
		return false;
	if (h->kind == FRAME_PATCH)
		return take_patch(t, h, payload);
	if (h->kind == FRAME_PATCH_END)
		return take_list_end(t, h, payload);
	if (t->list.n)
		return false;
	if (h->kind == FRAME_COMING)
		return take_coming(t, h, payload);
	return (h->kind == FRAME_WRITE || h->kind == FRAME_OP) && take_edit(t, h);
}

bool frame_take(struct journal_end *t, const struct frame_head *h, const void *payload)
{
	struct journal_end with = *t;

	if (h->n > INT64_MAX - HEAD - 8 - t->end || !take_kind(&with, h, payload))
		return false;
	with.end += HEAD + h->n + padding(h->n);
	with.crc = h->crc;
	*t = with;
	return true;
}
