/* cmd_set.c - pthfs set CHECKPOINT KEY VALUE: a value, or with --npy a tensor, without a mount. */
#include "cli.h"
#include "oneshot.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST (64u << 20) /* of a value on standard input */

static const char set_help[] =
		"usage: pthfs set [OPTION...] CHECKPOINT KEY VALUE\n"
		"       pthfs set [OPTION...] CHECKPOINT KEY --npy FILE\n\n"
		"Sets the value KEY, without a mount. VALUE is text of the type that is there: 0.01 for a\n"
		"float, True for a bool, text for a string. A new key becomes True, False, None, a number,\n"
		"or what it is as JSON, else a string. VALUE - is read from standard input.\n\n"
		"  --npy FILE    the tensor KEY becomes what the NumPy file holds, dtype and shape too;\n"
		"                a new KEY is made\n" ONESHOT_HELP
		"  --compact     write the file in torch's own order\n" ONESHOT_HELP_END;

/* "-0.1", "-inf", and no word that an option takes. */
static bool is_negative(const char *word, const char *before)
{
	if (word[0] != '-' || strcmp(before, "-o") == 0 || strcmp(before, "--output") == 0 ||
			strcmp(before, "--npy") == 0 || strcmp(before, "--") == 0)
		return false;
	return isdigit((unsigned char)word[1]) || word[1] == '.' || strcmp(word + 1, "inf") == 0;
}

/* Such a value is taken out of the words before they are looked at for options. */
static const char *take_negative(int *argc, char **argv)
{
	for (int i = 3; i < *argc; i++) {
		if (!is_negative(argv[i], argv[i - 1]))
			continue;
		const char *value = argv[i];
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
		--*argc;
		return value;
	}
	return NULL;
}

/* As a file of the mount is written: that one newline at the end is not a string's own is known
 * where the type is. */
static int read_stdin(struct buf *out, struct err *e)
{
	char part[4096];
	ssize_t n;
	while ((n = read(STDIN_FILENO, part, sizeof part)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_put(out, part, (size_t)n);
	if (n < 0)
		return err_sys(e, errno, "standard input");
	if (out->failed)
		return err_set(e, ERR_LIMIT, "standard input holds more than %s: that is no value",
				STR_SIZE(MOST));
	return 0;
}

static int set_value(struct volume *v, const char *key, const char *text, struct err *e)
{
	struct buf in;
	int rc = 0;
	buf_init(&in, MOST);
	if (strcmp(text, "-") == 0)
		rc = read_stdin(&in, e);
	else
		buf_puts(&in, text);
	if (rc == 0)
		rc = in.failed ? err_nomem(e) : volume_set(v, key, buf_view(&in), e);
	buf_release(&in);
	return rc;
}

static int run(struct oneshot *ed, char **words, const char *value, const char *npy)
{
	struct err e = {0};
	struct buf did;
	if (oneshot_open(ed, words[0]) < 0)
		return ed->q.code;
	buf_init(&did, 1 << 20);
	buf_printf(&did, "set %s in", words[1]);
	buf_putc(&did, '\0');
	int rc = npy ? volume_set_npy(ed->v, words[1], npy, &e) :
		       set_value(ed->v, words[1], value, &e);
	if (rc < 0 && npy && !strstr(e.text, npy))
		err_prefix(&e, "%s", npy);
	if (rc == 0 && did.failed)
		rc = err_nomem(&e);
	int code = oneshot_close(ed, rc, did.p, &e);
	buf_release(&did);
	return code;
}

int cmd_set(int argc, char **argv)
{
	static const struct option longs[] = {
		ONESHOT_LONGS,
		{"npy", required_argument, NULL, 'n'},
		{0},
	};
	struct oneshot ed = {.q = {"set", set_help, ONESHOT_SHORTS, longs, 3, 3, {0}, 0}};
	const char *npy = NULL, *value = take_negative(&argc, argv);
	int c;
	if (value)
		ed.q.min_args = ed.q.max_args = 2;
	while ((c = oneshot_next(&ed, argc, argv)) > 0) {
		npy = optarg;
		ed.q.min_args = ed.q.max_args = 2;
	}
	if (c == 0)
		return ed.q.code;
	if (npy && value) {
		cli_error("set: a value and --npy exclude each other");
		return CLI_ERROR;
	}
	return run(&ed, argv + optind, value || npy ? value : argv[optind + 2], npy);
}
