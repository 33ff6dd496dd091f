/* cli.h - what the commands share: their prototypes, exit codes, and how an error is said. */
#ifndef PTHFS_CLI_H
#define PTHFS_CLI_H

#include <pthfs/err.h>
#include <stdbool.h>
#include <stdio.h>

/* Commands that ask, as in diff: 0 same or clean, 1 different, dirty or busy, 2 error. */
enum { CLI_SAME = 0, CLI_DIFFERENT = 1, CLI_ERROR = 2 };
/* Mounting, as in mount(8). */
enum { MOUNT_OK = 0, MOUNT_USAGE = 1, MOUNT_SYSTEM = 2, MOUNT_FAILURE = 32 };

/* Each is called with its own name as argv[0] and returns the exit code. */
int cmd_mount(int argc, char **argv);
int cmd_umount(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_commit(int argc, char **argv);
int cmd_revert(int argc, char **argv);
int cmd_recover(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_rename(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_compact(int argc, char **argv);
/* As mount.pthfs and mount.fuse.pthfs: mount(8)'s way of calling, SRC MNT [-sfnv] [-o opts]. */
int cmd_mount_helper(int argc, char **argv);

extern const char help_top[], help_mount[];
void cli_version(void);

/* text as one line: file names may hold line breaks and worse, which are shown as \n and \x1b. */
void cli_line(FILE *f, const char *text);
/* "pthfs: ...\n" on standard error, after what is still to come on standard output. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The sentence of e; what is put in front when it is not NULL ("model.pth: ..."). Returns code. */
int cli_fail(int code, const char *what, const struct err *e);
/* getopt's '?' in words: "ls: option -z is unknown (pthfs ls --help)". Returns code. */
int cli_bad_option(int code, const char *cmd, char **argv);
/* Flushes standard output; code, or CLI_ERROR with a message when it could not be written. */
int cli_finish(int code);

#endif
