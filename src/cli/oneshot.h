/* oneshot.h - what rename, set, rm and compact have in common: the options, one commit, one line. */
#ifndef PTHFS_CLI_ONESHOT_H
#define PTHFS_CLI_ONESHOT_H

#include "progress.h"
#include "query.h"

struct oneshot {
	struct query q;
	struct commit_opts commit;
	bool verbose;
	struct volume *v;
	const char *file; /* as the user calls it */
	struct progress progress;
};

#define ONESHOT_SHORTS "hvo:"
/* clang-format off */
#define ONESHOT_LONGS \
	{"output", required_argument, NULL, 'O'}, {"dry-run", no_argument, NULL, 'D'}, \
	{"inplace", no_argument, NULL, 'I'}, {"compact", no_argument, NULL, 'C'}, \
	{"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}
/* clang-format on */
#define ONESHOT_HELP                                                                                  \
	"  --output OUT  write OUT, which must not exist, and leave CHECKPOINT alone\n"            \
	"  --dry-run     change nothing, say what would be written\n"                              \
	"  --inplace     patch the file itself, with a journal, instead of replacing it\n"            \
	"  -o validate=off|warn|strict, -o device=cpu|cuda[:N]|auto\n"                             \
	"                how edited tensors are looked at (NaN, Inf, zeros, range) before\n"        \
	"                anything is written: warn says what is suspicious, strict refuses\n"
#define ONESHOT_HELP_END                                                                              \
	"  -v, --verbose list every change\n\n"                                                    \
	"All or nothing: CHECKPOINT is the old or the new one, whole, at every instant.\n"         \
	"Exit codes: 0, 1 when -o validate=strict refuses the edit, or 2 for an error.\n"

/* As query_next(). */
int oneshot_next(struct oneshot *ed, int argc, char **argv);
/* Opens the checkpoint for one edit. 0, or q.code is set and everything is said. */
int oneshot_open(struct oneshot *ed, const char *file);
/* Commits when rc is 0 and says "DID in FILE, wrote ..."; else says e. Closes. Returns the exit
 * code. did: "renamed 320 keys in", what happened up to the file's name. */
int oneshot_close(struct oneshot *ed, int rc, const char *did, struct err *e);

/* SIGPIPE and SIGXFSZ are errors of write(2): nothing dies in the middle. */
void oneshot_signals(void);
/* volume_notice() on standard error, a line each. */
void oneshot_say_notice(const struct volume *v);
/* What a commit found suspicious (rc: how it ended) on standard error, a line each; false: nothing. */
bool oneshot_say_suspects(struct volume *v, const char *file, int rc);
/* "24.6 KB (cloned and patched)", "24.6 KB to OUT (copied)" */
void oneshot_cost(struct buf *out, const struct commit_result *r, const char *to);

#endif
