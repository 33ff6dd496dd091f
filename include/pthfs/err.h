/* err.h - what went wrong, where, and what to do.
 *
 * Every call that can fail returns 0 or one of the negative codes below, and fills the caller's
 * `struct err` (which may be NULL) with one sentence. The sentence is written where the fact is
 * known; callers further out put the file or the key in front of it with err_prefix(). Library
 * rooms never print: fs turns a code into an errno, cli into an exit status.
 *
 * Three answers stay distinct all the way up: absent (ENOENT), damaged (EIO), refused (EPERM,
 * EOPNOTSUPP). The list is err.def, so that code, errno and text cannot drift apart.
 *
 * Thread rule: a struct err belongs to one thread; everything else here is pure.
 */
#ifndef PTHFS_ERR_H
#define PTHFS_ERR_H

#include <stdint.h>

enum err_code {
	ERR_OK = 0,
#define X(name, value, sys, text) name = -(value),
#include <pthfs/err.def>
#undef X
};

struct err {
	int code;       /* an enum err_code; 0 when nothing was set */
	int sys;        /* errno that belongs to it, positive */
	char text[480]; /* one sentence, no newline, always terminated */
};

/* Sets *e (when e is not NULL) and returns code, so that `return err_set(e, ...)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_SYS, the given errno, and ": strerror" at the end. */
int err_sys(struct err *e, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ERR_NOMEM in words. */
int err_nomem(struct err *e);

/* The same sentence under another code, which it returns. */
int err_as(struct err *e, int code);

/* Puts "PREFIX: " in front of the sentence that is there. Keeps code and errno. */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* errno for a code (positive); the one of e when it has one. */
int err_errno(int code, const struct err *e);

/* Short name of the class of error: "damaged", "refused", ... Static. */
const char *err_class(int code);

#endif
