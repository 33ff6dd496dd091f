/* plain.c - a pickle that is a file of its own: no zip, no stream, protocols 0 to 5.
 *
 * Values and numpy arrays are in it; torch tensors are, when their storages are embedded
 * (torch.storage._load_from_bytes). Persistent ids lead nowhere: such tensors are broken.
 *
 * Protocols 0 and 1 have no magic. The first bytes must then be opcodes with arguments of their
 * form, and the whole file must load: a text is not taken for a pickle. (formats/pickle.md
 * section 2)
 */
#include "containers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool all_in(const char *set, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i] || !strchr(set, p[i]))
			return false;
	return n > 0;
}

static bool identifier(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
				    c == '_' || c == '.' || c >= 0x80))
			return false;
	}
	return n > 0;
}

/* One line of an opcode's argument: its length with the newline, 0 when the head ends before it,
 * -1 when it has the wrong form. */
static int check_line(unsigned char op, const unsigned char *p, size_t n)
{
	const unsigned char *nl = memchr(p, '\n', n);
	size_t len = nl ? (size_t)(nl - p) : 0;
	bool ok = true;

	if (!nl)
		return 0;
	switch (op) {
	case 'I':
	case 'p':
	case 'g':
		ok = all_in("+-0123456789", p, len);
		break;
	case 'L':
		ok = all_in("+-0123456789L", p, len);
		break;
	case 'F':
		ok = all_in("+-0123456789.eEinfa", p, len);
		break;
	case 'S':
		ok = len >= 2 && (p[0] == '\'' || p[0] == '"') && p[len - 1] == p[0];
		break;
	case 'c':
	case 'i':
		ok = identifier(p, len);
		break;
	default:
		break;
	}
	return ok ? (int)len + 1 : -1;
}

/* Bytes of the argument of a binary opcode, or -1: not an opcode of protocols 0 and 1. */
static int binary_arg(unsigned char op, const unsigned char *p, size_t n)
{
	if (strchr("(.012NR]ab)d}elostuQ", op))
		return 0;
	if (strchr("Khq", op))
		return 1;
	if (op == 'M')
		return 2;
	if (strchr("Jjr", op))
		return 4;
	if (op == 'G')
		return 8;
	if (op == 'U')
		return n ? 1 + p[0] : 1;
	if (strchr("TX", op))
		return n >= 4 && le32(p) < 1u << 30 ? 4 + (int)le32(p) : -1;
	return -1;
}

bool looks_like_old_pickle(const unsigned char *head, size_t n, uint64_t size)
{
	size_t at = 0;
	int len, lines;

	if (n < 2 || head[0] == 0 || !strchr("(]})cIFSVLNJKMGUTX", head[0]))
		return false;
	while (at < n) {
		unsigned char op = head[at++];

		if (op == 0)
			return false;
		lines = strchr("ci", op) ? 2 : strchr("IFSVLpgP", op) ? 1 : 0;
		for (int i = 0; i < lines; i++) {
			len = check_line(op, head + at, n - at);
			if (len <= 0)
				return len == 0 && n < size;
			at += (size_t)len;
		}
		if (op == '.')
			return at == size;
		len = lines ? 0 : binary_arg(op, head + at, n - at);
		if (len < 0)
			return false;
		if ((size_t)len > n - at)
			return n < size;
		at += (size_t)len;
	}
	return n < size;
}

static int plain_bid(const unsigned char *head, size_t n, uint64_t size)
{
	if (n >= 2 && head[0] == 0x80 && head[1] >= 1 && head[1] <= 5)
		return 14;
	return looks_like_old_pickle(head, n, size) ? 6 : 0;
}

/* The opcodes of short bytes, and how many bytes of length follow them. */
static unsigned bytes_opcode(unsigned char op)
{
	if (op == 'C' || op == 'U')
		return 1;
	if (op == 'B' || op == 'T')
		return 4;
	return op == 0x8e ? 8 : 0;
}

bool plain_bytes_place(const struct loader *l, oref r, uint64_t *ret)
{
	unsigned char head[9] = {0};
	uint64_t at = obj_off(l->g, r), len = 0;
	struct str text;
	unsigned width;

	if (strcmp(l->c->format, pickle_ops.name) != 0 || obj_kind(l->g, r) != OBJ_KIND_BYTES ||
			!obj_text(l->g, r, &text) || at == UINT32_MAX || at >= l->c->file->size ||
			text.n > l->c->file->size - at)
		return false;
	if (source_read(l->c->file, head, 1, at, NULL) < 0)
		return false;
	width = bytes_opcode(head[0]);
	if (!width || width + 1 + text.n > l->c->file->size - at ||
			source_read(l->c->file, head + 1, width, at + 1, NULL) < 0)
		return false;
	len = le64(head + 1); /* what is behind the length is 0 */
	if (len != text.n)
		return false;
	*ret = at + 1 + width;
	return true;
}

static int read_pickle(struct loader *l, oref *root)
{
	struct source *file = l->c->file;
	struct pickle_info *info = &l->c->pickle;
	struct reader r;
	int rc = reader_init(&r, file, 0, file->size, l->e);

	if (rc < 0)
		return rc;
	rc = pickle_load(&r, l->g, root, info, l->e);
	reader_release(&r);
	if (rc < 0 || info->length == file->size)
		return rc;
	if (info->protocol < 2)
		return err_set(l->e, ERR_NOT_CKPT, "bytes follow what could be a pickle");
	return model_find(l->m, "ambiguous", STR(""), info->length, l->e,
			"%" PRIu64 " bytes stand after the end of the pickle: Python ignores them",
			file->size - info->length);
}

static int load_with(struct loader *l)
{
	struct checkpoint *c = l->c;
	char version[40];
	oref root;
	int rc = read_pickle(l, &root);

	if (rc == 0)
		rc = loader_graph(l);
	if (rc == 0)
		rc = box_new("pickle", c->file, &c->box, l->e);
	if (rc == 0)
		rc = box_add(c->box, STR("data.pkl"), 0, c->pickle.length, l->e);
	if (rc < 0)
		return rc;
	snprintf(version, sizeof version, "%d", c->pickle.protocol);
	c->version = arena_str(&l->m->arena, str_of(version));
	c->producer = STR("Python's pickle");
	return c->version.p ? loader_finish(l, root) : err_nomem(l->e);
}

static int plain_load(struct source *file, const struct format_opts *o, struct checkpoint *c,
		struct err *e)
{
	struct loader l;
	int rc;

	loader_init(&l, c, o, e);
	rc = load_with(&l);
	loader_release(&l);
	return rc;
}

const struct format_ops pickle_ops = {"pickle", plain_bid, plain_load};
