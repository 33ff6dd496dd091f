/* progress.c - "committing: 43% of 70.0 GB", once a second on a terminal, from the second second on.
 *
 * It stands on one line that is written over, and is gone when the result is said. Who redirects
 * standard error gets nothing of it.
 */
#include "progress.h"

#include <pthfs/str.h>
#include <unistd.h>

static struct timespec in_a_second(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec++;
	return t;
}

static bool is_time(const struct timespec *at)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > at->tv_sec ||
	       (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

void progress_begin(struct progress *p, const char *doing)
{
	*p = (struct progress){
			.doing = doing,
			.to = stderr,
			.tty = isatty(STDERR_FILENO),
			.next = in_a_second(),
	};
}

void progress_tell(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;
	if (!p->tty || !total || !is_time(&p->next))
		return;
	double part = done < total ? (double)done / (double)total : 1;
	fprintf(p->to, "\r%s: %d%% of %s\033[K", p->doing, (int)(part * 100), STR_SIZE(total));
	fflush(p->to);
	p->shown = true;
	p->next = in_a_second();
}

void progress_end(struct progress *p)
{
	if (!p->shown)
		return;
	fputs("\r\033[K", p->to);
	fflush(p->to);
	p->shown = false;
}
