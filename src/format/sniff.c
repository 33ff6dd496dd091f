/* sniff.c - a file that no format bids for, named for what it is, with what to do about it.
 *
 * Looks at the first bytes (and at the rest only where everything so far was zero). A guess is
 * worth a sentence, nothing depends on it.
 */
#include "containers.h"

#include <stdio.h>
#include <string.h>

#include <pthfs/cleanup.h>

#define HEAD 4096

struct magic {
	unsigned off, n;
	const char *bytes, *what;
};

/* clang-format off */
static const struct magic magics[] = {
	{0, 8, "\x89PNG\r\n\x1a\n", "a PNG picture"},
	{0, 3, "\xff\xd8\xff", "a JPEG picture"},
	{0, 4, "GIF8", "a GIF picture"},
	{0, 2, "\x1f\x8b", "compressed with gzip: unpack it first (gunzip)"},
	{0, 6, "\xfd"
	       "7zXZ\0",
			"compressed with xz: unpack it first (unxz)"},
	{0, 3, "BZh", "compressed with bzip2: unpack it first (bunzip2)"},
	{0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first (unzstd)"},
	{0, 4, "\x04\x22\x4d\x18", "compressed with lz4: unpack it first (unlz4)"},
	{0, 6, "7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first (7z x)"},
	{0, 4, "Rar!", "a RAR archive: unpack it first (unrar x)"},
	{0, 4, "PK\6\6", "an empty zip archive: it holds no records"},
	{0, 4, "PK\5\6", "an empty zip archive: it holds no records"},
	{0, 4, "\x7f"
	       "ELF",
			"an ELF program or library"},
	{0, 2, "MZ", "a Windows program or library"},
	{0, 5, "%PDF-", "a PDF document"},
	{0, 8, "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5 and others): h5py reads it"},
	{0, 4, "GGUF", "a GGUF model of llama.cpp: not supported yet"},
	{0, 6, "\x93NUMPY", "a NumPy .npy array: numpy.load reads it"},
	{0, 4, "CDF\1", "a NetCDF file"},
	{4, 4, "PTMF", "a TorchScript mobile model (flatbuffer): it has no pickle; save it again "
		       "with _save_for_lite_interpreter(_use_flatbuffer=False)"},
	{4, 4, "TFL3", "a TensorFlow Lite model"},
	{0, 8, "PYTORCH1", "a model of a torch before 1.0: no current torch loads it"},
	{0, 16, "SQLite format 3", "an SQLite database"},
};

/* clang-format on */

/* "oid sha256:..." and "size 123" of a git-lfs pointer. */
static struct str lfs_field(struct str text, const char *name)
{
	const char *at = memmem(text.p, text.n, name, strlen(name)), *end;

	if (!at)
		return STR("?");
	at += strlen(name);
	end = memchr(at, '\n', text.n - (size_t)(at - text.p));
	return (struct str){at, end ? (size_t)(end - at) : text.n - (size_t)(at - text.p)};
}

static bool starts_case(struct str text, const char *prefix)
{
	struct str p = str_of(prefix);

	return text.n >= p.n && str_eq_case(str_cut(text, p.n), p);
}

static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f')
			return false;
	}
	return str_utf8(str_cut(s, s.n > 4 ? s.n - 4 : s.n)) || str_utf8(s);
}

static int sniff_text(struct str head, uint64_t size, struct err *e)
{
	struct str body = head;

	while (body.n && strchr(" \t\r\n", body.p[0]))
		body = str_skip(body, 1);
	if (str_starts(head, STR("version https://git-lfs")))
		return err_set(e, ERR_NOT_CKPT,
				"a git-lfs pointer, not the file itself (%.80s, %.20s bytes): run "
				"git lfs pull",
				STR_SHOW(lfs_field(head, "oid ")),
				STR_SHOW(lfs_field(head, "size ")));
	if (starts_case(body, "<!doctype html") || starts_case(body, "<html"))
		return err_set(e, ERR_NOT_CKPT,
				"a web page (HTML), perhaps an error or login page that was saved "
				"instead of "
				"the checkpoint: download it again");
	if (body.n && (body.p[0] == '{' || body.p[0] == '['))
		return err_set(e, ERR_NOT_CKPT,
				"a JSON file: an index or a configuration, not the checkpoint "
				"itself");
	if (starts_case(body, "<?xml"))
		return err_set(e, ERR_NOT_CKPT,
				"an XML file, perhaps an error message that was saved instead of "
				"the "
				"checkpoint: download it again");
	return err_set(e, ERR_NOT_CKPT,
			"a text file of %llu bytes, not a checkpoint: it begins \"%.40s\"",
			(unsigned long long)size, STR_SHOW(head));
}

/* u64 length, then a JSON header of that length. */
static bool is_safetensors(struct str head, uint64_t size)
{
	uint64_t n;

	if (head.n < 10)
		return false;
	n = le64(head.p);
	return n >= 2 && n <= size - 8 && head.p[8] == '{' && strchr("\"} ", head.p[9]);
}

/* ModelProto: ir_version (field 1, a small varint), then a string or a message. */
static bool is_onnx(struct str head)
{
	const unsigned char *p = (const unsigned char *)head.p;

	return head.n > 8 && p[0] == 0x08 && p[1] > 0 && p[1] < 32 &&
	       (p[2] == 0x12 || p[2] == 0x1a || p[2] == 0x3a || p[2] == 0x42);
}

static int sniff_zeros(struct source *file, const char *head, size_t n, bool *all, struct err *e)
{
	_cleanup_(freep) char *buf = NULL;
	uint64_t off = n;
	size_t len;
	int rc;

	*all = true;
	for (size_t i = 0; i < n; i++)
		*all &= head[i] == 0;
	if (!*all || off >= file->size)
		return 0;
	buf = malloc(1u << 16);
	if (!buf)
		return err_nomem(e);
	/* The first 16 MB tell enough. */
	for (; *all && off < file->size && off < (16u << 20); off += len) {
		len = file->size - off < (1u << 16) ? (size_t)(file->size - off) : 1u << 16;
		rc = source_read(file, buf, len, off, e);
		if (rc < 0)
			return rc;
		*all = buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
	}
	return 0;
}

/* A zip or torch magic a little further on: something was put in front. */
static bool has_prefix(struct str head, size_t *ret)
{
	const char *at = memmem(head.p, head.n, "PK\3\4", 4);

	if (!at)
		return false;
	*ret = (size_t)(at - head.p);
	return *ret > 0;
}

static int sniff_binary(struct source *file, struct str head, struct err *e)
{
	bool zeros;
	size_t off;
	int rc = sniff_zeros(file, head.p, head.n, &zeros, e);

	if (rc < 0)
		return rc;
	if (zeros)
		return err_set(e, ERR_NOT_CKPT,
				"%s of zero bytes and nothing else, as an interrupted download or "
				"copy leaves "
				"behind: get it again",
				STR_SIZE(file->size));
	if (is_safetensors(head, file->size))
		return err_set(e, ERR_NOT_CKPT, "a safetensors file: not supported yet");
	if (is_onnx(head))
		return err_set(e, ERR_NOT_CKPT, "an ONNX model (protobuf): not supported yet");
	if (has_prefix(head, &off))
		return err_set(e, ERR_NOT_CKPT,
				"not a checkpoint: a zip begins only at offset %zu, and torch does "
				"not read "
				"archives with something before their start; cut the first %zu "
				"bytes off",
				off, off);
	return err_set(e, ERR_NOT_CKPT,
			"not a checkpoint of any known format (%s, first bytes %02x %02x %02x "
			"%02x)",
			STR_SIZE(file->size), (unsigned char)head.p[0],
			head.n > 1 ? (unsigned char)head.p[1] : 0,
			head.n > 2 ? (unsigned char)head.p[2] : 0,
			head.n > 3 ? (unsigned char)head.p[3] : 0);
}

int sniff_other(struct source *file, struct err *e)
{
	char buf[HEAD];
	struct str head = {buf, file->size < HEAD ? (size_t)file->size : HEAD};
	int rc;

	if (head.n == 0)
		return err_set(e, ERR_NOT_CKPT,
				"an empty file, as an interrupted download or save leaves behind");
	rc = source_read(file, buf, head.n, 0, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];

		if (head.n >= m->off + m->n && memcmp(buf + m->off, m->bytes, m->n) == 0)
			return err_set(e, ERR_NOT_CKPT, "not a checkpoint but %s", m->what);
	}
	return is_text(head) ? sniff_text(head, file->size, e) : sniff_binary(file, head, e);
}
