/* log.h - the recent messages of one mounted file, for .pthfs/log and for stderr or syslog.
 *
 * A ring of at most 256 lines, oldest dropped. log_add() takes its own lock and may be called
 * from any thread.
 */
#ifndef PTHFS_LOG_H
#define PTHFS_LOG_H

#include <pthfs/str.h>

struct log;
struct log *log_new(void); /* NULL when out of memory */
void log_free(struct log *l);
void log_add(struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for what is no trouble: the sink is not given it. */
void log_note(struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends all lines, oldest first, "HH:MM:SS message\n". */
void log_text(struct log *l, struct buf *out);
/* Also hand every line to fn (stderr, syslog); NULL: none. */
void log_sink(struct log *l, void (*fn)(const char *line));

#endif
