/* torch_zip.c - torch.save since 1.6, and TorchScript: a zip with a pickle in it.
 *
 *	FOLDER/data.pkl  FOLDER/byteorder  FOLDER/data/0 ...  FOLDER/version     torch.save
 *	FOLDER/data/0 ...  FOLDER/data.pkl  FOLDER/code/...  FOLDER/constants.pkl  TorchScript
 *
 * FOLDER is what stands before the first '/' in the name of the directory's first entry, as for
 * torch. The records other than data.pkl are only located. (formats/torch-zip.md sections 1-3 and
 * 10, formats/torchscript.md section 1)
 *
 * Not read: constants.pkl (tensors that code refers to by number), bytecode.pkl; they stay under
 * .pthfs/archive/.
 */
#include "containers.h"

#include <inttypes.h>
#include <string.h>

#include <pthfs/cleanup.h>

#include "script.h"

static int zip_bid(const unsigned char *head, size_t n, uint64_t size)
{
	return n >= 4 && memcmp(head, "PK\3\4", 4) == 0 ? 32 : 0;
}

/* The folder of the first entry; of a salvaged file, that of the first data.pkl. */
static int find_folder(const struct box *b, struct str *ret, struct err *e)
{
	const char *slash;

	for (uint32_t i = 0; i < b->n; i++) {
		struct str name = b->at[i].name;

		slash = memchr(name.p, '/', name.n);
		if (slash && (!b->salvaged || str_ends(name, STR("/data.pkl")))) {
			*ret = str_cut(name, (size_t)(slash - name.p));
			if (zip_record(b, *ret, "data.pkl"))
				return 0;
		}
		if (!b->salvaged)
			break;
	}
	return zip_name_other(b, e);
}

/* torch.load refuses an archive with records outside its folder. */
static int check_folder(const struct box *b, struct str folder, struct err *e)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct str name = b->at[i].name;

		if (str_starts(name, folder) && name.n > folder.n && name.p[folder.n] == '/')
			continue;
		return err_set(e, ERR_REFUSED,
				"record \"%s\" lies outside of the archive's folder \"%s\": torch "
				"does "
				"not load such a file",
				STR_SHOW(name), STR_SHOW(folder));
	}
	return 0;
}

static int check_crc(struct source *src, uint32_t want, struct err *e)
{
	enum { CHUNK = 65536 };
	_cleanup_(freep) char *buf = malloc(CHUNK);
	uint32_t crc = 0;
	uint64_t off = 0;
	size_t n;
	int rc;

	if (!buf)
		return err_nomem(e);
	for (; off < src->size; off += n) {
		n = src->size - off < CHUNK ? (size_t)(src->size - off) : CHUNK;
		rc = source_read(src, buf, n, off, e);
		if (rc < 0)
			return rc;
		crc = crc32_bytes(crc, buf, n);
	}
	if (crc == want)
		return 0;
	return err_set(e, ERR_DAMAGED,
			"data.pkl does not match its CRC (%08x, the archive says %08x): its bytes "
			"have "
			"changed since it was written",
			crc, want);
}

/* Reads data.pkl and complains about what stands behind its STOP. */
static int load_pickle(struct loader *l, struct source *src, oref *root)
{
	struct reader r;
	int rc = reader_init(&r, src, 0, src->size, l->e);

	if (rc < 0)
		return rc;
	rc = pickle_load(&r, l->g, root, &l->c->pickle, l->e);
	reader_release(&r);
	if (rc < 0) {
		err_prefix(l->e, "data.pkl");
		return rc;
	}
	if (l->c->pickle.length == src->size)
		return 0;
	return model_find(l->m, "ambiguous", STR("data.pkl"), l->c->pickle.length, l->e,
			"%" PRIu64
			" bytes stand after the end of the pickle in data.pkl: torch ignores "
			"them, other tools may not",
			src->size - l->c->pickle.length);
}

static void sourcep(struct source **s)
{
	source_unref(*s);
}

static int read_pickle(struct loader *l, const struct member *m, oref *root)
{
	_cleanup_(sourcep) struct source *src = NULL;
	struct err why = {0};
	int rc = box_source(l->c->box, m, &src, l->e);

	if (rc < 0)
		return rc;
	if (m->crc && !(m->flags & MEMBER_MISSING)) {
		rc = check_crc(src, m->crc, &why);
		if (rc < 0 && (!l->o->salvage || rc != ERR_DAMAGED)) {
			if (l->e)
				*l->e = why;
			return rc;
		}
		if (rc < 0 && model_find(l->m, "damaged", STR("data.pkl"), UINT64_MAX, l->e, "%s",
					      why.text) < 0)
			return ERR_NOMEM;
	}
	return load_pickle(l, src, root);
}

static int note_salvage(struct loader *l)
{
	const struct box *b = l->c->box;
	int rc = 0;

	if (!b->salvaged)
		return 0;
	l->c->truncated = true;
	for (uint32_t i = 0; i < b->n && rc == 0; i++)
		if (b->at[i].flags & MEMBER_MISSING)
			rc = model_find(l->m, "damaged", b->at[i].name, b->at[i].data_off, l->e,
					"record \"%s\" is cut: the file ends in it",
					STR_SHOW(b->at[i].name));
	if (rc < 0)
		return rc;
	return model_find(l->m, "damaged", STR(""), UINT64_MAX, l->e,
			"the file has no usable directory: %u records were found by reading it "
			"from the "
			"start",
			b->n);
}

/* Records of the folder, then the pickle, then what it describes. */
static int load_parts(struct loader *l, struct str folder)
{
	oref root;
	int rc = zip_read_records(l, folder);

	if (rc == 0)
		rc = note_salvage(l);
	if (rc == 0)
		rc = read_pickle(l, zip_record(l->c->box, folder, "data.pkl"), &root);
	if (rc == 0)
		rc = loader_graph(l);
	if (rc == 0)
		rc = zip_find_storages(l, folder);
	if (rc == 0)
		rc = zip_guess_producer(l);
	return rc < 0 ? rc : loader_finish(l, root);
}

static int load_box(struct checkpoint *c, const struct format_opts *o, struct err *e)
{
	struct loader l;
	struct str folder;
	int rc = find_folder(c->box, &folder, e);

	if (rc < 0)
		return rc;
	loader_init(&l, c, o, e);
	l.persid_items = 5;
	c->format = "torch zip";
	if (zip_record(c->box, folder, "constants.pkl")) {
		c->format = "torchscript";
		l.script = script_new(c->box, folder);
		if (!l.script)
			rc = err_nomem(e);
	} else if (!c->box->salvaged) {
		rc = check_folder(c->box, folder, e);
	}
	if (rc == 0)
		rc = load_parts(&l, folder);
	loader_release(&l);
	return rc;
}

static int zip_load(struct source *file, const struct format_opts *o, struct checkpoint *c,
		struct err *e)
{
	struct box_opts bo = {.salvage = o->salvage};
	int rc = box_zip_open(file, &bo, &c->box, e);

	if (rc == ERR_TRUNCATED && !o->salvage)
		zip_describe_truncated(file, e);
	return rc < 0 ? rc : load_box(c, o, e);
}

const struct format_ops torch_zip_ops = {"torch zip", zip_bid, zip_load};
