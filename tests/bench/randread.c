/* randread.c - random reads of one file by several threads at once.
 *
 *	randread FILE THREADS READS SEED [SIZE]
 *
 * Every thread opens the file, waits for the others, and reads READS pieces of SIZE bytes (default
 * 4096) at multiples of SIZE, drawn by a generator of its own from SEED: the same seed reads the
 * same places. Prints the milliseconds from the common start to the end of the last thread. Any
 * short read or error is fatal, so that no server wins by failing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char *path;
	unsigned long reads, size;
	uint64_t places; /* whole pieces in the file */
	pthread_barrier_t start;
} job;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t next_random(uint64_t *x) /* xorshift64*, Vigna */
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 0x2545f4914f6cdd1du;
}

static void *reader(void *arg)
{
	uint64_t state = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u, place;
	char *buf = malloc(job.size);
	int fd = open(job.path, O_RDONLY);

	if (fd < 0 || !buf)
		fail(job.path);
	pthread_barrier_wait(&job.start);
	for (unsigned long i = 0; i < job.reads; i++) {
		place = next_random(&state) % job.places;
		if (pread(fd, buf, job.size, (off_t)(place * job.size)) != (ssize_t)job.size)
			fail("pread");
	}
	close(fd);
	free(buf);
	return NULL;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	unsigned long threads, seed;
	pthread_t ids[64];
	struct stat st;
	double begin;

	if (argc < 5) {
		fprintf(stderr, "usage: randread FILE THREADS READS SEED [SIZE]\n");
		return 2;
	}
	job.path = argv[1];
	threads = strtoul(argv[2], NULL, 10);
	job.reads = strtoul(argv[3], NULL, 10);
	seed = strtoul(argv[4], NULL, 10);
	job.size = argc > 5 ? strtoul(argv[5], NULL, 10) : 4096;
	if (stat(job.path, &st) < 0)
		fail(job.path);
	job.places = job.size ? (uint64_t)st.st_size / job.size : 0;
	if (threads < 1 || threads > 64 || !job.places)
		return 2;
	pthread_barrier_init(&job.start, NULL, (unsigned int)threads + 1);
	for (unsigned long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, reader, (void *)(seed * 64 + i + 1)) != 0)
			fail("pthread_create");
	pthread_barrier_wait(&job.start);
	begin = now_ms();
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("%.3f\n", now_ms() - begin);
	return 0;
}
