/* journal_kit.h - a journal in a folder of its own, and what is read back from one. */
#ifndef JOURNAL_KIT_H
#define JOURNAL_KIT_H

#include <pthfs/journal.h>
#include <sys/stat.h>

#include "sink_kit.h"

#define KIT_HEADER 128

static const struct journal_bind kit_bind = {.ino = 7, .size = 1000, .mtime_sec = -5,
	.mtime_nsec = 123456789, .content = 0x1122334455667788, .layout = UINT64_MAX};

static struct journal *kit_j;
static uint64_t kit_cut;

/* The frames of a journal as one line: "write 3 100+5 hello; op abc; ". */
static char kit_frames[4096];

static inline int kit_frame(void *ctx, const struct frame *f)
{
	static const char *const names[] = {"?", "write", "op", "coming", "patch", "end", "note"};
	size_t at = strlen(kit_frames), room = sizeof kit_frames - at;
	char bytes[32] = {0};

	if (f->kind == FRAME_WRITE) {
		source_read(journal_source(kit_j), bytes, f->n < 31 ? (size_t)f->n : 31, f->where,
			NULL);
		snprintf(kit_frames + at, room, "write %u %d+%d %s; ", f->blob, (int)f->off,
			(int)f->n, bytes);
	} else {
		snprintf(kit_frames + at, room, "%s %.*s; ", names[f->kind],
			f->kind == FRAME_COMING ? 0 : STR_FMT(f->payload));
	}
	return 0;
}

static inline const char *frames(void)
{
	kit_frames[0] = 0;
	EQ_I64(journal_each(kit_j, kit_frame, NULL, NULL), 0);
	return kit_frames;
}

static inline int make_journal(const struct journal_bind *b)
{
	kit_err.text[0] = 0;
	unlink(in_dir("j"));
	return journal_create(in_dir("j"), b, &kit_j, &kit_err);
}

static inline int open_journal(bool readonly)
{
	kit_err.text[0] = 0;
	kit_cut = 0;
	return journal_open(in_dir("j"), readonly, &kit_j, &kit_cut, &kit_err);
}

static inline void close_journal(void)
{
	journal_close(kit_j);
	kit_j = NULL;
}

static inline uint64_t put(uint32_t blob, uint64_t off, const char *text)
{
	uint64_t where = 0;

	EQ_I64(journal_write(kit_j, blob, off, text, strlen(text), &where, &kit_err), 0);
	return where;
}

/* All of a file; malloc. */
static inline char *slurp(const char *name, size_t *n)
{
	int fd = open(in_dir(name), O_RDONLY);
	struct stat st = {0};
	char *p;

	OK(fd >= 0 && fstat(fd, &st) == 0);
	*n = (size_t)st.st_size;
	p = malloc(*n + 1);
	OK(p && pread(fd, p, *n, 0) == (ssize_t)*n);
	close(fd);
	return p;
}

static inline void spill(const char *name, const void *p, size_t n)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	OK(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

/* A journal with one frame of each kind of edit, byte for byte. */
static struct {
	char *p;
	size_t n;
	size_t ends[8]; /* where each frame ends, the header first */
	int frames;
} whole;

static inline void frame_ends_here(void)
{
	whole.ends[whole.frames++] = (size_t)journal_size(kit_j);
}

static inline void make_whole(void)
{
	struct stat st = {.st_ino = 5, .st_size = 6};

	EQ_I64(make_journal(&kit_bind), 0);
	frame_ends_here();
	put(3, 100, "hello");
	frame_ends_here();
	journal_op(kit_j, "an operation", 12, NULL);
	frame_ends_here();
	journal_coming(kit_j, &st, NULL);
	frame_ends_here();
	journal_note(kit_j, "why", NULL);
	frame_ends_here();
	put(3, 0, "12345678");
	frame_ends_here();
	EQ_I64(journal_sync(kit_j, NULL), 0);
	close_journal();
	whole.p = slurp("j", &whole.n);
	EQ_I64(whole.n, whole.ends[whole.frames - 1]);
}

#endif
