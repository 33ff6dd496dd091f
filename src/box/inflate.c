/* inflate.c - deflated members as sources, through libzip.
 *
 * libzip has opened the same archive by itself and sees the same records (second.c), or nothing is
 * served.
 *
 *	slot:  zip_file_t at `pos`, and a ring with the RING bytes before it
 *
 *	     0 ............ pos - RING =======ring======= pos ........ size
 *
 * Deflate only goes forward. Three open positions are kept per box (not per member: memory stays
 * the same for a thousand members), each with the bytes it gave last, so that sequential readers
 * do not disturb each other and readahead in a slightly different order costs nothing. A read
 * further back starts anew. A member is inflated no further than its declared size plus one byte;
 * one that ends elsewhere is damaged.
 *
 * Thread rule: zip_t is for one thread, so one lock per box around everything. Not done: an index
 * of restart points, since torch deflates only small text records.
 */
#include "second.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 3
#define RING (4096u * 1024) /* power of two: some requests of 1 MiB may come in another order */
#define STRETCH (64u * 1024) /* inflated at a time */

struct slot {
	zip_file_t *file; /* NULL: free */
	char *ring;       /* byte i of the member stands at i % RING */
	uint64_t pos;
	uint64_t used; /* tick of the last use */
	uint32_t member;
};

struct inflater {
	pthread_mutex_t lock;
	struct box *box; /* the owner */
	struct second second;
	uint64_t tick;
	struct slot slot[SLOTS];
};

struct inflate_source {
	struct source base;
	struct inflater *f;
	uint32_t member;
};

int inflater_new(struct box *b, struct err *e)
{
	struct inflater *f = calloc(1, sizeof *f);

	if (!f)
		return err_nomem(e);
	pthread_mutex_init(&f->lock, NULL);
	second_init(&f->second, b);
	f->box = b;
	b->inflater = f;
	return 0;
}

static void slot_close(struct slot *s)
{
	if (s->file)
		zip_fclose(s->file);
	free(s->ring);
	*s = (struct slot){0};
}

void inflater_free(struct inflater *f)
{
	if (!f)
		return;
	for (int i = 0; i < SLOTS; i++)
		slot_close(&f->slot[i]);
	second_release(&f->second);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* The error of a slot whose reading failed, in words. */
static int read_failed(
	struct inflater *f, const struct slot *s, const struct member *m, struct err *e)
{
	int err = f->second.io.code;

	if (err) {
		if (e)
			*e = f->second.io;
	} else {
		err = err_set(e, ERR_DAMAGED, "it does not inflate behind byte %llu: %s",
			(unsigned long long)s->pos, zip_file_strerror(s->file));
	}
	return box_at(e, err, m->name, "data", m->data_off);
}

/* At its declared end a member must be over. libzip then also has the CRC, of which 0 means that
 * the writer left it out. */
static int check_end(struct inflater *f, struct slot *s, const struct member *m, struct err *e)
{
	char more;
	zip_int64_t n = zip_fread(s->file, &more, 1);
	int err;

	if (n == 0)
		return 0;
	if (n < 0 && f->second.io.code == 0 && m->crc == 0 &&
		zip_error_code_zip(zip_file_get_error(s->file)) == ZIP_ER_CRC)
		return 0;
	if (n < 0)
		return read_failed(f, s, m, e);
	err = err_set(e, ERR_DAMAGED, "it inflates to more than the %llu bytes the directory says",
		(unsigned long long)m->size);
	return box_at(e, err, m->name, "data", m->data_off);
}

/* Inflates the next stretch into the ring. */
static int slot_fill(struct inflater *f, struct slot *s, const struct member *m, struct err *e)
{
	size_t at = (size_t)(s->pos % RING), len = STRETCH - at % STRETCH;
	zip_int64_t n;
	int err;

	if (len > m->size - s->pos)
		len = (size_t)(m->size - s->pos);
	f->second.io.code = 0;
	n = zip_fread(s->file, s->ring + at, len);
	if (n < 0)
		return read_failed(f, s, m, e);
	if (n == 0) {
		err = err_set(e, ERR_DAMAGED, "it inflates to %llu bytes, the directory says %llu",
			(unsigned long long)s->pos, (unsigned long long)m->size);
		return box_at(e, err, m->name, "data", m->data_off);
	}
	s->pos += (uint64_t)n;
	return s->pos == m->size ? check_end(f, s, m, e) : 0;
}

/* The first byte that the ring still has; it goes up to pos. */
static uint64_t ring_start(const struct slot *s)
{
	return s->pos > RING ? s->pos - RING : 0;
}

/* The open position nearest to off from which it can be reached, or NULL. */
static struct slot *slot_find(struct inflater *f, uint32_t member, uint64_t off)
{
	struct slot *best = NULL;

	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &f->slot[i];
		if (s->file && s->member == member && ring_start(s) <= off &&
			(!best || s->pos > best->pos))
			best = s;
	}
	return best;
}

static int slot_open(struct inflater *f, uint32_t member, struct slot **ret, struct err *e)
{
	const struct member *m = &f->box->at[member];
	struct slot *s = &f->slot[0];
	int err;

	for (int i = 1; i < SLOTS; i++)
		if (f->slot[i].used < s->used)
			s = &f->slot[i];
	slot_close(s);
	f->second.io.code = 0;
	s->ring = malloc(RING);
	if (!s->ring)
		return err_nomem(e);
	s->file = zip_fopen_index(f->second.za, member, 0);
	if (!s->file) {
		err = f->second.io.code;
		if (err && e)
			*e = f->second.io;
		else if (!err)
			err = err_set(e, ERR_DAMAGED, "libzip does not open it: %s",
				zip_strerror(f->second.za));
		slot_close(s);
		return box_at(e, err, m->name, "data", m->data_off);
	}
	s->member = member;
	err = m->size == 0 ? check_end(f, s, m, e) : 0;
	if (err < 0)
		slot_close(s);
	else
		*ret = s;
	return err;
}

/* Copies what the ring has of [off, off + len); at least one byte. */
static size_t ring_copy(const struct slot *s, char *buf, size_t len, uint64_t off)
{
	size_t at = (size_t)(off % RING), n = RING - at;

	if (n > s->pos - off)
		n = (size_t)(s->pos - off);
	if (n > len)
		n = len;
	memcpy(buf, s->ring + at, n);
	return n;
}

/* Reads through one slot; the lock is held. */
static int read_slot(
	struct inflater *f, struct slot *s, char *buf, size_t len, uint64_t off, struct err *e)
{
	const struct member *m = &f->box->at[s->member];
	size_t n;
	int err;

	s->used = ++f->tick;
	while (len > 0) {
		if (off >= s->pos) {
			err = slot_fill(f, s, m, e);
			if (err < 0) {
				slot_close(s);
				return err;
			}
			continue;
		}
		n = ring_copy(s, buf, len, off);
		buf += n;
		len -= n;
		off += n;
	}
	return 0;
}

static int inflate_read_at(struct source *base, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct inflate_source *s = (struct inflate_source *)base;
	struct inflater *f = s->f;
	struct slot *slot;
	int err = 0;

	if (len == 0)
		return 0;
	pthread_mutex_lock(&f->lock);
	slot = slot_find(f, s->member, off);
	if (!slot)
		err = slot_open(f, s->member, &slot, e);
	if (err == 0)
		err = read_slot(f, slot, buf, len, off, e);
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void inflate_close(struct source *base)
{
	free(base);
}

static const struct source_ops inflate_ops = {
	.name = "inflate",
	.read_at = inflate_read_at,
	.close = inflate_close,
};

/* Opens libzip, and looks into a member that is to be empty, which no read would do. */
static int prepare(struct inflater *f, uint32_t member, struct err *e)
{
	struct slot *slot;
	int err;

	pthread_mutex_lock(&f->lock);
	err = second_open(&f->second, e);
	if (err == 0 && f->box->at[member].size == 0 && f->box->at[member].stored > 0)
		err = slot_open(f, member, &slot, e);
	pthread_mutex_unlock(&f->lock);
	return err;
}

int inflater_source(struct box *b, const struct member *m, struct source **ret, struct err *e)
{
	struct inflate_source *s;
	uint32_t member = (uint32_t)(m - b->at);
	int err;

	if (b->salvaged)
		return box_at(e,
			err_set(e, ERR_UNSUPPORTED,
				"deflated records of a file without a directory are not "
				"read"),
			m->name, "data", m->data_off);
	err = prepare(b->inflater, member, e);
	if (err < 0)
		return err;
	s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	source_init(&s->base, &inflate_ops, m->size);
	s->f = b->inflater;
	s->member = member;
	*ret = &s->base;
	return 0;
}
