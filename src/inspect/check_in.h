/* check_in.h - what the parts of `pthfs check` share: one run over one volume.
 *
 *	check.c          the order of the parts; what loading has found; progress
 *	check_records.c  records: their descriptors, names, lengths, and what nobody uses
 *	check_crc.c      their CRCs, on all processors
 *	check_screen.c   bytes that are read for their CRC, screened for NaN and Inf
 *	check_globals.c  names in the pickle, with reasons
 *	check_tensors.c  tensors against their storages, NaN and Inf
 *	check_weights.c  what torch.load(weights_only=True) says
 *
 * Every part returns 0, a negative error (an engine that failed, no memory), or what the callback
 * returned to stop it all.
 */
#ifndef INSPECT_CHECK_IN_H
#define INSPECT_CHECK_IN_H

#include <time.h>

#include <pthfs/inside.h>
#include <pthfs/inspect.h>

#define NO_OFFSET UINT64_MAX

struct check {
	struct volume *v;
	const struct checkpoint *c;
	const struct check_opts *o;
	check_fn *fn;
	void *ctx;
	struct check_result *ret;
	struct err *e;
	/* Progress, in bytes. */
	uint64_t done, total;
	struct timespec told;
	/* Of a zip: the folder of its records with the slash, and for each member the storage that it
	 * holds (MODEL_NONE: none). */
	struct str folder;
	uint32_t *storage_of; /* [box->n], NULL for other formats */
	uint32_t *member_of;  /* [model.storages.n]; MODEL_NONE: none */
	const struct member *pickle; /* data.pkl, or NULL */
	/* By storage: the dtype that its bytes are screened as (DTYPE_NONE: they are not), and whether
	 * that has found nothing. */
	uint8_t *screen;
	bool *clear;
};

/* Hands a finding to the callback. The message is cut at some 8 KB. */
int check_say(struct check *k, enum severity severity, const char *kind, struct str name,
		uint64_t offset, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* So many bytes have been looked at, in all. Tells at most every 100 ms. */
void check_progress(struct check *k, uint64_t done);
/* Where byte `off` of the pickle lies in the file; NO_OFFSET when it does not lie there as it is. */
uint64_t check_pickle_off(const struct check *k, uint64_t off);
bool check_is_zip(const struct check *k);
/* Behind this much that nothing uses, a file is not clean: 1 MiB, and a tenth of the file. */
bool check_much(const struct check *k, uint64_t bytes);

int check_records_index(struct check *k);
void check_records_release(struct check *k);
int check_records(struct check *k);
int check_screen_init(struct check *k);
/* May there be a NaN or Inf among the n bytes of whole elements? False: there is none. */
bool check_screen(enum dtype dt, const char *p, size_t n);
/* Bytes that check_crc() is going to read, and the reading. */
uint64_t check_crc_bytes(const struct check *k);
int check_crc(struct check *k);
int check_globals(struct check *k);
uint64_t check_numbers_bytes(const struct check *k);
int check_tensors(struct check *k);
/* May its elements be NaN, and can they be read? */
bool check_has_nan(const struct tensor *t);
/* Fills ret->weights_only and _why. */
int check_weights(struct check *k);

#endif
