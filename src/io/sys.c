/* sys.c - failing the n-th call that changes something, for tests (make FAULTS=1).
 *
 *	PTHFS_FAULT=kind@n[+][,kind@n[+]...]      n counts from 1, over all threads; +: from then on
 *
 *	kill                        the process dies by SIGKILL, before the call
 *	eio enospc edquot exdev     the call is not made and fails with that errno
 *	eintr                       likewise; with + every other call from then on, since whoever
 *	                            is interrupted for ever has nothing to go on with
 *	short:k                     a write or copy moves k bytes at most, really
 *	oom                         a sys_malloc() gives NULL (the others do not touch that one)
 *	nomem                       any malloc, calloc or realloc of the process does; these are
 *	                            counted by themselves (not under a sanitizer, which has its own)
 *
 *	PTHFS_FAULT_COUNT=FILE      at exit: how many calls there were, how many of them were struck
 *	                            and how many allocations; then the name of each call, a line each
 *
 * close() really closes, whatever is said of it. A spec that is not understood ends the process
 * by SIGABRT: a test that injects nothing would pass.
 *
 * In a build without PTHFS_FAULTS this file is empty.
 */
#include <pthfs/sys.h>

#ifdef PTHFS_FAULTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <pthfs/cleanup.h>

#define MAX_FAULTS 4
#define MAX_NAMES 65536u

enum kind { KILL, ERRNO, EINTERRUPT, SHORT, OOM, NOMEM };

struct fault {
	enum kind kind;
	int sys;       /* for ERRNO and EINTERRUPT */
	size_t max;    /* for SHORT: bytes */
	unsigned long at;
	bool on; /* and from then on */
};

static const struct {
	const char *name;
	enum kind kind;
	int sys;
} kinds[] = {
	{"kill", KILL, 0},
	{"eio", ERRNO, EIO},
	{"enospc", ERRNO, ENOSPC},
	{"edquot", ERRNO, EDQUOT},
	{"exdev", ERRNO, EXDEV},
	{"eintr", EINTERRUPT, EINTR},
	{"short", SHORT, 0},
	{"oom", OOM, ENOMEM},
	{"nomem", NOMEM, ENOMEM},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault faults[MAX_FAULTS];
static size_t n_faults;
static const char *count_file;
static atomic_ulong calls, struck, allocations;
static const char *names[MAX_NAMES]; /* [i]: call i + 1 */

/* One "kind[:k]@n[+]"; returns what follows, NULL when it is not one. */
static const char *parse(const char *p, struct fault *f)
{
	char *end;

	*f = (struct fault){.max = 1};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].name);

		if (strncmp(p, kinds[i].name, n) || (p[n] != '@' && p[n] != ':'))
			continue;
		f->kind = kinds[i].kind;
		f->sys = kinds[i].sys;
		p += n;
		if (*p == ':') {
			f->max = strtoul(p + 1, &end, 10);
			p = end;
		}
		if (*p != '@' || f->max == 0)
			return NULL;
		f->at = strtoul(p + 1, &end, 10);
		f->on = *end == '+';
		return f->at ? end + f->on : NULL;
	}
	return NULL;
}

static void write_count(void)
{
	unsigned long n = atomic_load(&calls);
	int fd = open(count_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	dprintf(fd, "%lu %lu %lu\n", n, atomic_load(&struck), atomic_load(&allocations));
	for (unsigned long i = 0; i < n && i < MAX_NAMES; i++)
		dprintf(fd, "%s\n", names[i] ? names[i] : "?");
	close(fd);
}

static void setup(void)
{
	const char *p = getenv("PTHFS_FAULT");

	while (p && *p) {
		p = n_faults < MAX_FAULTS ? parse(p, &faults[n_faults++]) : NULL;
		if (!p || (*p && *p != ','))
			raise(SIGABRT);
		p += *p == ',';
	}
	count_file = getenv("PTHFS_FAULT_COUNT");
	if (count_file)
		atexit(write_count);
}

static bool is_due(const struct fault *f, unsigned long n)
{
	if (!f->on || n < f->at)
		return n == f->at;
	return f->kind != EINTERRUPT || (n - f->at) % 2 == 0;
}

/* What f does to this call, which is due. */
static int strike(const struct fault *f, bool memory, size_t *len)
{
	if (f->kind == NOMEM) {
		return 0;
	} else if (f->kind == KILL) {
		raise(SIGKILL);
	} else if (f->kind == SHORT) {
		if (!len || *len <= f->max)
			return 0;
		*len = f->max;
	} else if ((f->kind == OOM) != memory) {
		return 0;
	}
	atomic_fetch_add(&struck, 1);
	errno = f->sys;
	return f->kind == SHORT ? 0 : -1;
}

int sys_fault(const char *call, size_t *len)
{
	bool memory = !strcmp(call, "malloc");
	unsigned long n = atomic_fetch_add(&calls, 1) + 1;

	pthread_once(&once, setup);
	if (n <= MAX_NAMES)
		names[n - 1] = call;
	for (size_t i = 0; i < n_faults; i++)
		if (is_due(&faults[i], n) && strike(&faults[i], memory, len) < 0)
			return -1;
	return 0;
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

/* Nothing that is called here may allocate. */
static bool is_refused(void)
{
	unsigned long n = atomic_fetch_add(&allocations, 1) + 1;

	pthread_once(&once, setup);
	for (size_t i = 0; i < n_faults; i++) {
		if (faults[i].kind != NOMEM || !is_due(&faults[i], n))
			continue;
		atomic_fetch_add(&struck, 1);
		errno = ENOMEM;
		return true;
	}
	return false;
}

EXPORT void *malloc(size_t n)
{
	return is_refused() ? NULL : __libc_malloc(n);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t n)
{
	return is_refused() ? NULL : __libc_realloc(p, n);
}

#endif
#endif
