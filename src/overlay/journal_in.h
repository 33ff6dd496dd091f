/* journal_in.h - the parts of a journal, between its files: journal.c is its life, journal_name.c
 * the place and the lock, journal_frame.c the format, journal_file.c the bytes, journal_append.c
 * what is added, inplace*.c the patch list.
 */
#ifndef JOURNAL_IN_H
#define JOURNAL_IN_H

#include <errno.h>
#include <limits.h>
#include <pthfs/journal.h>
#include <pthfs/reader.h>
#include <pthread.h>

#define HEADER 128u         /* bytes of the header */
#define HEAD 32u            /* bytes in front of a frame's payload */
#define SMALL 32u           /* payloads of a fixed form are at most this long */
#define NOTE_MAX 4096u
#define KEEP_MAX 4096u      /* bytes that one sample stands for */
#define PIECE (1u << 20)    /* at most so much of another file in one patch */

/* --- bytes (journal_file.c) ------------------------------------------------------------------ */

/* The file and what waits to be written to it, as an endless source. One thread writes. */
struct journal_file {
	struct source head;
	int fd;                /* owned */
	pthread_rwlock_t lock; /* of what follows */
	uint64_t flushed;      /* bytes in the file */
	char *buf;             /* [flushed, flushed + n) of the journal; owned; NULL: not yet */
	size_t n;
};

/* Takes fd over, also when it fails. */
int journal_file_new(int fd, uint64_t flushed, struct journal_file **ret, struct err *e);
/* Memory for what will be put. The only failure after which nothing is lost. */
int journal_file_room(struct journal_file *f, struct err *e);
int journal_file_put(struct journal_file *f, const void *bytes, size_t n, struct err *e);
int journal_file_flush(struct journal_file *f, struct err *e);
/* A write failed for lack of room only: what waits still waits, and may be tried again. */
static inline bool journal_no_room(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}
/* The file was made this long by the caller, and nothing waits. */
void journal_file_is(struct journal_file *f, uint64_t size);
/* Forgets what is behind end; does not touch the file. */
void journal_file_cut(struct journal_file *f, uint64_t end);
/* All n bytes at off, whatever interrupts. 0 or an errno. */
int journal_pwrite(int fd, const void *bytes, size_t n, uint64_t off);

/* --- format (journal_frame.c) ---------------------------------------------------------------- */

struct frame_head {
	uint32_t kind; /* enum frame_kind, as in the file */
	uint32_t blob; /* FRAME_WRITE; FRAME_PATCH: enum patch_how */
	uint64_t off, n;
	uint32_t sum; /* CRC-32 of the payload and the zeros behind it */
	uint32_t crc; /* of all heads up to this one */
};

enum patch_how {
	PATCH_BYTES, /* the payload */
	PATCH_PLACE, /* bytes of the journal: length, offset */
	PATCH_FILL,  /* length, the byte */
	PATCH_KEEP,  /* a sample of what stays: length, its CRC-32 */
};

struct patch {
	enum patch_how how;
	uint64_t off, len; /* in the checkpoint */
	uint64_t arg;      /* BYTES, PLACE: offset in the journal; FILL: the byte; KEEP: CRC-32 */
};

/* What all frames up to some place amount to. */
struct journal_end {
	uint64_t end;
	uint32_t crc; /* of the last head, or of the header */
	enum journal_state state;
	uint64_t coming[4]; /* inode, size, seconds, nanoseconds; size UINT64_MAX: none */
	struct {
		uint64_t at; /* of the first patch's head */
		uint32_t crc; /* before it */
		uint64_t n;
		uint64_t next; /* the next one is not for a place before this */
		uint64_t size; /* of the checkpoint when all is done */
	} list;
};

struct journal {
	struct journal_file *file;
	int dir; /* owned */
	char base[NAME_MAX + 1];
	bool readonly;
	bool longer;     /* the file has more than at.end, which is bad: cut off before writing */
	bool dir_synced; /* the name is surely durable */
	struct journal_bind bind;
	struct journal_end at;
	uint64_t synced;
	struct err broken; /* code 0: not */
};

static inline void put32(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof v);
}
static inline void put64(unsigned char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof v);
}
/* Zeros behind n bytes of payload. */
static inline size_t padding(uint64_t n)
{
	return (size_t)(-n & 7);
}

/* A header for b with a fresh salt. */
int journal_header(unsigned char out[HEADER], const struct journal_bind *b, struct err *e);
struct journal_end journal_start(const unsigned char header[HEADER]);
/* ERR_ABSENT: there is nothing of a journal in it yet. */
int journal_header_read(struct journal_file *f, struct journal_bind *b, struct journal_end *at,
		struct err *e);

/* Sets h->crc. payload: h->n bytes. */
void frame_encode(struct frame_head *h, uint32_t before, const void *payload,
		unsigned char out[HEAD]);
/* Whether a frame of this kind may stand behind those of t; then t includes it. payload: the first
 * SMALL bytes of it. */
bool frame_take(struct journal_end *t, const struct frame_head *h, const void *payload);
struct patch patch_decode(const struct frame_head *h, uint64_t payload_at, const void *payload);

/* Frames in order; what is read need not be good. */
struct walk {
	struct reader r;
	uint32_t crc;
};
int walk_init(struct walk *w, struct journal_file *f, uint64_t at, uint64_t end, uint32_t crc,
		struct err *e);
void walk_release(struct walk *w);
/* 1: a head that continues those before it, with room for its payload, where the reader stands
 * now. 0: there is none. */
int walk_head(struct walk *w, struct frame_head *h, struct err *e);
/* Reads the payload and compares its sum; keeps the first bytes. 0: it is not the one. */
int walk_payload(struct walk *w, const struct frame_head *h, char small[SMALL], struct err *e);
int walk_skip(struct walk *w, const struct frame_head *h, struct err *e);
/* All frames from at->end on; the file's size is known to f. */
int journal_scan(struct journal_file *f, struct journal_end *at, uint64_t *cut, struct err *e);
/* The frame that was good when it was scanned is not any more. */
int journal_changed(uint64_t at, struct err *e);

/* --- place (journal_name.c) ------------------------------------------------------------------ */

/* Fills dir and base. */
int journal_find(struct journal *j, const char *path, struct err *e);
/* Opens, checks, and locks unless it is read only; *fd is the caller's. */
int journal_open_file(const struct journal *j, int *fd, struct err *e);
/* The same for one that is made; *made: that it was not there. */
int journal_make_file(const struct journal *j, int *fd, bool *made, struct err *e);
int journal_sync_dir(const struct journal *j, struct err *e);
/* The name still is the file that we hold. */
bool journal_is_named(const struct journal *j, int fd);

/* --- adding (journal_append.c) --------------------------------------------------------------- */

int journal_may_write(const struct journal *j, struct err *e);
/* From now on nothing more is written. Returns the code of e. */
int journal_break(struct journal *j, const struct err *why, struct err *e);
int journal_append(struct journal *j, struct frame_head *h, const void *payload, struct err *e);
/* Drops what was added since *mark was j->at. */
void journal_rewind(struct journal *j, const struct journal_end *mark);

#endif
