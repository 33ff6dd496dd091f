/* containers.h - private: what the container formats share. */
#ifndef FORMAT_CONTAINERS_H
#define FORMAT_CONTAINERS_H

#include "interpret.h"

/* zip_records.c: the small records and the storages. folder has no slash at its end. */
const struct member *zip_record(const struct box *b, struct str folder, const char *name);
/* version, byteorder, .format_version, ...: fills c->version, producer and big_endian. */
int zip_read_records(struct loader *l, struct str folder);
/* Gives every storage its bytes. */
int zip_find_storages(struct loader *l, struct str folder);
/* Old keys are addresses, new ones count from 0: who wrote a file that does not say. */
int zip_guess_producer(struct loader *l);

/* zip_other.c: ERR_NOT_CKPT in words, for a zip without data.pkl. */
int zip_name_other(const struct box *b, struct err *e);
/* Puts into the sentence of a truncated zip what is there and what is missing. */
void zip_describe_truncated(struct source *file, struct err *e);

/* The formats themselves (registry.c). */
extern const struct format_ops torch_zip_ops, torch_legacy_ops, torch_tar_ops, pickle_ops;

/* sniff.c: names what is no checkpoint, and says what to do. */
int sniff_other(struct source *file, struct err *e);
/* Does it begin like a pickle without a PROTO opcode? */
bool looks_like_old_pickle(const unsigned char *head, size_t n, uint64_t size);

#endif
