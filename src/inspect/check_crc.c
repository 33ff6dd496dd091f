/* check_crc.c - the CRC of every record, on all processors.
 *
 *	record  |----- 16 MiB -----|----- 16 MiB -----|--- rest ---|	one job each
 *	        crc                crc                crc		joined with crc32_combine()
 *
 * Jobs are taken from one counter, in file order, so that the file is read nearly from front to
 * back. A job reads a quarter of a megabyte at a time, which stays in the cache between the copy
 * and the sum, and is screened for NaN on the way. Deflated records are one job each, through the box (which lets one thread inflate
 * at a time and checks their lengths). The calling thread works too, and tells the progress.
 *
 * A CRC of 0 over data is how torch.serialization.set_crc32_options(False) says that there is none
 * (formats/torch-zip.md section 7): such records are counted, not judged. With --quick only records
 * that are no storages are read, and of these none over a megabyte but the pickle.
 */
#include "check_in.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <pthfs/cleanup.h>

#define CHUNK (16u << 20)
#define PIECE (256u << 10)
#define MAX_THREADS 16
#define QUICK_MAX (1u << 20)
#define MAX_SENTENCES 1000 /* of records that cannot be read */

struct job {
	uint32_t member;
	uint32_t crc;
	uint64_t off, len; /* in the record */
	bool failed, odd; /* odd: there may be NaN or Inf in it */
};

struct failure {
	uint32_t member;
	struct err e;
};

struct crcs {
	struct check *k;
	struct box *box;
	VEC(struct job) jobs;
	atomic_size_t next;
	_Atomic uint64_t done;
	atomic_bool stop; /* no memory */
	pthread_mutex_t lock; /* failures, and making sources */
	VEC(struct failure) failures;
};

static bool is_read(const struct check *k, uint32_t i)
{
	const struct member *m = &k->c->box->at[i];

	if (!m->crc || m->flags & MEMBER_MISSING)
		return false;
	return !k->o->quick || m == k->pickle ||
			(m->size <= QUICK_MAX && k->storage_of && k->storage_of[i] == MODEL_NONE);
}

uint64_t check_crc_bytes(const struct check *k)
{
	uint64_t n = 0;

	for (uint32_t i = 0; check_is_zip(k) && i < k->c->box->n; i++)
		n += is_read(k, i) ? k->c->box->at[i].size : 0;
	return n;
}

/* --- workers ------------------------------------------------------------------------------------ */

static void failed(struct crcs *c, struct job *j, const struct err *e)
{
	struct failure f = {j->member, *e};

	j->failed = true;
	pthread_mutex_lock(&c->lock);
	if (c->failures.n < MAX_SENTENCES && vec_push(&c->failures, f) < 0)
		atomic_store(&c->stop, true);
	pthread_mutex_unlock(&c->lock);
}

/* The calling thread tells how far all are. */
static void step(struct crcs *c, size_t n, bool tell)
{
	uint64_t done = atomic_fetch_add(&c->done, n) + n;

	if (tell)
		check_progress(c->k, done);
}

static int job_source(struct crcs *c, const struct job *j, struct source **ret, struct err *e)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = box_source(c->box, &c->box->at[j->member], ret, e);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static enum dtype screened_as(const struct check *k, uint32_t member)
{
	uint32_t s = k->storage_of ? k->storage_of[member] : MODEL_NONE;

	return s == MODEL_NONE ? DTYPE_NONE : (enum dtype)k->screen[s];
}

static void run_job(struct crcs *c, struct job *j, char *buf, bool tell)
{
	enum dtype as = screened_as(c->k, j->member);
	struct source *src;
	struct err e = {0};
	uint32_t crc = 0;
	size_t n;
	int rc = job_source(c, j, &src, &e);

	if (rc < 0) {
		failed(c, j, &e);
		return;
	}
	for (uint64_t at = 0; at < j->len && rc == 0; at += n) {
		n = j->len - at < PIECE ? (size_t)(j->len - at) : PIECE;
		rc = source_read(src, buf, n, j->off + at, &e);
		if (rc == 0) {
			crc = crc32_bytes(crc, buf, n);
			j->odd = j->odd || !as || check_screen(as, buf, n);
		}
		step(c, n, tell);
	}
	source_unref(src);
	if (rc < 0)
		failed(c, j, &e);
	j->crc = crc;
}

static void work(struct crcs *c, bool tell)
{
	_cleanup_(freep) char *buf = malloc(PIECE);
	size_t i;

	if (!buf && tell) /* the others can do without one that has no memory */
		atomic_store(&c->stop, true);
	while (buf && !atomic_load(&c->stop)) {
		i = atomic_fetch_add(&c->next, 1);
		if (i >= c->jobs.n)
			break;
		run_job(c, &c->jobs.at[i], buf, tell);
	}
}

static void *worker(void *ctx)
{
	work(ctx, false);
	return NULL;
}

/* Fewer threads than wanted are fewer threads. */
static void run_all(struct crcs *c)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t want = cpus < 1 ? 1 : cpus > MAX_THREADS ? MAX_THREADS : (size_t)cpus, n = 0;
	pthread_t threads[MAX_THREADS];

	while (n + 1 < want && n + 1 < c->jobs.n &&
			pthread_create(&threads[n], NULL, worker, c) == 0)
		n++;
	work(c, true);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* --- verdicts ----------------------------------------------------------------------------------- */

static int add_jobs(struct crcs *c, uint32_t i)
{
	const struct member *m = &c->box->at[i];
	struct job j = {.member = i};

	do {
		j.len = m->method || m->size - j.off < CHUNK ? m->size - j.off : CHUNK;
		if (vec_push(&c->jobs, j) < 0)
			return err_nomem(c->k->e);
		j.off += j.len;
	} while (j.off < m->size);
	return 0;
}

static int by_member(const void *a, const void *b)
{
	const struct failure *x = a, *y = b;

	return (x->member > y->member) - (x->member < y->member);
}

static int say_failed(struct crcs *c, uint32_t i)
{
	const struct member *m = &c->box->at[i];
	struct failure key = {.member = i};
	const struct failure *f = bsearch(&key, c->failures.at, c->failures.n,
			sizeof *c->failures.at, by_member);

	if (f && strncmp(f->e.text, "record ", 7) == 0) /* the box names it itself */
		return check_say(c->k, SEVERITY_DAMAGE, "record", m->name, m->data_off, "%s",
				f->e.text);
	return check_say(c->k, SEVERITY_DAMAGE, "record", m->name, m->data_off,
			"record \"%s\" cannot be read: %s", STR_SHOW(m->name),
			f ? f->e.text : "as others before it");
}

/* The jobs of one record, from *at on. */
static int judge(struct crcs *c, size_t *at)
{
	uint32_t i = c->jobs.at[*at].member, crc = 0;
	const struct member *m = &c->box->at[i];
	bool bad = false, odd = false;

	for (; *at < c->jobs.n && c->jobs.at[*at].member == i; (*at)++) {
		const struct job *j = &c->jobs.at[*at];

		crc = (uint32_t)crc32_combine(crc, j->crc, (z_off_t)j->len);
		bad = bad || j->failed;
		odd = odd || j->odd;
	}
	if (!bad && !odd && c->k->storage_of && c->k->storage_of[i] != MODEL_NONE)
		c->k->clear[c->k->storage_of[i]] = true;
	if (bad)
		return say_failed(c, i);
	c->k->ret->records++;
	c->k->ret->bytes += m->size;
	if (crc == m->crc)
		return 0;
	return check_say(c->k, SEVERITY_DAMAGE, "crc", m->name, m->data_off,
			"record \"%s\" does not match its CRC (%08x, the archive says %08x): its bytes "
			"have changed since it was written; torch does not notice",
			STR_SHOW(m->name), crc, m->crc);
}

static int verdicts(struct crcs *c)
{
	int rc = 0;

	if (atomic_load(&c->stop))
		return err_nomem(c->k->e);
	if (c->failures.n)
		qsort(c->failures.at, c->failures.n, sizeof *c->failures.at, by_member);
	for (size_t at = 0; at < c->jobs.n && rc == 0;)
		rc = judge(c, &at);
	return rc;
}

/* Records without a CRC, in one line. */
static int say_without(struct check *k)
{
	const struct box *b = k->c->box;
	struct str first = STR("");
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n; i++)
		if (!b->at[i].crc && b->at[i].size && !n++)
			first = b->at[i].name;
	if (!n)
		return 0;
	return check_say(k, SEVERITY_NOTE, "unverified", first, NO_OFFSET,
			"%u record%s, the first is \"%s\", %s written without a CRC and cannot be "
			"verified",
			n, n == 1 ? "" : "s", STR_SHOW(first), n == 1 ? "was" : "were");
}

int check_crc(struct check *k)
{
	struct crcs c = {.k = k, .box = k->c->box};
	int rc = 0;

	if (!check_is_zip(k))
		return 0;
	pthread_mutex_init(&c.lock, NULL);
	for (uint32_t i = 0; i < c.box->n && rc == 0; i++)
		if (is_read(k, i))
			rc = add_jobs(&c, i);
	if (rc == 0) {
		run_all(&c);
		rc = verdicts(&c);
	}
	vec_release(&c.jobs);
	vec_release(&c.failures);
	pthread_mutex_destroy(&c.lock);
	return rc ? rc : say_without(k);
}
