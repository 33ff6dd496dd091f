/* blob_edit.c - what changes a blob.
 *
 *	before    [=======]   [====]      [======]
 *	change         |<------------------->|          pieces: what is left of the first run,
 *	after     [===][=====================][===]     the new ones, what is left of the last
 *
 * Every change is such a list of pieces, in which neighbours that go on in one source are joined,
 * and one splice of the table (blob_table.c) that is prepared before anything else happens: a call
 * that fails has changed nothing, and a write that reached the journal is never lost for want of
 * memory. Two runs that were written one after the other stay two, for the journal has a frame's
 * head between them; nothing here rewrites the journal.
 *
 * Runs name their source by a slot, so that a run is 24 bytes, and a source is referenced once
 * however many runs it has; the slot goes when the last of them goes.
 */
#include "blob_in.h"

#include <inttypes.h>

#include <pthfs/journal.h>
#include <stdlib.h>

#define RETELL ((size_t)1 << 20) /* bytes read at a time */

/* --- slots ------------------------------------------------------------------------------------ */

/* The slot of src, a new one when it has none. sweep() drops it again when no run came of it. */
static int slot_of(struct blob *b, struct source *src, uint32_t *ret, struct err *e)
{
	size_t n = b->slots.n, room = n;

	for (size_t i = 0, k = b->last_slot; i < n; i++, k = k + 1 < n ? k + 1 : 0) {
		if (b->slots.at[k].src == src) {
			*ret = (uint32_t)(b->last_slot = k);
			return 0;
		}
		if (!b->slots.at[k].src)
			room = k;
	}
	if (room == n) {
		if (n > RUN_SRC_MAX)
			return err_set(e, ERR_LIMIT, "the edits of one storage come from more than "
					"%u places: commit first", RUN_SRC_MAX);
		if (vec_push(&b->slots, ((struct slot){NULL, 0})) < 0)
			return err_nomem(e);
	}
	b->slots.at[room] = (struct slot){source_ref(src), 0};
	*ret = (uint32_t)(b->last_slot = room);
	return 0;
}

static void sweep(struct blob *b)
{
	for (size_t i = 0; i < b->slots.n; i++)
		if (b->slots.at[i].runs == 0) {
			source_unref(b->slots.at[i].src);
			b->slots.at[i].src = NULL;
		}
	while (b->slots.n && !b->slots.at[b->slots.n - 1].src)
		b->slots.n--;
	if (b->last_slot >= b->slots.n)
		b->last_slot = 0;
}

/* --- runs that are to come -------------------------------------------------------------------- */

struct pieces {
	VEC(struct run) v;
	bool nomerge; /* the last one's place is not known yet */
};

/* Adds a run behind the last one, or to it. */
static int piece_add(struct pieces *ps, struct run r, struct err *e)
{
	struct run *last = ps->v.n ? &ps->v.at[ps->v.n - 1] : NULL;

	if (r.len == 0)
		return 0;
	if (last && !ps->nomerge && last->off + last->len == r.off && last->src == r.src &&
			last->from + last->len == r.from && r.len <= RUN_LEN_MAX - last->len) {
		last->len += r.len;
		return 0;
	}
	return vec_push(&ps->v, r) < 0 ? err_nomem(e) : 0;
}

/* As above, of len bytes from src (NULL: zeros). */
static int piece_from(struct blob *b, struct pieces *ps, uint64_t off, struct source *src,
		uint64_t from, uint64_t len, struct err *e)
{
	uint32_t slot = 0;
	int rc;

	if (len > RUN_LEN_MAX)
		return err_set(e, ERR_LIMIT, "one piece of %" PRIu64 " bytes; at most %" PRIu64, len,
				RUN_LEN_MAX);
	rc = slot_of(b, src ? src : blob_zeros(), &slot, e);
	if (rc < 0)
		return rc;
	return piece_add(ps, (struct run){off, src ? from : off, len, slot & 0xffff}, e);
}

/* What begins before `off` and reaches up to it, cut there. */
static int piece_before(struct blob *b, struct pieces *ps, uint64_t off, struct place *from,
		struct err *e)
{
	const struct run *r;

	*from = table_find(&b->table, off ? off - 1 : 0);
	r = table_run(&b->table, *from);
	if (!r || r->off >= off)
		return 0;
	return piece_add(ps, (struct run){r->off, r->from, off - r->off, r->src}, e);
}

/* What goes on behind `end`, or begins there. */
static int piece_behind(struct blob *b, struct pieces *ps, uint64_t end, struct place *to,
		struct err *e)
{
	const struct run *r;
	uint64_t skip;

	*to = table_find(&b->table, end);
	r = table_run(&b->table, *to);
	if (!r || r->off > end)
		return 0;
	skip = end - r->off;
	*to = table_next(&b->table, *to);
	return piece_add(ps, (struct run){end, r->from + skip, r->len - skip, r->src}, e);
}

/* Zeros where the base shows again when the blob grows up to `off`. */
static int piece_gap(struct blob *b, struct pieces *ps, uint64_t off, struct err *e)
{
	uint64_t end = off < b->base.len ? off : b->base.len;

	if (!b->base.src || end <= b->size)
		return 0;
	return piece_from(b, ps, b->size, NULL, 0, end - b->size, e);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* [off, off + len) gets other bytes, which may lie behind the end. */
struct change {
	struct blob *b;
	uint64_t off, end;
	struct pieces ps;
	struct splice s;
};

static void change_drop(struct change *c)
{
	splice_drop(&c->s);
	vec_release(&c->ps.v);
	sweep(c->b);
}

static int change_begin(struct change *c, struct blob *b, uint64_t off, uint64_t len,
		struct err *e)
{
	int rc;

	*c = (struct change){.b = b, .off = off};
	if (off > INT64_MAX || len > INT64_MAX - off)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes at offset %" PRIu64
				" end beyond what a file can have", len, off);
	c->end = off + len;
	rc = piece_before(b, &c->ps, off < b->size ? off : b->size, &c->s.from, e);
	return rc < 0 ? rc : piece_gap(b, &c->ps, off, e);
}

/* The pieces are there. */
static int change_prepare(struct change *c, struct err *e)
{
	int rc = piece_behind(c->b, &c->ps, c->end, &c->s.to, e);

	if (rc < 0)
		return rc;
	c->s.in = c->ps.v.at;
	c->s.n = c->ps.v.n;
	return splice_prepare(&c->b->table, &c->s) < 0 ? err_nomem(e) : 0;
}

static void change_commit(struct change *c)
{
	struct blob *b = c->b;
	bool idle = false;

	for (size_t i = 0; i < c->s.n; i++) {
		b->dirty += c->s.in[i].len;
		b->slots.at[c->s.in[i].src].runs++;
	}
	for (struct place p = c->s.from; p.leaf < c->s.to.leaf || p.k < c->s.to.k;) {
		const struct leaf *l = &b->table.at[p.leaf];

		if (p.k == l->n) {
			p = (struct place){p.leaf + 1, 0};
			continue;
		}
		b->dirty -= l->at[p.k].len;
		idle |= --b->slots.at[l->at[p.k].src].runs == 0;
		p.k++;
	}
	splice_commit(&b->table, &c->s);
	if (b->size < c->end)
		b->size = c->end;
	vec_release(&c->ps.v);
	free(b->flat);
	b->flat = NULL;
	if (idle)
		sweep(b);
}

static int change_end(struct change *c, int rc, struct err *e)
{
	if (rc == 0)
		rc = change_prepare(c, e);
	if (rc < 0)
		change_drop(c);
	else
		change_commit(c);
	return rc;
}

int blob_write(struct blob *b, struct journal *j, const void *bytes, size_t n, uint64_t off,
		struct err *e)
{
	uint64_t where = 0;
	struct change c;
	size_t at = 0;
	int rc;

	if (!j)
		return err_set(e, ERR_REFUSED, "there is no journal that could keep an edit");
	if (n == 0)
		return 0;
	rc = change_begin(&c, b, off, n, e);
	if (rc == 0) {
		/* Where the bytes will lie is not known yet, so nothing joins this piece. */
		c.ps.nomerge = true;
		at = c.ps.v.n;
		rc = piece_from(b, &c.ps, off, journal_source(j), 0, n, e);
	}
	if (rc == 0)
		rc = change_prepare(&c, e);
	if (rc == 0)
		rc = journal_write(j, b->id, off, bytes, n, &where, e);
	if (rc < 0) {
		change_drop(&c);
		return rc;
	}
	c.ps.v.at[at].from = where;
	change_commit(&c);
	return 0;
}

int blob_map(struct blob *b, uint64_t off, struct extent x, struct err *e)
{
	struct change c;
	int rc;

	if (x.len > x.src->size || x.off > x.src->size - x.len)
		return err_set(e, ERR_TRUNCATED, "bytes %" PRIu64 "..%" PRIu64
				" of something that has %" PRIu64, x.off, x.off + x.len,
				x.src->size);
	if (x.len == 0)
		return 0;
	rc = change_begin(&c, b, off, x.len, e);
	if (rc == 0)
		rc = piece_from(b, &c.ps, off, x.src, x.off, x.len, e);
	return change_end(&c, rc, e);
}

int blob_adopt(struct blob *b, uint64_t off, const struct blob *from, uint64_t from_off,
		uint64_t len, struct err *e)
{
	struct place p = table_find(&from->table, from_off);
	uint64_t end = from_off + len;
	struct change c;
	int rc = blob_inside(from, from_off, len, e);

	if (rc < 0 || len == 0)
		return rc;
	rc = change_begin(&c, b, off, len, e);
	while (rc == 0 && from_off < end) {
		struct extent x = blob_look(from, &p, from_off, end);

		rc = piece_from(b, &c.ps, off, x.src, x.off, x.len, e);
		off += x.len;
		from_off += x.len;
	}
	return change_end(&c, rc, e);
}

int blob_truncate(struct blob *b, uint64_t size, struct err *e)
{
	struct change c;
	int rc;

	if (size == b->size)
		return 0;
	rc = change_begin(&c, b, size, 0, e);
	if (size > b->size)
		return change_end(&c, rc, e);
	if (rc == 0) {
		c.s.to = (struct place){b->table.n, 0};
		c.s.in = c.ps.v.at;
		c.s.n = c.ps.v.n;
		rc = splice_prepare(&b->table, &c.s) < 0 ? err_nomem(e) : 0;
	}
	if (rc < 0) {
		change_drop(&c);
		return rc;
	}
	change_commit(&c);
	b->size = size;
	b->cut = true;
	return 0;
}

/* --- for the journal -------------------------------------------------------------------------- */

bool blob_replays(const struct blob *b, struct journal *j)
{
	bool all = !b->cut && !b->base.src;

	for (size_t i = 0; i < b->slots.n && all; i++)
		all = b->slots.at[i].runs == 0 || b->slots.at[i].src == journal_source(j);
	return all;
}

static int retell_piece(const struct blob *b, struct journal *j, struct blob *to, uint64_t off,
		uint64_t len, struct err *e)
{
	size_t n = len < RETELL ? (size_t)len : RETELL;
	char *buf = malloc(n ? n : 1);
	int rc = buf ? 0 : err_nomem(e);

	for (uint64_t at = 0; at < len && rc == 0; at += n) {
		n = len - at < RETELL ? (size_t)(len - at) : RETELL;
		rc = blob_read(b, buf, n, off + at, e);
		if (rc == 0)
			rc = blob_write(to, j, buf, n, off + at, e);
	}
	free(buf);
	return rc;
}

int blob_retell(const struct blob *b, struct journal *j, uint32_t id, struct blob **ret, struct err *e)
{
	struct place p = table_find(&b->table, 0);
	struct blob *to = NULL;
	int rc = blob_new(id, (struct extent){0}, b->size, &to, e);

	for (uint64_t off = 0; off < b->size && rc == 0;) {
		struct extent x = blob_look(b, &p, off, b->size);

		if (x.src)
			rc = retell_piece(b, j, to, off, x.len, e);
		off += x.len;
	}
	if (rc < 0)
		blob_unref(to);
	else
		*ret = to;
	return rc;
}
