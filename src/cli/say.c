/* say.c - errors, versions and the end of standard output: how every command says them. */
#include "cli.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <getopt.h>
#include <libdeflate.h>
#include <pthfs/cleanup.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

void cli_line(FILE *f, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			fputs("\\n", f);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			putc(c, f);
	}
	putc('\n', f);
}

void cli_error(const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;
	int n;

	fflush(stdout);
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	fputs("pthfs: ", stderr);
	cli_line(stderr, text ? text : "out of memory");
}

int cli_fail(int code, const char *what, const struct err *e)
{
	if (what)
		cli_error("%s: %s", what, e->text);
	else
		cli_error("%s", e->text);
	return code;
}

int cli_bad_option(int code, const char *cmd, char **argv)
{
	const char *word = argv[optind - 1];

	if (strncmp(word, "--", 2) == 0)
		cli_error("%s: option %s is unknown or wrong (pthfs %s --help)", cmd, word, cmd);
	else
		cli_error("%s: option -%c is unknown or lacks its value (pthfs %s --help)", cmd,
				optopt, cmd);
	return code;
}

int cli_finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno != EPIPE) /* who closes the pipe has seen enough */
		cli_error("standard output: %s", strerror(errno));
	return CLI_ERROR;
}

void cli_version(void)
{
	printf("pthfs %s\n", PTHFS_VERSION);
	printf("libfuse %s, libzip %s, zlib %s, libdeflate %s\n", fuse_pkgversion(),
			zip_libzip_version(), zlibVersion(), LIBDEFLATE_VERSION_STRING);
}
