/* progress.h - one line on a terminal for what takes longer than a second. */
#ifndef PTHFS_CLI_PROGRESS_H
#define PTHFS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct progress {
	const char *doing; /* "committing" */
	FILE *to;
	bool tty, shown;
	struct timespec next; /* when it is said again */
};

/* On standard error, when that is a terminal. */
void progress_begin(struct progress *p, const char *doing);
/* For commit_opts.progress: ctx is the struct progress. As often as one likes. */
void progress_tell(void *ctx, uint64_t done, uint64_t total);
/* Takes the line away. */
void progress_end(struct progress *p);

#endif
