/* spent.c - runs a command and says what it spent.
 *
 *	spent RESULT COMMAND [ARGUMENT...]
 *
 * Writes one line to the file RESULT: milliseconds from start to end, the largest resident size in
 * KiB (VmHWM), and the bytes of files that it made dirty or wrote past the cache (write_bytes of
 * /proc/PID/io), all of the command and the children it waited for. A small program, since a child
 * counts the size of the process that started it as its own; that is why Python does not do this.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int say(const char *path, double ms, const struct rusage *used)
{
	FILE *f = fopen(path, "w");

	if (!f || fprintf(f, "%.6f %ld %lld\n", ms, used->ru_maxrss, used->ru_oublock * 512LL) < 0) {
		perror(path);
		return 1;
	}
	return fclose(f) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct rusage used;
	double begin, end;
	int status = 1;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: spent RESULT COMMAND [ARGUMENT...]\n");
		return 1;
	}
	begin = now_ms();
	if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0) {
		perror(argv[2]);
		return 1;
	}
	if (wait4(pid, &status, 0, &used) != pid)
		return 1;
	end = now_ms();
	if (status != 0) {
		fprintf(stderr, "%s ended with status %d\n", argv[2], status);
		return 1;
	}
	return say(argv[1], end - begin, &used);
}
