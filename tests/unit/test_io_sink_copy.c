/* The bytes of a sink: sizes, holes, progress, and the three ways they get there. */
#include <stdarg.h>
#include <sys/vfs.h>

#include "sink_kit.h"

#define MIB ((uint64_t)1 << 20)

static struct source *old;

/* A file of n bytes that repeat nowhere near, and `old` on it. */
static void make_old(const char *path, size_t n)
{
	uint32_t *words = malloc(n + 4), x = 2463534242u;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (size_t i = 0; i < n / 4 + 1; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		words[i] = x;
	}
	OK(fd >= 0 && write(fd, words, n) == (ssize_t)n);
	free(words);
	EQ_I64(source_file_fd(fd, &old, NULL), 0);
}

/* Whether the file holds just what the plan says. */
static bool holds(const char *path, const struct plan *p)
{
	static char a[1 << 16], b[1 << 16];
	struct source *want = NULL, *is = NULL;
	bool same = source_plan(p, &want, NULL) == 0 && source_file_open(path, &is, NULL) == 0 &&
		is->size == want->size;

	for (uint64_t at = 0; same && at < want->size; at += sizeof a) {
		size_t n = want->size - at < sizeof a ? (size_t)(want->size - at) : sizeof a;

		same = source_read(want, a, n, at, NULL) == 0 &&
			source_read(is, b, n, at, NULL) == 0 && memcmp(a, b, n) == 0;
	}
	source_unref(want);
	source_unref(is);
	return same;
}

static void becomes(const char *name, const struct plan *p)
{
	struct stat st = stat_of(name);
	struct sink_opts o = {.expect = &st};

	kit_err.text[0] = 0;
	EQ_I64(sink_replace(in_dir(name), p, &o, &kit_done, &kit_err), 0);
	EQ_STR(kit_err.text, "");
	EQ_I64(temporaries(), 0);
}

static void every_size_comes_out_whole(void)
{
	static const uint64_t sizes[] = {
		0, 1, 4096, 65535, 65536, MIB - 1, MIB, MIB + 1, 3 * MIB + 5, 0, 7};
	struct plan p;

	make_old(in_dir("source"), 4 * MIB);
	put_file("a", "old");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		plan_init(&p);
		EQ_I64(plan_run(&p, old, 17, sizes[i], NULL), 0);
		becomes("a", &p);
		OK(holds(in_dir("a"), &p));
		EQ_I64(kit_done.written, sizes[i]);
		plan_release(&p);
	}
	source_unref(old);
}

/* Small and large pieces, read and copied ones, gathered and sent off out of order. */
static void pieces_of_every_kind_meet_without_a_seam(void)
{
	static char large[3 * MIB];
	struct source *window;
	struct plan p;

	make_old(in_dir("a"), 4 * MIB);
	window = source_window(old, 1000, 2 * MIB);
	memset(large, 'L', sizeof large);
	plan_init(&p);
	for (uint64_t i = 1; i < 200; i++) {
		EQ_I64(plan_run(&p, old, i * 3, i * 1000, NULL), 0);
		EQ_I64(plan_bytes(&p, large, i % 9, NULL), 0);
		EQ_I64(plan_fill(&p, (unsigned char)i, i * 10, NULL), 0);
	}
	EQ_I64(plan_bytes(&p, large, sizeof large, NULL), 0);
	EQ_I64(plan_run(&p, window, 5, MIB, NULL), 0);
	EQ_I64(plan_fill(&p, 0, 70000, NULL), 0);
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	EQ_I64(kit_done.written, p.size);
	plan_release(&p);
	source_unref(window);
	source_unref(old);
}

/* 5 GiB of which a few KiB are there: before, in, and after the hole. */
static void a_huge_sparse_file_stays_sparse(void)
{
	uint64_t size = 5 * 1024 * MIB;
	char buf[4] = {0};
	int fd = open(in_dir("huge"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct source *s = NULL;
	struct plan p;

	OK(pwrite(fd, "head", 4, 0) == 4 && pwrite(fd, "mid!", 4, 3 * 1024 * (off_t)MIB + 1) == 4);
	EQ_I64(ftruncate(fd, (off_t)size), 0);
	EQ_I64(source_file_fd(fd, &old, NULL), 0);
	put_file("a", "old");
	plan_init(&p);
	EQ_I64(plan_bytes(&p, "xyz", 3, NULL), 0);
	EQ_I64(plan_run(&p, old, 0, size, NULL), 0);
	becomes("a", &p);
	EQ_I64(stat_of("a").st_size, size + 3);
	OK(stat_of("a").st_blocks < 2048);
	OK(kit_done.written < MIB);
	EQ_I64(source_file_open(in_dir("a"), &s, NULL), 0);
	EQ_I64(source_read(s, buf, 4, 3, NULL), 0);
	EQ_MEM(buf, 4, "head", 4);
	EQ_I64(source_read(s, buf, 4, 3 * 1024 * MIB + 4, NULL), 0);
	EQ_MEM(buf, 4, "mid!", 4);
	EQ_I64(source_read(s, buf, 4, size - 1, NULL), 0);
	EQ_MEM(buf, 4, "\0\0\0\0", 4);
	source_unref(s);
	plan_release(&p);
	source_unref(old);
	unlink(in_dir("huge"));
}

static uint64_t told_total, told_done;

static void listen(void *ctx, uint64_t done, uint64_t total)
{
	OK(done >= told_done && done <= total);
	told_done = done;
	told_total = total;
}

static void progress_counts_up_to_what_there_is_to_do(void)
{
	struct stat st;
	struct sink_opts o = {.expect = &st, .progress = listen};
	struct plan p;

	make_old(in_dir("a"), MIB);
	st = stat_of("a");
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 5, MIB - 5, NULL), 0);
	EQ_I64(plan_fill(&p, 0xfb, 10 * MIB, NULL), 0);
	EQ_I64(sink_replace(in_dir("a"), &p, &o, &kit_done, &kit_err), 0);
	OK(told_done > 0);
	EQ_I64(told_total, p.size);
	plan_release(&p);
	source_unref(old);
}

static void a_source_that_shrank_leaves_the_old_file(void)
{
	struct stat st;
	struct sink_opts o = {.expect = &st};
	struct plan p;

	make_old(in_dir("source"), 300000);
	put_file("a", "old");
	st = stat_of("a");
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 0, 300000, NULL), 0);
	EQ_I64(truncate(in_dir("source"), 200000), 0);
	EQ_I64(sink_replace(in_dir("a"), &p, &o, &kit_done, &kit_err), ERR_TRUNCATED);
	HAS(kit_err.text, "at offset 200000");
	file_is("a", "old");
	EQ_I64(temporaries(), 0);
	plan_release(&p);
	source_unref(old);
}

static void runs_within_a_file_system_are_copied_by_the_kernel(void)
{
	struct plan p;

	make_old(in_dir("a"), 300000);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 4096, 200000, NULL), 0);
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	OK(kit_done.way == SINK_COPY_RANGE);
	plan_release(&p);
	source_unref(old);
}

/* No blocks can be shared, and page by page the kernel is slow. */
static void runs_at_other_offsets_within_a_block_are_read_and_written(void)
{
	struct plan p;

	make_old(in_dir("a"), 3000000);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 1, 2999999, NULL), 0);
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	OK(kit_done.way == SINK_COPY);
	plan_release(&p);
	source_unref(old);
}

/* copy_file_range gives EXDEV here. */
static void runs_of_another_file_system_are_read_and_written(void)
{
	char other[] = "/dev/shm/pthfs-test-XXXXXX";
	int fd = mkstemp(other);
	struct plan p;

	close(fd);
	make_old(other, 3000000);
	put_file("a", "old");
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 1, 2999999, NULL), 0);
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	OK(kit_done.way == SINK_COPY);
	plan_release(&p);
	source_unref(old);
	unlink(other);
}

static bool other_file_system(void)
{
	struct stat here, shm;

	return stat(kit_dir, &here) == 0 && stat("/dev/shm", &shm) == 0 && here.st_dev != shm.st_dev &&
		access("/dev/shm", W_OK) == 0;
}

/* The clone way: kit_dir is a file system with reflinks. */
static void a_clone_costs_only_the_edit(void)
{
	struct plan p;

	make_old(in_dir("a"), 8 * MIB);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 0, 2 * MIB + 5, NULL), 0);
	EQ_I64(plan_bytes(&p, "edited", 6, NULL), 0);
	EQ_I64(plan_run(&p, old, 2 * MIB + 11, 6 * MIB - 11, NULL), 0);
	EQ_I64(plan_bytes(&p, "appended", 8, NULL), 0);
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	OK(kit_done.way == SINK_CLONE);
	EQ_I64(kit_done.written, 14);
	EQ_I64(kit_done.written, plan_cost(&p, old));
	plan_release(&p);
	source_unref(old);
}

static void a_clone_that_gets_shorter_is_cut(void)
{
	struct plan p;

	make_old(in_dir("a"), 8 * MIB);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 0, 3 * MIB + 1, NULL), 0);
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	OK(kit_done.way == SINK_CLONE);
	EQ_I64(kit_done.written, 0);
	plan_release(&p);
	source_unref(old);
}

/* What moves is written over what the clone holds there, zeros over old bytes too. */
static void moved_runs_and_holes_are_written_over_a_clone(void)
{
	struct plan p;

	make_old(in_dir("a"), 2 * MIB);
	source_unref(old);
	EQ_I64(truncate(in_dir("a"), 6 * MIB), 0); /* a hole at its end */
	EQ_I64(source_file_open(in_dir("a"), &old, NULL), 0);
	plan_init(&p);
	EQ_I64(plan_run(&p, old, 0, 65536, NULL), 0);          /* in place */
	EQ_I64(plan_run(&p, old, 3 * MIB, MIB, NULL), 0);      /* of the hole, over bytes */
	EQ_I64(plan_run(&p, old, 65536, MIB, NULL), 0);        /* moved by whole blocks */
	EQ_I64(plan_run(&p, old, 777, MIB, NULL), 0);          /* and by none */
	becomes("a", &p);
	OK(holds(in_dir("a"), &p));
	OK(kit_done.way == SINK_CLONE);
	plan_release(&p);
	source_unref(old);
}

__attribute__((format(printf, 1, 2))) static bool run(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	return system(line) == 0;
}

/* The same tests on a file system of that type in a file. */
static void clone_tests(const char *type)
{
	char image[] = "/tmp/pthfs-image-XXXXXX";
	size_t home = strlen(kit_dir);
	int fd = mkstemp(image);

	if (ftruncate(fd, 512 * (off_t)MIB) == 0 && run("mkfs.%s -q %s >/dev/null 2>&1", type, image) &&
			mkdir(in_dir("mnt"), 0755) == 0 &&
			run("mount -o loop %s %s 2>/dev/null", image, in_dir("mnt"))) {
		memcpy(kit_dir + home, "/mnt", 5);
		printf("# on %s\n", type);
		TEST(a_clone_costs_only_the_edit);
		TEST(a_clone_that_gets_shorter_is_cut);
		TEST(moved_runs_and_holes_are_written_over_a_clone);
		TEST(pieces_of_every_kind_meet_without_a_seam);
		kit_dir[home] = 0;
		OK(run("umount %s", in_dir("mnt")));
	} else {
		SKIPPED("clones", "needs root, loop devices, and mkfs.btrfs or mkfs.xfs");
	}
	rmdir(in_dir("mnt"));
	close(fd);
	unlink(image);
}

int main(void)
{
	struct statfs fs;

	make_dir();
	TEST(every_size_comes_out_whole);
	TEST(pieces_of_every_kind_meet_without_a_seam);
	TEST(a_huge_sparse_file_stays_sparse);
	TEST(progress_counts_up_to_what_there_is_to_do);
	TEST(a_source_that_shrank_leaves_the_old_file);
	if (statfs(kit_dir, &fs) == 0 && fs.f_type == 0xef53) { /* ext4: no clones */
		TEST(runs_within_a_file_system_are_copied_by_the_kernel);
		TEST(runs_at_other_offsets_within_a_block_are_read_and_written);
	} else {
		SKIPPED("copy_file_range", "the folder for temporary files is not on ext4");
	}
	if (other_file_system())
		TEST(runs_of_another_file_system_are_read_and_written);
	else
		SKIPPED("another file system", "there is none");
	clone_tests("btrfs");
	clone_tests("xfs");
	remove_dir();
	return tap_done();
}
