/* check.c - everything that can be verified of a checkpoint without executing it.
 *
 * What was wrong enough to keep the file from opening is volume_open()'s error; the box has compared
 * every local header with the directory then, and the pickle has been read to its end. Here follows
 * what a mount forgives, or does not look at: findings of loading, records, CRCs, names in the
 * pickle, tensors, their numbers, what torch.load(weights_only=True) thinks, and edits that wait.
 *
 *	note     worth knowing; the file is clean
 *	warning  NaN, dead space, two ways to read it, an unknown global
 *	damage   bytes are missing or wrong
 *	danger   unpickling it in Python can run code
 *
 * Dead space is ordinary after keys were removed, so it counts from 1 MiB and a tenth of the file on.
 * Formats without checksums are said to be so: what cannot be verified is a note, not silence.
 */
#include "check_in.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 8192
#define DEAD_BYTES ((uint64_t)1 << 20)
#define DEAD_PART 10
#define TELL_NS 100000000

int check_say(struct check *k, enum severity severity, const char *kind, struct str name,
		uint64_t offset, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	struct check_finding f = {severity, kind, name, offset, {text, 0}};
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f.message.n = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	k->ret->findings += severity > SEVERITY_NOTE;
	return k->fn(k->ctx, &f);
}

void check_progress(struct check *k, uint64_t done)
{
	struct timespec now;

	k->done = done;
	if (!k->o->progress.fn)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - k->told.tv_sec) * 1000000000LL + now.tv_nsec - k->told.tv_nsec < TELL_NS)
		return;
	k->told = now;
	k->o->progress.fn(k->o->progress.ctx, done < k->total ? done : k->total, k->total);
}

uint64_t check_pickle_off(const struct check *k, uint64_t off)
{
	const struct member *m = k->pickle;

	if (!m || m->method || off >= m->stored)
		return NO_OFFSET;
	return m->data_off + off;
}

bool check_is_zip(const struct check *k)
{
	return k->c->box && strcmp(k->c->box->kind, "zip") == 0;
}

bool check_much(const struct check *k, uint64_t bytes)
{
	return bytes >= DEAD_BYTES && bytes > k->c->file->size / DEAD_PART;
}

/* A record that is longer than its storage: older versions of torch load it. */
static bool is_long_record(const struct check *k, const struct finding *f)
{
	return k->storage_of && f->name.n && f->offset != NO_OFFSET &&
			strcmp(f->kind, "note") == 0 && str_starts(f->name, k->folder);
}

static int loaded_finding(struct check *k, const struct finding *f)
{
	const char *kind;

	if (strcmp(f->kind, "dangerous") == 0)
		return 0; /* check_globals() says it, with the reason */
	if (strcmp(f->kind, "ambiguous") == 0)
		return check_say(k, SEVERITY_WARNING, "ambiguous", f->name,
				check_pickle_off(k, f->offset), "%.*s", STR_FMT(f->message));
	if (is_long_record(k, f))
		return check_say(k, SEVERITY_WARNING, "ambiguous", f->name, f->offset,
				"%.*s: torch 2.10 and earlier take the front of it, later ones "
				"refuse the file",
				STR_FMT(f->message));
	if (strcmp(f->kind, "damaged") != 0) {
		/* What has an offset and no name lies behind the last storage of a stream. */
		kind = !f->name.n && f->offset != NO_OFFSET ? "dead" : f->kind;
		return check_say(k, SEVERITY_NOTE, kind, f->name, f->offset, "%.*s",
				STR_FMT(f->message));
	}
	kind = f->name.n ? "record" : "container";
	return check_say(k, SEVERITY_DAMAGE, kind, f->name, f->offset, "%.*s", STR_FMT(f->message));
}

static int loaded(struct check *k)
{
	const struct model *m = &k->c->model;
	int rc = 0;

	for (size_t i = 0; i < m->findings.n && rc == 0; i++)
		rc = loaded_finding(k, &m->findings.at[i]);
	if (rc == 0 && k->c->big_endian)
		rc = check_say(k, SEVERITY_NOTE, "byteorder", STR(""), NO_OFFSET,
				"the file is big-endian; its elements are swapped when they are "
				"read");
	if (rc == 0 && k->c->box && k->c->box->comment.n)
		rc = check_say(k, SEVERITY_NOTE, "comment", STR(""), NO_OFFSET,
				"the archive has a comment of %zu bytes, in which no end record "
				"hides",
				k->c->box->comment.n);
	return rc;
}

/* Bytes behind the last storage of a stream, which only a large file's worth makes a finding. */
static int stream_end(struct check *k)
{
	const struct box *b = k->c->box;
	uint64_t end = 0, size = k->c->file->size;

	if (!b || strcmp(k->c->format, "torch legacy") != 0)
		return 0;
	for (uint32_t i = 0; i < b->n; i++)
		if (b->at[i].data_off + b->at[i].stored > end)
			end = b->at[i].data_off + b->at[i].stored;
	if (end >= size || !check_much(k, size - end))
		return 0;
	return check_say(k, SEVERITY_WARNING, "dead", STR(""), end,
			"%s behind the last storage belong to nothing", STR_SIZE(size - end));
}

static int unverified(struct check *k)
{
	int rc = 0;

	if (!check_is_zip(k))
		rc = check_say(k, SEVERITY_NOTE, "unverified", STR(""), NO_OFFSET,
				"this format (%s) has no checksums: whether its bytes are those "
				"that were written cannot be verified",
				k->c->format);
	if (rc == 0 && k->o->quick)
		rc = check_say(k, SEVERITY_NOTE, "unverified", STR(""), NO_OFFSET,
				"the data of tensors were not read (--quick): neither their CRCs "
				"nor NaN and Inf were looked at");
	return rc;
}

static int waiting_edits(struct check *k)
{
	struct err e = {0};
	struct buf out;
	struct str line;
	bool clean = true;
	const char *end;
	int rc;

	buf_init(&out, 16u << 20);
	rc = volume_status_of(volume_path(k->v), false, &out, &clean, &e);
	line = buf_view(&out);
	end = line.n ? memchr(line.p, '\n', line.n) : NULL;
	if (end)
		line.n = (size_t)(end - line.p);
	if (rc == ERR_NOMEM)
		rc = err_nomem(k->e);
	else if (rc < 0)
		rc = check_say(k, SEVERITY_WARNING, "journal", STR(""), NO_OFFSET,
				"the journal beside it cannot be read: %s", e.text);
	else if (!clean)
		rc = check_say(k, SEVERITY_WARNING, "journal", STR(""), NO_OFFSET, "%.*s",
				STR_FMT(line));
	buf_release(&out);
	return rc;
}

int inspect_check(struct volume *v, const struct check_opts *o, check_fn *fn, void *ctx,
		struct check_result *ret, struct err *e)
{
	static int (*const parts[])(struct check *k) = {loaded, check_records, check_crc,
			stream_end, unverified, check_globals, check_tensors, check_weights,
			waiting_edits};
	struct check_result r = {0};
	struct check k = {.v = v, .c = volume_checkpoint(v), .o = o, .fn = fn, .ctx = ctx,
			.ret = &r, .e = e};
	int rc;

	buf_init(&r.weights_only_why, MESSAGE_MAX);
	clock_gettime(CLOCK_MONOTONIC, &k.told);
	rc = check_records_index(&k);
	if (rc == 0)
		rc = check_screen_init(&k);
	k.total = rc < 0 ? 0 : check_crc_bytes(&k) + check_numbers_bytes(&k);
	for (size_t i = 0; i < sizeof parts / sizeof *parts && rc == 0; i++)
		rc = parts[i](&k);
	check_records_release(&k);
	if (rc)
		check_result_release(&r);
	else
		*ret = r;
	return rc;
}

void check_result_release(struct check_result *r)
{
	buf_release(&r->weights_only_why);
}
