/* cmd_cat.c - pthfs cat [--npy | --text] CHECKPOINT NAME...: what the file NAME of a mount holds.
 *
 * --npy puts a NumPy header in front; --text prints the elements, one a line. Hidden names answer
 * too: pthfs cat model.pth .pthfs/info, fc.weight.json.
 */
#include "cli.h"
#include "query.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (1u << 20)

static int write_all(const char *p, size_t n, struct err *e)
{
	while (n) {
		ssize_t k = write(STDOUT_FILENO, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, errno, "standard output");
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Of a file that is damaged further on, what is there is written: a read that fails is tried again
 * with half the length, down to one byte. */
static int copy_out(struct vfile *f, struct err *e)
{
	char *buf = malloc(CHUNK);
	uint64_t off = 0;
	size_t got = 1, len = CHUNK;
	int rc = buf ? 0 : err_nomem(e);
	while (rc == 0 && got) {
		rc = volume_file_read(f, buf, len, off, &got, e);
		if (rc < 0 && len > 1) {
			len /= 2;
			rc = 0;
			continue;
		}
		if (rc == 0)
			rc = write_all(buf, got, e);
		off += got;
	}
	free(buf);
	return rc;
}

/* The name, or NAME.npy when that is asked for. */
static int open_name(struct volume *v, const char *name, bool npy, struct vfile **f, struct err *e)
{
	struct vattr a;
	struct buf path;
	buf_init(&path, 1 << 16);
	buf_puts(&path, name);
	if (npy)
		buf_puts(&path, ".npy");
	buf_putc(&path, '\0');
	int rc = path.failed ? err_nomem(e) : volume_resolve(v, path.p, &a, e);
	if (npy && rc == ERR_ABSENT && volume_resolve(v, name, &a, NULL) == 0)
		rc = err_set(e, ERR_USAGE, "%s: not a tensor, --npy is for tensors only", name);
	if (rc == 0 && S_ISDIR(a.mode))
		rc = err_sys(e, EISDIR, "%s", name);
	if (rc == 0)
		rc = volume_file_open(v, a.ino, f, e);
	buf_release(&path);
	return rc;
}

static int text_out(void *ctx, struct str piece)
{
	return write_all(piece.p, piece.n, ctx);
}

static int cat_name(struct volume *v, const char *name, bool npy, bool text, struct err *e)
{
	struct vfile *f;
	int rc = open_name(v, name, npy, &f, e);
	if (rc < 0)
		return rc;
	rc = text ? volume_file_text(f, text_out, e, e) : copy_out(f, e);
	volume_file_close(f);
	return rc;
}

static const char cat_help[] =
		"usage: pthfs cat [--npy | --text] [-o OPTIONS] CHECKPOINT NAME...\n\n"
		"Writes what the file NAME of a mount holds: a tensor's bytes (C order, native byte order),\n"
		"a value's text. Names that ls does not list answer too: .pthfs/info, fc.weight.meta.\n\n"
		"  --npy        with a NumPy header in front: np.load reads it\n"
		"  --text       a tensor's elements as text, one a line\n"
		"  -o salvage   read what is there of a truncated file\n\n"
		"Exit codes: 0, or 2 for an error.\n";

int cmd_cat(int argc, char **argv)
{
	static const struct option longs[] = {
		{"npy", no_argument, NULL, 'n'},
		{"text", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct query q = {"cat", cat_help, "ho:", longs, 2, INT_MAX, {0}, 0};
	struct volume *v;
	struct err e = {0};
	bool npy = false, text = false;
	int c, rc = 0;
	while ((c = query_next(&q, argc, argv)) > 0) {
		npy = npy || c == 'n';
		text = text || c == 't';
	}
	if (c == 0)
		return q.code;
	if (npy && text) {
		cli_error("cat: --npy and --text exclude each other");
		return CLI_ERROR;
	}
	const char *path = argv[optind];
	if (volume_open(path, &q.volume, &v, &e) < 0)
		return cli_fail(CLI_ERROR, NULL, &e);
	for (int i = optind + 1; i < argc && rc == 0; i++)
		rc = cat_name(v, argv[i], npy, text, &e);
	volume_close(v);
	return rc < 0 ? cli_fail(CLI_ERROR, path, &e) : cli_finish(CLI_SAME);
}
