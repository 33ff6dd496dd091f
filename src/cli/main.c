/* main.c - `pthfs COMMAND ...`, from one table. When the first word is no command, it is what to
 * mount. Called as mount.pthfs or mount.fuse.pthfs, it is a helper of mount(8).
 */
#include "cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <pthfs/cleanup.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
} commands[] = {
		{"mount", cmd_mount},
		{"umount", cmd_umount},
		{"status", cmd_status},
		{"commit", cmd_commit},
		{"revert", cmd_revert},
		{"recover", cmd_recover},
		{"ls", cmd_ls},
		{"info", cmd_info},
		{"stats", cmd_stats},
		{"check", cmd_check},
		{"cat", cmd_cat},
		{"diff", cmd_diff},
		{"rename", cmd_rename},
		{"set", cmd_set},
		{"rm", cmd_rm},
		{"compact", cmd_compact},
};

/* Descriptors 0 to 2 exist, so that no file of ours becomes one of them. What was closed fails when
 * it is used: `pthfs cat ... >&-` must not seem to have worked. */
static void hold_stdio(void)
{
	for (int want = 0; want < 3; want++)
		if (fcntl(want, F_GETFD) < 0)
			open("/dev/null", want == 0 ? O_WRONLY : O_RDONLY);
}

static bool called_by_mount(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0 ? argv0 : "";

	return strcmp(name, "mount.pthfs") == 0 || strcmp(name, "mount.fuse.pthfs") == 0;
}

/* A word that was meant as a command must not look like a missing file only. */
static bool looks_like_command(const char *word)
{
	return *word != '-' && !strpbrk(word, "./:") && access(word, F_OK) < 0;
}

/* `pthfs help COMMAND` is `pthfs COMMAND --help`. */
static int help_of(char *word)
{
	char *argv[] = {word, (char[]){"--help"}, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].fn(2, argv);
	cli_error("help: there is no command %s (pthfs --help)", word);
	return MOUNT_USAGE;
}

int main(int argc, char **argv)
{
	hold_stdio();
	mallopt(M_MMAP_THRESHOLD, 128 << 10); /* what only loading needs goes back to the system */
	opterr = 0; /* cli_bad_option() says it */
	if (called_by_mount(argv[0]))
		return cmd_mount_helper(argc, argv);
	if (argc < 2) {
		fputs(help_top, stderr);
		return MOUNT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2)
		return help_of(argv[2]);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		fputs(help_top, stdout);
		return cli_finish(0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		cli_version();
		return cli_finish(0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].fn(argc - 1, argv + 1);
	}
	if (looks_like_command(argv[1])) {
		cli_error("%s is neither a command nor a file (pthfs --help)", argv[1]);
		return MOUNT_USAGE;
	}
	return cmd_mount(argc, argv);
}
